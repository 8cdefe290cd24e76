using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Bridge.Fhir.Extraction;

namespace Bridge.Fhir.Watching;

/// <summary>
/// How far a watch has come: a point in the server's time, and which versions at or after it were already delivered. A value: the
/// watcher hands out a new one with each batch, and the caller stores it in the same transaction as what the batch led to.
/// </summary>
public sealed class Cursor : IEquatable<Cursor>
{
    /// <summary>Most versions remembered; beyond it the oldest walk's are delivered again, which costs time and loses nothing.</summary>
    public const int MaxSeen = 65_536;

    private readonly ulong[] _seen;

    private Cursor(DateTimeOffset from, ulong[] sortedSeen) => (From, _seen) = (from, sortedSeen);

    /// <summary>The next walk asks for everything changed at or after this moment (server time, whole seconds).</summary>
    public DateTimeOffset From { get; }

    /// <summary>How many delivered versions it remembers.</summary>
    public int SeenCount => _seen.Length;

    /// <summary>A cursor that has seen nothing from this moment on.</summary>
    public static Cursor StartingAt(DateTimeOffset from) => new(WholeSecond(from), []);

    /// <summary>Whether this version of this encounter was already delivered.</summary>
    public bool HasSeen(string encounterId, string version) => Array.BinarySearch(_seen, Key(encounterId, version)) >= 0;

    /// <summary>The durable form: ASCII, without ids in clear. <c>1 from base64</c>; about 11 characters per remembered version.</summary>
    public override string ToString()
    {
        var bytes = new byte[_seen.Length * 8];
        for (var i = 0; i < _seen.Length; i++)
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(i * 8), _seen[i]);
        return string.Create(CultureInfo.InvariantCulture, $"1 {From:yyyy-MM-ddTHH:mm:ssZ} {Convert.ToBase64String(bytes)}");
    }

    /// <summary>Reads the durable form.</summary>
    /// <exception cref="FormatException">Not a cursor of a known version.</exception>
    public static Cursor Parse(string text)
    {
        var parts = text.Split(' ');
        if (parts.Length != 3 || parts[0] != "1"
            || !DateTimeOffset.TryParseExact(parts[1], "yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var from))
        {
            throw new FormatException("the stored watch cursor is not of a known form; delete it to start again from the configured moment");
        }
        var bytes = Convert.FromBase64String(parts[2]);
        if (bytes.Length % 8 != 0)
            throw new FormatException("the stored watch cursor is cut short; delete it to start again from the configured moment");
        var seen = new ulong[bytes.Length / 8];
        for (var i = 0; i < seen.Length; i++)
            seen[i] = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(i * 8));
        Array.Sort(seen);
        return new Cursor(from, seen);
    }

    /// <inheritdoc/>
    public bool Equals(Cursor? other) => other is not null && From == other.From && _seen.AsSpan().SequenceEqual(other._seen);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Cursor);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(From, _seen.Length, _seen.Length > 0 ? _seen[0] : 0);

    internal static DateTimeOffset WholeSecond(DateTimeOffset at)
    {
        var utc = at.UtcDateTime;
        return new DateTimeOffset(utc.Ticks - utc.Ticks % TimeSpan.TicksPerSecond, TimeSpan.Zero);
    }

    /// <summary>First 64 bits of SHA-256: the chance that a new version is taken for a seen one is 1 : 2^48 even at the bound.</summary>
    internal static ulong Key(string encounterId, string version)
    {
        Span<byte> digest = stackalloc byte[32];
        var most = Encoding.UTF8.GetMaxByteCount(encounterId.Length + 1 + version.Length);
        var text = most <= 512 ? stackalloc byte[512] : new byte[most];
        var length = Encoding.UTF8.GetBytes(encounterId, text);
        text[length++] = (byte)'\n';
        length += Encoding.UTF8.GetBytes(version, text[length..]);
        ShortDigest.Of(text[..length], digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }

    internal bool HasSeen(ulong key) => Array.BinarySearch(_seen, key) >= 0;

    internal static Cursor Of(DateTimeOffset from, IEnumerable<ulong> seen)
    {
        var sorted = seen.Take(MaxSeen).ToArray();
        Array.Sort(sorted);
        return new Cursor(WholeSecond(from), sorted);
    }

    /// <summary>The same moment with more versions delivered, none of them among those it has; beyond the bound they are left out.</summary>
    internal Cursor With(List<ulong> more)
    {
        more.Sort();
        var room = Math.Min(more.Count, MaxSeen - _seen.Length);
        if (room <= 0)
            return this;
        // both are in order: merged from behind, without sorting what is in order already
        var merged = new ulong[_seen.Length + room];
        for (int at = merged.Length - 1, old = _seen.Length - 1, fresh = room - 1; at >= 0; at--)
            merged[at] = fresh < 0 || (old >= 0 && _seen[old] > more[fresh]) ? _seen[old--] : more[fresh--];
        return new Cursor(From, merged);
    }
}
