import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest, tombOf } from '../src/rules/encoding';
import type { JsonObject, JsonValue } from '../src/rules/json';
import { eitherPolicy, peerPolicy } from '../src/rules/policy';
import { callerOf, type Write } from './helpers/fabric';
import { compact, dual, handleOf, saltOf } from './helpers/pki';
import { accepted, refused, World, type DoctorSetup, type PatientSetup } from './helpers/world';

async function scene(): Promise<{ world: World; doctor: DoctorSetup; patient: PatientSetup; id: string }> {
  const world = await new World().init();
  const doctor = await world.doctor();
  const patient = await world.patient();
  return { world, doctor, patient, id: await world.anchored(patient, doctor) };
}
const s = 's_HospitalAMSP';
const w = 'w_HospitalAMSP';
const put = (key: string, value: JsonObject): Write => ({ kind: 'put', collection: s, key, value: Buffer.from(JSON.stringify(value)) });
const lock = (key: string): Write => ({ kind: 'policy', collection: s, key, value: peerPolicy(1, ['PortalMSP']) });

test('A doctor and the bridge retract a summary', async () => {
  const { world, doctor, id } = await scene();
  const input = world.retraction(id, doctor);
  const outcome = await accepted(world.retract(input));
  assert.equal(outcome.payload, 'RETRACTED');
  assert.deepEqual(JSON.parse(outcome.event?.payload ?? ''), [{ event: input['event'], status: 'RETRACTED' }]);
  assert.equal(world.fabric.value(s, `sum/${id}`), null);
  assert.equal((JSON.parse(world.fabric.value(w, `tomb/${tombOf(id)}`)?.toString() ?? '') as JsonObject)['reason'], 'RETRACTED');
  await refused(world.retract(world.retraction(id, doctor)), 'ERASED');
});

test('RetractSummary refuses', async () => {
  const { world, doctor, id } = await scene();
  const { a, b } = world;
  await refused(world.retract(world.retraction(handleOf(), doctor)), 'NOT_FOUND');
  await refused(world.retract(world.retraction(id, doctor, { id: handleOf() })), 'BAD_INPUT');
  const envelope = world.retraction(id, doctor)['retraction'] as JsonObject;
  await refused(world.retract(world.retraction(id, doctor, { retraction: { ...envelope, more: 1 } })), 'UNKNOWN_MEMBER');
  const payload = { v: 1, hospital: a.msp, id, reason: 'WRONG_PATIENT' };
  await refused(world.retract(world.retraction(id, doctor, { retraction: dual(payload, doctor.identity, a.bridge) })), 'WRONG_TYP');
  await refused(world.retract(world.retraction(id, doctor, { retraction: dual({ ...payload, hospital: b.msp }, doctor.identity, a.bridge, 'bridge-retraction+json') })), 'WRONG_HOSPITAL');
  await refused(world.retract(world.retraction(id, doctor, { retraction: dual({ ...payload, reason: 'x' }, doctor.identity, a.bridge, 'bridge-retraction+json') })), 'SCHEMA');
  await refused(world.retract(world.retraction(id, doctor, { retraction: dual(payload, doctor.identity, a.newBridge(), 'bridge-retraction+json') })), 'BRIDGE_NOT_CREATOR');
  await refused(world.retract(world.retraction(id, doctor, { retraction: dual(payload, a.bridge, a.bridge, 'bridge-retraction+json') })), 'SAME_KEY');
  await refused(world.retract(world.retraction(id, doctor, { doctors: {} })), 'DOCTOR_UNKNOWN');
  const elsewhere = await world.doctor(b);
  await refused(world.retract(world.retraction(id, elsewhere)), 'DOCTOR_OF_OTHER_HOSPITAL');
  const input = world.retraction(id, doctor);
  const text = JSON.stringify(input).replace('"retraction":{', '"retraction":{"payload":"",');
  await refused(world.fabric.submit({ caller: a.caller, args: ['RetractSummary', a.msp], inputText: text, endorsers: world.pair(a) }), 'DUPLICATE_MEMBER');
  await refused(world.fabric.submit({ caller: world.portalCaller, args: ['RetractSummary', a.msp], input, endorsers: world.pair(a) }), 'NOT_BRIDGE');
  world.fabric.tamper([lock(`sum/${id}`)], ['PortalMSP']);
  await refused(world.retract(world.retraction(id, doctor)), 'LOCKED');
});

test('A patient erases one summary through either organisation alone', async () => {
  const { world, doctor, patient, id } = await scene();
  assert.equal((await accepted(world.erase(patient, id, world.portalCaller))).payload, 'ERASED');
  const second = await world.anchored(patient, doctor);
  assert.equal((await accepted(world.erase(patient, second, world.a.caller))).payload, 'ERASED');
  assert.deepEqual(world.fabric.keys(s, 'sum/'), []);
  assert.deepEqual(world.fabric.policy(w, `tomb/${tombOf(id)}`), { needed: 2, organisations: ['HospitalAMSP', 'PortalMSP'] });
  assert.equal(world.fabric.tamper([{ kind: 'purge', collection: w, key: `tomb/${tombOf(id)}` }], ['PortalMSP']), false, 'neither can take the tombstone away');
  assert.equal(world.fabric.tamper([put(`sum/${id}`, {})], ['PortalMSP']), false, 'nor bring the body back');
});

test('EraseSummary refuses', async () => {
  const { world, patient, id, doctor } = await scene();
  const other = await world.patient();
  await refused(world.erase(patient, handleOf()), 'NOT_FOUND');
  await refused(world.erase(patient, id, world.portalCaller, { erasure: 'x' }), 'BAD_ERASURE');
  await refused(world.erase(other, id), 'BAD_ERASURE');
  await refused(world.erase(patient, id, world.portalCaller, { erasure: world.erasure(patient, handleOf()) }), 'BAD_ERASURE');
  await refused(world.erase(patient, id, world.portalCaller, { erasure: world.erasure(patient, id, { hospital: 'HospitalBMSP' }) }), 'BAD_ERASURE');
  await refused(world.erase(patient, id, world.portalCaller, { erasure: compact('bridge-withdrawal+jws', { v: 1, hospital: patient.hospital, consentId: patient.consentId }, patient.keys) }), 'BAD_ERASURE');
  await refused(world.erase(patient, id, world.b.caller), 'NOT_BRIDGE');
  await refused(world.erase(patient, id, callerOf(world.a.msp, world.a.newBridge())), 'NOT_BRIDGE');
  await accepted(world.erase(patient, id));
  await refused(world.erase(patient, id), 'ERASED');
  const locked = await world.anchored(patient, doctor);
  world.fabric.tamper([lock(`sum/${locked}`)], ['PortalMSP']);
  await refused(world.erase(patient, locked, world.a.caller), 'LOCKED');
});

test('An erasure reaches a body that was overwritten (FORGED) when the patient\'s index is named', async () => {
  const { world, patient, id } = await scene();
  const stranger = await world.patient();
  assert.equal(world.fabric.tamper([put(`sum/${id}`, { v: 1, kind: 'summary', index: stranger.index })], ['PortalMSP']), true);
  await refused(world.erase(stranger, id, world.portalCaller), 'FORGED');
  await refused(world.erase(stranger, id, world.portalCaller, { index: stranger.index }), 'FORGED');
  await refused(world.erase(stranger, id, world.portalCaller, { index: patient.index }), 'BAD_ERASURE');
  await accepted(world.erase(patient, id, world.a.caller, { index: patient.index }));
  assert.equal(world.fabric.value(s, `sum/${id}`), null);
});

test('An erasure purges the body that someone hid behind a tombstone of his own', async () => {
  const { world, patient, id } = await scene();
  const key = `tomb/${tombOf(id)}`;
  assert.equal(world.fabric.tamper([{ kind: 'put', collection: w, key, value: Buffer.from('{}') }], ['PortalMSP']), true);
  await refused(world.read('ReadSummary', { id }), 'ERASED');
  await accepted(world.erase(patient, id, world.a.caller));
  assert.equal(world.fabric.value(s, `sum/${id}`), null);
  assert.equal(world.fabric.policy(w, key)?.needed, 2, 'and seals it');
});

test('A withdrawal purges everything listed and seals one tombstone', async () => {
  const { world, patient, id } = await scene();
  const outcome = await accepted(world.withdraw(patient, world.portalCaller, { withdrawal: world.withdrawal(patient) }));
  assert.equal(outcome.payload, '{"locked":0,"status":"WITHDRAWN"}');
  for (const key of [`sum/${id}`, `con/${patient.consent}`, `pat/${patient.patient}`]) assert.equal(world.fabric.value(s, key), null, key);
  assert.notEqual(world.fabric.value(s, `idx/${patient.index}`), null, 'the index stays: one organisation cannot write it');
  assert.equal(world.fabric.policy(w, `tomb/${tombOf(patient.consent)}`)?.needed, 2);
  const read = JSON.parse((await accepted(world.read('ReadPatient', { index: patient.index }))).payload) as JsonObject;
  assert.deepEqual([read['patient'], read['consent'], read['withdrawn'], read['entries']], [null, null, true, [{ id, state: 'ERASED' }]]);
  const [event] = JSON.parse(outcome.event?.payload ?? '') as JsonObject[];
  const told = JSON.parse((await accepted(world.read('ReadEvents', { events: [event?.['event'] as string] }))).payload) as JsonObject[];
  assert.deepEqual(told[0], { event: event?.['event'], what: 'consent', handle: patient.index, status: 'WITHDRAWN' });
  assert.equal((await accepted(world.withdraw(patient))).payload, '{"locked":0,"status":"WITHDRAWN"}', 'once more changes nothing');
});

test('WithdrawConsent refuses', async () => {
  const { world, patient } = await scene();
  const other = await world.patient();
  await refused(world.withdraw(patient, world.portalCaller, { index: handleOf() }), 'INDEX_UNKNOWN');
  await refused(world.withdraw(patient, world.portalCaller, { withdrawal: 'x' }), 'BAD_WITHDRAWAL');
  await refused(world.withdraw(patient, world.portalCaller, { withdrawal: world.withdrawal(other) }), 'BAD_WITHDRAWAL');
  await refused(world.withdraw(patient, world.portalCaller, { withdrawal: world.withdrawal(patient, { consentId: handleOf() }) }), 'BAD_WITHDRAWAL');
  await refused(world.withdraw(patient, world.portalCaller, { withdrawal: world.withdrawal(patient, { hospital: 'HospitalBMSP' }) }), 'BAD_WITHDRAWAL');
  await refused(world.withdraw(patient, world.b.caller), 'NOT_BRIDGE');
  await refused(world.withdraw(patient, callerOf(world.a.msp, world.a.newBridge())), 'NOT_BRIDGE');
});

test('A withdrawal goes on in steps of 256, skips locked bodies and says how many', async () => {
  const { world, patient, id } = await scene();
  const index = JSON.parse(world.fabric.value(s, `idx/${patient.index}`)?.toString() ?? '') as JsonObject;
  const more: JsonValue[] = [];
  const writes: Write[] = [];
  for (let i = 0; i < 300; i++) {
    const key = `sum/${handleOf()}`;
    more.push([key, digest('x')]);
    writes.push(put(key, {}), { kind: 'policy', collection: s, key, value: eitherPolicy('HospitalAMSP', 'PortalMSP') });
  }
  const page = handleOf();
  writes.push(put(`page/${page}`, { v: 1, kind: 'page', salt: saltOf(), next: null, entries: more }), put(`idx/${patient.index}`, { ...index, next: page }));
  assert.equal(world.fabric.tamper(writes, ['HospitalAMSP', 'PortalMSP']), true);
  world.fabric.tamper([lock(`sum/${id}`)], ['PortalMSP']);
  const first = await accepted(world.withdraw(patient, world.a.caller));
  assert.equal(first.payload, '{"locked":1,"status":"MORE"}');
  assert.equal(first.writes.filter((write) => write.kind === 'purge').length, 256);
  assert.equal((await accepted(world.withdraw(patient, world.a.caller))).payload, '{"locked":1,"status":"WITHDRAWN"}');
  assert.deepEqual(world.fabric.keys(s, 'sum/'), [`sum/${id}`]);
  await refused(world.read('ReadSummary', { id }), 'WITHDRAWN');

  const sweep = (): ReturnType<typeof world.withdraw> => world.fabric.submit({ caller: world.a.caller, args: ['SweepIndex', world.a.msp], input: { index: patient.index }, endorsers: world.pair(world.a) });
  assert.equal((await accepted(sweep())).payload, 'SWEPT');
  for (const prefix of ['sum/', 'idx/', 'page/', 'con/', 'pat/']) assert.deepEqual(world.fabric.keys(s, prefix), [], prefix);
  assert.equal(world.fabric.keys(w, 'tomb/').length, 1);
  await refused(sweep(), 'INDEX_UNKNOWN');
});

test('SweepIndex: both organisations, and only after a withdrawal', async () => {
  const { world, patient } = await scene();
  const sweep = (caller = world.a.caller, endorsers = world.pair(world.a)): ReturnType<typeof world.withdraw> => world.fabric.submit({ caller, args: ['SweepIndex', world.a.msp], input: { index: patient.index }, endorsers });
  await refused(sweep(), 'NOT_WITHDRAWN');
  await refused(sweep(world.b.caller), 'NOT_BRIDGE');
  await accepted(world.withdraw(patient));
  await assert.rejects(sweep(world.a.caller, [world.a.msp]), /ENDORSEMENT_POLICY_FAILURE/);
  await accepted(sweep(world.portalCaller));
});

test('After a withdrawal the same person may consent anew, under new handles', async () => {
  const { world, doctor, patient } = await scene();
  await accepted(world.withdraw(patient));
  const again = await world.patient(world.a, patient.keys);
  assert.equal(again.pseudonym, patient.pseudonym);
  await world.anchored(again, doctor);
  await refused(world.anchorAll([world.item({ ...again, consent: patient.consent }, doctor).item], world.doctors(doctor)), 'CONSENT_WITHDRAWN');
});

test('A tombstone that someone wrote in advance, unsealed, is sealed by the withdrawal', async () => {
  const { world, patient } = await scene();
  const key = `tomb/${tombOf(patient.consent)}`;
  world.fabric.tamper([{ kind: 'put', collection: w, key, value: Buffer.from('{}') }], ['HospitalAMSP']);
  await accepted(world.withdraw(patient, world.portalCaller));
  assert.equal(world.fabric.tamper([{ kind: 'purge', collection: w, key }], ['HospitalAMSP']), false);
});

test('A tombstone that someone wrote in advance under a policy of his own is reported by the withdrawal and sealed by the sweep', async () => {
  for (const owner of ['HospitalAMSP', 'PortalMSP']) {
    const { world, patient } = await scene();
    const key = `tomb/${tombOf(patient.consent)}`;
    world.fabric.tamper([{ kind: 'put', collection: w, key, value: Buffer.from('{}') }, { kind: 'policy', collection: w, key, value: peerPolicy(1, [owner]) }], [owner]);
    assert.equal((await accepted(world.withdraw(patient, owner === 'PortalMSP' ? world.a.caller : world.portalCaller))).payload, '{"locked":1,"status":"WITHDRAWN"}');
    assert.equal(world.fabric.policy(w, key)?.needed, 1);
    const sweep = { caller: world.portalCaller, args: ['SweepIndex', world.a.msp], input: { index: patient.index }, endorsers: world.pair(world.a) };
    assert.equal((await accepted(world.fabric.submit(sweep))).payload, 'SWEPT');
    assert.deepEqual(world.fabric.policy(w, key), { needed: 2, organisations: ['HospitalAMSP', 'PortalMSP'] });
    assert.equal(world.fabric.tamper([{ kind: 'purge', collection: w, key }], [owner]), false);
  }
});

test('A tombstone of a summary under a policy of someone\'s own refuses an erasure by one organisation; a retraction by both seals it', async () => {
  const { world, doctor, patient, id } = await scene();
  const key = `tomb/${tombOf(id)}`;
  world.fabric.tamper([{ kind: 'put', collection: w, key, value: Buffer.from('{}') }, { kind: 'policy', collection: w, key, value: peerPolicy(1, ['PortalMSP']) }], ['PortalMSP']);
  await refused(world.erase(patient, id, world.a.caller), 'LOCKED');
  await accepted(world.retract(world.retraction(id, doctor)));
  assert.equal(world.fabric.value(s, `sum/${id}`), null);
  assert.equal(world.fabric.policy(w, key)?.needed, 2);
});
