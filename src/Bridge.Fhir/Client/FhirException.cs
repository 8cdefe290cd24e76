namespace Bridge.Fhir.Client;

/// <summary>What went wrong between Bridge and the FHIR server.</summary>
public enum FhirFault
{
    /// <summary>No connection, or it broke.</summary>
    Unreachable,

    /// <summary>401, also after a new token.</summary>
    Unauthorized,

    /// <summary>403: the granted scope does not cover the request.</summary>
    Forbidden,

    /// <summary>404.</summary>
    NotFound,

    /// <summary>410: a deleted resource, or a page link that expired.</summary>
    Gone,

    /// <summary>Another 4xx: the server does not accept the request.</summary>
    Refused,

    /// <summary>5xx, repeatedly.</summary>
    ServerError,

    /// <summary>The answer is not what FHIR promises: HTML, plain text, another resource, broken JSON.</summary>
    Garbage,

    /// <summary>The answer is larger than <see cref="FhirClientOptions.MaxBodyBytes"/>.</summary>
    TooLarge,

    /// <summary>A page link or redirect leads to another host; it was not followed.</summary>
    ForeignLink,

    /// <summary>The token endpoint refused, or its answer has no token.</summary>
    NoToken,

    /// <summary>Given up after <see cref="FhirClientOptions.GiveUpAfter"/>.</summary>
    GaveUp,
}

/// <summary>A request to the FHIR server failed for good. The message holds method, path without query, and status; never data of the answer.</summary>
public sealed class FhirException : Exception
{
    /// <summary>Creates it.</summary>
    public FhirException(FhirFault fault, string message, int? status = null, Exception? inner = null, TimeSpan? retryAfter = null)
        : base(message, inner)
    {
        Fault = fault;
        Status = status;
        RetryAfter = retryAfter;
    }

    /// <summary>What went wrong.</summary>
    public FhirFault Fault { get; }

    /// <summary>HTTP status, where there was an answer.</summary>
    public int? Status { get; }

    /// <summary>How long the server asks to be left alone; null = it does not say. Set by writes, which are not tried again here.</summary>
    public TimeSpan? RetryAfter { get; }
}
