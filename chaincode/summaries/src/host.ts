import type { Context } from 'fabric-contract-api';
import { Refusal } from './refusal';

type ChaincodeStub = Context['stub'];

/** What fabric-shim 2.5.8 makes of contract classes; not part of its typed face, pinned by the lock file and a test. */
interface ContractHost {
  metadata: { contracts: Record<string, { transactions: { name: string; parameters?: unknown[] }[] } | undefined> };
  invokeFunctionality: (this: ContractHost, stub: ChaincodeStub) => Promise<Reply>;
}

interface Reply {
  readonly status: number;
  readonly message?: string;
  readonly payload?: Uint8Array;
}

const failure = (refusal: Refusal): Reply => ({ status: 500, message: refusal.message });

/**
 * Makes every error that reaches the peer a refusal: fabric-contract-api answers some calls itself (another contract's name, a wrong number of
 * arguments, a creator that it cannot read), in words.
 */
export function guardErrors(): void {
  const { prototype } = require('fabric-shim/lib/contract-spi/chaincodefromcontract') as { prototype: ContractHost };
  const invoke = prototype.invokeFunctionality;
  prototype.invokeFunctionality = async function guarded(this: ContractHost, stub: ChaincodeStub): Promise<Reply> {
    const refusal = checkCall(this, stub);
    if (refusal !== null) return failure(refusal);
    const reply = await invoke.call(this, stub);
    if (reply.status < 400 || reply.message?.startsWith('{"refusal":') === true) return reply;
    return failure(new Refusal('INTERNAL', 'the contract failed; this is a fault of the contract or of the peer'));
  };
}

function checkCall(host: ContractHost, stub: ChaincodeStub): Refusal | null {
  const [name, ...args] = stub.getArgs();
  if (name === undefined || name === '') return null;
  const at = name.indexOf(':');
  const contract = at < 0 ? 'summaries' : name.slice(0, at);
  const described = Object.hasOwn(host.metadata.contracts, contract) ? host.metadata.contracts[contract] : undefined;
  const found = described?.transactions.find((transaction) => transaction.name === name.slice(at + 1));
  if (found === undefined) return new Refusal('UNKNOWN_FUNCTION', 'the contract has no such function');
  const expected = found.parameters?.length ?? 0;
  return args.length === expected ? null : new Refusal('BAD_INPUT', `${String(expected)} public arguments are expected`);
}
