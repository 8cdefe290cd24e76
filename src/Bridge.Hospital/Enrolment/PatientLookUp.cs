using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Enrolment;

/// <summary>What the desk has to see to be sure that it is the right person, and no more. Shown once, stored nowhere.</summary>
/// <param name="Id">Logical id at the FHIR server.</param>
/// <param name="Name">As the record has it; null where it has none.</param>
/// <param name="BirthDate">As the record has it.</param>
/// <param name="Sex">Administrative gender.</param>
/// <param name="Identifiers">Numbers of the record, at most three.</param>
/// <param name="InUse">False where the record is not active, or another one replaced it.</param>
internal sealed record FoundPatient(string Id, string? Name, string? BirthDate, string? Sex, IReadOnlyList<string> Identifiers, bool InUse)
{
    private const int MostIdentifiers = 3;

    /// <summary>Reads a Patient; null where it is none.</summary>
    public static FoundPatient? Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (Text(root, "resourceType") != "Patient" || Text(root, "id") is not { } id)
                return null;
            var replaced = Items(root, "link").Any(link => Text(link, "type") == "replaced-by");
            var active = !root.TryGetProperty("active", out var flag) || flag.ValueKind != JsonValueKind.False;
            return new FoundPatient(
                id, NameOf(root), Text(root, "birthDate"), Text(root, "gender"),
                [.. Items(root, "identifier").Select(identifier => Text(identifier, "value")).OfType<string>().Distinct(StringComparer.Ordinal).Take(MostIdentifiers)],
                active && !replaced);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // The official name before others: what is on the card that the patient shows.
    private static string? NameOf(JsonElement patient)
    {
        var names = Items(patient, "name");
        foreach (var use in (string?[])["official", "usual", null])
            foreach (var name in names.Where(name => use is null || Text(name, "use") == use))
            {
                var given = Items(name, "given").Select(part => part.ValueKind == JsonValueKind.String ? part.GetString() : null);
                var family = Text(name, "family");
                // Written in Chinese characters the family's name comes first, and nothing stands between.
                var text = Text(name, "text") ?? (family?.Any(IsHan) == true
                    ? string.Concat(given.Prepend(family))
                    : string.Join(' ', given.Append(family).Where(part => !string.IsNullOrWhiteSpace(part))));
                if (text.Length > 0)
                    return text;
            }
        return null;
    }

    private static bool IsHan(char c) => c is >= '\u3400' and <= '\u9fff' or >= '\uf900' and <= '\ufaff';

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static List<JsonElement> Items(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [];
}

/// <summary>Patients who fit, each with the enrolment that is open, under way or in force.</summary>
internal sealed record LookUp(DeskOutcome Outcome, IReadOnlyList<(FoundPatient Patient, EnrolmentRow? Enrolment)> Found, bool More);

/// <summary>Finds the person who stands at the desk at the FHIR server. That somebody was looked up, and who, by a digest that only this database can make, is audited.</summary>
internal sealed class PatientLookUp(Database database, FhirClient fhir, TimeProvider clock)
{
    /// <summary>More than one patient of one identifier is rare; more than this is a search, not a look-up.</summary>
    private const int Most = 5;
    private const int LongestText = 200;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(10);

    /// <summary>Looks a patient up.</summary>
    /// <param name="actor">Who looks.</param>
    /// <param name="text">An identifier (with or without its system: <c>system|value</c>), a logical id, or a reference.</param>
    /// <param name="cancellationToken">Ends the look-up.</param>
    public async Task<LookUp> FindAsync(Actor actor, string? text, CancellationToken cancellationToken)
    {
        var wanted = text?.Trim() ?? "";
        if (wanted.Length is 0 or > LongestText || wanted.Any(char.IsControl))
            return new LookUp(DeskOutcome.BadRequest, [], false);
        var (outcome, patients) = await AskAsync(wanted, cancellationToken);
        if (outcome != DeskOutcome.Done)
            return new LookUp(outcome, [], false);
        var shown = patients.Take(Most).ToList();
        var enrolments = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var digests = new List<string>();
            var active = new List<EnrolmentRow?>();
            foreach (var patient in shown)
            {
                digests.Add(await Withdrawals.ForgottenAsync(work, "patient", patient.Id, now));
                active.Add(await EnrolmentRows.ActiveAsync(work, patient.Id));
            }
            await AuditLog.AppendAsync(work, actor, "patient.look-up", "patient", new { found = digests }, now);
            return active;
        }, cancellationToken);
        return shown.Count == 0
            ? new LookUp(DeskOutcome.UnknownPatient, [], false)
            : new LookUp(DeskOutcome.Done, [.. shown.Zip(enrolments)], patients.Count > Most);
    }

    private async Task<(DeskOutcome Outcome, List<FoundPatient> Patients)> AskAsync(string wanted, CancellationToken cancellationToken)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(Time);
        var found = new List<FoundPatient>();
        try
        {
            var id = Desk.KeyOf(wanted);
            if (wanted.StartsWith("Patient/", StringComparison.Ordinal))
            {
                if (id is not null && await fhir.ReadAsync("Patient", id, time.Token) is { Oversize: false } named && FoundPatient.Read(named.Json) is { } known)
                    found.Add(known);
                return (DeskOutcome.Done, found);
            }
            // What was typed may be a number of the record as well as a logical id: it is looked for as both, and stands in no address.
            foreach (var parameter in id is null ? (string[])["identifier"] : ["_id", "identifier"])
                foreach (var resource in (await SearchAsync(parameter, wanted, time.Token)).Resources)
                    if (!resource.Oversize && FoundPatient.Read(resource.Json) is { } patient && found.All(other => other.Id != patient.Id))
                        found.Add(patient);
            return (DeskOutcome.Done, found);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (DeskOutcome.SourceUnreachable, []);
        }
        catch (FhirException)
        {
            return (found.Count > 0 ? DeskOutcome.Done : DeskOutcome.SourceUnreachable, found);
        }
    }

    // In the body: identifiers are not to stand in the FHIR server's log of addresses. A server may take searches by GET alone.
    private async Task<FhirPage> SearchAsync(string parameter, string wanted, CancellationToken cancellationToken)
    {
        FhirSearch Search(bool inBody) => new FhirSearch("Patient") { InBody = inBody }.WhereAny(parameter, [wanted]).Where("_count", $"{Most + 1}");
        try
        {
            return await fhir.SearchAsync(Search(inBody: true), cancellationToken);
        }
        catch (FhirException e) when (e.Status is 404 or 405 or 501)
        {
            return await fhir.SearchAsync(Search(inBody: false), cancellationToken);
        }
    }
}
