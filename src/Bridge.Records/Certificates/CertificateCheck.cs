using System.Security.Cryptography.X509Certificates;

namespace Bridge.Records;

/// <summary>
/// The certificate rules of the consortium, each by itself: no operating system's trust store, no network. Times are compared whole; a certificate is valid on
/// both its bounds.
/// </summary>
public static class CertificateCheck
{
    private static readonly HashSet<string> Known = ["2.5.29.15", "2.5.29.19", "2.5.29.37"];

    /// <summary>A CA as it stands: P-256, BasicConstraints CA, may sign certificates. Its issuer is not looked at: its digest is the trust.</summary>
    public static CertificateFault CheckCa(ReadOnlySpan<byte> certificate, DateTimeOffset at)
    {
        using var ca = CertificateParts.TryLoad(certificate);
        return ca is null ? CertificateFault.Unreadable : Ca(ca, at);
    }

    /// <summary>A doctor's, registrar's or status key's: issued directly by one of the people CAs, no CA, digitalSignature, documentSigning.</summary>
    /// <param name="certificate">DER.</param>
    /// <param name="peopleCas">DER.</param>
    /// <param name="at">The moment to judge for; null leaves dates out, as a reader of old records must.</param>
    public static CertificateFault CheckPerson(ReadOnlySpan<byte> certificate, IEnumerable<byte[]> peopleCas, DateTimeOffset? at)
    {
        using var person = CertificateParts.TryLoad(certificate);
        if (person is null)
            return CertificateFault.Unreadable;
        var leaf = Leaf(person, CertificateProfile.DocumentSigning, at);
        if (leaf != CertificateFault.None)
            return leaf;
        if (string.IsNullOrWhiteSpace(CertificateParts.CommonName(person)))
            return CertificateFault.Name;
        return IssuedByAny(person, peopleCas, at);
    }

    /// <summary>The patient CA: issued by one of the people CAs, a CA with path length 0.</summary>
    public static CertificateFault CheckPatientCa(ReadOnlySpan<byte> certificate, IEnumerable<byte[]> peopleCas, DateTimeOffset at)
    {
        using var ca = CertificateParts.TryLoad(certificate);
        if (ca is null)
            return CertificateFault.Unreadable;
        var fault = Ca(ca, at);
        if (fault != CertificateFault.None)
            return fault;
        if (ca.Extensions.OfType<X509BasicConstraintsExtension>().First() is not { HasPathLengthConstraint: true, PathLengthConstraint: 0 })
            return CertificateFault.PathLength;
        return IssuedByAny(ca, peopleCas, at);
    }

    /// <summary>A patient's: issued by the patient CA, CN = the key's pseudonym, no CA, digitalSignature, clientAuth.</summary>
    public static CertificateFault CheckPatient(ReadOnlySpan<byte> certificate, byte[] patientCa, DateTimeOffset? at)
    {
        using var patient = CertificateParts.TryLoad(certificate);
        if (patient is null)
            return CertificateFault.Unreadable;
        var leaf = Leaf(patient, CertificateProfile.ClientAuth, at);
        if (leaf != CertificateFault.None)
            return leaf;
        if (CertificateParts.CommonName(patient) != Pseudonym.FromPublicKey(patient.PublicKey.ExportSubjectPublicKeyInfo()).ToString())
            return CertificateFault.Name;
        return IssuedByAny(patient, [patientCa], at);
    }

    /// <summary>A bridge's: issued by one of the bridge CAs, P-256, no CA. Fabric decides the rest of its shape.</summary>
    public static CertificateFault CheckBridge(ReadOnlySpan<byte> certificate, IEnumerable<byte[]> bridgeCas, DateTimeOffset? at)
    {
        using var bridge = CertificateParts.TryLoad(certificate);
        if (bridge is null)
            return CertificateFault.Unreadable;
        if (!LeafCertificate.IsP256(bridge.PublicKey.ExportSubjectPublicKeyInfo()))
            return CertificateFault.KeyNotP256;
        if (IsCa(bridge))
            return CertificateFault.IsCa;
        var dates = Dates(bridge, at);
        return dates != CertificateFault.None ? dates : IssuedByAny(bridge, bridgeCas, at);
    }

    /// <summary>All that is wrong with the certificates of a hospital's record, as (member, fault); empty where nothing is.</summary>
    public static IReadOnlyList<(string Member, CertificateFault Fault)> FaultsIn(HospitalRecord record, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(record);
        var faults = new List<(string, CertificateFault)>();
        for (var i = 0; i < record.Cas.Count; i++)
        {
            var (use, ca) = record.Cas[i];
            var fault = CheckCa(ca, at);
            if (fault == CertificateFault.None && (use == CaUse.Bridge || record.Seq == 1) && !IsSelfSigned(ca))
                fault = CertificateFault.NotSelfSigned;
            Note($"cas[{i}].certificate", fault);
        }
        var people = record.CasFor(CaUse.People).ToList();
        Note("registrar", CheckPerson(record.Registrar, people, at));
        Note("statusKey", CheckPerson(record.StatusKey, people, at));
        Note("patientCa", CheckPatientCa(record.PatientCa, people, at));
        foreach (var member in KeysInTwoRoles(record))
            Note(member, CertificateFault.KeyInOtherRole);
        return faults;

        void Note(string member, CertificateFault fault)
        {
            if (fault != CertificateFault.None)
                faults.Add((member, fault));
        }
    }

    /// <summary>As the other overload for a whole consortium: every founder's, and no key of one that is another's or the attestor's.</summary>
    public static IReadOnlyList<(string Member, CertificateFault Fault)> FaultsIn(Consortium consortium, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(consortium);
        var faults = new List<(string, CertificateFault)>();
        var owners = new Dictionary<string, string> { [KeyOf(consortium.Attestor.Certificate)] = "attestor" };
        for (var i = 0; i < consortium.Hospitals.Count; i++)
        {
            var hospital = $"hospitals[{i}]";
            faults.AddRange(FaultsIn(consortium.Hospitals[i], at).Select(f => ($"{hospital}.{f.Member}", f.Fault)));
            foreach (var (member, _, certificate) in Roles(consortium.Hospitals[i]))
                if (!owners.TryAdd(KeyOf(certificate), hospital) && owners[KeyOf(certificate)] != hospital)
                    faults.Add(($"{hospital}.{member}", CertificateFault.KeyInOtherRole));
        }
        return faults;
    }

    /// <summary>A person's name as her certificate says it; null where it is unreadable.</summary>
    public static string? NameIn(ReadOnlySpan<byte> certificate)
    {
        using var loaded = CertificateParts.TryLoad(certificate);
        return loaded is null ? null : CertificateParts.CommonName(loaded);
    }

    private static bool IsSelfSigned(byte[] certificate)
    {
        using var ca = CertificateParts.TryLoad(certificate);
        return ca is not null && CertificateParts.IssuedBy(ca, ca) == CertificateFault.None;
    }

    /// <summary>One key in two roles would make one office two. A renewed CA may keep its key within its use.</summary>
    private static IEnumerable<string> KeysInTwoRoles(HospitalRecord record)
    {
        var taken = new Dictionary<string, string>();
        foreach (var (member, role, certificate) in Roles(record))
            if (!taken.TryAdd(KeyOf(certificate), role) && taken[KeyOf(certificate)] != role)
                yield return member;
    }

    private static IEnumerable<(string Member, string Role, byte[] Certificate)> Roles(HospitalRecord record) =>
        record.Cas.Select((ca, i) => (Member: $"cas[{i}].certificate", Role: ca.Use.ToString(), ca.Certificate))
            .Append(("registrar", "registrar", record.Registrar)).Append(("statusKey", "statusKey", record.StatusKey)).Append(("patientCa", "patientCa", record.PatientCa));

    /// <summary>The public key as text; an unreadable certificate, which has its own fault, stands for itself.</summary>
    private static string KeyOf(byte[] certificate) => Convert.ToBase64String(LeafCertificate.TryRead(certificate, LeafKey.P256)?.SubjectPublicKeyInfo ?? certificate);

    private static CertificateFault Ca(X509Certificate2 ca, DateTimeOffset? at)
    {
        if (!LeafCertificate.IsP256(ca.PublicKey.ExportSubjectPublicKeyInfo()))
            return CertificateFault.KeyNotP256;
        if (HasUnknownCritical(ca))
            return CertificateFault.CriticalExtension;
        var usage = ca.Extensions.OfType<X509KeyUsageExtension>().SingleOrDefault();
        if (!IsCa(ca) || (usage is not null && !usage.KeyUsages.HasFlag(X509KeyUsageFlags.KeyCertSign)))
            return CertificateFault.NotCa;
        return Dates(ca, at);
    }

    private static CertificateFault Leaf(X509Certificate2 leaf, string extendedKeyUsage, DateTimeOffset? at)
    {
        if (!LeafCertificate.IsP256(leaf.PublicKey.ExportSubjectPublicKeyInfo()))
            return CertificateFault.KeyNotP256;
        if (HasUnknownCritical(leaf))
            return CertificateFault.CriticalExtension;
        if (IsCa(leaf))
            return CertificateFault.IsCa;
        const X509KeyUsageFlags Allowed = X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.NonRepudiation;
        var usage = leaf.Extensions.OfType<X509KeyUsageExtension>().SingleOrDefault()?.KeyUsages ?? X509KeyUsageFlags.None;
        if (!usage.HasFlag(X509KeyUsageFlags.DigitalSignature) || (usage & ~Allowed) != 0)
            return CertificateFault.KeyUsage;
        var extended = leaf.Extensions.OfType<X509EnhancedKeyUsageExtension>().SingleOrDefault();
        if (extended is null || !extended.EnhancedKeyUsages.Cast<System.Security.Cryptography.Oid>().Any(oid => oid.Value == extendedKeyUsage))
            return CertificateFault.ExtendedKeyUsage;
        return Dates(leaf, at);
    }

    private static bool IsCa(X509Certificate2 certificate) => certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(e => e.CertificateAuthority);

    private static bool HasUnknownCritical(X509Certificate2 certificate) => certificate.Extensions.Any(e => e.Critical && !Known.Contains(e.Oid?.Value ?? ""));

    private static CertificateFault Dates(X509Certificate2 certificate, DateTimeOffset? at)
    {
        if (at is not { } moment)
            return CertificateFault.None;
        if (moment < new DateTimeOffset(certificate.NotBefore.ToUniversalTime(), TimeSpan.Zero))
            return CertificateFault.NotYetValid;
        return moment > new DateTimeOffset(certificate.NotAfter.ToUniversalTime(), TimeSpan.Zero) ? CertificateFault.Expired : CertificateFault.None;
    }

    private static CertificateFault IssuedByAny(X509Certificate2 certificate, IEnumerable<byte[]> cas, DateTimeOffset? at)
    {
        var fault = CertificateFault.WrongIssuer;
        foreach (var der in cas)
        {
            using var ca = CertificateParts.TryLoad(der);
            if (ca is null)
                continue;
            var one = CertificateParts.IssuedBy(certificate, ca);
            if (one == CertificateFault.None)
                return Dates(ca, at);
            if (one != CertificateFault.WrongIssuer)
                fault = one;
        }
        return fault;
    }
}
