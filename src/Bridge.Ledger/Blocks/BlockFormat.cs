using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;
using Google.Protobuf;

namespace Bridge.Ledger.Protocol;

/// <summary>The one block format: how Fabric hashes, chains and signs blocks, bit for bit.</summary>
public static class BlockFormat
{
    /// <summary>The number of metadata slots that every block has, used or empty.</summary>
    public const int MetadataSlots = 5;

    /// <summary>
    /// The DER bytes that are hashed and signed for a header: SEQUENCE { INTEGER number, OCTET STRING previous hash,
    /// OCTET STRING data hash }. The header's own protobuf bytes are never hashed.
    /// </summary>
    public static byte[] HeaderBytes(BlockHeader header)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(new BigInteger(header.Number));
            writer.WriteOctetString(header.PreviousHash.Span);
            writer.WriteOctetString(header.DataHash.Span);
        }

        return writer.Encode();
    }

    /// <summary>SHA-256 of <see cref="HeaderBytes"/>: what the next block carries as its previous hash.</summary>
    public static byte[] HeaderHash(BlockHeader header) => SHA256.HashData(HeaderBytes(header));

    /// <summary>SHA-256 of the envelopes' bytes, one after the other.</summary>
    public static byte[] DataHash(BlockData data)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var envelope in data.Data)
            hash.AppendData(envelope.Span);
        return hash.GetHashAndReset();
    }

    /// <summary>A block with its header filled and <see cref="MetadataSlots"/> empty metadata slots.</summary>
    public static Block NewBlock(ulong number, ReadOnlySpan<byte> previousHash, IEnumerable<ByteString> envelopes)
    {
        var data = new BlockData();
        data.Data.AddRange(envelopes);
        var metadata = new BlockMetadata();
        for (var slot = 0; slot < MetadataSlots; slot++)
            metadata.Metadata.Add(ByteString.Empty);
        return new Block
        {
            Header = new BlockHeader
            {
                Number = number,
                PreviousHash = ByteString.CopyFrom(previousHash),
                DataHash = UnsafeByteOperations.UnsafeWrap(DataHash(data)),
            },
            Data = data,
            Metadata = metadata,
        };
    }

    /// <summary>The bytes under a block signature: the SIGNATURES slot's value, the signer's signature header, the header's DER bytes.</summary>
    public static byte[] SignedBytes(ReadOnlySpan<byte> metadataValue, ReadOnlySpan<byte> signatureHeader, BlockHeader header)
    {
        var headerBytes = HeaderBytes(header);
        var signed = new byte[metadataValue.Length + signatureHeader.Length + headerBytes.Length];
        metadataValue.CopyTo(signed);
        signatureHeader.CopyTo(signed.AsSpan(metadataValue.Length));
        headerBytes.CopyTo(signed, metadataValue.Length + signatureHeader.Length);
        return signed;
    }

    /// <summary>The value of the SIGNATURES slot: which block holds the channel's configuration, and what the consenters add.</summary>
    public static byte[] SignaturesValue(ulong lastConfig, ReadOnlySpan<byte> consenterMetadata) =>
        new OrdererBlockMetadata
        {
            LastConfig = new LastConfig { Index = lastConfig },
            ConsenterMetadata = ByteString.CopyFrom(consenterMetadata),
        }.ToByteArray();

    /// <summary>
    /// Fills the SIGNATURES slot, and the LAST_CONFIG slot that older readers look at.
    /// </summary>
    /// <param name="block">Changed in place.</param>
    /// <param name="lastConfig">Number of the block that holds the channel's configuration.</param>
    /// <param name="value">What <see cref="SignaturesValue"/> gave, and the signatures were made over.</param>
    /// <param name="signatures">One for each signer.</param>
    public static void SetSignatures(Block block, ulong lastConfig, ReadOnlySpan<byte> value, IEnumerable<MetadataSignature> signatures)
    {
        var metadata = new Metadata { Value = ByteString.CopyFrom(value) };
        metadata.Signatures.AddRange(signatures);
        block.Metadata.Metadata[(int)BlockMetadataIndex.Signatures] = metadata.ToByteString();
        block.Metadata.Metadata[(int)BlockMetadataIndex.LastConfig] =
            new Metadata { Value = new LastConfig { Index = lastConfig }.ToByteString() }.ToByteString();
    }

    /// <summary>Fills the TRANSACTIONS_FILTER slot: one byte for each transaction, in the block's order.</summary>
    public static void SetValidationCodes(Block block, ReadOnlySpan<TxValidationCode> codes)
    {
        var filter = new byte[codes.Length];
        for (var i = 0; i < codes.Length; i++)
            filter[i] = (byte)codes[i];
        block.Metadata.Metadata[(int)BlockMetadataIndex.TransactionsFilter] = UnsafeByteOperations.UnsafeWrap(filter);
    }

    /// <summary>What the committing peer found of the transaction at this place; NOT_VALIDATED where the slot is too short.</summary>
    public static TxValidationCode ValidationCode(Block block, int transaction)
    {
        var slots = block.Metadata?.Metadata;
        if (slots is null || slots.Count <= (int)BlockMetadataIndex.TransactionsFilter)
            return TxValidationCode.NotValidated;
        var filter = slots[(int)BlockMetadataIndex.TransactionsFilter].Span;
        return transaction < filter.Length ? (TxValidationCode)filter[transaction] : TxValidationCode.NotValidated;
    }

    /// <summary>
    /// The running hash over what was committed: SHA-256 of varint(length of the filter), filter, state updates, previous commit hash.
    /// </summary>
    /// <param name="validationCodes">The TRANSACTIONS_FILTER slot.</param>
    /// <param name="stateUpdates">The committer's own deterministic bytes of the block's state updates.</param>
    /// <param name="previous">The commit hash of the block before; empty for the first.</param>
    public static byte[] CommitHash(ReadOnlySpan<byte> validationCodes, ReadOnlySpan<byte> stateUpdates, ReadOnlySpan<byte> previous)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> varint = stackalloc byte[10];
        var length = 0;
        for (var rest = (ulong)validationCodes.Length; ; rest >>= 7)
        {
            varint[length++] = (byte)(rest >= 0x80 ? rest | 0x80 : rest);
            if (rest < 0x80)
                break;
        }

        hash.AppendData(varint[..length]);
        hash.AppendData(validationCodes);
        hash.AppendData(stateUpdates);
        hash.AppendData(previous);
        return hash.GetHashAndReset();
    }

    /// <summary>Whether a block's data matches its header and the header follows the block before.</summary>
    /// <param name="block">The block to check.</param>
    /// <param name="previousHeaderHash"><see cref="HeaderHash"/> of the block before; empty for block 0.</param>
    public static BlockFault Check(Block block, ReadOnlySpan<byte> previousHeaderHash)
    {
        if (block.Header is null || block.Data is null || block.Metadata is null || block.Metadata.Metadata.Count != MetadataSlots)
            return BlockFault.Incomplete;
        if (!block.Header.PreviousHash.Span.SequenceEqual(previousHeaderHash))
            return BlockFault.NotChained;
        return block.Header.DataHash.Span.SequenceEqual(DataHash(block.Data)) ? BlockFault.None : BlockFault.DataChanged;
    }
}

/// <summary>What is wrong with a block on its own and against the one before it.</summary>
public enum BlockFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A part is missing, or the metadata does not have its five slots.</summary>
    Incomplete,

    /// <summary>The previous hash is not the header hash of the block before.</summary>
    NotChained,

    /// <summary>The data does not hash to what the header says.</summary>
    DataChanged,
}
