namespace Bridge.Records;

/// <summary>What a people CA certifies somebody for.</summary>
public enum PersonRole
{
    /// <summary>Signs summaries.</summary>
    Doctor,

    /// <summary>Vouches for doctors, confirms another hospital's, approves records.</summary>
    Registrar,

    /// <summary>Signs the hospital's status lists.</summary>
    StatusKey,
}

/// <summary>
/// Marks of roles in certificates: extended key usages under an arc of this project's own. A person's certificate bears exactly one, and one of a CA or patient none, so that nobody whom the people CA
/// certified for one role can act in another.
/// </summary>
public static class RoleMark
{
    /// <summary>Everything under it is a role, known or yet to come. The arc is a GUID's (fcaf99ab-6c26-4945-aaf3-895267f38fad), in pieces that every certificate reader takes.</summary>
    public const string Arc = "1.2.840.113556.1.8000.2554.64687.39339.27686.18757.43763.8999527.15962029";

    /// <summary>The mark of a role.</summary>
    public static string Of(PersonRole role) => role switch
    {
        PersonRole.Doctor => Arc + ".1",
        PersonRole.Registrar => Arc + ".2",
        PersonRole.StatusKey => Arc + ".3",
        _ => throw new ArgumentOutOfRangeException(nameof(role), role, "no such role"),
    };

    /// <summary>The role that extended key usages mark; null where they mark none, or not exactly one that is known.</summary>
    public static PersonRole? In(IEnumerable<string> extendedKeyUsages) =>
        extendedKeyUsages.Where(IsMark).ToList() is [var one] ? Enum.GetValues<PersonRole>().Cast<PersonRole?>().FirstOrDefault(role => Of(role!.Value) == one) : null;

    internal static bool IsMark(string extendedKeyUsage) => extendedKeyUsage == Arc || extendedKeyUsage.StartsWith(Arc + ".", StringComparison.Ordinal);
}
