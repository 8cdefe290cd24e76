using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Bridge.Ledger;

/// <summary>Where a private key lies in a PKCS#11 token, and what opens it.</summary>
/// <param name="Library">Path of the token's PKCS#11 library, such as <c>/usr/lib/softhsm/libsofthsm2.so</c>.</param>
/// <param name="Token">Label of the token.</param>
/// <param name="Key">Label (CKA_LABEL) of the private key; null where <paramref name="Id"/> tells it.</param>
/// <param name="Id">Id (CKA_ID) of the private key in hexadecimal; null where the label tells it.</param>
/// <param name="Pin">The user's PIN.</param>
public sealed record Pkcs11Location(string Library, string Token, string? Key, string? Id, string Pin)
{
    /// <summary>Signatures at once; more wait. Each takes a session of the token. Default 8.</summary>
    public int MaxSessions { get; init; } = 8;

    /// <summary>Without the PIN.</summary>
    public override string ToString() => $"key {Key ?? Id} of token {Token} ({Library})";
}

/// <summary>
/// An ECDSA P-256 private key that never leaves its PKCS#11 token (mechanism CKM_ECDSA on a SHA-256 digest). Safe for use by many threads at once. Where the token
/// was reset or drawn and put in again, its sessions are opened anew, once for each signature that found them gone.
/// </summary>
public sealed class Pkcs11Key : ECDsa
{
    private static readonly Pkcs11InteropFactories Factories = NewFactories();
    // PKCS#11 is initialised once for a whole process: whoever finalises a library ends the sessions of all others in it.
    private static readonly ConcurrentDictionary<string, Lazy<IPkcs11Library>> Libraries = new(StringComparer.Ordinal);
    private readonly Pkcs11Location location;
    private readonly ConcurrentBag<Opened> idle = [];
    private readonly SemaphoreSlim free;
    private readonly ECDsa publicKey;
    private int generation;

    private Pkcs11Key(Pkcs11Location location, ECDsa publicKey)
    {
        this.location = location;
        this.publicKey = publicKey;
        free = new SemaphoreSlim(location.MaxSessions);
        KeySizeValue = 256;
    }

    /// <summary>Opens the token and makes one signature, so that a wrong key shows here.</summary>
    /// <param name="location">Which key.</param>
    /// <param name="publicKey">The certificate's public key: what the token signs must verify with it. It is copied.</param>
    /// <exception cref="CryptographicException">The library, the token, the PIN or the key; the message says which and what to do.</exception>
    public static Pkcs11Key Open(Pkcs11Location location, ECDsa publicKey)
    {
        ArgumentNullException.ThrowIfNull(location);
        ArgumentNullException.ThrowIfNull(publicKey);
        if (location.Key is null && location.Id is null)
            throw new CryptographicException($"the token {location.Token} may hold several keys: give the key's label or id");
        if (publicKey.KeySize != 256)
            throw new CryptographicException($"the certificate's key has {publicKey.KeySize} bits: Fabric identities here are ECDSA P-256");
        var key = new Pkcs11Key(location, Create(publicKey.ExportParameters(includePrivateParameters: false)));
        try
        {
            var digest = RandomNumberGenerator.GetBytes(SHA256.HashSizeInBytes);
            if (!key.VerifyHash(digest, key.SignHash(digest)))
                throw new CryptographicException($"{location} is not the key of the certificate: name the one that it was issued for");
            return key;
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    /// <summary>r ‖ s (IEEE P1363), any S.</summary>
    /// <exception cref="CryptographicException">The token does not sign, after its sessions were opened anew too.</exception>
    public override byte[] SignHash(byte[] hash)
    {
        ArgumentNullException.ThrowIfNull(hash);
        free.Wait();
        try
        {
            var before = Volatile.Read(ref generation);
            try
            {
                return SignOnce(hash);
            }
            catch (Pkcs11Exception exception) when (IsSessionLost(exception.RV))
            {
                Interlocked.CompareExchange(ref generation, before + 1, before);
                return SignOnce(hash);
            }
        }
        catch (Pkcs11Exception exception)
        {
            throw Failure(exception);
        }
        finally
        {
            free.Release();
        }
    }

    /// <inheritdoc/>
    public override bool VerifyHash(byte[] hash, byte[] signature) => publicKey.VerifyHash(hash, signature);

    /// <summary>The public key.</summary>
    /// <exception cref="CryptographicException">The private one is asked for.</exception>
    public override ECParameters ExportParameters(bool includePrivateParameters) => includePrivateParameters
        ? throw new CryptographicException($"the {location} does not leave its token")
        : publicKey.ExportParameters(includePrivateParameters: false);

    /// <inheritdoc/>
    public override ECParameters ExportExplicitParameters(bool includePrivateParameters) => includePrivateParameters
        ? throw new CryptographicException($"the {location} does not leave its token")
        : publicKey.ExportExplicitParameters(includePrivateParameters: false);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            while (idle.TryTake(out var opened))
                opened.Close();
            publicKey.Dispose();
            free.Dispose();
        }

        base.Dispose(disposing);
    }

    private byte[] SignOnce(byte[] hash)
    {
        var opened = Take();
        try
        {
            using var mechanism = Factories.MechanismFactory.Create(CKM.CKM_ECDSA);
            var signature = opened.Session.Sign(mechanism, opened.Key, hash);
            if (signature.Length != 64)
                throw new CryptographicException($"{location} gave a signature of {signature.Length} bytes: an ECDSA P-256 key is needed");
            idle.Add(opened);
            return signature;
        }
        catch
        {
            opened.Close();
            throw;
        }
    }

    // sessions of an earlier generation died with it
    private Opened Take()
    {
        var current = Volatile.Read(ref generation);
        while (idle.TryTake(out var opened))
        {
            if (opened.Generation == current)
                return opened;
            opened.Close();
        }

        return OpenSession(current);
    }

    private Opened OpenSession(int current)
    {
        var library = Load(location.Library);
        var slot = library.GetSlotList(SlotsType.WithTokenPresent).FirstOrDefault(one => one.GetTokenInfo().Label.TrimEnd() == location.Token)
            ?? throw new CryptographicException($"no slot of {location.Library} holds a token labelled '{location.Token}': put it in, or correct the label");
        var session = slot.OpenSession(SessionType.ReadOnly);
        try
        {
            try
            {
                session.Login(CKU.CKU_USER, location.Pin);
            }
            catch (Pkcs11Exception exception) when (exception.RV == CKR.CKR_USER_ALREADY_LOGGED_IN)
            {
                // logging in counts for all of a process's sessions with the token
            }

            return new Opened(session, FindKey(session), current);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private IObjectHandle FindKey(ISession session)
    {
        var wanted = new List<IObjectAttribute>
        {
            Factories.ObjectAttributeFactory.Create(CKA.CKA_CLASS, CKO.CKO_PRIVATE_KEY),
            Factories.ObjectAttributeFactory.Create(CKA.CKA_KEY_TYPE, CKK.CKK_EC),
        };
        if (location.Key is not null)
            wanted.Add(Factories.ObjectAttributeFactory.Create(CKA.CKA_LABEL, location.Key));
        if (location.Id is not null)
            wanted.Add(Factories.ObjectAttributeFactory.Create(CKA.CKA_ID, Convert.FromHexString(location.Id)));
        try
        {
            var found = session.FindAllObjects(wanted);
            return found.Count == 1
                ? found[0]
                : throw new CryptographicException($"there are {found.Count} EC private keys that fit {location}: one is needed");
        }
        finally
        {
            wanted.ForEach(attribute => attribute.Dispose());
        }
    }

    // The package asks for libdl, whose plain name stands only where C's headers are installed; glibc since 2.34 and musl hold its functions themselves.
    private static Pkcs11InteropFactories NewFactories()
    {
        if (OperatingSystem.IsLinux())
        {
            NativeLibrary.SetDllImportResolver(typeof(Pkcs11InteropFactories).Assembly, static (name, assembly, _) =>
                name == "libdl" && (NativeLibrary.TryLoad("libdl.so.2", out var found) || NativeLibrary.TryLoad("libc", assembly, null, out found)) ? found : 0);
        }

        return new Pkcs11InteropFactories();
    }

    private static IPkcs11Library Load(string path)
    {
        var loading = Libraries.GetOrAdd(path, static file => new Lazy<IPkcs11Library>(
            () => Factories.Pkcs11LibraryFactory.LoadPkcs11Library(Factories, file, AppType.MultiThreaded)));
        try
        {
            return loading.Value;
        }
        catch (Exception exception) when (exception is not CryptographicException)
        {
            Libraries.TryRemove(new KeyValuePair<string, Lazy<IPkcs11Library>>(path, loading));
            throw new CryptographicException($"the PKCS#11 library {path} cannot be loaded ({exception.Message}): correct the path", exception);
        }
    }

    private static bool IsSessionLost(CKR code) => code
        is CKR.CKR_SESSION_HANDLE_INVALID or CKR.CKR_SESSION_CLOSED or CKR.CKR_KEY_HANDLE_INVALID or CKR.CKR_OBJECT_HANDLE_INVALID
        or CKR.CKR_USER_NOT_LOGGED_IN or CKR.CKR_DEVICE_REMOVED or CKR.CKR_DEVICE_ERROR or CKR.CKR_TOKEN_NOT_PRESENT;

    private CryptographicException Failure(Pkcs11Exception exception) => new(
        exception.RV switch
        {
            CKR.CKR_PIN_INCORRECT or CKR.CKR_PIN_INVALID or CKR.CKR_PIN_LEN_RANGE => $"the PIN of token '{location.Token}' is wrong: correct it before the token locks itself",
            CKR.CKR_PIN_LOCKED => $"token '{location.Token}' is locked after too many wrong PINs: its security officer must unlock it",
            CKR.CKR_PIN_EXPIRED => $"the PIN of token '{location.Token}' has expired: set a new one",
            _ => $"{location} does not sign: {exception.Method} returned {exception.RV}",
        },
        exception);

    private sealed record Opened(ISession Session, IObjectHandle Key, int Generation)
    {
        public void Close()
        {
            try
            {
                Session.Dispose();
            }
            catch (Pkcs11Exception)
            {
                // a session that is gone already needs no closing
            }
        }
    }
}
