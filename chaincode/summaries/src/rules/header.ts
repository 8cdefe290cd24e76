import { readCanonicalObject } from './canonical';
import { readCertificateText, type Certificate } from './certificate';
import { fromBase64Url } from './encoding';
import type { JsonObject, JsonValue } from './json';
import { RuleError } from '../refusal';

export const maxDocumentBytes = 64 * 1024;
export const maxDepth = 16;

export type HeaderFault = 'BAD_HEADER' | 'CRITICAL_HEADER' | 'UNKNOWN_HEADER' | 'WRONG_ALG' | 'WRONG_TYP' | 'WRONG_ROLE' | 'BAD_CERTIFICATE';

/** What a protected header must say. */
export interface HeaderRule {
  readonly typ: string;
  readonly algs: readonly string[];
  /** The role a summary's signature has; a compact JWS has none. */
  readonly role?: string;
  /** Whether `x5c` names the signer. */
  readonly certificate: boolean;
}

export type HeaderReading =
  | { readonly fault: null; readonly alg: string; readonly certificate: Certificate | null }
  | { readonly fault: HeaderFault };

const fault = (code: HeaderFault): HeaderReading => ({ fault: code });

/** Judges one protected header, in the order of the interface. */
export function readHeader(text: JsonValue | undefined, rule: HeaderRule): HeaderReading {
  const bytes = typeof text === 'string' ? fromBase64Url(text) : null;
  if (bytes === null) return fault('BAD_HEADER');
  const reading = readCanonicalObject(bytes, maxDepth);
  if (reading.state !== 'OBJECT') return fault('BAD_HEADER');
  const header: JsonObject = reading.value;
  if ('crit' in header || 'b64' in header) return fault('CRITICAL_HEADER');
  const expected = ['alg', 'typ', ...(rule.role === undefined ? [] : ['role']), ...(rule.certificate ? ['x5c'] : [])];
  const { alg, typ, role, x5c } = header as { alg?: JsonValue; typ?: JsonValue; role?: JsonValue; x5c?: JsonValue };
  const members = Object.keys(header);
  const known = members.length === expected.length && expected.every((name) => name in header);
  if (!known || typeof alg !== 'string' || typeof typ !== 'string') return fault('UNKNOWN_HEADER');
  if (rule.role !== undefined && typeof role !== 'string') return fault('UNKNOWN_HEADER');
  if (rule.certificate && !Array.isArray(x5c)) return fault('UNKNOWN_HEADER');
  if (!rule.algs.includes(alg)) return fault('WRONG_ALG');
  if (typ !== rule.typ) return fault('WRONG_TYP');
  if (rule.role !== undefined && role !== rule.role) return fault('WRONG_ROLE');
  if (!rule.certificate) return { fault: null, alg, certificate: null };
  const certificate = readOneCertificate(x5c as JsonValue[], alg);
  return certificate === null ? fault('BAD_CERTIFICATE') : { fault: null, alg, certificate };
}

function readOneCertificate(x5c: readonly JsonValue[], alg: string): Certificate | null {
  const [only] = x5c;
  if (x5c.length !== 1 || typeof only !== 'string') return null;
  try {
    const certificate = readCertificateText(only);
    const fits = alg === 'RS256' ? certificate.keyKind === 'RSA' && certificate.rsaBits >= 2048 : certificate.keyKind === 'P-256';
    return fits ? certificate : null;
  } catch (error) {
    if (error instanceof RuleError) return null;
    throw error;
  }
}
