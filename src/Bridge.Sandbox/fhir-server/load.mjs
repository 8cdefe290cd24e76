// Loads every bundle below a folder: <case>/input.json, or any *.json that is a Bundle.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export async function loadFolder(repository, folder) {
  let resources = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.json') || entry.name.startsWith('expected.')) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    let bundle;
    try {
      bundle = JSON.parse(readFileSync(path, 'utf8'));
    } catch (e) {
      console.error(`${path}: not loaded, ${e.message}`);
      continue;
    }
    if (bundle.resourceType === 'Bundle' && Array.isArray(bundle.entry)) resources += await loadBundle(repository, bundle);
  }
  return resources;
}

/** Stores a bundle's resources under their own ids; references by fullUrl or identifier become Type/id. */
export async function loadBundle(repository, bundle) {
  const names = new Map();
  const usable = bundle.entry.filter((e) => e.resource?.resourceType);
  for (const { fullUrl, resource } of usable) {
    resource.id ??= repository.generateId();
    const name = `${resource.resourceType}/${resource.id}`;
    if (fullUrl) names.set(fullUrl, name);
    // conditional references, as a transaction would resolve them
    for (const { system, value } of resource.identifier instanceof Array ? resource.identifier : []) names.set(`${resource.resourceType}?identifier=${system ?? ''}|${value}`, name);
  }
  for (const { resource } of usable) {
    rewrite(resource, names);
    if (resource.meta) delete resource.meta.versionId;
    await repository.createResource(resource);
  }
  return usable.length;
}

function rewrite(value, names) {
  for (const child of Object.values(value)) {
    if (!child || typeof child !== 'object') continue;
    if (typeof child.reference === 'string' && names.has(child.reference)) child.reference = names.get(child.reference);
    rewrite(child, names);
  }
}
