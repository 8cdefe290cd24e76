using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Bridge.Ledger;

/// <summary>Reads a connection profile and goes on after a fault, to name them all.</summary>
internal sealed class ConnectionProfileReader(string path, DateTimeOffset now)
{
    private static readonly string[] Members = ["mspId", "channel", "chaincode", "certificate", "key", "pkcs11", "gateways"];
    private static readonly string[] TokenMembers = ["library", "token", "key", "id", "pinFile", "pinVariable"];
    private static readonly string[] GatewayMembers = ["endpoint", "tlsRoots", "serverName", "tlsCertificate", "tlsKey"];
    private readonly List<string> faults = [];

    public ConnectionProfile Read(Signer? given)
    {
        if (Parse() is not { } document)
            throw Faulty();
        using (document)
        {
            var root = document.RootElement;
            Closed(root, Members, "");
            var mspId = Text(root, "mspId", "");
            var channel = Text(root, "channel", "");
            var chaincode = Text(root, "chaincode", "");
            var pem = FileOf(root, "certificate", "");
            var identity = pem is null ? null : ReadIdentity(mspId, pem);
            var key = given is null ? ReadKey(root, identity) : null;
            var signer = given ?? (key is null ? null : Signers.NewPrivateKeySigner(key));
            foreach (var unused in given is null ? [] : (string[])["key", "pkcs11"])
            {
                if (root.TryGetProperty(unused, out _))
                    faults.Add($"{unused} is given though signatures come from elsewhere: remove it");
            }

            var gateways = ReadGateways(root);
            if (faults.Count > 0)
                throw Faulty();
            return new ConnectionProfile(channel!, chaincode!, identity!, key, signer!, gateways);
        }
    }

    private ConnectionProfileException Faulty() => new(path, faults);

    private JsonDocument? Parse()
    {
        try
        {
            var document = JsonDocument.Parse(
                File.ReadAllBytes(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document;
            document.Dispose();
            faults.Add("it holds no JSON object");
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            faults.Add($"it cannot be read: {exception.Message}");
        }

        return null;
    }

    private Identity? ReadIdentity(string? mspId, byte[] pem)
    {
        try
        {
            var identity = new Identity(mspId ?? "unknown", pem);
            using var certificate = X509Certificate2.CreateFromPem(System.Text.Encoding.UTF8.GetString(pem));
            InForce(certificate, "certificate");
            return identity;
        }
        catch (Exception exception) when (exception is ArgumentException or CryptographicException)
        {
            faults.Add("certificate holds no PEM certificate: name the file that the organisation's authority issued");
            return null;
        }
    }

    private ECDsa? ReadKey(JsonElement root, Identity? identity)
    {
        if (root.TryGetProperty("pkcs11", out var token))
        {
            if (root.TryGetProperty("key", out _))
                faults.Add("key and pkcs11 are both given: keep the one that holds the private key");
            if (token.ValueKind == JsonValueKind.Object)
                return ReadToken(token, identity);
            faults.Add("pkcs11 is not an object");
            return null;
        }

        if (FileOf(root, "key", "") is not { } pem)
            return null;
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(System.Text.Encoding.UTF8.GetString(pem));
        }
        catch (Exception exception) when (exception is ArgumentException or CryptographicException)
        {
            faults.Add("key holds no readable ECDSA private key in PEM (encrypted keys are not read)");
            return null;
        }

        if (key.KeySize != 256)
        {
            faults.Add($"key has {key.KeySize} bits: an ECDSA P-256 key is needed");
            return null;
        }

        if (identity is not null && !Matches(key, identity))
            faults.Add("key does not belong to certificate: name the key that the certificate was issued for");
        return key;
    }

    private Pkcs11Key? ReadToken(JsonElement element, Identity? identity)
    {
        const string prefix = "pkcs11.";
        var before = faults.Count;
        Closed(element, TokenMembers, prefix);
        var library = Text(element, "library", prefix);
        var token = Text(element, "token", prefix);
        var label = element.TryGetProperty("key", out _) ? Text(element, "key", prefix) : null;
        var id = element.TryGetProperty("id", out _) ? Text(element, "id", prefix) : null;
        if (!element.TryGetProperty("key", out _) && !element.TryGetProperty("id", out _))
            faults.Add($"{prefix}key and {prefix}id are both missing: give the key's label, its id, or both");
        if (id is not null && (id.Length % 2 != 0 || !id.All(char.IsAsciiHexDigit)))
            faults.Add($"{prefix}id is '{id}': write it in hexadecimal, two digits a byte");
        var pin = ReadPin(element, prefix);
        if (faults.Count > before || identity is null)
            return null;
        using var certificate = X509Certificate2.CreateFromPem(System.Text.Encoding.UTF8.GetString(identity.Credentials.Span));
        using var publicKey = certificate.GetECDsaPublicKey();
        if (publicKey is null)
        {
            faults.Add("certificate is not of an ECDSA key: Fabric identities here are ECDSA P-256");
            return null;
        }

        try
        {
            return Pkcs11Key.Open(new Pkcs11Location(library!, token!, label, id, pin!), publicKey);
        }
        catch (CryptographicException exception)
        {
            faults.Add($"pkcs11 cannot be used: {exception.Message}");
            return null;
        }
    }

    private string? ReadPin(JsonElement element, string prefix)
    {
        if (element.TryGetProperty("pinFile", out _))
        {
            if (element.TryGetProperty("pinVariable", out _))
                faults.Add($"{prefix}pinFile and {prefix}pinVariable are both given: keep one");
            return FileOf(element, "pinFile", prefix) is { } bytes ? System.Text.Encoding.UTF8.GetString(bytes).TrimEnd('\r', '\n') : null;
        }

        if (!element.TryGetProperty("pinVariable", out _))
        {
            faults.Add($"{prefix}pinFile and {prefix}pinVariable are both missing: name the file or the environment variable that holds the PIN");
            return null;
        }

        if (Text(element, "pinVariable", prefix) is not { } name)
            return null;
        if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } pin)
            return pin;
        faults.Add($"{prefix}pinVariable is '{name}': no environment variable of that name is set");
        return null;
    }

    private static bool Matches(ECDsa key, Identity identity)
    {
        using var certificate = X509Certificate2.CreateFromPem(System.Text.Encoding.UTF8.GetString(identity.Credentials.Span));
        return certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo());
    }

    private List<GatewayEndpoint> ReadGateways(JsonElement root)
    {
        var gateways = new List<GatewayEndpoint>();
        if (!root.TryGetProperty("gateways", out var list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
        {
            faults.Add("gateways is missing or empty: give at least one {\"endpoint\": \"https://host:port\"}");
            return gateways;
        }

        var number = 0;
        foreach (var element in list.EnumerateArray())
        {
            var prefix = $"gateways[{number++}].";
            if (element.ValueKind == JsonValueKind.Object)
                ReadGateway(element, prefix, gateways);
            else
                faults.Add($"{prefix[..^1]} is not an object");
        }

        return gateways;
    }

    private void ReadGateway(JsonElement element, string prefix, List<GatewayEndpoint> gateways)
    {
        Closed(element, GatewayMembers, prefix);
        var before = faults.Count;
        var endpoint = Text(element, "endpoint", prefix);
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var address)
            || address is not { Scheme: "https" or "http", AbsolutePath: "/", Query: "", UserInfo: "" })
        {
            if (endpoint is not null)
                faults.Add($"{prefix}endpoint is '{endpoint}': write https://host:port (http only for a ledger on this machine)");
        }
        else if (address.Scheme == "http" && !address.IsLoopback)
        {
            faults.Add($"{prefix}endpoint is '{endpoint}': without TLS only a loopback address is taken; write https://");
        }

        var serverName = element.TryGetProperty("serverName", out _) ? Text(element, "serverName", prefix) : null;
        var roots = element.TryGetProperty("tlsRoots", out _) ? ReadRoots(element, prefix) : null;
        var client = element.TryGetProperty("tlsCertificate", out _) || element.TryGetProperty("tlsKey", out _)
            ? ReadClientCertificate(element, prefix)
            : null;
        if (faults.Count == before)
            gateways.Add(new GatewayEndpoint(address!) { TlsRoots = roots, ServerName = serverName, ClientCertificate = client });
    }

    private X509Certificate2Collection? ReadRoots(JsonElement element, string prefix)
    {
        if (FileOf(element, "tlsRoots", prefix) is not { } pem)
            return null;
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPem(System.Text.Encoding.UTF8.GetString(pem));
        }
        catch (CryptographicException)
        {
        }

        if (roots.Count == 0)
            faults.Add($"{prefix}tlsRoots holds no PEM certificate");
        return roots;
    }

    private X509Certificate2? ReadClientCertificate(JsonElement element, string prefix)
    {
        var certificatePem = FileOf(element, "tlsCertificate", prefix);
        var keyPem = FileOf(element, "tlsKey", prefix);
        if (certificatePem is null || keyPem is null)
            return null;
        try
        {
            var certificate = X509Certificate2.CreateFromPem(
                System.Text.Encoding.UTF8.GetString(certificatePem), System.Text.Encoding.UTF8.GetString(keyPem));
            InForce(certificate, prefix + "tlsCertificate");
            return certificate;
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            faults.Add($"{prefix}tlsCertificate and tlsKey are not a certificate and its key in PEM: {exception.Message}");
            return null;
        }
    }

    private void InForce(X509Certificate2 certificate, string name)
    {
        if (now > certificate.NotAfter)
            faults.Add($"{name} expired on {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd}: have it issued anew");
        else if (now < certificate.NotBefore)
            faults.Add($"{name} is valid from {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd} only: check this machine's clock");
    }

    private string? Text(JsonElement element, string name, string prefix)
    {
        if (element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && !string.IsNullOrWhiteSpace(value.GetString()))
            return value.GetString();
        faults.Add($"{prefix}{name} is missing or not a text");
        return null;
    }

    private byte[]? FileOf(JsonElement element, string name, string prefix)
    {
        if (Text(element, name, prefix) is not { } relative)
            return null;
        var full = Path.GetFullPath(relative, Path.GetDirectoryName(path)!);
        try
        {
            return File.ReadAllBytes(full);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            faults.Add($"{prefix}{name} is '{relative}': {full} cannot be read ({exception.Message})");
            return null;
        }
    }

    private void Closed(JsonElement element, string[] allowed, string prefix)
    {
        foreach (var member in element.EnumerateObject())
        {
            if (!allowed.Contains(member.Name))
                faults.Add($"{prefix}{member.Name} is not known here (known: {string.Join(", ", allowed)})");
        }
    }
}
