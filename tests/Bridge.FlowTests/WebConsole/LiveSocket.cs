using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Bridge.FlowTests.WebConsole;

/// <summary>A client of the operators' hub that speaks SignalR's JSON protocol over a bare WebSocket: it can be whoever a test wants it to be.</summary>
internal sealed class LiveSocket : IAsyncDisposable
{
    private const char End = '\x1e';

    private readonly ClientWebSocket socket;
    private readonly Task reading;
    private readonly List<(string Target, JsonElement Said)> said = [];

    private LiveSocket(ClientWebSocket socket)
    {
        this.socket = socket;
        reading = ReadAsync();
    }

    /// <summary>True once the server has closed, or cut, the connection.</summary>
    public bool IsClosed => reading.IsCompleted;

    /// <summary>Opens it; otherwise the status of the refusal.</summary>
    public static async Task<(LiveSocket? Socket, HttpStatusCode Status)> OpenAsync(Uri home, params (string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        foreach (var (name, value) in headers)
            socket.Options.SetRequestHeader(name, value);
        try
        {
            await socket.ConnectAsync(new UriBuilder(new Uri(home, "/api/operations/live")) { Scheme = "ws" }.Uri, CancellationToken.None);
        }
        catch (WebSocketException)
        {
            var status = socket.HttpStatusCode;
            socket.Dispose();
            return (null, status);
        }
        await socket.SendAsync(Encoding.UTF8.GetBytes($$"""{"protocol":"json","version":1}{{End}}"""), WebSocketMessageType.Text, true, CancellationToken.None);
        return (new LiveSocket(socket), HttpStatusCode.SwitchingProtocols);
    }

    /// <summary>The newest message of a name, or null.</summary>
    public JsonElement? Last(string target)
    {
        lock (said)
            return said.LastOrDefault(message => message.Target == target) is { Target: not null } found ? found.Said : null;
    }

    /// <summary>How many messages of a name came.</summary>
    public int Count(string target)
    {
        lock (said)
            return said.Count(message => message.Target == target);
    }

    /// <summary>Whether a message of a name came that fits.</summary>
    public bool Any(string target, Func<JsonElement, bool> fits)
    {
        lock (said)
            return said.Any(message => message.Target == target && fits(message.Said));
    }

    public string Everything()
    {
        lock (said)
            return string.Join('\n', said.Select(message => message.Said.ToString()));
    }

    public Task SendAsync(string message) => socket.SendAsync(Encoding.UTF8.GetBytes(message + End), WebSocketMessageType.Text, true, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        socket.Abort();
        await reading;
        socket.Dispose();
    }

    private async Task ReadAsync()
    {
        var text = new StringBuilder();
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                using var part = new MemoryStream();
                WebSocketReceiveResult result;
                do
                {
                    result = await socket.ReceiveAsync(buffer, CancellationToken.None);
                    part.Write(buffer, 0, result.Count);
                }
                while (!result.EndOfMessage);
                if (result.MessageType == WebSocketMessageType.Close)
                    return;
                text.Append(Encoding.UTF8.GetString(part.ToArray()));
                var messages = text.ToString().Split(End);
                text.Clear().Append(messages[^1]);
                foreach (var message in messages[..^1])
                {
                    var json = JsonElement.Parse(message);
                    // 1 = an invocation; signs of life and the answer to the greeting are others.
                    if (json.TryGetProperty("type", out var type) && type.GetInt32() == 1)
                        lock (said)
                            said.Add((json.GetProperty("target").GetString()!, json.GetProperty("arguments")[0]));
                }
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Cut: what the tests look for.
        }
    }
}
