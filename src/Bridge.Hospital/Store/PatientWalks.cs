namespace Bridge.Hospital.Store;

/// <summary>Patients all of whose encounters are to be read again; the watch does it and takes them off.</summary>
internal static class PatientWalks
{
    /// <summary>Asks for it. Asking while it is being done has it done once more.</summary>
    public static async Task AskAsync(Work work, string patientKey, DateTimeOffset now)
    {
        var parameters = new { patientKey, now = now.ToUnixTimeMilliseconds() };
        if (!await work.InsertIfNewAsync("patient_walk (patient_key, asked_at) VALUES (@patientKey, @now)", parameters))
            await work.RunAsync("UPDATE patient_walk SET asked_at = CASE WHEN asked_at < @now THEN @now ELSE asked_at + 1 END WHERE patient_key = @patientKey", parameters);
    }

    /// <summary>Something that the patient's summaries said is no longer said: an encounter that was held back for saying nothing new may be wanted now.</summary>
    public static async Task AskIfHeldBackAsync(Work work, string patientKey, DateTimeOffset now)
    {
        if (await work.ScalarAsync<long>(
            "SELECT COUNT(*) FROM summary WHERE patient_key = @patientKey AND is_current = 1 AND status = 'Withheld' AND reason = 'NothingNew'", new { patientKey }) > 0)
            await AskAsync(work, patientKey, now);
    }

    public static Task<IReadOnlyList<PatientWalk>> DueAsync(Work work, int limit) => work.ListAsync<PatientWalk>(
        "SELECT patient_key AS PatientKey, asked_at AS AskedAt FROM patient_walk ORDER BY asked_at, patient_key LIMIT @limit", new { limit });

    /// <summary>Takes a patient off, unless somebody asked again meanwhile.</summary>
    public static Task<int> DoneAsync(Work work, PatientWalk walk) =>
        work.RunAsync("DELETE FROM patient_walk WHERE patient_key = @PatientKey AND asked_at = @AskedAt", walk);

    /// <summary>Nothing of the patient is to be read any more.</summary>
    public static Task<int> ForgetAsync(Work work, string patientKey) => work.RunAsync("DELETE FROM patient_walk WHERE patient_key = @patientKey", new { patientKey });
}

/// <summary>One patient whose encounters are to be read.</summary>
internal sealed class PatientWalk
{
    public string PatientKey { get; init; } = "";
    public long AskedAt { get; init; }
}
