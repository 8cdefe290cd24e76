using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Bridge.Records;

/// <summary>Where a hospital's doctors may sign with a passkey or Windows Hello: its on-chain origins and relying party.</summary>
/// <param name="Origins">Exact origins, e.g. <c>https://bridge.hospital.example</c>.</param>
/// <param name="RpId">Relying party id, e.g. <c>hospital.example</c>.</param>
public sealed record WebAuthnPolicy(IReadOnlyCollection<string> Origins, string RpId);

/// <summary>
/// One WebAuthn answer and the place of one record in the batch it answers for. One gesture may sign many records, and each still carries
/// its own proof.
/// </summary>
/// <param name="AuthenticatorData">As the authenticator gave it.</param>
/// <param name="ClientDataJson">As the browser gave it.</param>
/// <param name="Signature">DER ECDSA, or RSA PKCS#1 v1.5.</param>
/// <param name="Count">Records in the batch, 1 to 1024.</param>
/// <param name="Index">This record's place, from 0.</param>
/// <param name="Path">Inclusion proof (RFC 9162 §2.1.3), 32 bytes each, from the leaf upwards.</param>
public sealed record WebAuthnAssertion(
    ReadOnlyMemory<byte> AuthenticatorData,
    ReadOnlyMemory<byte> ClientDataJson,
    ReadOnlyMemory<byte> Signature,
    int Count,
    int Index,
    IReadOnlyList<byte[]> Path);

/// <summary>Many records signed by one WebAuthn gesture: a Merkle tree in the shape of RFC 9162, whose root is in the challenge.</summary>
public sealed class WebAuthnBatch
{
    /// <summary>Most records in one gesture.</summary>
    public const int MaxCount = 1024;

    private readonly byte[][] _leaves;

    /// <summary>A batch over the doctor's signing inputs, in this order.</summary>
    /// <param name="inputs">1 to <see cref="MaxCount"/>, all with the same doctor certificate.</param>
    /// <param name="hospital">The hospital's MSP id.</param>
    public WebAuthnBatch(IReadOnlyList<SigningInput> inputs, string hospital)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (inputs.Count is < 1 or > MaxCount)
            throw new ArgumentException($"a batch holds 1 to {MaxCount} records, not {inputs.Count}", nameof(inputs));
        if (inputs.Any(i => i.Role != SignerRole.Doctor || !i.Certificate.Span.SequenceEqual(inputs[0].Certificate.Span)))
            throw new ArgumentException("all records of a batch are signed by one doctor", nameof(inputs));
        _leaves = [.. inputs.Select(i => MerkleTree.Leaf(i.Bytes))];
        Challenge = MerkleTree.Challenge(inputs[0].Certificate.Span, hospital, _leaves.Length, MerkleTree.Root(_leaves));
    }

    /// <summary>The 32 bytes to give to <c>navigator.credentials.get</c>.</summary>
    public byte[] Challenge { get; }

    /// <summary>The assertion as the record at <paramref name="index"/> carries it.</summary>
    public WebAuthnAssertion For(int index, ReadOnlyMemory<byte> authenticatorData, ReadOnlyMemory<byte> clientDataJson, ReadOnlyMemory<byte> signature) =>
        new(authenticatorData, clientDataJson, signature, _leaves.Length, index, MerkleTree.Path(_leaves, index));
}

/// <summary>RFC 9162 §2.1 over SHA-256, and the challenge made of a root.</summary>
internal static class MerkleTree
{
    public static byte[] Leaf(ReadOnlySpan<byte> data)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData([0]);
        hash.AppendData(data);
        return hash.GetHashAndReset();
    }

    public static byte[] Root(ReadOnlySpan<byte[]> leaves)
    {
        if (leaves.Length == 1)
            return leaves[0];
        var split = LargestPowerOfTwoBelow(leaves.Length);
        return Node(Root(leaves[..split]), Root(leaves[split..]));
    }

    public static List<byte[]> Path(ReadOnlySpan<byte[]> leaves, int index)
    {
        if (index < 0 || index >= leaves.Length)
            throw new ArgumentOutOfRangeException(nameof(index), index, $"the batch has {leaves.Length} records");
        if (leaves.Length == 1)
            return [];
        var split = LargestPowerOfTwoBelow(leaves.Length);
        var (path, sibling) = index < split
            ? (Path(leaves[..split], index), Root(leaves[split..]))
            : (Path(leaves[split..], index - split), Root(leaves[..split]));
        path.Add(sibling);
        return path;
    }

    /// <summary>The root that a path leads to (RFC 9162 §2.1.3.2); null where the path's length is not the tree's.</summary>
    public static byte[]? RootFrom(byte[] leaf, int index, int count, IReadOnlyList<byte[]> path)
    {
        var (fn, sn, hash) = (index, count - 1, leaf);
        foreach (var sibling in path)
        {
            if (sn == 0)
                return null;
            if ((fn & 1) == 1 || fn == sn)
            {
                hash = Node(sibling, hash);
                while ((fn & 1) == 0 && fn != 0)
                {
                    fn >>= 1;
                    sn >>= 1;
                }
            }
            else
            {
                hash = Node(hash, sibling);
            }
            fn >>= 1;
            sn >>= 1;
        }
        return sn == 0 ? hash : null;
    }

    public static byte[] Challenge(ReadOnlySpan<byte> doctorCertificate, string hospital, int count, ReadOnlySpan<byte> root)
    {
        Span<byte> input = stackalloc byte[17 + 32 + 32 + 4 + 32];
        "bridge-cosign-v1\0"u8.CopyTo(input);
        SHA256.HashData(doctorCertificate, input[17..]);
        SHA256.HashData(Encoding.UTF8.GetBytes(hospital), input[49..]);
        BinaryPrimitives.WriteInt32BigEndian(input[81..], count);
        root.CopyTo(input[85..]);
        return SHA256.HashData(input);
    }

    private static byte[] Node(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        Span<byte> input = stackalloc byte[65];
        input[0] = 1;
        left.CopyTo(input[1..]);
        right.CopyTo(input[33..]);
        return SHA256.HashData(input);
    }

    private static int LargestPowerOfTwoBelow(int count) => 1 << BitOperations.Log2((uint)(count - 1));
}
