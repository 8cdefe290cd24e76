namespace Bridge.Cli;

/// <summary>Where a command reads and writes, and what time it is.</summary>
internal sealed class Terminal(TextReader input, TextWriter output, TextWriter error, TimeProvider clock)
{
    public TextWriter Out => output;

    public TextWriter Error => error;

    /// <summary>Now, in whole seconds: certificates and lists carry no finer time.</summary>
    public DateTimeOffset Now => DateTimeOffset.FromUnixTimeSeconds(clock.GetUtcNow().ToUnixTimeSeconds());

    public void Line(string text = "") => output.WriteLine(text);

    /// <summary>Asks for the whole word; anything else ends the command with <see cref="ExitCode.NotConfirmed"/> and nothing written.</summary>
    public void Confirm(string question, bool yes)
    {
        if (yes)
            return;
        output.Write($"{question} Type yes to go on: ");
        output.Flush();
        var answer = input.ReadLine();
        if (answer?.Trim() is not "yes")
            throw new CliFault(ExitCode.NotConfirmed, "Not confirmed: nothing was signed or written.");
    }

    /// <summary>Reads a password: from the file where one is given, else typed without echo, else (piped) a line of standard input.</summary>
    public string Password(string what, FileInfo? file)
    {
        if (file is not null)
        {
            var line = TextFiles.Read(file).Split('\n')[0].TrimEnd('\r');
            return line.Length > 0 ? line : throw new CliFault(ExitCode.Input, $"The first line of {file.FullName} is empty: put the password there.");
        }
        output.Write($"{what}: ");
        output.Flush();
        var password = ReferenceEquals(input, Console.In) && !Console.IsInputRedirected ? ReadHidden() : input.ReadLine();
        return string.IsNullOrEmpty(password)
            ? throw new CliFault(ExitCode.Input, "No password was given: type it, or name a file that holds it with --password-file.")
            : password;
    }

    /// <summary>A password for a new key: typed twice where it is typed.</summary>
    public string NewPassword(FileInfo? file)
    {
        var password = Password("New password", file);
        if (file is null && Password("Once more", null) != password)
            throw new CliFault(ExitCode.Input, "The two passwords differ: nothing was written.");
        return password;
    }

    private string ReadHidden()
    {
        var typed = new System.Text.StringBuilder();
        for (var key = Console.ReadKey(intercept: true); key.Key != ConsoleKey.Enter; key = Console.ReadKey(intercept: true))
        {
            if (key.Key == ConsoleKey.Backspace && typed.Length > 0)
                typed.Length--;
            else if (!char.IsControl(key.KeyChar))
                typed.Append(key.KeyChar);
        }
        output.WriteLine();
        return typed.ToString();
    }
}
