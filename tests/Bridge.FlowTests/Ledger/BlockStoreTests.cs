using System.Security.Cryptography;
using System.Text;
using Bridge.Ledger.Protocol;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Xunit;

namespace Bridge.FlowTests.Ledger;

/// <summary>What the blocks let an outsider of a hospital's collections, such as the orderer or another hospital, learn.</summary>
[Collection("ledger")]
public class BlockStoreTests(LedgerFixture fixture)
{
    private Actors Actors => fixture.Actors;

    private string A => fixture.Consortium.A.Msp;

    [Fact]
    public async Task Blocks_AfterAWholeLife_HoldNothingOfPatientDoctorOrRecord()
    {
        const string condition = "73211009";
        var doctor = await Actors.ActiveDoctorAsync(A, "Dr. Zenobia Quartermain");
        var patient = await Actors.EnrolledPatientAsync(A);
        var (kept, _) = await Actors.AnchoredAsync(doctor, patient, condition);
        var (erased, _) = await Actors.AnchoredAsync(doctor, patient, "195967001");
        await Actors.EraseAsync(A, erased.Id, CompactJws.Sign(new Erasure(A, erased.Id), patient.Key));
        await Actors.WithdrawAsync(patient, CompactJws.Sign(new Withdrawal(A, patient.ConsentId), patient.Key), SampleConsortium.PortalMsp);
        var publicKey = patient.Request.SubjectPublicKeyInfo;
        (string What, string Text)[] secrets =
        [
            ("the pseudonym", patient.Pseudonym.ToString()),
            ("the patient's certificate", Convert.ToBase64String(patient.Certificate)[100..200]),
            ("the patient's public key", Base64Url.Encode(publicKey)[40..]),
            ("the patient's public key, base64", Convert.ToBase64String(publicKey)[40..]),
            ("the consent", patient.Request.Consent),
            ("the consent's id", patient.ConsentId.ToString()),
            ("the enrolment code", patient.Code),
            ("the code's id", patient.Request.CodeId.ToString()),
            ("the request's MAC", patient.Request.Mac),
            ("the patient's handle", patient.PatientHandle.ToString()),
            ("the consent's handle", patient.Consent.ToString()),
            ("the index's handle", patient.Index.ToString()),
            ("a summary's id", kept.Id.ToString()),
            ("an erased summary's id", erased.Id.ToString()),
            ("a condition", condition),
            ("a condition of the erased one", "195967001"),
            ("a payload", Base64Url.Encode(kept.ToCanonicalJson())[20..60]),
            ("the doctor's name", "Quartermain"),
            ("the doctor's licence", doctor.Statement.Licence),
            ("the doctor's handle", doctor.Handle.ToString()),
            ("the doctor's certificate", Convert.ToBase64String(doctor.Keys.Der())[100..200]),
            ("the doctor's thumbprint", doctor.Statement.Thumbprint.ToString()),
        ];

        var blocks = await fixture.BlocksAsync();

        var found = secrets.Where(secret => blocks.Any(block => block.Bytes.Holds(secret.Text))).Select(secret => secret.What);
        Assert.Empty(found);
        // Hex and raw forms of what is bytes at heart.
        Assert.DoesNotContain(blocks, block => block.Bytes.AsSpan().IndexOf(publicKey.AsSpan(27)) >= 0);
        Assert.DoesNotContain(blocks, block => block.Bytes.AsSpan().IndexOf(SHA256.HashData(publicKey)) >= 0);
        Assert.DoesNotContain(blocks, block => block.Bytes.AsSpan().IndexOf(SHA256.HashData(doctor.Keys.Der())) >= 0);
        // Control: the search does find what is public.
        Assert.Contains(blocks, block => block.Bytes.Holds("AnchorSummaries"));
    }

    [Fact]
    public async Task Anchors_OfDifferentPatientsAndDoctors_ShareNoOpaqueValue()
    {
        var (first, second) = (await Actors.ActiveDoctorAsync(A), await Actors.ActiveDoctorAsync(A));
        var (one, other) = (await Actors.EnrolledPatientAsync(A), await Actors.EnrolledPatientAsync(A));
        await Actors.AnchoredAsync(first, one);
        await Actors.AnchoredAsync(second, other);

        var traces = await LastAnchorsAsync(2);

        var shared = traces[0].Intersect(traces[1]).Where(trace => trace.StartsWith("hash ", StringComparison.Ordinal));
        Assert.Empty(shared);
    }

    [Fact]
    public async Task Anchors_OfOnePatientByTwoDoctors_ShareOnlyIndexAndConsent()
    {
        var (first, second) = (await Actors.ActiveDoctorAsync(A), await Actors.ActiveDoctorAsync(A));
        var patient = await Actors.EnrolledPatientAsync(A);
        await Actors.AnchoredAsync(first, patient);
        await Actors.AnchoredAsync(second, patient);

        var traces = await LastAnchorsAsync(2);

        // identity.md admits that one patient's anchors can be linked by these; the keys are hashes of random handles.
        string[] admitted = [Hash($"idx/{patient.Index}"), Hash($"con/{patient.Consent}"), Hash($"pat/{patient.PatientHandle}"), Hash($"tomb/{patient.Consent.TombOf()}")];
        var shared = traces[0].Intersect(traces[1]).Where(trace => trace.StartsWith("hash ", StringComparison.Ordinal));
        Assert.Empty(shared.Except(admitted));
    }

    [Fact]
    public async Task PublicReadSets_OfEveryTransaction_NameOnlyTheDirectory()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        await Actors.AnchoredAsync(doctor, await Actors.EnrolledPatientAsync(A));

        var keys = (await fixture.BlocksAsync()).SelectMany(block => block.Block.Transactions)
            // Peers add what they read of the contract's definition (namespaces/…); defining it is no transaction of the contract.
            .Where(transaction => transaction.Type == HeaderType.EndorserTransaction && transaction.ChaincodeName == "summaries")
            .SelectMany(transaction => transaction.PublicTraces())
            .Where(trace => trace.StartsWith("key ", StringComparison.Ordinal))
            .Select(trace => trace[4..])
            .Distinct();

        Assert.DoesNotContain(keys, key => key != "consortium" && !key.StartsWith("namespaces/", StringComparison.Ordinal) && key.Split('/')[0] is not ("hospital" or "proposal" or "approval"));
    }

    [Fact]
    public async Task Events_OfEveryTransaction_CarryIdsThatStandNowhereElse()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        await Actors.AnchoredAsync(doctor, await Actors.EnrolledPatientAsync(A));

        var blocks = await fixture.BlocksAsync();

        var events = blocks.SelectMany(block => block.Block.Transactions).Where(transaction => transaction.Event is not null)
            .SelectMany(transaction => System.Text.Json.JsonElement.Parse(transaction.Event!.Payload.ToStringUtf8()).EnumerateArray()
                .Select(entry => (Id: entry.GetProperty("event").GetString()!, transaction.ValidationCode)))
            .GroupBy(entry => entry.Id, entry => entry.ValidationCode, StringComparer.Ordinal)
            .ToList();
        Assert.NotEmpty(events);
        foreach (var carried in events)
        {
            // A transaction that lost a conflict is sent again with the same bytes: its id returns with it, but comes into force once at most.
            Assert.True(carried.Count(code => code == TxValidationCode.Valid) <= 1, $"{carried.Key} came into force twice");
            // Once in each such event, and nowhere else: not in arguments, responses or read sets of this or any other.
            Assert.Equal(carried.Count(), blocks.Sum(block => Count(block.Bytes, carried.Key)));
        }
    }

    private async Task<List<HashSet<string>>> LastAnchorsAsync(int count) =>
    [
        .. (await fixture.BlocksAsync()).SelectMany(block => block.Block.Transactions)
            .Where(transaction => transaction.Arguments.Count > 0 && Encoding.UTF8.GetString(transaction.Arguments[0].Span) == "AnchorSummaries")
            .TakeLast(count)
            .Select(transaction => transaction.PublicTraces().ToHashSet(StringComparer.Ordinal)),
    ];

    private static string Hash(string key) => "hash " + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private static int Count(byte[] bytes, string text)
    {
        var wanted = Encoding.UTF8.GetBytes(text);
        var count = 0;
        for (var rest = bytes.AsSpan(); rest.IndexOf(wanted) is var at and >= 0; rest = rest[(at + 1)..])
        {
            count++;
        }

        return count;
    }
}
