import { readInput } from '../input';
import { refuse } from '../refusal';
import { canonical } from '../rules/canonical';
import type { JsonObject, JsonValue } from '../rules/json';
import { handle, integer, listOf } from '../rules/schema';
import { loadIndex, matchesValue } from '../patients/chain';
import { bodiesOf, tombsOf, type Session } from '../session';
import { isRetired, readRecord } from '../store';

type Outcome = 'LIVE' | 'NOT_FOUND' | 'ERASED' | 'FORGED' | 'WITHDRAWN';

interface Reading {
  readonly outcome: Outcome;
  /** {summary, doctor, index, consent} of a live one. */
  readonly content?: JsonObject;
}

/** Judges one stored body: its tombstone, its place in the patient's index, the consent's tombstone. */
async function judge(session: Session, msp: string, id: string, stored: Buffer | null): Promise<Reading> {
  const { ledger } = session;
  if (await isRetired(ledger, msp, id)) return { outcome: 'ERASED' };
  if (stored === null) return { outcome: 'NOT_FOUND' };
  const body = readRecord(stored, 'summary');
  const named = body?.['index'];
  const index = typeof named === 'string' ? await loadIndex(ledger, msp, named) : null;
  if (body === null || index === null || !matchesValue(index, `sum/${id}`, stored)) return { outcome: 'FORGED' };
  if (await isRetired(ledger, msp, index.consent)) return { outcome: 'WITHDRAWN' };
  const { jws, doctor } = body as { jws: JsonValue; doctor: JsonValue };
  return { outcome: 'LIVE', content: { summary: jws, doctor, index: index.handle, consent: index.consent } };
}

const load = (session: Session, msp: string, id: string): Promise<Buffer | null> => session.ledger.getPrivate(bodiesOf(msp), `sum/${id}`);

export async function readSummary(session: Session, msp: string): Promise<string> {
  session.requireMember(await session.hospital(msp));
  const { members } = readInput(session.ledger, { id: handle });
  const id = members['id'] as string;
  const { outcome, content } = await judge(session, msp, id, await load(session, msp, id));
  if (content === undefined) refuse(outcome, 'this summary cannot be read');
  return canonical(content);
}

export async function readSummaries(session: Session, msp: string): Promise<string> {
  session.requireMember(await session.hospital(msp));
  const { members } = readInput(session.ledger, { ids: listOf(1, 100, handle) });
  const items: JsonObject[] = [];
  for (const id of members['ids'] as string[]) {
    const { outcome, content } = await judge(session, msp, id, await load(session, msp, id));
    items.push({ id, outcome, ...content });
  }
  return canonical(items);
}

export async function listSummaries(session: Session, msp: string): Promise<string> {
  session.requireMember(await session.hospital(msp));
  const { members } = readInput(session.ledger, { after: (value) => value === null || handle(value), limit: integer(1, 200) });
  const { after, limit } = members as { after: string | null; limit: number };
  // The query is closed before each body is judged: one question to the peer at a time.
  const found: { readonly id: string; readonly value: Buffer }[] = [];
  for await (const { key, value } of session.ledger.scan(bodiesOf(msp), `sum/${after ?? ''}`, 'sum0')) {
    const id = key.slice('sum/'.length);
    if (id === after) continue;
    found.push({ id, value });
    if (found.length > limit) break;
  }
  const items: JsonObject[] = [];
  for (const { id, value } of found.slice(0, limit)) {
    const { outcome, content } = await judge(session, msp, id, value);
    items.push({ id, outcome, ...content });
  }
  return canonical({ items, next: found.length > limit ? (found[limit - 1]?.id ?? null) : null });
}

export async function readEvents(session: Session, msp: string): Promise<string> {
  session.requireMember(await session.hospital(msp));
  const { members } = readInput(session.ledger, { events: listOf(1, 100, handle) });
  const items: JsonValue[] = [];
  for (const event of members['events'] as string[]) {
    const value = await session.ledger.getPrivate(tombsOf(msp), `evt/${event}`);
    const record = value === null ? null : readRecord(value, 'event');
    items.push(record === null ? null : { event, what: record['what'] ?? null, handle: record['handle'] ?? null, status: record['status'] ?? null });
  }
  return canonical(items);
}
