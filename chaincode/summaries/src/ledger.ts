import { X509Certificate } from 'node:crypto';
import type { Context } from 'fabric-contract-api';
import { Refusal } from './refusal';

type ChaincodeStub = Context['stub'];

/** What the rules see of Fabric. Reads do not see the writes of their own transaction. */
export interface Ledger {
  /** Who signed the proposal: MSP id and the certificate's DER. */
  readonly creator: { readonly msp: string; readonly der: Buffer };
  /** The transaction's timestamp, unix seconds. */
  readonly time: number;
  /** A value of the transient map, or null. */
  transient(name: string): Buffer | null;
  getPublic(key: string): Promise<Buffer | null>;
  putPublic(key: string, value: Buffer): Promise<void>;
  deletePublic(key: string): Promise<void>;
  /** A private value; in a transaction that writes, only of a collection whose policy its endorsers satisfy. */
  getPrivate(collection: string, key: string): Promise<Buffer | null>;
  /** Fabric's public hash (SHA-256) of a private value, or null where there is none. */
  getHash(collection: string, key: string): Promise<Buffer | null>;
  putPrivate(collection: string, key: string, value: Buffer): Promise<void>;
  /** Removes a private value and its history. */
  purge(collection: string, key: string): Promise<void>;
  /** The key-level endorsement policy, or null. */
  getPolicy(collection: string, key: string): Promise<Buffer | null>;
  setPolicy(collection: string, key: string, policy: Buffer): Promise<void>;
  /** Private values with start ≤ key < end, in order; leaving the loop early closes the query. Only where nothing is written. */
  scan(collection: string, start: string, end: string): AsyncIterable<{ readonly key: string; readonly value: Buffer }>;
  /** The transaction's one event. */
  emit(name: string, payload: Buffer): void;
}

/** The ledger through Fabric's shim. */
export class FabricLedger implements Ledger {
  public readonly creator: { readonly msp: string; readonly der: Buffer };
  public readonly time: number;

  public constructor(private readonly stub: ChaincodeStub) {
    const { mspid, idBytes } = stub.getCreator();
    this.creator = { msp: mspid, der: Buffer.from(new X509Certificate(idBytes).raw) };
    this.time = Number(stub.getTxTimestamp().seconds);
  }

  public transient(name: string): Buffer | null {
    const value = this.stub.getTransient().get(name);
    return value === undefined ? null : Buffer.from(value);
  }

  public getPublic(key: string): Promise<Buffer | null> {
    return ask('read public state', async () => present(await this.stub.getState(key)));
  }

  public putPublic(key: string, value: Buffer): Promise<void> {
    return ask('write public state', async () => this.stub.putState(key, value));
  }

  public deletePublic(key: string): Promise<void> {
    return ask('write public state', async () => this.stub.deleteState(key));
  }

  public getPrivate(collection: string, key: string): Promise<Buffer | null> {
    return ask(`read ${collection}`, async () => present(await this.stub.getPrivateData(collection, key)));
  }

  public getHash(collection: string, key: string): Promise<Buffer | null> {
    return ask(`read a hash of ${collection}`, async () => present(await this.stub.getPrivateDataHash(collection, key)));
  }

  public putPrivate(collection: string, key: string, value: Buffer): Promise<void> {
    return ask(`write ${collection}`, async () => this.stub.putPrivateData(collection, key, value));
  }

  public purge(collection: string, key: string): Promise<void> {
    return ask(`purge from ${collection}`, async () => this.stub.purgePrivateData(collection, key));
  }

  public getPolicy(collection: string, key: string): Promise<Buffer | null> {
    return ask(`read a key policy of ${collection}`, async () => {
      const value = (await this.stub.getPrivateDataValidationParameter(collection, key)) as Uint8Array | string | undefined;
      return present(typeof value === 'string' ? Buffer.from(value, 'base64') : value);
    });
  }

  public setPolicy(collection: string, key: string, policy: Buffer): Promise<void> {
    return ask(`set a key policy of ${collection}`, async () => this.stub.setPrivateDataValidationParameter(collection, key, policy));
  }

  public async *scan(collection: string, start: string, end: string): AsyncIterable<{ readonly key: string; readonly value: Buffer }> {
    try {
      for await (const { key, value } of this.stub.getPrivateDataByRange(collection, start, end)) yield { key, value: Buffer.from(value) };
    } catch (error) {
      throw asRefusal(`query ${collection}`, error);
    }
  }

  public emit(name: string, payload: Buffer): void {
    this.stub.setEvent(name, payload);
  }
}

const present = (value: Uint8Array | undefined): Buffer | null => (value === undefined || value.length === 0 ? null : Buffer.from(value));

async function ask<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asRefusal(what, error);
  }
}

/** The peer's own words, without anything in them that could be a handle or a key. */
function asRefusal(what: string, error: unknown): Error {
  if (error instanceof Refusal) return error;
  const words = (error instanceof Error ? error.message : String(error)).replace(/[A-Za-z0-9_+/=-]{20,}/g, '…').slice(0, 300);
  return new Refusal('LEDGER_ERROR', `the peer would not ${what}: ${words}`);
}
