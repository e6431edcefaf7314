// What the log view asks for, as the address says it, and how clicks change it.
import { computed, signal } from '@preact/signals';
import { findOf } from '../list/find';
import { isMetric, selectorOf } from '../logql/any';
import { build, type Query } from '../logql/build';
import { chips } from '../logql/clicks';
import { ALL, parseSimple } from '../logql/simple';
import { searchedOf } from '../logql/searched';
import { go } from '../route';
import { address, preferences, type Tab } from '../state';
import { zoneName } from '../time/zone';

/** The query as LogQL; all logs are written out. */
export const logql = computed(() => (address.value.q.trim() === '' ? build(ALL) : address.value.q));

/** The query as chips show it; `null` for any other shape. */
export const simple = computed(() => parseSimple(address.value.q));

export const isMetricQuery = computed(() => isMetric(address.value.q));

/** What the lines are searched for. */
export const searched = computed(() => searchedOf(logql.value));

/** The expression to find that somebody here typed or pressed Enter on: one that came with a link waits for that. */
export const trustedFind = signal('');

/** What is found within the lines. */
export const find = computed(() => {
  const wanted = findOf(address.value.find);
  return wanted?.isRegexp === true && trustedFind.value !== address.value.find ? null : wanted;
});

/** The streams of the query alone, without what is asked of their lines. */
export const selector = computed(() => selectorOf(logql.value));

/** Whether more is asked of the lines than the streams they are of. */
export const hasConditions = computed(() => {
  const query = simple.value;
  return query === null || query.lineFilters.length + query.labelFilters.length > 0;
});

export const tab = computed<Tab>(() => address.value.tab ?? (isMetricQuery.value ? 'chart' : 'lines'));

export const zone = computed(() => zoneName(preferences.value.zone));

/** The streams in a few words: `shop / checkout`, a file's name, `All logs`. */
export const subject = computed(() => {
  const query = simple.value;
  if (query === null) return 'LogQL';
  const namespace = query.matchers.find(({ name, op }) => name === 'namespace' && op === '=')?.value;
  const named = chips({ ...query, lineFilters: [], labelFilters: [] }).filter(({ name, isExcluding }) => name !== 'namespace' && !isExcluding);
  const values = named.flatMap(({ values: each, text }) => each ?? [text]);
  const first = values[0];
  if (first === undefined) return namespace ?? 'All logs';
  const words = values.length > 2 ? `${first} and ${values.length - 1} more` : values.map(short).join(', ');
  return namespace === undefined ? words : `${namespace} / ${words}`;
});

/** The end of a path, which names a file best. */
function short(value: string): string {
  return value.startsWith('/') ? value.split('/').slice(-2).join('/') : value;
}

/** Changes the query by a click. */
export function change(edit: (query: Query) => Query, how: 'push' | 'replace' = 'push'): void {
  const query = simple.peek();
  if (query !== null) ask(build(edit(query)), how);
}

/** Asks for another query over the same range; what pointed at a line of the old answer goes. */
export function ask(q: string, how: 'push' | 'replace' = 'push'): void {
  go({ q: q === build(ALL) ? '' : q, at: '', around: '', tab: address.peek().tab === 'chart' && !isMetric(q) ? null : address.peek().tab }, how);
}

/** Zooms that Escape goes back from: the ranges before, the newest last. */
export const zooms = signal<readonly { from: string; to: string }[]>([]);

/** Makes the range a part of what is shown. */
export function zoomTo(range: { from: string; to: string }): void {
  const { from, to } = address.peek();
  zooms.value = [...zooms.peek().slice(-19), { from, to }];
  go({ ...range, at: '', around: '' });
}

/** Back from the last zoom; `false` where there was none. */
export function unzoom(): boolean {
  const last = zooms.peek().at(-1);
  if (last === undefined) return false;
  zooms.value = zooms.peek().slice(0, -1);
  go({ ...last, at: '' });
  return true;
}

/** Whether the page is as narrow as a phone: one column, the page scrolls. */
export const isPhone = signal(false);
if (typeof matchMedia === 'function') {
  const media = matchMedia('(max-width: 599px)');
  isPhone.value = media.matches;
  media.addEventListener('change', () => (isPhone.value = media.matches));
}
