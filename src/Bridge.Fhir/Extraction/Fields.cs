using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Bridge.Fhir.Extraction;

/// <summary>Steps over JSON members. A member of an unexpected JSON type counts as absent.</summary>
internal static class Fields
{
    public static readonly JsonReaderOptions Options = new() { MaxDepth = ResourceLimits.MaxDepth };

    /// <summary>Stands on the next member's name; false at the end of the object.</summary>
    public static bool Next(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.PropertyName;

    /// <summary>
    /// Whether the name or text that is stood on is this one. As <see cref="Utf8JsonReader.ValueTextEquals(ReadOnlySpan{byte})"/>, but in line: a member is asked for
    /// a dozen names, and with a constant each costs little more than a look at the length.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> text) =>
        reader.ValueIsEscaped ? reader.ValueTextEquals(text) : reader.ValueSpan.SequenceEqual(text);

    /// <summary>Steps over the value of the member stood on.</summary>
    public static void Skip(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }

    /// <summary>Steps into the object that the member holds; another value is stepped over.</summary>
    public static bool IntoObject(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
            return true;
        reader.Skip();
        return false;
    }

    /// <summary>Steps into the array that the member holds; another value is stepped over.</summary>
    public static bool IntoArray(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartArray)
            return true;
        reader.Skip();
        return false;
    }

    /// <summary>Steps to the next object of an array, over anything else; false at the array's end.</summary>
    public static bool NextObject(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
                return true;
            reader.Skip();
        }
        return false;
    }

    /// <summary>The member's text, at most <paramref name="max"/> bytes; null otherwise.</summary>
    public static string? Text(ref Utf8JsonReader reader, int max = 2048)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
            return reader.ValueSpan.Length <= max ? SafeText(ref reader) : null;
        reader.Skip();
        return null;
    }

    /// <summary>Stands on the member's text; false (value stepped over) where it is none.</summary>
    public static bool IsText(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
            return true;
        reader.Skip();
        return false;
    }

    /// <summary>
    /// The bytes of the text that is stood on. Some servers spell characters of dates and codes as escapes (<c>+</c> as <c>\u002B</c>, <c>/</c> as <c>\/</c>);
    /// only then is anything copied. Empty where the escapes are no text.
    /// </summary>
    public static ReadOnlySpan<byte> Value(scoped ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped)
            return reader.ValueSpan;
        try
        {
            var text = new byte[reader.ValueSpan.Length];
            return text.AsSpan(0, reader.CopyString(text));
        }
        catch (InvalidOperationException)
        {
            return default;
        }
    }

    /// <summary>The <c>reference</c> of the Reference that the member holds, and its logical <c>identifier</c>.</summary>
    /// <param name="reader">Stands on the member's name.</param>
    /// <param name="expected">What the reference most likely says, to be handed back instead of a new string.</param>
    public static (string? Reference, BusinessIdentifier? Identifier) Reference(ref Utf8JsonReader reader, string? expected = null)
    {
        string? reference = null;
        BusinessIdentifier? identifier = null;
        if (!IntoObject(ref reader))
            return default;
        while (Next(ref reader))
        {
            if (Is(ref reader, "reference"u8))
                reference = ExpectedText(ref reader, expected);
            else if (Is(ref reader, "identifier"u8))
                identifier = Identifier(ref reader);
            else
                Skip(ref reader);
        }
        return (reference, identifier);
    }

    private static string? ExpectedText(ref Utf8JsonReader reader, string? expected)
    {
        if (!IsText(ref reader))
            return null;
        if (expected is not null && reader.ValueTextEquals(expected))
            return expected;
        return reader.ValueSpan.Length <= 2048 ? SafeText(ref reader) : null;
    }

    /// <summary>The Identifier that the member holds; null without a value.</summary>
    public static BusinessIdentifier? Identifier(ref Utf8JsonReader reader) => IntoObject(ref reader) ? IdentifierHere(ref reader) : null;

    /// <summary>The Identifier object that is stood in.</summary>
    public static BusinessIdentifier? IdentifierHere(ref Utf8JsonReader reader)
    {
        string? system = null, value = null;
        while (Next(ref reader))
        {
            if (Is(ref reader, "system"u8))
                system = Text(ref reader, 512);
            else if (Is(ref reader, "value"u8))
                value = Text(ref reader, 256);
            else
                Skip(ref reader);
        }
        return string.IsNullOrEmpty(value) ? null : new BusinessIdentifier(string.IsNullOrEmpty(system) ? null : system, value);
    }

    /// <summary>The date that the member holds.</summary>
    public static DateState Date(ref Utf8JsonReader reader, out FhirDate date)
    {
        date = default;
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
            return DateState.Absent;
        if (reader.TokenType == JsonTokenType.String)
            return FhirDate.TryParse(Value(ref reader), out date) ? DateState.Good : DateState.Impossible;
        reader.Skip();
        return DateState.Impossible;
    }

    /// <summary>The text with unpaired surrogates (<c>\ud800</c>) or broken UTF-8 gives null.</summary>
    private static string? SafeText(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.ValueIsEscaped ? reader.GetString() : Encoding.UTF8.GetString(reader.ValueSpan);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}

/// <summary>What a date member turned out to be.</summary>
internal enum DateState
{
    Absent,
    Good,
    Impossible,
}
