using System.Text.Json;
using Bridge.Records;

namespace Bridge.Ledger;

/// <content>Summaries.</content>
public sealed partial class SummaryLedger
{
    /// <summary>Most items of one transaction.</summary>
    public const int MaxBatch = 100;

    // the contract takes 8 MiB
    private const int MaxInput = 7 * 1024 * 1024;

    /// <summary>
    /// Anchors summaries, each of another patient, in as few transactions as go through: a batch that meets a conflict is tried again in
    /// halves, with the same bytes. Never throws for what happens on the ledger: each item has its outcome.
    /// </summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="doctors">Stored values of the records that the items name, read just before.</param>
    /// <param name="items">1 to <see cref="MaxBatch"/>.</param>
    /// <param name="cancellationToken">Stops before the next transaction; items under way end as Unknown.</param>
    /// <returns>One outcome for each item, in their order.</returns>
    public async Task<IReadOnlyList<AnchorOutcome>> AnchorSummariesAsync(
        string hospital, IReadOnlyDictionary<Handle, string> doctors, IReadOnlyList<AnchorItem> items, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(items.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(items.Count, MaxBatch);
        var endorsers = await HospitalAndPortalAsync(hospital, cancellationToken);
        var outcomes = new AnchorOutcome[items.Count];
        await AnchorAsync(new Batch(hospital, doctors, endorsers, items, outcomes), 0, items.Count, 1, cancellationToken);
        return outcomes;
    }

    /// <summary>Purges a summary that doctor and bridge retract.</summary>
    public async Task<LedgerReceipt> RetractSummaryAsync(
        string hospital, SummaryRetraction retraction, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("id", Handle.Of(retraction.Id));
            writer.WriteRaw("retraction", retraction.Document);
            writer.WriteStartObject("doctors");
            writer.Write(retraction.Doctor.ToString(), retraction.DoctorValue);
            writer.WriteEndObject();
            writer.Write("doctor", retraction.Doctor);
            writer.Write("event", retraction.Event);
            writer.Write("eventSalt", retraction.EventSalt);
            writer.Write("tombSalt", retraction.TombSalt);
        });
        var endorsers = await HospitalAndPortalAsync(hospital, cancellationToken);
        return await SubmitForReceiptAsync(UpdateFunction.RetractSummary, [hospital], input, endorsers, cancellationToken);
    }

    /// <summary>Purges a summary by its patient's will. The caller's organisation alone endorses.</summary>
    public Task<LedgerReceipt> EraseSummaryAsync(string hospital, SummaryErasure erasure, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("id", Handle.Of(erasure.Id));
            writer.Write("erasure", erasure.Statement);
            if (erasure.Index is { } index)
                writer.Write("index", index);
            writer.Write("event", erasure.Event);
            writer.Write("eventSalt", erasure.EventSalt);
            writer.Write("tombSalt", erasure.TombSalt);
        });
        return SubmitForReceiptAsync(UpdateFunction.EraseSummary, [hospital], input, [MspId], cancellationToken);
    }

    /// <summary>A live summary.</summary>
    /// <exception cref="LedgerRefusalException">NOT_FOUND, ERASED, WITHDRAWN or FORGED.</exception>
    public Task<AnchoredSummary> ReadSummaryAsync(string hospital, SummaryId id, CancellationToken cancellationToken = default) =>
        EvaluateAsync(
            ReadFunction.ReadSummary,
            [hospital],
            LedgerJson.Input(writer => writer.Write("id", Handle.Of(id))),
            LedgerJson.Summary,
            cancellationToken);

    /// <summary>Several summaries, in the order asked for.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="ids">At most 100.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<IReadOnlyList<SummaryReading>> ReadSummariesAsync(
        string hospital, IReadOnlyList<SummaryId> ids, CancellationToken cancellationToken = default) =>
        EvaluateAsync<IReadOnlyList<SummaryReading>>(
            ReadFunction.ReadSummaries,
            [hospital],
            ListInput("ids", [.. ids.Select(Handle.Of)]),
            root => [.. root.EnumerateArray().Select(LedgerJson.Reading)],
            cancellationToken);

    /// <summary>A part of a hospital's summaries.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="after">Null for the first part, then what the part before says.</param>
    /// <param name="limit">1 to 200.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<Page<SummaryReading>> ListSummariesAsync(
        string hospital, Handle? after = null, int limit = 200, CancellationToken cancellationToken = default) =>
        EvaluateAsync(
            ReadFunction.ListSummaries,
            [hospital],
            PageInput(after, limit),
            root => LedgerJson.Page(root, "items", LedgerJson.Reading),
            cancellationToken);

    private async Task AnchorAsync(Batch batch, int start, int count, int attempt, CancellationToken cancellationToken)
    {
        var input = batch.Input(start, count);
        Attempt? ended = null;
        if (count == 1 || input.Length <= MaxInput)
        {
            try
            {
                ended = await submitter.TryAsync(
                    UpdateFunction.AnchorSummaries, Proposal([batch.Hospital], input, batch.Endorsers), cancellationToken);
            }
            catch (OperationCanceledException exception)
            {
                // before it was submitted
                ended = new Attempt(AttemptEnd.Failed, "", [], 0, exception);
            }

            if (ended.End != AttemptEnd.Conflict || attempt == options.MaxAttempts || cancellationToken.IsCancellationRequested)
            {
                batch.Settle(start, count, ended);
                return;
            }

            await submitter.PauseAsync(attempt, CancellationToken.None);
        }

        if (count == 1)
        {
            await AnchorAsync(batch, start, 1, attempt + 1, cancellationToken);
            return;
        }

        // attempts are counted for single items: halving ends by itself
        var half = count / 2;
        await Task.WhenAll(
            AnchorAsync(batch, start, half, 1, cancellationToken),
            AnchorAsync(batch, start + half, count - half, 1, cancellationToken));
    }

    private sealed record Batch(
        string Hospital,
        IReadOnlyDictionary<Handle, string> Doctors,
        string[] Endorsers,
        IReadOnlyList<AnchorItem> Items,
        AnchorOutcome[] Outcomes)
    {
        public ReadOnlyMemory<byte> Input(int start, int count) => LedgerJson.Input(writer =>
        {
            writer.WriteStartObject("doctors");
            foreach (var doctor in Items.Skip(start).Take(count).Select(item => item.Doctor).Distinct())
            {
                if (Doctors.TryGetValue(doctor, out var stored))
                    writer.Write(doctor.ToString(), stored);
            }

            writer.WriteEndObject();
            writer.WriteStartArray("items");
            for (var i = start; i < start + count; i++)
                LedgerJson.WriteItem(writer, Items[i]);
            writer.WriteEndArray();
        });

        public void Settle(int start, int count, Attempt ended)
        {
            var refusal = ended.Failure as LedgerRefusalException;
            IReadOnlyList<string>? codes = ended.End switch
            {
                AttemptEnd.Committed => Codes(ended.Result),
                AttemptEnd.Refused when refusal!.ItemCodes.Count == count => refusal.ItemCodes,
                _ => null,
            };
            for (var i = 0; i < count; i++)
            {
                Outcomes[start + i] = codes is not null && codes.Count == count
                    ? Judged(Items[start + i].Id, codes[i], ended)
                    : Undone(Items[start + i].Id, ended, refusal);
            }
        }

        private static string[] Codes(byte[] result)
        {
            try
            {
                return JsonSerializer.Deserialize<string[]>(result) ?? [];
            }
            catch (JsonException)
            {
                return [];
            }
        }

        private static AnchorOutcome Judged(SummaryId id, string code, Attempt ended) => code == "ANCHORED"
            ? new AnchorOutcome(id, AnchorResult.Anchored, ended.Receipt, null, "", ended.TransactionId, null)
            : new AnchorOutcome(id, AnchorResult.Refused, null, RefusalCodes.Parse(code), code, ended.TransactionId, null);

        private static AnchorOutcome Undone(SummaryId id, Attempt ended, LedgerRefusalException? refusal) => new(
            id,
            ended.End switch
            {
                AttemptEnd.Refused => AnchorResult.Refused,
                // committed, but the contract's answer cannot be read
                AttemptEnd.Unknown or AttemptEnd.Committed => AnchorResult.Unknown,
                _ => AnchorResult.NotAnchored,
            },
            null,
            refusal?.Code,
            refusal?.CodeText ?? "",
            ended.TransactionId,
            ended.Failure ?? new LedgerAnswerException(nameof(UpdateFunction.AnchorSummaries), new FormatException("not one code for each item")));
    }
}
