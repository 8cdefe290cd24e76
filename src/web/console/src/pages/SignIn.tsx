import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { post, Unreachable } from '../api';
import { Notice, Title } from '../parts';
import { LanguageChoice } from '../shell';
import type { Place } from '../session';
import { useTexts, type TextKey } from '../texts';

const problems: Readonly<Record<string, TextKey>> = {
  expired: 'signIn.problem.expired',
  refused: 'signIn.problem.refused',
  provider: 'signIn.problem.provider',
  'foreign-launch': 'signIn.problem.foreignLaunch',
  'no-role': 'signIn.problem.noRole',
  'no-licence': 'signIn.problem.noLicence',
  'not-asked': 'signIn.problem.notAsked',
};

/** What signing out came to. */
const left: Readonly<Record<string, TextKey>> = { ended: 'signedOut.ended', here: 'signedOut.here', open: 'signedOut.open' };

/** The front door. */
export function SignIn({ place, ended, done }: { readonly place: Place; readonly ended: boolean; readonly done: () => void }) {
  const { t } = useTexts();
  const [failed, setFailed] = useState(false);
  const query = new URLSearchParams(location.search);
  const problem = problems[query.get('problem') ?? ''];
  const signedOut = left[query.get('left') ?? ''];
  const here = location.pathname === '/' ? '' : `?return=${encodeURIComponent(location.pathname)}`;

  const choose = (person: number) => {
    setFailed(false);
    post('/signin/sample', { person }).then(
      () => {
        history.replaceState(null, '', location.pathname);
        done();
      },
      (fault: unknown) => {
        if (!(fault instanceof Unreachable)) throw fault;
        setFailed(true);
      },
    );
  };

  return (
    <div className="door">
      <header className="door-bar">
        <LanguageChoice />
      </header>
      <main className="door-card">
        <img src="/icon.svg" alt="" width="48" height="48" />
        <Title>{t('signIn.title', { hospital: place.hospital })}</Title>
        <p className="soft">{t('signIn.lead')}</p>
        {!isSecureContext && <Notice kind="bad" title={t('insecure.title')}><p>{t('insecure.text')}</p></Notice>}
        {problem !== undefined && <Notice kind="bad" live><p>{t(problem)}</p></Notice>}
        {signedOut !== undefined && (
          <Notice kind={signedOut === 'signedOut.ended' ? 'good' : 'warn'} title={t('signedOut.title')} live>
            <p>{t(signedOut)}</p>
            {signedOut === 'signedOut.open' && place.provider && <p>{t('signedOut.asksAgain')}</p>}
          </Notice>
        )}
        {ended && <Notice kind="info" live><p>{t('signIn.ended')}</p></Notice>}
        {failed && <Notice kind="bad" live><p>{t('unreachable.text')}</p></Notice>}
        {place.provider && <a className="button primary full" href={`/signin${here}`}>{t('signIn.provider')}</a>}
        {place.launch && <p className="soft">{t('signIn.launch')}</p>}
        {place.people !== null && (
          <section className="people" aria-labelledby="people">
            <h2 id="people">{t('signIn.sample')}</h2>
            <p className="soft">{t('signIn.sampleNote')}</p>
            <ul>
              {place.people.map(({ person, name, roles }) => (
                <li key={person}>
                  <Button className="button person-choice" onPress={() => choose(person)}>
                    <strong>{name}</strong>
                    <span>{roles.map((role) => t(`role.${role}`)).join(', ')}</span>
                  </Button>
                </li>
              ))}
            </ul>
          </section>
        )}
        {!place.provider && !place.launch && place.people === null && <Notice kind="warn"><p>{t('signIn.none')}</p></Notice>}
      </main>
    </div>
  );
}
