using System.Text;
using Bridge.Hospital.Enrolment;
using Xunit;

namespace Bridge.Tests.Hospital;

public sealed class FoundPatientTests
{
    [Theory]
    [InlineData("""{"name":[{"use":"nickname","text":"Nick"},{"use":"official","family":"Quill","given":["Ada","May"]}]}""", "Ada May Quill")]
    [InlineData("""{"name":[{"text":"王 小明"}]}""", "王 小明")]
    [InlineData("""{"name":[{"family":"王","given":["小明"]}]}""", "王小明")]
    [InlineData("""{"name":[{"family":"欧阳","given":["修"]},{"use":"official","family":"Ouyang","given":["Xiu"]}]}""", "Xiu Ouyang")]
    [InlineData("""{"name":[{"use":"official"},{"family":"Only"}]}""", "Only")]
    [InlineData("""{"name":[{"given":[7,null,"Ada"],"family":{"x":1}}]}""", "Ada")]
    [InlineData("""{"name":"Ada"}""", null)]
    [InlineData("""{"name":[[],3,null]}""", null)]
    public void Read_NameInAnyForm_GivesTheOneOnTheCard(string members, string? name) => Assert.Equal(name, Read(members)!.Name);

    [Theory]
    [InlineData("""{"active":false}""", false)]
    [InlineData("""{"link":[{"type":"replaced-by","other":{"reference":"Patient/2"}}]}""", false)]
    [InlineData("""{"link":[{"type":"replaces","other":{"reference":"Patient/2"}}]}""", true)]
    [InlineData("""{"link":[7]}""", true)]
    public void Read_RecordThatWasReplaced_IsNotInUse(string members, bool inUse) => Assert.Equal(inUse, Read(members)!.InUse);

    [Fact]
    public void Read_NoPatientOrBrokenText_GivesNothing()
    {
        foreach (var text in new[] { "", "{", "[]", "7", """{"resourceType":"Group","id":"1"}""", """{"resourceType":"Patient"}""" })
            Assert.Null(FoundPatient.Read(Encoding.UTF8.GetBytes(text)));
        Assert.Equal(3, Read("""{"identifier":[{"value":"1"},{"value":"1"},{"value":"2"},{},{"value":"3"},{"value":"4"}]}""")!.Identifiers.Count);
    }

    private static FoundPatient? Read(string members) => FoundPatient.Read(Encoding.UTF8.GetBytes($$"""{"resourceType":"Patient","id":"p1",{{members[1..]}}"""));
}
