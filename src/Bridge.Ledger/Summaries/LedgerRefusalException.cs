using System.Text;
using System.Text.Json;

namespace Bridge.Ledger;

/// <summary>The contract refused by a rule. Nothing was written. Its texts hold no patient data, handles or codes.</summary>
public sealed class LedgerRefusalException : Exception
{
    internal LedgerRefusalException(string function, Refusal refusal, Exception inner)
        : base($"{function} was refused: {refusal.Text} ({refusal.Detail})", inner)
    {
        Function = function;
        Code = refusal.Code;
        CodeText = refusal.Text;
        Detail = refusal.Detail;
        ItemCodes = refusal.Items;
    }

    /// <summary>The contract's function.</summary>
    public string Function { get; }

    /// <summary>The rule.</summary>
    public RefusalCode Code { get; }

    /// <summary>The rule as the contract writes it, such as <c>DOCTOR_REVOKED</c>.</summary>
    public string CodeText { get; }

    /// <summary>For people.</summary>
    public string Detail { get; }

    /// <summary>The refusal of each item of a batch of which nothing was anchored; else empty.</summary>
    public IReadOnlyList<string> ItemCodes { get; }
}

/// <summary>A refusal as it stands in the words of a failed call.</summary>
internal sealed record Refusal(RefusalCode Code, string Text, string Detail, IReadOnlyList<string> Items)
{
    private const string Start = "{\"refusal\":";

    /// <summary>Null where the failure is no refusal of the contract.</summary>
    public static Refusal? Find(GatewayException exception)
    {
        foreach (var detail in exception.Details)
        {
            if (Parse(detail.Message) is { } refusal)
                return refusal;
        }

        return Parse(exception.Status);
    }

    /// <summary>Whether each of these organisations refused; where one did not, the other may be a block behind.</summary>
    public static bool IsByAll(IReadOnlyList<string> organizations, GatewayException exception) =>
        organizations.All(organization => exception.Details.Any(detail => detail.MspId == organization && Parse(detail.Message) is not null));

    public static Refusal? Parse(string message)
    {
        // the contract's words stand behind the peer's own
        var start = message.IndexOf(Start, StringComparison.Ordinal);
        if (start < 0)
            return null;
        try
        {
            var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(message[start..]));
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            var text = root.GetProperty("refusal").GetString() ?? "";
            var detail = root.TryGetProperty("detail", out var given) ? given.GetString() ?? "" : "";
            IReadOnlyList<string> items = root.TryGetProperty("items", out var list)
                ? [.. list.EnumerateArray().Select(item => item.GetString() ?? "")]
                : [];
            return new Refusal(RefusalCodes.Parse(text), text, detail, items);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }
}

internal static class RefusalCodes
{
    public static RefusalCode Parse(string text) =>
        Enum.TryParse<RefusalCode>(text.Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out var code) && char.IsAsciiLetter(text[0])
            ? code
            : RefusalCode.Other;
}
