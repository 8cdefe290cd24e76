import { useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Failure, Loading, Notice, Title } from '../parts';
import { Link } from '../shell';
import { useTexts, type TextKey } from '../texts';
import { Brief, Fields, History, periodText } from './Fields';
import { Headline } from './Headline';
import { InPlaceOf } from './InPlaceOf';
import { KeyTrouble } from './KeyTrouble';
import { DeclineForm, DelegateForm, Help } from './QueueForms';
import { headline, waitsBecause, type Item } from './queueModel';
import { useKeys } from './useKeys';
import { useQueue, type Queue as QueueState } from './useQueue';
import { useSingleKeys } from './useSingleKeys';

type Open = 'none' | 'decline' | 'delegate' | 'help';

const reasons: readonly TextKey[] = ['reason.wrong', 'reason.asked', 'reason.notReady'];

/** The doctor's queue: read, then approve, decline, strike, pass on. Nothing on the way that has to be clicked away. */
export function Queue() {
  const { t } = useTexts();
  const { signer, state: keys } = useKeys();
  const queue = useQueue(signer);
  const { items, current, at, chosen, said } = queue;
  const [open, setOpen] = useState<Open>('none');
  const [reading, setReading] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const toggleHelp = () => setOpen((old) => (old === 'help' ? 'none' : 'help'));

  // What was asked of one summary is not asked of the next.
  useEffect(() => setOpen((old) => (old === 'help' ? old : 'none')), [at]);
  const go = (by: number) => {
    queue.move(by);
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>('[aria-current="true"] .line-open')?.focus());
  };
  const single = useSingleKeys({
    j: { act: () => go(1), held: true },
    k: { act: () => go(-1), held: true },
    x: { act: () => { if (at !== null) queue.toggle(at); } },
    a: { act: () => void queue.approve() },
    d: { act: () => { if (current !== null) setOpen('decline'); } },
    '?': { act: toggleHelp },
    Escape: { act: () => { setOpen('none'); setReading(false); } },
  });

  if (queue.failed) return <Failure again={queue.reload} />;
  if (items === null) return <Loading />;

  return (
    <div className={`queue${reading && current !== null ? ' reading' : ''}`}>
      {/* Above both halves: on a small screen only one of them is seen. */}
      <div className="queue-said" aria-live="polite">
        {queue.inDoubt && <Notice kind="warn" live title={t('queue.inDoubtTitle')}><p>{t('queue.inDoubt')}</p></Notice>}
        {said !== null && <Notice kind={said.kind} live><p>{said.text}</p></Notice>}
        <KeyTrouble keys={keys} signer={signer} />
        {queue.takingBack > 0 && <Notice kind="warn"><p>{t('queue.takingBack', { n: queue.takingBack })} <Link to="/take-back">{t('queue.toTakingBack')}</Link></p></Notice>}
      </div>
      <section className="queue-list" aria-label={t('queue.list')}>
        <div className="queue-head">
          <Title>{t('queue.title')}</Title>
          <p className="soft" aria-live="polite">{t('queue.waiting', { n: queue.waiting })}</p>
          <Button className="button quiet small" onPress={toggleHelp} aria-expanded={open === 'help'}>{t('help')} {single.on && <kbd>?</kbd>}</Button>
        </div>
        {open === 'help' && <Help on={single.on} setOn={single.setOn} />}
        {items.length === 0 && <p className="empty">{t('queue.empty')}</p>}
        {items.length > 1 && (
          <label className="row small choose-all">
            <input type="checkbox" checked={chosen.size > 0 && chosen.size === items.length} onChange={(event) => queue.chooseAll(event.target.checked)} />
            {t('queue.chooseAll', { n: items.length })}
          </label>
        )}
        <ol ref={list} className="lines">
          {items.map((item) => <Line key={item.line.id} item={item} queue={queue} read={() => { queue.setAt(item.line.id); setReading(true); }} />)}
        </ol>
        {queue.next !== null && <Button className="button full" onPress={queue.more}>{t('queue.more')}</Button>}
      </section>

      <section className="queue-detail" aria-label={t('queue.detail')}>
        {current !== null && (
          <div className="queue-read">
            <Button className="button small back" onPress={() => setReading(false)}>{t('queue.back')}</Button>
            <Detail item={current} queue={queue} />
            {open === 'decline' && (
              <DeclineForm
                question={t('queue.declineWhy')} button={t('queue.declineButton')} reasons={reasons} busy={queue.busy}
                decline={(reason) => void queue.act('decline', { reason }, 'queue.declined', 'DECLINED')} cancel={() => setOpen('none')}
              />
            )}
            {open === 'delegate' && (
              <DelegateForm busy={queue.busy} send={(licence, note) => void queue.act('delegate', { licence, note }, 'queue.delegated', 'DELEGATED')} cancel={() => setOpen('none')} />
            )}
            {chosen.size > 0 && (
              <section className="stack chosen" aria-labelledby="chosen">
                <h2 id="chosen">{t('queue.batch', { n: queue.picked.length })}</h2>
                {queue.picked.map(({ line, summary }) => summary !== null && <Brief key={line.id} summary={summary} words={line.words} struck={queue.struckOf(line.id)} />)}
              </section>
            )}
          </div>
        )}
        {current !== null && <Acts item={current} queue={queue} canSign={signer !== null} keys={single.on} ask={setOpen} />}
      </section>
    </div>
  );
}

function Line({ item, queue, read }: { readonly item: Item; readonly queue: QueueState; readonly read: () => void }) {
  const texts = useTexts();
  const { t, age, word } = texts;
  const { line, summary } = item;
  const what = headline(summary, line.words, line.id);
  return (
    <li className="line" aria-current={line.id === queue.at}>
      <input type="checkbox" aria-label={t('queue.choose', { what })} checked={queue.chosen.has(line.id)} disabled={summary === null} onChange={() => queue.toggle(line.id)} />
      <button type="button" className="line-open" onClick={read}>
        <span className="line-what"><Headline summary={summary} words={line.words} otherwise={line.id} /></span>
        <span className="line-more soft small">
          {summary !== null && [periodText(texts, summary.period), word(`class.${summary.class}`, summary.class), t('years', { band: summary.ageBand }), word(`sex.${summary.sex}`, summary.sex)].join(' · ')}
        </span>
        <span className="line-tags">
          <span className="tag">{age(line.queuedAt, queue.now)}</span>
          {waitsBecause(line).map((why) => <span key={why} className="tag accent">{t(why)}</span>)}
          <InPlaceOf line={line} />
        </span>
      </button>
    </li>
  );
}

/** One summary with all that a doctor needs to decide. */
function Detail({ item, queue }: { readonly item: Item; readonly queue: QueueState }) {
  const { t, age } = useTexts();
  const { line, summary } = item;
  return (
    <article className="stack" data-summary={line.id}>
      <div className="detail-head">
        <h2><Headline summary={summary} words={line.words} otherwise={line.id} /></h2>
        <p className="soft small">{t('queue.of', { patient: line.patient, encounter: line.encounter, age: age(line.queuedAt, queue.now) })}</p>
        <History past={line.history} />
        {line.draft?.releasesRare === true && <Notice kind="warn"><p>{t('queue.rare')}</p></Notice>}
        {(line.draft?.sensitiveCategories ?? []).length > 0 && <Notice kind="warn"><p>{t('queue.sensitive')}</p></Notice>}
      </div>
      {summary === null
        ? <Notice kind="bad"><p>{t('queue.broken')}</p></Notice>
        : <Fields notes={line} summary={summary} struck={queue.struckOf(line.id)} strike={queue.strike} />}
    </article>
  );
}

interface ActsProps {
  readonly item: Item;
  readonly queue: QueueState;
  readonly canSign: boolean;
  readonly keys: boolean;
  readonly ask: (open: Open) => void;
}

function Acts({ item, queue, canSign, keys, ask }: ActsProps) {
  const { t, number } = useTexts();
  const { chosen, busy } = queue;
  const none = queue.picked.every((one) => one.summary === null);
  return (
    <div className="acts" role="group" aria-label={t('queue.acts')}>
      <Button className="button primary" isDisabled={busy || !canSign || none} onPress={() => void queue.approve()}>
        {chosen.size > 0 ? t('queue.approveMany', { n: chosen.size }) : t(queue.struckOf(item.line.id).size > 0 ? 'queue.approveStruck' : 'queue.approve')} {keys && <kbd>a</kbd>}
      </Button>
      <Button className="button" isDisabled={busy} onPress={() => ask('decline')}>{t('queue.decline')} {keys && <kbd>d</kbd>}</Button>
      <Button className="button" isDisabled={busy} onPress={() => void queue.act('too-sensitive', {}, 'queue.tooSensitiveDone', 'DECLINED')}>{t('queue.tooSensitive')}</Button>
      <Button className="button" isDisabled={busy} onPress={() => void queue.act('not-mine', {}, 'queue.rerouted', 'REROUTED')}>{t('queue.notMine')}</Button>
      <Button className="button" isDisabled={busy} onPress={() => ask('delegate')}>{t('queue.delegate')}</Button>
      {chosen.size > 0 && <span className="soft small">{t('queue.chosen', { n: chosen.size, total: number(queue.items?.length ?? 0) })}</span>}
    </div>
  );
}
