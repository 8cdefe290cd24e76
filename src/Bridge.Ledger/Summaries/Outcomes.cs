using Bridge.Records;

namespace Bridge.Ledger;

/// <summary>What an approval led to.</summary>
public enum ApprovalResult
{
    /// <summary>Stored; a majority is not reached yet.</summary>
    Approved,

    /// <summary>The record is in force.</summary>
    Active,
}

/// <summary>What became of an item of a batch.</summary>
public enum AnchorResult
{
    /// <summary>It stands in a block; the receipt says where.</summary>
    Anchored,

    /// <summary>The contract refused it by a rule: trying the same again will not help.</summary>
    Refused,

    /// <summary>The ledger could not take it, and it is known that it did not: try again later.</summary>
    NotAnchored,

    /// <summary>It may have been anchored: ask what became of the transaction, or read the summary, before trying again.</summary>
    Unknown,
}

/// <summary>What became of one item.</summary>
/// <param name="Id">The summary.</param>
/// <param name="Result">How it ended.</param>
/// <param name="Receipt">Where it stands, if anchored.</param>
/// <param name="Refusal">Why not, if refused.</param>
/// <param name="RefusalText">The same as the contract writes it; empty otherwise.</param>
/// <param name="TransactionId">The last transaction that carried it; empty where none was proposed.</param>
/// <param name="Failure">What went wrong, if not anchored or unknown.</param>
public sealed record AnchorOutcome(
    SummaryId Id,
    AnchorResult Result,
    LedgerReceipt? Receipt,
    RefusalCode? Refusal,
    string RefusalText,
    string TransactionId,
    Exception? Failure);

/// <summary>How far a withdrawal got.</summary>
/// <param name="Complete">False: more bodies than one transaction purges; call again with a new event id.</param>
/// <param name="Locked">Bodies that could not be purged because an insider changed their key policy; sweeping the index purges them.</param>
/// <param name="Receipt">Where the withdrawal stands.</param>
public sealed record WithdrawalOutcome(bool Complete, int Locked, LedgerReceipt Receipt);

/// <summary>What discarding requests did.</summary>
/// <param name="Discarded">Requests purged.</param>
/// <param name="Locked">Requests that could not be purged because an insider changed their key policy.</param>
/// <param name="Receipt">Where it stands; null where there was nothing to purge, and so nothing was submitted.</param>
public sealed record DiscardOutcome(int Discarded, int Locked, LedgerReceipt? Receipt);
