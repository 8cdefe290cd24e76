using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MimeKit;

namespace Bridge.Tests.Hospital;

/// <summary>A mail server on a socket that speaks SMTP (RFC 5321) with STARTTLS or TLS from the start, AUTH PLAIN, and whatever answers a test writes in their place.</summary>
internal sealed class SmtpServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly X509Certificate2? _certificate;
    private readonly bool _implicit;
    private readonly Task _accepting;
    private readonly ConcurrentBag<Task> _conversations = [];

    /// <param name="certificate">Its certificate; null = it knows no TLS.</param>
    /// <param name="tlsFromTheStart">Else by STARTTLS.</param>
    public SmtpServer(X509Certificate2? certificate = null, bool tlsFromTheStart = false)
    {
        (_certificate, _implicit) = (certificate, tlsFromTheStart);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Each line that a client said, with <c>tls </c> before it where it was encrypted.</summary>
    public ConcurrentQueue<string> Said { get; } = new();

    public ConcurrentQueue<MimeMessage> Mails { get; } = new();

    /// <summary>The reply to a line in place of the usual one; null = the usual one.</summary>
    public Func<string, string?> Reply { get; set; } = _ => null;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await Task.WhenAll([_accepting, .. _conversations]);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _conversations.Add(SpeakAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task SpeakAsync(TcpClient client)
    {
        using var _ = client;
        Stream stream = client.GetStream();
        try
        {
            var encrypted = false;
            if (_implicit)
                (stream, encrypted) = (await EncryptAsync(stream), true);
            await SayAsync(stream, "220 mail.test ESMTP");
            while (await LineAsync(stream) is { } line)
            {
                Said.Enqueue(encrypted ? $"tls {line}" : line);
                var verb = line.Split(' ')[0].ToUpperInvariant();
                if (Reply(line) is { } written)
                {
                    await SayAsync(stream, written);
                    continue;
                }
                switch (verb)
                {
                    case "EHLO":
                        await SayAsync(stream, "250-mail.test", _certificate is not null && !encrypted ? "250-STARTTLS" : "250-HELP", "250-AUTH PLAIN", "250-SMTPUTF8", "250 8BITMIME");
                        break;
                    case "STARTTLS" when _certificate is not null:
                        await SayAsync(stream, "220 go ahead");
                        (stream, encrypted) = (await EncryptAsync(stream), true);
                        break;
                    case "AUTH":
                        await SayAsync(stream, "235 welcome");
                        break;
                    case "DATA":
                        await SayAsync(stream, "354 end with a dot");
                        await TakeAsync(stream);
                        break;
                    case "QUIT":
                        await SayAsync(stream, "221 bye");
                        return;
                    default:
                        await SayAsync(stream, verb is "MAIL" or "RCPT" or "RSET" or "NOOP" ? "250 ok" : "502 not here");
                        break;
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or AuthenticationException or ObjectDisposedException)
        {
        }
        finally
        {
            await stream.DisposeAsync();
        }
    }

    private async Task TakeAsync(Stream stream)
    {
        var text = new MemoryStream();
        while (await LineAsync(stream) is { } line && line != ".")
            text.Write(Encoding.UTF8.GetBytes((line.StartsWith('.') ? line[1..] : line) + "\r\n"));
        if (Reply("DATA END") is { } written)
        {
            await SayAsync(stream, written);
            return;
        }
        text.Position = 0;
        Mails.Enqueue(await MimeMessage.LoadAsync(text, _stop.Token));
        await SayAsync(stream, "250 taken");
    }

    private async Task<SslStream> EncryptAsync(Stream stream)
    {
        var tls = new SslStream(stream);
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate }, _stop.Token);
        return tls;
    }

    private async Task SayAsync(Stream stream, params string[] lines) => await stream.WriteAsync(Encoding.ASCII.GetBytes(string.Join("\r\n", lines) + "\r\n"), _stop.Token);

    // Byte by byte: what follows STARTTLS must stay in the stream.
    private async Task<string?> LineAsync(Stream stream)
    {
        var line = new List<byte>();
        var one = new byte[1];
        while (await stream.ReadAsync(one, _stop.Token) == 1)
        {
            if (one[0] == '\n')
                return Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
            line.Add(one[0]);
        }
        return null;
    }
}
