using System.Text.Json;

namespace Bridge.Hospital.Access;

/// <summary>Why nobody was let in; the console says each in its reader's words.</summary>
internal enum SignInProblem
{
    None,

    /// <summary>The answer of the authorisation server belongs to no request of this browser, or comes too late.</summary>
    Expired,

    /// <summary>The person, or the authorisation server, refused.</summary>
    Refused,

    /// <summary>The authorisation server could not be reached or did not answer as it must.</summary>
    Provider,

    /// <summary>The launch comes from a server that is not configured.</summary>
    ForeignLaunch,

    /// <summary>The account has no role here.</summary>
    NoRole,

    /// <summary>A doctor's account without a licence number.</summary>
    NoLicence,

    /// <summary>The authorisation server was to ask who it is, and says that it did so long before.</summary>
    NotAsked,
}

/// <summary>Pure readings of an ID token.</summary>
internal static class SignInRules
{
    /// <summary>The roles that the claims give.</summary>
    public static IReadOnlyList<string> RolesOf(JsonElement claims, SignInOptions options)
    {
        var values = claims.TryGetProperty(options.RolesClaim, out var claim)
            ? claim.ValueKind switch
            {
                JsonValueKind.Array => claim.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!).ToHashSet(StringComparer.Ordinal),
                JsonValueKind.String => [.. claim.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries)],
                _ => [],
            }
            : [];
        return [.. Roles.All.Where(role => options.RoleValues[role].Any(values.Contains))];
    }

    /// <summary>
    /// The logical id of the Practitioner that <c>fhirUser</c> names (SMART App Launch, scopes: a relative or absolute URL); null where it names another kind of
    /// resource, or one of a server that is not ours.
    /// </summary>
    public static string? PractitionerOf(JsonElement claims, params Uri?[] servers)
    {
        if (Text(claims, "fhirUser") is not { } user)
            return null;
        var path = user;
        if (user.Contains("://", StringComparison.Ordinal))
        {
            var home = servers.Select(server => server?.AbsoluteUri.TrimEnd('/') + "/").FirstOrDefault(server => server.Length > 1 && user.StartsWith(server, StringComparison.Ordinal));
            if (home is null)
                return null;
            path = user[home.Length..];
        }
        var parts = path.Split('/');
        return parts is ["Practitioner", { Length: > 0 and <= 64 } id] && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.') ? id : null;
    }

    /// <summary>The value of the first identifier of this system in a Practitioner resource.</summary>
    public static string? LicenceIn(JsonElement practitioner, string system)
    {
        if (practitioner.ValueKind == JsonValueKind.Object && practitioner.TryGetProperty("identifier", out var identifiers) && identifiers.ValueKind == JsonValueKind.Array)
            foreach (var identifier in identifiers.EnumerateArray())
                if (identifier.ValueKind == JsonValueKind.Object && Text(identifier, "system") == system && Text(identifier, "value") is { Length: > 0 and <= 64 } value)
                    return value;
        return null;
    }

    /// <summary>The name for the person's own eyes, and the one for the audit log, which the account's subject makes unique.</summary>
    public static (string Display, string Person) NameOf(JsonElement claims)
    {
        var subject = Cut(Text(claims, "sub") ?? "unknown");
        var display = Cut(Text(claims, "name") ?? Text(claims, "preferred_username") ?? subject);
        return (display, display == subject ? subject : $"{display} ({subject})");
    }

    /// <summary>A path of the console to go on at; anything else leads to its front page.</summary>
    public static string SafeReturn(string? path) =>
        path is { Length: > 1 and <= 200 } && path[0] == '/' && path[1] is not ('/' or '\\') && path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_') ? path : "/";

    /// <summary>
    /// False where the server says that it asked who it is before it was told to. One that says nothing is believed; whoever changes the address on the way to it
    /// changes nothing where it always says.
    /// </summary>
    public static bool AskedSince(JsonElement claims, DateTimeOffset asked, TimeSpan tolerance) =>
        !claims.TryGetProperty("auth_time", out var at) || at.ValueKind == JsonValueKind.Number && at.TryGetDouble(out var seconds) && seconds >= (asked - tolerance).ToUnixTimeSeconds();

    private static string Cut(string text) => text.Length <= 120 ? text : text[..120];

    private static string? Text(JsonElement json, string member) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
