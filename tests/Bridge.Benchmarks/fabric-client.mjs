// The official Node client, driven line by line: each line of standard input is one measurement, answered by one line of JSON.
// usage: node fabric-client.mjs CONNECTION-PROFILE
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { open } from '../node/client.mjs';

const [profilePath] = process.argv.slice(2);
const profile = JSON.parse(readFileSync(profilePath, 'utf8'));
const key = createPrivateKey(readFileSync(resolve(dirname(profilePath), profile.key), 'utf8'));
const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

const bytesOf = (value) => {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return bytes[0] & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
};
// OpenSSL signs the message; the client hands it over unhashed (hash: none). S is made the lower one, as Fabric wants it.
const nativeSigner = async (message) => {
  const p1363 = sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' });
  const r = BigInt(`0x${p1363.subarray(0, 32).toString('hex')}`);
  const s = BigInt(`0x${p1363.subarray(32).toString('hex')}`);
  const parts = [r, s > order / 2n ? order - s : s].map(bytesOf).map((bytes) => Buffer.concat([Buffer.from([2, bytes.length]), bytes]));
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
};

const clients = { own: open(profilePath), native: open(profilePath, { signer: nativeSigner, unhashed: true }) };
let made = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const { client, call, inFlight, seconds, organizations } = JSON.parse(line);
  const { contract } = clients[client];
  const one = call === 'submit'
    ? () => contract.submit('run', {
      arguments: [JSON.stringify([['put', `n${process.pid}-${++made}`, 'x'.repeat(100)]])],
      endorsingOrganizations: organizations,
    })
    : () => contract.evaluate('run', { arguments: ['[["get","none"]]'] });
  const latencies = [];
  const cpu = process.cpuUsage();
  const from = performance.now();
  const worker = async () => {
    for (;;) {
      const begun = performance.now();
      if (begun - from > seconds * 1000) return;
      await one();
      latencies.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const took = (performance.now() - from) / 1000;
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ seconds: took, cpu: (used.user + used.system) / 1e6, latencies: latencies.map((l) => Math.round(l * 100) / 100) }));
}
process.exit(0);
