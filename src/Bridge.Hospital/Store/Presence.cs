using System.Data.Common;

namespace Bridge.Hospital.Store;

/// <summary>
/// Shows on a shared database that this instance lives, and frees what those that say nothing any more had leased: work of a killed instance goes on after
/// <see cref="StoreOptions.InstanceTimeout"/>, not when each lease ends. The server's clock counts for all.
/// </summary>
internal sealed partial class Presence(Database database, StoreOptions options, Instance instance, TimeProvider clock, ILogger<Presence> log) : IDisposable
{
    private const string Prefix = "instance/";

    // The server's clock in unix milliseconds, whatever its time zone.
    private const string ServerNow = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

    private readonly CancellationTokenSource _stop = new();
    private Task _beating = Task.CompletedTask;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await BeatAsync(cancellationToken);
        _beating = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>Gives back what this instance holds, so that the others need not wait.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _beating;
        try
        {
            await database.WriteAsync(work => Leases.FreeOfAsync(work, instance.Name));
        }
        catch (DbException e)
        {
            Log.NotGivenBack(log, StoreFaults.Describe(e));
        }
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Says that this instance lives, and looks after the others. Returns how many it found dead.</summary>
    public async Task<int> BeatAsync(CancellationToken cancellationToken)
    {
        var dead = await database.WriteAsync(async work =>
        {
            var mine = new { name = Prefix + instance.Name, owner = instance.Name, timeout = (long)options.InstanceTimeout.TotalMilliseconds };
            if (await work.RunAsync($"UPDATE lease SET until_at = {ServerNow} + @timeout WHERE name = @name", mine) == 0)
                await work.RunAsync($"INSERT INTO lease (name, owner, until_at) VALUES (@name, @owner, {ServerNow} + @timeout)", mine);
            var silent = await work.ListAsync<string>($"SELECT owner FROM lease WHERE name LIKE '{Prefix}%' AND until_at <= {ServerNow}");
            foreach (var owner in silent)
                await Leases.FreeOfAsync(work, owner);
            return silent;
        }, cancellationToken);
        foreach (var owner in dead)
            Log.TookOver(log, owner);
        return dead.Count;
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(options.InstanceTimeout / 4, clock, _stop.Token);
                await BeatAsync(_stop.Token);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Log.NotShown(log, e is DbException fault ? StoreFaults.Describe(fault) : e.GetType().Name);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 1003, Level = LogLevel.Warning, Message = "Instance {Instance} says nothing any more; what it held is free for the others")]
        public static partial void TookOver(ILogger logger, string instance);

        [LoggerMessage(EventId = 1004, Level = LogLevel.Warning, Message = "This instance could not show that it lives and will try again: {Fault}")]
        public static partial void NotShown(ILogger logger, string fault);

        [LoggerMessage(EventId = 1005, Level = LogLevel.Warning, Message = "What this instance held could not be given back; the others take it over in a while: {Fault}")]
        public static partial void NotGivenBack(ILogger logger, string fault);
    }
}
