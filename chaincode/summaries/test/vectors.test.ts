import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RuleError } from '../src/refusal';
import { canonical } from '../src/rules/canonical';
import { checkCa, checkLeaf, checkOffice, checkPatientCa, clientAuth, isIssuedBy, isValidAt, readCertificateText } from '../src/rules/certificate';
import { readCompact, type CompactKind } from '../src/rules/compact';
import { digest, fromBase64Url, pseudonymOf, sha256, tombOf } from '../src/rules/encoding';
import { readHospital } from '../src/rules/hospital';
import { isObject, JsonSyntaxError, parseJson, type JsonObject } from '../src/rules/json';
import { approvalKind, confirmationKind, consentKind, doctorKind, erasureKind, revocationKind, statusKind, withdrawalKind, type CaDigests } from '../src/rules/statements';
import { retractionKind, summaryKind, verifyDualDocument } from '../src/rules/summary';
import { readSpki } from '../src/patients/enrolment';

/** The vectors that C#, contract and browser share: tests/vectors/README.md. */
const folder = join(__dirname, '..', '..', '..', '..', 'tests', 'vectors');

type Vector = Readonly<Record<string, unknown>> & { readonly name: string; readonly kind: string; readonly outcome: string };

const bytesOf = (text: unknown): Buffer => fromBase64Url(text as string) ?? assert.fail('a vector that is not base64url');

/** A rule's RuleError as one word. */
function good(rule: () => void): boolean {
  try {
    rule();
    return true;
  } catch (error) {
    if (error instanceof RuleError || error instanceof JsonSyntaxError) return false;
    throw error;
  }
}

const compactKinds = [consentKind, withdrawalKind, erasureKind, doctorKind, confirmationKind, revocationKind, approvalKind, statusKind] as readonly CompactKind<unknown>[];

function canonicalOutcome(input: Buffer): { readonly outcome: string; readonly canonical?: string } {
  try {
    const { value, duplicates } = parseJson(input, 16);
    return duplicates.length > 0 ? { outcome: 'DUPLICATE_MEMBER' } : { outcome: 'VALID', canonical: canonical(value) };
  } catch (error) {
    if (error instanceof JsonSyntaxError) return { outcome: 'MALFORMED' };
    throw error;
  }
}

function certificateIsGood({ profile, certificate, issuers, at }: { profile: string; certificate: string; issuers: string[]; at: number }): boolean {
  return good(() => {
    const subject = readCertificateText(certificate);
    const known = issuers.map(readCertificateText);
    if (profile === 'person') checkOffice(subject, known, at);
    else if (profile === 'patient-ca') checkPatientCa(subject, known, at);
    else if (profile === 'ca') checkCa(subject, at);
    else {
      checkLeaf(subject, clientAuth, at);
      if (!known.some((issuer) => isValidAt(issuer, at) && isIssuedBy(subject, issuer))) throw new RuleError('issuer');
      if (subject.commonName !== pseudonymOf(subject.spki)) throw new RuleError('name');
    }
  });
}

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

const judges: Readonly<Record<string, (vector: Vector) => void>> = {
  'signed-summary': (vector) => {
    const webauthn = vector['webauthn'] as { enabled: boolean; origins: string[]; rpId: string } | undefined;
    assert.equal(verifyDualDocument(bytesOf(vector['input']), summaryKind, webauthn?.enabled === true ? webauthn : null).outcome, vector.outcome);
  },
  'retraction': (vector) => { assert.equal(verifyDualDocument(bytesOf(vector['input']), retractionKind, null).outcome, vector.outcome); },
  'canonical-json': (vector) => {
    const result = canonicalOutcome(bytesOf(vector['input']));
    assert.deepEqual([result.outcome, result.canonical], [vector.outcome, vector['canonical']]);
  },
  'compact-jws': (vector) => {
    const kind = compactKinds.find((one) => one.typ === vector['typ']);
    // sign-in and device statements are the portal's: the contract has no use for them
    if (kind === undefined) return;
    const key = vector['spki'] === undefined ? null : readSpki(vector['spki'] as string).key;
    assert.equal(readCompact(vector['input'] as string, kind, key).outcome, vector.outcome);
  },
  'name': (vector) => {
    if (vector['spki'] !== undefined) assert.equal(pseudonymOf(bytesOf(vector['spki'])), vector['pseudonym']);
    else if (vector['handle'] !== undefined) assert.equal(tombOf(vector['handle'] as string), vector['tomb']);
    else assert.equal(digest(bytesOf(vector['data'])), vector['digest']);
  },
  'enrolment-code': (vector) => { if (vector.outcome === 'GOOD' && vector['mac'] !== undefined) enrolment(vector); },
  'certificate': (vector) => { assert.equal(certificateIsGood(vector as unknown as Parameters<typeof certificateIsGood>[0]), vector.outcome === 'NONE'); },
  'hospital-record': (vector) => {
    let seen: { digest: string; caDigests: CaDigests } | null = null;
    good(() => {
      const { value, duplicates } = parseJson(bytesOf(vector['input']), 16);
      if (duplicates.length > 0 || !isObject(value)) throw new RuleError('no object');
      const hospital = readHospital(value);
      seen = { digest: hospital.recordDigest, caDigests: hospital.caDigests };
    });
    assert.deepEqual(seen, vector.outcome === 'VALID' ? { digest: vector['digest'], caDigests: vector['caDigests'] } : null);
  },
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
