using Bridge.Fhir.Watching;
using Xunit;

namespace Bridge.Tests.Fhir.Watching;

public class CursorTests
{
    [Fact]
    public void ToString_AndBack_KeepsEverythingAndShowsNoId()
    {
        var cursor = Cursor.Of(new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.FromHours(8)), [Cursor.Key("enc-canary", "1"), Cursor.Key("b", "2")]);

        var back = Cursor.Parse(cursor.ToString());

        Assert.Equal(cursor, back);
        Assert.Equal("1 2026-01-01T19:04:05Z", cursor.ToString()[..22]);
        Assert.True(back.HasSeen("enc-canary", "1"));
        Assert.False(back.HasSeen("enc-canary", "2"));
        Assert.DoesNotContain("canary", cursor.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("2 2026-01-01T19:04:05Z ")]
    [InlineData("1 yesterday ")]
    [InlineData("1 2026-01-01T19:04:05Z AAAA")]
    public void Parse_OtherText_SaysWhatToDo(string text) => Assert.Contains("delete it", Assert.Throws<FormatException>(() => Cursor.Parse(text)).Message);

    [Fact]
    public void Of_MoreThanTheBound_IsBounded() => Assert.Equal(Cursor.MaxSeen, Cursor.Of(default, Enumerable.Range(0, Cursor.MaxSeen + 10).Select(i => (ulong)i)).SeenCount);
}
