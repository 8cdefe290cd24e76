import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { clientAuth, documentSigning, roleMarks, type Role } from '../../src/rules/certificate';
import { canonical } from '../../src/rules/canonical';
import { digest, pseudonymOf } from '../../src/rules/encoding';
import type { JsonObject, JsonValue } from '../../src/rules/json';
import { callerOf, TestFabric, type Caller, type Outcome } from './fabric';
import { compact, dual, handleOf, mint, newKeys, saltOf, type Identity, type Keys } from './pki';

export const now = (): number => Math.floor(Date.now() / 1000);
const year = 365 * 86400;

/** A hospital with all its keys. */
export class HospitalSetup {
  public readonly peopleCa: Identity;
  public readonly bridgeCa: Identity;
  public readonly registrar: Identity;
  public readonly statusKey: Identity;
  public readonly patientCa: Identity;
  public readonly bridge: Identity;

  public constructor(public readonly msp: string) {
    this.peopleCa = mint({ name: `${msp} people`, keys: newKeys(), notBefore: now() - year, notAfter: now() + 10 * year, ca: true });
    this.bridgeCa = mint({ name: `${msp} msp`, keys: newKeys(), notBefore: now() - year, notAfter: now() + 10 * year, ca: true });
    this.registrar = this.office('registrar', 'Registrar');
    this.statusKey = this.office('status-key', 'Status');
    this.patientCa = mint({ name: `${msp} patients`, keys: newKeys(), issuer: this.peopleCa, notBefore: now() - 3600, notAfter: now() + year, ca: true, pathLength: 0 });
    this.bridge = this.newBridge();
  }

  public newBridge(): Identity {
    return mint({ name: `bridge.${this.msp}`, keys: newKeys(), issuer: this.bridgeCa, notBefore: now() - 3600, notAfter: now() + year });
  }

  public office(role: Role, name: string, keys: Keys = newKeys(), notBefore = now() - 3600, notAfter = now() + year): Identity {
    return mint({ name, keys, issuer: this.peopleCa, notBefore, notAfter, purposes: [documentSigning, roleMarks[role]] });
  }

  public record(more: JsonObject = {}): JsonObject {
    return {
      v: 1,
      msp: this.msp,
      name: `Hospital ${this.msp}`,
      seq: 1,
      cas: [{ use: 'people', certificate: this.peopleCa.text }, { use: 'bridge', certificate: this.bridgeCa.text }],
      registrar: this.registrar.text,
      statusKey: this.statusKey.text,
      patientCa: this.patientCa.text,
      bridges: [this.bridge.certificate.thumbprint],
      origins: [],
      rpId: null,
      ...more,
    };
  }

  public get caller(): Caller {
    return callerOf(this.msp, this.bridge);
  }

  public patientCertificate(keys: Keys, name = pseudonymOf(keys.publicKey.export({ format: 'der', type: 'spki' }))): Identity {
    return mint({ name, keys, issuer: this.patientCa, notBefore: now() - 60, notAfter: now() + year, purposes: [clientAuth] });
  }

  public approval(of: JsonObject, by = this.msp, signer = this.registrar): string {
    const cas = of['cas'] as { use: string; certificate: string }[];
    const digests = (use: string): string[] => cas.filter((ca) => ca.use === use).map((ca) => digest(Buffer.from(ca.certificate, 'base64'))).sort();
    return compact('bridge-approval+jws', {
      v: 1, by, msp: of['msp'] as string, name: of['name'] as string, caDigests: { bridge: digests('bridge'), people: digests('people') },
      registrar: digest(Buffer.from(of['registrar'] as string, 'base64')), seq: of['seq'] as number, record: digest(canonical(of)),
    }, signer.keys, signer.text);
  }
}

export interface DoctorSetup {
  readonly identity: Identity;
  readonly handle: string;
  readonly hospital: string;
  readonly statement: string;
}

export interface PatientSetup {
  readonly keys: Keys;
  readonly spki: Buffer;
  readonly pseudonym: string;
  readonly hospital: string;
  readonly consentId: string;
  readonly consentJws: string;
  readonly patient: string;
  readonly consent: string;
  readonly index: string;
  readonly codeId: string;
  readonly request: string;
}

export interface ItemSetup {
  readonly id: string;
  readonly item: JsonObject;
}

/** Keys and certificates are the same for every world of a process: making them takes longer than most tests. */
const cast = {
  a: new HospitalSetup('HospitalAMSP'),
  b: new HospitalSetup('HospitalBMSP'),
  c: new HospitalSetup('HospitalCMSP'),
  portal: mint({ name: 'portal', keys: newKeys(), notBefore: now() - 60, notAfter: now() + year }),
  attestor: mint({ name: 'Licensing body', keys: newKeys(), notBefore: now() - 60, notAfter: now() + year }),
};

/** A consortium on a test ledger, and everyone in it. */
export class World {
  public readonly a: HospitalSetup;
  public readonly b: HospitalSetup;
  public readonly c: HospitalSetup;
  public readonly portal: Identity;
  public readonly attestor: Identity;
  public readonly fabric: TestFabric;

  public constructor(aRecord: JsonObject = {}) {
    ({ a: this.a, b: this.b, c: this.c, portal: this.portal, attestor: this.attestor } = cast);
    this.fabric = new TestFabric(['HospitalAMSP', 'HospitalBMSP'], 'PortalMSP');
    this.aRecord = aRecord;
    this.file();
  }

  private readonly aRecord: JsonObject;

  public consortium(): JsonObject {
    return {
      v: 1, portal: 'PortalMSP', attestor: { name: 'Licensing body', certificate: this.attestor.text },
      hospitals: [this.a.record(this.aRecord), this.b.record()],
    };
  }

  public file(text = JSON.stringify(this.consortium())): void {
    const path = join(mkdtempSync(join(tmpdir(), 'summaries-')), 'consortium.json');
    writeFileSync(path, text);
    process.env['BRIDGE_CONSORTIUM_FILE'] = path;
  }

  public get portalCaller(): Caller {
    return callerOf('PortalMSP', this.portal);
  }

  public readonly directory = ['HospitalAMSP', 'HospitalBMSP'];
  public readonly pair = (hospital: HospitalSetup): string[] => [hospital.msp, 'PortalMSP'];

  public async init(): Promise<this> {
    await accepted(this.fabric.submit({ caller: this.a.caller, args: ['InitConsortium', JSON.stringify(this.consortium())], endorsers: this.directory }));
    return this;
  }

  public directoryCall(caller: Caller, args: string[], input?: JsonObject, time?: number): Promise<Outcome> {
    return this.fabric.submit({ caller, args, input, endorsers: this.directory, ...(time === undefined ? {} : { time }) });
  }

  public statement(hospital: HospitalSetup, identity: Identity, handle: string, more: JsonObject = {}, signer = hospital.registrar): string {
    return compact('bridge-doctor+jws', {
      v: 1, hospital: hospital.msp, handle, thumbprint: identity.certificate.thumbprint, name: identity.certificate.commonName ?? '', licence: 'L-1', registry: 'National register', ...more,
    }, signer.keys, signer.text);
  }

  public confirmation(doctor: DoctorSetup, signer: Identity, more: JsonObject = {}): string {
    return compact('bridge-doctor-confirmation+jws', {
      v: 1, hospital: doctor.hospital, handle: doctor.handle, thumbprint: doctor.identity.certificate.thumbprint, statement: digest(doctor.statement), ...more,
    }, signer.keys, signer.text);
  }

  public revocation(doctor: DoctorSetup, signer: Identity, more: JsonObject = {}): string {
    return compact('bridge-doctor-revocation+jws', {
      v: 1, hospital: doctor.hospital, handle: doctor.handle, thumbprint: doctor.identity.certificate.thumbprint, reason: 'KEY_LOST', ...more,
    }, signer.keys, signer.text);
  }

  public async proposed(hospital = this.a, identity = hospital.office('doctor', 'Dr Ada Example')): Promise<DoctorSetup> {
    const handle = handleOf();
    const statement = this.statement(hospital, identity, handle);
    await accepted(this.directoryCall(hospital.caller, ['ProposeDoctor', hospital.msp], { handle, certificate: identity.text, statement, salt: saltOf(), leafSalt: saltOf() }));
    return { identity, handle, hospital: hospital.msp, statement };
  }

  public async doctor(hospital = this.a, identity = hospital.office('doctor', 'Dr Ada Example')): Promise<DoctorSetup> {
    const doctor = await this.proposed(hospital, identity);
    const confirmation = this.confirmation(doctor, hospital === this.a ? this.b.registrar : this.a.registrar);
    await accepted(this.directoryCall(hospital.caller, ['ConfirmDoctor', hospital.msp], { handle: doctor.handle, confirmation, salt: saltOf() }));
    return doctor;
  }

  public consentJws(hospital: HospitalSetup, keys: Keys, consentId: string, more: JsonObject = {}): string {
    return compact('bridge-consent+jws', {
      v: 1, consentId, hospital: hospital.msp, patientKey: digest(keys.publicKey.export({ format: 'der', type: 'spki' })), purposes: ['peers'], recipients: ['PortalMSP'],
      notice: digest('notice'), language: 'en', exp: '2199-01-01', ...more,
    }, keys);
  }

  public requestInput(hospital: HospitalSetup, keys: Keys, more: JsonObject = {}, consent: JsonObject = {}): JsonObject {
    return {
      handle: handleOf(),
      request: {
        v: 1, codeId: handleOf(), spki: keys.publicKey.export({ format: 'der', type: 'spki' }).toString('base64url'),
        consent: this.consentJws(hospital, keys, handleOf(), consent), mac: digest('mac'),
      },
      salt: saltOf(), codeSalt: saltOf(), event: handleOf(), eventSalt: saltOf(), ...more,
    };
  }

  public request(hospital: HospitalSetup, input: JsonObject): Promise<Outcome> {
    return this.fabric.submit({ caller: this.portalCaller, args: ['RequestEnrolment', hospital.msp], input, endorsers: this.pair(hospital) });
  }

  public enrolInput(hospital: HospitalSetup, request: string, keys: Keys, more: JsonObject = {}): JsonObject {
    return {
      request, certificate: hospital.patientCertificate(keys).text, patient: handleOf(), consent: handleOf(), index: handleOf(),
      patientSalt: saltOf(), consentSalt: saltOf(), indexSalt: saltOf(), codeSalt: saltOf(), event: handleOf(), eventSalt: saltOf(), ...more,
    };
  }

  public enrol(hospital: HospitalSetup, input: JsonObject): Promise<Outcome> {
    return this.fabric.submit({ caller: hospital.caller, args: ['EnrolPatient', hospital.msp], input, endorsers: this.pair(hospital) });
  }

  public async patient(hospital = this.a, keys = newKeys(), consent: JsonObject = {}): Promise<PatientSetup> {
    const spki = keys.publicKey.export({ format: 'der', type: 'spki' });
    const consentId = handleOf();
    const codeId = handleOf();
    const input = this.requestInput(hospital, keys);
    const consentJws = this.consentJws(hospital, keys, consentId, consent);
    const request = { ...(input['request'] as JsonObject), codeId, consent: consentJws };
    await accepted(this.request(hospital, { ...input, request }));
    const enrolment = this.enrolInput(hospital, input['handle'] as string, keys);
    await accepted(this.enrol(hospital, enrolment));
    return {
      keys, spki, pseudonym: pseudonymOf(spki), hospital: hospital.msp, consentId, consentJws, codeId, request: input['handle'] as string,
      patient: enrolment['patient'] as string, consent: enrolment['consent'] as string, index: enrolment['index'] as string,
    };
  }

  public payload(patient: PatientSetup, more: JsonObject = {}): JsonObject {
    return {
      v: 1, id: handleOf(), patient: patient.pseudonym, hospital: patient.hospital, period: '2026-01', class: 'AMB',
      conditions: [{ system: 'http://hl7.org/fhir/sid/icd-10', code: 'E11', level: 'category', rank: 1 }],
      treatments: [{ system: 'http://www.whocc.no/atc', code: 'A10BA02', kind: 'medication' }],
      ageBand: '50-59', sex: 'female', ...more,
    };
  }

  public item(patient: PatientSetup, doctor: DoctorSetup, more: JsonObject = {}, itemMore: JsonObject = {}, hospital = this.a): ItemSetup {
    const payload = this.payload(patient, more);
    return { id: payload['id'] as string, item: this.wrap(dual(payload, doctor.identity, hospital.bridge), patient, doctor, itemMore) };
  }

  public wrap(summary: JsonValue, patient: PatientSetup, doctor: DoctorSetup, more: JsonObject = {}): JsonObject {
    return { summary, doctor: doctor.handle, consent: patient.consent, salt: saltOf(), page: handleOf(), indexSalt: saltOf(), event: handleOf(), eventSalt: saltOf(), ...more };
  }

  public superseding(): JsonObject {
    return { tombSalt: saltOf(), supersededEvent: handleOf(), supersededEventSalt: saltOf() };
  }

  public doctors(...list: DoctorSetup[]): JsonObject {
    return Object.fromEntries(list.map((doctor) => [doctor.handle, this.fabric.value('doctors', `doc/${doctor.handle}`)?.toString('utf8') ?? '{}']));
  }

  public anchorAll(items: JsonObject[], doctors: JsonObject, hospital = this.a, more: { caller?: Caller; time?: number; endorsers?: string[]; inputText?: string } = {}): Promise<Outcome> {
    return this.fabric.submit({
      caller: more.caller ?? hospital.caller, args: ['AnchorSummaries', hospital.msp], input: { doctors, items }, inputText: more.inputText, endorsers: more.endorsers ?? this.pair(hospital),
      ...(more.time === undefined ? {} : { time: more.time }),
    });
  }

  public async anchored(patient: PatientSetup, doctor: DoctorSetup, more: JsonObject = {}, hospital = this.a): Promise<string> {
    const { id, item } = this.item(patient, doctor, more, more['supersedes'] === undefined ? {} : this.superseding(), hospital);
    await accepted(this.anchorAll([item], this.doctors(doctor), hospital));
    return id;
  }

  public read(fn: string, input: JsonObject, hospital = this.a, caller = hospital.caller): Promise<Outcome> {
    return this.fabric.evaluate({ caller, args: [fn, hospital.msp], input }, caller.msp);
  }

  public ending(id: string, more: JsonObject = {}): JsonObject {
    return { id, event: handleOf(), eventSalt: saltOf(), tombSalt: saltOf(), ...more };
  }

  public erasure(patient: PatientSetup, id: string, more: JsonObject = {}): string {
    return compact('bridge-erasure+jws', { v: 1, hospital: patient.hospital, id, ...more }, patient.keys);
  }

  public erase(patient: PatientSetup, id: string, caller = this.portalCaller, more: JsonObject = {}): Promise<Outcome> {
    return this.fabric.submit({ caller, args: ['EraseSummary', patient.hospital], input: this.ending(id, { erasure: this.erasure(patient, id), ...more }), endorsers: [caller.msp] });
  }

  public withdrawal(patient: PatientSetup, more: JsonObject = {}): string {
    return compact('bridge-withdrawal+jws', { v: 1, hospital: patient.hospital, consentId: patient.consentId, ...more }, patient.keys);
  }

  public withdraw(patient: PatientSetup, caller = this.portalCaller, more: JsonObject = {}): Promise<Outcome> {
    return this.fabric.submit({
      caller, args: ['WithdrawConsent', patient.hospital], endorsers: [caller.msp],
      input: { index: patient.index, event: handleOf(), eventSalt: saltOf(), tombSalt: saltOf(), ...more },
    });
  }

  public retraction(id: string, doctor: DoctorSetup, more: JsonObject = {}, hospital = this.a): JsonObject {
    const retraction = dual({ v: 1, hospital: hospital.msp, id, reason: 'ENTERED_IN_ERROR' }, doctor.identity, hospital.bridge, 'bridge-retraction+json');
    return { ...this.ending(id), retraction, doctors: this.doctors(doctor), doctor: doctor.handle, ...more };
  }

  public retract(input: JsonObject, hospital = this.a): Promise<Outcome> {
    return this.fabric.submit({ caller: hospital.caller, args: ['RetractSummary', hospital.msp], input, endorsers: this.pair(hospital) });
  }
}

/** Waits for a call that must succeed. */
export async function accepted(call: Promise<Outcome>): Promise<Outcome> {
  const outcome = await call;
  assert.equal(outcome.refusal, null, outcome.message);
  return outcome;
}

/** Waits for a call that must be refused with a code. */
export async function refused(call: Promise<Outcome>, code: string): Promise<Outcome> {
  const outcome = await call;
  assert.equal(outcome.refusal, code, outcome.message || outcome.payload);
  return outcome;
}

export const noise = (bytes = 32): string => randomBytes(bytes).toString('base64url');
