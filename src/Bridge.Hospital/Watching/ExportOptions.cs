using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Watching;

/// <summary>Bulk export of the FHIR server.</summary>
/// <param name="Path">What is exported, by <c>Watching:Export:Level</c>: <c>Patient/$export</c>, <c>Group/…/$export</c> or <c>$export</c>.</param>
/// <param name="Interval"><c>Watching:Export:Interval</c>: from the end of one export to the next. Default 24 h; servers allow few.</param>
internal sealed record ExportOptions(string Path, TimeSpan Interval)
{
    private const string Section = "Watching:Export";

    /// <summary>Null where none is wanted.</summary>
    public static ExportOptions? Read(ConfigurationReader reader, bool required)
    {
        var level = reader.OneOf($"{Section}:Level", "None", ["None", "Patient", "Group", "System"]);
        var group = reader.Raw($"{Section}:Group");
        if (level == "Group" && (group is null || !Fhir.Client.FhirReference.IsId(group)))
            reader.Fault($"{Section}:Group", group, "the FHIR id of the Group that the server's operators made for the bridge");
        if (level != "Group" && group is not null)
            reader.Fault($"{Section}:Group", group, $"only with {Section}:Level Group");
        if (required && level == "None")
            reader.Fault($"{Section}:Level", null, "with Watching:Strategy BulkExport: Group (with Watching:Export:Group), Patient or System, whichever the server exports");
        var interval = reader.Duration($"{Section}:Interval", TimeSpan.FromHours(24), TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(30));
        return level switch
        {
            "Patient" => new ExportOptions("Patient/$export", interval),
            "Group" => new ExportOptions($"Group/{group}/$export", interval),
            "System" => new ExportOptions("$export", interval),
            _ => null,
        };
    }
}
