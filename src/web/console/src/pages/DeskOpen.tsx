import { useId, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { post, Unreachable } from '../api';
import { Notice } from '../parts';
import { useTexts } from '../texts';
import type { Found, FoundPatient, Opened } from './deskModel';

/** Finds the patient who stands at the desk, and opens an enrolment for her. */
export function DeskOpen({ first, issued }: { readonly first: string; readonly issued: (opened: Opened, guardian: boolean) => void }) {
  const { t, word } = useTexts();
  const [text, setText] = useState(first);
  const [found, setFound] = useState<Found | null>(null);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  const field = useId();

  const run = async (work: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setSaid(null);
    try {
      await work();
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setSaid(t('unreachable.text'));
    } finally {
      setBusy(false);
    }
  };
  const outcome = (code: string): string => word(`desk.outcome.${code}`, t('outcome.other', { code }));
  const look = () => run(async () => {
    setFound(null);
    const { body } = await post<Found>('/api/enrolments/patients', { patient: text });
    if (body.outcome === 'FOUND') setFound(body);
    else setSaid(outcome(body.outcome));
  });
  const open = (patient: string, guardian: boolean) => run(async () => {
    const { body } = await post<Opened>('/api/enrolments', { patient, guardian });
    if (body.outcome === 'OPEN') issued(body, guardian);
    else setSaid(outcome(body.outcome));
  });

  return (
    <section className="card stack no-print" aria-labelledby={`${field}-head`}>
      <h2 id={`${field}-head`}>{t('desk.open')}</h2>
      <form className="row desk-look" onSubmit={(event) => { event.preventDefault(); void look(); }}>
        <div className="field">
          <label htmlFor={field}>{t('desk.patient')}</label>
          <input id={field} type="text" value={text} required maxLength={200} autoComplete="off" spellCheck={false} onChange={(event) => setText(event.target.value)} aria-describedby={`${field}-hint`} />
        </div>
        <Button type="submit" className="button primary" isDisabled={busy}>{t('desk.look')}</Button>
      </form>
      <p id={`${field}-hint`} className="soft small">{t('desk.patientHint')}</p>
      {said !== null && <Notice kind="bad" live><p>{said}</p></Notice>}
      {found !== null && (
        <div className="stack" aria-live="polite">
          <p>{t('desk.found', { n: found.items.length })}</p>
          {found.more && <p className="soft">{t('desk.foundMore')}</p>}
          <ul className="stack">
            {found.items.map((patient) => <Person key={patient.patient} patient={patient} busy={busy} open={(guardian) => void open(patient.patient, guardian)} />)}
          </ul>
        </div>
      )}
    </section>
  );
}

function Person({ patient, busy, open }: { readonly patient: FoundPatient; readonly busy: boolean; readonly open: (guardian: boolean) => void }) {
  const { t, word } = useTexts();
  const [guardian, setGuardian] = useState(false);
  const group = useId();
  return (
    <li className="person-card stack tight">
      <dl className="person-facts">
        <div><dt>{t('desk.name')}</dt><dd><strong>{patient.name ?? t('desk.noName')}</strong></dd></div>
        <div><dt>{t('desk.birthDate')}</dt><dd>{patient.birthDate ?? '–'}</dd></div>
        <div><dt>{t('field.sex')}</dt><dd>{patient.sex === null ? '–' : word(`sex.${patient.sex}`, patient.sex)}</dd></div>
        {patient.identifiers.length > 0 && <div><dt>{t('desk.identifiers')}</dt><dd>{patient.identifiers.join(', ')}</dd></div>}
        <div><dt>{t('desk.reference')}</dt><dd><code>{`Patient/${patient.patient}`}</code></dd></div>
      </dl>
      {!patient.inUse && <Notice kind="warn"><p>{t('desk.notInUse')}</p></Notice>}
      {patient.enrolment === null ? (
        <>
          <fieldset className="stack tight">
            <legend>{t('desk.forWhom')}</legend>
            <label className="choice"><input type="radio" name={group} checked={!guardian} onChange={() => setGuardian(false)} /> {t('desk.forSelf')}</label>
            <label className="choice"><input type="radio" name={group} checked={guardian} onChange={() => setGuardian(true)} /> {t('desk.forOther')}</label>
          </fieldset>
          <div>
            <Button className="button primary" isDisabled={busy} onPress={() => open(guardian)}>{t('desk.openButton')}</Button>
          </div>
        </>
      ) : (
        <p>{t('desk.hasOne', { enrolment: String(patient.enrolment.id), state: t(`enrolment.${patient.enrolment.state}`) })}</p>
      )}
    </li>
  );
}
