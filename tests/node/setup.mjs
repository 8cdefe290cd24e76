// What every suite here begins with: a ledger, and one client of each organisation.
import { after, before } from 'node:test';
import { open } from './client.mjs';
import { startLedger } from './ledger.mjs';

export const A = 'HospitalAMSP', B = 'HospitalBMSP', P = 'PortalMSP';
export const VALID = 0, DUPLICATE_TXID = 9, ENDORSEMENT_POLICY_FAILURE = 10, MVCC_READ_CONFLICT = 11, PHANTOM_READ_CONFLICT = 12;

/** Filled before the suite's first test. */
export const on = {};

export function setUp(...extra) {
  before(async () => {
    on.ledger = await startLedger(extra);
    on.a = open(on.ledger.profile(A));
    on.b = open(on.ledger.profile(B));
    on.p = open(on.ledger.profile(P));
  });
  after(async () => {
    for (const client of [on.a, on.b, on.p]) client?.close();
    await on.ledger?.stop();
  });
}

const run = Date.now().toString(36);
let n = 0;

/** A name that no other test, and no earlier run on the same network, has used. */
export const unique = (name) => `${name}-${run}-${process.pid}-${n++}`;

export const secret = (value) => ({ transient: { v: Buffer.from(value) } });

/** Submits a transaction that was endorsed before. */
export async function commit(transaction) {
  const { code, blockNumber } = await (await transaction.submit()).getStatus();
  return { code, block: blockNumber };
}

/** Endorses all, submits all at once; tried again until they came into one block in the given order. */
export async function inOneBlock(make) {
  for (let attempt = 0; attempt < 20; attempt++) {
    const transactions = await make();
    const submitted = [];
    for (const transaction of transactions) submitted.push(await transaction.submit());
    const outcomes = await Promise.all(submitted.map((s) => s.getStatus()));
    if (outcomes.every((o) => o.blockNumber === outcomes[0].blockNumber)) return outcomes.map((o) => o.code);
  }
  throw new Error('the transactions never came into one block');
}
