using System.Net;
using System.Net.Http.Headers;

namespace Bridge.Fhir.Client;

/// <summary>Single exchanges, whose answers and repetitions are the caller's matter.</summary>
public sealed partial class FhirClient
{
    internal FhirClientOptions Options => _options;

    /// <summary>One request and its redirects; the answer's body is not read yet.</summary>
    /// <param name="method">GET or DELETE.</param>
    /// <param name="url">Where.</param>
    /// <param name="accept">Media type.</param>
    /// <param name="prefer">Value of Prefer; null = none.</param>
    /// <param name="token">Whether the access token goes along, to the server's own origin.</param>
    /// <param name="elsewhere">Whether another origin may answer: a file store that the server itself names. It sees no token, no API key and no query of ours.</param>
    /// <param name="cancellation">Gives up.</param>
    internal async Task<HttpResponseMessage> ExchangeAsync(HttpMethod method, Uri url, string accept, string? prefer, bool token, bool elsewhere, CancellationToken cancellation)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(_options.RequestTimeout);
        var freshToken = false;
        for (var hop = 0; ; hop++)
        {
            if (!SameOrigin(url) && !(elsewhere && IsPrivate(url)))
                throw new FhirException(FhirFault.ForeignLink, $"{method.Method}: led to {url.GetLeftPart(UriPartial.Authority)}, not within {_base.GetLeftPart(UriPartial.Authority)}");
            using var request = new HttpRequestMessage(method, url);
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(accept));
            if (prefer is not null)
                request.Headers.TryAddWithoutValidation("Prefer", prefer);
            if (SameOrigin(url))
            {
                foreach (var (name, value) in _options.Headers)
                    request.Headers.TryAddWithoutValidation(name, value);
                if (token && (_tokens is not null ? await _tokens.TokenAsync(timeout.Token) : _options.BearerToken) is { } bearer)
                    request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
            }
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
            LastAnswerAt = _time.GetUtcNow();
            if (response.StatusCode == HttpStatusCode.Unauthorized && _tokens is not null && SameOrigin(url) && !freshToken)
            {
                freshToken = true;
                _tokens.Forget();
                response.Dispose();
                continue;
            }
            if (response.StatusCode is not (HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect or HttpStatusCode.Found or HttpStatusCode.MovedPermanently)
                || response.Headers.Location is not { } location)
            {
                return response;
            }
            response.Dispose();
            if (hop >= MaxRedirects)
                throw new FhirException(FhirFault.ForeignLink, $"{Name(method, url)}: redirected too often");
            url = new Uri(url, location);
        }
    }

    internal async Task<ReadOnlyMemory<byte>> BodyOf(HttpResponseMessage response, CancellationToken cancellation) =>
        (await HttpPlumbing.ReadAsync(response, _options.MaxBodyBytes, _options.RequestTimeout, cancellation)).Bytes;

    /// <summary>A link that must stay on the server's own origin.</summary>
    internal Uri OwnLink(Uri url, Uri from) => CheckLink(url.AbsoluteUri, from);

    internal static FhirException RefusalOf(HttpMethod method, Uri url, HttpResponseMessage response) => (int)response.StatusCode >= 500
        ? new FhirException(FhirFault.ServerError, $"{Name(method, url)}: the server failed with {(int)response.StatusCode}", (int)response.StatusCode)
        : Refusal(method, url, response);

    /// <summary>The wait before another attempt.</summary>
    internal async Task PauseAsync(TimeSpan? asked, int attempt, Exception? cause, CancellationToken cancellation)
    {
        var delay = RetryRule.Delay(asked, attempt, Random.Shared.NextDouble(), _options);
        ClientLog.Retrying(_log, "GET", cause is null ? "(file of an export)" : "(file of an export, cut off)", 0, attempt, delay);
        await Task.Delay(delay, _time, cancellation);
    }

    // what is read there is taken for the hospital's record: nobody on the way may change it
    private static bool IsPrivate(Uri url) => url.Scheme == "https" || url is { Scheme: "http", IsLoopback: true };
}
