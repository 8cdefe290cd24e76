namespace Bridge.Hospital.Shell;

/// <summary>A command's own options, taken out of its arguments; what is left is configuration (<c>--Section:Key VALUE</c>).</summary>
internal sealed class ShellArguments
{
    private readonly HashSet<string> _flags = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

    private ShellArguments()
    {
    }

    /// <summary>Arguments for the configuration, <c>--config</c> among them.</summary>
    public IReadOnlyList<string> Rest { get; private set; } = [];

    public bool Json => Has("--json");

    /// <exception cref="UsageException">An argument that is neither.</exception>
    public static ShellArguments Parse(string[] args, string[] flags, string[] values)
    {
        var parsed = new ShellArguments();
        var rest = new List<string>();
        for (var i = 0; i < args.Length; i++)
        {
            var equals = args[i].IndexOf('=', StringComparison.Ordinal);
            var name = equals > 0 ? args[i][..equals] : args[i];
            if (flags.Contains(args[i], StringComparer.Ordinal))
                parsed._flags.Add(args[i]);
            else if (values.Contains(name, StringComparer.Ordinal))
                parsed._values[name] = equals > 0 ? args[i][(equals + 1)..] : Next(args, ref i, name);
            else if (name == "--config" || name.StartsWith("--", StringComparison.Ordinal) && name.Contains(':', StringComparison.Ordinal))
                rest.AddRange(equals > 0 ? [name, args[i][(equals + 1)..]] : [name, Next(args, ref i, name)]);
            else
                throw new UsageException($"'{args[i]}' is no option of this command; `help` lists them, and configuration is given as --Section:Key VALUE");
        }
        parsed.Rest = rest;
        return parsed;
    }

    public bool Has(string flag) => _flags.Contains(flag);

    public string? Value(string name) => _values.GetValueOrDefault(name);

    /// <exception cref="UsageException">Not a whole number in the range.</exception>
    public int Number(string name, int standard, int least, int most)
    {
        if (Value(name) is not { } text)
            return standard;
        return int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new UsageException($"{name} is '{text}': give a whole number from {least} to {most}");
    }

    private static string Next(string[] args, ref int at, string name) =>
        at + 1 < args.Length ? args[++at] : throw new UsageException($"{name} needs a value behind it");
}
