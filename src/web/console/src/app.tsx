import { useCallback, useEffect, useMemo, useState } from 'react';
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
      onSessionEnd(() => setState({ at: 'out', place, ended: true }));
    };
    look().catch(() => {
      if (current) setState({ at: 'failed' });
    });
    return () => {
      current = false;
    };
  }, [attempt]);

  const again = useCallback(() => setAttempt((n) => n + 1), []);
  const signOut = useCallback(() => {
    void call<{ readonly next: string }>('POST', '/signin/out', {}).then(
      ({ body }) => {
        // Out of the console, to end the session at the hospital's sign-in too.
        if (body.next === '/signin/leave') return location.assign(body.next);
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
      <Shell />
    </SessionContext>
  );
}
