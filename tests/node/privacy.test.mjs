// What stands in blocks for ever, what only members are sent, and what is gone after a purge.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { A, P, VALID, on, secret, setUp, unique } from './setup.mjs';

setUp();

const both = (value) => ({ ...secret(value), organizations: [A, P] });

async function first(iterator) {
  try {
    for await (const value of iterator) return value;
  } finally {
    iterator.close();
  }
}

const blockOf = async (client, number) => Buffer.from((await first(await client.network.getBlockEvents({ startBlock: number }))).serializeBinary());
const withPrivate = async (client, number) => first(await client.network.getBlockAndPrivateDataEvents({ startBlock: number }));
const contains = (block, text) => block.includes(Buffer.from(text));

test('transient data is in no block; keys read, arguments and responses are', async () => {
  const [key, value, read, argument] = [unique('pk'), unique('secretvalue'), unique('readkey'), unique('argument')];
  const { code, block } = await on.a.submit([['putPrivate', 'both', key, 'v'], ['get', read], ['put', unique('k'), argument], ['transient', 'w']],
    { transient: { v: Buffer.from(value), w: Buffer.from('answer') }, organizations: [A, P] });
  assert.equal(code, VALID);
  const bytes = await blockOf(on.a, block);
  assert.equal(contains(bytes, value), false, 'the private value');
  assert.ok(contains(bytes, createHash('sha256').update(key).digest()), 'the hash of the private key');
  assert.ok(contains(bytes, createHash('sha256').update(value).digest()), 'the hash of the private value');
  assert.ok(contains(bytes, read), 'the key that was read');
  assert.ok(contains(bytes, argument), 'the argument');
  assert.ok(contains(bytes, 'answer'), 'the response, though it came from transient data');
});

test('blocks with private data show members what their peer holds, and others nothing', async () => {
  const [key, value] = [unique('pk'), unique('value')];
  const { block } = await on.a.submit([['putPrivate', 'both', key, 'v'], ['putPrivate', 'open', key, 'v']], both(value));
  for (const member of [on.a, on.p]) {
    const sets = (await withPrivate(member, block)).getPrivateDataMapMap();
    const collections = sets.get(0).getNsPvtRwsetList()[0].getCollectionPvtRwsetList();
    assert.deepEqual(collections.map((c) => c.getCollectionName()), ['both', 'open']);
    assert.ok(contains(Buffer.from(collections[0].getRwset_asU8()), value));
  }
  assert.equal((await withPrivate(on.b, block)).getPrivateDataMapMap().getLength(), 0);
});

test('filtered blocks show ids, codes and names of events, no payload', async () => {
  const name = unique('event');
  const { block, txId } = await on.a.submit([['event', name, 'the payload']]);
  const filtered = await first(await on.a.network.getFilteredBlockEvents({ startBlock: block }));
  const [transaction] = filtered.getFilteredTransactionsList();
  assert.equal(transaction.getTxid(), txId);
  assert.equal(transaction.getTxValidationCode(), VALID);
  assert.equal(transaction.getTransactionActions().getChaincodeActionsList()[0].getChaincodeEvent().getEventName(), name);
  assert.equal(contains(Buffer.from(filtered.serializeBinary()), 'the payload'), false);
});

test('after a purge no call gives the value, and no block gives it any more', async () => {
  const [key, other, value] = [unique('pk'), unique('pk'), unique('purged')];
  const written = await on.a.submit([['putPrivate', 'both', key, 'v'], ['putPrivatePlain', 'both', other, 'stays']], both(value));
  const again = await on.a.submit([['putPrivate', 'both', key, 'v']], both(`${value}-2`));
  assert.equal((await on.p.submit([['purge', 'both', key]], { organizations: [A, P] })).code, VALID);
  for (const member of [on.a, on.p]) {
    assert.deepEqual(await member.evaluate([['getPrivate', 'both', key], ['getPrivateHash', 'both', key], ['getPrivate', 'both', other]]), [null, null, 'stays']);
    const before = await withPrivate(member, written.block);
    assert.equal(contains(Buffer.from(before.serializeBinary()), value), false);
    assert.ok(contains(Buffer.from(before.serializeBinary()), 'stays'));
    assert.equal(contains(Buffer.from((await withPrivate(member, again.block)).serializeBinary()), value), false);
  }
  // deleting, unlike purging, leaves the past
  const deleted = await on.a.submit([['putPrivate', 'both', key, 'v']], both(`${value}-3`));
  await on.a.submit([['delPrivate', 'both', key]], { organizations: [A, P] });
  assert.deepEqual(await on.a.evaluate([['getPrivate', 'both', key]]), [null]);
  assert.ok(contains(Buffer.from((await withPrivate(on.a, deleted.block)).serializeBinary()), `${value}-3`));
});

test('a collection with a life in blocks forgets', async () => {
  const key = unique('brief');
  await on.a.submit([['putPrivatePlain', 'brief', key, 'soon gone']], { organizations: [A, P] });
  assert.deepEqual(await on.a.evaluate([['getPrivate', 'brief', key]]), ['soon gone']);
  for (let i = 0; i < 3; i++) await on.a.submit([['put', unique('k'), '1']]);
  assert.deepEqual(await on.a.evaluate([['getPrivate', 'brief', key], ['getPrivateHash', 'brief', key]]), [null, null]);
});

test('private writes of an invalid transaction come to nothing', async () => {
  const key = unique('pk');
  const { code } = await on.a.submit([['putPrivate', 'both', key, 'v']], { ...secret('never'), organizations: [A] });
  assert.notEqual(code, VALID);
  assert.deepEqual(await on.a.evaluate([['getPrivate', 'both', key], ['getPrivateHash', 'both', key]]), [null, null]);
});
