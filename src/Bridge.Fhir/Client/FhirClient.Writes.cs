using System.Text;
using System.Text.Json;

namespace Bridge.Fhir.Client;

/// <summary>A resource as it stands on the server after a write.</summary>
/// <param name="Id">Its logical id.</param>
/// <param name="VersionId">Its version; null where the server does not say.</param>
/// <param name="Created">False where it was there before.</param>
public sealed record FhirWritten(string Id, string? VersionId, bool Created);

/// <content>
/// Writes. They are not tried again here: whether an unanswered one was carried out is not known, and a server may not honour the condition. Whoever calls keeps the
/// work in a table, and looks before the next attempt.
/// </content>
public sealed partial class FhirClient
{
    private const int MaxWrittenBytes = 4 * 1024 * 1024;

    /// <summary>Creates a resource unless the server has one that <paramref name="unless"/> finds.</summary>
    /// <param name="unless">Finds it and no other: its identifier, or its tag.</param>
    /// <param name="resource">The resource as JSON.</param>
    /// <param name="cancellation">Gives up waiting; the resource may have been created.</param>
    /// <exception cref="FhirException">It may stand all the same, unless the fault is a refusal (a 4xx).</exception>
    public Task<FhirWritten> CreateAsync(FhirSearch unless, ReadOnlyMemory<byte> resource, CancellationToken cancellation = default) => WriteAsync(
        HttpMethod.Post, new Uri(_base, unless.Type), new RequestBody(Encoding.UTF8.GetString(resource.Span), "application/fhir+json", IfNoneExist: unless.ToQuery()), cancellation);

    /// <summary>Replaces a resource.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="id">Its logical id, which <paramref name="resource"/> carries too.</param>
    /// <param name="resource">The resource as JSON.</param>
    /// <param name="version">Only if it still has this version (else 409 or 412); null = whatever is there.</param>
    /// <param name="cancellation">Gives up waiting; the resource may have been replaced.</param>
    /// <exception cref="FhirException"/>
    public Task<FhirWritten> UpdateAsync(string type, string id, ReadOnlyMemory<byte> resource, string? version = null, CancellationToken cancellation = default) => WriteAsync(
        HttpMethod.Put, new Uri(_base, $"{type}/{Uri.EscapeDataString(id)}"),
        new RequestBody(Encoding.UTF8.GetString(resource.Span), "application/fhir+json", IfMatch: version is null ? null : $"W/\"{version}\""), cancellation);

    private async Task<FhirWritten> WriteAsync(HttpMethod method, Uri url, RequestBody sent, CancellationToken cancellation)
    {
        for (var freshToken = false; ; freshToken = true)
        {
            try
            {
                using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                timeout.CancelAfter(_options.RequestTimeout);
                using var response = await SendOnceAsync(method, url, sent, timeout.Token);
                var status = (int)response.StatusCode;
                LastAnswerAt = _time.GetUtcNow();
                if (status == 401 && _tokens is not null && !freshToken)
                {
                    _tokens.Forget();
                    continue;
                }
                if (RetryRule.Judge(status) != RetryAction.Take)
                    throw new FhirException(
                        status == 429 ? FhirFault.Refused : FhirFault.ServerError, $"{Name(method, url)}: {status}, not now", status, null, RetryRule.AskedDelay(response.Headers, _time.GetUtcNow()));
                if (!response.IsSuccessStatusCode)
                    throw Refusal(method, url, response);
                var body = await HttpPlumbing.ReadAsync(response, MaxWrittenBytes, _options.RequestTimeout, cancellation);
                return Written(response, body.Bytes) ?? throw new FhirException(FhirFault.Garbage, $"{Name(method, url)}: {status}, and neither Location nor a body names the resource", status);
            }
            catch (Exception e) when (HttpPlumbing.IsNetwork(e) && !cancellation.IsCancellationRequested)
            {
                throw new FhirException(FhirFault.Unreachable, $"{Name(method, url)}: no answer", null, e);
            }
        }
    }

    // The Location says it, absolute or not; a server that repeats the resource says it there.
    private static FhirWritten? Written(HttpResponseMessage response, ReadOnlyMemory<byte> body)
    {
        var created = response.StatusCode == System.Net.HttpStatusCode.Created;
        var etag = response.Headers.ETag?.Tag.Trim('"');
        var parts = (response.Headers.Location ?? response.Content.Headers.ContentLocation)?.OriginalString.Split('?')[0].TrimEnd('/').Split('/') ?? [];
        if (parts is [.., var id, "_history", var version])
            return new FhirWritten(id, version, created);
        try
        {
            using var resource = JsonDocument.Parse(body);
            if (resource.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("resourceType", out var type) && type.ValueEquals("OperationOutcome") == false
                && root.TryGetProperty("id", out var named) && named.GetString() is { Length: > 0 } text)
                return new FhirWritten(text, etag ?? (root.TryGetProperty("meta", out var meta) && meta.TryGetProperty("versionId", out var given) ? given.GetString() : null), created);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
        }
        return parts is [.., var last] && last.Length > 0 ? new FhirWritten(last, etag, created) : null;
    }
}
