using System.Buffers;
using System.Text.Json;

namespace Bridge.Fhir.Client;

/// <summary>A bundle cut into its resources, which stay unparsed.</summary>
internal sealed class FramedBundle
{
    public string? ResourceType { get; set; }
    public string? Next { get; set; }
    public string? Self { get; set; }
    public List<FhirResource> Resources { get; } = [];

    /// <summary>The framing broke off before the closing brace: cut short, or not JSON at all.</summary>
    public bool Broken { get; set; }
}

/// <summary>
/// Cuts a Bundle into resources by quotes and brackets alone, without parsing them: what is wrong inside one resource (nesting, tokens,
/// size) stays that resource's own fault, and skipping runs at memory speed.
/// </summary>
internal static class BundleFraming
{
    private static readonly SearchValues<byte> Structure = SearchValues.Create("\"{}[]"u8);
    private static readonly SearchValues<byte> StringEnd = SearchValues.Create("\"\\"u8);
    private static readonly SearchValues<byte> ScalarEnd = SearchValues.Create(",]} \t\r\n"u8);

    public static FramedBundle Frame(ReadOnlyMemory<byte> body, int maxResourceBytes)
    {
        var bundle = new FramedBundle();
        var cursor = new Cursor(body, maxResourceBytes);
        bundle.Broken = !cursor.ReadBundle(bundle);
        return bundle;
    }

    /// <summary>The resource's type, wherever in the object it stands; null where there is none.</summary>
    public static string? TypeOf(ReadOnlySpan<byte> json)
    {
        var at = SkipBlank(json, 0);
        if (at >= json.Length || json[at] != (byte)'{')
            return null;
        at = SkipBlank(json, at + 1);
        while (at < json.Length && json[at] == (byte)'"')
        {
            var keyEnd = SkipString(json, at);
            if (keyEnd < 0)
                return null;
            var isType = json[(at + 1)..(keyEnd - 1)].SequenceEqual("resourceType"u8);
            at = SkipBlank(json, keyEnd);
            if (at >= json.Length || json[at] != (byte)':')
                return null;
            at = SkipBlank(json, at + 1);
            var end = SkipValue(json, at);
            if (end < 0)
                return null;
            if (isType)
                return json[at] == (byte)'"' ? TypeName(json[(at + 1)..(end - 1)]) : null;
            at = SkipBlank(json, end);
            if (at >= json.Length || json[at] != (byte)',')
                return null;
            at = SkipBlank(json, at + 1);
        }
        return null;
    }

    /// <summary>Whether objects and arrays are nested deeper than that anywhere.</summary>
    public static bool DeeperThan(ReadOnlySpan<byte> json, int max)
    {
        var depth = 0;
        for (var at = 0; ;)
        {
            var hit = json[at..].IndexOfAny(Structure);
            if (hit < 0)
                return false;
            at += hit;
            if (json[at] == (byte)'"')
            {
                at = SkipString(json, at);
                if (at < 0)
                    return false;
                continue;
            }
            depth += json[at] is (byte)'{' or (byte)'[' ? 1 : -1;
            if (depth > max)
                return true;
            at++;
        }
    }

    private static string? TypeName(ReadOnlySpan<byte> name) => name switch
    {
        _ when name.SequenceEqual("Observation"u8) => "Observation",
        _ when name.SequenceEqual("Encounter"u8) => "Encounter",
        _ when name.SequenceEqual("Condition"u8) => "Condition",
        _ when name.SequenceEqual("Procedure"u8) => "Procedure",
        _ when name.SequenceEqual("MedicationRequest"u8) => "MedicationRequest",
        _ when name.SequenceEqual("Medication"u8) => "Medication",
        _ when name.SequenceEqual("Patient"u8) => "Patient",
        _ when name.SequenceEqual("Practitioner"u8) => "Practitioner",
        _ when name.SequenceEqual("PractitionerRole"u8) => "PractitionerRole",
        _ when name.SequenceEqual("Bundle"u8) => "Bundle",
        _ when name.SequenceEqual("OperationOutcome"u8) => "OperationOutcome",
        { Length: > 0 and <= 64 } => System.Text.Encoding.UTF8.GetString(name),
        _ => null,
    };

    private static int SkipBlank(ReadOnlySpan<byte> s, int at)
    {
        while (at < s.Length && s[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            at++;
        return at;
    }

    /// <summary>From an opening quote to just past the closing one; -1 = cut short.</summary>
    private static int SkipString(ReadOnlySpan<byte> s, int at)
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
    private static int SkipValue(ReadOnlySpan<byte> s, int at)
    {
        if (at >= s.Length)
            return -1;
        if (s[at] == (byte)'"')
            return SkipString(s, at);
        if (s[at] is not ((byte)'{' or (byte)'['))
        {
            var end = s[at..].IndexOfAny(ScalarEnd);
            return end > 0 ? at + end : -1;
        }
        long depth = 0;
        while (true)
        {
            var hit = s[at..].IndexOfAny(Structure);
            if (hit < 0)
                return -1;
            at += hit;
            switch (s[at])
            {
                case (byte)'"':
                    at = SkipString(s, at);
                    if (at < 0)
                        return -1;
                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    at++;
                    break;
                default:
                    at++;
                    if (--depth == 0)
                        return at;
                    break;
            }
        }
    }

    private readonly struct Cursor(ReadOnlyMemory<byte> body, int maxResourceBytes)
    {
        private ReadOnlySpan<byte> Span => body.Span;

        public bool ReadBundle(FramedBundle bundle)
        {
            var s = Span;
            var at = s is [0xEF, 0xBB, 0xBF, ..] ? 3 : 0;
            at = SkipBlank(s, at);
            if (at >= s.Length || s[at] != (byte)'{')
                return false;
            at++;
            while (true)
            {
                if (!Member(s, ref at, out var key))
                    return at < s.Length && s[at] == (byte)'}';
                if (key.SequenceEqual("entry"u8) && at < s.Length && s[at] == (byte)'[')
                {
                    if (!ReadEntries(bundle, ref at))
                        return false;
                }
                else
                {
                    var end = SkipValue(s, at);
                    if (end < 0)
                        return false;
                    if (key.SequenceEqual("resourceType"u8) && s[at] == (byte)'"')
                        bundle.ResourceType = TypeName(s[(at + 1)..(end - 1)]);
                    else if (key.SequenceEqual("link"u8))
                        ReadLinks(bundle, s[at..end]);
                    at = end;
                }
                if (!Comma(s, ref at))
                    return at < s.Length && s[at] == (byte)'}';
            }
        }

        private bool ReadEntries(FramedBundle bundle, ref int at)
        {
            var s = Span;
            at = SkipBlank(s, at + 1);
            while (at < s.Length && s[at] == (byte)'{')
            {
                at++;
                ReadOnlyMemory<byte> resource = default;
                string? fullUrl = null;
                var oversize = false;
                while (Member(s, ref at, out var key))
                {
                    var end = SkipValue(s, at);
                    if (end < 0)
                    {
                        // the answer was cut inside this resource: it is the one that was too large
                        if (key.SequenceEqual("resource"u8))
                            bundle.Resources.Add(new FhirResource(default, fullUrl, Oversize: true));
                        return false;
                    }
                    if (key.SequenceEqual("resource"u8))
                    {
                        oversize = end - at > maxResourceBytes;
                        resource = body[at..end];
                    }
                    else if (key.SequenceEqual("fullUrl"u8))
                    {
                        fullUrl = Text(s[at..end]);
                    }
                    at = end;
                    if (!Comma(s, ref at))
                        break;
                }
                if (at >= s.Length || s[at] != (byte)'}')
                    return false;
                at = SkipBlank(s, at + 1);
                if (!resource.IsEmpty)
                    bundle.Resources.Add(new FhirResource(oversize ? resource[..Math.Min(resource.Length, 4096)] : resource, fullUrl, oversize));
                if (!Comma(s, ref at))
                    break;
            }
            if (at >= s.Length || s[at] != (byte)']')
                return false;
            at++;
            return true;
        }

        /// <summary>Reads <c>"key":</c> and stands on the value; false = no further member, standing on what is there instead.</summary>
        private static bool Member(ReadOnlySpan<byte> s, ref int at, out ReadOnlySpan<byte> key)
        {
            key = default;
            at = SkipBlank(s, at);
            if (at >= s.Length || s[at] != (byte)'"')
                return false;
            var end = SkipString(s, at);
            if (end < 0)
            {
                at = s.Length;
                return false;
            }
            key = s[(at + 1)..(end - 1)];
            at = SkipBlank(s, end);
            if (at >= s.Length || s[at] != (byte)':')
                return false;
            at = SkipBlank(s, at + 1);
            return true;
        }

        private static bool Comma(ReadOnlySpan<byte> s, ref int at)
        {
            at = SkipBlank(s, at);
            if (at >= s.Length || s[at] != (byte)',')
                return false;
            at = SkipBlank(s, at + 1);
            return true;
        }

        private static void ReadLinks(FramedBundle bundle, ReadOnlySpan<byte> links)
        {
            try
            {
                var reader = new Utf8JsonReader(links, new JsonReaderOptions { MaxDepth = 64 });
                string? relation = null, url = null;
                while (reader.Read())
                {
                    if (reader.TokenType == JsonTokenType.StartObject)
                        (relation, url) = (null, null);
                    else if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 2)
                    {
                        var isRelation = reader.ValueTextEquals("relation"u8);
                        var isUrl = reader.ValueTextEquals("url"u8);
                        reader.Read();
                        if (isRelation && reader.TokenType == JsonTokenType.String)
                            relation = reader.GetString();
                        else if (isUrl && reader.TokenType == JsonTokenType.String)
                            url = reader.GetString();
                        else
                            reader.Skip();
                    }
                    else if (reader.TokenType == JsonTokenType.EndObject && reader.CurrentDepth == 1)
                    {
                        if (relation == "next")
                            bundle.Next ??= url;
                        else if (relation == "self")
                            bundle.Self ??= url;
                    }
                }
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                bundle.Broken = true;
            }
        }

        private static string? Text(ReadOnlySpan<byte> token)
        {
            if (token.Length < 2 || token[0] != (byte)'"')
                return null;
            try
            {
                var reader = new Utf8JsonReader(token);
                return reader.Read() ? reader.GetString() : null;
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                return null;
            }
        }
    }
}
