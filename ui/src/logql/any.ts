// What the page does with LogQL that is not of the simple shape: tell metric queries, and search within.
import { build } from './build';
import { lex } from './lexer';
import { ALL, type LineFilter } from './query';

/** Whether the query answers numbers over time instead of lines. A log query begins with its selector, also in parentheses. */
export function isMetric(text: string): boolean {
  const first = lex(text).find((token) => token.kind !== 'comment' && text.slice(token.start, token.end) !== '(');
  return first !== undefined && first.kind !== 'error' && first.kind !== 'identifier' && text[first.start] !== '{';
}

/** The query with a line filter added: behind a log query, next to each selector of a metric query. */
export function searchWithin(text: string, filter: LineFilter): string {
  const added = build({ ...ALL, lineFilters: [filter] }).slice(build(ALL).length);
  const tokens = lex(text).filter(({ kind }) => kind !== 'comment');
  const at = (place: number): string => text.slice(tokens[place]?.start, tokens[place]?.end ?? 0);
  const places: number[] = [];
  if (isMetric(text)) {
    tokens.forEach(({ end }, place) => {
      if (at(place) !== '}') return;
      // The window may stand before the pipeline: `{…}[5m] |= "x"`.
      const isWindowFirst = at(place + 1) === '[' && at(place + 3) === ']' && /^(?:\||!)/.test(at(place + 4));
      places.push(isWindowFirst ? tokens[place + 3]!.end : end);
    });
  } else {
    let last = tokens.length - 1;
    // A log query may stand in parentheses, but no stage behind them, nor behind `unwrap`.
    for (let first = 0; at(first) === '(' && at(last) === ')'; first++) last -= 1;
    const unwrap = tokens.findIndex((_, place) => at(place) === '|' && at(place + 1).toLowerCase() === 'unwrap');
    places.push(tokens[unwrap > 0 ? unwrap - 1 : last]?.end ?? text.length);
  }
  let result = '';
  let done = 0;
  for (const place of places) {
    result += text.slice(done, place) + added;
    done = place;
  }
  return result + text.slice(done);
}

/** The first selector alone, `{…}`, as it is written; all logs where there is none. */
export function selectorOf(text: string): string {
  const tokens = lex(text);
  const first = tokens.findIndex(({ start, kind }) => kind === 'punct' && text[start] === '{');
  const last = tokens.findIndex(({ start, kind }, place) => place > first && kind === 'punct' && text[start] === '}');
  return first < 0 || last < 0 ? build(ALL) : text.slice(tokens[first]!.start, tokens[last]!.end);
}
