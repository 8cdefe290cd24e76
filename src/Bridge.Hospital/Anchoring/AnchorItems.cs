using System.Text.Json;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Anchoring;

/// <summary>An anchor's private input, drawn once and stored before the first attempt.</summary>
internal static class AnchorItems
{
    private sealed record Stored(
        string Summary, string Doctor, string Consent, string Salt, string Page, string IndexSalt, string Event, string EventSalt,
        string? TombSalt, string? SupersededEvent, string? SupersededEventSalt);

    /// <summary>
    /// Puts the bridge's signature beside the doctor's and draws handles and salts. Null where the stored signature does not verify: somebody changed
    /// the database.
    /// </summary>
    public static AnchorItem? Create(SummaryRow summary, DecisionRow decision, EnrolmentRow enrolment, SigningIdentity bridge)
    {
        var certificate = CoSign.ProtectedHeaders.CertificateIn(decision.Protected ?? "");
        if (certificate is null || summary.Payload is null || enrolment.ConsentHandle is null || !Base64Url.TryDecode(decision.Signature, out var doctorSignature))
            return null;
        var doctorInput = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Doctor, summary.Payload, certificate);
        var bridgeInput = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Bridge, summary.Payload, bridge.Certificate.RawData);
        var document = SignedSummary.Assemble(doctorInput, doctorSignature, bridgeInput, bridgeInput.Sign(bridge.Key));
        if (SignedSummary.Verify(document).Outcome != VerificationOutcome.Valid)
            return null;
        return new AnchorItem(
            SummaryId.Parse(summary.SummaryId), document, Handle.Parse(decision.Handle!), Handle.Parse(enrolment.ConsentHandle), Salt.New(), Handle.New(), Salt.New(),
            Handle.New(), Salt.New(), summary.Supersedes is null ? null : new Supersession(Salt.New(), Handle.New(), Salt.New()));
    }

    /// <summary>Whether what stands on the ledger is an item's content, signed by the same doctor. ECDSA signs anew with other bytes.</summary>
    public static bool SayTheSame(AnchorItem item, AnchoredSummary there) =>
        there.Doctor == item.Doctor && SignedSummary.Verify(there.Summary).Value is { } standing && SignedSummary.Verify(item.Summary).Value is { } mine
        && standing.Payload.Span.SequenceEqual(mine.Payload.Span);

    public static string ToText(AnchorItem item) => JsonSerializer.Serialize(new Stored(
        Base64Url.Encode(item.Summary.Span), item.Doctor.ToString(), item.Consent.ToString(), item.Salt.ToString(), item.Page.ToString(), item.IndexSalt.ToString(),
        item.Event.ToString(), item.EventSalt.ToString(), item.Supersession?.TombSalt.ToString(), item.Supersession?.Event.ToString(), item.Supersession?.EventSalt.ToString()));

    public static AnchorItem FromText(string summaryId, string text)
    {
        var stored = JsonSerializer.Deserialize<Stored>(text)!;
        return new AnchorItem(
            SummaryId.Parse(summaryId), Base64Url.Decode(stored.Summary), Handle.Parse(stored.Doctor), Handle.Parse(stored.Consent), Salt.Parse(stored.Salt),
            Handle.Parse(stored.Page), Salt.Parse(stored.IndexSalt), Handle.Parse(stored.Event), Salt.Parse(stored.EventSalt),
            stored.SupersededEvent is null ? null : new Supersession(Salt.Parse(stored.TombSalt!), Handle.Parse(stored.SupersededEvent), Salt.Parse(stored.SupersededEventSalt!)));
    }
}
