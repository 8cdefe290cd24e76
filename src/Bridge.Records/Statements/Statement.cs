using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>A payload that one office or patient signs as a compact JWS. Each kind has its own <c>typ</c>, so that no signature serves for another purpose.</summary>
/// <typeparam name="TSelf">The kind.</typeparam>
public interface IStatement<TSelf>
    where TSelf : class, IStatement<TSelf>
{
    /// <summary>The protected header's <c>typ</c>.</summary>
    static abstract string Typ { get; }

    /// <summary>True where an office signs and its certificate stands in <c>x5c</c>; false where a patient signs, whose key the reader knows.</summary>
    static abstract bool HasCertificate { get; }

    /// <summary>The payload as a JSON object; canonicalised by whoever writes it.</summary>
    JsonObject ToJson();

    /// <summary>Reads a payload that keeps the kind's closed schema; otherwise null and the member at fault.</summary>
    static abstract TSelf? Read(JsonElement payload, out string? fault);
}

/// <summary>Rules that the payloads of compact signatures share.</summary>
internal static class StatementSchema
{
    public const long MaxInteger = 9007199254740991;

    public static bool IsText(string text, int max) =>
        text.Length >= 1 && text.Length <= max && !text.AsSpan().ContainsAnyInRange('\0', '\u001f') && !text.Contains('\u007f', StringComparison.Ordinal);

    public static bool IsName(string text) => IsText(text, 128);

    /// <summary>A person's name in a certificate: something to read beside blanks, and nothing that a page would not show.</summary>
    public static bool IsPersonName(string? text) => text is not null && IsName(text) && text.Any(c => c is not ('\u0085' or '\ufeff') && !char.IsWhiteSpace(c));

    public static bool IsShort(string text) => IsText(text, 64);

    public static bool IsLanguage(string text)
    {
        var parts = text.Split('-');
        return parts[0].Length is 2 or 3 && parts[0].All(char.IsAsciiLetterLower)
            && parts.Skip(1).All(p => p.Length is >= 2 and <= 8 && p.All(char.IsAsciiLetterOrDigit));
    }

    public static DateOnly? Date(string text) =>
        text.Length == 10 && DateOnly.TryParseExact(text, "yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.None, out var date)
            && date.Year is >= 1900 and <= 2199 ? date : null;

    public static Digest? ReadDigest(string text) => Digest.TryParse(text, out var digest) ? digest : null;

    public static JsonArray Array(IEnumerable<string> texts) => [.. texts.Select(t => (JsonNode?)JsonValue.Create(t))];

    public static JsonArray Array(IEnumerable<Digest> digests) => Array(digests.Select(d => d.ToString()));

    /// <summary>What every <c>Read</c> ends with.</summary>
    public static T? End<T>(Closed closed, T? value, out string? fault)
        where T : class
    {
        fault = closed.Fault ?? (value is null ? "(document)" : null);
        return fault is null ? value : null;
    }
}
