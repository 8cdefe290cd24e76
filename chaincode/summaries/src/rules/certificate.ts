import { createPublicKey, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { RuleError } from '../refusal';
import {
  children, DerError, expectTag, readBits, readBoolean, readDer, readOid, readTime, readUnsigned, tags, type Der,
} from './der';
import { digest, fromBase64 } from './encoding';
import { both, text, words, type Check } from './schema';

export type KeyKind = 'P-256' | 'RSA' | 'OTHER';

/** What the rules need of an X.509 certificate (RFC 5280). */
export interface Certificate {
  readonly der: Buffer;
  /** Digest of the DER. */
  readonly thumbprint: string;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly key: KeyObject;
  readonly keyKind: KeyKind;
  /** Modulus length of an RSA key, else 0. */
  readonly rsaBits: number;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** The one common name, or null. */
  readonly commonName: string | null;
  /** Unix seconds, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** BasicConstraints: null where absent. */
  readonly isCa: boolean | null;
  readonly pathLength: number | null;
  /** Named bits of KeyUsage (0 = digitalSignature, 5 = keyCertSign), null where absent. */
  readonly keyUsage: ReadonlySet<number> | null;
  readonly extendedKeyUsage: readonly string[];
  /** A critical extension that these rules do not judge. */
  readonly unknownCritical: boolean;
  readonly tbs: Buffer;
  readonly signatureAlgorithm: string;
  readonly signature: Buffer;
}

const oids = {
  ecPublicKey: '1.2.840.10045.2.1',
  p256: '1.2.840.10045.3.1.7',
  rsa: '1.2.840.113549.1.1.1',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
} as const;

export const documentSigning = '1.3.6.1.5.5.7.3.36';
export const clientAuth = '1.3.6.1.5.5.7.3.2';

/** What a people CA certifies a person for. Each has a mark, an ExtendedKeyUsage under the project's arc, and bears no other's: a doctor's certificate can never pass for a registrar's. */
export type Role = 'doctor' | 'registrar' | 'status-key';
export const roleArc = '1.2.840.113556.1.8000.2554.64687.39339.27686.18757.43763.8999527.15962029';
export const roleMarks: Readonly<Record<Role, string>> = { 'doctor': `${roleArc}.1`, 'registrar': `${roleArc}.2`, 'status-key': `${roleArc}.3` };
const maxCertificateBytes = 8192;

/** Certificates read before, by thumbprint: offices, CAs and doctors come again with every call. Reading is pure, so nothing depends on what is here. */
const known = new Map<string, Certificate>();
const mostKnown = 1024;

/** Reads DER strictly; throws RuleError with the fault. */
export function readCertificate(der: Buffer): Certificate {
  if (der.length > maxCertificateBytes) throw new RuleError('a certificate larger than 8 KiB');
  const thumbprint = digest(der);
  const before = known.get(thumbprint);
  if (before !== undefined) return before;
  try {
    const certificate = parse(Buffer.from(der), thumbprint);
    // OpenSSL must read it too: browsers and C# do.
    new X509Certificate(der);
    if (known.size >= mostKnown) known.delete(known.keys().next().value as string);
    known.set(thumbprint, certificate);
    return certificate;
  } catch (error) {
    if (error instanceof RuleError) throw error;
    throw new RuleError(`not an X.509 certificate${error instanceof DerError ? `: ${error.message}` : ''}`);
  }
}

/** Reads standard base64 of the DER. */
export function readCertificateText(text: string): Certificate {
  const der = fromBase64(text);
  if (der === null) throw new RuleError('a certificate that is not base64 of its DER');
  return readCertificate(der);
}

function parse(der: Buffer, thumbprint: string): Certificate {
  const [tbs, algorithm, signature, ...more] = children(expectTag(readDer(der), tags.sequence));
  if (tbs === undefined || more.length > 0) throw new DerError('three parts expected');
  const signatureAlgorithm = readOid(children(expectTag(algorithm, tags.sequence))[0]);
  const signatureBits = readBits(signature);
  if (signatureBits.unused !== 0) throw new DerError('a signature of broken bytes');

  const fields = children(expectTag(tbs, tags.sequence));
  const version = fields.shift();
  if (version?.tag !== 0xa0 || !readUnsigned(children(version)[0]).equals(Buffer.from([2]))) throw new DerError('version 3 expected');
  const [serial, inner, issuer, validity, subject, spki, ...rest] = fields;
  readUnsigned(serial);
  if (!expectTag(inner, tags.sequence).whole.equals(expectTag(algorithm, tags.sequence).whole)) throw new DerError('two signature algorithms');
  const [notBefore, notAfter] = children(expectTag(validity, tags.sequence));
  const extensions = readExtensions(rest);
  const subjectDer = expectTag(subject, tags.sequence);
  const spkiDer = Buffer.from(expectTag(spki, tags.sequence).whole);
  return {
    der,
    thumbprint,
    spki: spkiDer,
    ...readKey(spkiDer),
    issuer: expectTag(issuer, tags.sequence).whole,
    subject: subjectDer.whole,
    commonName: readCommonName(subjectDer),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    ...extensions,
    tbs: tbs.whole,
    signatureAlgorithm,
    signature: signatureBits.bits,
  };
}

function readKey(spki: Buffer): Pick<Certificate, 'key' | 'keyKind' | 'rsaBits'> {
  const [algorithm, point] = children(readDer(spki));
  const [oid, parameters] = children(expectTag(algorithm, tags.sequence));
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  if (readOid(oid) === oids.rsa) return { key, keyKind: 'RSA', rsaBits: key.asymmetricKeyDetails?.modulusLength ?? 0 };
  const uncompressed = readBits(point).bits;
  const isP256 = readOid(oid) === oids.ecPublicKey && parameters?.tag === tags.oid && readOid(parameters) === oids.p256
    && spki.length === 91 && uncompressed.length === 65 && uncompressed[0] === 4;
  return { key, keyKind: isP256 ? 'P-256' : 'OTHER', rsaBits: 0 };
}

function readCommonName(subject: Der): string | null {
  const names: string[] = [];
  for (const set of children(subject))
    for (const attribute of children(expectTag(set, tags.set))) {
      const [oid, value] = children(expectTag(attribute, tags.sequence));
      if (readOid(oid) !== oids.commonName) continue;
      if (value?.tag !== tags.utf8String && value?.tag !== tags.printableString) throw new DerError('a common name that is not UTF-8');
      names.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value.contents));
    }
  return names.length === 1 ? (names[0] ?? null) : null;
}

type Extensions = Pick<Certificate, 'isCa' | 'pathLength' | 'keyUsage' | 'extendedKeyUsage' | 'unknownCritical'>;

function readExtensions(rest: readonly Der[]): Extensions {
  const result = {
    isCa: null as boolean | null,
    pathLength: null as number | null,
    keyUsage: null as Set<number> | null,
    extendedKeyUsage: [] as string[],
    unknownCritical: false,
  };
  const holder = rest.find((element) => element.tag === 0xa3);
  if (holder === undefined) return result;
  const seen = new Set<string>();
  for (const extension of children(readDer(holder.contents))) {
    const parts = children(expectTag(extension, tags.sequence));
    const oid = readOid(parts[0]);
    if (seen.has(oid)) throw new DerError('an extension twice');
    seen.add(oid);
    const critical = parts.length === 3 && readBoolean(parts[1] as Der);
    const value = readDer(expectTag(parts[parts.length - 1], tags.octetString).contents);
    if (oid === oids.basicConstraints) {
      const inner = children(expectTag(value, tags.sequence));
      result.isCa = inner[0]?.tag === tags.boolean && readBoolean(inner[0]);
      const length = inner.find((element) => element.tag === tags.integer);
      if (length !== undefined) result.pathLength = readUnsigned(length).readUIntBE(0, Math.min(6, readUnsigned(length).length));
    } else if (oid === oids.keyUsage) {
      const { bits } = readBits(value);
      result.keyUsage = new Set([...bits].flatMap((byte, i) => [0, 1, 2, 3, 4, 5, 6, 7].filter((b) => byte & (0x80 >> b)).map((b) => i * 8 + b)));
    } else if (oid === oids.extendedKeyUsage) {
      result.extendedKeyUsage = children(expectTag(value, tags.sequence)).map(readOid);
    } else if (critical) result.unknownCritical = true;
  }
  return result;
}

/** True where the issuer's key signed it (ECDSA with SHA-256) and the names meet. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return certificate.issuer.equals(issuer.subject)
    && certificate.signatureAlgorithm === oids.ecdsaSha256
    && issuer.keyKind === 'P-256'
    && verify('sha256', certificate.tbs, { key: issuer.key, dsaEncoding: 'der' }, certificate.signature);
}

export const isValidAt = (certificate: Certificate, time: number): boolean => certificate.notBefore <= time && time <= certificate.notAfter;

/** Something to read beside blanks, and nothing that a page would not show. */
const personName: Check = both(words(1, 128), text((name) => /[^\s\u0085]/.test(name)));

const digitalSignature = 0;
const nonRepudiation = 1;
const keyCertSign = 5;

function checkCommon(certificate: Certificate, time: number): void {
  if (certificate.keyKind !== 'P-256') throw new RuleError('the key is not ECDSA P-256');
  if (certificate.unknownCritical) throw new RuleError('an unknown critical extension');
  if (!isValidAt(certificate, time)) throw new RuleError('outside its dates');
}

/** The mark of its role, once, and nothing else under the arc (later roles will stand there); null: no mark at all. */
function checkMark(certificate: Certificate, mark: string | null): void {
  const marks = certificate.extendedKeyUsage.filter((purpose) => purpose === roleArc || purpose.startsWith(`${roleArc}.`));
  if (mark === null ? marks.length > 0 : marks.length !== 1 || marks[0] !== mark) throw new RuleError(mark === null ? 'the mark of a role that it has not' : 'not exactly the mark of its role');
}

/** A CA certificate within its dates. */
export function checkCa(certificate: Certificate, time: number): void {
  checkCommon(certificate, time);
  if (certificate.isCa !== true) throw new RuleError('BasicConstraints do not say CA');
  if (certificate.keyUsage !== null && !certificate.keyUsage.has(keyCertSign)) throw new RuleError('KeyUsage lacks keyCertSign');
  checkMark(certificate, null);
}

/** A leaf that may sign, for one purpose, in one role or none. */
export function checkLeaf(certificate: Certificate, purpose: string, role: Role | null, time: number): void {
  checkCommon(certificate, time);
  if (certificate.isCa === true) throw new RuleError('BasicConstraints say CA');
  if (certificate.keyUsage?.has(digitalSignature) !== true) throw new RuleError('KeyUsage lacks digitalSignature');
  if ([...certificate.keyUsage].some((bit) => bit !== digitalSignature && bit !== nonRepudiation)) throw new RuleError('KeyUsage allows more than signing');
  if (!certificate.extendedKeyUsage.includes(purpose)) throw new RuleError('ExtendedKeyUsage lacks the purpose');
  checkMark(certificate, role === null ? null : roleMarks[role]);
}

/** An office of a hospital (doctor, registrar, status key): issued directly by one of its people CAs, which are all within their dates. */
export function checkOffice(certificate: Certificate, role: Role, peopleCas: readonly Certificate[], time: number): void {
  checkLeaf(certificate, documentSigning, role, time);
  if (certificate.commonName === null || !personName(certificate.commonName)) throw new RuleError('one common name is expected, without control characters');
  if (!peopleCas.some((ca) => isValidAt(ca, time) && isIssuedBy(certificate, ca))) throw new RuleError('not issued directly by a people CA');
}

/** The CA of a hospital's patients: issued by a people CA, and may issue leaves only. */
export function checkPatientCa(certificate: Certificate, peopleCas: readonly Certificate[], time: number): void {
  checkCa(certificate, time);
  if (certificate.pathLength !== 0) throw new RuleError('the patient CA needs path length 0');
  const issuer = peopleCas.find((ca) => isValidAt(ca, time) && isIssuedBy(certificate, ca));
  if (issuer === undefined) throw new RuleError('the patient CA is not issued by a people CA');
  if (issuer.pathLength === 0) throw new RuleError('its people CA may not issue a CA');
}
