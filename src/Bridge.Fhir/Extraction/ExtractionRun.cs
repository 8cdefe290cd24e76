using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>One encounter on its way from bytes to an outcome.</summary>
internal readonly struct ExtractionRun(
    Minimiser minimiser, ExtractionOptions options, EncounterFile file, ExtractionContext context, ExtractionScratch scratch)
{
    private readonly EncounterScan _encounter = file.Scan ?? scratch.Encounter;

    public Extraction Run()
    {
        var encounter = _encounter;
        if (file.Encounter.Oversize || file.Encounter.Json.Length > ResourceLimits.MaxResourceBytes)
            return Unread(SetAsideReason.TooLarge, ResourceScan.Id(file.Encounter.Json.Span) ?? "");
        var unreadable = file.Scan is null ? encounter.Read(file.Encounter.Json.Span) : SetAsideReason.None;
        if (unreadable != SetAsideReason.None)
            return Unread(unreadable, encounter.Id);
        if (!FhirReference.IsId(encounter.Id))
            return Unread(SetAsideReason.NoId, "");

        var patientId = SightingReader.PatientIdOf(encounter.SubjectReference);
        string? mergedFrom = null;
        switch (encounter.Status)
        {
            case EncounterStatus.Open:
                return Result(ExtractionOutcome.NotFinished, patientId);
            case EncounterStatus.Void:
                return Result(ExtractionOutcome.Void, patientId);
            case EncounterStatus.Missing or EncounterStatus.Unknown:
                return SetAside(SetAsideReason.UnknownStatus, patientId);
        }
        var reason = ReadPatient(encounter, ref patientId, out var patient);
        if (reason == SetAsideReason.None && file.Survivor is { Oversize: false } survivor && PatientScan.Read(survivor.Json.Span, out var used) && used.Id is not null)
            (mergedFrom, patientId, patient) = (patientId, used.Id, used);
        if (reason == SetAsideReason.None)
            reason = Judge(encounter, patient, out _);
        var extraction = reason == SetAsideReason.None ? Summarise(encounter, patient, patientId) : SetAside(reason, patientId);
        return mergedFrom is null ? extraction : extraction with { MergedFrom = mergedFrom };
    }

    /// <summary>Finds the patient whom the encounter names.</summary>
    private SetAsideReason ReadPatient(EncounterScan encounter, ref string? patientId, out PatientScan patient)
    {
        patient = default;
        var reference = encounter.SubjectReference;
        if (reference.Form == ReferenceForm.None || reference.Type is not (null or "Patient"))
            return SetAsideReason.NoSubject;
        var patients = file.Patients.Count == 0 && file.Patient is { } given ? new ResourceSet([given]) : file.Patients;
        if (!patients.FindPatient(encounter.Subject, file.Encounter.Json, out patient))
            return reference.Form is ReferenceForm.Conditional or ReferenceForm.Contained ? SetAsideReason.NoSubject : SetAsideReason.PatientUnreadable;
        // a contained patient has no identity that a consent could name
        if (reference.Form == ReferenceForm.Contained)
            return SetAsideReason.NoSubject;
        patientId = patient.Id ?? patientId;
        return patientId is null ? SetAsideReason.NoSubject : SetAsideReason.None;
    }

    /// <summary>Class and dates.</summary>
    private SetAsideReason Judge(EncounterScan encounter, in PatientScan patient, out FhirDate end)
    {
        end = default;
        if (encounter.StartState == DateState.Impossible || encounter.EndState == DateState.Impossible || patient.BirthState == DateState.Impossible)
            return SetAsideReason.ImpossibleDate;
        if (encounter.ClassUnder(options.ClassMap) is not { } kind)
            return SetAsideReason.UnknownClass;
        if (encounter.EndState == DateState.Good)
            end = encounter.End;
        else if (encounter.StartState == DateState.Good && !ReadyRule.IsInpatient(kind))
            end = encounter.Start;
        else
            return SetAsideReason.NoPeriod;
        if (end.Year is < 1900 or > 2199 || SummaryExtractor.TooFarAhead(end, context.Now)
            || (encounter.StartState == DateState.Good && encounter.EndState == DateState.Good && encounter.Start.Earliest > LatestOf(end)))
        {
            return SetAsideReason.ImpossibleDate;
        }
        if (patient.BirthState != DateState.Good)
            return SetAsideReason.NoBirthDate;
        if (patient.Birth.Earliest.Date > LatestOf(end).Date.AddDays(1) || end.Year - patient.Birth.Year > 150)
            return SetAsideReason.ImpossibleDate;
        return Ages.WideBand(patient.Birth, end) is null ? SetAsideReason.NoBirthDate : SetAsideReason.None;
    }

    private static DateTimeOffset LatestOf(in FhirDate date) => date.Precision == DatePrecision.Time ? date.Instant : date.Latest;

    private Extraction Summarise(EncounterScan encounter, in PatientScan patient, string? patientId)
    {
        Judge(encounter, patient, out var end);
        if (file.Conditions.Count + file.Procedures.Count + file.MedicationRequests.Count > 0)
            encounter.Name = file.Encounter.FullUrl is { } url && url.StartsWith("urn:", StringComparison.Ordinal) ? url : "Encounter/" + encounter.Id;
        var lastChange = encounter.LastUpdated ?? LatestOf(end);
        ReadTreatments(encounter, ref lastChange);
        ReadConditions(encounter, ref lastChange);

        var finishedAt = LatestOf(end);
        if (context.FinishedSince > finishedAt)
            finishedAt = context.FinishedSince.Value;
        var verdict = ReadyRule.Judge(encounter.ClassUnder(options.ClassMap)!, finishedAt, lastChange, scratch.Conditions.Count > 0, context.Now, options.Ready);
        if (verdict.Readiness == Readiness.Settling)
            return Result(ExtractionOutcome.Settling, patientId) with { ReadAgainAt = verdict.LookAgainAt, Sources = [.. scratch.Sources] };
        if (verdict.Readiness == Readiness.NoCondition)
            return Withheld(WithheldReason.NoCondition, patientId);

        if (!SensitiveConsented())
            return Withheld(WithheldReason.Sensitive, patientId);

        var ageBand = Ages.Band(patient.Birth, end);
        var wideBand = Ages.WideBand(patient.Birth, end)!;
        var minimised = minimiser.Conditions(scratch.Conditions, patient.Sex, ageBand, wideBand, context.RareConsented, scratch.Sources);
        if (minimised.Conditions.Count == 0)
            return Withheld(WithheldReason.TooRare, patientId);

        var draft = Draft(encounter, patient, end, minimised);
        var doctors = DoctorFinder.Find(encounter, file, out var loop);
        if (loop && doctors.Count == 0)
            return SetAside(SetAsideReason.ReferenceLoop, patientId);
        var nothingNew = context.Known.Count > 0 && SaysNothingNew(draft);
        var withheld = nothingNew ? WithheldReason.NothingNew
            : doctors.Count == 0 && !context.DoctorAssigned ? WithheldReason.NoDoctor : WithheldReason.None;
        return new Extraction
        {
            Outcome = withheld == WithheldReason.None ? ExtractionOutcome.Ready : ExtractionOutcome.Withheld,
            Withheld = withheld,
            EncounterId = encounter.Id,
            EncounterVersion = Version(encounter),
            PatientId = patientId,
            Draft = draft,
            Doctors = doctors,
            Sources = [.. scratch.Sources],
            SensitiveCategories = scratch.Sensitive.Count == 0 ? [] : [.. scratch.Sensitive],
            ReleasesRare = minimised.Rare,
            ContentDigest = ContentDigest.Of(draft, doctors),
        };
    }

    private SummaryDraft Draft(EncounterScan encounter, in PatientScan patient, in FhirDate end, MinimisedConditions minimised)
    {
        var sources = scratch.Sources;
        var recorded = new List<Treatment>(scratch.Treatments.Count);
        foreach (var (code, medication, _) in scratch.Treatments)
            recorded.Add(new Treatment(code.System!, code.Code!, medication ? TreatmentKind.Medication : TreatmentKind.Procedure));
        var treatments = Minimiser.Treatments(recorded, out _);
        foreach (var (code, medication, source) in scratch.Treatments)
        {
            var kind = medication ? TreatmentKind.Medication : TreatmentKind.Procedure;
            var kept = false;
            foreach (var t in treatments)
                kept |= t.Kind == kind && t.Code == code.Code && t.System == code.System;
            sources.Add(new SourceField("treatments", medication ? "MedicationRequest.medication" : "Procedure.code", source,
                kept ? FieldTreatment.AsRecorded : FieldTreatment.DroppedOverCap, code.Code, kept ? code.Code : null));
        }
        var period = end.ToMonth() ?? end.Year.ToString("D4", System.Globalization.CultureInfo.InvariantCulture);
        sources.Add(new SourceField("period", encounter.EndState == DateState.Good ? "Encounter.period.end" : "Encounter.period.start", null, FieldTreatment.Coarsened, null, period));
        var actCode = encounter.ClassUnder(options.ClassMap)!;
        sources.Add(new SourceField("class", "Encounter.class", null, FieldTreatment.AsRecorded, actCode, actCode));
        sources.Add(new SourceField("ageBand", "Patient.birthDate", null,
            minimised.AgeBand == Ages.Band(patient.Birth, end) ? FieldTreatment.Coarsened : FieldTreatment.GeneralisedForRarity, null, minimised.AgeBand));
        sources.Add(new SourceField("sex", "Patient.gender", null, FieldTreatment.AsRecorded, patient.Sex, patient.Sex));
        var disposition = encounter.Disposition;
        // a psychiatric hospital names a sensitive category
        if (disposition == "psy" && !context.ConsentedCategories.Contains("mental-health"))
            disposition = null;
        if (disposition is not null)
            sources.Add(new SourceField("disposition", "Encounter.hospitalization.dischargeDisposition", null, FieldTreatment.Mapped, null, disposition));
        else if (encounter.SawDisposition)
            sources.Add(new SourceField("disposition", "Encounter.hospitalization.dischargeDisposition", null, FieldTreatment.DroppedNotAllowed, null, null));
        return new SummaryDraft
        {
            Period = period,
            Class = actCode,
            Conditions = minimised.Conditions,
            Treatments = treatments,
            AgeBand = minimised.AgeBand,
            Sex = patient.Sex,
            Disposition = disposition,
        };
    }

    private void ReadTreatments(EncounterScan encounter, ref DateTimeOffset lastChange)
    {
        var medications = ResourceSet.Of(file.Medications);
        for (var pass = 0; pass < 2; pass++)
        {
            var medication = pass == 1;
            var use = medication ? CodeUse.Medication : CodeUse.Procedure;
            var path = medication ? "MedicationRequest.medication" : "Procedure.code";
            var list = medication ? file.MedicationRequests : file.Procedures;
            for (var i = 0; i < list.Count; i++)
            {
                var resource = list[i];
                if (resource.Oversize || !ResourceScan.Child(resource.Json.Span, use, encounter, out var child) || !Belongs(encounter, child))
                    continue;
                lastChange = Later(lastChange, child.LastUpdated);
                if (!child.Counts)
                {
                    if (!child.Code.IsEmpty)
                        scratch.Sources.Add(new SourceField("treatments", path, child.Id, FieldTreatment.DroppedByStatus, child.Code.Code, null));
                    continue;
                }
                if (child.Code.IsEmpty && child.MedicationReference is not null
                    && medications.Find(child.MedicationReference, resource.Json) is { Oversize: false } drug)
                {
                    child.Code = ResourceScan.MedicationCode(drug.Json.Span);
                }
                if (!child.Code.IsEmpty)
                    scratch.Treatments.Add((child.Code, medication, child.Id));
                else if (child.SawCode)
                    scratch.Sources.Add(new SourceField("treatments", path, child.Id, FieldTreatment.DroppedNotAllowed, null, null));
            }
        }
    }

    /// <summary>Encounter.diagnosis, else Conditions of the encounter, else reasonCode.</summary>
    private void ReadConditions(EncounterScan encounter, ref DateTimeOffset lastChange)
    {
        var own = file.Conditions;
        var diagnosed = false;
        if (encounter.Diagnoses.Count > 0)
        {
            var among = ResourceSet.Of(own);
            encounter.RankDiagnoses();
            foreach (var diagnosis in encounter.Diagnoses)
            {
                if ((among.Find(diagnosis.Reference, file.Encounter.Json) ?? file.DiagnosisConditions.Find(diagnosis.Reference, file.Encounter.Json)) is not { Oversize: false } resource
                    || BundleFraming.TypeOf(resource.Json.Span) != "Condition"
                    || !ResourceScan.Child(resource.Json.Span, CodeUse.Condition, encounter, out var child)
                    || !SamePatient(encounter, child))
                {
                    continue;
                }
                lastChange = Later(lastChange, child.LastUpdated);
                diagnosed |= Take(child, "Encounter.diagnosis");
            }
        }
        for (var i = 0; i < own.Count; i++)
        {
            if (own[i].Oversize || !ResourceScan.Child(own[i].Json.Span, CodeUse.Condition, encounter, out var child) || !Belongs(encounter, child))
                continue;
            lastChange = Later(lastChange, child.LastUpdated);
            if (!diagnosed)
                Take(child, "Condition.code");
            else if (!child.Counts && !child.Code.IsEmpty)
                scratch.Denied.Add(child.Code);
        }
        if (scratch.Conditions.Count == 0)
            ReadReasons(encounter);
        RemoveDoubles();
    }

    private bool Take(in ChildScan child, string path)
    {
        if (child.Code.IsEmpty)
        {
            if (child.SawCode)
                scratch.Sources.Add(new SourceField("conditions", path, child.Id, FieldTreatment.DroppedNotAllowed, null, null));
            return false;
        }
        if (!child.Counts)
        {
            scratch.Denied.Add(child.Code);
            scratch.Sources.Add(new SourceField("conditions", path, child.Id, FieldTreatment.DroppedByStatus, child.Code.Code, null));
            return false;
        }
        scratch.Conditions.Add(new RecordedCondition(child.Code, child.Id, path));
        return true;
    }

    private void ReadReasons(EncounterScan encounter)
    {
        foreach (var code in encounter.Reasons)
        {
            // the reason for coming may be exactly what was ruled out
            if (!scratch.Denied.Contains(code))
                scratch.Conditions.Add(new RecordedCondition(code, null, "Encounter.reasonCode"));
        }
        for (var i = 0; i < encounter.ReasonsNotAllowed; i++)
            scratch.Sources.Add(new SourceField("conditions", "Encounter.reasonCode", null, FieldTreatment.DroppedNotAllowed, null, null));
    }

    /// <summary>Doubles of the same code keep the best rank.</summary>
    private void RemoveDoubles()
    {
        for (var i = scratch.Conditions.Count - 1; i > 0; i--)
        {
            for (var j = 0; j < i; j++)
            {
                if (scratch.Conditions[j].Code == scratch.Conditions[i].Code)
                {
                    scratch.Conditions.RemoveAt(i);
                    break;
                }
            }
        }
    }

    private bool SensitiveConsented()
    {
        var (list, map) = (minimiser.Terminology.Sensitive, minimiser.Terminology.Map);
        foreach (var condition in scratch.Conditions)
            AddCategories(list.CategoriesOf(condition.Code.System!, condition.Code.Code!, map));
        foreach (var (code, _, _) in scratch.Treatments)
            AddCategories(list.CategoriesOf(code.System!, code.Code!, map));
        foreach (var category in scratch.Sensitive)
        {
            if (!context.ConsentedCategories.Contains(category))
                return false;
        }
        return true;
    }

    private void AddCategories(IReadOnlyList<string> categories)
    {
        for (var i = 0; i < categories.Count; i++)
            scratch.Sensitive.Add(categories[i]);
    }

    /// <summary>Every diagnosis and treatment is already said by some live summary.</summary>
    private bool SaysNothingNew(SummaryDraft draft)
    {
        foreach (var condition in draft.Conditions)
        {
            if (!context.Known.Any(k => k.Conditions.Any(c => c.System == condition.System && c.Code == condition.Code && c.Level == condition.Level)))
                return false;
        }
        foreach (var treatment in draft.Treatments)
        {
            if (!context.Known.Any(k => k.Treatments.Contains(treatment)))
                return false;
        }
        return true;
    }

    private bool Belongs(EncounterScan encounter, in ChildScan child) => SamePatient(encounter, child) && NamesEncounter(encounter, child.Encounter);

    private bool NamesEncounter(EncounterScan encounter, string? text)
    {
        if (text is null)
            return false;
        if (text == file.Encounter.FullUrl || (text.Length == encounter.Id.Length + 10 && text.StartsWith("Encounter/", StringComparison.Ordinal) && text.EndsWith(encounter.Id, StringComparison.Ordinal)))
            return true;
        var reference = FhirReference.Parse(text);
        return reference.Form switch
        {
            ReferenceForm.Relative or ReferenceForm.Absolute => reference.Type == "Encounter" && reference.Id == encounter.Id,
            ReferenceForm.Urn => file.Encounter.FullUrl is null && reference.Url!.EndsWith(":" + encounter.Id, StringComparison.Ordinal),
            ReferenceForm.Conditional => reference.Type == "Encounter" && HasIdentifier(reference.Identifier!),
            _ => false,
        };
    }

    private bool HasIdentifier(BusinessIdentifier identifier)
    {
        ResourceScan.Person(file.Encounter.Json.Span, out var identifiers, out _, out _);
        return identifiers.Exists(i => i.Value == identifier.Value && (identifier.System is null || i.System == identifier.System));
    }

    /// <summary>A child of another patient, by mistake or malice, is never taken. Without a comparable subject the encounter link decides.</summary>
    private static bool SamePatient(EncounterScan encounter, in ChildScan child)
    {
        if (child.Subject is null || child.Subject == encounter.Subject)
            return true;
        var (a, b) = (encounter.SubjectReference, FhirReference.Parse(child.Subject));
        if (a.Form is ReferenceForm.Relative or ReferenceForm.Absolute && b.Form is ReferenceForm.Relative or ReferenceForm.Absolute)
            return a.Type == b.Type && a.Id == b.Id;
        return a.Form != b.Form;
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset? b) => b > a ? b.Value : a;

    private string Version(EncounterScan encounter) =>
        SightingReader.VersionOf(encounter.VersionId, encounter.LastUpdatedText, file.Encounter.Json.Span);

    private Extraction Result(ExtractionOutcome outcome, string? patientId) => new()
    {
        Outcome = outcome,
        EncounterId = _encounter.Id,
        EncounterVersion = Version(_encounter),
        PatientId = patientId,
    };

    private Extraction Withheld(WithheldReason reason, string? patientId) => Result(ExtractionOutcome.Withheld, patientId) with
    {
        Withheld = reason,
        Sources = [.. scratch.Sources],
        SensitiveCategories = [.. scratch.Sensitive],
    };

    private Extraction SetAside(SetAsideReason reason, string? patientId) => Result(ExtractionOutcome.SetAside, patientId) with { SetAside = reason };

    private Extraction Unread(SetAsideReason reason, string encounterId)
    {
        // whose it is can often be told from what stands before the fault: then it is shown on a row, and not only counted
        var seen = SightingReader.Read(file.Encounter);
        return new Extraction
        {
            Outcome = ExtractionOutcome.SetAside,
            SetAside = reason,
            EncounterId = FhirReference.IsId(encounterId) ? encounterId : "",
            EncounterVersion = seen.Version,
            PatientId = seen.PatientId,
        };
    }
}
