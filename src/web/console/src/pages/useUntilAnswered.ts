import { useEffect, useRef } from 'react';
import { Unreachable } from '../api';

/** How often the bridge is asked what became of an act whose answer never came. */
const pause = 2000;

/**
 * Asks what became of something, again and again and at once when the network is back, until there is an answer.
 * @param what null while there is nothing to ask
 * @param ask throws {@link Unreachable} while there is no answer; gives what to do with the answer, which is done once
 */
export function useUntilAnswered<T>(what: T | null, ask: (what: T) => Promise<() => void>): void {
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (what === null) return undefined;
    let over = false;
    const look = async () => {
      const answered = await latest.current(what);
      if (over) return;
      over = true;
      answered();
    };
    const quietly = () => void look().catch((fault: unknown) => {
      if (!(fault instanceof Unreachable)) throw fault;
    });
    const timer = setInterval(quietly, pause);
    addEventListener('online', quietly);
    return () => {
      over = true;
      clearInterval(timer);
      removeEventListener('online', quietly);
    };
  }, [what]);
}
