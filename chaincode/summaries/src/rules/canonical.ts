import { decodeUtf8, isObject, JsonSyntaxError, loneSurrogate, parseJson, type JsonObject, type JsonValue } from './json';

/** RFC 8785: one text for one value. Throws where the value has no such text (a lone surrogate, a number that is not finite). */
export function canonical(value: JsonValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('a number without JSON form');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (loneSurrogate.test(value)) throw new TypeError('a lone surrogate');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.keys(value).sort((a, b) => (a < b ? -1 : 1));
  return `{${members.map((name) => `${canonical(name)}:${canonical(value[name] as JsonValue)}`).join(',')}}`;
}

/** How bytes that should be a canonical JSON object look. */
export type CanonicalReading =
  { readonly state: 'OBJECT'; readonly value: JsonObject } | { readonly state: 'NO_OBJECT' } | { readonly state: 'NOT_CANONICAL' };

/** Reads an object whose bytes must be their own RFC 8785 form. */
export function readCanonicalObject(bytes: Uint8Array, maxDepth: number): CanonicalReading {
  let text;
  let parsed;
  try {
    text = decodeUtf8(bytes);
    parsed = parseJson(text, maxDepth);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return { state: 'NO_OBJECT' };
    throw error;
  }
  if (!isObject(parsed.value) || parsed.duplicates.length > 0) return { state: 'NO_OBJECT' };
  return canonical(parsed.value) === text ? { state: 'OBJECT', value: parsed.value } : { state: 'NOT_CANONICAL' };
}
