import type { Ledger } from './ledger';
import { refuse } from './refusal';
import { isObject, JsonSyntaxError, parseJson, type JsonObject } from './rules/json';
import { digestText, type Check } from './rules/schema';

/** Largest private input: 100 summaries of 64 KiB and what goes with them. */
const mostBytes = 8 * 1024 * 1024;
/** A signed summary stands three levels deep in the input of AnchorSummaries. */
const mostDepth = 20;

/** A private input and the paths of members named twice that its function judges itself. */
export interface Input {
  readonly members: JsonObject;
  readonly duplicates: readonly (readonly (string | number)[])[];
}

/**
 * Reads the one JSON object of the transient map; BAD_INPUT names the member at fault, never its value.
 * @param judgesDuplicates true for a path under which the function itself refuses members named twice
 */
export function readInput(
  ledger: Ledger,
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
  judgesDuplicates: (path: readonly (string | number)[]) => boolean = () => false,
): Input {
  const bytes = ledger.transient('input');
  if (bytes === null) refuse('BAD_INPUT', 'the transient map lacks \'input\'');
  if (bytes.length > mostBytes) refuse('BAD_INPUT', 'input: larger than 8 MiB');
  const { value, duplicates } = parse(bytes);
  if (!isObject(value)) refuse('BAD_INPUT', 'input: not a JSON object');
  if (!duplicates.every(judgesDuplicates)) refuse('BAD_INPUT', 'input: a member twice');
  checkMembers('input', value, required, optional);
  return { members: value, duplicates };
}

/** Closed objects, with the member at fault in the refusal. Names of unknown members are the caller's text and are not repeated. */
export function checkMembers(where: string, value: JsonObject, required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): void {
  for (const [name, check] of Object.entries(required)) {
    if (!Object.hasOwn(value, name)) refuse('BAD_INPUT', `${where}.${name}: missing`);
    if (!check(value[name] as never)) refuse('BAD_INPUT', `${where}.${name}: not of the form the interface gives`);
  }
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(required, name)) continue;
    const check = Object.hasOwn(optional, name) ? optional[name] : undefined;
    if (check === undefined) refuse('BAD_INPUT', `${where}: an unknown member`);
    if (!check(value[name] as never)) refuse('BAD_INPUT', `${where}.${name}: not of the form the interface gives`);
  }
}

function parse(bytes: Buffer): ReturnType<typeof parseJson> {
  try {
    return parseJson(bytes, mostDepth);
  } catch (error) {
    if (error instanceof JsonSyntaxError) refuse('BAD_INPUT', `input: ${error.message}`);
    throw error;
  }
}

/** 256 random bits of the client. */
export const salt: Check = digestText;
