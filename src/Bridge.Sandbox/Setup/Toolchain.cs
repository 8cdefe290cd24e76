namespace Bridge.Sandbox.Setup;

/// <summary>All that Node.js runs in the Sandbox: installed and built when its inputs changed since the last time.</summary>
internal static class Toolchain
{
    public static async Task PrepareAsync(Checkout checkout, Action<string> progress, CancellationToken ct)
    {
        await PrepareContractAsync(checkout, progress, ct);
        await new NodePackage(checkout.FhirServer, []).PrepareAsync(progress, ct);
    }

    public static async Task PrepareContractAsync(Checkout checkout, Action<string> progress, CancellationToken ct)
    {
        await NodePackage.CheckToolchainAsync(ct);
        await new NodePackage(checkout.Contract, ["src", "tsconfig.json"]).PrepareAsync(progress, ct);
    }
}
