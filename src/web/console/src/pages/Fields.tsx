import { Button } from 'react-aria-components/Button';
import { codeKey, without, type Condition, type Summary, type Treatment } from '@bridge/shared/signing';
import { Said, Word } from '../parts';
import { useTexts, type Texts } from '../texts';
import { changesOf, wordOf, type Change, type Notes, type Past, type Source, type Words } from './queueModel';

const systems: Readonly<Record<string, string>> = {
  'http://snomed.info/sct': 'SNOMED CT',
  'http://hl7.org/fhir/sid/icd-10': 'ICD-10',
  'http://hl7.org/fhir/sid/icd-10-cm': 'ICD-10-CM',
  'http://hl7.org/fhir/sid/icd-10-cn': 'ICD-10-CN',
  'http://www.nlm.nih.gov/research/umls/rxnorm': 'RxNorm',
  'http://www.whocc.no/atc': 'ATC',
  'http://hl7.org/fhir/sid/icd-10-pcs': 'ICD-10-PCS',
  'http://hl7.org/fhir/sid/icd-9-cm': 'ICD-9-CM',
  'http://www.ama-assn.org/go/cpt': 'CPT',
};

/** `2026-11`, `2026-Q4` and `2026` in the reader's words. */
export function periodText({ language, t }: Texts, period: string): string {
  if (period.includes('Q')) return t('period.quarter', { year: period.slice(0, 4), quarter: period.slice(6) });
  if (period.length === 4) return period;
  return new Intl.DateTimeFormat(language, { year: 'numeric', month: 'long', timeZone: 'UTC' }).format(new Date(`${period}-01T00:00:00Z`));
}

interface Props {
  readonly notes: Notes;
  readonly summary: Summary;
  /** Codes taken out, and how one is taken out or put back; without them the summary is only read. */
  readonly struck?: ReadonlySet<string>;
  readonly strike?: (code: string) => void;
}

type Plain = 'period' | 'class' | 'ageBand' | 'sex' | 'disposition';

/** The words for the value of a field. */
function valueText(texts: Texts, field: Plain, value: string): string {
  switch (field) {
    case 'period': return periodText(texts, value);
    case 'ageBand': return texts.t('years', { band: value });
    case 'class': return texts.word(`class.${value}`, value);
    case 'sex': return texts.word(`sex.${value}`, value);
    case 'disposition': return texts.word(`disposition.${value}`, value);
  }
}

const nothing: ReadonlySet<string> = new Set();

/** Every field that leaves: in words, as it is written, where it came from, what was done to it, and why it leaves. */
export function Fields({ notes, summary, struck = nothing, strike }: Props) {
  const texts = useTexts();
  const { t } = texts;
  const { words, history, replaces: before } = notes;
  const sources = notes.draft?.sources ?? [];
  const changes = changesOf(summary, before);
  const of = (field: string) => sources.filter((source) => source.field === field);
  const sourceOf = (released: string, field: string) => of(field).find((source) => source.released === released);
  const gone = before === null ? [] : [...before.conditions, ...before.treatments].filter((code) => changes.get(codeKey(code)) === 'removed');
  const dropped = sources.filter((source) => source.released === null && (source.field === 'conditions' || source.field === 'treatments'));

  const code = (entry: Condition | Treatment, source: Source | undefined, extra: string) => {
    const key = codeKey(entry);
    const out = struck.has(key);
    const onlyOne = 'rank' in entry && summary.conditions.filter((other) => !struck.has(codeKey(other))).length === 1 && !out;
    return (
      <li key={key} className={`code${out ? ' struck' : ''}`}>
        <div className="code-text">
          <span className="code-word"><Word text={wordOf(entry, words)} /></span>
          {out && <span className="tag bad">{t('struck')}</span>}
          <ChangeTag change={changes.get(key)} />
          <span className="soft small">{extra} <code>{systems[entry.system] ?? entry.system} {entry.code}</code></span>
          {source !== undefined && <SourceText source={source} words={words} />}
          {history.some((past) => past.struck?.some((old) => codeKey(old) === key)) && <span className="tag warn">{t('struckBefore')}</span>}
          {strike !== undefined && onlyOne && <span className="source small">{t('lastDiagnosis')}</span>}
        </div>
        {strike !== undefined && (
          <Button className="button quiet small" isDisabled={onlyOne} aria-label={t(out ? 'unstrikeOf' : 'strikeOf', { code: wordOf(entry, words) })} onPress={() => strike(key)}>
            {t(out ? 'unstrike' : 'strike')}
          </Button>
        )}
      </li>
    );
  };
  const plain = (field: Plain, raw: string) => {
    const was = before?.[field];
    return (
      <div className="fact">
        <dt>{t(`field.${field}`)}</dt>
        <dd>
          <span className="fact-value">{valueText(texts, field, raw)}</span>
          <ChangeTag change={changes.get(field)} was={was === undefined ? undefined : valueText(texts, field, was)} />
          <span className="soft small"><code>{raw}</code> · {t(`why.${field}`)}</span>
          {of(field).map((source) => <SourceText key={source.path} source={source} words={words} />)}
        </dd>
      </div>
    );
  };
  const mark = (field: 'patient' | 'hospital' | 'id' | 'supersedes', raw: string) => (
    <div className="fact">
      <dt>{t(`field.${field}`)}</dt>
      <dd><code>{raw}</code> <span className="soft small">{t(`why.${field}`)}</span></dd>
    </div>
  );

  return (
    <div className="stack">
      <section aria-label={t('field.conditions')}>
        <h3>{t('field.conditions')} <span className="soft small">{t('why.conditions')}</span></h3>
        <ul className="codes">{summary.conditions.map((entry) => code(entry, sourceOf(entry.code, 'conditions'), t(`level.${entry.level}`)))}</ul>
      </section>
      {summary.treatments.length > 0 && (
        <section aria-label={t('field.treatments')}>
          <h3>{t('field.treatments')} <span className="soft small">{t('why.treatments')}</span></h3>
          <ul className="codes">{summary.treatments.map((entry) => code(entry, sourceOf(entry.code, 'treatments'), t(`kind.${entry.kind}`)))}</ul>
        </section>
      )}
      <dl className="facts">
        {plain('period', summary.period)}
        {plain('class', summary.class)}
        {plain('ageBand', summary.ageBand)}
        {plain('sex', summary.sex)}
        {summary.disposition !== undefined && plain('disposition', summary.disposition)}
        {mark('patient', summary.patient)}
        {mark('hospital', summary.hospital)}
        {mark('id', summary.id)}
        {summary.supersedes !== undefined && mark('supersedes', summary.supersedes)}
      </dl>
      {(gone.length > 0 || dropped.length > 0) && (
        <section aria-label={t('stays')}>
          <h3>{t('stays')}</h3>
          <ul className="codes">
            {gone.map((entry) => (
              <li key={codeKey(entry)} className="code"><div className="code-text"><span><Word text={wordOf(entry, words)} /></span><ChangeTag change="removed" /></div></li>
            ))}
            {dropped.map((source, i) => (
              <li key={`${source.path}${String(i)}`} className="code">
                <div className="code-text">
                  {source.recorded !== null && <span><Word text={words[source.recorded] ?? source.recorded} /></span>}
                  <span className="soft small">{t(`treatment.${source.treatment}`)}</span>
                </div>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

/** A summary in few lines, with every value that it holds: what one of many looks like before all are signed at once. */
export function Brief({ summary, words, struck }: { readonly summary: Summary; readonly words: Words; readonly struck: ReadonlySet<string> }) {
  const texts = useTexts();
  const { t } = texts;
  const left = without(summary, struck);
  const facts = (['period', 'class', 'ageBand', 'sex', 'disposition'] as const).flatMap((field) => {
    const value = left[field];
    return value === undefined ? [] : [valueText(texts, field, value)];
  });
  return (
    <article className="card stack tight" data-summary={summary.id}>
      <ul className="brief">
        {[...left.conditions, ...left.treatments].map((entry) => (
          <li key={codeKey(entry)}>
            <strong><Word text={wordOf(entry, words)} /></strong>{' '}
            <span className="soft small">{'level' in entry ? t(`level.${entry.level}`) : t(`kind.${entry.kind}`)} <code>{systems[entry.system] ?? entry.system} {entry.code}</code></span>
          </li>
        ))}
      </ul>
      <p className="small">{facts.join(' · ')}</p>
      <p className="soft small">{t('brief.of', { patient: left.patient, hospital: left.hospital, id: left.id })}{left.supersedes !== undefined && <> {t('brief.supersedes', { id: left.supersedes })}</>}</p>
    </article>
  );
}

/** What was done with it before, by whom and when. */
export function History({ past }: { readonly past: readonly Past[] }) {
  const { t, time, word } = useTexts();
  return past.map((one) => (
    <p key={`${one.decidedAt}${one.kind}`} className="small">
      {t(`past.${one.kind}`, { person: one.person, time: time(one.decidedAt) })}
      {one.reason !== null && <> <Said text={one.reason} /></>}
      {one.voidReason !== null && <> {word(`outcome.${one.voidReason}`, t('outcome.other', { code: one.voidReason }))}</>}
    </p>
  ));
}

function ChangeTag({ change, was }: { readonly change: Change | undefined; readonly was?: string | undefined }) {
  const { t } = useTexts();
  if (change === undefined) return null;
  return <span className={`tag ${change === 'removed' ? 'bad' : 'warn'}`}>{was === undefined ? t(`change.${change}`) : t('change.was', { was })}</span>;
}

function SourceText({ source, words }: { readonly source: Source; readonly words: Words }) {
  const { t } = useTexts();
  const recorded = source.recorded !== null && source.recorded !== source.released ? (words[source.recorded] ?? source.recorded) : null;
  // A text cannot hold a mark: it is taken apart where the title stands.
  const [before = '', after = ''] = t('recordedAs', { code: '\u0000' }).split('\u0000');
  return (
    <span className={`source small${source.treatment === 'generalisedForRarity' || source.treatment === 'rareByConsent' ? ' marked' : ''}`}>
      {t(`treatment.${source.treatment}`)}
      {recorded !== null && <> {before}<Word text={recorded} />{after}</>} <code>{source.path}</code>
    </span>
  );
}
