namespace Bridge.Records;

/// <summary>Base64url without padding (RFC 4648 §5), strict: one spelling per value.</summary>
public static class Base64Url
{
    /// <summary>Encodes without padding.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    /// <summary>
    /// Decodes; refuses padding, white space, characters outside the alphabet and trailing bits that are not zero,
    /// so that a value has exactly one spelling.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = [];
        foreach (var c in text)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
                return false;
        if (text.Length % 4 == 1)
            return false;
        var decoded = new byte[System.Buffers.Text.Base64Url.GetMaxDecodedLength(text.Length)];
        // the Try form of the platform throws where bits are left over; this one answers
        if (System.Buffers.Text.Base64Url.DecodeFromChars(text, decoded, out _, out var written) != System.Buffers.OperationStatus.Done)
            return false;
        if (written != decoded.Length)
            decoded = decoded[..written];
        if (!text.SequenceEqual(Encode(decoded)))
            return false;
        bytes = decoded;
        return true;
    }

    /// <summary>Decodes as <see cref="TryDecode"/>; <see cref="FormatException"/> where that says no.</summary>
    public static byte[] Decode(ReadOnlySpan<char> text) =>
        TryDecode(text, out var bytes) ? bytes : throw new FormatException("not base64url without padding");
}
