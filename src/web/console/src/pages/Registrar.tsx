import { useCallback, useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { base64, fromPem } from '@bridge/shared/bytes';
import { get, post, Unreachable, type Outcome } from '../api';
import { Loading, Notice, Said, Title } from '../parts';
import { useSession } from '../session';
import { useTexts, type TextKey } from '../texts';
import { download } from './Key';
import { RegistrarPapers } from './RegistrarPapers';

interface Open {
  readonly items: readonly { readonly id: number; readonly display: string; readonly licence: string; readonly keyId: string; readonly pem: string; readonly askedAt: string }[];
  readonly lost: readonly { readonly handle: string; readonly name: string; readonly licence: string; readonly thumbprint: string; readonly lostAt: string }[];
}

interface Doctors {
  readonly items: readonly {
    readonly handle: string;
    readonly thumbprint: string;
    readonly name: string;
    readonly licence: string;
    readonly standing: string;
    readonly notAfter: string;
    readonly expiring: boolean;
    readonly revokedBecause: string | null;
  }[];
}

interface Tasks {
  readonly items: readonly { readonly task: number; readonly kind: string; readonly state: string; readonly lastCode: string | null }[];
}

type Kind = 'statement' | 'confirmation' | 'revocation';

/** The registrar's desk: takes requests away and brings statements back, which were signed on another machine. */
export function Registrar() {
  const { t, time, date } = useTexts();
  const { place } = useSession();
  const [open, setOpen] = useState<Open | null>(null);
  const [doctors, setDoctors] = useState<Doctors>({ items: [] });
  const [tasks, setTasks] = useState<Tasks>({ items: [] });
  const [said, setSaid] = useState<{ readonly kind: 'good' | 'bad'; readonly text: TextKey } | null>(null);

  const load = useCallback(async (background: boolean) => {
    const [requests, all, acts] = await Promise.all([
      get<Open>('/api/keys/requests', background), get<Doctors>('/api/doctors', background), get<Tasks>('/api/doctors/tasks', background),
    ]);
    setOpen(requests);
    setDoctors(all);
    setTasks(acts);
  }, []);
  useEffect(() => {
    const quietly = (background: boolean) => load(background).catch((fault: unknown) => {
      if (!(fault instanceof Unreachable)) throw fault;
    });
    void quietly(false);
    const timer = setInterval(() => void quietly(true), 3000);
    return () => clearInterval(timer);
  }, [load]);

  const hand = async (kind: Kind, statement: File | null, certificate: File | null) => {
    const jws = (await statement?.text())?.trim() ?? '';
    const der = certificate === null ? null : fromPem('CERTIFICATE', await certificate.text());
    const path = { statement: '/api/doctors', confirmation: '/api/doctors/confirmations', revocation: '/api/doctors/revocations' }[kind];
    try {
      const { status, body } = await post<Outcome>(path, { statement: jws, certificate: der === null ? '' : base64(der) });
      setSaid(status === 202 ? { kind: 'good', text: 'registrar.taken' } : { kind: 'bad', text: body.outcome === 'ALREADY_QUEUED' ? 'registrar.already' : 'registrar.notTaken' });
    } catch {
      setSaid({ kind: 'bad', text: 'unreachable.text' });
    }
    await load(true);
  };
  const decline = async (id: number, reason: string) => {
    const { status } = await post(`/api/keys/requests/${String(id)}/decline`, { reason });
    setSaid(status === 200 ? { kind: 'good', text: 'registrar.declined' } : { kind: 'bad', text: 'registrar.noReason' });
    await load(true);
  };

  if (open === null) return <Loading />;
  return (
    <div className="narrow">
      <Title>{t('registrar.title')}</Title>
      <p className="soft">{t('registrar.lead')}</p>
      {said !== null && <Notice kind={said.kind} live><p>{t(said.text)}</p></Notice>}
      {open.lost.map((lost) => (
        <Notice key={lost.thumbprint} kind="bad" title={t('registrar.lost', { name: lost.name })}>
          <p>{t('registrar.lostText', { time: time(lost.lostAt), licence: lost.licence })} <code>{lost.thumbprint}</code></p>
          <RegistrarPapers handle={lost.handle} name={lost.name} pending={false} />
        </Notice>
      ))}
      <section className="stack" aria-labelledby="requests">
        <h2 id="requests">{t('registrar.requests')}</h2>
        {open.items.length === 0 && <p className="soft">{t('registrar.none')}</p>}
        {open.items.map((request) => (
          <article key={request.id} className="card stack tight">
            <h3>{request.display}</h3>
            <p>{t('registrar.request', { licence: request.licence, time: time(request.askedAt) })}</p>
            <p className="small">{t('key.fingerprint')} <code>{request.keyId}</code></p>
            <div className="row">
              <Button className="button" onPress={() => download(`doctor-${String(request.id)}.csr.pem`, request.pem)}>{t('registrar.save')}</Button>
            </div>
            <details>
              <summary>{t('registrar.how')}</summary>
              <pre className="commands" tabIndex={0}>{commands(request.id, request.licence, place.msp)}</pre>
            </details>
            <Decline decline={(reason) => void decline(request.id, reason)} />
          </article>
        ))}
      </section>
      <section className="stack" aria-labelledby="bring">
        <h2 id="bring">{t('registrar.bring')}</h2>
        <HandIn kind="statement" hand={hand} />
        <HandIn kind="confirmation" hand={hand} />
        <HandIn kind="revocation" hand={hand} />
      </section>
      <section className="stack" aria-labelledby="acts">
        <h2 id="acts">{t('registrar.acts')}</h2>
        {tasks.items.length === 0 && <p className="soft">{t('registrar.noActs')}</p>}
        <ul className="stack tight">
          {tasks.items.slice(0, 20).map((task) => (
            <li key={task.task} className="row">
              <span className={`tag ${task.state === 'Done' ? 'good' : task.state === 'Refused' ? 'bad' : 'warn'}`}>{t(`act.${task.state as 'Done'}`)}</span>
              <span>{t(`act.${task.kind as 'Propose'}`)}</span>
              {task.lastCode !== null && <code>{task.lastCode}</code>}
            </li>
          ))}
        </ul>
      </section>
      <section className="stack" aria-labelledby="doctors">
        <h2 id="doctors">{t('registrar.doctors')}</h2>
        <ul className="stack tight">
          {doctors.items.map((doctor) => (
            <li key={doctor.thumbprint} className="stack tight" data-doctor={doctor.handle}>
              <div className="row">
                <strong>{doctor.name}</strong>
                <span>{doctor.licence}</span>
                <span className={`tag ${doctor.standing === 'Active' ? 'good' : doctor.standing === 'Pending' ? 'warn' : 'bad'}`}>{t(`standing.${doctor.standing as 'Active'}`)}</span>
                {doctor.expiring && doctor.standing === 'Active' && <span className="tag warn">{t('key.endsSoon')}</span>}
                <span className="soft small">{t('key.until', { date: date(doctor.notAfter) })} · {t('key.certificate')} <code>{doctor.thumbprint.slice(0, 12)}</code></span>
                {doctor.revokedBecause !== null && <span className="small"><Said text={doctor.revokedBecause} /></span>}
              </div>
              {doctor.standing !== 'Revoked' && <RegistrarPapers handle={doctor.handle} name={doctor.name} pending={doctor.standing === 'Pending'} />}
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}

/** The same in every language: what is typed. */
const commands = (id: number, licence: string, msp: string): string =>
  [
    `bridge ca issue --kind doctor --request doctor-${String(id)}.csr.pem --out doctor-${String(id)}.cert.pem`,
    `bridge registrar statement --hospital ${msp} --licence ${licence} --registry "…" --certificate doctor-${String(id)}.cert.pem \\`,
    `  --key registrar.key.pem --signer registrar.cert.pem --out doctor-${String(id)}.statement.jws`,
  ].join('\n');

function Decline({ decline }: { readonly decline: (reason: string) => void }) {
  const { t } = useTexts();
  const [reason, setReason] = useState('');
  return (
    <details>
      <summary>{t('registrar.decline')}</summary>
      <form className="row" onSubmit={(event) => { event.preventDefault(); decline(reason); }}>
        <label className="field">
          <span>{t('reason')}</span>
          <input type="text" value={reason} maxLength={400} required onChange={(event) => setReason(event.target.value)} />
        </label>
        <Button type="submit" className="button danger small">{t('registrar.declineButton')}</Button>
      </form>
    </details>
  );
}

function HandIn({ kind, hand }: { readonly kind: Kind; readonly hand: (kind: Kind, statement: File | null, certificate: File | null) => Promise<void> }) {
  const { t } = useTexts();
  const [statement, setStatement] = useState<File | null>(null);
  const [certificate, setCertificate] = useState<File | null>(null);
  return (
    <form className="card stack tight" onSubmit={(event) => { event.preventDefault(); void hand(kind, statement, certificate); }}>
      <h3>{t(`hand.${kind}`)}</h3>
      <p className="soft small">{t(`hand.${kind}.text`)}</p>
      <div className="row">
        <label className="field">
          <span>{t('hand.jws')}</span>
          <input type="file" accept=".jws,.txt" onChange={(event) => setStatement(event.target.files?.[0] ?? null)} />
        </label>
        {kind === 'statement' && (
          <label className="field">
            <span>{t('hand.certificate')}</span>
            <input type="file" accept=".pem,.crt,.cer" onChange={(event) => setCertificate(event.target.files?.[0] ?? null)} />
          </label>
        )}
      </div>
      <div>
        <Button type="submit" className="button" isDisabled={statement === null || (kind === 'statement' && certificate === null)}>{t(`hand.${kind}.button`)}</Button>
      </div>
    </form>
  );
}
