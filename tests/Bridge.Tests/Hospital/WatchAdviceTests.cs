using Bridge.Fhir.Watching;
using Bridge.Hospital.Checking;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Watching;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>Which way of watching is best for what a server was seen to do, and what must be configured for each.</summary>
public class WatchAdviceTests
{
    private static readonly SeenSearches Everything = new(true, null, true, true, true, true, true);

    [Theory]
    [InlineData(true, true, true, true, true, WatchStrategy.Subscription, "the poll closes the gaps")]
    [InlineData(true, true, true, false, true, WatchStrategy.LastUpdated, "filters by it")]
    [InlineData(true, true, true, true, false, WatchStrategy.LastUpdated, "Watching:Strategy Subscription")]
    [InlineData(false, true, true, true, true, WatchStrategy.RosterSweep, "Watching:Export")]
    [InlineData(true, false, true, true, true, WatchStrategy.RosterSweep, "ignores _lastUpdated")]
    [InlineData(false, true, false, true, true, WatchStrategy.BulkExport, "it exports in bulk")]
    public void Choose_WhatTheServerDid_TakesTheBestAndSaysWhy(bool across, bool filters, bool byPatient, bool subscriptions, bool canKnock, WatchStrategy best, string why)
    {
        var choice = WatchAdvice.Choose(
            Everything with { SearchesAcross = across, Refusal = across ? null : "400", FiltersByLastUpdated = filters, SearchesByPatient = byPatient, Subscriptions = subscriptions }, canKnock);

        Assert.Equal(best, choice.Strategy);
        Assert.Contains(why, choice.Why, StringComparison.Ordinal);
        Assert.True(WatchAdvice.Works(best, Everything));
    }

    [Fact]
    public void Choose_NothingWorks_SaysWhatWasRefused()
    {
        var choice = WatchAdvice.Choose(new SeenSearches(false, "403", true, true, false, true, false), true);

        Assert.Null(choice.Strategy);
        Assert.Contains("403", choice.Why, StringComparison.Ordinal);
        foreach (var strategy in Enum.GetValues<WatchStrategy>())
            Assert.False(WatchAdvice.Works(strategy, new SeenSearches(false, "403", true, true, false, true, false)));
    }

    [Theory]
    [InlineData("Subscription", null, null, "Watching:Subscription:Endpoint")]
    [InlineData("Subscription", null, null, "Watching:Subscription:Secret")]
    [InlineData("Subscription", "Watching:Subscription:Secret", "short", "Watching:Subscription:Secret")]
    [InlineData("Subscription", "Watching:Subscription:Endpoint", "http://bridge.hospital.example/api/watching/notifications", "Watching:Subscription:Endpoint")]
    [InlineData("Subscription", "Watching:Subscription:Criteria", "Observation?", "Watching:Subscription:Criteria")]
    [InlineData("Subscription", "Watching:Subscription:Id", "7", "Watching:Subscription:Id")]
    [InlineData("LastUpdated", "Watching:Subscription:Endpoint", "https://bridge.hospital.example/n", "Watching:Subscription:Endpoint")]
    [InlineData("BulkExport", null, null, "Watching:Export:Level")]
    [InlineData("LastUpdated", "Watching:Export:Level", "Group", "Watching:Export:Group")]
    [InlineData("LastUpdated", "Watching:Export:Group", "g1", "Watching:Export:Group")]
    public void Read_StrategyWithoutWhatItNeeds_IsAFaultWithACure(string strategy, string? key, string? value, string faulty)
    {
        var settings = new Dictionary<string, string?> { ["Fhir:BaseUrl"] = "https://ehr.hospital.example/fhir", ["Watching:Strategy"] = strategy };
        if (key is not null)
            settings[key] = value;
        var reader = new ConfigurationReader(new ConfigurationBuilder().AddInMemoryCollection(settings).Build(), "/");

        WatchingOptions.Read(reader);

        var fault = reader.Faults.First(fault => fault.Key == faulty);
        Assert.True(fault.Cure.Length > 20);
        Assert.DoesNotContain("short", fault.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_EveryWay_TakesWhatIsWritten()
    {
        var settings = new Dictionary<string, string?>
        {
            ["Fhir:BaseUrl"] = "https://ehr.hospital.example/fhir",
            ["Watching:Strategy"] = "Subscription",
            ["Watching:Subscription:Endpoint"] = "https://bridge.hospital.example/api/watching/notifications",
            ["Watching:Subscription:Secret"] = new string('x', 32),
            ["Watching:Subscription:Topic"] = "http://hl7.org/SubscriptionTopic/encounter-complete",
            ["Watching:Export:Level"] = "Group",
            ["Watching:Export:Group"] = "g-7",
        };
        var reader = new ConfigurationReader(new ConfigurationBuilder().AddInMemoryCollection(settings).Build(), "/");

        var options = WatchingOptions.Read(reader);

        Assert.Empty(reader.Faults);
        Assert.Equal((WatchStrategy.Subscription, "", "Group/g-7/$export", TimeSpan.FromHours(24)), (options.Strategy, options.Subscription!.Criteria, options.Export!.Path, options.Export.Interval));
    }
}
