namespace Bridge.Sandbox.Setup;

/// <summary>The checkout that the Sandbox runs in: the contract, the FHIR server and the samples are its files.</summary>
internal sealed class Checkout
{
    private Checkout(string root) => Root = root;

    public string Root { get; }

    public string Contract => Path.Combine(Root, "chaincode", "summaries");

    public string FhirServer => Path.Combine(Root, "src", "Bridge.Sandbox", "fhir-server");

    public string Samples => Path.Combine(Root, "fhir-samples");

    /// <summary>Looks upwards from where this program lies.</summary>
    /// <exception cref="SandboxException">There is none: the program was copied away.</exception>
    public static Checkout Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Bridge.sln")))
            {
                return new Checkout(folder.FullName);
            }
        }

        throw new SandboxException($"No checkout of Bridge above {AppContext.BaseDirectory}: run the Sandbox from one (dotnet run --project src/Bridge.Sandbox).");
    }
}
