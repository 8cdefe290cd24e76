import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crockford32, digest, fromBase64, fromBase64Url, isHandle, isMsp, isPseudonym, pageSaltOf, pseudonymOf, tombOf } from '../src/rules/encoding';
import { bothPolicy, eitherPolicy, peerPolicy } from '../src/rules/policy';
import { readPolicy } from './helpers/fabric';
import { derToP1363, readSignature, verifyEs256 } from '../src/rules/signature';
import { handleOf, newKeys, signEs256 } from './helpers/pki';
import { sign } from 'node:crypto';
import { sequence, unsigned } from './helpers/der';

test('fromBase64Url accepts one spelling per value', () => {
  assert.deepEqual(fromBase64Url(''), Buffer.alloc(0));
  assert.deepEqual(fromBase64Url('AQI'), Buffer.from([1, 2]));
  for (const text of ['AQI=', 'AQJ', 'A', 'AQ I', 'AQ+/', 'AQI\n', 'ÀQI']) assert.equal(fromBase64Url(text), null, text);
});

test('fromBase64 wants padding and one spelling', () => {
  assert.deepEqual(fromBase64('AQI='), Buffer.from([1, 2]));
  for (const text of ['', 'AQI', 'AQJ=', 'AQI==', 'AQ-_', 'AQI= ', 'A===']) assert.equal(fromBase64(text), null, text);
});

test('isHandle takes 128 bits in 22 characters whose spare bits are zero', () => {
  for (let i = 0; i < 50; i++) assert.equal(isHandle(handleOf()), true);
  for (const text of ['A'.repeat(21), 'A'.repeat(23), `${'A'.repeat(21)}B`, `${'A'.repeat(21)}=`, `${'A'.repeat(20)}/A`]) assert.equal(isHandle(text), false, text);
});

test('isMsp takes what names a collection and nothing that could end a key', () => {
  for (const text of ['HospitalAMSP', 'a', 'A-1.b']) assert.equal(isMsp(text), true, text);
  for (const text of ['', '1a', 'a/b', 'a b', 'a\u0000', 'ä', 'a'.repeat(65), '__proto__']) assert.equal(isMsp(text), false, text);
});

test('Derived values stay what they are', () => {
  assert.equal(digest('abc'), 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
  assert.equal(crockford32(Buffer.from('ffffffffff', 'hex'), 8), 'zzzzzzzz');
  assert.equal(crockford32(Buffer.from('0123456789', 'hex'), 8), '04hmasw9');
  assert.equal(pseudonymOf(Buffer.from('abc')), 'pq9w1dfwf077ymga183f5vbh24e');
  assert.equal(isPseudonym(pseudonymOf(Buffer.from('abc'))), true);
  for (const text of ['p', 'pQ9W1DFWF077YMGA183F5VBH24E', 'pu9w1dfwf077ymga183f5vbh24e', 'q'.repeat(27)]) assert.equal(isPseudonym(text), false);
  assert.equal(tombOf('AAAAAAAAAAAAAAAAAAAAAA'), digest('bridge/tomb/1', Buffer.from([0]), 'AAAAAAAAAAAAAAAAAAAAAA').slice(0, 22));
  assert.equal(tombOf('AAAAAAAAAAAAAAAAAAAAAA').length, 22);
  assert.equal(pageSaltOf('x'), digest('bridge/page-salt/1', Buffer.from([0]), 'x'));
});

test('Key policies are SignaturePolicyEnvelopes of the same bytes for the same organisations', () => {
  assert.equal(
    eitherPolicy('HospitalAMSP', 'PortalMSP').toString('hex'),
    '120c120a080112020800120208011a1212100a0c486f73706974616c414d535010031a0f120d0a09506f7274616c4d53501003',
  );
  assert.deepEqual(readPolicy(eitherPolicy('A', 'B')), { needed: 1, organisations: ['A', 'B'] });
  assert.deepEqual(readPolicy(bothPolicy('A', 'B')), { needed: 2, organisations: ['A', 'B'] });
  assert.notDeepEqual(peerPolicy(1, ['A', 'B']), peerPolicy(1, ['B', 'A']));
});

test('readSignature takes 64 bytes in range with the low S', () => {
  const keys = newKeys();
  const low = signEs256(keys, 'm');
  const high = signEs256(keys, 'm', true);
  assert.equal(readSignature(low.toString('base64url')).state, 'OK');
  assert.equal(readSignature(high.toString('base64url')).state, 'HIGH_S');
  assert.equal(verifyEs256(keys.publicKey, Buffer.from('m'), high), true, 'the high S would verify');
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  const half = (hex: string, at: 0 | 32): string => {
    const bytes = Buffer.from(low);
    Buffer.from(hex, 'hex').copy(bytes, at);
    return bytes.toString('base64url');
  };
  for (const text of ['', low.toString('hex'), low.subarray(1).toString('base64url'), half('00'.repeat(32), 0), half('00'.repeat(32), 32), half(order, 0), half(order, 32)])
    assert.equal(readSignature(text).state, 'SIGNATURE_FORM');
  assert.equal(readSignature(sign('sha256', Buffer.from('m'), keys.privateKey).toString('base64url')).state, 'SIGNATURE_FORM', 'DER');
});

test('derToP1363 takes strict DER only', () => {
  const keys = newKeys();
  const der = sign('sha256', Buffer.from('m'), keys.privateKey);
  const p1363 = derToP1363(der);
  assert.ok(p1363 !== null && verifyEs256(keys.publicKey, Buffer.from('m'), p1363));
  const one = unsigned(Buffer.from([1]));
  for (const bad of [Buffer.alloc(0), der.subarray(1), Buffer.concat([der, Buffer.from([0])]), sequence(one), sequence(one, one, one), sequence(one, unsigned(Buffer.from([0])))])
    assert.equal(derToP1363(bad), null);
});
