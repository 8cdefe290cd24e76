using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.FlowTests.Fabric;

/// <summary>
/// Block files of a peer (blockfile_000000, …), read from disk while the peer runs: each block is a length as varint, then number, data hash, previous hash,
/// the transactions' envelopes and the metadata, lengths and counts as varints.
/// </summary>
internal static class FabricBlockFiles
{
    public static IReadOnlyList<(byte[] Bytes, CommittedBlock Block)> Read(string node, string channel)
    {
        var blocks = new List<(byte[], CommittedBlock)>();
        foreach (var file in Files(node, channel))
        {
            var bytes = ReadShared(file);
            var input = new CodedInputStream(bytes);
            // the peer may be writing the last one
            while (!input.IsAtEnd && (long)input.ReadUInt64() is var length and > 0 && input.Position + length <= bytes.Length)
            {
                var block = bytes.AsSpan((int)input.Position, (int)length).ToArray();
                blocks.Add((block, new CommittedBlock(ReadBlock(input))));
            }
        }

        return blocks;
    }

    /// <summary>The files themselves, in order.</summary>
    public static IEnumerable<string> Files(string node, string channel) => Directory
        .EnumerateFiles(node, "blockfile_*", SearchOption.AllDirectories)
        .Where(file => Path.GetFileName(Path.GetDirectoryName(file)) == channel)
        .Order(StringComparer.Ordinal);

    private static Block ReadBlock(CodedInputStream input)
    {
        var header = new BlockHeader { Number = input.ReadUInt64(), DataHash = input.ReadBytes(), PreviousHash = input.ReadBytes() };
        var block = new Block { Header = header, Data = new BlockData(), Metadata = new BlockMetadata() };
        for (var left = input.ReadUInt64(); left > 0; left--)
            block.Data.Data.Add(input.ReadBytes());
        for (var left = input.ReadUInt64(); left > 0; left--)
            block.Metadata.Metadata.Add(input.ReadBytes());
        return block;
    }

    private static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
