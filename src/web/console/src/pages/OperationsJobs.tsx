import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { get, Unreachable } from '../api';
import { useTexts } from '../texts';
import { useAge, type Job, type Stretch } from './live';

/** A length of time, in the unit that tells enough. */
export function useSpan(): (ms: number) => string {
  const { language } = useTexts();
  const of = (value: number, unit: string) => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
  return (ms) => (ms < 1000 ? of(ms, 'millisecond') : ms < 60_000 ? of(ms / 1000, 'second') : ms < 3_600_000 ? of(ms / 60_000, 'minute') : ms < 86_400_000 ? of(ms / 3_600_000, 'hour') : of(ms / 86_400_000, 'day'));
}

const tone = (outcome: string | undefined): string => (outcome === 'Failed' ? 'bad' : outcome === 'Done' ? 'good' : '');

/** What runs when, and how it went. */
export function Jobs({ jobs, now }: { readonly jobs: readonly Job[]; readonly now: number }) {
  const { t, word } = useTexts();
  const age = useAge(now);
  const span = useSpan();
  return (
    <section className="card stack tight" aria-labelledby="jobs">
      <h2 id="jobs">{t('jobs.title')}</h2>
      <ul className="rows">
        {jobs.map((job) => (
          <li key={job.job} className="job">
            <div className="row spread">
              <h3>{word(`job.${job.job}`, job.job)}</h3>
              <span className={`tag ${tone(job.last?.outcome)}`}>{job.runningSince !== null && job.everySeconds !== null ? t('jobs.running') : job.last === null ? t('jobs.never') : t(`jobs.${job.last.outcome}`)}</span>
            </div>
            <p className="soft small">
              {job.everySeconds === null ? t('jobs.always') : t('jobs.every', { span: span(job.everySeconds * 1000) })}
              {job.last !== null && <> · {t('jobs.last', { age: age(job.last.endedAt) })}</>}
            </p>
            {job.last !== null && job.last.fault !== null && <p className="small"><code lang="en">{job.last.fault}</code></p>}
            {job.everySeconds !== null && <History job={job.job} name={word(`job.${job.job}`, job.job)} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function History({ job, name }: { readonly job: string; readonly name: string }) {
  const { t } = useTexts();
  const [open, setOpen] = useState(false);
  return (
    <details className="small" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary aria-label={t('jobs.historyOf', { job: name })}>{t('jobs.history')}</summary>
      {open && <Runs job={job} />}
    </details>
  );
}

interface Page {
  readonly items: readonly Stretch[];
  readonly next: number | null;
}

function Runs({ job }: { readonly job: string }) {
  const { t, time, number } = useTexts();
  const span = useSpan();
  const [pages, setPages] = useState<readonly Page[]>([]);
  const [failed, setFailed] = useState(false);
  const read = async (before: number | null) => {
    try {
      const page = await get<Page>(`/api/operations/jobs?limit=20&job=${encodeURIComponent(job)}${before === null ? '' : `&before=${String(before)}`}`);
      setPages((was) => (before === null ? [page] : [...was, page]));
      setFailed(false);
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setFailed(true);
    }
  };
  useEffect(() => void read(null), [job]);
  const next = pages.at(-1)?.next ?? null;
  return (
    <>
      {failed && <p role="alert" className="bad-text">{t('unreachable.text')}</p>}
      <ol className="rows runs">
        {pages.flatMap((page) => page.items).map((stretch) => (
          <li key={stretch.id}>
            <span className={`tag ${tone(stretch.outcome)}`}>{t(`jobs.${stretch.outcome}`)}</span>{' '}
            {stretch.runs === 1
              ? t('jobs.one', { time: time(stretch.beganAt), span: span(stretch.totalMs) })
              : t('jobs.several', { from: time(stretch.beganAt), to: time(stretch.endedAt), runs: number(stretch.runs), span: span(stretch.totalMs), longest: span(stretch.longestMs) })}
            {stretch.fault !== null && <> <code lang="en">{stretch.fault}</code></>}
          </li>
        ))}
      </ol>
      {next !== null && <Button className="button small" onPress={() => void read(next)}>{t('queue.more')}</Button>}
    </>
  );
}
