import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonical } from '../src/rules/canonical';
import type { JsonObject, JsonValue } from '../src/rules/json';
import { retractionKind, summaryKind, verifyDual, verifyDualDocument } from '../src/rules/summary';
import { dual, dualHeader, encode, handleOf, mint, newKeys, newRsaKeys, signEs256, type Identity } from './helpers/pki';

const dates = { notBefore: 1_700_000_000, notAfter: 2_000_000_000 };
const doctor = mint({ name: 'Dr Ada', keys: newKeys(), ...dates });
const bridge = mint({ name: 'bridge', keys: newKeys(), ...dates });
const valid: JsonObject = {
  v: 1, id: 'AAAAAAAAAAAAAAAAAAAAAA', patient: 'pq9w1dfwf077ymga183f5vbh24e', hospital: 'HospitalAMSP', period: '2026-01', class: 'AMB',
  conditions: [{ system: 'http://hl7.org/fhir/sid/icd-10', code: 'E11', level: 'code', rank: 1 }], treatments: [], ageBand: '50-59', sex: 'female',
};
const outcomeOf = (document: JsonValue | string | Buffer): string =>
  verifyDualDocument(typeof document === 'string' || Buffer.isBuffer(document) ? document : JSON.stringify(document), summaryKind, null).outcome;

/** An envelope whose parts can be bent before and after signing. */
function envelope(bend: { payload?: string; headers?: [JsonObject | string, JsonObject | string]; signers?: [Identity, Identity]; after?: (envelope: JsonObject) => void; highS?: number } = {}): JsonObject {
  const signers = bend.signers ?? [doctor, bridge];
  const payload = bend.payload ?? encode(valid);
  const headers = bend.headers ?? [dualHeader('doctor', signers[0].text), dualHeader('bridge', signers[1].text)];
  const signatures = headers.map((header, i) => {
    const text = typeof header === 'string' ? header : encode(header);
    return { protected: text, signature: signEs256((signers[i] as Identity).keys, `${text}.${payload}`, bend.highS === i).toString('base64url') };
  });
  const result = JSON.parse(JSON.stringify({ payload, signatures })) as JsonObject;
  bend.after?.(result);
  return result;
}
const part = (value: JsonObject, i: number): JsonObject => (value['signatures'] as JsonObject[])[i] as JsonObject;
const header = (role: 'doctor' | 'bridge', more: JsonObject = {}): JsonObject => ({ ...dualHeader(role, role === 'doctor' ? doctor.text : bridge.text), ...more });
const withHeader = (more: JsonObject | string, i = 0): JsonObject =>
  envelope({ headers: i === 0 ? [typeof more === 'string' ? more : header('doctor', more), header('bridge')] : [header('doctor'), typeof more === 'string' ? more : header('bridge', more)] });

test('VALID: two signatures over one payload', () => {
  const reading = verifyDualDocument(JSON.stringify(envelope()), summaryKind, null);
  assert.equal(reading.outcome, 'VALID');
  assert.equal(verifyDual(dual(valid, doctor, bridge), summaryKind, null).outcome, 'VALID');
  assert.equal(verifyDual(dual({ v: 1, hospital: 'A', id: handleOf(), reason: 'MERGED' }, doctor, bridge, 'bridge-retraction+json'), retractionKind, null).outcome, 'VALID');
});

const p384 = mint({ name: 'x', keys: newKeys('P-384'), ...dates });
const rsa = mint({ name: 'x', keys: newRsaKeys(), ...dates });
const without = (value: JsonObject, name: string): JsonObject => Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));

const cases: readonly (readonly [code: string, name: string, make: () => JsonValue | string | Buffer])[] = [
  ['TOO_LARGE', 'more than 64 KiB', () => `{"payload":"${'A'.repeat(65536)}"}`],
  ['MALFORMED', 'not JSON', () => '{'],
  ['MALFORMED', 'not UTF-8', () => Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ['MALFORMED', 'an array', () => []],
  ['MALFORMED', 'an array with duplicates inside', () => '[{"a":1,"a":1}]'],
  ['MALFORMED', 'nested 17 deep', () => `{"payload":${'['.repeat(16)}${']'.repeat(16)}}`],
  ['MALFORMED', 'text after it, duplicates before', () => '{"a":1,"a":1}x'],
  ['DUPLICATE_MEMBER', 'a member twice', () => JSON.stringify(envelope()).replace('{"payload"', '{"payload":"","payload"')],
  ['DUPLICATE_MEMBER', 'a member twice inside a signature', () => JSON.stringify(envelope()).replace('{"protected"', '{"protected":"","protected"')],
  ['MISSING_MEMBER', 'no payload', () => without(envelope(), 'payload')],
  ['MISSING_MEMBER', 'no signatures', () => without(envelope(), 'signatures')],
  ['MISSING_MEMBER', 'no payload, but another', () => ({ ...without(envelope(), 'payload'), other: 1 })],
  ['UNKNOWN_MEMBER', 'one more member', () => ({ ...envelope(), header: {} })],
  ['SIGNATURE_COUNT', 'one signature', () => envelope({ after: (value) => { value['signatures'] = [part(value, 0)]; } })],
  ['SIGNATURE_COUNT', 'three signatures', () => envelope({ after: (value) => { value['signatures'] = [part(value, 0), part(value, 1), part(value, 1)]; } })],
  ['SIGNATURE_COUNT', 'signatures that are no array', () => ({ ...envelope(), signatures: {} })],
  ['MISSING_MEMBER', 'a signature that is no object', () => envelope({ after: (value) => { value['signatures'] = [part(value, 0), 'x']; } })],
  ['UNPROTECTED_HEADER', 'an unprotected header', () => envelope({ after: (value) => { part(value, 1)['header'] = { kid: '1' }; } })],
  ['SHAPE_NOT_ENABLED', 'a passkey', () => envelope({ after: (value) => { part(value, 0)['webauthn'] = {}; } })],
  ['MISSING_MEMBER', 'no protected header', () => envelope({ after: (value) => { delete part(value, 0)['protected']; } })],
  ['MISSING_MEMBER', 'no signature', () => envelope({ after: (value) => { delete part(value, 1)['signature']; } })],
  ['UNKNOWN_MEMBER', 'one more member in a signature', () => envelope({ after: (value) => { part(value, 1)['x'] = 1; } })],
  ['BAD_HEADER', 'a header that is no string', () => envelope({ after: (value) => { part(value, 0)['protected'] = {}; } })],
  ['BAD_HEADER', 'a padded header', () => envelope({ after: (value) => { part(value, 0)['protected'] = `${part(value, 0)['protected'] as string}=`; } })],
  ['BAD_HEADER', 'a header that is not canonical', () => withHeader(encode(JSON.stringify(header('doctor')).replace(',', ', ')))],
  ['BAD_HEADER', 'a header with duplicates', () => withHeader(encode(canonical(header('doctor')).replace('{', '{"alg":"ES256",')))],
  ['BAD_HEADER', 'a header that is no object', () => withHeader(encode('[]'))],
  ['CRITICAL_HEADER', 'crit', () => withHeader({ crit: ['x'] })],
  ['CRITICAL_HEADER', 'b64', () => withHeader({ b64: false }, 1)],
  ['UNKNOWN_HEADER', 'iat: a date finer than the payload\'s', () => withHeader({ iat: 1 })],
  ['UNKNOWN_HEADER', 'kid', () => withHeader({ kid: 'x' }, 1)],
  ['UNKNOWN_HEADER', 'no typ', () => withHeader(encode(without(header('doctor'), 'typ')))],
  ['UNKNOWN_HEADER', 'a role that is no string', () => withHeader({ role: 1 })],
  ['UNKNOWN_HEADER', 'x5c that is no array', () => withHeader({ x5c: doctor.text })],
  ['WRONG_ALG', 'none', () => withHeader({ alg: 'none' })],
  ['WRONG_ALG', 'RS256 without a passkey', () => withHeader({ alg: 'RS256' })],
  ['WRONG_ALG', 'HS256', () => withHeader({ alg: 'HS256' }, 1)],
  ['WRONG_TYP', 'a sign-in', () => withHeader({ typ: 'bridge-signin+jws' })],
  ['WRONG_TYP', 'a retraction', () => dual(valid, doctor, bridge, 'bridge-retraction+json')],
  ['WRONG_ROLE', 'bridge first', () => envelope({ headers: [header('bridge'), header('doctor')] })],
  ['WRONG_ROLE', 'two doctors', () => envelope({ headers: [header('doctor'), header('doctor')] })],
  ['BAD_CERTIFICATE', 'no certificate', () => withHeader({ x5c: [] })],
  ['BAD_CERTIFICATE', 'two certificates', () => withHeader({ x5c: [doctor.text, bridge.text] })],
  ['BAD_CERTIFICATE', 'a number', () => withHeader({ x5c: [1] })],
  ['BAD_CERTIFICATE', 'noise', () => withHeader({ x5c: ['AAAA'] })],
  ['BAD_CERTIFICATE', 'P-384', () => withHeader({ x5c: [p384.text] })],
  ['BAD_CERTIFICATE', 'RSA', () => withHeader({ x5c: [rsa.text] })],
  ['SIGNATURE_FORM', 'a signature that is no string', () => envelope({ after: (value) => { part(value, 0)['signature'] = 1; } })],
  ['SIGNATURE_FORM', 'a short signature', () => envelope({ after: (value) => { part(value, 1)['signature'] = 'AAAA'; } })],
  ['HIGH_S', 'the doctor\'s high S', () => envelope({ highS: 0 })],
  ['HIGH_S', 'the bridge\'s high S', () => envelope({ highS: 1 })],
  ['SAME_KEY', 'one certificate twice', () => dual(valid, doctor, doctor)],
  ['SAME_KEY', 'one key in two certificates', () => dual(valid, doctor, mint({ name: 'bridge', keys: doctor.keys, ...dates }))],
  ['BAD_PAYLOAD', 'a payload that is no string', () => ({ ...envelope(), payload: {} })],
  ['BAD_PAYLOAD', 'a payload that is not base64url', () => envelope({ payload: 'AA==' })],
  ['BAD_PAYLOAD', 'a payload that is not JSON', () => envelope({ payload: encode('{') })],
  ['BAD_PAYLOAD', 'a payload with duplicates', () => envelope({ payload: encode('{"v":1,"v":1}') })],
  ['BAD_PAYLOAD', 'a payload nested 17 deep', () => envelope({ payload: encode(`{"v":${'['.repeat(16)}${']'.repeat(16)}}`) })],
  ['NOT_CANONICAL', 'members in another order', () => envelope({ payload: encode(JSON.stringify(valid)) })],
  ['NOT_CANONICAL', 'white space', () => envelope({ payload: encode(`${canonical(valid)} `) })],
  ['SCHEMA', 'one more member', () => dual({ ...valid, name: 'x' }, doctor, bridge)],
  ['BAD_SIGNATURE', 'the doctor\'s signature over another payload', () => envelope({ after: (value) => { value['payload'] = encode({ ...valid, sex: 'male' }); } })],
  ['BAD_SIGNATURE', 'the bridge signed with another key', () => envelope({ signers: [doctor, { ...bridge, keys: newKeys() }] })],
  ['BAD_SIGNATURE', 'another doctor\'s certificate', () => envelope({ signers: [{ ...doctor, keys: newKeys() }, bridge] })],
  ['BAD_SIGNATURE', 'the signatures swapped', () => envelope({ after: (value) => { [part(value, 0)['signature'], part(value, 1)['signature']] = [part(value, 1)['signature'] as string, part(value, 0)['signature'] as string]; } })],
];
for (const [code, name, make] of cases) test(`${code}: ${name}`, () => { assert.equal(outcomeOf(make()), code); });

test('verifyDual judges what was parsed before: size, depth, kind', () => {
  assert.equal(verifyDual('x', summaryKind, null).outcome, 'MALFORMED');
  assert.equal(verifyDual({ payload: 'A'.repeat(70000), signatures: [] }, summaryKind, null).outcome, 'TOO_LARGE');
});

const conditions = (n: number): JsonObject[] => Array.from({ length: n }, (_, i) => ({ system: 'http://snomed.info/sct', code: `C${String(i)}`, level: 'code', rank: i + 1 }));
const treatment = (kind: string, system: string, code: string): JsonObject => ({ kind, system, code });
const atc = 'http://www.whocc.no/atc';
const sct = 'http://snomed.info/sct';
const good: readonly JsonObject[] = [
  { period: '2026' }, { period: '2026-Q4' }, { period: '1900-12' }, { class: 'IMP' }, { conditions: conditions(8) }, { ageBand: '90+' }, { ageBand: '80+' }, { ageBand: '0-19' }, { sex: 'unknown' }, { disposition: 'home' },
  { supersedes: 'AAAAAAAAAAAAAAAAAAAAAQ' }, { treatments: [treatment('medication', atc, 'A'), treatment('procedure', sct, 'A')] },
  { treatments: Array.from({ length: 16 }, (_, i) => treatment('medication', atc, `A${String(i).padStart(2, '0')}`)) },
  { conditions: [{ system: sct, code: 'E08-E13', level: 'block', rank: 1 }] },
];
for (const [i, more] of good.entries()) test(`The schema accepts form ${String(i)}`, () => { assert.equal(outcomeOf(dual({ ...valid, ...more }, doctor, bridge)), 'VALID'); });

const bad: readonly JsonObject[] = [
  { v: 2 }, { v: '1' }, { id: 'AAAA' }, { id: 'AAAAAAAAAAAAAAAAAAAAAB' }, { patient: 'x' }, { hospital: 'a/b' }, { period: '2026-13' }, { period: '2026-00' }, { period: '2026-Q5' }, { period: '2026-01-01' }, { period: '1899' }, { period: '2200' },
  { class: 'XYZ' }, { conditions: [] }, { conditions: conditions(9) }, { conditions: {} }, { conditions: [{ system: sct, code: 'A', level: 'code' }] }, { conditions: [{ system: sct, code: 'A', level: 'code', rank: 2 }] },
  { conditions: [{ system: sct, code: 'A', level: 'code', rank: 1, display: 'x' }] }, { conditions: [{ system: atc, code: 'A', level: 'code', rank: 1 }] }, { conditions: [{ system: sct, code: 'A', level: 'x', rank: 1 }] },
  { conditions: [{ system: sct, code: ' A', level: 'code', rank: 1 }] }, { conditions: [{ system: sct, code: 'A'.repeat(33), level: 'code', rank: 1 }] }, { conditions: [{ system: sct, code: '', level: 'code', rank: 1 }] },
  { conditions: [{ system: sct, code: 'A', level: 'code', rank: 1 }, { system: sct, code: 'A', level: 'block', rank: 2 }] }, { treatments: Array.from({ length: 17 }, (_, i) => treatment('medication', atc, `A${String(i + 10)}`)) },
  { treatments: [treatment('medication', atc, 'B'), treatment('medication', atc, 'A')] }, { treatments: [treatment('medication', atc, 'A'), treatment('medication', atc, 'A')] }, { treatments: [treatment('procedure', sct, 'A'), treatment('medication', atc, 'A')] },
  { treatments: [treatment('procedure', atc, 'A')] }, { treatments: [treatment('medication', 'http://hl7.org/fhir/sid/icd-9-cm', 'A')] }, { treatments: [treatment('surgery', sct, 'A')] }, { ageBand: '55' }, { ageBand: '20-59' }, { sex: 'F' }, { disposition: 'x' },
  { disposition: null }, { supersedes: 'AAAAAAAAAAAAAAAAAAAAAA' }, { supersedes: null }, { text: 'free' }, { __proto__x: 1 },
];
for (const [i, more] of bad.entries()) test(`SCHEMA: ${String(i)} ${JSON.stringify(more).slice(0, 60)}`, () => { assert.equal(outcomeOf(dual({ ...valid, ...more }, doctor, bridge)), 'SCHEMA'); });

for (const name of Object.keys(valid)) test(`SCHEMA: without ${name}`, () => { assert.equal(outcomeOf(dual(without(valid, name), doctor, bridge)), 'SCHEMA'); });

test('SCHEMA: a retraction has exactly its members', () => {
  const payload = { v: 1, hospital: 'A', id: handleOf(), reason: 'MERGED' };
  for (const more of [{ reason: 'x' }, { note: 'x' }, { id: 'x' }, { hospital: '' }])
    assert.equal(verifyDual(dual({ ...payload, ...more }, doctor, bridge, 'bridge-retraction+json'), retractionKind, null).outcome, 'SCHEMA');
});
