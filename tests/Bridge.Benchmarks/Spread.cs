using System.Globalization;

namespace Bridge.Benchmarks;

/// <summary>Repeated measurements of one figure.</summary>
internal sealed class Spread
{
    private readonly List<double> _values = [];

    public Spread(params IEnumerable<double> values) => _values.AddRange(values);

    public int Count => _values.Count;

    public double Min => _values.Min();

    public double Max => _values.Max();

    public double Median => Percentile(50);

    public void Add(double value) => _values.Add(value);

    /// <summary>Between the neighbours in proportion.</summary>
    public double Percentile(double percent)
    {
        var sorted = _values.Order().ToArray();
        var at = (sorted.Length - 1) * percent / 100;
        var below = (int)at;
        return below + 1 < sorted.Length ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }

    /// <summary><c>median (min–max, n)</c>.</summary>
    public string Show(string format = "0.00") =>
        string.Create(CultureInfo.InvariantCulture, $"{Text(Median, format)} ({Text(Min, format)}–{Text(Max, format)}, n={Count})");

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
