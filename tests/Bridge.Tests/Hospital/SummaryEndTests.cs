using Bridge.Hospital.Anchoring;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Xunit;

namespace Bridge.Tests.Hospital;

public class SummaryEndTests
{
    [Fact]
    public async Task VoidActive_AnchorFailed_LeavesRoomForTheNext()
    {
        using var store = await TestStore.CreateAsync();
        var (row, decision) = await SignedAsync(store, SummaryStatus.Failed);
        await store.WriteAsync(work => work.RunAsync("UPDATE anchor SET state = 'Failed'"));

        await store.WriteAsync(work => AnchorSteps.VoidActiveAsync(work, row.RowId, Reasons.ContentChanged, TestStore.Now));

        await store.WriteAsync(work => AnchorRows.InsertAsync(work, row, decision, "h", TestStore.Now, TestStore.Now));
        Assert.Equal(1, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM decision WHERE void_reason = 'ContentChanged'")));
    }

    [Theory]
    [InlineData(nameof(SummaryStatus.AwaitingCoSign), nameof(SummaryStatus.Withheld), 0)]
    [InlineData(nameof(SummaryStatus.CoSigned), nameof(SummaryStatus.Withheld), 0)]
    [InlineData(nameof(SummaryStatus.Anchoring), nameof(SummaryStatus.Anchoring), 1)]
    [InlineData(nameof(SummaryStatus.Anchored), nameof(SummaryStatus.Anchored), 1)]
    public async Task Release_EncounterMovedToAnotherPatient_StaysVisible(string status, string expected, long anchors)
    {
        using var store = await TestStore.CreateAsync();
        var (row, _) = await SignedAsync(store, Enum.Parse<SummaryStatus>(status));

        await store.WriteAsync(work => Intake.ReleaseAsync(work, row, TestStore.Now));

        var count = Assert.Single(await store.ReadAsync(SummaryRows.CountsAsync));
        Assert.Equal((expected, Reasons.PatientMoved, 1), (count.Status, count.Reason, count.Count));
        Assert.Null(await store.ReadAsync(work => SummaryRows.CurrentOfEncounterAsync(work, row.EncounterKey)));
        Assert.Equal(anchors, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM anchor WHERE active_row IS NOT NULL")));
    }

    [Fact]
    public async Task EndOnLedger_Superseded_KeepsNoContent()
    {
        using var store = await TestStore.CreateAsync();
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
