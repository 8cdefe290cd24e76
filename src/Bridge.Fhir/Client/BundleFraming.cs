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
        var value = JsonMembers.Find(json, "resourceType"u8);
        return value is [(byte)'"', .., (byte)'"'] ? TypeName(value[1..^1]) : null;
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

    private readonly struct Cursor(ReadOnlyMemory<byte> body, int maxResourceBytes)
    {
        private ReadOnlySpan<byte> Span => body.Span;

        public bool ReadBundle(FramedBundle bundle)
        {
            var s = Span;
            var at = s is [0xEF, 0xBB, 0xBF, ..] ? 3 : 0;
            at = JsonMembers.SkipBlank(s, at);
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
                    var end = JsonMembers.SkipValue(s, at);
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
            at = JsonMembers.SkipBlank(s, at + 1);
            while (at < s.Length && s[at] == (byte)'{')
            {
                at++;
                ReadOnlyMemory<byte> resource = default;
                string? fullUrl = null;
                var oversize = false;
                while (Member(s, ref at, out var key))
                {
                    var end = JsonMembers.SkipValue(s, at);
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
                        fullUrl = JsonMembers.Text(s[at..end]);
                    }
                    at = end;
                    if (!Comma(s, ref at))
                        break;
                }
                if (at >= s.Length || s[at] != (byte)'}')
                    return false;
                at = JsonMembers.SkipBlank(s, at + 1);
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
            at = JsonMembers.SkipBlank(s, at);
            if (at >= s.Length || s[at] != (byte)'"')
                return false;
            var end = JsonMembers.SkipString(s, at);
            if (end < 0)
            {
                at = s.Length;
                return false;
            }
            key = s[(at + 1)..(end - 1)];
            at = JsonMembers.SkipBlank(s, end);
            if (at >= s.Length || s[at] != (byte)':')
                return false;
            at = JsonMembers.SkipBlank(s, at + 1);
            return true;
        }

        private static bool Comma(ReadOnlySpan<byte> s, ref int at)
        {
            at = JsonMembers.SkipBlank(s, at);
            if (at >= s.Length || s[at] != (byte)',')
                return false;
            at = JsonMembers.SkipBlank(s, at + 1);
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
    }
}
