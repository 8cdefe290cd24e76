using Bridge.FlowTests.Ledger;
using Xunit;

// The tests of the contract and of the client, as they run on the development ledger, on real peers: where an answer differs, the development ledger is at fault.
namespace Bridge.FlowTests.Fabric;

[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class FabricInsiderTests(FabricLedgerFixture fixture) : InsiderTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class FabricHospitalAloneTests(FabricLedgerFixture fixture) : HospitalAloneTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class FabricTypedFaceTests(FabricLedgerFixture fixture) : TypedFaceTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class FabricBlockStoreTests(FabricLedgerFixture fixture) : BlockStoreTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class FabricOverloadTests(FabricLedgerFixture fixture) : OverloadTests(fixture.Required());

[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class FabricLedgerCheckTests(FabricLedgerFixture fixture) : LedgerCheckTests(fixture.Required());
