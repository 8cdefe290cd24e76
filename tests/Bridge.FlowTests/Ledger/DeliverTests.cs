using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Bridge.Sandbox.Consortium;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Xunit;

namespace Bridge.FlowTests.Ledger;

/// <summary>One request for blocks: which form, by whom, for what, and how it is spoilt.</summary>
internal sealed record DeliverCase(string Name, string What, string Method, SeekInfo Seek, string[] Answers)
{
    /// <summary>What peers of 2.5 answer, where they do not know the form that is asked for.</summary>
    public string[]? AnswersOf25 { get; init; }

    public bool ByOther { get; init; }

    public string Channel { get; init; } = ContractCalls.Channel;

    public TimeSpan ClockOff { get; init; }

    public Func<byte[], byte[]> Signature { get; init; } = signature => signature;

    public Func<Payload, Payload> Payload { get; init; } = payload => payload;
}

/// <summary>Its request and its answers, as they went over the wire.</summary>
internal sealed record DeliverReply(DeliverCase Case, byte[] Request, int GrpcStatus, IReadOnlyList<byte[]> Messages)
{
    /// <summary>What each message is: a block's number and form, or the status that ends.</summary>
    public IEnumerable<string> Answers => Messages.Select(message => DeliverResponse.Parser.ParseFrom(message)).Select(answer => answer.TypeCase switch
    {
        DeliverResponse.TypeOneofCase.Status => $"{answer.Status}",
        DeliverResponse.TypeOneofCase.Block => answer.Block.Data is { Data.Count: > 0 } ? "block" : "header",
        DeliverResponse.TypeOneofCase.FilteredBlock => "filtered",
        DeliverResponse.TypeOneofCase.BlockAndPrivateData => answer.BlockAndPrivateData.PrivateDataMap.Count > 0 ? "private" : "no private",
        _ => "nothing",
    });
}

/// <summary>Blocks from the Deliver services in every form, and every way in which they are refused: byte for byte over a real connection.</summary>
[Collection("ledger")]
public class DeliverTests(LedgerFixture fixture)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string A => fixture.Consortium.A.Msp;

    [Fact]
    public async Task Deliver_EveryFormAndEveryFault_IsAnsweredAsByARealPeer()
    {
        var doctor = await fixture.Actors.ActiveDoctorAsync(A);
        var patient = await fixture.Actors.EnrolledPatientAsync(A);
        var channel = fixture.Connect(A).GetNetwork(ContractCalls.Channel);
        var before = await channel.GetHeightAsync(Token);
        await fixture.Actors.AnchoredAsync(doctor, patient);
        await fixture.SettledAsync();
        var block = await AnchorsBlockAsync(channel, before);

        var replies = new List<DeliverReply>();
        foreach (var one in Cases(block))
            replies.Add(await AskAsync(one));

        var is25 = (await VersionAsync())?.StartsWith("2.5", StringComparison.Ordinal) == true;
        Assert.Equal(
            replies.Select(reply => $"{reply.Case.Name}: {reply.GrpcStatus} {string.Join(" ", is25 ? reply.Case.AnswersOf25 ?? reply.Case.Answers : reply.Case.Answers)}"),
            replies.Select(reply => $"{reply.Case.Name}: {reply.GrpcStatus} {string.Join(" ", reply.Answers)}"));
        Assert.All(replies, reply => Assert.Equal(0, reply.GrpcStatus));
        await KeepAsync(replies);
    }

    /// <summary>The peers' release; null for the development ledger, which answers as the newest do.</summary>
    internal virtual Task<string?> VersionAsync() => Task.FromResult<string?>(null);

    /// <summary>What becomes of the replies.</summary>
    internal virtual Task KeepAsync(IReadOnlyList<DeliverReply> replies) => Task.CompletedTask;

    private static IEnumerable<DeliverCase> Cases(ulong block)
    {
        var one = From(block, block);
        yield return new("deliver-block", "the block of an anchor", "Deliver", one, ["block", "Success"]);
        yield return new("deliver-two", "two blocks from the anchor's predecessor on", "Deliver", From(block - 1, block), ["block", "block", "Success"]);
        yield return new("deliver-header", "the same block's header and metadata only", "Deliver", With(one, seek => seek.ContentType = SeekInfo.Types.SeekContentType.HeaderWithSig), ["header", "Success"]) { AnswersOf25 = ["block", "Success"] };
        yield return new("deliver-filtered", "the same block, filtered", "DeliverFiltered", one, ["filtered", "Success"]);
        yield return new("deliver-private-member", "the same block to a member of its collections", "DeliverWithPrivateData", one, ["private", "Success"]);
        yield return new("deliver-private-other", "the same block to another hospital", "DeliverWithPrivateData", one, ["no private", "Success"]) { ByOther = true };
        yield return new("deliver-newest", "the newest block", "DeliverFiltered", new SeekInfo { Start = Newest(), Stop = Newest() }, ["filtered", "Success"]);
        yield return new("deliver-not-ready", "a block that is not there, without waiting", "Deliver", With(From(9_999_999, 9_999_999), seek => seek.Behavior = SeekInfo.Types.SeekBehavior.FailIfNotReady), ["NotFound"]);
        yield return new("deliver-backwards", "a stop before the start", "Deliver", From(block, block - 1), ["BadRequest"]);
        yield return new("deliver-no-start", "no start", "Deliver", With(one, seek => seek.Start = null), ["BadRequest"]);
        yield return new("deliver-unknown-channel", "a channel that the peer has not joined", "Deliver", one, ["NotFound"]) { Channel = "nope" };
        yield return new("deliver-high-s", "a signature with the higher S", "Deliver", one, ["Forbidden"]) { Signature = HighS };
        yield return new("deliver-other-bytes", "a signature of other bytes", "DeliverFiltered", one, ["Forbidden"]) { Payload = payload => WithData(payload, From(0, 1)) };
        yield return new("deliver-20-minutes-old", "a request of 20 minutes ago", "Deliver", one, ["BadRequest"]) { ClockOff = TimeSpan.FromMinutes(-20) };
        yield return new("deliver-20-minutes-ahead", "a request of 20 minutes ahead", "DeliverWithPrivateData", one, ["BadRequest"]) { ClockOff = TimeSpan.FromMinutes(20) };
        yield return new("deliver-no-header", "no header", "Deliver", one, ["BadRequest"]) { Payload = payload => new Payload { Data = payload.Data } };
    }

    private static SeekInfo From(ulong start, ulong stop) => new() { Start = At(start), Stop = At(stop) };

    private static SeekPosition At(ulong number) => new() { Specified = new SeekSpecified { Number = number } };

    private static SeekPosition Newest() => new() { Newest = new SeekNewest() };

    private static SeekInfo With(SeekInfo seek, Action<SeekInfo> change)
    {
        var changed = seek.Clone();
        change(changed);
        return changed;
    }

    private static Payload WithData(Payload payload, SeekInfo seek) => new() { Header = payload.Header, Data = seek.ToByteString() };

    private static byte[] HighS(byte[] der)
    {
        var order = new System.Numerics.BigInteger(Convert.FromHexString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"), isUnsigned: true, isBigEndian: true);
        var reader = new System.Formats.Asn1.AsnReader(der, System.Formats.Asn1.AsnEncodingRules.DER).ReadSequence();
        var writer = new System.Formats.Asn1.AsnWriter(System.Formats.Asn1.AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(reader.ReadInteger());
            writer.WriteInteger(order - reader.ReadInteger());
        }

        return writer.Encode();
    }

    private static async Task<ulong> AnchorsBlockAsync(Bridge.Ledger.Network channel, ulong from)
    {
        await foreach (var found in channel.FollowBlocksWithPrivateDataAsync(new EventOptions { StartBlock = from }, Token))
            if (found.Transactions.Any(transaction => transaction.PrivateWrites.Count > 0))
                return found.Number;
        throw new InvalidOperationException("the blocks ended before the anchor");
    }

    private async Task<DeliverReply> AskAsync(DeliverCase one)
    {
        var msp = one.ByOther ? fixture.Consortium.B.Msp : A;
        var profile = ConnectionProfile.Load(fixture.Ledger.Profile(msp));
        var payload = new Payload
        {
            Header = new Header
            {
                ChannelHeader = new ChannelHeader { Type = (int)HeaderType.DeliverSeekInfo, Timestamp = Timestamp.FromDateTimeOffset(DateTimeOffset.UtcNow + one.ClockOff), ChannelId = one.Channel }.ToByteString(),
                SignatureHeader = new SignatureHeader { Creator = ByteString.CopyFrom(profile.Identity.Creator.Span), Nonce = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(24)) }.ToByteString(),
            },
            Data = one.Seek.ToByteString(),
        };
        var signature = one.Signature(FabricSignature.Sign(profile.PrivateKey!, SHA256.HashData(payload.ToByteArray())));
        var envelope = new Envelope { Payload = one.Payload(payload).ToByteString(), Signature = ByteString.CopyFrom(signature) }.ToByteArray();
        var (status, messages) = await CallAsync(profile.Gateways[0], $"/protos.Deliver/{one.Method}", envelope);
        return new DeliverReply(one, envelope, status, messages);
    }

    // What our client would make of it is not asked here: frames and trailers as they came.
    private static async Task<(int Status, IReadOnlyList<byte[]> Messages)> CallAsync(GatewayEndpoint endpoint, string path, byte[] message)
    {
        var tls = new SslClientAuthenticationOptions { TargetHost = endpoint.ServerName ?? endpoint.Address.Host };
        if (endpoint.TlsRoots is { } roots)
        {
            tls.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        }

        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler { SslOptions = tls, UseProxy = false });
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(endpoint.Address, path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(frame) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        request.Headers.TryAddWithoutValidation("te", "trailers");
        using var response = await invoker.SendAsync(request, Token);
        var body = await response.Content.ReadAsByteArrayAsync(Token);
        var messages = new List<byte[]>();
        for (var at = 0; at < body.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(at + 1));
            messages.Add(body.AsSpan(at + 5, length).ToArray());
            at += 5 + length;
        }

        var headers = response.TrailingHeaders.Contains("grpc-status") ? response.TrailingHeaders : response.Headers;
        return (int.Parse(headers.GetValues("grpc-status").Single(), System.Globalization.CultureInfo.InvariantCulture), messages);
    }
}
