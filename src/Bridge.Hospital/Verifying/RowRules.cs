using System.Text;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Verifying;

/// <summary>Pure judgement of one summary: the tables among themselves, and against what the ledger holds.</summary>
internal static class RowRules
{
    private const string Tampered = "Somebody or something changed the database by hand: restore the row from the last good backup and look at who had access";
    private const string Rerun = "If it stays so, run the summary again (POST /api/operations/summaries/ROW/rerun)";

    private static readonly HashSet<SummaryStatus> Wiped = [SummaryStatus.Superseded, SummaryStatus.Retracted, SummaryStatus.Withdrawn, SummaryStatus.Erased];
    private static readonly HashSet<SummaryStatus> Signed = [SummaryStatus.CoSigned, SummaryStatus.Anchoring, SummaryStatus.Anchored];
    private static readonly HashSet<SummaryStatus> WithReceipt =
        [SummaryStatus.Anchored, SummaryStatus.Superseded, SummaryStatus.Retracted, SummaryStatus.Withdrawn, SummaryStatus.Erased];

    /// <summary>All that does not agree.</summary>
    /// <param name="facts">The tables.</param>
    /// <param name="ledger">The ledger, under this summary's id.</param>
    /// <param name="hospital">MSP id.</param>
    public static IReadOnlyList<Finding> Judge(RowFacts facts, LedgerFacts ledger, string hospital)
    {
        var found = new List<Finding>();
        var subject = $"summary/{facts.Row.RowId}";
        void Add(string check, string what, string cure) => found.Add(new Finding(check, subject, what, cure));

        JudgePatient(facts, Add);
        JudgePayload(facts.Row, hospital, Add);
        JudgeDecisions(facts, Add);
        JudgeReceipt(facts, Add);
        JudgeSupersession(facts, Add);
        JudgeLedger(facts, ledger, Add);
        return found;
    }

    // Whose it is hangs on three columns here alone: the ledger knows no patient of the hospital's by name.
    private static void JudgePatient(RowFacts facts, Action<string, string, string> add)
    {
        if (facts.Enrolment is not { } enrolment)
            add("enrolment.dropped", $"enrolment/{facts.Row.EnrolmentId}, under which it stands, is gone from the tables", Tampered);
        else if (facts.Row.Status != SummaryStatus.Withdrawn && enrolment.State is "Enrolled" or "Lapsed" && enrolment.PatientKey != facts.Row.PatientKey)
            add("summary.patient", $"is of another patient than enrolment/{enrolment.EnrolmentId}, under which it stands", Tampered);
    }

    private static void JudgePayload(SummaryRow row, string hospital, Action<string, string, string> add)
    {
        if (row.Payload is null)
        {
            if (Signed.Contains(row.Status) || row.Status == SummaryStatus.AwaitingCoSign)
                add("summary.payload", $"is {row.Status} and has no payload", Tampered);
            return;
        }
        if (Wiped.Contains(row.Status))
        {
            add("summary.wiped", $"is {row.Status}, and its payload ({row.Payload.Length} bytes) is still stored", "Wipe it: what the ledger has retired must not stay here");
            return;
        }
        if (MinimalSummary.Read(row.Payload, out var fault) is not { } summary)
        {
            add("summary.payload", $"its payload breaks the summary's schema at '{fault}'", Tampered);
            return;
        }
        if (!summary.ToCanonicalJson().AsSpan().SequenceEqual(row.Payload))
            add("summary.payload", "its payload is not the canonical spelling of what it says", Tampered);
        Same("id", summary.Id.ToString(), row.SummaryId);
        Same("patient", summary.Patient.ToString(), row.Pseudonym);
        Same("hospital", summary.Hospital, hospital);
        Same("class", summary.Class, row.Class);
        Same("period", summary.Period, row.Period);
        Same("supersedes", summary.Supersedes?.ToString(), row.Supersedes);

        void Same(string member, string? inPayload, string? inRow)
        {
            if (inPayload != inRow)
                add("summary.payload", $"its payload and its row differ in '{member}'", Tampered);
        }
    }

    private static void JudgeDecisions(RowFacts facts, Action<string, string, string> add)
    {
        foreach (var decision in facts.Decisions)
        {
            var name = $"decision/{decision.DecisionId}";
            if (decision.SummaryId != facts.Row.SummaryId)
                add("decision.summary", $"{name} names another summary", Tampered);
            if (decision.Kind != "approve")
                continue;
            if (Wiped.Contains(facts.Row.Status))
            {
                if (decision.Signature is not null)
                    add("decision.wiped", $"{name} still holds its signature", "Wipe it: with the payload's few possible contents it would tell the diagnoses");
                continue;
            }
            if (decision.VoidedAt is null)
                JudgeApproval(facts.Row, decision, name, add);
        }
        var active = facts.Anchors.Where(anchor => anchor.State != AnchorState.Void).ToList();
        if (active.Count > 1)
            add("anchor.twice", $"has {active.Count} anchors in force", Tampered);
        if (!Signed.Contains(facts.Row.Status))
            return;
        if (active is not [var one])
            add("anchor.missing", $"is {facts.Row.Status} and no anchor of it is in force", Tampered);
        else if (facts.Decisions.FirstOrDefault(decision => decision.DecisionId == one.DecisionId) is not { Kind: "approve", VoidedAt: null })
            add("anchor.decision", $"anchor/{one.AnchorId} stands on decision/{one.DecisionId}, which is no approval in force", Tampered);
        else if (facts.Row.Status == SummaryStatus.Anchored && one.State != AnchorState.Done)
            add("anchor.state", $"is Anchored, but anchor/{one.AnchorId} is {one.State}", Tampered);
    }

    // Recomputes the doctor's signature over the payload as it stands here now.
    private static void JudgeApproval(SummaryRow row, DecisionRow decision, string name, Action<string, string, string> add)
    {
        if (row.Payload is null)
            return;
        if (decision.PayloadDigest != Digest.Of(row.Payload).ToString())
            add("decision.digest", $"{name} was made over a payload of digest {decision.PayloadDigest}, the payload here has {Digest.Of(row.Payload)}", Tampered);
        if (ProtectedHeaders.CertificateIn(decision.Protected ?? "") is not { } certificate)
        {
            add("decision.header", $"{name} holds no readable certificate", Tampered);
            return;
        }
        if (decision.Thumbprint != Digest.Of(certificate).ToString())
            add("decision.certificate", $"{name} names the certificate {decision.Thumbprint}, its header holds {Digest.Of(certificate)}", Tampered);
        VerificationOutcome outcome;
        try
        {
            var input = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Doctor, row.Payload, certificate);
            outcome = input.Protected != decision.Protected
                ? VerificationOutcome.BadHeader
                : Base64Url.TryDecode(decision.Signature, out var signature) && signature.Length == 64 ? input.Verify(signature) : VerificationOutcome.SignatureForm;
        }
        catch (ArgumentException)
        {
            outcome = VerificationOutcome.BadPayload;
        }
        if (outcome != VerificationOutcome.Valid)
            add("decision.signature", $"{name}: the doctor's signature does not verify over the payload ({outcome})", Tampered);
    }

    private static void JudgeReceipt(RowFacts facts, Action<string, string, string> add)
    {
        var row = facts.Row;
        if (facts.Receipt is not { } receipt)
        {
            if (row.Status is SummaryStatus.Anchored or SummaryStatus.Superseded or SummaryStatus.Retracted)
                add("receipt.missing", $"is {row.Status} and has no receipt", Tampered);
            return;
        }
        if (receipt.SummaryId != row.SummaryId)
            add("receipt.summary", "its receipt names another summary", Tampered);
        if (!WithReceipt.Contains(row.Status))
            add("receipt.early", $"is {row.Status} and has a receipt", Tampered);
        if (Wiped.Contains(row.Status))
        {
            if (receipt.Signed is not null)
                add("receipt.wiped", $"is {row.Status}, and its receipt still holds the signed summary", "Wipe it: what the ledger has retired must not stay here");
            return;
        }
        if (receipt.Signed is null)
        {
            add("receipt.signed", "its receipt holds no signed summary", Tampered);
            return;
        }
        var verified = SignedSummary.Verify(Encoding.UTF8.GetBytes(receipt.Signed));
        if (verified.Value is not { } signed)
            add("receipt.signed", $"the signed summary in its receipt does not verify ({verified.Outcome}{(verified.Where is null ? "" : $" at {verified.Where}")})", Tampered);
        else if (row.Payload is not null && !signed.Payload.Span.SequenceEqual(row.Payload))
            add("receipt.payload", $"its payload (digest {Digest.Of(row.Payload)}) is not what was signed and anchored (digest {Digest.Of(signed.Payload.Span)})", Tampered);
    }

    private static void JudgeSupersession(RowFacts facts, Action<string, string, string> add)
    {
        var row = facts.Row;
        if (row.Supersedes is not null && facts.PredecessorStatus is null)
            add("supersedes.unknown", "replaces a summary that is not in the tables", Tampered);
        else if (row is { Supersedes: not null, Status: SummaryStatus.Anchored } && facts.PredecessorStatus == nameof(SummaryStatus.Anchored))
            add("supersedes.both", "is Anchored, and so is the summary that it replaces", Rerun);
        if (row.Status == SummaryStatus.Superseded && facts.Successors == 0)
            add("supersedes.chain", $"is Superseded, and no summary replaces it", Tampered);
    }

    private static void JudgeLedger(RowFacts facts, LedgerFacts ledger, Action<string, string, string> add)
    {
        var row = facts.Row;
        if (ledger.State == SummaryState.Forged)
        {
            add("ledger.forged", "what stands under its id on the ledger is not what the patient's index vouches for", "An organisation overwrote it: no reader takes it; tell the portal and erase it");
            return;
        }
        if (row.Status != SummaryStatus.Anchored)
        {
            // Between the ledger's commit and the receipt a summary is on its way: that is no finding.
            if (ledger.State == SummaryState.Live && row.Status is not (SummaryStatus.Anchoring or SummaryStatus.CoSigned))
                add("ledger.live", $"is {row.Status} here and live on the ledger", Wiped.Contains(row.Status)
                    ? "It has to be retired there: retract it, or let the patient erase it"
                    : row.Status == SummaryStatus.AwaitingCoSign
                    ? "It left before the database was put back: have its doctor sign it as it is, and it is recognised"
                    : Rerun);
            return;
        }
        if (ledger.State != SummaryState.Live)
        {
            add("ledger.missing", $"is Anchored here, on the ledger it is {ledger.State}", ledger.State == SummaryState.NotFound
                ? "The receipt has no record behind it: is this the ledger (Ledger:Endpoints, Channel, Chaincode) that it was anchored on, and does the peer hold its whole history?"
                : "The ledger's notice was not heard: see that `status` shows no notices waiting, and that the server runs");
            return;
        }
        if (facts.Receipt?.Signed is { } signed && LedgerFacts.CanonicalDigest(Encoding.UTF8.GetBytes(signed)) != ledger.Content)
            add("ledger.content", "the signed summary on the ledger is not the one in its receipt", Tampered);
        if (facts.Enrolment is { ConsentHandle: { } consent } && ledger.Consent?.ToString() != consent)
            add("ledger.consent", "stands on the ledger under another consent than its enrolment's", Tampered);
        if (facts.Enrolment is { IndexHandle: { } index } && ledger.Index?.ToString() != index)
            add("ledger.index", "stands on the ledger in another patient's index than its enrolment's", Tampered);
        if (facts.Enrolment is { Pseudonym: { } pseudonym } && pseudonym != row.Pseudonym)
            add("summary.pseudonym", "names another pseudonym than its enrolment", Tampered);
        if (facts.Anchors.FirstOrDefault(anchor => anchor.State == AnchorState.Done) is { } done && ledger.Doctor?.ToString() != done.DoctorHandle)
            add("ledger.doctor", "stands on the ledger under another doctor's record than it was sent with", Tampered);
    }
}
