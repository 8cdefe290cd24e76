import { createContext, useContext } from 'react';

export type Role = 'doctor' | 'registrar' | 'operator' | 'desk';

/** Who is signed in. */
export interface Me {
  readonly name: string;
  readonly display: string;
  readonly roles: readonly Role[];
  readonly licence: string | null;
  readonly session: { readonly idleSeconds: number; readonly endsAt: string } | null;
}

export interface Place {
  readonly hospital: string;
  readonly msp: string;
  readonly provider: boolean;
  readonly launch: boolean;
  readonly people: readonly { readonly person: number; readonly name: string; readonly roles: readonly Role[] }[] | null;
}

export interface Session {
  readonly me: Me;
  readonly place: Place;
  readonly signOut: () => void;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('nobody is signed in');
  return session;
}
