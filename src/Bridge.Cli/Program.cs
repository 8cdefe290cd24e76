using Bridge.Cli;

return await BridgeCommand.RunAsync(args, new Terminal(Console.In, Console.Out, Console.Error, TimeProvider.System));
