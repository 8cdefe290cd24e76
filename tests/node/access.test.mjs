// Who may call, and how much: identities, signatures, names that are not there, limits.
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { test } from 'node:test';
import { common, gateway, peer } from '@hyperledger/fabric-protos';
import { signers } from '@hyperledger/fabric-gateway';
import { open, refusal } from './client.mjs';
import { isDevLedger } from './ledger.mjs';
import { A, B, P, VALID, commit, on, setUp, unique } from './setup.mjs';

setUp();

const profileOf = (mspId) => on.ledger.profile(mspId);
const pem = (mspId, name) => readFileSync(resolve(dirname(profileOf(mspId)), JSON.parse(readFileSync(profileOf(mspId)))[name]), 'utf8');
const denied = (mspId) => `error validating proposal: access denied: channel [${on.a.profile.channel}] creator org [${mspId}]`;

async function as(options, call) {
  const client = open(profileOf(options.at ?? A), options);
  try {
    return await call(client);
  } finally {
    client.close();
  }
}

const signer = (mspId) => signers.newPrivateKeySigner(createPrivateKey(pem(mspId, 'key')));

test('an organisation that the channel does not have', async () => {
  const { code, message } = await as({ mspId: 'NobodyMSP' }, (client) => refusal(client.evaluate([['txId']])));
  assert.equal(code, 9);
  assert.equal(message, `evaluate call to endorser returned error: error validating proposal: access denied: channel [${on.a.profile.channel}] creator org unknown, creator is malformed`);
});

test('a certificate of one organisation under the name of another', async () => {
  const { code, message } = await as({ mspId: B }, (client) => refusal(client.evaluate([['txId']])));
  assert.equal(code, 9);
  assert.equal(message, `evaluate call to endorser returned error: error validating proposal: access denied: channel [${on.a.profile.channel}] creator org unknown, creator is malformed`);
});

test('a signature of another key, at the own peer and at others', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await as({ signer: signers.newPrivateKeySigner(privateKey) }, async (client) => {
    const evaluated = await refusal(client.evaluate([['txId']]));
    assert.deepEqual([evaluated.code, evaluated.message], [9, `evaluate call to endorser returned error: ${denied(A)}`]);
    const endorsed = await refusal(client.submit([['put', unique('k'), '1']]));
    assert.deepEqual([endorsed.code, endorsed.peers], [10, [denied(A)]]);
    const remote = await refusal(client.submit([['put', unique('k'), '1']], { organizations: [P] }));
    assert.deepEqual([remote.code, remote.peers], [10, [`rpc error: code = Unknown desc = ${denied(A)}`]]);
  });
});

test('a signature whose s is in the upper half', async () => {
  const low = signer(A);
  await as({ signer: async (digest) => highS(await low(digest)) }, async (client) => {
    const { code, message } = await refusal(client.evaluate([['txId']]));
    assert.deepEqual([code, message], [9, `evaluate call to endorser returned error: ${denied(A)}`]);
  });
});

test('a transaction id that is not the hash of nonce and creator', async () => {
  const proposal = on.a.contract.newProposal('run', { arguments: [JSON.stringify([['txId']])] });
  const { SignedProposal } = peer;
  const forged = '0'.repeat(64);
  const proposed = gateway.ProposedTransaction.deserializeBinary(proposal.getBytes());
  const inner = peer.Proposal.deserializeBinary(proposed.getProposal().getProposalBytes_asU8());
  const header = common.Header.deserializeBinary(inner.getHeader_asU8());
  const channelHeader = common.ChannelHeader.deserializeBinary(header.getChannelHeader_asU8());
  const expected = channelHeader.getTxId();
  channelHeader.setTxId(forged);
  header.setChannelHeader(channelHeader.serializeBinary());
  inner.setHeader(header.serializeBinary());
  const signed = new SignedProposal();
  signed.setProposalBytes(inner.serializeBinary());
  proposed.setProposal(signed);
  proposed.setTransactionId(forged);
  const bytes = proposed.serializeBinary();
  const signature = await signer(A)(createHash('sha256').update(inner.serializeBinary()).digest());
  const { code, message } = await refusal(on.a.gateway.newSignedProposal(bytes, signature).evaluate());
  assert.deepEqual([code, message],
    [9, `evaluate call to endorser returned error: error validating proposal: incorrectly computed txid '${forged}' -- expected '${expected}'`]);
});

test('a peer\'s own identity may not propose', { skip: !isDevLedger && 'needs the key of a peer' }, async () => {
  const directory = dirname(profileOf(A));
  const options = { certificate: readFileSync(resolve(directory, `crypto/${A}/peer.pem`), 'utf8'), key: readFileSync(resolve(directory, `crypto/${A}/peer.key`), 'utf8') };
  const { code, message } = await as(options, (client) => refusal(client.evaluate([['txId']])));
  assert.equal(code, 9);
  assert.match(message, /failed evaluating policy on signed data during check policy \[\/Channel\/Application\/Writers\]/);
});

test('an envelope signed by someone else is not ordered', async () => {
  const transaction = await on.a.endorse([['put', unique('k'), '1']]);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signature = await signers.newPrivateKeySigner(privateKey)(transaction.getDigest());
  const { code, message } = await refusal(on.a.gateway.newSignedTransaction(transaction.getBytes(), signature).submit());
  assert.equal(code, 10);
  assert.match(message, /^received unsuccessful response from orderer: status=FORBIDDEN, info=implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Writers' sub-policies to be satisfied: permission denied$/);
});

test('commit status and events are for readers of the channel', async () => {
  await as({ mspId: B }, async (client) => {
    const events = await client.network.getChaincodeEvents(on.a.profile.chaincode);
    const { code } = await refusal((async () => { for await (const _ of events) break; })());
    assert.equal(code, 7);
  });
  const transaction = await on.a.endorse([['put', unique('k'), '1']]);
  const submitted = await transaction.submit();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const forged = on.a.gateway.newSignedCommit(submitted.getBytes(), await signers.newPrivateKeySigner(privateKey)(submitted.getDigest()));
  const { code, message } = await refusal(forged.getStatus());
  assert.equal(code, 7);
  assert.match(message, /\/Channel\/Application\/Readers/);
  // another organisation's member may ask
  const other = on.p.gateway.newSignedCommit(submitted.getBytes(), await signer(A)(submitted.getDigest()));
  assert.equal((await other.getStatus()).code, VALID);
});

test('the status of a transaction that never comes is awaited until the deadline', async () => {
  await as({ seconds: 1 }, async (client) => {
    const transaction = await client.endorse([['put', unique('k'), '1']]);
    // signed, never submitted
    const request = new gateway.CommitStatusRequest();
    request.setTransactionId('f'.repeat(64));
    request.setChannelId(client.profile.channel);
    request.setIdentity(identityOf(transaction));
    const signed = new gateway.SignedCommitStatusRequest();
    signed.setRequest(request.serializeBinary());
    const commitBytes = signed.serializeBinary();
    const signature = await signer(A)(createHash('sha256').update(request.serializeBinary()).digest());
    const from = Date.now();
    const { code } = await refusal(client.gateway.newSignedCommit(commitBytes, signature).getStatus());
    // the client's own clock, or the peer's reset of the stream at the same moment
    assert.ok(code === 4 || code === 1, `it ended with ${code}`);
    assert.ok(Date.now() - from >= 900);
  });
});

test('a channel or chaincode that is not there', async () => {
  await as({ channel: 'nowhere' }, async (client) => {
    assert.equal((await refusal(client.evaluate([['txId']]))).code, 14);
    assert.equal((await refusal(client.submit([['txId']], { organizations: [A] }))).code, 14);
  });
  await as({ chaincode: 'nobody' }, async (client) => {
    const evaluated = await refusal(client.evaluate([['txId']]));
    assert.deepEqual([evaluated.code, evaluated.message], [9, `no peers available to evaluate chaincode nobody in channel ${on.a.profile.channel}`]);
    assert.equal((await refusal(client.submit([['txId']]))).code, 9);
  });
});

test('an endorsing organisation that has no peer', async () => {
  const { code, message } = await refusal(on.a.submit([['put', unique('k'), '1']], { organizations: [A, 'NobodyMSP'] }));
  assert.deepEqual([code, message], [14, 'failed to find any endorsing peers for org(s): NobodyMSP']);
  assert.equal((await refusal(on.a.evaluate([['txId']], { organizations: ['NobodyMSP'] }))).code, 9);
});

test('a function that the contract does not have', async () => {
  const { code, message } = await refusal(on.a.contract.evaluateTransaction('noSuchFunction'));
  assert.equal(code, 2);
  assert.match(message, /^evaluate call to endorser returned error: chaincode response 500, .*noSuchFunction/);
});

test('500 calls wait at one gateway; the next are refused, and room comes back', { timeout: 60_000 }, async () => {
  const transaction = await on.a.endorse([['put', unique('k'), '1']]);
  const request = new gateway.CommitStatusRequest();
  request.setTransactionId('e'.repeat(64));
  request.setChannelId(on.a.profile.channel);
  request.setIdentity(identityOf(transaction));
  const signed = new gateway.SignedCommitStatusRequest();
  signed.setRequest(request.serializeBinary());
  signed.setSignature(await signer(A)(createHash('sha256').update(request.serializeBinary()).digest()));
  const bytes = Buffer.from(signed.serializeBinary());
  const outcomes = await Promise.all(Array.from({ length: 520 }, () => new Promise((done) => {
    on.a.client.makeUnaryRequest('/gateway.Gateway/CommitStatus', (b) => b, (b) => b, bytes, { deadline: Date.now() + 8000 }, (error) => done(error));
  })));
  const refused = outcomes.filter((error) => error.code === 2);
  assert.equal(outcomes.length - refused.length, 500);
  assert.match(refused[0].details, /^too many requests for \/gateway\.Gateway, exceeding concurrency limit \(500\)$/);
  assert.equal((await commit(transaction)).code, VALID);
});

test('a message of more than 100 MiB', { timeout: 60_000 }, async () => {
  const bytes = Buffer.alloc(100 * 1024 * 1024 + 1);
  const error = await new Promise((done) => {
    on.a.client.makeUnaryRequest('/gateway.Gateway/Evaluate', (b) => b, (b) => b, bytes, { deadline: Date.now() + 50_000 }, done);
  });
  assert.equal(error.code, 8);
  assert.equal(error.details, `grpc: received message larger than max (${bytes.length} vs. 104857600)`);
});

test('a method or service that is not there', async () => {
  for (const method of ['/gateway.Gateway/Nothing', '/nobody.Service/Call']) {
    const error = await new Promise((done) => {
      on.a.client.makeUnaryRequest(method, (b) => b, (b) => b, Buffer.alloc(0), {}, done);
    });
    assert.equal(error.code, 12);
  }
});

test('a contract that ends is started again', { skip: !isDevLedger && 'would stop the contract of a real network' }, async () => {
  const [before] = await on.a.evaluate([['process']], { organizations: [A] });
  const { code, peers } = await refusal(on.a.evaluate([['exit']], { organizations: [A] }));
  assert.equal(code, 10);
  assert.match(peers[0], /chaincode stream terminated$/);
  const [after] = await on.a.evaluate([['process']], { organizations: [A] });
  assert.notEqual(after, before);
});

// the creator's serialised identity, out of a prepared transaction
function identityOf(transaction) {
  const prepared = gateway.PreparedTransaction.deserializeBinary(transaction.getBytes()).getEnvelope();
  const header = common.Payload.deserializeBinary(prepared.getPayload_asU8()).getHeader();
  return common.SignatureHeader.deserializeBinary(header.getSignatureHeader_asU8()).getCreator_asU8();
}

function highS(der) {
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const rLength = der[3];
  const r = der.subarray(2, 4 + rLength);
  const s = order - BigInt(`0x${Buffer.from(der.subarray(6 + rLength)).toString('hex')}`);
  let bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex');
  if (bytes[0] & 0x80) bytes = Buffer.concat([Buffer.from([0]), bytes]);
  const body = Buffer.concat([r, Buffer.from([2, bytes.length]), bytes]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}
