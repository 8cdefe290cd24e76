// The official Node gateway client makes all five calls.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open } from './client.mjs';
import { startLedger } from './ledger.mjs';

let ledger, hospital, portal;
before(async () => {
  ledger = await startLedger();
  hospital = open(ledger.profile('HospitalAMSP'));
  portal = open(ledger.profile('PortalMSP'));
});
after(async () => {
  hospital?.close();
  portal?.close();
  await ledger?.stop();
});

const unique = (() => {
  const run = Date.now().toString(36);
  let n = 0;
  return (name) => `${name}-${run}-${n++}`;
})();

test('evaluate answers from the own organisation, with the creator and the transaction as they were sent', async () => {
  const [mspId, channel, creator] = await hospital.evaluate([['mspId'], ['channel'], ['creator']]);
  assert.equal(mspId, 'HospitalAMSP');
  assert.equal(channel, hospital.profile.channel);
  assert.equal(creator.mspid, 'HospitalAMSP');
});

test('submit commits, and another organisation\'s gateway tells the same status and block', async () => {
  const key = unique('k');
  const transaction = await hospital.endorse([['put', key, '1']]);
  const submitted = await transaction.submit();
  const status = await submitted.getStatus();
  assert.equal(status.code, 0);
  assert.equal(status.successful, true);
  const elsewhere = await portal.gateway.newCommit(submitted.getBytes()).getStatus();
  assert.deepEqual([elsewhere.code, elsewhere.blockNumber], [status.code, status.blockNumber]);
  assert.deepEqual(await portal.evaluate([['get', key]]), ['1']);
});

test('events are heard live, and again from a checkpoint without gap or repetition', async () => {
  const names = [unique('e'), unique('e'), unique('e')];
  const { block } = await hospital.submit([['event', names[0], 'zero']]);
  await hospital.submit([['event', names[1], 'one']]);
  await hospital.submit([['event', names[2], 'two']]);
  const heard = [];
  const first = await hospital.network.getChaincodeEvents(hospital.profile.chaincode, { startBlock: block });
  for await (const event of first) {
    heard.push(event);
    if (heard.length === 2) break;
  }
  first.close();
  const { checkpointers } = await import('@hyperledger/fabric-gateway');
  const checkpoint = checkpointers.inMemory();
  await checkpoint.checkpointChaincodeEvent(heard[1]);
  const rest = await hospital.network.getChaincodeEvents(hospital.profile.chaincode, { checkpoint });
  for await (const event of rest) {
    heard.push(event);
    break;
  }
  rest.close();
  assert.deepEqual(heard.map((event) => event.eventName), names);
  assert.equal(Buffer.from(heard[2].payload).toString(), 'two');
});

test('private data is written by both members and read by each', async () => {
  const key = unique('p');
  const { code } = await hospital.submit([['putPrivate', 'both', key, 'v']],
    { transient: { v: Buffer.from('secret') }, organizations: ['HospitalAMSP', 'PortalMSP'] });
  assert.equal(code, 0);
  assert.deepEqual(await hospital.evaluate([['getPrivate', 'both', key]]), ['secret']);
  assert.deepEqual(await portal.evaluate([['getPrivate', 'both', key]]), ['secret']);
});
