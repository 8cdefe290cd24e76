import { useEffect, useState, type ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import { languageOf } from '@bridge/shared/script';
import { useTexts } from './texts';

/** Says that something is on its way, but not at once: what is quick should not flicker. */
export function Loading() {
  const { t } = useTexts();
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p className="loading" role="status">
      {slow ? t('loading') : ''}
    </p>
  );
}

/** The server did not answer: what that means, and a way on. */
export function Failure({ again }: { readonly again: () => void }) {
  const { t } = useTexts();
  return (
    <main className="narrow">
      <Notice kind="bad" title={t('unreachable.title')}>
        <p>{t('unreachable.text')}</p>
        <Button className="button" onPress={again}>
          {t('tryAgain')}
        </Button>
      </Notice>
    </main>
  );
}

/** A message that stands out: a heading that says what, text that says what to do. */
export function Notice({ kind, title, children, live }: {
  readonly kind: 'info' | 'good' | 'warn' | 'bad';
  readonly title?: string;
  readonly children?: ReactNode;
  readonly live?: boolean;
}) {
  return (
    <div className={`notice ${kind}`} role={live ? (kind === 'bad' ? 'alert' : 'status') : undefined}>
      {title !== undefined && <p className="notice-title">{title}</p>}
      {children}
    </div>
  );
}

/** Why somebody did something: the usual reasons in words, whatever else as it was written, in whichever language that is. */
export function Said({ text }: { readonly text: string }) {
  const { word } = useTexts();
  const usual = word(`said.${text}`, '');
  return usual === '' ? <q lang="">{text}</q> : <span>{usual}</span>;
}

/** A title of a code, marked as in its own language where that is not the page's. */
export function Word({ text }: { readonly text: string }) {
  const { language } = useTexts();
  const own = languageOf(text);
  return own === null || own === language ? text : <span lang={own}>{text}</span>;
}

/** What the page is called, for the tab and for a reader that lands on it. */
export function Title({ children }: { readonly children: string }) {
  useEffect(() => {
    document.title = `${children} · Bridge`;
  }, [children]);
  return <h1>{children}</h1>;
}
