import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentSigning, roleMarks, type Role } from '../src/rules/certificate';
import { digest } from '../src/rules/encoding';
import { canonical } from '../src/rules/canonical';
import type { JsonObject } from '../src/rules/json';
import { mostRevoked, partOf } from '../src/rules/statements';
import { callerOf } from './helpers/fabric';
import { compact, handleOf, mint, newKeys, saltOf, type Identity } from './helpers/pki';
import { accepted, HospitalSetup, now, refused, World } from './helpers/world';

const initArgs = (world: World, json = JSON.stringify(world.consortium())): { args: string[]; endorsers: string[] } => ({ args: ['InitConsortium', json], endorsers: world.directory });

test('InitConsortium writes the consortium and its hospitals', async () => {
  const world = await new World().init();
  assert.deepEqual([...world.fabric.publicState.keys()].sort(), ['consortium', 'hospital/HospitalAMSP', 'hospital/HospitalBMSP']);
  const read = await accepted(world.fabric.evaluate({ caller: world.portalCaller, args: ['ReadConsortium'] }, 'PortalMSP'));
  assert.deepEqual(JSON.parse(read.payload), { v: 1, portal: 'PortalMSP', attestor: { name: 'Licensing body', certificate: world.attestor.text }, hospitals: ['HospitalAMSP', 'HospitalBMSP'] });
  const hospital = await accepted(world.fabric.evaluate({ caller: world.portalCaller, args: ['ReadHospital', 'HospitalAMSP'] }, 'PortalMSP'));
  assert.deepEqual(JSON.parse(hospital.payload), { record: world.a.record(), approvals: [] });
});

test('InitConsortium compares as canonical JSON, not letter by letter', async () => {
  const world = new World();
  world.file(JSON.stringify(world.consortium(), null, 2));
  await accepted(world.fabric.submit({ caller: world.b.caller, ...initArgs(world) }));
});

test('InitConsortium refuses', async () => {
  const world = new World();
  const { fabric } = world;
  const init = (json?: string): ReturnType<typeof fabric.submit> => fabric.submit({ caller: world.a.caller, ...initArgs(world, json) });
  await refused(init('{'), 'BAD_RECORD');
  await refused(init(JSON.stringify({ ...world.consortium(), more: 1 })), 'BAD_RECORD');
  await refused(init(JSON.stringify(world.consortium()).replace('{"v":1', '{"v":1,"v":1')), 'BAD_RECORD');
  await refused(fabric.submit({ caller: world.portalCaller, ...initArgs(world) }), 'NOT_BRIDGE');
  await refused(fabric.submit({ caller: callerOf('HospitalCMSP', world.c.bridge), ...initArgs(world) }), 'NOT_BRIDGE');
  await refused(init(JSON.stringify({ ...world.consortium(), attestor: { name: 'Someone else', certificate: world.attestor.text } })), 'CONSORTIUM_DIFFERS');
  process.env['BRIDGE_CONSORTIUM_FILE'] = '/nonexistent/consortium.json';
  await refused(init(), 'CONSORTIUM_FILE_MISSING');
  world.file('not JSON');
  await refused(init(), 'CONSORTIUM_FILE_MISSING');
  world.file();
  await refused(fabric.evaluate({ caller: world.a.caller, args: ['ReadConsortium'] }, 'HospitalAMSP'), 'NOT_INITIALISED');
  await accepted(init());
  await refused(init(), 'ALREADY_INITIALISED');
});

test('BAD_RECORD: what a consortium must not hold', async () => {
  const world = new World();
  const { fabric, a, b } = world;
  const attempt = async (hospitals: JsonObject[], more: JsonObject = {}): Promise<void> => {
    const json = JSON.stringify({ ...world.consortium(), hospitals, ...more });
    world.file(json);
    await refused(fabric.submit({ caller: a.caller, ...initArgs(world, json) }), 'BAD_RECORD');
  };
  await attempt([a.record(), b.record()], { portal: 'HospitalBMSP' });
  await attempt([a.record(), a.record()]);
  await attempt([a.record({ seq: 2 }), b.record()]);
  await attempt([]);
  await attempt([a.record(), b.record()], { attestor: { name: 'x', certificate: 'AAAA' } });
  await attempt([a.record(), b.record()], { attestor: { name: 'x', certificate: b.registrar.text } });
  await attempt([a.record(), b.record()], { attestor: { name: 'x', certificate: mint({ name: 'x', keys: newKeys('P-384'), notBefore: 1, notAfter: 2_000_000_000 }).text } });
});

test('BAD_RECORD: what a hospital record must not hold', async () => {
  const world = await new World().init();
  const { a, b, c, fabric } = world;
  const certificate = (form: Partial<Parameters<typeof mint>[0]>): string => mint({ name: 'x', keys: newKeys(), notBefore: now() - 10, notAfter: now() + 1000, ...form }).text;
  const cas = c.record()['cas'] as JsonObject[];
  const records: JsonObject[] = [
    { name: '' }, { more: 1 }, { v: 2 }, { msp: 'a/b' }, { cas: [] }, { cas: [cas[0] as JsonObject] }, { cas: [cas[1] as JsonObject, cas[1] as JsonObject] }, { cas: [...cas, { use: 'spare', certificate: '' }] },
    { registrar: 'AAAA' }, { registrar: b.registrar.text }, { registrar: c.patientCa.text }, { statusKey: c.registrar.text }, { patientCa: c.peopleCa.text }, { patientCa: c.registrar.text },
    { patientCa: certificate({ issuer: c.peopleCa, ca: true }) }, { patientCa: certificate({ issuer: c.peopleCa, ca: true, pathLength: 1 }) },
    { statusKey: c.office('status-key', 'x', c.registrar.keys).text }, { registrar: c.office('registrar', 'x', a.registrar.keys).text }, { registrar: c.office('registrar', 'x', world.attestor.keys).text },
    { registrar: c.office('doctor', 'R').text }, { registrar: c.office('status-key', 'R').text }, { statusKey: c.office('registrar', 'S').text }, { statusKey: c.office('doctor', 'S').text },
    { registrar: c.office('registrar', 'old', newKeys(), now() - 100, now() - 10).text },
    { cas: [{ use: 'people', certificate: certificate({ ca: true }) }, cas[1] as JsonObject] },
    { cas: [cas[0] as JsonObject, { use: 'bridge', certificate: certificate({ ca: true, issuer: c.peopleCa }) }] },
    { cas: [cas[0] as JsonObject, { use: 'bridge', certificate: c.peopleCa.text }] },
    { cas: [...cas, { use: 'people', certificate: certificate({ ca: true, issuer: c.peopleCa }) }] },
    { bridges: [] }, { bridges: ['x'] }, { bridges: [digest('a'), digest('a')] }, { origins: ['https://x/'] }, { origins: ['http://x'] }, { origins: ['https://X'] }, { origins: ['https://x', 'https://x'] }, { rpId: 'x' }, { rpId: 'X', origins: ['https://x'] }, { rpId: 1 },
  ];
  for (const more of records) {
    const refusal = await refused(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(c.record(more))]), 'BAD_RECORD');
    assert.ok(!refusal.message.includes('MII'), 'a refusal repeats no certificate');
  }
  await refused(world.directoryCall(a.caller, ['ProposeHospital', '[]']), 'BAD_RECORD');
  assert.equal([...fabric.publicState.keys()].some((key) => key.startsWith('proposal/')), false);
  await accepted(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(c.record({ origins: ['https://x.example:8443', 'http://localhost:5000'], rpId: 'x.example' }))]));
});

test('A hospital joins with the approvals of a majority', async () => {
  const world = await new World().init();
  const { a, b, c, fabric } = world;
  const record = c.record();
  const approve = (by: HospitalSetup, jws = by.approval(record), seq = '1'): ReturnType<typeof world.directoryCall> => world.directoryCall(a.caller, ['ApproveHospital', c.msp, seq, jws]);
  await refused(approve(a), 'NOT_PROPOSED');
  await refused(world.directoryCall(world.portalCaller, ['ProposeHospital', JSON.stringify(record)]), 'NOT_BRIDGE');
  await refused(world.directoryCall(callerOf('HospitalCMSP', c.bridge), ['ProposeHospital', JSON.stringify(record)]), 'NOT_BRIDGE');
  await refused(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(c.record({ seq: 2 }))]), 'WRONG_SEQ');
  await refused(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(c.record({ msp: 'PortalMSP' }))]), 'PORTAL_NOT_HOSPITAL');
  assert.equal((await accepted(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(record)]))).payload, 'PROPOSED');
  await refused(approve(a, a.approval(record), '2'), 'NOT_PROPOSED');
  await refused(approve(a, a.approval(record), 'one'), 'BAD_INPUT');
  await refused(world.directoryCall(world.portalCaller, ['ApproveHospital', c.msp, '1', a.approval(record)]), 'NOT_BRIDGE');
  await refused(approve(a, 'x'), 'BAD_APPROVAL');
  await refused(approve(a, a.approval(c.record({ name: 'Another name' }))), 'BAD_APPROVAL');
  await refused(approve(a, a.approval(c.record({ origins: ['https://evil'] }))), 'BAD_APPROVAL');
  await refused(approve(a, a.approval(record, a.msp, b.registrar)), 'NOT_REGISTRAR');
  await refused(approve(a, a.approval(record, a.msp, a.statusKey)), 'NOT_REGISTRAR');
  await refused(approve(c), 'NOT_REGISTRAR');
  await refused(approve(a, a.approval(record, 'PortalMSP')), 'NOT_REGISTRAR');
  assert.equal((await accepted(approve(a))).payload, 'APPROVED');
  await refused(approve(a), 'ALREADY_APPROVED');
  await refused(fabric.evaluate({ caller: a.caller, args: ['ReadHospital', c.msp] }, a.msp), 'UNKNOWN_HOSPITAL');
  assert.equal((await accepted(approve(b))).payload, 'ACTIVE');
  const read = await accepted(fabric.evaluate({ caller: a.caller, args: ['ReadHospital', c.msp] }, a.msp));
  assert.deepEqual(JSON.parse(read.payload), { record, approvals: [fabric.publicState.get(`approval/${c.msp}/1/${a.msp}`)?.toString(), fabric.publicState.get(`approval/${c.msp}/1/${b.msp}`)?.toString()] });
  assert.equal(fabric.publicState.has(`proposal/${c.msp}/1`), false);
  await refused(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(record)]), 'WRONG_SEQ');
  await refused(approve(a), 'ALREADY_APPROVED');

  // three hospitals now: the third may approve the record in force, so that its own patients can walk to it
  assert.equal((await accepted(world.directoryCall(callerOf(c.msp, c.bridge), ['ApproveHospital', a.msp, '1', c.approval(a.record())]))).payload, 'ACTIVE');
  assert.equal((JSON.parse((await accepted(fabric.evaluate({ caller: a.caller, args: ['ReadHospital', a.msp] }, a.msp))).payload) as { approvals: string[] }).approvals.length, 1);
});

test('An approval is for one record: changing the proposal afterwards voids it', async () => {
  const world = await new World().init();
  const { a, b, c } = world;
  const honest = c.record();
  const evil = c.record({ bridges: [digest('evil')] });
  const propose = (record: JsonObject): ReturnType<typeof accepted> => accepted(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(record)]));
  const approve = (by: HospitalSetup, record: JsonObject): ReturnType<typeof world.directoryCall> => world.directoryCall(a.caller, ['ApproveHospital', c.msp, '1', by.approval(record)]);
  await propose(honest);
  assert.equal((await accepted(approve(b, honest))).payload, 'APPROVED');
  await propose(evil);
  assert.equal((await accepted(approve(a, evil))).payload, 'APPROVED', 'B approved something else');
  await refused(approve(b, honest), 'BAD_APPROVAL');
  await propose(honest);
  assert.equal((await accepted(approve(a, honest))).payload, 'ACTIVE', 'an approval of another record may be replaced');
});

test('A change of a hospital: its own bridge, approvals of a majority, CAs that follow one another', async () => {
  const world = await new World().init();
  const { a, b, fabric } = world;
  const propose = (record: JsonObject, caller = a.caller): ReturnType<typeof world.directoryCall> => world.directoryCall(caller, ['ProposeHospital', JSON.stringify(record)]);
  const other = new HospitalSetup(a.msp);
  await refused(propose({ ...other.record(), seq: 2 }), 'CA_ROLLOVER');
  const next = a.record({ seq: 2, registrar: a.office('registrar', 'New registrar').text });
  await refused(propose(next, b.caller), 'NOT_BRIDGE');
  await refused(propose(a.record({ seq: 3 })), 'WRONG_SEQ');
  await accepted(propose(next));
  const approve = (by: HospitalSetup): ReturnType<typeof world.directoryCall> => world.directoryCall(b.caller, ['ApproveHospital', a.msp, '2', by.approval(next)]);
  assert.equal((await accepted(approve(a))).payload, 'APPROVED', 'a hospital may approve its own change, but not alone');
  assert.equal((await accepted(approve(b))).payload, 'ACTIVE');
  assert.equal((JSON.parse(fabric.publicState.get('hospital/HospitalAMSP')?.toString() ?? '') as JsonObject)['seq'], 2);

  const keys = newKeys();
  const newCa = mint({ name: 'HospitalAMSP people', keys, issuer: a.peopleCa, notBefore: now() - 10, notAfter: now() + 10_000, ca: true });
  const offices = (role: Role): Identity => mint({ name: role, keys: newKeys(), issuer: { ...newCa }, notBefore: now() - 10, notAfter: now() + 10_000, purposes: [documentSigning, roleMarks[role]] });
  const rolled = a.record({
    seq: 3, cas: [{ use: 'people', certificate: newCa.text }, { use: 'bridge', certificate: a.bridgeCa.text }], registrar: offices('registrar').text, statusKey: offices('status-key').text,
    patientCa: mint({ name: 'P', keys: newKeys(), issuer: newCa, notBefore: now() - 10, notAfter: now() + 10_000, ca: true, pathLength: 0 }).text,
  });
  await accepted(propose(rolled));
  // a patient CA lies on the bridge: one that was replaced must not come back as a CA of people
  const patients = mint({ name: 'P', keys: newKeys(), issuer: a.peopleCa, notBefore: now() - 10, notAfter: now() + 10_000, ca: true, pathLength: 0 });
  const cas = [...(a.record()['cas'] as JsonObject[]), { use: 'people', certificate: a.patientCa.text }];
  await refused(propose(a.record({ seq: 3, cas, patientCa: patients.text })), 'CA_ROLLOVER');
});

test('A proposal is judged again when it comes into force', async () => {
  const world = await new World().init();
  const { a, b, c } = world;
  const short = c.record({ registrar: c.office('registrar', 'R', newKeys(), now() - 10, now() + 60).text });
  await accepted(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(short)]));
  await accepted(world.directoryCall(a.caller, ['ApproveHospital', c.msp, '1', a.approval(short)]));
  await refused(world.directoryCall(a.caller, ['ApproveHospital', c.msp, '1', b.approval(short)], undefined, now() + 100), 'BAD_RECORD');
});

test('An approval counts no more when its signer is no registrar any more', async () => {
  const world = await new World().init();
  const { a, b, c } = world;
  const record = c.record();
  await accepted(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(record)]));
  assert.equal((await accepted(world.directoryCall(a.caller, ['ApproveHospital', c.msp, '1', a.approval(record)]))).payload, 'APPROVED');
  const changed = a.record({ seq: 2, registrar: a.office('registrar', 'New registrar').text });
  await accepted(world.directoryCall(a.caller, ['ProposeHospital', JSON.stringify(changed)]));
  for (const by of [a, b]) await accepted(world.directoryCall(a.caller, ['ApproveHospital', a.msp, '2', by.approval(changed)]));
  assert.equal((await accepted(world.directoryCall(a.caller, ['ApproveHospital', c.msp, '1', b.approval(record)]))).payload, 'APPROVED');
});

test('A doctor: proposed by the registrar, confirmed by another hospital, revoked for good', async () => {
  const world = await new World().init();
  const { a, b, fabric } = world;
  const doctor = await world.proposed();
  const stored = (): JsonObject => JSON.parse(fabric.value('doctors', `doc/${doctor.handle}`)?.toString() ?? '') as JsonObject;
  assert.equal(stored()['status'], 'PENDING');
  const confirm = (jws: string): ReturnType<typeof world.directoryCall> => world.directoryCall(b.caller, ['ConfirmDoctor', a.msp], { handle: doctor.handle, confirmation: jws, salt: saltOf() });
  await refused(confirm('x'), 'BAD_CONFIRMATION');
  await refused(confirm(world.confirmation(doctor, b.registrar, { handle: handleOf() })), 'BAD_CONFIRMATION');
  await refused(confirm(world.confirmation(doctor, b.registrar, { statement: digest('another') })), 'BAD_CONFIRMATION');
  await refused(confirm(world.confirmation(doctor, b.registrar, { hospital: b.msp })), 'BAD_CONFIRMATION');
  await refused(confirm(world.confirmation(doctor, a.registrar)), 'OWN_CONFIRMATION');
  await refused(confirm(world.confirmation(doctor, a.statusKey)), 'OWN_CONFIRMATION');
  await refused(confirm(world.confirmation(doctor, b.statusKey)), 'NOT_CONFIRMER');
  await refused(confirm(world.confirmation(doctor, world.c.registrar)), 'NOT_CONFIRMER');
  await refused(confirm(world.confirmation(doctor, doctor.identity)), 'NOT_CONFIRMER');
  assert.equal((await accepted(confirm(world.confirmation(doctor, b.registrar)))).payload, 'ACTIVE');
  await refused(confirm(world.confirmation(doctor, b.registrar)), 'NOT_PENDING');
  await refused(world.directoryCall(b.caller, ['ConfirmDoctor', b.msp], { handle: doctor.handle, confirmation: '', salt: saltOf() }), 'DOCTOR_UNKNOWN');
  await refused(world.directoryCall(world.portalCaller, ['ConfirmDoctor', a.msp], { handle: doctor.handle, confirmation: '', salt: saltOf() }), 'NOT_BRIDGE');

  const revoke = (jws: string, caller = a.caller): ReturnType<typeof world.directoryCall> => world.directoryCall(caller, ['RevokeDoctor', a.msp], { handle: doctor.handle, revocation: jws, salt: saltOf() });
  await refused(revoke('x'), 'BAD_REVOCATION');
  await refused(revoke(world.revocation(doctor, a.registrar, { thumbprint: digest('x') })), 'BAD_REVOCATION');
  await refused(revoke(world.revocation(doctor, b.registrar)), 'NOT_REVOKER');
  await refused(revoke(world.revocation(doctor, a.bridge)), 'NOT_REVOKER');
  await refused(world.directoryCall(a.caller, ['RevokeDoctor', a.msp], { handle: handleOf(), revocation: '', salt: saltOf() }), 'DOCTOR_UNKNOWN');
  assert.equal((await accepted(revoke(world.revocation(doctor, doctor.identity), world.portalCaller))).payload, 'REVOKED');
  await refused(revoke(world.revocation(doctor, a.registrar)), 'ALREADY_REVOKED');
  await refused(confirm(world.confirmation(doctor, b.registrar)), 'NOT_PENDING');
  assert.equal(stored()['status'], 'REVOKED');
});

test('The attestor can confirm and revoke; an expired confirmer cannot', async () => {
  const world = await new World().init();
  const first = await world.proposed();
  await accepted(world.directoryCall(world.a.caller, ['ConfirmDoctor', world.a.msp], { handle: first.handle, confirmation: world.confirmation(first, world.attestor), salt: saltOf() }));
  await accepted(world.directoryCall(world.a.caller, ['RevokeDoctor', world.a.msp], { handle: first.handle, revocation: world.revocation(first, world.attestor), salt: saltOf() }));
  const old = new World();
  const expired = old.b.office('registrar', 'Registrar', newKeys(), now() - 100, now() + 60);
  const json = JSON.stringify({ ...old.consortium(), hospitals: [old.a.record(), old.b.record({ registrar: expired.text })] });
  old.file(json);
  await accepted(old.fabric.submit({ caller: old.a.caller, ...initArgs(old, json) }));
  const second = await old.proposed();
  await refused(old.directoryCall(old.a.caller, ['ConfirmDoctor', old.a.msp], { handle: second.handle, confirmation: old.confirmation(second, expired), salt: saltOf() }, now() + 100), 'NOT_CONFIRMER');
});

test('ProposeDoctor refuses', async () => {
  const world = await new World().init();
  const { a, b } = world;
  const doctor = await world.proposed();
  const fresh = a.office('doctor', 'Dr New Person');
  const propose = (more: JsonObject = {}, identity = fresh, statement: JsonObject = {}, signer = a.registrar, caller = a.caller): ReturnType<typeof world.directoryCall> => {
    const handle = (more['handle'] as string | undefined) ?? handleOf();
    return world.directoryCall(caller, ['ProposeDoctor', a.msp], { handle, certificate: identity.text, statement: world.statement(a, identity, handle, statement, signer), salt: saltOf(), leafSalt: saltOf(), ...more });
  };
  await refused(propose({}, fresh, {}, a.registrar, b.caller), 'NOT_BRIDGE');
  await refused(propose({}, fresh, {}, a.registrar, callerOf(a.msp, a.newBridge())), 'NOT_BRIDGE');
  await refused(propose({}, fresh, {}, a.registrar, world.portalCaller), 'NOT_BRIDGE');
  await refused(propose({ certificate: 'AAAA' }), 'BAD_DOCTOR_CERTIFICATE');
  await refused(propose({}, b.office('doctor', 'Dr B')), 'BAD_DOCTOR_CERTIFICATE');
  for (const role of ['registrar', 'status-key'] as const) await refused(propose({}, a.office(role, 'Dr New Person')), 'BAD_DOCTOR_CERTIFICATE');
  await refused(propose({}, mint({ name: 'Dr X', keys: newKeys(), issuer: a.patientCa, notBefore: now() - 10, notAfter: now() + 1000, purposes: [documentSigning, roleMarks.doctor] })), 'BAD_DOCTOR_CERTIFICATE');
  await refused(propose({ statement: 'x' }), 'BAD_STATEMENT');
  await refused(propose({}, fresh, { thumbprint: digest('x') }), 'BAD_STATEMENT');
  await refused(propose({}, fresh, { handle: handleOf() }), 'BAD_STATEMENT');
  await refused(propose({}, fresh, { hospital: b.msp }), 'BAD_STATEMENT');
  await refused(propose({}, fresh, { name: 'Dr Someone Else' }), 'BAD_STATEMENT');
  await refused(propose({}, fresh, {}, b.registrar), 'NOT_REGISTRAR');
  await refused(propose({}, fresh, {}, fresh), 'NOT_REGISTRAR');
  await refused(propose({}, fresh, {}, a.statusKey), 'NOT_REGISTRAR');
  await refused(propose({ handle: doctor.handle }), 'DOCTOR_EXISTS');
  await refused(propose({}, doctor.identity), 'LEAF_IN_USE');
  for (const keys of [a.registrar.keys, a.statusKey.keys, a.patientCa.keys, a.peopleCa.keys, a.bridgeCa.keys, b.registrar.keys, b.peopleCa.keys, world.attestor.keys, a.bridge.keys])
    await refused(propose({}, a.office('doctor', 'Dr Two Roles', keys)), 'KEY_IN_OTHER_ROLE');
  await accepted(propose());
  await refused(world.directoryCall(a.caller, ['ProposeDoctor', 'HospitalCMSP'], {}), 'UNKNOWN_HOSPITAL');
});

test('LEAF_IN_USE: a statement and its confirmation cannot be played again after a revocation', async () => {
  const world = await new World().init();
  const doctor = await world.doctor();
  await accepted(world.directoryCall(world.a.caller, ['RevokeDoctor', world.a.msp], { handle: doctor.handle, revocation: world.revocation(doctor, world.a.registrar), salt: saltOf() }));
  const again = { certificate: doctor.identity.text, salt: saltOf(), leafSalt: saltOf() };
  await refused(world.directoryCall(world.a.caller, ['ProposeDoctor', world.a.msp], { ...again, handle: doctor.handle, statement: doctor.statement }), 'DOCTOR_EXISTS');
  const handle = handleOf();
  await refused(world.directoryCall(world.a.caller, ['ProposeDoctor', world.a.msp], { ...again, handle, statement: world.statement(world.a, doctor.identity, handle) }), 'LEAF_IN_USE');
});

test('Status lists: the hospital\'s status key, growing seq, not past nextUpdate', async () => {
  const world = await new World().init();
  const { a, b } = world;
  const list = (seq: number, more: JsonObject = {}, signer = a.statusKey): string =>
    compact('bridge-status+jws', { v: 1, hospital: a.msp, record: digest(canonical(a.record())), seq, thisUpdate: now(), nextUpdate: now() + 86400, part: 0, parts: 1, revoked: [], ...more }, signer.keys, signer.text);
  const publish = (status: string, caller = a.caller): ReturnType<typeof world.directoryCall> => world.directoryCall(caller, ['PublishStatus', a.msp], { status, salt: saltOf() });
  const readPart = (part: string): ReturnType<typeof world.fabric.evaluate> => world.fabric.evaluate({ caller: world.portalCaller, args: ['ReadStatus', a.msp, part] }, 'PortalMSP');
  await refused(readPart('0'), 'NOT_FOUND');
  for (const part of ['', '-1', '00', '256', '1.0', 'x', '0/1']) await refused(readPart(part), 'BAD_INPUT');
  await refused(publish('x'), 'BAD_STATUS');
  await refused(publish(list(1, {}, a.registrar)), 'BAD_STATUS');
  await refused(publish(list(1, {}, b.statusKey)), 'BAD_STATUS');
  await refused(publish(list(1, { hospital: b.msp })), 'BAD_STATUS');
  await refused(publish(list(1, { record: digest(canonical(a.record({ seq: 2 }))) })), 'BAD_STATUS');
  await refused(publish(list(1, { thisUpdate: now() - 7200, nextUpdate: now() - 3600 })), 'BAD_STATUS');
  await refused(publish(list(1, { thisUpdate: now() + 7200 })), 'BAD_STATUS');
  await refused(publish(list(1), b.caller), 'NOT_BRIDGE');
  const first = list(1, { revoked: [digest('leaf')] });
  assert.equal((await accepted(publish(first))).payload, 'PUBLISHED');
  await refused(publish(first), 'WRONG_SEQ');
  await accepted(publish(list(5)));
  await refused(publish(list(4)), 'WRONG_SEQ');
  assert.notEqual((await accepted(readPart('0'))).payload, first);
  // each part counts by itself
  const second = list(1, { part: 1, parts: 2 });
  await accepted(publish(second));
  assert.equal((await accepted(readPart('1'))).payload, second);
  await refused(publish(list(1, { part: 1, parts: 2 })), 'WRONG_SEQ');
});

test('Twenty thousand revoked certificates fit into parts of a status list, each within a signed text of 64 KiB whatever its certificate', async () => {
  const world = await new World().init();
  const { a } = world;
  const revoked = Array.from({ length: 20_000 }, (_, i) => digest(`leaf ${String(i)}`));
  const parts = 32;
  for (let part = 0; part < parts; part++) {
    const here = revoked.filter((thumbprint) => partOf(thumbprint, parts) === part);
    assert.ok(here.length <= mostRevoked, `${String(here.length)} in part ${String(part)}`);
    if (part % 8 !== 0) continue;
    const status = compact('bridge-status+jws', { v: 1, hospital: a.msp, record: digest(canonical(a.record())), seq: 1, thisUpdate: now(), nextUpdate: now() + 86400, part, parts, revoked: here }, a.statusKey.keys, a.statusKey.text);
    await accepted(world.directoryCall(a.caller, ['PublishStatus', a.msp], { status, salt: saltOf() }));
    assert.equal((await accepted(world.fabric.evaluate({ caller: world.portalCaller, args: ['ReadStatus', a.msp, String(part)] }, 'PortalMSP'))).payload, status);
  }
  const payload = { v: 1, hospital: 'H'.repeat(64), record: digest('x'), seq: Number.MAX_SAFE_INTEGER, thisUpdate: 253402300798, nextUpdate: 253402300799, part: 255, parts: 256, revoked: Array.from({ length: mostRevoked }, () => digest('x')) };
  const largest = compact('bridge-status+jws', payload, a.statusKey.keys, Buffer.alloc(8192).toString('base64'));
  assert.ok(largest.length <= 65536, `${String(largest.length)} bytes with the largest certificate`);
});

test('ReadDoctor returns the stored value byte for byte; ListDoctors pages over one hospital', async () => {
  const world = await new World().init();
  const doctors = [await world.doctor(), await world.proposed(), await world.doctor()];
  await world.doctor(world.b);
  const ask = (fn: string, args: string[], input: JsonObject, caller = world.portalCaller): ReturnType<typeof world.fabric.evaluate> => world.fabric.evaluate({ caller, args: [fn, ...args], input }, caller.msp);
  const [first] = doctors;
  assert.equal((await accepted(ask('ReadDoctor', [], { handle: first?.handle ?? '' }))).payload, world.fabric.value('doctors', `doc/${first?.handle ?? ''}`)?.toString());
  await refused(ask('ReadDoctor', [], { handle: handleOf() }), 'DOCTOR_UNKNOWN');
  await refused(ask('ReadDoctor', [], { handle: first?.handle ?? '' }, callerOf('StrangerMSP', world.portal)), 'NOT_MEMBER');
  await refused(ask('ListDoctors', [world.a.msp], { after: null, limit: 1 }, callerOf('StrangerMSP', world.portal)), 'NOT_MEMBER');
  await refused(ask('ReadStatus', [world.a.msp, '0'], {}, callerOf('StrangerMSP', world.portal)), 'NOT_MEMBER');
  await refused(ask('ListDoctors', [world.a.msp], { after: null, limit: 201 }), 'BAD_INPUT');
  const seen: string[] = [];
  let after: string | null = null;
  let pages = 0;
  do {
    const page = JSON.parse((await accepted(ask('ListDoctors', [world.a.msp], { after, limit: 2 }))).payload) as { doctors: string[]; next: string | null };
    seen.push(...page.doctors.map((text) => (JSON.parse(text) as { handle: string }).handle));
    after = page.next;
    pages++;
  } while (after !== null);
  assert.deepEqual(seen.sort(), doctors.map((doctor) => doctor.handle).sort());
  assert.equal(pages, 2);
});
