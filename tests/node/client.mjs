// The official Node gateway client, connected by a connection profile, for any ledger: the dev ledger or a real network.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { connect, hash, signers } from '@hyperledger/fabric-gateway';

const decoder = new TextDecoder();

/** @param options overrides: certificate and key (PEM), mspId, signer (with unhashed: of the message itself), channel, chaincode, seconds (deadline of each call) */
export function open(profilePath, options = {}) {
  const profile = JSON.parse(readFileSync(profilePath, 'utf8'));
  const at = (name) => readFileSync(resolve(dirname(profilePath), name), 'utf8');
  const [{ endpoint, tlsRoots, serverName }] = profile.gateways;
  const { host, protocol } = new URL(endpoint);
  const channelOptions = {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    ...(serverName ? { 'grpc.ssl_target_name_override': serverName } : {}),
  };
  const credentials = protocol === 'https:' ? grpc.credentials.createSsl(Buffer.from(at(tlsRoots))) : grpc.credentials.createInsecure();
  const client = new grpc.Client(host, credentials, channelOptions);
  const mspId = options.mspId ?? profile.mspId;
  const deadline = () => ({ deadline: Date.now() + (options.seconds ?? 60) * 1000 });
  const gateway = connect({
    client,
    identity: { mspId, credentials: Buffer.from(options.certificate ?? at(profile.certificate)) },
    signer: options.signer ?? signers.newPrivateKeySigner(createPrivateKey(options.key ?? at(profile.key))),
    hash: options.unhashed ? hash.none : hash.sha256,
    evaluateOptions: deadline,
    endorseOptions: deadline,
    submitOptions: deadline,
    commitStatusOptions: deadline,
  });
  const network = gateway.getNetwork(options.channel ?? profile.channel);
  const contract = network.getContract(options.chaincode ?? profile.chaincode);
  return {
    client, gateway, network, contract, mspId, profile,
    /** Results of the steps, evaluated. */
    evaluate: async (steps, { transient, organizations } = {}) =>
      JSON.parse(decoder.decode(await contract.evaluate('run', {
        arguments: [JSON.stringify(steps)], transientData: transient, endorsingOrganizations: organizations,
      }))),
    endorse: async (steps, { transient, organizations } = {}) =>
      contract.newProposal('run', { arguments: [JSON.stringify(steps)], transientData: transient, endorsingOrganizations: organizations }).endorse(),
    /** Submits and waits: {status (code), block, txId, results}. */
    submit: async (steps, { transient, organizations } = {}) => {
      const transaction = await contract
        .newProposal('run', { arguments: [JSON.stringify(steps)], transientData: transient, endorsingOrganizations: organizations }).endorse();
      const results = JSON.parse(decoder.decode(transaction.getResult()));
      const { code, blockNumber } = await (await transaction.submit()).getStatus();
      return { code, block: blockNumber, txId: transaction.getTransactionId(), results };
    },
    close: () => {
      gateway.close();
      client.close();
    },
  };
}

/** What a refused call says: its code, and the messages of peers behind it. */
export async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    const cause = error.cause ?? error;
    const details = error.details ?? [];
    return { code: error.code ?? cause.code, message: cause.details ?? cause.message, peers: details.map((d) => d.message), details, error };
  }
  throw new Error('the call was not refused');
}
