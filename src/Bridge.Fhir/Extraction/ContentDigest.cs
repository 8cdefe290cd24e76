using System.Buffers;
using System.Text;

namespace Bridge.Fhir.Extraction;

/// <summary>SHA-256 over everything that a draft and its doctors say, each part with its length.</summary>
internal static class ContentDigest
{
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? s_parts;

    public static string Of(SummaryDraft draft, IReadOnlyList<DoctorReference> doctors)
    {
        var hash = s_parts ??= new ArrayBufferWriter<byte>(1024);
        hash.ResetWrittenCount();
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
        ShortDigest.Of(hash.WrittenSpan, digest);
        return Convert.ToHexStringLower(digest);
    }

    private static void Add(ArrayBufferWriter<byte> hash, byte value) => hash.Write([value]);

    private static void Add(ArrayBufferWriter<byte> hash, string text)
    {
        var bytes = hash.GetSpan(1 + text.Length * 3);
        var length = Encoding.UTF8.GetBytes(text, bytes[1..]);
        bytes[0] = (byte)length;
        hash.Advance(length + 1);
    }
}
