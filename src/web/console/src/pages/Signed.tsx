import { useCallback, useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { readSummary } from '@bridge/shared/signing';
import { get, post, Unreachable, type Outcome } from '../api';
import { Failure, Loading, Notice, Title } from '../parts';
import { useTexts } from '../texts';
import { periodText } from './Fields';
import { Headline } from './Headline';
import { headline, type Words } from './queueModel';

interface Line {
  readonly id: string;
  readonly status: string;
  readonly person: string;
  readonly signedAt: string;
  readonly payload: string | null;
  readonly words: Words;
  /** Where the taking back of it stands; null where nobody asks for that. */
  readonly takingBack: string | null;
}

/** What the doctor signed: who, when, where it stands, and, until it leaves, a way to take it back. */
export function Signed() {
  const texts = useTexts();
  const { t, time, word, language } = texts;
  const [lines, setLines] = useState<readonly Line[] | null>(null);
  const [failed, setFailed] = useState(false);
  const [said, setSaid] = useState<{ readonly kind: 'good' | 'bad'; readonly text: string } | null>(null);
  const load = useCallback(async (background: boolean) => setLines((await get<{ items: Line[] }>('/api/cosign/signed?limit=100', background)).items), []);
  useEffect(() => {
    load(false).catch(() => setFailed(true));
    const timer = setInterval(() => void load(true).catch(() => undefined), 5000);
    return () => clearInterval(timer);
  }, [load, language]);

  const recall = async (id: string) => {
    try {
      const { body } = await post<Outcome>(`/api/cosign/${id}/recall`);
      setSaid(body.outcome === 'RECALLED' ? { kind: 'good', text: t('signed.recalled') } : { kind: 'bad', text: word(`outcome.${body.outcome}`, t('outcome.other', { code: body.outcome })) });
      await load(true);
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setSaid({ kind: 'bad', text: t('signed.unknown') });
    }
  };

  if (failed) return <Failure again={() => { setFailed(false); load(false).catch(() => setFailed(true)); }} />;
  if (lines === null) return <Loading />;
  return (
    <div className="narrow">
      <Title>{t('signed.title')}</Title>
      <p className="soft">{t('signed.lead')}</p>
      {said !== null && <Notice kind={said.kind} live><p>{said.text}</p></Notice>}
      {lines.length === 0 && <p className="empty">{t('signed.empty')}</p>}
      <ul className="stack">
        {lines.map((line) => {
          const summary = line.payload === null ? null : readSummary(line.payload);
          const what = headline(summary, line.words, t('signed.wiped'));
          return (
            <li key={line.id} className="card signed">
              <div>
                <p><strong><Headline summary={summary} words={line.words} otherwise={t('signed.wiped')} /></strong>{summary !== null && <span className="soft"> · {periodText(texts, summary.period)}</span>}</p>
                <p className="soft small">{t('signed.by', { person: line.person, time: time(line.signedAt) })}</p>
              </div>
              <span className={`tag ${line.status === 'Anchored' ? 'good' : line.status === 'Failed' ? 'bad' : 'accent'}`}>{word(`status.${line.status}`, line.status)}</span>
              {line.takingBack !== null && <span className="tag warn">{word(`takingBack.${line.takingBack}`, line.takingBack)}</span>}
              {line.status === 'CoSigned' && <Button className="button small" aria-label={t('signed.recallOf', { what })} onPress={() => void recall(line.id)}>{t('signed.recall')}</Button>}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
