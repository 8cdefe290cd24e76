import { isDigest, isHandle, isMsp } from './encoding';
import { isObject, type JsonObject, type JsonValue } from './json';

/** A test of one member's value. */
export type Check = (value: JsonValue) => boolean;

/** Closed objects: every required member, the optional ones, nothing else. */
export function fits(value: JsonValue | undefined, required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): value is JsonObject {
  if (!isObject(value)) return false;
  const all = { ...optional, ...required };
  return Object.keys(required).every((name) => Object.hasOwn(value, name))
    && Object.entries(value).every(([name, member]) => Object.hasOwn(all, name) && (all[name] as Check)(member));
}

export const text = (test: (value: string) => boolean): Check => (value) => typeof value === 'string' && test(value);
export const matching = (form: RegExp): Check => text((value) => form.test(value));
export const oneOf = (...values: readonly string[]): Check => text((value) => values.includes(value));
export const integer = (least: number, most: number): Check =>
  (value) => typeof value === 'number' && Number.isInteger(value) && least <= value && value <= most;
export const listOf = (least: number, most: number, check: Check): Check =>
  (value) => Array.isArray(value) && least <= value.length && value.length <= most && value.every(check);
export const distinct = (value: JsonValue): boolean => Array.isArray(value) && new Set(value).size === value.length;
export const ascending = (value: JsonValue): boolean =>
  Array.isArray(value) && value.every((item, i) => i === 0 || (value[i - 1] as string) < (item as string));
export const both = (...checks: readonly Check[]): Check => (value) => checks.every((check) => check(value));

export const one: Check = (value) => value === 1;
export const handle = text(isHandle);
export const digestText = text(isDigest);
export const msp = text(isMsp);

/** Between least and most UTF-16 units, without control characters. */
export const words = (least: number, most: number): Check =>
  text((value) => least <= value.length && value.length <= most && !/[\u0000-\u001f\u007f]/.test(value));

/** A calendar date, 1900 to 2199. */
export const calendarDate = text((value) => {
  if (!/^(19|20|21)\d\d-\d\d-\d\d$/.test(value)) return false;
  const time = Date.parse(`${value}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value);
});
