using System.Security.Cryptography;
using System.Text;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Xunit;

namespace Bridge.Tests.Ledger;

public class BlockFormatTests
{
    [Fact]
    public void HeaderHash_GoldenVector_StartsAndEndsAsPublished()
    {
        var header = new BlockHeader { DataHash = ByteString.CopyFrom(SHA256.HashData("genesis-data"u8)) };

        var hash = Convert.ToHexStringLower(BlockFormat.HeaderHash(header));

        Assert.StartsWith("39633d5e", hash);
        Assert.EndsWith("7e598", hash);
    }

    [Theory]
    [InlineData(0UL, "02" + "01" + "00")]
    [InlineData(127UL, "02" + "01" + "7f")]
    [InlineData(128UL, "02" + "02" + "0080")]
    [InlineData(ulong.MaxValue, "02" + "09" + "00ffffffffffffffff")]
    public void HeaderBytes_Number_IsMinimalUnsignedInteger(ulong number, string integer)
    {
        var header = new BlockHeader { Number = number, PreviousHash = ByteString.CopyFrom(0xaa), DataHash = ByteString.CopyFrom(0xbb) };

        var content = integer + "0401aa" + "0401bb";
        Assert.Equal("30" + (content.Length / 2).ToString("x2") + content, Convert.ToHexStringLower(BlockFormat.HeaderBytes(header)));
    }

    [Fact]
    public void DataHash_SeveralEnvelopes_IsHashOfTheirConcatenation()
    {
        var data = new BlockData { Data = { ByteString.CopyFromUtf8("one"), ByteString.CopyFromUtf8("two") } };

        Assert.Equal(SHA256.HashData("onetwo"u8), BlockFormat.DataHash(data));
    }

    [Fact]
    public void NewBlock_HasFiveEmptySlotsAndChecks()
    {
        var block = BlockFormat.NewBlock(7, [1, 2], [ByteString.CopyFromUtf8("one")]);

        Assert.Equal(5, block.Metadata.Metadata.Count);
        Assert.All(block.Metadata.Metadata, slot => Assert.True(slot.IsEmpty));
        Assert.Equal(BlockFault.None, BlockFormat.Check(block, [1, 2]));
        Assert.Equal(BlockFault.NotChained, BlockFormat.Check(block, [1, 3]));
        block.Data.Data[0] = ByteString.CopyFromUtf8("two");
        Assert.Equal(BlockFault.DataChanged, BlockFormat.Check(block, [1, 2]));
        block.Metadata.Metadata.RemoveAt(0);
        Assert.Equal(BlockFault.Incomplete, BlockFormat.Check(block, [1, 2]));
    }

    [Fact]
    public void SignedBytes_IsValueThenSignatureHeaderThenHeaderDer()
    {
        var header = new BlockHeader { Number = 1 };

        Assert.Equal(
            Encoding.ASCII.GetBytes("valuesigner").Concat(BlockFormat.HeaderBytes(header)),
            BlockFormat.SignedBytes("value"u8, "signer"u8, header));
    }

    [Fact]
    public void ValidationCodes_SetThenRead_AreTheSameAndShortFilterIsNotValidated()
    {
        var block = BlockFormat.NewBlock(1, [], [ByteString.Empty, ByteString.Empty]);
        Assert.Equal(TxValidationCode.NotValidated, BlockFormat.ValidationCode(block, 0));

        BlockFormat.SetValidationCodes(block, [TxValidationCode.Valid, TxValidationCode.MvccReadConflict]);

        Assert.Equal(TxValidationCode.Valid, BlockFormat.ValidationCode(block, 0));
        Assert.Equal(TxValidationCode.MvccReadConflict, BlockFormat.ValidationCode(block, 1));
        Assert.Equal("000b", Convert.ToHexStringLower(block.Metadata.Metadata[2].Span));
    }

    [Fact]
    public void CommitHash_LongFilter_PrefixesItsLengthAsVarint()
    {
        var filter = new byte[200];

        var expected = SHA256.HashData([0xc8, 0x01, .. filter, 9, 8]);

        Assert.Equal(expected, BlockFormat.CommitHash(filter, [9], [8]));
    }
}
