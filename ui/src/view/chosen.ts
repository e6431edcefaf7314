// What is chosen on the overview. It holds while the page is open, also over a visit to the logs.
import { computed, signal } from '@preact/signals';
import { streams } from '../api/streams';
import { groupStreams, type Row, type Sort } from '../groups';
import { union } from '../logql/apps';
import { build } from '../logql/build';
import { ALL, type Matcher } from '../logql/query';
import { hrefOf } from '../route';
import { address, DEFAULT_ADDRESS } from '../state';

export const filter = signal('');
/** A label; `''`: by namespace, directory or project. */
export const grouping = signal('');
export const sort = signal<Sort>('last');
/** Keys of the groups that are closed. */
export const folded = signal<ReadonlySet<string>>(new Set(['silent', 'new']));
/** What is ticked, by the rows' keys. */
export const ticked = signal<ReadonlyMap<string, readonly Matcher[]>>(new Map());
/** The row that the pointer or the focus is on. */
export const peeked = signal<Row | null>(null);

export const groups = computed(() => groupStreams(streams.value?.streams ?? [], grouping.value));

/** The query for these selections together; `''` for none. */
export function queryOf(selections: readonly (readonly Matcher[])[]): string {
  const [only] = selections;
  if (only === undefined || only.length === 0 && selections.length === 1) return '';
  return build({ ...ALL, matchers: selections.length === 1 ? only : union(selections) });
}

/** The log view of what these choose, over the range in view. */
export function logsHref(matchers: readonly Matcher[]): string {
  const { from, to } = address.value;
  return hrefOf({ ...DEFAULT_ADDRESS, place: 'logs', q: queryOf([matchers]), from, to });
}

/** The set without the value if it was in it, with it otherwise. */
export function toggled<T>(set: ReadonlySet<T>, value: T): Set<T> {
  const changed = new Set(set);
  if (!changed.delete(value)) changed.add(value);
  return changed;
}

export function tick({ key, matchers }: Row): void {
  const changed = new Map(ticked.value);
  if (!changed.delete(key)) changed.set(key, matchers);
  ticked.value = changed;
}
