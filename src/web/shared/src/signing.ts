import { canonical } from '@bridge/rules/canonical';
import { parseJson, type JsonValue } from '@bridge/rules/json';
import { base64, base64Url, equal, fromBase64, utf8, type Bytes } from './bytes';
import { sign } from './keys';

export interface Condition {
  readonly system: string;
  readonly code: string;
  readonly level: 'code' | 'category' | 'block' | 'chapter';
  readonly rank: number;
}

export interface Treatment {
  readonly system: string;
  readonly code: string;
  readonly kind: 'procedure' | 'medication';
}

/** The minimal summary: all that leaves (format version 1). */
export interface Summary {
  readonly v: 1;
  readonly id: string;
  readonly patient: string;
  readonly hospital: string;
  readonly period: string;
  readonly class: string;
  readonly conditions: readonly Condition[];
  readonly treatments: readonly Treatment[];
  readonly ageBand: string;
  readonly sex: string;
  readonly disposition?: string;
  readonly supersedes?: string;
}

export const codeKey = (item: { readonly system: string; readonly code: string }): string => `${item.system}|${item.code}`;

const plain = (value: JsonValue): boolean => typeof value === 'string' || typeof value === 'number';
const only = (value: JsonValue | undefined, ...members: readonly string[]): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.entries(value).every(([name, member]) => members.includes(name) && plain(member));
const each = (value: JsonValue | undefined, check: (item: JsonValue) => boolean): boolean => Array.isArray(value) && value.every(check);

/** Nothing but the members that a page renders: what nobody sees, nobody signs. */
function isClosed(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { conditions, treatments, ...rest } = value;
  return (
    only(rest, 'v', 'id', 'patient', 'hospital', 'period', 'class', 'ageBand', 'sex', 'disposition', 'supersedes')
    && each(conditions, (item) => only(item, 'system', 'code', 'level', 'rank'))
    && each(treatments, (item) => only(item, 'system', 'code', 'kind'))
  );
}

/**
 * Reads what is to be signed. Null where the bytes are not the canonical form of what they say, or say more than a page shows: then what would be shown and what
 * would be signed were two things.
 */
export function readSummary(payload: string): Summary | null {
  try {
    const bytes = fromBase64(payload);
    const { value, duplicates } = parseJson(bytes, 16);
    return duplicates.length === 0 && isClosed(value) && equal(bytesOf(value as unknown as Summary), bytes) ? (value as unknown as Summary) : null;
  } catch {
    return null;
  }
}

/** The exact bytes of a summary as it is shown: RFC 8785. */
export const bytesOf = (summary: Summary): Bytes => utf8(canonical(summary as unknown as JsonValue));

/** The summary without the struck codes; what remains keeps its order, and diagnoses are ranked anew. */
export function without(summary: Summary, struck: ReadonlySet<string>): Summary {
  if (struck.size === 0) return summary;
  return {
    ...summary,
    conditions: summary.conditions.filter((item) => !struck.has(codeKey(item))).map((item, i) => ({ ...item, rank: i + 1 })),
    treatments: summary.treatments.filter((item) => !struck.has(codeKey(item))),
  };
}

type Typ = 'bridge-summary+json' | 'bridge-retraction+json';

/** The protected header of a doctor's signature (RFC 7515), base64url. */
const protectedHeader = (typ: Typ, certificate: Uint8Array): string => base64Url(utf8(canonical({ alg: 'ES256', role: 'doctor', typ, x5c: [base64(certificate)] })));

export interface Signed {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

async function signShown(typ: Typ, shown: JsonValue, certificate: Uint8Array, keys: CryptoKeyPair): Promise<Signed> {
  const payload = base64Url(utf8(canonical(shown)));
  const header = protectedHeader(typ, certificate);
  return { protected: header, payload, signature: base64Url(await sign(keys, utf8(`${header}.${payload}`))) };
}

/** Signs what is shown: the bytes are made from the very object that the page renders. */
export const signSummary = (shown: Summary, certificate: Uint8Array, keys: CryptoKeyPair): Promise<Signed> =>
  signShown('bridge-summary+json', shown as unknown as JsonValue, certificate, keys);

export type RetractionReason = 'ENTERED_IN_ERROR' | 'WRONG_PATIENT' | 'MERGED';

/** The taking back of a summary that stands on the ledger: what doctor and bridge both sign. */
export interface Retraction {
  readonly v: 1;
  readonly hospital: string;
  readonly id: string;
  readonly reason: RetractionReason;
}

/** As {@link signSummary}, over a retraction. */
export const signRetraction = (shown: Retraction, certificate: Uint8Array, keys: CryptoKeyPair): Promise<Signed> =>
  signShown('bridge-retraction+json', shown as unknown as JsonValue, certificate, keys);

/** A statement as a compact JWS with its signer's certificate. */
export async function signStatement(typ: string, statement: JsonValue, certificate: Uint8Array, keys: CryptoKeyPair): Promise<string> {
  const header = base64Url(utf8(canonical({ alg: 'ES256', typ, x5c: [base64(certificate)] })));
  const input = `${header}.${base64Url(utf8(canonical(statement)))}`;
  return `${input}.${base64Url(lowS(await sign(keys, utf8(input))))}`;
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Browsers give either s; the format holds the lower one. */
function lowS(signature: Bytes): Bytes {
  const s = signature.slice(32).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  if (s <= order / 2n) return signature;
  const low = signature.slice();
  let rest = order - s;
  for (let i = 63; i >= 32; i--) {
    low[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return low;
}
