// What clicks and texts do to a query: pure functions from one simple query to the next. What they do with fields is in `fieldclicks.ts`.
import type { LineFilter, Query } from './query';
import { textFilter, type TextOptions } from './text';

export { type Chip, chips, type ChipKind, removeChip, toggleChip } from './chips';
export { levelsOf, minLevelOf, withLevels, withMinLevel } from './levels';
export { editOf, plainText, textFilter, type TextOptions } from './text';
export type { LabelFilter, LineFilter, Matcher, Query } from './query';

/** Adds what a text in the bar means, unless it is there. */
export function withText(query: Query, text: string, options: TextOptions): Query {
  const filter = textFilter(text, options);
  return filter === null ? query : withLineFilter(query, filter);
}

export function withLineFilter(query: Query, filter: LineFilter): Query {
  const isThere = query.lineFilters.some(({ op, values }) => op === filter.op && values.join('\0') === filter.values.join('\0'));
  return isThere ? query : { ...query, lineFilters: [...query.lineFilters, filter] };
}

/** The name that the server's parsers give a field: `http.status` is `http_status`; one that a stream label has already gets `_extracted`. */
export function labelName(path: readonly string[], streamLabels: { has(name: string): boolean } = new Set<string>()): string {
  let name = '';
  for (const key of path) {
    const clean = Array.from(key.trim(), (c) => (/^\w$/.test(c) ? c : '_')).join('');
    if (clean === '') continue;
    name = name === '' ? clean.replace(/^(?=\d)/, '_') : `${name}_${clean}`;
  }
  return streamLabels.has(name) ? `${name}_extracted` : name;
}
