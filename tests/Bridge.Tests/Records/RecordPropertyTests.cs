using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Records;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Bridge.Tests.Records;

/// <summary>What must hold of every JSON value and every signature, tried with generated ones.</summary>
public sealed class RecordPropertyTests
{
    private static readonly Gen<string> Names = Gen.OneOf(
        Gen.Elements("a", "b", "", "\u20ac", "\ud83d\ude00", "\ufb33", "\r", "__proto__", "\"", "\\", "é", "e\u0301"),
        ArbMap.Default.GeneratorFor<string>().Select(s => new string([.. (s ?? "").Where(c => !char.IsSurrogate(c))])));

    private static readonly Gen<JsonNode?> Leaves = Gen.OneOf(
        ArbMap.Default.GeneratorFor<double>().Where(double.IsFinite).Select(d => (JsonNode?)JsonValue.Create(d)),
        ArbMap.Default.GeneratorFor<long>().Select(l => (JsonNode?)JsonValue.Create(BitConverter.Int64BitsToDouble(l) is var d && double.IsFinite(d) ? d : 0)),
        ArbMap.Default.GeneratorFor<int>().Select(i => (JsonNode?)JsonValue.Create(i)),
        Names.Select(s => (JsonNode?)JsonValue.Create(s)),
        Gen.Elements<JsonNode?>(null, true, false));

    private static Gen<JsonNode?> Values(int depth) => depth == 0
        ? Leaves
        : Gen.OneOf(
            Leaves,
            Gen.Choose(0, 4).SelectMany(n => Values(depth - 1).ArrayOf(n)).Select(items => (JsonNode?)new JsonArray([.. items.Select(i => i?.DeepClone())])),
            Gen.Choose(0, 4).SelectMany(n => Names.Zip(Values(depth - 1)).ArrayOf(n)).Select(members =>
            {
                var result = new JsonObject();
                foreach (var (name, value) in members)
                    result[name] = value?.DeepClone();
                return (JsonNode?)result;
            }));

    [Fact]
    public void Canonicalise_AnyValue_IsAFixedPointAndKeepsTheValue() => Check(Values(4).Select(v => v ?? JsonValue.Create("null")!), value =>
    {
        var canonical = CanonicalJson.Serialize(value);
        return CanonicalJson.Canonicalise(canonical).AsSpan().SequenceEqual(canonical)
            && (HasNumbers(value) || JsonNode.DeepEquals(JsonNode.Parse(canonical), value)); // DeepEquals compares numbers by their text
    });

    [Fact]
    public void Canonicalise_MembersInAnyOrder_IsTheSame() => Check(
        Gen.Choose(2, 8).SelectMany(n => Names.Zip(Leaves).ArrayOf(n)), members =>
        {
            var forward = new JsonObject();
            var distinct = members.DistinctBy(m => m.Item1).ToList();
            foreach (var (name, value) in distinct)
                forward[name] = value?.DeepClone();
            var backward = new JsonObject();
            foreach (var (name, value) in Enumerable.Reverse(distinct))
                backward[name] = value?.DeepClone();
            return CanonicalJson.Serialize(forward).AsSpan().SequenceEqual(CanonicalJson.Serialize(backward));
        });

    [Fact]
    public void Canonicalise_AnyDouble_ReadsBackAsTheSameBits() => Check(
        Gen.OneOf(ArbMap.Default.GeneratorFor<double>(), ArbMap.Default.GeneratorFor<long>().Select(BitConverter.Int64BitsToDouble)).Where(double.IsFinite), number =>
        {
            var text = Encoding.ASCII.GetString(CanonicalJson.Serialize(JsonValue.Create(number)));
            return double.Parse(text, System.Globalization.CultureInfo.InvariantCulture) == number && text.Length <= 25 && !text.Contains('E');
        });

    [Fact]
    public void Parse_AnyBytes_NeverThrows() => Check(ArbMap.Default.GeneratorFor<byte[]>(), bytes =>
    {
        StrictJson.Parse(bytes ?? [], out var document);
        document?.Dispose();
        return SignedSummary.Verify(bytes ?? []).Outcome != VerificationOutcome.Valid;
    });

    [Fact]
    public void Verify_CompactWithOneCharacterChanged_IsNeverValid()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var publicKey = key.ExportSubjectPublicKeyInfo();
        var jws = CompactJws.Sign(new Withdrawal("HospitalAMSP", Handle.New()), key);
        Assert.Equal(VerificationOutcome.Valid, CompactJws.Verify<Withdrawal>(jws, publicKey).Outcome);
        Check(Gen.Choose(0, jws.Length - 1).Zip(Gen.Elements("ABCxyz019-_.=".ToCharArray())), change =>
        {
            var (at, c) = change;
            var changed = jws[..at] + c + jws[(at + 1)..];
            return changed == jws || CompactJws.Verify<Withdrawal>(changed, publicKey).Outcome != VerificationOutcome.Valid;
        });
    }

    [Fact]
    public void Verify_EnvelopeWithOneByteChanged_IsNeverValidWithAnotherContent()
    {
        using var doctor = new TestKey("Dr Ada Marten");
        using var bridge = new TestKey("bridge");
        var summary = TestRecords.Summary(Pseudonym.FromPublicKey(doctor.PublicKey));
        var (one, two) = (SigningInput.ForDoctor(summary, doctor.Certificate), SigningInput.ForBridge(summary, bridge.Certificate));
        var json = SignedSummary.Assemble(one, one.Sign(doctor.Key), two, two.Sign(bridge.Key));
        Check(Gen.Choose(0, json.Length - 1).Zip(Gen.Choose(0, 255)), change =>
        {
            var changed = (byte[])json.Clone();
            changed[change.Item1] = (byte)change.Item2;
            return SignedSummary.Verify(changed).Value is not { } valid || valid.Payload.Span.SequenceEqual(summary.ToCanonicalJson());
        });
    }

    [Fact]
    public void Sign_AnyStatement_VerifiesAndIsLowS()
    {
        using var key = new TestKey("Registrar Ruth");
        var texts = Gen.Choose(1, 64).SelectMany(n => Gen.Elements("aZ09 -./'éß王😀"[..12].ToCharArray()).ArrayOf(n)).Select(c => new string(c));
        Check(texts.Zip(texts), pair =>
        {
            var statement = new DoctorStatement("HospitalAMSP", Handle.New(), Digest.Of(pair.Item1), pair.Item1, pair.Item2, "register");
            var result = CompactJws.Verify<DoctorStatement>(CompactJws.Sign(statement, key.Key, key.Certificate));
            return result.Outcome == VerificationOutcome.Valid && result.Value!.Statement == statement && result.Value.Thumbprint == Digest.Of(key.Certificate);
        });
    }

    [Fact]
    public void FromDer_ToDerOfAnySignature_IsTheSameLowS()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Check(ArbMap.Default.GeneratorFor<byte[]>(), data =>
        {
            var der = key.SignData(data ?? [], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
            var signature = EcdsaSignature.FromDer(der);
            return EcdsaSignature.Check(signature) == VerificationOutcome.Valid && EcdsaSignature.Verify(key, data ?? [], signature)
                && EcdsaSignature.FromDer(EcdsaSignature.ToDer(signature)).AsSpan().SequenceEqual(signature);
        });
    }

    private static bool HasNumbers(JsonNode? value) => value switch
    {
        JsonObject members => members.Any(m => HasNumbers(m.Value)),
        JsonArray items => items.Any(HasNumbers),
        JsonValue leaf => leaf.GetValueKind() == System.Text.Json.JsonValueKind.Number,
        _ => false,
    };

    private static void Check<T>(Gen<T> generator, Func<T, bool> holds) =>
        FsCheck.Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(generator.ToArbitrary(), holds));
}
