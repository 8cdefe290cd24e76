using System.Security.Cryptography;
using System.Text;

namespace Bridge.Fhir.Extraction;

/// <summary>SHA-256 over everything that a draft and its doctors say, each part with its length.</summary>
internal static class ContentDigest
{
    public static string Of(SummaryDraft draft, IReadOnlyList<DoctorReference> doctors)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(hash, draft.Period);
        Add(hash, draft.Class);
        Add(hash, draft.AgeBand);
        Add(hash, draft.Sex);
        Add(hash, draft.Disposition ?? "");
        foreach (var condition in draft.Conditions)
        {
            Add(hash, condition.System);
            Add(hash, condition.Code);
            Add(hash, (byte)condition.Level);
        }
        Add(hash, 0xFF);
        foreach (var treatment in draft.Treatments)
        {
            Add(hash, treatment.System);
            Add(hash, treatment.Code);
            Add(hash, (byte)treatment.Kind);
        }
        Add(hash, 0xFF);
        foreach (var doctor in doctors)
        {
            Add(hash, doctor.PractitionerId ?? "");
            foreach (var identifier in doctor.Identifiers)
            {
                Add(hash, identifier.System ?? "");
                Add(hash, identifier.Value);
            }
        }
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        return Convert.ToHexStringLower(digest);
    }

    private static void Add(IncrementalHash hash, byte value) => hash.AppendData([value]);

    private static void Add(IncrementalHash hash, string text)
    {
        Span<byte> bytes = text.Length <= 256 ? stackalloc byte[1 + 768] : new byte[1 + text.Length * 3];
        var length = Encoding.UTF8.GetBytes(text, bytes[1..]);
        bytes[0] = (byte)length;
        hash.AppendData(bytes[..(length + 1)]);
    }
}
