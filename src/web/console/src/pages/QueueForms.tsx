import { useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { get } from '../api';
import { Loading, Notice } from '../parts';
import { useTexts, type TextKey } from '../texts';

interface DeclineProps {
  readonly question: string;
  readonly button: string;
  readonly reasons: readonly TextKey[];
  readonly busy: boolean;
  readonly decline: (reason: string) => void;
  readonly cancel: () => void;
}

/** Asks why, in one's own words or in ready ones. */
export function DeclineForm({ question, button, reasons, busy, decline, cancel }: DeclineProps) {
  const { t } = useTexts();
  const [reason, setReason] = useState('');
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  return (
    <form className="card stack tight" onSubmit={(event) => { event.preventDefault(); decline(reason); }}>
      <label className="field">
        <span>{question}</span>
        <input ref={first} type="text" value={reason} maxLength={400} required autoComplete="off" onChange={(event) => setReason(event.target.value)} />
      </label>
      <div className="row">{reasons.map((key) => <Button key={key} className="button small" onPress={() => setReason(t(key))}>{t(key)}</Button>)}</div>
      <div className="row">
        <Button type="submit" className="button danger" isDisabled={busy}>{button}</Button>
        <Button className="button quiet" onPress={cancel}>{t('cancel')}</Button>
      </div>
    </form>
  );
}

/** Asks which colleague is to decide. */
export function DelegateForm({ busy, send, cancel }: { readonly busy: boolean; readonly send: (licence: string, note: string) => void; readonly cancel: () => void }) {
  const { t } = useTexts();
  const [people, setPeople] = useState<readonly { readonly name: string; readonly licence: string }[] | null>(null);
  const [licence, setLicence] = useState('');
  const [note, setNote] = useState('');
  const first = useRef<HTMLSelectElement>(null);
  useEffect(() => {
    get<{ items: { name: string; licence: string }[] }>('/api/colleagues').then(({ items }) => setPeople(items), () => setPeople([]));
  }, []);
  useEffect(() => first.current?.focus(), [people]);
  if (people === null) return <Loading />;
  if (people.length === 0) return <Notice kind="info" live><p>{t('queue.noColleague')}</p></Notice>;
  return (
    <form className="card stack tight" onSubmit={(event) => { event.preventDefault(); send(licence, note); }}>
      <label className="field">
        <span>{t('queue.colleague')}</span>
        <select ref={first} value={licence} required onChange={(event) => setLicence(event.target.value)}>
          {/* Nobody is chosen by itself: a hasty Enter would show a patient's record to whoever comes first in the alphabet. */}
          <option value="" />
          {people.map((person) => <option key={person.licence} value={person.licence}>{person.name} ({person.licence})</option>)}
        </select>
      </label>
      <label className="field">
        <span>{t('queue.note')}</span>
        <input type="text" value={note} maxLength={400} autoComplete="off" onChange={(event) => setNote(event.target.value)} />
      </label>
      <div className="row">
        <Button type="submit" className="button primary" isDisabled={busy}>{t('queue.send')}</Button>
        <Button className="button quiet" onPress={cancel}>{t('cancel')}</Button>
      </div>
    </form>
  );
}

/** What the single keys do, and a way to switch them off. */
export function Help({ on, setOn }: { readonly on: boolean; readonly setOn: (on: boolean) => void }) {
  const { t } = useTexts();
  const keys: readonly (readonly [string, TextKey])[] = [['j', 'help.j'], ['k', 'help.k'], ['x', 'help.x'], ['a', 'help.a'], ['d', 'help.d'], ['?', 'help.help']];
  return (
    <div className="card stack tight">
      <dl className="help">
        {keys.map(([key, text]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{t(text)}</dd></div>)}
      </dl>
      <label className="row small"><input type="checkbox" checked={on} onChange={(event) => setOn(event.target.checked)} />{t('help.on')}</label>
    </div>
  );
}
