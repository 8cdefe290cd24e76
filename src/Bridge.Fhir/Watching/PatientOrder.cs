namespace Bridge.Fhir.Watching;

/// <summary>Strict order within a patient, patients side by side.</summary>
public static class PatientOrder
{
    /// <summary>Groups by patient, each group in order; sightings without a patient stand alone.</summary>
    public static IReadOnlyList<IReadOnlyList<EncounterSighting>> Group(IEnumerable<EncounterSighting> sightings)
    {
        var groups = new List<List<EncounterSighting>>();
        var byPatient = new Dictionary<string, List<EncounterSighting>>(StringComparer.Ordinal);
        foreach (var sighting in sightings)
        {
            if (sighting.PatientId is { } patient)
            {
                if (!byPatient.TryGetValue(patient, out var group))
                {
                    byPatient.Add(patient, group = []);
                    groups.Add(group);
                }
                group.Add(sighting);
            }
            else
            {
                groups.Add([sighting]);
            }
        }
        return groups;
    }

    /// <summary>
    /// Runs a handler over every sighting: one patient's strictly one after the other, at most <paramref name="degree"/> patients at once.
    /// The first exception ends it, after what is under way.
    /// </summary>
    public static Task RunAsync(
        IEnumerable<EncounterSighting> sightings, int degree, Func<EncounterSighting, CancellationToken, ValueTask> handler, CancellationToken cancellation = default) =>
        Parallel.ForEachAsync(Group(sightings), new ParallelOptions { MaxDegreeOfParallelism = degree, CancellationToken = cancellation },
            async (group, token) =>
            {
                foreach (var sighting in group)
                    await handler(sighting, token);
            });

    /// <summary>By the server's time of change, then as the server sent them.</summary>
    internal static List<EncounterSighting> Sort(List<EncounterSighting> sightings)
    {
        for (var i = 1; i < sightings.Count; i++)
            if (Time(sightings[i]) < Time(sightings[i - 1]))
                return [.. sightings.OrderBy(Time)];
        return sightings;

        static DateTimeOffset Time(EncounterSighting sighting) => sighting.LastUpdated ?? DateTimeOffset.MinValue;
    }
}
