using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital.Configuration;
using MimeKit;

namespace Bridge.Hospital.Announcing;

/// <summary>How the connection to the mail server is protected.</summary>
internal enum MailTls
{
    /// <summary>Plain at first, encrypted before anything else is said; a server that does not offer it is not spoken to.</summary>
    StartTls,

    /// <summary>Encrypted from the start.</summary>
    Implicit,

    /// <summary>Not at all; only to this machine.</summary>
    None,
}

/// <summary>Mail digests.</summary>
/// <param name="Server"><c>Announcing:Mail:Server</c>: host name of the mail server.</param>
/// <param name="Port"><c>Announcing:Mail:Port</c>: default 587.</param>
/// <param name="Tls"><c>Announcing:Mail:Tls</c>: default StartTls, Implicit on port 465; None is a fault unless the server is this machine.</param>
/// <param name="TlsRoots"><c>Announcing:Mail:TlsRoots</c>: PEM file with the only roots trusted for it; null = the system's.</param>
/// <param name="User"><c>Announcing:Mail:User</c>: null = the server wants no sign-in.</param>
/// <param name="Password"><c>Announcing:Mail:Password</c>.</param>
/// <param name="From"><c>Announcing:Mail:From</c>.</param>
/// <param name="Every"><c>Announcing:Mail:Every</c>: default 1 day.</param>
/// <param name="At"><c>Announcing:Mail:At</c>: time of day, by this machine's time zone. Default 07:00.</param>
/// <param name="Doctors"><c>Announcing:Mail:Doctors</c>: addresses by licence.</param>
/// <param name="Operators"><c>Announcing:Mail:Operators</c>: who is told of what waits for a doctor to be named.</param>
internal sealed record MailOptions(
    string Server, int Port, MailTls Tls, string? TlsRoots, string? User, string? Password, string From, TimeSpan Every, TimeSpan At, IReadOnlyDictionary<string, string> Doctors,
    IReadOnlyList<string> Operators)
{
    public static MailOptions? Read(ConfigurationReader reader)
    {
        if (reader.Raw("Announcing:Mail:Server") is not { } server)
        {
            if (reader.Elements("Announcing:Mail").Count > 0)
                reader.Fault("Announcing:Mail:Server", null, "the host name of the mail server, such as mail.hospital.example; or remove Announcing:Mail");
            return null;
        }
        if (server.Contains(':', StringComparison.Ordinal) && !IPAddress.TryParse(server, out _) || server.Contains('/', StringComparison.Ordinal))
            reader.Fault("Announcing:Mail:Server", server, "a host name alone, such as mail.hospital.example; the port stands in Announcing:Mail:Port");
        var port = reader.Number("Announcing:Mail:Port", 587, 1, 65535);
        var tls = Enum.Parse<MailTls>(reader.OneOf("Announcing:Mail:Tls", port == 465 ? "Implicit" : "StartTls", Enum.GetNames<MailTls>()));
        if (tls == MailTls.None && !IsThisMachine(server))
            reader.Fault("Announcing:Mail:Tls", "None", "StartTls or Implicit: without TLS anyone on the way to another machine can read the password and change the link");
        var user = reader.Raw("Announcing:Mail:User");
        var password = reader.Secret("Announcing:Mail:Password", required: user is not null, "the password of Announcing:Mail:User");
        if (user is null && password is not null)
            reader.Fault("Announcing:Mail:User", null, "the name that goes with Announcing:Mail:Password");
        var doctors = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var element in reader.Elements("Announcing:Mail:Doctors"))
        {
            var licence = reader.Required($"{element}:Licence", "the doctor's licence number as it stands in the doctor directory");
            if (!doctors.TryAdd(licence, Address(reader, $"{element}:Address")))
                reader.Fault($"{element}:Licence", licence, "each doctor once");
        }
        var operators = reader.Texts("Announcing:Mail:Operators");
        foreach (var address in operators.Where(address => !IsAddress(address)))
            reader.Fault("Announcing:Mail:Operators", address, "a mail address such as bridge@hospital.example");
        if (doctors.Count == 0 && operators.Count == 0)
            reader.Fault("Announcing:Mail:Doctors", null, "at least one {\"Licence\": …, \"Address\": …}, or an address in Announcing:Mail:Operators");
        return new MailOptions(
            server, port, tls, ReadRoots(reader), user, password, Address(reader, "Announcing:Mail:From"),
            reader.Duration("Announcing:Mail:Every", TimeSpan.FromDays(1), TimeSpan.FromSeconds(1), TimeSpan.FromDays(30)), TimeOfDay(reader), doctors, operators);
    }

    public X509Certificate2Collection? Roots()
    {
        if (TlsRoots is null)
            return null;
        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(TlsRoots);
        return roots;
    }

    private static string? ReadRoots(ConfigurationReader reader)
    {
        const string cure = "PEM file with the CA of the mail server's certificate";
        if (reader.ExistingFile("Announcing:Mail:TlsRoots", required: false, cure) is not { } file)
            return null;
        try
        {
            var roots = new X509Certificate2Collection();
            roots.ImportFromPemFile(file);
            if (roots.Count > 0)
                return file;
        }
        catch (CryptographicException)
        {
        }
        reader.Fault("Announcing:Mail:TlsRoots", file, $"the file holds no certificate; {cure}");
        return null;
    }

    private static string Address(ConfigurationReader reader, string key)
    {
        var address = reader.Required(key, "a mail address such as bridge@hospital.example");
        if (address.Length > 0 && !IsAddress(address))
            reader.Fault(key, address, "a mail address such as bridge@hospital.example");
        return address;
    }

    private static TimeSpan TimeOfDay(ConfigurationReader reader)
    {
        var text = reader.Text("Announcing:Mail:At", "07:00");
        if (TimeSpan.TryParseExact(text, @"hh\:mm", CultureInfo.InvariantCulture, out var at))
            return at;
        reader.Fault("Announcing:Mail:At", text, "a time of day such as 07:00");
        return TimeSpan.Zero;
    }

    // One address and no header more: nothing of it may begin a new line.
    private static bool IsAddress(string text) =>
        text.Length <= 254 && !text.Any(char.IsControl) && MailboxAddress.TryParse(text, out var address) && address.Address == text && address.Domain.Length > 0;

    private static bool IsThisMachine(string server) =>
        server.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(server, out var address) && IPAddress.IsLoopback(address);
}

/// <summary>How doctors learn that work waits for them. Off unless configured; what is said is a number, an age and a link.</summary>
/// <param name="Task"><c>Announcing:Task</c>: a Task for each doctor on the FHIR server. Default false.</param>
/// <param name="Mail">Mail digests; null = none.</param>
/// <param name="Link"><c>Announcing:Link</c>: the console's address as doctors open it.</param>
/// <param name="Chinese"><c>Announcing:Language</c>: <c>en</c> (default) or <c>zh-CN</c>.</param>
/// <param name="Interval"><c>Announcing:Interval</c>: how often the numbers are looked at. Default 5 min.</param>
internal sealed record AnnouncingOptions(bool Task, MailOptions? Mail, Uri? Link, bool Chinese, TimeSpan Interval)
{
    public static AnnouncingOptions Read(ConfigurationReader reader)
    {
        var task = reader.Flag("Announcing:Task", false);
        var mail = MailOptions.Read(reader);
        return new AnnouncingOptions(
            task, mail,
            reader.SecureAddress("Announcing:Link", required: mail is not null || task, "the console's address as doctors open it, such as https://bridge.hospital.example/queue"),
            reader.OneOf("Announcing:Language", "en", ["en", "zh-CN"]) == "zh-CN",
            reader.Duration("Announcing:Interval", TimeSpan.FromMinutes(5), TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)));
    }
}
