using System.Text;
using Bridge.Fhir.Extraction;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Fhir.Extraction;

/// <summary>What identifies a person does not leave under a code's name.</summary>
public class CodeFormsTests
{
    [Theory]
    [InlineData(CodeSystems.Snomed, "19631204")] // a birth date
    [InlineData(CodeSystems.Snomed, "04121963")]
    [InlineData(CodeSystems.Snomed, "5551234567")] // a telephone number
    [InlineData(CodeSystems.Snomed, "943476123")] // a record number
    [InlineData(CodeSystems.Snomed, "38341004")] // a mistyped concept
    [InlineData(CodeSystems.Snomed, "2884441016")] // a description, no concept
    [InlineData(CodeSystems.RxNorm, "19631204")]
    [InlineData(CodeSystems.RxNorm, "0860975")]
    [InlineData(CodeSystems.Icd10Pcs, "MUELLER")]
    [InlineData(CodeSystems.Icd10Pcs, "CHANDRA")]
    [InlineData(CodeSystems.Icd10Pcs, "GARDNER")]
    [InlineData(CodeSystems.Icd10Pcs, "5551234")]
    [InlineData(CodeSystems.Icd10Pcs, "0DTJ4IO")]
    [InlineData(CodeSystems.Icd9Cm, "19631204")]
    [InlineData(CodeSystems.Icd9Cm, "196312")]
    [InlineData(CodeSystems.Icd9Cm, "19.631204")]
    [InlineData(CodeSystems.Icd9Cm, "36.Li")]
    [InlineData(CodeSystems.Icd10, "B19631204")]
    [InlineData(CodeSystems.Icd10Cm, "Q99.12345678")]
    [InlineData(CodeSystems.Icd10Cn, "E11.19631204")]
    [InlineData(CodeSystems.Icd10Cn, "E11.9x00001")]
    [InlineData(CodeSystems.Icd10Cm, "E11.smit")]
    [InlineData(CodeSystems.Icd10Cm, "E11.")]
    public void Of_NumberOrNameOfAPerson_IsNull(string system, string code) =>
        Assert.Equal(code == "E11." ? "E11" : null, CodeForms.Of(system, Encoding.UTF8.GetBytes(code)));

    [Theory]
    [InlineData(CodeSystems.Snomed, "38341003", "38341003")]
    [InlineData(CodeSystems.Snomed, "10509002", "10509002")]
    [InlineData(CodeSystems.Snomed, "840539006", "840539006")]
    [InlineData(CodeSystems.Snomed, "449868002", "449868002")]
    [InlineData(CodeSystems.Snomed, "67811000119102", "67811000119102")]
    [InlineData(CodeSystems.RxNorm, "1000126", "1000126")]
    [InlineData(CodeSystems.Icd10Pcs, "0dtj4zz", "0DTJ4ZZ")]
    [InlineData(CodeSystems.Icd10Pcs, "GZFZZZZ", "GZFZZZZ")]
    [InlineData(CodeSystems.Icd10Pcs, "XW033E5", "XW033E5")]
    [InlineData(CodeSystems.Icd9Cm, "3606", "3606")]
    [InlineData(CodeSystems.Icd9Cm, "36.06", "36.06")]
    [InlineData(CodeSystems.Icd9Cm, "36.0601", "36.0601")]
    [InlineData(CodeSystems.Icd9Cm, "36.06x005", "36.06x005")]
    [InlineData(CodeSystems.Icd9Cm, "36.0700x004", "36.0700x004")]
    [InlineData(CodeSystems.Icd10Cm, "s72001a", "S72.001A")]
    [InlineData(CodeSystems.Icd10Cm, "T50.B96A", "T50.B96A")]
    [InlineData(CodeSystems.Icd10Cm, "V97.33XD", "V97.33XD")]
    [InlineData(CodeSystems.Icd10Cn, "E11.900X001", "E11.900x001")]
    [InlineData(CodeSystems.Icd10Cn, "I25.10xx002", "I25.10xx002")]
    [InlineData(CodeSystems.Icd10Cn, "I10.x00x002", "I10.x00x002")]
    public void Of_CodeOfARelease_IsItsUsualForm(string system, string code, string expected) => Assert.Equal(expected, CodeForms.Of(system, Encoding.UTF8.GetBytes(code)));
}
