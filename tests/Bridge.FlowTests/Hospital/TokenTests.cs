using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Bridge.Hospital;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Tests.Ledger;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>The bridge's key lies in a PKCS#11 token (SoftHSM) and nowhere else that the hospital could read it.</summary>
[Collection(HospitalCollection.Name)]
public class TokenTests(HospitalFixture fixture)
{
    // One for the process: the token's library keeps to the first that it was told of.
    private static readonly Lazy<SoftToken> Shared = new(() =>
    {
        var made = new SoftToken();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => made.Dispose();
        return made;
    });

    [Fact]
    public async Task BridgesKey_InAToken_EnrolsAnchorsAndRetractsThoughTheTokenIsReset()
    {
        var token = Shared.Value;
        await using var rig = Rig.Create(fixture);
        rig.UseProfile(Profile(rig.Folder, token));
        await rig.AddDoctorAsync();
        await rig.StartAsync();
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        Assert.IsType<Pkcs11Key>(rig.Services.GetRequiredKeyedService<SigningIdentity>("bridge").Key);

        var first = await AmendmentTests.AnchoredAsync(rig, licence, await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]));
        token.CloseAllSessions();
        var encounter = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var second = await AmendmentTests.AnchoredAsync(rig, licence, encounter);

        // Both signatures of the bridge, under the transaction and within the summary, are of the key in the token: the contract checked them against its certificate.
        Assert.Equal([SummaryState.Live, SummaryState.Live], await AmendmentTests.StatesAsync(rig, [first, second]));
        await fixture.ChangeAsync(encounter, resource => resource["status"] = "entered-in-error");
        await rig.RetractionQueuedAsync(licence, second);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, second, "retractions")).Outcome);
        await rig.UntilSummaryAsync(second, SummaryStatus.Retracted);
        Assert.Equal([SummaryState.Live, SummaryState.Erased], await AmendmentTests.StatesAsync(rig, [first, second]));
        await rig.AddsUpAsync();
        Assert.DoesNotContain(SoftToken.Pin, rig.LogText, StringComparison.Ordinal);
    }

    // The ledger's own profile with the token in place of the key's file.
    private string Profile(string folder, SoftToken token)
    {
        var ledger = fixture.Ledger.Ledger;
        var file = ledger.Profile(Rig.Msp);
        var profile = (JsonObject)JsonNode.Parse(File.ReadAllText(file))!;
        var id = RandomNumberGenerator.GetHexString(8, lowercase: true);
        using (var key = ledger.Client(Rig.Msp).LoadKey())
            token.Import(key, $"bridge {id}", id);
        profile.Remove("key");
        profile["pkcs11"] = new JsonObject { ["library"] = token.Library, ["token"] = "bridge", ["key"] = $"bridge {id}", ["id"] = id, ["pinFile"] = token.PathOf("pin") };
        foreach (var (owner, name) in new[] { (profile, "certificate"), ((JsonObject)profile["gateways"]![0]!, "tlsRoots") })
            if (owner[name] is { } path)
                owner[name] = Path.Combine(Path.GetDirectoryName(file)!, (string)path!);
        var made = Path.Combine(folder, "profile.json");
        File.WriteAllText(made, profile.ToJsonString());
        return made;
    }
}
