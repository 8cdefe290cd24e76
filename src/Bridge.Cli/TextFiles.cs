using System.Text;

namespace Bridge.Cli;

/// <summary>Files in and out. Nothing that exists is ever overwritten, but by <see cref="Replace"/>.</summary>
internal static class TextFiles
{
    private const long MaxBytes = 4 * 1024 * 1024;

    public static byte[] ReadBytes(FileInfo file)
    {
        try
        {
            if (file.Exists && file.Length > MaxBytes)
                throw new CliFault(ExitCode.Input, $"{file.FullName} has {file.Length} bytes: no file of this kind is larger than {MaxBytes}.");
            return File.ReadAllBytes(file.FullName);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CliFault(ExitCode.Input, $"There is no file {file.FullName}: check the path.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFault(ExitCode.Input, $"{file.FullName} cannot be read: {e.Message}");
        }
    }

    public static string Read(FileInfo file) => Encoding.UTF8.GetString(ReadBytes(file));

    /// <summary>Writes a file that is not there yet; the caller says it is secret (0600) or public.</summary>
    public static void WriteNew(FileInfo file, byte[] bytes, bool secret = false)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (secret && !OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using var stream = new FileStream(file.FullName, options);
            stream.Write(bytes);
            stream.Flush(flushToDisk: true);
        }
        catch (IOException) when (File.Exists(file.FullName))
        {
            throw InTheWay(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFault(ExitCode.Input, $"{file.FullName} cannot be written: {e.Message}");
        }
    }

    public static void WriteNew(FileInfo file, string text, bool secret = false) => WriteNew(file, Encoding.UTF8.GetBytes(text), secret);

    /// <summary>Says before any work that a file is in the way; <see cref="WriteNew(FileInfo, byte[], bool)"/> says it again where one appears meanwhile.</summary>
    public static void MustNotExist(params ReadOnlySpan<FileInfo> files)
    {
        foreach (var file in files)
            if (File.Exists(file.FullName))
                throw InTheWay(file);
    }

    /// <summary>Puts new content in place of old in one step: whoever reads sees the one or the other.</summary>
    public static void Replace(FileInfo file, byte[] bytes)
    {
        var next = new FileInfo(file.FullName + ".new");
        WriteNew(next, bytes);
        File.Move(next.FullName, file.FullName, overwrite: true);
    }

    private static CliFault InTheWay(FileInfo file) =>
        new(ExitCode.Input, $"{file.FullName} exists already and is not overwritten: name another file, or move it away.");
}
