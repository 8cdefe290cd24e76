import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest, tombOf } from '../src/rules/encoding';
import type { JsonObject, JsonValue } from '../src/rules/json';
import { peerPolicy } from '../src/rules/policy';
import { callerOf } from './helpers/fabric';
import { dual, handleOf, newKeys, saltOf } from './helpers/pki';
import { accepted, now, refused, World, type DoctorSetup, type PatientSetup } from './helpers/world';

interface Scene {
  readonly world: World;
  readonly doctor: DoctorSetup;
  readonly patient: PatientSetup;
  /** Anchors one item and expects a code. */
  readonly expect: (code: string, more?: JsonObject, itemMore?: JsonObject, doctors?: JsonObject) => Promise<void>;
}

async function scene(): Promise<Scene> {
  const world = await new World().init();
  const doctor = await world.doctor();
  const patient = await world.patient();
  const expect = async (code: string, more: JsonObject = {}, itemMore: JsonObject = {}, doctors: JsonObject = world.doctors(doctor)): Promise<void> => {
    const call = world.anchorAll([world.item(patient, doctor, more, itemMore).item], doctors);
    if (code === 'ANCHORED') assert.equal((await accepted(call)).payload, '["ANCHORED"]');
    else await refused(call, code);
  };
  return { world, doctor, patient, expect };
}

test('A batch across patients: an outcome for each item, one event for the transaction', async () => {
  const { world, doctor, patient } = await scene();
  const others = [await world.patient(), await world.patient()];
  const items = [patient, ...others].map((one) => world.item(one, doctor));
  const again = world.item(patient, doctor);
  const strange = world.item(patient, doctor, { hospital: 'HospitalBMSP' });
  const outcome = await accepted(world.anchorAll([...items, again, strange].map(({ item }) => item), world.doctors(doctor)));
  assert.deepEqual(JSON.parse(outcome.payload), ['ANCHORED', 'ANCHORED', 'ANCHORED', 'DUPLICATE_PATIENT', 'WRONG_HOSPITAL']);
  assert.deepEqual(JSON.parse(outcome.event?.payload ?? ''), items.map(({ item }) => ({ event: item['event'], status: 'ANCHORED' })));
  for (const { id } of items) {
    await accepted(world.read('ReadSummary', { id }));
    assert.deepEqual(world.fabric.policy('s_HospitalAMSP', `sum/${id}`), { needed: 1, organisations: ['HospitalAMSP', 'PortalMSP'] });
  }
  await refused(world.read('ReadSummary', { id: again.id }), 'NOT_FOUND');
  assert.equal(outcome.privateReads.has('doctors'), false, 'the doctor is looked at by hash only');
  assert.equal(outcome.privateReads.has('w_HospitalAMSP'), false, 'tombstones too');
});

test('NONE_ANCHORED: a batch of which nothing can be anchored, with the code of each item', async () => {
  const { world, doctor, patient } = await scene();
  const items = [world.item(patient, doctor, { hospital: 'HospitalBMSP' }), world.item(patient, doctor, { period: '2190' })];
  const outcome = await refused(world.anchorAll(items.map(({ item }) => item), world.doctors(doctor)), 'NONE_ANCHORED');
  assert.deepEqual(outcome.items, ['WRONG_HOSPITAL', 'PERIOD_IN_FUTURE']);
  assert.equal(outcome.event, null);
});

test('An item\'s own verification outcome is its refusal', async () => {
  const { world, doctor, patient, expect } = await scene();
  const summary = dual(world.payload(patient), doctor.identity, world.a.bridge);
  await expect('UNKNOWN_MEMBER', {}, { summary: { ...summary, extra: 1 } });
  await expect('SCHEMA', { name: 'Ada' });
  await expect('SAME_KEY', {}, { summary: dual(world.payload(patient), world.a.bridge, world.a.bridge) });
  await expect('BAD_SIGNATURE', {}, { summary: { ...summary, payload: dual(world.payload(patient), doctor.identity, world.a.bridge)['payload'] as string } });
  await expect('TOO_LARGE', {}, { summary: { ...summary, payload: 'A'.repeat(70_000) } });
  await expect('SHAPE_NOT_ENABLED', {}, { summary: { ...summary, signatures: [{ protected: 'x', webauthn: {} }, {}] } });
});

test('DUPLICATE_MEMBER: in one item of a batch, and only that one', async () => {
  const { world, doctor, patient } = await scene();
  const other = await world.patient();
  const items = [world.item(patient, doctor).item, world.item(other, doctor).item];
  const text = JSON.stringify({ doctors: world.doctors(doctor), items });
  const first = text.indexOf('"payload"');
  const bent = `${text.slice(0, first)}"payload":"",${text.slice(first)}`;
  const outcome = await accepted(world.anchorAll([], {}, world.a, { inputText: bent }));
  assert.equal(outcome.payload, '["DUPLICATE_MEMBER","ANCHORED"]');
  await refused(world.anchorAll([], {}, world.a, { inputText: text.replace('"salt"', '"salt":"","salt"') }), 'BAD_INPUT');
  await refused(world.anchorAll([], {}, world.a, { inputText: text.replace('{"doctors"', '{"doctors":{},"doctors"') }), 'BAD_INPUT');
});

test('WRONG_HOSPITAL and BRIDGE_NOT_CREATOR', async () => {
  const { world, doctor, patient, expect } = await scene();
  await expect('WRONG_HOSPITAL', { hospital: world.b.msp });
  await expect('BRIDGE_NOT_CREATOR', {}, { summary: dual(world.payload(patient), doctor.identity, world.a.newBridge()) });
  await expect('BRIDGE_NOT_CREATOR', {}, { summary: dual(world.payload(patient), doctor.identity, world.b.bridge) });
});

test('The doctor: known, fresh, the one that signed, of this hospital, active, within her dates', async () => {
  const { world, doctor, patient, expect } = await scene();
  const { a, fabric } = world;
  await expect('DOCTOR_UNKNOWN', {}, { doctor: handleOf() });
  await expect('DOCTOR_UNKNOWN', {}, {}, {});
  await expect('DOCTOR_STALE', {}, {}, { [doctor.handle]: fabric.value('doctors', `doc/${doctor.handle}`)?.toString().replace('"ACTIVE"', '"ACTIVE "') ?? '' });
  const colleague = await world.doctor();
  await expect('DOCTOR_MISMATCH', {}, { doctor: colleague.handle }, world.doctors(colleague));
  const elsewhere = await world.doctor(world.b);
  await refused(world.anchorAll([world.item(patient, elsewhere).item], world.doctors(elsewhere)), 'DOCTOR_OF_OTHER_HOSPITAL');
  const pending = await world.proposed();
  await refused(world.anchorAll([world.item(patient, pending).item], world.doctors(pending)), 'DOCTOR_PENDING');

  const before = world.doctors(doctor);
  await accepted(world.directoryCall(a.caller, ['RevokeDoctor', a.msp], { handle: doctor.handle, revocation: world.revocation(doctor, doctor.identity), salt: saltOf() }));
  await expect('DOCTOR_STALE', {}, {}, before);
  await expect('DOCTOR_REVOKED');

  const brief = await world.doctor(a, a.office('doctor', 'Dr Locum', newKeys(), now() - 100, now() + 60));
  await accepted(world.anchorAll([world.item(patient, brief).item], world.doctors(brief)));
  await refused(world.anchorAll([world.item(patient, brief).item], world.doctors(brief), a, { time: now() + 100 }), 'DOCTOR_EXPIRED');
  await refused(world.anchorAll([world.item(patient, brief).item], world.doctors(brief), a, { time: now() - 200 }), 'DOCTOR_EXPIRED');
});

test('DOCTOR_UNKNOWN: a handle that is a member of every object', async () => {
  const { world, doctor, patient } = await scene();
  const { item } = world.item(patient, doctor);
  await refused(world.anchorAll([{ ...item, doctor: 'hasOwnPropertyAAAAAAAA' }], world.doctors(doctor)), 'DOCTOR_UNKNOWN');
});

test('PERIOD_IN_FUTURE: month, quarter and year that have not begun', async () => {
  const { expect } = await scene();
  const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000);
  const later = inDays(40);
  const quarter = inDays(100);
  await expect('PERIOD_IN_FUTURE', { period: later.toISOString().slice(0, 7) });
  await expect('PERIOD_IN_FUTURE', { period: `${String(quarter.getUTCFullYear())}-Q${String(Math.floor(quarter.getUTCMonth() / 3) + 1)}` });
  await expect('PERIOD_IN_FUTURE', { period: String(new Date().getUTCFullYear() + 1) });
  await expect('ANCHORED', { period: new Date().toISOString().slice(0, 7) });
  await expect('ANCHORED', { period: String(new Date().getUTCFullYear()) });
});

test('The consent: known, the listed one, of this patient, not over, not withdrawn', async () => {
  const { world, doctor, patient, expect } = await scene();
  const other = await world.patient();
  await expect('CONSENT_UNKNOWN', {}, { consent: handleOf() });
  await expect('CONSENT_MISMATCH', {}, { consent: other.consent });
  const ending = await world.patient(world.a, newKeys(), { exp: new Date().toISOString().slice(0, 10) });
  const real = Date.now;
  const tomorrow = (Math.floor(now() / 86400) + 1) * 86400;
  Date.now = () => tomorrow * 1000;
  try {
    await refused(world.anchorAll([world.item(ending, doctor).item], world.doctors(doctor), world.a, { time: tomorrow }), 'CONSENT_EXPIRED');
  } finally {
    Date.now = real;
  }
  await accepted(world.withdraw(other));
  await refused(world.anchorAll([world.item(other, doctor).item], world.doctors(doctor)), 'CONSENT_WITHDRAWN');

  const key = `con/${patient.consent}`;
  const stored = JSON.parse(world.fabric.value('s_HospitalAMSP', key)?.toString() ?? '') as JsonObject;
  const third = await world.patient();
  for (const value of [{ ...stored, exp: '2199-12-31' }, { ...stored, index: third.index }, { ...stored, index: 1 }, { ...stored, index: handleOf() }, { kind: 'other' }]) {
    assert.equal(world.fabric.tamper([{ kind: 'put', collection: 's_HospitalAMSP', key, value: Buffer.from(JSON.stringify(value)) }], ['HospitalAMSP']), true);
    await expect('CONSENT_FORGED');
  }
});

test('ID_IN_USE and ID_RETIRED: an id is used once, whoever names it', async () => {
  const { world, doctor, patient, expect } = await scene();
  const id = await world.anchored(patient, doctor);
  await expect('ID_IN_USE', { id });
  const other = await world.patient();
  await refused(world.anchorAll([world.item(other, doctor, { id }).item], world.doctors(doctor)), 'ID_IN_USE');
  await accepted(world.erase(patient, id));
  await expect('ID_RETIRED', { id });
  await refused(world.anchorAll([world.item(other, doctor, { id }).item], world.doctors(doctor)), 'ID_RETIRED');

  // purged by one organisation without a tombstone: still listed, so still used
  const silent = await world.anchored(patient, doctor);
  assert.equal(world.fabric.tamper([{ kind: 'purge', collection: 's_HospitalAMSP', key: `sum/${silent}` }], ['PortalMSP']), true);
  await expect('ID_RETIRED', { id: silent });

  const twice = handleOf();
  const batch = await accepted(world.anchorAll([world.item(patient, doctor, { id: twice }).item, world.item(other, doctor, { id: twice }).item], world.doctors(doctor)));
  assert.equal(batch.payload, '["ANCHORED","ID_IN_USE"]');
});

test('A summary supersedes a live one of the same patient, whose body is purged', async () => {
  const { world, doctor, patient, expect } = await scene();
  const old = await world.anchored(patient, doctor);
  const { id, item } = world.item(patient, doctor, { supersedes: old }, world.superseding());
  const outcome = await accepted(world.anchorAll([item], world.doctors(doctor)));
  assert.deepEqual(JSON.parse(outcome.event?.payload ?? ''), [{ event: item['event'], status: 'ANCHORED' }, { event: item['supersededEvent'], status: 'SUPERSEDED' }]);
  await refused(world.read('ReadSummary', { id: old }), 'ERASED');
  await accepted(world.read('ReadSummary', { id }));
  assert.deepEqual(world.fabric.policy('w_HospitalAMSP', `tomb/${tombOf(old)}`), { needed: 2, organisations: ['HospitalAMSP', 'PortalMSP'] });

  await expect('SUPERSEDES_RETIRED', { supersedes: old }, world.superseding());
  await expect('SUPERSEDES_UNKNOWN', { supersedes: handleOf() }, world.superseding());
  const theirs = await world.anchored(await world.patient(), doctor);
  await expect('SUPERSEDES_UNKNOWN', { supersedes: theirs }, world.superseding());
  world.fabric.tamper([{ kind: 'purge', collection: 's_HospitalAMSP', key: `sum/${id}` }], ['HospitalAMSP']);
  await expect('SUPERSEDES_RETIRED', { supersedes: id }, world.superseding());

  const live = await world.anchored(patient, doctor);
  await expect('BAD_INPUT', { supersedes: live });
  await expect('BAD_INPUT', { supersedes: live }, { tombSalt: saltOf() });
  await expect('BAD_INPUT', {}, world.superseding());
  const same = handleOf();
  await expect('HANDLE_IN_USE', { supersedes: live }, { ...world.superseding(), event: same, supersededEvent: same });
  world.fabric.tamper([{ kind: 'policy', collection: 's_HospitalAMSP', key: `sum/${live}`, value: peerPolicy(1, ['PortalMSP']) }], ['PortalMSP']);
  await expect('LOCKED', { supersedes: live }, world.superseding());
  const forged = await world.anchored(patient, doctor);
  world.fabric.tamper([{ kind: 'put', collection: 's_HospitalAMSP', key: `sum/${forged}`, value: Buffer.from('{}') }], ['PortalMSP']);
  await expect('FORGED', { supersedes: forged }, world.superseding());
});

test('HANDLE_IN_USE: an event id tells one thing only', async () => {
  const { world, doctor, patient, expect } = await scene();
  const event = handleOf();
  await expect('ANCHORED', {}, { event });
  await expect('HANDLE_IN_USE', {}, { event });
  const old = await world.anchored(patient, doctor);
  await expect('HANDLE_IN_USE', { supersedes: old }, { ...world.superseding(), supersededEvent: event });
  const shared = handleOf();
  const other = await world.patient();
  const batch = await accepted(world.anchorAll([world.item(patient, doctor, {}, { event: shared }).item, world.item(other, doctor, {}, { event: shared }).item], world.doctors(doctor)));
  assert.equal(batch.payload, '["ANCHORED","HANDLE_IN_USE"]');
});

test('An index grows by pages and is full at its bound: INDEX_FULL', async () => {
  const { world, doctor, patient } = await scene();
  const collection = 's_HospitalAMSP';
  const key = `idx/${patient.index}`;
  const load = (): JsonObject => JSON.parse(world.fabric.value(collection, key)?.toString() ?? '') as JsonObject;
  const store = (value: JsonObject): void => {
    assert.equal(world.fabric.tamper([{ kind: 'put', collection, key, value: Buffer.from(JSON.stringify(value)) }], ['HospitalAMSP', 'PortalMSP']), true);
  };
  const filler = (n: number): JsonValue[] => Array.from({ length: n }, () => [`sum/${handleOf()}`, digest(saltOf())]);
  const first = await world.anchored(patient, doctor);
  const [pat, con, sum] = load()['entries'] as JsonValue[];
  store({ ...load(), entries: [pat as JsonValue, con as JsonValue, sum as JsonValue, ...filler(253)] });
  const { id, item } = world.item(patient, doctor);
  await accepted(world.anchorAll([item], world.doctors(doctor)));
  const index = load();
  assert.equal(index['next'], item['page']);
  assert.deepEqual((index['entries'] as JsonValue[]).slice(0, 2), [pat, con]);
  assert.equal((index['entries'] as JsonValue[]).length, 3);
  const page = JSON.parse(world.fabric.value(collection, `page/${item['page'] as string}`)?.toString() ?? '') as JsonObject;
  assert.equal((page['entries'] as JsonValue[]).length, 254);
  assert.equal(page['next'], null);
  assert.equal(world.fabric.policy(collection, `page/${item['page'] as string}`), null);
  for (const one of [first, id]) await accepted(world.read('ReadSummary', { id: one }));
  await refused(world.anchorAll([world.item(patient, doctor, { id: first }).item], world.doctors(doctor)), 'ID_IN_USE');

  store({ ...load(), entries: [...(load()['entries'] as JsonValue[]), ...filler(253)] });
  await refused(world.anchorAll([world.item(patient, doctor, {}, { page: item['page'] as string }).item], world.doctors(doctor)), 'HANDLE_IN_USE');
  const superseding = world.item(patient, doctor, { supersedes: first }, world.superseding());
  await accepted(world.anchorAll([superseding.item], world.doctors(doctor)));

  let next = load()['next'] as string;
  for (let i = 2; i < 16; i++) {
    const handle = handleOf();
    world.fabric.tamper([{ kind: 'put', collection, key: `page/${handle}`, value: Buffer.from(JSON.stringify({ v: 1, kind: 'page', salt: saltOf(), next, entries: [] })) }], ['HospitalAMSP', 'PortalMSP']);
    next = handle;
  }
  store({ ...load(), next });
  await accepted(world.anchorAll([world.item(patient, doctor).item], world.doctors(doctor)));
  store({ ...load(), entries: [pat as JsonValue, con as JsonValue, ...filler(254)] });
  await refused(world.anchorAll([world.item(patient, doctor).item], world.doctors(doctor)), 'INDEX_FULL');
});

test('AnchorSummaries is for this hospital\'s bridges, and its input is bounded', async () => {
  const { world, doctor, patient } = await scene();
  const { item } = world.item(patient, doctor);
  const doctors = world.doctors(doctor);
  await refused(world.anchorAll([item], doctors, world.a, { caller: world.portalCaller }), 'NOT_BRIDGE');
  await refused(world.anchorAll([item], doctors, world.a, { caller: world.b.caller }), 'NOT_BRIDGE');
  await refused(world.anchorAll([item], doctors, world.a, { caller: callerOf(world.a.msp, world.a.newBridge()) }), 'NOT_BRIDGE');
  await refused(world.anchorAll([item], doctors, world.a, { caller: callerOf('HospitalBMSP', world.a.bridge) }), 'NOT_BRIDGE');
  await refused(world.anchorAll([], doctors), 'BAD_INPUT');
  await refused(world.anchorAll(Array.from({ length: 101 }, () => item), doctors), 'BAD_INPUT');
  await refused(world.anchorAll([{ ...item, more: 1 }], doctors), 'BAD_INPUT');
  await refused(world.anchorAll([{ ...item, salt: 'x' }], doctors), 'BAD_INPUT');
  await refused(world.anchorAll([item], { [doctor.handle]: 1 }), 'BAD_INPUT');
  await refused(world.anchorAll([item], { x: 'y' }), 'BAD_INPUT');
  await refused(world.anchorAll([], {}, world.a, { inputText: `${' '.repeat(8 * 1024 * 1024)}{}` }), 'BAD_INPUT');
  const refusal = await refused(world.anchorAll([{ ...item, event: 'secret-value' }], doctors), 'BAD_INPUT');
  assert.ok(refusal.detail.includes('input.items[0].event') && !refusal.message.includes('secret-value'));
});

test('CLOCK_SKEW: a backdated or future transaction', async () => {
  const { world, doctor, patient } = await scene();
  const at = (time: number): ReturnType<typeof world.anchorAll> => world.anchorAll([world.item(patient, doctor).item], world.doctors(doctor), world.a, { time });
  await refused(at(now() - 16 * 60), 'CLOCK_SKEW');
  await refused(at(now() + 16 * 60), 'CLOCK_SKEW');
  await refused(at(0), 'CLOCK_SKEW');
  await accepted(at(now() - 14 * 60));
  await refused(world.fabric.submit({ caller: world.a.caller, args: ['InitConsortium', '{}'], endorsers: world.directory, time: 0 }), 'CLOCK_SKEW');
});
