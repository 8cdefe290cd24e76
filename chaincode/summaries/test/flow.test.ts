import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, refused, World } from './helpers/world';
import { saltOf } from './helpers/pki';

test('One encounter, from the doctor\'s confirmation to the patient\'s erasure', async () => {
  const world = await new World().init();
  const doctor = await world.doctor();
  const patient = await world.patient();
  const { id, item } = world.item(patient, doctor);
  const anchored = await accepted(world.anchorAll([item], world.doctors(doctor)));
  assert.equal(anchored.payload, '["ANCHORED"]');
  assert.deepEqual(anchored.event, { name: 'records', payload: JSON.stringify([{ event: item['event'], status: 'ANCHORED' }]) });

  const read = await accepted(world.read('ReadSummary', { id }, world.a, world.portalCaller));
  assert.deepEqual(JSON.parse(read.payload), { summary: item['summary'], doctor: doctor.handle, index: patient.index, consent: patient.consent });
  const events = await accepted(world.read('ReadEvents', { events: [item['event'] as string, saltOf().slice(0, 21) + 'A'] }));
  assert.deepEqual(JSON.parse(events.payload), [{ event: item['event'], what: 'summary', handle: id, status: 'ANCHORED' }, null]);

  assert.equal((await accepted(world.erase(patient, id))).payload, 'ERASED');
  await refused(world.read('ReadSummary', { id }), 'ERASED');
  assert.equal(world.fabric.value('s_HospitalAMSP', `sum/${id}`), null);

  const second = await world.anchored(patient, doctor);
  assert.equal((await accepted(world.withdraw(patient, world.a.caller))).payload, '{"locked":0,"status":"WITHDRAWN"}');
  await refused(world.read('ReadSummary', { id: second }), 'NOT_FOUND');
  assert.deepEqual(world.fabric.keys('s_HospitalAMSP', 'sum/'), []);
});
