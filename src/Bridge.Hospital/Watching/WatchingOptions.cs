using System.Globalization;
using System.Security.Cryptography;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Watching;

/// <summary>How the FHIR server is reached, watched and waited for.</summary>
/// <param name="Client">The connection: <c>Fhir:BaseUrl</c>, <c>Fhir:BearerToken</c>, <c>Fhir:RequestTimeout</c>.</param>
/// <param name="Smart">SMART Backend Services: <c>Fhir:Smart:TokenEndpoint</c>, <c>ClientId</c>, <c>Scope</c>, <c>Key</c> (PEM file). Null = none.</param>
/// <param name="SmartKeyFile">The PEM key of <paramref name="Smart"/>.</param>
/// <param name="Watch">Overlap and page sizes.</param>
/// <param name="Ready">Settle time and longest waits.</param>
/// <param name="Strategy"><c>Watching:Strategy</c>.</param>
/// <param name="Interval"><c>Watching:Interval</c>: between walks. Default 30 s.</param>
/// <param name="Reread"><c>Watching:Reread</c>: how often a queued summary's encounter is read again. Default 6 h.</param>
/// <param name="Since"><c>Watching:Since</c>: where the first walk begins; default the moment of the first start. Earlier encounters of a patient are
/// read when the patient enrols.</param>
internal sealed record WatchingOptions(
    FhirClientOptions Client,
    SmartOptions? Smart,
    string? SmartKeyFile,
    WatchOptions Watch,
    ReadyOptions Ready,
    WatchStrategy Strategy,
    TimeSpan Interval,
    TimeSpan Reread,
    DateTimeOffset? Since)
{
    /// <summary>A connection for a command: it gives up after a while, and logs nothing.</summary>
    public FhirClient Connect(TimeSpan patience, TimeProvider clock) => new(
        Client with { GiveUpAfter = patience }, Smart is null ? null : new SmartTokens(Smart, SmartKey.FromPem(File.ReadAllText(SmartKeyFile!)), clock), clock);

    /// <summary><c>Watching:Subscription:*</c>: how the server may wake the watch; null where the strategy is another.</summary>
    public SubscriptionOptions? Subscription { get; init; }

    /// <summary><c>Watching:Export:*</c>: bulk export as daily back-fill, or as the watch itself; null = none.</summary>
    public ExportOptions? Export { get; init; }

    public static WatchingOptions Read(ConfigurationReader reader)
    {
        var baseUrl = reader.SecureAddress("Fhir:BaseUrl", required: true, "the FHIR R4 service base address, such as https://ehr.hospital.example/fhir");
        var client = new FhirClientOptions
        {
            BaseUrl = baseUrl ?? new Uri("http://127.0.0.1/"),
            BearerToken = reader.Secret("Fhir:BearerToken", required: false, ""),
            RequestTimeout = reader.Duration("Fhir:RequestTimeout", TimeSpan.FromSeconds(100), TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
        };
        SmartOptions? smart = null;
        string? key = null;
        if (reader.Elements("Fhir:Smart").Count > 0)
        {
            var endpoint = reader.SecureAddress("Fhir:Smart:TokenEndpoint", required: true, "the token endpoint of /.well-known/smart-configuration");
            var clientId = reader.Required("Fhir:Smart:ClientId", "the client id that the FHIR server's operators gave to Bridge");
            key = ReadSmartKey(reader);
            smart = new SmartOptions
            {
                TokenEndpoint = endpoint ?? client.BaseUrl,
                ClientId = clientId,
                Scope = reader.Text("Fhir:Smart:Scope", "system/*.rs"),
            };
            if (client.BearerToken is not null)
                reader.Fault("Fhir:BearerToken", "…", "a fixed token and Fhir:Smart exclude each other; remove one");
        }
        var year = TimeSpan.FromDays(366);
        var settle = reader.Duration("Watching:Settle", TimeSpan.FromHours(24), TimeSpan.Zero, year);
        var outpatient = reader.Duration("Watching:MaxWaitOutpatient", TimeSpan.FromDays(3), TimeSpan.Zero, year);
        var inpatient = reader.Duration("Watching:MaxWaitInpatient", TimeSpan.FromDays(14), TimeSpan.Zero, year);
        var strategy = reader.OneOf("Watching:Strategy", "LastUpdated", ["LastUpdated", "RosterSweep", "Subscription", "BulkExport"]);
        return new WatchingOptions(
            client,
            smart,
            key,
            new WatchOptions
            {
                Overlap = reader.Duration("Watching:Overlap", TimeSpan.FromMinutes(5), TimeSpan.Zero, TimeSpan.FromDays(1)),
                PageSize = reader.Number("Watching:PageSize", 200, 1, 1000),
                ChildrenPerRequest = reader.Number("Watching:ChildrenPerRequest", 40, 1, 200),
            },
            new ReadyOptions { SettleTime = settle, MaxWaitOutpatient = outpatient, MaxWaitInpatient = inpatient },
            Enum.Parse<WatchStrategy>(strategy),
            reader.Duration("Watching:Interval", TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
            reader.Duration("Watching:Reread", TimeSpan.FromHours(6), TimeSpan.FromSeconds(1), TimeSpan.FromDays(30)),
            SinceOf(reader))
        {
            Subscription = SubscriptionOptions.Read(reader, strategy == nameof(WatchStrategy.Subscription)),
            Export = ExportOptions.Read(reader, strategy == nameof(WatchStrategy.BulkExport)),
        };
    }

    private static string? ReadSmartKey(ConfigurationReader reader)
    {
        if (reader.ExistingFile("Fhir:Smart:Key", required: true, "the PEM private key whose public half was registered with the FHIR server") is not { } file)
            return null;
        try
        {
            using var key = SmartKey.FromPem(File.ReadAllText(file));
            return file;
        }
        catch (CryptographicException e)
        {
            reader.Fault("Fhir:Smart:Key", file, $"{e.Message}; make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384` and register its public half");
            return null;
        }
    }

    private static DateTimeOffset? SinceOf(ConfigurationReader reader)
    {
        var text = reader.Raw("Watching:Since");
        if (text is null)
            return null;
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var since))
            return since;
        reader.Fault("Watching:Since", text, "a moment such as 2026-01-31T00:00:00Z");
        return null;
    }
}
