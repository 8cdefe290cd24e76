import { verify, type KeyObject } from 'node:crypto';
import { children, DerError, expectTag, readDer, readUnsigned, tags } from './der';
import { fromBase64Url } from './encoding';

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const halfOrder = order >> 1n;

const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

/** An ES256 signature as JWS has it (RFC 7518 §3.4): 64 bytes, both halves in range, and low-S, so that it has one spelling. */
export type SignatureReading = { readonly state: 'OK'; readonly bytes: Buffer } | { readonly state: 'SIGNATURE_FORM' | 'HIGH_S' };

export function readSignature(text: string): SignatureReading {
  const bytes = fromBase64Url(text);
  if (bytes?.length !== 64) return { state: 'SIGNATURE_FORM' };
  const r = toNumber(bytes.subarray(0, 32));
  const s = toNumber(bytes.subarray(32));
  if (r === 0n || s === 0n || r >= order || s >= order) return { state: 'SIGNATURE_FORM' };
  return s > halfOrder ? { state: 'HIGH_S' } : { state: 'OK', bytes };
}

/** Checks a P1363 signature over SHA-256 of the message. */
export const verifyEs256 = (key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean =>
  verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);

/** SEQUENCE {r, s} to r ‖ s; null where it is not strict DER with both in range. */
export function derToP1363(der: Buffer): Buffer | null {
  try {
    const parts = children(expectTag(readDer(der), tags.sequence));
    if (parts.length !== 2) return null;
    const halves = parts.map(readUnsigned);
    if (halves.some((half) => half.length > 32 || toNumber(half) === 0n || toNumber(half) >= order)) return null;
    return Buffer.concat(halves.map((half) => Buffer.concat([Buffer.alloc(32 - half.length), half])));
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}
