using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bridge.Fhir.Client;

/// <summary>
/// Reads one FHIR R4 server: searches with their pages, single resources; and writes to it, each write once. For reads, throttling (429, 503) and outages are waited out with
/// jittered back-off and no end, as the server asks; only cancellation, or <see cref="FhirClientOptions.GiveUpAfter"/>, ends that.
/// The Authorization header goes to the base URL's own scheme, host and port, and nowhere else. Thread-safe.
/// </summary>
public sealed partial class FhirClient : IDisposable
{
    private const int MaxRedirects = 5;

    private readonly FhirClientOptions _options;
    private readonly SmartTokens? _tokens;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly HttpClient _http;
    private readonly Uri _base;

    /// <summary>Creates a client; it opens connections when first used.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="tokens">SMART Backend Services, where the server wants them.</param>
    /// <param name="time">Clock of the back-off.</param>
    /// <param name="log">Log of retries and refusals: ids and statuses only.</param>
    public FhirClient(FhirClientOptions options, SmartTokens? tokens = null, TimeProvider? time = null, ILogger<FhirClient>? log = null)
    {
        if (!options.BaseUrl.IsAbsoluteUri || options.BaseUrl.Scheme is not ("http" or "https"))
            throw new ArgumentException($"'{options.BaseUrl}' is no FHIR base URL: an absolute http or https address is expected", nameof(options));
        _options = options;
        _tokens = tokens;
        _time = time ?? TimeProvider.System;
        _log = log ?? NullLogger<FhirClient>.Instance;
        _base = new Uri(options.BaseUrl.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/");
        _http = HttpPlumbing.Create();
    }

    /// <summary>The base URL, with its closing slash.</summary>
    public Uri BaseUrl => _base;

    /// <summary>When an answer last came, of whatever content; null = never. For health checks.</summary>
    public DateTimeOffset? LastAnswerAt { get; private set; }

    /// <summary>What keeps the client waiting now; null = nothing. For health checks.</summary>
    public FhirFault? WaitingOn { get; private set; }

    /// <summary>The first page of a search. A URL beyond <see cref="FhirClientOptions.MaxUrlLength"/>, and what asks for it, goes as POST <c>_search</c>.</summary>
    /// <exception cref="FhirException">The server refused, or its answer is no Bundle.</exception>
    public async Task<FhirPage> SearchAsync(FhirSearch search, CancellationToken cancellation = default)
    {
        // a type's name and an escaped query behind the base are an address as they stand
        var address = _base.AbsoluteUri + search.Type;
        var url = search.Parameters.Count == 0 ? address : search.ToQuery(address + "?");
        return !search.InBody && url.Length <= _options.MaxUrlLength
            ? await PageAsync(HttpMethod.Get, new Uri(url), null, cancellation)
            : await PageAsync(HttpMethod.Post, new Uri(_base, search.Type + "/_search"), new RequestBody(search.ToQuery(), "application/x-www-form-urlencoded"), cancellation);
    }

    /// <summary>The page after this one, by its <c>next</c> link; null at the end.</summary>
    /// <exception cref="FhirException">
    /// <see cref="FhirFault.Gone"/>: the link expired, start the search again; <see cref="FhirFault.ForeignLink"/>; <see cref="FhirFault.Garbage"/>: the links lead in a circle.
    /// </exception>
    public async Task<FhirPage?> NextAsync(FhirPage page, CancellationToken cancellation = default)
    {
        if (page.Next is null)
            return null;
        var url = CheckLink(page.Next, page.Url);
        if (!page.Followed.Add(url.AbsoluteUri))
            throw new FhirException(FhirFault.Garbage, $"{Name(HttpMethod.Get, url)}: its next links lead in a circle");
        return await PageAsync(HttpMethod.Get, url, null, cancellation, page.Followed);
    }

    /// <summary>Every page of a search, in order. An expired link surfaces as <see cref="FhirFault.Gone"/>.</summary>
    public async IAsyncEnumerable<FhirPage> PagesAsync(FhirSearch search, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        for (var page = await SearchAsync(search, cancellation); page is not null; page = await NextAsync(page, cancellation))
            yield return page;
    }

    /// <summary>Reads one resource; null where it does not exist (404) or was deleted (410).</summary>
    public async Task<FhirResource?> ReadAsync(string type, string id, CancellationToken cancellation = default)
    {
        var url = new Uri(_base, type + "/" + Uri.EscapeDataString(id));
        try
        {
            var body = await SendAsync(HttpMethod.Get, url, null, IsObject, cancellation);
            return new FhirResource(body.Bytes, url.AbsoluteUri, body.Truncated || body.Bytes.Length > Extraction.ResourceLimits.MaxResourceBytes);
        }
        catch (FhirException e) when (e.Fault is FhirFault.NotFound or FhirFault.Gone)
        {
            return null;
        }
    }

    /// <summary>Reads a path below the base, such as <c>metadata</c>, as it is.</summary>
    public async Task<ReadOnlyMemory<byte>> GetAsync(string path, CancellationToken cancellation = default) =>
        (await SendAsync(HttpMethod.Get, new Uri(_base, path), null, IsObject, cancellation)).Bytes;

    /// <summary>
    /// Creates a resource (<paramref name="id"/> null) or replaces one, and returns its logical id. Sent once: where no answer came it may have been done or not, and
    /// who asks looks before trying again.
    /// </summary>
    /// <exception cref="FhirException">The server refused or did not answer.</exception>
    public async Task<string> WriteAsync(string type, string? id, string json, CancellationToken cancellation = default)
    {
        var url = new Uri(_base, id is null ? type : type + "/" + Uri.EscapeDataString(id));
        var answer = await SendAsync(
            id is null ? HttpMethod.Post : HttpMethod.Put, url, new RequestBody(json, "application/fhir+json"), _ => true, cancellation, once: true);
        // servers answer with the resource, or with no more than where it is: …/Type/id/_history/1
        var given = IsObject(answer) ? Extraction.ResourceScan.Id(answer.Bytes.Span) : null;
        if (string.IsNullOrEmpty(given) && answer.Location is { } location && location.ToString().Split('/') is var parts && Array.LastIndexOf(parts, type) is >= 0 and var at && at + 1 < parts.Length)
            given = Uri.UnescapeDataString(parts[at + 1]);
        return given is { Length: > 0 } ? given : id ?? throw new FhirException(FhirFault.Garbage, $"{Name(HttpMethod.Post, url)}: the answer does not say what id was given");
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<FhirPage> PageAsync(HttpMethod method, Uri url, RequestBody? form, CancellationToken cancellation, HashSet<string>? followed = null)
    {
        FramedBundle? bundle = null;
        var body = await SendAsync(method, url, form, b =>
        {
            bundle = BundleFraming.Frame(b.Bytes, Extraction.ResourceLimits.MaxResourceBytes);
            return bundle.ResourceType == "Bundle" && (!bundle.Broken || b.Truncated);
        }, cancellation);
        if (body.Truncated && bundle!.Next is null)
        {
            throw new FhirException(FhirFault.TooLarge,
                $"{Name(method, url)}: the answer is larger than {_options.MaxBodyBytes} bytes; a smaller page size (Fhir:PageSize) or a larger Fhir:MaxBodyBytes helps");
        }
        return new FhirPage(url, bundle!, body.ServerTime, body.Bytes.Length, body.Truncated) { Followed = followed ?? new(StringComparer.Ordinal) };
    }

    private Uri CheckLink(string link, Uri from)
    {
        if (!Uri.TryCreate(from, link, out var url) || url.Scheme is not ("http" or "https"))
            throw new FhirException(FhirFault.ForeignLink, $"{Name(HttpMethod.Get, from)}: its next link is no web address");
        if (!SameOrigin(url))
        {
            throw new FhirException(FhirFault.ForeignLink,
                $"{Name(HttpMethod.Get, from)}: its next link leads to {url.GetLeftPart(UriPartial.Authority)}, not to {_base.GetLeftPart(UriPartial.Authority)}; " +
                "set Fhir:BaseUrl to the address that the server gives in its links");
        }
        return url;
    }

    private bool SameOrigin(Uri url) =>
        string.Equals(url.Scheme, _base.Scheme, StringComparison.OrdinalIgnoreCase)
        && string.Equals(url.IdnHost, _base.IdnHost, StringComparison.OrdinalIgnoreCase)
        && url.Port == _base.Port;

    private static bool IsObject(HttpBody body)
    {
        var text = body.Bytes.Span;
        if (text is [0xEF, 0xBB, 0xBF, ..])
            text = text[3..];
        text = text.TrimStart(" \t\r\n"u8);
        return text is [(byte)'{', ..];
    }

    private async Task<HttpBody> SendAsync(HttpMethod method, Uri url, RequestBody? content, Func<HttpBody, bool> accept, CancellationToken cancellation, bool once = false)
    {
        var started = _time.GetTimestamp();
        var freshToken = false;
        for (int attempt = 1, bounded = 0; ; attempt++)
        {
            cancellation.ThrowIfCancellationRequested();
            int? status = null;
            TimeSpan? asked = null;
            Exception? cause = null;
            try
            {
                using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                timeout.CancelAfter(_options.RequestTimeout);
                using var response = await SendOnceAsync(method, url, content, timeout.Token);
                status = (int)response.StatusCode;
                LastAnswerAt = _time.GetUtcNow();
                if (status == 401 && _tokens is not null && !freshToken)
                {
                    freshToken = true;
                    _tokens.Forget();
                    continue;
                }
                if (RetryRule.Judge(status) == RetryAction.Take)
                {
                    // the answer has as long again
                    timeout.CancelAfter(_options.RequestTimeout);
                    var body = await HttpPlumbing.ReadAsync(response, _options.MaxBodyBytes, timeout.Token);
                    if (!response.IsSuccessStatusCode)
                        throw Refusal(method, url, response);
                    if (accept(body))
                    {
                        WaitingOn = null;
                        return body;
                    }
                }
                else
                {
                    asked = RetryRule.AskedDelay(response.Headers, _time.GetUtcNow());
                }
            }
            catch (Exception e) when (HttpPlumbing.IsNetwork(e) && !cancellation.IsCancellationRequested)
            {
                (status, cause) = (null, e);
            }
            var fault = status switch { null => FhirFault.Unreachable, < 300 => FhirFault.Garbage, 429 => FhirFault.Refused, _ => FhirFault.ServerError };
            if (once)
                throw new FhirException(fault, $"{Name(method, url)}: {(status is null ? "no answer" : $"answered {status}")}", status, cause);
            if ((status is < 300 || RetryRule.Judge(status) == RetryAction.AgainBounded) && ++bounded >= _options.ServerErrorAttempts)
            {
                throw new FhirException(fault, fault == FhirFault.Garbage
                    ? $"{Name(method, url)}: the answer is not FHIR JSON, {bounded} times; is Fhir:BaseUrl the FHIR service itself?"
                    : $"{Name(method, url)}: the server failed with {status}, {bounded} times", status, cause);
            }
            var delay = RetryRule.Delay(asked, attempt, Random.Shared.NextDouble(), _options);
            if (_options.GiveUpAfter is { } limit && _time.GetElapsedTime(started) + delay > limit)
            {
                throw new FhirException(FhirFault.GaveUp,
                    $"{Name(method, url)}: gave up after {attempt} attempts; the last one {(status is null ? "found no server" : $"gave {status}")}", status, cause);
            }
            WaitingOn = fault;
            ClientLog.Retrying(_log, method.Method, url.AbsolutePath, status ?? 0, attempt, delay);
            await Task.Delay(delay, _time, cancellation);
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(HttpMethod method, Uri url, RequestBody? content, CancellationToken cancellation)
    {
        for (var hop = 0; ; hop++)
        {
            using var request = new HttpRequestMessage(method, url);
            request.Headers.TryAddWithoutValidation("Accept", "application/fhir+json, application/json; q=0.5");
            // HAPI answers an identical search from a cache for a minute
            request.Headers.TryAddWithoutValidation("Cache-Control", "no-cache");
            if (content is { } sent)
            {
                request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(sent.Text)) { Headers = { ContentType = new MediaTypeHeaderValue(sent.MediaType) } };
                if (sent.IfNoneExist is not null)
                    request.Headers.TryAddWithoutValidation("If-None-Exist", sent.IfNoneExist);
                if (sent.IfMatch is not null)
                    request.Headers.TryAddWithoutValidation("If-Match", sent.IfMatch);
            }
            if (SameOrigin(url))
            {
                foreach (var (name, value) in _options.Headers)
                    request.Headers.TryAddWithoutValidation(name, value);
                var token = _tokens is not null ? await _tokens.TokenAsync(cancellation) : _options.BearerToken;
                if (token is not null)
                    request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            }
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (response.StatusCode is not (HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect or HttpStatusCode.Found or HttpStatusCode.MovedPermanently)
                || response.Headers.Location is not { } location)
            {
                return response;
            }
            response.Dispose();
            var target = new Uri(url, location);
            if (hop >= MaxRedirects)
                throw new FhirException(FhirFault.ForeignLink, $"{Name(method, url)}: redirected too often");
            // the query names patients, and what another host answers would be taken for the hospital's own record
            if (!SameOrigin(target))
            {
                throw new FhirException(FhirFault.ForeignLink,
                    $"{Name(method, url)}: redirected to {target.GetLeftPart(UriPartial.Authority)}, not within {_base.GetLeftPart(UriPartial.Authority)}; " +
                    "set Fhir:BaseUrl to the address that the server redirects to");
            }
            url = target;
        }
    }

    private static FhirException Refusal(HttpMethod method, Uri url, HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        var (fault, cure) = status switch
        {
            401 => (FhirFault.Unauthorized, "check the client id, key and token endpoint"),
            403 => (FhirFault.Forbidden, "the granted scope does not cover it"),
            404 => (FhirFault.NotFound, "no such resource or path"),
            410 => (FhirFault.Gone, "deleted, or the page link expired"),
            _ => (FhirFault.Refused, "the server does not accept this request"),
        };
        // the body may hold anything, patient data too: it stays out of the message
        return new FhirException(fault, $"{Name(method, url)}: {status}, {cure}", status);
    }

    private static string Name(HttpMethod method, Uri url) => $"{method.Method} {Redact(url)}";

    /// <summary>Path without query; a last segment after a type is an id and stays.</summary>
    private static string Redact(Uri url) => url.GetLeftPart(UriPartial.Path);

    /// <summary>What goes along with a POST or PUT.</summary>
    private readonly record struct RequestBody(string Text, string MediaType, string? IfNoneExist = null, string? IfMatch = null);
}
