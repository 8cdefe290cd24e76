/** One DER element (X.690): tag byte, contents, and the whole with its header. */
export interface Der {
  readonly tag: number;
  readonly contents: Buffer;
  readonly whole: Buffer;
}

export class DerError extends Error {}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Reads exactly one element; anything after it is refused. */
export function readDer(bytes: Buffer): Der {
  const element = next(bytes, 0);
  if (element.whole.length !== bytes.length) throw new DerError('bytes after the element');
  return element;
}

/** The elements inside a constructed one. */
export function children(element: Der): Der[] {
  const result: Der[] = [];
  for (let at = 0; at < element.contents.length; ) {
    const child = next(element.contents, at);
    result.push(child);
    at += child.whole.length;
  }
  return result;
}

export function expectTag(element: Der | undefined, tag: number): Der {
  if (element?.tag !== tag) throw new DerError(`tag ${tag.toString(16)} expected`);
  return element;
}

function next(bytes: Buffer, at: number): Der {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new DerError('cut off');
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of several bytes');
  let length = first;
  let start = at + 2;
  if (first & 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new DerError('a length that DER does not know, or too large');
    length = 0;
    for (let i = 0; i < count; i++) {
      const byte = bytes[start++];
      if (byte === undefined) throw new DerError('cut off');
      length = (length << 8) | byte;
    }
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DerError('a length in a longer form than needed');
  }
  if (start + length > bytes.length) throw new DerError('cut off');
  return { tag, contents: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) };
}

export function readOid(element: Der | undefined): string {
  const { contents } = expectTag(element, tags.oid);
  const parts: number[] = [];
  let value = 0;
  let open = false;
  for (const byte of contents) {
    if (!open && byte === 0x80) throw new DerError('an object identifier with padding');
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER) throw new DerError('an object identifier out of range');
    open = (byte & 0x80) !== 0;
    if (!open) {
      parts.push(value);
      value = 0;
    }
  }
  const [head, ...rest] = parts;
  if (open || head === undefined) throw new DerError('an object identifier cut off');
  const root = Math.min(2, Math.floor(head / 40));
  return [root, head - root * 40, ...rest].join('.');
}

export function readBoolean(element: Der): boolean {
  const { contents } = expectTag(element, tags.boolean);
  if (contents.length !== 1 || (contents[0] !== 0 && contents[0] !== 0xff)) throw new DerError('a boolean that DER does not know');
  return contents[0] === 0xff;
}

/** The contents of a non-negative INTEGER without its sign byte. */
export function readUnsigned(element: Der | undefined): Buffer {
  const { contents } = expectTag(element, tags.integer);
  const [first, second] = contents;
  if (first === undefined || first & 0x80) throw new DerError('a number that is negative or empty');
  if (first === 0 && contents.length > 1) {
    if (!((second ?? 0) & 0x80)) throw new DerError('a number with padding');
    return contents.subarray(1);
  }
  return contents;
}

/** Bits of a BIT STRING and how many of the last byte are unused. */
export function readBits(element: Der | undefined): { readonly bits: Buffer; readonly unused: number } {
  const { contents } = expectTag(element, tags.bitString);
  const unused = contents[0];
  if (unused === undefined || unused > 7 || (contents.length === 1 && unused > 0)) throw new DerError('a broken bit string');
  const bits = contents.subarray(1);
  if (unused > 0 && ((bits[bits.length - 1] ?? 0) & ((1 << unused) - 1)) !== 0) throw new DerError('unused bits that are not zero');
  return { bits, unused };
}

/** UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5, in unix seconds. */
export function readTime(element: Der | undefined): number {
  if (element === undefined) throw new DerError('a time is missing');
  const text = element.contents.toString('latin1');
  let match: RegExpExecArray | null = null;
  let year = 0;
  if (element.tag === tags.utcTime) {
    match = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
    year = Number(match?.[1]) + (Number(match?.[1]) >= 50 ? 1900 : 2000);
  } else if (element.tag === tags.generalizedTime) {
    match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
    year = Number(match?.[1]);
  }
  if (match === null) throw new DerError('a time in a form that certificates do not use');
  const [month, day, hour, minute, second] = match.slice(2).map(Number) as [number, number, number, number, number];
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const valid = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60 && year >= 1950;
  if (!valid) throw new DerError('an impossible time');
  return date.getTime() / 1000;
}
