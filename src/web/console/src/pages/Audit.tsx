import { useCallback, useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { get, Unreachable } from '../api';
import { Loading, Notice, Title } from '../parts';
import { useTexts } from '../texts';
import { LinkState } from './Operations';
import { useLive } from './live';

interface Entry {
  readonly seq: number;
  readonly at: number;
  readonly person: string;
  readonly role: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: string;
  readonly hash: string;
}

interface Page {
  readonly items: readonly Entry[];
  readonly newest: number;
}

interface Filter {
  readonly person: string;
  readonly action: string;
  readonly subject: string;
}

const size = 50;
const noFilter: Filter = { person: '', action: '', subject: '' };

/** Who saw and did what. Reading it is an act too, so it is read when somebody asks, not by itself. */
export function Audit() {
  const { t, number } = useTexts();
  const { audit, link } = useLive();
  const [filter, setFilter] = useState(noFilter);
  const [pages, setPages] = useState<readonly Page[] | null>(null);
  const [failed, setFailed] = useState(false);

  const read = useCallback(async (asked: Filter, before: number | null) => {
    const query = new URLSearchParams({ limit: String(size) });
    for (const [name, value] of Object.entries(asked) as [string, string][]) if (value.trim() !== '') query.set(name, value.trim());
    if (before !== null) query.set('before', String(before));
    try {
      const page = await get<Page>(`/api/operations/audit?${query.toString()}`);
      setPages((was) => (before === null ? [page] : [...(was ?? []), page]));
      setFailed(false);
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setFailed(true);
      setPages((was) => was ?? []);
    }
  }, []);
  useEffect(() => void read(noFilter, null), [read]);

  const last = pages?.at(-1);
  const oldest = last?.items.at(-1)?.seq;
  // The reading itself adds one.
  const newer = audit !== null && pages?.[0] !== undefined ? audit - pages[0].newest - 1 : 0;
  return (
    <div className="wide">
      <div className="ops-head">
        <Title>{t('audit.title')}</Title>
        <LinkState link={link} />
      </div>
      <p className="soft">{t('audit.lead')}</p>
      <div className="ops-columns">
        <Chain />
        <Export newest={audit ?? pages?.[0]?.newest ?? null} />
      </div>
      <form className="card row end" role="search" aria-label={t('audit.filter')} onSubmit={(event) => { event.preventDefault(); void read(filter, null); }}>
        {(['person', 'action', 'subject'] as const).map((name) => (
          <label key={name} className="field grow">
            <span>{t(`audit.${name}`)} {name !== 'person' && <code>{name === 'action' ? 'summary.read' : 'summary/12'}</code>}</span>
            <input type="text" value={filter[name]} autoComplete="off" spellCheck={false} onChange={(event) => setFilter({ ...filter, [name]: event.target.value })} />
          </label>
        ))}
        <Button type="submit" className="button">{t('audit.search')}</Button>
      </form>
      {failed && <Notice kind="bad" live><p>{t('unreachable.text')}</p></Notice>}
      {newer > 0 && <div><Button className="button" onPress={() => void read(filter, null)}>{t('audit.newer', { n: newer })}</Button></div>}
      {pages === null ? <Loading /> : (
        <>
          {pages.every((page) => page.items.length === 0) && !failed && <p className="empty">{t('audit.none')}</p>}
          <ol className="rows card audit" aria-label={t('audit.title')}>
            {pages.flatMap((page) => page.items).map((entry) => <Line key={entry.seq} entry={entry} />)}
          </ol>
          {last?.items.length === size && oldest !== undefined && oldest > 1 && (
            <div><Button className="button" onPress={() => void read(filter, oldest)}>{t('audit.older', { n: number(oldest) })}</Button></div>
          )}
        </>
      )}
    </div>
  );
}

function Line({ entry }: { readonly entry: Entry }) {
  const { t, word, language } = useTexts();
  const second = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' });
  return (
    <li className="audit-line">
      <span className="soft small mono">{entry.seq}</span>
      <span className="small">{second.format(entry.at)}</span>
      <span><strong className="person">{entry.person}</strong> <span className="soft small">{entry.role.split(' ').map((role) => word(`role.${role}`, role)).join(', ')}</span></span>
      <span>{word(`did.${entry.action}`, entry.action)}</span>
      <span className="small audit-what">
        <code>{entry.subject}</code> {entry.detail !== '{}' && <code className="soft">{entry.detail.slice(0, 300)}</code>}
        <span className="hidden">{t('audit.hash')}</span> <code className="soft" title={entry.hash}>{entry.hash.slice(0, 12)}</code>
      </span>
    </li>
  );
}

function Chain() {
  const { t, number } = useTexts();
  const [verdict, setVerdict] = useState<{ readonly entries: number; readonly brokenAt: number | null } | 'busy' | 'failed' | null>(null);
  const check = async () => {
    setVerdict('busy');
    try {
      setVerdict(await get('/api/operations/audit/verify'));
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      setVerdict('failed');
    }
  };
  return (
    <section className="card stack tight" aria-labelledby="chain">
      <h2 id="chain">{t('chain.title')}</h2>
      <p className="soft small">{t('chain.lead')}</p>
      <div><Button className="button" isDisabled={verdict === 'busy'} onPress={() => void check()}>{t(verdict === 'busy' ? 'chain.busy' : 'chain.check')}</Button></div>
      {verdict === 'failed' && <Notice kind="bad" live><p>{t('unreachable.text')}</p></Notice>}
      {verdict !== null && typeof verdict === 'object' && (verdict.brokenAt === null
        ? <Notice kind="good" live><p>{t('chain.good', { n: verdict.entries })}</p></Notice>
        : <Notice kind="bad" title={t('chain.broken', { at: number(verdict.brokenAt) })} live><p>{t('chain.brokenText')}</p></Notice>)}
    </section>
  );
}

function Export({ newest }: { readonly newest: number | null }) {
  const { t } = useTexts();
  const [after, setAfter] = useState('');
  const from = /^\d{1,15}$/.test(after.trim()) ? `&after=${after.trim()}` : '';
  return (
    <section className="card stack tight" aria-labelledby="export">
      <h2 id="export">{t('export.title')}</h2>
      <p className="soft small">{t('export.lead')}</p>
      <label className="field">
        <span>{t('export.after')}</span>
        <input type="text" inputMode="numeric" pattern="\d*" value={after} placeholder={newest === null ? '' : `0 … ${String(newest)}`} onChange={(event) => setAfter(event.target.value)} />
      </label>
      <div className="row">
        <a className="button" href={`/api/operations/audit/export?format=ndjson${from}`} download>{t('export.ndjson')}</a>
        <a className="button" href={`/api/operations/audit/export?format=bundle${from}`} download>{t('export.bundle')}</a>
      </div>
    </section>
  );
}
