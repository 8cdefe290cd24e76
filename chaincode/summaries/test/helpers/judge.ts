import { createInterface } from 'node:readline';
import { RuleError } from '../../src/refusal';
import { canonical } from '../../src/rules/canonical';
import { checkCa, checkLeaf, checkOffice, checkPatientCa, clientAuth, isIssuedBy, isValidAt, readCertificateText, roleMarks, type Role } from '../../src/rules/certificate';
import { readCompact, type CompactKind } from '../../src/rules/compact';
import { fromBase64Url, pseudonymOf } from '../../src/rules/encoding';
import { readHospital } from '../../src/rules/hospital';
import { isObject, JsonSyntaxError, parseJson } from '../../src/rules/json';
import { approvalKind, confirmationKind, consentKind, doctorKind, erasureKind, revocationKind, statusKind, withdrawalKind, type CaDigests } from '../../src/rules/statements';
import { retractionKind, summaryKind, verifyDualDocument } from '../../src/rules/summary';
import { readSpki } from '../../src/patients/enrolment';

export type Vector = Readonly<Record<string, unknown>> & { readonly name: string; readonly kind: string; readonly outcome: string };

/** What the contract's rules say of a vector, in the members that vectors of its kind have. */
export interface Judgement {
  readonly outcome: string;
  readonly canonical?: string;
  readonly digest?: string;
  readonly caDigests?: CaDigests;
}

export function bytesOf(text: unknown): Buffer {
  const bytes = fromBase64Url(text as string);
  if (bytes === null) throw new Error('a vector that is not base64url');
  return bytes;
}

/** Null where the rule breaks. */
function attempt<T>(rule: () => T): T | null {
  try {
    return rule();
  } catch (error) {
    if (error instanceof RuleError || error instanceof JsonSyntaxError) return null;
    throw error;
  }
}

const compactKinds = [consentKind, withdrawalKind, erasureKind, doctorKind, confirmationKind, revocationKind, approvalKind, statusKind] as readonly CompactKind<unknown>[];

function judgeText(input: Buffer): Judgement {
  const parsed = attempt(() => parseJson(input, 16));
  if (parsed === null) return { outcome: 'MALFORMED' };
  return parsed.duplicates.length > 0 ? { outcome: 'DUPLICATE_MEMBER' } : { outcome: 'VALID', canonical: canonical(parsed.value) };
}

function judgeCertificate({ profile, certificate, issuers, at }: { profile: string; certificate: string; issuers: string[]; at: number }): Judgement {
  const good = attempt(() => {
    const subject = readCertificateText(certificate);
    const known = issuers.map(readCertificateText);
    if (Object.hasOwn(roleMarks, profile)) checkOffice(subject, profile as Role, known, at);
    else if (profile === 'patient-ca') checkPatientCa(subject, known, at);
    else if (profile === 'ca') checkCa(subject, at);
    else {
      checkLeaf(subject, clientAuth, null, at);
      if (!known.some((issuer) => isValidAt(issuer, at) && isIssuedBy(subject, issuer))) throw new RuleError('issuer');
      if (subject.commonName !== pseudonymOf(subject.spki)) throw new RuleError('name');
    }
    return true;
  });
  return { outcome: good === null ? 'BAD' : 'NONE' };
}

function judgeRecord(input: Buffer): Judgement {
  const hospital = attempt(() => {
    const { value, duplicates } = parseJson(input, 16);
    if (duplicates.length > 0 || !isObject(value)) throw new RuleError('no object');
    return readHospital(value);
  });
  return hospital === null ? { outcome: 'BAD_RECORD' } : { outcome: 'VALID', digest: hospital.recordDigest, caDigests: hospital.caDigests };
}

function judgeCompact(vector: Vector): Judgement {
  const kind = compactKinds.find((one) => one.typ === vector['typ']);
  if (kind === undefined) throw new Error(`no statement of typ ${String(vector['typ'])} is known`);
  return { outcome: readCompact(vector['input'] as string, kind, vector['spki'] === undefined ? null : readSpki(vector['spki'] as string).key).outcome };
}

/** Judges a vector of a kind that the contract has rules for. */
export function judge(vector: Vector): Judgement {
  const webauthn = vector['webauthn'] as { enabled: boolean; origins: string[]; rpId: string } | undefined;
  switch (vector.kind) {
    case 'signed-summary':
      return { outcome: verifyDualDocument(bytesOf(vector['input']), summaryKind, webauthn?.enabled === true ? webauthn : null).outcome };
    case 'retraction':
      return { outcome: verifyDualDocument(bytesOf(vector['input']), retractionKind, null).outcome };
    case 'canonical-json':
      return judgeText(bytesOf(vector['input']));
    case 'compact-jws':
      return judgeCompact(vector);
    case 'certificate':
      return judgeCertificate(vector as unknown as Parameters<typeof judgeCertificate>[0]);
    case 'hospital-record':
      return judgeRecord(bytesOf(vector['input']));
    default:
      throw new Error(`the contract has no rule for vectors of kind ${vector.kind}`);
  }
}

/** Run by itself: one vector a line comes in, one judgement a line goes out. What the rules should never throw is an outcome too. */
if (require.main === module) {
  createInterface({ input: process.stdin }).on('line', (line) => {
    let answer: Judgement;
    try {
      answer = judge(JSON.parse(line) as Vector);
    } catch (error) {
      answer = { outcome: `THROWS ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}` };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  });
}
