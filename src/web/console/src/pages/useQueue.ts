import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { signSummary, without } from '@bridge/shared/signing';
import { call, get, post, Unreachable, type Outcome } from '../api';
import { useTexts, type TextKey } from '../texts';
import { toItem, type Item, type QueueAnswer } from './queueModel';
import type { Signer } from './useKeys';
import { useUntilAnswered } from './useUntilAnswered';

export interface Said {
  readonly kind: 'good' | 'bad' | 'info';
  readonly text: string;
}

/** An act whose answer never came: what it was about, and whether it was a signature. */
interface Doubt {
  readonly ids: readonly string[];
  readonly signing: boolean;
}

const none: ReadonlySet<string> = new Set();

/** The doctor's queue, what she does with it, and what is known of what she did. */
export function useQueue(signer: Signer | null) {
  const { t, word, language } = useTexts();
  const [items, setItems] = useState<readonly Item[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [waiting, setWaiting] = useState(0);
  const [takingBack, setTakingBack] = useState(0);
  const [failed, setFailed] = useState(false);
  const [at, setAt] = useState<string | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(none);
  const [struck, setStruck] = useState<ReadonlyMap<string, ReadonlySet<string>>>(new Map());
  const [said, setSaid] = useState<Said | null>(null);
  const [busy, setBusy] = useState(false);
  const [doubt, setDoubt] = useState<Doubt | null>(null);
  // At once, where a state would be seen only by the next rendering: a second key press must not act twice.
  const working = useRef(false);
  const loading = useRef<string | null>(null);
  const now = useMemo(() => Date.now(), [items]);

  const load = useCallback(async (after: string | null, background = false) => {
    if (after !== null && loading.current === after) return;
    loading.current = after;
    try {
      const answer = await get<QueueAnswer>(`/api/cosign/queue?limit=50${after === null ? '' : `&after=${after}`}`, background);
      const fresh = answer.items.map(toItem);
      setItems((old) => (after === null ? fresh : [...(old ?? []), ...fresh.filter((item) => old?.every((known) => known.line.id !== item.line.id) !== false)]));
      setNext(answer.next);
      setWaiting(answer.waiting);
      setTakingBack(answer.takingBack);
      if (after !== null) return;
      const ids = new Set(fresh.map((item) => item.line.id));
      setAt((old) => (old !== null && ids.has(old) ? old : (fresh[0]?.line.id ?? null)));
      // What is no longer shown is no longer chosen.
      setChosen((old) => new Set([...old].filter((id) => ids.has(id))));
    } finally {
      loading.current = null;
    }
  }, []);
  const reload = useCallback(() => {
    setFailed(false);
    load(null).catch(() => setFailed(true));
  }, [load]);
  // Titles of codes come in the reader's language.
  useEffect(reload, [reload, language]);

  const index = items?.findIndex((item) => item.line.id === at) ?? -1;
  const current = items?.[index] ?? null;
  const struckOf = (id: string): ReadonlySet<string> => struck.get(id) ?? none;
  const outcome = (code: string): string => word(`outcome.${code}`, t('outcome.other', { code }));
  const picked = (items ?? []).filter((item) => (chosen.size > 0 ? chosen.has(item.line.id) : item.line.id === at));

  /** Takes what is settled out of the list; the place moves on to the next line. */
  const settle = (ids: ReadonlySet<string>) => {
    const rest = (items ?? []).filter((item) => !ids.has(item.line.id));
    if (at !== null && ids.has(at)) {
      const after = (items ?? []).slice(index).find((item) => !ids.has(item.line.id));
      setAt((after ?? rest.at(-1))?.line.id ?? null);
    }
    setItems(rest);
    setWaiting((n) => Math.max(0, n - ids.size));
    setChosen((old) => new Set([...old].filter((id) => !ids.has(id))));
    if (rest.length === 0) reload();
  };

  const run = async (what: Doubt, work: () => Promise<void>) => {
    if (working.current) return;
    working.current = true;
    setBusy(true);
    setSaid(null);
    try {
      await work();
      working.current = false;
      setBusy(false);
    } catch (fault) {
      if (!(fault instanceof Unreachable)) {
        working.current = false;
        setBusy(false);
        throw fault;
      }
      // It may have been stored before the line broke. Nothing more is done until the bridge has said what holds.
      setDoubt(what);
    }
  };

  useUntilAnswered(doubt, async ({ ids, signing }) => {
    const found = [...(await standings(ids)).values()];
    await load(null, true);
    return () => {
      const count = (standing: Standing) => found.filter((one) => one === standing).length;
      const [signed, waits, gone] = [count('signed'), count('waits'), count('gone')];
      const parts = [signed > 0 ? t('queue.wasSigned', { n: signed }) : '', waits > 0 ? t('queue.wasNotSigned', { n: waits }) : '', gone > 0 ? t('queue.wasOther', { n: gone }) : ''];
      setSaid({
        kind: waits === 0 && (gone === 0 || !signing) ? 'good' : 'bad',
        text: signing ? parts.filter((text) => text !== '').join(' ') : t(waits > 0 ? 'queue.wasNotDone' : 'queue.wasDone'),
      });
      setDoubt(null);
      working.current = false;
      setBusy(false);
    };
  });

  const approve = () => {
    if (signer === null) {
      setSaid({ kind: 'bad', text: t('queue.noKey') });
      return Promise.resolve();
    }
    return run({ ids: picked.map((item) => item.line.id), signing: true }, async () => {
      const signed = [];
      try {
        for (const { line, summary } of picked)
          // The bytes are made from what stands on the page, struck codes left out.
          if (summary !== null) signed.push({ id: line.id, ...(await signSummary(without(summary, struckOf(line.id)), signer.der, signer.key.keys)) });
      } catch {
        setSaid({ kind: 'bad', text: t('queue.keyFailed') });
        return;
      }
      if (signed.length === 0) return;
      const { body } = await post<Outcome & { readonly items: readonly { readonly id: string; readonly outcome: string }[] }>('/api/cosign/approvals', { items: signed });
      const done = new Set(body.items.filter((item) => item.outcome === 'APPROVED').map((item) => item.id));
      const others = body.items.filter((item) => item.outcome !== 'APPROVED');
      settle(done);
      const why = others[0];
      if (why === undefined) setSaid({ kind: 'good', text: t('queue.approved', { n: done.size }) });
      else {
        setSaid({ kind: 'bad', text: `${done.size > 0 ? `${t('queue.approved', { n: done.size })} ` : ''}${t('queue.notApproved', { n: others.length })} ${outcome(why.outcome)}` });
        await load(null, true).catch(() => undefined);
      }
    });
  };

  /** What is done with one summary without a signature. */
  const act = (path: 'decline' | 'too-sensitive' | 'not-mine' | 'delegate', body: unknown, good: TextKey, expected: string) => {
    if (current === null) return Promise.resolve();
    const { id } = current.line;
    return run({ ids: [id], signing: false }, async () => {
      const answer = await post<Outcome>(`/api/cosign/${id}/${path}`, body);
      if (answer.body.outcome === expected) {
        settle(new Set([id]));
        setSaid({ kind: 'good', text: t(good) });
      } else {
        setSaid({ kind: 'bad', text: outcome(answer.body.outcome) });
        if (answer.status === 409 || answer.status === 404) await load(null, true).catch(() => undefined);
      }
    });
  };

  /** Goes to the line that far away; more of the queue is fetched before its end is reached. */
  const move = (by: number): void => {
    const to = items?.[Math.min(items.length - 1, Math.max(0, index + by))];
    if (items === null || to === undefined) return;
    setAt(to.line.id);
    if (next !== null && index + by >= items.length - 5) void load(next).catch(() => undefined);
  };
  const toggle = (id: string): void => setChosen((old) => {
    const fresh = new Set(old);
    if (!fresh.delete(id)) fresh.add(id);
    return fresh;
  });
  const chooseAll = (all: boolean): void => setChosen(all ? new Set((items ?? []).filter((item) => item.summary !== null).map((item) => item.line.id)) : none);
  const strike = (code: string): void => {
    if (current === null) return;
    const fresh = new Set(struckOf(current.line.id));
    if (!fresh.delete(code)) fresh.add(code);
    setStruck(new Map(struck).set(current.line.id, fresh));
  };
  const more = (): void => void load(next).catch(() => setFailed(true));

  return {
    items, next, waiting, takingBack, failed, reload, more, now, current, at, setAt, chosen, toggle, chooseAll, picked, struckOf, strike, said, outcome,
    busy, inDoubt: doubt !== null, approve, act, move,
  };
}

export type Queue = ReturnType<typeof useQueue>;

type Standing = 'waits' | 'signed' | 'gone';

/** What holds of these summaries now, by the bridge's own word. */
async function standings(ids: readonly string[]): Promise<ReadonlyMap<string, Standing>> {
  const signed = new Set((await get<{ items: readonly { id: string }[] }>('/api/cosign/signed?limit=200', true)).items.map((item) => item.id));
  const found = new Map<string, Standing>();
  for (const id of ids)
    if (signed.has(id)) found.set(id, 'signed');
    else {
      const { status, body } = await call<{ status?: string }>('GET', `/api/cosign/${id}`, undefined, true);
      found.set(id, status === 200 && body.status === 'AwaitingCoSign' ? 'waits' : 'gone');
    }
  return found;
}
