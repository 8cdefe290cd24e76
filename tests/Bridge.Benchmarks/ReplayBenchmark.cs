using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bridge.FhirServers;

namespace Bridge.Benchmarks;

/// <summary>How many pages of 50 encounters the replay server sends in a second: it must not be what the watch benchmark measures.</summary>
internal sealed class ReplayBenchmark : IBenchmark
{
    private const int Connections = 8;
    private const int PageSize = 50;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(3);

    public string Name => "replay";

    public string What => "pages per second of the replay server alone, which the watch benchmark reads from";

    public async Task<IReadOnlyList<Goal>> RunAsync(string[] options, CancellationToken cancellation)
    {
        var zip = SampleBytes.Shared("synthea-100.zip");
        if (options is ["serve", var copies])
        {
            await ServeAsync(zip, int.Parse(copies, CultureInfo.InvariantCulture), cancellation);
            return [];
        }
        using var server = Child.Start(Name, "serve", "1");
        var baseUrl = new Uri(await server.SaysAsync("ready", cancellation));
        var rates = new Spread();
        var bytes = 0L;
        for (var round = 0; round < 5; round++)
        {
            var until = Stopwatch.GetTimestamp() + (long)(Duration.TotalSeconds * Stopwatch.Frequency);
            var started = Stopwatch.GetTimestamp();
            var pages = await Task.WhenAll(Enumerable.Range(0, Connections).Select(c => Task.Run(() => Load(baseUrl, c, until))));
            rates.Add(pages.Sum(p => p.Pages) / Stopwatch.GetElapsedTime(started).TotalSeconds);
            bytes = pages.Sum(p => p.Bytes) / Math.Max(1, pages.Sum(p => p.Pages));
        }
        Console.WriteLine($"pages of {PageSize} encounters, {bytes / 1024} KiB each; {Connections} connections from one process on the same machine; {SampleBytes.Machine}");
        Console.WriteLine($"  {rates.Show("0")} pages/s");
        return [new(rates.Median.ToString("0", CultureInfo.InvariantCulture) + " pages/s", "≥ 5000 pages/s", rates.Median >= 5000)];
    }

    /// <summary>Serves until its standard input closes.</summary>
    internal static async Task ServeAsync(string zip, int copies, CancellationToken cancellation)
    {
        await using var server = await ReplayServer.StartAsync(SyntheaSample.Load(zip, copies));
        server.RenderPages(PageSize);
        Console.WriteLine("ready " + server.BaseUrl);
        await Console.In.ReadToEndAsync(cancellation);
    }

    /// <summary>One connection that asks for page after page, reading the answers without looking at them.</summary>
    private static (long Pages, long Bytes) Load(Uri baseUrl, int seed, long until)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(new IPEndPoint(IPAddress.Loopback, baseUrl.Port));
        var buffer = new byte[256 * 1024];
        var (pages, bytes) = (0L, 0L);
        for (var page = seed; Stopwatch.GetTimestamp() < until; page++)
        {
            var from = page % (2000 / PageSize) * PageSize;
            socket.Send(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"GET /fhir/Encounter?_from={from}&_count={PageSize} HTTP/1.1\r\nHost: x\r\n\r\n")));
            var length = 0;
            var wanted = int.MaxValue;
            while (length < wanted)
            {
                // the head is at the buffer's start; of the body only the length counts
                var read = socket.Receive(buffer, Math.Min(length, 4096), buffer.Length - 4096, SocketFlags.None);
                if (read == 0)
                    throw new InvalidOperationException("the replay server hung up");
                if (length == 0)
                    wanted = Length(buffer.AsSpan(0, read));
                length += read;
            }
            pages++;
            bytes += length;
        }
        return (pages, bytes);
    }

    private static int Length(ReadOnlySpan<byte> head)
    {
        var end = head.IndexOf("\r\n\r\n"u8);
        var at = head.IndexOf("Content-Length: "u8);
        if (end < 0 || at < 0 || !head.StartsWith("HTTP/1.1 200"u8))
            throw new InvalidOperationException("the replay server answered something else than a page");
        var number = head[(at + 16)..];
        return end + 4 + int.Parse(number[..number.IndexOf((byte)'\r')], CultureInfo.InvariantCulture);
    }
}
