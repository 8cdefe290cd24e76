using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Sandbox.Parts;

/// <summary>The hospital's API as one person calls it.</summary>
internal sealed class HospitalClient(Uri address, string token)
{
    private static readonly HttpClient Http = new();

    public Task<JsonElement> GetAsync(string path, CancellationToken ct) => CallAsync(HttpMethod.Get, path, null, ct);

    public Task<JsonElement> PostAsync(string path, JsonObject body, CancellationToken ct) => CallAsync(HttpMethod.Post, path, body, ct);

    /// <summary>The status and the body, whatever they are.</summary>
    public async Task<(HttpStatusCode Status, string Body)> SendAsync(HttpMethod method, string path, JsonObject? body, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, new Uri(address, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        }

        using var answer = await Http.SendAsync(request, ct);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(ct));
    }

    private async Task<JsonElement> CallAsync(HttpMethod method, string path, JsonObject? body, CancellationToken ct)
    {
        var (status, text) = await SendAsync(method, path, body, ct);
        return (int)status < 300
            ? JsonElement.Parse(text)
            : throw new SandboxException($"{method} {new Uri(address, path)} answered {(int)status}: {text}");
    }
}
