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

    /// <summary>The wished port when it is free, else another.</summary>
    public static int FreeOr(int wished)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, wished) { ExclusiveAddressUse = true };
            listener.Start();
            return wished;
        }
        catch (SocketException)
        {
            return Free();
        }
    }
}
