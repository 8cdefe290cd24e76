import { createPublicKey, type KeyObject } from 'node:crypto';
import { checkMembers, readInput, salt } from '../input';
import { refuse, RuleError, under } from '../refusal';
import { canonical } from '../rules/canonical';
import { checkLeaf, clientAuth, isIssuedBy, isValidAt, readCertificateText } from '../rules/certificate';
import { readPatientJws } from '../rules/compact';
import { digest, fromBase64Url, pseudonymOf } from '../rules/encoding';
import { isObject, type JsonObject, type JsonValue } from '../rules/json';
import { eitherPolicy } from '../rules/policy';
import { digestText, handle, integer, listOf, one, text } from '../rules/schema';
import { consentKind } from '../rules/statements';
import { bodiesOf, parseStored, type Session } from '../session';
import { bodyState, Events, isRetired, putRecord, readRecord, requireUnused } from '../store';
import { putIndex, type Entry } from './chain';

/** What the patient's browser sends through the portal. */
interface Request {
  readonly codeId: string;
  readonly spki: string;
  readonly consent: string;
}

/** Most requests that one code may gather: what a thief of a code may waste. */
const mostRequests = 5;
const anyText = text((value) => value.length <= 65536);
const requestKey = (request: string): string => `req/${request}`;

/** A P-256 public key from base64url of its 91-byte SubjectPublicKeyInfo; RuleError otherwise. */
export function readSpki(value: string): { readonly der: Buffer; readonly key: KeyObject } {
  const der = fromBase64Url(value);
  // SEQUENCE {SEQUENCE {ecPublicKey, P-256}, BIT STRING 04 ‖ x ‖ y}
  const prefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
  if (der?.length !== 91 || !der.subarray(0, prefix.length).equals(prefix)) throw new RuleError('the key is not a P-256 SubjectPublicKeyInfo');
  try {
    return { der, key: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
  } catch {
    throw new RuleError('the key is no point of the curve');
  }
}

/** Unix seconds at which a consent of this date (its last day, UTC) is over. */
export const consentEnds = (exp: string): number => Date.parse(`${exp}T00:00:00Z`) / 1000 + 86400;

export async function requestEnrolment(session: Session, msp: string): Promise<string> {
  const { ledger } = session;
  await session.hospital(msp);
  session.requirePortal();
  const { members } = readInput(ledger, { handle, request: isObject, salt, codeSalt: salt, event: handle, eventSalt: salt });
  checkMembers('input.request', members['request'] as JsonObject, { v: one, codeId: handle, spki: anyText, consent: anyText, mac: digestText });
  const input = members as unknown as { handle: string; request: Request; salt: string; codeSalt: string; event: string; eventSalt: string };
  const { request } = input;

  const consent = under('BAD_CONSENT', () => {
    const { der, key } = readSpki(request.spki);
    const payload = readPatientJws(request.consent, consentKind, key);
    if (payload.hospital !== msp) throw new RuleError('a consent for another hospital');
    if (payload.patientKey !== digest(der)) throw new RuleError('a consent about another key');
    return payload;
  });
  if (!consent.recipients.includes(session.portal)) refuse('CONSENT_RECIPIENT', 'the consent does not name the portal');
  if (ledger.time >= consentEnds(consent.exp)) refuse('CONSENT_EXPIRED', 'the consent has ended');

  const code = await loadCode(session, msp, request.codeId);
  if (code.spent) refuse('CODE_SPENT', 'this code has been used');
  if (code.requests.length >= mostRequests) refuse('TOO_MANY_REQUESTS', 'this code has been tried too often; the desk must issue another');
  if (code.requests.some(([known]) => known === input.handle)) refuse('HANDLE_IN_USE', 'a handle that is already in use');
  await requireUnused(ledger, bodiesOf(msp), requestKey(input.handle));

  const hash = await putRecord(
    ledger, bodiesOf(msp), requestKey(input.handle), 'request', input.salt, { request: members['request'] as JsonObject }, eitherPolicy(msp, session.portal),
  );
  await putCode(session, msp, request.codeId, { requests: [...code.requests, [input.handle, hash]], spent: false }, input.codeSalt);
  const events = new Events(ledger, msp);
  await events.addNew(input.event, input.eventSalt, 'request', input.handle, 'REQUESTED');
  events.emit();
  return 'REQUESTED';
}

/** What a code has gathered. Written only with both organisations' endorsement, so it vouches for the requests, which either can overwrite. */
interface Code {
  readonly requests: readonly Entry[];
  readonly spent: boolean;
}

async function loadCode(session: Session, msp: string, codeId: string): Promise<Code> {
  const stored = await session.ledger.getPrivate(bodiesOf(msp), `code/${codeId}`);
  return stored === null ? { requests: [], spent: false } : (parseStored(stored) as unknown as Code);
}

async function putCode(session: Session, msp: string, codeId: string, code: Code, saltText: string): Promise<void> {
  const { requests, spent } = code;
  await putRecord(session.ledger, bodiesOf(msp), `code/${codeId}`, 'code', saltText, { requests: requests as unknown as JsonValue, spent });
}

export async function enrolPatient(session: Session, msp: string): Promise<string> {
  const { ledger, portal } = session;
  const hospital = await session.hospital(msp);
  session.requireBridgeOf(hospital);
  const { members } = readInput(ledger, {
    request: handle, certificate: anyText, patient: handle, consent: handle, index: handle,
    patientSalt: salt, consentSalt: salt, indexSalt: salt, codeSalt: salt, event: handle, eventSalt: salt,
  });
  const input = members as Record<string, string> & {
    request: string; certificate: string; patient: string; consent: string; index: string;
    patientSalt: string; consentSalt: string; indexSalt: string; codeSalt: string; event: string; eventSalt: string;
  };

  const { request, code } = await loadRequest(session, msp, input.request);
  if (code.spent) refuse('CODE_SPENT', 'this code has been used');
  const { der: spki, key } = under('REQUEST_UNKNOWN', () => readSpki(request.spki));
  const consent = under('BAD_CONSENT', () => readPatientJws(request.consent, consentKind, key));
  if (ledger.time >= consentEnds(consent.exp)) refuse('CONSENT_EXPIRED', 'the consent has ended');

  const pseudonym = pseudonymOf(spki);
  const certificate = under('BAD_PATIENT_CERTIFICATE', () => {
    const leaf = readCertificateText(input.certificate);
    checkLeaf(leaf, clientAuth, null, ledger.time);
    if (!isValidAt(hospital.patientCa, ledger.time) || !isIssuedBy(leaf, hospital.patientCa)) throw new RuleError('not issued by the hospital\'s patient CA');
    if (leaf.commonName !== pseudonymOf(leaf.spki)) throw new RuleError('the common name is not the key\'s pseudonym');
    return leaf;
  });
  if (!certificate.spki.equals(spki)) refuse('KEY_MISMATCH', 'the certificate is for another key than the request');

  if (await isRetired(ledger, msp, input.consent)) refuse('HANDLE_IN_USE', 'a handle that is already in use');
  await requireUnused(ledger, bodiesOf(msp), `pat/${input.patient}`, `con/${input.consent}`, `idx/${input.index}`);

  const either = eitherPolicy(msp, portal);
  const patientHash = await putRecord(ledger, bodiesOf(msp), `pat/${input.patient}`, 'patient', input.patientSalt, {
    pseudonym, certificate: input.certificate, consent: input.consent, index: input.index,
  }, either);
  const consentHash = await putRecord(ledger, bodiesOf(msp), `con/${input.consent}`, 'consent', input.consentSalt, {
    jws: request.consent, pseudonym, index: input.index, exp: consent.exp,
  }, either);
  await putIndex(ledger, msp, {
    handle: input.index, pseudonym, spki: request.spki, patient: input.patient, consent: input.consent, consentId: consent.consentId, next: null,
    entries: [[`pat/${input.patient}`, patientHash], [`con/${input.consent}`, consentHash]],
  }, input.indexSalt);

  // A request that someone locked against purging stays; the code is spent all the same.
  for (const [known] of code.requests)
    if ((await bodyState(session, msp, requestKey(known))) === 'PURGEABLE') await ledger.purge(bodiesOf(msp), requestKey(known));
  await putCode(session, msp, request.codeId, { requests: code.requests, spent: true }, input.codeSalt);
  const events = new Events(ledger, msp);
  await events.addNew(input.event, input.eventSalt, 'patient', input.patient, 'ENROLLED');
  events.emit();
  return 'ENROLLED';
}

/** The request as the portal made it: the code, which neither organisation can write alone, lists its digest. */
async function loadRequest(session: Session, msp: string, requestHandle: string): Promise<{ readonly request: Request; readonly code: Code }> {
  const stored = await session.ledger.getPrivate(bodiesOf(msp), requestKey(requestHandle));
  if (stored === null) refuse('REQUEST_UNKNOWN', 'no such request; it may have been used or discarded');
  const request = readRecord(stored, 'request')?.['request'];
  const codeId = isObject(request) ? request['codeId'] : undefined;
  if (typeof codeId !== 'string') refuse('FORGED', 'this is not the request that the portal made');
  const code = await loadCode(session, msp, codeId);
  if (!code.requests.some(([known, hash]) => known === requestHandle && hash === digest(stored))) refuse('FORGED', 'this is not the request that the portal made');
  return { request: request as unknown as Request, code };
}

export async function discardRequests(session: Session, msp: string): Promise<string> {
  const hospital = await session.hospital(msp);
  session.requireBridgeOrPortal(hospital);
  const { members } = readInput(session.ledger, { handles: listOf(1, 100, handle) });
  let discarded = 0;
  let locked = 0;
  for (const known of new Set(members['handles'] as string[])) {
    const state = await bodyState(session, msp, requestKey(known));
    if (state === 'PURGEABLE') {
      await session.ledger.purge(bodiesOf(msp), requestKey(known));
      discarded++;
    } else if (state === 'LOCKED') locked++;
  }
  return canonical({ status: 'DISCARDED', discarded, locked });
}

export async function readEnrolments(session: Session, msp: string): Promise<string> {
  const hospital = await session.hospital(msp);
  session.requireMember(hospital);
  const { members } = readInput(session.ledger, { after: (value) => value === null || handle(value), limit: integer(1, 200) });
  const { after, limit } = members as { after: string | null; limit: number };
  const items: JsonObject[] = [];
  for await (const { key, value } of session.ledger.scan(bodiesOf(msp), requestKey(after ?? ''), 'req0')) {
    const found = key.slice(requestKey('').length);
    if (found === after) continue;
    if (items.length === limit) return canonical({ items, next: (items[items.length - 1] as JsonObject)['handle'] as string });
    items.push({ handle: found, request: readRecord(value, 'request')?.['request'] ?? null });
  }
  return canonical({ items, next: null });
}

