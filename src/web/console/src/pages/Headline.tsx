import { Fragment } from 'react';
import type { Summary } from '@bridge/shared/signing';
import { Word } from '../parts';
import { wordOf, type Words } from './queueModel';

/** What a summary is called, each diagnosis in its own language; `otherwise` where it does not read. */
export function Headline({ summary, words, otherwise }: { readonly summary: Summary | null; readonly words: Words; readonly otherwise: string }) {
  if (summary === null) return otherwise;
  return summary.conditions.map((condition, i) => (
    <Fragment key={i}>{i > 0 && ', '}<Word text={wordOf(condition, words)} /></Fragment>
  ));
}
