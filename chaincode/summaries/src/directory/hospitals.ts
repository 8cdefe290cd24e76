import type { Ledger } from '../ledger';
import { refuse, RuleError, under } from '../refusal';
import { canonical } from '../rules/canonical';
import { isValidAt, readCertificateText } from '../rules/certificate';
import { readOfficeJws } from '../rules/compact';
import { canonicalBytes, isMsp } from '../rules/encoding';
import {
  checkApart, checkHospital, checkRoots, mostHospitals, readConsortiumFile, readHospital, rollsOver, type Hospital,
} from '../rules/hospital';
import { JsonSyntaxError, parseJson, type JsonValue } from '../rules/json';
import { approvalKind, type ApprovalPayload } from '../rules/statements';
import { parseStored, Session } from '../session';

/** The endorser's own consortium.json; null where it has none. */
export type ConsortiumFile = () => string | null;

/** Public text that must be one JSON value without members named twice. */
function parsePublic(text: string): JsonValue {
  try {
    const { value, duplicates } = parseJson(text, 16);
    if (duplicates.length > 0) throw new RuleError('a member twice');
    return value;
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw new RuleError(`not JSON: ${error.message}`);
    throw error;
  }
}

export async function initConsortium(ledger: Ledger, text: string, ownFile: ConsortiumFile): Promise<string> {
  if ((await ledger.getPublic('consortium')) !== null) refuse('ALREADY_INITIALISED', 'the consortium stands; hospitals join by ProposeHospital');
  const { given, consortium } = under('BAD_RECORD', () => {
    const value = parsePublic(text);
    return { given: canonical(value), consortium: readConsortiumFile(value) };
  });
  const { portal, attestor, hospitals } = consortium;
  if (!hospitals.some((hospital) => hospital.msp === ledger.creator.msp)) refuse('NOT_BRIDGE', 'only a hospital that the consortium lists may found it');
  const own = ownFile();
  if (own === null) refuse('CONSORTIUM_FILE_MISSING', 'this organisation\'s contract process has no readable consortium.json (BRIDGE_CONSORTIUM_FILE)');
  const expected = under('CONSORTIUM_FILE_MISSING', () => canonical(parsePublic(own)));
  if (given !== expected) refuse('CONSORTIUM_DIFFERS', 'this organisation holds another consortium.json');
  under('BAD_RECORD', () => {
    const attesting = readCertificateText(attestor.certificate);
    if (attesting.keyKind !== 'P-256') throw new RuleError('the attestor\'s key is not ECDSA P-256');
    for (const hospital of hospitals) {
      checkHospital(hospital, ledger.time);
      checkRoots(hospital);
      checkApart(hospital, hospitals.filter((other) => other !== hospital), attesting);
    }
  });
  await ledger.putPublic('consortium', canonicalBytes({ v: 1, portal, attestor: { ...attestor }, hospitals: hospitals.map((hospital) => hospital.msp).sort() }));
  for (const hospital of hospitals) await ledger.putPublic(`hospital/${hospital.msp}`, canonicalBytes(hospital.record));
  return 'ACTIVE';
}

export async function proposeHospital(session: Session, text: string): Promise<string> {
  const { ledger } = session;
  const own = await session.requireAnyBridge();
  const proposed = under('BAD_RECORD', () => readHospital(parsePublic(text)));
  const current = await checkProposal(session, proposed);
  if (current !== null && current.msp !== own.msp) refuse('NOT_BRIDGE', 'only its own bridge may propose a change of a hospital');
  await ledger.putPublic(proposalKey(proposed.msp, proposed.seq), canonicalBytes(proposed.record));
  return 'PROPOSED';
}

/** What must hold of a record when it is proposed, and again when it comes into force. Returns the record that it replaces. */
async function checkProposal(session: Session, proposed: Hospital): Promise<Hospital | null> {
  if (proposed.msp === session.portal) refuse('PORTAL_NOT_HOSPITAL', 'the portal organisation cannot become a hospital');
  const current = await session.find(proposed.msp);
  if (proposed.seq !== (current?.seq ?? 0) + 1) refuse('WRONG_SEQ', 'seq must be the one in force + 1');
  if (current === null && session.consortium.hospitals.length >= mostHospitals) refuse('BAD_RECORD', 'the consortium is full');
  const others = (await session.allHospitals()).filter((hospital) => hospital.msp !== proposed.msp);
  under('BAD_RECORD', () => {
    checkHospital(proposed, session.ledger.time);
    checkApart(proposed, others, readCertificateText(session.consortium.attestor.certificate));
    if (current === null) checkRoots(proposed);
  });
  if (current !== null && !rollsOver(proposed, current)) refuse('CA_ROLLOVER', 'a new people CA must be issued by one of the record in force');
  return current;
}

export async function approveHospital(session: Session, msp: string, seqText: string, jws: string): Promise<string> {
  const { ledger } = session;
  await session.requireAnyBridge();
  const seq = /^[1-9][0-9]{0,14}$/.test(seqText) ? Number(seqText) : refuse('BAD_INPUT', 'seq: a positive integer is expected');
  const current = await session.find(msp);
  const record = isMsp(msp) ? await recordToApprove(session, msp, seq, current) : null;
  if (record === null) refuse('NOT_PROPOSED', 'no record of this hospital with this seq is proposed or in force');
  const { payload, signer } = under('BAD_APPROVAL', () => readOfficeJws(jws, approvalKind));
  if (!approves(payload, record)) refuse('BAD_APPROVAL', 'the approval is not for this record');
  const approver = await session.find(payload.by);
  if (approver?.registrar.thumbprint !== signer.thumbprint || !isValidAt(signer, ledger.time))
    refuse('NOT_REGISTRAR', 'the approval is not signed by the registrar of the hospital it names');
  const key = approvalKey(msp, seq, payload.by);
  const earlier = await ledger.getPublic(key);
  if (earlier !== null && (await counts(session, earlier.toString('utf8'), record))) refuse('ALREADY_APPROVED', 'this hospital has approved this record');
  await ledger.putPublic(key, Buffer.from(jws, 'utf8'));
  if (seq === current?.seq) return 'ACTIVE';

  let approvals = 1;
  for (const by of session.consortium.hospitals) {
    if (by === payload.by) continue;
    const stored = await ledger.getPublic(approvalKey(msp, seq, by));
    if (stored !== null && (await counts(session, stored.toString('utf8'), record))) approvals++;
  }
  if (approvals < session.majority) return 'APPROVED';
  await checkProposal(session, record);
  await ledger.putPublic(`hospital/${msp}`, canonicalBytes(record.record));
  await ledger.deletePublic(proposalKey(msp, seq));
  if (current === null) {
    const hospitals = [...session.consortium.hospitals, msp].sort();
    await ledger.putPublic('consortium', canonicalBytes({ ...session.consortium, attestor: { ...session.consortium.attestor }, hospitals }));
  }
  return 'ACTIVE';
}

async function recordToApprove(session: Session, msp: string, seq: number, current: Hospital | null): Promise<Hospital | null> {
  if (seq === current?.seq) return current;
  if (seq !== (current?.seq ?? 0) + 1) return null;
  const stored = await session.ledger.getPublic(proposalKey(msp, seq));
  return stored === null ? null : readHospital(parseStored(stored));
}

const approves = (payload: ApprovalPayload, record: Hospital): boolean =>
  payload.msp === record.msp
  && payload.name === record.name
  && payload.seq === record.seq
  && payload.registrar === record.registrar.thumbprint
  && payload.record === record.recordDigest
  && payload.caDigests.bridge.join() === record.caDigests.bridge.join()
  && payload.caDigests.people.join() === record.caDigests.people.join();

/** A stored approval counts while it is for this very record and its signer is still that hospital's registrar. */
async function counts(session: Session, jws: string, record: Hospital): Promise<boolean> {
  const { payload, signer } = readOfficeJws(jws, approvalKind);
  const approver = await session.find(payload.by);
  return approver?.registrar.thumbprint === signer.thumbprint && approves(payload, record);
}

export async function readHospitalRecord(session: Session, msp: string): Promise<string> {
  const hospital = await session.hospital(msp);
  const approvals: string[] = [];
  for (const by of session.consortium.hospitals) {
    const stored = await session.ledger.getPublic(approvalKey(msp, hospital.seq, by));
    if (stored !== null) approvals.push(stored.toString('utf8'));
  }
  return canonical({ record: hospital.record, approvals });
}

export const readConsortium = (session: Session): string =>
  canonical({ ...session.consortium, attestor: { ...session.consortium.attestor }, hospitals: [...session.consortium.hospitals] });

const proposalKey = (msp: string, seq: number): string => `proposal/${msp}/${String(seq)}`;
const approvalKey = (msp: string, seq: number, by: string): string => `approval/${msp}/${String(seq)}/${by}`;

