using System.Net;
using Bridge.Hospital.Store;
using Bridge.Records;
using Xunit;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class CoSignTests(HospitalFixture fixture)
{
    // The queue is what is tried: nothing leaves for the ledger meanwhile.
    private static readonly (string, string)[] NothingLeaves = [("Anchoring:MinPatients", "100"), ("Anchoring:MinDelay", "1.00:00:00"), ("Anchoring:MaxDelay", "1.00:00:00")];

    [Fact]
    public async Task Decisions_RacingRepeatedAndForged_OneWinsAndTheOthersAreTold()
    {
        await using var rig = Rig.Create(fixture);
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
        Assert.Equal("BAD_HEADER", (await DecideAsync(rig, mine, summary, "e30", Rig.Sign(doctor.Keys, input))).Outcome);
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

    [Fact]
    public async Task Endpoints_EveryWrongRole_IsRefused()
    {
        await using var rig = await Rig.StartAsync(fixture, [.. NothingLeaves, ("Operations:Workers", "true")]);
        var licence = rig.Doctors.Keys.Single();
        (string Role, HttpMethod Method, string Path)[] endpoints =
        [
            ("doctor", HttpMethod.Get, "/api/cosign/queue"),
            ("doctor", HttpMethod.Get, "/api/cosign/x"),
            ("doctor", HttpMethod.Post, "/api/cosign/x/approve"),
            ("doctor", HttpMethod.Post, "/api/cosign/x/decline"),
            ("operator", HttpMethod.Get, "/api/cosign/unassigned"),
            ("operator", HttpMethod.Post, "/api/cosign/x/assign"),
            ("operator", HttpMethod.Put, "/api/practitioners/x"),
            ("operator", HttpMethod.Get, "/api/operations/counts"),
            ("operator", HttpMethod.Get, "/api/operations/stages"),
            ("operator", HttpMethod.Get, "/api/operations/held"),
            ("operator", HttpMethod.Post, "/api/operations/pause"),
            ("operator", HttpMethod.Post, "/api/operations/resume"),
            ("operator", HttpMethod.Post, "/api/operations/summaries/1/rerun"),
            ("operator", HttpMethod.Post, "/api/operations/reconcile"),
            ("operator", HttpMethod.Get, "/api/operations/audit"),
            ("operator", HttpMethod.Get, "/api/operations/audit/verify"),
            ("operator", HttpMethod.Get, "/api/certificates"),
            ("desk", HttpMethod.Get, "/api/enrolments"),
            ("desk", HttpMethod.Get, "/api/enrolments/1"),
            ("desk", HttpMethod.Post, "/api/enrolments"),
            ("desk", HttpMethod.Post, "/api/enrolments/1/cancel"),
            ("desk", HttpMethod.Post, "/api/enrolments/1/reissue"),
            ("desk", HttpMethod.Post, "/api/enrolments/1/withdraw"),
            ("registrar", HttpMethod.Post, "/api/doctors"),
            ("registrar", HttpMethod.Post, "/api/doctors/confirmations"),
            ("registrar", HttpMethod.Post, "/api/doctors/revocations"),
        ];
        foreach (var (role, method, path) in endpoints)
        {
            var body = method == HttpMethod.Get ? null : new { };
            Assert.Equal(HttpStatusCode.Unauthorized, (await rig.CallAsync(null, method, path, body)).Status);
            Assert.Equal(HttpStatusCode.Unauthorized, (await rig.CallAsync("stranger", method, path, body)).Status);
            foreach (var (who, whose) in new[] { (licence, "doctor"), ("operator", "operator"), ("desk", "desk"), ("registrar", "registrar") })
                if (whose != role)
                    Assert.Equal((path, HttpStatusCode.Forbidden), (path, (await rig.CallAsync(who, method, path, body)).Status));
        }
        Assert.Equal(HttpStatusCode.OK, (await rig.CallAsync(null, HttpMethod.Get, "/health/live")).Status);
    }

    private static Task<Answer> DecideAsync(Rig rig, string licence, string summary, string header, string signature) =>
        rig.PostAsync(licence, $"/api/cosign/{summary}/approve", new { @protected = header, signature });

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);
}
