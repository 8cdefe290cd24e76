using System.Text.Json;
using Bridge.Ledger;
using Xunit;

namespace Bridge.FlowTests.Ledger;

/// <summary>Reads the contract's typed refusals out of what the gateway said.</summary>
internal static class Refused
{
    /// <summary>The refusal's code; the peers' own words where it was no refusal of the contract; null where nothing was refused.</summary>
    public static async Task<string?> ByAsync(Func<Task> call)
    {
        try
        {
            await call();
            return null;
        }
        catch (GatewayException failure)
        {
            var texts = failure.Details.Select(detail => detail.Message).Append(failure.Status).ToList();
            foreach (var text in texts)
            {
                var start = text.IndexOf("{\"refusal\":", StringComparison.Ordinal);
                if (start < 0)
                {
                    continue;
                }

                using var document = JsonDocument.Parse(text[start..(text.LastIndexOf('}') + 1)]);
                return document.RootElement.GetProperty("refusal").GetString();
            }

            return string.Join("; ", texts);
        }
        catch (CommitException failure)
        {
            return failure.Code.ToString();
        }
    }

    public static async Task WithAsync(string code, Func<Task> call) => Assert.Equal(code, await ByAsync(call));
}
