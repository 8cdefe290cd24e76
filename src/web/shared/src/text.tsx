import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';

export type Language = 'en' | 'zh-CN';
export const languages: readonly Language[] = ['en', 'zh-CN'];

/** Texts by key. `{name}` is filled in; a key with `.one` and `.other` is chosen by the number `n`. */
export type Catalogue = Readonly<Record<string, string>>;

/** Fills a text in. Unknown placeholders stay visible: a mistake that a reader can report. */
export const fill = (text: string, values: Readonly<Record<string, string | number>> = {}): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));

export interface Texts<K extends string> {
  readonly language: Language;
  readonly setLanguage: (language: Language) => void;
  readonly t: (key: K, values?: Readonly<Record<string, string | number>>) => string;
  /** The text of a key made from data, such as a code; `otherwise` where the catalogue has none. */
  readonly word: (key: string, otherwise: string) => string;
  readonly date: (at: string | number) => string;
  readonly time: (at: string | number) => string;
  /** How long ago, in the largest unit that tells enough. */
  readonly age: (at: string | number, now: number) => string;
  readonly number: (n: number) => string;
}

const kept = 'bridge-language';

function first(): Language {
  const chosen = localStorage.getItem(kept);
  if (chosen === 'en' || chosen === 'zh-CN') return chosen;
  return navigator.languages.some((language) => language.toLowerCase().startsWith('zh')) ? 'zh-CN' : 'en';
}

/** A provider and a hook for one app's catalogues. */
export function makeTexts<C extends Catalogue>(catalogues: Readonly<Record<Language, Readonly<Record<keyof C, string>>>>) {
  type K = keyof C & string;
  const Context = createContext<Texts<K> | null>(null);

  /** The texts of one language, whatever the page itself is in: what is printed for somebody else. */
  function textsIn(language: Language, choose: (next: Language) => void = () => undefined): Texts<K> {
    const catalogue = catalogues[language] as Catalogue;
    const plural = new Intl.PluralRules(language);
    const day = new Intl.DateTimeFormat(language, { dateStyle: 'medium' });
    const minute = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
    const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
    const count = new Intl.NumberFormat(language);
    return {
      language,
      setLanguage: (next) => {
        localStorage.setItem(kept, next);
        // Before anybody asks the server for words in it.
        document.documentElement.lang = next;
        choose(next);
      },
      t: (key, values) => {
        const n = values?.['n'];
        const chosen = typeof n === 'number' ? (catalogue[`${key}.${plural.select(n)}`] ?? catalogue[`${key}.other`]) : undefined;
        const shown = typeof n === 'number' ? { ...values, n: count.format(n) } : values;
        return fill(chosen ?? catalogue[key] ?? key, shown);
      },
      word: (key, otherwise) => catalogue[key] ?? otherwise,
      date: (at) => day.format(new Date(at)),
      time: (at) => minute.format(new Date(at)),
      age: (at, now) => {
        const seconds = (new Date(at).getTime() - now) / 1000;
        const [unit, size] = seconds > -3600 ? (['minute', 60] as const) : seconds > -86400 ? (['hour', 3600] as const) : (['day', 86400] as const);
        return relative.format(Math.ceil(seconds / size), unit);
      },
      number: (n) => count.format(n),
    };
  }

  function TextProvider({ children }: { readonly children: ReactNode }) {
    const [language, choose] = useState<Language>(first);
    useEffect(() => {
      document.documentElement.lang = language;
    }, [language]);
    const texts = useMemo(() => textsIn(language, choose), [language]);
    return <Context value={texts}>{children}</Context>;
  }

  function useTexts(): Texts<K> {
    const texts = useContext(Context);
    if (texts === null) throw new Error('no TextProvider');
    return texts;
  }

  return { TextProvider, useTexts, textsIn };
}
