import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { newHost, TestFabric } from './helpers/fabric';
import { accepted, refused, World } from './helpers/world';

interface Metadata {
  readonly contracts: Record<string, { readonly transactions: readonly { readonly name: string; readonly tag: readonly string[]; readonly parameters?: readonly { name: string; schema: { type: string } }[] }[] }>;
}

/** The functions of the interface and how many public arguments each takes. Nothing private is an argument. */
const updates = {
  InitConsortium: 1, ProposeHospital: 1, ApproveHospital: 3, ProposeDoctor: 1, ConfirmDoctor: 1, RevokeDoctor: 1, PublishStatus: 1, RequestEnrolment: 1, EnrolPatient: 1,
  DiscardRequests: 1, AnchorSummaries: 1, RetractSummary: 1, EraseSummary: 1, WithdrawConsent: 1, SweepIndex: 1,
};
const reads = {
  ReadConsortium: 0, ReadHospital: 1, ReadDoctor: 0, ListDoctors: 1, ReadStatus: 2, ReadSummary: 1, ReadSummaries: 1, ListSummaries: 1, ReadEnrolments: 1, ReadPatient: 1, ReadEvents: 1,
};

test('Reads are evaluate-only in the metadata, updates are submitted, and there is nothing else', () => {
  const { transactions } = (newHost() as unknown as { metadata: Metadata }).metadata.contracts['summaries'] ?? assert.fail('no contract');
  assert.deepEqual(transactions.map((one) => one.name).sort(), [...Object.keys(updates), ...Object.keys(reads)].sort());
  for (const { name, tag, parameters } of transactions) {
    assert.deepEqual(tag, name in reads ? ['EVALUATE'] : ['SUBMIT', 'submitTx'], name);
    assert.equal(parameters?.length ?? 0, { ...updates, ...reads }[name as keyof typeof updates], name);
    for (const parameter of parameters ?? []) assert.equal(parameter.schema.type, 'string', `${name}.${parameter.name}: everything public is text`);
  }
});

test('A read writes nothing, whoever endorses it', async () => {
  const world = await new World().init();
  const outcome = await accepted(world.read('ReadEnrolments', { after: null, limit: 1 }));
  assert.deepEqual(outcome.writes, []);
  assert.equal(outcome.event, null);
});

test('UNKNOWN_FUNCTION: names that are no function of the contract', async () => {
  const world = await new World().init();
  for (const name of ['Nothing', 'beforeTransaction', 'unknownTransaction', 'createContext', 'constructor', 'toString', '__proto__', 'getName', 'summaries:Nothing', 'other:ReadConsortium', 'constructor:x', '__proto__:x', ':ReadConsortium', 'org.hyperledger.fabric:Other', 'ReadConsortium '])
    await refused(world.fabric.evaluate({ caller: world.a.caller, args: [name] }, 'HospitalAMSP'), 'UNKNOWN_FUNCTION');
  await accepted(world.fabric.evaluate({ caller: world.a.caller, args: ['summaries:ReadConsortium'] }, 'HospitalAMSP'));
  await accepted(world.fabric.evaluate({ caller: world.a.caller, args: ['org.hyperledger.fabric:GetMetadata'] }, 'HospitalAMSP'));
});

test('BAD_INPUT: too few or too many public arguments', async () => {
  const world = await new World().init();
  for (const args of [['ReadSummary'], ['ReadSummary', 'HospitalAMSP', 'more'], ['ReadConsortium', 'x'], ['ApproveHospital', 'a', '1']])
    await refused(world.fabric.evaluate({ caller: world.a.caller, args }, 'HospitalAMSP'), 'BAD_INPUT');
});

test('The peer\'s message is exactly the refusal', async () => {
  const fabric = new TestFabric(['HospitalAMSP', 'HospitalBMSP'], 'PortalMSP');
  const { message } = await fabric.evaluate({ caller: new World().a.caller, args: ['ReadConsortium'] }, 'HospitalAMSP');
  assert.equal(message, '{"refusal":"NOT_INITIALISED","detail":"InitConsortium has not been called"}');
});

test('INTERNAL: a creator that the library cannot read, or any other fault, is told without its words', async () => {
  const world = await new World().init();
  const broken = await world.fabric.evaluate({ caller: { msp: 'HospitalAMSP', der: Buffer.from('secret') }, args: ['ReadConsortium'] }, 'HospitalAMSP');
  assert.equal(broken.refusal, 'INTERNAL');
  assert.ok(!broken.message.includes('secret'));
  world.fabric.publicState.set('consortium', Buffer.from('{"hospitals":null}'));
  await refused(world.fabric.evaluate({ caller: world.a.caller, args: ['ReadHospital', 'HospitalAMSP'] }, 'HospitalAMSP'), 'INTERNAL');
});

test('The process prints no input, key or result, whatever level it is started with', () => {
  const script = `
    const { World } = require('./helpers/world');
    (async () => {
      const world = await new World().init();
      const doctor = await world.doctor();
      const patient = await world.patient();
      const id = await world.anchored(patient, doctor);
      await world.read('ReadSummary', { id });
      await world.read('ReadSummary', { id: 'not a handle' });
      await world.erase(patient, id);
      console.log(JSON.stringify({ secrets: [patient.pseudonym, patient.patient, patient.consent, patient.index, patient.consentId, id, doctor.handle, 'Dr Ada', 'E11', 'not a handle'] }));
    })();`;
  for (const level of ['', 'DEBUG']) {
    const output = execFileSync(process.execPath, ['-e', script], {
      cwd: join(__dirname), env: { ...process.env, CORE_CHAINCODE_LOGGING_LEVEL: level, UNSILENCED: '1' }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines = output.trim().split('\n');
    const { secrets } = JSON.parse(lines.pop() ?? '') as { secrets: string[] };
    for (const secret of secrets) assert.ok(!lines.join('\n').includes(secret), `${level}: ${secret}`);
  }
});
