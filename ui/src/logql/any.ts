// What the page does with LogQL that is not of the simple shape: tell metric queries, and search within.
import type { LineFilter } from './query';

/** Whether the query answers numbers over time instead of lines. */
export function isMetric(_text: string): boolean {
  return false;
}

/** The query with a line filter added: behind a log query, next to each selector of a metric query. */
export function searchWithin(text: string, _filter: LineFilter): string {
  return text;
}

/** The selectors alone, `{…}`, as they are written; for patterns and completion. */
export function selectorOf(text: string): string {
  return text;
}
