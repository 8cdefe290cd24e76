import { makeTexts, type Texts as Of } from '@bridge/shared/text';
import { en } from './en';
import { zhCN } from './zh-CN';

/** A key of a text; those with `.one` and `.other` are named without. */
export type TextKey = keyof typeof en | PluralKey<keyof typeof en>;
type PluralKey<K> = K extends `${infer Stem}.other` ? Stem : never;

const catalogues = { en, 'zh-CN': zhCN } as const;

export const { TextProvider, useTexts, textsIn } = makeTexts<Readonly<Record<TextKey, string>>>(catalogues as never);
export type Texts = Of<TextKey>;
