using System.Security.Cryptography;
using System.Text;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Enrolment;

/// <summary>
/// Ends what is stored of a patient or of one summary. Afterwards the tables hold that something ended, when and why: no payload, no draft, no
/// key, no name of the patient or the encounter that could be read back.
/// </summary>
internal static class Withdrawals
{
    private const string ForgetKey = "forget-key";

    /// <summary>Marks an enrolment and all its summaries withdrawn and wipes their content. False where it was done already.</summary>
    public static async Task<bool> MarkAsync(Work work, EnrolmentRow enrolment, string reason, DateTimeOffset now)
    {
        if (enrolment.State == EnrolmentState.Withdrawn)
            return false;
        var change = new SummaryChange()
            .Set("patient_key", await ForgottenAsync(work, "patient", enrolment.PatientKey, now)).Set("spki", null).Set("pseudonym", null).Set("consent", null)
            .Set("certificate", null).Set("patient_handle", null)
            // A purpose may name an illness.
            .Set("purposes", null);
        if (await EnrolmentRows.MoveAsync(work, enrolment, EnrolmentState.Withdrawn, now, change, reason) != TransitionOutcome.Done)
            return false;
        var rows = await work.ListAsync<SummaryRow>(
            $"SELECT {SummaryRows.Columns} FROM summary WHERE enrolment_id = @EnrolmentId AND status <> 'Withdrawn'", new { enrolment.EnrolmentId });
        foreach (var row in rows)
        {
            await SummaryRows.MoveAsync(work, row, SummaryStatus.Withdrawn, null, now, Wiped()
                .Set("encounter_key", await ForgottenAsync(work, "encounter", row.EncounterKey, now))
                .Set("patient_key", "").Set("pseudonym", "").Set("class", null).Set("period", null).Set("doctor_ref", null)
                // The digest is of few possible contents and unsalted: trying them all would tell the diagnoses.
                .Set("content_digest", null).Set("encounter_version", "").Set("supersedes", null));
            await SummaryRows.WipeTrailAsync(work, row.RowId);
            await Retractions.CloseAsync(work, row.RowId, RetractionState.Void, "WITHDRAWN", now);
            // Whatever was decided under this consent holds under no other.
            await work.RunAsync(
                "UPDATE decision SET voided_at = @now, void_reason = 'CONSENT_WITHDRAWN' WHERE row_id = @RowId AND voided_at IS NULL",
                new { row.RowId, now = now.ToUnixTimeMilliseconds() });
        }
        await work.RunAsync("DELETE FROM patient_link WHERE enrolment_id = @EnrolmentId", new { enrolment.EnrolmentId });
        await PatientWalks.ForgetAsync(work, enrolment.PatientKey);
        await work.RunAsync("DELETE FROM sweep WHERE enrolment_id = @EnrolmentId", new { enrolment.EnrolmentId });
        await work.RunAsync("DELETE FROM roster WHERE enrolment_id = @EnrolmentId", new { enrolment.EnrolmentId });
        await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.withdrawn", $"enrolment/{enrolment.EnrolmentId}", new { reason, summaries = rows.Count }, now);
        return true;
    }

    /// <summary>Marks one summary erased and wipes its content; the encounter's name stays, so that it is not summarised again.</summary>
    public static async Task<bool> EraseAsync(Work work, SummaryRow summary, DateTimeOffset now)
    {
        if (!SummaryFlow.Allows(summary.Status, SummaryStatus.Erased))
            return false;
        if (await SummaryRows.MoveAsync(work, summary, SummaryStatus.Erased, null, now, Wiped().Set("content_digest", null)) != TransitionOutcome.Done)
            return false;
        await SummaryRows.WipeTrailAsync(work, summary.RowId);
        await Retractions.CloseAsync(work, summary.RowId, RetractionState.Void, "ERASED", now);
        // What waits to replace it is looked at again at once: it may not leave any more. And what was held back for its sake may be wanted now.
        await work.RunAsync(
            "UPDATE summary SET ready_at = @now WHERE encounter_key = @EncounterKey AND is_current = 1 AND row_id <> @RowId",
            new { summary.EncounterKey, summary.RowId, now = now.ToUnixTimeMilliseconds() });
        await PatientWalks.AskIfHeldBackAsync(work, summary.PatientKey, now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "summary.erased", $"summary/{summary.RowId}", null, now);
        return true;
    }

    /// <summary>
    /// What stands in a row in place of a key that is forgotten: a keyed digest, so that the same encounter is recognised should the patient enrol again, and
    /// nothing can be read back from it without trying every key of the source.
    /// </summary>
    public static async Task<string> ForgottenAsync(Work work, string kind, string key, DateTimeOffset now) => (await ForgottenAmongAsync(work, kind, [key], now))[key];

    /// <summary>As <see cref="ForgottenAsync"/>, for many at once.</summary>
    public static async Task<Dictionary<string, string>> ForgottenAmongAsync(Work work, string kind, IEnumerable<string> keys, DateTimeOffset now)
    {
        if (await Bookmarks.ReadAsync(work, ForgetKey) is not { } secret)
        {
            secret = Base64Url.Encode(RandomNumberGenerator.GetBytes(32));
            await Bookmarks.WriteAsync(work, ForgetKey, secret, now);
        }
        var decoded = Base64Url.Decode(secret);
        return keys.Distinct(StringComparer.Ordinal).ToDictionary(
            key => key, key => "~" + Base64Url.Encode(HMACSHA256.HashData(decoded, Encoding.UTF8.GetBytes($"{kind}\n{key}"))), StringComparer.Ordinal);
    }

    private static SummaryChange Wiped() => new SummaryChange().Set("payload", null).Set("draft", null);
}
