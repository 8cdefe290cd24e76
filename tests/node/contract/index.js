'use strict';
// One transaction function, `run`, takes a JSON array of steps and makes each step's shim calls in order; it returns their results as a
// JSON array. So any order of calls can be tried on any ledger. Private values come from the transient map, by name.

const { Contract } = require('fabric-contract-api');
const { KeyEndorsementPolicy } = require('fabric-shim');

const text = (bytes) => (bytes && bytes.length > 0 ? Buffer.from(bytes).toString('utf8') : null);
const hex = (bytes) => (bytes && bytes.length > 0 ? Buffer.from(bytes).toString('hex') : null);

async function drain(iterator, limit = Infinity) {
  const rows = [];
  try {
    while (rows.length < limit) {
      const { value, done } = await iterator.next();
      if (value) rows.push([value.key, text(value.value)]);
      if (done) break;
    }
  } finally {
    await iterator.close();
  }
  return rows;
}

// Queries of private data come wrapped.
const unwrap = (found) => found.iterator ?? found;

function policy(organizations) {
  const built = new KeyEndorsementPolicy();
  built.addOrgs('PEER', ...organizations);
  return built.getPolicy();
}

const steps = {
  // public state
  get: async (stub, key) => text(await stub.getState(key)),
  put: (stub, key, value) => stub.putState(key, Buffer.from(value)),
  putMany: async (stub, prefix, count) => {
    for (let i = 0; i < count; i++) await stub.putState(prefix + String(i).padStart(6, '0'), Buffer.from(String(i)));
  },
  putSize: (stub, key, bytes) => stub.putState(key, Buffer.alloc(bytes, 0x61)),
  del: (stub, key) => stub.deleteState(key),
  range: async (stub, start, end, limit) => drain(await stub.getStateByRange(start, end), limit ?? Infinity),
  rangePaged: async (stub, start, end, size, bookmark) => {
    const { iterator, metadata } = await stub.getStateByRangeWithPagination(start, end, size, bookmark ?? '');
    return { rows: await drain(iterator), fetched: metadata?.fetchedRecordsCount ?? 0, bookmark: metadata?.bookmark ?? '' };
  },
  composite: async (stub, type, attributes) => drain(await stub.getStateByPartialCompositeKey(type, attributes)),
  putComposite: (stub, type, attributes, value) => stub.putState(stub.createCompositeKey(type, attributes), Buffer.from(value)),
  query: async (stub, query) => drain(await stub.getQueryResult(query)),
  history: async (stub, key) => {
    const iterator = await stub.getHistoryForKey(key);
    const rows = [];
    for (;;) {
      const { value, done } = await iterator.next();
      if (value) rows.push({ tx: value.txId, value: text(value.value), deleted: value.isDelete, seconds: Number(value.timestamp.seconds) });
      if (done) break;
    }
    await iterator.close();
    return rows;
  },
  setPolicy: (stub, key, organizations) => stub.setStateValidationParameter(key, policy(organizations)),
  setPolicyBytes: (stub, key, base64) => stub.setStateValidationParameter(key, Buffer.from(base64, 'base64')),
  getPolicy: async (stub, key) => hex(await stub.getStateValidationParameter(key)),

  // private data
  getPrivate: async (stub, collection, key) => text(await stub.getPrivateData(collection, key)),
  getPrivateHash: async (stub, collection, key) => hex(await stub.getPrivateDataHash(collection, key)),
  putPrivate: (stub, collection, key, name) => stub.putPrivateData(collection, key, Buffer.from(stub.getTransient().get(name))),
  putPrivatePlain: (stub, collection, key, value) => stub.putPrivateData(collection, key, Buffer.from(value)),
  delPrivate: (stub, collection, key) => stub.deletePrivateData(collection, key),
  purge: (stub, collection, key) => stub.purgePrivateData(collection, key),
  privateRange: async (stub, collection, start, end, limit) => drain(unwrap(await stub.getPrivateDataByRange(collection, start, end)), limit ?? Infinity),
  privateQuery: async (stub, collection, query) => drain(unwrap(await stub.getPrivateDataQueryResult(collection, query))),
  setPrivatePolicy: (stub, collection, key, organizations) => stub.setPrivateDataValidationParameter(collection, key, policy(organizations)),
  setPrivatePolicyBytes: (stub, collection, key, base64) =>
    stub.setPrivateDataValidationParameter(collection, key, Buffer.from(base64, 'base64')),
  getPrivatePolicy: async (stub, collection, key) => hex(await stub.getPrivateDataValidationParameter(collection, key)),

  // the transaction
  event: (stub, name, payload) => stub.setEvent(name, Buffer.from(payload)),
  txId: (stub) => stub.getTxID(),
  channel: (stub) => stub.getChannelID(),
  mspId: (stub) => stub.getMspID(),
  seconds: (stub) => Number(stub.getTxTimestamp().seconds),
  binding: (stub) => stub.getBinding(),
  transient: (stub, name) => text(stub.getTransient().get(name)),
  creator: (stub) => ({ mspid: stub.getCreator().mspid, certificate: text(stub.getCreator().idBytes) }),
  call: async (stub, name, args, channel) => {
    const response = await stub.invokeChaincode(name, args, channel ?? '');
    return { status: response.status, payload: text(response.payload) };
  },

  // what endorsers may disagree on, and how a contract may end
  process: () => process.pid,
  putProcess: (stub, key) => stub.putState(key, Buffer.from(String(process.pid))),
  wait: (_, milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  fail: (_, message) => { throw new Error(message); },
  exit: () => { process.exit(3); },
  large: (_, bytes) => 'x'.repeat(bytes),
};

async function runAll(stub, list) {
  const results = [];
  for (const [name, ...args] of list) {
    if (name === 'try') {
      // goes on after a refusal and gives its text
      try {
        results.push({ ok: await runAll(stub, args[0]) });
      } catch (error) {
        results.push({ error: error.message });
      }
    } else {
      const step = steps[name];
      if (!step) throw new Error(`unknown step ${name}`);
      const result = await step(stub, ...args);
      // a write answers with empty bytes
      results.push(result === undefined || result instanceof Uint8Array ? null : result);
    }
  }
  return results;
}

class Fixture extends Contract {
  constructor() {
    super('fixture');
  }

  async run(context, list) {
    return JSON.stringify(await runAll(context.stub, JSON.parse(list)));
  }
}

module.exports = { Fixture, contracts: [Fixture] };
