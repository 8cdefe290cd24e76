using System.Text;
using System.Text.Json;
using Bridge.Fhir.Client;

namespace Bridge.Fhir.Extraction;

internal enum EncounterStatus
{
    Missing,
    Finished,
    Open,
    Void,
    Unknown,
}

internal struct ParticipantScan
{
    public DoctorRole? Role;
    public string? Reference;
    public BusinessIdentifier? Identifier;
    public string? Type;
}

internal struct DiagnosisScan
{
    public string? Reference;
    public int Rank;
    public bool IsDischarge;
}

/// <summary>The members of one Encounter that a walk and a summary need, read in one pass.</summary>
internal sealed class EncounterScan
{
    public string Id = "";

    /// <summary>What its children most likely call it: the bundle entry's fullUrl, or <c>Encounter/id</c>. Null while it is not known.</summary>
    public string? Name;
    public string? VersionId;
    public string? LastUpdatedText;
    public DateTimeOffset? LastUpdated;
    public EncounterStatus Status;
    public string? Class;

    /// <summary>The class as written, where it is none of v3 ActCode: a hospital may map its own.</summary>
    public string? LocalClass;
    public string? StatusText;
    public string? Subject;

    /// <summary>A member that a walk needs stands twice, or not as the text it should be: what it says then is told by whoever expects faults.</summary>
    public bool IsOdd;
    public DateState StartState;
    public DateState EndState;
    public FhirDate Start;
    public FhirDate End;
    public string? Disposition;
    public bool SawDisposition;
    public readonly List<ParticipantScan> Participants = [];
    public readonly List<DiagnosisScan> Diagnoses = [];
    public readonly List<AllowedCode> Reasons = [];
    public int ReasonsNotAllowed;
    private bool _ranked;
    private FhirReference? _subject;

    private static readonly (EncounterStatus Status, byte[] Name, string Text)[] Statuses =
    [
        (EncounterStatus.Finished, [.. "finished"u8], "finished"),
        (EncounterStatus.Void, [.. "cancelled"u8], "cancelled"),
        (EncounterStatus.Void, [.. "entered-in-error"u8], "entered-in-error"),
        (EncounterStatus.Open, [.. "planned"u8], "planned"),
        (EncounterStatus.Open, [.. "arrived"u8], "arrived"),
        (EncounterStatus.Open, [.. "triaged"u8], "triaged"),
        (EncounterStatus.Open, [.. "in-progress"u8], "in-progress"),
        (EncounterStatus.Open, [.. "onleave"u8], "onleave"),
        (EncounterStatus.Open, [.. "unknown"u8], "unknown"),
    ];

    /// <summary>Reads it. On a JSON error the exception leaves what was read so far, id included.</summary>
    public SetAsideReason Read(ReadOnlySpan<byte> json)
    {
        Reset();
        var reader = new Utf8JsonReader(json, Fields.Options);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return SetAsideReason.Malformed;
            var type = false;
            while (Fields.Next(ref reader))
                Member(ref reader, ref type);
            reader.Read();
            return type ? SetAsideReason.None : SetAsideReason.NotAnEncounter;
        }
        catch (JsonException)
        {
            return JsonBlocks.DeeperThan(json, ResourceLimits.MaxDepth) ? SetAsideReason.TooDeep : SetAsideReason.Malformed;
        }
        catch (InvalidOperationException)
        {
            return SetAsideReason.Malformed;
        }
    }

    public FhirReference SubjectReference => _subject ??= FhirReference.Parse(Subject);

    /// <summary>Puts the diagnoses in their order; once, since those of equal rank would change places.</summary>
    public void RankDiagnoses()
    {
        if (!_ranked)
            Diagnoses.Sort(static (a, b) => a.Rank != b.Rank ? a.Rank.CompareTo(b.Rank) : b.IsDischarge.CompareTo(a.IsDischarge));
        _ranked = true;
    }

    private void Member(ref Utf8JsonReader reader, ref bool type)
    {
        if (Fields.Is(ref reader, "resourceType"u8))
            type = Fields.IsText(ref reader) && Fields.Is(ref reader, "Encounter"u8);
        else if (Fields.Is(ref reader, "id"u8))
            IsOdd |= Id.Length > 0 | (Id = Fields.Text(ref reader, 256) ?? "").Length == 0;
        else if (Fields.Is(ref reader, "meta"u8))
            ReadMeta(ref reader);
        else if (Fields.Is(ref reader, "status"u8))
            Status = ReadStatus(ref reader);
        else if (Fields.Is(ref reader, "class"u8))
            ReadClass(ref reader);
        else if (Fields.Is(ref reader, "subject"u8))
            IsOdd |= Subject is not null | (Subject = Fields.Reference(ref reader).Reference) is null;
        else if (Fields.Is(ref reader, "period"u8))
            ReadPeriod(ref reader);
        else if (Fields.Is(ref reader, "participant"u8))
            ReadParticipants(ref reader);
        else if (Fields.Is(ref reader, "diagnosis"u8))
            ReadDiagnoses(ref reader);
        else if (Fields.Is(ref reader, "reasonCode"u8))
            ReadReasons(ref reader);
        else if (Fields.Is(ref reader, "hospitalization"u8))
            ReadHospitalization(ref reader);
        else
            Fields.Skip(ref reader);
    }

    private void Reset()
    {
        Name = null;
        (_ranked, _subject) = (false, null);
        (Id, VersionId, LastUpdatedText, LastUpdated, Status, StatusText, Class, LocalClass, Subject, IsOdd) =
            ("", null, null, null, EncounterStatus.Missing, null, null, null, null, false);
        (StartState, EndState, Start, End, Disposition, SawDisposition, ReasonsNotAllowed) = (DateState.Absent, DateState.Absent, default, default, null, false, 0);
        Participants.Clear();
        Diagnoses.Clear();
        Reasons.Clear();
    }

    private void ReadMeta(ref Utf8JsonReader reader)
    {
        IsOdd |= VersionId is not null || LastUpdatedText is not null;
        LastUpdated = null;
        if (!Fields.IntoObject(ref reader))
            return;
        while (Fields.Next(ref reader))
        {
            if (Fields.Is(ref reader, "versionId"u8))
            {
                IsOdd |= (VersionId = Fields.Text(ref reader, 256)) is null;
            }
            else if (Fields.Is(ref reader, "lastUpdated"u8))
            {
                IsOdd |= LastUpdatedText is not null;
                if (!Fields.IsText(ref reader))
                {
                    IsOdd = true;
                    continue;
                }
                var text = Fields.Value(ref reader);
                if (FhirDate.TryParse(text, out var date))
                    LastUpdated = date.Instant;
                else
                    IsOdd = true;
                LastUpdatedText = text.Length <= 64 ? Encoding.UTF8.GetString(text) : null;
            }
            else
            {
                Fields.Skip(ref reader);
            }
        }
    }

    private EncounterStatus ReadStatus(ref Utf8JsonReader reader)
    {
        IsOdd |= StatusText is not null;
        StatusText = null;
        if (!Fields.IsText(ref reader))
        {
            IsOdd = true;
            return EncounterStatus.Missing;
        }
        foreach (var (status, name, text) in Statuses)
            if (Fields.Is(ref reader, name))
            {
                StatusText = text;
                return status;
            }
        IsOdd = true;
        return EncounterStatus.Unknown;
    }

    private void ReadClass(ref Utf8JsonReader reader)
    {
        (Class, LocalClass) = (null, null);
        if (!Fields.IntoObject(ref reader))
            return;
        while (Fields.Next(ref reader))
        {
            if (Fields.Is(ref reader, "code"u8) && Fields.IsText(ref reader))
            {
                Class = ActCode(Fields.Value(ref reader));
                LocalClass = Class is null && reader.ValueSpan.Length <= 64 ? Encoding.UTF8.GetString(Fields.Value(ref reader)) : null;
            }
            else if (reader.TokenType == JsonTokenType.PropertyName)
            {
                Fields.Skip(ref reader);
            }
        }
    }

    /// <summary>The class, a hospital's own ones mapped; null where it is unknown.</summary>
    public string? ClassUnder(IReadOnlyDictionary<string, string> map) =>
        Class ?? (LocalClass is not null && map.TryGetValue(LocalClass, out var act) ? ActCode(Encoding.UTF8.GetBytes(act)) : null);

    private static string? ActCode(ReadOnlySpan<byte> code) => code switch
    {
        _ when code.SequenceEqual("AMB"u8) => "AMB",
        _ when code.SequenceEqual("EMER"u8) => "EMER",
        _ when code.SequenceEqual("IMP"u8) => "IMP",
        _ when code.SequenceEqual("ACUTE"u8) => "ACUTE",
        _ when code.SequenceEqual("NONAC"u8) => "NONAC",
        _ when code.SequenceEqual("OBSENC"u8) => "OBSENC",
        _ when code.SequenceEqual("PRENC"u8) => "PRENC",
        _ when code.SequenceEqual("SS"u8) => "SS",
        _ when code.SequenceEqual("VR"u8) => "VR",
        _ when code.SequenceEqual("HH"u8) => "HH",
        _ when code.SequenceEqual("FLD"u8) => "FLD",
        _ => null,
    };

    private void ReadPeriod(ref Utf8JsonReader reader)
    {
        if (!Fields.IntoObject(ref reader))
            return;
        while (Fields.Next(ref reader))
        {
            if (Fields.Is(ref reader, "start"u8))
                StartState = Fields.Date(ref reader, out Start);
            else if (Fields.Is(ref reader, "end"u8))
                EndState = Fields.Date(ref reader, out End);
            else
                Fields.Skip(ref reader);
        }
    }

    private void ReadParticipants(ref Utf8JsonReader reader)
    {
        if (!Fields.IntoArray(ref reader))
            return;
        while (Fields.NextObject(ref reader))
        {
            var participant = default(ParticipantScan);
            while (Fields.Next(ref reader))
            {
                if (Fields.Is(ref reader, "individual"u8))
                    (participant.Reference, participant.Identifier) = Fields.Reference(ref reader);
                else if (Fields.Is(ref reader, "type"u8))
                    ReadTypes(ref reader, ref participant);
                else
                    Fields.Skip(ref reader);
            }
            if ((participant.Reference is not null || participant.Identifier is not null) && Participants.Count < 64)
                Participants.Add(participant);
        }
    }

    private static void ReadTypes(ref Utf8JsonReader reader, ref ParticipantScan participant)
    {
        if (!Fields.IntoArray(ref reader))
            return;
        while (Fields.NextObject(ref reader))
        {
            while (Fields.Next(ref reader))
            {
                if (!Fields.Is(ref reader, "coding"u8))
                {
                    Fields.Skip(ref reader);
                    continue;
                }
                if (!Fields.IntoArray(ref reader))
                    continue;
                while (Fields.NextObject(ref reader))
                {
                    while (Fields.Next(ref reader))
                    {
                        if (!Fields.Is(ref reader, "code"u8))
                        {
                            Fields.Skip(ref reader);
                            continue;
                        }
                        if (!Fields.IsText(ref reader))
                            continue;
                        DoctorRole? role = Fields.Is(ref reader, "ATND"u8) ? DoctorRole.Attending
                            : Fields.Is(ref reader, "PPRF"u8) ? DoctorRole.PrimaryPerformer
                            : Fields.Is(ref reader, "CON"u8) ? DoctorRole.Consultant : null;
                        if (role is not null && (participant.Role is null || role < participant.Role))
                            participant.Role = role;
                    }
                }
            }
        }
    }

    private void ReadDiagnoses(ref Utf8JsonReader reader)
    {
        if (!Fields.IntoArray(ref reader))
            return;
        while (Fields.NextObject(ref reader))
        {
            var diagnosis = new DiagnosisScan { Rank = int.MaxValue };
            while (Fields.Next(ref reader))
            {
                if (Fields.Is(ref reader, "condition"u8))
                {
                    diagnosis.Reference = Fields.Reference(ref reader).Reference;
                }
                else if (Fields.Is(ref reader, "rank"u8))
                {
                    reader.Read();
                    if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var rank) && rank > 0)
                        diagnosis.Rank = rank;
                    else
                        reader.Skip();
                }
                else if (Fields.Is(ref reader, "use"u8))
                {
                    diagnosis.IsDischarge = HasCode(ref reader, "DD"u8);
                }
                else
                {
                    Fields.Skip(ref reader);
                }
            }
            if (diagnosis.Reference is not null && Diagnoses.Count < 256)
                Diagnoses.Add(diagnosis);
        }
    }

    /// <summary>Whether the CodeableConcept that the member holds has a coding of this code, whatever its system.</summary>
    internal static bool HasCode(ref Utf8JsonReader reader, ReadOnlySpan<byte> code)
    {
        var found = false;
        if (!Fields.IntoObject(ref reader))
            return false;
        while (Fields.Next(ref reader))
        {
            if (!Fields.Is(ref reader, "coding"u8))
            {
                Fields.Skip(ref reader);
                continue;
            }
            if (!Fields.IntoArray(ref reader))
                continue;
            while (Fields.NextObject(ref reader))
            {
                while (Fields.Next(ref reader))
                {
                    if (!Fields.Is(ref reader, "code"u8))
                        Fields.Skip(ref reader);
                    else if (Fields.IsText(ref reader))
                        found |= Fields.Is(ref reader, code);
                }
            }
        }
        return found;
    }

    private void ReadReasons(ref Utf8JsonReader reader)
    {
        if (!Fields.IntoArray(ref reader))
            return;
        while (Fields.NextObject(ref reader))
        {
            var saw = false;
            var code = CodeReading.ConceptHere(ref reader, CodeUse.Condition, ref saw);
            if (!code.IsEmpty && Reasons.Count < 256)
                Reasons.Add(code);
            else if (saw)
                ReasonsNotAllowed++;
        }
    }

    private void ReadHospitalization(ref Utf8JsonReader reader)
    {
        if (!Fields.IntoObject(ref reader))
            return;
        while (Fields.Next(ref reader))
        {
            if (Fields.Is(ref reader, "dischargeDisposition"u8))
                Disposition = DispositionCodes.Read(ref reader, out SawDisposition);
            else
                Fields.Skip(ref reader);
        }
    }
}
