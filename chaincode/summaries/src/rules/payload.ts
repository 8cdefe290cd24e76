import { isPseudonym } from './encoding';
import type { JsonObject, JsonValue } from './json';
import { distinct, fits, handle, integer, listOf, matching, msp, one, oneOf, text, type Check } from './schema';

/** The members of a summary that the contract's own rules look at; the schema has judged the others. */
export interface SummaryPayload {
  readonly id: string;
  readonly patient: string;
  readonly hospital: string;
  readonly period: string;
  readonly supersedes?: string;
}

const snomed = 'http://snomed.info/sct';
const icd10 = ['http://hl7.org/fhir/sid/icd-10', 'http://hl7.org/fhir/sid/icd-10-cm', 'http://hl7.org/fhir/sid/icd-10-cn'];
const procedures = [snomed, 'http://hl7.org/fhir/sid/icd-10-pcs', 'http://hl7.org/fhir/sid/icd-9-cm', 'http://www.ama-assn.org/go/cpt'];
const medications = [snomed, 'http://www.nlm.nih.gov/research/umls/rxnorm', 'http://www.whocc.no/atc'];
const code = matching(/^[A-Za-z0-9][A-Za-z0-9.+*/-]{0,31}$/);

const condition: Check = (value) =>
  fits(value, { system: oneOf(snomed, ...icd10), code, level: oneOf('code', 'category', 'block', 'chapter'), rank: integer(1, 8) });

const treatment: Check = (value) =>
  fits(value, { system: oneOf(...procedures), code, kind: oneOf('procedure') })
  || fits(value, { system: oneOf(...medications), code, kind: oneOf('medication') });

const key = (value: JsonValue, ...members: readonly string[]): string => members.map((name) => (value as Record<string, string>)[name]).join('\0');

const ranked = (values: JsonValue): boolean => (values as JsonObject[]).every((value, i) => value['rank'] === i + 1);
const codesDiffer = (values: JsonValue): boolean => distinct((values as JsonValue[]).map((value) => key(value, 'system', 'code')));
const inOrder = (values: JsonValue): boolean =>
  (values as JsonValue[]).every((value, i, all) => i === 0 || key(all[i - 1] as JsonValue, 'kind', 'system', 'code') < key(value, 'kind', 'system', 'code'));

const ageBand = oneOf(
  '0-9', '10-19', '20-29', '30-39', '40-49', '50-59', '60-69', '70-79', '80-89', '90+', '0-19', '20-39', '40-59', '60-79', '80+',
);

const summaryMembers: Readonly<Record<string, Check>> = {
  v: one,
  id: handle,
  patient: text(isPseudonym),
  hospital: msp,
  period: matching(/^(19|20|21)\d\d(-(0[1-9]|1[0-2]|Q[1-4]))?$/),
  class: oneOf('AMB', 'EMER', 'FLD', 'HH', 'IMP', 'ACUTE', 'NONAC', 'OBSENC', 'PRENC', 'SS', 'VR'),
  conditions: (value) => listOf(1, 8, condition)(value) && ranked(value) && codesDiffer(value),
  treatments: (value) => listOf(0, 16, treatment)(value) && inOrder(value),
  ageBand,
  sex: oneOf('male', 'female', 'other', 'unknown'),
};

const summaryOptions: Readonly<Record<string, Check>> = {
  disposition: oneOf('home', 'alt-home', 'other-hcf', 'hosp', 'long', 'aadvice', 'exp', 'psy', 'rehab', 'snf', 'oth'),
  supersedes: handle,
};

/** A minimal summary; null where it breaks the schema. */
export const summarySchema = (payload: JsonObject): SummaryPayload | null =>
  fits(payload, summaryMembers, summaryOptions) && payload['supersedes'] !== payload['id'] ? (payload as unknown as SummaryPayload) : null;

export interface RetractionPayload {
  readonly hospital: string;
  readonly id: string;
  readonly reason: string;
}

/** A retraction; null where it breaks the schema. */
export const retractionSchema = (payload: JsonObject): RetractionPayload | null =>
  fits(payload, { v: one, hospital: msp, id: handle, reason: oneOf('ENTERED_IN_ERROR', 'WRONG_PATIENT', 'MERGED') })
    ? (payload as unknown as RetractionPayload)
    : null;

/** The first second (unix) of a period: a month, a quarter or a year. */
export function periodStart(period: string): number {
  const year = Number(period.slice(0, 4));
  const rest = period.slice(5);
  const month = rest === '' ? 0 : rest.startsWith('Q') ? (Number(rest.slice(1)) - 1) * 3 : Number(rest) - 1;
  return Date.UTC(year, month, 1) / 1000;
}

