namespace Bridge.Records;

/// <summary>
/// What the desk hands over: the code and the digests of the hospital's CA certificates, the browser's only trust anchor. In a QR it travels in the URL's
/// fragment, which browsers do not send to any server.
/// </summary>
/// <param name="Hospital">MSP id.</param>
/// <param name="Code">The code.</param>
/// <param name="CaDigests">Digests of the CA certificates.</param>
public sealed record EnrolmentTicket(string Hospital, EnrolmentCode Code, CaDigests CaDigests)
{
    /// <summary><c>v=1&amp;h=MSP&amp;c=CODE&amp;p=digest,digest&amp;b=digest,digest</c>: what stands after the URL's <c>#</c>. No character of it needs escaping but the check character, which is.</summary>
    public string ToFragment() =>
        $"v=1&h={Hospital}&c={Uri.EscapeDataString(Code.ToPlainText())}&p={string.Join(',', CaDigests.People.Order())}&b={string.Join(',', CaDigests.Bridge.Order())}";

    /// <summary>The address of an enrolment page with the ticket in its fragment.</summary>
    public Uri ToUri(Uri page) => new UriBuilder(page) { Fragment = ToFragment() }.Uri;

    /// <summary>Reads a fragment, with or without its <c>#</c>. False for any other form or a code that was mistyped.</summary>
    public static bool TryParse(string? fragment, out EnrolmentTicket? ticket)
    {
        ticket = null;
        var parts = (fragment ?? "").TrimStart('#').Split('&');
        if (parts.Length != 5 || parts[0] != "v=1" || !parts[1].StartsWith("h=", StringComparison.Ordinal) || !parts[2].StartsWith("c=", StringComparison.Ordinal)
            || !parts[3].StartsWith("p=", StringComparison.Ordinal) || !parts[4].StartsWith("b=", StringComparison.Ordinal))
            return false;
        if (!SummarySchema.IsMsp(parts[1][2..])
            || EnrolmentCode.TryParse(Uri.UnescapeDataString(parts[2][2..]), out var code) != CodeReading.Good
            || !TryReadDigests(parts[3][2..], out var people) || !TryReadDigests(parts[4][2..], out var bridge))
            return false;
        ticket = new EnrolmentTicket(parts[1][2..], code!, new CaDigests(bridge, people));
        return true;
    }

    private static bool TryReadDigests(string text, out List<Digest> digests)
    {
        digests = [];
        foreach (var part in text.Split(','))
        {
            if (!Digest.TryParse(part, out var digest))
                return false;
            digests.Add(digest);
        }
        return digests.Count is >= 1 and <= 16;
    }
}
