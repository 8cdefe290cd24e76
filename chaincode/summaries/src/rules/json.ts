/** JSON as the contract reads it: objects without a prototype, so that no member name is special. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [member: string]: JsonValue;
}

/** The text is not JSON (RFC 8259), not UTF-8, nested too deep, or holds a number or a surrogate that nothing else would read alike. */
export class JsonSyntaxError extends Error {}

/** A value and the paths of the members that its text names twice (the last one counts, as for most readers). */
export interface Parsed {
  readonly value: JsonValue;
  readonly duplicates: readonly (readonly (string | number)[])[];
}

export const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** UTF-8, refusing what is not; a byte order mark is kept (and is then not JSON). */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonSyntaxError('not UTF-8');
  }
}

/**
 * Parses strictly and sees duplicate members.
 * @param maxDepth how many arrays and objects may stand inside each other, the outermost counted
 */
export function parseJson(source: Uint8Array | string, maxDepth: number): Parsed {
  return new Parser(typeof source === 'string' ? source : decodeUtf8(source), maxDepth).parse();
}

/** How many arrays and objects stand inside each other. */
export function depthOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let deepest = 0;
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner));
  return deepest + 1;
}

/** With the u flag, surrogates that form a pair are one character and do not match. */
export const loneSurrogate = /\p{Surrogate}/u;
const numberForm = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const escapes: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

class Parser {
  private at = 0;
  private readonly path: (string | number)[] = [];
  private readonly duplicates: (string | number)[][] = [];

  public constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  public parse(): Parsed {
    this.space();
    const value = this.value(0);
    this.space();
    if (this.at !== this.text.length) this.fail('text after the value');
    return { value, duplicates: this.duplicates };
  }

  private value(depth: number): JsonValue {
    const c = this.text[this.at];
    switch (c) {
      case '{':
        return this.object(depth + 1);
      case '[':
        return this.array(depth + 1);
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private object(depth: number): JsonObject {
    this.enter(depth);
    const object = Object.create(null) as JsonObject;
    this.space();
    if (this.take('}')) return object;
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') this.fail('a member name is missing');
      const name = this.string();
      this.space();
      if (!this.take(':')) this.fail('a colon is missing');
      this.space();
      this.path.push(name);
      if (name in object) this.duplicates.push([...this.path]);
      object[name] = this.value(depth);
      this.path.pop();
      this.space();
      if (this.take('}')) return object;
      if (!this.take(',')) this.fail('a comma is missing');
    }
  }

  private array(depth: number): JsonValue[] {
    this.enter(depth);
    const array: JsonValue[] = [];
    this.space();
    if (this.take(']')) return array;
    for (;;) {
      this.space();
      this.path.push(array.length);
      array.push(this.value(depth));
      this.path.pop();
      this.space();
      if (this.take(']')) return array;
      if (!this.take(',')) this.fail('a comma is missing');
    }
  }

  private string(): string {
    let result = '';
    let start = ++this.at;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (Number.isNaN(code)) this.fail('a string does not end');
      if (code < 0x20) this.fail('a control character in a string');
      if (code === 0x22) {
        result += this.text.slice(start, this.at++);
        if (loneSurrogate.test(result)) this.fail('a lone surrogate in a string');
        return result;
      }
      if (code === 0x5c) {
        result += this.text.slice(start, this.at);
        result += this.escape();
        start = this.at;
      } else this.at++;
    }
  }

  private escape(): string {
    const c = this.text[this.at + 1] ?? '';
    if (c === 'u') {
      const hex = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.fail('a broken escape in a string');
      this.at += 6;
      return String.fromCharCode(parseInt(hex, 16));
    }
    const plain = Object.hasOwn(escapes, c) ? escapes[c] : undefined;
    if (plain === undefined) return this.fail('a broken escape in a string');
    this.at += 2;
    return plain;
  }

  private number(): number {
    numberForm.lastIndex = this.at;
    const match = numberForm.exec(this.text);
    if (match === null) this.fail('not a JSON value');
    this.at += match[0].length;
    const value = Number(match[0]);
    if (!Number.isFinite(value)) this.fail('a number out of range');
    return value;
  }

  private word<T extends JsonValue>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('not a JSON value');
    this.at += word.length;
    return value;
  }

  private enter(depth: number): void {
    if (depth > this.maxDepth) this.fail(`nested deeper than ${String(this.maxDepth)}`);
    this.at++;
  }

  private take(c: string): boolean {
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return;
      this.at++;
    }
  }

  private fail(reason: string): never {
    throw new JsonSyntaxError(`${reason} (character ${String(this.at)})`);
  }
}
