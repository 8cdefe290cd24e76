using System.Text;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Sandbox.Walkthrough;

/// <summary>A reader who trusts nothing but the digests of the hospital's CA certificates: not the ledger, not the portal, not the hospital's word.</summary>
internal static class Reader
{
    /// <summary>Reads a summary from the ledger and verifies all of it; the result says who signed.</summary>
    /// <exception cref="SandboxException">Something does not hold; the message says what.</exception>
    public static async Task<(SignedSummary Signed, string Doctor)> ReadAsync(SummaryLedger ledger, string hospital, SummaryId id, CaDigests trust, CancellationToken ct)
    {
        var reading = await ledger.ReadHospitalAsync(hospital, ct);
        var record = HospitalRecord.Parse(Encoding.UTF8.GetBytes(reading.Record), out var fault)
            ?? throw new SandboxException($"The hospital's record is malformed at '{fault}'.");
        Require(record.CaDigests.Equals(trust), "the hospital's CA certificates on the ledger are those whose digests the ticket carries");
        var now = DateTimeOffset.UtcNow;
        Require(CertificateCheck.FaultsIn(record, now).Count == 0, "the hospital's offices are certified by its people CA");

        var anchored = await ledger.ReadSummaryAsync(hospital, id, ct);
        var verified = SignedSummary.Verify(anchored.Summary);
        Require(verified.Outcome == VerificationOutcome.Valid, $"both signatures hold over one canonical payload ({verified.Outcome})");
        var signed = verified.Value!;
        Require(signed.Summary.Hospital == hospital && signed.Summary.Id == id, "the record is of this hospital and has this id");
        Require(
            CertificateCheck.CheckPerson(signed.DoctorCertificate.Span, record.CasFor(CaUse.People), now) == CertificateFault.None,
            "the doctor's certificate was issued by the hospital's people CA");
        Require(
            CertificateCheck.CheckBridge(signed.BridgeCertificate.Span, record.CasFor(CaUse.Bridge), now) == CertificateFault.None
            && record.Bridges.Contains(Digest.Of(signed.BridgeCertificate.Span)),
            "the bridge's certificate was issued by the hospital's Fabric CA and is registered");

        var list = CompactJws.Verify<StatusList>(await ledger.ReadStatusAsync(hospital, ct));
        Require(
            list.Outcome == VerificationOutcome.Valid && list.Value!.Certificate.Span.SequenceEqual(record.StatusKey) && list.Value.Statement.Hospital == hospital,
            "the status list is signed by the hospital's status key");
        Require(list.Value!.Statement.NextUpdate > now, "the status list is fresh");
        Require(!list.Value.Statement.Revoked.Contains(Digest.Of(signed.DoctorCertificate.Span)), "the doctor's certificate is not revoked");
        return (signed, CertificateCheck.NameIn(signed.DoctorCertificate.Span)!);
    }

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new SandboxException($"The record cannot be trusted; this does not hold: {what}.");
        }
    }
}
