import type { Ledger } from './ledger';
import { refuse } from './refusal';
import { canonical } from './rules/canonical';
import { canonicalBytes, digest, tombOf } from './rules/encoding';
import { isObject, JsonSyntaxError, parseJson, type JsonObject, type JsonValue } from './rules/json';
import { bothPolicy, eitherPolicy } from './rules/policy';
import { bodiesOf, tombsOf, type Session } from './session';

/** Stores a private value in the contract's form; returns its digest, which Fabric shows as its public hash. */
export async function putRecord(
  ledger: Ledger, collection: string, key: string, kind: string, salt: string, members: JsonObject, policy?: Buffer,
): Promise<string> {
  const value = canonicalBytes({ ...members, v: 1, kind, salt });
  await ledger.putPrivate(collection, key, value);
  if (policy !== undefined) await ledger.setPolicy(collection, key, policy);
  return digest(value);
}

/** Reads a stored value; null where it is not of this kind (an insider may have written anything under a key that he alone can write). */
export function readRecord(value: Buffer, kind: string): JsonObject | null {
  try {
    const parsed = parseJson(value, 32).value;
    return isObject(parsed) && parsed['kind'] === kind ? parsed : null;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return null;
    throw error;
  }
}

/** HANDLE_IN_USE where a private key has a value. */
export async function requireUnused(ledger: Ledger, collection: string, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) if ((await ledger.getHash(collection, key)) !== null) refuse('HANDLE_IN_USE', 'a handle that is already in use');
}

export type TombReason = 'WITHDRAWN' | 'ERASED' | 'RETRACTED' | 'SUPERSEDED';

/** True where a thing is retired. Looked at by hash, so that a transaction that writes bodies may ask. */
export const isRetired = async (ledger: Ledger, hospital: string, handle: string): Promise<boolean> =>
  (await ledger.getHash(tombsOf(hospital), `tomb/${tombOf(handle)}`)) !== null;

/** Who endorses: both organisations, or perhaps only one. */
export type Endorsed = 'BOTH' | 'EITHER';

/** Writes the tombstone of a thing where there is none, and seals it so that no organisation alone can take it away. False as for seal. */
export async function retire(session: Session, hospital: string, handle: string, reason: TombReason, salt: string, endorsed: Endorsed): Promise<boolean> {
  const { ledger, portal } = session;
  const key = `tomb/${tombOf(handle)}`;
  if (await isRetired(ledger, hospital, handle)) return seal(session, hospital, handle, endorsed);
  await putRecord(ledger, tombsOf(hospital), key, 'tomb', salt, { reason }, bothPolicy(hospital, portal));
  return true;
}

/**
 * Seals a tombstone that someone wrote without the seal, perhaps to take it away later. False where it has another policy
 * and only one organisation may endorse: it could not change that, and the whole transaction would be invalid.
 */
export async function seal(session: Session, hospital: string, handle: string, endorsed: Endorsed): Promise<boolean> {
  const { ledger, portal } = session;
  const collection = tombsOf(hospital);
  const key = `tomb/${tombOf(handle)}`;
  const sealed = bothPolicy(hospital, portal);
  const policy = await ledger.getPolicy(collection, key);
  if (policy?.equals(sealed) === true) return true;
  if (policy !== null && endorsed === 'EITHER') return false;
  await ledger.setPolicy(collection, key, sealed);
  return true;
}

export type BodyState = 'ABSENT' | 'PURGEABLE' | 'LOCKED';

/** Whether one organisation's endorsement suffices to purge a body. */
export async function bodyState(session: Session, hospital: string, key: string): Promise<BodyState> {
  const { ledger, portal } = session;
  if ((await ledger.getHash(bodiesOf(hospital), key)) === null) return 'ABSENT';
  const policy = await ledger.getPolicy(bodiesOf(hospital), key);
  return policy?.equals(eitherPolicy(hospital, portal)) === true ? 'PURGEABLE' : 'LOCKED';
}

export type EventCode = 'REQUESTED' | 'ENROLLED' | 'ANCHORED' | 'SUPERSEDED' | 'RETRACTED' | 'ERASED' | 'WITHDRAWN';

/** The events of one transaction: one-time ids in public, what they mean in private. */
export class Events {
  private readonly public: { event: string; status: EventCode }[] = [];
  private readonly ids = new Set<string>();

  public constructor(
    private readonly ledger: Ledger,
    private readonly hospital: string,
  ) {}

  /** False where this id stands on the ledger or in this transaction already. */
  public async isFree(event: string): Promise<boolean> {
    return !this.ids.has(event) && (await this.ledger.getHash(tombsOf(this.hospital), `evt/${event}`)) === null;
  }

  public async add(event: string, salt: string, what: 'request' | 'patient' | 'consent' | 'summary', handle: string, status: EventCode): Promise<void> {
    this.ids.add(event);
    this.public.push({ event, status });
    await putRecord(this.ledger, tombsOf(this.hospital), `evt/${event}`, 'event', salt, { what, handle, status });
  }

  /** Adds one event, refusing an id in use. */
  public async addNew(event: string, salt: string, what: 'request' | 'patient' | 'consent' | 'summary', handle: string, status: EventCode): Promise<void> {
    if (!(await this.isFree(event))) refuse('HANDLE_IN_USE', 'an event id that is already in use');
    await this.add(event, salt, what, handle, status);
  }

  public emit(): void {
    if (this.public.length > 0) this.ledger.emit('records', Buffer.from(canonical(this.public as unknown as JsonValue)));
  }
}
