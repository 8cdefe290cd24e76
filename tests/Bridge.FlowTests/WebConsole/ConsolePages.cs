using System.Text.RegularExpressions;
using Bridge.Sandbox.Setup;

namespace Bridge.FlowTests.WebConsole;

/// <summary>A page of the console: where it is, who has it, what it is called.</summary>
/// <param name="Path">Its address.</param>
/// <param name="Roles">Who has it; empty for everybody.</param>
/// <param name="Title">The key of its title in the catalogues.</param>
internal sealed record ConsolePage(string Path, IReadOnlyList<string> Roles, string Title)
{
    public bool IsOf(string role) => Roles.Count == 0 || Roles.Contains(role);
}

/// <summary>The pages as the console itself lists them, and its catalogues: a new page is looked at without being listed again.</summary>
internal static partial class ConsolePages
{
    private static readonly string Root = System.IO.Path.Combine(Checkout.Find().Root, "src", "web", "console", "src");

    public static IReadOnlyList<ConsolePage> All { get; } =
        [.. Page().Matches(File.ReadAllText(System.IO.Path.Combine(Root, "shell.tsx"))).Select(match => new ConsolePage(
            match.Groups["path"].Value, [.. Role().Matches(match.Groups["rest"].Value).Select(role => role.Groups[1].Value)], match.Groups["name"].Value))];

    public static IReadOnlyDictionary<string, string> English { get; } = Catalogue("en");

    public static IReadOnlyDictionary<string, string> Chinese { get; } = Catalogue("zh-CN");

    private static Dictionary<string, string> Catalogue(string language) =>
        Text().Matches(File.ReadAllText(System.IO.Path.Combine(Root, "texts", $"{language}.ts")))
            .ToDictionary(match => match.Groups["key"].Value, match => match.Groups["text"].Value.Replace("\\'", "'", StringComparison.Ordinal), StringComparer.Ordinal);

    [GeneratedRegex(@"\{ path: '(?<path>[^']+)', name: '(?<name>[^']+)',(?<rest>.*?)show:")]
    private static partial Regex Page();

    [GeneratedRegex("'(doctor|registrar|operator|desk)'")]
    private static partial Regex Role();

    [GeneratedRegex(@"^  '?(?<key>[\w.+-]+)'?: '(?<text>(?:[^'\\]|\\.)*)',", RegexOptions.Multiline)]
    private static partial Regex Text();
}
