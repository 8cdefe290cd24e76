using System.Diagnostics;
using Bridge.Sandbox.Parts;

namespace Bridge.FlowTests.Fabric;

/// <summary>The processes of a network, for tests that do them harm. What a supervisor started, it starts again by itself.</summary>
internal sealed class FabricNodes(FabricPart network)
{
    public string Peer(string msp) => Path.Combine(network.Node(FabricPart.PeerOf(msp)), "pid");

    /// <summary>Certificate and key that the peer shows to who connects.</summary>
    public (string Certificate, string Key) PeerTls(string msp)
    {
        var host = FabricPart.PeerOf(msp);
        var folder = Path.Combine(network.Data, "crypto", "peerOrganizations", host[(host.IndexOf('.') + 1)..], "peers", host, "tls");
        return (Path.Combine(folder, "server.crt"), Path.Combine(folder, "server.key"));
    }

    public string Orderer(int index) => Path.Combine(network.Node($"orderer{index}.ordering.example"), "pid");

    public string Contract(string msp) => Path.Combine(network.Data, "contract", msp, "pid");

    /// <summary>Index of the orderer that leads, as <c>network/status</c> sees it; null where none does.</summary>
    public async Task<int?> LeaderAsync(CancellationToken ct)
    {
        var said = await network.StatusAsync(ct);
        var line = said.FirstOrDefault(line => line.Contains(", leads", StringComparison.Ordinal));
        return line is null ? null : line[line.IndexOf("orderer", StringComparison.Ordinal) + "orderer".Length] - '0';
    }

    /// <summary>kill -9, as a crash would; returns the pid that is gone.</summary>
    public static int Kill(string pidFile)
    {
        var pid = Child(pidFile);
        Signal("-9", pid);
        return pid;
    }

    /// <summary>Neither dead nor alive: the process keeps its connections and answers nothing.</summary>
    public static int Freeze(string pidFile)
    {
        var pid = Child(pidFile);
        Signal("-STOP", pid);
        return pid;
    }

    public static void Thaw(int pid) => Signal("-CONT", pid);

    /// <summary>The process that runs under the supervisor now; 0 while there is none.</summary>
    public static int ChildOrNone(string pidFile)
    {
        var supervisor = File.ReadLines(pidFile).First().Trim();
        var children = $"/proc/{supervisor}/task/{supervisor}/children";
        foreach (var child in File.Exists(children) ? File.ReadAllText(children).Split(' ', StringSplitOptions.RemoveEmptyEntries) : [])
        {
            // between two runs the supervisor's child is a sleep
            if (File.Exists($"/proc/{child}/comm") && File.ReadAllText($"/proc/{child}/comm").Trim() is not "sleep")
                return int.Parse(child, System.Globalization.CultureInfo.InvariantCulture);
        }

        return 0;
    }

    private static int Child(string pidFile) =>
        ChildOrNone(pidFile) is var pid and > 0 ? pid : throw new InvalidOperationException($"nothing runs under the supervisor of {pidFile}");

    private static void Signal(string signal, int pid)
    {
        using var process = Process.Start("kill", [signal, $"{pid}"]);
        process.WaitForExit();
    }
}
