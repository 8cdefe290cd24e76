using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Tests.Records.Vectors;

/// <summary>Every class of breaking the summary's closed schema, well signed.</summary>
internal static class SchemaVectors
{
    public static void Add(VectorFile file, Forge forge, string good)
    {
        foreach (var member in new[] { "v", "id", "patient", "hospital", "period", "class", "conditions", "treatments", "ageBand", "sex" })
        {
            Bad($"schema-{member}-missing", p => p.Remove(member));
            Bad($"schema-{member}-of-another-type", p => p[member] = member == "v" ? "1" : 1);
            Bad($"schema-{member}-null", p => p[member] = null);
        }
        Bad("schema-unknown-member", p => p["text"] = "free text");
        Bad("schema-empty-object", p => p.Clear());
        Bad("schema-v-2", p => p["v"] = 2);
        Bad("schema-id-short", p => p["id"] = "AAAAAAAAAAAAAAAAAAAAA");
        Bad("schema-id-spare-bits", p => p["id"] = "AAAAAAAAAAAAAAAAAAAAAB");
        Bad("schema-id-standard-base64", p => p["id"] = "AAAAAAAAAAAAAAAAAAAA+A");
        Bad("schema-patient-upper-case", p => p["patient"] = p["patient"]!.GetValue<string>().ToUpperInvariant());
        Bad("schema-patient-with-letter-outside-base32", p => p["patient"] = p["patient"]!.GetValue<string>()[..26] + "u");
        Bad("schema-patient-short", p => p["patient"] = p["patient"]!.GetValue<string>()[..26]);
        Bad("schema-patient-other-prefix", p => p["patient"] = "q" + p["patient"]!.GetValue<string>()[1..]);
        Bad("schema-hospital-empty", p => p["hospital"] = "");
        Bad("schema-hospital-65", p => p["hospital"] = new string('H', 65));
        Bad("schema-hospital-first-digit", p => p["hospital"] = "1Hospital");
        Bad("schema-hospital-slash", p => p["hospital"] = "Hospital/A");
        Bad("schema-hospital-not-ascii", p => p["hospital"] = "Höspital");
        Bad("schema-period-day", p => p["period"] = "2026-10-03");
        Bad("schema-period-month-13", p => p["period"] = "2026-13");
        Bad("schema-period-month-00", p => p["period"] = "2026-00");
        Bad("schema-period-quarter-5", p => p["period"] = "2026-Q5");
        Bad("schema-period-quarter-0", p => p["period"] = "2026-Q0");
        Bad("schema-period-1899", p => p["period"] = "1899-12");
        Bad("schema-period-2200", p => p["period"] = "2200");
        Bad("schema-period-with-line-break", p => p["period"] = "2026\n");
        Bad("schema-period-other-digits", p => p["period"] = "２０２６");
        Bad("schema-class-unknown", p => p["class"] = "OUTP");
        Bad("schema-class-lower-case", p => p["class"] = "amb");
        Bad("schema-age-band-unknown", p => p["ageBand"] = "50-60");
        Bad("schema-age-exact", p => p["ageBand"] = "53");
        Bad("schema-sex-unknown", p => p["sex"] = "F");
        Bad("schema-disposition-unknown", p => p["disposition"] = "beach");
        Bad("schema-disposition-null", p => p["disposition"] = null);
        Bad("schema-supersedes-itself", p => p["supersedes"] = p["id"]!.GetValue<string>());
        Bad("schema-supersedes-no-handle", p => p["supersedes"] = "x");
        Bad("schema-supersedes-null", p => p["supersedes"] = null);

        Bad("schema-conditions-none", p => p["conditions"] = new JsonArray());
        Bad("schema-conditions-nine", p => p["conditions"] = new JsonArray([.. Enumerable.Range(1, 9).Select(i => (JsonNode)Condition($"7000{i}", i))]));
        Bad("schema-condition-not-an-object", p => p["conditions"] = new JsonArray("E11.9"));
        Bad("schema-condition-without-level", p => First(p, "conditions").Remove("level"));
        Bad("schema-condition-with-display", p => First(p, "conditions")["display"] = "Diabetes");
        Bad("schema-condition-system-unknown", p => First(p, "conditions")["system"] = "http://loinc.org");
        Bad("schema-condition-system-of-treatments", p => First(p, "conditions")["system"] = CodeSystems.RxNorm);
        Bad("schema-condition-code-empty", p => First(p, "conditions")["code"] = "");
        Bad("schema-condition-code-33", p => First(p, "conditions")["code"] = new string('1', 33));
        Bad("schema-condition-code-with-space", p => First(p, "conditions")["code"] = "E11 9");
        Bad("schema-condition-code-first-dot", p => First(p, "conditions")["code"] = ".E11");
        Bad("schema-condition-code-a-number", p => First(p, "conditions")["code"] = 11);
        Bad("schema-condition-level-unknown", p => First(p, "conditions")["level"] = "exact");
        Bad("schema-condition-rank-0", p => First(p, "conditions")["rank"] = 0);
        Bad("schema-condition-rank-fraction", p => First(p, "conditions")["rank"] = 1.5);
        Bad("schema-condition-rank-text", p => First(p, "conditions")["rank"] = "1");
        Bad("schema-condition-ranks-with-gap", p => p["conditions"] = new JsonArray(Condition("70001", 1), Condition("70002", 3)));
        Bad("schema-condition-ranks-equal", p => p["conditions"] = new JsonArray(Condition("70001", 1), Condition("70002", 1)));
        Bad("schema-condition-ranks-not-in-order", p => p["conditions"] = new JsonArray(Condition("70001", 2), Condition("70002", 1)));
        Bad("schema-condition-twice", p => p["conditions"] = new JsonArray(Condition("70001", 1), Condition("70001", 2)));
        Bad("schema-condition-twice-by-level", p => p["conditions"] = new JsonArray(Condition("70001", 1), Condition("70001", 2).With(c => c["level"] = "category")));

        Bad("schema-treatments-17", p => p["treatments"] = new JsonArray([.. Enumerable.Range(10, 17).Select(i => (JsonNode)Treatment($"A{i}", "medication", CodeSystems.Atc))]));
        Bad("schema-treatment-kind-unknown", p => First(p, "treatments")["kind"] = "device");
        Bad("schema-treatment-without-kind", p => First(p, "treatments").Remove("kind"));
        Bad("schema-treatment-with-dose", p => First(p, "treatments")["dose"] = "5 mg");
        Bad("schema-treatment-medication-in-procedure-system", p => p["treatments"] = new JsonArray(Treatment("99213", "medication", CodeSystems.Cpt)));
        Bad("schema-treatment-procedure-in-medication-system", p => p["treatments"] = new JsonArray(Treatment("A10BA02", "procedure", CodeSystems.Atc)));
        Bad("schema-treatment-code-empty", p => First(p, "treatments")["code"] = "");
        Bad("schema-treatments-twice", p => p["treatments"] = new JsonArray(Treatment("A1", "medication", CodeSystems.Atc), Treatment("A1", "medication", CodeSystems.Atc)));
        Bad("schema-treatments-kinds-not-in-order", p => p["treatments"] = new JsonArray(Treatment("1", "procedure", CodeSystems.Snomed), Treatment("A1", "medication", CodeSystems.Atc)));
        Bad("schema-treatments-systems-not-in-order", p => p["treatments"] = new JsonArray(Treatment("1", "medication", CodeSystems.RxNorm), Treatment("1", "medication", CodeSystems.Snomed)));
        Bad("schema-treatments-codes-not-in-order", p => p["treatments"] = new JsonArray(Treatment("9", "medication", CodeSystems.Atc), Treatment("10", "medication", CodeSystems.Atc)));
        Bad("schema-treatments-order-is-by-utf16-not-by-language", p => p["treatments"] = new JsonArray(Treatment("a1", "medication", CodeSystems.Atc), Treatment("B1", "medication", CodeSystems.Atc)));

        void Bad(string name, Action<JsonObject> change)
        {
            var payload = JsonNode.Parse(good)!.AsObject();
            change(payload);
            file.Add(name, "SCHEMA", forge.Envelope(CanonicalJson.SerializeToString(payload)));
        }
    }

    private static JsonObject First(JsonObject payload, string member) => payload[member]![0]!.AsObject();

    private static JsonObject Condition(string code, int rank) => new() { ["system"] = CodeSystems.Snomed, ["code"] = code, ["level"] = "code", ["rank"] = rank };

    private static JsonObject Treatment(string code, string kind, string system) => new() { ["system"] = system, ["code"] = code, ["kind"] = kind };
}
