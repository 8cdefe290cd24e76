using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Bridge.FhirServers;

/// <summary>An answer that is not what FHIR promises, in place of the true one.</summary>
public sealed class Fault
{
    private readonly Func<HttpContext, Task> _answer;

    private Fault(Func<HttpContext, Task> answer) => _answer = answer;

    /// <summary>Too many requests, with <c>Retry-After</c> in seconds, or without.</summary>
    public static Fault TooMany(int? retryAfter = null) => Status(429, retryAfter);

    /// <summary>429 with <c>RateLimit: "default";r=0;t=59</c> and no Retry-After (Medplum).</summary>
    public static Fault TooManyByRateLimit(int seconds) => new(context =>
    {
        context.Response.Headers["RateLimit"] = $"\"default\";r=0;t={seconds.ToString(CultureInfo.InvariantCulture)}";
        return Write(context, 429, "text/plain", "throttled");
    });

    /// <summary>Out of service, with <c>Retry-After</c> in seconds, or without.</summary>
    public static Fault Unavailable(int? retryAfter = null) => Status(503, retryAfter);

    /// <summary>500 with a text body.</summary>
    public static Fault Broken() => Status(500, null);

    /// <summary>Any status with any body: servers repeat in a refusal what they were asked, or what they hold.</summary>
    public static Fault Answer(int status, string type, string body) => new(context => Write(context, status, type, body));

    /// <summary>307 to the same path and query at another origin.</summary>
    public static Fault RedirectTo(Uri origin) => new(context =>
    {
        context.Response.StatusCode = 307;
        context.Response.Headers.Location = new Uri(origin, context.Request.Path + context.Request.QueryString).AbsoluteUri;
        return Task.CompletedTask;
    });

    /// <summary>307 within the server, to the same address with one more parameter that it knows (<c>_redirected=1</c>).</summary>
    public static Fault RedirectWithin() => new(context =>
    {
        context.Response.StatusCode = 307;
        context.Response.Headers.Location = context.Request.Path + context.Request.QueryString.Add("_redirected", "1");
        return Task.CompletedTask;
    });

    /// <summary>200 with a sign-in page.</summary>
    public static Fault Html() => new(context => Write(context, 200, "text/html", "<!doctype html><html><body>Please sign in</body></html>"));

    /// <summary>200 with a Bundle that breaks off inside a resource.</summary>
    public static Fault TruncatedJson() => new(context =>
        Write(context, 200, "application/fhir+json", """{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Encounter","id":"cut","stat"""));

    /// <summary>200 with no body.</summary>
    public static Fault EmptyBody() => new(context => Write(context, 200, "application/fhir+json", ""));

    /// <summary>200 with another resource than a search gives.</summary>
    public static Fault WrongResource() => new(context => Write(context, 200, "application/fhir+json", """{"resourceType":"Basic","id":"x"}"""));

    /// <summary>200 with JSON that is no object.</summary>
    public static Fault NoObject() => new(context => Write(context, 200, "application/fhir+json", "[1,2,3]"));

    /// <summary>200 with plain text under the name of JSON.</summary>
    public static Fault PlainText() => new(context => Write(context, 200, "application/fhir+json", "Internal cache error"));

    /// <summary>200, announces more than it sends and hangs up.</summary>
    public static Fault HangUp() => new(async context =>
    {
        context.Response.ContentType = "application/fhir+json";
        context.Response.ContentLength = 1000;
        await context.Response.WriteAsync("""{"resourceType":"Bundle","type":"searchset",""");
        await context.Response.Body.FlushAsync();
        context.Abort();
    });

    /// <summary>200 with a Bundle whose first resource never ends; the server sends until the client hangs up.</summary>
    public static Fault EndlessBody() => new(async context =>
    {
        context.Response.ContentType = "application/fhir+json";
        await context.Response.WriteAsync("""{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Encounter","id":"endless","text":{"div":" """);
        var block = Encoding.ASCII.GetBytes(new string('x', 1 << 20));
        while (!context.RequestAborted.IsCancellationRequested)
            await context.Response.Body.WriteAsync(block, context.RequestAborted);
    });

    /// <summary>200, headers only, and then nothing until the client gives up.</summary>
    public static Fault Silent() => new(async context =>
    {
        context.Response.ContentType = "application/fhir+json";
        await context.Response.Body.FlushAsync();
        try
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // the client has given up: that is what this answer is for
        }
    });

    internal async Task AnswerAsync(HttpContext context)
    {
        try
        {
            await _answer(context);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested)
        {
            // the client hung up
        }
    }

    private static Fault Status(int status, int? retryAfter) => new(context =>
    {
        if (retryAfter is { } seconds)
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return Write(context, status, "text/plain", "not now");
    });

    private static Task Write(HttpContext context, int status, string type, string body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        return context.Response.WriteAsync(body);
    }
}
