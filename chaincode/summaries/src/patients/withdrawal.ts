import { readInput, salt } from '../input';
import { refuse, RuleError, under } from '../refusal';
import { canonical } from '../rules/canonical';
import { readPatientJws } from '../rules/compact';
import type { JsonObject, JsonValue } from '../rules/json';
import { handle, text } from '../rules/schema';
import { withdrawalKind } from '../rules/statements';
import { bodiesOf, type Session } from '../session';
import { bodyState, Events, isRetired, readRecord, retire, seal } from '../store';
import { loadIndex, matches, matchesValue, type Index } from './chain';
import { readSpki } from './enrolment';

/** Bodies purged in one transaction. */
export const mostPurged = 256;

/** Purges listed bodies that either organisation can purge; says whether more remain and how many are locked. */
async function purgeListed(session: Session, msp: string, index: Index, lockedToo: boolean): Promise<{ readonly more: boolean; readonly locked: number }> {
  let purged = 0;
  let locked = 0;
  for (const key of index.listed.keys()) {
    const state = await bodyState(session, msp, key);
    if (state === 'ABSENT') continue;
    if (state === 'LOCKED' && !lockedToo) {
      locked++;
      continue;
    }
    if (purged === mostPurged) return { more: true, locked };
    await session.ledger.purge(bodiesOf(msp), key);
    purged++;
  }
  return { more: false, locked };
}

export async function withdrawConsent(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  session.requireBridgeOrPortal(hospital);
  const { members } = readInput(
    ledger, { index: handle, event: handle, eventSalt: salt, tombSalt: salt }, { withdrawal: text((value) => value.length <= 65536) },
  );
  const input = members as { index: string; event: string; eventSalt: string; tombSalt: string; withdrawal?: string };
  const index = await loadIndex(ledger, msp, input.index);
  if (index === null) refuse('INDEX_UNKNOWN', 'no such index');
  const { withdrawal } = input;
  if (withdrawal !== undefined)
    under('BAD_WITHDRAWAL', () => {
      const payload = readPatientJws(withdrawal, withdrawalKind, readSpki(index.spki).key);
      if (payload.hospital !== msp || payload.consentId !== index.consentId) throw new RuleError('a withdrawal of another consent');
    });
  const { more, locked } = await purgeListed(session, msp, index, false);
  const sealed = await retire(session, msp, index.consent, 'WITHDRAWN', input.tombSalt, 'EITHER');
  const events = new Events(ledger, msp);
  await events.addNew(input.event, input.eventSalt, 'consent', index.handle, 'WITHDRAWN');
  events.emit();
  return canonical({ status: more ? 'MORE' : 'WITHDRAWN', locked: locked + (sealed ? 0 : 1) });
}

/** Removes what a withdrawal must leave: the index. Both organisations endorse, so bodies that one of them locked go too, and a tombstone that one of them locked is sealed. */
export async function sweepIndex(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  session.requireBridgeOrPortal(hospital);
  const { members } = readInput(ledger, { index: handle });
  const index = await loadIndex(ledger, msp, members['index'] as string);
  if (index === null) refuse('INDEX_UNKNOWN', 'no such index');
  if (!(await isRetired(ledger, msp, index.consent))) refuse('NOT_WITHDRAWN', 'the consent has not been withdrawn');
  await seal(session, msp, index.consent, 'BOTH');
  const { more } = await purgeListed(session, msp, index, true);
  if (more) return 'MORE';
  for (const page of index.pages) await ledger.purge(bodiesOf(msp), `page/${page}`);
  await ledger.purge(bodiesOf(msp), `idx/${index.handle}`);
  return 'SWEPT';
}

export async function readPatient(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  session.requireMember(hospital);
  const { members } = readInput(ledger, {}, { patient: handle, index: handle });
  if (Object.keys(members).length !== 1) refuse('BAD_INPUT', 'input: exactly one of patient and index is expected');
  const index = await loadIndex(ledger, msp, (members['index'] as string | undefined) ?? (await indexOfPatient(session, msp, members['patient'] as string)));
  if (index === null) refuse('NOT_FOUND', 'no such patient');
  if (members['patient'] !== undefined && members['patient'] !== index.patient) refuse('FORGED', 'the index does not list this patient');

  const read = async (key: string, kind: string): Promise<JsonObject | null> => {
    const value = await ledger.getPrivate(bodiesOf(msp), key);
    return value === null || !matchesValue(index, key, value) ? null : readRecord(value, kind);
  };
  const patient = await read(`pat/${index.patient}`, 'patient');
  const consent = await read(`con/${index.consent}`, 'consent');
  const entries: JsonValue[] = [];
  for (const key of index.listed.keys()) {
    if (!key.startsWith('sum/')) continue;
    const id = key.slice('sum/'.length);
    const hash = await ledger.getHash(bodiesOf(msp), key);
    const erased = hash === null || (await isRetired(ledger, msp, id));
    entries.push({ id, state: erased ? 'ERASED' : matches(index, key, hash) ? 'LIVE' : 'FORGED' });
  }
  return canonical({
    patient: patient === null ? null : { handle: index.patient, pseudonym: index.pseudonym, certificate: patient['certificate'] as string },
    consent: consent === null ? null : { handle: index.consent, jws: consent['jws'] as string, exp: consent['exp'] as string },
    withdrawn: await isRetired(ledger, msp, index.consent),
    index: index.handle,
    entries,
  });
}

async function indexOfPatient(session: Session, msp: string, patient: string): Promise<string> {
  const value = await session.ledger.getPrivate(bodiesOf(msp), `pat/${patient}`);
  if (value === null) refuse('NOT_FOUND', 'no such patient');
  const index = readRecord(value, 'patient')?.['index'];
  return typeof index === 'string' ? index : refuse('FORGED', 'this is not the patient that the index lists');
}
