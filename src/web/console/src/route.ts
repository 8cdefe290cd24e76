import { useSyncExternalStore } from 'react';

const moved = 'bridge-moved';

const subscribe = (act: () => void): (() => void) => {
  addEventListener('popstate', act);
  addEventListener(moved, act);
  return () => {
    removeEventListener('popstate', act);
    removeEventListener(moved, act);
  };
};

/** The path that the page shows. */
export const usePath = (): string => useSyncExternalStore(subscribe, () => location.pathname);

export function go(path: string, replace = false): void {
  if (replace) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  dispatchEvent(new Event(moved));
}
