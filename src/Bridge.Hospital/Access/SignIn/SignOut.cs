using System.Security.Cryptography;
using System.Text;
using Bridge.Records;

namespace Bridge.Hospital.Access;

/// <summary>
/// Signing out, where more than one person uses a browser (OpenID Connect RP-Initiated Logout 1.0): our own session ends first, whatever the authorisation server does;
/// then the browser goes there to end that one, and comes back.
/// </summary>
internal sealed partial class SignOut(
    Sessions sessions, OpenIdProvider provider, SignInSeal seal, SignInOptions options, TimeProvider clock, ILogger<SignOut> log)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    // Somebody who wants to leave waits for it.
    private static readonly TimeSpan ProvidersTime = TimeSpan.FromSeconds(3);

    /// <summary>Ours is over; the authorisation server was told to end the other one, and sent the browser back. Whether it did, or somebody there said no, it does not tell.</summary>
    public const string Ended = "/?left=ended";

    /// <summary>The other one goes on, as the hospital wants it.</summary>
    public const string Here = "/?left=here";

    /// <summary>The other one may go on.</summary>
    public const string Open = "/?left=open";

    /// <summary>Ends the session of a cookie. Returns where the page goes next, and what the browser carries there.</summary>
    /// <param name="token">The cookie.</param>
    /// <param name="returnTo">Where the authorisation server is to send the browser back to.</param>
    /// <param name="cancellationToken">Before the session is over only.</param>
    public async Task<(string Next, string? Cookie)> BeginAsync(string token, string returnTo, CancellationToken cancellationToken)
    {
        var closed = await sessions.CloseAsync(token, cancellationToken);
        if (closed?.Way is not (OpenIdProvider.Oidc or OpenIdProvider.Smart))
            return ("/", null);
        if (!options.EndsThere)
            return (Here, null);
        if (closed.Way != OpenIdProvider.Oidc || options.Issuer is null)
            return (Open, null);
        var asked = new AskedSignOut(Base64Url.Encode(RandomNumberGenerator.GetBytes(32)), closed.IdToken, returnTo, clock.GetUtcNow().ToUnixTimeMilliseconds());
        return (SignInEndpoints.LeavePath, await seal.SealAsync(asked, CancellationToken.None));
    }

    /// <summary>
    /// Where a browser that is signed out here goes on: to the authorisation server, with the cookie that its answer is held against, or back to the console, which says what
    /// stays open.
    /// </summary>
    public async Task<(string Address, string? Cookie)> LeaveAsync(string? cookie, CancellationToken cancellationToken)
    {
        if (await OpenAsync(cookie, cancellationToken) is not { } asked)
            return ("/", null);
        using var time = new CancellationTokenSource(ProvidersTime, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            // Asked now: sent to one that is down, the browser would show a page of its own, which says nothing of what is still open.
            if ((await provider.DescribeAsync(OpenIdProvider.Oidc, either.Token, anew: true)).EndSession is not { } there)
                return (Open, null);
            return (provider.SignOutAt(there, asked).AbsoluteUri, await seal.SealAsync(asked with { IdToken = null }, cancellationToken));
        }
        catch (SignInException e)
        {
            Log.ProviderFailed(log, e.Message);
            return (Open, null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Log.ProviderFailed(log, "no answer in time");
            return (Open, null);
        }
    }

    /// <summary>Whether the browser comes back from where this hospital sent it.</summary>
    public async Task<bool> HasReturnedAsync(string? cookie, string? state, CancellationToken cancellationToken) =>
        state is not null && await OpenAsync(cookie, cancellationToken) is { } asked
        && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(asked.State), Encoding.UTF8.GetBytes(state));

    private async Task<AskedSignOut?> OpenAsync(string? cookie, CancellationToken cancellationToken) =>
        cookie is not null && await seal.OpenAsync<AskedSignOut>(cookie, cancellationToken) is { } asked && asked.AskedAt >= (clock.GetUtcNow() - Patience).ToUnixTimeMilliseconds()
            ? asked
            : null;

    private static partial class Log
    {
        [LoggerMessage(EventId = 6203, Level = LogLevel.Warning, Message = "Signed out here only; the authorisation server: {Fault}")]
        public static partial void ProviderFailed(ILogger logger, string fault);
    }
}
