import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { readCertificate, type Certificate } from '../../src/rules/certificate';
import { canonical } from '../../src/rules/canonical';
import { pseudonymOf } from '../../src/rules/encoding';
import type { JsonObject } from '../../src/rules/json';
import { bits, boolean, number, octets, oid, sequence, set, time, tlv, unsigned, utf8 } from './der';

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export interface Keys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface Identity {
  readonly keys: Keys;
  readonly certificate: Certificate;
  /** Standard base64 of the DER. */
  readonly text: string;
  readonly spki: Buffer;
}

export const newKeys = (curve = 'P-256'): Keys => generateKeyPairSync('ec', { namedCurve: curve });
export const newRsaKeys = (bitsOfModulus = 2048): Keys => generateKeyPairSync('rsa', { modulusLength: bitsOfModulus });
export const spkiOf = (keys: Keys): Buffer => keys.publicKey.export({ format: 'der', type: 'spki' });

export const handleOf = (): string => randomBytes(16).toString('base64url');
export const saltOf = (): string => randomBytes(32).toString('base64url');

export interface CertificateForm {
  readonly name: string | null;
  readonly keys: Keys;
  readonly issuer?: Identity;
  readonly issuerKeys?: Keys;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly ca?: boolean | null;
  readonly pathLength?: number;
  /** Names of KeyUsage bits; null leaves the extension out. */
  readonly usage?: readonly number[] | null;
  readonly purposes?: readonly string[];
  readonly unknownCritical?: boolean;
  readonly hash?: 'sha256' | 'sha384';
}

const ecdsa = { sha256: '1.2.840.10045.4.3.2', sha384: '1.2.840.10045.4.3.3' } as const;
const distinguishedName = (name: string | null): Buffer =>
  sequence(...(name === null ? [] : [set(sequence(oid('2.5.4.3'), utf8(name)))]));

export function mintDer(form: CertificateForm): Buffer {
  const hash = form.hash ?? 'sha256';
  const algorithm = sequence(oid(ecdsa[hash]));
  const extension = (id: string, critical: boolean, value: Buffer): Buffer => sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
  const extensions: Buffer[] = [];
  const ca = form.ca ?? (form.ca === null ? null : false);
  if (ca !== null) {
    const parts = ca ? [boolean(true), ...(form.pathLength === undefined ? [] : [number(form.pathLength)])] : [];
    extensions.push(extension('2.5.29.19', true, sequence(...parts)));
  }
  const usage = form.usage === undefined ? (ca === true ? [5, 6] : [0]) : form.usage;
  if (usage !== null) {
    const byte = usage.reduce((sum, bit) => sum | (0x80 >> bit), 0);
    let unused = 0;
    while (unused < 7 && !(byte & (1 << unused))) unused++;
    extensions.push(extension('2.5.29.15', true, bits(Buffer.from([byte]), unused)));
  }
  if (form.purposes !== undefined && form.purposes.length > 0) extensions.push(extension('2.5.29.37', false, sequence(...form.purposes.map(oid))));
  if (form.unknownCritical === true) extensions.push(extension('1.2.3.4.5', true, utf8('?')));
  const tbs = sequence(
    tlv(0xa0, number(2)),
    unsigned(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    form.issuer?.certificate.subject ?? distinguishedName(form.name),
    sequence(time(form.notBefore), time(form.notAfter)),
    distinguishedName(form.name),
    spkiOf(form.keys),
    ...(extensions.length === 0 ? [] : [tlv(0xa3, sequence(...extensions))]),
  );
  const signer = form.issuerKeys ?? form.issuer?.keys ?? form.keys;
  return sequence(tbs, algorithm, bits(sign(hash, tbs, signer.privateKey)));
}

export function mint(form: CertificateForm): Identity {
  const der = mintDer(form);
  return { keys: form.keys, certificate: readCertificate(der), text: der.toString('base64'), spki: spkiOf(form.keys) };
}

export const toPem = (der: Buffer): string => `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`;

/** P1363 with the low or the high S. */
export function signEs256(keys: Keys, message: Buffer | string, highS = false): Buffer {
  const signature = sign('sha256', Buffer.from(message), { key: keys.privateKey, dsaEncoding: 'ieee-p1363' });
  const s = BigInt(`0x${signature.subarray(32).toString('hex')}`);
  const isHigh = s > order >> 1n;
  if (isHigh !== highS) Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex').copy(signature, 32);
  return signature;
}

export const encode = (value: JsonObject | string): string => Buffer.from(typeof value === 'string' ? value : canonical(value)).toString('base64url');

/** A compact JWS of an office (with its certificate) or of a patient. */
export function compact(typ: string, payload: JsonObject, signer: Keys, certificate?: string, header: JsonObject = {}): string {
  const input = `${encode({ alg: 'ES256', typ, ...(certificate === undefined ? {} : { x5c: [certificate] }), ...header })}.${encode(payload)}`;
  return `${input}.${signEs256(signer, input).toString('base64url')}`;
}

export function dualHeader(role: 'doctor' | 'bridge', certificate: string, typ = 'bridge-summary+json'): JsonObject {
  return { alg: 'ES256', role, typ, x5c: [certificate] };
}

/** A record with the doctor's and the bridge's signature. */
export function dual(payload: JsonObject, doctor: Identity, bridge: Identity, typ = 'bridge-summary+json'): JsonObject {
  const body = encode(payload);
  const part = (signer: Identity, role: 'doctor' | 'bridge'): JsonObject => {
    const header = encode(dualHeader(role, signer.text, typ));
    return { protected: header, signature: signEs256(signer.keys, `${header}.${body}`).toString('base64url') };
  };
  return { payload: body, signatures: [part(doctor, 'doctor'), part(bridge, 'bridge')] };
}

export const pseudonymOfKeys = (keys: Keys): string => pseudonymOf(spkiOf(keys));
