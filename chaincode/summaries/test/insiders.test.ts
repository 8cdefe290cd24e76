import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentSigning, roleMarks } from '../src/rules/certificate';
import { digest, tombOf } from '../src/rules/encoding';
import type { JsonObject } from '../src/rules/json';
import { callerOf, type Write } from './helpers/fabric';
import { dual, handleOf, mint, newKeys, saltOf } from './helpers/pki';
import { accepted, now, refused, World, type DoctorSetup, type PatientSetup } from './helpers/world';

async function scene(): Promise<{ world: World; doctor: DoctorSetup; patient: PatientSetup }> {
  const world = await new World().init();
  return { world, doctor: await world.doctor(), patient: await world.patient() };
}
const s = 's_HospitalAMSP';
const hospital = ['HospitalAMSP'];
const portal = ['PortalMSP'];
const put = (collection: string, key: string, value: JsonObject): Write => ({ kind: 'put', collection, key, value: Buffer.from(JSON.stringify(value)) });

test('A bridge without a doctor: it signs in her place, with its own key, with a key of its making', async () => {
  const { world, doctor, patient } = await scene();
  const payload = world.payload(patient);
  const anchor = (summary: JsonObject): ReturnType<typeof world.anchorAll> => world.anchorAll([world.wrap(summary, patient, doctor)], world.doctors(doctor));
  await refused(anchor(dual(payload, world.a.bridge, world.a.bridge)), 'SAME_KEY');
  await refused(anchor(dual(payload, { ...doctor.identity, keys: newKeys() }, world.a.bridge)), 'BAD_SIGNATURE');
  await refused(anchor(dual(payload, world.a.office('doctor', 'Dr Ada Example'), world.a.bridge)), 'DOCTOR_MISMATCH');
  const signed = dual(payload, doctor.identity, world.a.bridge);
  const [first, second] = signed['signatures'] as JsonObject[];
  await refused(anchor({ ...signed, signatures: [second as JsonObject, first as JsonObject] }), 'WRONG_ROLE');
  await refused(anchor({ ...signed, signatures: [second as JsonObject, second as JsonObject] }), 'WRONG_ROLE');
  await refused(anchor({ ...signed, signatures: [second as JsonObject] }), 'SIGNATURE_COUNT');
});

test('A bridge that uses a doctor\'s signature for other contents, another patient or twice', async () => {
  const { world, doctor, patient } = await scene();
  const { id, item } = world.item(patient, doctor);
  const signed = item['summary'] as JsonObject;
  const other = await world.patient();
  const swapped = { ...signed, payload: dual(world.payload(other, { id }), doctor.identity, world.a.bridge)['payload'] as string };
  await refused(world.anchorAll([world.wrap(swapped, other, doctor)], world.doctors(doctor)), 'BAD_SIGNATURE');
  await refused(world.anchorAll([world.wrap(signed, other, doctor)], world.doctors(doctor)), 'CONSENT_MISMATCH');
  await accepted(world.anchorAll([item], world.doctors(doctor)));
  await refused(world.anchorAll([world.wrap(signed, patient, doctor)], world.doctors(doctor)), 'ID_IN_USE');
});

test('A doctor without a bridge', async () => {
  const { world, doctor, patient } = await scene();
  const alone = dual(world.payload(patient), doctor.identity, world.a.office('doctor', 'Dr Second'));
  await refused(world.anchorAll([world.wrap(alone, patient, doctor)], world.doctors(doctor), world.a, { caller: callerOf(world.a.msp, doctor.identity) }), 'NOT_BRIDGE');
  await refused(world.anchorAll([world.wrap(alone, patient, doctor)], world.doctors(doctor)), 'BRIDGE_NOT_CREATOR');
});

test('The bridge admin mints a doctor: with the bridge\'s CA, the patient CA, his own CA, his own statement', async () => {
  const { world } = await scene();
  const { a } = world;
  const propose = (identity: ReturnType<typeof mint>, signer = a.registrar): ReturnType<typeof world.directoryCall> => {
    const handle = handleOf();
    return world.directoryCall(a.caller, ['ProposeDoctor', a.msp], { handle, certificate: identity.text, statement: world.statement(a, identity, handle, {}, signer), salt: saltOf(), leafSalt: saltOf() });
  };
  const leaf = (issuer: ReturnType<typeof mint>): ReturnType<typeof mint> => mint({ name: 'Dr Ghost', keys: newKeys(), issuer, notBefore: now() - 10, notAfter: now() + 1000, purposes: [documentSigning, roleMarks.doctor] });
  const ownCa = mint({ name: `${a.msp} people`, keys: newKeys(), notBefore: now() - 10, notAfter: now() + 1000, ca: true });
  await refused(propose(leaf(a.bridgeCa)), 'BAD_DOCTOR_CERTIFICATE');
  await refused(propose(leaf(a.patientCa)), 'BAD_DOCTOR_CERTIFICATE');
  await refused(propose(leaf(ownCa)), 'BAD_DOCTOR_CERTIFICATE');
  const honestLooking = a.office('doctor', 'Dr Ghost');
  await refused(propose(honestLooking, a.bridge), 'NOT_REGISTRAR');
  await refused(propose(honestLooking, { ...a.registrar, keys: newKeys() }), 'BAD_STATEMENT');
  await refused(propose(honestLooking, leaf(ownCa)), 'NOT_REGISTRAR');
  assert.equal(world.fabric.tamper([put('doctors', `doc/${handleOf()}`, { status: 'ACTIVE' })], hospital), false, 'nor can his own peer write the directory');
  assert.equal(world.fabric.tamper([put('doctors', `doc/${handleOf()}`, { status: 'ACTIVE' })], [...hospital, ...portal]), false, 'nor with the portal\'s');
});

test('The bridge admin mints a patient: without the portal there is no request', async () => {
  const { world } = await scene();
  const { a } = world;
  const keys = newKeys();
  const request = world.requestInput(a, keys);
  await refused(world.fabric.submit({ caller: a.caller, args: ['RequestEnrolment', a.msp], input: request, endorsers: world.pair(a) }), 'NOT_PORTAL');
  assert.equal(world.fabric.tamper([put(s, `req/${handleOf()}`, {}), put(s, `code/${handleOf()}`, {})], hospital), false);
  assert.equal(world.fabric.tamper([put(s, `idx/${handleOf()}`, {})], hospital), false);
  assert.equal(world.fabric.tamper([put(s, `idx/${handleOf()}`, {})], portal), false);
  await refused(world.enrol(a, world.enrolInput(a, handleOf(), keys)), 'REQUEST_UNKNOWN');
});

test('A registrar alone: her doctor stays PENDING', async () => {
  const { world, patient } = await scene();
  const pending = await world.proposed();
  const confirm = (signer = world.a.registrar): ReturnType<typeof world.directoryCall> =>
    world.directoryCall(world.a.caller, ['ConfirmDoctor', world.a.msp], { handle: pending.handle, confirmation: world.confirmation(pending, signer), salt: saltOf() });
  await refused(confirm(), 'OWN_CONFIRMATION');
  await refused(confirm(world.a.office('registrar', 'Registrar of B')), 'NOT_CONFIRMER');
  await refused(confirm(mint({ name: 'x', keys: world.a.registrar.keys, notBefore: now() - 10, notAfter: now() + 100 })), 'OWN_CONFIRMATION');
  await refused(world.anchorAll([world.item(patient, pending).item], world.doctors(pending)), 'DOCTOR_PENDING');
});

test('A registrar\'s statement or confirmation for one doctor does not serve another', async () => {
  const { world } = await scene();
  const first = await world.proposed();
  const second = await world.proposed();
  await refused(world.directoryCall(world.a.caller, ['ConfirmDoctor', world.a.msp], { handle: second.handle, confirmation: world.confirmation(first, world.b.registrar), salt: saltOf() }), 'BAD_CONFIRMATION');
  const handle = handleOf();
  await refused(
    world.directoryCall(world.a.caller, ['ProposeDoctor', world.a.msp], { handle, certificate: world.a.office('doctor', 'Dr Third').text, statement: first.statement, salt: saltOf(), leafSalt: saltOf() }), 'BAD_STATEMENT',
  );
});

test('Another hospital and its doctor', async () => {
  const { world, doctor, patient } = await scene();
  const theirs = await world.doctor(world.b);
  await refused(world.anchorAll([world.item(patient, theirs, {}, {}, world.b).item], world.doctors(theirs), world.a, { caller: world.b.caller }), 'NOT_BRIDGE');
  await refused(world.anchorAll([world.item(patient, theirs).item], world.doctors(theirs)), 'DOCTOR_OF_OTHER_HOSPITAL');
  // through its own collections, for the patient of another hospital
  await refused(world.anchorAll([world.item({ ...patient, hospital: world.b.msp }, theirs, {}, {}, world.b).item], world.doctors(theirs), world.b), 'CONSENT_UNKNOWN');
  assert.equal(world.fabric.tamper([put(s, `sum/${handleOf()}`, {})], ['HospitalBMSP', 'PortalMSP']), false);
  assert.equal(doctor.hospital, 'HospitalAMSP');
});

test('The portal alone creates nothing: no summary, no patient, no doctor, no hospital', async () => {
  const { world, doctor, patient } = await scene();
  const { item } = world.item(patient, doctor);
  await refused(world.anchorAll([item], world.doctors(doctor), world.a, { caller: world.portalCaller }), 'NOT_BRIDGE');
  await refused(world.anchorAll([item], world.doctors(doctor), world.a, { caller: callerOf('HospitalAMSP', world.portal) }), 'NOT_BRIDGE');
  for (const key of ['sum', 'idx', 'con', 'pat', 'req']) assert.equal(world.fabric.tamper([put(s, `${key}/${handleOf()}`, {})], portal), false, key);
  await refused(world.directoryCall(world.portalCaller, ['ProposeHospital', JSON.stringify(world.c.record({ msp: 'PortalMSP' }))]), 'NOT_BRIDGE');
  await refused(world.directoryCall(world.a.caller, ['ProposeHospital', JSON.stringify(world.c.record({ msp: 'PortalMSP' }))]), 'PORTAL_NOT_HOSPITAL');
});

test('One organisation overwrites a summary: it is void, and its own tombstone cannot be taken back by it', async () => {
  const { world, doctor, patient } = await scene();
  const id = await world.anchored(patient, doctor);
  const stored = JSON.parse(world.fabric.value(s, `sum/${id}`)?.toString() ?? '') as JsonObject;
  const forged = { ...stored, jws: dual(world.payload(patient, { id, sex: 'male' }), doctor.identity, world.a.bridge) };
  assert.equal(world.fabric.tamper([put(s, `sum/${id}`, forged)], hospital), true, 'Fabric does not part purge from overwrite');
  await refused(world.read('ReadSummary', { id }), 'FORGED');
  assert.equal(world.fabric.tamper([put(s, `idx/${patient.index}`, {})], hospital), false);
});

test('One organisation purges a body and puts it back: it cannot', async () => {
  const { world, doctor, patient } = await scene();
  const id = await world.anchored(patient, doctor);
  const body = world.fabric.value(s, `sum/${id}`) as Buffer;
  assert.equal(world.fabric.tamper([{ kind: 'purge', collection: s, key: `sum/${id}` }], portal), true);
  for (const alone of [hospital, portal]) assert.equal(world.fabric.tamper([{ kind: 'put', collection: s, key: `sum/${id}`, value: body }], alone), false);
  await refused(world.anchorAll([world.item(patient, doctor, { id }).item], world.doctors(doctor)), 'ID_RETIRED');
});

test('A replayer: the same erasure, withdrawal, approval or summary from another time or place', async () => {
  const { world, doctor, patient } = await scene();
  const first = await world.anchored(patient, doctor);
  const erasure = world.erasure(patient, first);
  await accepted(world.erase(patient, first));
  const second = await world.anchored(patient, doctor);
  await refused(world.erase(patient, second, world.portalCaller, { erasure }), 'BAD_ERASURE');
  const withdrawal = world.withdrawal(patient);
  await accepted(world.withdraw(patient, world.portalCaller, { withdrawal }));
  const again = await world.patient(world.a, patient.keys);
  await refused(world.withdraw(again, world.portalCaller, { withdrawal }), 'BAD_WITHDRAWAL');
  await refused(world.anchorAll([world.item({ ...patient, consent: again.consent }, doctor, { id: first }).item], world.doctors(doctor)), 'ID_RETIRED');
});

test('A doctor revoked by the ledger\'s order: no earlier timestamp excuses her', async () => {
  const { world, doctor, patient } = await scene();
  await accepted(world.directoryCall(world.a.caller, ['RevokeDoctor', world.a.msp], { handle: doctor.handle, revocation: world.revocation(doctor, doctor.identity), salt: saltOf() }));
  await refused(world.anchorAll([world.item(patient, doctor).item], world.doctors(doctor), world.a, { time: now() - 600 }), 'DOCTOR_REVOKED');
  await refused(world.anchorAll([world.item(patient, doctor).item], world.doctors(doctor), world.a, { time: now() - 3600 }), 'CLOCK_SKEW');
});

test('A bridge that was taken off the record', async () => {
  const { world, doctor, patient } = await scene();
  const { a } = world;
  const successor = a.newBridge();
  const record = a.record({ seq: 2, bridges: [successor.certificate.thumbprint] });
  await accepted(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(record)]));
  for (const by of [a, world.b]) await accepted(world.directoryCall(world.b.caller, ['ApproveHospital', a.msp, '2', by.approval(record)]));
  await refused(world.anchorAll([world.item(patient, doctor).item], world.doctors(doctor)), 'NOT_BRIDGE');
  const summary = dual(world.payload(patient), doctor.identity, successor);
  await accepted(world.anchorAll([world.wrap(summary, patient, doctor)], world.doctors(doctor), a, { caller: callerOf(a.msp, successor) }));
});

test('Nobody becomes a hospital alone, nor founds another consortium', async () => {
  const { world } = await scene();
  const { a, c } = world;
  const record = c.record();
  await accepted(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(record)]));
  assert.equal((await accepted(world.directoryCall(a.caller, ['ApproveHospital', c.msp, '1', a.approval(record)]))).payload, 'APPROVED');
  for (const forged of [a.approval(record, 'HospitalBMSP'), a.approval(record, c.msp, c.registrar)]) await refused(world.directoryCall(a.caller, ['ApproveHospital', c.msp, '1', forged]), 'NOT_REGISTRAR');
  await refused(world.directoryCall(a.caller, ['InitConsortium', JSON.stringify(world.consortium())]), 'ALREADY_INITIALISED');
  const write: Write = { kind: 'putPublic', key: `hospital/${c.msp}`, value: Buffer.from(JSON.stringify(record)) };
  assert.equal(world.fabric.tamper([write], hospital), false);
  assert.equal(world.fabric.tamper([write], [...hospital, ...portal]), false, 'the portal counts in no majority');
});

test('A single organisation\'s tombstones and hints stop or delay, and create nothing', async () => {
  const { world, doctor, patient } = await scene();
  const id = await world.anchored(patient, doctor);
  assert.equal(world.fabric.tamper([put('w_HospitalAMSP', `tomb/${tombOf(id)}`, {}), put('w_HospitalAMSP', `evt/${handleOf()}`, { kind: 'event', what: 'summary', handle: handleOf(), status: 'ANCHORED' })], portal), true);
  await refused(world.read('ReadSummary', { id }), 'ERASED');
  await refused(world.read('ReadSummary', { id: handleOf() }), 'NOT_FOUND');
});

test('Nothing public names or joins: arguments, keys, values, answers and events', async () => {
  const { world, doctor, patient } = await scene();
  const other = await world.patient();
  const items = [world.item(patient, doctor), world.item(other, doctor)];
  await accepted(world.anchorAll(items.map(({ item }) => item), world.doctors(doctor)));
  const replacing = world.item(patient, doctor, { supersedes: items[0]?.id ?? '' }, world.superseding());
  await accepted(world.anchorAll([replacing.item], world.doctors(doctor)));
  await accepted(world.retract(world.retraction(replacing.id, doctor)));
  await accepted(world.erase(other, items[1]?.id ?? ''));
  await accepted(world.withdraw(patient));
  await accepted(world.directoryCall(world.a.caller, ['RevokeDoctor', world.a.msp], { handle: doctor.handle, revocation: world.revocation(doctor, doctor.identity), salt: saltOf() }));
  const blocks = world.fabric.blocks.join('\n');
  const canaries = [
    ...[patient, other].flatMap((one) => [one.pseudonym, one.patient, one.consent, one.index, one.consentId, one.codeId, one.request, one.consentJws, one.spki.toString('base64url'), tombOf(one.consent)]),
    ...[...items, replacing].flatMap(({ id }) => [id, tombOf(id)]),
    doctor.handle, doctor.statement, doctor.identity.text, doctor.identity.certificate.thumbprint, 'Dr Ada', 'L-1', 'E11', 'A10BA02', '50-59', '2026-01', digest('notice'),
  ];
  for (const canary of canaries) assert.equal(blocks.includes(canary), false, canary);
  const events = [...blocks.matchAll(/\\"event\\":\\"([\w-]{22})/g)].map((match) => match[1]);
  assert.ok(events.length >= 9);
  assert.equal(new Set(events).size, events.length, 'an event id is used once');
});
