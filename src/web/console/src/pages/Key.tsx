import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { base64, fromBase64, pem } from '@bridge/shared/bytes';
import { certificateRequest } from '@bridge/shared/certificateRequest';
import { forget, type StoredKey } from '@bridge/shared/keys';
import { signStatement } from '@bridge/shared/signing';
import { post, type Outcome } from '../api';
import { Loading, Notice, Said, Title } from '../parts';
import { useSession } from '../session';
import { useTexts, type TextKey } from '../texts';
import { KeyCard } from './KeyCard';
import { KeyMake } from './KeyMake';
import { troubleOf, useKeys, type Certificate, type KeyState } from './useKeys';

const good = ['REPORTED', 'QUEUED', 'ALREADY_QUEUED', 'WITHDRAWN'];

/** The doctor's signing keys, from their making to their end: made here, certified by people, used by this browser alone. */
export function Key() {
  const { t, date, time } = useTexts();
  const { me, place } = useSession();
  const { state, signer, reload } = useKeys();
  const [said, setSaid] = useState<TextKey | null>(null);
  if (state === null) return <Loading />;

  const ask = async (key: StoredKey) => {
    const answer = await post<Outcome>('/api/keys/requests', { request: base64(await certificateRequest(me.display, key.keys)) });
    setSaid(answer.body.outcome === 'TOO_MANY' ? 'key.tooMany' : null);
    reload();
  };
  const act = (work: Promise<{ readonly body: Outcome }>, text: TextKey) => {
    work.then(({ body }) => setSaid(good.includes(body.outcome) ? text : 'key.failed'), () => setSaid('key.failed')).finally(reload);
  };
  const revoke = (certificate: Certificate, key: StoredKey) =>
    act(
      signStatement(
        'bridge-doctor-revocation+jws',
        { v: 1, hospital: place.msp, handle: certificate.handle, thumbprint: certificate.thumbprint, reason: 'ended-by-doctor' },
        fromBase64(certificate.certificate),
        key.keys,
      ).then((statement) => post<Outcome>('/api/keys/revocations', { statement })),
      'key.ended',
    );
  const drop = async (key: StoredKey) => {
    // A request for a key that is gone would have the registrar certify what nobody can use.
    await post<Outcome>(`/api/keys/requests/${key.id}/withdraw`).catch(() => undefined);
    await forget(key.id);
    reload();
  };

  const trouble = troubleOf(state, signer);
  const here = new Map(state.stored.map((key) => [key.id, key]));
  const certified = new Set(state.certificates.map((certificate) => certificate.keyId));
  const pending = state.stored.filter((key) => !certified.has(key.id));
  const elsewhere = state.requests.filter((request) => request.state === 'Open' && !here.has(request.keyId) && !certified.has(request.keyId));
  const confirming = state.certificates.some((certificate) => certificate.standing === 'Pending' && here.has(certificate.keyId));
  const make = pending.length === 0 && !confirming && (signer === null || signer.certificate.expiring);

  return (
    <div className="narrow">
      <Title>{t('key.title')}</Title>
      {said !== null && <Notice kind={said === 'key.failed' || said === 'key.tooMany' ? 'bad' : 'good'} live><p>{t(said)}</p></Notice>}
      {signer !== null && (
        <Notice kind={signer.certificate.expiring ? 'warn' : 'good'} title={t('key.ready')}>
          <p>{t(signer.certificate.expiring ? (make ? 'key.expiring' : 'key.renewing') : 'key.readyText', { date: date(signer.certificate.notAfter) })}</p>
        </Notice>
      )}
      {trouble !== null && trouble.kind !== 'none' && trouble.kind !== 'waiting' && trouble.kind !== 'expiring' && (
        <Notice kind={trouble.kind === 'revoked' || trouble.kind === 'lost' ? 'bad' : 'warn'} title={t('queue.noKeyTitle')} live>
          <p>{t(`trouble.${trouble.kind}`, { date: trouble.kind === 'expired' ? date(trouble.at) : '' })}</p>
        </Notice>
      )}
      {pending.map((key) => (
        <Waiting key={key.id} stored={key} state={state} askAgain={() => void ask(key).catch(() => setSaid('key.failed'))} drop={() => void drop(key)} />
      ))}
      {elsewhere.map((request) => (
        <Notice key={request.keyId} kind="warn" title={t('key.asked.title')}>
          <p>{t('key.asked.text', { time: time(request.askedAt) })}</p>
          <p className="small">{t('key.fingerprint')} <code>{request.keyId}</code></p>
          <Button className="button small" onPress={() => act(post(`/api/keys/requests/${request.keyId}/withdraw`), 'key.takenBack')}>{t('key.takeBack')}</Button>
        </Notice>
      ))}
      {make && (
        <KeyMake
          owner={me.licence ?? me.name}
          title={signer !== null ? 'key.renew' : state.certificates.length === 0 ? 'key.make' : 'key.makeAnother'}
          why={signer !== null ? 'key.renewText' : trouble?.kind === 'elsewhere' ? 'key.secondText' : null}
          made={ask}
        />
      )}
      {state.certificates.length > 0 && (
        <section className="stack" aria-labelledby="all">
          <h2 id="all">{t('key.all')}</h2>
          <ul className="stack">
            {state.certificates.map((certificate) => (
              <KeyCard
                key={certificate.thumbprint}
                certificate={certificate}
                stored={here.get(certificate.keyId)}
                newer={signer !== null && here.has(certificate.keyId) && certificate.keyId !== signer.key.id}
                lost={() => act(post(`/api/keys/${certificate.thumbprint}/lost`), 'key.reported')}
                revoke={(key) => revoke(certificate, key)}
                drop={(key) => void drop(key)}
              />
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

/** A key that has no certificate yet: where its request stands, and the request itself for who carries it by hand. */
function Waiting({ stored, state, askAgain, drop }: { readonly stored: StoredKey; readonly state: KeyState; readonly askAgain: () => void; readonly drop: () => void }) {
  const { t, time } = useTexts();
  const { me } = useSession();
  const request = state.requests.find((candidate) => candidate.keyId === stored.id);
  const save = async () => download('request.csr.pem', pem('CERTIFICATE REQUEST', await certificateRequest(me.display, stored.keys)));
  if (request?.state === 'Declined' || request?.state === 'Withdrawn')
    return (
      <Notice kind="bad" title={t(request.state === 'Declined' ? 'key.declined' : 'key.takenBack')}>
        {request.reason !== null && <p><Said text={request.reason} /></p>}
        <Button className="button" onPress={drop}>{t('key.drop')}</Button>
      </Notice>
    );
  return (
    <Notice kind="info" title={t('key.waiting')} live>
      <p>{request === undefined ? t('key.notSent') : t('key.waitingText', { time: time(request.askedAt) })}</p>
      <p className="small">{t('key.fingerprint')} <code>{stored.id}</code></p>
      <div className="row">
        {request === undefined && <Button className="button primary" onPress={askAgain}>{t('key.send')}</Button>}
        <Button className="button" onPress={() => void save()}>{t('key.save')}</Button>
        <Button className="button quiet" onPress={drop}>{t('key.dropRequest')}</Button>
      </div>
    </Notice>
  );
}

/** Gives a text to the person as a file. */
export function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/octet-stream' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
