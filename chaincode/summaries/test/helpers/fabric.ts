import '../../src/quiet';
import { sha256 } from '../../src/rules/encoding';
import { common, msp as mspProtos } from '@hyperledger/fabric-protos';
import { guardErrors } from '../../src/host';
import { SummariesContract } from '../../src/contract';
import { toPem, type Identity } from './pki';

guardErrors();
// Every refusal is an error to the shim's log.
if (process.env['UNSILENCED'] === undefined)
  (require('fabric-shim/lib/logger') as { getLogger: (name: string) => { silent: boolean } }).getLogger('contracts-spi/chaincodefromcontract.js').silent = true;

/** A signature policy over peers, as Fabric evaluates it. */
export interface Policy {
  readonly needed: number;
  readonly organisations: readonly string[];
}

const satisfied = ({ needed, organisations }: Policy, endorsers: readonly string[]): boolean => organisations.filter((one) => endorsers.includes(one)).length >= needed;

export function readPolicy(bytes: Uint8Array): Policy {
  const envelope = common.SignaturePolicyEnvelope.deserializeBinary(bytes);
  return {
    needed: envelope.getRule()?.getNOutOf()?.getN() ?? 0,
    organisations: envelope.getIdentitiesList().map((identity) => mspProtos.MSPRole.deserializeBinary(identity.getPrincipal_asU8()).getMspIdentifier()),
  };
}

interface Collection {
  readonly members: readonly string[];
  readonly policy: Policy;
}

interface Value {
  readonly value: Buffer;
  policy?: Buffer;
}

export type Write =
  | { readonly kind: 'put' | 'purge' | 'policy'; readonly collection: string; readonly key: string; readonly value?: Buffer }
  | { readonly kind: 'putPublic' | 'deletePublic'; readonly key: string; readonly value?: Buffer };

export interface Caller {
  readonly msp: string;
  readonly der: Buffer;
}

export interface Call {
  readonly caller: Caller;
  readonly args: readonly string[];
  readonly input?: unknown;
  /** The private input as raw text, for what is not JSON. */
  readonly inputText?: string | undefined;
  readonly endorsers: readonly string[];
  /** Unix seconds; default now. */
  readonly time?: number;
}

export interface Outcome {
  readonly message: string;
  readonly refusal: string | null;
  readonly detail: string;
  readonly items: readonly string[];
  readonly payload: string;
  readonly event: { readonly name: string; readonly payload: string } | null;
  readonly writes: readonly Write[];
  /** Collections read by value. */
  readonly privateReads: ReadonlySet<string>;
}

interface Host {
  Invoke(stub: unknown): Promise<{ status: number; message?: string; payload?: Uint8Array }>;
}

const { JSONSerializer } = require('fabric-contract-api') as { JSONSerializer: unknown };
const HostClass = require('fabric-shim/lib/contract-spi/chaincodefromcontract') as new (contracts: unknown[], serializers: unknown, metadata: unknown, title: string, version: string) => Host;
export const newHost = (): Host => new HostClass([SummariesContract], { transaction: 'json', serializers: { json: JSONSerializer } }, {}, 'summaries', '1');

/** Fabric as far as a contract meets it: one world state, collections with members, endorsement checked at commit, the real host of fabric-shim. */
export class TestFabric {
  public readonly publicState = new Map<string, Buffer>();
  public readonly collections = new Map<string, Collection>();
  public readonly private = new Map<string, Map<string, Value>>();
  /** Every public thing: what a block would show. */
  public readonly blocks: string[] = [];
  private readonly host = newHost();

  public constructor(
    private readonly hospitals: readonly string[],
    private readonly portal: string,
  ) {
    for (const hospital of hospitals) this.addHospital(hospital);
    this.collections.set('doctors', { members: [...hospitals, portal], policy: this.chaincodePolicy });
    this.private.set('doctors', new Map());
  }

  public addHospital(hospital: string): void {
    const members = [hospital, this.portal];
    this.collections.set(`s_${hospital}`, { members, policy: { needed: 2, organisations: members } });
    this.collections.set(`w_${hospital}`, { members, policy: { needed: 1, organisations: members } });
    this.private.set(`s_${hospital}`, new Map());
    this.private.set(`w_${hospital}`, new Map());
  }

  private get chaincodePolicy(): Policy {
    return { needed: Math.floor(this.hospitals.length / 2) + 1, organisations: this.hospitals };
  }

  /** Endorses on every named organisation, compares, and commits. */
  public async submit(call: Call): Promise<Outcome> {
    const results: Outcome[] = [];
    for (const endorser of call.endorsers) results.push(await this.execute(call, endorser));
    const [first] = results;
    if (first === undefined) throw new Error('no endorser');
    const refused = results.find((result) => result.refusal !== null);
    if (refused !== undefined) return refused;
    for (const other of results)
      if (other.payload !== first.payload || fingerprint(other.writes) !== fingerprint(first.writes) || other.event?.payload !== first.event?.payload)
        throw new Error('ProposalResponsePayloads do not match');
    this.blocks.push(JSON.stringify([call.args, first.payload, first.event]), ...first.writes.map((write) => ('collection' in write ? `${write.collection}#` : `${write.key}=${write.value?.toString() ?? ''}`)));
    for (const collection of first.privateReads)
      if (first.writes.length > 0 && collection.startsWith('doctors') && first.writes.some((write) => 'collection' in write && write.collection !== 'doctors'))
        throw new Error('a value read of doctors in a transaction that writes elsewhere: no endorsement plan fits');
    this.commit(first.writes, call.endorsers);
    return first;
  }

  /** One organisation's answer; nothing is written. */
  public async evaluate(call: Omit<Call, 'endorsers'>, at: string): Promise<Outcome> {
    return this.execute({ ...call, endorsers: [at] }, at);
  }

  /** What an insider can do without the contract: any writes, endorsed by the peers that he runs. False where validation fails. */
  public tamper(writes: readonly Write[], endorsers: readonly string[]): boolean {
    try {
      this.commit(writes, endorsers);
      return true;
    } catch {
      return false;
    }
  }

  public value(collection: string, key: string): Buffer | null {
    return this.private.get(collection)?.get(key)?.value ?? null;
  }

  public policy(collection: string, key: string): Policy | null {
    const policy = this.private.get(collection)?.get(key)?.policy;
    return policy === undefined ? null : readPolicy(policy);
  }

  public keys(collection: string, prefix: string): string[] {
    return [...(this.private.get(collection)?.keys() ?? [])].filter((key) => key.startsWith(prefix));
  }

  private commit(writes: readonly Write[], endorsers: readonly string[]): void {
    for (const write of writes) {
      const policy = 'collection' in write ? this.policyFor(write.collection, write.key) : this.chaincodePolicy;
      if (!satisfied(policy, endorsers)) throw new Error(`ENDORSEMENT_POLICY_FAILURE: ${'collection' in write ? write.collection : ''} ${write.key}`);
    }
    if (writes.length === 0) return;
    for (const write of writes) {
      if (!('collection' in write)) {
        if (write.kind === 'deletePublic') this.publicState.delete(write.key);
        else this.publicState.set(write.key, write.value ?? Buffer.alloc(0));
        continue;
      }
      const state = this.private.get(write.collection) as Map<string, Value>;
      const before = state.get(write.key);
      if (write.kind === 'purge') state.delete(write.key);
      else if (write.kind === 'put') state.set(write.key, { value: write.value ?? Buffer.alloc(0), ...(before?.policy === undefined ? {} : { policy: before.policy }) });
      else if (before !== undefined && write.value !== undefined) before.policy = write.value;
    }
  }

  private policyFor(collection: string, key: string): Policy {
    const policy = this.private.get(collection)?.get(key)?.policy;
    return policy === undefined || policy.length === 0 ? (this.collections.get(collection) as Collection).policy : readPolicy(policy);
  }

  private async execute(call: Call, endorser: string): Promise<Outcome> {
    const stub = new TestStub(this, call, endorser);
    const reply = await this.host.Invoke(stub);
    const message = reply.message ?? '';
    const parsed = reply.status >= 400 ? (JSON.parse(message) as { refusal: string; detail: string; items?: string[] }) : null;
    return {
      message,
      refusal: parsed?.refusal ?? null,
      detail: parsed?.detail ?? '',
      items: parsed?.items ?? [],
      payload: Buffer.from(reply.payload ?? []).toString('utf8'),
      event: stub.event,
      writes: stub.writes,
      privateReads: stub.privateReads,
    };
  }
}

const fingerprint = (writes: readonly Write[]): string => JSON.stringify(writes.map((write) => ({ ...write, value: write.value?.toString('base64') })));

/** The shim's face over TestFabric. */
class TestStub {
  public readonly writes: Write[] = [];
  public readonly privateReads = new Set<string>();
  public event: { readonly name: string; readonly payload: string } | null = null;
  private queried = false;

  public constructor(
    private readonly fabric: TestFabric,
    private readonly call: Call,
    private readonly endorser: string,
  ) {}

  public getArgs(): string[] {
    return [...this.call.args];
  }
  public getBufferArgs(): Buffer[] {
    return this.call.args.map((arg) => Buffer.from(arg));
  }
  public getTxID(): string {
    return 'tx0123456789';
  }
  public getChannelID(): string {
    return 'channel';
  }
  public getCreator(): { mspid: string; idBytes: Uint8Array } {
    return { mspid: this.call.caller.msp, idBytes: Buffer.from(toPem(this.call.caller.der)) };
  }
  public getTxTimestamp(): { seconds: number; nanos: number } {
    return { seconds: this.call.time ?? Math.floor(Date.now() / 1000), nanos: 0 };
  }
  public getTransient(): Map<string, Uint8Array> {
    const text = this.call.inputText ?? (this.call.input === undefined ? null : JSON.stringify(this.call.input));
    return new Map(text === null ? [] : [['input', Buffer.from(text)]]);
  }

  public async getState(key: string): Promise<Uint8Array> {
    return Promise.resolve(this.fabric.publicState.get(key) ?? Buffer.alloc(0));
  }
  public async putState(key: string, value: Uint8Array): Promise<void> {
    this.write({ kind: 'putPublic', key, value: Buffer.from(value) });
    return Promise.resolve();
  }
  public async deleteState(key: string): Promise<void> {
    this.write({ kind: 'deletePublic', key });
    return Promise.resolve();
  }

  public async getPrivateData(collection: string, key: string): Promise<Uint8Array> {
    this.readable(collection);
    return Promise.resolve(this.fabric.value(collection, key) ?? Buffer.alloc(0));
  }
  public async getPrivateDataHash(collection: string, key: string): Promise<Uint8Array> {
    const value = this.fabric.value(collection, key);
    return Promise.resolve(value === null ? Buffer.alloc(0) : sha256(value));
  }
  public async putPrivateData(collection: string, key: string, value: Uint8Array): Promise<void> {
    this.writable(collection);
    this.write({ kind: 'put', collection, key, value: Buffer.from(value) });
    return Promise.resolve();
  }
  public async purgePrivateData(collection: string, key: string): Promise<void> {
    this.writable(collection);
    this.write({ kind: 'purge', collection, key });
    return Promise.resolve();
  }
  public async getPrivateDataValidationParameter(collection: string, key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.fabric.private.get(collection)?.get(key)?.policy);
  }
  public async setPrivateDataValidationParameter(collection: string, key: string, ep: Uint8Array): Promise<void> {
    this.writable(collection);
    this.write({ kind: 'policy', collection, key, value: Buffer.from(ep) });
    return Promise.resolve();
  }
  public async *getPrivateDataByRange(collection: string, start: string, end: string): AsyncIterable<{ key: string; value: Uint8Array }> {
    this.readable(collection);
    this.queried = true;
    const state = this.fabric.private.get(collection) ?? new Map<string, Value>();
    for (const key of [...state.keys()].filter((one) => start <= one && one < end).sort()) yield await Promise.resolve({ key, value: (state.get(key) as Value).value });
  }

  public setEvent(name: string, payload: Uint8Array): void {
    this.event = { name, payload: Buffer.from(payload).toString('utf8') };
  }

  private write(write: Write): void {
    if (this.queried) throw new Error('this transaction has already performed queries on pvt data. Writes are not allowed');
    this.writes.push(write);
  }
  private readable(collection: string): void {
    const known = this.fabric.collections.get(collection);
    if (known === undefined) throw new Error(`collection ${collection} could not be found`);
    if (!known.members.includes(this.call.caller.msp)) throw new Error('tx creator does not have read access permission on privatedata');
    if (!known.members.includes(this.endorser)) throw new Error('private data matching public hash version is not available');
    this.privateReads.add(collection);
  }
  private writable(collection: string): void {
    const known = this.fabric.collections.get(collection);
    if (known?.members.includes(this.call.caller.msp) !== true) throw new Error('tx creator does not have write access permission on privatedata');
  }
}

export const callerOf = (msp: string, identity: Identity): Caller => ({ msp, der: identity.certificate.der });
