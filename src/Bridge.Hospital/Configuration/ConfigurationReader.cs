using System.Globalization;
using System.Net;

namespace Bridge.Hospital.Configuration;

/// <summary>One thing wrong in the configuration: which key, what stands there, what to do.</summary>
/// <param name="Key">As in <c>appsettings.json</c>, with colons.</param>
/// <param name="Value">What stands there; secrets are shown as dots.</param>
/// <param name="Cure">What to write instead.</param>
public sealed record ConfigurationFault(string Key, string? Value, string Cure)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Key} = {(Value is null ? "(not set)" : $"'{Value}'")}: {Cure}";
}

/// <summary>The configuration cannot be used; carries every fault that was found, not only the first.</summary>
public sealed class ConfigurationException(IReadOnlyList<ConfigurationFault> faults)
    : Exception($"{faults.Count} fault(s) in the configuration:{Environment.NewLine}{string.Join(Environment.NewLine, faults.Select(fault => "  " + fault))}")
{
    /// <summary>All of them.</summary>
    public IReadOnlyList<ConfigurationFault> Faults { get; } = faults;
}

/// <summary>Reads options and collects faults instead of stopping at the first; knows which keys exist, so that a misspelt one is a fault too.</summary>
internal sealed class ConfigurationReader(IConfiguration configuration, string baseDirectory)
{
    private static readonly string[] Sections =
        ["Hospital", "Server", "Database", "Ledger", "Fhir", "Watching", "Extraction", "CoSign", "Anchoring", "Enrolment", "Certificates", "Access", "SignIn", "Telemetry", "Operations", "WriteBack", "Announcing"];

    /// <summary>The cure of an address that is plain http to another machine.</summary>
    public const string UseHttps =
        "this address leads to another machine without TLS, so that anyone on the way can read and change what is sent: use https:// (plain http only to 127.0.0.1, [::1] or localhost)";

    private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<ConfigurationFault> _faults = [];

    /// <summary>Relative paths are meant from here: the directory of the configuration file.</summary>
    public string BaseDirectory => baseDirectory;

    /// <summary>What was found so far.</summary>
    public IReadOnlyList<ConfigurationFault> Faults => _faults;

    public void Fault(string key, string? value, string cure) => _faults.Add(new ConfigurationFault(key, value, cure));

    public string? Raw(string key)
    {
        _known.Add(key);
        var value = configuration[key];
        return string.IsNullOrWhiteSpace(value) ? null : value.Trim();
    }

    public string Required(string key, string cure)
    {
        var value = Raw(key);
        if (value is null)
            Fault(key, null, cure);
        return value ?? "";
    }

    public string? Secret(string key, bool required, string cure)
    {
        var value = Raw(key);
        if (value is null && required)
            Fault(key, null, cure);
        return value;
    }

    public string Text(string key, string standard) => Raw(key) ?? standard;

    public string OneOf(string key, string standard, string[] allowed)
    {
        var value = Raw(key) ?? standard;
        var match = allowed.FirstOrDefault(candidate => string.Equals(candidate, value, StringComparison.OrdinalIgnoreCase));
        if (match is null)
            Fault(key, value, $"one of {string.Join(", ", allowed)}");
        return match ?? standard;
    }

    public bool Flag(string key, bool standard)
    {
        var value = Raw(key);
        if (value is null)
            return standard;
        if (bool.TryParse(value, out var flag))
            return flag;
        Fault(key, value, "true or false");
        return standard;
    }

    public int Number(string key, int standard, int least, int most)
    {
        var value = Raw(key);
        if (value is null)
            return standard;
        if (int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            return number;
        Fault(key, value, string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"));
        return standard;
    }

    /// <summary>A duration, written <c>d.hh:mm:ss</c>.</summary>
    public TimeSpan Duration(string key, TimeSpan standard, TimeSpan least, TimeSpan most)
    {
        var value = Raw(key);
        if (value is null)
            return standard;
        if (value.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out var duration) && duration >= least && duration <= most)
            return duration;
        Fault(key, value, $"a duration written d.hh:mm:ss, from {least:c} to {most:c}");
        return standard;
    }

    public Uri? Address(string key, bool required, string cure)
    {
        var value = Raw(key);
        if (value is null)
        {
            if (required)
                Fault(key, null, cure);
            return null;
        }
        if (Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
            return uri;
        Fault(key, value, cure);
        return null;
    }

    /// <summary>As <see cref="Address"/>, for what carries tokens or patients' data: plain http is a fault unless it stays on this machine.</summary>
    public Uri? SecureAddress(string key, bool required, string cure)
    {
        var uri = Address(key, required, cure);
        if (uri is null || !IsPlainToElsewhere(uri))
            return uri;
        Fault(key, Raw(key), UseHttps);
        return null;
    }

    /// <summary>Whether this address leads to another machine without TLS.</summary>
    public static bool IsPlainToElsewhere(Uri uri) => uri.Scheme == Uri.UriSchemeHttp && !IsLoopback(uri);

    /// <summary>127.0.0.0/8, ::1 or localhost.</summary>
    private static bool IsLoopback(Uri uri) =>
        uri.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);

    public string PathText(string key, string standard) => Resolve(Raw(key) ?? standard);

    /// <summary>A file that has to be there and readable.</summary>
    public string? ExistingFile(string key, bool required, string cure)
    {
        var value = Raw(key);
        if (value is null)
        {
            if (required)
                Fault(key, null, cure);
            return null;
        }
        return CheckFile(key, value, cure);
    }

    public IReadOnlyList<string> ExistingFiles(string key, string cure)
    {
        var files = new List<string>();
        foreach (var (item, value) in Items(key))
            if (CheckFile(item, value, cure) is { } file)
                files.Add(file);
        if (!configuration.GetSection(key).GetChildren().Any())
            Fault(key, null, cure);
        return files;
    }

    public IReadOnlyList<string> Texts(string key) => [.. Items(key).Select(item => item.Value)];

    /// <summary>The elements of a list of objects, as keys to read members under.</summary>
    public IReadOnlyList<string> Elements(string key) => [.. configuration.GetSection(key).GetChildren().Select(child => child.Path)];

    /// <summary>Members of a section with free names.</summary>
    public IReadOnlyList<string> Names(string key) => [.. configuration.GetSection(key).GetChildren().Select(child => child.Key)];

    /// <exception cref="ConfigurationException">Anything was wrong.</exception>
    public void ThrowIfFaulty()
    {
        FindUnknown();
        if (_faults.Count > 0)
            throw new ConfigurationException([.. _faults]);
    }

    /// <summary>Takes every key that nobody has asked for so far as a fault.</summary>
    public void FindUnknown()
    {
        foreach (var section in Sections)
            foreach (var (key, value) in configuration.GetSection(section).AsEnumerable())
                if (!string.IsNullOrWhiteSpace(value) && !_known.Contains(key))
                    Fault(key, IsSecret(key) ? "…" : value, Nearest(key) is { } near ? $"there is no such key; is {near} meant?" : "there is no such key; remove it");
    }

    private IEnumerable<(string Key, string Value)> Items(string key)
    {
        foreach (var child in configuration.GetSection(key).GetChildren())
        {
            _known.Add(child.Path);
            if (!string.IsNullOrWhiteSpace(child.Value))
                yield return (child.Path, child.Value.Trim());
        }
    }

    private string? CheckFile(string key, string value, string cure)
    {
        var path = Resolve(value);
        try
        {
            using var stream = File.OpenRead(path);
            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            Fault(key, value, $"{(e is UnauthorizedAccessException ? "the file may not be read by this user" : $"there is no such file (looked for {path})")}; {cure}");
            return null;
        }
    }

    private string Resolve(string path) => Path.GetFullPath(path, baseDirectory);

    private string? Nearest(string key) =>
        _known.Select(known => (known, Distance: Distance(known, key))).Where(pair => pair.Distance <= 3).OrderBy(pair => pair.Distance).Select(pair => pair.known).FirstOrDefault();

    private static bool IsSecret(string key) =>
        key.Contains("secret", StringComparison.OrdinalIgnoreCase) || key.Contains("password", StringComparison.OrdinalIgnoreCase)
        || key.Contains("token", StringComparison.OrdinalIgnoreCase) || key.Contains("connection", StringComparison.OrdinalIgnoreCase);

    private static int Distance(string a, string b)
    {
        if (Math.Abs(a.Length - b.Length) > 3)
            return int.MaxValue;
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + cost));
            }
        }
        return row[^1];
    }
}
