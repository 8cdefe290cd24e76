using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Bridge.Hospital.Shell;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Checking;

/// <summary>Tries the ledger: connection, identity, contract, collections, events, clock. Nothing is submitted.</summary>
internal sealed class LedgerCheck(LedgerOptions options, string hospital, CheckReport report, TimeProvider clock)
{
    private const string Area = "ledger";

    /// <summary>The contract refuses what is further than this from its clock (chaincode/summaries/README.md, CLOCK_SKEW).</summary>
    private static readonly TimeSpan ContractTolerance = TimeSpan.FromMinutes(15);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Each configured gateway by itself: a reserve that does not work is found before it is needed.</summary>
    public async Task EndpointsAsync()
    {
        foreach (var gateway in options.Gateways)
            await report.TryAsync(Area, gateway.Address.Authority, "Start the peer, open the way to it, or correct Ledger:Endpoints", async () => await EndpointAsync(gateway));
    }

    private async Task EndpointAsync(GatewayEndpoint gateway)
    {
        var endpoint = gateway.Address;
        using var patience = new CancellationTokenSource(Patience);
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync(endpoint.Host, endpoint.Port, patience.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"no connection within {Patience.TotalSeconds} s");
        }
        if (endpoint.Scheme == "http")
        {
            report.Good(Area, endpoint.Authority, "answers, without TLS: this machine only");
            return;
        }
        string? problem = null;
        X509Certificate2? theirs = null;
        await using var tls = new SslStream(socket.GetStream(), false, (_, certificate, chain, errors) =>
        {
            theirs = certificate is null ? null : X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
            problem = Problem(theirs, chain, errors, gateway.TlsRoots);
            return problem is null;
        });
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = gateway.ServerName ?? endpoint.Host,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                    ClientCertificates = gateway.ClientCertificate is { } own ? [own] : null,
                }, patience.Token);
        }
        catch (Exception e) when (e is AuthenticationException or IOException or OperationCanceledException)
        {
            if (problem is not null)
                report.Fault(Area, endpoint.Authority, problem, "Put the CA of the peers' TLS certificates into Ledger:TlsRoots, and the name in the certificate into Ledger:ServerName");
            else
                report.Fault(Area, endpoint.Authority, $"no TLS connection: {e.GetType().Name}", "Is this the gateway's own port, and does it speak TLS? Else use its address in Ledger:Endpoints");
            return;
        }
        using (theirs)
        {
            if (tls.NegotiatedApplicationProtocol != SslApplicationProtocol.Http2)
                report.Fault(Area, endpoint.Authority, "speaks TLS, but not HTTP/2", "Is this the peer's gateway port, and no proxy before it that breaks HTTP/2?");
            else
                report.Good(Area, endpoint.Authority, $"TLS ({tls.SslProtocol}), certificate good until {theirs!.NotAfter.ToUniversalTime():yyyy-MM-dd}");
        }
    }

    private static string? Problem(X509Certificate2? certificate, X509Chain? presented, SslPolicyErrors errors, X509Certificate2Collection? roots)
    {
        if (certificate is null)
            return "shows no certificate";
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            return $"its TLS certificate is for another name ({certificate.GetNameInfo(X509NameType.DnsName, false)})";
        using var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        if (roots is not null)
        {
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        }
        foreach (var element in presented?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        return chain.Build(certificate) ? null : $"its TLS certificate is not trusted: {string.Join(", ", chain.ChainStatus.Select(status => status.Status).Distinct())}";
    }

    /// <summary>What the contract says to this bridge.</summary>
    public async Task ContractAsync(SigningIdentity bridge, CaDigests? printed, X509Certificate2? patientCa, X509Certificate2? statusKey)
    {
        using var gateway = ShellSetup.Connect(options, hospital, bridge, clock);
        var network = gateway.GetNetwork(options.Channel);
        var ledger = new SummaryLedger(gateway, options.Channel, options.Chaincode, new SummaryLedgerOptions { PortalMspId = options.PortalMsp, MaxAttempts = 2 });
        const string reach =
            "See that the endpoints answer, that Ledger:Channel and Ledger:Chaincode are right, that the peer has joined the channel with the contract's definition committed, and that Ledger:Certificate is of the hospital's Fabric CA";
        var (answers, outOfTime) = (false, false);
        await report.TryAsync(Area, "contract", reach, async () =>
        {
            byte[] said;
            try
            {
                said = await network.GetContract(options.Chaincode, "org.hyperledger.fabric").EvaluateTransactionAsync("GetMetadata");
            }
            catch (EvaluateException e) when (IsOutOfTime(e))
            {
                outOfTime = true;
                return;
            }
            using var metadata = JsonDocument.Parse(said);
            var contracts = metadata.RootElement.GetProperty("contracts");
            var version = metadata.RootElement.TryGetProperty("info", out var info) && info.TryGetProperty("version", out var text) ? text.GetString() : null;
            answers = contracts.TryGetProperty("summaries", out _);
            report.Judge(Area, "contract", answers, $"'{options.Chaincode}' on channel '{options.Channel}' answers, version {version ?? "not told"}", "Another chaincode answers under this name: correct Ledger:Chaincode");
        });
        if (outOfTime)
        {
            // From 3.1 on the peers refuse such a call before the contract sees it: nothing else could be told from one.
            report.NotTried(Area, "contract, hospital record, collections, events", "the peer refuses every call made by this machine's clock");
            await ClockAsync(bridge);
            return;
        }
        if (!answers)
        {
            report.NotTried(Area, "hospital record, collections, events, clock", "the contract does not answer");
            return;
        }
        await report.TryAsync(Area, "consortium", "Have the consortium initialised (InitConsortium)", async () =>
        {
            var consortium = await ledger.ReadConsortiumAsync();
            report.Judge(Area, "portal", consortium.Portal == options.PortalMsp, $"the consortium's portal is {consortium.Portal}", $"Set Ledger:PortalMsp to {consortium.Portal}");
            report.Judge(Area, "consortium", consortium.Hospitals.Contains(hospital), $"{consortium.Hospitals.Count} hospitals, {hospital} {(consortium.Hospitals.Contains(hospital) ? "among them" : "is none of them")}",
                "Have the hospital proposed and approved (`bridge hospital`), or correct Hospital:Msp");
        });
        await report.TryAsync(Area, "hospital record", "Have the hospital proposed and approved (`bridge hospital`), or correct Hospital:Msp", async () =>
            Record(HospitalRecord.Parse(Encoding.UTF8.GetBytes((await ledger.ReadHospitalAsync(hospital)).Record), out _), bridge, printed, patientCa, statusKey));
        const string collections = "See that the contract's definition has the collections of chaincode/summaries/collections.json, and that this identity is a member's";
        await ReadAsync("collection doctors", async () => $"{(await ledger.ListDoctorsAsync(hospital, null, 200)).Items.Count(doctor => doctor.Status == DoctorStatus.Active)} active doctors");
        await ReadAsync($"collection s_{hospital}", async () => (await ledger.ListSummariesAsync(hospital, null, 1)).Items.Count > 0 ? "readable" : "readable, no summary in it yet");
        await ReadAsync("mailbox", async () => $"{(await ledger.ReadEnrolmentsAsync(hospital, null, 200)).Items.Count} requests wait");
        await EventsAsync(network);
        await ClockAsync(bridge);

        Task<bool> ReadAsync(string name, Func<Task<string>> read) => report.TryAsync(Area, name, collections, async () => report.Good(Area, name, await read()));
    }

    private void Record(HospitalRecord? record, SigningIdentity bridge, CaDigests? printed, X509Certificate2? patientCa, X509Certificate2? statusKey)
    {
        if (record is null)
        {
            report.Fault(Area, "hospital record", "cannot be read by this version", "Contract and program differ in version: update the older one");
            return;
        }
        report.Good(Area, "hospital record", $"{record.Name}, number {record.Seq}");
        report.Judge(Area, "bridge identity", record.Bridges.Contains(Digest.Of(bridge.Certificate.RawData)), $"certificate {Digest.Of(bridge.Certificate.RawData)} of {hospital}",
            "The hospital's record does not name this certificate: have a record approved that lists it in 'bridges' (`bridge hospital`)");
        if (CertificateCheck.CheckBridge(bridge.Certificate.RawData, record.CasFor(CaUse.Bridge), clock.GetUtcNow()) is var fault and not CertificateFault.None)
            report.Fault(Area, "bridge identity", $"its certificate does not lead to the Fabric CA of the hospital's record: {fault}", $"Ledger:Certificate has to be issued by the Fabric CA of {hospital}");
        if (printed is not null)
            report.Judge(Area, "CA digests", record.CaDigests.Equals(printed), "those printed with enrolment codes against those of the record on the ledger",
                "Correct Enrolment:PeopleCas and Enrolment:BridgeCas, or have a new record approved: patients could verify nothing");
        if (patientCa is not null)
            report.Judge(Area, "patient CA", record.PatientCa.AsSpan().SequenceEqual(patientCa.RawData), "the configured one against the record on the ledger", "Enrolments would be refused: set Enrolment:PatientCaCertificate to the one in the record, or have a new record approved");
        if (statusKey is not null)
            report.Judge(Area, "status key", record.StatusKey.AsSpan().SequenceEqual(statusKey.RawData), "the configured one against the record on the ledger", "Status lists would be refused: set Certificates:StatusCertificate to the one in the record, or have a new record approved");
    }

    private Task<bool> EventsAsync(Network network) => report.TryAsync(Area, "events", "See the peer's log; the identity needs the channel's event rights", async () =>
    {
        var height = await network.GetHeightAsync();
        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            // From the newest block: whatever comes, or that nothing breaks for a second, shows that the stream opens.
            await foreach (var _ in network.GetChaincodeEventsAsync(options.Chaincode, new EventOptions { StartBlock = height - 1 }, enough.Token))
                break;
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested)
        {
        }
        report.Good(Area, "events", string.Create(CultureInfo.InvariantCulture, $"the stream opens; the ledger is {height} blocks high"));
    });

    // A peer does not tell its time. But it, or its contract, refuses timestamps further than 15 minutes from its clock: two questions, just inside on either side, show
    // whether this clock lies within a few seconds of the peer's. They are evaluated, so nothing is written.
    private async Task ClockAsync(SigningIdentity bridge)
    {
        var inside = ContractTolerance - CheckCommand.MostSkew;
        bool behind, ahead;
        try
        {
            behind = await IsRefusedAsync(-inside);
            ahead = await IsRefusedAsync(inside);
        }
        catch (GatewayException e)
        {
            report.NotTried("clocks", "ledger peer", Operations.Faults.Describe(e));
            return;
        }
        if (behind || ahead)
        {
            // Refused on both sides, it may be either.
            var off = behind && ahead
                ? $"{ContractTolerance.TotalMinutes:F0} minutes off"
                : $"{CheckCommand.MostSkew.TotalSeconds:F0} s {(behind ? "behind" : "ahead of")}";
            report.Fault("clocks", "ledger peer", $"this machine's clock is more than {off} the peer's", "Let both machines follow the same time servers (NTP): 15 minutes apart the ledger refuses everything");
            return;
        }
        report.Good("clocks", "ledger peer", $"within {CheckCommand.MostSkew.TotalSeconds:F0} s of this machine's");

        async Task<bool> IsRefusedAsync(TimeSpan shift)
        {
            using var gateway = ShellSetup.Connect(options, hospital, bridge, new ShiftedClock(clock, shift));
            try
            {
                await gateway.GetNetwork(options.Channel).GetContract(options.Chaincode).EvaluateAsync("DiscardRequests", new ProposalOptions
                {
                    Arguments = [Encoding.UTF8.GetBytes(hospital)],
                    TransientData = new Dictionary<string, ReadOnlyMemory<byte>> { ["input"] = """{"handles":[]}"""u8.ToArray() },
                    EndorsingOrganizations = [hospital],
                });
            }
            catch (EvaluateException e) when (IsOutOfTime(e))
            {
                return true;
            }
            catch (EvaluateException e) when (!e.NoAnswer && e.Message.Contains("\"refusal\"", StringComparison.Ordinal))
            {
                // Refused for another reason: the clock was judged first and found good.
            }
            return false;
        }
    }

    private static bool IsOutOfTime(EvaluateException e) =>
        e.Message.Contains("CLOCK_SKEW", StringComparison.Ordinal) || e.Message.Contains("timestamp", StringComparison.OrdinalIgnoreCase);

    private sealed class ShiftedClock(TimeProvider clock, TimeSpan shift) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow() + shift;
    }
}
