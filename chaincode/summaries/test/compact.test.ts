import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonical } from '../src/rules/canonical';
import { readCompact, type CompactKind } from '../src/rules/compact';
import { digest } from '../src/rules/encoding';
import type { JsonObject } from '../src/rules/json';
import { approvalKind, confirmationKind, consentKind, doctorKind, erasureKind, partOf, revocationKind, statusKind, withdrawalKind } from '../src/rules/statements';
import { compact, encode, handleOf, mint, newKeys, signEs256 } from './helpers/pki';

const keys = newKeys();
const office = mint({ name: 'Registrar', keys: newKeys(), notBefore: 1_700_000_000, notAfter: 2_000_000_000 });
const withdrawal = { v: 1, hospital: 'HospitalAMSP', consentId: 'AAAAAAAAAAAAAAAAAAAAAA' };
const outcomeOf = (text: string): string => readCompact(text, withdrawalKind, keys.publicKey).outcome;
const make = (header: JsonObject | string, payload: JsonObject | string, highS = false): string => {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${signEs256(keys, input, highS).toString('base64url')}`;
};
const plain = { alg: 'ES256', typ: 'bridge-withdrawal+jws' };

test('VALID: a patient\'s and an office\'s statement', () => {
  assert.equal(outcomeOf(make(plain, withdrawal)), 'VALID');
  const statement = compact('bridge-doctor+jws', { v: 1, hospital: 'A', handle: handleOf(), thumbprint: digest('x'), name: 'Dr', licence: '1', registry: 'r' }, office.keys, office.text);
  const reading = readCompact(statement, doctorKind, null);
  assert.equal(reading.outcome, 'VALID');
});

const cases: readonly (readonly [string, string, string])[] = [
  ['TOO_LARGE', 'more than 64 KiB', 'a'.repeat(65537)],
  ['MALFORMED', 'two parts', make(plain, withdrawal).split('.').slice(0, 2).join('.')],
  ['MALFORMED', 'four parts', `${make(plain, withdrawal)}.x`],
  ['MALFORMED', 'an empty part', `.${make(plain, withdrawal).split('.').slice(1).join('.')}`],
  ['MALFORMED', 'nothing', ''],
  ['BAD_HEADER', 'a header that is not canonical', make(JSON.stringify({ typ: 'x', alg: 'ES256' }), withdrawal)],
  ['BAD_HEADER', 'padding', make(plain, withdrawal).replace('.', '=.')],
  ['CRITICAL_HEADER', 'crit', make({ ...plain, crit: ['exp'] }, withdrawal)],
  ['CRITICAL_HEADER', 'b64', make({ ...plain, b64: false }, withdrawal)],
  ['UNKNOWN_HEADER', 'a key in a patient\'s header', make({ ...plain, x5c: [office.text] }, withdrawal)],
  ['UNKNOWN_HEADER', 'jwk', make({ ...plain, jwk: {} }, withdrawal)],
  ['UNKNOWN_HEADER', 'no typ', make({ alg: 'ES256' }, withdrawal)],
  ['UNKNOWN_HEADER', 'alg that is no string', make({ ...plain, alg: 1 }, withdrawal)],
  ['WRONG_ALG', 'none', make({ ...plain, alg: 'none' }, withdrawal)],
  ['WRONG_TYP', 'an erasure', make({ ...plain, typ: 'bridge-erasure+jws' }, withdrawal)],
  ['SIGNATURE_FORM', 'a short signature', `${make(plain, withdrawal).split('.').slice(0, 2).join('.')}.AAAA`],
  ['HIGH_S', 'the high S', make(plain, withdrawal, true)],
  ['BAD_PAYLOAD', 'no object', make(plain, '[]')],
  ['BAD_PAYLOAD', 'duplicates', make(plain, '{"v":1,"v":1}')],
  ['NOT_CANONICAL', 'white space', make(plain, `${canonical(withdrawal)} `)],
  ['SCHEMA', 'one more member', make(plain, { ...withdrawal, reason: 'x' })],
  ['BAD_SIGNATURE', 'another key', compact('bridge-withdrawal+jws', withdrawal, newKeys())],
];
for (const [code, name, text] of cases) test(`Compact ${code}: ${name}`, () => { assert.equal(outcomeOf(text), code); });

test('Compact BAD_CERTIFICATE and UNKNOWN_HEADER: an office names exactly one certificate', () => {
  const payload = { v: 1, hospital: 'A', handle: handleOf(), thumbprint: digest('x'), reason: 'LEFT' };
  const outcome = (header: JsonObject): string => readCompact(compact('bridge-doctor-revocation+jws', payload, office.keys, undefined, header), revocationKind, null).outcome;
  assert.equal(outcome({ x5c: [office.text] }), 'VALID');
  assert.equal(outcome({}), 'UNKNOWN_HEADER');
  assert.equal(outcome({ x5c: [office.text, office.text] }), 'BAD_CERTIFICATE');
  assert.equal(outcome({ x5c: [] }), 'BAD_CERTIFICATE');
});

const accepts = <T>(kind: CompactKind<T>, payload: JsonObject): boolean => kind.schema(payload) !== null;
const d = digest('x');
const ofPart = (part: number, parts: number, count = 1): string[] => Array.from({ length: 100_000 }, (_, i) => digest(`leaf ${String(i)}`)).filter((one) => partOf(one, parts) === part).slice(0, count);
const schemas: readonly (readonly [string, CompactKind<unknown>, JsonObject, readonly JsonObject[], readonly JsonObject[]])[] = [
  ['consent', consentKind, { v: 1, consentId: handleOf(), hospital: 'A', patientKey: d, purposes: ['peers'], recipients: ['P'], notice: d, language: 'zh-CN', exp: '2028-02-29' },
    [{ purposes: ['rare', 'peers', 'sensitive:hiv'] }, { language: 'en' }, { recipients: ['P', 'Q'] }],
    [{ purposes: [] }, { purposes: ['rare'] }, { purposes: ['peers', 'peers'] }, { purposes: ['peers', 'all'] }, { recipients: [] }, { recipients: ['P', 'P'] }, { exp: '2027-02-29' }, { exp: '2027-2-1' }, { exp: '2200-01-01' },
      { language: 'English!' }, { notice: 'x' }, { patientKey: handleOf() }, { consentId: d }, { extra: 1 }]],
  ['withdrawal', withdrawalKind, withdrawal, [], [{ v: 2 }, { consentId: 'x' }]],
  ['erasure', erasureKind, { v: 1, hospital: 'A', id: handleOf() }, [], [{ id: 'x' }, { hospital: '' }]],
  ['doctor', doctorKind, { v: 1, hospital: 'A', handle: handleOf(), thumbprint: d, name: '李', licence: '1', registry: 'r' }, [{ name: 'x'.repeat(128) }],
    [{ name: '' }, { name: 'x'.repeat(129) }, { name: 'a\nb' }, { licence: 'x'.repeat(65) }, { registry: 'a\u007f' }, { thumbprint: 'x' }]],
  ['confirmation', confirmationKind, { v: 1, hospital: 'A', handle: handleOf(), thumbprint: d, statement: d }, [], [{ statement: 'x' }]],
  ['revocation', revocationKind, { v: 1, hospital: 'A', handle: handleOf(), thumbprint: d, reason: 'left' }, [], [{ reason: '' }, { reason: 'x'.repeat(65) }]],
  ['approval', approvalKind, { v: 1, by: 'B', msp: 'A', name: 'n', caDigests: { bridge: [d], people: [digest('a'), digest('b')].sort() }, registrar: d, seq: 1, record: d }, [{ seq: 9007199254740991 }],
    [{ seq: 0 }, { seq: 1.5 }, { caDigests: { bridge: [d] } }, { caDigests: { bridge: [], people: [d] } }, { caDigests: { bridge: [d, d], people: [d] } }, { caDigests: { bridge: [d], people: [digest('a'), digest('b')].sort().reverse() } }]],
  ['status', statusKind, { v: 1, hospital: 'A', record: d, seq: 1, thisUpdate: 1000, nextUpdate: 87400, part: 0, parts: 1, revoked: [d] },
    [{ revoked: [] }, { part: 255, parts: 256, revoked: ofPart(255, 256) }, { part: 2, parts: 3, revoked: ofPart(2, 3) }, { revoked: ofPart(0, 1, 768) }],
    [{ nextUpdate: 87401 }, { nextUpdate: 1000 }, { revoked: ['x'] }, { thisUpdate: -1 }, { record: 'x' }, { part: 1 }, { part: 0, parts: 0 }, { part: -1 }, { part: 256, parts: 257, revoked: [] },
      { revoked: ofPart(0, 1, 769) }, { part: 1, parts: 3, revoked: ofPart(2, 3) }, { part: 0, parts: 2, revoked: [...ofPart(0, 2), ...ofPart(1, 2)] }]],
];
for (const [name, kind, base, good, bad] of schemas)
  test(`The schema of ${name} is closed`, () => {
    assert.equal(accepts(kind, base), true);
    for (const more of good) assert.equal(accepts(kind, { ...base, ...more }), true, JSON.stringify(more));
    for (const more of bad) assert.equal(accepts(kind, { ...base, ...more }), false, JSON.stringify(more));
    for (const member of Object.keys(base)) assert.equal(accepts(kind, Object.fromEntries(Object.entries(base).filter(([key]) => key !== member))), false, `without ${member}`);
    assert.equal(accepts(kind, { ...base, toString: 1 }), false);
  });
