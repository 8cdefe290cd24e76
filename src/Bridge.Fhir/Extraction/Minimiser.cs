using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>How the minimiser works.</summary>
public sealed record MinimiserOptions
{
    /// <summary>Fewest people in a cell that a released diagnosis may stand in. Default 5; at least 1 (1 = no filter but the table's own).</summary>
    public int K { get; init; } = 5;
}

/// <summary>A diagnosis as the source recorded it, already of an allowed system and form.</summary>
internal readonly record struct RecordedCondition(AllowedCode Code, string? SourceId, string Path);

/// <summary>What the rarity filter made of the diagnoses.</summary>
internal sealed class MinimisedConditions
{
    public List<CodedConcept> Conditions { get; } = [];
    public string AgeBand { get; set; } = "";
    public bool Rare { get; set; }
}

/// <summary>
/// Brings what was recorded to the least that can find a peer: codes by rank without doubles and under the caps, no rare attribute. The
/// promise is per released diagnosis, not per record: each stands, after generalisation, in a cell of at least k people.
/// </summary>
public sealed class Minimiser
{
    private static readonly CodeLevel[] Levels = [CodeLevel.Code, CodeLevel.Category, CodeLevel.Block, CodeLevel.Chapter];

    private readonly Terminology _terms;
    private readonly int _k;

    /// <summary>Creates a minimiser.</summary>
    /// <exception cref="ArgumentOutOfRangeException">k is below 1.</exception>
    public Minimiser(Terminology terminology, MinimiserOptions? options = null)
    {
        _terms = terminology;
        _k = options?.K ?? 5;
        ArgumentOutOfRangeException.ThrowIfLessThan(_k, 1);
    }

    internal Terminology Terminology => _terms;

    /// <summary>Applies the rarity filter, joins doubles, ranks, caps.</summary>
    /// <param name="recorded">By rank.</param>
    /// <param name="sex">Administrative gender.</param>
    /// <param name="ageBand">10-year band; null where the birth date is too vague for one.</param>
    /// <param name="wideBand">20-year band.</param>
    /// <param name="rareConsented">The patient has consented to rare diagnoses.</param>
    /// <param name="sources">Gets a line per diagnosis.</param>
    internal MinimisedConditions Conditions(
        IReadOnlyList<RecordedCondition> recorded, string sex, string? ageBand, string wideBand, bool rareConsented, List<SourceField> sources)
    {
        var band = ageBand ?? wideBand;
        if (ageBand is not null && band != wideBand)
        {
            // the wider band is taken only where it saves a diagnosis that would be dropped
            foreach (var condition in recorded)
            {
                if (Level(condition.Code, sex, ageBand) is null && Level(condition.Code, sex, wideBand) is not null)
                {
                    band = wideBand;
                    break;
                }
            }
        }
        var result = new MinimisedConditions { AgeBand = band };
        foreach (var condition in recorded)
            Add(condition, sex, band, rareConsented, result, sources);
        return result;
    }

    /// <summary>Sorts, joins doubles and caps; at the cap both kinds keep their share.</summary>
    internal static List<Treatment> Treatments(List<Treatment> recorded, out int dropped)
    {
        // the ledger's contract wants ascending (kind, system, code), the kind by its name: medication before procedure
        recorded.Sort(static (a, b) => Compare(a, b));
        var kept = 0;
        for (var i = 0; i < recorded.Count; i++)
        {
            if (kept == 0 || recorded[kept - 1] != recorded[i])
                recorded[kept++] = recorded[i];
        }
        recorded.RemoveRange(kept, recorded.Count - kept);
        dropped = Math.Max(0, recorded.Count - MinimalSummary.MaxTreatments);
        if (dropped == 0)
            return recorded;
        var medications = recorded.Count(t => t.Kind == TreatmentKind.Medication);
        var procedures = recorded.Count - medications;
        const int half = MinimalSummary.MaxTreatments / 2;
        var keepMedications = Math.Min(medications, Math.Max(half, MinimalSummary.MaxTreatments - procedures));
        var keepProcedures = MinimalSummary.MaxTreatments - keepMedications;
        recorded.RemoveRange(medications + keepProcedures, procedures - keepProcedures);
        recorded.RemoveRange(keepMedications, medications - keepMedications);
        return recorded;
    }

    private static int Compare(Treatment a, Treatment b)
    {
        var kind = (a.Kind == TreatmentKind.Medication ? 0 : 1) - (b.Kind == TreatmentKind.Medication ? 0 : 1);
        if (kind != 0)
            return kind;
        var system = string.CompareOrdinal(a.System, b.System);
        return system != 0 ? system : string.CompareOrdinal(a.Code, b.Code);
    }

    private void Add(in RecordedCondition condition, string sex, string band, bool rareConsented, MinimisedConditions result, List<SourceField> sources)
    {
        var code = condition.Code;
        var (system, released, level, treatment) = (code.System!, code.Code!, CodeLevel.Code, FieldTreatment.AsRecorded);
        if (Level(code, sex, band) is { } found)
        {
            if (found != CodeLevel.Code)
                (system, released, level, treatment) = (Node(code, found).System, Node(code, found).Code!, found, FieldTreatment.GeneralisedForRarity);
        }
        else if (rareConsented)
        {
            treatment = FieldTreatment.RareByConsent;
        }
        else
        {
            sources.Add(new SourceField("conditions", condition.Path, condition.SourceId, FieldTreatment.DroppedAsRare, code.Code, null));
            return;
        }
        if (result.Conditions.Exists(c => c.Code == released && c.System == system))
            return;
        if (result.Conditions.Count == MinimalSummary.MaxConditions)
        {
            sources.Add(new SourceField("conditions", condition.Path, condition.SourceId, FieldTreatment.DroppedOverCap, code.Code, null));
            return;
        }
        result.Rare |= treatment == FieldTreatment.RareByConsent;
        result.Conditions.Add(new CodedConcept(system, released, level, result.Conditions.Count + 1));
        sources.Add(new SourceField("conditions", condition.Path, condition.SourceId, treatment, code.Code, released));
    }

    /// <summary>The finest level whose cell has k people; null where none has.</summary>
    private CodeLevel? Level(in AllowedCode code, string sex, string band)
    {
        foreach (var level in Levels)
        {
            if (Node(code, level).Code is { } node && _terms.Counts.People(node, sex, band) >= _k)
                return level;
        }
        return null;
    }

    private (string System, string? Code) Node(in AllowedCode code, CodeLevel level)
    {
        if (level == CodeLevel.Code)
            return (code.System!, code.Code);
        return _terms.Map.InHierarchy(code.System!, code.Code!) is { } place
            ? (place.System, _terms.Hierarchy.Generalise(place.Code, level))
            : (code.System!, null);
    }
}
