import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { call, get, Unreachable } from '../api';
import { useTexts } from '../texts';
import type { Certificates, Sum } from './live';

/** Whether every finished encounter of the server is accounted for. */
export function Reconciliation({ last }: { readonly last: Sum | null }) {
  const { t, number, time } = useTexts();
  const [past, setPast] = useState<readonly Sum[]>([]);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    get<{ items: readonly Sum[] }>('/api/operations/reconciliations?limit=10', true).then(({ items }) => current && setPast(items), () => undefined);
    return () => {
      current = false;
    };
  }, [last?.at]);

  const run = async () => {
    setBusy(true);
    setSaid(null);
    try {
      const { body } = await call<Partial<Sum>>('POST', '/api/operations/reconcile', {});
      if (body.at === undefined) setSaid(t('sum.busy'));
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setSaid(t('sum.failed'));
    }
    setBusy(false);
  };

  return (
    <section className="card stack tight" aria-labelledby="sum">
      <h2 id="sum">{t('sum.title')}</h2>
      {last === null ? <p className="soft">{t('sum.never')}</p> : (
        <>
          <p><span className={`tag ${last.difference === 0 ? 'good' : 'bad'}`}>{last.difference === 0 ? t('sum.good') : t('sum.difference', { n: number(last.difference) })}</span> <span className="soft small">{time(last.at)}</span></p>
          <dl className="counts">
            <div><dt>{t('sum.server')}</dt><dd>{number(last.serverFinished)}</dd></div>
            <div><dt>{t('sum.notEnrolled')}</dt><dd>{number(last.notEnrolled)}</dd></div>
            <div><dt>{t('sum.known')}</dt><dd>{number(last.known)}</dd></div>
            <div className="sum"><dt>{t('sum.unaccounted')}</dt><dd>{number(last.difference)}</dd></div>
          </dl>
          {last.scope === 'Enrolled' && <p className="soft small">{t('sum.enrolledOnly')}</p>}
        </>
      )}
      {past.length > 1 && (
        <details className="small">
          <summary>{t('sum.history')}</summary>
          <ol className="rows">{past.map((sum) => <li key={sum.at}>{t('sum.line', { time: time(sum.at), server: number(sum.serverFinished), n: number(sum.difference) })}</li>)}</ol>
        </details>
      )}
      <div><Button className="button" isDisabled={busy} onPress={() => void run()}>{t(busy ? 'sum.running' : 'sum.run')}</Button></div>
      {said !== null && <p role="alert" className="bad-text">{said}</p>}
    </section>
  );
}

/** What ends when. */
export function CertificateEnds({ certificates }: { readonly certificates: Certificates }) {
  const { t, word, date } = useTexts();
  const hidden = certificates.total - certificates.items.length;
  return (
    <section className="card stack tight" aria-labelledby="certificates">
      <h2 id="certificates">{t('certs.title')}</h2>
      <p>
        <span className={`tag ${certificates.expired > 0 ? 'bad' : certificates.expiring > 0 ? 'warn' : 'good'}`}>
          {certificates.expired > 0 ? t('certs.expired', { n: certificates.expired }) : certificates.expiring > 0 ? t('certs.expiring', { n: certificates.expiring }) : t('certs.good')}
        </span>
      </p>
      {!certificates.complete && <p className="soft small">{t('certs.incomplete')}</p>}
      <ul className="rows">
        {certificates.items.map((line) => (
          <li key={`${line.kind} ${line.name ?? ''} ${line.notAfter}`} className="row spread">
            <span>{word(`cert.${line.kind}`, line.kind)}{line.name !== null && <> {line.kind === 'doctor' ? <strong className="person">{line.name}</strong> : <code>{line.name}</code>}</>}</span>
            <span className="row">
              <span className="small">{date(line.notAfter)}</span>
              <span className={`tag ${line.state === 'GOOD' ? 'good' : line.state === 'EXPIRING' ? 'warn' : 'bad'}`}>{t(`certState.${line.state}`)}</span>
            </span>
          </li>
        ))}
      </ul>
      {hidden > 0 && <p className="soft small">{t('certs.more', { n: hidden })}</p>}
    </section>
  );
}
