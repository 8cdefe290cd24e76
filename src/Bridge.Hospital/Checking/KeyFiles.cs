using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Checking;

/// <summary>Keys and certificates that lie on the bridge.</summary>
internal static class KeyFiles
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>A file that is for its owner's eyes only.</summary>
    public static void Judge(CheckReport report, string area, string name, string file)
    {
        if (OperatingSystem.IsWindows())
            return;
        var mode = File.GetUnixFileMode(file);
        var text = Convert.ToString((int)mode, 8);
        report.Judge(area, name, (mode & Others) == 0, $"{file} (mode {text})", $"chmod 600 {file}: others on this machine may read it");
    }

    /// <summary>A certificate's days.</summary>
    public static void JudgeEnd(CheckReport report, string name, X509Certificate2 certificate, DateTimeOffset now, TimeSpan warnBefore)
    {
        var (from, until) = (certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime());
        var says = string.Create(CultureInfo.InvariantCulture, $"certificate good until {until:yyyy-MM-dd} ({(until - now.UtcDateTime).TotalDays:F0} days)");
        if (until <= now.UtcDateTime)
            report.Fault("keys", name, $"its certificate ended on {until:yyyy-MM-dd}", "Have it renewed; for the bridge and the status key a record that names the new one has to be approved too");
        else if (from > now.UtcDateTime)
            report.Fault("keys", name, $"its certificate begins on {from:yyyy-MM-dd}", "Wait, correct this machine's clock, or have it issued anew");
        else if (until - now.UtcDateTime <= warnBefore)
            report.Warn("keys", name, says, "Have it renewed in time; the other hospitals' approval of a record that names it takes days");
        else
            report.Good("keys", name, says);
    }

    /// <summary>Key file and certificate of one identity; the configuration's own faults (no such file, key of another certificate) are said elsewhere.</summary>
    public static void Judge(CheckReport report, ConfigurationReader reader, string name, SigningIdentity? identity, string keyKey, DateTimeOffset now, TimeSpan warnBefore)
    {
        if (identity is null)
        {
            report.NotTried("keys", name, $"see the configuration ({keyKey})");
            return;
        }
        // Without a file of its own the key lies where the connection profile says: in a token, or a file of the network's operators.
        if (reader.Raw(keyKey) is { } file)
            Judge(report, "keys", $"{name} key", Path.GetFullPath(file, reader.BaseDirectory));
        JudgeEnd(report, name, identity.Certificate, now, warnBefore);
    }
}
