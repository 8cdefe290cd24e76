import { verify } from 'node:crypto';
import type { Certificate } from './certificate';
import { fromBase64Url, sha256 } from './encoding';
import { maxDepth } from './header';
import { isObject, JsonSyntaxError, parseJson, type JsonObject, type JsonValue } from './json';
import { derToP1363, verifyEs256 } from './signature';

/** Where a hospital's doctors sign with passkeys: its record's `origins` and `rpId`. */
export interface WebAuthnPolicy {
  readonly origins: readonly string[];
  readonly rpId: string;
}

export type WebAuthnOutcome = 'VALID' | 'WEBAUTHN_FORM' | 'WEBAUTHN_CHALLENGE' | 'WEBAUTHN_ORIGIN' | 'WEBAUTHN_FLAGS' | 'BAD_SIGNATURE';

const mostLeaves = 1024;
const members = ['authenticatorData', 'clientDataJSON', 'signature', 'n', 'index', 'path'];

interface Assertion {
  readonly authenticatorData: Buffer;
  readonly clientDataJson: Buffer;
  readonly clientData: JsonObject;
  readonly signature: Buffer;
  readonly n: number;
  readonly index: number;
  readonly path: readonly Buffer[];
}

/** Judges the doctor's passkey signature over one of n signing inputs. */
export function verifyWebAuthn(
  shape: JsonValue, signingInput: Uint8Array, doctor: Certificate, alg: string, hospital: string, policy: WebAuthnPolicy,
): WebAuthnOutcome {
  const assertion = readAssertion(shape);
  if (assertion === null) return 'WEBAUTHN_FORM';
  const root = rootOf(sha256(Buffer.from([0]), signingInput), assertion);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(assertion.n);
  const challenge = sha256('bridge-cosign-v1\0', sha256(doctor.der), sha256(hospital), count, root);
  const { clientData, authenticatorData } = assertion;
  if (clientData['challenge'] !== challenge.toString('base64url')) return 'WEBAUTHN_CHALLENGE';
  const origin = clientData['origin'] as string;
  if (!policy.origins.includes(origin) || clientData['crossOrigin'] === true) return 'WEBAUTHN_ORIGIN';
  if (!authenticatorData.subarray(0, 32).equals(sha256(policy.rpId))) return 'WEBAUTHN_ORIGIN';
  const userPresentAndVerified = 0x05;
  if (((authenticatorData[32] ?? 0) & userPresentAndVerified) !== userPresentAndVerified) return 'WEBAUTHN_FLAGS';
  const signed = Buffer.concat([authenticatorData, sha256(assertion.clientDataJson)]);
  return verifyAssertion(doctor, alg, signed, assertion.signature) ? 'VALID' : 'BAD_SIGNATURE';
}

function verifyAssertion(doctor: Certificate, alg: string, signed: Buffer, signature: Buffer): boolean {
  if (alg === 'RS256') return verify('RSA-SHA256', signed, doctor.key, signature);
  const p1363 = derToP1363(signature);
  return p1363 !== null && verifyEs256(doctor.key, signed, p1363);
}

function readAssertion(shape: JsonValue): Assertion | null {
  if (!isObject(shape) || Object.keys(shape).length !== members.length || !members.every((name) => name in shape)) return null;
  const binary = (name: string): Buffer | null => (typeof shape[name] === 'string' ? fromBase64Url(shape[name]) : null);
  const authenticatorData = binary('authenticatorData');
  const clientDataJson = binary('clientDataJSON');
  const signature = binary('signature');
  const { n, index, path } = shape as { n: JsonValue; index: JsonValue; path: JsonValue };
  if (authenticatorData === null || authenticatorData.length < 37 || authenticatorData.length > 1024) return null;
  if (clientDataJson === null || signature === null) return null;
  const clientData = readClientData(clientDataJson);
  if (clientData === null) return null;
  if (!isCount(n) || !isCount(index) || index >= n || n > mostLeaves || !Array.isArray(path)) return null;
  const nodes = path.map((node) => (typeof node === 'string' ? fromBase64Url(node) : null));
  if (nodes.length !== pathLength(index, n) || nodes.some((node) => node?.length !== 32)) return null;
  return { authenticatorData, clientDataJson, clientData, signature, n, index, path: nodes as Buffer[] };
}

const isCount = (value: JsonValue): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0;

function readClientData(bytes: Buffer): JsonObject | null {
  try {
    const { value, duplicates } = parseJson(bytes, maxDepth);
    if (!isObject(value) || duplicates.length > 0 || value['type'] !== 'webauthn.get') return null;
    if (typeof value['challenge'] !== 'string' || typeof value['origin'] !== 'string') return null;
    return !('crossOrigin' in value) || typeof value['crossOrigin'] === 'boolean' ? value : null;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return null;
    throw error;
  }
}

/** Length of an inclusion proof (RFC 9162 §2.1.3). */
function pathLength(index: number, n: number): number {
  let length = 0;
  for (let fn = index, sn = n - 1; sn > 0; fn >>= 1, sn >>= 1) if (fn & 1 || fn < sn) length++;
  return length;
}

/** The root that an inclusion proof leads to (RFC 9162 §2.1.3.2). The path's length has been checked. */
function rootOf(leaf: Buffer, { index, n, path }: Assertion): Buffer {
  let fn = index;
  let sn = n - 1;
  let node = leaf;
  for (const sibling of path) {
    if (fn & 1 || fn === sn) {
      node = sha256(Buffer.from([1]), sibling, node);
      while (!(fn & 1) && fn !== 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else node = sha256(Buffer.from([1]), node, sibling);
    fn >>= 1;
    sn >>= 1;
  }
  return node;
}
