// Values as regexps and back: LogQL writes "one of these" as `=~"a|b"`, quoted. What was quoted here is recognised, any other regexp is left alone.

/** Characters with a meaning in RE2, as Go's `regexp.QuoteMeta` has them. */
const SPECIAL = /[\\.+*?()|[\]{}^$]/g;

/** A regexp for exactly this text. */
export function quoteRegexp(text: string): string {
  return text.replace(SPECIAL, '\\$&');
}

/** The text that this regexp stands for, if it stands for just one and was quoted as `quoteRegexp` does; otherwise `null`. */
export function unquoteRegexp(regexp: string): string | null {
  const text = regexp.replace(/\\([^])/g, '$1');
  return quoteRegexp(text) === regexp ? text : null;
}

/** The alternatives of a regexp: its text cut at each `|` that is neither escaped nor within a class or a group. */
export function splitAlternatives(regexp: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < regexp.length; i++) {
    const c = regexp[i];
    if (c === '\\') i += 1;
    else if (c === '[') i = classEnd(regexp, i);
    else if (c === '(') depth += 1;
    else if (c === ')') depth -= 1;
    else if (c === '|' && depth === 0) {
      parts.push(regexp.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(regexp.slice(start));
  return parts;
}

/** Where the class that begins at `start` ends. A bracket right behind its beginning is a member. */
function classEnd(regexp: string, start: number): number {
  let i = start + 1;
  if (regexp[i] === '^') i += 1;
  if (regexp[i] === ']') i += 1;
  while (i < regexp.length && regexp[i] !== ']') i += regexp[i] === '\\' ? 2 : 1;
  return i;
}

/** The texts that the alternatives stand for; `null` where one of them is more than a text. */
export function literalsOf(regexp: string): string[] | null {
  const literals = splitAlternatives(regexp).map(unquoteRegexp);
  return literals.includes(null) ? null : (literals as string[]);
}

export function isExcluding(op: string): boolean {
  return op.startsWith('!');
}

/** The values that a condition on a label names; `null` where its regexp is more than a list of values, or it compares amounts. */
export function valuesOf(condition: { readonly op: string; readonly value: string; readonly isNumber?: true }): string[] | null {
  if (condition.isNumber || !/^(?:=|!=|=~|!~)$/.test(condition.op)) return null;
  return condition.op.endsWith('~') ? literalsOf(condition.value) : [condition.value];
}

/** The condition that a label has one of these values, or none of them. There has to be at least one. */
export function oneOf(name: string, values: readonly string[], isWithout: boolean): { name: string; op: '=' | '!=' | '=~' | '!~'; value: string } {
  const [first = ''] = values;
  if (values.length === 1) return { name, op: isWithout ? '!=' : '=', value: first };
  return { name, op: isWithout ? '!~' : '=~', value: values.map(quoteRegexp).join('|') };
}
