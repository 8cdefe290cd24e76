using Bridge.Fhir.Extraction;
using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Watching;

/// <summary>What extraction works with.</summary>
/// <param name="Terminology"><c>Extraction:Terminology</c>: folder with the code hierarchy, the map, the statistics office's count table and, optionally, an edited
/// list of sensitive codes.</param>
/// <param name="MinimumPeople"><c>Extraction:MinimumPeople</c>: k of the rarity filter. Default 5.</param>
internal sealed record ExtractionSettings(Terminology Terminology, int MinimumPeople)
{
    /// <summary>Reads encounters with these tables.</summary>
    public SummaryExtractor Extractor(ReadyOptions ready) => new(new Minimiser(Terminology, new MinimiserOptions { K = MinimumPeople }), new ExtractionOptions { Ready = ready });

    public static ExtractionSettings Read(ConfigurationReader reader)
    {
        const string cure = "a folder with icd10-hierarchy.tsv, snomed-to-icd10cm.tsv and people-counts.tsv (each may end in .gz); fhir-samples/maps is a sample";
        var terminology = new Terminology();
        var folder = reader.Raw("Extraction:Terminology");
        if (folder is null)
            reader.Fault("Extraction:Terminology", null, cure);
        else
            try
            {
                terminology = Terminology.LoadFolder(Path.GetFullPath(folder, reader.BaseDirectory));
            }
            catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
            {
                reader.Fault("Extraction:Terminology", folder, $"{e.Message}; {cure}");
            }
        return new ExtractionSettings(terminology, reader.Number("Extraction:MinimumPeople", 5, 1, 1_000_000));
    }
}
