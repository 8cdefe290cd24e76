import type { Ledger } from '../ledger';
import { readInput, salt } from '../input';
import { refuse, RuleError, under } from '../refusal';
import { canonical } from '../rules/canonical';
import { checkOffice, isValidAt, readCertificateText, type Certificate } from '../rules/certificate';
import { readOfficeJws } from '../rules/compact';
import { digest } from '../rules/encoding';
import { namesKey, type Hospital } from '../rules/hospital';
import type { JsonObject } from '../rules/json';
import { handle, integer, text } from '../rules/schema';
import { confirmationKind, doctorKind, mostParts, revocationKind, statusKind } from '../rules/statements';
import { clockTolerance, doctorsCollection, parseStored, type Session } from '../session';
import { putRecord, readRecord } from '../store';

export type DoctorStatus = 'PENDING' | 'ACTIVE' | 'REVOKED';

/** A doctor's record in the directory. Only a majority of hospitals can write one. */
export interface Doctor {
  readonly handle: string;
  readonly hospital: string;
  readonly leaf: string;
  readonly thumbprint: string;
  readonly name: string;
  readonly licence: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly status: DoctorStatus;
  readonly statement: string;
  readonly confirmation: string | null;
  readonly revocation: string | null;
}

const anyText = text((value) => value.length <= 65536);
export const doctorKey = (doctor: string): string => `doc/${doctor}`;
const leafKey = (thumbprint: string): string => `leaf/${thumbprint}`;
const statusKey = (hospital: string, part: number): string => `status/${hospital}/${String(part)}`;

/** A doctor's record from its stored value; null where it is none. */
export const readDoctorRecord = (value: Buffer): Doctor | null => readRecord(value, 'doctor') as unknown as Doctor | null;

export async function proposeDoctor(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  session.requireBridgeOf(hospital);
  const { members } = readInput(ledger, { handle, certificate: anyText, statement: anyText, salt, leafSalt: salt });
  const input = members as { handle: string; certificate: string; statement: string; salt: string; leafSalt: string };

  const leaf = under('BAD_DOCTOR_CERTIFICATE', () => {
    const certificate = readCertificateText(input.certificate);
    checkOffice(certificate, 'doctor', hospital.peopleCas, ledger.time);
    return certificate;
  });
  const { payload, signer } = under('BAD_STATEMENT', () => readOfficeJws(input.statement, doctorKind));
  if (signer.thumbprint !== hospital.registrar.thumbprint || !isValidAt(signer, ledger.time))
    refuse('NOT_REGISTRAR', 'the statement is not signed by this hospital\'s registrar');
  under('BAD_STATEMENT', () => {
    if (payload.hospital !== msp || payload.handle !== input.handle) throw new RuleError('the statement is for another record');
    if (payload.thumbprint !== leaf.thumbprint) throw new RuleError('the statement is for another certificate');
    if (payload.name !== leaf.commonName) throw new RuleError('the statement names another person than the certificate');
  });
  await requireFreshKey(session, leaf);

  if ((await ledger.getHash(doctorsCollection, doctorKey(input.handle))) !== null) refuse('DOCTOR_EXISTS', 'a record with this handle exists');
  if ((await ledger.getHash(doctorsCollection, leafKey(leaf.thumbprint))) !== null) refuse('LEAF_IN_USE', 'this certificate has a record already');
  await putDoctor(ledger, input.salt, {
    handle: input.handle,
    hospital: msp,
    leaf: input.certificate,
    thumbprint: leaf.thumbprint,
    name: payload.name,
    licence: payload.licence,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    status: 'PENDING',
    statement: input.statement,
    confirmation: null,
    revocation: null,
  });
  await putRecord(ledger, doctorsCollection, leafKey(leaf.thumbprint), 'leaf', input.leafSalt, { handle: input.handle });
  return 'PENDING';
}

/** A doctor's key has no other role anywhere in the consortium. */
async function requireFreshKey(session: Session, leaf: Certificate): Promise<void> {
  const offices = await session.allHospitals();
  const attestor = readCertificateText(session.consortium.attestor.certificate);
  const taken = offices.some((office) => namesKey(office, leaf.spki)) || attestor.spki.equals(leaf.spki) || session.creatorCertificate.spki.equals(leaf.spki);
  if (taken) refuse('KEY_IN_OTHER_ROLE', 'the doctor\'s key already has another role');
}

export async function confirmDoctor(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  await session.requireAnyBridge();
  const { members } = readInput(ledger, { handle, confirmation: anyText, salt });
  const input = members as { handle: string; confirmation: string; salt: string };
  const doctor = await requireDoctor(ledger, msp, input.handle);
  if (doctor.status !== 'PENDING') refuse('NOT_PENDING', 'only a pending doctor can be confirmed');
  const { payload, signer } = under('BAD_CONFIRMATION', () => readOfficeJws(input.confirmation, confirmationKind));
  const meant = payload.hospital === msp && payload.handle === doctor.handle && payload.thumbprint === doctor.thumbprint && payload.statement === digest(doctor.statement);
  if (!meant) refuse('BAD_CONFIRMATION', 'the confirmation is for another record or statement');
  if (namesKey(hospital, signer.spki)) refuse('OWN_CONFIRMATION', 'a hospital cannot confirm its own doctor');
  if (!(await isOutsideOffice(session, hospital, signer))) refuse('NOT_CONFIRMER', 'only another hospital\'s registrar or the attestor can confirm');
  await putDoctor(ledger, input.salt, { ...doctor, status: 'ACTIVE', confirmation: input.confirmation });
  return 'ACTIVE';
}

/** The attestor, or the registrar of another hospital. */
async function isOutsideOffice(session: Session, hospital: Hospital, signer: Certificate): Promise<boolean> {
  if (!isValidAt(signer, session.ledger.time)) return false;
  if (isAttestor(session, signer)) return true;
  return (await session.allHospitals()).some((other) => other.msp !== hospital.msp && other.registrar.thumbprint === signer.thumbprint);
}

const isAttestor = (session: Session, signer: Certificate): boolean => readCertificateText(session.consortium.attestor.certificate).thumbprint === signer.thumbprint;

export async function revokeDoctor(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  if (ledger.creator.msp !== session.portal) await session.requireAnyBridge();
  const { members } = readInput(ledger, { handle, revocation: anyText, salt });
  const input = members as { handle: string; revocation: string; salt: string };
  const doctor = await requireDoctor(ledger, msp, input.handle);
  if (doctor.status === 'REVOKED') refuse('ALREADY_REVOKED', 'revoked already');
  const { payload, signer } = under('BAD_REVOCATION', () => readOfficeJws(input.revocation, revocationKind));
  const meant = payload.hospital === msp && payload.handle === doctor.handle && payload.thumbprint === doctor.thumbprint;
  if (!meant) refuse('BAD_REVOCATION', 'the revocation is for another record');
  // No dates here: a key may always say that it is not to be trusted any more.
  const allowed = [hospital.registrar.thumbprint, doctor.thumbprint].includes(signer.thumbprint) || isAttestor(session, signer);
  if (!allowed) refuse('NOT_REVOKER', 'only this hospital\'s registrar, the attestor or the doctor can revoke');
  await putDoctor(ledger, input.salt, { ...doctor, status: 'REVOKED', revocation: input.revocation });
  return 'REVOKED';
}

async function requireDoctor(ledger: Ledger, msp: string, handleText: string): Promise<Doctor> {
  const stored = await ledger.getPrivate(doctorsCollection, doctorKey(handleText));
  const doctor = stored === null ? null : readDoctorRecord(stored);
  if (doctor?.hospital !== msp) refuse('DOCTOR_UNKNOWN', 'this hospital has no doctor under this handle');
  return doctor;
}

async function putDoctor(ledger: Ledger, saltText: string, doctor: Doctor): Promise<void> {
  await putRecord(ledger, doctorsCollection, doctorKey(doctor.handle), 'doctor', saltText, doctor as unknown as JsonObject);
}

export async function publishStatus(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  const hospital = await session.hospital(msp);
  session.requireBridgeOf(hospital);
  const { members } = readInput(ledger, { status: text((value) => value.length <= 65536 * 4), salt });
  const input = members as { status: string; salt: string };
  const { payload, signer } = under('BAD_STATUS', () => readOfficeJws(input.status, statusKind));
  under('BAD_STATUS', () => {
    if (signer.thumbprint !== hospital.statusKey.thumbprint || !isValidAt(signer, ledger.time)) throw new RuleError('not signed by the hospital\'s status key');
    if (payload.hospital !== msp) throw new RuleError('another hospital\'s list');
    if (payload.record !== hospital.recordDigest) throw new RuleError('a list that names another record of the hospital than the one in force');
    if (payload.thisUpdate > ledger.time + clockTolerance) throw new RuleError('a list from the future');
    if (payload.nextUpdate <= ledger.time) throw new RuleError('a list that is past its nextUpdate');
  });
  const stored = await ledger.getPrivate(doctorsCollection, statusKey(msp, payload.part));
  if (stored !== null) {
    const before = readOfficeJws(parseStored(stored)['list'] as string, statusKind).payload;
    if (payload.seq <= before.seq) refuse('WRONG_SEQ', 'seq must be greater than the one published');
  }
  await putRecord(ledger, doctorsCollection, statusKey(msp, payload.part), 'status', input.salt, { list: input.status });
  return 'PUBLISHED';
}

export async function readDoctor(session: Session): Promise<string> {
  session.requireConsortiumMember();
  const { members } = readInput(session.ledger, { handle });
  const stored = await session.ledger.getPrivate(doctorsCollection, doctorKey(members['handle'] as string));
  if (stored === null) refuse('DOCTOR_UNKNOWN', 'no doctor under this handle');
  return stored.toString('utf8');
}

/** Most records looked at in one call; a page may hold fewer than its limit where other hospitals' doctors lie between. */
const mostScanned = 2000;

export async function listDoctors(session: Session, msp: string): Promise<string> {
  session.requireConsortiumMember();
  await session.hospital(msp);
  const { members } = readInput(session.ledger, { after: (value) => value === null || handle(value), limit: integer(1, 200) });
  const { after, limit } = members as { after: string | null; limit: number };
  const doctors: string[] = [];
  let scanned = 0;
  let last: string | null = null;
  for await (const { key, value } of session.ledger.scan(doctorsCollection, doctorKey(after ?? ''), 'doc0')) {
    const found = key.slice(doctorKey('').length);
    if (found === after) continue;
    if (doctors.length === limit || scanned === mostScanned) return canonical({ doctors, next: last });
    scanned++;
    last = found;
    if (readDoctorRecord(value)?.hospital === msp) doctors.push(value.toString('utf8'));
  }
  return canonical({ doctors, next: null });
}

export async function readStatus(session: Session, msp: string, partText: string): Promise<string> {
  session.requireConsortiumMember();
  await session.hospital(msp);
  const part = /^(0|[1-9][0-9]{0,2})$/.test(partText) && Number(partText) < mostParts ? Number(partText) : refuse('BAD_INPUT', `part: a number from 0 to ${String(mostParts - 1)} is expected`);
  const stored = await session.ledger.getPrivate(doctorsCollection, statusKey(msp, part));
  if (stored === null) refuse('NOT_FOUND', 'this hospital has not published this part of a status list');
  return parseStored(stored)['list'] as string;
}
