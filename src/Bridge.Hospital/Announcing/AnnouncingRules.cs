using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Bridge.Hospital.Announcing;

/// <summary>What waits for somebody.</summary>
/// <param name="Number">How many.</param>
/// <param name="Oldest">Unix milliseconds since when the oldest waits; null where none does.</param>
/// <param name="Overdue">How many of them have waited for longer than they should.</param>
internal sealed record WaitingNumber(long Number, long? Oldest, long Overdue)
{
    public static readonly WaitingNumber None = new(0, null, 0);

    public WaitingNumber Add(WaitingNumber other) => new(
        Number + other.Number, Oldest is { } a && other.Oldest is { } b ? Math.Min(a, b) : Oldest ?? other.Oldest, Overdue + other.Overdue);
}

/// <summary>Pure parts of announcing: when, and in which words.</summary>
internal static class AnnouncingRules
{
    private static readonly DateTime Epoch = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Unspecified);

    /// <summary>
    /// The interval that a moment lies in, counted by the clock on the wall: each begins at the time of day given, or a multiple of the interval from it. Where clocks are
    /// set back a number may come again, which says nothing twice, since each is announced once.
    /// </summary>
    public static long SlotOf(DateTimeOffset now, TimeSpan every, TimeSpan at, TimeZoneInfo zone) =>
        (TimeZoneInfo.ConvertTime(now, zone).DateTime - Epoch - at).Ticks / every.Ticks;

    /// <summary>The same for the same recipient and interval, so that a mail that was sent twice, because nobody knew of the first, is shown once.</summary>
    public static string MessageId(string hospital, string who, long slot, string from)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes($"{hospital}\n{who}\n{slot.ToString(CultureInfo.InvariantCulture)}"));
        return $"{Convert.ToHexStringLower(digest.AsSpan(0, 16))}@{from[(from.LastIndexOf('@') + 1)..]}";
    }

    /// <summary>After a failure: 1 min doubling to an hour.</summary>
    public static TimeSpan Backoff(long attempts) => TimeSpan.FromMinutes(Math.Min(60, Math.Pow(2, Math.Min(attempts, 6))));

    /// <summary>One sentence: how many wait for a signature.</summary>
    public static string Headline(bool chinese, long number) => chinese
        ? $"有 {number} 份摘要等待您签署"
        : number == 1 ? "1 summary waits for your signature" : $"{number} summaries wait for your signature";

    /// <summary>One sentence: how many wait for an operator.</summary>
    public static string OperatorHeadline(bool chinese, long number) => chinese
        ? $"有 {number} 份摘要等待指定医生"
        : number == 1 ? "1 summary waits for a doctor to be named" : $"{number} summaries wait for a doctor to be named";

    /// <summary>The body of a digest: numbers, ages and the link.</summary>
    public static string Body(bool chinese, string headline, string hospital, WaitingNumber waiting, Uri link, DateTimeOffset now)
    {
        var days = waiting.Oldest is { } oldest ? (int)(now - DateTimeOffset.FromUnixTimeMilliseconds(oldest)).TotalDays : 0;
        var lines = new List<string> { $"{headline}{(chinese ? "。" : ".")}" };
        if (chinese)
        {
            lines.Add(days < 1 ? "最早的一份等待不到一天。" : $"最早的一份已等待 {days} 天。");
            if (waiting.Overdue > 0)
                lines.Add($"其中 {waiting.Overdue} 份等待过久。");
            lines.Add("");
            lines.Add($"请打开：{link.AbsoluteUri}");
            lines.Add("");
            lines.Add($"此邮件由 {hospital} 的网桥自动发送，不含患者信息。");
        }
        else
        {
            lines.Add(days < 1 ? "The oldest has waited for less than a day." : days == 1 ? "The oldest has waited for 1 day." : $"The oldest has waited for {days} days.");
            if (waiting.Overdue > 0)
                lines.Add(waiting.Overdue == 1 ? "1 of them has waited too long." : $"{waiting.Overdue} of them have waited too long.");
            lines.Add("");
            lines.Add($"Open {link.AbsoluteUri}");
            lines.Add("");
            lines.Add($"Sent by the bridge of {hospital}. It holds nothing about patients.");
        }
        return string.Join("\r\n", lines) + "\r\n";
    }
}
