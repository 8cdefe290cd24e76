namespace Bridge.Sandbox.Consortium;

/// <summary>Files that only their owner may read.</summary>
internal static class PrivateFile
{
    /// <summary>The file is private from its first byte on.</summary>
    public static void Write(string path, string text)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var writer = new StreamWriter(path, options);
        writer.Write(text);
    }
}
