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
internal sealed record AskedSignIn(string State, string Nonce, string Verifier, string RedirectUri, string ReturnTo, string Way, long AskedAt);

/// <summary>
/// Seals an open sign-in into the cookie of the browser that asked: anybody may ask, as often as they like, so nothing of it is stored. AES-256-GCM under a key that
/// all instances on one database share.
/// </summary>
internal sealed class SignInSeal(Database database, TimeProvider clock)
{
    private const string KeyName = "sign-in-key";
    private const int LongestCookie = 4096;
    private static readonly byte[] Purpose = "bridge-sign-in-1"u8.ToArray();

    private byte[]? _key;

    public async Task<string> SealAsync(AskedSignIn asked, CancellationToken cancellationToken)
    {
        var plain = JsonSerializer.SerializeToUtf8Bytes(asked);
        var whole = new byte[AesGcm.NonceByteSizes.MaxSize + plain.Length + AesGcm.TagByteSizes.MaxSize];
        var (nonce, text, tag) = Parts(whole);
        RandomNumberGenerator.Fill(nonce.Span);
        using var aes = new AesGcm(await KeyAsync(cancellationToken), AesGcm.TagByteSizes.MaxSize);
        aes.Encrypt(nonce.Span, plain, text.Span, tag.Span, Purpose);
        return Base64Url.Encode(whole);
    }

    /// <summary>What a cookie holds; null where this hospital did not seal it.</summary>
    public async Task<AskedSignIn?> OpenAsync(string cookie, CancellationToken cancellationToken)
    {
        if (cookie.Length > LongestCookie || !Base64Url.TryDecode(cookie, out var bytes) || bytes.Length < AesGcm.NonceByteSizes.MaxSize + AesGcm.TagByteSizes.MaxSize)
            return null;
        var (nonce, text, tag) = Parts(bytes);
        var plain = new byte[text.Length];
        using var aes = new AesGcm(await KeyAsync(cancellationToken), AesGcm.TagByteSizes.MaxSize);
        try
        {
            aes.Decrypt(nonce.Span, text.Span, tag.Span, plain, Purpose);
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
        return JsonSerializer.Deserialize<AskedSignIn>(plain);
    }

    private static (Memory<byte> Nonce, Memory<byte> Text, Memory<byte> Tag) Parts(Memory<byte> whole)
    {
        var (first, last) = (AesGcm.NonceByteSizes.MaxSize, whole.Length - AesGcm.TagByteSizes.MaxSize);
        return (whole[..first], whole[first..last], whole[last..]);
    }

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
