using System.Text;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Sandbox.Walkthrough;

/// <summary>A reader who trusts nothing but the digests of the hospital's CA certificates: not the ledger, not the portal, not the hospital's word.</summary>
internal static class Reader
{
    /// <summary>Reads a summary with its evidence from the ledger and judges it as a patient's browser does.</summary>
    /// <exception cref="SandboxException">It is not valid; the message says what it is.</exception>
    public static async Task<(SignedSummary Signed, RecordVerdict Verdict)> ReadAsync(
        SummaryLedger ledger, string hospital, SummaryId id, CaDigests trust, Pseudonym patient, CancellationToken ct)
    {
        var reading = await ledger.ReadHospitalAsync(hospital, ct);
        var record = HospitalRecord.Parse(Encoding.UTF8.GetBytes(reading.Record), out var fault)
            ?? throw new SandboxException($"The hospital's record is malformed at '{fault}'.");
        var anchored = await ledger.ReadSummaryAsync(hospital, id, ct);
        var doctor = await ledger.ReadDoctorAsync(anchored.Doctor, ct);
        var file = new RecordFile
        {
            Summary = anchored.Summary,
            Hospital = record,
            Approvals = reading.Approvals,
            Statement = doctor.Statement,
            Confirmation = doctor.Confirmation,
            Revocation = doctor.Revocation,
            Status = await ledger.ReadStatusOfAsync(hospital, Digest.Parse(doctor.Thumbprint), ct),
        };
        var verdict = RecordVerifier.Verify(file, new TrustAnchor(hospital, trust), patient, DateTimeOffset.UtcNow);
        return verdict.Outcome == RecordOutcome.Valid && verdict.Summary!.Id == id
            ? (SignedSummary.Verify(anchored.Summary).Value!, verdict)
            : throw new SandboxException($"The record cannot be trusted: {verdict.Outcome} ({verdict.Signature} {verdict.Where}).");
    }
}
