using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Bridge.FhirServers;

public sealed partial class QuirkServer
{
    private async Task SearchAsync(HttpContext context, string type, string query)
    {
        var offset = 0;
        IReadOnlyList<Row>? held = null;
        if (Searching.Parse(query).FirstOrDefault(p => p.Key == "_page").Value is { } token)
        {
            if (!_links.TryGetValue(token, out var link) || Expired(link))
            {
                await OutcomeAsync(context, 410, "Search ID does not exist and may have expired");
                return;
            }
            (type, query, offset, held) = (link.Type, link.Query, link.Offset, link.Rows);
        }
        var now = _time.GetUtcNow();
        var key = $"{type}?{query}&{offset.ToString(CultureInfo.InvariantCulture)}";
        var fresh = context.Request.Headers.CacheControl.ToString().Contains("no-cache", StringComparison.OrdinalIgnoreCase);
        if (!fresh && Quirks.SearchCache > TimeSpan.Zero && _cache.TryGetValue(key, out var cached) && now - cached.At < Quirks.SearchCache)
        {
            await BytesAsync(context, 200, cached.Answer);
            return;
        }
        var parameters = Searching.Parse(query);
        IReadOnlyList<Row> rows;
        try
        {
            var strict = context.Request.Headers["Prefer"].ToString().Contains("handling=strict", StringComparison.OrdinalIgnoreCase);
            rows = held ?? Searching.Matches(Store, Quirks, type, parameters, strict);
        }
        catch (SearchRefusedException e)
        {
            await OutcomeAsync(context, 400, e.Message);
            return;
        }
        var answer = Page(type, query, parameters, rows, offset);
        if (Quirks.SearchCache > TimeSpan.Zero)
            _cache[key] = (now, answer);
        await BytesAsync(context, 200, answer);
    }

    private bool Expired(Link link)
    {
        if (Interlocked.Increment(ref _expired) <= Quirks.LinksToExpire)
            return true;
        return Quirks.LinksExpireAfter is { } life && _time.GetUtcNow() - link.Issued >= life;
    }

    private byte[] Page(string type, string query, List<KeyValuePair<string, string>> parameters, IReadOnlyList<Row> rows, int offset)
    {
        var size = Quirks.PageSize;
        if (!Quirks.IgnoresCount && int.TryParse(parameters.LastOrDefault(p => p.Key == "_count").Value, NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            size = Math.Min(count, Quirks.MaxPageSize);
        var countOnly = parameters.Exists(p => p is { Key: "_summary", Value: "count" }) || size == 0;
        var page = countOnly ? [] : rows.Skip(offset).Take(size).ToList();
        var next = !countOnly && offset + size < rows.Count ? NextLink(type, query, offset + size, rows) : null;

        using var body = new MemoryStream();
        void Text(string text) => body.Write(Encoding.UTF8.GetBytes(text));
        Text("""{"resourceType":"Bundle","type":"searchset",""");
        if (countOnly || TotalOf(parameters, rows.Count) is not null)
            Text("\"total\":" + (countOnly ? rows.Count : TotalOf(parameters, rows.Count)!.Value).ToString(CultureInfo.InvariantCulture) + ",");
        Text("\"link\":[");
        Text(Json("self", $"{Origin()}{type}{query}"));
        if (next is not null)
            Text("," + Json("next", next));
        Text("],\"entry\":[");
        var first = true;
        foreach (var (row, mode) in page.Select(r => (r, "match")).Concat(Searching.Includes(Store, Quirks, page, parameters).Select(r => (r, "include"))))
        {
            Text((first ? "" : ",") + $"{{\"fullUrl\":\"{Origin()}{row.Type}/{row.Id}\",\"resource\":");
            body.Write(row.Json(Quirks.Stamp).Span);
            Text($",\"search\":{{\"mode\":\"{mode}\"}}}}");
            first = false;
        }
        Text("]}");
        return body.ToArray();
    }

    private int? TotalOf(List<KeyValuePair<string, string>> parameters, int matches) => Quirks.Total switch
    {
        Total.Exact => matches,
        Total.Estimate => matches / 10 * 10 + 7,
        _ => parameters.Exists(p => p is { Key: "_total", Value: "accurate" }) ? matches : null,
    };

    private string NextLink(string type, string query, int offset, IReadOnlyList<Row> rows)
    {
        var token = Guid.NewGuid().ToString("N");
        _links[token] = new Link(_time.GetUtcNow(), type, query, offset, Quirks.PagesByOffset ? null : rows);
        return $"{Origin()}{type}?_page={token}";
    }

    private string Origin() => Quirks.LinkOrigin is { } origin ? new Uri(origin, BaseUrl.AbsolutePath).AbsoluteUri : BaseUrl.AbsoluteUri;

    private static string Json(string relation, string url) => new JsonObject { ["relation"] = relation, ["url"] = url }.ToJsonString();

    private JsonObject Capabilities()
    {
        string[] types = ["Patient", "Encounter", "Condition", "Procedure", "MedicationRequest", "Medication", "Practitioner", "PractitionerRole"];
        var rest = new JsonObject { ["mode"] = "server" };
        if (Quirks.Token is not null)
        {
            rest["security"] = new JsonObject
            {
                ["service"] = new JsonArray(new JsonObject
                {
                    ["coding"] = new JsonArray(new JsonObject { ["system"] = "http://terminology.hl7.org/CodeSystem/restful-security-service", ["code"] = "SMART-on-FHIR" }),
                }),
            };
        }
        rest["resource"] = new JsonArray([.. types.Select(type => (JsonNode)new JsonObject
        {
            ["type"] = type,
            ["interaction"] = new JsonArray([.. new[] { "read", "search-type", "create", "update", "delete" }.Select(code => (JsonNode)new JsonObject { ["code"] = code })]),
            ["searchRevInclude"] = type == "Encounter" && !Quirks.Unknown.Contains("_revinclude")
                ? new JsonArray("Condition:encounter", "Procedure:encounter", "MedicationRequest:encounter") : null,
            ["searchParam"] = new JsonArray([.. new[] { ("_id", "token"), ("_lastUpdated", "date"), ("patient", "reference"), ("encounter", "reference"), ("status", "token") }
                .Where(p => !Quirks.Unknown.Contains(p.Item1) && !(Quirks.PatientScoped && p.Item1 == "_lastUpdated"))
                .Select(p => (JsonNode)new JsonObject { ["name"] = p.Item1, ["type"] = p.Item2 })]),
        })]);
        if (Quirks.Exports)
            rest["operation"] = new JsonArray(new JsonObject { ["name"] = "export", ["definition"] = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export" });
        if (Quirks.TakesSubscriptions)
            rest["resource"]!.AsArray().Add((JsonNode)new JsonObject
            {
                ["type"] = "Subscription",
                ["interaction"] = new JsonArray(new JsonObject { ["code"] = "create" }, new JsonObject { ["code"] = "update" }, new JsonObject { ["code"] = "read" }),
            });
        return new JsonObject
        {
            ["resourceType"] = "CapabilityStatement",
            ["status"] = "active",
            ["date"] = "2026-01-01",
            ["kind"] = "instance",
            ["fhirVersion"] = "4.0.1",
            ["format"] = new JsonArray("json"),
            ["software"] = new JsonObject { ["name"] = "Bridge quirk server" },
            ["rest"] = new JsonArray(rest),
        };
    }

    private JsonObject SmartConfiguration() => new()
    {
        ["token_endpoint"] = BaseUrl + "token",
        ["token_endpoint_auth_methods_supported"] = new JsonArray("private_key_jwt"),
        ["token_endpoint_auth_signing_alg_values_supported"] = new JsonArray("RS384", "ES384"),
        ["grant_types_supported"] = new JsonArray("client_credentials"),
        ["scopes_supported"] = new JsonArray("system/*.rs"),
        ["capabilities"] = new JsonArray("client-confidential-asymmetric", "permission-v2"),
    };

    private Task TokenAsync(HttpContext context)
    {
        var scopes = new[] { "Patient", "Encounter", "Condition", "Procedure", "MedicationRequest", "Practitioner" }.Where(t => !Quirks.OutOfScope.Contains(t)).Select(t => $"system/{t}.rs");
        return Quirks.Token is { } token
            ? JsonAsync(context, 200, new JsonObject { ["access_token"] = token, ["token_type"] = "bearer", ["expires_in"] = 300, ["scope"] = string.Join(' ', scopes) }.ToJsonString())
            : OutcomeAsync(context, 400, "this server asks for no token");
    }
}
