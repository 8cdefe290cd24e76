import { useEffect, useState, type MouseEvent } from 'react';
import { Button } from 'react-aria-components/Button';
import { languages } from '@bridge/shared/text';
import { Absence } from './pages/Absence';
import { Assign } from './pages/Assign';
import { Audit } from './pages/Audit';
import { Desk } from './pages/Desk';
import { Home } from './pages/Home';
import { Key } from './pages/Key';
import { Operations } from './pages/Operations';
import { Queue } from './pages/Queue';
import { Registrar } from './pages/Registrar';
import { Retractions } from './pages/Retractions';
import { Signed } from './pages/Signed';
import { Notice } from './parts';
import { go, usePath } from './route';
import { useSession, type Role } from './session';
import { useTexts, type TextKey } from './texts';

interface Page {
  readonly path: string;
  readonly name: TextKey;
  readonly role: Role | null;
  readonly show: () => React.JSX.Element;
}

const pages: readonly Page[] = [
  { path: '/queue', name: 'queue.title', role: 'doctor', show: () => <Queue /> },
  { path: '/signed', name: 'signed.title', role: 'doctor', show: () => <Signed /> },
  { path: '/take-back', name: 'retract.title', role: 'doctor', show: () => <Retractions /> },
  { path: '/absence', name: 'absence.title', role: 'doctor', show: () => <Absence /> },
  { path: '/key', name: 'key.title', role: 'doctor', show: () => <Key /> },
  { path: '/doctors', name: 'registrar.title', role: 'registrar', show: () => <Registrar /> },
  { path: '/desk', name: 'desk.title', role: 'desk', show: () => <Desk /> },
  { path: '/operations', name: 'ops.title', role: 'operator', show: () => <Operations /> },
  { path: '/assign', name: 'assign.title', role: 'operator', show: () => <Assign /> },
  { path: '/audit', name: 'audit.title', role: 'operator', show: () => <Audit /> },
  { path: '/start', name: 'home.title', role: null, show: () => <Home /> },
];

/** A link within the console; the browser's own ways of opening it elsewhere stay. */
export function Link({ to, current, children }: { readonly to: string; readonly current?: boolean; readonly children: React.ReactNode }) {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={to} onClick={follow} aria-current={current ? 'page' : undefined}>
      {children}
    </a>
  );
}

/** English or Chinese, each in its own words. */
export function LanguageChoice() {
  const { t, language, setLanguage } = useTexts();
  return (
    <label className="language">
      <span className="hidden">{t('language')}</span>
      <select value={language} onChange={(event) => setLanguage(event.target.value as (typeof languages)[number])}>
        <option value="en" lang="en">{t('language.en')}</option>
        <option value="zh-CN" lang="zh-CN">{t('language.zh-CN')}</option>
      </select>
    </label>
  );
}

/** How long before its end a session says so. */
const warning = 10 * 60_000;

/** Says in time that the session ends whatever one does, and how to go on without losing what is on the page. */
function SessionEnd({ endsAt }: { readonly endsAt: string }) {
  const { t, time } = useTexts();
  const end = Date.parse(endsAt);
  const [near, setNear] = useState(false);
  useEffect(() => {
    setNear(Date.now() >= end - warning);
    // The clock may leap while the machine sleeps: looked at again and again, not once.
    const timer = setInterval(() => setNear(Date.now() >= end - warning), 15_000);
    return () => clearInterval(timer);
  }, [end]);
  if (!near) return null;
  return (
    <div className="session-end">
      <Notice kind="warn" title={t('session.ends', { time: time(endsAt) })} live>
        <p>{t('session.ends.text')}</p>
        <a className="button" href="/signin" target="_blank">{t('session.ends.again')}</a>
      </Notice>
    </div>
  );
}

/** Header, the pages that one's roles have, and the page. */
export function Shell() {
  const { t } = useTexts();
  const { me, place, signOut } = useSession();
  const path = usePath();
  const mine = pages.filter((page) => page.role === null || me.roles.includes(page.role));
  const page = mine.find((candidate) => candidate.path === path) ?? mine[0];

  useEffect(() => {
    if (page !== undefined && page.path !== path) go(page.path, true);
  }, [page, path]);

  return (
    <>
      <a className="skip" href="#content">{t('skip')}</a>
      <header className="bar">
        <p className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" />
          <span>{place.hospital}</span>
        </p>
        <nav aria-label={t('nav')}>
          <ul>
            {mine.map(({ path: to, name }) => (
              <li key={to}>
                <Link to={to} current={to === page?.path}>{t(name)}</Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="who">
          <LanguageChoice />
          <span className="person" title={me.name}>{me.display}</span>
          <Button className="button quiet" onPress={signOut}>{t('signOut')}</Button>
        </div>
        {place.people !== null && <p className="sample-bar">{t('sample.bar')}</p>}
      </header>
      {place.provider && me.session !== null && <SessionEnd endsAt={me.session.endsAt} />}
      <main id="content" tabIndex={-1} key={page?.path}>
        {page?.show()}
      </main>
    </>
  );
}
