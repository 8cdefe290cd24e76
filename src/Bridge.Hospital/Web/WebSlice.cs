using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace Bridge.Hospital.Web;

/// <summary>
/// Serves the console: one static bundle, read once at start, from beside the program. Pages get a policy that allows nothing but the bundle itself:
/// no inline script or style, no other origin, no frames, no string that becomes markup.
/// </summary>
internal static partial class WebSlice
{
    public const string ContentPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    /// <summary>Headers of every answer, page or API.</summary>
    public static void UseWebHeaders(this WebApplication app) => app.Use(static (context, next) =>
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = ContentPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=(), usb=()";
        if (context.Request.IsHttps)
            headers.StrictTransportSecurity = "max-age=31536000";
        // What the API says of patients stays in no cache.
        if (context.Request.Path.StartsWithSegments("/api") || context.Request.Path.StartsWithSegments("/signin"))
            headers.CacheControl = "no-store";
        return next(context);
    });

    /// <summary>The bundle at its own addresses; its page at every other address that asks for a page, so that addresses of the console can be opened and reloaded.</summary>
    public static void MapWeb(this WebApplication app)
    {
        var bundle = Bundle.Load(Path.Combine(AppContext.BaseDirectory, "wwwroot", "console"));
        if (bundle is null)
        {
            Log.NoBundle(app.Logger, AppContext.BaseDirectory);
            return;
        }
        Log.Bundle(app.Logger, bundle.Digest);
        app.MapGet("/assets/{name}", (string name, HttpContext context) => bundle.Files.TryGetValue($"assets/{name}", out var file)
            ? file.Answer(context, "public, max-age=31536000, immutable")
            : Results.NotFound()).AllowAnonymous();
        foreach (var (path, file) in bundle.Files)
            if (!path.StartsWith("assets/", StringComparison.Ordinal) && path != "index.html")
                app.MapGet("/" + path, (HttpContext context) => file.Answer(context, "no-cache")).AllowAnonymous();
        var page = bundle.Files["index.html"];
        app.MapFallback("/api/{**rest}", () => Results.NotFound()).AllowAnonymous();
        app.MapFallback((HttpContext context) => HttpMethods.IsGet(context.Request.Method) ? page.Answer(context, "no-cache") : Results.NotFound()).AllowAnonymous();
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 6101, Level = LogLevel.Information, Message = "The console's bundle is {Digest} (SHA-256 over its files)")]
        public static partial void Bundle(ILogger logger, string digest);

        [LoggerMessage(EventId = 6102, Level = LogLevel.Warning,
            Message = "There is no console beside the program ({Folder}wwwroot/console): the API answers, pages do not. Copy the whole build output, or build again.")]
        public static partial void NoBundle(ILogger logger, string folder);
    }
}

/// <summary>The files of the console, in memory.</summary>
/// <param name="Files">By path below the folder.</param>
/// <param name="Digest">SHA-256 over paths and contents, hexadecimal: what was published can be compared with what runs.</param>
internal sealed record Bundle(IReadOnlyDictionary<string, BundleFile> Files, string Digest)
{
    public static Bundle? Load(string folder)
    {
        if (!File.Exists(Path.Combine(folder, "index.html")))
            return null;
        var files = new Dictionary<string, BundleFile>(StringComparer.Ordinal);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var name = Path.GetRelativePath(folder, path).Replace('\\', '/');
            var bytes = File.ReadAllBytes(path);
            files[name] = BundleFile.Of(name, bytes);
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{name}\n{bytes.Length}\n"));
            hash.AppendData(bytes);
        }
        return new Bundle(files, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}

/// <summary>One file, and its compressed form.</summary>
internal sealed record BundleFile(string ContentType, byte[] Bytes, byte[] Packed, EntityTagHeaderValue Tag)
{
    public static BundleFile Of(string name, byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            gzip.Write(bytes);
        return new BundleFile(
            Path.GetExtension(name) switch
            {
                ".html" => "text/html; charset=utf-8",
                ".js" => "text/javascript; charset=utf-8",
                ".css" => "text/css; charset=utf-8",
                ".svg" => "image/svg+xml",
                ".woff2" => "font/woff2",
                ".json" => "application/json",
                ".txt" => "text/plain; charset=utf-8",
                _ => "application/octet-stream",
            },
            bytes, packed.ToArray(), new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 12))}\""));
    }

    public IResult Answer(HttpContext context, string caching)
    {
        context.Response.Headers.CacheControl = caching;
        context.Response.Headers.Vary = "Accept-Encoding";
        var gzip = Packed.Length < Bytes.Length && context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase);
        if (gzip)
            context.Response.Headers.ContentEncoding = "gzip";
        return Results.Bytes(gzip ? Packed : Bytes, ContentType, entityTag: Tag);
    }
}
