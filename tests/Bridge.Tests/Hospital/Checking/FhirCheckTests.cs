using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.FhirServers;
using Bridge.Hospital.Checking;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Watching;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace Bridge.Tests.Hospital.Checking;

/// <summary>The check's part about the FHIR server, before servers that behave as real ones do.</summary>
public class FhirCheckTests
{
    private const string Patient = "canary-patient-7";

    [Fact]
    public async Task Run_GoodServer_FindsNothingAndTellsWhatItTried()
    {
        await using var server = await ServerAsync();

        var report = await CheckAsync(server, patients: 1000);

        Assert.False(report.HasFaults, report.Text());
        Assert.DoesNotContain(report.Lines, line => line.State == CheckState.Warning && line.Name != "SMART");
        foreach (var name in (string[])["/metadata", "Condition?encounter=", "Patient?_id=", "page links", "watch strategy", "calls a day", "FHIR server"])
            report.Only(name, CheckState.Good);
        Assert.Contains("LastUpdated", report.Only("watch strategy").Says, StringComparison.Ordinal);
        Assert.DoesNotContain(Patient, report.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_NobodyThere_SaysSoOnceAndSoon()
    {
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        var report = await CheckAsync(new Uri($"http://127.0.0.1:{((IPEndPoint)closed.LocalEndPoint!).Port}/fhir"));

        var fault = Assert.Single(report.Lines, line => line.State == CheckState.Fault);
        Assert.Equal("/metadata", fault.Name);
        Assert.Contains("found no server", fault.Says, StringComparison.Ordinal);
        Assert.Contains("Fhir:BaseUrl", fault.Cure, StringComparison.Ordinal);
        report.Only("searches", CheckState.NotTried);
    }

    [Theory]
    [InlineData("html")]
    [InlineData("cut")]
    [InlineData("other")]
    public async Task Run_Garbage_AsksForTheRightAddressAndShowsNoneOfIt(string kind)
    {
        await using var server = await ServerAsync();
        server.Fail(kind switch { "html" => Fault.Html(), "cut" => Fault.TruncatedJson(), _ => Fault.NoObject() }, int.MaxValue);

        var report = await CheckAsync(server);

        Assert.True(report.HasFaults);
        Assert.Contains(report.Lines, line => line.State == CheckState.Fault && (line.Cure!.Contains("Fhir:BaseUrl", StringComparison.Ordinal) || line.Says.Contains("Fhir:BaseUrl", StringComparison.Ordinal)));
        Assert.DoesNotContain("sign in", report.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_AnotherVersion_IsAFault()
    {
        await using var server = await ScriptedServer.StartAsync(context => ScriptedServer.Json(
            context, context.Request.Path.Value!.EndsWith("metadata", StringComparison.Ordinal) ? """{"resourceType":"CapabilityStatement","fhirVersion":"5.0.0"}""" : ScriptedServer.Bundle([])));

        var line = (await CheckAsync(server.BaseUrl)).Only("/metadata", CheckState.Fault);

        Assert.Contains("5.0.0", line.Says, StringComparison.Ordinal);
        Assert.Contains("R4", line.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_TokenWantedAndNoneConfigured_SaysHowToGetOne()
    {
        await using var server = await ServerAsync(quirks => quirks.Token = "t");

        var report = await CheckAsync(server);

        Assert.Contains(server.BaseUrl + "token", report.Only("SMART", CheckState.Warning).Says, StringComparison.Ordinal);
        Assert.Contains("Fhir:Smart", report.Only("SMART").Cure, StringComparison.Ordinal);
        Assert.Contains("401", report.Only("search across patients", CheckState.Fault).Says, StringComparison.Ordinal);
        report.Only("watch strategy", CheckState.NotTried);
    }

    [Fact]
    public async Task Run_Smart_TellsTheGrantedScopesAndWhatTheyLack()
    {
        await using var server = await ServerAsync(quirks => quirks.Token = "t");
        using var folder = new TemporaryFolder();
        var smart = Smart(folder, server.BaseUrl + "token");

        var good = await CheckAsync(server, settings: smart);
        Assert.False(good.HasFaults, good.Text());
        Assert.Contains("system/Condition.rs", good.Only("token", CheckState.Good).Says, StringComparison.Ordinal);

        server.Quirks.OutOfScope.Add("Procedure");
        var lacking = await CheckAsync(server, settings: smart);
        Assert.Contains("nothing covers Procedure", lacking.Only("token", CheckState.Fault).Says, StringComparison.Ordinal);
        Assert.Contains("403", lacking.Only("Procedure?encounter=", CheckState.Fault).Says, StringComparison.Ordinal);
        Assert.Contains("scope", lacking.Only("Procedure?encounter=").Cure, StringComparison.Ordinal);
        lacking.Only("Condition?encounter=", CheckState.Good);
    }

    [Fact]
    public async Task Run_SmartAtTheWrongAddress_NamesTheRightOne()
    {
        await using var server = await ServerAsync(quirks => quirks.Token = "t");
        using var folder = new TemporaryFolder();

        var report = await CheckAsync(server, settings: Smart(folder, server.BaseUrl + "oauth/token"));

        Assert.Contains(server.BaseUrl + "token", report.Only("SMART", CheckState.Fault).Says, StringComparison.Ordinal);
        Assert.Contains("Fhir:Smart:TokenEndpoint", report.Only("SMART").Cure, StringComparison.Ordinal);
        report.Only("/metadata", CheckState.Good);
        Assert.Contains("oauth/token: 401", report.Only("token", CheckState.Fault).Says, StringComparison.Ordinal);
        report.Only("searches", CheckState.NotTried);
    }

    [Theory]
    [InlineData("LastUpdated", true, "LastUpdated is configured and does not work", "Set Watching:Strategy to RosterSweep")]
    [InlineData("RosterSweep", true, "a search across all patients is answered with 400; it searches by patient", null)]
    [InlineData("RosterSweep", false, "could not be tried, for want of a patient", null)]
    public async Task Run_ServerThatSearchesWithinAPatientOnly_ChoosesTheSweep(string configured, bool somePatient, string says, string? cure)
    {
        await using var server = await ServerAsync(quirks => quirks.PatientScoped = true);

        var line = (await CheckAsync(server, somePatient: somePatient ? Patient : null, settings: [("Watching:Strategy", configured)])).Only("watch strategy", cure is null ? CheckState.Good : CheckState.Fault);

        Assert.Contains(says, line.Says, StringComparison.Ordinal);
        Assert.Equal(cure, line.Cure);
    }

    [Fact]
    public async Task Run_LastUpdatedIgnored_DoesNotTrustIt()
    {
        await using var server = await ServerAsync(quirks =>
        {
            quirks.Unknown.Add("_lastUpdated");
            quirks.OnUnknown = UnknownParameter.Ignored;
        });

        var line = (await CheckAsync(server)).Only("watch strategy", CheckState.Fault);

        Assert.Contains("ignores _lastUpdated", line.Says, StringComparison.Ordinal);
        Assert.Contains("RosterSweep", line.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_NoSearchWorks_SaysWhomToAsk()
    {
        await using var server = await ServerAsync(quirks =>
        {
            quirks.Unknown.Add("_lastUpdated");
            quirks.Unknown.Add("patient");
        });

        var report = await CheckAsync(server, somePatient: Patient);

        Assert.Contains("none works", report.Only("watch strategy", CheckState.Fault).Says, StringComparison.Ordinal);
        Assert.Contains("system/Encounter.rs", report.Only("watch strategy").Cure, StringComparison.Ordinal);
        Assert.Contains("400", report.Only("search by patient", CheckState.Fault).Says, StringComparison.Ordinal);
        Assert.DoesNotContain(Patient, report.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_SweepConfiguredWherePollingWorks_IsAWarning()
    {
        await using var server = await ServerAsync();

        var line = (await CheckAsync(server, settings: [("Watching:Strategy", "RosterSweep")])).Only("watch strategy", CheckState.Warning);

        Assert.Equal("Set Watching:Strategy to LastUpdated", line.Cure);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(-40)]
    public async Task Run_ClocksApart_SaysByHowMuch(int seconds)
    {
        await using var server = await QuirkServer.StartAsync(time: new ShiftedTime(TimeSpan.FromSeconds(seconds)));
        Fill(server);

        var line = (await CheckAsync(server)).Only("FHIR server", CheckState.Fault);

        Assert.Matches(seconds > 0 ? @"^\+(39|40) s" : @"^-(39|40|41) s", line.Says);
        Assert.Contains("NTP", line.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_LinksToAnotherAddress_SaysWhich()
    {
        await using var server = await ServerAsync(quirks => quirks.LinkOrigin = new Uri("https://ehr.example"));

        var line = (await CheckAsync(server)).Only("page links", CheckState.Fault);

        Assert.Contains("https://ehr.example", line.Says, StringComparison.Ordinal);
        Assert.Contains("Fhir:BaseUrl", line.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_ServerThatNeitherCountsNorSorts_IsGoodEnoughAndSaid()
    {
        await using var server = await ServerAsync(quirks => (quirks.IgnoresCount, quirks.IgnoresSort) = (true, true));

        var report = await CheckAsync(server);

        Assert.False(report.HasFaults, report.Text());
        Assert.Contains("asked for 20 encounters", report.Only("page size", CheckState.Warning).Says, StringComparison.Ordinal);
        Assert.Contains("does not sort", report.Only("watch strategy", CheckState.Good).Says, StringComparison.Ordinal);
    }

    // 1,000 patients have 27.4 encounters a day: each is read twice with six searches for what belongs to it; 55 wait for two days, in groups of 40.
    [Fact]
    public void PerDay_ThousandPatients_CountsEachKindOfCall()
    {
        var polling = WatchAdvice.PerDay(WatchStrategy.LastUpdated, TimeSpan.FromSeconds(30), TimeSpan.FromHours(6), TimeSpan.FromDays(1), 1000, 50_000, new WatchOptions { PageSize = 200, ChildrenPerRequest = 40 });
        var sweep = WatchAdvice.PerDay(WatchStrategy.RosterSweep, TimeSpan.FromHours(1), TimeSpan.FromHours(6), TimeSpan.FromDays(1), 1000, null, new WatchOptions { PageSize = 200, ChildrenPerRequest = 40 });

        Assert.Equal(new DailyCalls(2880, 329, 4 * 7 * 2, 250), polling);
        Assert.Equal(2880 + 329 + 56 + 250, polling.Total);
        Assert.Equal(new DailyCalls(24_000, 329, 56, 1), sweep);
        Assert.Equal(new DailyCalls(2880, 0, 0, 1), WatchAdvice.PerDay(WatchStrategy.LastUpdated, TimeSpan.FromSeconds(30), TimeSpan.FromHours(6), TimeSpan.FromDays(1), 0, null, new WatchOptions()));
        Assert.StartsWith("about 3515 calls a day for 1000 enrolled patients", WatchAdvice.Describe(polling, WatchStrategy.LastUpdated, 1000, TimeSpan.FromSeconds(30)), StringComparison.Ordinal);
    }

    private static async Task<QuirkServer> ServerAsync(Action<Quirks>? quirks = null)
    {
        var server = await QuirkServer.StartAsync();
        Fill(server);
        quirks?.Invoke(server.Quirks);
        return server;
    }

    // More encounters than the check asks for at once, the last made first.
    private static void Fill(QuirkServer server)
    {
        for (var i = 30; i > 0; i--)
        {
            var at = DateTimeOffset.UtcNow.AddMinutes(-i * (i % 2 == 0 ? 2 : 3));
            server.Store.Put(
                new JsonObject { ["resourceType"] = "Encounter", ["id"] = $"e{i}", ["status"] = "finished", ["subject"] = new JsonObject { ["reference"] = $"Patient/{Patient}" } }, at, at);
        }
    }

    private static (string, string)[] Smart(TemporaryFolder folder, string endpoint)
    {
        using var key = SmartKey.NewEs384();
        File.WriteAllText(folder.File("smart.pem"), key.ToPem());
        return [("Fhir:Smart:TokenEndpoint", endpoint), ("Fhir:Smart:ClientId", "bridge"), ("Fhir:Smart:Key", folder.File("smart.pem"))];
    }

    private static Task<CheckReport> CheckAsync(QuirkServer server, int patients = 0, string? somePatient = null, (string, string)[]? settings = null) =>
        CheckAsync(server.BaseUrl, patients, somePatient, settings);

    private static async Task<CheckReport> CheckAsync(Uri server, int patients = 0, string? somePatient = null, (string Key, string Value)[]? settings = null)
    {
        var reader = new ConfigurationReader(new ConfigurationBuilder().AddInMemoryCollection(
            (settings ?? []).Append(("Fhir:BaseUrl", server.ToString())).Select(pair => KeyValuePair.Create(pair.Item1, (string?)pair.Item2))).Build(), "/");
        var options = WatchingOptions.Read(reader);
        Assert.Empty(reader.Faults);
        var report = new CheckReport();
        using var check = new FhirCheck(options, report, TimeProvider.System);
        await check.RunAsync(patients, somePatient, TimeSpan.FromDays(1));
        return report;
    }

    private sealed class ShiftedTime(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
