using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Announcing;

/// <summary>
/// Mails each doctor for whom something waits, and the operators, once in an interval. A mail that was handed over and not noted, because the process died, goes out again
/// under the same message id.
/// </summary>
internal sealed partial class MailDigests(
    Database database, AnnouncingOptions options, HospitalOptions hospital, Instance instance, CrashPoints crash, TimeProvider clock, ILogger<MailDigests> log)
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(5);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var mail = options.Mail!;
        var slot = AnnouncingRules.SlotOf(clock.GetUtcNow(), mail.Every, mail.At, clock.LocalTimeZone);
        var waiting = await database.ReadAsync(AnnouncementRows.WaitingAsync, cancellationToken);
        await using var server = new MailServer(mail);
        foreach (var (licence, address) in mail.Doctors)
            if (waiting.TryGetValue(licence, out var number)
                && !await TellAsync(server, licence, address, AnnouncingRules.Headline(options.Chinese, number.Number), number, slot, cancellationToken))
                return;
        if (waiting.TryGetValue(AnnouncementRows.Operators, out var unassigned))
            foreach (var address in mail.Operators)
                if (!await TellAsync(
                        server, $"{AnnouncementRows.Operators} {address}", address, AnnouncingRules.OperatorHeadline(options.Chinese, unassigned.Number), unassigned, slot, cancellationToken))
                    return;
    }

    // False where the server takes no mail at all now.
    private async Task<bool> TellAsync(MailServer server, string who, string address, string headline, WaitingNumber waiting, long slot, CancellationToken cancellationToken)
    {
        if (await database.WriteAsync(work => AnnouncementRows.TakeAsync(work, AnnouncementRows.Mail, who, slot, instance.Name, clock.GetUtcNow(), Lease), cancellationToken) is not { } row)
            return true;
        // crash point announcing.1: held, nothing was sent; it goes out when the lease ends.
        crash.Pass("announcing.1");
        var now = clock.GetUtcNow();
        try
        {
            await server.SendAsync(
                address, AnnouncingRules.MessageId(hospital.Msp, who, slot, options.Mail!.From), headline,
                AnnouncingRules.Body(options.Chinese, headline, hospital.Name, waiting, options.Link!, now), now, cancellationToken);
        }
        catch (MailException e)
        {
            Log.NotSent(log, e.Fault, e.Message);
            await database.WriteAsync(
                work => e.Fault == MailFault.Refused
                    // It would be refused again: the next interval tries again, in case somebody mended the address.
                    ? AnnouncementRows.SaidAsync(work, AnnouncementRows.Mail, who, new SummaryChange().Set("slot", slot), WaitingNumber.None, now)
                    : AnnouncementRows.LaterAsync(work, AnnouncementRows.Mail, who, e.Fault.ToString(), now + AnnouncingRules.Backoff(row.Attempts)),
                CancellationToken.None);
            return e.Fault is MailFault.Refused or MailFault.Later;
        }
        // crash point announcing.2: the server has it, the table does not say so; it goes out again under the same message id.
        crash.Pass("announcing.2");
        await database.WriteAsync(
            work => AnnouncementRows.SaidAsync(work, AnnouncementRows.Mail, who, new SummaryChange().Set("slot", slot), waiting, clock.GetUtcNow()), CancellationToken.None);
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 3401, Level = LogLevel.Warning, Message = "A mail digest could not be sent ({Fault}): {Detail}")]
        public static partial void NotSent(ILogger logger, MailFault fault, string detail);
    }
}
