using Bridge.Fhir.Client;
using Xunit;

namespace Bridge.Tests.Fhir.Client;

public class RetryRuleTests
{
    private static readonly FhirClientOptions Options = new() { BaseUrl = new Uri("http://localhost/") };

    [Fact]
    public void Delay_NothingAsked_DoublesWithJitterUpToTheBound()
    {
        Assert.Equal(250, RetryRule.Delay(null, 1, 0, Options).TotalMilliseconds);
        Assert.Equal(500, RetryRule.Delay(null, 1, 1, Options).TotalMilliseconds);
        Assert.Equal(2000, RetryRule.Delay(null, 3, 1, Options).TotalMilliseconds);
        Assert.Equal(60_000, RetryRule.Delay(null, 1000, 1, Options).TotalMilliseconds);
    }

    [Fact]
    public void Delay_Asked_IsNeverShorterAndBounded()
    {
        Assert.Equal(TimeSpan.FromSeconds(10), RetryRule.Delay(TimeSpan.FromSeconds(10), 5, 0, Options));
        Assert.Equal(TimeSpan.FromSeconds(11), RetryRule.Delay(TimeSpan.FromSeconds(10), 5, 1, Options));
        Assert.Equal(TimeSpan.FromHours(1), RetryRule.Delay(TimeSpan.FromDays(30), 1, 0, Options));
    }

    [Fact]
    public void AskedDelay_RetryAfterDate_CountsFromNow()
    {
        using var response = new HttpResponseMessage();
        var now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        response.Headers.TryAddWithoutValidation("Retry-After", "Thu, 01 Jan 2026 00:02:00 GMT");

        Assert.Equal(TimeSpan.FromMinutes(2), RetryRule.AskedDelay(response.Headers, now));
        Assert.Equal(TimeSpan.Zero, RetryRule.AskedDelay(response.Headers, now.AddHours(1)));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("t=-5")]
    [InlineData("t=99999999999999")]
    public void AskedDelay_Nonsense_AsksForNothing(string value)
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("RateLimit", value);
        response.Headers.TryAddWithoutValidation("Retry-After", value);

        Assert.Null(RetryRule.AskedDelay(response.Headers, default));
    }
}
