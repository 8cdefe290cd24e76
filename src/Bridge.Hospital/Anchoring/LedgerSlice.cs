using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;

namespace Bridge.Hospital.Anchoring;

/// <summary>The bridge's connection to the ledger, shared by all slices.</summary>
internal static class LedgerSlice
{
    public static void AddLedger(this WebApplicationBuilder builder, LedgerOptions options, SigningIdentity bridge)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddKeyedSingleton("bridge", bridge);
        builder.Services.AddSingleton<SubmitNotes>();
        builder.Services.AddSingleton(provider => Gateway.Connect(new GatewayOptions
        {
            Identity = new Identity(provider.GetRequiredService<HospitalOptions>().Msp, bridge.Pem.Span),
            Signer = Signers.NewPrivateKeySigner(bridge.Key),
            Endpoints = options.Gateways,
            CommitStatusTimeout = options.CommitTimeout,
        }));
        builder.Services.AddSingleton(provider => new SummaryLedger(
            provider.GetRequiredService<Gateway>(), options.Channel, options.Chaincode,
            new SummaryLedgerOptions { PortalMspId = options.PortalMsp, BeforeSubmit = provider.GetRequiredService<SubmitNotes>().NoteAsync }));
    }
}

/// <summary>
/// Makes a transaction's id durable with the rows that it carries before it is submitted, so that after a crash a receipt can name it. What is
/// noted is a hint: what counts is what the ledger says is there.
/// </summary>
internal sealed class SubmitNotes(Database database, TimeProvider clock, AnchoringOptions options, CrashPoints crash)
{
    private static readonly AsyncLocal<long[]?> Carried = new();

    /// <summary>The anchors that transactions submitted from here carry, until the result is disposed.</summary>
    public static IDisposable Carry(long[] anchorIds)
    {
        Carried.Value = anchorIds;
        return new Release();
    }

    public async Task NoteAsync(string transactionId, CancellationToken cancellationToken)
    {
        if (Carried.Value is not { Length: > 0 } anchors)
            return;
        await database.WriteAsync(work => AnchorRows.NoteTransactionAsync(work, anchors, transactionId, clock.GetUtcNow() + options.Lease), cancellationToken);
        crash.Pass("anchoring.3");
    }

    private sealed class Release : IDisposable
    {
        public void Dispose() => Carried.Value = null;
    }
}
