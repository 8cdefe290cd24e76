namespace Bridge.Records;

/// <summary>
/// The text that a patient reads before consenting, as shipped, and its digest, which the consent names (<see cref="Consent.Notice"/>). A changed text is another
/// text: who agreed to the old one did not agree to it.
/// </summary>
/// <param name="Language">BCP 47 tag.</param>
/// <param name="Text">UTF-8, lines ended by LF. <c># </c> title, <c>## </c> section, <c>[purpose] </c> one purpose of <see cref="Purposes.All"/>; other lines are paragraphs.</param>
/// <param name="Digest">SHA-256 of the text's bytes.</param>
public sealed record ConsentNotice(string Language, string Text, Digest Digest)
{
    /// <summary>One for each language in which patients are asked, English first.</summary>
    public static IReadOnlyList<ConsentNotice> Shipped { get; } = [Load("en"), Load("zh-CN")];

    /// <summary>The shipped text of a digest; null where it is of another text.</summary>
    public static ConsentNotice? Of(Digest digest) => Shipped.FirstOrDefault(notice => notice.Digest == digest);

    private static ConsentNotice Load(string language)
    {
        var name = $"Bridge.Records.Notices.{language}.txt";
        using var stream = typeof(ConsentNotice).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"{name} is not in the assembly");
        using var reader = new StreamReader(stream);
        // However it was checked out: the digest is over LF.
        var text = reader.ReadToEnd().Replace("\r\n", "\n", StringComparison.Ordinal);
        return new ConsentNotice(language, text, Digest.Of(text));
    }
}
