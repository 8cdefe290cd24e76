import type { KeyObject } from 'node:crypto';
import { RuleError } from '../refusal';
import { readCanonicalObject } from './canonical';
import type { Certificate } from './certificate';
import { fromBase64Url } from './encoding';
import { maxDepth, maxDocumentBytes, readHeader, type HeaderFault } from './header';
import type { JsonObject } from './json';
import { readSignature, verifyEs256 } from './signature';

export type CompactOutcome =
  | 'VALID' | 'TOO_LARGE' | 'MALFORMED' | HeaderFault | 'SIGNATURE_FORM' | 'HIGH_S' | 'BAD_PAYLOAD' | 'NOT_CANONICAL' | 'SCHEMA' | 'BAD_SIGNATURE';

/** How a kind of compact JWS is made: its `typ`, whether an office signs, and what its payload must look like. */
export interface CompactKind<T> {
  readonly typ: string;
  /** An office names its certificate in `x5c`; a patient's key is known from elsewhere. */
  readonly office: boolean;
  /** Null where the payload breaks the schema. */
  readonly schema: (payload: JsonObject) => T | null;
}

export type CompactReading<T> =
  | { readonly outcome: 'VALID'; readonly payload: T; readonly certificate: Certificate | null }
  | { readonly outcome: Exclude<CompactOutcome, 'VALID'> };

/**
 * Reads and verifies a compact JWS (RFC 7515 §7.1).
 * @param key the patient's key; an office's is the one of its certificate
 */
export function readCompact<T>(text: string, kind: CompactKind<T>, key: KeyObject | null): CompactReading<T> {
  if (Buffer.byteLength(text, 'utf8') > maxDocumentBytes) return { outcome: 'TOO_LARGE' };
  const parts = text.split('.');
  const [protectedPart, payloadPart, signaturePart] = parts;
  if (parts.length !== 3 || !protectedPart || !payloadPart || !signaturePart) return { outcome: 'MALFORMED' };
  const header = readHeader(protectedPart, { typ: kind.typ, algs: ['ES256'], certificate: kind.office });
  if (header.fault !== null) return { outcome: header.fault };
  const signature = readSignature(signaturePart);
  if (signature.state !== 'OK') return { outcome: signature.state };
  const bytes = fromBase64Url(payloadPart);
  if (bytes === null) return { outcome: 'BAD_PAYLOAD' };
  const reading = readCanonicalObject(bytes, maxDepth);
  if (reading.state === 'NO_OBJECT') return { outcome: 'BAD_PAYLOAD' };
  if (reading.state === 'NOT_CANONICAL') return { outcome: 'NOT_CANONICAL' };
  const payload = kind.schema(reading.value);
  if (payload === null) return { outcome: 'SCHEMA' };
  const signer = header.certificate?.key ?? key;
  if (signer === null || !verifyEs256(signer, Buffer.from(`${protectedPart}.${payloadPart}`, 'ascii'), signature.bytes))
    return { outcome: 'BAD_SIGNATURE' };
  return { outcome: 'VALID', payload, certificate: header.certificate };
}

/** As readCompact for a patient, with a fault as RuleError. */
export function readPatientJws<T>(text: string, kind: CompactKind<T>, key: KeyObject): T {
  const reading = readCompact(text, kind, key);
  if (reading.outcome !== 'VALID') throw new RuleError(`${kind.typ}: ${reading.outcome}`);
  return reading.payload;
}

/** As readCompact for an office, with a fault as RuleError. */
export function readOfficeJws<T>(text: string, kind: CompactKind<T>): { readonly payload: T; readonly signer: Certificate } {
  const reading = readCompact(text, kind, null);
  if (reading.outcome !== 'VALID' || reading.certificate === null) throw new RuleError(`${kind.typ}: ${reading.outcome}`);
  return { payload: reading.payload, signer: reading.certificate };
}
