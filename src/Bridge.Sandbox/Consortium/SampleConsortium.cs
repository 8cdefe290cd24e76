using System.Text;
using Bridge.Records;

namespace Bridge.Sandbox.Consortium;

/// <summary>Two hospitals, a portal organisation and an attestor, in one data folder. Every key is made at run time.</summary>
internal sealed class SampleConsortium
{
    public const string PortalMsp = "PortalMSP";

    private const string AttestorName = "Medical licensing board";

    private readonly string data;

    public SampleConsortium(string data)
    {
        this.data = data;
        A = Hospital("HospitalAMSP", "Linden Hospital");
        B = Hospital("HospitalBMSP", "Harbour Clinic");
    }

    public SampleHospital A { get; }

    public SampleHospital B { get; }

    /// <summary>The licensing body named at deployment.</summary>
    public KeyPair Attestor => KeyPair.In(Path.Combine(data, "attestor"), "attestor");

    /// <summary>consortium.json, which every organisation's contract holds.</summary>
    public string ConsortiumFile => Path.Combine(data, "consortium.json");

    public SampleHospital Find(string msp) => msp == A.Msp ? A : B;

    /// <summary>Makes the offices' keys where there are none.</summary>
    public void CreateKeys(DateTimeOffset now)
    {
        A.CreateKeys(now);
        B.CreateKeys(now);
        if (!Attestor.Exists)
        {
            KeyPair.Create(
                Path.Combine(data, "attestor"), "attestor", key => CertificateProfile.CreateAttestor(key, AttestorName, now.AddMinutes(-5), now.AddYears(10)));
        }
    }

    /// <summary>Writes consortium.json from the offices' certificates and the organisations' Fabric ones; returns its text.</summary>
    /// <param name="fabricRoot">Pair of an organisation's Fabric root, by MSP id.</param>
    /// <param name="bridge">Pair of a hospital's bridge, by MSP id.</param>
    public string WriteFile(Func<string, KeyPair> fabricRoot, Func<string, KeyPair> bridge)
    {
        var consortium = new Records.Consortium(
            PortalMsp, new Attestor(AttestorName, Attestor.Der()),
            [.. new[] { A, B }.Select(hospital => hospital.Record(fabricRoot(hospital.Msp).Der(), bridge(hospital.Msp).Der()))]);
        var bytes = consortium.ToCanonicalJson();
        File.WriteAllBytes(ConsortiumFile, bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private SampleHospital Hospital(string msp, string name) =>
        new(msp, name, Path.Combine(data, "medical-affairs", msp), Path.Combine(data, "bridge", msp));
}
