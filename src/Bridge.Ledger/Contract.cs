using System.Security.Cryptography;
using System.Text;

namespace Bridge.Ledger;

/// <summary>A smart contract on a channel.</summary>
public sealed class Contract
{
    private readonly Gateway gateway;
    private readonly string channelName;

    internal Contract(Gateway gateway, string channelName, string chaincodeName, string? contractName)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(chaincodeName);
        this.gateway = gateway;
        this.channelName = channelName;
        ChaincodeName = chaincodeName;
        ContractName = contractName;
    }

    /// <summary>The chaincode's name.</summary>
    public string ChaincodeName { get; }

    /// <summary>The contract's name inside the chaincode; null for its default one.</summary>
    public string? ContractName { get; }

    /// <summary>Runs a function on one peer and returns its answer; nothing is written.</summary>
    /// <exception cref="EvaluateException">The chaincode refused, or no peer could be asked.</exception>
    public Task<byte[]> EvaluateTransactionAsync(string name, params string[] arguments) =>
        EvaluateAsync(name, new ProposalOptions { Arguments = Utf8(arguments) });

    /// <summary>As <see cref="EvaluateTransactionAsync"/>, with everything that a proposal can carry.</summary>
    public Task<byte[]> EvaluateAsync(string name, ProposalOptions? options = null, CancellationToken cancellationToken = default) =>
        NewProposal(name, options).EvaluateAsync(cancellationToken);

    /// <summary>Endorses, submits, and waits until the transaction stands valid in a block of the gateway's peer.</summary>
    /// <returns>What the function returned.</returns>
    /// <exception cref="EndorseException">Not endorsed: nothing was or will be written.</exception>
    /// <exception cref="SubmitException">It is not known that an orderer has it.</exception>
    /// <exception cref="CommitStatusException">An orderer has it; its fate is not known.</exception>
    /// <exception cref="CommitException">It stands in a block as invalid.</exception>
    public Task<byte[]> SubmitTransactionAsync(string name, params string[] arguments) =>
        SubmitAsync(name, new ProposalOptions { Arguments = Utf8(arguments) });

    /// <summary>As <see cref="SubmitTransactionAsync"/>, with everything that a proposal can carry.</summary>
    public async Task<byte[]> SubmitAsync(string name, ProposalOptions? options = null, CancellationToken cancellationToken = default)
    {
        var submitted = await StartSubmitAsync(name, options, cancellationToken);
        var status = await submitted.GetStatusAsync(cancellationToken);
        return status.Successful ? submitted.Result : throw new CommitException(status);
    }

    /// <summary>Endorses and submits; the caller asks for the commit's status when it likes (the official clients' submitAsync).</summary>
    public async Task<SubmittedTransaction> StartSubmitAsync(
        string name, ProposalOptions? options = null, CancellationToken cancellationToken = default)
    {
        var transaction = await NewProposal(name, options).EndorseAsync(cancellationToken);
        return await transaction.SubmitAsync(cancellationToken);
    }

    /// <summary>A proposal to take through the stages one by one, or to sign elsewhere.</summary>
    public Proposal NewProposal(string name, ProposalOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Span<byte> nonce = stackalloc byte[ProposalBuilder.NonceLength];
        RandomNumberGenerator.Fill(nonce);
        var function = ContractName is null ? name : $"{ContractName}:{name}";
        var built = ProposalBuilder.Build(
            gateway.Identity, channelName, ChaincodeName, function, options ?? ProposalOptions.None, nonce, gateway.Options.TimeProvider.GetUtcNow());
        return new Proposal(gateway, channelName, built);
    }

    private static ReadOnlyMemory<byte>[] Utf8(string[] arguments) =>
        Array.ConvertAll(arguments, static argument => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(argument));
}
