using Bridge.Fhir.Extraction;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>
/// What the tables say of the encounters that one transaction takes in, asked for all at once. Good for that transaction, in which nothing but the intake writes:
/// an encounter's rows are handed out once, and read anew where the encounter comes again.
/// </summary>
internal sealed class IntakeBatch
{
    private readonly Dictionary<string, EncounterRows> _rows;
    private readonly HashSet<string> _patients;
    private readonly IReadOnlyDictionary<string, EnrolmentRow> _live;
    private readonly Dictionary<string, string?> _licences = new(StringComparer.Ordinal);

    private IntakeBatch(Dictionary<string, EncounterRows> rows, HashSet<string> patients, IReadOnlyDictionary<string, EnrolmentRow> live) =>
        (_rows, _patients, _live) = (rows, patients, live);

    /// <summary>Asks.</summary>
    /// <param name="work">The transaction.</param>
    /// <param name="encounters">The encounters.</param>
    /// <param name="patients">Whose they are, as far as that is known.</param>
    /// <param name="now">Now.</param>
    public static async Task<IntakeBatch> ReadAsync(Work work, IEnumerable<string> encounters, IEnumerable<string?> patients, DateTimeOffset now)
    {
        var known = patients.OfType<string>().ToHashSet(StringComparer.Ordinal);
        return new IntakeBatch(await EncounterRows.ReadAmongAsync(work, encounters, now), known, await EnrolmentRows.LiveAmongAsync(work, known, now));
    }

    public async Task<EncounterRows> RowsAsync(Work work, string encounterId, DateTimeOffset now) =>
        _rows.Remove(encounterId, out var rows) ? rows : await EncounterRows.ReadAsync(work, encounterId, now);

    public async Task<EnrolmentRow?> LiveAsync(Work work, string patient, DateTimeOffset now)
    {
        if (!_patients.Contains(patient))
            return await EnrolmentRows.LiveAsync(work, patient, now);
        return _live.TryGetValue(patient, out var row) && row.ConsentUntil > now.ToUnixTimeMilliseconds() ? row : null;
    }

    /// <summary>As <see cref="DoctorRows.LicenceOfAsync"/>; a doctor is looked up once, however many encounters are hers.</summary>
    public async Task<string?> LicenceAsync(Work work, string hospital, DoctorReference doctor)
    {
        var identifiers = doctor.Identifiers.Select(identifier => identifier.Value).ToList();
        var key = string.Join('\n', identifiers.Prepend(doctor.PractitionerId ?? ""));
        if (!_licences.TryGetValue(key, out var licence))
            _licences.Add(key, licence = await DoctorRows.LicenceOfAsync(work, hospital, doctor.PractitionerId, identifiers));
        return licence;
    }
}
