// The files that the network's commands write and those that stand in the checkout say the same.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { collections, hospitalMajority } from '../../network/lib/collections.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

test('collections.json of the contract is what the network generates for its two hospitals and the portal', () => {
  const stored = JSON.parse(readFileSync(resolve(root, 'chaincode/summaries/collections.json'), 'utf8'));
  assert.deepEqual(stored, collections(['HospitalAMSP', 'HospitalBMSP']));
});

test('a hospital more changes what it must and nothing of the others\' collections', () => {
  const two = collections(['HospitalAMSP', 'HospitalBMSP']), three = collections(['HospitalAMSP', 'HospitalBMSP', 'HospitalCMSP']);
  assert.deepEqual(three.filter(({ name }) => /_Hospital[AB]MSP$/.test(name)), two.filter(({ name }) => name !== 'doctors'));
  assert.deepEqual(three.map(({ name }) => name).filter((name) => !two.some((one) => one.name === name)), ['s_HospitalCMSP', 'w_HospitalCMSP']);
  assert.equal(hospitalMajority(['A', 'B', 'C']), "OutOf(2, 'A.peer', 'B.peer', 'C.peer')");
  assert.equal(hospitalMajority(['A', 'B', 'C', 'D']), "OutOf(3, 'A.peer', 'B.peer', 'C.peer', 'D.peer')");
});

test('the builder of peer-launched contracts is there, and takes node packages only', () => {
  const builder = resolve(root, 'network/builders/node/bin');
  for (const program of ['detect', 'build', 'run']) {
    assert.equal(spawnSync('bash', ['-n', resolve(builder, program)]).status, 0, `${program} cannot be read by bash`);
    assert.equal(spawnSync('test', ['-x', resolve(builder, program)]).status, 0, `${program} cannot be executed`);
  }
});

for (const command of ['up', 'down', 'deploy', 'add-hospital', 'status']) {
  test(`network/${command} --help tells how to use it, without a network or Fabric`, () => {
    const { status, stdout } = spawnSync(resolve(root, 'network', command), ['--help'], { encoding: 'utf8', env: { PATH: process.env.PATH } });
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(`usage: network/${command}`));
  });
}
