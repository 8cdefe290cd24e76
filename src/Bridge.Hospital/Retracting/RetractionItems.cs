using System.Text.Json;
using Bridge.Hospital.CoSign;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Retracting;

/// <summary>A retraction's private input, drawn once and stored before the first attempt.</summary>
internal sealed record RetractionItem(string Document, string Event, string EventSalt, string TombSalt)
{
    /// <summary>Puts the bridge's signature beside the doctor's. Null where the stored signature does not verify: somebody changed the database.</summary>
    public static RetractionItem? Create(RetractionRow row, DecisionRow decision, string hospital, SigningIdentity bridge)
    {
        var certificate = ProtectedHeaders.CertificateIn(decision.Protected ?? "");
        if (certificate is null || !Base64Url.TryDecode(decision.Signature, out var doctorSignature))
            return null;
        var payload = row.Payload(hospital);
        var doctorInput = SigningInput.Create(EnvelopeKind.Retraction, SignerRole.Doctor, payload, certificate);
        var bridgeInput = SigningInput.Create(EnvelopeKind.Retraction, SignerRole.Bridge, payload, bridge.Certificate.RawData);
        var document = SignedRetraction.Assemble(doctorInput, doctorSignature, bridgeInput, bridgeInput.Sign(bridge.Key));
        return SignedRetraction.Verify(document).Outcome == VerificationOutcome.Valid
            ? new RetractionItem(Base64Url.Encode(document), Handle.New().ToString(), Salt.New().ToString(), Salt.New().ToString())
            : null;
    }

    public string ToText() => JsonSerializer.Serialize(this);

    public static RetractionItem FromText(string text) => JsonSerializer.Deserialize<RetractionItem>(text)!;

    public SummaryRetraction ToLedger(RetractionRow row, string doctorValue) => new(
        SummaryId.Parse(row.SummaryId), Base64Url.Decode(Document), Handle.Parse(row.DoctorHandle!), doctorValue, Handle.Parse(Event), Salt.Parse(EventSalt), Salt.Parse(TombSalt));
}
