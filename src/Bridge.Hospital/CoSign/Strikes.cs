using System.Text.Json;
using Bridge.Records;

namespace Bridge.Hospital.CoSign;

/// <summary>A code that a doctor took out of a summary before she signed it.</summary>
/// <param name="System">Code system.</param>
/// <param name="Code">The code.</param>
internal sealed record StruckCode(string System, string Code);

/// <summary>What a doctor may do to a summary: take codes out. Nothing can be added, changed or put in another order.</summary>
internal static class Strikes
{
    /// <summary>The codes taken out; null where <paramref name="shown"/> is anything else than <paramref name="queued"/> without some of its codes.</summary>
    /// <param name="queued">The stored payload.</param>
    /// <param name="shown">The payload that the doctor saw and signed.</param>
    public static IReadOnlyList<StruckCode>? Between(byte[] queued, byte[] shown)
    {
        if (MinimalSummary.Read(queued, out _) is not { } whole || MinimalSummary.Read(shown, out _) is not { } rest)
            return null;
        var struck = new List<StruckCode>();
        var conditions = whole.Conditions.Where(item => Keep(item.System, item.Code, rest.Conditions.Any(kept => kept.System == item.System && kept.Code == item.Code)))
            .Select((item, i) => item with { Rank = i + 1 }).ToList();
        var treatments = whole.Treatments.Where(item => Keep(item.System, item.Code, rest.Treatments.Contains(item))).ToList();
        // Rebuilt from the stored one by leaving out alone: whatever differs from it was not left out but changed.
        var rebuilt = whole with { Conditions = conditions, Treatments = treatments };
        return SummarySchema.FaultIn(rebuilt) is null && rebuilt.ToCanonicalJson().AsSpan().SequenceEqual(shown) ? struck : null;

        bool Keep(string system, string code, bool kept)
        {
            if (!kept)
                struck.Add(new StruckCode(system, code));
            return kept;
        }
    }

    public static string? ToText(IReadOnlyList<StruckCode> struck) => struck.Count == 0 ? null : JsonSerializer.Serialize(struck, JsonSerializerOptions.Web);
}
