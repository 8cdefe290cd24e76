import { codeKey, readSummary, type Summary } from '@bridge/shared/signing';
import type { TextKey } from '../texts';

/** Where a field came from and what happened to it on the way. */
export interface Source {
  readonly field: string;
  readonly path: string;
  readonly treatment: 'asRecorded' | 'coarsened' | 'generalisedForRarity' | 'mapped' | 'droppedAsRare' | 'droppedNotAllowed' | 'droppedOverCap' | 'droppedByStatus' | 'rareByConsent';
  readonly recorded: string | null;
  readonly released: string | null;
}

export interface Past {
  readonly kind: 'approve' | 'decline' | 'too-sensitive' | 'delegate' | 'not-mine' | 'retract' | 'decline-retraction';
  readonly person: string;
  readonly reason: string | null;
  readonly decidedAt: string;
  readonly voidReason: string | null;
  readonly struck: readonly { readonly system: string; readonly code: string }[] | null;
}

export type Words = Readonly<Record<string, string>>;

/** What is known about a summary beside its bytes. */
export interface Notes {
  readonly words: Words;
  readonly history: readonly Past[];
  readonly replaces: Summary | null;
  readonly draft: { readonly sources?: readonly Source[]; readonly sensitiveCategories?: readonly string[]; readonly releasesRare?: boolean } | null;
}

/** A line of the queue as the API gives it. */
export interface QueueLine extends Notes {
  readonly id: string;
  readonly encounter: string;
  readonly patient: string;
  readonly reason: string | null;
  readonly queuedAt: string;
  /** It was left so long that its doctor is reminded of it. */
  readonly overdue: boolean;
  /** Whose it is, where another doctor has it in her place. */
  readonly for: { readonly name: string; readonly why: 'Absent' | 'Waited'; readonly until: string | null } | null;
  readonly payload: string | null;
}

export interface QueueAnswer {
  readonly items: readonly QueueLine[];
  readonly next: string | null;
  readonly waiting: number;
  /** Anchored summaries that the doctor is asked to take back. */
  readonly takingBack: number;
}

/** A line with what its bytes say. */
export interface Item {
  readonly line: QueueLine;
  /** Null where the bytes are not what they should be: it is shown as such and cannot be signed. */
  readonly summary: Summary | null;
}

export const toItem = (line: QueueLine): Item => ({ line, summary: line.payload === null ? null : readSummary(line.payload) });

export const wordOf = (item: { readonly system: string; readonly code: string }, words: Words): string => words[codeKey(item)] ?? item.code;

/** What a summary is called: its diagnoses. */
export const headline = (summary: Summary | null, words: Words, otherwise: string): string =>
  summary === null ? otherwise : summary.conditions.map((condition) => wordOf(condition, words)).join(', ');

export function waitsBecause({ replaces, history, reason }: QueueLine): TextKey[] {
  const why: TextKey[] = [];
  if (replaces !== null) why.push('because.replaces');
  if (history.at(-1)?.kind === 'delegate') why.push('because.delegated');
  if (history.some((past) => past.voidReason === 'RECALLED')) why.push('because.recalled');
  if (reason?.startsWith('DOCTOR_') === true) why.push('because.signature');
  if (why.length === 0) why.push('because.new');
  return why;
}

export type Change = 'added' | 'removed' | 'changed';

/** What this summary says differently from the one that it replaces: by field, and by code. */
export function changesOf(now: Summary, before: Summary | null): ReadonlyMap<string, Change> {
  const changes = new Map<string, Change>();
  if (before === null) return changes;
  for (const field of ['period', 'class', 'ageBand', 'sex', 'disposition'] as const) if (now[field] !== before[field]) changes.set(field, 'changed');
  const had = new Set([...before.conditions, ...before.treatments].map(codeKey));
  const has = new Set([...now.conditions, ...now.treatments].map(codeKey));
  for (const code of has) if (!had.has(code)) changes.set(code, 'added');
  for (const code of had) if (!has.has(code)) changes.set(code, 'removed');
  return changes;
}
