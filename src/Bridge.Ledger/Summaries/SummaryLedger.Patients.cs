using System.Runtime.ExceptionServices;
using Bridge.Records;

namespace Bridge.Ledger;

/// <content>Enrolment and consent.</content>
public sealed partial class SummaryLedger
{
    /// <summary>The portal puts a patient's request into a hospital's mailbox.</summary>
    public async Task<LedgerReceipt> RequestEnrolmentAsync(
        string hospital, EnrolmentSubmission submission, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("handle", submission.Request);
            writer.WritePropertyName("request");
            submission.Content.ToJson().WriteTo(writer);
            writer.Write("salt", submission.Salt);
            writer.Write("codeSalt", submission.CodeSalt);
            writer.Write("event", submission.Event);
            writer.Write("eventSalt", submission.EventSalt);
        });
        var endorsers = await HospitalAndPortalAsync(hospital, cancellationToken);
        return await SubmitForReceiptAsync(UpdateFunction.RequestEnrolment, [hospital], input, endorsers, cancellationToken);
    }

    /// <summary>The hospital enrols a patient who asked; all requests of her code are purged.</summary>
    public async Task<LedgerReceipt> EnrolPatientAsync(
        string hospital, PatientEnrolment enrolment, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("request", enrolment.Request);
            writer.Write("certificate", enrolment.Certificate);
            writer.Write("patient", enrolment.Patient);
            writer.Write("consent", enrolment.Consent);
            writer.Write("index", enrolment.Index);
            writer.Write("patientSalt", enrolment.PatientSalt);
            writer.Write("consentSalt", enrolment.ConsentSalt);
            writer.Write("indexSalt", enrolment.IndexSalt);
            writer.Write("codeSalt", enrolment.CodeSalt);
            writer.Write("event", enrolment.Event);
            writer.Write("eventSalt", enrolment.EventSalt);
        });
        var endorsers = await HospitalAndPortalAsync(hospital, cancellationToken);
        return await SubmitForReceiptAsync(UpdateFunction.EnrolPatient, [hospital], input, endorsers, cancellationToken);
    }

    /// <summary>Purges requests that nobody will enrol. The caller's organisation alone endorses.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="requests">At most 100.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<DiscardOutcome> DiscardRequestsAsync(
        string hospital, IReadOnlyList<Handle> requests, CancellationToken cancellationToken = default)
    {
        var proposal = Proposal([hospital], ListInput("handles", requests), [MspId]);
        var ended = await submitter.SubmitAsync(
            UpdateFunction.DiscardRequests, proposal, cancellationToken, result => Read(result, null).Discarded == 0);
        if (ended.End is not (AttemptEnd.Committed or AttemptEnd.Nothing))
            ExceptionDispatchInfo.Throw(ended.Failure!);
        return Read(ended.Result, ended.End == AttemptEnd.Committed ? ended.Receipt : null);

        static DiscardOutcome Read(byte[] result, LedgerReceipt? receipt) => LedgerJson.Read(
            nameof(UpdateFunction.DiscardRequests),
            result,
            root => new DiscardOutcome(root.GetProperty("discarded").GetInt32(), root.GetProperty("locked").GetInt32(), receipt));
    }

    /// <summary>
    /// Ends a consent: purges patient, consent and summaries, and seals the tombstone. The caller's organisation alone endorses, so that
    /// nobody can hold it up. Purges up to 256 bodies; where more remain the outcome says so.
    /// </summary>
    public async Task<WithdrawalOutcome> WithdrawConsentAsync(
        string hospital, ConsentWithdrawal withdrawal, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("index", withdrawal.Index);
            if (withdrawal.Statement is { } statement)
                writer.Write("withdrawal", statement);
            writer.Write("event", withdrawal.Event);
            writer.Write("eventSalt", withdrawal.EventSalt);
            writer.Write("tombSalt", withdrawal.TombSalt);
        });
        var (result, receipt) = await SubmitAsync(UpdateFunction.WithdrawConsent, [hospital], input, [MspId], cancellationToken);
        return LedgerJson.Read(
            nameof(UpdateFunction.WithdrawConsent),
            result,
            root => new WithdrawalOutcome(root.Text("status") == "WITHDRAWN", root.GetProperty("locked").GetInt32(), receipt));
    }

    /// <summary>After a withdrawal: removes the index, and what an insider had locked. Needs both organisations.</summary>
    /// <returns>Whether the index is gone; false: call again.</returns>
    public async Task<bool> SweepIndexAsync(string hospital, Handle index, CancellationToken cancellationToken = default)
    {
        var endorsers = await HospitalAndPortalAsync(hospital, cancellationToken);
        var input = LedgerJson.Input(writer => writer.Write("index", index));
        var (result, _) = await SubmitAsync(UpdateFunction.SweepIndex, [hospital], input, endorsers, cancellationToken);
        return result.AsSpan().SequenceEqual("SWEPT"u8);
    }

    /// <summary>A part of a hospital's mailbox.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="after">Null for the first part, then what the part before says.</param>
    /// <param name="limit">1 to 200.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<Page<StoredEnrolment>> ReadEnrolmentsAsync(
        string hospital, Handle? after = null, int limit = 200, CancellationToken cancellationToken = default) =>
        EvaluateAsync(
            ReadFunction.ReadEnrolments,
            [hospital],
            PageInput(after, limit),
            root => LedgerJson.Page(root, "items", LedgerJson.Enrolment),
            cancellationToken);

    /// <summary>A patient by her handle.</summary>
    public Task<PatientReading> ReadPatientAsync(string hospital, Handle patient, CancellationToken cancellationToken = default) =>
        ReadPatientAsync(hospital, "patient", patient, cancellationToken);

    /// <summary>A patient by the handle of her index: after a withdrawal the only way.</summary>
    public Task<PatientReading> ReadPatientByIndexAsync(string hospital, Handle index, CancellationToken cancellationToken = default) =>
        ReadPatientAsync(hospital, "index", index, cancellationToken);

    /// <summary>What one-time event ids mean, in their order; null for one that the hospital's members do not know.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="events">At most 100.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<IReadOnlyList<RecordEvent?>> ReadEventsAsync(
        string hospital, IReadOnlyList<Handle> events, CancellationToken cancellationToken = default) =>
        EvaluateAsync<IReadOnlyList<RecordEvent?>>(
            ReadFunction.ReadEvents,
            [hospital],
            ListInput("events", events),
            root => [.. root.EnumerateArray().Select(LedgerJson.Event)],
            cancellationToken);

    private Task<PatientReading> ReadPatientAsync(string hospital, string member, Handle handle, CancellationToken cancellationToken) =>
        EvaluateAsync(
            ReadFunction.ReadPatient,
            [hospital],
            LedgerJson.Input(writer => writer.Write(member, handle)),
            LedgerJson.Patient,
            cancellationToken);

    private static ReadOnlyMemory<byte> ListInput(string name, IReadOnlyList<Handle> handles) => LedgerJson.Input(writer =>
    {
        writer.WriteStartArray(name);
        foreach (var handle in handles)
            writer.WriteStringValue(handle.ToString());
        writer.WriteEndArray();
    });
}
