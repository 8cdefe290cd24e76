using Bridge.Hospital;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Hospital;

public class SummaryEndTests
{
    private static readonly HospitalOptions Hospital = new("HospitalAMSP", "Linden Hospital");

    [Theory]
    [OnBothEngines]
    public async Task VoidActive_AnchorFailed_LeavesRoomForTheNext(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var (row, decision) = await SignedAsync(store, SummaryStatus.Failed);
        await store.WriteAsync(work => work.RunAsync("UPDATE anchor SET state = 'Failed'"));

        await store.WriteAsync(work => AnchorSteps.VoidActiveAsync(work, row.RowId, Reasons.ContentChanged, TestStore.Now));

        await store.WriteAsync(work => AnchorRows.InsertAsync(work, row, decision, "h", TestStore.Now, TestStore.Now));
        Assert.Equal(1, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM decision WHERE void_reason = 'ContentChanged'")));
    }

    [Theory]
    [OnBothEngines(nameof(SummaryStatus.AwaitingCoSign), Reasons.PatientMoved, nameof(SummaryStatus.Withheld), 0, 0)]
    [OnBothEngines(nameof(SummaryStatus.CoSigned), Reasons.PatientMoved, nameof(SummaryStatus.Withheld), 0, 0)]
    [OnBothEngines(nameof(SummaryStatus.CoSigned), Reasons.SourceVoid, nameof(SummaryStatus.Withheld), 0, 0)]
    [OnBothEngines(nameof(SummaryStatus.Anchoring), Reasons.SourceVoid, nameof(SummaryStatus.Anchoring), 1, 0)]
    [OnBothEngines(nameof(SummaryStatus.Anchored), Reasons.PatientMoved, nameof(SummaryStatus.Anchored), 1, 1)]
    [OnBothEngines(nameof(SummaryStatus.Anchored), Reasons.SourceVoid, nameof(SummaryStatus.Anchored), 1, 1)]
    [OnBothEngines(nameof(SummaryStatus.Anchored), Reasons.Reopened, nameof(SummaryStatus.Anchored), 1, 0)]
    [OnBothEngines(nameof(SummaryStatus.Anchored), Reasons.NoConsent, nameof(SummaryStatus.Anchored), 1, 0)]
    public async Task End_Row_IsStoppedOrAskedBackOnceAndCountsNoMore(Engine engine, string status, string reason, string expected, long anchors, long retractions)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var (row, _) = await SignedAsync(store, Enum.Parse<SummaryStatus>(status));

        // Told twice, by the walk and by a second reading.
        for (var i = 0; i < 2; i++)
            await store.WriteAsync(async work => await EncounterEnds.RowAsync(work, (await SummaryRows.ByRowAsync(work, row.RowId))!, reason, Hospital, TestStore.Now));

        Assert.Empty(await store.ReadAsync(SummaryRows.CountsAsync));
        var ended = (await store.ReadAsync(work => SummaryRows.ByRowAsync(work, row.RowId)))!;
        Assert.Equal((expected, reason), (ended.Status.ToString(), ended.Reason));
        Assert.Equal(anchors, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM anchor WHERE active_row IS NOT NULL")));
        Assert.Equal(retractions, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM retraction")));
        Assert.Equal(expected == "Anchored" || expected == "Anchoring" ? 1 : 0, (await store.ReadAsync(SummaryRows.LeavingCountsAsync)).Sum(count => count.Count));
    }

    [Theory]
    [OnBothEngines(nameof(RetractionState.AwaitingCoSign), true)]
    [OnBothEngines(nameof(RetractionState.Declined), true)]
    [OnBothEngines(nameof(RetractionState.CoSigned), true)]
    [OnBothEngines(nameof(RetractionState.Sent), false)]
    public async Task Revive_WhileItIsTakenBack_CountsAgainUnlessItWasSent(Engine engine, string state, bool counts)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var (row, _) = await SignedAsync(store, SummaryStatus.Anchored);
        await store.WriteAsync(work => EncounterEnds.RowAsync(work, row, Reasons.SourceVoid, Hospital, TestStore.Now));
        await store.WriteAsync(work => work.RunAsync("UPDATE retraction SET state = @state", new { state }));

        await store.WriteAsync(async work => await EncounterEnds.ReviveAsync(work, (await SummaryRows.ByRowAsync(work, row.RowId))!, TestStore.Now));

        Assert.Equal(counts ? 1 : 0, (await store.ReadAsync(SummaryRows.CountsAsync)).Sum(count => count.Count));
        Assert.Equal(counts ? 0 : 1, (await store.ReadAsync(RetractionRows.CountsAsync)).Sum(count => count.Count));
    }

    [Theory]
    [OnBothEngines(Reasons.SourceVoid, nameof(SummaryStatus.Anchored), 1)]
    [OnBothEngines(Reasons.PatientMoved, nameof(SummaryStatus.Anchored), 1)]
    [OnBothEngines(Reasons.Reopened, nameof(SummaryStatus.Anchored), 0)]
    public async Task Anchored_TakenAwayWhileUnderWay_IsAskedBack(Engine engine, string reason, string expected, long retractions)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var (row, _) = await SignedAsync(store, SummaryStatus.Anchoring);
        var item = new Bridge.Ledger.AnchorItem(
            SummaryId.New(), "{}"u8.ToArray(), Handle.New(), Handle.New(), Salt.New(), Handle.New(), Salt.New(), Handle.New(), Salt.New());
        await store.WriteAsync(work => work.RunAsync(
            "UPDATE anchor SET state = 'Sent', item = @item, summary_id = @id", new { item = AnchorItems.ToText(item), id = item.Id.ToString() }));
        await store.WriteAsync(work => EncounterEnds.RowAsync(work, row, reason, Hospital, TestStore.Now));

        await store.WriteAsync(async work => await AnchorSteps.ApplyAsync(
            work, (await AnchorRows.ActiveOfRowAsync(work, row.RowId))!, AnchorStep.Anchored, "ANCHORED", null, Hospital, TestStore.Now));

        Assert.Equal((expected, reason), ((await store.ReadAsync(work => SummaryRows.ByRowAsync(work, row.RowId)))! is var stands ? (stands.Status.ToString(), stands.Reason!) : default));
        Assert.Equal(retractions, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM retraction WHERE state = 'AwaitingCoSign'")));
    }

    [Theory]
    [OnBothEngines]
    public async Task EndOnLedger_Superseded_KeepsNoContent(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var (row, _) = await SignedAsync(store, SummaryStatus.Anchored);
        await store.WriteAsync(work => work.RunAsync(
            "INSERT INTO receipt (row_id, summary_id, event_id, signed, committed_at) VALUES (@RowId, @SummaryId, 'e', 'signed', 0)", row));

        await store.WriteAsync(work => SummaryRows.EndOnLedgerAsync(work, row, SummaryStatus.Superseded, TestStore.Now));

        Assert.Equal(1, await store.ReadAsync(work => work.ScalarAsync<long>(
            """
            SELECT COUNT(*) FROM summary s JOIN anchor a ON a.row_id = s.row_id JOIN decision d ON d.row_id = s.row_id JOIN receipt r ON r.row_id = s.row_id
            WHERE s.status = 'Superseded' AND s.payload IS NULL AND s.draft IS NULL AND d.signature IS NULL AND d.protected IS NULL AND r.signed IS NULL
              AND a.item IS NULL AND a.pseudonym = ''
            """)));
    }

    private static Task<(SummaryRow Row, long Decision)> SignedAsync(TestStore store, SummaryStatus status) => store.WriteAsync(async work =>
    {
        await work.RunAsync(
            """
            INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at)
            VALUES (1, 'p1', 'p1', 'Enrolled', 'c', '', 'ruth', 0, 0)
            """);
        var rowId = await SummaryRows.InsertAsync(work, new SummaryRow
        {
            SummaryId = "s1",
            EncounterKey = "e1",
            EncounterVersion = "1",
            PatientKey = "p1",
            EnrolmentId = 1,
            Pseudonym = "pseudonym",
            Status = status,
            Draft = "{}",
            Payload = [1],
            ContentDigest = "d1",
        });
        var row = (await SummaryRows.ByRowAsync(work, rowId))!;
        var decision = await CoSignRows.InsertDecisionAsync(work, new DecisionRow
        {
            RowId = rowId,
            SummaryId = "s1",
            Kind = "approve",
            Person = "ruth",
            Licence = "L-1",
            Protected = "protected",
            Signature = "signature",
        });
        if (status != SummaryStatus.AwaitingCoSign)
            await AnchorRows.InsertAsync(work, row, decision, "h", TestStore.Now, TestStore.Now);
        return (row, decision);
    });
}
