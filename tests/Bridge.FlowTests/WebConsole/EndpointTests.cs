using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.FlowTests.Hospital;
using Bridge.Records;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>Every endpoint that the server maps stands in one table with those who may call it, and is tried with everybody else.</summary>
[Collection(HospitalPagesCollection.Name)]
public class EndpointTests(HospitalFixture fixture)
{
    private const string Anyone = "anyone";
    private const string SignedIn = "signed in";

    private static readonly (string Who, string Endpoint)[] Table =
    [
        (Anyone, "GET /health/live"),
        (Anyone, "GET /health/ready"),
        (Anyone, "GET /api/signin"),
        (Anyone, "GET /signin"),
        (Anyone, "GET /signin/launch"),
        (Anyone, "GET /signin/callback"),
        (Anyone, "POST /signin/sample"),
        (Anyone, "POST /signin/out"),
        (Anyone, "GET /signin/leave"),
        (Anyone, "GET /signin/left"),
        (SignedIn, "GET /api/me"),
        ("doctor", "GET /api/cosign/queue"),
        ("doctor", "GET /api/cosign/{summaryId}"),
        ("doctor", "POST /api/cosign/{summaryId}/approve"),
        ("doctor", "POST /api/cosign/{summaryId}/decline"),
        ("doctor", "GET /api/cosign/signed"),
        ("doctor", "POST /api/cosign/approvals"),
        ("doctor", "POST /api/cosign/{summaryId}/not-mine"),
        ("doctor", "POST /api/cosign/{summaryId}/delegate"),
        ("doctor", "POST /api/cosign/{summaryId}/too-sensitive"),
        ("doctor", "POST /api/cosign/{summaryId}/recall"),
        ("doctor", "GET /api/colleagues"),
        ("doctor", "GET /api/absences"),
        ("doctor", "POST /api/absences"),
        ("doctor", "POST /api/absences/{id:long}/end"),
        ("doctor", "PUT /api/absences/deputy"),
        ("doctor", "GET /api/keys"),
        ("doctor", "POST /api/keys/requests"),
        ("doctor", "POST /api/keys/requests/{keyId}/withdraw"),
        ("doctor", "POST /api/keys/{thumbprint}/lost"),
        ("doctor", "POST /api/keys/revocations"),
        ("registrar", "GET /api/keys/requests"),
        ("registrar", "POST /api/keys/requests/{id:long}/decline"),
        ("doctor", "GET /api/retractions/queue"),
        ("doctor", "GET /api/retractions/{summaryId}"),
        ("doctor", "POST /api/retractions/{summaryId}/approve"),
        ("doctor", "POST /api/retractions/{summaryId}/decline"),
        ("doctor", "POST /api/retractions/{summaryId}/not-mine"),
        ("doctor", "POST /api/retractions/{summaryId}/delegate"),
        ("operator", "GET /api/retractions/held"),
        ("operator", "POST /api/retractions/{summaryId}/assign"),
        ("operator", "GET /api/cosign/unassigned"),
        ("operator", "POST /api/cosign/{summaryId}/assign"),
        ("operator", "PUT /api/practitioners/{practitioner}"),
        ("operator", "GET /api/operations/counts"),
        ("operator", "GET /api/operations/stages"),
        ("operator", "GET /api/operations/held"),
        ("operator", "POST /api/operations/pause"),
        ("operator", "POST /api/operations/resume"),
        ("operator", "POST /api/operations/summaries/{row:long}/rerun"),
        ("operator", "POST /api/operations/reconcile"),
        ("operator", "GET /api/operations/audit"),
        ("operator", "GET /api/operations/audit/verify"),
        ("operator", "GET /api/operations/audit/export"),
        ("operator", "GET /api/operations/jobs"),
        ("operator", "GET /api/operations/reconciliations"),
        ("operator", "GET /api/operations/live"),
        ("operator", "POST /api/operations/live/negotiate"),
        ("operator", "GET /api/certificates"),
        ("desk", "GET /api/enrolments"),
        ("desk", "GET /api/enrolments/{id:long}"),
        ("desk", "GET /api/enrolments/form"),
        ("desk", "POST /api/enrolments/patients"),
        ("desk", "POST /api/enrolments"),
        ("desk", "POST /api/enrolments/{id:long}/cancel"),
        ("desk", "POST /api/enrolments/{id:long}/reissue"),
        ("desk", "POST /api/enrolments/{id:long}/withdraw"),
        ("registrar operator", "GET /api/doctors"),
        ("registrar operator", "GET /api/doctors/tasks"),
        ("registrar", "POST /api/doctors"),
        ("registrar", "GET /api/doctors/{handle}/papers"),
        ("registrar", "POST /api/doctors/confirmations"),
        ("registrar", "POST /api/doctors/revocations"),
    ];

    [Fact]
    public async Task Endpoints_EveryOneWithEveryRole_LetsInOnlyWhomTheTableNames()
    {
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        await rig.StartAsync(("Operations:Workers", "false"), ("SignIn:SamplePeople", "true"));

        var mapped = rig.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            // The bundle's own files and the page that stands for every other address.
            .Where(endpoint => endpoint.RoutePattern.RawText is { } pattern && !pattern.StartsWith("/assets/", StringComparison.Ordinal) && !pattern.Contains("**", StringComparison.Ordinal)
                && !pattern.Contains("*path", StringComparison.Ordinal) && pattern != "/icon.svg")
            .SelectMany(endpoint => Methods(endpoint).Select(method => $"{method} {Path(endpoint)}"))
            .Order(StringComparer.Ordinal);
        Assert.Equal(Table.Select(line => line.Endpoint).Order(StringComparer.Ordinal), mapped);

        (string Who, string Role)[] people = [(licence, "doctor"), ("operator", "operator"), ("desk", "desk"), ("registrar", "registrar")];
        var sessions = new Dictionary<string, PlainBrowser>();
        var faults = new List<string>();
        try
        {
            foreach (var (_, role) in people)
                sessions[role] = await SessionAsync(rig, role);
            foreach (var (who, endpoint) in Table)
            {
                var (method, path) = (new HttpMethod(endpoint.Split(' ')[0]), Concrete(endpoint.Split(' ')[1]));
                var body = method == HttpMethod.Get ? null : new { };
                foreach (var stranger in new[] { null, "stranger" })
                {
                    var answer = await rig.CallAsync(stranger, method, path, body);
                    Expect(who != Anyone, HttpStatusCode.Unauthorized, answer.Status, HasBody(answer), $"{stranger ?? "nobody"} at {endpoint}");
                }
                foreach (var (token, role) in people)
                {
                    var refused = who is not (Anyone or SignedIn) && !who.Split(' ').Contains(role);
                    if (path == "/signin/out" || path == "/api/operations/reconcile" && !refused)
                        continue;
                    var byToken = await rig.CallAsync(token, method, path, body);
                    Expect(refused, HttpStatusCode.Forbidden, byToken.Status, HasBody(byToken), $"{role} by token at {endpoint}");
                    using var bySession = await sessions[role].SendAsync(method, new Uri(rig.BaseAddress, path), body is null ? null : "{}", ("X-Bridge-Console", "1"));
                    var said = await bySession.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                    Expect(refused, HttpStatusCode.Forbidden, bySession.StatusCode, said.Length > 0, $"{role} by session at {endpoint}");
                }
            }
        }
        finally
        {
            foreach (var session in sessions.Values)
                session.Dispose();
        }
        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));

        // A page whose name was made to lead to this machine is anyone, if it is let.
        using (var rebound = new PlainBrowser())
        using (var refused = await rebound.SendAsync(
            HttpMethod.Post, new Uri(rig.BaseAddress, "/signin/sample"), """{"person":0}""", ("X-Bridge-Console", "1"), ("Host", "evil.example"), ("Origin", "http://evil.example")))
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);

        // A refusal of access has no body; "no" with a named outcome is an answer to somebody who was let in.
        void Expect(bool refused, HttpStatusCode expected, HttpStatusCode status, bool body, string what)
        {
            if (refused ? status != expected || body : status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden && !body)
                faults.Add($"{what}: {(int)status}");
        }
    }

    [Fact]
    public async Task KeyRequest_UnderAnothersNameOrForAnotherRoleOrKey_ReachesNoRegistrar()
    {
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        await rig.StartAsync(("Operations:Workers", "false"));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var large = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var good = Request(key, licence, PersonRole.Doctor);
        foreach (var (request, outcome) in new[]
        {
            (Request(key, "Dr. Iris Keller", PersonRole.Doctor), "OTHER_NAME"), (Request(key, $"Dr. Iris Keller,CN={licence}", null), "OTHER_NAME"), (Request(key, licence, PersonRole.Registrar), "BAD_REQUEST"), (Request(key, licence, PersonRole.StatusKey), "BAD_REQUEST"),
            (Convert.ToBase64String(new CertificateRequest($"CN={licence}", large, HashAlgorithmName.SHA384).CreateSigningRequest()), "BAD_REQUEST"), (good[..^8] + "AAAAAAA=", "BAD_REQUEST"),
            (Convert.ToBase64String([.. Convert.FromBase64String(good), 0]), "BAD_REQUEST"), ("", "BAD_REQUEST"), ("MA==", "BAD_REQUEST"), (new string('A', 100_000), "BAD_REQUEST"), (good.Replace("MI", "M ", StringComparison.Ordinal), "BAD_REQUEST"),
        })
            Assert.Equal((HttpStatusCode.UnprocessableEntity, outcome), await AskAsync(request));
        Assert.Empty((await rig.GetAsync("registrar", "/api/keys/requests")).Body.GetProperty("items").EnumerateArray());

        Assert.Equal((HttpStatusCode.Accepted, "REQUESTED"), await AskAsync(good));
        Assert.Equal((HttpStatusCode.Conflict, "ALREADY_ASKED"), await AskAsync(good));
        // Anyone's open requests are few, whatever keys are made for them.
        for (var i = 0; i < 4; i++)
        {
            using var another = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            Assert.Equal((HttpStatusCode.Accepted, "REQUESTED"), await AskAsync(Request(another, licence, null)));
        }
        using var sixth = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.Equal((HttpStatusCode.Conflict, "TOO_MANY"), await AskAsync(Request(sixth, licence, null)));

        async Task<(HttpStatusCode, string)> AskAsync(string request) =>
            await rig.PostAsync(licence, "/api/keys/requests", new { request }) is var answer ? (answer.Status, answer.Outcome) : default;

        static string Request(ECDsa key, string name, PersonRole? role)
        {
            var pem = PersonRequest.Create(key, new X500DistinguishedName($"CN={name}"), role);
            return pem[PemEncoding.Find(pem).Base64Data];
        }
    }

    private static bool HasBody(Answer answer) => answer.Body.ValueKind != System.Text.Json.JsonValueKind.Undefined;

    /// <summary>A session of the first sample person with this role.</summary>
    private static async Task<PlainBrowser> SessionAsync(Rig rig, string role)
    {
        var people = (await rig.CallAsync(null, HttpMethod.Get, "/api/signin")).Body.GetProperty("people").EnumerateArray();
        var person = people.First(item => item.GetProperty("roles")[0].GetString() == role).GetProperty("person").GetInt32();
        var browser = new PlainBrowser();
        using var answer = await browser.SendAsync(HttpMethod.Post, new Uri(rig.BaseAddress, "/signin/sample"), $$"""{"person":{{person}}}""", ("X-Bridge-Console", "1"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return browser;
    }

    // A hub takes any method: a client negotiates by POST, then listens by GET.
    private static IReadOnlyList<string> Methods(RouteEndpoint endpoint) =>
        endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [endpoint.RoutePattern.RawText!.EndsWith("/negotiate", StringComparison.Ordinal) ? "POST" : "GET"];

    private static string Path(RouteEndpoint endpoint) => "/" + endpoint.RoutePattern.RawText!.Trim('/');

    private static string Concrete(string pattern) =>
        pattern.Replace("/audit/export", "/audit/export?format=bundle", StringComparison.Ordinal).Replace("{id:long}", "1", StringComparison.Ordinal).Replace("{row:long}", "1", StringComparison.Ordinal)
            .Replace("{summaryId}", "x", StringComparison.Ordinal).Replace("{practitioner}", "x", StringComparison.Ordinal).Replace("{thumbprint}", "x", StringComparison.Ordinal)
            .Replace("{keyId}", "x", StringComparison.Ordinal).Replace("{handle}", "x", StringComparison.Ordinal);
}
