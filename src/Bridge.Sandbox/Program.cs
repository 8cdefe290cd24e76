using System.CommandLine;
using Bridge.Sandbox;
using Bridge.Sandbox.Setup;
using Bridge.Sandbox.Walkthrough;

var prepare = new Command("prepare", "Install and build what the contract and the sample FHIR server need; start nothing.");
prepare.SetAction(async (_, ct) =>
{
    await Toolchain.PrepareAsync(Checkout.Find(), Console.WriteLine, ct);
    return 0;
});
var walkthrough = new Command("walkthrough", "Play one encounter all the way on free ports; exit code 0 when every step held.");
var ledger = new Option<string>("--ledger") { Description = "dev: the development ledger; fabric: a network on the Fabric binaries in FABRIC_BIN.", DefaultValueFactory = _ => "dev" };
ledger.AcceptOnlyFromAmong("dev", "fabric");
ledger.Recursive = true;
walkthrough.SetAction((parsed, ct) => Walk.RunAsync(parsed.GetValue(ledger) == "fabric", Console.Out, Console.Error, ct));
var data = new Option<string?>("--data") { Description = "Folder for everything the Sandbox writes. Default: .data/sandbox of the checkout." };
var root = new RootCommand("A sample consortium on this machine: FHIR server, ledger with the real contract, hospital bridge. Runs until Ctrl+C.")
{
    data, ledger, prepare, walkthrough,
};
root.SetAction((result, ct) => Serve.RunAsync(result.GetValue(data), result.GetValue(ledger) == "fabric", Console.Out, ct));
var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(60) };
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
