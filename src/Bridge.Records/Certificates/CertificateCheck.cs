namespace Bridge.Records;

/// <summary>
/// The certificate rules of the consortium, each by itself: no operating system's trust store, no network. Times are compared whole; a certificate is valid on
/// both its bounds.
/// </summary>
public static class CertificateCheck
{
    private const int DigitalSignature = 0;
    private const int NonRepudiation = 1;
    private const int KeyCertSign = 5;

    /// <summary>A CA as it stands: P-256, BasicConstraints CA, may sign certificates. Its issuer is not looked at: its digest is the trust.</summary>
    public static CertificateFault CheckCa(ReadOnlySpan<byte> certificate, DateTimeOffset at)
    {
        var ca = ParsedCertificate.TryRead(certificate);
        return ca is null ? CertificateFault.Unreadable : Ca(ca, at);
    }

    /// <summary>A doctor's, registrar's or status key's: issued directly by one of the people CAs, no CA, digitalSignature, documentSigning, the mark of that role and of no other.</summary>
    /// <param name="certificate">DER.</param>
    /// <param name="role">What it must be for.</param>
    /// <param name="peopleCas">DER.</param>
    /// <param name="at">The moment to judge for; null leaves dates out, as a reader of old records must.</param>
    public static CertificateFault CheckPerson(ReadOnlySpan<byte> certificate, PersonRole role, IEnumerable<byte[]> peopleCas, DateTimeOffset? at)
    {
        var person = ParsedCertificate.TryRead(certificate);
        if (person is null)
            return CertificateFault.Unreadable;
        var leaf = Leaf(person, CertificateProfile.DocumentSigning, role, at);
        if (leaf != CertificateFault.None)
            return leaf;
        if (!StatementSchema.IsPersonName(person.CommonName))
            return CertificateFault.Name;
        return IssuedByAny(person, peopleCas, at);
    }

    /// <summary>The patient CA: issued by one of the people CAs, a CA with path length 0.</summary>
    public static CertificateFault CheckPatientCa(ReadOnlySpan<byte> certificate, IEnumerable<byte[]> peopleCas, DateTimeOffset at)
    {
        var ca = ParsedCertificate.TryRead(certificate);
        if (ca is null)
            return CertificateFault.Unreadable;
        var fault = Ca(ca, at);
        if (fault != CertificateFault.None)
            return fault;
        if (!ca.HasPathLengthZero)
            return CertificateFault.PathLength;
        return IssuedByAny(ca, peopleCas, at, ofCa: true);
    }

    /// <summary>A patient's: issued by the patient CA, CN = the key's pseudonym, no CA, digitalSignature, clientAuth.</summary>
    public static CertificateFault CheckPatient(ReadOnlySpan<byte> certificate, byte[] patientCa, DateTimeOffset? at)
    {
        var patient = ParsedCertificate.TryRead(certificate);
        if (patient is null)
            return CertificateFault.Unreadable;
        var leaf = Leaf(patient, CertificateProfile.ClientAuth, role: null, at);
        if (leaf != CertificateFault.None)
            return leaf;
        if (patient.CommonName != Pseudonym.FromPublicKey(patient.SubjectPublicKeyInfo).ToString())
            return CertificateFault.Name;
        return IssuedByAny(patient, [patientCa], at);
    }

    /// <summary>A bridge's: issued by one of the bridge CAs, P-256, no CA. Fabric decides the rest of its shape.</summary>
    public static CertificateFault CheckBridge(ReadOnlySpan<byte> certificate, IEnumerable<byte[]> bridgeCas, DateTimeOffset? at)
    {
        var bridge = ParsedCertificate.TryRead(certificate);
        if (bridge is null)
            return CertificateFault.Unreadable;
        if (bridge.KeyKind != KeyKind.P256)
            return CertificateFault.KeyNotP256;
        if (bridge.IsCa == true)
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
        Note("registrar", CheckPerson(record.Registrar, PersonRole.Registrar, people, at));
        Note("statusKey", CheckPerson(record.StatusKey, PersonRole.StatusKey, people, at));
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

    /// <summary>
    /// A people or bridge CA that follows an old one (rollover): signed by it, and itself a CA. One that may issue only leaves follows none, nor is followed: such is the patient CA, whose key
    /// lies on the bridge. Dates are left out.
    /// </summary>
    internal static CertificateFault CheckSuccessor(ReadOnlySpan<byte> certificate, ReadOnlySpan<byte> old)
    {
        var ca = ParsedCertificate.TryRead(certificate);
        var before = ParsedCertificate.TryRead(old);
        if (ca is null || before is null)
            return CertificateFault.Unreadable;
        var fault = Ca(ca, at: null);
        if (fault != CertificateFault.None)
            return fault;
        return ca.HasPathLengthZero || before.HasPathLengthZero ? CertificateFault.PathLength : ca.IssuedBy(before);
    }

    /// <summary>A person's name as her certificate says it; null where it is unreadable.</summary>
    public static string? NameIn(ReadOnlySpan<byte> certificate) => ParsedCertificate.TryRead(certificate)?.CommonName;

    /// <summary>The one role whose mark a certificate bears; null where it bears none, or is unreadable. Its issuer is not looked at.</summary>
    public static PersonRole? RoleIn(ReadOnlySpan<byte> certificate) => ParsedCertificate.TryRead(certificate) is { } read ? RoleMark.In(read.ExtendedKeyUsage) : null;

    private static bool IsSelfSigned(byte[] certificate)
    {
        var ca = ParsedCertificate.TryRead(certificate);
        return ca is not null && ca.IssuedBy(ca) == CertificateFault.None;
    }

    /// <summary>True where no key of the record has two roles.</summary>
    internal static bool HasKeysApart(HospitalRecord record) => !KeysInTwoRoles(record).Any();

    /// <summary>True where the record names the certificate's key in any role: a doctor's has none.</summary>
    internal static bool NamesKeyOf(HospitalRecord record, byte[] certificate) => Roles(record).Any(role => KeyOf(role.Certificate) == KeyOf(certificate));

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

    private static CertificateFault Ca(ParsedCertificate ca, DateTimeOffset? at)
    {
        if (ca.KeyKind != KeyKind.P256)
            return CertificateFault.KeyNotP256;
        if (ca.HasUnknownCritical)
            return CertificateFault.CriticalExtension;
        if (ca.IsCa != true || (ca.KeyUsage is { } usage && !usage.Contains(KeyCertSign)))
            return CertificateFault.NotCa;
        return ca.ExtendedKeyUsage.Any(RoleMark.IsMark) ? CertificateFault.Role : Dates(ca, at);
    }

    private static CertificateFault Leaf(ParsedCertificate leaf, string extendedKeyUsage, PersonRole? role, DateTimeOffset? at)
    {
        if (leaf.KeyKind != KeyKind.P256)
            return CertificateFault.KeyNotP256;
        if (leaf.HasUnknownCritical)
            return CertificateFault.CriticalExtension;
        if (leaf.IsCa == true)
            return CertificateFault.IsCa;
        if (leaf.KeyUsage is not { } usage || !usage.Contains(DigitalSignature) || usage.Any(bit => bit is not (DigitalSignature or NonRepudiation)))
            return CertificateFault.KeyUsage;
        if (!leaf.ExtendedKeyUsage.Contains(extendedKeyUsage))
            return CertificateFault.ExtendedKeyUsage;
        string[] marks = role is { } one ? [RoleMark.Of(one)] : [];
        return leaf.ExtendedKeyUsage.Where(RoleMark.IsMark).SequenceEqual(marks) ? Dates(leaf, at) : CertificateFault.Role;
    }

    private static CertificateFault Dates(ParsedCertificate certificate, DateTimeOffset? at)
    {
        if (at?.ToUnixTimeSeconds() is not { } moment)
            return CertificateFault.None;
        if (moment < certificate.NotBefore)
            return CertificateFault.NotYetValid;
        return moment > certificate.NotAfter ? CertificateFault.Expired : CertificateFault.None;
    }

    /// <summary>A renewed CA may keep name and key, so every one is looked at before the answer is no. One with path length 0 issues no CA.</summary>
    private static CertificateFault IssuedByAny(ParsedCertificate certificate, IEnumerable<byte[]> cas, DateTimeOffset? at, bool ofCa = false)
    {
        var fault = CertificateFault.WrongIssuer;
        foreach (var der in cas)
        {
            if (ParsedCertificate.TryRead(der) is not { } ca)
                continue;
            var one = certificate.IssuedBy(ca);
            if (one == CertificateFault.None)
                one = Dates(ca, at);
            if (one == CertificateFault.None)
                one = ofCa && ca.HasPathLengthZero ? CertificateFault.PathLength : CertificateFault.None;
            if (one == CertificateFault.None)
                return one;
            if (one != CertificateFault.WrongIssuer)
                fault = one;
        }
        return fault;
    }
}
