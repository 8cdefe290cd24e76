using System.Text.Json.Nodes;
using Bridge.Hospital;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>Audit entries as FHIR R4 AuditEvent resources, and the pages of the log.</summary>
public class AuditExportTests
{
    private static readonly HospitalOptions Linden = new("HospitalAMSP", "Linden Hospital");

    [Fact]
    public void Of_EveryKindOfAct_HasWhatR4Demands()
    {
        foreach (var action in (string[])["session.open", "session.close", "queue.read", "summary.read", "summary.approve", "enrolment.open", "enrolment.bad-mac", "enrolment.withdrawn",
            "doctor.propose", "operations.pause", "audit.read", "audit.export", "summary.fail", "something.new", "odd"])
        {
            var resource = AuditEvents.Of(Entry(action, "{}"), Linden);

            // 1..1 or 1..*: type, recorded, agent with requestor, source with observer.
            Assert.Equal("AuditEvent", Text(resource, "resourceType"));
            Assert.Matches("^[A-Za-z0-9.-]{1,64}$", Text(resource, "id"));
            Assert.True(Uri.TryCreate(Text(resource["type"]!, "system"), UriKind.Absolute, out _));
            Assert.NotEmpty(Text(resource["type"]!, "code"));
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", Text(resource, "recorded"));
            Assert.True(resource["agent"]![0]!["requestor"]!.GetValue<bool>());
            Assert.Equal("Linden Hospital", Text(resource["source"]!["observer"]!, "display"));
            Assert.Contains(Text(resource, "action"), (string[])["C", "R", "U", "D", "E"]);
            Assert.Contains(Text(resource, "outcome"), (string[])["0", "4", "8", "12"]);
            Assert.Equal(action, Text(resource["subtype"]!.AsArray()[^1]!, "code"));
            // sev-1: an entity has a name or a query, not both. And R4 knows no empty strings or lists.
            Assert.All(resource["entity"]!.AsArray(), entity => Assert.Null(entity!["query"]));
            Assert.All(Values(resource), value => Assert.NotEqual("", value));
        }
    }

    [Fact]
    public void Of_SessionsReadsAndPrograms_SaysWhichTheyWere()
    {
        Assert.Equal("110122", Text(AuditEvents.Of(Entry("session.open", "{}"), Linden)["subtype"]![0]!, "code"));
        var read = AuditEvents.Of(Entry("queue.read", """{"rows":[4,17]}""", "queue"), Linden);
        Assert.Equal(("110110", "R"), (Text(read["type"]!, "code"), Text(read, "action")));
        Assert.Equal(["queue", "summary/4", "summary/17"], read["entity"]!.AsArray().Select(entity => Text(entity!["what"]!["identifier"]!, "value")));
        var failed = AuditEvents.Of(Entry("summary.fail", """{"code":"NO_CONSENT"}""", role: "system"), Linden);
        Assert.Equal(("4", "110150"), (Text(failed, "outcome"), Text(failed["agent"]![0]!["type"]!["coding"]![0]!, "code")));
        Assert.Contains("NO_CONSENT", Values(failed));
    }

    [Fact]
    public void Of_WordsThatPeopleWrote_StayBehind()
    {
        foreach (var (action, detail) in new[]
        {
            ("operations.pause", """{"reason":"Mrs. Canary complained"}"""), ("summary.rerun", """{"from":"Failed","reason":"NO_CONSENT","why":"Mrs. Canary complained"}"""),
            ("enrolment.withdraw", """{"reference":"letter of Mrs. Canary"}"""), ("something.new", """{"note":"Mrs. Canary","deep":{"code":"Mrs. Canary"}}"""),
        })
            Assert.DoesNotContain("Canary", AuditEvents.Of(Entry(action, detail), Linden).ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_TheSameEntry_IsTheSameResource()
    {
        var (one, other) = (Entry("summary.read", "{}"), Entry("summary.read", "{}"));
        Assert.Equal(AuditEvents.Of(one, Linden).ToJsonString(), AuditEvents.Of(other, Linden).ToJsonString());
        Assert.Equal('8', AuditEvents.Id(one)[14]);
        Assert.Contains(one.Hash, Values(AuditEvents.Of(one, Linden)));
    }

    [Theory]
    [OnBothEngines]
    public async Task NewestPage_Filtered_GoesBackEntryByEntry(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        await store.WriteAsync(async work =>
        {
            for (var i = 1; i <= 30; i++)
                await AuditLog.AppendAsync(work, new Actor(i % 2 == 0 ? "ann" : "Ann", "doctor"), i % 3 == 0 ? "summary.read" : "queue.read", $"summary/{i % 5}", null, TestStore.Now);
        });

        Task<IReadOnlyList<AuditEntry>> Page(long before, string? person = null, string? action = null, string? subject = null) =>
            store.ReadAsync(work => AuditLog.NewestPageAsync(work, before, 10, person, action, subject));

        Assert.Equal(Enumerable.Range(21, 10).Reverse().Select(seq => (long)seq), (await Page(long.MaxValue)).Select(entry => entry.Seq));
        Assert.Equal(20, (await Page(21))[0].Seq);
        Assert.Empty(await Page(1));
        // Case tells people apart, on both engines.
        Assert.All(await Page(long.MaxValue, person: "ann"), entry => Assert.Equal(0, entry.Seq % 2));
        Assert.Equal([30, 24, 18, 12, 6], (await Page(long.MaxValue, "ann", "summary.read")).Select(entry => entry.Seq));
        Assert.Equal([30, 15], (await Page(long.MaxValue, action: "summary.read", subject: "summary/0")).Select(entry => entry.Seq));
        Assert.Equal(30, await store.ReadAsync(AuditLog.NewestAsync));
    }

    private static AuditEntry Entry(string action, string detail, string subject = "summary/3", string role = "doctor") => new()
    {
        Seq = 7,
        At = TestStore.Now.ToUnixTimeMilliseconds(),
        Person = "Dr. Iris Keller",
        Role = role,
        Action = action,
        Subject = subject,
        Detail = detail,
        Previous = new string('a', 64),
        Hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    };

    private static string Text(JsonNode node, string member) => node[member]!.GetValue<string>();

    private static List<string> Values(JsonNode? node) => node switch
    {
        JsonObject json => [.. json.SelectMany(member => Values(member.Value))],
        JsonArray array => array.Count == 0 ? [""] : [.. array.SelectMany(Values)],
        JsonValue value => [value.ToString()],
        _ => [""],
    };
}
