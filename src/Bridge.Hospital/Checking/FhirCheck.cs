using System.Globalization;
using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Watching;

namespace Bridge.Hospital.Checking;

/// <summary>Tries the FHIR server with the searches that the bridge makes; shows neither names nor ids of patients.</summary>
internal sealed class FhirCheck(WatchingOptions options, CheckReport report, TimeProvider clock) : IDisposable
{
    private const string Area = "fhir";
    private static readonly string[] Children = ["Condition", "Procedure", "MedicationRequest"];
    private static readonly string[] Needed = ["Encounter", "Patient", .. Children];
    private static readonly string[] ById = ["Patient", "Practitioner", "PractitionerRole", "Medication"];

    private readonly SmartTokens? _tokens = options.Smart is null ? null : new SmartTokens(options.Smart, SmartKey.FromPem(File.ReadAllText(options.SmartKeyFile!)), clock);
    private FhirClient? _client;
    private FhirClient? _open;
    private bool _subscriptions;
    private bool _bulk;
    private long? _encounters;

    private FhirClient Client => _client ??= Connect(_tokens);

    // What a server says of itself is open to all: a token that cannot be had must not hide why.
    private FhirClient Open => _open ??= Connect(null);

    private FhirClient Connect(SmartTokens? tokens) => new(
        options.Client with { GiveUpAfter = TimeSpan.FromSeconds(3), RequestTimeout = TimeSpan.FromSeconds(20), ServerErrorAttempts = 2 }, tokens, clock);

    /// <param name="patients">Enrolled patients to count calls for.</param>
    /// <param name="somePatient">An enrolled patient to try a search by patient with; null where there is none.</param>
    /// <param name="reconcile">How often the states are added up.</param>
    public async Task RunAsync(int patients, string? somePatient, TimeSpan reconcile)
    {
        if (!await MetadataAsync())
        {
            // Nobody is there: each further question would only take its time to say so.
            report.NotTried(Area, "searches", "the server does not answer");
            return;
        }
        await SmartAsync();
        if (!await TokenAsync())
        {
            report.NotTried(Area, "searches", "there is no token");
            return;
        }
        var seen = await SearchesAsync(somePatient);
        if (seen is null)
        {
            report.NotTried(Area, "watch strategy", "no search was answered");
            return;
        }
        await ChildrenAsync();
        var choice = WatchAdvice.Choose(seen, options.Subscription is not null);
        if (choice.Strategy is not { } best)
            report.Fault(Area, "watch strategy", $"none works: {choice.Why}", "Ask the server's operators for system/Encounter.rs without a patient, or for searches by patient");
        else if (best == options.Strategy)
            report.Good(Area, "watch strategy", $"{best}: {choice.Why}");
        else if (best == WatchStrategy.LastUpdated && WatchAdvice.Works(options.Strategy, seen))
            report.Warn(Area, "watch strategy", $"{options.Strategy} is configured, {best} would do with fewer calls: {choice.Why}", $"Set Watching:Strategy to {best}");
        else if (WatchAdvice.Works(options.Strategy, seen))
            report.Warn(Area, "watch strategy", $"{options.Strategy} is configured, {best} would be better: {choice.Why}", $"Set Watching:Strategy to {best}, unless there is a reason");
        else
            report.Fault(Area, "watch strategy", $"{options.Strategy} is configured and does not work: {choice.Why}", $"Set Watching:Strategy to {best}");
        if (options.Export is not null && !seen.BulkExport)
            report.Fault(Area, "bulk export", "Watching:Export is configured, and /metadata names no export", "Remove Watching:Export, or ask the server's operators for Bulk Data");
        var strategy = choice.Strategy ?? options.Strategy;
        var calls = WatchAdvice.PerDay(strategy, options.Interval, options.Reread, reconcile, patients, _encounters, options.Watch);
        report.Good(Area, "calls a day", WatchAdvice.Describe(calls, strategy, patients, options.Interval));
    }

    public void Dispose()
    {
        _client?.Dispose();
        _open?.Dispose();
        _tokens?.Dispose();
    }

    // False where no FHIR server answers at that address at all.
    private async Task<bool> MetadataAsync()
    {
        try
        {
            await DescribeAsync();
        }
        catch (Exception e) when (e is FhirException { Fault: not (FhirFault.GaveUp or FhirFault.Garbage) } or JsonException)
        {
            report.Fault(Area, "/metadata", Operations.Faults.Describe(e), "Ask the server's operators to open it, and see the searches below: what counts is what the server answers");
        }
        catch (FhirException e)
        {
            report.Fault(Area, "/metadata", Operations.Faults.Describe(e), "Correct Fhir:BaseUrl, have the server started, or open the way to it");
            return false;
        }
        return true;
    }

    private async Task DescribeAsync()
    {
        using var metadata = JsonDocument.Parse(await Open.GetAsync("metadata"));
        var root = metadata.RootElement;
        var version = Text(root, "fhirVersion");
        var software = root.TryGetProperty("software", out var made) ? $"{Text(made, "name")} {Text(made, "version")}".Trim() : "";
        report.Judge(Area, "/metadata", Text(root, "resourceType") == "CapabilityStatement" && version.StartsWith("4.", StringComparison.Ordinal),
            $"FHIR {(version.Length > 0 ? version : "of unknown version")}{(software.Length > 0 ? $", {software}" : "")}", "Fhir:BaseUrl has to name a FHIR R4 service (fhirVersion 4.0.1)");
        foreach (var resource in Items(root, "rest").SelectMany(rest => Items(rest, "resource")))
            if (Text(resource, "type") == "Subscription" && Items(resource, "interaction").Any(interaction => Text(interaction, "code") == "create"))
                _subscriptions = true;
        _bulk = Items(root, "rest").SelectMany(rest => Items(rest, "operation").Concat(Items(rest, "resource").SelectMany(resource => Items(resource, "operation"))))
            .Any(operation => Text(operation, "name").TrimStart('$') == "export");
        var listed = Items(root, "rest").SelectMany(rest => Items(rest, "resource")).Select(resource => Text(resource, "type")).ToHashSet(StringComparer.Ordinal);
        var missing = Needed.Where(type => listed.Count > 0 && !listed.Contains(type)).ToList();
        if (missing.Count > 0)
            report.Warn(Area, "resources", $"/metadata does not list {string.Join(", ", missing)}", "See the searches below: what counts is what the server answers");
    }

    private async Task SmartAsync()
    {
        try
        {
            using var smart = JsonDocument.Parse(await Open.GetAsync(".well-known/smart-configuration"));
            var endpoint = Text(smart.RootElement, "token_endpoint");
            if (options.Smart is not { } own)
                report.Warn(Area, "SMART", $"the server names the token endpoint {endpoint}, and Fhir:Smart is not configured", "Register the bridge's public key there and fill in Fhir:Smart");
            else
                report.Judge(Area, "SMART", Uri.TryCreate(endpoint, UriKind.Absolute, out var named) && named == own.TokenEndpoint,
                    $"the server names the token endpoint {endpoint}", "Set Fhir:Smart:TokenEndpoint to it");
        }
        catch (FhirException e) when (e.Fault is FhirFault.NotFound or FhirFault.Gone or FhirFault.Refused)
        {
            if (options.Smart is not null)
                report.Warn(Area, "SMART", $"/.well-known/smart-configuration: {e.Status}", "Compare Fhir:Smart:TokenEndpoint with what the server's operators say");
            else
                report.Good(Area, "SMART", "the server does not offer it" + (options.Client.BearerToken is null ? ", and no token is configured" : "; a fixed token is configured"));
        }
        catch (Exception e) when (e is FhirException or JsonException)
        {
            report.Fault(Area, "SMART", Operations.Faults.Describe(e), "Ask the server's operators about /.well-known/smart-configuration");
        }
    }

    // False where one is needed and there is none.
    private async Task<bool> TokenAsync()
    {
        if (_tokens is not { } tokens)
            return true;
        await report.TryAsync(Area, "token", "Check Fhir:Smart:ClientId, the key registered with the server and both clocks", async () =>
        {
            await tokens.TokenAsync();
            var granted = (tokens.GrantedScope ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var lacking = Needed.Where(type => !granted.Any(scope => Covers(scope, type))).ToList();
            report.Judge(Area, "token", lacking.Count == 0, $"granted: {string.Join(' ', granted)}{(lacking.Count == 0 ? "" : $"; nothing covers {string.Join(", ", lacking)}")}",
                "Ask the server's operators for system/*.rs, or for each of Encounter, Patient, Condition, Procedure, MedicationRequest, Medication, Practitioner, PractitionerRole");
        });
        return tokens.GrantedScope is not null;
    }

    /// <summary>Whether a granted scope, of SMART v1 (<c>system/Encounter.read</c>) or v2 (<c>system/Encounter.rs</c>), lets a type be searched.</summary>
    internal static bool Covers(string scope, string type)
    {
        var dot = scope.LastIndexOf('.');
        if (dot < 0 || scope[..dot] != "system/*" && scope[..dot] != $"system/{type}")
            return false;
        var rights = scope[(dot + 1)..].Split('?')[0];
        return rights is "read" or "*" || rights.All(right => "cruds".Contains(right, StringComparison.Ordinal)) && rights.Contains('r', StringComparison.Ordinal) && rights.Contains('s', StringComparison.Ordinal);
    }

    private async Task<SeenSearches?> SearchesAsync(string? somePatient)
    {
        var now = clock.GetUtcNow();
        bool across = false, filters = false, sorts = true;
        string? refusal = null;
        try
        {
            var began = clock.GetUtcNow();
            var page = await Client.SearchAsync(new FhirSearch("Encounter").Where("_lastUpdated", "ge2000-01-01T00:00:00Z").Where("_sort", "_lastUpdated").Where("_count", "20"));
            across = true;
            Clock(page, began);
            var sightings = page.Resources.Select(Seen.Of).OfType<Seen>().ToList();
            somePatient ??= sightings.FirstOrDefault(sighting => sighting.Patient is not null)?.Patient;
            var times = sightings.Select(sighting => sighting.LastUpdated).OfType<DateTimeOffset>().ToList();
            sorts = times.SequenceEqual(times.Order());
            if (sightings.Count > 20)
                report.Warn(Area, "page size", $"asked for 20 encounters, the server sent {sightings.Count}", "Nothing to do if its memory allows: Watching:PageSize has no effect on this server");
            if (sightings.Count > 0 && times.Count < sightings.Count)
                report.Fault(Area, "meta.lastUpdated", "encounters come without it", "Without it a change cannot be told: have the server's operators switch it on");
            if (page.Next is not null)
                await report.TryAsync(Area, "page links", "Set Fhir:BaseUrl to the address that the server gives in its links", async () =>
                {
                    await Client.NextAsync(page);
                    report.Good(Area, "page links", "a next link leads to the next page");
                });
            var tomorrow = (now + TimeSpan.FromDays(1)).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            var none = await Client.SearchAsync(new FhirSearch("Encounter").Where("_lastUpdated", "ge" + tomorrow).Where("_sort", "_lastUpdated").Where("_count", "1"));
            filters = none.Resources.All(resource => Seen.Of(resource) is null);
        }
        catch (FhirException e) when (e.Fault is FhirFault.Refused or FhirFault.Forbidden or FhirFault.NotFound or FhirFault.ServerError)
        {
            refusal = $"{e.Status}";
        }
        catch (FhirException e)
        {
            report.Fault(Area, "search across patients", Operations.Faults.Describe(e), "Correct Fhir:BaseUrl or the access, or have the server started");
            return null;
        }
        await CountAsync();
        bool? byPatient = null;
        if (somePatient is not null)
        {
            try
            {
                await Client.SearchAsync(new FhirSearch("Encounter").Where("patient", somePatient).Where("_count", "1"));
                byPatient = true;
            }
            catch (FhirException e)
            {
                byPatient = false;
                report.Fault(Area, "search by patient", Operations.Faults.Describe(e), "What a patient had before the enrolment is read by Encounter?patient=…: have the server's operators allow it");
            }
        }
        return new SeenSearches(across, refusal, filters, sorts, byPatient, _subscriptions, _bulk);
    }

    // Only for the estimate: a server that counts differently costs nothing.
    private async Task CountAsync()
    {
        try
        {
            using var bundle = JsonDocument.Parse(await Client.GetAsync("Encounter?status=finished&_summary=count"));
            _encounters = bundle.RootElement.TryGetProperty("total", out var total) && total.TryGetInt64(out var count) ? count : null;
        }
        catch (Exception e) when (e is FhirException or JsonException)
        {
        }
    }

    private async Task ChildrenAsync()
    {
        foreach (var (search, name) in Children.Select(type => (new FhirSearch(type).Where("encounter", "bridge-check"), $"{type}?encounter="))
            .Concat(ById.Select(type => (new FhirSearch(type).Where("_id", "bridge-check"), $"{type}?_id="))))
            await report.TryAsync(Area, name, "Extraction needs this search: have the server's operators allow it (scope, search parameter)", async () =>
            {
                await Client.SearchAsync(search.Where("_count", "1"));
                report.Good(Area, name, "answers");
            });
    }

    private void Clock(FhirPage page, DateTimeOffset began)
    {
        if (page.ServerTime is not { } theirs)
        {
            report.Warn("clocks", "FHIR server", "sends no Date header, so its clock cannot be compared", "Compare by hand: the watch takes the slower of both clocks");
            return;
        }
        var skew = WatchAdvice.Skew(began, theirs, clock.GetUtcNow());
        report.Judge("clocks", "FHIR server", skew.Duration() <= CheckCommand.MostSkew, string.Create(CultureInfo.InvariantCulture, $"{skew.TotalSeconds:+0;-0;0} s from this machine's"),
            "Let both machines follow the same time servers (NTP)");
    }

    private static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static JsonElement.ArrayEnumerator Items(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : default;

    /// <summary>What the check looks at in an encounter.</summary>
    private sealed record Seen(DateTimeOffset? LastUpdated, string? Patient)
    {
        public static Seen? Of(Bridge.Fhir.FhirResource resource)
        {
            using var document = JsonDocument.Parse(resource.Json);
            var root = document.RootElement;
            if (Text(root, "resourceType") != "Encounter")
                return null;
            var subject = FhirReference.Parse(root.TryGetProperty("subject", out var named) ? Text(named, "reference") : "");
            return new Seen(
                root.TryGetProperty("meta", out var meta) && DateTimeOffset.TryParse(Text(meta, "lastUpdated"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null,
                subject.Type == "Patient" ? subject.Id : null);
        }
    }
}
