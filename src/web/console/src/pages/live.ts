import { HttpTransportType, HubConnectionBuilder, LogLevel, type HubConnection } from '@microsoft/signalr';
import { useEffect, useState } from 'react';
import { get } from '../api';
import { useTexts } from '../texts';

export interface Count {
  readonly status: string;
  readonly reason: string | null;
  readonly count: number;
}

export interface Waiting {
  readonly count: number;
  readonly oldest: number | null;
}

export interface Sum {
  readonly at: string;
  readonly scope: 'Server' | 'Enrolled';
  readonly serverFinished: number;
  readonly notEnrolled: number;
  readonly known: number;
  readonly difference: number;
}

/** Where everything stands: counts, times and codes. */
export interface Standing {
  readonly pause: { readonly on: boolean; readonly since: string | null; readonly by: string | null; readonly reason: string | null };
  readonly states: readonly Count[];
  readonly known: number;
  readonly leaving: readonly Count[];
  readonly retractions: readonly Count[];
  readonly awaitingDoctor: Waiting;
  readonly withoutDoctor: Waiting;
  readonly retractionsHeld: Waiting;
  readonly anchorsQueued: Waiting;
  readonly anchorsSent: Waiting;
  readonly anchorsFailed: number;
  readonly enrolments: readonly Count[];
  readonly sweeps: Waiting;
  readonly notices: Waiting;
  readonly cursorAt: string | null;
  readonly cursorCommitted: string | null;
  readonly eventsCommitted: string | null;
  readonly statusListUntil: string | null;
  readonly reconciliation: Sum | null;
}

export interface Check {
  readonly name: string;
  readonly ready: boolean;
  readonly code: string;
  readonly detail: string | null;
  readonly since: string;
}

/** Runs of one job that ended alike. */
export interface Stretch {
  readonly id: number | null;
  readonly instance: string;
  readonly beganAt: string;
  readonly lastBeganAt: string;
  readonly endedAt: string;
  readonly runs: number;
  readonly totalMs: number;
  readonly longestMs: number;
  readonly outcome: 'Done' | 'Failed' | 'Stopped';
  readonly fault: string | null;
}

export interface Job {
  readonly job: string;
  readonly everySeconds: number | null;
  readonly runningSince: string | null;
  readonly last: Stretch | null;
  readonly nextAt: string | null;
}

export interface Certificates {
  readonly items: readonly { readonly kind: string; readonly name: string | null; readonly notAfter: string; readonly state: 'GOOD' | 'EXPIRING' | 'EXPIRED' }[];
  readonly total: number;
  readonly expiring: number;
  readonly expired: number;
  readonly complete: boolean;
}

/** How the page hangs on the server: what it shows is as of `since` where the connection is lost. */
export type Link = { readonly at: 'connecting' } | { readonly at: 'live' } | { readonly at: 'lost'; readonly since: number };

export interface Live {
  readonly link: Link;
  readonly standing: Standing | null;
  readonly health: readonly Check[] | null;
  readonly jobs: readonly Job[] | null;
  readonly certificates: Certificates | null;
  /** The number of the audit log's newest entry. */
  readonly audit: number | null;
}

const firstWait = 1000;
const longestWait = 10_000;

/** Follows the bridge live; after a restart of the server or a broken network it comes back by itself. */
export function useLive(): Live {
  const [live, set] = useState<Live>({ link: { at: 'connecting' }, standing: null, health: null, jobs: null, certificates: null, audit: null });

  useEffect(() => {
    let over = false;
    let connection: HubConnection | null = null;
    let wake: () => void = () => undefined;
    const take = (part: Partial<Live>) => {
      if (!over) set((was) => ({ ...was, ...part }));
    };
    const open = (direct: boolean): HubConnection => {
      const made = new HubConnectionBuilder()
        .withUrl('/api/operations/live', direct
          ? { skipNegotiation: true, transport: HttpTransportType.WebSockets }
          : { headers: { 'X-Bridge-Console': '1', 'X-Bridge-Background': '1' } })
        .configureLogging(LogLevel.None)
        .build();
      made.serverTimeoutInMilliseconds = 15_000;
      made.keepAliveIntervalInMilliseconds = 5000;
      made.on('Standing', (standing: Standing) => take({ standing }));
      made.on('Health', (health: readonly Check[]) => take({ health }));
      made.on('Jobs', (jobs: readonly Job[]) => take({ jobs }));
      made.on('Certificates', (certificates: Certificates) => take({ certificates }));
      made.on('Audit', (audit: number) => take({ audit }));
      return made;
    };

    const follow = async () => {
      let wait = firstWait;
      // One WebSocket needs nothing of whatever lies between; where that lets none through, other ways are tried in turn.
      let direct = true;
      while (!over) {
        try {
          // Where the session has ended, this leads to the sign-in.
          await get('/api/me', true);
          const made = open(direct);
          connection = made;
          const closed = new Promise<void>((done) => made.onclose(() => done()));
          direct = !direct;
          await made.start();
          direct = !direct;
          wait = firstWait;
          take({ link: { at: 'live' } });
          await closed;
        } catch {
          // Said below.
        }
        if (over) return;
        set((was) => (was.link.at === 'lost' ? was : { ...was, link: { at: 'lost', since: Date.now() } }));
        await new Promise<void>((done) => {
          wake = done;
          setTimeout(done, wait);
        });
        wait = Math.min(wait * 2, longestWait);
      }
    };
    const again = () => wake();
    addEventListener('online', again);
    void follow();
    return () => {
      over = true;
      removeEventListener('online', again);
      wake();
      void connection?.stop();
    };
  }, []);
  return live;
}

/** How long ago; what ended after `now` was last looked at did so just now. */
export function useAge(now: number): (at: string | number) => string {
  const { age } = useTexts();
  return (at) => age(Math.min(new Date(at).getTime(), now), now);
}

/** The time, every few seconds: ages grow by themselves. */
export function useNow(every = 5000): number {
  const [now, set] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
