import { useCallback, useEffect, useMemo, useState } from 'react';
import { flushSync } from 'react-dom';
import { call, get, onSessionEnd, Unreachable } from './api';
import { Failure, Loading } from './parts';
import { Shell } from './shell';
import { SessionContext, type Me, type Place } from './session';
import { SignIn } from './pages/SignIn';

type State = { readonly at: 'loading' | 'failed' } | { readonly at: 'out'; readonly place: Place; readonly ended: boolean } | { readonly at: 'in'; readonly place: Place; readonly me: Me };

/** Finds out who is here, and shows either the sign-in or the console. */
export function App() {
  const [state, setState] = useState<State>({ at: 'loading' });
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    let current = true;
    const look = async () => {
      const place = await get<Place>('/api/signin');
      // Set after the first look: only a session that was there can end.
      onSessionEnd(() => undefined);
      const me = await call<Me>('GET', '/api/me').catch((fault: unknown) => {
        if (fault instanceof Unreachable) return null;
        throw fault;
      });
      if (!current) return;
      setState(me?.status === 200 ? { at: 'in', place, me: me.body } : { at: 'out', place, ended: false });
      onSessionEnd(() => setState((now) => (now.at === 'out' ? now : { at: 'out', place, ended: true })));
    };
    look().catch(() => {
      if (current) setState({ at: 'failed' });
    });
    return () => {
      current = false;
    };
  }, [attempt]);

  const again = useCallback(() => setAttempt((n) => n + 1), []);
  const here = state.at === 'in' ? state.me : null;

  // Another window may have signed somebody else in, or the same person anew: this page acts for nobody but whom it names.
  useEffect(() => {
    if (state.at !== 'in' && state.at !== 'out') return;
    const look = () => {
      if (document.visibilityState === 'hidden') return;
      call<Me>('GET', '/api/me', undefined, true).then(
        ({ status, body }) => {
          if (status !== 200) return;
          if (here === null || body.name !== here.name || body.display !== here.display || body.roles.join() !== here.roles.join() || body.licence !== here.licence) return again();
          if (body.session?.endsAt !== here.session?.endsAt) setState((now) => (now.at === 'in' ? { ...now, me: body } : now));
        },
        () => undefined,
      );
    };
    addEventListener('focus', look);
    document.addEventListener('visibilitychange', look);
    return () => {
      removeEventListener('focus', look);
      document.removeEventListener('visibilitychange', look);
    };
  }, [state.at, here, again]);

  // A page that the browser had put aside shows what it showed then, to whoever goes back to it.
  useEffect(() => {
    const shown = (event: PageTransitionEvent) => {
      if (event.persisted) location.reload();
    };
    addEventListener('pageshow', shown);
    return () => removeEventListener('pageshow', shown);
  }, []);

  const signOut = useCallback(() => {
    void call<{ readonly next: string }>('POST', '/signin/out', {}).then(
      ({ body }) => {
        // Out of the console, to end the session at the hospital's sign-in too. Nothing of what was shown stays behind.
        if (body.next === '/signin/leave') {
          flushSync(() => setState({ at: 'loading' }));
          return location.replace(body.next);
        }
        history.replaceState(null, '', body.next);
        again();
      },
      again,
    );
  }, [again]);
  const session = useMemo(() => (state.at === 'in' ? { me: state.me, place: state.place, signOut } : null), [state, signOut]);

  if (state.at === 'loading') return <Loading />;
  if (state.at === 'failed') return <Failure again={again} />;
  if (state.at === 'out') return <SignIn place={state.place} ended={state.ended} done={again} />;
  return (
    <SessionContext value={session}>
      {/* Nothing of the page before is kept for somebody else. */}
      <Shell key={`${session?.me.name} ${session?.me.licence}`} />
    </SessionContext>
  );
}
