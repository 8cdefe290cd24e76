using System.Text.Json;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Ledger;
using Bridge.Records;
using LedgerConfirmation = Bridge.Ledger.DoctorConfirmationSubmission;
using LedgerRevocation = Bridge.Ledger.DoctorRevocationSubmission;

namespace Bridge.Hospital.Certificates;

/// <summary>Acts of the registrars' office that the bridge carries to the ledger.</summary>
internal enum DirectoryAct
{
    Propose,
    Confirm,
    Revoke,
}

/// <summary>Keeps the copy of the doctor directory, and carries registrars' statements to the ledger. The bridge signs none of them.</summary>
internal sealed partial class DoctorDirectory(
    Database database, SummaryLedger ledger, HospitalOptions hospital, Instance instance, HospitalMetrics metrics, WatchingSignals watching, TimeProvider clock,
    ILogger<DoctorDirectory> log)
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(3);

    private volatile bool read;

    private sealed record Input(string Hospital, string Handle, string? Certificate, string Jws, string Salt, string? LeafSalt);

    private sealed class TaskRow
    {
        public long TaskId { get; init; }
        public string Kind { get; init; } = "";
        public string Input { get; init; } = "";
        public long Attempts { get; init; }
    }

    /// <summary>Returns once the copy holds all that stood in this hospital's part of the directory since the program started: a database may be new, or an old copy.</summary>
    public Task ReadOnceAsync(CancellationToken cancellationToken) => read ? Task.CompletedTask : SyncAsync(cancellationToken);

    /// <summary>Sends what registrars handed in, then reads the directory.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await SendAsync(cancellationToken);
        await SyncAsync(cancellationToken);
    }

    /// <summary>Reads this hospital's part of the directory into the tables.</summary>
    public async Task SyncAsync(CancellationToken cancellationToken)
    {
        var changed = false;
        Handle? after = null;
        do
        {
            var page = await ledger.ListDoctorsAsync(hospital.Msp, after, 200, cancellationToken);
            changed |= await database.WriteAsync(async work =>
            {
                var any = false;
                foreach (var record in page.Items)
                    any |= await StoreAsync(work, record, clock.GetUtcNow());
                // What waited for want of a doctor may have one now.
                if (any)
                    await work.RunAsync(
                        "UPDATE summary SET ready_at = @now WHERE status = 'Withheld' AND reason = 'NoDoctor' AND is_current = 1", new { now = clock.GetUtcNow().ToUnixTimeMilliseconds() });
                return any;
            }, cancellationToken);
            after = page.Next;
        }
        while (after is not null);
        read = true;
        if (changed)
            watching.Due.Wake();
    }

    /// <summary>Stores an entry; true where it is new or changed.</summary>
    public static async Task<bool> StoreAsync(Work work, DoctorRecord record, DateTimeOffset now)
    {
        var changed = await DoctorRows.UpsertAsync(work, new DoctorRow
        {
            Handle = record.Handle.ToString(),
            Hospital = record.Hospital,
            Thumbprint = record.Thumbprint,
            Certificate = record.Certificate,
            Name = record.Name,
            Licence = record.Licence,
            Status = record.Status.ToString().ToUpperInvariant(),
            NotBefore = record.NotBefore.ToUnixTimeSeconds(),
            NotAfter = record.NotAfter.ToUnixTimeSeconds(),
            Stored = record.StoredValue,
            SyncedAt = now.ToUnixTimeMilliseconds(),
        });
        if (changed)
            await AuditLog.AppendAsync(work, Actor.Bridge, "doctor.seen", $"doctor/{record.Thumbprint}", new { status = record.Status.ToString() }, now);
        return changed;
    }

    /// <summary>Takes a statement in; it is durable when this returns, and sent by the next run. False where the same act is under way already.</summary>
    public Task<bool> HandInAsync(
        Actor actor, DirectoryAct act, string ofHospital, Handle handle, string? certificate, string jws, CancellationToken cancellationToken) =>
        database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var subject = $"{act}/{ofHospital}/{handle}";
            var input = new Input(ofHospital, handle.ToString(), certificate, jws, Salt.New().ToString(), act == DirectoryAct.Propose ? Salt.New().ToString() : null);
            var taken = await work.InsertIfNewAsync(
                """
                directory_task (kind, subject, open_subject, input, state, next_attempt_at, created_by, created_at, updated_at)
                VALUES (@kind, @subject, @subject, @input, 'Queued', @now, @person, @now, @now)
                """,
                new { kind = act.ToString(), subject, input = JsonSerializer.Serialize(input), now = now.ToUnixTimeMilliseconds(), person = actor.Person });
            if (taken)
                await AuditLog.AppendAsync(work, actor, $"doctor.{act.ToString().ToLowerInvariant()}", $"doctor/{handle}", new { ofHospital }, now);
            return taken;
        }, cancellationToken);

    public Task<IReadOnlyList<DirectoryTask>> TasksAsync(CancellationToken cancellationToken) => database.ReadAsync(
        work => work.ListAsync<DirectoryTask>(
            """
            SELECT task_id AS Task, kind AS Kind, subject AS Subject, state AS State, last_code AS LastCode, tx_id AS TxId, created_by AS CreatedBy
            FROM directory_task ORDER BY task_id DESC LIMIT 200
            """),
        cancellationToken);

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var due = await database.ReadAsync(
            work => work.ListAsync<TaskRow>(
                """
                SELECT task_id AS TaskId, kind AS Kind, input AS Input, attempts AS Attempts FROM directory_task
                WHERE state = 'Queued' AND next_attempt_at <= @now AND lease_until <= @now ORDER BY task_id LIMIT 50
                """,
                new { now = now.ToUnixTimeMilliseconds() }),
            cancellationToken);
        foreach (var task in due)
        {
            var mine = await database.WriteAsync(
                work => work.RunAsync(
                    "UPDATE directory_task SET lease_owner = @owner, lease_until = @until WHERE task_id = @TaskId AND state = 'Queued' AND lease_until <= @now",
                    new { task.TaskId, owner = instance.Name, now = now.ToUnixTimeMilliseconds(), until = (now + Lease).ToUnixTimeMilliseconds() }),
                cancellationToken);
            if (mine == 1)
                await SendOneAsync(task, cancellationToken);
        }
    }

    private async Task SendOneAsync(TaskRow task, CancellationToken cancellationToken)
    {
        var act = Enum.Parse<DirectoryAct>(task.Kind);
        var input = JsonSerializer.Deserialize<Input>(task.Input)!;
        var handle = Handle.Parse(input.Handle);
        try
        {
            var receipt = act switch
            {
                DirectoryAct.Propose => await ledger.ProposeDoctorAsync(
                    input.Hospital, new DoctorProposalSubmission(handle, input.Certificate!, input.Jws, Salt.Parse(input.Salt), Salt.Parse(input.LeafSalt!)), cancellationToken),
                DirectoryAct.Confirm => await ledger.ConfirmDoctorAsync(
                    input.Hospital, new LedgerConfirmation(handle, input.Jws, Salt.Parse(input.Salt)), cancellationToken),
                _ => await ledger.RevokeDoctorAsync(input.Hospital, new LedgerRevocation(handle, input.Jws, Salt.Parse(input.Salt)), cancellationToken),
            };
            await EndAsync(task, "Done", null, receipt.TransactionId);
        }
        catch (LedgerRefusalException e) when (AnchorRules.Judge(e.CodeText) == AnchorStep.Retry)
        {
            await LaterAsync(task, e.CodeText);
        }
        catch (LedgerRefusalException e)
        {
            metrics.Refused(e.CodeText);
            // A former attempt that came through is refused as a second one; the directory itself says so.
            var stands = await StandsAsync(act, handle, input, cancellationToken);
            Log.Refused(log, task.Kind, e.CodeText, stands);
            await EndAsync(task, stands ? "Done" : "Refused", e.CodeText, null);
        }
        catch (Exception e) when (e is GatewayException or CommitException)
        {
            await LaterAsync(task, "NOT_SENT");
            Log.Failed(log, task.Kind, Faults.Describe(e));
        }
    }

    private async Task<bool> StandsAsync(DirectoryAct act, Handle handle, Input input, CancellationToken cancellationToken)
    {
        try
        {
            var record = await ledger.ReadDoctorAsync(handle, cancellationToken);
            return act switch
            {
                DirectoryAct.Propose => record.Statement == input.Jws,
                DirectoryAct.Confirm => record.Confirmation == input.Jws,
                _ => record.Status == DoctorStatus.Revoked,
            };
        }
        catch (Exception e) when (e is GatewayException or LedgerRefusalException)
        {
            return false;
        }
    }

    private Task<int> EndAsync(TaskRow task, string state, string? code, string? txId) => database.WriteAsync(work => work.RunAsync(
        """
        UPDATE directory_task SET state = @state, last_code = @code, tx_id = @txId, open_subject = NULL, lease_owner = NULL, lease_until = 0, updated_at = @now
        WHERE task_id = @TaskId
        """,
        new { task.TaskId, state, code, txId, now = clock.GetUtcNow().ToUnixTimeMilliseconds() }));

    private Task<int> LaterAsync(TaskRow task, string code) => database.WriteAsync(work => work.RunAsync(
        """
        UPDATE directory_task SET last_code = @code, attempts = attempts + 1, next_attempt_at = @at, lease_owner = NULL, lease_until = 0 WHERE task_id = @TaskId
        """,
        new { task.TaskId, code, at = (clock.GetUtcNow() + AnchorRules.Backoff(task.Attempts, Random.Shared.NextDouble())).ToUnixTimeMilliseconds() }));

    private static partial class Log
    {
        [LoggerMessage(EventId = 5001, Level = LogLevel.Warning, Message = "{Act} of a doctor was refused: {Code} (stands on the ledger already: {Stands})")]
        public static partial void Refused(ILogger logger, string act, string code, bool stands);

        [LoggerMessage(EventId = 5002, Level = LogLevel.Warning, Message = "{Act} of a doctor could not be sent and will be tried again: {Fault}")]
        public static partial void Failed(ILogger logger, string act, string fault);
    }
}

/// <summary>A registrar's act on its way.</summary>
internal sealed class DirectoryTask
{
    public long Task { get; init; }
    public string Kind { get; init; } = "";
    public string Subject { get; init; } = "";
    public string State { get; init; } = "";
    public string? LastCode { get; init; }
    public string? TxId { get; init; }
    public string CreatedBy { get; init; } = "";
}
