using Bridge.Hospital.CoSign;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>Whose turn it is. Doctors are letters; <c>A>B</c> = A is away and named B.</summary>
public class TurnRuleTests
{
    private static readonly TurnOptions Options = new(TimeSpan.FromDays(2), TimeSpan.FromDays(7), true, TimeSpan.FromMinutes(1));

    [Theory]
    [InlineData("A>B", "B", "", "B")]
    [InlineData("A>B B>C", "C", "", "C")]
    [InlineData("A>B B>C C>D", "B C D", "", "D")]
    [InlineData("A>B B>A", "A B", "", null)]
    [InlineData("A>B B>C C>B", "A B C", "", null)]
    [InlineData("A>A", "A", "", null)]
    [InlineData("A>B", "C", "", null)]
    [InlineData("A>B B>C", "B", "", null)]
    [InlineData("A>B", "B", "B", null)]
    [InlineData("A>B B>C", "B C", "B", "C")]
    [InlineData("B>C", "A B C", "", null)]
    public void StandIn_ChainsCirclesAndThoseWhoMayNot_EndsAtOneWhoMayOrAtNobody(string away, string maySign, string refused, string? expected) =>
        Assert.Equal(expected, TurnRules.StandIn("A", Presences(away, maySign), Set(refused)));

    [Theory]
    // holder, for, why, away, may sign: what happens
    [InlineData("A", null, null, "", "A B", "Stay")]
    [InlineData("A", null, null, "A>B", "A B", "Hand B for A Absent")]
    [InlineData("B", "A", "Absent", "A>B", "A B", "Stay")]
    [InlineData("B", "A", "Absent", "A>C", "A B C", "Hand C for A Absent")]
    [InlineData("B", "A", "Absent", "A>B B>C", "A B C", "Hand C for A Absent")]
    [InlineData("B", "A", "Absent", "A>B", "A", "Hand operator for A Absent")]
    [InlineData(null, "A", "Absent", "A>B", "A", "Stay")]
    [InlineData(null, "A", "Absent", "A>B", "A B", "Hand B for A Absent")]
    [InlineData("B", "A", "Absent", "", "A B", "Hand A")]
    [InlineData(null, "A", "Absent", "", "A", "Hand A")]
    [InlineData("B", "A", "Absent", "", "B", "Stay")]
    [InlineData("B", "A", "Absent", "B>C", "B C", "Hand C for B Absent")]
    [InlineData(null, "A", "Absent", "", "B", "Stay")]
    [InlineData("B", "A", "Waited", "", "A B", "Stay")]
    [InlineData("B", "A", "Waited", "B>C", "A B C", "Hand C for B Absent")]
    [InlineData("B", "A", "Waited", "A>C", "A B C", "Stay")]
    [InlineData(null, "A", "Waited", "", "A B", "Stay")]
    [InlineData(null, null, null, "A>B", "A B", "Stay")]
    public void Decide_Absence_HandsOverAndBack(string? holder, string? home, string? why, string away, string maySign, string expected) =>
        Assert.Equal(expected, Text(TurnRules.Decide(Work(holder, home, why, 0), Presences(away, maySign), Options, TestStore.Now)));

    [Theory]
    [InlineData("A", null, null, 1, false, "Stay")]
    [InlineData("A", null, null, 2, false, "Remind")]
    [InlineData("A", null, null, 6, true, "Stay")]
    [InlineData("A", null, null, 7, true, "Hand C for A Waited")]
    [InlineData("A", null, null, 700, false, "Hand C for A Waited")]
    // From one who got it in the first one's place: never back, and an operator the second time.
    [InlineData("B", "A", "Waited", 7, true, "Hand operator for A Waited")]
    [InlineData("C", "A", "Absent", 7, true, "Hand B for A Waited")]
    [InlineData(null, "A", "Waited", 700, true, "Stay")]
    public void Decide_Waiting_RemindsThenPassesOn(string? holder, string? home, string? why, int days, bool reminded, string expected) =>
        Assert.Equal(expected, Text(TurnRules.Decide(
            Work(holder, home, why, days) with { Reminded = reminded, Others = ["A", "X", "C", "B"] }, Presences(why == "Absent" ? "A>C" : "", "A B C"), Options, TestStore.Now)));

    [Theory]
    [InlineData("C", "", "", true, "Hand C for A Waited")]
    [InlineData("", "", "", true, "Hand operator for A Waited")]
    [InlineData("C", "C", "", true, "Hand operator for A Waited")]
    [InlineData("C", "", "C>A", true, "Hand operator for A Waited")]
    [InlineData("C", "", "", false, "Hand operator for A Waited")]
    public void Decide_WaitedTooLong_NeverGoesToOneWhoMayNotSign(string maySign, string refused, string away, bool toColleague, string expected) =>
        Assert.Equal(expected, Text(TurnRules.Decide(
            Work("A", null, null, 8) with { Others = ["A", "C"], Refused = Set(refused) }, Presences(away, maySign), Options with { ToColleague = toColleague }, TestStore.Now)));

    [Theory]
    // whom she named, who may sign, who said no, who is away: what happens
    [InlineData("A>D", "A C D", "", "", true, "Hand C for A Waited")]
    [InlineData("A>D", "A D", "", "", true, "Hand D for A Waited")]
    [InlineData("A>D", "A C D", "C", "", true, "Hand D for A Waited")]
    [InlineData("A>D", "A D", "D", "", true, "Hand operator for A Waited")]
    [InlineData("A>D", "A", "", "", true, "Hand operator for A Waited")]
    [InlineData("A>D", "A D E", "", "D>E", true, "Hand operator for A Waited")]
    [InlineData("A>D", "A D", "", "", false, "Hand operator for A Waited")]
    [InlineData("B>D", "A D", "", "", true, "Hand operator for A Waited")]
    public void Decide_WaitedTooLongWithAStandingDeputy_ComesAfterThoseWhoKnowThePatient(string standing, string maySign, string refused, string away, bool toColleague, string expected) =>
        Assert.Equal(expected, Text(TurnRules.Decide(
            Work("A", null, null, 8) with { Others = ["A", "C"], Refused = Set(refused) }, Presences(away, maySign, standing), Options with { ToColleague = toColleague }, TestStore.Now)));

    [Fact]
    public void Decide_SwitchedOff_LeavesItWaiting()
    {
        var off = Options with { RemindAfter = TimeSpan.Zero, EscalateAfter = TimeSpan.Zero };

        Assert.Equal("Stay", Text(TurnRules.Decide(Work("A", null, null, 1000), Presences("", "A C"), off, TestStore.Now)));
        Assert.Equal("Remind", Text(TurnRules.Decide(Work("A", null, null, 1000), Presences("", "A C"), Options with { EscalateAfter = TimeSpan.Zero }, TestStore.Now)));
    }

    private static WaitingWork Work(string? holder, string? home, string? why, int days) =>
        new(holder, home, why, holder is null ? null : TestStore.Now.AddDays(-days), false, Set(""), []);

    private static Presences Presences(string away, string maySign, string standing = "") => new(Pairs(away), Set(maySign), Pairs(standing));

    private static Dictionary<string, string> Pairs(string text) =>
        text.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToDictionary(pair => pair.Split('>')[0], pair => pair.Split('>')[1]);

    private static HashSet<string> Set(string names) => [.. names.Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    private static string Text(Turn turn) => turn.Step == TurnStep.Hand
        ? $"Hand {turn.To ?? "operator"}{(turn.For is null ? "" : $" for {turn.For}")}{(turn.Why is null ? "" : $" {turn.Why}")}"
        : turn.Step.ToString();
}
