import type { Ledger } from '../ledger';
import { digest, pageSaltOf } from '../rules/encoding';
import type { JsonValue } from '../rules/json';
import { putRecord, readRecord } from '../store';
import { bodiesOf } from '../session';

/** A listed body: its key and the digest of its stored value. */
export type Entry = readonly [key: string, digest: string];

/** A patient's index: what it says, and every body it lists, over all its pages. It changes only with both organisations' endorsement. */
export interface Index {
  readonly handle: string;
  readonly pseudonym: string;
  /** base64url of the DER SubjectPublicKeyInfo. */
  readonly spki: string;
  readonly patient: string;
  readonly consent: string;
  readonly consentId: string;
  /** The newest page, or null. */
  readonly next: string | null;
  /** On the index itself: the patient, the consent, then the newest summaries. */
  readonly entries: readonly Entry[];
  /** Handles of the pages, newest first. */
  readonly pages: readonly string[];
  /** Every listed body. */
  readonly listed: ReadonlyMap<string, string>;
}

export const mostEntries = 256;
export const mostPages = 16;
/** The patient and the consent stay on the index, so that a consent is checked without walking pages. */
const pinned = 2;

/** Reads an index with all its pages by single keys; null where there is none. */
export async function loadIndex(ledger: Ledger, hospital: string, handle: string): Promise<Index | null> {
  const stored = await ledger.getPrivate(bodiesOf(hospital), `idx/${handle}`);
  const record = stored === null ? null : readRecord(stored, 'index');
  if (record === null) return null;
  const index = record as unknown as Omit<Index, 'handle' | 'pages' | 'listed'>;
  const listed = new Map<string, string>(index.entries);
  const pages: string[] = [];
  for (let next = index.next; next !== null && pages.length < mostPages; ) {
    pages.push(next);
    const value = await ledger.getPrivate(bodiesOf(hospital), `page/${next}`);
    const page = value === null ? null : readRecord(value, 'page');
    if (page === null) break;
    for (const [key, hash] of page['entries'] as unknown as Entry[]) listed.set(key, hash);
    next = page['next'] as string | null;
  }
  return { ...index, handle, pages, listed };
}

/** True where the body's public hash is the listed one. */
export const matches = (index: Index, key: string, hash: Buffer): boolean => index.listed.get(key) === hash.toString('base64url');

/** True where a stored body is the listed one. */
export const matchesValue = (index: Index, key: string, value: Buffer): boolean => index.listed.get(key) === digest(value);

/** Whether one more entry fits, and whether it needs a new page. */
export function room(index: Index): 'HERE' | 'NEW_PAGE' | 'FULL' {
  if (index.entries.length < mostEntries) return 'HERE';
  return index.pages.length < mostPages ? 'NEW_PAGE' : 'FULL';
}

/** Lists one more body; where the index is full, its summaries move to a new page first. */
export async function append(ledger: Ledger, hospital: string, index: Index, entry: Entry, salt: string, page: string): Promise<void> {
  let { entries, next } = index;
  if (entries.length >= mostEntries) {
    await putRecord(ledger, bodiesOf(hospital), `page/${page}`, 'page', pageSaltOf(salt), { next, entries: entries.slice(pinned) as unknown as JsonValue });
    entries = entries.slice(0, pinned);
    next = page;
  }
  await putIndex(ledger, hospital, { ...index, entries: [...entries, entry], next }, salt);
}

/** Writes an index; no key policy, so that the collection's own applies: both organisations. */
export async function putIndex(ledger: Ledger, hospital: string, index: Omit<Index, 'pages' | 'listed'>, salt: string): Promise<void> {
  const { pseudonym, spki, patient, consent, consentId, next, entries } = index;
  await putRecord(ledger, bodiesOf(hospital), `idx/${index.handle}`, 'index', salt, {
    pseudonym, spki, patient, consent, consentId, next, entries: entries as unknown as JsonValue,
  });
}
