namespace Bridge.Records;

/// <summary>
/// Judges a record as a reader does who trusts nothing but the digests of its own hospital's CA certificates: no ledger, no portal, no network. Another hospital is
/// reached by way of one approval of the reader's own.
/// </summary>
public static class RecordVerifier
{
    /// <summary>A status list may claim to be made this much after the reader's clock.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(15);

    /// <summary>Judges a record.</summary>
    /// <param name="file">The record and its evidence.</param>
    /// <param name="anchor">Whom the reader trusts.</param>
    /// <param name="patient">Whose record it must be; null where the reader is not a patient.</param>
    /// <param name="now">The reader's time.</param>
    public static RecordVerdict Verify(RecordFile file, TrustAnchor anchor, Pseudonym? patient, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(anchor);
        var signed = SignedSummary.Verify(file.Summary, file.Hospital.WebAuthn);
        var verdict = new RecordVerdict { Outcome = RecordOutcome.Forged, Signature = signed.Outcome, Where = signed.Where, Summary = signed.Value?.Summary };
        if (signed.Value is not { } summary)
            return verdict;
        if (patient is { } wanted && summary.Summary.Patient != wanted)
            return verdict with { Outcome = RecordOutcome.NotThisPatient };
        if (summary.Summary.Hospital != file.Hospital.Msp)
            return verdict with { Outcome = RecordOutcome.WrongHospital };
        var trust = JudgeHospitals(file, anchor);
        if (trust != RecordOutcome.Valid)
            return verdict with { Outcome = trust };
        verdict = verdict with { HospitalName = file.Hospital.Name };
        if (!file.Hospital.Bridges.Contains(Digest.Of(summary.BridgeCertificate.Span))
            || CertificateCheck.CheckBridge(summary.BridgeCertificate.Span, file.Hospital.CasFor(CaUse.Bridge), at: null) != CertificateFault.None)
            return verdict with { Outcome = RecordOutcome.BridgeNotOfHospital };
        return JudgeDoctor(file, anchor, summary.DoctorCertificate.ToArray(), verdict, now);
    }

    private static RecordOutcome JudgeHospitals(RecordFile file, TrustAnchor anchor)
    {
        var own = file.Hospital.Msp == anchor.Hospital ? file.Hospital : file.Own;
        if (own is null || own.Msp != anchor.Hospital || !IsAnchored(own, CaUse.People, anchor.CaDigests.People))
            return RecordOutcome.UntrustedCa;
        if (!HoldsTogether(own))
            return RecordOutcome.UntrustedHospital;
        // a Fabric root is self-signed: a new one is vouched for by the hospital's registrar, whom the people CA vouches for
        if (!IsAnchored(own, CaUse.Bridge, anchor.CaDigests.Bridge) && !file.Approvals.Any(jws => IsApproval(jws, own, own)))
            return RecordOutcome.UntrustedCa;
        if (ReferenceEquals(own, file.Hospital))
            return RecordOutcome.Valid;
        if (!HoldsTogether(file.Hospital))
            return RecordOutcome.UntrustedHospital;
        return file.Approvals.Any(jws => IsApproval(jws, own, file.Hospital)) ? RecordOutcome.Valid : RecordOutcome.HospitalNotApproved;
    }

    /// <summary>Every CA of this use is a trusted one, or a CA that was signed by one that is (rollover): what else a CA signed, a doctor's certificate say, is no CA of the hospital.</summary>
    private static bool IsAnchored(HospitalRecord record, CaUse use, IReadOnlyList<Digest> roots)
    {
        var open = record.CasFor(use).ToList();
        var known = open.Where(ca => roots.Contains(Digest.Of(ca))).ToList();
        open.RemoveAll(known.Contains);
        for (var grown = true; grown && open.Count > 0;)
        {
            var next = open.Where(ca => known.Exists(old => CertificateCheck.CheckSuccessor(ca, old) == CertificateFault.None)).ToList();
            grown = next.Count > 0;
            known.AddRange(next);
            open.RemoveAll(next.Contains);
        }
        return open.Count == 0;
    }

    private static bool WasIssuedBy(ReadOnlySpan<byte> certificate, byte[] issuer) =>
        ParsedCertificate.TryRead(certificate) is { } one && ParsedCertificate.TryRead(issuer) is { } other && one.IssuedBy(other) == CertificateFault.None;

    /// <summary>Dates are left out: an office that has ended since was good in its time, and freshness is judged by the status list.</summary>
    private static bool HoldsTogether(HospitalRecord record)
    {
        var people = record.CasFor(CaUse.People).ToList();
        return CertificateCheck.CheckPerson(record.Registrar, PersonRole.Registrar, people, at: null) == CertificateFault.None
            && CertificateCheck.CheckPerson(record.StatusKey, PersonRole.StatusKey, people, at: null) == CertificateFault.None
            && CertificateCheck.HasKeysApart(record);
    }

    private static bool IsApproval(string jws, HospitalRecord own, HospitalRecord other)
    {
        var approval = CompactJws.Verify<HospitalApproval>(jws).Value;
        return approval is not null && approval.Thumbprint == own.RegistrarThumbprint && approval.Statement == other.ApprovalBy(own.Msp);
    }

    private static RecordVerdict JudgeDoctor(RecordFile file, TrustAnchor anchor, byte[] doctor, RecordVerdict verdict, DateTimeOffset now)
    {
        var people = file.Hospital.CasFor(CaUse.People).ToList();
        if (CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, people, at: null) != CertificateFault.None || CertificateCheck.NamesKeyOf(file.Hospital, doctor))
            return verdict with { Outcome = RecordOutcome.DoctorNotOfHospital };
        var certificate = ParsedCertificate.TryRead(doctor)!;
        verdict = verdict with
        {
            DoctorName = certificate.CommonName,
            DoctorFrom = DateTimeOffset.FromUnixTimeSeconds(certificate.NotBefore),
            DoctorTo = DateTimeOffset.FromUnixTimeSeconds(certificate.NotAfter),
        };

        var thumbprint = Digest.Of(doctor);
        var statement = CompactJws.Verify<DoctorStatement>(file.Statement).Value;
        if (statement is null || statement.Statement.Hospital != file.Hospital.Msp || statement.Statement.Thumbprint != thumbprint
            || statement.Statement.Name != verdict.DoctorName || HasKeyOf(statement.Certificate, doctor)
            || CertificateCheck.CheckPerson(statement.Certificate.Span, PersonRole.Registrar, people, at: null) != CertificateFault.None
            || !WereValidTogether(statement.Certificate, certificate))
            return verdict with { Outcome = RecordOutcome.DoctorNotVouched };
        verdict = verdict with
        {
            Licence = statement.Statement.Licence,
            Registry = statement.Statement.Registry,
            VouchedBy = CertificateCheck.NameIn(statement.Certificate.Span),
            VouchedByRegistrarOfToday = statement.Thumbprint == file.Hospital.RegistrarThumbprint,
        };

        if (file.Confirmation is not { } compact || CompactJws.Verify<DoctorConfirmation>(compact).Value is not { } confirmation
            || confirmation.Statement != DoctorConfirmation.Of(statement.Statement, file.Statement)
            || HasKeyOf(confirmation.Certificate, doctor) || HasKeyOf(confirmation.Certificate, statement.Certificate.ToArray())
            || people.Exists(ca => WasIssuedBy(confirmation.Certificate.Span, ca)))
            return verdict with { Outcome = RecordOutcome.DoctorNotConfirmed };
        verdict = verdict with { ConfirmedBy = CertificateCheck.NameIn(confirmation.Certificate.Span) };

        if (file.Revocation is { } revoked && CompactJws.Verify<DoctorRevocation>(revoked).Value is { } revocation && revocation.Statement.Thumbprint == thumbprint)
            return verdict with { Outcome = RecordOutcome.DoctorRevoked };
        return JudgeStatus(file, anchor, thumbprint, verdict, now);
    }

    private static RecordVerdict JudgeStatus(RecordFile file, TrustAnchor anchor, Digest doctor, RecordVerdict verdict, DateTimeOffset now)
    {
        if (ListOf(file.Hospital, file.Status) is not { } list)
            return verdict with { Outcome = RecordOutcome.FreshnessUnknown };
        verdict = verdict with { StatusFrom = list.ThisUpdate, StatusTo = list.NextUpdate };
        if (list.Revoked.Contains(doctor))
            return verdict with { Outcome = RecordOutcome.DoctorRevoked };
        var isFresh = list.Covers(doctor) && IsInForce(file.Hospital, list, now)
            && (file.Hospital.Msp == anchor.Hospital || (ListOf(file.Own!, file.OwnStatus) is { } own && IsInForce(file.Own!, own, now)));
        return verdict with { Outcome = isFresh ? RecordOutcome.Valid : RecordOutcome.FreshnessUnknown };
    }

    /// <summary>A list that the status key of the record signed; null otherwise.</summary>
    private static StatusList? ListOf(HospitalRecord hospital, string? compact) =>
        compact is not null && CompactJws.Verify<StatusList>(compact).Value is { } signed && signed.Thumbprint == Digest.Of(hospital.StatusKey) && signed.Statement.Hospital == hospital.Msp
            ? signed.Statement : null;

    /// <summary>
    /// The list is of today and names this very record. Nobody signs the record of the reader's own hospital: without the status key's word, whoever was its registrar once could write another, with
    /// himself in office and bridges of his own.
    /// </summary>
    private static bool IsInForce(HospitalRecord hospital, StatusList list, DateTimeOffset now) =>
        list.Record == hospital.RecordDigest && list.ThisUpdate <= now + ClockTolerance && now <= list.NextUpdate
        && CertificateCheck.CheckPerson(hospital.StatusKey, PersonRole.StatusKey, hospital.CasFor(CaUse.People), now) == CertificateFault.None;

    /// <summary>Nothing dates a statement, but it was made while both certificates were valid: a registrar whose own has ended vouches for none that began since.</summary>
    private static bool WereValidTogether(ReadOnlyMemory<byte> signer, ParsedCertificate doctor) =>
        ParsedCertificate.TryRead(signer.Span) is { } one && one.NotBefore <= doctor.NotAfter && doctor.NotBefore <= one.NotAfter;

    private static bool HasKeyOf(ReadOnlyMemory<byte> certificate, byte[] other) =>
        LeafCertificate.TryRead(certificate.Span, LeafKey.P256)?.SubjectPublicKeyInfo is { } key
        && LeafCertificate.TryRead(other, LeafKey.P256)?.SubjectPublicKeyInfo is { } otherKey
        && key.AsSpan().SequenceEqual(otherKey);
}
