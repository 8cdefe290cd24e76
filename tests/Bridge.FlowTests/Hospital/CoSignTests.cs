using System.Net;
using Bridge.Hospital.Store;
using Bridge.Records;
using Bridge.Tests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class CoSignTests(HospitalFixture fixture)
{
    // The queue is what is tried: nothing leaves for the ledger meanwhile.
    private static readonly (string, string)[] NothingLeaves = [("Anchoring:MinPatients", "100"), ("Anchoring:MinDelay", "1.00:00:00"), ("Anchoring:MaxDelay", "1.00:00:00")];

    [Theory]
    [OnBothEngines]
    public async Task Decisions_RacingRepeatedAndForged_OneWinsAndTheOthersAreTold(Engine engine)
    {
        await using var rig = await Rig.CreateAsync(fixture, engine);
        var doctor = await rig.AddDoctorAsync();
        var other = await rig.AddDoctorAsync();
        await rig.StartAsync(NothingLeaves);
        var (mine, hers) = (doctor.Statement.Licence, other.Statement.Licence);
        var practitioner = await fixture.PractitionerAsync(mine);
        var patient = await rig.EnrolAsync();

        var first = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var summary = await rig.QueuedAsync(mine, first);
        var shown = (await rig.GetAsync(mine, $"/api/cosign/{summary}")).Body;
        var offered = shown.GetProperty("signing")[0];
        var header = offered.GetProperty("protected").GetString()!;
        var input = offered.GetProperty("signingInput").GetString()!;
        Assert.Equal(input, $"{header}.{shown.GetProperty("payload").GetString()}");
        Assert.Contains(shown.GetProperty("draft").GetProperty("sources").EnumerateArray(), source => source.GetProperty("field").GetString() == "conditions");
        Assert.DoesNotContain(Source.Canary, shown.GetRawText(), StringComparison.Ordinal);

        // Another doctor neither sees nor signs it; her key under this doctor's name does not count, nor a signature over other bytes.
        Assert.Equal(HttpStatusCode.NotFound, (await rig.GetAsync(hers, $"/api/cosign/{summary}")).Status);
        Assert.Equal("NOT_FOUND", (await DecideAsync(rig, hers, summary, header, Rig.Sign(other.Keys, input))).Outcome);
        Assert.Equal("BAD_SIGNATURE", (await DecideAsync(rig, mine, summary, header, Rig.Sign(other.Keys, input))).Outcome);
        Assert.Equal("BAD_SIGNATURE", (await DecideAsync(rig, mine, summary, header, Rig.Sign(doctor.Keys, input + "A"))).Outcome);
        Assert.Equal("BAD_SIGNATURE", (await DecideAsync(rig, mine, summary, header, "AAAA")).Outcome);
        foreach (var bad in new[] { "{}", "[]", "null", """{"x5c":["\ud800"]}""", """{"x5c":[null]}""", """{"x5c":"AAAA"}""" })
            Assert.Equal("BAD_HEADER", (await DecideAsync(rig, mine, summary, Base64Url.Encode(System.Text.Encoding.UTF8.GetBytes(bad)), Rig.Sign(doctor.Keys, input))).Outcome);
        var several = await rig.PostAsync(mine, "/api/cosign/approvals", new { items = new object?[] { null, new { id = summary, @protected = header, signature = "AAAA" } } });
        Assert.Equal(["NOT_FOUND", "BAD_SIGNATURE"], several.Body.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("outcome").GetString()));
        var herHeader = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Doctor, Base64Url.Decode(shown.GetProperty("payload").GetString()!), other.Keys.Der());
        Assert.Equal("DOCTOR_UNKNOWN", (await DecideAsync(rig, mine, summary, herHeader.Protected, Rig.Sign(other.Keys, System.Text.Encoding.ASCII.GetString(herHeader.Bytes)))).Outcome);
        Assert.Equal("NO_REASON", (await rig.PostAsync(mine, $"/api/cosign/{summary}/decline", new { reason = " " })).Outcome);
        Assert.Equal(SummaryStatus.AwaitingCoSign, (await rig.RowOfAsync(first))!.Status);

        // Eight approvals and declines at once: one decision, the others are told.
        var signature = Rig.Sign(doctor.Keys, input);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => i % 2 == 0
            ? DecideAsync(rig, mine, summary, header, signature)
            : rig.PostAsync(mine, $"/api/cosign/{summary}/decline", new { reason = "not hers" })));
        Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
        Assert.Equal(7, answers.Count(answer => answer.Outcome == "ALREADY_DECIDED"));
        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM decision"));
        Assert.Equal("ALREADY_DECIDED", (await DecideAsync(rig, mine, summary, header, signature)).Outcome);
        Assert.Equal(await CountAsync(rig, "SELECT COUNT(*) FROM decision WHERE kind = 'approve'"), await CountAsync(rig, "SELECT COUNT(*) FROM anchor"));

        // Declined stays declined however often the source is read.
        var second = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var declined = await rig.QueuedAsync(mine, second);
        Assert.Equal("DECLINED", (await rig.PostAsync(mine, $"/api/cosign/{declined}/decline", new { reason = "wrong patient" })).Outcome);
        Assert.Equal(SummaryStatus.Declined, (await rig.RowOfAsync(second))!.Status);
    }

    [Fact]
    public async Task Encounter_WithoutKnownDoctor_WaitsForAnOperatorWhoSeesNoPatient()
    {
        await using var rig = await Rig.StartAsync(fixture, NothingLeaves);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(null);
        var patient = await rig.EnrolAsync();
        var nobody = await fixture.EncounterAsync(patient.FhirId, null, Source.Codes[0]);
        var unknown = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        await rig.UntilStatusAsync(nobody, SummaryStatus.Withheld);
        await rig.UntilStatusAsync(unknown, SummaryStatus.Withheld);

        var list = await rig.GetAsync("operator", "/api/cosign/unassigned");
        Assert.Equal(2, list.Body.GetProperty("items").GetArrayLength());
        Assert.DoesNotContain(patient.FhirId, list.Body.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain(patient.Request.Pseudonym.ToString(), list.Body.GetRawText(), StringComparison.Ordinal);

        var summary = (await rig.RowOfAsync(nobody))!.SummaryId;
        Assert.Equal("DOCTOR_UNKNOWN", (await rig.PostAsync("operator", $"/api/cosign/{summary}/assign", new { licence = "L-none" })).Outcome);
        Assert.Equal("ASSIGNED", (await rig.PostAsync("operator", $"/api/cosign/{summary}/assign", new { licence })).Outcome);
        Assert.Equal(1, (await rig.CallAsync("operator", HttpMethod.Put, $"/api/practitioners/{practitioner}", new { licence })).Body.GetProperty("assigned").GetInt32());
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, await rig.QueuedAsync(licence, unknown))).Outcome);
    }

    private static Task<Answer> DecideAsync(Rig rig, string licence, string summary, string header, string signature) =>
        rig.PostAsync(licence, $"/api/cosign/{summary}/approve", new { @protected = header, signature });

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);
}
