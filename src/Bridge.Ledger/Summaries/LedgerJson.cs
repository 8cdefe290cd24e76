using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Bridge.Records;

namespace Bridge.Ledger;

/// <summary>Writes the contract's private inputs and reads its answers.</summary>
internal static class LedgerJson
{
    /// <summary>One object, as it goes into the transient map.</summary>
    public static ReadOnlyMemory<byte> Input(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    public static void Write(this Utf8JsonWriter writer, string name, Handle value) => writer.WriteString(name, value.ToString());

    public static void Write(this Utf8JsonWriter writer, string name, Salt value) => writer.WriteString(name, value.ToString());

    public static void Write(this Utf8JsonWriter writer, string name, string value) => writer.WriteString(name, value);

    /// <summary>JSON that was signed goes on as it is.</summary>
    public static void WriteRaw(this Utf8JsonWriter writer, string name, ReadOnlyMemory<byte> json)
    {
        writer.WritePropertyName(name);
        writer.WriteRawValue(json.Span);
    }

    public static void WriteItem(Utf8JsonWriter writer, AnchorItem item)
    {
        writer.WriteStartObject();
        writer.WriteRaw("summary", item.Summary);
        writer.Write("doctor", item.Doctor);
        writer.Write("consent", item.Consent);
        writer.Write("salt", item.Salt);
        writer.Write("page", item.Page);
        writer.Write("indexSalt", item.IndexSalt);
        writer.Write("event", item.Event);
        writer.Write("eventSalt", item.EventSalt);
        if (item.Supersession is { } ended)
        {
            writer.Write("tombSalt", ended.TombSalt);
            writer.Write("supersededEvent", ended.Event);
            writer.Write("supersededEventSalt", ended.EventSalt);
        }

        writer.WriteEndObject();
    }

    /// <exception cref="LedgerAnswerException">The answer is not of the contract's form.</exception>
    public static T Read<T>(string function, byte[] answer, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(answer);
            return read(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException
            or ArgumentException)
        {
            throw new LedgerAnswerException(function, exception);
        }
    }

    public static string Text(this JsonElement element, string name) =>
        element.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null");

    public static string? TextOrNull(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) ? value.GetString() : null;

    public static Handle HandleOf(this JsonElement element, string name) => Handle.Parse(element.Text(name));

    public static Handle? HandleOrNull(this JsonElement element, string name) =>
        element.TextOrNull(name) is { } text ? Handle.Parse(text) : null;

    public static Page<T> Page<T>(JsonElement root, string list, Func<JsonElement, T> item) =>
        new([.. root.GetProperty(list).EnumerateArray().Select(item)], root.HandleOrNull("next"));

    public static ConsortiumReading Consortium(JsonElement root)
    {
        var attestor = root.GetProperty("attestor");
        return new ConsortiumReading(
            root.Text("portal"),
            attestor.Text("name"),
            attestor.Text("certificate"),
            [.. root.GetProperty("hospitals").EnumerateArray().Select(msp => msp.GetString()!)]);
    }

    public static HospitalReading Hospital(JsonElement root) => new(
        root.GetProperty("record").GetRawText(),
        [.. root.GetProperty("approvals").EnumerateArray().Select(approval => approval.GetString()!)]);

    public static DoctorRecord Doctor(string stored)
    {
        using var document = JsonDocument.Parse(stored);
        var root = document.RootElement;
        return new DoctorRecord(
            root.HandleOf("handle"),
            root.Text("hospital"),
            root.Text("leaf"),
            root.Text("thumbprint"),
            root.Text("name"),
            root.Text("licence"),
            DateTimeOffset.FromUnixTimeSeconds(root.GetProperty("notBefore").GetInt64()),
            DateTimeOffset.FromUnixTimeSeconds(root.GetProperty("notAfter").GetInt64()),
            Word<DoctorStatus>(root.Text("status")),
            root.Text("statement"),
            root.TextOrNull("confirmation"),
            root.TextOrNull("revocation"),
            stored);
    }

    public static AnchoredSummary Summary(JsonElement root) => new(
        Encoding.UTF8.GetBytes(root.GetProperty("summary").GetRawText()),
        root.HandleOf("doctor"),
        root.HandleOf("index"),
        root.HandleOf("consent"));

    public static SummaryReading Reading(JsonElement root)
    {
        var state = Word<SummaryState>(root.Text("outcome"));
        return new SummaryReading(SummaryId.Parse(root.Text("id")), state, state == SummaryState.Live ? Summary(root) : null);
    }

    public static StoredEnrolment Enrolment(JsonElement root)
    {
        var request = root.GetProperty("request");
        return new StoredEnrolment(
            root.HandleOf("handle"), request.ValueKind == JsonValueKind.Object ? EnrolmentRequest.Read(request, out _) : null);
    }

    public static PatientReading Patient(JsonElement root)
    {
        var patient = root.GetProperty("patient");
        var consent = root.GetProperty("consent");
        return new PatientReading(
            patient.ValueKind == JsonValueKind.Null
                ? null
                : new StoredPatient(
                    patient.HandleOf("handle"),
                    Pseudonym.TryParse(patient.Text("pseudonym"), out var pseudonym) ? pseudonym : throw new FormatException("not a pseudonym"),
                    patient.Text("certificate")),
            consent.ValueKind == JsonValueKind.Null
                ? null
                : new StoredConsent(
                    consent.HandleOf("handle"),
                    consent.Text("jws"),
                    DateOnly.ParseExact(consent.Text("exp"), "yyyy-MM-dd", CultureInfo.InvariantCulture)),
            root.GetProperty("withdrawn").GetBoolean(),
            root.HandleOf("index"),
            [
                .. root.GetProperty("entries").EnumerateArray()
                    .Select(entry => new PatientEntry(SummaryId.Parse(entry.Text("id")), Word<SummaryState>(entry.Text("state")))),
            ]);
    }

    public static RecordEvent? Event(JsonElement root) => root.ValueKind == JsonValueKind.Null
        ? null
        : new RecordEvent(
            root.HandleOf("event"), Word<EventSubject>(root.Text("what")), root.HandleOf("handle"), Word<EventStatus>(root.Text("status")));

    public static IReadOnlyList<RecordNotice> Notices(JsonElement root) =>
    [
        .. root.EnumerateArray().Select(notice => new RecordNotice(notice.HandleOf("event"), Word<EventStatus>(notice.Text("status")))),
    ];

    /// <summary>NOT_FOUND → NotFound.</summary>
    public static T Word<T>(string text)
        where T : struct, Enum =>
        Enum.TryParse<T>(text.Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out var word) && char.IsAsciiLetter(text[0])
            ? word
            : throw new FormatException($"an unknown {typeof(T).Name}");
}

/// <summary>The contract's answer is not of the form that this version knows: contract and client differ in version.</summary>
public sealed class LedgerAnswerException : Exception
{
    internal LedgerAnswerException(string function, Exception inner)
        : base($"the answer of {function} is not of the form that this version knows ({inner.GetType().Name}): does the contract match?") =>
        Function = function;

    /// <summary>The contract's function.</summary>
    public string Function { get; }
}
