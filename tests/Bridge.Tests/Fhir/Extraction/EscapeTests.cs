using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Fhir.Extraction;
using Xunit;

namespace Bridge.Tests.Fhir.Extraction;

/// <summary>JSON may spell any character as an escape, and servers do so with punctuation: slashes, plus signs, quotes.</summary>
public class EscapeTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Extract_PunctuationEscaped_SaysTheSame()
    {
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        var context = new ExtractionContext { Now = Now, RareConsented = true, ConsentedCategories = [.. SensitiveNodes.Categories] };
        foreach (var (_, bundle) in TestFiles.Synthea().Take(8))
        {
            var (plain, escaped) = (BundleFiles.Read(bundle), BundleFiles.Read(Escape(bundle)));

            Assert.Equal(plain.Select(file => Says(extractor.Extract(file, context))), escaped.Select(file => Says(extractor.Extract(file, context))));
        }
    }

    private static string Says(Bridge.Fhir.Extraction.Extraction extraction) => $"{extraction.EncounterId} {extraction.Name} {extraction.ContentDigest} {JsonSerializer.Serialize(extraction.Draft)}";

    // Values only: members' names are told apart by the reader itself.
    private static byte[] Escape(byte[] json)
    {
        var text = new StringBuilder();
        Write(JsonNode.Parse(json));
        return Encoding.UTF8.GetBytes(text.ToString());

        void Write(JsonNode? node)
        {
            switch (node)
            {
                case JsonObject members:
                    text.Append('{');
                    foreach (var (i, (name, value)) in members.Index())
                    {
                        text.Append(i == 0 ? "" : ",").Append('"').Append(name).Append("\":");
                        Write(value);
                    }
                    text.Append('}');
                    break;
                case JsonArray items:
                    text.Append('[');
                    foreach (var (i, item) in items.Index())
                    {
                        text.Append(i == 0 ? "" : ",");
                        Write(item);
                    }
                    text.Append(']');
                    break;
                case JsonValue value when value.TryGetValue<string>(out var said):
                    text.Append('"');
                    foreach (var c in said)
                        if (char.IsAsciiLetterOrDigit(c))
                            text.Append(c);
                        else
                            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    text.Append('"');
                    break;
                default:
                    text.Append(node?.ToJsonString() ?? "null");
                    break;
            }
        }
    }
}
