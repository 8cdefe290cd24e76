using System.Text;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Records;

public sealed class CanonicalJsonTests
{
    // RFC 8785 appendix B
    [Theory]
    [InlineData(0x0000000000000000, "0")]
    [InlineData(unchecked((long)0x8000000000000000), "0")]
    [InlineData(0x0000000000000001, "5e-324")]
    [InlineData(unchecked((long)0x8000000000000001), "-5e-324")]
    [InlineData(0x7fefffffffffffff, "1.7976931348623157e+308")]
    [InlineData(unchecked((long)0xffefffffffffffff), "-1.7976931348623157e+308")]
    [InlineData(0x4340000000000000, "9007199254740992")]
    [InlineData(unchecked((long)0xc340000000000000), "-9007199254740992")]
    [InlineData(0x4430000000000000, "295147905179352830000")]
    [InlineData(0x44b52d02c7e14af5, "9.999999999999997e+22")]
    [InlineData(0x44b52d02c7e14af6, "1e+23")]
    [InlineData(0x44b52d02c7e14af7, "1.0000000000000001e+23")]
    [InlineData(0x444b1ae4d6e2ef4e, "999999999999999700000")]
    [InlineData(0x444b1ae4d6e2ef4f, "999999999999999900000")]
    [InlineData(0x444b1ae4d6e2ef50, "1e+21")]
    [InlineData(0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7")]
    [InlineData(0x3eb0c6f7a0b5ed8d, "0.000001")]
    [InlineData(0x41b3de4355555553, "333333333.3333332")]
    [InlineData(0x41b3de4355555554, "333333333.33333325")]
    [InlineData(0x41b3de4355555555, "333333333.3333333")]
    [InlineData(0x41b3de4355555556, "333333333.3333334")]
    [InlineData(0x41b3de4355555557, "333333333.33333343")]
    [InlineData(unchecked((long)0xbecbf647612f3696), "-0.0000033333333333333333")]
    [InlineData(0x43143ff3c1cb0959, "1424953923781206.2")]
    public void Canonicalise_NumberOfRfc8785AppendixB_IsWrittenAsThere(long bits, string expected)
    {
        var text = BitConverter.Int64BitsToDouble(bits).ToString("R", System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(expected, Text(text));
    }

    // RFC 8785 §3.2.2 and §3.2.3
    [Fact]
    public void Canonicalise_ExampleOfRfc8785_IsWrittenAsThere()
    {
        const string Input = """
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """;
        Assert.Equal("""{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}""", Text(Input));
        Assert.Equal(
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
            Text("""{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"""));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{}{}")]
    [InlineData("{\"a\":1,}")]
    [InlineData("{\"a\":01}")]
    [InlineData("{\"a\":1e400}")]
    [InlineData("{\"a\":NaN}")]
    [InlineData("/**/{}")]
    [InlineData("\ufeff{}")]
    [InlineData("\"\\ud83d\"")]
    [InlineData("\"\\ude00\\ud83d\"")]
    [InlineData("\"\\ud83dx\"")]
    [InlineData("{\"\\udead\":1}")]
    [InlineData("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]")]
    public void Parse_NotStrictJson_IsMalformed(string text) =>
        Assert.Equal(JsonFault.Malformed, StrictJson.Parse(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData("{\"a\":1,\"a\":2}")]
    [InlineData("{\"a\":1,\"\\u0061\":2}")]
    [InlineData("{\"x\":[{\"b\":{},\"b\":{}}]}")]
    public void Parse_MemberTwice_IsDuplicateMember(string text) =>
        Assert.Equal(JsonFault.DuplicateMember, StrictJson.Parse(Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void Parse_MemberTwiceAndMalformedLater_IsMalformed() =>
        Assert.Equal(JsonFault.Malformed, StrictJson.Parse("{\"a\":1,\"a\":2"u8.ToArray(), out _));

    [Fact]
    public void Parse_SixteenDeepAndSurrogatePairs_IsRead()
    {
        Assert.Equal(JsonFault.None, StrictJson.Parse("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"u8.ToArray(), out var deep));
        deep!.Dispose();
        Assert.Equal("\"😀\\\\ud83d\"", Text("\"\\ud83D\\uDE00\\\\ud83d\""));
    }

    private static string Text(string json) => Encoding.UTF8.GetString(CanonicalJson.Canonicalise(Encoding.UTF8.GetBytes(json)));
}
