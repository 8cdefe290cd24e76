using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;
using MimeKit.Text;

namespace Bridge.Hospital.Announcing;

/// <summary>Why a mail was not taken.</summary>
internal enum MailFault
{
    /// <summary>Nobody answers, or not as a mail server does.</summary>
    Unreachable,

    /// <summary>It offers no TLS, or its certificate is not to be trusted.</summary>
    NoTls,

    /// <summary>It does not take the user's name and password.</summary>
    NotSignedIn,

    /// <summary>Not now: it says to try later.</summary>
    Later,

    /// <summary>It will never take this mail, or not for this recipient.</summary>
    Refused,
}

/// <summary>A mail was not taken. The message holds the server's name and its code; never an address, nor what the server said.</summary>
internal sealed class MailException(MailFault fault, string message, Exception inner) : Exception(message, inner)
{
    public MailFault Fault { get; } = fault;
}

/// <summary>A conversation with the hospital's mail server.</summary>
internal sealed class MailServer(MailOptions options) : IAsyncDisposable
{
    private SmtpClient? _client;

    /// <summary>Connects, protected as configured, and signs in. Again where it is connected already: nothing.</summary>
    /// <exception cref="MailException"/>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        if (_client is { IsConnected: true })
            return;
        _client?.Dispose();
        _client = new SmtpClient { Timeout = 30_000, CheckCertificateRevocation = false };
        if (options.Roots() is { } roots)
            _client.ServerCertificateValidationCallback = (_, certificate, _, faults) => IsTrusted(certificate, faults, roots);
        var client = _client;
        await TryAsync(async () =>
        {
            await client.ConnectAsync(options.Server, options.Port, options.Tls switch
            {
                MailTls.Implicit => SecureSocketOptions.SslOnConnect,
                MailTls.StartTls => SecureSocketOptions.StartTls,
                _ => SecureSocketOptions.None,
            }, cancellationToken);
            if (options.User is not null)
                await client.AuthenticateAsync(options.User, options.Password ?? "", cancellationToken);
        });
    }

    /// <summary>Hands one mail over; the server has it when this returns.</summary>
    /// <exception cref="MailException"/>
    public async Task SendAsync(string to, string messageId, string subject, string body, DateTimeOffset date, CancellationToken cancellationToken)
    {
        await OpenAsync(cancellationToken);
        using var message = new MimeMessage();
        message.From.Add(MailboxAddress.Parse(options.From));
        message.To.Add(MailboxAddress.Parse(to));
        message.Subject = subject;
        message.MessageId = messageId;
        message.Date = date;
        // Nobody's holiday note answers a machine (RFC 3834).
        message.Headers.Add("Auto-Submitted", "auto-generated");
        message.Body = new TextPart(TextFormat.Plain) { Text = body };
        await TryAsync(() => _client!.SendAsync(message, cancellationToken));
    }

    /// <summary>Asks whether the server is still there.</summary>
    /// <exception cref="MailException"/>
    public Task GreetAsync(CancellationToken cancellationToken) => TryAsync(() => _client!.NoOpAsync(cancellationToken));

    public async ValueTask DisposeAsync()
    {
        if (_client is null)
            return;
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await _client.DisconnectAsync(_client.IsConnected, limit.Token);
        }
        catch (Exception)
        {
            // What was handed over is the server's; a goodbye that fails changes nothing.
        }
        _client.Dispose();
    }

    private async Task TryAsync(Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (SslHandshakeException e)
        {
            throw new MailException(MailFault.NoTls, $"{options.Server}: TLS failed, its certificate is not for that name or not of a CA that is trusted", e);
        }
        catch (NotSupportedException e)
        {
            throw new MailException(MailFault.NoTls, $"{options.Server}: it does not offer {(options.Tls == MailTls.StartTls ? "STARTTLS" : "what is asked for")}", e);
        }
        catch (AuthenticationException e)
        {
            throw new MailException(MailFault.NotSignedIn, $"{options.Server}: the user's name or password is not taken", e);
        }
        catch (SmtpCommandException e)
        {
            var code = (int)e.StatusCode;
            throw new MailException(code is >= 400 and < 500 ? MailFault.Later : MailFault.Refused, $"{options.Server}: answered {code}", e);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or SmtpProtocolException or TimeoutException or MailKit.ServiceNotConnectedException)
        {
            throw new MailException(MailFault.Unreachable, $"{options.Server}:{options.Port}: {(e is SmtpProtocolException ? "does not speak SMTP there" : "no connection, or it broke")}", e);
        }
    }

    private static bool IsTrusted(X509Certificate? certificate, SslPolicyErrors faults, X509Certificate2Collection roots)
    {
        if (certificate is null || (faults & (SslPolicyErrors.RemoteCertificateNameMismatch | SslPolicyErrors.RemoteCertificateNotAvailable)) != 0)
            return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        using var leaf = new X509Certificate2(certificate);
        return chain.Build(leaf);
    }
}
