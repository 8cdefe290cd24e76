using System.Net;
using System.Net.Sockets;

namespace Bridge.Sandbox.Processes;

/// <summary>Ports on the loopback address.</summary>
internal static class Ports
{
    /// <summary>A port that nobody listens on at this moment. Chosen once and kept, so that a part can be restarted where others look for it.</summary>
    public static int Free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>The wished port when it and the ones after it are free, else others.</summary>
    /// <param name="wished">0: any.</param>
    /// <param name="count">So many in a row.</param>
    public static int FreeRun(int wished, int count)
    {
        for (var first = wished == 0 ? Free() : wished; ; first = Free())
        {
            if (first + count <= IPEndPoint.MaxPort && Enumerable.Range(first, count).All(IsFree))
            {
                return first;
            }
        }
    }

    /// <summary>Whether nobody listens on it at this moment.</summary>
    public static bool IsFree(int port)
    {
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
}
