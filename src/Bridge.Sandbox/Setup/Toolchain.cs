namespace Bridge.Sandbox.Setup;

/// <summary>All that Node.js runs in the Sandbox.</summary>
internal static class Toolchain
{
    /// <summary>Installs and builds what changed since the last time.</summary>
    public static async Task PrepareAsync(Checkout checkout, Action<string> progress, CancellationToken ct)
    {
        await NodePackage.CheckToolchainAsync(ct);
        await new NodePackage(checkout.Contract, ["src", "tsconfig.json"]).PrepareAsync(progress, ct);
        await new NodePackage(checkout.FhirServer, []).PrepareAsync(progress, ct);
    }
}
