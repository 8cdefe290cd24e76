import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { post, Unreachable, type Outcome } from '../api';
import { Notice, Said, Title } from '../parts';
import { go } from '../route';
import { useTexts } from '../texts';
import { Held, useReason } from './OperationsHeld';
import { Jobs } from './OperationsJobs';
import { CertificateEnds, Reconciliation } from './OperationsSums';
import { useAge, useLive, useNow, type Check, type Link, type Standing, type Waiting } from './live';

/** How the bridge is doing, live; no patient is to be seen here. */
export function Operations() {
  const { t } = useTexts();
  const live = useLive();
  const now = useNow();
  return (
    <div className="wide">
      <div className="ops-head">
        <Title>{t('ops.title')}</Title>
        <LinkState link={live.link} />
      </div>
      {live.standing !== null && <Pause standing={live.standing} />}
      {live.health !== null && <Health checks={live.health} />}
      {live.standing === null ? (
        live.link.at !== 'lost' && <p className="loading soft" role="status">{t('loading')}</p>
      ) : (
        <>
          <Figures standing={live.standing} now={now} />
          <div className="ops-columns">
            <States standing={live.standing} />
            <Reconciliation last={live.standing.reconciliation} />
          </div>
          <Held standing={live.standing} now={now} />
        </>
      )}
      <div className="ops-columns">
        {live.jobs !== null && <Jobs jobs={live.jobs} now={now} />}
        {live.certificates !== null && <CertificateEnds certificates={live.certificates} />}
      </div>
    </div>
  );
}

/** Whether what is shown is of now; where not, since when. */
export function LinkState({ link }: { readonly link: Link }) {
  const { t, language } = useTexts();
  const clock = new Intl.DateTimeFormat(language, { timeStyle: 'medium' });
  if (link.at === 'lost')
    return (
      <Notice kind="bad" title={t('ops.lost', { time: clock.format(link.since) })} live>
        <p>{t('ops.lostText')}</p>
      </Notice>
    );
  return (
    <p className={`tag ${link.at === 'live' ? 'good' : ''}`} role="status">
      {t(link.at === 'live' ? 'ops.live' : 'ops.connecting')}
    </p>
  );
}

function Pause({ standing }: { readonly standing: Standing }) {
  const { t, time } = useTexts();
  const [reason, setReason] = useState('');
  const [open, setOpen] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  const { on, since, by, reason: why } = standing.pause;

  const act = async () => {
    try {
      const { status } = await post<Outcome>(`/api/operations/${on ? 'resume' : 'pause'}`, { reason });
      setSaid(status === 200 ? null : t('outcome.NO_REASON'));
      if (status === 200) {
        setReason('');
        setOpen(false);
      }
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setSaid(t('unreachable.text'));
    }
  };

  return (
    <section className={`card stack tight ops-pause ${on ? 'on' : ''}`} aria-labelledby="pause">
      <div className="row spread">
        <div>
          <h2 id="pause">{on ? t('pause.paused') : t('pause.runs')}</h2>
          {since !== null && <p className="small">{t(on ? 'pause.since' : 'pause.resumed', { time: time(since), person: by ?? '–' })} {why !== null && <Said text={why} />}</p>}
        </div>
        <Button className={`button ${on ? 'primary' : ''}`} aria-expanded={open} onPress={() => setOpen(!open)}>{t(on ? 'pause.resume' : 'pause.pause')}</Button>
      </div>
      {open && (
        <form className="row end" onSubmit={(event) => { event.preventDefault(); void act(); }}>
          <label className="field grow">
            <span>{t('reason')}</span>
            <input type="text" value={reason} maxLength={400} required autoFocus onChange={(event) => setReason(event.target.value)} />
          </label>
          <Button type="submit" className={`button ${on ? 'primary' : 'danger'}`}>{t(on ? 'pause.resumeNow' : 'pause.pauseNow')}</Button>
          <p className="soft small full">{t(on ? 'pause.resumeText' : 'pause.pauseText')}</p>
        </form>
      )}
      {said !== null && <p role="alert" className="bad-text">{said}</p>}
    </section>
  );
}

function Health({ checks }: { readonly checks: readonly Check[] }) {
  const { t, word, time } = useTexts();
  return (
    <section aria-labelledby="health" className="stack tight">
      <h2 id="health">{t('health.title')}</h2>
      <ul className="ops-tiles">
        {checks.map((check) => (
          <li key={check.name} className={`card tile ${check.ready ? '' : 'bad'}`}>
            <h3>{word(`health.${check.name}`, check.name)}</h3>
            <p><span className={`tag ${check.ready ? 'good' : 'bad'}`}>{t(check.ready ? 'health.good' : 'health.bad')}</span></p>
            <p className="small">{word(`healthCode.${check.code}`, check.code)}</p>
            <p className="soft small">{t('health.since', { time: time(check.since) })}</p>
            {check.detail !== null && (
              <details className="small">
                <summary>{t('health.detail')}</summary>
                <code lang="en">{check.detail}</code>
              </details>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Figures({ standing, now }: { readonly standing: Standing; readonly now: number }) {
  const { t, number, time } = useTexts();
  const age = useAge(now);
  const oldest = (waiting: Waiting) => (waiting.oldest === null ? t('figure.none') : t('figure.oldest', { age: age(waiting.oldest) }));
  const ended = standing.statusListUntil !== null && new Date(standing.statusListUntil).getTime() <= now;
  return (
    <section aria-labelledby="figures" className="stack tight">
      <h2 id="figures">{t('figure.title')}</h2>
      <ul className="ops-tiles">
        <Figure name={t('figure.cursor')} value={standing.cursorCommitted === null ? '–' : age(standing.cursorCommitted)} note={standing.cursorAt === null ? t('figure.noCursor') : t('figure.cursorAt', { time: time(standing.cursorAt) })} />
        <Figure name={t('figure.doctors')} value={number(standing.awaitingDoctor.count)} note={oldest(standing.awaitingDoctor)} />
        <Figure name={t('figure.unassigned')} value={number(standing.withoutDoctor.count)} note={oldest(standing.withoutDoctor)} warn={standing.withoutDoctor.count > 0}>
          {standing.withoutDoctor.count > 0 && <Button className="button small" onPress={() => go('/assign')}>{t('figure.assign')}</Button>}
        </Figure>
        {standing.retractionsHeld.count > 0 && (
          <Figure name={t('figure.retractionsHeld')} value={number(standing.retractionsHeld.count)} note={oldest(standing.retractionsHeld)} warn>
            <Button className="button small" onPress={() => go('/assign')}>{t('figure.assign')}</Button>
          </Figure>
        )}
        <Figure name={t('figure.anchors')} value={number(standing.anchorsQueued.count)} note={oldest(standing.anchorsQueued)} />
        <Figure name={t('figure.sent')} value={number(standing.anchorsSent.count)} note={oldest(standing.anchorsSent)} />
        <Figure name={t('figure.anchorsFailed')} value={number(standing.anchorsFailed)} warn={standing.anchorsFailed > 0} />
        <Figure name={t('figure.notices')} value={number(standing.notices.count)} note={standing.eventsCommitted === null ? t('figure.noEvents') : t('figure.heard', { age: age(standing.eventsCommitted) })} />
        <Figure name={t('figure.sweeps')} value={number(standing.sweeps.count)} note={oldest(standing.sweeps)} />
        <Figure
          name={t('figure.statusList')} value={standing.statusListUntil === null ? '–' : t(ended ? 'certState.EXPIRED' : 'certState.GOOD')} warn={ended}
          note={standing.statusListUntil === null ? t('figure.noStatusList') : t(ended ? 'figure.ended' : 'figure.until', { time: time(standing.statusListUntil) })}
        />
      </ul>
    </section>
  );
}

function Figure({ name, value, note, warn, children }: {
  readonly name: string;
  readonly value: string;
  readonly note?: string;
  readonly warn?: boolean;
  readonly children?: React.ReactNode;
}) {
  return (
    <li className={`card tile ${warn ? 'warn' : ''}`}>
      <h3>{name}</h3>
      <p className="figure">{value}</p>
      {note !== undefined && <p className="soft small">{note}</p>}
      {children}
    </li>
  );
}

function States({ standing }: { readonly standing: Standing }) {
  const { t, word, number } = useTexts();
  const totals = new Map<string, number>();
  for (const { status, count } of standing.states) totals.set(status, (totals.get(status) ?? 0) + count);
  return (
    <section className="card stack tight" aria-labelledby="states">
      <h2 id="states">{t('states.title', { n: number(standing.known) })}</h2>
      {totals.size === 0 && <p className="soft">{t('states.none')}</p>}
      <dl className="counts">
        {[...totals].map(([status, count]) => (
          <div key={status}><dt>{word(`state.${status}`, status)}</dt><dd>{number(count)}</dd></div>
        ))}
      </dl>
      <More title={t('states.leaving')} counts={standing.leaving} />
      <More title={t('states.retractions')} counts={standing.retractions} />
      <More title={t('states.enrolments')} counts={standing.enrolments} />
    </section>
  );
}

/** What stands beside the encounters, where there is any. */
function More({ title, counts }: { readonly title: string; readonly counts: Standing['leaving'] }) {
  const { word, number } = useTexts();
  const reasonOf = useReason();
  if (counts.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <dl className="counts">
        {counts.map(({ status, reason, count }) => (
          <div key={`${status} ${reason ?? ''}`}>
            <dt>{word(`state.${status}`, status)}{reason !== null && <> <span className="soft">{reasonOf(reason)}</span></>}</dt>
            <dd>{number(count)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
