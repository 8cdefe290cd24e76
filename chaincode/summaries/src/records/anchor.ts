import { checkMembers, readInput, salt } from '../input';
import { Refusal, refuse } from '../refusal';
import { canonical } from '../rules/canonical';
import { sha256 } from '../rules/encoding';
import type { Hospital } from '../rules/hospital';
import { isObject, type JsonObject, type JsonValue } from '../rules/json';
import { periodStart, type SummaryPayload } from '../rules/payload';
import { eitherPolicy } from '../rules/policy';
import { handle, listOf } from '../rules/schema';
import { summaryKind, verifyDual, type DualKind } from '../rules/summary';
import { doctorKey, readDoctorRecord } from '../directory/doctors';
import { append, loadIndex, matches, matchesValue, room, type Index } from '../patients/chain';
import { consentEnds } from '../patients/enrolment';
import { bodiesOf, doctorsCollection, type Session } from '../session';
import { bodyState, Events, isRetired, putRecord, readRecord, retire } from '../store';

/** A period may lie this far ahead of the transaction (seconds): hospitals have time zones. */
const periodSlack = 86400;
export const mostItems = 100;

interface Item {
  readonly summary: JsonObject;
  readonly doctor: string;
  readonly consent: string;
  readonly salt: string;
  readonly page: string;
  readonly indexSalt: string;
  readonly event: string;
  readonly eventSalt: string;
  readonly tombSalt?: string;
  readonly supersededEvent?: string;
  readonly supersededEventSalt?: string;
}

/** Stops one item with its code; the others go on. */
class ItemRefusal extends Error {
  public constructor(public readonly code: string) {
    super(code);
  }
}

const stop = (code: string): never => {
  throw new ItemRefusal(code);
};

/** Doctors' records as the client brought them, by handle. */
export type BroughtDoctors = Readonly<Record<string, string>>;

/** {handle: stored value}, at most as many as items. */
export const broughtDoctors = (value: JsonValue): boolean =>
  isObject(value) && Object.keys(value).length <= mostItems
  && Object.entries(value).every(([name, record]) => handle(name) && typeof record === 'string' && record.length <= 65536);

export async function anchorSummaries(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  session.requireBridgeOf(hospital);
  const isInSummary = (path: readonly (string | number)[]): boolean => path[0] === 'items' && path[2] === 'summary' && path.length > 3;
  const { members, duplicates } = readInput(ledger, { doctors: broughtDoctors, items: listOf(1, mostItems, isObject) }, {}, isInSummary);
  const items = members['items'] as JsonObject[];
  for (const [i, item] of items.entries())
    checkMembers(
      `input.items[${String(i)}]`, item,
      { summary: isObject, doctor: handle, consent: handle, salt, page: handle, indexSalt: salt, event: handle, eventSalt: salt },
      { tombSalt: salt, supersededEvent: handle, supersededEventSalt: salt },
    );
  const ambiguous = new Set(duplicates.map((path) => path[1]));
  const batch = new Batch(session, hospital, members['doctors'] as unknown as BroughtDoctors);
  const codes: string[] = [];
  for (const [i, item] of items.entries()) codes.push(ambiguous.has(i) ? 'DUPLICATE_MEMBER' : await batch.tryAnchor(item as unknown as Item));
  if (!codes.includes('ANCHORED')) {
    if (codes.length === 1) refuse(codes[0] as string, 'the summary was not anchored');
    throw new Refusal('NONE_ANCHORED', 'no summary of the batch was anchored', { items: codes });
  }
  batch.events.emit();
  return canonical(codes);
}

/** One transaction's items. Fabric does not show a transaction its own writes, so what they touch is remembered here. */
class Batch {
  public readonly events: Events;
  private readonly msp: string;
  private readonly patients = new Set<string>();
  private readonly ids = new Set<string>();
  private readonly pages = new Set<string>();

  public constructor(
    private readonly session: Session,
    private readonly hospital: Hospital,
    private readonly doctors: BroughtDoctors,
  ) {
    this.msp = hospital.msp;
    this.events = new Events(session.ledger, this.msp);
  }

  /** Anchors one item, or returns its code with nothing written for it. */
  public async tryAnchor(item: Item): Promise<string> {
    try {
      const payload = await verifyByDoctorAndBridge(this.session, this.hospital, item.summary, summaryKind, item.doctor, this.doctors, stop);
      if (periodStart(payload.period) > this.session.ledger.time + periodSlack) stop('PERIOD_IN_FUTURE');
      const index = await this.checkConsent(item, payload);
      await this.checkId(payload, index);
      const superseded = await this.checkSuperseded(item, payload, index);
      await this.checkHandles(item, index);
      await this.write(item, payload, index, superseded);
      return 'ANCHORED';
    } catch (error) {
      if (error instanceof ItemRefusal) return error.code;
      throw error;
    }
  }

  private async checkConsent(item: Item, payload: SummaryPayload): Promise<Index> {
    const { ledger } = this.session;
    const key = `con/${item.consent}`;
    if (await isRetired(ledger, this.msp, item.consent)) stop('CONSENT_WITHDRAWN');
    const stored = await ledger.getPrivate(bodiesOf(this.msp), key);
    if (stored === null) return stop('CONSENT_UNKNOWN');
    const consent = readRecord(stored, 'consent');
    const handleOfIndex = consent?.['index'];
    const index = typeof handleOfIndex === 'string' ? await loadIndex(ledger, this.msp, handleOfIndex) : null;
    if (consent === null || index?.consent !== item.consent || !matchesValue(index, key, stored)) return stop('CONSENT_FORGED');
    if (index.pseudonym !== payload.patient) stop('CONSENT_MISMATCH');
    if (ledger.time >= consentEnds(consent['exp'] as string)) stop('CONSENT_EXPIRED');
    if (this.patients.has(index.handle)) stop('DUPLICATE_PATIENT');
    return index;
  }

  private async checkId({ id }: SummaryPayload, index: Index): Promise<void> {
    const { ledger } = this.session;
    if (this.ids.has(id) || (await ledger.getHash(bodiesOf(this.msp), `sum/${id}`)) !== null) stop('ID_IN_USE');
    if (index.listed.has(`sum/${id}`) || (await isRetired(ledger, this.msp, id))) stop('ID_RETIRED');
  }

  /** The summary that this one replaces, live and of the same patient, or null. */
  private async checkSuperseded(item: Item, payload: SummaryPayload, index: Index): Promise<string | null> {
    const { supersedes } = payload;
    const given = [item.tombSalt, item.supersededEvent, item.supersededEventSalt].filter((member) => member !== undefined).length;
    if (given !== (supersedes === undefined ? 0 : 3)) stop('BAD_INPUT');
    if (supersedes === undefined) return null;
    const key = `sum/${supersedes}`;
    if (await isRetired(this.session.ledger, this.msp, supersedes)) stop('SUPERSEDES_RETIRED');
    if (!index.listed.has(key)) stop('SUPERSEDES_UNKNOWN');
    const hash = await this.session.ledger.getHash(bodiesOf(this.msp), key);
    if (hash === null) return stop('SUPERSEDES_RETIRED');
    if (!matches(index, key, hash)) stop('FORGED');
    if ((await bodyState(this.session, this.msp, key)) !== 'PURGEABLE') stop('LOCKED');
    return supersedes;
  }

  /** Handles that the item brings: nothing private is ever overwritten through them. */
  private async checkHandles(item: Item, index: Index): Promise<void> {
    const { ledger } = this.session;
    if (room(index) === 'FULL') stop('INDEX_FULL');
    if (room(index) === 'NEW_PAGE' && (this.pages.has(item.page) || (await ledger.getHash(bodiesOf(this.msp), `page/${item.page}`)) !== null)) stop('HANDLE_IN_USE');
    if (item.event === item.supersededEvent || !(await this.events.isFree(item.event))) stop('HANDLE_IN_USE');
    if (item.supersededEvent !== undefined && !(await this.events.isFree(item.supersededEvent))) stop('HANDLE_IN_USE');
  }

  private async write(item: Item, { id }: SummaryPayload, index: Index, superseded: string | null): Promise<void> {
    const { ledger, portal } = this.session;
    const hash = await putRecord(ledger, bodiesOf(this.msp), `sum/${id}`, 'summary', item.salt, {
      jws: item.summary, doctor: item.doctor, consent: item.consent, index: index.handle,
    }, eitherPolicy(this.msp, portal));
    await append(ledger, this.msp, index, [`sum/${id}`, hash], item.indexSalt, item.page);
    await this.events.add(item.event, item.eventSalt, 'summary', id, 'ANCHORED');
    if (superseded !== null) {
      await ledger.purge(bodiesOf(this.msp), `sum/${superseded}`);
      await retire(this.session, this.msp, superseded, 'SUPERSEDED', item.tombSalt as string, 'BOTH');
      await this.events.add(item.supersededEvent as string, item.supersededEventSalt as string, 'summary', superseded, 'SUPERSEDED');
    }
    this.patients.add(index.handle);
    this.pages.add(item.page);
    this.ids.add(id);
  }
}

/** The dual authentication of a record, in the order of the interface; `fail` ends it with a code. */
export async function verifyByDoctorAndBridge<T extends { readonly hospital: string }>(
  session: Session, hospital: Hospital, document: JsonValue, kind: DualKind<T>, doctorHandle: string, brought: BroughtDoctors, fail: (code: string) => never,
): Promise<T> {
  const { ledger } = session;
  const reading = verifyDual(document, kind, hospital.passkeys);
  if (reading.outcome !== 'VALID') return fail(reading.outcome);
  const { payload, doctor: leaf, bridge } = reading;
  if (payload.hospital !== hospital.msp) fail('WRONG_HOSPITAL');
  if (!bridge.der.equals(ledger.creator.der)) fail('BRIDGE_NOT_CREATOR');

  // By hash only: a value read would ask for endorsements that the writing organisations cannot give.
  const hash = await ledger.getHash(doctorsCollection, doctorKey(doctorHandle));
  const record = Object.hasOwn(brought, doctorHandle) ? brought[doctorHandle] : undefined;
  if (hash === null || record === undefined) return fail('DOCTOR_UNKNOWN');
  const bytes = Buffer.from(record, 'utf8');
  const doctor = sha256(bytes).equals(hash) ? readDoctorRecord(bytes) : null;
  if (doctor === null) return fail('DOCTOR_STALE');
  if (doctor.thumbprint !== leaf.thumbprint) fail('DOCTOR_MISMATCH');
  if (doctor.hospital !== hospital.msp) fail('DOCTOR_OF_OTHER_HOSPITAL');
  if (doctor.status === 'PENDING') fail('DOCTOR_PENDING');
  if (doctor.status === 'REVOKED') fail('DOCTOR_REVOKED');
  if (ledger.time < doctor.notBefore || ledger.time > doctor.notAfter) fail('DOCTOR_EXPIRED');
  return payload;
}
