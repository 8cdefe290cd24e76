using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Access;

/// <summary>Where the API listens.</summary>
/// <param name="Urls"><c>Server:Urls</c>, separated by semicolons; default <c>http://127.0.0.1:8080</c>. Port 0 takes a free port.</param>
/// <param name="Certificate"><c>Server:Certificate</c>: PEM chain for https addresses.</param>
/// <param name="Key"><c>Server:Key</c>: its PEM key.</param>
/// <param name="AddressFile"><c>Server:AddressFile</c>: written with the addresses really bound, once listening.</param>
internal sealed record ServerOptions(IReadOnlyList<string> Urls, string? Certificate, string? Key, string? AddressFile)
{
    public static ServerOptions Read(ConfigurationReader reader)
    {
        var text = reader.Text("Server:Urls", "http://127.0.0.1:8080");
        var urls = text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var certificate = reader.ExistingFile("Server:Certificate", required: false, "the PEM certificate chain of this server");
        var key = reader.ExistingFile("Server:Key", required: false, "the PEM key that belongs to Server:Certificate");
        if (certificate is null != key is null)
            reader.Fault(certificate is null ? "Server:Certificate" : "Server:Key", null, "certificate and key go together: set both or neither");
        var proxied = reader.Texts("Server:TrustedProxies").Count > 0;
        foreach (var url in urls)
        {
            if (!Uri.TryCreate(url.Replace("*", "0.0.0.0", StringComparison.Ordinal).Replace("+", "0.0.0.0", StringComparison.Ordinal), UriKind.Absolute, out var uri)
                || uri.Scheme is not ("http" or "https"))
                reader.Fault("Server:Urls", url, "an address such as http://127.0.0.1:8080 or https://bridge.hospital.example:8443");
            else if (uri.Scheme == "https" && certificate is null)
                reader.Fault("Server:Urls", url, "https needs Server:Certificate and Server:Key (PEM)");
            else if (ConfigurationReader.IsPlainToElsewhere(uri) && !proxied)
                reader.Fault("Server:Urls", url,
                    "this address can be reached from other machines and has no TLS, without which browsers refuse the cryptography that signing needs: "
                    + "use https:// with Server:Certificate and Server:Key, or list the proxy that ends TLS in Server:TrustedProxies, or listen on 127.0.0.1");
        }
        if (urls.Length == 0)
            reader.Fault("Server:Urls", text, "at least one address");
        var addressFile = reader.Raw("Server:AddressFile");
        return new ServerOptions(urls, certificate, key, addressFile is null ? null : Path.GetFullPath(addressFile, reader.BaseDirectory));
    }
}
