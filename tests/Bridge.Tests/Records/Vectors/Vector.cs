using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Tests.Records.Vectors;

/// <summary>Collects vectors of one kind; names are unique, so that a failing one is found.</summary>
internal sealed class VectorFile(string kind)
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly List<JsonObject> _vectors = [];

    public string Kind => kind;

    public IEnumerable<JsonObject> Vectors => _vectors;

    public void Add(string name, string outcome, params (string Name, JsonNode? Value)[] members)
    {
        if (_vectors.Any(v => v["name"]!.GetValue<string>() == name))
            throw new InvalidOperationException($"two vectors are called {name}");
        var vector = new JsonObject { ["name"] = name, ["kind"] = kind };
        foreach (var (member, value) in members)
            vector[member] = value;
        vector["outcome"] = outcome;
        _vectors.Add(vector);
    }

    public void Add(string name, string outcome, JsonObject envelope, JsonObject? webauthn = null) =>
        Add(name, outcome, Encoding.UTF8.GetBytes(envelope.ToJsonString()), webauthn);

    public void Add(string name, string outcome, byte[] input, JsonObject? webauthn = null)
    {
        if (webauthn is null)
            Add(name, outcome, [("input", Base64Url.Encode(input))]);
        else
            Add(name, outcome, ("webauthn", webauthn.DeepClone()), ("input", Base64Url.Encode(input)));
    }

    /// <summary>One vector a line: a changed one shows as one changed line.</summary>
    public string ToText() => "[\n" + string.Join(",\n", _vectors.Select(v => v.ToJsonString(Readable))) + "\n]\n";
}
