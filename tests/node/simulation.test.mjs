// What a contract may not do while it runs, in a peer's own words; the same on the dev ledger and on Fabric (LevelDB).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from './client.mjs';
import { A, P, on, secret, setUp, unique, VALID } from './setup.mjs';

setUp();

const both = (value) => ({ ...secret(value), organizations: [A, P] });

/** The text that the contract saw. */
async function refused(client, steps, options) {
  const results = await client.evaluate([['try', steps]], options);
  assert.ok(results[0].error, `not refused: ${JSON.stringify(results)}`);
  return results[0].error;
}

test('a private query forbids writing after it', async () => {
  assert.match(await refused(on.a, [['privateRange', 'both', '', ''], ['put', 'k', 'v']]),
    /PUT_STATE failed: transaction ID: [0-9a-f]{64}: txid \[[0-9a-f]{64}\]: unsuppored transaction\. Transaction has already performed queries on pvt data\. Writes are not allowed/);
  assert.match(await refused(on.a, [['privateRange', 'both', '', ''], ['putPrivatePlain', 'either', 'k', 'v']]), /Writes are not allowed/);
  assert.match(await refused(on.a, [['privateRange', 'both', '', ''], ['purge', 'either', 'k']]), /PURGE_PRIVATE_DATA failed: .*Writes are not allowed/);
  assert.match(await refused(on.a, [['privateRange', 'both', '', ''], ['setPolicy', 'k', [A]]]), /PUT_STATE_METADATA failed: .*Writes are not allowed/);
});

test('a private query is refused after a write', async () => {
  assert.match(await refused(on.a, [['put', 'k', 'v'], ['privateRange', 'both', '', '']]),
    /GET_STATE_BY_RANGE failed: .*unsuppored transaction\. Queries on pvt data is supported only in a read-only transaction/);
});

test('a paginated query forbids writing after it, and is refused after a write', async () => {
  assert.match(await refused(on.a, [['rangePaged', 'a', 'b', 5], ['put', 'k', 'v']]),
    /Transaction has already performed a paginated query\. Writes are not allowed/);
  assert.match(await refused(on.a, [['put', 'k', 'v'], ['rangePaged', 'a', 'b', 5]]),
    /Paginated queries are supported only in a read-only transaction/);
});

test('a plain range query allows writing', async () => {
  const key = unique('r');
  const { code } = await on.a.submit([['range', key, `${key}~`], ['put', key, '1']]);
  assert.equal(code, VALID);
});

test('memberOnlyRead and memberOnlyWrite hold for the client, whichever peer runs the contract', async () => {
  for (const client of [on.b]) {
    for (const organizations of [undefined, [A]]) {
      assert.match(await refused(client, [['getPrivate', 'both', 'k']], { organizations }),
        /GET_STATE failed: .*tx creator does not have read access permission on privatedata in chaincodeName:\w+ collectionName: both/);
      assert.match(await refused(client, [['putPrivatePlain', 'both', 'k', 'v']], { organizations }),
        /PUT_STATE failed: .*tx creator does not have write access permission on privatedata in chaincodeName:\w+ collectionName: both/);
      assert.match(await refused(client, [['purge', 'both', 'k']], { organizations }), /PURGE_PRIVATE_DATA failed: .*write access permission/);
      assert.match(await refused(client, [['delPrivate', 'both', 'k']], { organizations }), /DEL_STATE failed: .*write access permission/);
      assert.match(await refused(client, [['privateRange', 'both', '', '']], { organizations }), /GET_STATE_BY_RANGE failed: .*read access permission/);
      assert.match(await refused(client, [['getPrivatePolicy', 'both', 'k']], { organizations }), /GET_STATE_METADATA failed: .*read access permission/);
      assert.match(await refused(client, [['setPrivatePolicy', 'both', 'k', [A]]], { organizations }), /PUT_STATE_METADATA failed: .*write access permission/);
    }
  }
});

test('anyone may ask for a private hash', async () => {
  const key = unique('h');
  await on.a.submit([['putPrivate', 'both', key, 'v']], both('hashed'));
  const [hash] = await on.b.evaluate([['getPrivateHash', 'both', key]]);
  const { createHash } = await import('node:crypto');
  assert.equal(hash, createHash('sha256').update('hashed').digest('hex'));
});

test('a non-member reads an open collection through a member\'s peer only', async () => {
  const key = unique('o');
  await on.a.submit([['putPrivate', 'open', key, 'v']], both('shown'));
  assert.deepEqual(await on.b.evaluate([['getPrivate', 'open', key]], { organizations: [A] }), ['shown']);
  assert.match(await refused(on.b, [['getPrivate', 'open', key]]),
    /private data matching public hash version is not available\. Public hash version = \{BlockNum: \d+, TxNum: \d+\}, Private data version = <nil>/);
});

test('a collection that is not defined is refused', async () => {
  assert.match(await refused(on.a, [['getPrivate', 'nowhere', 'k']]), /collection \S+\/\S+\/nowhere could not be found/);
  assert.match(await refused(on.a, [['getPrivateHash', 'nowhere', 'k']]),
    /GET_PRIVATE_DATA_HASH failed: .*collection \[nowhere\] not defined in the collection config for chaincode \[\w+\]/);
});

test('rich queries need a document database', async () => {
  assert.match(await refused(on.a, [['query', '{"selector":{}}']]), /GET_QUERY_RESULT failed: .*ExecuteQuery not supported for leveldb/);
  assert.match(await refused(on.a, [['privateQuery', 'both', '{"selector":{}}']]), /ExecuteQuery not supported for leveldb/);
});

test('a contract does not see its own writes', async () => {
  const key = unique('own');
  const { results } = await on.a.submit([['put', key, '1'], ['get', key], ['putPrivatePlain', 'both', key, '1'], ['getPrivate', 'both', key]], { organizations: [A, P] });
  assert.deepEqual(results, [null, null, null, null]);
});

test('an empty value deletes', async () => {
  const key = unique('empty');
  await on.a.submit([['put', key, '1']]);
  await on.a.submit([['put', key, '']]);
  const [value, history] = await on.a.evaluate([['get', key], ['history', key]]);
  assert.equal(value, null);
  assert.deepEqual(history.map((h) => [h.value, h.deleted]), [[null, true], ['1', false]]);
});

test('ranges run in byte order, end before their end, and page by bookmark', async () => {
  const prefix = unique('page');
  await on.a.submit([['putMany', prefix, 250]]);
  const [rows, first] = await on.a.evaluate([['range', prefix, `${prefix}~`], ['rangePaged', prefix, `${prefix}~`, 100]]);
  assert.equal(rows.length, 250);
  assert.equal(rows[249][1], '249');
  assert.equal(first.fetched, 100);
  assert.equal(first.bookmark, `${prefix}000100`);
  const [last] = await on.a.evaluate([['rangePaged', prefix, `${prefix}~`, 200, first.bookmark]]);
  assert.equal(last.rows.length, 150);
  assert.equal(last.bookmark, '');
});

test('composite keys are found by their first parts', async () => {
  const type = unique('type');
  await on.a.submit([['putComposite', type, ['x', '1'], 'a'], ['putComposite', type, ['x', '2'], 'b'], ['putComposite', type, ['y', '1'], 'c']]);
  const [rows] = await on.a.evaluate([['composite', type, ['x']]]);
  assert.deepEqual(rows.map((r) => r[1]), ['a', 'b']);
});

test('a private range gives the members all values in order', async () => {
  const prefix = unique('pr');
  const steps = Array.from({ length: 5 }, (_, i) => ['putPrivatePlain', 'both', `${prefix}${i}`, `v${i}`]);
  await on.a.submit(steps, { organizations: [A, P] });
  const [rows, two] = await on.p.evaluate([['privateRange', 'both', prefix, `${prefix}~`], ['privateRange', 'both', prefix, `${prefix}~`, 2]]);
  assert.deepEqual(rows.map((r) => r[1]), ['v0', 'v1', 'v2', 'v3', 'v4']);
  assert.equal(two.length, 2);
});

test('history has every valid write, the newest first', async () => {
  const key = unique('hist');
  for (const value of ['1', '2']) await on.a.submit([['put', key, value]]);
  await on.a.submit([['del', key]]);
  const [history] = await on.a.evaluate([['history', key]]);
  assert.deepEqual(history.map((h) => [h.value, h.deleted]), [[null, true], ['2', false], ['1', false]]);
  assert.ok(history.every((h) => Math.abs(h.seconds - Date.now() / 1000) < 300));
});

test('another chaincode that is not there is refused', async () => {
  assert.match(await refused(on.a, [['call', 'nobody', ['f']]]), /INVOKE_CHAINCODE failed: .*nobody/);
});

test('a failing contract: evaluate ends with UNKNOWN, endorse with ABORTED, its text in the details', async () => {
  const evaluated = await refusal(on.a.evaluate([['fail', 'no such thing']]));
  assert.equal(evaluated.code, 2);
  assert.equal(evaluated.message, 'evaluate call to endorser returned error: chaincode response 500, no such thing');
  const endorsed = await refusal(on.a.submit([['fail', 'no such thing']]));
  assert.equal(endorsed.code, 10);
  assert.equal(endorsed.message, 'failed to endorse transaction, see attached details for more info');
  assert.deepEqual(endorsed.peers, ['chaincode response 500, no such thing']);
  assert.equal(endorsed.details[0].mspId, A);
  const named = await refusal(on.a.submit([['fail', 'no such thing']], { organizations: [A, P] }));
  assert.equal(named.code, 10);
  assert.equal(named.message, 'failed to collect enough transaction endorsements, see attached details for more info');
  assert.deepEqual(named.peers, ['chaincode response 500, no such thing', 'chaincode response 500, no such thing']);
});

test('a refused write that the contract did not catch ends the transaction', async () => {
  const { code, peers } = await refusal(on.b.submit([['putPrivatePlain', 'both', 'k', 'v']]));
  assert.equal(code, 10);
  assert.match(peers[0], /^chaincode response 500, PUT_STATE failed: /);
});

test('only the last event of a transaction is kept', async () => {
  const name = unique('ev');
  const { block } = await on.a.submit([['event', `${name}-1`, 'one'], ['event', `${name}-2`, 'two']]);
  const events = await on.a.network.getChaincodeEvents(on.a.profile.chaincode, { startBlock: block });
  for await (const event of events) {
    assert.equal(event.eventName, `${name}-2`);
    break;
  }
  events.close();
});
