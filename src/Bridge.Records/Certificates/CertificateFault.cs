namespace Bridge.Records;

/// <summary>Why a certificate is not what its place asks for.</summary>
public enum CertificateFault
{
    /// <summary>It is.</summary>
    None,

    /// <summary>Not one DER certificate.</summary>
    Unreadable,

    /// <summary>Its key is not ECDSA P-256 (uncompressed point).</summary>
    KeyNotP256,

    /// <summary>Not signed with ECDSA and SHA-256.</summary>
    SignatureAlgorithm,

    /// <summary>Not issued by the CA that must issue it.</summary>
    WrongIssuer,

    /// <summary>Not valid yet.</summary>
    NotYetValid,

    /// <summary>Valid no longer.</summary>
    Expired,

    /// <summary>A CA where an end entity is wanted.</summary>
    IsCa,

    /// <summary>No CA where one is wanted, or one without the right to sign certificates.</summary>
    NotCa,

    /// <summary>The patient CA's path length is not 0.</summary>
    PathLength,

    /// <summary>Key usage is not digitalSignature, or more than an end entity may have.</summary>
    KeyUsage,

    /// <summary>The extended key usage asked for is missing.</summary>
    ExtendedKeyUsage,

    /// <summary>It lacks the mark of its role, or bears another's (<see cref="RoleMark"/>).</summary>
    Role,

    /// <summary>The common name is missing or not the one asked for.</summary>
    Name,

    /// <summary>A critical extension that this profile does not know.</summary>
    CriticalExtension,

    /// <summary>A root that another issued: CAs of bridges, and those of people in a first record, are self-signed.</summary>
    NotSelfSigned,

    /// <summary>Its key serves in another role of the same hospital.</summary>
    KeyInOtherRole,
}
