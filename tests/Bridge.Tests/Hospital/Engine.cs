using System.Reflection;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

namespace Bridge.Tests.Hospital;

/// <summary>The databases that a hospital may run.</summary>
public enum Engine
{
    Sqlite,
    MariaDb,
}

/// <summary>Runs a theory once on each engine: the engine comes first, then <paramref name="arguments"/>.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class OnBothEnginesAttribute(params object?[] arguments) : DataAttribute
{
    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        ValueTask.FromResult<IReadOnlyCollection<ITheoryDataRow>>(
            [.. Enum.GetValues<Engine>().Select(engine => new TheoryDataRow([engine, .. arguments]))]);

    public override bool SupportsDiscoveryEnumeration() => true;
}
