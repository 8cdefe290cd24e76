using System.Collections.Concurrent;
using System.Text;
using Bridge.FlowTests.Ledger;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.FlowTests.Fabric;

/// <summary>
/// A hospital that anchors all the time, one summary after the other for each of several patients, and tries each again until it knows that it stands. Ended, it
/// compares what it was told with what the ledger holds.
/// </summary>
internal sealed class AnchorLoad : IAsyncDisposable
{
    private readonly LedgerFixture fixture;
    private readonly string hospital;
    private readonly SummaryLedger ledger;
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentQueue<(DateTime At, SummaryId Id)> anchored = new();
    private readonly ConcurrentQueue<string> said = new();
    private readonly List<Patient> patients = [];
    private readonly Dictionary<Pseudonym, List<SummaryId>> expected = [];
    private Doctor doctor = null!;
    private string doctorRecord = "";
    private Task[] workers = [];

    private AnchorLoad(LedgerFixture fixture, string hospital, SummaryLedger ledger)
    {
        this.fixture = fixture;
        this.hospital = hospital;
        this.ledger = ledger;
    }

    /// <summary>Summaries known to stand.</summary>
    public int Anchored => anchored.Count;

    /// <summary>One of them.</summary>
    public SummaryId Some => anchored.First().Id;

    /// <summary>What attempts that did not succeed were told, each text once.</summary>
    public IReadOnlyList<string> Said => [.. said.Distinct()];

    /// <param name="fixture">The ledger.</param>
    /// <param name="hospital">Who anchors.</param>
    /// <param name="patients">So many at once.</param>
    /// <param name="by">The hospital's connection, where it is not a good one.</param>
    public static async Task<AnchorLoad> StartAsync(LedgerFixture fixture, string hospital, int patients, SummaryLedger? by = null)
    {
        var load = new AnchorLoad(fixture, hospital, by ?? fixture.Typed(hospital)) { doctor = await fixture.Actors.ActiveDoctorAsync(hospital) };
        load.doctorRecord = await fixture.Actors.ReadDoctorAsync(load.doctor.Handle, hospital);
        for (var i = 0; i < patients; i++)
            load.patients.Add(await fixture.Actors.EnrolledPatientAsync(hospital));
        foreach (var patient in load.patients)
            load.expected[patient.Pseudonym] = [];
        load.workers = [.. load.patients.Select(patient => Task.Run(() => WorkAsync(load, patient)))];
        return load;
    }

    /// <summary>Waits until this many more stand than now.</summary>
    /// <returns>How long it took.</returns>
    public async Task<TimeSpan> MoreAsync(int count, TimeSpan limit)
    {
        var from = DateTime.UtcNow;
        var wanted = Anchored + count;
        while (Anchored < wanted)
        {
            if (workers.FirstOrDefault(worker => worker.IsFaulted) is { } failed)
                await failed;
            if (DateTime.UtcNow - from > limit)
                throw new TimeoutException($"{Anchored} of {wanted} summaries stood after {limit.TotalSeconds:0} s; said meanwhile: {string.Join(" | ", Said)}");
            await Task.Delay(50);
        }

        return DateTime.UtcNow - from;
    }

    /// <summary>Waits until an attempt was told such a text.</summary>
    public async Task SaidAsync(Func<string, bool> wanted, TimeSpan limit)
    {
        var end = DateTime.UtcNow + limit;
        while (!said.Any(wanted))
        {
            if (DateTime.UtcNow > end)
                throw new TimeoutException($"within {limit.TotalSeconds:0} s only this was said: {string.Join(" | ", Said)}");
            await Task.Delay(50);
        }
    }

    /// <summary>The longest time without a summary known to stand, since a moment.</summary>
    public TimeSpan LongestGap(DateTime since)
    {
        var longest = TimeSpan.Zero;
        var last = since;
        foreach (var (at, _) in anchored.Where(one => one.At >= since).OrderBy(one => one.At))
        {
            longest = at - last > longest ? at - last : longest;
            last = at;
        }

        return longest;
    }

    /// <summary>Lets what is under way end, and names every difference between what was told and what stands.</summary>
    public async Task<IReadOnlyList<string>> DifferencesAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(workers);
        await fixture.SettledAsync();
        var differences = new List<string>();
        foreach (var patient in patients)
        {
            var entries = (await ledger.ReadPatientAsync(hospital, patient.PatientHandle)).Entries;
            var standing = entries.Where(entry => entry.State == SummaryState.Live).Select(entry => entry.Id.ToString()).ToList();
            var told = expected[patient.Pseudonym].Select(id => id.ToString()).ToList();
            differences.AddRange(told.Except(standing).Select(id => $"{id} was anchored and is lost"));
            differences.AddRange(standing.Except(told).Select(id => $"{id} stands and nobody knows"));
            differences.AddRange(standing.GroupBy(id => id).Where(group => group.Count() > 1).Select(group => $"{group.Key} stands {group.Count()} times"));
        }

        return differences;
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(workers).ContinueWith(_ => { }, TaskScheduler.Default);
        stopping.Dispose();
    }

    private static async Task WorkAsync(AnchorLoad load, Patient patient)
    {
        while (!load.stopping.IsCancellationRequested)
        {
            var summary = Actors.Summary(load.hospital, patient.Pseudonym);
            var document = Encoding.UTF8.GetBytes(Actors.Sign(summary, load.doctor.Keys, load.fixture.Actors.Bridge(load.hospital)).ToJsonString());
            var end = DateTime.UtcNow.AddMinutes(4);
            var doubtful = false;
            while (true)
            {
                var item = new AnchorItem(
                    summary.Id, document, load.doctor.Handle, patient.Consent, Salt.New(), Handle.New(), Salt.New(), Handle.New(), Salt.New());
                var outcome = (await load.ledger.AnchorSummariesAsync(
                    load.hospital, new Dictionary<Handle, string> { [load.doctor.Handle] = load.doctorRecord }, [item]))[0];
                if (outcome.Result == AnchorResult.Anchored || (doubtful && outcome.Refusal == RefusalCode.IdInUse))
                    break;
                doubtful |= outcome.Result == AnchorResult.Unknown;
                load.said.Enqueue(outcome.Failure is null
                    ? outcome.RefusalText
                    : $"{outcome.Failure.Message}{string.Concat((outcome.Failure as GatewayException)?.Details.Select(detail => $" [{detail.MspId}: {detail.Message}]") ?? [])}");
                // a wrong clock is set right some day: the hospital waits for that
                if ((outcome.Result == AnchorResult.Refused && outcome.Refusal != RefusalCode.ClockSkew) || DateTime.UtcNow > end)
                    throw new InvalidOperationException($"the summary was not anchored: {outcome.Result} {outcome.RefusalText} {outcome.Failure?.Message}");
                await Task.Delay(200);
            }

            lock (load.expected)
                load.expected[patient.Pseudonym].Add(summary.Id);
            load.anchored.Enqueue((DateTime.UtcNow, summary.Id));
        }
    }
}
