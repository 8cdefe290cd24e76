using System.Security.Cryptography;
using System.Text;

namespace Bridge.Sandbox.Parts;

/// <summary>Somebody who may call the hospital's API, with a token made at run time.</summary>
/// <param name="Name">For the audit log.</param>
/// <param name="Role">doctor, operator, desk or registrar.</param>
/// <param name="Token">Bearer token; the hospital's configuration holds its digest only.</param>
/// <param name="Licence">A doctor's licence number.</param>
internal sealed record SamplePerson(string Name, string Role, string Token, string? Licence = null)
{
    public static SamplePerson New(string name, string role, string? licence = null) =>
        new(name, role, $"{role}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}", licence);

    public string TokenSha256 => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Token)));
}
