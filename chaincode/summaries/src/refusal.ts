import type { JsonValue } from './rules/json';

/** What a caller reads when the contract says no. `detail` is for people; it never holds patient data, handles or codes. */
export class Refusal extends Error {
  public constructor(
    public readonly code: string,
    public readonly detail: string,
    more: Readonly<Record<string, JsonValue>> = {},
  ) {
    super(JSON.stringify({ refusal: code, detail, ...more }));
    this.name = 'Refusal';
  }
}

/** Says no. */
export function refuse(code: string, detail: string): never {
  throw new Refusal(code, detail);
}

/** A rule that a value breaks; the caller turns it into the refusal of its own function. */
export class RuleError extends Error {}

/** Runs a rule and gives a broken one the code of the function at hand. */
export function under<T>(code: string, rule: () => T): T {
  try {
    return rule();
  } catch (error) {
    if (error instanceof RuleError) refuse(code, error.message);
    throw error;
  }
}
