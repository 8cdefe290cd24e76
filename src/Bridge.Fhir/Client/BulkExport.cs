using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Bridge.Fhir.Client;

/// <summary>One file of an export.</summary>
/// <param name="Type">Resource type of its lines.</param>
/// <param name="Url">Where it lies.</param>
/// <param name="WithToken">Whether the server wants the access token for it.</param>
public sealed record ExportFile(string Type, Uri Url, bool WithToken);

/// <summary>What a finished export consists of.</summary>
/// <param name="TransactionTime">Everything up to this moment of the server is in it: the next export's <c>_since</c>.</param>
/// <param name="Output">Files of what exists.</param>
/// <param name="Deleted">Files of bundles that name what was deleted since.</param>
public sealed record ExportManifest(DateTimeOffset TransactionTime, IReadOnlyList<ExportFile> Output, IReadOnlyList<ExportFile> Deleted);

/// <summary>Where an export stands: begun, throttled, under way or done.</summary>
/// <param name="Job">Where its status is asked for; null = not begun.</param>
/// <param name="Manifest">Its files; null = not done.</param>
/// <param name="NotBefore">How long the server wants to be left alone; null = it did not say.</param>
public sealed record ExportStep(Uri? Job, ExportManifest? Manifest, TimeSpan? NotBefore);

/// <summary>
/// FHIR Bulk Data export: kick-off, status, files, line by line. Each call is one request; when to ask again is the caller's to keep, since an export outlives
/// the process. The access token goes to the server's own origin and never along a redirect to another.
/// </summary>
public sealed class BulkExport(FhirClient client)
{
    /// <summary>Asks for an export. Servers run one at a time and throttle (429): then no job comes back and the time that was asked for.</summary>
    /// <param name="path">Below the base: <c>$export</c>, <c>Patient/$export</c> or <c>Group/…/$export</c>.</param>
    /// <param name="since">Only what changed since; null = all.</param>
    /// <param name="types">Resource types.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="FhirException">The server does not export.</exception>
    public async Task<ExportStep> StartAsync(string path, DateTimeOffset? since, IEnumerable<string> types, CancellationToken cancellation = default)
    {
        var query = "_outputFormat=" + Uri.EscapeDataString("application/fhir+ndjson") + "&_type=" + string.Join(',', types)
            + (since is { } from ? "&_since=" + Uri.EscapeDataString(from.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture)) : "");
        var url = new Uri(client.BaseUrl, path + "?" + query);
        using var response = await client.ExchangeAsync(HttpMethod.Get, url, "application/fhir+json", "respond-async", token: true, elsewhere: false, cancellation);
        if (Throttled(response) is { } delay)
            return new ExportStep(null, null, delay);
        if (response.StatusCode != HttpStatusCode.Accepted || response.Content.Headers.ContentLocation is not { } location)
            throw FhirClient.RefusalOf(HttpMethod.Get, url, response);
        return new ExportStep(client.OwnLink(new Uri(url, location), url), null, null);
    }

    /// <summary>Asks how a job stands.</summary>
    /// <exception cref="FhirException"><see cref="FhirFault.Gone"/> or <see cref="FhirFault.NotFound"/>: the server knows it no longer; another: it failed.</exception>
    public async Task<ExportStep> LookAsync(Uri job, CancellationToken cancellation = default)
    {
        using var response = await client.ExchangeAsync(HttpMethod.Get, client.OwnLink(job, job), "application/json", null, token: true, elsewhere: false, cancellation);
        if (response.StatusCode == HttpStatusCode.Accepted)
            return new ExportStep(job, null, RetryRule.AskedDelay(response.Headers, DateTimeOffset.UtcNow));
        if (Throttled(response) is { } delay)
            return new ExportStep(job, null, delay);
        if (!response.IsSuccessStatusCode)
            throw FhirClient.RefusalOf(HttpMethod.Get, job, response);
        var body = await client.BodyOf(response, cancellation);
        return new ExportStep(job, Manifest(body.Span, job), null);
    }

    /// <summary>
    /// The lines of a file, as they come: nothing but one line and a buffer is held. Where the connection breaks, the file is asked for again and what was handed
    /// out already is passed over.
    /// </summary>
    /// <exception cref="FhirException"><see cref="FhirFault.Gone"/>: the file is no longer there; ask for the job's status again, or start anew.</exception>
    public async IAsyncEnumerable<FhirResource> ReadAsync(ExportFile file, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        long handed = 0;
        for (var attempt = 1; ; attempt++)
        {
            TimeSpan? asked = null;
            Exception? broken = null;
            HttpResponseMessage? response = null;
            try
            {
                response = await client.ExchangeAsync(HttpMethod.Get, file.Url, "application/fhir+ndjson", null, file.WithToken, elsewhere: true, cancellation);
            }
            catch (Exception e) when (HttpPlumbing.IsNetwork(e) && !cancellation.IsCancellationRequested)
            {
                broken = e;
            }
            using (response)
            {
                if (response is { IsSuccessStatusCode: true })
                {
                    await using var stream = await response.Content.ReadAsStreamAsync(cancellation);
                    await using var lines = NdjsonLines.ReadAsync(stream, Extraction.ResourceLimits.MaxResourceBytes, client.Options.RequestTimeout, cancellation).GetAsyncEnumerator(cancellation);
                    for (long line = 0; ; line++)
                    {
                        try
                        {
                            if (!await lines.MoveNextAsync())
                                yield break;
                        }
                        catch (Exception e) when (HttpPlumbing.IsNetwork(e) && !cancellation.IsCancellationRequested)
                        {
                            broken = e;
                            break;
                        }
                        if (line < handed)
                            continue;
                        (handed, attempt) = (line + 1, 1);
                        yield return lines.Current;
                    }
                }
                else if (response is not null)
                {
                    var status = (int)response.StatusCode;
                    if (RetryRule.Judge(status) == RetryAction.Take || RetryRule.Judge(status) == RetryAction.AgainBounded && attempt >= client.Options.ServerErrorAttempts)
                        throw status is 403 or 404 or 410
                            ? new FhirException(FhirFault.Gone, $"a file of the export is no longer there ({status})", status)
                            : FhirClient.RefusalOf(HttpMethod.Get, file.Url, response);
                    asked = RetryRule.AskedDelay(response.Headers, DateTimeOffset.UtcNow);
                }
            }
            await client.PauseAsync(asked, attempt, broken, cancellation);
        }
    }

    /// <summary>Tells the server that the job, and its files, are no longer wanted. Whether it listens does not matter.</summary>
    public async Task EndAsync(Uri job, CancellationToken cancellation = default)
    {
        try
        {
            using var response = await client.ExchangeAsync(HttpMethod.Delete, client.OwnLink(job, job), "application/json", null, token: true, elsewhere: false, cancellation);
        }
        catch (Exception e) when ((e is FhirException || HttpPlumbing.IsNetwork(e)) && !cancellation.IsCancellationRequested)
        {
        }
    }

    /// <summary>Ids of the resources of a type that a line of a deletions file says are gone.</summary>
    public static IReadOnlyList<string> DeletedOf(FhirResource line, string type)
    {
        var ids = new List<string>();
        try
        {
            using var document = JsonDocument.Parse(line.Json);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("entry", out var entries) && entries.ValueKind == JsonValueKind.Array)
                foreach (var entry in entries.EnumerateArray())
                    if (entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty("request", out var request) && request.ValueKind == JsonValueKind.Object
                        && request.TryGetProperty("method", out var method) && method.ValueEquals("DELETE")
                        && request.TryGetProperty("url", out var url) && url.ValueKind == JsonValueKind.String
                        && FhirReference.Parse(url.GetString()) is { Id: { } id } reference && reference.Type == type)
                        ids.Add(id);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // the daily count finds a deletion too
        }
        return ids;
    }

    private static TimeSpan? Throttled(HttpResponseMessage response) => (int)response.StatusCode is 429 or 503
        ? RetryRule.AskedDelay(response.Headers, DateTimeOffset.UtcNow) ?? TimeSpan.FromMinutes(1)
        : null;

    private static ExportManifest Manifest(ReadOnlySpan<byte> body, Uri job)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            var token = root.TryGetProperty("requiresAccessToken", out var wants) && wants.ValueKind == JsonValueKind.True;
            return new ExportManifest(
                DateTimeOffset.Parse(root.GetProperty("transactionTime").GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal),
                Files("output"), Files("deleted"));

            List<ExportFile> Files(string name) => !root.TryGetProperty(name, out var files) || files.ValueKind != JsonValueKind.Array
                ? []
                : [.. files.EnumerateArray().Select(file => new ExportFile(file.GetProperty("type").GetString()!, new Uri(job, file.GetProperty("url").GetString()!), token))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or ArgumentNullException or UriFormatException)
        {
            throw new FhirException(FhirFault.Garbage, "the manifest of the export is not what Bulk Data promises");
        }
    }
}
