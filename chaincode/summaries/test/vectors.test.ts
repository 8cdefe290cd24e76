import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { canonical } from '../src/rules/canonical';
import { digest, pseudonymOf, sha256, tombOf } from '../src/rules/encoding';
import type { JsonObject } from '../src/rules/json';
import type { CaDigests } from '../src/rules/statements';
import { bytesOf, judge, type Vector } from './helpers/judge';

/** The vectors that C#, contract and browser share: tests/vectors/README.md. */
const folder = join(__dirname, '..', '..', '..', '..', 'tests', 'vectors');

/** The enrolment's keys and MAC, which browser and hospital compute; the contract only carries them. */
function enrolment(vector: Vector): void {
  const { code, hospital, caDigests, portal, spki, consent } = vector as unknown as { code: string; hospital: string; caDigests: CaDigests; portal: string; spki: string; consent: string };
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
  const characters = Array.from(code.toLowerCase()).filter((c) => c !== '-' && c !== ' ').slice(0, 16).map((c) => ({ o: '0', i: '1', l: '1' })[c] ?? c);
  const number = characters.reduce((sum, c) => sum * 32n + BigInt(alphabet.indexOf(c)), 0n);
  const ikm = Buffer.from(number.toString(16).padStart(20, '0'), 'hex');
  const salt = sha256(hospital, ...[...caDigests.people, ...caDigests.bridge].map((one) => Buffer.from(one, 'base64url')));
  const derive = (info: string, length: number): Buffer => Buffer.from(hkdfSync('sha256', ikm, salt, info, length));
  const macKey = derive('bridge/enrol/mac/1', 32);
  assert.equal(derive('bridge/enrol/id/1', 16).toString('base64url'), vector['codeId']);
  assert.equal(macKey.toString('base64url'), vector['macKey']);
  const request: JsonObject = {
    v: 1, hospital, caDigests: { bridge: [...caDigests.bridge], people: [...caDigests.people] }, portalMSP: portal, codeId: vector['codeId'] as string, spki, consentSha256: digest(consent),
  };
  assert.equal(createHmac('sha256', macKey).update(canonical(request)).digest('base64url'), vector['mac']);
}

const agree = (vector: Vector): void => {
  const { outcome, canonical: text, digest: hash, caDigests } = judge(vector);
  assert.deepEqual([outcome, text, hash, caDigests], [vector.outcome, vector['canonical'], vector['digest'], vector['caDigests']]);
};

const judges: Readonly<Record<string, (vector: Vector) => void>> = {
  'signed-summary': agree,
  'retraction': agree,
  'canonical-json': agree,
  // sign-in and device statements are the portal's: the contract has no use for them
  'compact-jws': (vector) => { if (!['bridge-signin+jws', 'bridge-device+jws'].includes(vector['typ'] as string)) agree(vector); },
  'name': (vector) => {
    if (vector['spki'] !== undefined) assert.equal(pseudonymOf(bytesOf(vector['spki'])), vector['pseudonym']);
    else if (vector['handle'] !== undefined) assert.equal(tombOf(vector['handle'] as string), vector['tomb']);
    else assert.equal(digest(bytesOf(vector['data'])), vector['digest']);
  },
  'enrolment-code': (vector) => { if (vector.outcome === 'GOOD' && vector['mac'] !== undefined) enrolment(vector); },
  'certificate': (vector) => { assert.equal(judge(vector).outcome === 'NONE', vector.outcome === 'NONE'); },
  'hospital-record': agree,
};

const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
test('There are vectors of every kind', () => { assert.deepEqual(files.map((name) => name.slice(0, -5)).sort(), Object.keys(judges).sort()); });
for (const file of files) {
  const vectors = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Vector[];
  test(`${file}: ${String(vectors.length)} vectors`, () => {
    const faults: string[] = [];
    for (const vector of vectors) {
      try {
        (judges[vector.kind] ?? assert.fail(`unknown kind ${vector.kind}`))(vector);
      } catch (error) {
        faults.push(`${vector.name} (${vector.outcome}): ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    assert.deepEqual(faults, []);
  });
}
