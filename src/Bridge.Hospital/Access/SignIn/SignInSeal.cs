using System.Security.Cryptography;
using System.Text.Json;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Access;

/// <summary>What was sent when somebody went off to sign in, and what the answer is held against.</summary>
/// <param name="State">Comes back beside the code.</param>
/// <param name="Nonce">Comes back inside the ID token.</param>
/// <param name="Verifier">Of PKCE.</param>
/// <param name="RedirectUri">Where the answer was asked to.</param>
/// <param name="ReturnTo">Where the person goes on.</param>
/// <param name="Way">oidc or smart.</param>
/// <param name="AskedAt">Unix milliseconds.</param>
/// <param name="Anew">Whether the authorisation server was to ask who it is, a session there or not.</param>
internal sealed record AskedSignIn(string State, string Nonce, string Verifier, string RedirectUri, string ReturnTo, string Way, long AskedAt, bool Anew = false);

/// <summary>What goes along with a browser that is sent to end its session at the hospital's sign-in, too.</summary>
/// <param name="State">Comes back.</param>
/// <param name="IdToken">Tells the authorisation server whose session; null where it was not kept, and once it was told.</param>
/// <param name="ReturnTo">Where the browser is asked back to.</param>
/// <param name="AskedAt">Unix milliseconds.</param>
internal sealed record AskedSignOut(string State, string? IdToken, string ReturnTo, long AskedAt);

/// <summary>
/// Seals what is under way into a cookie of the browser that asked: anybody may ask, as often as they like, so nothing of it is stored. One key for all instances on one
/// database.
/// </summary>
internal sealed class SignInSeal(Database database, TimeProvider clock)
{
    private const string KeyName = "sign-in-key";
    private const int LongestCookie = 4096;

    private byte[]? _key;

    public async Task<string> SealAsync<T>(T asked, CancellationToken cancellationToken) where T : class =>
        Sealed.Close(await KeyAsync(cancellationToken), Purpose<T>(), JsonSerializer.SerializeToUtf8Bytes(asked));

    /// <summary>What a cookie holds; null where this hospital did not seal it.</summary>
    public async Task<T?> OpenAsync<T>(string cookie, CancellationToken cancellationToken) where T : class =>
        cookie.Length <= LongestCookie && Sealed.Open(await KeyAsync(cancellationToken), Purpose<T>(), cookie) is { } plain ? JsonSerializer.Deserialize<T>(plain) : null;

    private static ReadOnlySpan<byte> Purpose<T>() => typeof(T) == typeof(AskedSignIn) ? "bridge-sign-in-1"u8 : "bridge-sign-out-1"u8;

    private async Task<byte[]> KeyAsync(CancellationToken cancellationToken)
    {
        if (_key is { } known)
            return known;
        var text = await database.ReadAsync(work => Bookmarks.ReadAsync(work, KeyName), cancellationToken) ?? await database.WriteAsync(async work =>
        {
            // Another instance may have been first.
            if (await Bookmarks.ReadAsync(work, KeyName) is { } made)
                return made;
            var fresh = Base64Url.Encode(RandomNumberGenerator.GetBytes(32));
            await Bookmarks.WriteAsync(work, KeyName, fresh, clock.GetUtcNow());
            return fresh;
        }, cancellationToken);
        return _key = Base64Url.Decode(text);
    }
}
