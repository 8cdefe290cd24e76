using Bridge.Fhir.Client;
using Xunit;

namespace Bridge.Tests.Fhir.Client;

public class FhirReferenceTests
{
    [Theory]
    [InlineData("Patient/1", ReferenceForm.Relative, "Patient", "1")]
    [InlineData("Patient/1/_history/3", ReferenceForm.Relative, "Patient", "1")]
    [InlineData("https://x.org/fhir/Patient/1", ReferenceForm.Absolute, "Patient", "1")]
    [InlineData("https://x.org/fhir/Patient/1/_history/a.b", ReferenceForm.Absolute, "Patient", "1")]
    [InlineData("#dr", ReferenceForm.Contained, null, "dr")]
    [InlineData("urn:uuid:7a-b", ReferenceForm.Urn, null, null)]
    [InlineData("Practitioner?identifier=http://npi|9", ReferenceForm.Conditional, "Practitioner", null)]
    [InlineData("", ReferenceForm.None, null, null)]
    [InlineData("#", ReferenceForm.None, null, null)]
    [InlineData("Dr Smith", ReferenceForm.None, null, null)]
    [InlineData("Patient/", ReferenceForm.None, null, null)]
    [InlineData("/1", ReferenceForm.None, null, null)]
    [InlineData("a/b/Patient/1", ReferenceForm.None, null, null)]
    [InlineData("Patient/1?x=y", ReferenceForm.None, null, null)]
    [InlineData("Practitioner?name=Smith", ReferenceForm.None, null, null)]
    [InlineData("../../etc/passwd", ReferenceForm.None, null, null)]
    public void Parse_AnyForm_IsTakenApart(string text, ReferenceForm form, string? type, string? id)
    {
        var reference = FhirReference.Parse(text);

        Assert.Equal((form, type, id), (reference.Form, reference.Type, reference.Id));
    }

    [Fact]
    public void Parse_Conditional_GivesSystemAndValue()
    {
        Assert.Equal(("http://npi", "9|8"), (FhirReference.Parse("Practitioner?identifier=http%3A%2F%2Fnpi%7C9|8").Identifier!.System, FhirReference.Parse("Practitioner?identifier=http%3A%2F%2Fnpi%7C9|8").Identifier!.Value));
        Assert.Equal((null, "9"), (FhirReference.Parse("Practitioner?identifier=9").Identifier!.System, FhirReference.Parse("Practitioner?identifier=9").Identifier!.Value));
    }
}
