using System.Globalization;
using System.Net.Http.Headers;

namespace Bridge.Fhir.Client;

/// <summary>What to do after an attempt.</summary>
internal enum RetryAction
{
    /// <summary>The answer stands.</summary>
    Take,

    /// <summary>Throttled or out of service: try again however often.</summary>
    AgainForever,

    /// <summary>A server error that may be of the request's own making: try again a few times.</summary>
    AgainBounded,
}

/// <summary>Retry decisions as pure functions: status and headers in, action and delay out.</summary>
internal static class RetryRule
{
    /// <param name="status">HTTP status; null = no answer at all.</param>
    public static RetryAction Judge(int? status) => status switch
    {
        null or 408 or 425 or 429 or 502 or 503 or 504 => RetryAction.AgainForever,
        >= 500 => RetryAction.AgainBounded,
        _ => RetryAction.Take,
    };

    /// <summary>How long to wait before attempt <paramref name="attempt"/> + 1.</summary>
    /// <param name="asked">What the server asked for; null = nothing.</param>
    /// <param name="attempt">1 = the first attempt has failed.</param>
    /// <param name="random">In [0, 1).</param>
    /// <param name="options">Bounds.</param>
    public static TimeSpan Delay(TimeSpan? asked, int attempt, double random, FhirClientOptions options)
    {
        if (asked is { } wanted)
        {
            var bounded = wanted < options.MaxServerDelay ? wanted : options.MaxServerDelay;
            // never earlier than asked; a little later, so that many clients do not come back as one
            return bounded + TimeSpan.FromMilliseconds(Math.Min(bounded.TotalMilliseconds * 0.1, 5000) * random);
        }
        var ceiling = Math.Min(options.MaxBackoff.TotalMilliseconds, options.FirstBackoff.TotalMilliseconds * Math.Pow(2, Math.Min(attempt - 1, 30)));
        return TimeSpan.FromMilliseconds(ceiling * (0.5 + 0.5 * random));
    }

    /// <summary>Reads Retry-After (seconds or date), <c>RateLimit: …;t=59</c> and <c>RateLimit-Reset: 59</c>.</summary>
    public static TimeSpan? AskedDelay(HttpResponseHeaders headers, DateTimeOffset now)
    {
        if (headers.RetryAfter is { } after)
        {
            if (after.Delta is { } delta)
                return delta;
            if (after.Date is { } date)
                return date > now ? date - now : TimeSpan.Zero;
        }
        if (headers.TryGetValues("RateLimit", out var limits))
        {
            TimeSpan? longest = null;
            foreach (var part in limits.SelectMany(l => l.Split(';', ',')))
            {
                var pair = part.Trim();
                var value = pair.StartsWith("t=", StringComparison.OrdinalIgnoreCase) ? pair[2..]
                    : pair.StartsWith("reset=", StringComparison.OrdinalIgnoreCase) ? pair[6..] : null;
                if (value is not null && Seconds(value) is { } t && (longest is null || t > longest))
                    longest = t;
            }
            if (longest is not null)
                return longest;
        }
        return headers.TryGetValues("RateLimit-Reset", out var resets) && resets.FirstOrDefault() is { } reset ? Seconds(reset) : null;
    }

    private static TimeSpan? Seconds(string text) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : null;
}
