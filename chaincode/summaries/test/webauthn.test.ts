import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { test } from 'node:test';
import { sha256 } from '../src/rules/encoding';
import type { JsonObject, JsonValue } from '../src/rules/json';
import { summaryKind, verifyDual, type Passkeys } from '../src/rules/summary';
import { dualHeader, encode, mint, newKeys, newRsaKeys, signEs256, type Identity } from './helpers/pki';

const dates = { notBefore: 1_700_000_000, notAfter: 2_000_000_000 };
const doctor = mint({ name: 'Dr Ada', keys: newKeys(), ...dates });
const windows = mint({ name: 'Dr Win', keys: newRsaKeys(), ...dates });
const bridge = mint({ name: 'bridge', keys: newKeys(), ...dates });
const policy: Passkeys = { origins: ['https://console.example', 'http://localhost:5000'], rpId: 'console.example' };
const payload = encode({
  v: 1, id: 'AAAAAAAAAAAAAAAAAAAAAA', patient: 'pq9w1dfwf077ymga183f5vbh24e', hospital: 'HospitalAMSP', period: '2026-01', class: 'AMB',
  conditions: [{ system: 'http://hl7.org/fhir/sid/icd-10', code: 'E11', level: 'code', rank: 1 }], treatments: [], ageBand: '50-59', sex: 'female',
});

/** RFC 9162 §2.1: the root and a path, written from the recursive definition (the contract folds from the leaf). */
function tree(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0] as Buffer;
  const k = split(leaves.length);
  return sha256(Buffer.from([1]), tree(leaves.slice(0, k)), tree(leaves.slice(k)));
}
function path(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k ? [...path(index, leaves.slice(0, k)), tree(leaves.slice(k))] : [...path(index - k, leaves.slice(k)), tree(leaves.slice(0, k))];
}
const split = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));

interface Bend {
  readonly signer?: Identity;
  readonly alg?: string;
  readonly n?: number;
  readonly index?: number;
  readonly flags?: number;
  readonly rpId?: string;
  readonly client?: JsonObject;
  readonly clientText?: (text: string) => string;
  readonly shape?: (shape: JsonObject) => JsonValue;
  readonly hospital?: string;
  readonly der?: (signature: Buffer) => Buffer;
}

function signed(bend: Bend = {}): JsonObject {
  const signer = bend.signer ?? doctor;
  const n = bend.n ?? 1;
  const index = bend.index ?? 0;
  const header = encode({ ...dualHeader('doctor', signer.text), alg: bend.alg ?? 'ES256' });
  const leaves = Array.from({ length: n }, (_, i) => sha256(Buffer.from([0]), i === index ? `${header}.${payload}` : `other ${String(i)}`));
  const count = Buffer.alloc(4);
  count.writeUInt32BE(n);
  const challenge = sha256('bridge-cosign-v1\0', sha256(signer.certificate.der), sha256(bend.hospital ?? 'HospitalAMSP'), count, tree(leaves));
  const client = JSON.stringify({ type: 'webauthn.get', challenge: challenge.toString('base64url'), origin: 'https://console.example', crossOrigin: false, ...bend.client });
  const clientDataJSON = Buffer.from(bend.clientText?.(client) ?? client);
  const authenticatorData = Buffer.concat([sha256(bend.rpId ?? 'console.example'), Buffer.from([bend.flags ?? 5]), Buffer.alloc(4)]);
  const signature = sign('sha256', Buffer.concat([authenticatorData, sha256(clientDataJSON)]), signer.keys.privateKey);
  const shape: JsonObject = {
    authenticatorData: authenticatorData.toString('base64url'), clientDataJSON: clientDataJSON.toString('base64url'), signature: (bend.der?.(signature) ?? signature).toString('base64url'),
    n, index, path: path(index, leaves).map((node) => node.toString('base64url')),
  };
  const bridgeHeader = encode(dualHeader('bridge', bridge.text));
  return {
    payload,
    signatures: [
      { protected: header, webauthn: bend.shape?.(shape) ?? shape },
      { protected: bridgeHeader, signature: signEs256(bridge.keys, `${bridgeHeader}.${payload}`).toString('base64url') },
    ],
  };
}
const outcomeOf = (value: JsonValue, passkeys: Passkeys = policy): string => verifyDual(value, summaryKind, passkeys).outcome;

test('VALID: one summary, one passkey', () => { assert.equal(outcomeOf(signed()), 'VALID'); });
test('VALID: Windows Hello (RS256)', () => { assert.equal(outcomeOf(signed({ signer: windows, alg: 'RS256' })), 'VALID'); });
test('VALID: a client that sends more members, or no crossOrigin', () => {
  assert.equal(outcomeOf(signed({ client: { other_keys_can_be_added_here: 'do not compare' } })), 'VALID');
  assert.equal(outcomeOf(signed({ clientText: (text) => text.replace(',"crossOrigin":false', '') })), 'VALID');
});
test('VALID: every place in trees of every shape', () => {
  for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 100, 1023, 1024])
    for (const index of new Set([0, 1, n >> 1, n - 2, n - 1].filter((i) => 0 <= i && i < n))) assert.equal(outcomeOf(signed({ n, index })), 'VALID', `${String(index)} of ${String(n)}`);
});

test('SHAPE_NOT_ENABLED: the hospital has not enabled passkeys, or it is the bridge', () => {
  assert.equal(outcomeOf(signed(), null), 'SHAPE_NOT_ENABLED');
  const value = signed();
  const [first] = value['signatures'] as JsonObject[];
  assert.equal(outcomeOf({ ...value, signatures: [first as JsonObject, first as JsonObject] }), 'SHAPE_NOT_ENABLED');
});
test('UNKNOWN_MEMBER: both shapes at once', () => {
  const value = signed();
  ((value['signatures'] as JsonObject[])[0] as JsonObject)['signature'] = 'A';
  assert.equal(outcomeOf(value), 'UNKNOWN_MEMBER');
});
test('BAD_CERTIFICATE: RS256 with an EC key, ES256 with an RSA key, a short RSA key', () => {
  assert.equal(outcomeOf(signed({ alg: 'RS256' })), 'BAD_CERTIFICATE');
  assert.equal(outcomeOf(signed({ signer: windows })), 'BAD_CERTIFICATE');
  assert.equal(outcomeOf(signed({ signer: mint({ name: 'x', keys: newRsaKeys(1024), ...dates }), alg: 'RS256' })), 'BAD_CERTIFICATE');
});

const reshape = (more: JsonObject) => (shape: JsonObject): JsonValue => ({ ...shape, ...more });
const forms: Readonly<Record<string, Bend>> = {
  'no object': { shape: () => 'x' },
  'one more member': { shape: reshape({ userHandle: '' }) },
  'a missing member': { shape: (shape) => Object.fromEntries(Object.entries(shape).filter(([name]) => name !== 'path')) },
  'short authenticatorData': { shape: reshape({ authenticatorData: 'AAAA' }) },
  'long authenticatorData': { shape: reshape({ authenticatorData: Buffer.alloc(1025).toString('base64url') }) },
  'a signature that is not base64url': { shape: reshape({ signature: '=' }) },
  'client data that is no JSON': { clientText: () => '{' },
  'client data with duplicates': { clientText: (text) => text.replace('{', '{"type":"webauthn.get",') },
  'a registration': { client: { type: 'webauthn.create' } },
  'a challenge that is no string': { client: { challenge: 1 } },
  'an origin that is no string': { client: { origin: null } },
  'crossOrigin that is no boolean': { client: { crossOrigin: 'no' } },
  'n 0': { shape: reshape({ n: 0 }) },
  'n 1025': { shape: reshape({ n: 1025 }) },
  'index = n': { shape: reshape({ index: 1 }) },
  'a negative index': { shape: reshape({ index: -1 }) },
  'half an index': { n: 2, shape: reshape({ index: 0.5 }) },
  'a path too long': { shape: reshape({ path: [Buffer.alloc(32).toString('base64url')] }) },
  'a path too short': { n: 2, shape: reshape({ path: [] }) },
  'a short node': { n: 2, shape: reshape({ path: ['AAAA'] }) },
};
for (const [name, bend] of Object.entries(forms)) test(`WEBAUTHN_FORM: ${name}`, () => { assert.equal(outcomeOf(signed(bend)), 'WEBAUTHN_FORM'); });

const challenges: Readonly<Record<string, Bend>> = {
  'another challenge': { client: { challenge: 'AAAA' } },
  'another hospital\'s': { hospital: 'HospitalBMSP' },
  'another place in the tree': { n: 2, shape: reshape({ index: 1 }) },
  'a longer tree': { n: 3, shape: reshape({ n: 4 }) },
  'another node': { n: 2, shape: reshape({ path: [Buffer.alloc(32).toString('base64url')] }) },
};
for (const [name, bend] of Object.entries(challenges)) test(`WEBAUTHN_CHALLENGE: ${name}`, () => { assert.equal(outcomeOf(signed(bend)), 'WEBAUTHN_CHALLENGE'); });

const origins: Readonly<Record<string, Bend>> = {
  'another site': { client: { origin: 'https://console.example.evil' } },
  'another port': { client: { origin: 'https://console.example:8443' } },
  'inside another page': { client: { crossOrigin: true } },
  'another relying party': { rpId: 'evil.example' },
};
for (const [name, bend] of Object.entries(origins)) test(`WEBAUTHN_ORIGIN: ${name}`, () => { assert.equal(outcomeOf(signed(bend)), 'WEBAUTHN_ORIGIN'); });

test('WEBAUTHN_FLAGS: the user must be present and verified', () => {
  for (const flags of [0, 1, 4, 0x40]) assert.equal(outcomeOf(signed({ flags })), 'WEBAUTHN_FLAGS');
  assert.equal(outcomeOf(signed({ flags: 0x1d })), 'VALID');
});
test('BAD_SIGNATURE: another key, broken DER, RSA over other bytes', () => {
  assert.equal(outcomeOf(signed({ signer: { ...doctor, keys: newKeys() } })), 'BAD_SIGNATURE');
  assert.equal(outcomeOf(signed({ der: (signature) => signature.subarray(1) })), 'BAD_SIGNATURE');
  assert.equal(outcomeOf(signed({ signer: windows, alg: 'RS256', der: (signature) => Buffer.from(signature).reverse() })), 'BAD_SIGNATURE');
});
