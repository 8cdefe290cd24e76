namespace Bridge.Hospital.Watching;

/// <summary>The FHIR server no longer shows so many known encounters that it, or the bridge's rights there, are more likely at fault than the encounters.</summary>
internal sealed class SourceShrankException(int gone, int among)
    : Exception($"the FHIR server no longer has {gone} of {among} known encounters; nothing was taken back for that: check the bridge's rights there and the server itself");

/// <summary>Pure judgement of deletions.</summary>
internal static class GoneRules
{
    private const int AlwaysPlausible = 10;

    /// <summary>True where so many encounters may well have been deleted: up to ten, or a tenth of those looked for.</summary>
    public static bool IsPlausible(int gone, int among) => gone <= AlwaysPlausible || gone <= among / 10;
}
