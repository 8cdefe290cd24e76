using Bridge.Ledger.Protocol;

namespace Bridge.DevLedger.Endorsing;

/// <summary>Fabric's own words for a refused identity.</summary>
internal static class AccessTexts
{
    /// <param name="policy">Writers or Readers: the channel's implicit policies over the organisations' own.</param>
    public static string PolicyFailure(string policy) =>
        $"failed evaluating policy on signed data during check policy [/Channel/Application/{policy}]: [{ImplicitFailure(policy)}]";

    /// <summary>The same where a service's own rule for a channel asks.</summary>
    public static string PolicyFailure(string channel, string policy) =>
        $"Failed evaluating policy on signed data during check policy on channel [{channel}] with policy [/Channel/Application/{policy}]: [{ImplicitFailure(policy)}]";

    public static string ImplicitFailure(string policy) =>
        $"implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the '{policy}' sub-policies to be satisfied";

    public static string Name(HeaderType type) => type switch
    {
        HeaderType.Message => "MESSAGE",
        HeaderType.Config => "CONFIG",
        HeaderType.ConfigUpdate => "CONFIG_UPDATE",
        HeaderType.EndorserTransaction => "ENDORSER_TRANSACTION",
        HeaderType.OrdererTransaction => "ORDERER_TRANSACTION",
        HeaderType.DeliverSeekInfo => "DELIVER_SEEK_INFO",
        HeaderType.ChaincodePackage => "CHAINCODE_PACKAGE",
        _ => ((int)type).ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}
