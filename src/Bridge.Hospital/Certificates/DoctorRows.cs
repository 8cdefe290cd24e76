using Bridge.Hospital.Store;

namespace Bridge.Hospital.Certificates;

/// <summary>A doctor's certificate as the ledger's directory has it.</summary>
internal sealed class DoctorRow
{
    public string Handle { get; init; } = "";
    public string Hospital { get; init; } = "";
    public string Thumbprint { get; init; } = "";
    public string Certificate { get; init; } = "";
    public string Name { get; init; } = "";
    public string Licence { get; init; } = "";
    public string Status { get; init; } = "";
    public long NotBefore { get; init; }
    public long NotAfter { get; init; }
    public string Stored { get; init; } = "";
    public long SyncedAt { get; init; }

    /// <summary>When its owner reported the key lost; the directory does not know that, this hospital goes by it.</summary>
    public long? LostAt { get; init; }
}

/// <summary>Whether a doctor may sign now.</summary>
internal enum DoctorStanding
{
    Active,
    Unknown,
    Pending,
    Revoked,
    Expired,

    /// <summary>Its owner reported the key lost.</summary>
    Lost,
}

/// <summary>Pure judgement of a directory entry.</summary>
internal static class DoctorRules
{
    /// <summary>Judges an entry for a hospital and, where given, a licence.</summary>
    public static DoctorStanding Judge(DoctorRow? doctor, string hospital, string? licence, DateTimeOffset now)
    {
        if (doctor is null || doctor.Hospital != hospital || licence is not null && doctor.Licence != licence)
            return DoctorStanding.Unknown;
        return doctor.Status switch
        {
            "PENDING" => DoctorStanding.Pending,
            "REVOKED" => DoctorStanding.Revoked,
            "ACTIVE" when doctor.LostAt is not null => DoctorStanding.Lost,
            "ACTIVE" => now.ToUnixTimeSeconds() >= doctor.NotBefore && now.ToUnixTimeSeconds() <= doctor.NotAfter ? DoctorStanding.Active : DoctorStanding.Expired,
            _ => DoctorStanding.Unknown,
        };
    }
}

/// <summary>The hospital's copy of the doctor directory.</summary>
internal static class DoctorRows
{
    private const string Columns =
        """
        handle AS Handle, hospital AS Hospital, thumbprint AS Thumbprint, certificate AS Certificate, name AS Name, licence AS Licence, status AS Status,
        not_before AS NotBefore, not_after AS NotAfter, stored AS Stored, synced_at AS SyncedAt, lost_at AS LostAt
        """;

    public static Task<DoctorRow?> ByThumbprintAsync(Work work, string thumbprint) =>
        work.FirstAsync<DoctorRow>($"SELECT {Columns} FROM doctor WHERE thumbprint = @thumbprint", new { thumbprint });

    public static Task<DoctorRow?> ByHandleAsync(Work work, string handle) =>
        work.FirstAsync<DoctorRow>($"SELECT {Columns} FROM doctor WHERE handle = @handle", new { handle });

    public static Task<IReadOnlyList<DoctorRow>> AllAsync(Work work, string hospital) =>
        work.ListAsync<DoctorRow>($"SELECT {Columns} FROM doctor WHERE hospital = @hospital ORDER BY licence, not_after", new { hospital });

    /// <summary>Thumbprints of the revoked, those whose certificate has ended among them.</summary>
    public static Task<IReadOnlyList<string>> RevokedAsync(Work work, string hospital) =>
        work.ListAsync<string>("SELECT thumbprint FROM doctor WHERE hospital = @hospital AND status = 'REVOKED' ORDER BY thumbprint", new { hospital });

    public static Task<IReadOnlyList<DoctorRow>> OfLicenceAsync(Work work, string hospital, string licence) =>
        work.ListAsync<DoctorRow>($"SELECT {Columns} FROM doctor WHERE hospital = @hospital AND licence = @licence ORDER BY not_after DESC", new { hospital, licence });

    /// <summary>Every doctor who may sign now, once, by name.</summary>
    public static async Task<IReadOnlyList<DoctorRow>> ActiveAsync(Work work, string hospital, DateTimeOffset now) =>
        [.. (await AllAsync(work, hospital)).Where(doctor => DoctorRules.Judge(doctor, hospital, null, now) == DoctorStanding.Active)
            .DistinctBy(doctor => doctor.Licence).OrderBy(doctor => doctor.Name, StringComparer.Ordinal)];

    /// <summary>The certificates with which a doctor may sign now, the longest valid first.</summary>
    public static async Task<IReadOnlyList<DoctorRow>> ActiveOfLicenceAsync(Work work, string hospital, string licence, DateTimeOffset now) =>
        [.. (await work.ListAsync<DoctorRow>(
                $"SELECT {Columns} FROM doctor WHERE hospital = @hospital AND licence = @licence AND status = 'ACTIVE' ORDER BY not_after DESC",
                new { hospital, licence }))
            .Where(doctor => DoctorRules.Judge(doctor, hospital, licence, now) == DoctorStanding.Active)];

    public static async Task<DoctorRow?> BestOfLicenceAsync(Work work, string hospital, string licence, DateTimeOffset now) =>
        await ActiveOfLicenceAsync(work, hospital, licence, now) is [var best, ..] ? best : null;

    /// <summary>What doctors are called, by licence, whether they may sign or not; a licence that is not in the directory is missing.</summary>
    public static async Task<IReadOnlyDictionary<string, string>> NamesAsync(Work work, string hospital, IReadOnlyCollection<string> licences)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        if (licences.Count > 0)
            foreach (var doctor in await work.ListAsync<DoctorRow>(
                "SELECT licence AS Licence, name AS Name FROM doctor WHERE hospital = @hospital AND licence IN @licences ORDER BY not_after", new { hospital, licences }))
                names[doctor.Licence] = doctor.Name;
        return names;
    }

    /// <summary>Stores an entry as the ledger has it now; true where it is new or differs.</summary>
    public static async Task<bool> UpsertAsync(Work work, DoctorRow doctor)
    {
        if (await ByHandleAsync(work, doctor.Handle) is { } known)
        {
            await work.RunAsync(
                "UPDATE doctor SET status = @Status, stored = @Stored, synced_at = @SyncedAt WHERE handle = @Handle", doctor);
            return known.Stored != doctor.Stored;
        }
        return await work.InsertIfNewAsync(
            """
            doctor (handle, hospital, thumbprint, certificate, name, licence, status, not_before, not_after, stored, synced_at)
            VALUES (@Handle, @Hospital, @Thumbprint, @Certificate, @Name, @Licence, @Status, @NotBefore, @NotAfter, @Stored, @SyncedAt)
            """,
            doctor);
    }

    /// <summary>
    /// The licence behind the first of these names that is known: a practitioner mapped by an operator, or an identifier that is itself a licence
    /// of the directory.
    /// </summary>
    public static async Task<string?> LicenceOfAsync(Work work, string hospital, string? practitionerKey, IEnumerable<string> identifiers)
    {
        if (practitionerKey is not null
            && await work.ScalarAsync<string>("SELECT licence FROM practitioner WHERE practitioner_key = @practitionerKey", new { practitionerKey }) is { } mapped)
            return mapped;
        foreach (var identifier in identifiers)
            if (await work.ScalarAsync<long>(
                "SELECT COUNT(*) FROM doctor WHERE hospital = @hospital AND licence = @identifier AND status = 'ACTIVE'", new { hospital, identifier }) > 0)
                return identifier;
        return null;
    }

    public static async Task MapPractitionerAsync(Work work, string practitionerKey, string licence, string person, DateTimeOffset now)
    {
        var parameters = new { practitionerKey, licence, person, now = now.ToUnixTimeMilliseconds() };
        if (await work.RunAsync(
                "UPDATE practitioner SET licence = @licence, set_by = @person, set_at = @now WHERE practitioner_key = @practitionerKey", parameters) == 0)
            await work.InsertIfNewAsync("practitioner (practitioner_key, licence, set_by, set_at) VALUES (@practitionerKey, @licence, @person, @now)", parameters);
    }
}
