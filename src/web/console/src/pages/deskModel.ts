import type { Outcome } from '../api';

export type EnrolmentState = 'Open' | 'Enrolling' | 'Enrolled' | 'Withdrawing' | 'Withdrawn' | 'Cancelled' | 'Expired' | 'Lapsed' | 'Failed';

export interface Enrolment {
  readonly enrolment: number;
  /** Null once the patient withdrew: she is forgotten here. */
  readonly patient: string | null;
  readonly state: EnrolmentState;
  readonly guardian: boolean;
  readonly openedBy: string;
  readonly openedAt: string;
  readonly expiresAt: string;
  readonly enrolledAt: string | null;
  readonly consentUntil: string | null;
  readonly purposes: readonly string[];
  readonly endedAt: string | null;
  readonly endReason: string | null;
  /** Set while a withdrawal waits for the enrolment to come to its end on the ledger. */
  readonly withdrawalAskedAt: string | null;
  readonly lastCode: string | null;
}

/** An opened enrolment. The code is in this answer and nowhere else. */
export interface Opened extends Outcome {
  readonly enrolment: number;
  readonly code: string;
  readonly fragment: string;
  readonly address: string | null;
  readonly caDigests: { readonly people: readonly string[]; readonly bridge: readonly string[] };
  readonly expiresAt: string;
}

/** What stands on the page beside the code. */
export interface Form {
  readonly hospital: string;
  readonly page: string | null;
  readonly recipients: readonly { readonly msp: string; readonly name: string }[];
  readonly purposes: readonly string[];
  readonly validDays: number;
  readonly notices: readonly { readonly language: string; readonly text: string; readonly digest: string }[];
}

export interface Found extends Outcome {
  readonly more: boolean;
  readonly items: readonly FoundPatient[];
}

export interface FoundPatient {
  readonly patient: string;
  readonly name: string | null;
  readonly birthDate: string | null;
  readonly sex: string | null;
  readonly identifiers: readonly string[];
  readonly inUse: boolean;
  readonly enrolment: { readonly id: number; readonly state: EnrolmentState } | null;
}

/** Where an enrolment stands, as the desk speaks of it. */
export type Standing = EnrolmentState | 'AlreadyUsed' | 'Misused' | 'WithdrawalWaits';

export function standingOf(enrolment: Enrolment, now: number): Standing {
  if (enrolment.state === 'Enrolled' && enrolment.consentUntil !== null && Date.parse(enrolment.consentUntil) <= now) return 'Lapsed';
  if (enrolment.state === 'Enrolling' && enrolment.withdrawalAskedAt !== null) return 'WithdrawalWaits';
  if (enrolment.state === 'Failed' && enrolment.endReason === 'CODE_SPENT') return 'AlreadyUsed';
  if (enrolment.state === 'Withdrawn' && enrolment.endReason === 'code misused') return 'Misused';
  return enrolment.state;
}

export const kindOf = (standing: Standing): 'good' | 'warn' | 'bad' | 'accent' | '' =>
  standing === 'Enrolled' ? 'good'
  : standing === 'Enrolling' || standing === 'Withdrawing' || standing === 'WithdrawalWaits' || standing === 'Lapsed' ? 'warn'
  : standing === 'Failed' || standing === 'AlreadyUsed' || standing === 'Misused' ? 'bad'
  : standing === 'Open' ? 'accent'
  : '';

/** One line of a consent text. */
export type NoticeLine = { readonly kind: 'title' | 'section' | 'paragraph'; readonly text: string } | { readonly kind: 'purpose'; readonly purpose: string; readonly text: string };

export function readNotice(text: string): readonly NoticeLine[] {
  return text.split('\n').filter((line) => line.length > 0).map((line): NoticeLine => {
    const purpose = /^\[([a-z:-]+)\] (.+)$/.exec(line);
    if (purpose !== null) return { kind: 'purpose', purpose: purpose[1] ?? '', text: purpose[2] ?? '' };
    if (line.startsWith('## ')) return { kind: 'section', text: line.slice(3) };
    return line.startsWith('# ') ? { kind: 'title', text: line.slice(2) } : { kind: 'paragraph', text: line };
  });
}
