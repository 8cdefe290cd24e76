using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Cli;

/// <summary><c>bridge sign</c>: a doctor signs summaries with a key that no server has. One signature per record, one yes per batch.</summary>
internal static class SignCommand
{
    private sealed record Item(FileInfo Output, SigningInput Input);

    public static Command Create(Terminal terminal)
    {
        var payloads = new Argument<FileInfo[]>("payload") { Description = "Payload files: the canonical JSON of a summary or retraction, byte for byte.", Arity = ArgumentArity.OneOrMore };
        var key = BridgeCommand.RequiredFile("--key", "Your key.");
        var certificate = BridgeCommand.RequiredFile("--certificate", "Your certificate.");
        var directory = new Option<DirectoryInfo?>("--out-dir") { Description = "Where signature files go; default beside each payload, with .signature.json added to its name." };
        var retraction = new Option<bool>("--retraction") { Description = "The payloads are retractions." };
        var yes = BridgeCommand.Yes();
        var password = BridgeCommand.PasswordFile();
        var command = new Command("sign", "Show what a payload says and sign it as its doctor. Where one file is bad, none is signed.") { payloads, key, certificate, directory, retraction, yes, password };
        command.SetAction(result =>
        {
            var (doctorKey, doctor) = KeyFiles.ReadPair(result.GetRequiredValue(key), result.GetRequiredValue(certificate), result.GetValue(password), terminal);
            using (doctorKey)
            {
                terminal.Line($"signing as {KeyFiles.Describe(doctor)}");
                var items = result.GetRequiredValue(payloads)
                    .Select(file => Read(terminal, file, doctor, result.GetValue(retraction), result.GetValue(directory))).ToList();
                if (items.Select(i => i.Output.FullName).Distinct(StringComparer.Ordinal).Count() != items.Count)
                    throw new CliFault(ExitCode.Usage, "Two payloads would have the same signature file: name each once, or sign them apart.");
                terminal.Confirm(items.Count == 1 ? "Sign this record?" : $"Sign these {items.Count} records?", result.GetValue(yes));
                for (var i = 0; i < items.Count; i++)
                {
                    TextFiles.WriteNew(items[i].Output, CanonicalJson.Serialize(new JsonObject
                    {
                        ["protected"] = items[i].Input.Protected,
                        ["signature"] = Base64Url.Encode(Sign(items[i].Input, doctorKey)),
                    }));
                    terminal.Line($"[{i + 1}/{items.Count}] {items[i].Output.FullName}");
                }
                return ExitCode.Done;
            }
        });
        return command;
    }

    private static Item Read(Terminal terminal, FileInfo file, byte[] doctor, bool isRetraction, DirectoryInfo? directory)
    {
        var name = file.Name + ".signature.json";
        var output = new FileInfo(Path.Combine(directory?.FullName ?? file.DirectoryName!, name));
        TextFiles.MustNotExist(output);
        var bytes = TextFiles.ReadBytes(file);
        var lines = isRetraction ? ReadRetraction(file, bytes) : ReadSummary(file, bytes);
        terminal.Line($"{file.FullName}");
        foreach (var line in lines)
            terminal.Line(line);
        try
        {
            return new Item(output, SigningInput.Create(isRetraction ? EnvelopeKind.Retraction : EnvelopeKind.Summary, SignerRole.Doctor, bytes, doctor));
        }
        catch (ArgumentException e)
        {
            throw new CliFault(ExitCode.Refused, e.Message);
        }
    }

    private static IEnumerable<string> ReadSummary(FileInfo file, byte[] bytes) =>
        MinimalSummary.Read(bytes, out var fault) is { } summary ? SummaryText.Lines(summary) : throw Bad(file, "summary", fault);

    private static IEnumerable<string> ReadRetraction(FileInfo file, byte[] bytes)
    {
        if (StrictJson.Parse(bytes, out var document) != JsonFault.None)
            throw Bad(file, "retraction", "(document)");
        using (document)
        {
            if (Retraction.Read(document!.RootElement, out var fault) is not { } retraction)
                throw Bad(file, "retraction", fault);
            return retraction.ToCanonicalJson().AsSpan().SequenceEqual(bytes) ? SummaryText.Lines(retraction) : throw Bad(file, "retraction", "(not canonical)");
        }
    }

    private static CliFault Bad(FileInfo file, string what, string? fault) =>
        new(ExitCode.Input, $"{file.FullName} is no {what} that can be signed: '{fault}' is wrong. Nothing was signed; take the payload from the console again.");

    private static byte[] Sign(SigningInput input, ECDsa key)
    {
        var signature = input.Sign(key);
        return input.Verify(signature) == VerificationOutcome.Valid
            ? signature
            : throw new CliFault(ExitCode.Refused, "The signature just made does not verify: the key or the machine is faulty. Do not use it.");
    }
}
