import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { readSummary, signRetraction, type Retraction, type RetractionReason } from '@bridge/shared/signing';
import { call, get, post, Unreachable, type Outcome } from '../api';
import { Failure, Loading, Notice, Title } from '../parts';
import { useSession } from '../session';
import { useTexts, type TextKey } from '../texts';
import { Fields, History } from './Fields';
import { KeyTrouble } from './KeyTrouble';
import { Headline } from './Headline';
import { InPlaceOf } from './InPlaceOf';
import { DeclineForm, DelegateForm } from './QueueForms';
import { headline, type Past, type QueueLine, type Words } from './queueModel';
import { useKeys } from './useKeys';
import { useUntilAnswered } from './useUntilAnswered';

type Why = 'EnteredInError' | 'WrongPatient' | 'Merged';

type Act = 'approve' | 'decline' | 'not-mine' | 'delegate';

interface Line extends Pick<QueueLine, 'for' | 'overdue'> {
  readonly id: string;
  readonly reason: Why;
  /** What the record system says; null where it says nothing more. */
  readonly because: string | null;
  readonly encounter: string | null;
  readonly patient: string | null;
  readonly since: string;
  readonly payload: string | null;
  readonly words: Words;
  readonly history: readonly Past[];
}

const reasons: Readonly<Record<Why, RetractionReason>> = { EnteredInError: 'ENTERED_IN_ERROR', WrongPatient: 'WRONG_PATIENT', Merged: 'MERGED' };
const declineReasons: readonly TextKey[] = ['reason.isRight', 'reason.sourceWrong'];

interface Said {
  readonly kind: 'good' | 'bad';
  readonly text: TextKey | { readonly code: string };
}

/** What stands on the ledger and must not: the doctor sees what and why, and takes it back under her signature, or says that it is right. */
export function Retractions() {
  const { t, word, language } = useTexts();
  const { place } = useSession();
  const { signer, state: keys } = useKeys();
  const [lines, setLines] = useState<readonly Line[] | null>(null);
  const [failed, setFailed] = useState(false);
  const [said, setSaid] = useState<Said | null>(null);
  const [busy, setBusy] = useState(false);
  const [doubt, setDoubt] = useState<string | null>(null);
  const working = useRef(false);
  const load = useCallback(async (background: boolean) => setLines((await get<{ items: Line[] }>('/api/retractions/queue?limit=200', background)).items), []);
  const reload = useCallback(() => {
    setFailed(false);
    load(false).catch(() => setFailed(true));
  }, [load]);
  useEffect(reload, [reload, language]);

  const finish = () => {
    working.current = false;
    setBusy(false);
  };
  const run = async (id: string, path: Act, good: TextKey, make: () => Promise<unknown>) => {
    if (working.current) return;
    working.current = true;
    setBusy(true);
    setSaid(null);
    let body: unknown;
    try {
      body = await make();
    } catch {
      setSaid({ kind: 'bad', text: 'queue.keyFailed' });
      finish();
      return;
    }
    try {
      const answer = await post<Outcome>(`/api/retractions/${id}/${path}`, body);
      setSaid(answer.status === 200 ? { kind: 'good', text: good } : { kind: 'bad', text: { code: answer.body.outcome } });
      await load(true).catch(() => setFailed(true));
      finish();
    } catch (fault) {
      if (fault instanceof Unreachable) {
        setDoubt(id);
        return;
      }
      finish();
      throw fault;
    }
  };

  useUntilAnswered(doubt, async (id) => {
    const { status, body } = await call<{ state?: string }>('GET', `/api/retractions/${id}`, undefined, true);
    await load(true);
    return () => {
      const waits = status === 200 && body.state === 'AwaitingCoSign';
      setSaid({ kind: waits ? 'bad' : 'good', text: waits ? 'queue.wasNotDone' : 'queue.wasDone' });
      setDoubt(null);
      finish();
    };
  });

  if (failed) return <Failure again={reload} />;
  if (lines === null) return <Loading />;
  const text = said === null ? '' : typeof said.text === 'string' ? t(said.text) : word(`outcome.${said.text.code}`, t('outcome.other', { code: said.text.code }));
  return (
    <div className="narrow">
      <Title>{t('retract.title')}</Title>
      <p className="soft">{t('retract.lead')}</p>
      {doubt !== null && <Notice kind="warn" live title={t('queue.inDoubtTitle')}><p>{t('queue.inDoubt')}</p></Notice>}
      {said !== null && <Notice kind={said.kind} live><p>{text}</p></Notice>}
      {lines.length > 0 && <KeyTrouble keys={keys} signer={signer} />}
      {lines.length === 0 && <p className="empty">{t('retract.empty')}</p>}
      {lines.map((line) => {
        // This very object is shown, and signed.
        const shown: Retraction = { v: 1, hospital: place.msp, id: line.id, reason: reasons[line.reason] };
        return (
          <TakeBack
            key={line.id} line={line} shown={shown} busy={busy} canSign={signer !== null}
            sign={() => {
              if (signer !== null) void run(line.id, 'approve', 'retract.signed', async () => {
                const { protected: header, signature } = await signRetraction(shown, signer.der, signer.key.keys);
                return { protected: header, signature };
              });
            }}
            decline={(reason) => void run(line.id, 'decline', 'retract.declined', () => Promise.resolve({ reason }))}
            notMine={() => void run(line.id, 'not-mine', 'queue.rerouted', () => Promise.resolve({}))}
            delegate={(licence, note) => void run(line.id, 'delegate', 'queue.delegated', () => Promise.resolve({ licence, note }))}
          />
        );
      })}
    </div>
  );
}

interface Props {
  readonly line: Line;
  readonly shown: Retraction;
  readonly busy: boolean;
  readonly canSign: boolean;
  readonly sign: () => void;
  readonly decline: (reason: string) => void;
  readonly notMine: () => void;
  readonly delegate: (licence: string, note: string) => void;
}

function TakeBack({ line, shown, busy, canSign, sign, decline, notMine, delegate }: Props) {
  const { t, age, word } = useTexts();
  const [asking, setAsking] = useState<'nothing' | 'why' | 'whom'>('nothing');
  const now = useMemo(() => Date.now(), []);
  const summary = line.payload === null ? null : readSummary(line.payload);
  const what = headline(summary, line.words, t('signed.wiped'));
  return (
    <article className="card stack" data-summary={line.id} aria-labelledby={`take-${line.id}`}>
      <div className="detail-head">
        <h2 id={`take-${line.id}`}><Headline summary={summary} words={line.words} otherwise={t('signed.wiped')} /></h2>
        <p className="line-tags">
          <span className="tag">{age(line.since, now)}</span>
          {line.history.at(-1)?.kind === 'delegate' && <span className="tag accent">{t('because.delegated')}</span>}
          <InPlaceOf line={line} />
        </p>
        {line.patient !== null && line.encounter !== null && <p className="soft small">{t('queue.of', { patient: line.patient, encounter: line.encounter, age: age(line.since, now) })}</p>}
        <History past={line.history} />
      </div>
      <Notice kind="warn" title={t(`retract.why.${line.reason}`)}>
        <p>{word(`retract.because.${line.because ?? ''}`, t(`retract.text.${line.reason}`))}</p>
      </Notice>
      <dl className="facts">
        <div className="fact"><dt>{t('retract.what')}</dt><dd><code>{shown.id}</code></dd></div>
        <div className="fact"><dt>{t('field.hospital')}</dt><dd><code>{shown.hospital}</code></dd></div>
        <div className="fact"><dt>{t('retract.reason')}</dt><dd><code>{shown.reason}</code> <span className="soft small">{t('retract.reasonLeaves')}</span></dd></div>
      </dl>
      {summary !== null && (
        <details>
          <summary>{t('retract.content')}</summary>
          <Fields notes={{ words: line.words, history: [], replaces: null, draft: null }} summary={summary} />
        </details>
      )}
      {asking === 'why' && (
        <DeclineForm question={t('retract.declineWhy')} button={t('retract.declineButton')} reasons={declineReasons} busy={busy} decline={decline} cancel={() => setAsking('nothing')} />
      )}
      {asking === 'whom' && <DelegateForm busy={busy} send={delegate} cancel={() => setAsking('nothing')} />}
      {asking === 'nothing' && (
        <div className="row">
          <Button className="button primary" isDisabled={busy || !canSign} aria-label={t('retract.signOf', { what })} onPress={sign}>{t('retract.sign')}</Button>
          <Button className="button" isDisabled={busy} aria-label={t('retract.declineOf', { what })} onPress={() => setAsking('why')}>{t('retract.decline')}</Button>
          <Button className="button" isDisabled={busy} aria-label={t('retract.notMineOf', { what })} onPress={notMine}>{t('queue.notMine')}</Button>
          <Button className="button" isDisabled={busy} aria-label={t('retract.delegateOf', { what })} onPress={() => setAsking('whom')}>{t('queue.delegate')}</Button>
        </div>
      )}
    </article>
  );
}
