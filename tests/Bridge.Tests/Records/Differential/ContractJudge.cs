using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Bridge.Tests.Records.Differential;

/// <summary>The contract's own rules in a Node process: <c>chaincode/summaries/test/helpers/judge.ts</c>, compiled anew where its sources are newer.</summary>
internal sealed class ContractJudge : IAsyncDisposable
{
    private static readonly string Folder = Path.Combine(HouseTests.FindRoot(), "chaincode", "summaries");
    private static readonly SemaphoreSlim Compiling = new(1);

    private readonly Process _process;

    private ContractJudge(Process process) => _process = process;

    public static async Task<ContractJudge> StartAsync(CancellationToken ct)
    {
        var script = Path.Combine(Folder, "build-test", "test", "helpers", "judge.js");
        await Compiling.WaitAsync(ct);
        try
        {
            if (!File.Exists(script) || Sources().Any(source => File.GetLastWriteTimeUtc(source) > File.GetLastWriteTimeUtc(script)))
            {
                using var compiler = Run(Path.Combine("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.test.json");
                var said = await compiler.StandardOutput.ReadToEndAsync(ct);
                await compiler.WaitForExitAsync(ct);
                if (compiler.ExitCode != 0)
                    throw new InvalidOperationException($"the contract's tests do not compile (npm ci in chaincode/summaries?):\n{said}");
            }
        }
        finally
        {
            Compiling.Release();
        }
        return new ContractJudge(Run(script));
    }

    /// <summary>What the contract says of each vector, in their order.</summary>
    public async Task<IReadOnlyList<JsonObject>> JudgeAsync(IReadOnlyList<JsonObject> vectors, CancellationToken ct)
    {
        var writing = Task.Run(
            async () =>
            {
                foreach (var vector in vectors)
                    await _process.StandardInput.WriteLineAsync(vector.ToJsonString().AsMemory(), ct);
                await _process.StandardInput.FlushAsync(ct);
            },
            ct);
        var answers = new List<JsonObject>(vectors.Count);
        while (answers.Count < vectors.Count)
        {
            var line = await _process.StandardOutput.ReadLineAsync(ct) ?? throw new InvalidOperationException($"the contract's judge ended at vector {answers.Count}");
            answers.Add(JsonNode.Parse(line)!.AsObject());
        }
        await writing;
        return answers;
    }

    private static IEnumerable<string> Sources() =>
        new[] { "src", "test" }.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Folder, folder), "*.ts", SearchOption.AllDirectories));

    private static Process Run(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo("node") { WorkingDirectory = Folder, RedirectStandardInput = true, RedirectStandardOutput = true };
        start.ArgumentList.Add(script);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
        }
        _process.Dispose();
    }
}
