import { useCallback, useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { call, get, post, Unreachable, type Outcome } from '../api';
import { Failure, Loading, Notice, Title } from '../parts';
import { useTexts } from '../texts';

interface Period {
  readonly id: number;
  readonly from: string;
  readonly until: string;
  readonly deputy: string;
  readonly standIn: string | null;
  readonly lasts: boolean;
}

interface Answer {
  readonly items: readonly Period[];
  readonly standingInFor: readonly { readonly doctor: string; readonly from: string; readonly until: string }[];
  readonly away: number;
  /** Whom she named for what she leaves too long. */
  readonly deputy: { readonly licence: string; readonly name: string; readonly maySign: boolean } | null;
  readonly deputyFor: readonly string[];
}

interface Colleague {
  readonly name: string;
  readonly licence: string;
}

/** A day as the form has it, as the moment when it begins here; `later` days on. */
const dawn = (day: string, later: number): string => {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  return new Date(year, month - 1, date + later).toISOString();
};

/** The last day of an absence: it ends when the next one begins. */
const lastDay = (until: string): number => new Date(until).getTime() - 1;

/** The doctor says when she is away and who has her queue meanwhile. */
export function Absence() {
  const { t, date, word } = useTexts();
  const [known, setKnown] = useState<Answer | null>(null);
  const [people, setPeople] = useState<readonly Colleague[]>([]);
  const [failed, setFailed] = useState(false);
  const [said, setSaid] = useState<{ readonly kind: 'good' | 'bad'; readonly text: string } | null>(null);
  const load = useCallback(async () => {
    const [answer, colleagues] = await Promise.all([get<Answer>('/api/absences'), get<{ readonly items: readonly Colleague[] }>('/api/colleagues')]);
    setKnown(answer);
    setPeople(colleagues.items);
  }, []);
  useEffect(() => {
    load().catch(() => setFailed(true));
  }, [load]);

  const act = async (path: string, body: unknown, good: string, method: 'POST' | 'PUT' = 'POST') => {
    try {
      const answer = method === 'PUT' ? await call<Outcome>('PUT', path, body) : await post<Outcome>(path, body);
      const done = answer.body.outcome === 'SET' || answer.body.outcome === 'ENDED';
      setSaid(done ? { kind: 'good', text: good } : { kind: 'bad', text: word(`absence.outcome.${answer.body.outcome}`, t('outcome.other', { code: answer.body.outcome })) });
      await load();
      return done;
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setSaid({ kind: 'bad', text: t('unreachable.text') });
      return false;
    }
  };

  if (failed) return <Failure again={() => { setFailed(false); load().catch(() => setFailed(true)); }} />;
  if (known === null) return <Loading />;
  return (
    <div className="narrow">
      <Title>{t('absence.title')}</Title>
      <p className="soft">{t('absence.lead')}</p>
      {said !== null && <Notice kind={said.kind} live><p>{said.text}</p></Notice>}
      {known.away > 0 && <p>{t('absence.away', { n: known.away })}</p>}
      <ul className="stack">
        {known.items.map((period) => (
          <li key={period.id} className="card stack tight">
            <p>
              <strong>{t('absence.period', { from: date(period.from), until: date(lastDay(period.until)) })}</strong>
              {period.lasts && <> <span className="tag accent">{t('absence.now')}</span></>}
            </p>
            <p>{t('absence.deputyIs', { deputy: period.deputy })}</p>
            {period.standIn === null
              ? <Notice kind="warn"><p>{t('absence.nobody', { deputy: period.deputy })}</p></Notice>
              : period.standIn !== period.deputy && <Notice kind="info"><p>{t('absence.chain', { deputy: period.deputy, standIn: period.standIn })}</p></Notice>}
            <div className="row"><Button className="button" onPress={() => void act(`/api/absences/${period.id}/end`, {}, t(period.lasts ? 'absence.over' : 'absence.calledOff'))}>
              {t(period.lasts ? 'absence.back' : 'absence.callOff')}
            </Button></div>
          </li>
        ))}
      </ul>
      <AbsenceForm people={people} set={(from, until, deputy) => act('/api/absences', { from: dawn(from, 0), until: dawn(until, 1), deputy }, t('absence.done'))} />
      <DeputyForm key={known.deputy?.licence ?? ''} people={people} deputy={known.deputy} set={(deputy) => void act('/api/absences/deputy', { deputy }, t(deputy === '' ? 'deputy.gone' : 'deputy.done'), 'PUT')} />
      {known.deputyFor.length > 0 && <p>{t('deputy.for', { doctors: known.deputyFor.join(', ') })}</p>}
      {known.standingInFor.length > 0 && (
        <section className="stack tight">
          <h2>{t('absence.standing')}</h2>
          <ul className="stack tight">
            {known.standingInFor.map(({ doctor, from, until }) => <li key={`${doctor} ${from}`}>{t('absence.standingFor', { doctor, from: date(from), until: date(lastDay(until)) })}</li>)}
          </ul>
        </section>
      )}
    </div>
  );
}

/** Whom she names for what she leaves too long, away or not. */
function DeputyForm({ people, deputy, set }: { readonly people: readonly Colleague[]; readonly deputy: Answer['deputy']; readonly set: (deputy: string) => void }) {
  const { t } = useTexts();
  const [chosen, choose] = useState(deputy?.licence ?? '');
  if (people.length === 0 && deputy === null) return null;
  return (
    <form className="card stack" onSubmit={(event) => { event.preventDefault(); set(chosen); }}>
      <h2>{t('deputy.title')}</h2>
      <p className="soft small">{t('deputy.lead')}</p>
      {deputy?.maySign === false && <Notice kind="warn"><p>{t('deputy.cannot', { deputy: deputy.name })}</p></Notice>}
      <div className="row end">
        <label className="field">
          <span>{t('deputy.who')}</span>
          <select value={chosen} onChange={(event) => choose(event.target.value)}>
            <option value="">{t('deputy.nobody')}</option>
            {deputy !== null && people.every((person) => person.licence !== deputy.licence) && <option value={deputy.licence}>{deputy.name}</option>}
            {people.map(({ name, licence }) => <option key={licence} value={licence}>{name}</option>)}
          </select>
        </label>
        <Button type="submit" className="button" isDisabled={chosen === (deputy?.licence ?? '')}>{t('deputy.set')}</Button>
      </div>
    </form>
  );
}

function AbsenceForm({ people, set }: { readonly people: readonly Colleague[]; readonly set: (from: string, until: string, deputy: string) => Promise<boolean> }) {
  const { t } = useTexts();
  const [from, setFrom] = useState('');
  const [until, setUntil] = useState('');
  const [deputy, setDeputy] = useState('');
  if (people.length === 0) return <p className="empty">{t('queue.noColleague')}</p>;
  const send = async () => {
    if (await set(from, until, deputy)) {
      setFrom('');
      setUntil('');
      setDeputy('');
    }
  };
  return (
    <form className="card stack" onSubmit={(event) => { event.preventDefault(); void send(); }}>
      <h2>{t('absence.new')}</h2>
      <div className="row">
        <label className="field"><span>{t('absence.from')}</span><input type="date" value={from} required onChange={(event) => setFrom(event.target.value)} /></label>
        <label className="field"><span>{t('absence.until')}</span><input type="date" value={until} min={from} required onChange={(event) => setUntil(event.target.value)} /></label>
        <label className="field">
          <span>{t('absence.deputy')}</span>
          <select value={deputy} required onChange={(event) => setDeputy(event.target.value)}>
            <option value="" />
            {people.map(({ name, licence }) => <option key={licence} value={licence}>{name}</option>)}
          </select>
        </label>
      </div>
      <div className="row"><Button type="submit" className="button primary">{t('absence.set')}</Button></div>
    </form>
  );
}
