using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Access;

/// <summary>How people sign in to the console. Without any of the ways, the API answers bearer tokens only.</summary>
/// <param name="Issuer"><c>SignIn:Issuer</c>: the hospital's OpenID provider; its discovery document is read from there. Null = none.</param>
/// <param name="SmartIssuer"><c>SignIn:SmartIssuer</c>: base URL of the EHR's FHIR server, from which SMART EHR launches are accepted. Null = none.</param>
/// <param name="ClientId"><c>SignIn:ClientId</c>: as registered there; redirect address <c>{origin}/signin/callback</c>.</param>
/// <param name="ClientSecret"><c>SignIn:ClientSecret</c>: of a confidential client; null = public client. PKCE (S256) is used either way.</param>
/// <param name="Scopes"><c>SignIn:Scopes</c>: default <c>openid profile fhirUser</c>; a launch adds <c>launch</c>.</param>
/// <param name="Origin"><c>SignIn:Origin</c>: the console's public origin; null = as the browser called it.</param>
/// <param name="RolesClaim"><c>SignIn:RolesClaim</c>: claim of the ID token with the person's groups. Default <c>roles</c>.</param>
/// <param name="RoleValues"><c>SignIn:Roles:doctor</c> and so on: which of these values give which role.</param>
/// <param name="LicenceClaim"><c>SignIn:LicenceClaim</c>: claim with a doctor's licence number; null = by <c>fhirUser</c> only.</param>
/// <param name="LicenceSystem"><c>SignIn:LicenceSystem</c>: system of the licence number among the identifiers of the Practitioner that <c>fhirUser</c> names.</param>
/// <param name="Idle"><c>SignIn:Idle</c>: a session ends so long after the last act. Default 30 min.</param>
/// <param name="Absolute"><c>SignIn:Absolute</c>: and so long after sign-in whatever happens: for so long a role that was taken away at the provider may go on counting. Default 4 h.</param>
/// <param name="SamplePeople"><c>SignIn:SamplePeople</c>: anyone may choose one of <c>Access:People</c> and be them. For samples on loopback only.</param>
/// <param name="EndsThere"><c>SignIn:SignOut</c>: <c>Everywhere</c> (default) ends the session at the provider too, and where somebody was before, asks anew; <c>Here</c> keeps single sign-on.</param>
internal sealed record SignInOptions(
    Uri? Issuer, Uri? SmartIssuer, string ClientId, string? ClientSecret, string Scopes, Uri? Origin, string RolesClaim,
    IReadOnlyDictionary<string, IReadOnlyList<string>> RoleValues, string? LicenceClaim, string? LicenceSystem, TimeSpan Idle, TimeSpan Absolute, bool SamplePeople, bool EndsThere)
{
    public static SignInOptions Read(ConfigurationReader reader)
    {
        var issuer = reader.SecureAddress("SignIn:Issuer", required: false, "the address of the hospital's OpenID provider, such as https://login.hospital.example");
        var smart = reader.SecureAddress("SignIn:SmartIssuer", required: false, "the base URL of the EHR's FHIR server, exactly as the EHR gives it in a launch (iss)");
        var clientId = reader.Raw("SignIn:ClientId");
        if (clientId is null && (issuer ?? smart) is not null)
            reader.Fault("SignIn:ClientId", null, "the client id under which this console is registered with the authorisation server");
        var roles = Roles.All.ToDictionary(role => role, role => reader.Texts($"SignIn:Roles:{role}"), StringComparer.Ordinal);
        var sample = reader.Flag("SignIn:SamplePeople", false);
        if (sample)
            foreach (var url in reader.Text("Server:Urls", "http://127.0.0.1:8080").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                if (Uri.TryCreate(url, UriKind.Absolute, out var uri) && !uri.IsLoopback)
                    reader.Fault("SignIn:SamplePeople", "true", $"anyone who reaches {url} could be anyone: leave it out, or listen on 127.0.0.1 only");
        if (sample && reader.Texts("Server:TrustedProxies").Count > 0)
            reader.Fault("SignIn:SamplePeople", "true", "behind a proxy anyone could be anyone: leave it out");
        var idle = reader.Duration("SignIn:Idle", TimeSpan.FromMinutes(30), TimeSpan.FromSeconds(1), TimeSpan.FromHours(12));
        return new SignInOptions(
            issuer, smart, clientId ?? "", reader.Secret("SignIn:ClientSecret", required: false, ""), reader.Text("SignIn:Scopes", "openid profile fhirUser"),
            reader.SecureAddress("SignIn:Origin", required: false, "the origin at which browsers reach this console, such as https://bridge.hospital.example"),
            reader.Text("SignIn:RolesClaim", "roles"), roles, reader.Raw("SignIn:LicenceClaim"), reader.Raw("SignIn:LicenceSystem"), idle,
            reader.Duration("SignIn:Absolute", idle > TimeSpan.FromHours(4) ? idle : TimeSpan.FromHours(4), idle, TimeSpan.FromDays(7)), sample,
            reader.OneOf("SignIn:SignOut", "Everywhere", ["Everywhere", "Here"]) == "Everywhere");
    }
}
