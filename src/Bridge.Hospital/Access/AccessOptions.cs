using System.Security.Cryptography;
using System.Text;
using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Access;

/// <summary>What a person may do.</summary>
internal static class Roles
{
    public const string Doctor = "doctor";
    public const string Operator = "operator";
    public const string Desk = "desk";
    public const string Registrar = "registrar";

    public static readonly string[] All = [Doctor, Operator, Desk, Registrar];
}

/// <summary>Somebody who may call the API with a bearer token.</summary>
/// <param name="Name">For the audit log.</param>
/// <param name="Roles">At least one.</param>
/// <param name="TokenSha256">SHA-256 of the token's UTF-8 bytes; the token itself is stored nowhere.</param>
/// <param name="Licence">A doctor's licence number: whose queue it is.</param>
internal sealed record Person(string Name, IReadOnlyList<string> Roles, byte[] TokenSha256, string? Licence);

/// <summary>Who may call, and over what.</summary>
internal sealed record AccessOptions(IReadOnlyList<Person> People, IReadOnlyList<string> TrustedProxies)
{
    public static AccessOptions Read(ConfigurationReader reader)
    {
        var people = new List<Person>();
        foreach (var element in reader.Elements("Access:People"))
        {
            var name = reader.Required($"{element}:Name", "the person's name or staff number, for the audit log");
            var roles = new List<string>();
            foreach (var role in reader.Texts($"{element}:Roles"))
            {
                if (!Access.Roles.All.Contains(role, StringComparer.Ordinal))
                    reader.Fault($"{element}:Roles", role, $"some of {string.Join(", ", Access.Roles.All)}");
                roles.Add(role);
            }
            if (roles.Count == 0)
                reader.Fault($"{element}:Roles", null, $"some of {string.Join(", ", Access.Roles.All)}");
            var hash = reader.Secret($"{element}:TokenSha256", required: true, "the SHA-256 of the person's token, 64 hexadecimal digits (printf %s TOKEN | sha256sum)");
            var licence = reader.Raw($"{element}:Licence");
            if (roles.Contains(Access.Roles.Doctor) && licence is null)
                reader.Fault($"{element}:Licence", null, "the doctor's licence number as it stands in the doctor directory");
            if (hash is { Length: 64 } && hash.All(char.IsAsciiHexDigit))
                people.Add(new Person(name, roles, Convert.FromHexString(hash), licence));
            else if (hash is not null)
                reader.Fault($"{element}:TokenSha256", "…", "64 hexadecimal digits (printf %s TOKEN | sha256sum)");
        }
        foreach (var group in people.GroupBy(person => Convert.ToHexString(person.TokenSha256)).Where(group => group.Count() > 1))
            reader.Fault("Access:People", string.Join(", ", group.Select(person => person.Name)), "two people share a token: give each a token of their own");

        var proxies = reader.Texts("Server:TrustedProxies");
        foreach (var proxy in proxies)
            if (!System.Net.IPNetwork.TryParse(proxy, out _) && !System.Net.IPAddress.TryParse(proxy, out _))
                reader.Fault("Server:TrustedProxies", proxy, "an IP address or a network such as 10.1.0.0/24");
        return new AccessOptions(people, proxies);
    }

    /// <summary>The person whose token this is. Every entry is compared, in constant time.</summary>
    public Person? Find(string token)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        Person? found = null;
        foreach (var person in People)
            if (CryptographicOperations.FixedTimeEquals(hash, person.TokenSha256))
                found = person;
        return found;
    }
}
