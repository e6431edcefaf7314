// Text of the search box <-> line filter. Plain text is searched as it stands, upper and lower case alike: `(?i)` and the text quoted.
import type { LineFilter, LineOp } from './query';
import { isExcluding, literalsOf, quoteRegexp } from './values';

/** How the text in the bar is meant. */
export interface TextOptions {
  /** Upper and lower case differ. */
  readonly isCase: boolean;
  readonly isRegexp: boolean;
  /** Lines without it. */
  readonly isWithout: boolean;
}

const IGNORE_CASE = '(?i)';
const OR = ' OR ';

/** The line filter that a text in the bar means; `null` for an empty text. */
export function textFilter(text: string, { isCase, isRegexp, isWithout }: TextOptions): LineFilter | null {
  if (text === '') return null;
  const op = (regexp: boolean): LineOp => (isWithout ? (regexp ? '!~' : '!=') : regexp ? '|~' : '|=');
  if (isRegexp) return { op: op(true), values: [isCase ? text : IGNORE_CASE + text] };
  const texts = splitText(text);
  return isCase ? { op: op(false), values: texts } : { op: op(true), values: [IGNORE_CASE + texts.map(quoteRegexp).join('|')] };
}

/** The text and options that make this filter, the way back of `textFilter`; `null` for a pattern and what a box cannot hold. */
export function editOf(filter: LineFilter): { text: string; options: TextOptions } | null {
  const isWithout = isExcluding(filter.op);
  const texts = textsOf(filter);
  const plain = texts && joinTexts(texts);
  if (plain !== null) return { text: plain, options: { isCase: filter.op.endsWith('='), isRegexp: false, isWithout } };
  const [regexp = '', ...more] = filter.values;
  if (!filter.op.endsWith('~') || more.length > 0) return null;
  const isCase = !regexp.startsWith(IGNORE_CASE);
  const text = isCase ? regexp : regexp.slice(IGNORE_CASE.length);
  return text === '' ? null : { text, options: { isCase, isRegexp: true, isWithout } };
}

/** The plain text that was typed for this filter; `null` where it is a regexp of somebody's own or a pattern. */
export function plainText(filter: LineFilter): string | null {
  const texts = textsOf(filter);
  return texts === null ? null : joinTexts(texts);
}

/** The texts that a filter searches literally, one of them; `null` for a regexp or a pattern. */
export function textsOf(filter: LineFilter): readonly string[] | null {
  if (filter.op.endsWith('=')) return filter.values;
  const [regexp = '', ...more] = filter.values;
  if (!filter.op.endsWith('~') || more.length > 0 || !regexp.startsWith(IGNORE_CASE)) return null;
  const texts = literalsOf(regexp.slice(IGNORE_CASE.length));
  return texts?.includes('') ? null : texts;
}

/** The alternatives of a plain text: `a OR b`. What is in quotes is one alternative, also with an OR in it. */
function splitText(text: string): string[] {
  const texts: string[] = [];
  let rest = text;
  for (;;) {
    const quoted = /^"([^"]* OR [^"]*)"(?= OR |$)/.exec(rest);
    const end = quoted ? quoted[0].length : rest.indexOf(OR);
    const part = quoted ? quoted[1]! : end < 0 ? rest : rest.slice(0, end);
    if (part !== '') texts.push(part);
    if (end < 0 || end >= rest.length) break;
    rest = rest.slice(end + OR.length);
  }
  return texts.length > 0 ? texts : [text];
}

function joinTexts(texts: readonly string[]): string | null {
  const text = texts.map((part) => (part.includes(OR) ? `"${part}"` : part)).join(OR);
  // A text that would be read differently cannot be given back.
  const again = splitText(text);
  return text !== '' && again.length === texts.length && again.every((part, i) => part === texts[i]) ? text : null;
}
