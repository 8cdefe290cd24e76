using System.Text.Json;

namespace Bridge.Records;

/// <summary>Reads a closed protected header: step 3 of the order of checks, for both serialisations.</summary>
internal static class ProtectedHeader
{
    public readonly record struct Expected(string Typ, string? Role, bool HasCertificate, bool RsaAllowed);

    public static VerificationOutcome Read(string? encoded, Expected expected, out LeafCertificate? certificate, out string algorithm)
    {
        certificate = null;
        algorithm = "";
        if (encoded is null || !Base64Url.TryDecode(encoded, out var bytes) || StrictJson.Parse(bytes, out var document) != JsonFault.None)
            return VerificationOutcome.BadHeader;
        using (document)
        {
            var root = document!.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !CanonicalJson.Serialize(root).AsSpan().SequenceEqual(bytes))
                return VerificationOutcome.BadHeader;
            return Judge(root, expected, out certificate, out algorithm);
        }
    }

    private static VerificationOutcome Judge(JsonElement header, Expected expected, out LeafCertificate? certificate, out string algorithm)
    {
        certificate = null;
        algorithm = "";
        if (header.TryGetProperty("crit", out _) || header.TryGetProperty("b64", out _))
            return VerificationOutcome.CriticalHeader;
        var members = 2 + (expected.Role is null ? 0 : 1) + (expected.HasCertificate ? 1 : 0);
        if (header.GetPropertyCount() != members || Text(header, "alg") is not { } alg || Text(header, "typ") is not { } typ)
            return VerificationOutcome.UnknownHeader;
        var role = Text(header, "role");
        if (expected.Role is not null && role is null)
            return VerificationOutcome.UnknownHeader;
        var x5c = default(JsonElement);
        if (expected.HasCertificate && !(header.TryGetProperty("x5c", out x5c) && x5c.ValueKind == JsonValueKind.Array))
            return VerificationOutcome.UnknownHeader;
        if (alg != "ES256" && !(expected.RsaAllowed && alg == "RS256"))
            return VerificationOutcome.WrongAlg;
        if (typ != expected.Typ)
            return VerificationOutcome.WrongTyp;
        if (role != expected.Role)
            return VerificationOutcome.WrongRole;
        algorithm = alg;
        if (!expected.HasCertificate)
            return VerificationOutcome.Valid;
        if (x5c.GetArrayLength() != 1 || x5c[0].ValueKind != JsonValueKind.String)
            return VerificationOutcome.BadCertificate;
        certificate = LeafCertificate.TryRead(x5c[0].GetString(), alg == "ES256" ? LeafKey.P256 : LeafKey.Rsa);
        return certificate is null ? VerificationOutcome.BadCertificate : VerificationOutcome.Valid;
    }

    private static string? Text(JsonElement header, string name) =>
        header.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
