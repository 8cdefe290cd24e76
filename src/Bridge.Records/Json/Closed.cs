using System.Text.Json;

namespace Bridge.Records;

/// <summary>Reads the members of closed objects; the first fault is kept with the member's path.</summary>
internal sealed class Closed
{
    /// <summary>Path of the first member found at fault, such as <c>conditions[2].rank</c>; null while there is none.</summary>
    public string? Fault { get; private set; }

    public void Refuse(string path) => Fault ??= path;

    /// <summary>True where the element is an object with all required members, and no others than the optional ones.</summary>
    public bool Object(JsonElement element, string path, ReadOnlySpan<string> required, ReadOnlySpan<string> optional = default)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            Refuse(path.Length == 0 ? "(document)" : path);
            return false;
        }
        foreach (var name in required)
            if (!element.TryGetProperty(name, out _))
            {
                Refuse(Join(path, name));
                return false;
            }
        foreach (var member in element.EnumerateObject())
            if (!required.Contains(member.Name) && !optional.Contains(member.Name))
            {
                Refuse(Join(path, "(unknown member)"));
                return false;
            }
        return true;
    }

    public string Text(JsonElement parent, string path, string name)
    {
        if (parent.GetProperty(name) is { ValueKind: JsonValueKind.String } value)
            return value.GetString()!;
        Refuse(Join(path, name));
        return "";
    }

    public string? TextOrNull(JsonElement parent, string path, string name) =>
        parent.GetProperty(name).ValueKind == JsonValueKind.Null ? null : Text(parent, path, name);

    public string Text(JsonElement parent, string path, string name, Func<string, bool> isGood)
    {
        var text = Text(parent, path, name);
        if (Fault is null && !isGood(text))
            Refuse(Join(path, name));
        return text;
    }

    /// <summary>A number whose value is whole, however it is spelled (<c>1.0</c> and <c>1e0</c> are 1): JSON has no integers of its own. Bounds lie within ±2^53.</summary>
    public long Integer(JsonElement parent, string path, string name, long min, long max)
    {
        if (parent.GetProperty(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetDouble(out var number) && double.IsInteger(number) && number >= min && number <= max)
            return (long)number;
        Refuse(Join(path, name));
        return min;
    }

    public Digest Digest(JsonElement parent, string path, string name)
    {
        if (!Records.Digest.TryParse(Text(parent, path, name), out var digest))
            Refuse(Join(path, name));
        return digest;
    }

    public Handle Handle(JsonElement parent, string path, string name)
    {
        if (!Records.Handle.TryParse(Text(parent, path, name), out var handle))
            Refuse(Join(path, name));
        return handle;
    }

    /// <summary>An array of strings within bounds, each read by <paramref name="read"/>, which returns null for a bad one.</summary>
    public IReadOnlyList<T> List<T>(JsonElement parent, string path, string name, int min, int max, Func<string, T?> read, bool distinct = false)
        where T : struct => List(parent, path, name, min, max, element => element.ValueKind == JsonValueKind.String ? read(element.GetString()!) : null, distinct);

    public IReadOnlyList<string> Texts(JsonElement parent, string path, string name, int min, int max, Func<string, bool> isGood)
    {
        var array = parent.GetProperty(name);
        var at = Join(path, name);
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() < min || array.GetArrayLength() > max)
        {
            Refuse(at);
            return [];
        }
        var result = new List<string>(array.GetArrayLength());
        foreach (var item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || !isGood(item.GetString()!) || result.Contains(item.GetString()!))
            {
                Refuse($"{at}[{result.Count}]");
                return [];
            }
            result.Add(item.GetString()!);
        }
        return result;
    }

    private List<T> List<T>(JsonElement parent, string path, string name, int min, int max, Func<JsonElement, T?> read, bool distinct)
        where T : struct
    {
        var array = parent.GetProperty(name);
        var at = Join(path, name);
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() < min || array.GetArrayLength() > max)
        {
            Refuse(at);
            return [];
        }
        var result = new List<T>(array.GetArrayLength());
        foreach (var item in array.EnumerateArray())
        {
            if (read(item) is not { } value || (distinct && result.Contains(value)))
            {
                Refuse($"{at}[{result.Count}]");
                return [];
            }
            result.Add(value);
        }
        return result;
    }

    public static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
}
