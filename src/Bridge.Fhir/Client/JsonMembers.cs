using System.Buffers;
using System.Text.Json;

namespace Bridge.Fhir.Client;

/// <summary>
/// The members of one JSON object, name by name, without parsing the values in between: most of a resource is of no interest to whoever only wants
/// to know what it refers to. Ends at the first fault; who reads a value validates it.
/// </summary>
internal ref struct JsonMembers
{
    private static readonly SearchValues<byte> StringEnd = SearchValues.Create("\"\\"u8);
    private static readonly SearchValues<byte> ScalarEnd = SearchValues.Create(",]} \t\r\n"u8);

    private readonly ReadOnlySpan<byte> _json;
    private int _at;

    public JsonMembers(ReadOnlySpan<byte> json)
    {
        _json = json;
        var at = SkipBlank(json, 0);
        _at = at < json.Length && json[at] == (byte)'{' ? SkipBlank(json, at + 1) : json.Length;
    }

    /// <summary>Without its quotes; escapes are not resolved, and no FHIR element needs any.</summary>
    public ReadOnlySpan<byte> Name { get; private set; }

    /// <summary>From its first byte to its last.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    public readonly JsonMembers GetEnumerator() => this;

    public readonly JsonMembers Current => this;

    public bool MoveNext()
    {
        var json = _json;
        if (_at >= json.Length || json[_at] != (byte)'"')
            return false;
        var keyEnd = SkipString(json, _at);
        if (keyEnd < 0)
            return false;
        var at = SkipBlank(json, keyEnd);
        if (at >= json.Length || json[at] != (byte)':')
            return false;
        at = SkipBlank(json, at + 1);
        var end = SkipValue(json, at);
        if (end < 0)
            return false;
        Name = json[(_at + 1)..(keyEnd - 1)];
        Value = json[at..end];
        at = SkipBlank(json, end);
        _at = at < json.Length && json[at] == (byte)',' ? SkipBlank(json, at + 1) : json.Length;
        return true;
    }

    /// <summary>The value of the first member of this name; empty where there is none.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> json, ReadOnlySpan<byte> name)
    {
        foreach (var member in new JsonMembers(json))
        {
            if (member.Name.SequenceEqual(name))
                return member.Value;
        }
        return default;
    }

    /// <summary>The text of a value, escapes resolved; null where it is no text.</summary>
    public static string? Text(ReadOnlySpan<byte> value)
    {
        if (value.Length < 2 || value[0] != (byte)'"')
            return null;
        if (!value.Contains((byte)'\\') && System.Text.Ascii.IsValid(value))
            return System.Text.Encoding.ASCII.GetString(value[1..^1]);
        try
        {
            var reader = new Utf8JsonReader(value);
            return reader.Read() ? reader.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    public static int SkipBlank(ReadOnlySpan<byte> s, int at)
    {
        while (at < s.Length && s[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            at++;
        return at;
    }

    /// <summary>From an opening quote to just past the closing one; -1 = cut short.</summary>
    public static int SkipString(ReadOnlySpan<byte> s, int at)
    {
        at++;
        while (true)
        {
            var hit = s[at..].IndexOfAny(StringEnd);
            if (hit < 0)
                return -1;
            at += hit;
            if (s[at] == (byte)'"')
                return at + 1;
            at += 2;
            if (at > s.Length)
                return -1;
        }
    }

    /// <summary>From the first byte of a value to just past its last; -1 = cut short or no value.</summary>
    public static int SkipValue(ReadOnlySpan<byte> s, int at)
    {
        if (at >= s.Length)
            return -1;
        if (s[at] == (byte)'"')
            return SkipString(s, at);
        if (s[at] is (byte)'{' or (byte)'[')
            return JsonBlocks.SkipContainer(s, at);
        var end = s[at..].IndexOfAny(ScalarEnd);
        return end > 0 ? at + end : -1;
    }
}
