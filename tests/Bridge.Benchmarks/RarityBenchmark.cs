using System.Globalization;
using Bridge.Fhir.Extraction;
using Bridge.Records;

namespace Bridge.Benchmarks;

/// <summary>
/// The two figures of the rarity filter, always together, as a curve over k: utility (how many encounters with a diagnosis leave at all, and as fine as
/// a category) and risk (how many released patients an adversary singles out who knows a whole other population). Not a speed; no goal.
/// </summary>
internal sealed class RarityBenchmark : IBenchmark
{
    private const int Population = 20_000;
    private const int Seed = 20260301;
    private static readonly int[] Ks = [1, 2, 5, 10, 20, 50, 100];
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public string Name => "rarity";

    public string What => "utility and risk of the rarity filter over k, on the 100 Synthea patients against 20,000 synthetic others";

    public Task<IReadOnlyList<Goal>> RunAsync(string[] options, CancellationToken cancellation)
    {
        var terms = Terminology.LoadFolder(SampleBytes.Maps);
        var files = SampleBytes.Synthea().Select(b => BundleFiles.Read(b)).ToList();
        // what the adversary's population is drawn from, and whom he looks for: everything as recorded
        var recorded = Summaries(files, terms, int.MaxValue, rare: true);
        var others = Others(recorded, terms);
        var withCondition = recorded.Sum(p => p.Count);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{recorded.Count} patients with {withCondition} encounters that have a diagnosis; sample count table; full consent to sensitive categories, none to rare diagnoses"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"adversary: {Population} other people, sex, age, class, month and diagnosis drawn each by the sample's own share (seed {Seed}); singled out = fits nobody of them"));
        Console.WriteLine("he knows of everybody each visit's sex, age and diagnosis (cell), or month and class too (payload; treatments would only add to it)");
        Console.WriteLine("     k  released  category or finer | cell: record  series | payload: record  series");
        Goal? atFive = null;
        foreach (var k in Ks)
        {
            cancellation.ThrowIfCancellationRequested();
            var released = Summaries(files, terms, k, rare: false);
            var count = released.Sum(p => p.Count);
            var fine = released.Sum(p => p.Count(s => s.Conditions.Any(c => c.Level is CodeLevel.Code or CodeLevel.Category)));
            var cell = others.Risk(released, payload: false);
            var payload = others.Risk(released, payload: true);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{k,6}  {(double)count / withCondition,8:P1}  {(double)fine / withCondition,17:P1} | {cell.Record,12:P1}  {cell.Series,6:P1} | {payload.Record,15:P1}  {payload.Series,6:P1}"));
            if (k == 5)
            {
                atFive = new Goal(string.Create(CultureInfo.InvariantCulture,
                    $"at k = 5 {(double)count / withCondition:P1} released, {(double)fine / withCondition:P1} at category or finer; singled out {cell.Record:P1} by one record's cell, {cell.Series:P1} by the series, {payload.Series:P1} by the series with month and class"),
                    "reported, none set", true);
            }
        }
        return Task.FromResult<IReadOnlyList<Goal>>([atFive!]);
    }

    /// <summary>By patient, the drafts that would leave.</summary>
    private static List<List<SummaryDraft>> Summaries(List<IReadOnlyList<EncounterFile>> files, Terminology terms, int k, bool rare)
    {
        var extractor = new SummaryExtractor(new Minimiser(terms, new MinimiserOptions { K = k }), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        var context = new ExtractionContext { Now = Now, RareConsented = rare, ConsentedCategories = [.. SensitiveNodes.Categories], DoctorAssigned = true };
        return [.. files.Select(f => f.Select(e => extractor.Extract(e, context)).Where(x => x.Outcome == ExtractionOutcome.Ready).Select(x => x.Draft!).ToList()).Where(p => p.Count > 0)];
    }

    private static Adversary Others(List<List<SummaryDraft>> sample, Terminology terms)
    {
        var random = new Random(Seed);
        var all = sample.SelectMany(p => p).ToList();
        T Draw<T>(IReadOnlyList<T> from) => from[random.Next(from.Count)];
        var codes = all.SelectMany(s => s.Conditions).ToList();
        var adversary = new Adversary(terms);
        for (var person = 0; person < Population; person++)
        {
            var sex = Draw(sample)[0].Sex;
            // a person ages by two bands at most over what is known of him, as the sample's people do
            var band = Draw(all).AgeBand;
            for (var visits = Draw(sample).Count; visits > 0; visits--)
            {
                var diagnoses = Enumerable.Range(0, Draw(all).Conditions.Count).Select(_ => Draw(codes)).ToList();
                adversary.Add(person, sex, random.Next(4) == 0 ? Draw(all).AgeBand : band, Draw(all).Period, Draw(all).Class, diagnoses);
            }
        }
        return adversary;
    }

    /// <summary>Visits of people whom the adversary knows, found by any node that a released diagnosis may stand at.</summary>
    private sealed class Adversary(Terminology terms)
    {
        private static readonly CodeLevel[] Levels = [CodeLevel.Code, CodeLevel.Category, CodeLevel.Block, CodeLevel.Chapter];

        private readonly Dictionary<string, List<Visit>> _byNode = new(StringComparer.Ordinal);
        private int _visits;

        public void Add(int person, string sex, string band, string period, string cls, IReadOnlyList<CodedConcept> diagnoses)
        {
            var visit = new Visit(_visits++, person, sex, band, AgeBands.Widen(band), period, cls);
            foreach (var node in diagnoses.SelectMany(d => Levels.Select(level => Node(d, level))).OfType<string>().Distinct(StringComparer.Ordinal))
            {
                if (!_byNode.TryGetValue(node, out var list))
                    _byNode.Add(node, list = []);
                list.Add(visit);
            }
        }

        /// <summary>Share of patients of whom at least one record fits nobody, and of whom no one else fits all records.</summary>
        public (double Record, double Series) Risk(List<List<SummaryDraft>> patients, bool payload)
        {
            var (record, series) = (0, 0);
            foreach (var patient in patients)
            {
                HashSet<int>? all = null;
                var single = false;
                foreach (var summary in patient)
                {
                    var people = People(summary, payload);
                    single |= people.Count == 0;
                    if (all is null)
                        all = people;
                    else
                        all.IntersectWith(people);
                }
                record += single ? 1 : 0;
                series += all!.Count == 0 ? 1 : 0;
            }
            return ((double)record / patients.Count, (double)series / patients.Count);
        }

        private HashSet<int> People(SummaryDraft summary, bool payload)
        {
            HashSet<int>? visits = null;
            var people = new Dictionary<int, int>();
            foreach (var condition in summary.Conditions)
            {
                var fitting = _byNode.TryGetValue(condition.Code, out var list)
                    ? list.Where(v => v.Sex == summary.Sex && (v.Band == summary.AgeBand || v.WideBand == summary.AgeBand)
                        && (!payload || (v.Period == summary.Period && v.Class == summary.Class))).ToList()
                    : [];
                foreach (var visit in fitting)
                    people[visit.Id] = visit.Person;
                var ids = fitting.Select(v => v.Id).ToHashSet();
                if (visits is null)
                    visits = ids;
                else
                    visits.IntersectWith(ids);
            }
            return [.. visits!.Select(v => people[v])];
        }

        private string? Node(CodedConcept code, CodeLevel level) => level == CodeLevel.Code ? code.Code
            : terms.Map.InHierarchy(code.System, code.Code) is { } place ? terms.Hierarchy.Generalise(place.Code, level) : null;

        private sealed record Visit(int Id, int Person, string Sex, string Band, string WideBand, string Period, string Class);
    }
}
