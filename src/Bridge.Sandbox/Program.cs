using System.CommandLine;
using Bridge.Sandbox;
using Bridge.Sandbox.Setup;

var prepare = new Command("prepare", "Install and build what the contract and the sample FHIR server need; start nothing.");
prepare.SetAction(async (_, ct) =>
{
    await Toolchain.PrepareAsync(Checkout.Find(), Console.WriteLine, ct);
    return 0;
});
var root = new RootCommand("A sample consortium on this machine: FHIR server, development ledger with the real contract, hospital bridge.") { prepare };
var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false };
try
{
    return await root.Parse(args).InvokeAsync(invocation);
}
catch (SandboxException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}
catch (OperationCanceledException)
{
    return 1;
}
