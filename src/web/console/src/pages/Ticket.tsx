import { useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { Language } from '@bridge/shared/text';
import { Notice } from '../parts';
import { textsIn, useTexts } from '../texts';
import { readNotice, type Form, type Opened } from './deskModel';
import { Qr } from './Qr';

/** The code just issued, ready to be printed. It lives in this page's memory only: once it is put away, nobody can show it again. */
export function Ticket({ opened, form, guardian, done }: { readonly opened: Opened; readonly form: Form; readonly guardian: boolean; readonly done: () => void }) {
  const { t, language } = useTexts();
  const [patients, setPatients] = useState<Language>(language);
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => head.current?.focus(), []);
  return (
    <div className="ticket">
      <div className="no-print stack">
        <h1 ref={head} tabIndex={-1}>{t('ticket.title', { enrolment: String(opened.enrolment) })}</h1>
        <Notice kind="warn" title={t('ticket.once')}>
          <p>{t('ticket.onceText')}</p>
          {form.page === null && <p>{t('ticket.noPage')}</p>}
        </Notice>
        <div className="row">
          <label className="field">
            <span>{t('ticket.language')}</span>
            <select value={patients} onChange={(event) => setPatients(event.target.value as Language)}>
              {form.notices.map((notice) => (
                <option key={notice.language} value={notice.language} lang={notice.language}>{t(`language.${notice.language as Language}`)}</option>
              ))}
            </select>
          </label>
          <Button className="button primary" onPress={() => print()}>{t('ticket.print')}</Button>
          <Button className="button" onPress={done}>{t('ticket.done')}</Button>
        </div>
      </div>
      <Sheet opened={opened} form={form} guardian={guardian} language={patients} />
    </div>
  );
}

/** The printed page, in the patient's language: the code, how to use it, and what the patient is asked to agree to. */
function Sheet({ opened, form, guardian, language }: { readonly opened: Opened; readonly form: Form; readonly guardian: boolean; readonly language: Language }) {
  const { t, time, date } = textsIn(language);
  const notice = form.notices.find((candidate) => candidate.language === language) ?? form.notices[0];
  const until = Date.now() + form.validDays * 86_400_000;
  const address = opened.address ?? `#${opened.fragment}`;
  return (
    <article className="sheet" lang={language} aria-label={t('sheet.title')}>
      <header className="sheet-head">
        <p className="sheet-hospital">{form.hospital}</p>
        <p className="sheet-number">{t('sheet.number', { enrolment: String(opened.enrolment) })}</p>
      </header>
      <section className="sheet-code">
        <div>
          <h2>{t('sheet.title')}</h2>
          <p className="ticket-code" data-code={opened.code}>{opened.code}</p>
          <p>{t('sheet.until', { time: time(opened.expiresAt) })}</p>
          {guardian && <p><strong>{t('sheet.guardian')}</strong></p>}
          <ol className="steps">
            <li>{form.page === null ? t('sheet.step1NoPage') : t('sheet.step1', { page: form.page })}</li>
            <li>{t('sheet.step2')}</li>
            <li>{t('sheet.step3')}</li>
          </ol>
        </div>
        <Qr text={address} label={t('sheet.qr')} />
      </section>
      <section className="sheet-facts">
        <dl>
          <div><dt>{t('sheet.recipients')}</dt><dd>{form.recipients.map((recipient) => (recipient.name === recipient.msp ? recipient.msp : `${recipient.name} (${recipient.msp})`)).join(', ')}</dd></div>
          <div><dt>{t('sheet.valid')}</dt><dd>{t('sheet.validText', { date: date(until) })}</dd></div>
          {notice !== undefined && <div><dt>{t('sheet.digest')}</dt><dd><code>{notice.digest}</code></dd></div>}
          <div>
            <dt>{t('sheet.trust')}</dt>
            <dd>
              {opened.caDigests.people.map((digest) => <code key={digest}>{t('sheet.trust.people')} {digest}</code>)}
              {opened.caDigests.bridge.map((digest) => <code key={digest}>{t('sheet.trust.bridge')} {digest}</code>)}
            </dd>
          </div>
        </dl>
      </section>
      {notice !== undefined && (
        <section className="sheet-notice">
          {readNotice(notice.text).map((line, i) =>
            line.kind === 'purpose' ? <p key={i} className={line.purpose === 'peers' ? 'purpose needed' : 'purpose'}><span className="tick-box" aria-hidden="true" />{line.text}</p>
            : line.kind === 'title' ? <h2 key={i}>{line.text}</h2>
            : line.kind === 'section' ? <h3 key={i}>{line.text}</h3>
            : <p key={i}>{line.text}</p>)}
        </section>
      )}
    </article>
  );
}
