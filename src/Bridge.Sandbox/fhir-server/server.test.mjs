import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'fhir-'));
writeFileSync(join(folder, 'input.json'), JSON.stringify({
  resourceType: 'Bundle', type: 'transaction', entry: [
    { fullUrl: 'urn:uuid:p', resource: { resourceType: 'Patient', id: 'p1' } },
    { fullUrl: 'urn:uuid:e', resource: { resourceType: 'Encounter', id: 'e1', status: 'finished', class: { code: 'AMB' }, subject: { reference: 'urn:uuid:p' } } },
    { resource: { resourceType: 'Encounter', id: 'e2', status: 'finished', class: { code: 'AMB' }, subject: { reference: 'Patient/p1' } } },
    { resource: { resourceType: 'Condition', id: 'c1', code: { text: 'x' }, subject: { reference: 'urn:uuid:p' }, encounter: { reference: 'urn:uuid:e' } } },
  ],
}));

let server;
let base;

before(async () => {
  server = spawn(process.execPath, [fileURLToPath(new URL('server.mjs', import.meta.url))], {
    env: { ...process.env, PORT: '0', FHIR_SAMPLES: folder }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    base = /^ready (\S+) .*, 4 resources loaded$/.exec(line)?.[1];
    break;
  }
  assert.ok(base, 'the server says where it listens and what it loaded');
});

after(async () => {
  const exit = once(server, 'exit');
  server.kill();
  await exit;
});

const json = async (path, init) => {
  const response = await fetch(path.startsWith('http') ? path : `${base}/${path}`, init);
  return { status: response.status, headers: response.headers, body: await response.json() };
};
const ids = (answer) => (answer.body.entry ?? []).map((e) => e.resource.id).sort();
const set = (switches) => fetch(new URL('/switches', base), { method: 'POST', body: JSON.stringify(switches) });
const post = (path, body) => json(path, { method: 'POST', headers: { 'content-type': 'application/fhir+json' }, body: JSON.stringify(body) });

test('references by fullUrl are resolved, and found by patient and by encounter', async () => {
  assert.deepEqual(ids(await json('Encounter?patient=p1')), ['e1', 'e2']);
  assert.deepEqual(ids(await json('Encounter?patient=Patient/p1')), ['e1', 'e2']);
  assert.deepEqual(ids(await json('Condition?encounter=e1,e2')), ['c1']);
  assert.deepEqual(ids(await json('Condition?encounter=e2')), []);
});

test('pages follow next links; an expired one is gone', async () => {
  const first = await json('Encounter?_sort=_lastUpdated&_count=1');
  const next = first.body.link.find((l) => l.relation === 'next').url;
  assert.equal((await json(next)).body.entry.length, 1);
  await set({ pageExpiryMs: 1 });
  await new Promise((done) => setTimeout(done, 5));
  assert.equal((await json(next)).status, 410);
  await set({ pageExpiryMs: 0 });
});

test('_revinclude brings the children of matches', async () => {
  const answer = await json('Encounter?_id=e1&_revinclude=Condition:encounter');
  assert.deepEqual(ids(answer), ['c1', 'e1']);
  assert.equal(answer.body.total, 1);
});

test('a search may be posted', async () => {
  const answer = await json('Encounter/_search', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: '_id=e2' });
  assert.deepEqual(ids(answer), ['e2']);
});

test('a deleted or changed resource leaves the index', async () => {
  await post('Condition', { resourceType: 'Condition', id: 'gone', code: { text: 'x' }, subject: { reference: 'Patient/p1' }, encounter: { reference: 'Encounter/e2' } });
  const made = (await json('Condition?encounter=e2')).body.entry[0].resource;
  made.encounter.reference = 'Encounter/e1';
  await json(`Condition/${made.id}`, { method: 'PUT', headers: { 'content-type': 'application/fhir+json' }, body: JSON.stringify(made) });
  assert.deepEqual(ids(await json('Condition?encounter=e2')), []);
  assert.equal(ids(await json('Condition?encounter=e1')).length, 2);
  await fetch(`${base}/Condition/${made.id}`, { method: 'DELETE' });
  assert.deepEqual(ids(await json('Condition?encounter=e1')), ['c1']);
});

test('with a commit delay a transaction is invisible while its lastUpdated is already set', async () => {
  await set({ commitDelayMs: 300 });
  const started = new Date().toISOString();
  const slow = post('', { resourceType: 'Bundle', type: 'transaction', entry: [
    { request: { method: 'POST', url: 'Encounter' }, resource: { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, subject: { reference: 'Patient/p9' } } },
  ] });
  await new Promise((done) => setTimeout(done, 100));
  const during = new Date().toISOString();
  assert.deepEqual(ids(await json('Encounter?patient=p9')), []);
  assert.equal((await slow).status, 200);
  const [late] = (await json('Encounter?patient=p9')).body.entry;
  assert.ok(late.resource.meta.lastUpdated >= started && late.resource.meta.lastUpdated < during);
  await set({ commitDelayMs: 0 });
});

test('throttling says when to come back', async () => {
  await set({ fail429Every: 1 });
  const throttled = await json('Encounter');
  assert.equal(throttled.status, 429);
  assert.equal(throttled.headers.get('retry-after'), '1');
  await set({ fail429Every: 0, fail503Every: 1 });
  assert.equal((await json('Encounter')).status, 503);
  await set({ fail503Every: 0, ratePerMinute: 1 });
  await json('metadata');
  const limited = await json('metadata');
  assert.equal(limited.status, 429);
  assert.match(limited.headers.get('ratelimit'), /;t=\d+$/);
  await set({ ratePerMinute: 0 });
});

test('what is no JSON, and what is unknown, is refused', async () => {
  assert.equal((await post('Encounter', undefined)).status >= 400, true);
  assert.equal((await json('Nonsense?x=1')).status, 404);
});
