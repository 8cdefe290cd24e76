import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../src/rules/json';
import { callerOf, type Write } from './helpers/fabric';
import { handleOf } from './helpers/pki';
import { accepted, refused, World } from './helpers/world';

const s = 's_HospitalAMSP';
const forge = (key: string, text: string): Write => ({ kind: 'put', collection: s, key, value: Buffer.from(text) });

test('ReadSummaries and ListSummaries judge each body', async () => {
  const world = await new World().init();
  const doctor = await world.doctor();
  const [one, two, three] = [await world.patient(), await world.patient(), await world.patient()];
  const live = await world.anchored(one, doctor);
  const erased = await world.anchored(one, doctor);
  const forged = await world.anchored(two, doctor);
  const broken = await world.anchored(two, doctor);
  const withdrawn = await world.anchored(three, doctor);
  const body = world.fabric.value(s, `sum/${withdrawn}`)?.toString() ?? '';
  await accepted(world.erase(one, erased));
  world.fabric.tamper([forge(`sum/${forged}`, world.fabric.value(s, `sum/${live}`)?.toString() ?? ''), forge(`sum/${broken}`, 'not JSON')], ['PortalMSP']);
  await accepted(world.withdraw(three));
  world.fabric.tamper([forge(`sum/${withdrawn}`, body)], ['HospitalAMSP', 'PortalMSP']);
  const missing = handleOf();

  const expected = new Map([[live, 'LIVE'], [erased, 'ERASED'], [forged, 'FORGED'], [broken, 'FORGED'], [withdrawn, 'WITHDRAWN'], [missing, 'NOT_FOUND']]);
  const read = JSON.parse((await accepted(world.read('ReadSummaries', { ids: [...expected.keys()] }))).payload) as JsonObject[];
  assert.deepEqual(read.map((item) => [item['id'], item['outcome']]), [...expected]);
  assert.deepEqual(Object.keys(read[0] ?? {}).sort(), ['consent', 'doctor', 'id', 'index', 'outcome', 'summary']);
  assert.deepEqual(Object.keys(read[2] ?? {}).sort(), ['id', 'outcome'], 'nothing of a forged one is handed on');
  for (const [id, outcome] of expected) {
    if (outcome === 'LIVE') await accepted(world.read('ReadSummary', { id }));
    else await refused(world.read('ReadSummary', { id }), outcome);
  }

  const seen: (readonly [unknown, unknown])[] = [];
  let after: string | null = null;
  do {
    const page = JSON.parse((await accepted(world.read('ListSummaries', { after, limit: 2 }, world.a, world.portalCaller))).payload) as { items: JsonObject[]; next: string | null };
    assert.ok(page.items.length <= 2);
    seen.push(...page.items.map((item) => [item['id'], item['outcome']] as const));
    after = page.next;
  } while (after !== null);
  assert.deepEqual(new Map(seen as [string, string][]), new Map([...expected].filter(([id]) => id !== missing && id !== erased)));

  const patient = JSON.parse((await accepted(world.read('ReadPatient', { index: two.index }))).payload) as JsonObject;
  assert.deepEqual(patient['entries'], [{ id: forged, state: 'FORGED' }, { id: broken, state: 'FORGED' }]);
});

test('A body moved under another id is FORGED', async () => {
  const world = await new World().init();
  const doctor = await world.doctor();
  const patient = await world.patient();
  const [first, second] = [await world.anchored(patient, doctor), await world.anchored(patient, doctor)];
  world.fabric.tamper([forge(`sum/${second}`, world.fabric.value(s, `sum/${first}`)?.toString() ?? '')], ['HospitalAMSP']);
  await refused(world.read('ReadSummary', { id: second }), 'FORGED');
});

test('Reads of bodies are for members: NOT_MEMBER', async () => {
  const world = await new World().init();
  const stranger = callerOf('HospitalBMSP', world.b.bridge);
  const inputs: Readonly<Record<string, JsonObject>> = {
    ReadSummary: { id: handleOf() }, ReadSummaries: { ids: [handleOf()] }, ListSummaries: { after: null, limit: 1 }, ReadEvents: { events: [handleOf()] },
  };
  for (const [fn, input] of Object.entries(inputs)) {
    await refused(world.read(fn, input, world.a, stranger), 'NOT_MEMBER');
    await refused(world.fabric.evaluate({ caller: world.a.caller, args: [fn, 'HospitalCMSP'], input }, 'HospitalAMSP'), 'UNKNOWN_HOSPITAL');
    await refused(world.fabric.evaluate({ caller: world.a.caller, args: [fn, world.a.msp] }, 'HospitalAMSP'), 'BAD_INPUT');
  }
  await refused(world.read('ReadSummaries', { ids: Array.from({ length: 101 }, handleOf) }), 'BAD_INPUT');
  await refused(world.read('ReadEvents', { events: Array.from({ length: 101 }, handleOf) }), 'BAD_INPUT');
  await refused(world.read('ListSummaries', { after: null, limit: 0 }), 'BAD_INPUT');
  await refused(world.read('ListSummaries', { after: 'x', limit: 1 }), 'BAD_INPUT');
});

test('LEDGER_ERROR: what the peer refuses, in its words, without keys', async () => {
  const world = await new World().init();
  const id = handleOf();
  const outcome = await refused(world.fabric.evaluate({ caller: world.a.caller, args: ['ReadSummary', world.a.msp], input: { id } }, 'HospitalBMSP'), 'LEDGER_ERROR');
  assert.match(outcome.detail, /private data matching public hash version is not available/);
  assert.ok(!outcome.message.includes(id));
});
