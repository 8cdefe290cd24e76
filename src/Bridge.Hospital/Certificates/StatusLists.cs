using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Certificates;

/// <summary>
/// Publishes the hospital's signed status list: before half of the last one's life is over, and at once when a doctor is revoked. A list is stored
/// before it is sent; one that came through unnoticed is refused as not newer, and the next takes a higher number.
/// </summary>
internal sealed partial class StatusLists(
    Database database, SummaryLedger ledger, CertificatesOptions options, HospitalOptions hospital, Instance instance, TimeProvider clock, ILogger<StatusLists> log)
{
    private sealed class Published
    {
        public long Seq { get; init; }
        public string List { get; init; } = "";
        public string Salt { get; init; } = "";
        public long NextUpdate { get; init; }
        public long? PublishedAt { get; init; }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (!await database.WriteAsync(
            work => Leases.TryTakeAsync(work, "status-list", instance.Name, clock.GetUtcNow(), TimeSpan.FromMinutes(5)), cancellationToken))
            return;
        var onLedger = await SeqOnLedgerAsync(cancellationToken);
        var due = await database.WriteAsync(work => NextAsync(work, onLedger), cancellationToken);
        if (due is null)
            return;
        var receipt = await ledger.PublishStatusAsync(hospital.Msp, due.List, Salt.Parse(due.Salt), cancellationToken);
        await database.WriteAsync(work => work.RunAsync(
            "UPDATE status_list SET published_at = @now, tx_id = @tx WHERE seq = @Seq",
            new { due.Seq, now = clock.GetUtcNow().ToUnixTimeMilliseconds(), tx = receipt.TransactionId }), CancellationToken.None);
        Log.Published(log, due.Seq);
    }

    /// <summary>The list to publish now, stored; null where the published one still says it all.</summary>
    private async Task<Published?> NextAsync(Work work, long onLedger)
    {
        var now = clock.GetUtcNow();
        var last = await work.FirstAsync<Published>(
            "SELECT seq AS Seq, list AS List, salt AS Salt, next_update AS NextUpdate, published_at AS PublishedAt FROM status_list ORDER BY seq DESC LIMIT 1");
        var revoked = (await DoctorRows.AllAsync(work, hospital.Msp)).Where(doctor => doctor.Status == "REVOKED")
            .Select(doctor => Digest.Parse(doctor.Thumbprint)).Order().TakeLast(StatusList.MaxRevoked).ToList();
        var said = last is null || last.Seq > onLedger ? null : CompactJws.Verify<StatusList>(last.List).Value?.Statement;
        var half = TimeSpan.FromTicks(options.StatusLife.Ticks / 2);
        if (said is not null && last!.Seq == onLedger && said.Revoked.SequenceEqual(revoked)
            && DateTimeOffset.FromUnixTimeMilliseconds(last.NextUpdate) - now > half)
            return null;

        var seq = Math.Max(onLedger, last?.Seq ?? 0) + 1;
        var thisUpdate = DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds());
        var statement = new StatusList(hospital.Msp, seq, thisUpdate, thisUpdate + options.StatusLife, revoked);
        var next = new Published
        {
            Seq = seq,
            List = CompactJws.Sign(statement, options.StatusKey.Key, options.StatusKey.Certificate.RawData),
            Salt = Salt.New().ToString(),
            NextUpdate = statement.NextUpdate.ToUnixTimeMilliseconds(),
        };
        await work.RunAsync("INSERT INTO status_list (seq, list, salt, next_update) VALUES (@Seq, @List, @Salt, @NextUpdate)", next);
        await work.RunAsync("DELETE FROM status_list WHERE seq < @old", new { old = seq - 100 });
        return next;
    }

    private async Task<long> SeqOnLedgerAsync(CancellationToken cancellationToken)
    {
        try
        {
            var list = await ledger.ReadStatusAsync(hospital.Msp, cancellationToken);
            return CompactJws.Verify<StatusList>(list).Value?.Statement.Seq ?? 0;
        }
        catch (LedgerRefusalException e) when (e.Code == RefusalCode.NotFound)
        {
            return 0;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 5101, Level = LogLevel.Information, Message = "Published status list {Seq}")]
        public static partial void Published(ILogger logger, long seq);
    }
}
