// Who must endorse what: plans of the gateway, and the checks at commit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from './client.mjs';
import {
  A, B, DUPLICATE_TXID, ENDORSEMENT_POLICY_FAILURE, MVCC_READ_CONFLICT, P, PHANTOM_READ_CONFLICT, VALID, commit, inOneBlock, on, secret, setUp, unique,
} from './setup.mjs';

setUp();

// OR('HospitalAMSP.peer', 'PortalMSP.peer') as bytes: SignaturePolicyEnvelope{rule: 1 of [0, 1], identities}
const OR_A_P = orPolicy([A, P]);

function orPolicy(organizations) {
  const bytes = (field, content) => Buffer.concat([Buffer.from([field << 3 | 2, content.length]), content]);
  const leaf = (i) => bytes(2, Buffer.from([0x08, i]));
  const rule = bytes(2, Buffer.concat([Buffer.from([0x08, 1]), ...organizations.map((_, i) => leaf(i))]));
  const identity = (mspId) => bytes(3, bytes(2, Buffer.concat([bytes(1, Buffer.from(mspId)), Buffer.from([0x10, 3])])));
  return Buffer.concat([bytes(2, rule), ...organizations.map(identity)]).toString('base64');
}

const code = async (client, steps, options) => (await client.submit(steps, options)).code;

test('the chaincode\'s policy asks for a majority; one endorser is not enough', async () => {
  assert.equal(await code(on.a, [['put', unique('k'), '1']]), VALID);
  assert.equal(await code(on.a, [['put', unique('k'), '1']], { organizations: [A, B] }), VALID);
  assert.equal(await code(on.a, [['put', unique('k'), '1']], { organizations: [A] }), ENDORSEMENT_POLICY_FAILURE);
});

test('a transaction that writes nothing falls under the chaincode\'s policy', async () => {
  assert.equal(await code(on.a, [['get', 'x']]), VALID);
  assert.equal(await code(on.a, [['get', 'x']], { organizations: [A] }), ENDORSEMENT_POLICY_FAILURE);
});

test('a collection\'s own policy holds instead of the chaincode\'s', async () => {
  for (const organizations of [undefined, [A, P]]) {
    assert.equal(await code(on.a, [['putPrivate', 'both', unique('k'), 'v']], { ...secret('1'), organizations }), VALID);
  }
  assert.equal(await code(on.a, [['putPrivate', 'both', unique('k'), 'v']], { ...secret('1'), organizations: [A] }), ENDORSEMENT_POLICY_FAILURE);
  for (const organizations of [[A], [P]]) {
    assert.equal(await code(on.a, [['putPrivate', 'either', unique('k'), 'v']], { ...secret('1'), organizations }), VALID);
  }
  // without one of its own, the chaincode's
  assert.equal(await code(on.a, [['putPrivate', 'open', unique('k'), 'v']], { ...secret('1'), organizations: [A] }), ENDORSEMENT_POLICY_FAILURE);
});

test('the gateway plans with organisations beside its own', async () => {
  assert.equal(await code(on.p, [['putPrivatePlain', 'all', unique('k'), '1']]), VALID);
  assert.equal(await code(on.p, [['putPrivatePlain', 'all', unique('k'), '1']], { organizations: [A, P] }), ENDORSEMENT_POLICY_FAILURE);
});

test('a value read from one collection and a write to another can leave no combination of peers', async () => {
  const key = unique('k');
  await on.a.submit([['putPrivate', 'both', key, 'v']], { ...secret('1'), organizations: [A, P] });
  const { code: status, message } = await refusal(on.a.submit([['getPrivate', 'both', key], ['putPrivatePlain', 'all', key, '1']]));
  assert.equal(status, 9);
  assert.equal(message, 'no combination of peers can be derived which satisfy the endorsement policy: no peer combination can satisfy the endorsement policy');
  // the hash alone drags nothing in
  assert.equal(await code(on.a, [['getPrivateHash', 'both', key], ['putPrivatePlain', 'all', key, '1']]), VALID);
});

test('transient data is not sent to endorsers outside the collection', async () => {
  const { code: status, message } = await refusal(on.a.submit([['putPrivate', 'foreign', unique('k'), 'v']], secret('1')));
  assert.equal(status, 9);
  assert.equal(message, 'requires endorsement from organisation(s) that are not in the distribution policy of the private data collection(s): [foreign]; '
    + 'retry specifying trusted endorsing organizations to protect transient data');
  assert.equal(await code(on.a, [['putPrivatePlain', 'foreign', unique('k'), '1']]), VALID);
});

test('a public key\'s own policy replaces the chaincode\'s, and guards its own change', async () => {
  const key = unique('k');
  assert.equal(await code(on.a, [['put', key, '1'], ['setPolicy', key, [A]]]), VALID);
  assert.equal(await code(on.a, [['put', key, '2']], { organizations: [A] }), VALID);
  assert.equal(await code(on.a, [['put', key, '3']], { organizations: [B, P] }), ENDORSEMENT_POLICY_FAILURE);
  assert.equal(await code(on.a, [['setPolicy', key, [B]]], { organizations: [B, P] }), ENDORSEMENT_POLICY_FAILURE);
  assert.equal(await code(on.a, [['setPolicy', key, [B]]], { organizations: [A] }), VALID);
  assert.equal(await code(on.a, [['put', key, '4']], { organizations: [A] }), ENDORSEMENT_POLICY_FAILURE);
  // unnamed, the plan takes the key's policy
  assert.equal(await code(on.a, [['put', key, '5']]), VALID);
  assert.equal(await code(on.a, [['del', key]], { organizations: [B] }), VALID);
  // gone with the key
  assert.equal(await code(on.a, [['put', key, '6']], { organizations: [B] }), ENDORSEMENT_POLICY_FAILURE);
});

test('a metadata write alone keeps the value and moves its version', async () => {
  const key = unique('k');
  await on.a.submit([['put', key, 'kept']]);
  const reading = await on.a.endorse([['get', key], ['put', unique('x'), '1']]);
  await on.a.submit([['setPolicy', key, [A]]]);
  assert.deepEqual(await on.a.evaluate([['get', key]]), ['kept']);
  assert.equal((await commit(reading)).code, MVCC_READ_CONFLICT);
  // for a key that does not exist it does nothing
  const absent = unique('k');
  assert.equal(await code(on.a, [['setPolicy', absent, [A]]]), VALID);
  assert.deepEqual(await on.a.evaluate([['getPolicy', absent], ['get', absent]]), [null, null]);
});

test('a private key\'s own OR lets either member purge; after a purge the collection\'s AND applies again', async () => {
  const key = unique('k');
  const write = [['putPrivate', 'both', key, 'v'], ['setPrivatePolicyBytes', 'both', key, OR_A_P]];
  assert.equal(await code(on.a, write, { ...secret('1'), organizations: [A] }), ENDORSEMENT_POLICY_FAILURE);
  assert.equal(await code(on.a, write, { ...secret('1'), organizations: [A, P] }), VALID);
  const [policy] = await on.p.evaluate([['getPrivatePolicy', 'both', key]]);
  assert.equal(policy, Buffer.from(OR_A_P, 'base64').toString('hex'));
  assert.equal(await code(on.p, [['purge', 'both', key]], { organizations: [P] }), VALID);
  assert.deepEqual(await on.a.evaluate([['getPrivate', 'both', key], ['getPrivateHash', 'both', key], ['getPrivatePolicy', 'both', key]]), [null, null, null]);
  // the policy went with the value: nobody re-creates it alone, nor purges again alone
  assert.equal(await code(on.p, [['putPrivate', 'both', key, 'v']], { ...secret('2'), organizations: [P] }), ENDORSEMENT_POLICY_FAILURE);
  assert.equal(await code(on.p, [['purge', 'both', key]], { organizations: [P] }), ENDORSEMENT_POLICY_FAILURE);
  assert.equal(await code(on.p, [['putPrivate', 'both', key, 'v']], { ...secret('2'), organizations: [A, P] }), VALID);
  assert.deepEqual(await on.a.evaluate([['getPrivate', 'both', key]]), ['2']);
});

test('without a policy of its own a key is not purged by one member alone', async () => {
  const key = unique('k');
  await on.a.submit([['putPrivate', 'both', key, 'v']], { ...secret('1'), organizations: [A, P] });
  assert.equal(await code(on.a, [['purge', 'both', key]], { organizations: [A] }), ENDORSEMENT_POLICY_FAILURE);
  assert.deepEqual(await on.a.evaluate([['getPrivate', 'both', key]]), ['1']);
  assert.equal(await code(on.a, [['purge', 'both', key]]), VALID);
});

test('a key whose policy changes earlier in the same block cannot be written', async () => {
  const codes = await inOneBlock(async () => {
    const key = unique('k');
    await on.a.submit([['put', key, '1']]);
    return [await on.a.endorse([['setPolicy', key, [A]]]), await on.a.endorse([['put', key, '2']])];
  });
  assert.deepEqual(codes, [VALID, ENDORSEMENT_POLICY_FAILURE]);
});

test('a read that changed since voids the transaction: public, by value, by hash', async () => {
  const [key, other] = [unique('k'), unique('x')];
  await on.a.submit([['put', key, '1'], ['putPrivatePlain', 'both', key, '1']], { organizations: [A, P] });
  const byKey = await on.a.endorse([['get', key], ['put', other, '1']]);
  const byValue = await on.a.endorse([['getPrivate', 'both', key], ['putPrivatePlain', 'both', other, '1']], { organizations: [A, P] });
  const byHash = await on.a.endorse([['getPrivateHash', 'both', key], ['put', other, '1']]);
  const untouched = await on.a.endorse([['put', key, '3']]);
  await on.a.submit([['put', key, '2'], ['putPrivatePlain', 'both', key, '2']], { organizations: [A, P] });
  assert.equal((await commit(byKey)).code, MVCC_READ_CONFLICT);
  assert.equal((await commit(byValue)).code, MVCC_READ_CONFLICT);
  assert.equal((await commit(byHash)).code, MVCC_READ_CONFLICT);
  // a blind write conflicts with nothing
  assert.equal((await commit(untouched)).code, VALID);
});

test('of two transactions in one block that read and write a key the first is valid', async () => {
  const codes = await inOneBlock(async () => {
    const key = unique('k');
    return [await on.a.endorse([['get', key], ['put', key, '1']]), await on.a.endorse([['get', key], ['put', key, '2']])];
  });
  assert.deepEqual(codes, [VALID, MVCC_READ_CONFLICT]);
  const privateCodes = await inOneBlock(async () => {
    const key = unique('k');
    const steps = [['getPrivateHash', 'both', key], ['putPrivatePlain', 'both', key, '1']];
    return [await on.a.endorse(steps, { organizations: [A, P] }), await on.p.endorse(steps, { organizations: [A, P] })];
  });
  assert.deepEqual(privateCodes, [VALID, MVCC_READ_CONFLICT]);
});

test('a key that appears in a range read since is a phantom; beyond what was read it is none', async () => {
  for (const count of [3, 60, 130]) {
    const prefix = unique('range');
    await on.a.submit([['putMany', prefix, count]]);
    const whole = await on.a.endorse([['range', prefix, `${prefix}~`], ['put', unique('x'), '1']]);
    const unchanged = await on.a.endorse([['range', prefix, `${prefix}~`], ['put', unique('x'), '1']]);
    assert.equal((await commit(unchanged)).code, VALID, `${count} keys, unchanged`);
    await on.a.submit([['put', `${prefix}000001x`, 'new']]);
    assert.equal((await commit(whole)).code, PHANTOM_READ_CONFLICT, `${count} keys`);
  }
});

test('a key that leaves a range, or whose version moves, voids the reader', async () => {
  const prefix = unique('range');
  await on.a.submit([['putMany', prefix, 5]]);
  const first = await on.a.endorse([['range', prefix, `${prefix}~`], ['put', unique('x'), '1']]);
  await on.a.submit([['del', `${prefix}000002`]]);
  assert.equal((await commit(first)).code, PHANTOM_READ_CONFLICT);
  const second = await on.a.endorse([['range', prefix, `${prefix}~`], ['put', unique('x'), '1']]);
  await on.a.submit([['put', `${prefix}000003`, 'other']]);
  assert.equal((await commit(second)).code, PHANTOM_READ_CONFLICT);
});

test('endorsers that answer differently are told apart', async () => {
  const { code: status, message, peers } = await refusal(on.a.submit([['putProcess', unique('k')]], { organizations: [A, P] }));
  assert.equal(status, 10);
  assert.equal(message, 'failed to collect enough transaction endorsements, see attached details for more info');
  assert.deepEqual(peers, ['ProposalResponsePayloads do not match']);
});

test('the same envelope twice: accepted, valid where it stood first', async () => {
  const transaction = await on.a.endorse([['put', unique('k'), '1']]);
  const again = on.a.gateway.newSignedTransaction(transaction.getBytes(), await sign(on.a, transaction));
  const first = await commit(again);
  assert.equal(first.code, VALID);
  const second = await (await again.submit()).getStatus();
  assert.deepEqual([second.code, second.blockNumber], [VALID, first.block]);
});

test('a proposal is not endorsed again once its transaction stands in a block', async () => {
  const proposal = on.a.contract.newProposal('run', { arguments: [JSON.stringify([['put', unique('k'), '1']])] });
  assert.equal((await commit(await proposal.endorse())).code, VALID);
  const { code: status, peers } = await refusal(proposal.endorse());
  assert.equal(status, 10);
  assert.match(peers[0], new RegExp(`^duplicate transaction found \\[${proposal.getTransactionId()}\\]\\. Creator \\[[0-9a-f]+\\]$`));
});

test('an id stands once in a block', async () => {
  const codes = await inOneBlock(async () => {
    const transaction = await on.a.endorse([['put', unique('k'), '1']]);
    const make = async () => on.a.gateway.newSignedTransaction(transaction.getBytes(), await sign(on.a, transaction));
    return [await make(), await make()];
  });
  // both calls tell of the first
  assert.deepEqual(codes, [VALID, VALID]);
  assert.equal(DUPLICATE_TXID, 9);
});

async function sign(client, message) {
  const { createPrivateKey } = await import('node:crypto');
  const { readFileSync } = await import('node:fs');
  const { dirname, resolve } = await import('node:path');
  const { signers } = await import('@hyperledger/fabric-gateway');
  const profile = on.ledger.profile(client.mspId);
  const key = createPrivateKey(readFileSync(resolve(dirname(profile), client.profile.key)));
  return signers.newPrivateKeySigner(key)(message.getDigest());
}
