import { useCallback, useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { get, post, Unreachable, type Outcome } from '../api';
import { Failure, Loading, Notice, Title } from '../parts';
import { useTexts, type TextKey } from '../texts';
import { DeskLine, type Acts } from './DeskLine';
import { DeskOpen } from './DeskOpen';
import type { Enrolment, EnrolmentState, Form, Opened } from './deskModel';
import { Ticket } from './Ticket';

const page = 20;
const most = 200;
const states: readonly EnrolmentState[] = ['Open', 'Enrolling', 'Enrolled', 'Withdrawing', 'Withdrawn', 'Cancelled', 'Expired', 'Lapsed', 'Failed'];

/** The enrolment desk: opens enrolments, prints codes, and sees them through to their end. No summary comes here. */
export function Desk() {
  const { t, word } = useTexts();
  const [form, setForm] = useState<Form | null>(null);
  const [lines, setLines] = useState<readonly Enrolment[]>([]);
  const [shown, setShown] = useState(page);
  const [state, setState] = useState<EnrolmentState | ''>('');
  const [issued, setIssued] = useState<{ readonly opened: Opened; readonly guardian: boolean } | null>(null);
  const [failed, setFailed] = useState(false);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<{ readonly kind: 'good' | 'bad'; readonly text: string } | null>(null);
  const [again, setAgain] = useState('');
  // Whose enrolment was ended here a moment ago: the server forgets her, and the clerk may want to open another for her.
  const ended = useRef(new Map<number, string>());

  const load = useCallback(async (background: boolean) => {
    const answer = await get<{ items: Enrolment[] }>(`/api/enrolments?newest=true&limit=${String(shown)}${state === '' ? '' : `&state=${state}`}`, background);
    setLines(answer.items);
  }, [shown, state]);
  const start = useCallback(async () => {
    setForm(await get<Form>('/api/enrolments/form'));
  }, []);
  useEffect(() => {
    start().catch(() => setFailed(true));
  }, [start]);
  useEffect(() => {
    load(false).catch(() => setFailed(true));
    const timer = setInterval(() => void load(true).catch(() => undefined), 3000);
    return () => clearInterval(timer);
  }, [load]);

  const run = async (work: () => Promise<boolean>): Promise<boolean> => {
    if (busy) return false;
    setBusy(true);
    setSaid(null);
    try {
      return await work();
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      // It may have been done before the line broke: the list below says what holds.
      setSaid({ kind: 'bad', text: t('desk.unknown') });
      return false;
    } finally {
      setBusy(false);
      void load(true).catch(() => undefined);
    }
  };
  const answered = (outcome: string, good: TextKey): boolean => {
    setSaid(outcome === 'DONE' ? { kind: 'good', text: t(good) } : { kind: 'bad', text: word(`desk.outcome.${outcome}`, t('outcome.other', { code: outcome })) });
    return outcome === 'DONE';
  };
  const acts: Acts = {
    cancel: (enrolment) => void run(async () => answered((await post<Outcome>(`/api/enrolments/${String(enrolment.enrolment)}/cancel`)).body.outcome, 'desk.cancelled')),
    reissue: (enrolment) => void run(async () => {
      const { body } = await post<Opened>(`/api/enrolments/${String(enrolment.enrolment)}/reissue`);
      if (body.outcome !== 'OPEN') return answered(body.outcome, 'desk.cancelled');
      setIssued({ opened: body, guardian: enrolment.guardian });
      return true;
    }),
    withdraw: (enrolment, request, codeMisused) => run(async () => {
      const { body } = await post<Outcome>(`/api/enrolments/${String(enrolment.enrolment)}/withdraw`, { request, codeMisused });
      const taken = body.outcome === 'DONE' || body.outcome === 'WAITING';
      if (taken && enrolment.patient !== null) ended.current.set(enrolment.enrolment, enrolment.patient);
      return answered(taken ? 'DONE' : body.outcome, body.outcome === 'WAITING' ? 'desk.withdrawalWaits' : 'desk.withdrawing');
    }),
    openAgain: (patient) => {
      setAgain(patient);
      scrollTo(0, 0);
    },
  };

  if (failed) return <Failure again={() => { setFailed(false); start().then(() => load(false)).catch(() => setFailed(true)); }} />;
  if (form === null) return <Loading />;
  if (issued !== null)
    return (
      <Ticket opened={issued.opened} guardian={issued.guardian} form={form} done={() => {
        setIssued(null);
        setAgain('');
        void load(true).catch(() => undefined);
      }} />
    );
  return (
    <div className="narrow">
      <Title>{t('desk.title')}</Title>
      <p className="soft">{t('desk.lead')}</p>
      <DeskOpen key={again} first={again} issued={(opened, guardian) => { setSaid(null); setIssued({ opened, guardian }); }} />
      {said !== null && <Notice kind={said.kind} live><p>{said.text}</p></Notice>}
      <section className="stack" aria-labelledby="enrolments">
        <div className="row desk-head">
          <h2 id="enrolments">{t('desk.enrolments')}</h2>
          <label className="row">
            <span>{t('desk.filter')}</span>
            <select value={state} onChange={(event) => { setState(event.target.value as EnrolmentState | ''); setShown(page); }}>
              <option value="">{t('desk.all')}</option>
              {states.map((one) => <option key={one} value={one}>{t(`enrolment.${one}`)}</option>)}
            </select>
          </label>
        </div>
        {lines.length === 0 && <p className="empty">{t('desk.empty')}</p>}
        <ul className="stack">
          {lines.map((line) => <DeskLine key={line.enrolment} enrolment={line} acts={acts} busy={busy} known={ended.current.get(line.enrolment) ?? null} />)}
        </ul>
        {lines.length === shown && shown < most && <div><Button className="button" onPress={() => setShown((n) => Math.min(most, n + page))}>{t('queue.more')}</Button></div>}
      </section>
    </div>
  );
}
