using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Bridge.Fhir.Client;

/// <summary>The bridge's key for SMART Backend Services: RS384 (RSA, 2048 bits or more) or ES384 (P-384).</summary>
public sealed class SmartKey : IDisposable
{
    private readonly RSA? _rsa;
    private readonly ECDsa? _ec;

    private SmartKey(RSA? rsa, ECDsa? ec)
    {
        (_rsa, _ec) = (rsa, ec);
        KeyId = SmartTokens.Encode(SHA256.HashData(Encoding.UTF8.GetBytes(ThumbprintInput())));
    }

    /// <summary><c>RS384</c> or <c>ES384</c>.</summary>
    public string Algorithm => _rsa is not null ? "RS384" : "ES384";

    /// <summary>RFC 7638 thumbprint of the public key.</summary>
    public string KeyId { get; }

    /// <summary>Reads a private key in PEM.</summary>
    /// <exception cref="CryptographicException">Not a private RSA key of at least 2048 bits, and not one on P-384; says which.</exception>
    public static SmartKey FromPem(string pem)
    {
        var rsa = RSA.Create();
        try
        {
            rsa.ImportFromPem(pem);
            if (rsa.KeySize < 2048)
                throw new CryptographicException($"the SMART key has {rsa.KeySize} bits; RS384 needs 2048 or more");
            return new SmartKey(rsa, null);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            rsa.Dispose();
            if (e.Message.Contains("RS384", StringComparison.Ordinal))
                throw;
        }
        var ec = ECDsa.Create();
        try
        {
            ec.ImportFromPem(pem);
            if (ec.KeySize != 384)
                throw new CryptographicException($"the SMART key is on a curve of {ec.KeySize} bits; ES384 needs P-384");
            return new SmartKey(null, ec);
        }
        catch (ArgumentException e)
        {
            ec.Dispose();
            throw new CryptographicException("the SMART key is no PEM private key: RSA (RS384) or EC P-384 (ES384) is expected", e);
        }
        catch
        {
            ec.Dispose();
            throw;
        }
    }

    /// <summary>Makes a new P-384 key.</summary>
    public static SmartKey NewEs384() => new(null, ECDsa.Create(ECCurve.NamedCurves.nistP384));

    /// <summary>Makes a new RSA key of 3072 bits.</summary>
    public static SmartKey NewRs384() => new(RSA.Create(3072), null);

    /// <summary>The private key as PKCS#8 PEM.</summary>
    public string ToPem() => _rsa?.ExportPkcs8PrivateKeyPem() ?? _ec!.ExportPkcs8PrivateKeyPem();

    /// <summary>The public JWKS document (RFC 7517) to host, or to give to the server's operators. Several keys during a roll-over.</summary>
    public static string Jwks(params IEnumerable<SmartKey> keys) => JsonSerializer.Serialize(new { keys = keys.Select(k => k.PublicJwk()).ToArray() });

    /// <inheritdoc/>
    public void Dispose()
    {
        _rsa?.Dispose();
        _ec?.Dispose();
    }

    internal byte[] Sign(byte[] data) => _rsa is not null
        ? _rsa.SignData(data, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1)
        : _ec!.SignData(data, HashAlgorithmName.SHA384, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    private Dictionary<string, object> PublicJwk()
    {
        var jwk = Members();
        jwk["kid"] = KeyId;
        jwk["alg"] = Algorithm;
        jwk["use"] = "sig";
        jwk["key_ops"] = new[] { "verify" };
        return jwk;
    }

    private Dictionary<string, object> Members()
    {
        if (_rsa is not null)
        {
            var p = _rsa.ExportParameters(false);
            return new() { ["kty"] = "RSA", ["n"] = SmartTokens.Encode(p.Modulus), ["e"] = SmartTokens.Encode(p.Exponent) };
        }
        var q = _ec!.ExportParameters(false).Q;
        return new() { ["kty"] = "EC", ["crv"] = "P-384", ["x"] = SmartTokens.Encode(q.X), ["y"] = SmartTokens.Encode(q.Y) };
    }

    private string ThumbprintInput()
    {
        var m = Members();
        return m["kty"] is "RSA"
            ? $$"""{"e":"{{m["e"]}}","kty":"RSA","n":"{{m["n"]}}"}"""
            : $$"""{"crv":"P-384","kty":"EC","x":"{{m["x"]}}","y":"{{m["y"]}}"}""";
    }
}
