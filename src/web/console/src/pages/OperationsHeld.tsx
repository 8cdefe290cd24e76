import { useCallback, useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { get, post, Unreachable, type Outcome } from '../api';
import { Notice } from '../parts';
import { useTexts } from '../texts';
import { useAge, type Count, type Standing } from './live';

interface Line {
  readonly row: number;
  readonly id: string;
  readonly class: string | null;
  readonly since: string;
  readonly rerun: boolean;
}

interface Page {
  readonly items: readonly Line[];
  readonly next: number | null;
}

/** A reason in words; codes of the ledger are the same in every language. */
export function useReason(): (reason: string) => string {
  const { word } = useTexts();
  return (reason) => {
    const setAside = /^SetAside\((\w+)\)$/.exec(reason)?.[1];
    return setAside === undefined ? word(`held.${reason}`, reason) : word(`setAside.${setAside}`, reason);
  };
}

/** What failed and what is withheld, by reason, and the way to run it again. */
export function Held({ standing, now }: { readonly standing: Standing; readonly now: number }) {
  const { t } = useTexts();
  const [said, setSaid] = useState<{ readonly kind: 'good' | 'bad'; readonly text: string } | null>(null);
  const groups = standing.states.filter(({ status }) => status === 'Failed' || status === 'Withheld').toSorted((a, b) => a.status.localeCompare(b.status) || b.count - a.count);
  return (
    <section className="card stack tight" aria-labelledby="held">
      <h2 id="held">{t('held.title')}</h2>
      <p className="soft small">{t('held.lead')}</p>
      {said !== null && <Notice kind={said.kind} live><p>{said.text}</p></Notice>}
      {groups.length === 0 && <p className="empty">{t('held.none')}</p>}
      {groups.map((group) => <Group key={`${group.status} ${group.reason ?? ''}`} group={group} now={now} say={setSaid} />)}
    </section>
  );
}

function Group({ group, now, say }: {
  readonly group: Count;
  readonly now: number;
  readonly say: (said: { readonly kind: 'good' | 'bad'; readonly text: string }) => void;
}) {
  const { t, word, number } = useTexts();
  const [open, setOpen] = useState(false);
  const reasonOf = useReason();
  const name = group.reason === null ? t('held.noReason') : reasonOf(group.reason);
  return (
    <details className="group" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span className={`tag ${group.status === 'Failed' ? 'bad' : 'warn'}`}>{word(`state.${group.status}`, group.status)}</span> {name} <strong>{number(group.count)}</strong>
      </summary>
      {open && <Lines group={group} name={name} now={now} say={say} />}
    </details>
  );
}

function Lines({ group, name, now, say }: {
  readonly group: Count;
  readonly name: string;
  readonly now: number;
  readonly say: (said: { readonly kind: 'good' | 'bad'; readonly text: string }) => void;
}) {
  const { t, word } = useTexts();
  const age = useAge(now);
  const [pages, setPages] = useState<readonly Page[]>([]);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [reason, setReason] = useState('');
  const { status, reason: why, count } = group;

  const read = useCallback(
    (after: number, background: boolean) =>
      get<Page>(`/api/operations/held?limit=50&after=${String(after)}&status=${encodeURIComponent(status)}&reason=${encodeURIComponent(why ?? '')}`, background),
    [status, why],
  );
  // Again whenever their number changes.
  useEffect(() => {
    let current = true;
    read(0, true).then(
      (page) => {
        if (!current) return;
        setPages([page]);
        setChosen((was) => new Set([...was].filter((row) => page.items.some((line) => line.row === row))));
      },
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [read, count]);

  const lines = pages.flatMap((page) => page.items);
  const choosable = lines.filter((line) => line.rerun);
  const next = pages.at(-1)?.next ?? null;
  const more = async () => {
    if (next === null) return;
    try {
      const page = await read(next, false);
      setPages((was) => [...was, page]);
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      say({ kind: 'bad', text: t('unreachable.text') });
    }
  };
  const choose = (row: number, on: boolean) => {
    const now_ = new Set(chosen);
    if (on) now_.add(row);
    else now_.delete(row);
    setChosen(now_);
  };
  const rerun = async () => {
    let done = 0;
    let refused = '';
    try {
      for (const row of chosen) {
        const { body } = await post<Outcome>(`/api/operations/summaries/${String(row)}/rerun`, { reason });
        if (body.outcome === 'RUNNING') done += 1;
        else refused = body.outcome;
      }
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      say({ kind: 'bad', text: t('unreachable.text') });
      return;
    }
    say(refused === '' ? { kind: 'good', text: t('held.running', { n: done }) } : { kind: 'bad', text: word(`outcome.${refused}`, t('outcome.other', { code: refused })) });
    setChosen(new Set());
    setReason('');
    setPages([await read(0, true)]);
  };

  return (
    <div className="stack tight">
      {choosable.length > 0 && (
        <form className="row end" onSubmit={(event) => { event.preventDefault(); void rerun(); }}>
          <label className="check">
            <input type="checkbox" checked={chosen.size > 0 && chosen.size === choosable.length} onChange={(event) => setChosen(new Set(event.target.checked ? choosable.map((line) => line.row) : []))} />
            <span>{t('held.all')}</span>
          </label>
          <label className="field grow">
            <span>{t('held.why')}</span>
            <input type="text" value={reason} maxLength={400} required onChange={(event) => setReason(event.target.value)} />
          </label>
          <Button type="submit" className="button primary" isDisabled={chosen.size === 0}>{t('held.rerun', { n: chosen.size })}</Button>
        </form>
      )}
      <ul className="rows" aria-label={name}>
        {lines.map((line) => (
          <li key={line.row}>
            <label className="check">
              {line.rerun && <input type="checkbox" checked={chosen.has(line.row)} onChange={(event) => choose(line.row, event.target.checked)} />}
              <span>{t('held.line', { row: line.row, kind: word(`class.${line.class ?? ''}`, line.class ?? '–'), age: age(line.since) })} <code className="soft">{line.id}</code></span>
            </label>
          </li>
        ))}
      </ul>
      {next !== null && <div><Button className="button small" onPress={() => void more()}>{t('queue.more')}</Button></div>}
    </div>
  );
}
