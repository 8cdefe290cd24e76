using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Ledger;
using Bridge.Ledger.Grpc;
using Bridge.Ledger.Protocol;
using Xunit;

namespace Bridge.Tests.Ledger;

/// <summary>Overload, fail-over and TLS.</summary>
public class ConnectionTests
{
    private readonly TestIdentity test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Calls_BeyondTheLimit_WaitHereAndFinishOverOneConnection()
    {
        await using var fake = await FakeGateway.StartAsync();
        int now = 0, most = 0;
        async Task Serve(FakeCall call)
        {
            var level = Interlocked.Increment(ref now);
            for (var seen = Volatile.Read(ref most); level > seen; seen = Volatile.Read(ref most))
                Interlocked.CompareExchange(ref most, level, seen);
            await Task.Yield();
            Interlocked.Decrement(ref now);
            await call.AnswerAsync(new EvaluateResponse());
        }

        fake.On("Evaluate", Serve);
        using var gateway = Gateway.Connect(test.Options(fake.Address) with { MaxConcurrentCalls = 20 });
        var contract = gateway.GetNetwork("bridge").GetContract("summaries");

        await Task.WhenAll(Enumerable.Range(0, 1000).Select(_ => contract.EvaluateAsync("Read", cancellationToken: Token)));

        Assert.InRange(most, 1, 20);
        Assert.Equal(1, fake.Connections);
    }

    [Fact]
    public async Task Call_PeerOverloaded_ComesAgainUntilItIsTaken()
    {
        await using var fake = await FakeGateway.StartAsync();
        var refusals = 3;
        fake.On("Evaluate", call =>
        {
            if (Interlocked.Decrement(ref refusals) < 0)
                return call.AnswerAsync(new EvaluateResponse());
            call.Context.Response.Headers["grpc-status"] = "2";
            call.Context.Response.Headers["grpc-message"] = "too many requests for /gateway.Gateway, exceeding concurrency limit (500)";
            return Task.CompletedTask;
        });
        using var gateway = Gateway.Connect(test.Options(fake.Address));
        var contract = gateway.GetNetwork("bridge").GetContract("summaries");

        await contract.EvaluateTransactionAsync("Read");

        Assert.Equal(-1, refusals);
        using var hasty = Gateway.Connect(test.Options(fake.Address) with { EvaluateTimeout = TimeSpan.FromSeconds(1.5) });
        refusals = 10_000;
        var failure = await Assert.ThrowsAsync<EvaluateException>(() => hasty.GetNetwork("bridge").GetContract("summaries").EvaluateTransactionAsync("Read"));
        Assert.Contains("too many requests", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Slots_WhoFinishes_GoesBeforeWhoBegins()
    {
        var slots = new CallSlots(1);
        await slots.WaitAsync(CallRank.Beginning, Token);
        var order = new List<string>();
        var first = Enter("begin 1", CallRank.Beginning);
        var second = Enter("begin 2", CallRank.Beginning);
        var third = Enter("finish", CallRank.Finishing);

        slots.Release();
        await Task.WhenAll(first, second, third);

        Assert.Equal(["finish", "begin 1", "begin 2"], order);
        Assert.Equal(0, slots.InUse);

        async Task Enter(string name, CallRank rank)
        {
            await slots.WaitAsync(rank, Token);
            lock (order)
                order.Add(name);
            slots.Release();
        }
    }

    [Fact]
    public async Task Slots_WaiterGivesUp_LosesNoSlot()
    {
        var slots = new CallSlots(1);
        await slots.WaitAsync(CallRank.Beginning, Token);
        using var stop = new CancellationTokenSource();
        var waiting = slots.WaitAsync(CallRank.Beginning, stop.Token).AsTask();

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        slots.Release();

        await slots.WaitAsync(CallRank.Beginning, Token);
        Assert.Equal(1, slots.InUse);
    }

    [Fact]
    public async Task Unreachable_OneEndpoint_IsUnavailableWithoutAnswer()
    {
        using var gateway = Gateway.Connect(test.Options(await ClosedPortAsync()));

        var exception = await Assert.ThrowsAsync<EvaluateException>(
            () => gateway.GetNetwork("bridge").GetContract("summaries").EvaluateAsync("Read", cancellationToken: Token));

        Assert.Equal(GrpcStatusCode.Unavailable, exception.Code);
        Assert.True(exception.NoAnswer);
    }

    [Fact]
    public async Task FailOver_FirstEndpointIsDown_SecondServesAndStaysPreferred()
    {
        await using var fake = await FakeGateway.StartAsync();
        fake.On("Evaluate", call => call.AnswerAsync(new EvaluateResponse()));
        using var gateway = Gateway.Connect(test.Options(await ClosedPortAsync(), fake.Address));
        var contract = gateway.GetNetwork("bridge").GetContract("summaries");

        for (var i = 0; i < 3; i++)
            await contract.EvaluateAsync("Read", cancellationToken: Token);

        Assert.Equal(1, fake.Connections);
    }

    [Fact]
    public async Task FailOver_GatewayDiesInMidCall_SameBytesGoToTheNext()
    {
        await using var second = await FakeGateway.StartAsync();
        var first = await FakeGateway.StartAsync();
        var ids = new List<string>();
        first.On("Submit", call =>
        {
            ids.Add(call.Request(SubmitRequest.Parser).TransactionId);
            call.Context.Abort();
            return Task.CompletedTask;
        });
        first.On("Endorse", call => call.AnswerAsync(FakeEndorser.Endorse(call.Request(EndorseRequest.Parser), "result")));
        second.On("Submit", call =>
        {
            ids.Add(call.Request(SubmitRequest.Parser).TransactionId);
            return call.AnswerAsync(new SubmitResponse());
        });
        second.On("CommitStatus", call => call.AnswerAsync(new CommitStatusResponse { BlockNumber = 3 }));
        await using (first)
        {
            using var gateway = Gateway.Connect(test.Options(first.Address, second.Address));
            await gateway.GetNetwork("bridge").GetContract("summaries").SubmitAsync("Anchor", cancellationToken: Token);
        }

        Assert.Equal(2, ids.Count);
        Assert.Equal(ids[0], ids[1]);
    }

    [Fact]
    public async Task FailOver_GatewayAnswersWithAFault_IsNotPassedOn()
    {
        await using var first = await FakeGateway.StartAsync();
        await using var second = await FakeGateway.StartAsync();
        first.On("Evaluate", call =>
        {
            call.FailAtOnce(GrpcStatusCode.Unavailable, "no orderer");
            return Task.CompletedTask;
        });
        using var gateway = Gateway.Connect(test.Options(first.Address, second.Address));

        await Assert.ThrowsAsync<EvaluateException>(
            () => gateway.GetNetwork("bridge").GetContract("summaries").EvaluateAsync("Read", cancellationToken: Token));

        Assert.Equal(0, second.Connections);
    }

    [Fact]
    public async Task FailOver_GatewayHangs_IsNotAskedFirstAgain()
    {
        await using var hangs = await FakeGateway.StartAsync();
        await using var second = await FakeGateway.StartAsync();
        hangs.On("Evaluate", call => Task.Delay(Timeout.Infinite, call.Aborted).ContinueWith(_ => { }, TaskScheduler.Default));
        second.On("Evaluate", call => call.AnswerAsync(new EvaluateResponse()));
        using var gateway = Gateway.Connect(
            test.Options(hangs.Address, second.Address) with { EvaluateTimeout = TimeSpan.FromMilliseconds(300) });
        var contract = gateway.GetNetwork("bridge").GetContract("summaries");

        await Assert.ThrowsAsync<EvaluateException>(() => contract.EvaluateAsync("Read", cancellationToken: Token));
        await contract.EvaluateAsync("Read", cancellationToken: Token);
    }

    [Fact]
    public async Task Restart_SamePort_NextCallConnectsAnew()
    {
        var fake = await FakeGateway.StartAsync();
        var port = fake.Address.Port;
        fake.On("Evaluate", call => call.AnswerAsync(new EvaluateResponse()));
        using var gateway = Gateway.Connect(test.Options(fake.Address));
        var contract = gateway.GetNetwork("bridge").GetContract("summaries");
        await contract.EvaluateAsync("Read", cancellationToken: Token);
        await fake.DisposeAsync();
        await Assert.ThrowsAsync<EvaluateException>(() => contract.EvaluateAsync("Read", cancellationToken: Token));

        await using var again = await FakeGateway.StartAsync(port: port);
        again.On("Evaluate", call => call.AnswerAsync(new EvaluateResponse()));

        await contract.EvaluateAsync("Read", cancellationToken: Token);
    }

    [Fact]
    public async Task Tls_CustomRootAndServerName_AreTheOnlyOnesTrusted()
    {
        var (root, server) = Issue("peer0.hospital-a");
        var (otherRoot, _) = Issue("peer0.hospital-a");
        await using var fake = await FakeGateway.StartAsync(server);
        fake.On("Evaluate", call => call.AnswerAsync(new EvaluateResponse()));
        var endpoint = new GatewayEndpoint(fake.Address) { TlsRoots = [root], ServerName = "peer0.hospital-a" };

        await EvaluateAsync(endpoint);
        var wrongRoot = await Assert.ThrowsAsync<EvaluateException>(() => EvaluateAsync(endpoint with { TlsRoots = [otherRoot] }));
        var wrongName = await Assert.ThrowsAsync<EvaluateException>(() => EvaluateAsync(endpoint with { ServerName = "peer0.hospital-b" }));
        var noName = await Assert.ThrowsAsync<EvaluateException>(() => EvaluateAsync(endpoint with { ServerName = null }));
        var systemRoots = await Assert.ThrowsAsync<EvaluateException>(() => EvaluateAsync(endpoint with { TlsRoots = null }));

        Assert.All([wrongRoot, wrongName, noName, systemRoots], exception => Assert.Equal(GrpcStatusCode.Unavailable, exception.Code));
        Assert.Contains("RemoteCertificateNameMismatch", wrongName.Message);
    }

    [Fact]
    public async Task Tls_Mutual_OffersTheClientCertificateAndItsHash()
    {
        var (root, server) = Issue("localhost");
        await using var fake = await FakeGateway.StartAsync(server, clientCertificate: true);
        string? subject = null;
        ChannelHeader? header = null;
        fake.OnDeliver("DeliverFiltered", async call =>
        {
            subject = call.Context.Connection.ClientCertificate?.Subject;
            header = ChannelHeader.Parser.ParseFrom(Payload.Parser.ParseFrom(call.Request(Envelope.Parser).Payload).Header.ChannelHeader);
            await call.SendAsync(new DeliverResponse { FilteredBlock = new FilteredBlock { Number = 4 } });
            await call.AnswerAsync(new DeliverResponse { Status = Bridge.Ledger.Protocol.Status.Success });
        });
        var (_, client) = Issue("client");
        var endpoint = new GatewayEndpoint(fake.Address) { TlsRoots = [root], ServerName = "localhost", ClientCertificate = client };
        using var gateway = Gateway.Connect(test.Options() with { Endpoints = [endpoint] });

        Assert.Equal(5UL, await gateway.GetNetwork("bridge").GetHeightAsync(Token));

        Assert.Equal("CN=client", subject);
        Assert.Equal(SHA256.HashData(client.RawData), header!.TlsCertHash.ToByteArray());
        Assert.Equal((int)HeaderType.DeliverSeekInfo, header.Type);
    }

    [Fact]
    public void Options_SeveralFaults_AreAllNamed()
    {
        var options = test.Options(new Uri("ftp://127.0.0.1/")) with { MaxConcurrentCalls = 0, SubmitTimeout = TimeSpan.Zero };

        var message = Assert.Throws<ArgumentException>(() => Gateway.Connect(options)).Message;

        Assert.Contains("ftp://127.0.0.1/", message);
        Assert.Contains("MaxConcurrentCalls", message);
        Assert.Contains("SubmitTimeout", message);
        Assert.Contains("empty", Assert.Throws<ArgumentException>(() => Gateway.Connect(test.Options())).Message);
    }

    private async Task EvaluateAsync(GatewayEndpoint endpoint)
    {
        using var gateway = Gateway.Connect(test.Options() with { Endpoints = [endpoint] });
        await gateway.GetNetwork("bridge").GetContract("summaries").EvaluateAsync("Read", cancellationToken: Token);
    }

    private static async Task<Uri> ClosedPortAsync()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        await Task.Yield();
        return new Uri($"http://127.0.0.1:{port}");
    }

    private static (X509Certificate2 Root, X509Certificate2 Leaf) Issue(string name)
    {
        var now = DateTimeOffset.UtcNow;
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var rootRequest = new CertificateRequest("CN=test root", rootKey, HashAlgorithmName.SHA256);
        rootRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var root = rootRequest.CreateSelfSigned(now.AddMinutes(-5), now.AddDays(1));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(root, now.AddMinutes(-5), now.AddHours(12), RandomNumberGenerator.GetBytes(8));
        using var leaf = issued.CopyWithPrivateKey(key);
        return (X509CertificateLoader.LoadCertificate(root.RawData), X509CertificateLoader.LoadPkcs12(leaf.Export(X509ContentType.Pfx), null));
    }
}
