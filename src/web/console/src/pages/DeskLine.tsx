import { useEffect, useId, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Notice } from '../parts';
import { useTexts } from '../texts';
import { kindOf, standingOf, type Enrolment } from './deskModel';

/** The last day of a consent, which ends with that day in UTC: noon of it is the same day nearly everywhere. */
const lastDay = (until: string): number => Date.parse(until) - 12 * 3_600_000;

type Asked = 'none' | 'withdraw' | 'misused';

export interface Acts {
  readonly cancel: (enrolment: Enrolment) => void;
  readonly reissue: (enrolment: Enrolment) => void;
  readonly withdraw: (enrolment: Enrolment, request: string, codeMisused: boolean) => Promise<boolean>;
  readonly openAgain: (patient: string) => void;
}

/** One enrolment: where it stands, and what can be done about it. */
export function DeskLine({ enrolment, acts, busy, known }: { readonly enrolment: Enrolment; readonly acts: Acts; readonly busy: boolean; readonly known: string | null }) {
  const { t, time, date, word } = useTexts();
  const [asked, setAsked] = useState<Asked>('none');
  const standing = standingOf(enrolment, Date.now());
  const name = useId();
  const canWithdraw = standing === 'Enrolled' || standing === 'Lapsed' || standing === 'Enrolling';
  const canReissue = enrolment.state === 'Open' || enrolment.state === 'Cancelled' || enrolment.state === 'Expired' || enrolment.state === 'Failed';
  const dates: (string | null)[] = [
    t('desk.openedBy', { person: enrolment.openedBy, time: time(enrolment.openedAt) }),
    standing === 'Open' ? t('desk.codeUntil', { time: time(enrolment.expiresAt) }) : null,
    enrolment.enrolledAt === null ? null : t('desk.enrolledAt', { time: time(enrolment.enrolledAt) }),
    enrolment.consentUntil === null || enrolment.endedAt !== null ? null : t('desk.consentUntil', { date: date(lastDay(enrolment.consentUntil)) }),
    enrolment.withdrawalAskedAt === null ? null : t('desk.withdrawalAskedAt', { time: time(enrolment.withdrawalAskedAt) }),
    enrolment.endedAt === null ? null : t('desk.endedAt', { time: time(enrolment.endedAt) }),
  ];
  return (
    <li className="card stack tight enrolment" aria-labelledby={name} data-enrolment={enrolment.enrolment}>
      <div className="row">
        <h3 id={name}>{t('desk.line', { enrolment: String(enrolment.enrolment) })}</h3>
        <span className={`tag ${kindOf(standing)}`}>{t(`enrolment.${standing}`)}</span>
        {enrolment.guardian && <span className="tag">{t('desk.guardian')}</span>}
        <span>{enrolment.patient === null ? <span className="soft">{t('desk.forgotten')}</span> : <code>{`Patient/${enrolment.patient}`}</code>}</span>
      </div>
      <p>{t(`enrolment.${standing}.means`)}</p>
      <p className="soft small">{dates.filter((part) => part !== null).join(' · ')}</p>
      {enrolment.purposes.length > 0 && <p className="small">{t('desk.purposes')} {enrolment.purposes.map((purpose) => word(`purpose.${purpose.replace(':', '.')}`, purpose)).join(', ')}</p>}
      {enrolment.lastCode !== null && (enrolment.state === 'Open'
        ? <Notice kind="warn"><p>{t(enrolment.lastCode === 'UNKNOWN_NOTICE' ? 'desk.unknownNotice' : 'desk.badConsent')}</p></Notice>
        : <p className="small">{t('desk.trying')} <code>{enrolment.lastCode}</code></p>)}
      {standing === 'Failed' && enrolment.endReason !== null && <p className="small">{t('reason')} <code>{enrolment.endReason}</code></p>}
      {asked === 'none' ? (
        <div className="row">
          {canReissue && <Button className="button small" isDisabled={busy} onPress={() => acts.reissue(enrolment)}>{t('desk.reissue')}</Button>}
          {enrolment.state === 'Open' && <Button className="button small" isDisabled={busy} onPress={() => acts.cancel(enrolment)}>{t('desk.cancel')}</Button>}
          {canWithdraw && <Button className="button small" isDisabled={busy} onPress={() => setAsked('withdraw')}>{t('desk.withdraw')}</Button>}
          {(standing === 'Enrolled' || standing === 'Enrolling') && <Button className="button small" isDisabled={busy} onPress={() => setAsked('misused')}>{t('desk.misused')}</Button>}
          {enrolment.state === 'Withdrawn' && known !== null && <Button className="button small" onPress={() => acts.openAgain(known)}>{t('desk.openAgain')}</Button>}
        </div>
      ) : (
        <Ending kind={asked} busy={busy} back={() => setAsked('none')} end={(request) => {
          void acts.withdraw(enrolment, request, asked === 'misused').then((taken) => {
            if (taken) setAsked('none');
          });
        }} />
      )}
    </li>
  );
}

/** The second step of ending an enrolment: by what written word. */
function Ending({ kind, busy, back, end }: { readonly kind: 'withdraw' | 'misused'; readonly busy: boolean; readonly back: () => void; readonly end: (request: string) => void }) {
  const { t } = useTexts();
  const [request, setRequest] = useState('');
  const field = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  return (
    <form className="notice warn" onSubmit={(event) => { event.preventDefault(); end(request); }} onKeyDown={(event) => { if (event.key === 'Escape') back(); }}>
      <p className="notice-title">{t(`desk.${kind}.title`)}</p>
      <p>{t(`desk.${kind}.text`)}</p>
      <div className="field">
        <label htmlFor={field}>{t(`desk.${kind}.request`)}</label>
        <input ref={input} id={field} type="text" value={request} required maxLength={200} autoComplete="off" onChange={(event) => setRequest(event.target.value)} />
      </div>
      <div className="row">
        <Button type="submit" className="button danger small" isDisabled={busy}>{t(`desk.${kind}.button`)}</Button>
        <Button className="button small" onPress={back}>{t('cancel')}</Button>
      </div>
    </form>
  );
}
