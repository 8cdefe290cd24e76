import { canonical, readCanonicalObject } from './canonical';
import type { Certificate } from './certificate';
import { fromBase64Url } from './encoding';
import { maxDepth, maxDocumentBytes, readHeader, type HeaderFault } from './header';
import { decodeUtf8, depthOf, isObject, JsonSyntaxError, parseJson, type JsonObject, type JsonValue } from './json';
import { retractionSchema, summarySchema, type RetractionPayload, type SummaryPayload } from './payload';
import { readSignature, verifyEs256 } from './signature';
import { verifyWebAuthn, type WebAuthnOutcome, type WebAuthnPolicy } from './webauthn';

/** What a signed record turns out to be; the first fault in the order of the interface. */
export type SummaryFault =
  | 'TOO_LARGE' | 'MALFORMED' | 'DUPLICATE_MEMBER'
  | 'MISSING_MEMBER' | 'UNKNOWN_MEMBER' | 'SIGNATURE_COUNT' | 'UNPROTECTED_HEADER' | 'SHAPE_NOT_ENABLED'
  | HeaderFault | 'SIGNATURE_FORM' | 'HIGH_S' | 'SAME_KEY'
  | 'BAD_PAYLOAD' | 'NOT_CANONICAL' | 'SCHEMA'
  | Exclude<WebAuthnOutcome, 'VALID'>;

export type DualReading<T> =
  | { readonly outcome: 'VALID'; readonly payload: T; readonly doctor: Certificate; readonly bridge: Certificate }
  | { readonly outcome: SummaryFault };

/** A kind of record with two signatures. */
export interface DualKind<T> {
  readonly typ: string;
  /** Null where the payload breaks the schema. */
  readonly schema: (payload: JsonObject) => T | null;
}

export const summaryKind: DualKind<SummaryPayload> = { typ: 'bridge-summary+json', schema: summarySchema };
export const retractionKind: DualKind<RetractionPayload> = { typ: 'bridge-retraction+json', schema: retractionSchema };

/** Passkeys of the hospital whose record it is; null where it has not enabled them. */
export type Passkeys = WebAuthnPolicy | null;

const fault = (outcome: SummaryFault): { readonly outcome: SummaryFault } => ({ outcome });

/** Verifies a document as it came, bytes or text. */
export function verifyDualDocument<T extends { readonly hospital: string }>(source: Uint8Array | string, kind: DualKind<T>, passkeys: Passkeys): DualReading<T> {
  const size = typeof source === 'string' ? Buffer.byteLength(source, 'utf8') : source.length;
  if (size > maxDocumentBytes) return fault('TOO_LARGE');
  try {
    const parsed = parseJson(typeof source === 'string' ? source : decodeUtf8(source), maxDepth);
    if (!isObject(parsed.value)) return fault('MALFORMED');
    if (parsed.duplicates.length > 0) return fault('DUPLICATE_MEMBER');
    return verifyEnvelope(parsed.value, kind, passkeys);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return fault('MALFORMED');
    throw error;
  }
}

/** Verifies a document that was read as part of a larger one, where duplicates have been looked for. */
export function verifyDual<T extends { readonly hospital: string }>(value: JsonValue, kind: DualKind<T>, passkeys: Passkeys): DualReading<T> {
  if (!isObject(value) || depthOf(value) > maxDepth) return fault('MALFORMED');
  if (Buffer.byteLength(canonical(value), 'utf8') > maxDocumentBytes) return fault('TOO_LARGE');
  return verifyEnvelope(value, kind, passkeys);
}

function verifyEnvelope<T extends { readonly hospital: string }>(envelope: JsonObject, kind: DualKind<T>, passkeys: Passkeys): DualReading<T> {
  const { payload, signatures } = envelope as { payload?: JsonValue; signatures?: JsonValue };
  if (payload === undefined || signatures === undefined) return fault('MISSING_MEMBER');
  if (Object.keys(envelope).length !== 2) return fault('UNKNOWN_MEMBER');
  if (!Array.isArray(signatures) || signatures.length !== 2) return fault('SIGNATURE_COUNT');
  for (const [i, signature] of signatures.entries()) {
    const shape = checkShape(signature, i === 0 && passkeys !== null);
    if (shape !== null) return fault(shape);
  }
  const [doctorPart, bridgePart] = signatures as [JsonObject, JsonObject];
  const webauthn = doctorPart['webauthn'];
  const doctorHeader = readHeader(doctorPart['protected'], {
    typ: kind.typ, algs: webauthn === undefined ? ['ES256'] : ['ES256', 'RS256'], role: 'doctor', certificate: true,
  });
  if (doctorHeader.fault !== null) return fault(doctorHeader.fault);
  const bridgeHeader = readHeader(bridgePart['protected'], { typ: kind.typ, algs: ['ES256'], role: 'bridge', certificate: true });
  if (bridgeHeader.fault !== null) return fault(bridgeHeader.fault);
  const doctor = doctorHeader.certificate as Certificate;
  const bridge = bridgeHeader.certificate as Certificate;

  const doctorSignature = webauthn === undefined ? readSignaturePart(doctorPart) : null;
  if (doctorSignature !== null && doctorSignature.state !== 'OK') return fault(doctorSignature.state);
  const bridgeSignature = readSignaturePart(bridgePart);
  if (bridgeSignature.state !== 'OK') return fault(bridgeSignature.state);
  if (doctor.spki.equals(bridge.spki)) return fault('SAME_KEY');

  const bytes = typeof payload === 'string' ? fromBase64Url(payload) : null;
  if (bytes === null) return fault('BAD_PAYLOAD');
  const reading = readCanonicalObject(bytes, maxDepth);
  if (reading.state !== 'OBJECT') return fault(reading.state === 'NO_OBJECT' ? 'BAD_PAYLOAD' : 'NOT_CANONICAL');
  const content = kind.schema(reading.value);
  if (content === null) return fault('SCHEMA');

  const signingInput = (part: JsonObject): Buffer => Buffer.from(`${part['protected'] as string}.${payload as string}`, 'ascii');
  if (doctorSignature !== null) {
    if (!verifyEs256(doctor.key, signingInput(doctorPart), doctorSignature.bytes)) return fault('BAD_SIGNATURE');
  } else {
    const outcome = verifyWebAuthn(
      webauthn as JsonValue, signingInput(doctorPart), doctor, doctorHeader.alg, content.hospital, passkeys as WebAuthnPolicy,
    );
    if (outcome !== 'VALID') return fault(outcome);
  }
  if (!verifyEs256(bridge.key, signingInput(bridgePart), bridgeSignature.bytes)) return fault('BAD_SIGNATURE');
  return { outcome: 'VALID', payload: content, doctor, bridge };
}

const readSignaturePart = (part: JsonObject): ReturnType<typeof readSignature> => {
  const signature = part['signature'];
  return typeof signature === 'string' ? readSignature(signature) : { state: 'SIGNATURE_FORM' };
};

function checkShape(signature: JsonValue, passkeyAllowed: boolean): SummaryFault | null {
  if (!isObject(signature)) return 'MISSING_MEMBER';
  if ('header' in signature) return 'UNPROTECTED_HEADER';
  if ('webauthn' in signature && !passkeyAllowed) return 'SHAPE_NOT_ENABLED';
  const second = 'webauthn' in signature ? 'webauthn' : 'signature';
  if (!('protected' in signature) || !(second in signature)) return 'MISSING_MEMBER';
  return Object.keys(signature).length === 2 ? null : 'UNKNOWN_MEMBER';
}
