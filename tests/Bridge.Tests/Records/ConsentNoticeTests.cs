using System.Text.RegularExpressions;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Records;

public sealed partial class ConsentNoticeTests
{
    // What patients sign names these digests: a change of the text, be it one space, is another text and is meant to be seen here.
    [Theory]
    [InlineData("en", "XFCHFBKGp7JUBdMcmFYab_Ht3y-ZA-ywmTOUgX2z1y4")]
    [InlineData("zh-CN", "6rhpdYVysfHT0Rc83HL7Xkwg11AOrWBAkNTNLUz4sGQ")]
    public void Shipped_Text_IsTheOneThatConsentsName(string language, string digest)
    {
        var notice = ConsentNotice.Shipped.Single(candidate => candidate.Language == language);
        Assert.Equal(digest, notice.Digest.ToString());
        Assert.Equal(Digest.Of(notice.Text), notice.Digest);
        Assert.Same(notice, ConsentNotice.Of(notice.Digest));
        Assert.Null(ConsentNotice.Of(Digest.Of(notice.Text + " ")));
    }

    [Fact]
    public void Shipped_EveryLanguage_NamesEachPurposeOnceAndHasTheSameParts()
    {
        foreach (var notice in ConsentNotice.Shipped)
        {
            Assert.Equal(Purposes.All, PurposeLine().Matches(notice.Text).Select(match => match.Groups[1].Value));
            Assert.Equal(ConsentNotice.Shipped[0].Text.Split('\n').Select(Kind), notice.Text.Split('\n').Select(Kind));
            Assert.DoesNotContain('\r', notice.Text);
        }

        static string Kind(string line) => line.Length == 0 ? "" : line.StartsWith("## ", StringComparison.Ordinal) ? "section" : line.StartsWith("# ", StringComparison.Ordinal) ? "title" : line[0] == '[' ? "purpose" : "text";
    }

    [GeneratedRegex(@"^\[([^\]]+)\] \S", RegexOptions.Multiline)]
    private static partial Regex PurposeLine();
}
