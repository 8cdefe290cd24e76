using System.Collections.Concurrent;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Enrolment;

/// <summary>
/// Who read what somebody consented to, which tells of her health. A page that shows the same again every few seconds is one reading, written anew every
/// <see cref="Renewed"/>; what is left out is for the server to say, not for the page.
/// </summary>
internal sealed class DeskReadings(Database database, TimeProvider clock)
{
    private const int MostKept = 1000;
    private static readonly TimeSpan Renewed = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<(string Person, string Which), DateTimeOffset> _written = new();

    public async Task NoteAsync(Actor reader, IReadOnlyList<EnrolmentRow> rows, CancellationToken cancellationToken)
    {
        var seen = rows.Where(row => row.PurposeList.Count > 0).Select(row => row.EnrolmentId).ToList();
        var (key, now) = ((reader.Person, string.Join(' ', seen)), clock.GetUtcNow());
        if (seen.Count == 0 || _written.TryGetValue(key, out var last) && now - last < Renewed)
            return;
        await database.WriteAsync(work => AuditLog.AppendAsync(work, reader, "enrolment.read", "enrolments", new { seen }, now), cancellationToken);
        if (_written.Count >= MostKept)
            _written.Clear();
        _written[key] = now;
    }
}
