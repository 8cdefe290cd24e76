namespace Bridge.Sandbox.Processes;

/// <summary>The project's own programs, which lie beside this one.</summary>
internal static class Dotnet
{
    /// <summary>A command line that runs the assembly in a process of its own.</summary>
    public static ChildCommand Command(
        string name, string assembly, IEnumerable<string> arguments, string logFile, IReadOnlyDictionary<string, string?>? environment = null, string? workingDirectory = null)
    {
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            // Several parts share one machine: the server collector would keep a heap for each core in each of them.
            ["DOTNET_gcServer"] = "0",
            ["DOTNET_TieredPGO"] = "0",
            ["DOTNET_NOLOGO"] = "1",
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string?>())
        {
            variables[key] = value;
        }

        var host = System.Environment.GetEnvironmentVariable("DOTNET_HOST_PATH");
        var path = Path.Combine(AppContext.BaseDirectory, assembly + ".dll");
        return new ChildCommand(name, string.IsNullOrEmpty(host) ? "dotnet" : host, [path, .. arguments], logFile, variables, workingDirectory);
    }
}
