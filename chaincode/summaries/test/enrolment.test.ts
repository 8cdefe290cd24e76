import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roleMarks } from '../src/rules/certificate';
import { digest, tombOf } from '../src/rules/encoding';
import type { JsonObject } from '../src/rules/json';
import { callerOf } from './helpers/fabric';
import { handleOf, mint, newKeys, saltOf, spkiOf } from './helpers/pki';
import { accepted, now, refused, World } from './helpers/world';

test('A patient enrols: request by the portal, certificate by the hospital, requests of the code purged', async () => {
  const world = await new World().init();
  const keys = newKeys();
  const first = world.requestInput(world.a, keys);
  const codeId = (first['request'] as JsonObject)['codeId'] as string;
  const thief = newKeys();
  const second = world.requestInput(world.a, thief);
  (second['request'] as JsonObject)['codeId'] = codeId;
  assert.equal((await accepted(world.request(world.a, first))).payload, 'REQUESTED');
  await accepted(world.request(world.a, second));
  const listed = JSON.parse((await accepted(world.read('ReadEnrolments', { after: null, limit: 1 }))).payload) as { items: JsonObject[]; next: string | null };
  assert.equal(listed.items.length, 1);
  const rest = JSON.parse((await accepted(world.read('ReadEnrolments', { after: listed.next, limit: 200 }))).payload) as { items: JsonObject[]; next: string | null };
  assert.deepEqual([...listed.items, ...rest.items].map((item) => item['handle']).sort(), [first['handle'], second['handle']].sort());
  assert.equal(rest.next, null);

  const enrolment = world.enrolInput(world.a, first['handle'] as string, keys);
  const outcome = await accepted(world.enrol(world.a, enrolment));
  assert.equal(outcome.payload, 'ENROLLED');
  assert.deepEqual(JSON.parse(outcome.event?.payload ?? ''), [{ event: enrolment['event'], status: 'ENROLLED' }]);
  assert.deepEqual(world.fabric.keys('s_HospitalAMSP', 'req/'), []);
  for (const [prefix, handle, policy] of [['pat', 'patient', 1], ['con', 'consent', 1], ['idx', 'index', null]] as const)
    assert.equal(world.fabric.policy('s_HospitalAMSP', `${prefix}/${enrolment[handle] as string}`)?.needed ?? null, policy);
  assert.equal(world.fabric.policy('s_HospitalAMSP', `code/${codeId}`), null);

  const read = JSON.parse((await accepted(world.read('ReadPatient', { patient: enrolment['patient'] as string }, world.a, world.portalCaller))).payload) as JsonObject;
  assert.equal((read['patient'] as JsonObject)['certificate'], enrolment['certificate']);
  assert.equal((read['consent'] as JsonObject)['jws'], (first['request'] as JsonObject)['consent']);
  assert.deepEqual([read['withdrawn'], read['index'], read['entries']], [false, enrolment['index'], []]);

  await refused(world.request(world.a, { ...world.requestInput(world.a, newKeys()), request: { ...(world.requestInput(world.a, keys)['request'] as JsonObject), codeId } }), 'CODE_SPENT');
});

test('RequestEnrolment refuses', async () => {
  const world = await new World().init();
  const keys = newKeys();
  const send = (more: JsonObject = {}, consent: JsonObject = {}): ReturnType<typeof world.request> => world.request(world.a, world.requestInput(world.a, keys, more, consent));
  const bent = (more: JsonObject): JsonObject => ({ request: { ...(world.requestInput(world.a, keys)['request'] as JsonObject), ...more } });
  const asHospital = world.requestInput(world.a, keys);
  await refused(world.fabric.submit({ caller: world.a.caller, args: ['RequestEnrolment', world.a.msp], input: asHospital, endorsers: world.pair(world.a) }), 'NOT_PORTAL');
  await refused(send(bent({ spki: 'AAAA' })), 'BAD_CONSENT');
  await refused(send(bent({ spki: spkiOf(newKeys('P-384')).toString('base64url') })), 'BAD_CONSENT');
  const offCurve = spkiOf(keys);
  offCurve[90] = (offCurve[90] ?? 0) ^ 1;
  await refused(send(bent({ spki: offCurve.toString('base64url') })), 'BAD_CONSENT');
  await refused(send(bent({ spki: spkiOf(newKeys()).toString('base64url') })), 'BAD_CONSENT');
  await refused(send(bent({ consent: 'x' })), 'BAD_CONSENT');
  await refused(send(bent({ consent: world.consentJws(world.a, newKeys(), handleOf()) })), 'BAD_CONSENT');
  await refused(send({}, { hospital: world.b.msp }), 'BAD_CONSENT');
  await refused(send({}, { patientKey: digest('another key') }), 'BAD_CONSENT');
  await refused(send({}, { purposes: ['rare'] }), 'BAD_CONSENT');
  await refused(send({}, { recipients: ['OtherPortalMSP'] }), 'CONSENT_RECIPIENT');
  await refused(send({}, { exp: '2020-01-01' }), 'CONSENT_EXPIRED');
  await accepted(send({}, { exp: new Date().toISOString().slice(0, 10) }));
  const used = world.requestInput(world.a, keys);
  await accepted(world.request(world.a, used));
  await refused(send({ handle: used['handle'] as string }), 'HANDLE_IN_USE');
  await refused(send({ event: used['event'] as string }), 'HANDLE_IN_USE');
  await refused(send(bent({ mac: 'x' })), 'BAD_INPUT');
  await refused(send(bent({ extra: 1 })), 'BAD_INPUT');
  await refused(send({ salt: 'short' }), 'BAD_INPUT');
});

test('TOO_MANY_REQUESTS: five tries of one code, purged ones counted too', async () => {
  const world = await new World().init();
  const codeId = handleOf();
  const send = (): { handle: string; call: ReturnType<typeof world.request> } => {
    const input = world.requestInput(world.a, newKeys());
    (input['request'] as JsonObject)['codeId'] = codeId;
    return { handle: input['handle'] as string, call: world.request(world.a, input) };
  };
  const handles: string[] = [];
  for (let i = 0; i < 5; i++) {
    const { handle, call } = send();
    await accepted(call);
    handles.push(handle);
  }
  await refused(send().call, 'TOO_MANY_REQUESTS');
  const discard = (caller = world.portalCaller, input: JsonObject = { handles }): ReturnType<typeof world.request> => world.fabric.submit({ caller, args: ['DiscardRequests', world.a.msp], input, endorsers: [caller.msp] });
  assert.equal((await accepted(discard())).payload, '{"discarded":5,"locked":0,"status":"DISCARDED"}');
  assert.equal((await accepted(discard(world.a.caller))).payload, '{"discarded":0,"locked":0,"status":"DISCARDED"}');
  await refused(discard(world.b.caller), 'NOT_BRIDGE');
  await refused(discard(world.a.caller, { handles: Array.from({ length: 101 }, handleOf) }), 'BAD_INPUT');
  await refused(send().call, 'TOO_MANY_REQUESTS');
});

test('EnrolPatient refuses', async () => {
  const world = await new World().init();
  const { a, b } = world;
  const enrolled = await world.patient();
  const keys = newKeys();
  const request = world.requestInput(a, keys);
  await accepted(world.request(a, request));
  const requestHandle = request['handle'] as string;
  const enrol = (more: JsonObject = {}): ReturnType<typeof world.enrol> => world.enrol(a, world.enrolInput(a, requestHandle, keys, more));
  await refused(world.fabric.submit({ caller: world.portalCaller, args: ['EnrolPatient', a.msp], input: world.enrolInput(a, requestHandle, keys), endorsers: world.pair(a) }), 'NOT_BRIDGE');
  await refused(enrol({ request: handleOf() }), 'REQUEST_UNKNOWN');
  await refused(enrol({ request: enrolled.request }), 'REQUEST_UNKNOWN');
  const leaf = (more: Partial<Parameters<typeof mint>[0]>): JsonObject => ({
    certificate: mint({ name: a.patientCertificate(keys).certificate.commonName, keys, issuer: a.patientCa, notBefore: now() - 60, notAfter: now() + 1000, purposes: ['1.3.6.1.5.5.7.3.2'], ...more }).text,
  });
  await refused(enrol({ certificate: 'AAAA' }), 'BAD_PATIENT_CERTIFICATE');
  await refused(enrol({ certificate: b.patientCertificate(keys).text }), 'BAD_PATIENT_CERTIFICATE');
  await refused(enrol({ certificate: a.patientCertificate(keys, 'Ada Example').text }), 'BAD_PATIENT_CERTIFICATE');
  await refused(enrol(leaf({ issuer: a.peopleCa })), 'BAD_PATIENT_CERTIFICATE');
  await refused(enrol(leaf({ ca: true })), 'BAD_PATIENT_CERTIFICATE');
  await refused(enrol(leaf({ purposes: ['1.3.6.1.5.5.7.3.36'] })), 'BAD_PATIENT_CERTIFICATE');
  await refused(enrol(leaf({ purposes: ['1.3.6.1.5.5.7.3.2', roleMarks.doctor] })), 'BAD_PATIENT_CERTIFICATE');
  await refused(enrol(leaf({ notAfter: now() - 1 })), 'BAD_PATIENT_CERTIFICATE');
  await refused(enrol({ certificate: a.patientCertificate(newKeys()).text }), 'KEY_MISMATCH');
  for (const member of ['patient', 'consent', 'index'] as const) await refused(enrol({ [member]: enrolled[member] }), 'HANDLE_IN_USE');
  await accepted(world.withdraw(enrolled));
  await refused(enrol({ consent: enrolled.consent }), 'HANDLE_IN_USE');
  await accepted(enrol());
});

test('CONSENT_EXPIRED: between request and enrolment', async () => {
  const world = await new World().init();
  const keys = newKeys();
  const tomorrow = (now() / 86400 + 1) * 86400;
  const input = world.requestInput(world.a, keys, {}, { exp: new Date().toISOString().slice(0, 10) });
  await accepted(world.request(world.a, input));
  const real = Date.now;
  Date.now = () => (tomorrow + 100) * 1000;
  try {
    await refused(world.fabric.submit({ caller: world.a.caller, args: ['EnrolPatient', world.a.msp], input: world.enrolInput(world.a, input['handle'] as string, keys), endorsers: world.pair(world.a), time: tomorrow + 100 }), 'CONSENT_EXPIRED');
  } finally {
    Date.now = real;
  }
});

test('FORGED: a request that one organisation overwrote invents no patient', async () => {
  const world = await new World().init();
  const honest = world.requestInput(world.a, newKeys());
  await accepted(world.request(world.a, honest));
  const key = `req/${honest['handle'] as string}`;
  const invented = newKeys();
  const forged = world.requestInput(world.a, invented);
  const codeId = (honest['request'] as JsonObject)['codeId'] as string;
  for (const value of [
    JSON.stringify({ v: 1, kind: 'request', salt: saltOf(), request: { ...(forged['request'] as JsonObject), codeId } }),
    JSON.stringify({ v: 1, kind: 'request', salt: saltOf(), request: forged['request'] }),
    '{"kind":"request"}', 'not JSON',
  ]) {
    assert.equal(world.fabric.tamper([{ kind: 'put', collection: 's_HospitalAMSP', key, value: Buffer.from(value) }], ['HospitalAMSP']), true, 'one organisation can overwrite a request');
    await refused(world.enrol(world.a, world.enrolInput(world.a, honest['handle'] as string, invented)), 'FORGED');
  }
  assert.equal(world.fabric.tamper([{ kind: 'put', collection: 's_HospitalAMSP', key: `code/${codeId}`, value: Buffer.from('{}') }], ['HospitalAMSP']), false, 'but not its code');
  assert.equal(world.fabric.tamper([{ kind: 'put', collection: 's_HospitalAMSP', key: `req/${handleOf()}`, value: Buffer.from('{}') }], ['HospitalAMSP']), false, 'nor make one');
});

test('A request locked by one organisation does not stop the enrolment of another', async () => {
  const world = await new World().init();
  const keys = newKeys();
  const mine = world.requestInput(world.a, keys);
  const locked = world.requestInput(world.a, newKeys());
  (locked['request'] as JsonObject)['codeId'] = (mine['request'] as JsonObject)['codeId'] as string;
  await accepted(world.request(world.a, mine));
  await accepted(world.request(world.a, locked));
  const { peerPolicy } = await import('../src/rules/policy.js');
  assert.equal(world.fabric.tamper([{ kind: 'policy', collection: 's_HospitalAMSP', key: `req/${locked['handle'] as string}`, value: peerPolicy(1, ['EvilMSP']) }], ['PortalMSP']), true);
  await accepted(world.enrol(world.a, world.enrolInput(world.a, mine['handle'] as string, keys)));
  assert.deepEqual(world.fabric.keys('s_HospitalAMSP', 'req/'), [`req/${locked['handle'] as string}`]);
  const discarded = await accepted(world.fabric.submit({ caller: world.a.caller, args: ['DiscardRequests', world.a.msp], input: { handles: [locked['handle'] as string] }, endorsers: [world.a.msp] }));
  assert.equal(discarded.payload, '{"discarded":0,"locked":1,"status":"DISCARDED"}');
});

test('ReadEnrolments and ReadPatient are for members', async () => {
  const world = await new World().init();
  const patient = await world.patient();
  const stranger = callerOf('HospitalBMSP', world.b.bridge);
  await refused(world.read('ReadEnrolments', { after: null, limit: 10 }, world.a, stranger), 'NOT_MEMBER');
  await refused(world.read('ReadPatient', { index: patient.index }, world.a, stranger), 'NOT_MEMBER');
  await refused(world.read('ReadPatient', { index: handleOf() }), 'NOT_FOUND');
  await refused(world.read('ReadPatient', { patient: handleOf() }), 'NOT_FOUND');
  await refused(world.read('ReadPatient', {}), 'BAD_INPUT');
  await refused(world.read('ReadPatient', { index: patient.index, patient: patient.patient }), 'BAD_INPUT');
});

test('FORGED: a patient\'s record that one organisation overwrote', async () => {
  const world = await new World().init();
  const victim = await world.patient();
  const other = await world.patient();
  const put = (value: JsonObject): boolean => world.fabric.tamper([{ kind: 'put', collection: 's_HospitalAMSP', key: `pat/${victim.patient}`, value: Buffer.from(JSON.stringify(value)) }], ['PortalMSP']);
  put({ v: 1, kind: 'patient', index: other.index, certificate: 'x' });
  await refused(world.read('ReadPatient', { patient: victim.patient }), 'FORGED');
  put({ v: 1, kind: 'patient' });
  await refused(world.read('ReadPatient', { patient: victim.patient }), 'FORGED');
  const byIndex = JSON.parse((await accepted(world.read('ReadPatient', { index: victim.index }))).payload) as JsonObject;
  assert.equal(byIndex['patient'], null, 'a forged body is as good as none');
  assert.equal(tombOf(victim.consent).length, 22);
});
