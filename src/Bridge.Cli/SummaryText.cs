using Bridge.Records;

namespace Bridge.Cli;

/// <summary>A payload as people read it before they sign: every field that leaves, in words.</summary>
internal static class SummaryText
{
    public static IEnumerable<string> Lines(MinimalSummary summary)
    {
        yield return $"  summary      {summary.Id}{(summary.Supersedes is { } old ? $", replaces {old}" : "")}";
        yield return $"  patient      {summary.Patient}";
        yield return $"  hospital     {summary.Hospital}";
        yield return $"  period       {summary.Period}";
        yield return $"  class        {summary.Class}";
        foreach (var condition in summary.Conditions)
            yield return $"  condition {condition.Rank}  {SystemName(condition.System)} {condition.Code}{(condition.Level == CodeLevel.Code ? "" : $" (generalised to {condition.Level.ToString().ToLowerInvariant()})")}";
        foreach (var treatment in summary.Treatments)
            yield return $"  {(treatment.Kind == TreatmentKind.Procedure ? "procedure  " : "medication ")}  {SystemName(treatment.System)} {treatment.Code}";
        yield return $"  age band     {summary.AgeBand}";
        yield return $"  sex          {summary.Sex}";
        if (summary.Disposition is { } disposition)
            yield return $"  discharged   {disposition}";
    }

    public static IEnumerable<string> Lines(Retraction retraction)
    {
        yield return $"  retraction of {retraction.Id}";
        yield return $"  hospital     {retraction.Hospital}";
        yield return $"  reason       {retraction.Reason}";
    }

    private static string SystemName(string system) => system switch
    {
        CodeSystems.Snomed => "SNOMED CT",
        CodeSystems.Icd10 => "ICD-10",
        CodeSystems.Icd10Cm => "ICD-10-CM",
        CodeSystems.Icd10Cn => "ICD-10-CN",
        CodeSystems.RxNorm => "RxNorm",
        CodeSystems.Atc => "ATC",
        CodeSystems.Icd10Pcs => "ICD-10-PCS",
        CodeSystems.Icd9Cm => "ICD-9-CM",
        CodeSystems.Cpt => "CPT",
        _ => system,
    };
}
