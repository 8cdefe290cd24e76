using System.Net;
using System.Net.Sockets;

namespace Bridge.Sandbox.Processes;

/// <summary>
/// Ports on the loopback address, chosen once and kept, so that a part can be restarted where others look for it. They lie below those that systems hand to outgoing connections (Linux from 32768,
/// others from 49152): a part that is away must not find its port taken by somebody's connection, not even by one that looks for the part itself.
/// </summary>
internal static class Ports
{
    private const int First = 10_000;
    private const int Last = 32_700;

    private static readonly HashSet<int> Given = [];

    /// <summary>A port that nobody listens on at this moment, and that this process has not given before.</summary>
    public static int Free() => FreeRun(0, 1);

    /// <summary>The wished port when it and the ones after it are free, else others.</summary>
    /// <param name="wished">0: any.</param>
    /// <param name="count">So many in a row.</param>
    public static int FreeRun(int wished, int count) => FreeBase(wished, [.. Enumerable.Range(0, count)]);

    /// <summary>The wished base when the ports at all the offsets from it are free, else another.</summary>
    /// <param name="wished">0: any.</param>
    /// <param name="offsets">In ascending order.</param>
    public static int FreeBase(int wished, int[] offsets)
    {
        lock (Given)
            for (var first = wished == 0 ? Any(offsets[^1] + 1) : wished; ; first = Any(offsets[^1] + 1))
            {
                var ports = Array.ConvertAll(offsets, offset => first + offset);
                if (Array.TrueForAll(ports, IsFree) && (first == wished || !Array.Exists(ports, Given.Contains)))
                {
                    Given.UnionWith(ports);
                    return first;
                }
            }
    }

    /// <summary>Whether nobody listens on it at this moment.</summary>
    public static bool IsFree(int port)
    {
        if (port is < 1 or > IPEndPoint.MaxPort)
            return false;
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port) { ExclusiveAddressUse = true };
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int Any(int count) => Random.Shared.Next(First, Last - count);
}
