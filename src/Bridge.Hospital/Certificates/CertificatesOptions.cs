using Bridge.Hospital.Configuration;
using Bridge.Records;

namespace Bridge.Hospital.Certificates;

/// <summary>Directory and status lists.</summary>
/// <param name="StatusKey"><c>Certificates:StatusCertificate</c> and <c>Certificates:StatusKey</c>: who signs the status list.</param>
/// <param name="StatusLife"><c>Certificates:StatusLife</c>: how long a list is good for. Default and most 24 h; a new one is published at half of it.</param>
/// <param name="SyncInterval"><c>Certificates:SyncInterval</c>: how often the doctor directory is read from the ledger. Default 1 min.</param>
/// <param name="WarnBefore"><c>Certificates:WarnBefore</c>: how long before its end a certificate is shown as expiring. Default 30 days.</param>
internal sealed record CertificatesOptions(SigningIdentity StatusKey, TimeSpan StatusLife, TimeSpan SyncInterval, TimeSpan WarnBefore)
{
    public static CertificatesOptions Read(ConfigurationReader reader)
    {
        var certificate = reader.ExistingFile("Certificates:StatusCertificate", required: true,
            "the status key's PEM certificate; make key and request with `init`, and have the request signed by the hospital's people CA (`bridge ca`)");
        var key = reader.ExistingFile("Certificates:StatusKey", required: true, "the status key's PEM key, as `init` made it");
        var identity = SigningIdentity.Read(reader, "Certificates:StatusCertificate", certificate, "Certificates:StatusKey", key);
        if (identity is not null && CertificateCheck.RoleIn(identity.Certificate.RawData) != PersonRole.StatusKey)
            reader.Fault("Certificates:StatusCertificate", certificate, "the certificate does not bear the mark of a status key, so no reader would accept its lists: have it issued with `bridge ca issue --kind status`");
        return new CertificatesOptions(
            identity!,
            reader.Duration("Certificates:StatusLife", TimeSpan.FromHours(24), TimeSpan.FromMinutes(1), TimeSpan.FromHours(24)),
            reader.Duration("Certificates:SyncInterval", TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
            reader.Duration("Certificates:WarnBefore", TimeSpan.FromDays(30), TimeSpan.Zero, TimeSpan.FromDays(365)));
    }
}
