using Bridge.Ledger;
using Bridge.Sandbox.Parts;
using Xunit;

namespace Bridge.FlowTests.Ledger;

/// <summary>More calls than a peer takes at once (500): the client holds them back, and what other clients' calls displace comes again.</summary>
[Collection("ledger")]
public class OverloadTests(LedgerFixture fixture)
{
    private string A => fixture.Consortium.A.Msp;

    [Fact]
    public async Task Client_ThousandCallsAtOnce_AllAreAnswered()
    {
        var contract = fixture.Contract(A);

        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(_ =>
            contract.EvaluateAsync("ReadConsortium", [], null, [A], TestContext.Current.CancellationToken)));

        Assert.All(answers, answer => Assert.True(answer.TryGetProperty("portal", out _)));
    }

    [Fact]
    public async Task Clients_MoreThanAPeerTakes_AreSlowedDownAndNotRefused()
    {
        var clients = Enumerable.Range(0, 3).Select(_ => fixture.Typed(A)).ToList();

        var answers = await Task.WhenAll(clients.SelectMany(client => Enumerable.Range(0, 350).Select(_ => client.ReadConsortiumAsync(TestContext.Current.CancellationToken))));

        Assert.All(answers, answer => Assert.Contains(A, answer.Hospitals));
    }

    [Fact]
    public async Task Client_MoreSubmitsThanSlots_AllCommitOnce()
    {
        var ct = TestContext.Current.CancellationToken;
        var gateway = fixture.Ledger.Gateways(A);
        using var narrow = Gateway.Connect(ConnectionProfile.Load(fixture.Ledger.Profile(A)).ToGatewayOptions() with { Endpoints = gateway, MaxConcurrentCalls = 8 });
        var ledger = new SummaryLedger(narrow, "bridge", "summaries");
        var doctors = Enumerable.Range(0, 40).Select(i => fixture.Actors.NewDoctor(A, $"Dr. Number {i}")).ToList();

        await Task.WhenAll(doctors.Select(doctor => ledger.ProposeDoctorAsync(
            A, new DoctorProposalSubmission(doctor.Handle, Convert.ToBase64String(doctor.Keys.Der()), doctor.Signed, Bridge.Records.Salt.New(), Bridge.Records.Salt.New()), ct)));

        foreach (var doctor in doctors)
            Assert.Equal(DoctorStatus.Pending, (await ledger.ReadDoctorAsync(doctor.Handle, ct)).Status);
    }
}
