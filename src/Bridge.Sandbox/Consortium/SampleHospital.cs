using Bridge.Records;

namespace Bridge.Sandbox.Consortium;

/// <summary>One hospital of the sample consortium: what its offices hold, and where.</summary>
/// <param name="Msp">Its Fabric MSP id.</param>
/// <param name="Name">For people.</param>
/// <param name="Affairs">Medical affairs' folder: people CA, registrar. Not on the bridge.</param>
/// <param name="OnBridge">The bridge's folder: patient CA, status key.</param>
internal sealed record SampleHospital(string Msp, string Name, string Affairs, string OnBridge)
{
    private static readonly TimeSpan Life = TimeSpan.FromDays(1825);

    public KeyPair PeopleRoot => KeyPair.In(Affairs, "people-ca");

    public KeyPair Registrar => KeyPair.In(Affairs, "registrar");

    public KeyPair StatusKey => KeyPair.In(OnBridge, "status-key");

    public KeyPair PatientCa => KeyPair.In(OnBridge, "patient-ca");

    /// <summary>Makes what is not there yet.</summary>
    public void CreateKeys(DateTimeOffset now)
    {
        var from = now.AddMinutes(-5);
        if (!PeopleRoot.Exists)
        {
            KeyPair.Create(Affairs, "people-ca", key => CertificateProfile.CreateRoot(key, $"{Name} people CA", Name, from, now + (2 * Life)));
        }

        if (!Registrar.Exists)
        {
            IssuePerson(Affairs, "registrar", PersonRole.Registrar, $"{Name} registrar", now);
        }

        if (!StatusKey.Exists)
        {
            IssuePerson(OnBridge, "status-key", PersonRole.StatusKey, $"{Name} status key", now);
        }

        if (!PatientCa.Exists)
        {
            KeyPair.Create(OnBridge, "patient-ca", key => PeopleRoot.Issue(
                issuer => CertificateProfile.IssuePatientCa(issuer, key.ExportSubjectPublicKeyInfo(), $"{Name} patient CA", Name, from, now + Life)));
        }
    }

    /// <summary>A certificate of the people CA for somebody who signs: doctor, registrar, status key.</summary>
    public KeyPair IssuePerson(string folder, string name, PersonRole role, string commonName, DateTimeOffset now) => KeyPair.Create(folder, name, key => PeopleRoot.Issue(
        issuer => CertificateProfile.IssuePerson(issuer, key.ExportSubjectPublicKeyInfo(), role, commonName, Name, now.AddMinutes(-5), now + Life)));

    /// <summary>The hospital's first record.</summary>
    /// <param name="bridgeRoot">DER of the organisation's Fabric root.</param>
    /// <param name="bridge">DER of the certificate that acts as its bridge.</param>
    public HospitalRecord Record(byte[] bridgeRoot, byte[] bridge) => new()
    {
        Msp = Msp,
        Name = Name,
        Seq = 1,
        Cas = [new HospitalCa(CaUse.People, PeopleRoot.Der()), new HospitalCa(CaUse.Bridge, bridgeRoot)],
        Registrar = Registrar.Der(),
        StatusKey = StatusKey.Der(),
        PatientCa = PatientCa.Der(),
        Bridges = [Digest.Of(bridge)],
        Origins = [],
    };
}
