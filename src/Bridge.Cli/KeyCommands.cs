using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Records;

namespace Bridge.Cli;

/// <summary><c>bridge key</c>: make a key and the request for its certificate.</summary>
internal static class KeyCommands
{
    public static Command Create(Terminal terminal)
    {
        var name = BridgeCommand.RequiredText("--name", "Common name: your real name as in the register, or what the key is for.");
        var keyFile = BridgeCommand.RequiredFile("--key", "New key file (PKCS#8 PEM, mode 0600).");
        var requestFile = BridgeCommand.RequiredFile("--request", "New certificate request (PEM), to hand to the hospital's CA.");
        var encrypt = new Option<bool>("--encrypt") { Description = "Encrypt the key file with a password." };
        var passwordFile = BridgeCommand.OptionalFile("--password-file", "File whose first line is the password to encrypt with; asked for where left out.");
        var create = new Command("create", "Make a P-256 key and a certificate request. The key never leaves the file.") { name, keyFile, requestFile, encrypt, passwordFile };
        create.SetAction(result =>
        {
            var (keys, requests) = (result.GetRequiredValue(keyFile), result.GetRequiredValue(requestFile));
            TextFiles.MustNotExist(keys, requests);
            var commonName = result.GetRequiredValue(name);
            if (string.IsNullOrWhiteSpace(commonName) || commonName.Length > 64)
                throw new CliFault(ExitCode.Usage, $"--name has {commonName.Length} characters: a common name has 1 to 64.");
            var password = result.GetValue(encrypt) || result.GetValue(passwordFile) is not null ? terminal.NewPassword(result.GetValue(passwordFile)) : null;
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var subject = new X500DistinguishedNameBuilder();
            subject.AddCommonName(commonName);
            var request = PersonRequest.Create(key, subject.Build(), role: null);
            KeyFiles.Write(keys, key, password);
            TextFiles.WriteNew(requests, request + "\n");
            terminal.Line($"key      {keys.FullName}{(password is null ? "" : " (encrypted)")}");
            terminal.Line($"request  {requests.FullName}");
            terminal.Line($"SHA-256 of the public key: {Digest.Of(key.ExportSubjectPublicKeyInfo())}");
            return ExitCode.Done;
        });
        return new Command("key", "Make keys.") { create };
    }
}
