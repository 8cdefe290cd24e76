using System.Text;
using Bridge.Fhir.Client;
using Xunit;

namespace Bridge.Tests.Fhir.Client;

public class JsonBlocksTests
{
    [Fact]
    public void SkipContainer_AnyNestingStringsAndEscapes_EndsWhereAParserDoes()
    {
        var random = new Random(20260301);
        for (var round = 0; round < 3000; round++)
        {
            var json = new StringBuilder(new string(' ', random.Next(70)));
            var start = json.Length;
            Value(json, random, 0, container: true);
            var end = Encoding.UTF8.GetByteCount(json.ToString());
            var bytes = Encoding.UTF8.GetBytes(json.Append("]}\"{ tail").ToString());

            Assert.Equal(end, JsonBlocks.SkipContainer(bytes, start));
            Assert.Equal(-1, JsonBlocks.SkipContainer(bytes.AsSpan(0, end - 1), start));
        }
    }

    [Theory]
    [InlineData(64, false)]
    [InlineData(65, true)]
    [InlineData(10_000, true)]
    public void DeeperThan_Nesting_IsCountedOutsideOfStrings(int depth, bool expected)
    {
        var json = Encoding.UTF8.GetBytes("""{"text":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{{{{{","a":""" + new string('[', depth - 1) + new string(']', depth - 1) + "}");

        Assert.Equal(expected, JsonBlocks.DeeperThan(json, 64));
    }

    private static void Value(StringBuilder json, Random random, int depth, bool container = false)
    {
        switch (container || depth == 0 ? random.Next(2) : random.Next(depth > 6 ? 2 : 0, 5))
        {
            case 0 when !container && depth > 6:
            case 2:
                json.Append('"');
                for (var i = random.Next(90); i > 0; i--)
                    json.Append(random.Next(12) switch { 0 => "\\\"", 1 => "\\\\", 2 => "{", 3 => "]", 4 => "\\\\\\\"", 5 => "ü", _ => "x" });
                json.Append('"');
                break;
            case 0:
                json.Append('{');
                for (var i = random.Next(4); i > 0; i--)
                {
                    json.Append("\"k\\\"[\": ");
                    Value(json, random, depth + 1);
                    json.Append(i > 1 ? "," : "");
                }
                json.Append('}');
                break;
            case 1:
                json.Append('[');
                for (var i = random.Next(4); i > 0; i--)
                {
                    Value(json, random, depth + 1);
                    json.Append(i > 1 ? " ,\n" : "");
                }
                json.Append(']');
                break;
            default:
                json.Append(random.Next(2) == 0 ? "-12.5e3" : "null");
                break;
        }
    }
}
