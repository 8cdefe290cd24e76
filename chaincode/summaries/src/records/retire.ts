import { readInput, salt } from '../input';
import { refuse, RuleError, under } from '../refusal';
import { readPatientJws } from '../rules/compact';
import { isObject, type JsonObject } from '../rules/json';
import { handle, text } from '../rules/schema';
import { erasureKind } from '../rules/statements';
import { retractionKind } from '../rules/summary';
import { loadIndex, matchesValue, type Index } from '../patients/chain';
import { readSpki } from '../patients/enrolment';
import { bodiesOf, type Session } from '../session';
import { bodyState, Events, isRetired, readRecord, retire, type TombReason } from '../store';
import { broughtDoctors, verifyByDoctorAndBridge, type BroughtDoctors } from './anchor';

interface Ending {
  readonly id: string;
  readonly event: string;
  readonly eventSalt: string;
  readonly tombSalt: string;
}

/** Purges a body, seals its tombstone and tells. */
async function end(session: Session, msp: string, { id, event, eventSalt, tombSalt }: Ending, reason: TombReason & ('RETRACTED' | 'ERASED')): Promise<string> {
  await session.ledger.purge(bodiesOf(msp), `sum/${id}`);
  const sealed = await retire(session, msp, id, reason, tombSalt, reason === 'RETRACTED' ? 'BOTH' : 'EITHER');
  if (!sealed) refuse('LOCKED', 'the key policy of this summary\'s tombstone is not the expected one');
  const events = new Events(session.ledger, msp);
  await events.addNew(event, eventSalt, 'summary', id, reason);
  events.emit();
  return reason;
}

/** The stored body; ERASED where only its tombstone is left, NOT_FOUND where there is neither. A body beside a tombstone is still there to be purged. */
async function requireBody(session: Session, msp: string, id: string): Promise<Buffer> {
  const stored = await session.ledger.getPrivate(bodiesOf(msp), `sum/${id}`);
  if (stored !== null) return stored;
  if (await isRetired(session.ledger, msp, id)) refuse('ERASED', 'this summary is retired');
  refuse('NOT_FOUND', 'no such summary');
}

export async function retractSummary(session: Session, msp: string): Promise<string> {
  const hospital = await session.hospital(msp);
  session.requireBridgeOf(hospital);
  const { members, duplicates } = readInput(
    session.ledger,
    { id: handle, retraction: isObject, doctors: broughtDoctors, doctor: handle, event: handle, eventSalt: salt, tombSalt: salt },
    {},
    (path) => path[0] === 'retraction' && path.length > 1,
  );
  if (duplicates.length > 0) refuse('DUPLICATE_MEMBER', 'the retraction names a member twice');
  const input = members as unknown as Ending & { retraction: JsonObject; doctors: BroughtDoctors; doctor: string };
  const fail = (code: string): never => refuse(code, 'the retraction was not accepted');
  const payload = await verifyByDoctorAndBridge(session, hospital, input.retraction, retractionKind, input.doctor, input.doctors, fail);
  if (payload.id !== input.id) refuse('BAD_INPUT', 'input.id: not the one that the retraction names');
  await requireBody(session, msp, input.id);
  if ((await bodyState(session, msp, `sum/${input.id}`)) === 'LOCKED') refuse('LOCKED', 'the key policy of this summary is not the expected one');
  return end(session, msp, input, 'RETRACTED');
}

export async function eraseSummary(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  session.requireBridgeOrPortal(hospital);
  const { members } = readInput(
    ledger, { id: handle, erasure: text((value) => value.length <= 65536), event: handle, eventSalt: salt, tombSalt: salt }, { index: handle },
  );
  const input = members as unknown as Ending & { erasure: string; index?: string };
  const stored = await requireBody(session, msp, input.id);
  const index = await ownIndex(session, msp, input, stored);
  under('BAD_ERASURE', () => {
    const payload = readPatientJws(input.erasure, erasureKind, readSpki(index.spki).key);
    if (payload.hospital !== msp || payload.id !== input.id) throw new RuleError('an erasure of another summary');
  });
  if ((await bodyState(session, msp, `sum/${input.id}`)) === 'LOCKED') refuse('LOCKED', 'the key policy of this summary is not the expected one');
  return end(session, msp, input, 'ERASED');
}

/** The index that lists the summary: the one the body names, or, where the body was overwritten, the one the caller names. */
async function ownIndex(session: Session, msp: string, input: { readonly id: string; readonly index?: string }, stored: Buffer): Promise<Index> {
  const key = `sum/${input.id}`;
  const named = input.index ?? readRecord(stored, 'summary')?.['index'];
  const index = typeof named === 'string' ? await loadIndex(session.ledger, msp, named) : null;
  const lists = index !== null && (input.index === undefined ? matchesValue(index, key, stored) : index.listed.has(key));
  return lists ? index : refuse('FORGED', 'no index vouches for this body; name the patient\'s index to erase it all the same');
}
