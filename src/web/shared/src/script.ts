import type { Language } from './text';

/**
 * The language that a text is in, as far as its letters tell English from Chinese; null where they tell nothing, as those of a code. Titles of codes come in whatever language the
 * hospital's terminology has them, and a screen reader has to know in which to say them.
 */
export const languageOf = (text: string): Language | null => (/\p{Script=Han}/u.test(text) ? 'zh-CN' : /\p{Ll}{2}/u.test(text) ? 'en' : null);
