// The ledger under test: a dev ledger of its own in a temporary directory, or the network whose connection profiles lie in
// BRIDGE_TEST_PROFILES (the fixture contract deployed on it as in contract/).
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');

export const isDevLedger = !process.env.BRIDGE_TEST_PROFILES;

/** @returns {{profile: (mspId: string) => string, stop: () => Promise<void>}} */
export async function startLedger(extra = []) {
  if (!isDevLedger) {
    return { profile: (mspId) => join(process.env.BRIDGE_TEST_PROFILES, `connection-${mspId}.json`), stop: async () => {} };
  }
  const program = ['Debug', 'Release']
    .map((configuration) => join(root, `src/Bridge.DevLedger/bin/${configuration}/net10.0/Bridge.DevLedger.dll`))
    .find((file) => existsSync(file));
  if (!program) throw new Error('src/Bridge.DevLedger is not built: run `dotnet build src/Bridge.DevLedger`');
  const data = mkdtempSync(join(tmpdir(), 'bridge-devledger-'));
  const child = spawn('dotnet', [program, '--data', data, '--chaincode', join(here, 'contract'), '--name', 'fixture', '--batch-timeout', '20', ...extra],
    { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  await new Promise((ready, failed) => {
    const read = (chunk) => {
      output += chunk;
      if (output.includes('Ready.')) ready();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (code) => failed(new Error(`the dev ledger ended with ${code}:\n${output}`)));
  });
  return {
    data,
    child,
    output: () => output,
    profile: (mspId) => join(data, `connection-${mspId}.json`),
    stop: async () => {
      child.removeAllListeners('exit');
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await gone;
      rmSync(data, { recursive: true, force: true });
    },
  };
}
