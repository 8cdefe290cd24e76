namespace Bridge.FlowTests.Fabric;

/// <summary>
/// Puts the clocks of the contract's processes wrong, one organisation's at a time: what a host does whose time service fails. A script that Node.js loads before the
/// contract reads how far off its organisation's clock is, and follows changes.
/// </summary>
internal sealed class ContractClocks : IDisposable
{
    private const string Script = """
        const { readFileSync } = require('node:fs');
        const file = `${__dirname}/${process.env.CORE_PEER_LOCALMSPID}`;
        const Clock = Date, now = Date.now;
        let off = 0;
        if (process.env.CORE_PEER_LOCALMSPID) setInterval(() => {
          try { off = Number(readFileSync(file, 'utf8')); } catch { off = 0; }
        }, 100).unref();
        globalThis.Date = class Date extends Clock {
          constructor(...given) { given.length === 0 ? super(now() + off) : super(...given); }
          static now() { return now() + off; }
        };
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("bridge-clocks-").FullName;

    public ContractClocks() => File.WriteAllText(Path.Combine(folder, "clock.cjs"), Script);

    /// <summary>For all that starts the contract.</summary>
    public IReadOnlyDictionary<string, string?> Environment => new Dictionary<string, string?> { ["NODE_OPTIONS"] = $"--require {Path.Combine(folder, "clock.cjs")}" };

    /// <summary>From the next tenth of a second on.</summary>
    public void Set(string msp, TimeSpan off)
    {
        // whole or not at all: it is read at any moment
        var file = Path.Combine(folder, msp);
        File.WriteAllText(file + ".new", off.TotalMilliseconds.ToString(System.Globalization.CultureInfo.InvariantCulture));
        File.Move(file + ".new", file, overwrite: true);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
