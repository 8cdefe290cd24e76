import type { CompactKind } from './compact';
import type { JsonObject } from './json';
import {
  ascending, both, calendarDate, digestText, distinct, fits, handle, integer, listOf, matching, msp, one, oneOf, words, type Check,
} from './schema';

/** Payloads of the compact JWSs, one kind each; closed. */
export interface ConsentPayload {
  readonly consentId: string;
  readonly hospital: string;
  readonly patientKey: string;
  readonly recipients: readonly string[];
  readonly exp: string;
}
export interface WithdrawalPayload {
  readonly hospital: string;
  readonly consentId: string;
}
export interface ErasurePayload {
  readonly hospital: string;
  readonly id: string;
}
export interface DoctorPayload {
  readonly hospital: string;
  readonly handle: string;
  readonly thumbprint: string;
  readonly name: string;
  readonly licence: string;
}
export interface ConfirmationPayload {
  readonly hospital: string;
  readonly handle: string;
  readonly thumbprint: string;
  readonly statement: string;
}
export interface RevocationPayload {
  readonly hospital: string;
  readonly handle: string;
  readonly thumbprint: string;
}
export interface CaDigests {
  readonly bridge: readonly string[];
  readonly people: readonly string[];
}
export interface ApprovalPayload {
  readonly by: string;
  readonly msp: string;
  readonly name: string;
  readonly caDigests: CaDigests;
  readonly registrar: string;
  readonly seq: number;
  readonly record: string;
}
export interface StatusPayload {
  readonly hospital: string;
  /** Digest of the hospital's record in force. */
  readonly record: string;
  readonly seq: number;
  readonly part: number;
  readonly parts: number;
  readonly revoked: readonly string[];
  readonly thisUpdate: number;
  readonly nextUpdate: number;
}

function kind<T>(typ: string, office: boolean, members: Readonly<Record<string, Check>>, also: (payload: T) => boolean = () => true): CompactKind<T> {
  const schema = (payload: JsonObject): T | null => (fits(payload, { v: one, ...members }) && also(payload as unknown as T) ? (payload as unknown as T) : null);
  return { typ, office, schema };
}

const purposes = [
  'peers', 'rare', 'sensitive:mental-health', 'sensitive:hiv', 'sensitive:reproductive', 'sensitive:addiction', 'sensitive:abuse', 'sensitive:genetics',
];
const seq = integer(1, Number.MAX_SAFE_INTEGER);
/** Unix seconds; the year 9999 ends with the last. */
const time = integer(0, 253402300799);
const digests = both(listOf(1, 16, digestText), ascending);

export const consentKind = kind<ConsentPayload>('bridge-consent+jws', false, {
  consentId: handle,
  hospital: msp,
  patientKey: digestText,
  purposes: both(listOf(1, 8, oneOf(...purposes)), distinct, (value) => (value as string[]).includes('peers')),
  recipients: both(listOf(1, 16, msp), distinct),
  notice: digestText,
  language: matching(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/),
  exp: calendarDate,
});

export const withdrawalKind = kind<WithdrawalPayload>('bridge-withdrawal+jws', false, { hospital: msp, consentId: handle });

export const erasureKind = kind<ErasurePayload>('bridge-erasure+jws', false, { hospital: msp, id: handle });

export const doctorKind = kind<DoctorPayload>('bridge-doctor+jws', true, {
  hospital: msp, handle, thumbprint: digestText, name: words(1, 128), licence: words(1, 64), registry: words(1, 128),
});

export const confirmationKind = kind<ConfirmationPayload>('bridge-doctor-confirmation+jws', true, {
  hospital: msp, handle, thumbprint: digestText, statement: digestText,
});

export const revocationKind = kind<RevocationPayload>('bridge-doctor-revocation+jws', true, {
  hospital: msp, handle, thumbprint: digestText, reason: words(1, 64),
});

export const approvalKind = kind<ApprovalPayload>('bridge-approval+jws', true, {
  by: msp,
  msp,
  name: words(1, 128),
  caDigests: (value) => fits(value, { bridge: digests, people: digests }),
  registrar: digestText,
  seq,
  record: digestText,
});

/** Of a status list, which is as large as a signed text may be with any certificate around it; a hospital with more revoked certificates parts them by their thumbprints. */
export const mostRevoked = 768;
export const mostParts = 256;

/** The part of a status list that speaks of a certificate: thumbprints are even, so their first two bytes part them. */
export const partOf = (thumbprint: string, parts: number): number => (Buffer.from(thumbprint, 'base64url').readUInt16BE(0) * parts) >>> 16;

export const statusKind = kind<StatusPayload>(
  'bridge-status+jws',
  true,
  {
    hospital: msp, record: digestText, seq, thisUpdate: time, nextUpdate: time, part: integer(0, mostParts - 1), parts: integer(1, mostParts),
    revoked: listOf(0, mostRevoked, digestText),
  },
  ({ thisUpdate, nextUpdate, part, parts, revoked }) =>
    thisUpdate < nextUpdate && nextUpdate <= thisUpdate + 86400 && part < parts && revoked.every((thumbprint) => partOf(thumbprint, parts) === part),
);
