using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital;

/// <summary>
/// Prepares a hospital: keys of the patient CA and of the status list with their certificate requests for medical affairs, a configuration, the
/// database. Run again it does what is missing and touches nothing that is there.
/// </summary>
internal static class InitCommand
{
    private static readonly string[] PeopleCas = ["keys/people-ca.cert.pem"];
    private static readonly string[] BridgeCas = ["keys/msp-ca.cert.pem"];
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var config = Path.GetFullPath(Option(args, "--config") ?? ConfigFile.Standard);
        var msp = Option(args, "--msp") ?? "HospitalAMSP";
        var directory = Path.GetDirectoryName(config)!;
        var keys = Path.Combine(directory, "keys");
        Directory.CreateDirectory(directory);
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(keys);
        else
            Directory.CreateDirectory(keys, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        await MakeKeyAsync(keys, "patient-ca", $"CN={msp} patient CA", role: null, output);
        await MakeKeyAsync(keys, "status", $"CN={msp} status list", PersonRole.StatusKey, output);
        if (WriteNew(config, Skeleton(msp)))
            await output.WriteLineAsync($"made   {config}");
        else
            await output.WriteLineAsync($"kept   {config}");

        var store = ReadStore(config, directory);
        using (var database = new Database(store.Dialect, store.ConnectionString))
        {
            if (store.File is not null)
                DatabaseFile.Prepare(store.File);
            var applied = await Migrator.ApplyAsync(database, Migrator.Shipped(store.Dialect), DateTimeOffset.UtcNow);
            await output.WriteLineAsync($"{(applied.Count > 0 ? "made " : "kept ")}  database {store.File ?? "on the server"} (schema {Migrator.Shipped(store.Dialect)[^1].Name})");
        }

        await output.WriteLineAsync(
            $"""

            Next steps
            1. Medical affairs sign both requests with the hospital's people CA, on their own machine:
                 bridge ca issue --kind patient-ca --request {Path.Combine(keys, "patient-ca.csr.pem")} --out {Path.Combine(keys, "patient-ca.cert.pem")}
                 bridge ca issue --kind status     --request {Path.Combine(keys, "status.csr.pem")} --out {Path.Combine(keys, "status.cert.pem")}
            2. The Fabric CA of {msp} issues the bridge's own identity: put it at keys/bridge.cert.pem and keys/bridge.key.pem.
            3. Put the people CA's and the Fabric MSP's root certificates at keys/people-ca.cert.pem and keys/msp-ca.cert.pem.
            4. Fill in {config}: the FHIR server, the ledger's gateway, the folder with code tables and the statistics office's counts, and who may sign in.
            5. Run: serve --config {config}
               It names everything that is still missing or wrong, with the cure, before it opens a port.
            """);
        return 0;
    }

    private static async Task MakeKeyAsync(string directory, string name, string subject, PersonRole? role, TextWriter output)
    {
        var keyFile = Path.Combine(directory, $"{name}.key.pem");
        var requestFile = Path.Combine(directory, $"{name}.csr.pem");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(keyFile))
        {
            key.ImportFromPem(await File.ReadAllTextAsync(keyFile));
            await output.WriteLineAsync($"kept   {keyFile}");
        }
        else
        {
            WriteSecret(keyFile, key.ExportPkcs8PrivateKeyPem() + "\n");
            await output.WriteLineAsync($"made   {keyFile}");
        }
        await output.WriteLineAsync(WriteNew(requestFile, PersonRequest.Create(key, new X500DistinguishedName(subject), role) + "\n") ? $"made   {requestFile}" : $"kept   {requestFile}");
    }

    private static StoreOptions ReadStore(string config, string directory)
    {
        var reader = new ConfigurationReader(new ConfigurationBuilder().AddJsonFile(config).AddEnvironmentVariables().Build(), directory);
        return StoreOptions.Read(reader);
    }

    private static string? Option(string[] args, string name)
    {
        var at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }

    private static bool WriteNew(string file, string text)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write);
            stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
            return true;
        }
        catch (IOException) when (File.Exists(file))
        {
            return false;
        }
    }

    private static void WriteSecret(string file, string text)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var stream = new FileStream(file, options);
        stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
        stream.Flush(flushToDisk: true);
    }

    private static string Skeleton(string msp) => JsonSerializer.Serialize(new
    {
        Hospital = new { Msp = msp, Name = "" },
        Server = new { Urls = "http://127.0.0.1:8080" },
        Database = new { Engine = "sqlite", File = "hospital.db" },
        Fhir = new { BaseUrl = "" },
        Ledger = new
        {
            Endpoints = Array.Empty<string>(),
            TlsRoots = "",
            Channel = "bridge",
            Chaincode = "summaries",
            PortalMsp = "PortalMSP",
            Certificate = "keys/bridge.cert.pem",
            Key = "keys/bridge.key.pem",
        },
        Extraction = new { Terminology = "", MinimumPeople = 5 },
        Watching = new { Interval = "00:00:30", Settle = "1.00:00:00", MaxWaitOutpatient = "3.00:00:00", MaxWaitInpatient = "14.00:00:00" },
        Anchoring = new { MinPatients = 5, MinDelay = "1.00:00:00", MaxDelay = "7.00:00:00" },
        Enrolment = new
        {
            PatientCaCertificate = "keys/patient-ca.cert.pem",
            PatientCaKey = "keys/patient-ca.key.pem",
            PeopleCas,
            BridgeCas,
        },
        Certificates = new { StatusCertificate = "keys/status.cert.pem", StatusKey = "keys/status.key.pem" },
        Access = new { People = Array.Empty<object>() },
    }, Indented) + "\n";
}
