import { RuleError } from '../refusal';
import { canonical } from './canonical';
import { checkCa, checkOffice, checkPatientCa, isIssuedBy, readCertificateText, type Certificate } from './certificate';
import { digest } from './encoding';
import type { JsonObject, JsonValue } from './json';
import { both, digestText, distinct, fits, integer, listOf, matching, msp, one, oneOf, text, words, type Check } from './schema';
import type { CaDigests } from './statements';
import type { Passkeys } from './summary';

/** A hospital as the consortium knows it, with its certificates read. */
export interface Hospital {
  readonly msp: string;
  readonly name: string;
  readonly seq: number;
  readonly peopleCas: readonly Certificate[];
  readonly bridgeCas: readonly Certificate[];
  readonly registrar: Certificate;
  readonly statusKey: Certificate;
  readonly patientCa: Certificate;
  /** Thumbprints. */
  readonly bridges: readonly string[];
  readonly passkeys: Passkeys;
  readonly caDigests: CaDigests;
  /** The record as it stands on the ledger. */
  readonly record: JsonObject;
  /** Digest of the canonical record: what an approval signs. */
  readonly recordDigest: string;
}

export interface Consortium {
  readonly portal: string;
  readonly attestor: { readonly name: string; readonly certificate: string };
  readonly hospitals: readonly string[];
}

/** Most hospitals of one consortium: every rule that looks at all of them stays bounded. */
export const mostHospitals = 64;

const anyText: Check = text(() => true);
const origin = matching(/^(https:\/\/[a-z0-9.-]{1,253}|http:\/\/localhost)(:[0-9]{1,5})?$/);

const recordMembers: Readonly<Record<string, Check>> = {
  v: one,
  msp,
  name: words(1, 128),
  seq: integer(1, Number.MAX_SAFE_INTEGER),
  cas: listOf(2, 16, (value) => fits(value, { use: oneOf('people', 'bridge'), certificate: anyText })),
  registrar: anyText,
  statusKey: anyText,
  patientCa: anyText,
  bridges: both(listOf(1, 64, digestText), distinct),
  origins: both(listOf(0, 16, origin), distinct),
  rpId: (value) => value === null || matching(/^[a-z0-9.-]{1,253}$/)(value),
};

interface RecordForm {
  readonly msp: string;
  readonly name: string;
  readonly seq: number;
  readonly cas: readonly { readonly use: string; readonly certificate: string }[];
  readonly registrar: string;
  readonly statusKey: string;
  readonly patientCa: string;
  readonly bridges: readonly string[];
  readonly origins: readonly string[];
  readonly rpId: string | null;
}

function readP256(certificate: string): Certificate {
  const read = readCertificateText(certificate);
  if (read.keyKind !== 'P-256') throw new RuleError('the key is not ECDSA P-256');
  return read;
}

/** Reads a hospital record; RuleError where it breaks the schema or holds a certificate that cannot be read. */
export function readHospital(value: JsonValue): Hospital {
  if (!fits(value, recordMembers)) throw new RuleError('the hospital record breaks its schema');
  const form = value as unknown as RecordForm;
  const cas = form.cas.map((ca) => ({ use: ca.use, certificate: readP256(ca.certificate) }));
  const ofUse = (use: string): Certificate[] => cas.filter((ca) => ca.use === use).map((ca) => ca.certificate);
  const peopleCas = ofUse('people');
  const bridgeCas = ofUse('bridge');
  if (peopleCas.length === 0 || bridgeCas.length === 0) throw new RuleError('the hospital record needs a CA of each use');
  if (form.rpId !== null && form.origins.length === 0) throw new RuleError('a record with rpId needs origins');
  const digests = (list: readonly Certificate[]): string[] => list.map((ca) => ca.thumbprint).sort();
  return {
    msp: form.msp,
    name: form.name,
    seq: form.seq,
    peopleCas,
    bridgeCas,
    registrar: readP256(form.registrar),
    statusKey: readP256(form.statusKey),
    patientCa: readP256(form.patientCa),
    bridges: form.bridges,
    passkeys: form.rpId === null ? null : { origins: form.origins, rpId: form.rpId },
    caDigests: { bridge: digests(bridgeCas), people: digests(peopleCas) },
    record: value,
    recordDigest: digest(canonical(value)),
  };
}

/** The certificate rules of a record, at a time (unix seconds). The first record's CAs are self-signed; a change may bring new ones: see checkRollover. */
export function checkHospital(hospital: Hospital, time: number): void {
  for (const ca of [...hospital.peopleCas, ...hospital.bridgeCas]) checkCa(ca, time);
  checkOffice(hospital.registrar, 'registrar', hospital.peopleCas, time);
  checkOffice(hospital.statusKey, 'status-key', hospital.peopleCas, time);
  checkPatientCa(hospital.patientCa, hospital.peopleCas, time);
  if (!hospital.bridgeCas.every((ca) => isIssuedBy(ca, ca))) throw new RuleError('a bridge CA must be self-signed');
  const keys = officeKeys(hospital);
  if (new Set(keys).size !== keys.length) throw new RuleError('one key in two roles');
}

/** Every CA of people in a first record is its own root. */
export function checkRoots(hospital: Hospital): void {
  if (!hospital.peopleCas.every((ca) => isIssuedBy(ca, ca))) throw new RuleError('a people CA must be self-signed');
}

/**
 * A people CA that a change brings must be signed by one of the record in force, so that readers of the old digest can follow. One that may issue only leaves follows
 * none, nor is followed: such is the patient CA, whose key lies on the bridge.
 */
export function rollsOver(next: Hospital, current: Hospital): boolean {
  return next.peopleCas.every((ca) =>
    current.peopleCas.some((old) => old.thumbprint === ca.thumbprint || (ca.pathLength !== 0 && old.pathLength !== 0 && isIssuedBy(ca, old))));
}

/** Keys (digests of the SPKI) of the roles that a record names; a renewed CA may keep its key, so CAs count once. */
function officeKeys(hospital: Hospital): string[] {
  const people = new Set(hospital.peopleCas.map((ca) => digest(ca.spki)));
  const bridge = new Set(hospital.bridgeCas.map((ca) => digest(ca.spki)));
  return [...people, ...bridge, ...[hospital.registrar, hospital.statusKey, hospital.patientCa].map((office) => digest(office.spki))];
}

/** True where a hospital's record names this key in any role. */
export const namesKey = (hospital: Hospital, spki: Buffer): boolean => officeKeys(hospital).includes(digest(spki));

/** No key of a record may be another hospital's or the attestor's: one person would be two. */
export function checkApart(hospital: Hospital, others: readonly Hospital[], attestor: Certificate): void {
  const taken = new Set([...others.flatMap(officeKeys), digest(attestor.spki)]);
  if (officeKeys(hospital).some((key) => taken.has(key))) throw new RuleError('a key that another hospital or the attestor uses');
}

/** `consortium.json`, by its form; records are read with readHospital. */
export function readConsortiumFile(value: JsonValue): { readonly portal: string; readonly attestor: Consortium['attestor']; readonly hospitals: readonly Hospital[] } {
  const form = {
    v: one,
    portal: msp,
    attestor: (inner: JsonValue) => fits(inner, { name: words(1, 128), certificate: anyText }),
    hospitals: listOf(1, mostHospitals, () => true),
  };
  if (!fits(value, form)) throw new RuleError('the consortium breaks its schema');
  const hospitals = (value['hospitals'] as JsonValue[]).map(readHospital);
  const { portal, attestor } = value as unknown as { portal: string; attestor: Consortium['attestor'] };
  if (hospitals.some((hospital) => hospital.msp === portal)) throw new RuleError('the portal cannot be a hospital');
  if (new Set(hospitals.map((hospital) => hospital.msp)).size !== hospitals.length) throw new RuleError('a hospital twice');
  if (hospitals.some((hospital) => hospital.seq !== 1)) throw new RuleError('a first record has seq 1');
  return { portal, attestor, hospitals };
}

/** More than half of n. */
export const majorityOf = (n: number): number => Math.floor(n / 2) + 1;
