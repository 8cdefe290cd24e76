namespace Bridge.Fhir.Client;

/// <summary>One page of a search: its resources, unparsed, and the link to the next page.</summary>
public sealed class FhirPage
{
    internal FhirPage(Uri url, FramedBundle bundle, DateTimeOffset? serverTime, int bytes, bool truncated)
    {
        Url = url;
        Resources = bundle.Resources;
        Next = bundle.Next;
        ServerTime = serverTime;
        Bytes = bytes;
        Truncated = truncated;
    }

    /// <summary>The links followed to this page, to notice a circle.</summary>
    internal HashSet<string> Followed { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Where the page was read.</summary>
    public Uri Url { get; }

    /// <summary>Matches and includes, in the server's order. An OperationOutcome among them is left for the reader to skip.</summary>
    public IReadOnlyList<FhirResource> Resources { get; }

    /// <summary>The <c>next</c> link as the server wrote it; null on the last page.</summary>
    public string? Next { get; }

    /// <summary>The server's own clock (Date header), to the second.</summary>
    public DateTimeOffset? ServerTime { get; }

    /// <summary>Size of the answer.</summary>
    public int Bytes { get; }

    /// <summary>True where the answer was beyond the size bound and resources at its end are missing.</summary>
    public bool Truncated { get; }
}
