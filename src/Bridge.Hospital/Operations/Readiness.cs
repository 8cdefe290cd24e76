using Bridge.Fhir.Client;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Ledger;

namespace Bridge.Hospital.Operations;

/// <summary>One thing that has to be there for the bridge to do its work.</summary>
/// <param name="Name">database, ledger, events, fhir or watch.</param>
/// <param name="Ready">Whether it is.</param>
/// <param name="Detail">For people who run the bridge, in English.</param>
/// <param name="Code">What it comes to, for pages that say it in their reader's language.</param>
internal sealed record ReadyCheck(string Name, bool Ready, string Detail, string Code);

/// <summary>Whether the bridge can work: database, ledger and FHIR server answer, and the watch is not behind.</summary>
internal sealed class Readiness(
    Database database, SummaryLedger ledger, HospitalOptions hospital, FhirClient fhir, WatchingOptions watching, StageBoard board, TimeProvider clock)
    : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _one = new(1);
    private IReadOnlyList<ReadyCheck> _last = [];
    private DateTimeOffset _at;

    /// <summary>At most one probe a second, however many ask.</summary>
    public async Task<IReadOnlyList<ReadyCheck>> CheckAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (clock.GetUtcNow() - _at < TimeSpan.FromSeconds(1))
                return _last;
            _last = [await DatabaseAsync(cancellationToken), await LedgerAsync(cancellationToken), Events(), Source(), Cursor(), .. await SubscriptionAsync(cancellationToken)];
            _at = clock.GetUtcNow();
            return _last;
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private async Task<ReadyCheck> DatabaseAsync(CancellationToken cancellationToken)
    {
        try
        {
            await database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM lease"), cancellationToken);
            // A full disk still answers: what the last write came to counts, and where that failed another one tells whether it still does.
            if (database.LastWriteFault is not null)
                await database.WriteAsync(work => Bookmarks.WriteAsync(work, "probe", "", clock.GetUtcNow()), cancellationToken);
            return new ReadyCheck("database", true, "answers", "answers");
        }
        catch (System.Data.Common.DbException e)
        {
            return new ReadyCheck("database", false, Faults.Describe(e), "silent");
        }
    }

    private async Task<ReadyCheck> LedgerAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            await ledger.ReadHospitalAsync(hospital.Msp, patience.Token);
            return new ReadyCheck("ledger", true, "answers", "answers");
        }
        catch (LedgerRefusalException e)
        {
            return new ReadyCheck("ledger", false, $"answers, but {hospital.Msp} cannot work on it: {e.CodeText}", "refuses");
        }
        catch (Exception e) when (e is GatewayException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return new ReadyCheck("ledger", false, e is OperationCanceledException ? $"no answer within {Patience.TotalSeconds} s" : Faults.Describe(e), "silent");
        }
    }

    private ReadyCheck Events() => board.Of(LedgerListener.Stage) switch
    {
        null => new ReadyCheck("events", true, "another instance follows them, or none was due yet", "elsewhere"),
        { LastError: { } error } => new ReadyCheck("events", false, error, "broken"),
        _ => new ReadyCheck("events", true, "followed", "followed"),
    };

    private ReadyCheck Source() => fhir.WaitingOn is { } fault
        ? new ReadyCheck("fhir", false, $"the FHIR server does not answer ({fault})", "silent")
        : new ReadyCheck("fhir", fhir.LastAnswerAt is not null, fhir.LastAnswerAt is null ? "not asked yet" : "answers", fhir.LastAnswerAt is null ? "unasked" : "answers");

    // Without it the watch is slower to notice, and no less complete: that is told, and makes nobody unready.
    private async Task<IReadOnlyList<ReadyCheck>> SubscriptionAsync(CancellationToken cancellationToken)
    {
        if (watching.Subscription is null)
            return [];
        try
        {
            return [new ReadyCheck("subscription", true, (await database.ReadAsync(SubscriptionState.ReadAsync, cancellationToken)).Describe(), "told")];
        }
        catch (System.Data.Common.DbException)
        {
            return [];
        }
    }

    private ReadyCheck Cursor()
    {
        var run = board.Of(WatchingSlice.Stage);
        var limit = TimeSpan.FromMinutes(2) + 3 * watching.Interval;
        if (run?.LastSuccess is not { } success)
            return new ReadyCheck("watch", false, run?.LastError ?? "no walk has ended yet", run?.LastError is null ? "unasked" : "broken");
        var age = clock.GetUtcNow() - success;
        return new ReadyCheck("watch", age <= limit, $"last walk ended {age.TotalSeconds:F0} s ago", age <= limit ? "walks" : "late");
    }
}
