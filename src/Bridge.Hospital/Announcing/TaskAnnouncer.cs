using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Fhir.Client;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.WriteBack;
using Bridge.Records;

namespace Bridge.Hospital.Announcing;

/// <summary>
/// Keeps a Task on the FHIR server for each doctor for whom something waits: made when it begins, replaced when the number changes, completed when nothing waits any
/// more. Its identifier is stored before it is sent, so that one that was made and not noted is found by it.
/// </summary>
internal sealed partial class TaskAnnouncer(
    Database database, FhirWriter writer, AnnouncingOptions options, HospitalOptions hospital, Routing routing, Instance instance, CrashPoints crash, TimeProvider clock,
    ILogger<TaskAnnouncer> log)
{
    private const string IdentifierSystem = "urn:bridge:waiting";
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(3);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var (waiting, open) = await database.ReadAsync(async work => (
            await AnnouncementRows.WaitingAsync(work), (await AnnouncementRows.OpenTasksAsync(work)).ToDictionary(row => row.Who, StringComparer.Ordinal)), cancellationToken);
        foreach (var doctor in waiting.Keys.Union(open.Keys).Where(who => who != AnnouncementRows.Operators).Order(StringComparer.Ordinal))
        {
            var number = waiting.GetValueOrDefault(doctor, WaitingNumber.None);
            if (open.TryGetValue(doctor, out var said) && said.ResourceId is not null && said.Said == number)
                continue;
            if (!await TellAsync(doctor, number, cancellationToken))
                return;
        }
    }

    // False where the server cannot be written to now.
    private async Task<bool> TellAsync(string doctor, WaitingNumber number, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var taken = await database.WriteAsync<(AnnouncementRow, string?, bool)?>(async work =>
        {
            if (await AnnouncementRows.TakeAsync(work, AnnouncementRows.Task, doctor, long.MaxValue, instance.Name, now, Lease) is not { } row)
                return null;
            var fresh = row.Name is null;
            if (fresh)
            {
                var name = Base64Url.Encode(RandomNumberGenerator.GetBytes(16));
                await work.RunAsync(
                    "UPDATE announcement SET name = @name, first_at = @now WHERE way = @Way AND who = @Who", new { row.Way, row.Who, name, now = now.ToUnixTimeMilliseconds() });
                row = new AnnouncementRow { Way = row.Way, Who = row.Who, Name = name, FirstAt = now.ToUnixTimeMilliseconds(), Attempts = row.Attempts };
            }
            return (row, await PractitionerAsync(work, doctor), fresh);
        }, cancellationToken);
        if (taken is not var (mine, practitioner, unsent))
            return true;
        // crash point announcing.3: held under a stored name, nothing was sent.
        crash.Pass("announcing.3");
        try
        {
            var id = mine.ResourceId ?? (unsent ? null : await FindAsync(mine.Name!, cancellationToken));
            if (id is not null)
                id = await ReplaceAsync(id, mine, doctor, practitioner, number, now, cancellationToken);
            else if (number.Number > 0)
                id = (await writer.Client.CreateAsync(
                    Named(mine.Name!), Bytes(Resource(null, mine, doctor, practitioner, number, now)), cancellationToken)).Id;
            // crash point announcing.4: the server has it, the table does not say so; the next run finds it by its name and says it once more.
            crash.Pass("announcing.4");
            // Completed, or removed by somebody: the next one is another.
            var change = id is null || number.Number == 0
                ? new SummaryChange().Set("name", null).Set("resource_id", null)
                : new SummaryChange().Set("resource_id", id);
            await database.WriteAsync(work => AnnouncementRows.SaidAsync(work, AnnouncementRows.Task, doctor, change, number, now), CancellationToken.None);
            return true;
        }
        catch (FhirException e)
        {
            await database.WriteAsync(
                work => AnnouncementRows.LaterAsync(work, AnnouncementRows.Task, doctor, e.Fault.ToString(), now + FhirWriter.Backoff(e, mine.Attempts, Random.Shared.NextDouble())),
                CancellationToken.None);
            Log.NotTold(log, Faults.Describe(e));
            return e.Fault == FhirFault.Refused && e.Status != 429;
        }
    }

    // Null where it is not there any more: somebody removed it.
    private async Task<string?> ReplaceAsync(
        string id, AnnouncementRow row, string doctor, string? practitioner, WaitingNumber number, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (await writer.Client.ReadAsync("Task", id, cancellationToken) is not { } there)
            return null;
        var resource = Resource(id, row, doctor, practitioner, number, now);
        // Where nothing waits any more, nothing says either which Practitioner she is: it stays hers.
        if (practitioner is null && FhirWriter.Read(there, "Task")?.Resource["owner"] is { } owner)
            resource["owner"] = owner.DeepClone();
        try
        {
            await writer.Client.UpdateAsync("Task", id, Bytes(resource), null, cancellationToken);
            return id;
        }
        catch (FhirException e) when (e.Fault is FhirFault.NotFound or FhirFault.Gone)
        {
            return null;
        }
    }

    private async Task<string?> FindAsync(string name, CancellationToken cancellationToken)
    {
        foreach (var resource in (await writer.Client.SearchAsync(Named(name), cancellationToken)).Resources)
            if (FhirWriter.Read(resource, "Task") is var (_, id))
                return id;
        return null;
    }

    private static FhirSearch Named(string name) => new FhirSearch("Task").Where("identifier", $"{IdentifierSystem}|{name}");

    private async Task<string?> PractitionerAsync(Work work, string licence) => await routing.PractitionerOfAsync(work, licence, await work.FirstAsync<SummaryRow>(
        $"SELECT {SummaryRows.Columns} FROM summary WHERE doctor_licence = @licence AND status = 'AwaitingCoSign' AND for_licence IS NULL ORDER BY queued_at, row_id LIMIT 1", new { licence }));

    private JsonObject Resource(string? id, AnnouncementRow row, string licence, string? practitioner, WaitingNumber number, DateTimeOffset now)
    {
        var resource = new JsonObject { ["resourceType"] = "Task" };
        if (id is not null)
            resource["id"] = id;
        resource["identifier"] = new JsonArray(new JsonObject { ["system"] = IdentifierSystem, ["value"] = row.Name });
        resource["status"] = number.Number == 0 ? "completed" : "requested";
        resource["intent"] = "order";
        resource["priority"] = number.Overdue > 0 ? "urgent" : "routine";
        resource["code"] = new JsonObject { ["text"] = options.Chinese ? "签署摘要" : "Co-sign summaries" };
        resource["description"] = AnnouncingRules.Headline(options.Chinese, number.Number);
        resource["authoredOn"] = Text(DateTimeOffset.FromUnixTimeMilliseconds(row.FirstAt ?? now.ToUnixTimeMilliseconds()), "yyyy-MM-ddTHH:mm:ssZ");
        resource["lastModified"] = Text(now, "yyyy-MM-ddTHH:mm:ssZ");
        resource["requester"] = new JsonObject
        {
            ["type"] = "Device",
            ["identifier"] = new JsonObject { ["system"] = "urn:bridge:msp", ["value"] = hospital.Msp },
            ["display"] = "Bridge",
        };
        resource["owner"] = practitioner is not null
            ? new JsonObject { ["reference"] = $"Practitioner/{practitioner}", ["type"] = "Practitioner" }
            : new JsonObject { ["type"] = "Practitioner", ["identifier"] = new JsonObject { ["value"] = licence } };
        var input = new JsonArray(
            Input("number", "valueInteger", number.Number),
            Input("link", "valueUrl", options.Link!.AbsoluteUri));
        if (number.Oldest is { } oldest)
            // A date has no zone: it is the day on the hospital's own calendar.
            input.Add((JsonNode)Input("waiting since", "valueDate", TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeMilliseconds(oldest), clock.LocalTimeZone).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)));
        resource["input"] = input;
        return resource;
    }

    private static JsonObject Input(string name, string member, JsonNode value) => new() { ["type"] = new JsonObject { ["text"] = name }, [member] = value };

    private static string Text(DateTimeOffset at, string format) => at.UtcDateTime.ToString(format, CultureInfo.InvariantCulture);

    private static byte[] Bytes(JsonObject resource) => Encoding.UTF8.GetBytes(resource.ToJsonString());

    private static partial class Log
    {
        [LoggerMessage(EventId = 3402, Level = LogLevel.Warning, Message = "A doctor's Task could not be brought up to date on the FHIR server and will be tried again: {Fault}")]
        public static partial void NotTold(ILogger logger, string fault);
    }
}
