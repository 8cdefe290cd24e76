import { useCallback, useEffect, useRef, useState } from 'react';

const kept = 'bridge-single-keys';

/** What a key does; `held`: also again and again while it is held down. */
export type Keys = Readonly<Partial<Record<string, { readonly act: () => void; readonly held?: boolean }>>>;

/**
 * Single keys as shortcuts. Not while somebody types or fills a form in, not for a key that is held down by mistake, and not for who switched them off
 * (WCAG 2.1.4: speech input types letters too). Escape always counts.
 */
export function useSingleKeys(keys: Keys): { readonly on: boolean; readonly setOn: (on: boolean) => void } {
  const [on, switchTo] = useState(() => localStorage.getItem(kept) !== 'off');
  const setOn = useCallback((next: boolean) => {
    localStorage.setItem(kept, next ? 'on' : 'off');
    switchTo(next);
  }, []);

  const listener = useRef<(event: KeyboardEvent) => void>(() => undefined);
  listener.current = (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : null;
    if (event.key !== 'Escape' && (!on || target?.closest('form, input:not([type=checkbox]), textarea, select') != null)) return;
    const key = keys[event.key];
    if (key === undefined || (event.repeat && key.held !== true)) return;
    event.preventDefault();
    key.act();
  };
  useEffect(() => {
    const listen = (event: KeyboardEvent) => listener.current(event);
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);

  return { on, setOn };
}
