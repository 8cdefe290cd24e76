// The files that the network's commands write and those that stand in the checkout say the same.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
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

// What is said before any of Fabric's programs does anything but tell its version.
function workplace(t) {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-network-')), bin = join(folder, 'bin'), state = join(folder, 'state');
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(bin);
  for (const program of ['peer', 'orderer', 'configtxgen', 'cryptogen', 'osnadmin', 'configtxlator']) {
    writeFileSync(join(bin, program), '#!/bin/sh\necho " Version: v3.1.5"\n[ "$1" = version ]\n', { mode: 0o755 });
  }
  const call = (command, args, fabric = bin) => {
    const { status, stdout, stderr } = spawnSync(resolve(root, 'network', command), [...args, '--state', state], { encoding: 'utf8', env: { PATH: process.env.PATH, FABRIC_BIN: fabric } });
    return { status, said: stdout + stderr };
  };
  return { folder, state, call };
}

test('network/up on a taken port makes nothing, and the next call may choose others', async (t) => {
  const { state, call } = workplace(t);
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  t.after(() => server.close());
  const taken = server.address().port;

  const high = call('up', ['--port-base', '64000']);
  assert.equal(high.status, 1);
  assert.match(high.said, /ports above 65535 .*66001[^]*choose a lower --port-base/);

  const ports = join(dirname(state), 'ports');
  writeFileSync(ports, `HospitalBMSP.peer=${taken}\n`);
  const refused = call('up', ['--port-base', '7050', '--ports', ports]);
  assert.equal(refused.status, 1);
  assert.match(refused.said, new RegExp(`ports in use by other programs:.* ${taken} \\(HospitalBMSP.peer\\)`));
  assert.deepEqual(readdirSync(state), ['ports']);
  assert.doesNotMatch(call('up', ['--port-base', '64000']).said, new RegExp(`${taken}`));
});

test('network/up names the directory and the file that it cannot find', (t) => {
  const { folder, call } = workplace(t);
  assert.match(call('up', [], join(folder, 'nowhere')).said, /FABRIC_BIN is not a directory: .*nowhere/);
  assert.equal(call('up', ['--ports', join(folder, 'none')]).said, `up: cannot read the file ${join(folder, 'none')}\n`);
});

test('network/status tells nodes that were stopped from nodes that fail', (t) => {
  const { state, call } = workplace(t);
  made(state);
  const node = join(state, 'nodes/peer0.hospitala.example');
  mkdirSync(node, { recursive: true });
  // its supervisor runs: this process
  writeFileSync(join(node, 'pid'), `${process.pid}\n${execFileSync('ps', ['-p', `${process.pid}`, '-o', 'lstart='], { encoding: 'utf8' }).replace(/ +/g, ' ')}`);

  const { status, said } = call('status', []);

  assert.equal(status, 1);
  assert.match(said, /peer0\.hospitala\.example +DOWN +see .*node\.log/);
  assert.match(said, /peer0\.hospitalb\.example +stopped +start it with network\/up/);
  assert.match(said, /orderer0\.ordering\.example +stopped/);
});

test('of nodes in containers network/status names the engine\'s logs', (t) => {
  const { state, call } = workplace(t);
  made(state, 'external');
  const { said } = call('status', []);
  assert.match(said, /peer0\.hospitala\.example +DOWN +see docker compose logs peer-hospitala\n/);
  assert.match(said, /orderer0\.ordering\.example +DOWN +see docker compose logs orderer0\n/);
});

test('network/deploy reads the consortium file before it builds', (t) => {
  const { folder, state, call } = workplace(t);
  made(state);
  const file = join(folder, 'consortium.json');
  assert.equal(call('deploy', ['--consortium', file]).said, `deploy: cannot read the file ${file}\n`);
  writeFileSync(file, '{"v":1,');
  const { status, said } = call('deploy', ['--consortium', file]);
  assert.equal(status, 1);
  assert.match(said, /consortium\.json is not JSON\n {2}SyntaxError: /);
  assert.doesNotMatch(said, /building/);
});

// A network as network/up leaves it, of which nothing runs. Nothing listens on port 1 and its like.
function made(state, nodes = 'own') {
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, 'settings'), `PROFILE=raft\nORDERERS=1\nPORT_BASE=10\nNODES=${nodes}\nPEER_ORGS="HospitalAMSP HospitalBMSP PortalMSP"\n`);
  const names = ['HospitalAMSP', 'HospitalBMSP', 'PortalMSP'].flatMap((org) => ['peer', 'launched', 'contract', 'operations', 'successor'].map((name) => `${org}.${name}`));
  writeFileSync(join(state, 'ports'), [...names, 'orderer0.general', 'orderer0.admin', 'orderer0.operations'].map((name, i) => `${name}=${i + 10}\n`).join(''));
}
