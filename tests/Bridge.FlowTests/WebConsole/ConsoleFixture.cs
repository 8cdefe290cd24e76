using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Walkthrough;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>
/// One running hospital for all tests of the console, with doctors whose keys lie in their browsers and patients who agreed. Each test works with doctors of its own.
/// </summary>
public sealed class ConsoleFixture : HospitalFixture
{
    private readonly List<RigPatient> patients = [];
    private SummaryLedger? portal;
    private int doctor;
    private int said;

    internal const string Pictured = "Dr. Vera Stein";

    internal static readonly string[] Names =
    [
        "Dr. Iris Keller", "Dr. Jonas Weber", "Dr. Lena Vogt", "Dr. Omar Aziz", "Dr. Mei Tanaka", "Dr. Paul Brandt", "Dr. Ana Ruiz", "Dr. Nils Holm", "Dr. Eva Lind", "Dr. Tom Berg", "Dr. Rosa Blum",
        "Dr. Ida Roth", "Dr. Jan Kern",
        "Dr. Kai Moor", Pictured,
    ];

    internal Rig Rig { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Rig = Rig.Create(this);
        foreach (var (made, name) in (await Task.WhenAll(Names.Select(name => Rig.Actors.ActiveDoctorAsync(Rig.Msp, name)))).Zip(Names))
            Rig.Add(made, name);
        // One address for good: a page outlives a restart of its server.
        await Rig.StartAsync(
            ("Server:Urls", $"http://127.0.0.1:{Ports.FreeRun(0, 1)}"), ("SignIn:SamplePeople", "true"), ("Hospital:Name", "Linden Hospital"), ("Anchoring:Interval", "00:00:00.300"));
        for (var i = 0; i < 6; i++)
            await PutAsync(new JsonObject { ["resourceType"] = "Patient", ["id"] = PatientId(i), ["gender"] = "female", ["birthDate"] = "1971-03-05", ["name"] = new JsonArray(new JsonObject { ["family"] = Source.Canary }) });
        patients.AddRange(await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Rig.EnrolAsync(PatientId(i)))));
    }

    /// <summary>What nobody but a patient's own doctor may see.</summary>
    internal IEnumerable<string> Secrets => patients.SelectMany(patient => new[] { patient.FhirId, patient.Request.Pseudonym.ToString() }).Append(Source.Canary);

    /// <summary>A doctor with whom no other test works.</summary>
    internal (string Name, string Licence) Next() => Named(Names[doctor++]);

    internal (string Name, string Licence) Named(string name) => (name, Rig.Doctors.Values.Single(known => known.Statement.Name == name).Statement.Licence);

    /// <summary>A doctor at her browser, signed in; her key lies in it as if it had been made there.</summary>
    internal async Task<ConsolePerson> AtAsync((string Name, string Licence) who, string path = "/queue", string language = "en-GB", bool dark = false, int width = 1440)
    {
        var person = await Browser.PersonAsync(Rig.BaseAddress, language, dark, width);
        await person.SignInAsync(who.Name, path);
        var keys = Rig.Doctors[who.Licence].Keys;
        using var key = keys.LoadKey();
        var spki = key.ExportSubjectPublicKeyInfo();
        await person.Page.EvaluateAsync(
            """
            async ({ pkcs8, spki, owner, id }) => {
              const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
              const curve = { name: 'ECDSA', namedCurve: 'P-256' };
              const privateKey = await crypto.subtle.importKey('pkcs8', bytes(pkcs8), curve, false, ['sign']);
              const publicKey = await crypto.subtle.importKey('spki', bytes(spki), curve, true, ['verify']);
              await new Promise((done, failed) => {
                const asked = indexedDB.open('bridge-keys', 1);
                asked.onupgradeneeded = () => asked.result.createObjectStore('keys', { keyPath: 'id' });
                asked.onerror = failed;
                asked.onsuccess = () => {
                  const transaction = asked.result.transaction('keys', 'readwrite');
                  transaction.objectStore('keys').put({ id, owner, madeAt: 1, keys: { privateKey, publicKey } });
                  transaction.oncomplete = () => { asked.result.close(); done(); };
                };
              });
            }
            """,
            new { pkcs8 = Convert.ToBase64String(key.ExportPkcs8PrivateKey()), spki = Convert.ToBase64String(spki), owner = who.Licence, id = Base64Url.Encode(SHA256.HashData(spki)) });
        await person.Page.GotoAsync(path);
        await person.Page.GetByRole(AriaRole.Navigation).WaitForAsync();
        return person;
    }

    /// <summary>So many summaries in a doctor's queue, oldest first, of as many patients as there are.</summary>
    /// <param name="licence">Whose.</param>
    /// <param name="count">How many.</param>
    /// <param name="prepare">What else the encounter has: it gets patient and encounter before the encounter is finished.</param>
    internal async Task<IReadOnlyList<string>> QueuedAsync(string licence, int count, Func<string, string, Task>? prepare = null)
    {
        var practitioner = await this.PractitionerAsync(licence);
        var encounters = new List<string>();
        for (var i = 0; i < count; i++, said++)
        {
            var patient = patients[said % patients.Count].FhirId;
            // Each diagnosis once for each patient: what says nothing new is not queued.
            var encounter = await this.EncounterAsync(patient, practitioner, Source.Codes[said / patients.Count], prepare is null ? "finished" : "in-progress");
            if (prepare is not null)
            {
                await prepare(patient, encounter);
                await this.ChangeAsync(encounter, resource => resource["status"] = "finished");
            }
            encounters.Add(encounter);
        }
        var summaries = new List<string>();
        foreach (var encounter in encounters)
            summaries.Add(await Rig.QueuedAsync(licence, encounter));
        return summaries;
    }

    /// <summary>What stands on the ledger under an id, as a reader judges it who trusts nothing but the digests of the hospital's CAs.</summary>
    internal async Task<(byte[] Payload, RecordVerdict Verdict)> ReadAsync(string summary)
    {
        var row = (await Rig.RowOfSummaryAsync(summary))!;
        var patient = patients.Single(known => known.FhirId == row.PatientKey).Request.Pseudonym;
        var (signed, verdict) = await Reader.ReadAsync(portal ??= Ledger.Typed(SampleConsortium.PortalMsp), Rig.Msp, SummaryId.Parse(summary), Rig.Actors.CaDigestsOf(Rig.Msp), patient, CancellationToken.None);
        return (signed.Payload.ToArray(), verdict);
    }

    /// <summary>How many decisions of a kind stand about a summary.</summary>
    internal Task<long> DecisionsAsync(string summary, string kind) => Rig.Database.ReadAsync(
        work => work.ScalarAsync<long>("SELECT COUNT(*) FROM decision WHERE summary_id = @summary AND kind = @kind AND voided_at IS NULL", new { summary, kind }));

    internal Task AnchoredAsync(IEnumerable<string> summaries) => Rig.UntilAsync("summaries to be anchored", async () =>
    {
        foreach (var summary in summaries)
            if ((await Rig.RowOfSummaryAsync(summary))!.Status != SummaryStatus.Anchored)
                return false;
        return true;
    });

    public override async ValueTask DisposeAsync()
    {
        if (Rig is not null)
            await Rig.DisposeAsync();
        await base.DisposeAsync();
    }

    private static string PatientId(int i) => $"patient-of-her-doctor-{i}";
}

[CollectionDefinition(Name)]
public sealed class ConsoleCollection : ICollectionFixture<ConsoleFixture>
{
    public const string Name = "Console";
}
