import { base64Url, equal, sha256, utf8, type Bytes } from './bytes';

/** A signing key of this browser. The private half cannot be taken out: not by this page, not by another, not by a copy of the profile's files in the clear. */
export interface StoredKey {
  /** base64url of SHA-256 over the public key (SubjectPublicKeyInfo). */
  readonly id: string;
  /** Whose it is: another person at the same computer is not offered it. */
  readonly owner: string;
  readonly madeAt: number;
  readonly keys: CryptoKeyPair;
}

const database = 'bridge-keys';
const store = 'keys';

/** Some browsers neither open a store nor say no; a page must not wait for them for ever. */
const patience = 10_000;

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('IndexedDB does not answer')), patience);
    const fail = (why: Error) => {
      clearTimeout(timer);
      reject(why);
    };
    const asked = indexedDB.open(database, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(store, { keyPath: 'id' });
    asked.onsuccess = () => {
      clearTimeout(timer);
      resolve(asked.result);
    };
    asked.onerror = () => fail(asked.error ?? new Error('IndexedDB'));
    asked.onblocked = () => fail(new Error('IndexedDB is blocked'));
  });
}

async function inStore<T>(mode: IDBTransactionMode, act: (objects: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const db = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = db.transaction(store, mode, { durability: 'strict' });
      const asked = act(transaction.objectStore(store));
      // Not when the request succeeded: when it is on the disk.
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB'));
    });
  } finally {
    db.close();
  }
}

export const idOf = async (spki: Bytes): Promise<string> => base64Url(await sha256(spki));

const makePair = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);

export const sign = async (keys: CryptoKeyPair, bytes: Bytes): Promise<Bytes> =>
  new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, keys.privateKey, bytes));

export async function keysOf(owner: string): Promise<StoredKey[]> {
  const all = await inStore('readonly', (objects) => objects.getAll() as IDBRequest<StoredKey[]>);
  return all.filter((key) => key.owner === owner).sort((a, b) => b.madeAt - a.madeAt);
}

export const forget = async (id: string): Promise<void> => void (await inStore('readwrite', (objects) => objects.delete(id)));

/** What this browser would do with a key. */
export type Storage =
  /** It keeps it until it is deleted on purpose. */
  | 'KEPT'
  /** It keeps it, but may throw it away when space runs short, or after days without a visit. */
  | 'AT_RISK'
  /** It does not keep it at all: private window, blocked storage. */
  | 'LOST';

/** Whether a key would be found again at all. Tries with one of no use to anybody, in the way in which the real one would be kept; asks the person nothing. */
export async function keepsKeys(): Promise<boolean> {
  try {
    const trial: StoredKey = { id: `trial-${crypto.randomUUID()}`, owner: '', madeAt: 0, keys: await makePair() };
    await inStore('readwrite', (objects) => objects.put(trial));
    const back = await inStore('readonly', (objects) => objects.get(trial.id) as IDBRequest<StoredKey | undefined>);
    await forget(trial.id);
    if (back === undefined || back.keys.privateKey.extractable) return false;
    const text = utf8('trial');
    const signature = await sign(back.keys, text);
    return await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, trial.keys.publicKey, signature, text);
  } catch {
    return false;
  }
}

/** What this browser would do with a key. May ask the person to let the site keep data, so it is called when she wants a key. */
export async function probeStorage(): Promise<Storage> {
  if (!(await keepsKeys())) return 'LOST';
  try {
    return (await navigator.storage.persisted()) || (await navigator.storage.persist()) ? 'KEPT' : 'AT_RISK';
  } catch {
    // A browser without the promise.
    return 'AT_RISK';
  }
}

/** Makes a key, keeps it, and reads it back before it counts as made. */
export async function makeKey(owner: string): Promise<StoredKey> {
  const keys = await makePair();
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey));
  const key: StoredKey = { id: await idOf(spki), owner, madeAt: Date.now(), keys };
  await inStore('readwrite', (objects) => objects.put(key));
  const back = (await keysOf(owner)).find((candidate) => candidate.id === key.id);
  if (back === undefined) throw new Error('the browser did not keep the key');
  if (!equal(new Uint8Array(await crypto.subtle.exportKey('spki', back.keys.publicKey)), spki)) throw new Error('the browser kept another key');
  return back;
}
