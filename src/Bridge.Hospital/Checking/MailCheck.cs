using Bridge.Hospital.Announcing;

namespace Bridge.Hospital.Checking;

/// <summary>Speaks with the mail server as the digests do, up to the point where a mail would be handed over.</summary>
internal static class MailCheck
{
    public static async Task RunAsync(MailOptions options, CheckReport report)
    {
        await using var server = new MailServer(options);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            await server.OpenAsync(limit.Token);
            await server.GreetAsync(limit.Token);
            report.Good("mail", "server", $"{options.Server}:{options.Port} answers, {(options.Tls == MailTls.None ? "on this machine, without TLS" : "over TLS")}{(options.User is null ? "" : ", and takes the user")}");
        }
        catch (MailException e)
        {
            report.Fault("mail", "server", e.Message, e.Fault switch
            {
                MailFault.NoTls => "Have the mail server offer TLS with a certificate for Announcing:Mail:Server; name its CA in Announcing:Mail:TlsRoots; or set Announcing:Mail:Tls to Implicit where the port wants that",
                MailFault.NotSignedIn => "Correct Announcing:Mail:User and Announcing:Mail:Password",
                _ => "Correct Announcing:Mail:Server, Announcing:Mail:Port and Announcing:Mail:Tls, or have the mail server started",
            });
        }
        catch (OperationCanceledException)
        {
            report.Fault("mail", "server", $"{options.Server}:{options.Port} did not answer within 30 s", "Correct Announcing:Mail:Server and Announcing:Mail:Port; port 465 wants Announcing:Mail:Tls Implicit");
        }
    }
}
