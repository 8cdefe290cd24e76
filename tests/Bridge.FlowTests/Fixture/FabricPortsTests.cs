using System.Net;
using System.Net.Sockets;
using Bridge.Sandbox.Parts;
using Xunit;

namespace Bridge.FlowTests.Fixture;

public class FabricPortsTests
{
    // the second orderer's, the fourth's, the third hospital's peer's
    [Theory]
    [InlineData(13)]
    [InlineData(36)]
    [InlineData(3001)]
    public void FreeBase_OneOfThePortsIsTaken_ChoosesAnother(int offset)
    {
        var wished = FabricPart.FreeBase(0);
        using var other = new TcpListener(IPAddress.Loopback, wished + offset);
        other.Start();

        Assert.NotEqual(wished, FabricPart.FreeBase(wished));
    }
}
