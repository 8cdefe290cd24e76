import { useCallback, useEffect, useMemo, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { get, post, Unreachable, type Outcome } from '../api';
import { Failure, Loading, Notice, Title } from '../parts';
import { useTexts } from '../texts';

/** Whose it was, and why she has it no longer. */
interface Before {
  readonly for: string | null;
  readonly why: 'Absent' | 'Waited' | null;
}

interface Line extends Before {
  readonly id: string;
  readonly class: string | null;
  readonly practitioner: string | null;
  readonly since: string;
}

/** The taking back of a summary that no doctor has, or that one declined, or that the ledger refused. */
interface TakingBack extends Before {
  readonly id: string;
  readonly reason: 'EnteredInError' | 'WrongPatient' | 'Merged';
  readonly state: 'AwaitingCoSign' | 'Declined' | 'Failed';
  readonly since: string;
}

interface Known {
  readonly lines: readonly Line[];
  readonly takingBack: readonly TakingBack[];
}

const most = 200;

/** The operator names a doctor where the source does not, and where one is asked anew. */
export function Assign() {
  const { t, word, age } = useTexts();
  const [known, setKnown] = useState<Known | null>(null);
  const [failed, setFailed] = useState(false);
  const [said, setSaid] = useState<{ readonly kind: 'good' | 'bad'; readonly text: string } | null>(null);
  const now = useMemo(() => Date.now(), [known]);
  const load = useCallback(async () => {
    const [lines, takingBack] = await Promise.all([
      get<{ items: Line[] }>(`/api/cosign/unassigned?limit=${String(most)}`), get<{ items: TakingBack[] }>(`/api/retractions/held?limit=${String(most)}`),
    ]);
    setKnown({ lines: lines.items, takingBack: takingBack.items });
  }, []);
  useEffect(() => {
    load().catch(() => setFailed(true));
  }, [load]);

  const assign = async (kind: 'cosign' | 'retractions', id: string, licence: string) => {
    try {
      const { body } = await post<Outcome>(`/api/${kind}/${id}/assign`, { licence });
      setSaid(body.outcome === 'ASSIGNED' ? { kind: 'good', text: t('assign.done') } : { kind: 'bad', text: word(`outcome.${body.outcome}`, t('outcome.other', { code: body.outcome })) });
      await load();
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setSaid({ kind: 'bad', text: t('unreachable.text') });
    }
  };

  if (failed) return <Failure again={() => { setFailed(false); load().catch(() => setFailed(true)); }} />;
  if (known === null) return <Loading />;
  const { lines, takingBack } = known;
  return (
    <div className="narrow">
      <Title>{t('assign.title')}</Title>
      <p className="soft">{t('assign.lead')}</p>
      {said !== null && <Notice kind={said.kind} live><p>{said.text}</p></Notice>}
      {lines.length === 0 && <p className="empty">{t('assign.empty')}</p>}
      <ul className="stack">
        {lines.map((line) => (
          <li key={line.id} className="card stack tight">
            <p><strong>{t('assign.line', { kind: word(`class.${line.class ?? ''}`, line.class ?? '–'), age: age(line.since, now) })}</strong></p>
            {line.practitioner !== null && <p className="soft small">{t('assign.practitioner', { id: line.practitioner })}</p>}
            <Was line={line} />
            <AssignForm assign={(licence) => void assign('cosign', line.id, licence)} />
          </li>
        ))}
      </ul>
      {lines.length === most && <p className="soft">{t('assign.more', { n: most })}</p>}
      {takingBack.length > 0 && (
        <section className="stack" aria-labelledby="taking-back">
          <h2 id="taking-back">{t('assign.takeBack')}</h2>
          <p className="soft">{t('assign.takeBackLead')}</p>
          <ul className="stack">
            {takingBack.map((line) => (
              <li key={line.id} className="card stack tight" data-summary={line.id}>
                <p><strong>{t('assign.takeBackLine', { why: t(`retract.why.${line.reason}`), age: age(line.since, now) })}</strong></p>
                <p className="row"><code className="soft small">{line.id}</code> <span className={`tag ${line.state === 'AwaitingCoSign' ? 'warn' : 'bad'}`}>{t(`assign.takeBack.${line.state}`)}</span></p>
                <Was line={line} />
                <AssignForm assign={(licence) => void assign('retractions', line.id, licence)} />
              </li>
            ))}
          </ul>
          {takingBack.length === most && <p className="soft">{t('assign.more', { n: most })}</p>}
        </section>
      )}
    </div>
  );
}

function Was({ line }: { readonly line: Before }) {
  const { t } = useTexts();
  return line.for === null ? null : <p className="soft small">{t(line.why === 'Absent' ? 'assign.absent' : 'assign.waited', { name: line.for })}</p>;
}

function AssignForm({ assign }: { readonly assign: (licence: string) => void }) {
  const { t } = useTexts();
  const [licence, setLicence] = useState('');
  return (
    <form className="row" onSubmit={(event) => { event.preventDefault(); assign(licence.trim()); }}>
      <label className="field">
        <span>{t('assign.licence')}</span>
        <input type="text" value={licence} required autoComplete="off" onChange={(event) => setLicence(event.target.value)} />
      </label>
      <Button type="submit" className="button">{t('assign.button')}</Button>
    </form>
  );
}
