using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Hospital;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Bridge.Records;
using Bridge.Tests.Ledger;
using Bridge.Tests.Records;
using Google.Protobuf;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>The status list against a ledger that keeps what it is given, part by part, as the contract does.</summary>
public sealed class StatusListsTests : IAsyncLifetime
{
    private const string Msp = "HospitalAMSP";
    private readonly TestHospital hospital = new(Msp, "Hospital A");
    private readonly TestIdentity identity = new(Msp);
    private readonly Instance instance = new();
    private readonly HospitalMetrics metrics = new(new Instance());
    private readonly FakeTimeProvider clock = new(TestRecords.Now);
    private readonly Dictionary<int, string> onLedger = [];
    private readonly List<int> published = [];
    private readonly List<string> directory = [];
    private readonly string folder = Directory.CreateTempSubdirectory("bridge-status-").FullName;
    private FakeGateway fake = null!;
    private Gateway gateway = null!;
    private int publishedBeforeFailing = int.MaxValue;

    public async ValueTask InitializeAsync()
    {
        fake = await FakeGateway.StartAsync();
        gateway = Gateway.Connect(identity.Options(fake.Address));
        fake.On("Evaluate", AnswerAsync);
        fake.On("Endorse", EndorseAsync);
        fake.On("Submit", call => call.AnswerAsync(new SubmitResponse()));
        fake.On("CommitStatus", call => call.AnswerAsync(new CommitStatusResponse { Result = TxValidationCode.Valid, BlockNumber = 7 }));
    }

    [Theory]
    [OnBothEngines]
    public async Task Run_TwentyThousandRevoked_EveryOneIsOnThePartThatSpeaksOfHer(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var revoked = await RevokeAsync(store, 0, 20_000);
        var lists = Lists(store);

        await lists.RunAsync(TestContext.Current.CancellationToken);

        var parts = onLedger.ToDictionary(part => part.Key, part => Read(part.Value));
        Assert.Equal(Enumerable.Range(0, parts.Count).Reverse(), published); // part 0, which says how many there are, comes last
        Assert.All(parts, part => Assert.Equal((part.Key, parts.Count), (part.Value.Part, part.Value.Parts)));
        Assert.Equal(revoked.Order(), parts.Values.SelectMany(part => part.Revoked).Order());
        Assert.All(onLedger.Values, compact => Assert.True(compact.Length <= 65536));
        var ledger = new SummaryLedger(gateway, "bridge", "summaries");
        foreach (var one in revoked.Take(50).Append(Digest.Of("another")))
        {
            var part = Read(await ledger.ReadStatusOfAsync(Msp, one, TestContext.Current.CancellationToken));
            Assert.True(part.Covers(one));
            Assert.Equal(revoked.Contains(one), part.Revoked.Contains(one));
        }
        Assert.Equal(parts.Count, (await ledger.ReadStatusListAsync(Msp, TestContext.Current.CancellationToken)).Count);

        // Nothing is new: nothing is published. One more: her part alone. Half of their life is over, or the hospital's record is another: all.
        published.Clear();
        await lists.RunAsync(TestContext.Current.CancellationToken);
        Assert.Empty(published);
        var more = (await RevokeAsync(store, 20_000, 1)).Single();
        await lists.RunAsync(TestContext.Current.CancellationToken);
        Assert.Equal([StatusList.PartOf(more, parts.Count)], published);
        Assert.Contains(more, Read(onLedger[published[0]]).Revoked);
        published.Clear();
        hospital.Record = hospital.Record with { Seq = 2 };
        await lists.RunAsync(TestContext.Current.CancellationToken);
        Assert.Equal(parts.Count, published.Count);
        Assert.All(onLedger.Values, compact => Assert.Equal(hospital.Record.RecordDigest, Read(compact).Record));
        published.Clear();
        clock.Advance(TimeSpan.FromHours(13));
        await lists.RunAsync(TestContext.Current.CancellationToken);
        Assert.Equal(parts.Count, published.Count);
    }

    [Theory]
    [OnBothEngines]
    public async Task Run_LedgerGoneBetweenTwoParts_TheNextRunPublishesTheRest(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        await RevokeAsync(store, 0, 10);
        await Lists(store).RunAsync(TestContext.Current.CancellationToken);
        Assert.Equal([0], published);
        var revoked = await RevokeAsync(store, 10, 2000);

        for (publishedBeforeFailing = 2; published.Count < 4; publishedBeforeFailing++)
        {
            await Record.ExceptionAsync(() => Lists(store).RunAsync(TestContext.Current.CancellationToken));
            // Whatever came through, a reader finds the part that speaks of a certificate, or the old list that speaks of all.
            foreach (var one in revoked.Take(20))
                Assert.True(Read(await new SummaryLedger(gateway, "bridge", "summaries").ReadStatusOfAsync(Msp, one, TestContext.Current.CancellationToken)).Covers(one));
        }
        publishedBeforeFailing = int.MaxValue;
        await Lists(store).RunAsync(TestContext.Current.CancellationToken);

        Assert.Equal(2010, onLedger.Values.Sum(compact => Read(compact).Revoked.Count));
        Assert.All(onLedger, part => Assert.Equal((part.Key, onLedger.Count), (Read(part.Value).Part, Read(part.Value).Parts)));
    }

    // The first list already: one that says of a revoked doctor that she is not is good for a day.
    [Fact]
    public async Task Run_DatabaseLost_GoesOnAboveTheLedgersNumbersAndClearsNobody()
    {
        await using var before = await TestStore.CreateAsync(Engine.Sqlite);
        var revoked = await RevokeAsync(before, 0, 900);
        directory.AddRange(revoked.Select(one => new JsonObject
        {
            ["confirmation"] = null,
            ["handle"] = Handle.New().ToString(),
            ["hospital"] = Msp,
            ["kind"] = "doctor",
            ["leaf"] = "AA==",
            ["licence"] = "l",
            ["name"] = "n",
            ["notAfter"] = 2,
            ["notBefore"] = 1,
            ["revocation"] = "jws",
            ["salt"] = "s",
            ["statement"] = "jws",
            ["status"] = "REVOKED",
            ["thumbprint"] = one.ToString(),
            ["v"] = 1,
        }.ToJsonString()));
        var running = Lists(before);
        await running.RunAsync(TestContext.Current.CancellationToken);
        var seq = onLedger.Values.Max(compact => Read(compact).Seq);
        // An older one put back under the running program.
        await before.WriteAsync(work => work.RunAsync("DELETE FROM doctor"));
        await running.RunAsync(TestContext.Current.CancellationToken);
        Assert.Equal(revoked.Order(), onLedger.Values.SelectMany(compact => Read(compact).Revoked).Order());

        await using var after = await TestStore.CreateAsync(Engine.Sqlite);
        published.Clear();
        await Lists(after).RunAsync(TestContext.Current.CancellationToken);

        Assert.Equal([1, 0], published);
        Assert.Equal(revoked.Order(), onLedger.Values.SelectMany(compact => Read(compact).Revoked).Order());
        Assert.All(onLedger.Values, compact => Assert.True(Read(compact).Seq > seq));
    }

    [Fact]
    public void PartsFor_MoreThanFitIntoOne_IsDoubledUntilTheyFit()
    {
        var revoked = Enumerable.Range(0, 20_001).Select(i => Digest.Of($"leaf {i}")).ToList();
        Assert.Equal(1, StatusLists.PartsFor([], 1));
        Assert.Equal(1, StatusLists.PartsFor(revoked[..StatusList.MaxRevoked], 1));
        Assert.Equal(2, StatusLists.PartsFor(revoked[..(StatusList.MaxRevoked + 1)], 1));
        Assert.Equal(8, StatusLists.PartsFor([], 8));
        Assert.Equal(32, StatusLists.PartsFor(revoked, 1));
        Assert.Equal(256, StatusLists.PartsFor([.. Enumerable.Repeat(revoked[0], 1000)], 1));
    }

    private StatusLists Lists(TestStore store)
    {
        var (certificate, key) = (Path.Combine(folder, "status.pem"), Path.Combine(folder, "status.key"));
        File.WriteAllText(certificate, PemEncoding.WriteString("CERTIFICATE", hospital.StatusCertificate));
        File.WriteAllText(key, hospital.StatusKey.ExportPkcs8PrivateKeyPem());
        var status = SigningIdentity.Read(new ConfigurationReader(new ConfigurationBuilder().Build(), folder), "certificate", certificate, "key", key)!;
        var ledger = new SummaryLedger(gateway, "bridge", "summaries", new SummaryLedgerOptions { FirstPause = TimeSpan.FromMilliseconds(1) });
        var self = new HospitalOptions(Msp, "Hospital A");
        return new StatusLists(
            store.Database, ledger, new DoctorDirectory(store.Database, ledger, self, instance, metrics, new WatchingSignals(), clock, NullLogger<DoctorDirectory>.Instance),
            new RestoredDatabase(store.Database, ledger, self, clock, NullLogger<RestoredDatabase>.Instance),
            new CertificatesOptions(status, TimeSpan.FromHours(24), TimeSpan.FromMinutes(1), TimeSpan.FromDays(30)), self, instance, clock, NullLogger<StatusLists>.Instance);
    }

    private static async Task<IReadOnlyList<Digest>> RevokeAsync(TestStore store, int from, int count)
    {
        var revoked = Enumerable.Range(from, count).Select(i => Digest.Of($"leaf {i}")).ToList();
        await store.WriteAsync(async work =>
        {
            foreach (var some in revoked.Chunk(500))
                await work.RunAsync(
                    "INSERT INTO doctor (handle, hospital, thumbprint, certificate, name, licence, status, not_before, not_after, stored, synced_at) VALUES "
                    + string.Join(", ", some.Select(one => $"('{one.ToString()[..22]}', '{Msp}', '{one}', 'c', 'n', 'l', 'REVOKED', 1, 2, 's', 3)")));
        });
        return revoked;
    }

    private static StatusList Read(string compact) => CompactJws.Verify<StatusList>(compact).Value!.Statement;

    private Task AnswerAsync(FakeCall call)
    {
        var (arguments, _) = FakeEndorser.Call(call.Request(EvaluateRequest.Parser).ProposedTransaction);
        string? answer;
        lock (onLedger)
            answer = arguments[0] switch
            {
                "ReadHospital" => new JsonObject { ["record"] = hospital.Record.ToJson(), ["approvals"] = new JsonArray() }.ToJsonString(),
                "ListDoctors" => JsonSerializer.Serialize(new { doctors = directory, next = (string?)null }),
                "ReadStatus" => onLedger.GetValueOrDefault(int.Parse(arguments[2], System.Globalization.CultureInfo.InvariantCulture)),
                _ => """{"attestor":{"certificate":"AA==","name":"Board"},"hospitals":["HospitalAMSP"],"portal":"PortalMSP","v":1}""",
            };
        if (answer is not null)
            return call.AnswerAsync(new EvaluateResponse { Result = new Response { Status = 200, Payload = ByteString.CopyFromUtf8(answer) } });
        call.FailAtOnce(GrpcStatusCode.Unknown, """evaluate call to endorser returned error: chaincode response 500, {"refusal":"NOT_FOUND","detail":"no such part"}""");
        return Task.CompletedTask;
    }

    private Task EndorseAsync(FakeCall call)
    {
        var request = call.Request(EndorseRequest.Parser);
        var (_, transient) = FakeEndorser.Call(request.ProposedTransaction);
        var compact = JsonDocument.Parse(transient["input"]).RootElement.GetProperty("status").GetString()!;
        var list = Read(compact);
        lock (onLedger)
        {
            if (published.Count >= publishedBeforeFailing)
            {
                call.FailAtOnce(GrpcStatusCode.Unavailable, "no peers");
                return Task.CompletedTask;
            }
            Assert.True(!onLedger.TryGetValue(list.Part, out var before) || Read(before).Seq < list.Seq, "WRONG_SEQ");
            Assert.Equal(hospital.Record.RecordDigest, list.Record);
            onLedger[list.Part] = compact;
            published.Add(list.Part);
        }
        return call.AnswerAsync(FakeEndorser.Endorse(request, "PUBLISHED"));
    }

    public async ValueTask DisposeAsync()
    {
        gateway.Dispose();
        await fake.DisposeAsync();
        hospital.Dispose();
        metrics.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
