using System.Buffers.Binary;
using System.Text;

namespace Bridge.FlowTests.WebConsole;

/// <summary>A picture of the README together with what it shows: the texts stand in the PNG itself (chunk <c>tEXt</c>, keyword <c>Shows</c>), so that neither is kept without the other.</summary>
internal static class Picture
{
    private const string Keyword = "Shows";
    private const int Signature = 8;

    /// <summary>The PNG with the keys of the texts that it shows.</summary>
    public static byte[] With(byte[] png, IEnumerable<string> keys)
    {
        var data = Encoding.ASCII.GetBytes($"{Keyword}\0{string.Join(' ', keys)}");
        var chunk = new byte[12 + data.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        "tEXt"u8.CopyTo(chunk.AsSpan(4));
        data.CopyTo(chunk.AsSpan(8));
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + data.Length), Crc(chunk.AsSpan(4, 4 + data.Length)));
        // Behind the header chunk, which comes first.
        var behind = Signature + 12 + BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(Signature));
        return [.. png.AsSpan(0, behind), .. chunk, .. png.AsSpan(behind)];
    }

    /// <summary>The keys of the texts that a PNG shows; empty where it does not say.</summary>
    public static IReadOnlyList<string> Shown(byte[] png)
    {
        for (var at = Signature; at + 12 <= png.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));
            if (png.AsSpan(at + 4, 4).SequenceEqual("tEXt"u8) && Encoding.ASCII.GetString(png, at + 8, length).Split('\0') is [Keyword, var keys])
                return keys.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            at += 12 + length;
        }
        return [];
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }
        return ~crc;
    }
}
