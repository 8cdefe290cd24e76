using Bridge.Hospital.Certificates;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>Where everything stands, as an operator may see it: counts, times and codes. Times instead of ages, so that nothing changes by itself.</summary>
internal sealed record StandingView(
    PauseNote Pause, IReadOnlyList<StatusCount> States, long Known, IReadOnlyList<StatusCount> Leaving, IReadOnlyList<StatusCount> Retractions, Waiting AwaitingDoctor, Waiting WithoutDoctor, Waiting RetractionsHeld,
    Waiting AnchorsQueued, Waiting AnchorsSent, long AnchorsFailed, IReadOnlyList<StatusCount> Enrolments, Waiting Sweeps, Waiting Notices, DateTimeOffset? CursorAt, DateTimeOffset? CursorCommitted,
    DateTimeOffset? EventsCommitted, DateTimeOffset? StatusListUntil, ReconciliationView? Reconciliation)
{
    public static async Task<StandingView> ReadAsync(Work work, string hospital)
    {
        var report = await StatusReport.ReadAsync(work, null, hospital);
        return new StandingView(
            report.Pause, report.States, report.Known, await SummaryRows.LeavingCountsAsync(work), await RetractionRows.CountsAsync(work), report.AwaitingDoctor, report.WithoutDoctor, report.RetractionsHeld,
            report.AnchorsQueued, report.AnchorsSent, report.AnchorsFailed, report.Enrolments, report.Sweeps, report.Notices, report.CursorAt, report.CursorCommitted, report.EventsCommitted,
            report.StatusListUntil, report.Reconciliation is { } row ? ReconciliationView.Of(row) : null);
    }
}

/// <summary>A reconciliation: serverFinished = notEnrolled + known + difference, within its scope (<see cref="ReconciliationRow.Scope"/>).</summary>
internal sealed record ReconciliationView(DateTimeOffset At, string Scope, long ServerFinished, long NotEnrolled, long Known, long Difference)
{
    public static ReconciliationView Of(ReconciliationRow row) => new(DateTimeOffset.FromUnixTimeMilliseconds(row.At), row.Scope, row.ServerFinished, row.NotEnrolled, row.Known, row.Difference);
}

/// <summary>One thing that has to be there.</summary>
/// <param name="Name">As in <see cref="ReadyCheck"/>.</param>
/// <param name="Ready">Whether it is.</param>
/// <param name="Code">What it comes to.</param>
/// <param name="Detail">What the fault says, in English; null where there is none.</param>
/// <param name="Since">Since when it has been so, as far as this instance has looked.</param>
internal sealed record HealthView(string Name, bool Ready, string Code, string? Detail, DateTimeOffset Since);

/// <summary>Certificates and their ends.</summary>
/// <param name="Items">Those that end first.</param>
/// <param name="Total">How many there are in all.</param>
/// <param name="Expiring">How many end soon.</param>
/// <param name="Expired">How many have ended.</param>
/// <param name="Complete">False where the ledger did not say yet what stands in the hospital's record.</param>
internal sealed record CertificatesView(IReadOnlyList<CertificateLine> Items, int Total, int Expiring, int Expired, bool Complete)
{
    private const int Shown = 100;

    public static CertificatesView Of(IReadOnlyList<CertificateLine> lines, bool complete) =>
        new([.. lines.Take(Shown)], lines.Count, lines.Count(line => line.State == "EXPIRING"), lines.Count(line => line.State == "EXPIRED"), complete);
}
