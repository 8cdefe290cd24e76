// Storage with a reference index in front of Medplum's MemoryRepository, whose own search evaluates FHIRPath on every resource of a type.
import { AsyncLocalStorage } from 'node:async_hooks';
import { deepClone, generateId, matchesSearchRequest } from '@medplum/core';
import { MemoryRepository } from '@medplum/fhir-router';

// search parameters answered from one plain field, without FHIRPath
const referenceFields = {
  Condition: { encounter: 'encounter', patient: 'subject', subject: 'subject' },
  Encounter: { patient: 'subject', subject: 'subject' },
  MedicationRequest: { encounter: 'encounter', patient: 'subject', subject: 'subject' },
  Observation: { encounter: 'encounter', patient: 'subject', subject: 'subject' },
  Procedure: { encounter: 'encounter', patient: 'subject', subject: 'subject' },
};

/** Splits a parameter's alternatives at commas that are not escaped. */
export const alternatives = (value) => value.match(/(?:\\.|[^,\\])+/g)?.map((v) => v.replace(/\\([,$|\\])/g, '$1')) ?? [];

const lastSegments = (reference) => reference.replace(/\/_history\/.*$/, '').split('/').slice(-2).join('/');

export class IndexedRepository extends MemoryRepository {
  #references = new Map(); // type -> referenced "Type/id" -> Set of ids
  #transactions = new AsyncLocalStorage();

  /** How long a transaction's rows stay invisible after they were stamped with lastUpdated, in ms. */
  commitDelay = 0;

  createResource(resource) {
    const stamped = { ...resource, meta: { ...resource.meta } };
    stamped.meta.versionId ??= generateId();
    stamped.meta.lastUpdated ??= new Date().toISOString();
    stamped.id ??= this.generateId();
    const transaction = this.#transactions.getStore();
    if (transaction && this.commitDelay > 0) {
      transaction.push(stamped);
      return Promise.resolve(deepClone(stamped));
    }
    return this.#store(stamped);
  }

  async deleteResource(type, id) {
    const old = this.resources.get(type)?.get(id);
    await super.deleteResource(type, id);
    this.#unlink(old);
  }

  /** Runs a whole transaction: what it creates is stamped as it goes and becomes visible at once, commitDelay later. */
  async inTransaction(run) {
    if (this.commitDelay <= 0) return run();
    const pending = [];
    const result = await this.#transactions.run(pending, run);
    await new Promise((done) => setTimeout(done, this.commitDelay));
    for (const resource of pending) await this.#store(resource);
    return result;
  }

  get(type, id) { return this.resources.get(type)?.get(id); }

  /** Ids of the resources of a type that hold any reference to "Type/id". */
  referring(type, target) { return this.#references.get(type)?.get(target) ?? []; }

  async search(request) {
    const all = this.resources.get(request.resourceType) ?? new Map();
    let filters = [...(request.filters ?? [])];
    let candidates;
    const narrow = (resources) => { candidates = candidates ? candidates.filter((r) => resources.has(r)) : [...resources]; };

    filters = filters.filter((f) => {
      if (f.code === '_id' && f.operator === 'eq') {
        narrow(new Set(alternatives(f.value).map((id) => all.get(id)).filter(Boolean)));
        return false;
      }
      const field = f.operator === 'eq' && referenceFields[request.resourceType]?.[f.code];
      if (!field) return true;
      const targets = alternatives(f.value).map((v) => (v.includes('/') ? lastSegments(v) : `${field === 'encounter' ? 'Encounter' : 'Patient'}/${v}`));
      const found = new Set();
      for (const target of targets) {
        for (const id of this.referring(request.resourceType, target)) {
          const resource = all.get(id);
          if (resource && lastSegments(resource[field]?.reference ?? '') === target) found.add(resource);
        }
      }
      narrow(found);
      return false;
    });
    let matches = candidates ?? [...all.values()];
    const moments = filters.filter((f) => f.code === '_lastUpdated');
    for (const { operator, value } of moments) matches = matches.filter((r) => compareMoment(r.meta.lastUpdated, operator, value));
    filters = filters.filter((f) => f.code !== '_lastUpdated');
    if (filters.length) matches = matches.filter((r) => matchesSearchRequest(r, { resourceType: request.resourceType, filters }));

    const sort = request.sortRules ?? [];
    if (sort.length === 1 && sort[0].code === '_lastUpdated') {
      const sign = sort[0].descending ? -1 : 1;
      matches.sort((a, b) => sign * (a.meta.lastUpdated < b.meta.lastUpdated ? -1 : a.meta.lastUpdated > b.meta.lastUpdated ? 1 : 0));
    } else if (sort.length) {
      // any other order is the library's own, over what was found
      const narrowed = new MemoryRepository();
      narrowed.resources.set(request.resourceType, new Map(matches.map((r) => [r.id, r])));
      return narrowed.search({ ...request, filters: [] });
    }
    const from = request.offset ?? 0;
    const page = matches.slice(from, request.count === undefined ? undefined : from + request.count);
    return {
      resourceType: 'Bundle', type: 'searchset', total: matches.length,
      entry: page.length ? page.map((resource) => ({ resource: deepClone(resource) })) : undefined,
    };
  }

  async #store(resource) {
    this.#unlink(this.resources.get(resource.resourceType)?.get(resource.id));
    const stored = await super.createResource(resource);
    for (const target of referencesIn(resource)) {
      let byTarget = this.#references.get(resource.resourceType);
      if (!byTarget) this.#references.set(resource.resourceType, (byTarget = new Map()));
      let ids = byTarget.get(target);
      if (!ids) byTarget.set(target, (ids = new Set()));
      ids.add(resource.id);
    }
    return stored;
  }

  #unlink(resource) {
    if (!resource) return;
    for (const target of referencesIn(resource)) this.#references.get(resource.resourceType)?.get(target)?.delete(resource.id);
  }
}

function referencesIn(value, found = new Set(), depth = 0) {
  if (!value || typeof value !== 'object' || depth > 64) return found;
  if (typeof value.reference === 'string') found.add(lastSegments(value.reference));
  for (const child of Object.values(value)) if (child && typeof child === 'object') referencesIn(child, found, depth + 1);
  return found;
}

// a moment given to the second means the whole second (FHIR search, ranges of dates)
function compareMoment(stamp, operator, value) {
  const at = Date.parse(stamp);
  const from = Date.parse(value);
  const width = /T\d\d:\d\d:\d\d(Z|[+-])/.test(value) || /T\d\d:\d\d:\d\d$/.test(value) ? 1000 : /\.\d+/.test(value) ? 1 : /T/.test(value) ? 60_000 : 86_400_000;
  switch (operator) {
    case 'ge': return at >= from;
    case 'gt': case 'sa': return at >= from + width;
    case 'le': return at < from + width;
    case 'lt': case 'eb': return at < from;
    case 'ne': return at < from || at >= from + width;
    default: return at >= from && at < from + width;
  }
}
