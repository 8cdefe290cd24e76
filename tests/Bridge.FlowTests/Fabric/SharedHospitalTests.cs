using Bridge.FlowTests.Hospital;
using Bridge.FlowTests.Volume;
using Xunit;

// The hospital's bridge on real peers, by the tests that run on the development ledger.
namespace Bridge.FlowTests.Fabric;

public sealed class FabricHospitalFixture : HospitalFixture
{
    private readonly FabricLedgerFixture fabric;

    public FabricHospitalFixture()
        : this(new FabricLedgerFixture())
    {
    }

    private FabricHospitalFixture(FabricLedgerFixture fabric)
        : base(fabric) => this.fabric = fabric;

    public override ValueTask InitializeAsync() => Bridge.Sandbox.Parts.FabricPart.IsAvailable ? base.InitializeAsync() : ValueTask.CompletedTask;

    internal FabricHospitalFixture Required()
    {
        fabric.Required();
        return this;
    }
}

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FabricHospitalCollection : ICollectionFixture<FabricHospitalFixture>
{
    public const string Name = "Hospital on Fabric";
}

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricAnchoringTests(FabricHospitalFixture fixture) : AnchoringTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricCoSignTests(FabricHospitalFixture fixture) : CoSignTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricEnrolmentTests(FabricHospitalFixture fixture) : EnrolmentTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricOutageTests(FabricHospitalFixture fixture) : OutageTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricWalkTests(FabricHospitalFixture fixture) : WalkTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricHospitalKillTests(FabricHospitalFixture fixture) : KillTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricAmendmentTests(FabricHospitalFixture fixture) : AmendmentTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricConsentTests(FabricHospitalFixture fixture) : ConsentTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricInstancesTests(FabricHospitalFixture fixture) : InstancesTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricMoveTests(FabricHospitalFixture fixture) : MoveTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricRereadTests(FabricHospitalFixture fixture) : RereadTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricRetractionTests(FabricHospitalFixture fixture) : RetractionTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricTokenTests(FabricHospitalFixture fixture) : TokenTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricWriteBackTests(FabricHospitalFixture fixture) : WriteBackTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricHospitalCollection.Name)]
public sealed class FabricLedgerGoneTests(FabricHospitalFixture fixture) : LedgerGoneTests(fixture.Required());
