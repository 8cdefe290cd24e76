using System.Text.Json;
using Bridge.Records;

namespace Bridge.Hospital.CoSign;

/// <summary>Reads which certificate a protected header claims; whether the header is right is judged by comparing it with the expected one.</summary>
internal static class ProtectedHeaders
{
    /// <summary>The DER certificate of <c>x5c</c>, or null where there is not exactly one.</summary>
    public static byte[]? CertificateIn(string protectedHeader)
    {
        if (protectedHeader.Length > 16 * 1024 || !Base64Url.TryDecode(protectedHeader, out var json))
            return null;
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("x5c", out var chain) || chain.ValueKind != JsonValueKind.Array || chain.GetArrayLength() != 1
                || chain[0].ValueKind != JsonValueKind.String || !chain[0].TryGetBytesFromBase64(out var certificate))
                return null;
            return certificate;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the second: text with half a surrogate pair
        {
            return null;
        }
    }
}
