// What the line filters of a query search for, so that it can be seen in the lines.
import type { Find } from '../list/options';
import { lex, unquote } from './lexer';
import { literalsOf } from './values';

const IGNORE_CASE = '(?i)';

/** The texts and expressions of which a line has to hold some. Any LogQL may be asked about, simple or not. */
export function searchedOf(query: string): Find[] {
  const finds: Find[] = [];
  let op = '';
  for (const { kind, start, end } of lex(query)) {
    const token = query.slice(start, end);
    // `|= "a" or "b"`
    if (token === '|=' || token === '|~') op = token;
    else if (kind === 'string' && op !== '') finds.push(...findsOf(op, unquote(token)));
    else if (token.toLowerCase() !== 'or') op = '';
  }
  return finds;
}

function findsOf(op: string, value: string | null): Find[] {
  if (value === null || value === '') return [];
  if (op === '|=') return [{ text: value, isRegexp: false, ignoresCase: false }];
  const ignoresCase = value.startsWith(IGNORE_CASE);
  const regexp = ignoresCase ? value.slice(IGNORE_CASE.length) : value;
  const texts = literalsOf(regexp);
  if (texts === null) return [{ text: regexp, isRegexp: true, ignoresCase }];
  return texts.filter((text) => text !== '').map((text) => ({ text, isRegexp: false, ignoresCase }));
}
