using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Bridge.Records;

/// <summary>A summary's canonical JSON, both ways.</summary>
internal static class SummaryJson
{
    private static readonly string[] Required =
        ["v", "id", "patient", "hospital", "period", "class", "conditions", "treatments", "ageBand", "sex"];

    private static readonly string[] Optional = ["disposition", "supersedes"];
    private static readonly string[] ConditionMembers = ["system", "code", "level", "rank"];
    private static readonly string[] TreatmentMembers = ["system", "code", "kind"];

    public static string Text(CodeLevel level) => level switch
    {
        CodeLevel.Code => "code",
        CodeLevel.Category => "category",
        CodeLevel.Block => "block",
        CodeLevel.Chapter => "chapter",
        _ => "",
    };

    public static string Text(TreatmentKind kind) => kind switch
    {
        TreatmentKind.Procedure => "procedure",
        TreatmentKind.Medication => "medication",
        _ => "",
    };

    /// <summary>Members in UTF-16 order, as RFC 8785 wants them; the schema leaves no character that needs more than plain writing.</summary>
    public static byte[] Write(MinimalSummary summary)
    {
        if (SummarySchema.FaultIn(summary) is { } fault)
            throw new InvalidOperationException($"the summary breaks the schema at '{fault}'");
        var output = new ArrayBufferWriter<byte>(1024);
        output.Write("{\"ageBand\":"u8);
        String(output, summary.AgeBand);
        output.Write(",\"class\":"u8);
        String(output, summary.Class);
        output.Write(",\"conditions\":["u8);
        for (var i = 0; i < summary.Conditions.Count; i++)
        {
            var condition = summary.Conditions[i];
            output.Write(i == 0 ? "{\"code\":"u8 : ",{\"code\":"u8);
            String(output, condition.Code);
            output.Write(",\"level\":"u8);
            String(output, Text(condition.Level));
            output.Write(",\"rank\":"u8);
            CanonicalJson.WriteByte(output, (byte)('0' + condition.Rank));
            output.Write(",\"system\":"u8);
            String(output, condition.System);
            output.Write("}"u8);
        }
        output.Write("]"u8);
        if (summary.Disposition is { } disposition)
        {
            output.Write(",\"disposition\":"u8);
            String(output, disposition);
        }
        output.Write(",\"hospital\":"u8);
        String(output, summary.Hospital);
        output.Write(",\"id\":"u8);
        String(output, summary.Id.ToString());
        output.Write(",\"patient\":"u8);
        String(output, summary.Patient.ToString());
        output.Write(",\"period\":"u8);
        String(output, summary.Period);
        output.Write(",\"sex\":"u8);
        String(output, summary.Sex);
        if (summary.Supersedes is { } supersedes)
        {
            output.Write(",\"supersedes\":"u8);
            String(output, supersedes.ToString());
        }
        output.Write(",\"treatments\":["u8);
        for (var i = 0; i < summary.Treatments.Count; i++)
        {
            var treatment = summary.Treatments[i];
            output.Write(i == 0 ? "{\"code\":"u8 : ",{\"code\":"u8);
            String(output, treatment.Code);
            output.Write(",\"kind\":"u8);
            String(output, Text(treatment.Kind));
            output.Write(",\"system\":"u8);
            String(output, treatment.System);
            output.Write("}"u8);
        }
        output.Write("],\"v\":1}"u8);
        return output.WrittenSpan.ToArray();
    }

    public static MinimalSummary? Read(ReadOnlyMemory<byte> canonicalJson, out string? fault)
    {
        if (StrictJson.Parse(canonicalJson, out var document) != JsonFault.None)
        {
            fault = "(document)";
            return null;
        }
        using (document)
        {
            var summary = Read(document!.RootElement, out fault);
            if (summary is not null && !canonicalJson.Span.SequenceEqual(Write(summary)))
            {
                fault = "(not canonical)";
                return null;
            }
            return summary;
        }
    }

    public static MinimalSummary? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        var summary = Read(payload, closed);
        fault = closed.Fault ?? (summary is null ? "(document)" : SummarySchema.FaultIn(summary));
        return fault is null ? summary : null;
    }

    private static MinimalSummary? Read(JsonElement payload, Closed closed)
    {
        if (!closed.Object(payload, "", Required, Optional))
            return null;
        closed.Integer(payload, "", "v", 1, 1);
        if (!SummaryId.TryParse(closed.Text(payload, "", "id"), out var id))
            closed.Refuse("id");
        if (!Pseudonym.TryParse(closed.Text(payload, "", "patient"), out var patient))
            closed.Refuse("patient");
        var supersedes = default(SummaryId);
        var replaces = payload.TryGetProperty("supersedes", out _);
        if (replaces && !SummaryId.TryParse(closed.Text(payload, "", "supersedes"), out supersedes))
            closed.Refuse("supersedes");
        return new MinimalSummary
        {
            Id = id,
            Patient = patient,
            Hospital = closed.Text(payload, "", "hospital"),
            Period = closed.Text(payload, "", "period"),
            Class = closed.Text(payload, "", "class"),
            Conditions = Array(payload, "conditions", MinimalSummary.MaxConditions, closed, ReadCondition),
            Treatments = Array(payload, "treatments", MinimalSummary.MaxTreatments, closed, ReadTreatment),
            AgeBand = closed.Text(payload, "", "ageBand"),
            Sex = closed.Text(payload, "", "sex"),
            Disposition = payload.TryGetProperty("disposition", out _) ? closed.Text(payload, "", "disposition") : null,
            Supersedes = replaces ? supersedes : null,
        };
    }

    private static List<T> Array<T>(JsonElement payload, string name, int max, Closed closed, Func<JsonElement, string, Closed, T?> read)
        where T : class
    {
        var array = payload.GetProperty(name);
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() > max)
        {
            closed.Refuse(name);
            return [];
        }
        var items = new List<T>(array.GetArrayLength());
        foreach (var item in array.EnumerateArray())
        {
            if (read(item, string.Create(CultureInfo.InvariantCulture, $"{name}[{items.Count}]"), closed) is not { } value)
                break;
            items.Add(value);
        }
        return items;
    }

    private static CodedConcept? ReadCondition(JsonElement item, string path, Closed closed)
    {
        if (!closed.Object(item, path, ConditionMembers))
            return null;
        var level = closed.Text(item, path, "level") switch
        {
            "code" => CodeLevel.Code,
            "category" => CodeLevel.Category,
            "block" => CodeLevel.Block,
            "chapter" => CodeLevel.Chapter,
            _ => (CodeLevel)(-1),
        };
        return new CodedConcept(closed.Text(item, path, "system"), closed.Text(item, path, "code"), level,
            (int)closed.Integer(item, path, "rank", 1, MinimalSummary.MaxConditions));
    }

    private static Treatment? ReadTreatment(JsonElement item, string path, Closed closed)
    {
        if (!closed.Object(item, path, TreatmentMembers))
            return null;
        var kind = closed.Text(item, path, "kind") switch
        {
            "procedure" => TreatmentKind.Procedure,
            "medication" => TreatmentKind.Medication,
            _ => (TreatmentKind)(-1),
        };
        return new Treatment(closed.Text(item, path, "system"), closed.Text(item, path, "code"), kind);
    }

    private static void String(ArrayBufferWriter<byte> output, string text) => CanonicalJson.WriteString(text, output);
}
