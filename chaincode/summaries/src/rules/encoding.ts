import { createHash } from 'node:crypto';
import { canonical } from './canonical';
import type { JsonValue } from './json';

/** UTF-8 of the canonical text. Here and not beside it: browsers use that file too, and have no Buffer. */
export const canonicalBytes = (value: JsonValue): Buffer => Buffer.from(canonical(value), 'utf8');

/** Base64url without padding, one spelling per value; null for anything else. */
export function fromBase64Url(text: string): Buffer | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

/** Standard base64 with padding, one spelling per value; null for anything else. */
export function fromBase64(text: string): Buffer | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

export function sha256(...parts: readonly (Uint8Array | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** base64url of SHA-256. */
export const digest = (...parts: readonly (Uint8Array | string)[]): string => sha256(...parts).toString('base64url');

const crockford = '0123456789abcdefghjkmnpqrstvwxyz';

/** Crockford's base32, lower case, most significant bit first. */
export function crockford32(bytes: Uint8Array, characters: number): string {
  let text = '';
  for (let i = 0; i < characters; i++) {
    const bit = i * 5;
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    text += crockford.charAt((pair >> (11 - (bit & 7))) & 31);
  }
  return text;
}

/** A patient's name: `p` and 26 characters of the hash of the public key. */
export const pseudonymOf = (spki: Uint8Array): string => `p${crockford32(sha256(spki), 26)}`;

/** The key of a thing's tombstone. Nobody without the handle can compute it. */
export const tombOf = (handle: string): string => digest('bridge/tomb/1\0', handle).slice(0, 22);

/** The salt of a page, from the index salt of the item that opened it: a page is written once and then only read. */
export const pageSaltOf = (indexSalt: string): string => digest('bridge/page-salt/1\0', indexSalt);

export const isHandle = (text: string): boolean => text.length === 22 && fromBase64Url(text) !== null;
export const isDigest = (text: string): boolean => text.length === 43 && fromBase64Url(text) !== null;
export const isPseudonym = (text: string): boolean => /^p[0-9a-hjkmnp-tv-z]{26}$/.test(text);
export const isMsp = (text: string): boolean => /^[A-Za-z][A-Za-z0-9.-]{0,63}$/.test(text);
