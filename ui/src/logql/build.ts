// Writes a query of the simple shape as LogQL, in one canonical form.
import { ANY_STREAM, type Matcher, type Query } from './query';
import { sortByName } from './simple';

export { ALL } from './query';
export type { LabelFilter, LineFilter, Matcher, Query } from './query';

/** Drops what a parser says of lines it could not read, so that those lines keep their labels. */
export const DROP_ERRORS = '| drop __error__, __error_details__';

/** The query's canonical text; `{service_name=~".+"}` for all logs. */
export function build(query: Query): string {
  const parts = [buildSelector(query.matchers)];
  for (const { op, values } of query.lineFilters) parts.push(`${op} ${values.map((value) => quoteText(value)).join(' or ')}`);
  for (const parser of query.parsers) parts.push(`| ${parser}`);
  for (const { name, op, value, isNumber } of sortByName(query.labelFilters)) {
    parts.push(isNumber ? `| ${name} ${op} ${value}` : `| ${name}${op}${quoteValue(value)}`);
  }
  if (query.parsers.length > 0) parts.push(DROP_ERRORS);
  return parts.join(' ');
}

/** The selector alone, `{…}`, with a matcher added where LogQL would refuse it because every stream could have none of its labels. */
export function buildSelector(matchers: readonly Matcher[]): string {
  const all = matchers.some((matcher) => !holdsForEmpty(matcher)) ? matchers : [ANY_STREAM, ...matchers];
  return `{${all.map(({ name, op, value }) => `${name}${op}${quoteValue(value)}`).join(', ')}}`;
}

/** Whether LogQL counts a matcher as one that a stream without the label passes; negative ones always do. */
export function holdsForEmpty({ op, value }: Matcher): boolean {
  if (op === '=') return value === '';
  if (op !== '=~') return true;
  try {
    return new RegExp(`^(?:${value.replace(/^\(\?[ims]+\)/, '')})$`).test('');
  } catch {
    // Syntax that only the server knows: one matcher more does no harm.
    return true;
  }
}

/** A string of LogQL: in backticks where they can hold it, since nothing is escaped there. */
export function quoteText(text: string): string {
  return canBeRaw(text) ? `\`${text}\`` : quote(text);
}

/** A value of a label: in double quotes unless that would need escapes. */
export function quoteValue(text: string): string {
  return /["\\]/.test(text) && canBeRaw(text) ? `\`${text}\`` : quote(text);
}

function canBeRaw(text: string): boolean {
  return !/[`\p{Cc}\p{Zl}\p{Zp}\ufeff]/u.test(text);
}

function quote(text: string): string {
  const escaped = text.replace(/["\\\p{Cc}\p{Zl}\p{Zp}\ufeff]/gu, (c) => {
    if (c === '"' || c === '\\') return `\\${c}`;
    if (c === '\n') return '\\n';
    if (c === '\r') return '\\r';
    if (c === '\t') return '\\t';
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}
