using System.Text;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Certificates;

/// <summary>
/// Publishes the hospital's signed status list, in as many parts as it needs: each before half of its life is over, and at once when a doctor is revoked or another record of the hospital comes into
/// force. A part is stored before it is sent; one that came through unnoticed is refused as not newer, and the next takes a higher number.
/// </summary>
internal sealed partial class StatusLists(
    Database database, SummaryLedger ledger, DoctorDirectory directory, RestoredDatabase restored, CertificatesOptions options, HospitalOptions hospital, Instance instance, TimeProvider clock,
    ILogger<StatusLists> log)
{
    private sealed class Row
    {
        public long Seq { get; init; }
        public long Part { get; init; }
        public string List { get; init; } = "";
        public string Salt { get; init; } = "";
        public long NextUpdate { get; init; }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (!await database.WriteAsync(
            work => Leases.TryTakeAsync(work, "status-list", instance.Name, clock.GetUtcNow(), TimeSpan.FromMinutes(5)), cancellationToken))
            return;
        // A list that is published from an older database would hide that it is one.
        await restored.LookAsync(cancellationToken);
        // Before that the copy may lack revoked doctors, and the list would clear them.
        await directory.ReadOnceAsync(cancellationToken);
        var reading = await ledger.ReadHospitalAsync(hospital.Msp, cancellationToken);
        var record = HospitalRecord.Parse(Encoding.UTF8.GetBytes(reading.Record), out var fault)
            ?? throw new InvalidOperationException($"the hospital's record on the ledger breaks the schema at '{fault}': update contract or program, whichever is older");
        var revoked = await RevokedAsync(cancellationToken);
        var first = await OnLedgerAsync(0, cancellationToken);
        List<string?> onLedger = [first];
        while (onLedger.Count < PartsFor(revoked, Said(first)?.Parts ?? 1))
            onLedger.Add(await OnLedgerAsync(onLedger.Count, cancellationToken));
        // Nobody's revocation ends: where one is missing here, the copy is an older one, put back under the running program.
        if (onLedger.Any(list => Said(list)?.Revoked.Except(revoked).Any() == true))
        {
            await directory.SyncAsync(cancellationToken);
            revoked = await RevokedAsync(cancellationToken);
            while (onLedger.Count < PartsFor(revoked, Said(first)?.Parts ?? 1))
                onLedger.Add(await OnLedgerAsync(onLedger.Count, cancellationToken));
        }
        foreach (var due in await database.WriteAsync(work => NextAsync(work, record.RecordDigest, revoked, onLedger), cancellationToken))
        {
            var receipt = await ledger.PublishStatusAsync(hospital.Msp, due.List, Salt.Parse(due.Salt), cancellationToken);
            await database.WriteAsync(work => work.RunAsync(
                "UPDATE status_list SET published_at = @now, tx_id = @tx WHERE seq = @Seq",
                new { due.Seq, now = clock.GetUtcNow().ToUnixTimeMilliseconds(), tx = receipt.TransactionId }), CancellationToken.None);
            Log.Published(log, due.Seq, due.Part);
        }
    }

    private async Task<List<Digest>> RevokedAsync(CancellationToken cancellationToken) =>
        [.. (await database.ReadAsync(work => DoctorRows.RevokedAsync(work, hospital.Msp), cancellationToken)).Select(Digest.Parse).Order()];

    /// <summary>As many parts as there are, or twice as often as it takes. They never become fewer: a reader may know of more.</summary>
    internal static int PartsFor(IReadOnlyList<Digest> revoked, int parts)
    {
        while (parts < StatusList.MaxParts && revoked.CountBy(one => StatusList.PartOf(one, parts)).Any(part => part.Value > StatusList.MaxRevoked))
            parts = Math.Min(parts * 2, StatusList.MaxParts);
        return parts;
    }

    /// <summary>The parts to publish now, stored: those whose published one no longer says it all. From the last to the first, for whoever reads part 0 must find the others.</summary>
    private async Task<IReadOnlyList<Row>> NextAsync(Work work, Digest record, IReadOnlyList<Digest> revoked, List<string?> onLedger)
    {
        var thisUpdate = DateTimeOffset.FromUnixTimeSeconds(clock.GetUtcNow().ToUnixTimeSeconds());
        var seq = Math.Max(onLedger.Max(list => Said(list)?.Seq ?? 0), await work.ScalarAsync<long?>("SELECT MAX(seq) FROM status_list") ?? 0);
        var byPart = revoked.ToLookup(one => StatusList.PartOf(one, onLedger.Count));
        var due = new List<Row>();
        for (var part = onLedger.Count - 1; part >= 0; part--)
        {
            var mine = byPart[part].ToList();
            if (mine.Count > StatusList.MaxRevoked)
            {
                // Rather none than one that leaves somebody out: readers then say that they do not know.
                Log.TooMany(log, part, mine.Count);
                continue;
            }
            var next = new StatusList(hospital.Msp, record, ++seq, thisUpdate, thisUpdate + options.StatusLife, mine, part, onLedger.Count);
            if (Said(onLedger[part]) is { } said && said.Record == record && said.Parts == next.Parts && said.Revoked.SequenceEqual(mine) && said.NextUpdate - thisUpdate > options.StatusLife / 2
                && await work.ScalarAsync<string>("SELECT list FROM status_list WHERE seq = @Seq", new { said.Seq }) == onLedger[part])
                continue;
            var row = new Row
            {
                Seq = next.Seq,
                Part = part,
                List = CompactJws.Sign(next, options.StatusKey.Key, options.StatusKey.Certificate.RawData),
                Salt = Salt.New().ToString(),
                NextUpdate = next.NextUpdate.ToUnixTimeMilliseconds(),
            };
            await work.RunAsync("INSERT INTO status_list (seq, part, list, salt, next_update) VALUES (@Seq, @Part, @List, @Salt, @NextUpdate)", row);
            due.Add(row);
        }
        await work.RunAsync("DELETE FROM status_list WHERE seq < @old", new { old = seq - (100 * onLedger.Count) });
        return due;
    }

    private static StatusList? Said(string? compact) => compact is null ? null : CompactJws.Verify<StatusList>(compact).Value?.Statement;

    private async Task<string?> OnLedgerAsync(int part, CancellationToken cancellationToken)
    {
        try
        {
            return await ledger.ReadStatusAsync(hospital.Msp, part, cancellationToken);
        }
        catch (LedgerRefusalException e) when (e.Code == RefusalCode.NotFound)
        {
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 5101, Level = LogLevel.Information, Message = "Published status list {Seq}, part {Part}")]
        public static partial void Published(ILogger logger, long seq, long part);

        [LoggerMessage(EventId = 5102, Level = LogLevel.Error, Message = "Part {Part} of the status list would name {Count} certificates, more than a list holds: it is not published, and readers say that they do not know")]
        public static partial void TooMany(ILogger logger, int part, int count);
    }
}
