using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>
/// RFC 8785 (JCS): the one spelling of a JSON value. Members sorted by UTF-16 unit, numbers as ECMAScript writes them, the shortest escapes, no
/// white space.
/// </summary>
public static class CanonicalJson
{
    /// <summary>The canonical bytes of a JSON text (any value, not only an object). False where <see cref="StrictJson"/> finds fault with it.</summary>
    public static bool TryCanonicalise(ReadOnlyMemory<byte> utf8, out byte[] canonical)
    {
        canonical = [];
        if (StrictJson.Parse(utf8, out var document) != JsonFault.None)
            return false;
        using (document)
            canonical = Serialize(document!.RootElement);
        return true;
    }

    /// <summary>As <see cref="TryCanonicalise"/>; <see cref="FormatException"/> naming the fault otherwise.</summary>
    public static byte[] Canonicalise(ReadOnlyMemory<byte> utf8)
    {
        var fault = StrictJson.Parse(utf8, out var document);
        if (fault != JsonFault.None)
            throw new FormatException(fault == JsonFault.DuplicateMember ? "a member stands twice in one object" : "not well-formed JSON in UTF-8");
        using (document)
            return Serialize(document!.RootElement);
    }

    /// <summary>
    /// The canonical bytes of a parsed value. <see cref="InvalidOperationException"/> for a lone surrogate, <see cref="ArgumentOutOfRangeException"/> for a number
    /// outside the range of a double; neither passes <see cref="StrictJson"/>.
    /// </summary>
    public static byte[] Serialize(JsonElement value)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        Write(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The canonical bytes of a value built in memory.</summary>
    public static byte[] Serialize(JsonNode value)
    {
        using var document = JsonDocument.Parse(value.ToJsonString());
        return Serialize(document.RootElement);
    }

    /// <summary>As <see cref="Serialize(JsonNode)"/>, as text.</summary>
    public static string SerializeToString(JsonNode value) => Encoding.UTF8.GetString(Serialize(value));

    /// <summary>Appends the canonical bytes of a parsed value.</summary>
    public static void Write(JsonElement value, IBufferWriter<byte> output)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(value, output);
                break;
            case JsonValueKind.Array:
                var first = true;
                foreach (var item in value.EnumerateArray())
                {
                    WriteByte(output, first ? (byte)'[' : (byte)',');
                    first = false;
                    Write(item, output);
                }
                output.Write(first ? "[]"u8 : "]"u8);
                break;
            case JsonValueKind.String:
                WriteString(value.GetString(), output);
                break;
            case JsonValueKind.Number:
                output.Advance(EcmaNumber.Format(value.GetDouble(), output.GetSpan(EcmaNumber.MaxLength)));
                break;
            case JsonValueKind.True:
                output.Write("true"u8);
                break;
            case JsonValueKind.False:
                output.Write("false"u8);
                break;
            case JsonValueKind.Null:
                output.Write("null"u8);
                break;
            default:
                throw new ArgumentException("an undefined element has no JSON form", nameof(value));
        }
    }

    private static void WriteObject(JsonElement value, IBufferWriter<byte> output)
    {
        var count = value.GetPropertyCount();
        var members = ArrayPool<(string Name, JsonElement Value)>.Shared.Rent(count);
        try
        {
            var at = 0;
            foreach (var member in value.EnumerateObject())
                members[at++] = (member.Name, member.Value);
            // ordinal comparison of .NET strings is comparison by UTF-16 unit
            members.AsSpan(0, at).Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
            WriteByte(output, (byte)'{');
            for (var i = 0; i < at; i++)
            {
                if (i > 0)
                    WriteByte(output, (byte)',');
                WriteString(members[i].Name, output);
                WriteByte(output, (byte)':');
                Write(members[i].Value, output);
            }
            WriteByte(output, (byte)'}');
        }
        finally
        {
            ArrayPool<(string, JsonElement)>.Shared.Return(members, clearArray: true);
        }
    }

    /// <summary>Appends a JSON string: only <c>"</c>, <c>\</c> and what is below U+0020 is escaped (RFC 8785 §3.2.2.2).</summary>
    internal static void WriteString(ReadOnlySpan<char> text, IBufferWriter<byte> output)
    {
        WriteByte(output, (byte)'"');
        while (!text.IsEmpty)
        {
            var plain = 0;
            while (plain < text.Length && text[plain] >= ' ' && text[plain] is not ('"' or '\\'))
                plain++;
            if (plain > 0)
            {
                var run = text[..plain];
                output.Advance(StrictUtf8.GetBytes(run, output.GetSpan(StrictUtf8.GetByteCount(run))));
                text = text[plain..];
                continue;
            }
            WriteEscape(text[0], output);
            text = text[1..];
        }
        WriteByte(output, (byte)'"');
    }

    private static void WriteEscape(char c, IBufferWriter<byte> output)
    {
        var letter = c switch { '"' => '"', '\\' => '\\', '\b' => 'b', '\t' => 't', '\n' => 'n', '\f' => 'f', '\r' => 'r', _ => '\0' };
        var span = output.GetSpan(6);
        span[0] = (byte)'\\';
        if (letter != '\0')
        {
            span[1] = (byte)letter;
            output.Advance(2);
            return;
        }
        "u00"u8.CopyTo(span[1..]);
        span[4] = (byte)(c < 0x10 ? '0' : '1');
        span[5] = "0123456789abcdef"u8[c & 15];
        output.Advance(6);
    }

    /// <summary>Throws on a lone surrogate instead of replacing it.</summary>
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    internal static void WriteByte(IBufferWriter<byte> output, byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }
}
