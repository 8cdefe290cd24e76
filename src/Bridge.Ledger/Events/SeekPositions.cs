using Bridge.Ledger.Protocol;

namespace Bridge.Ledger;

internal static class SeekPositions
{
    public static SeekPosition From(EventOptions options)
    {
        var start = options.Checkpoint?.BlockNumber ?? options.StartBlock;
        return start is { } number ? At(number) : new SeekPosition { NextCommit = new SeekNextCommit() };
    }

    public static SeekPosition At(ulong number) => new() { Specified = new SeekSpecified { Number = number } };
}
