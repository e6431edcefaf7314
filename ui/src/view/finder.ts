// Finding within the lines: counts in those that are loaded in idle slices, asks the server for the total and for the next hit beyond them.
import { computed, effect, signal } from '@preact/signals';
import { fetchLines } from '../api/lines';
import { countLines } from '../api/loki';
import { contains, matcherOf } from '../list/find';
import type { Find, LineList } from '../list/list';
import { searchWithin } from '../logql/any';
import { ALL, build } from '../logql/build';
import type { LineFilter } from '../logql/query';
import { textFilter } from '../logql/clicks';
import type { LogSession } from '../session';
import { go } from '../route';
import { address, notify } from '../state';
import { find, logql, trustedFind } from './asked';

/** Work between two frames. */
const SLICE_MS = 5;
/** Lines that are looked at before the clock is. */
const SLICE_LINES = 200;
/** How soon all is counted anew when lines were put in before others. */
const AGAIN_MS = 250;
/** How long the text rests before the server counts. */
const TOTAL_MS = 300;

/** The line filter that keeps what is found, and nothing else. */
export function filterOf(wanted: Find | null): LineFilter | null {
  if (wanted === null) return null;
  return textFilter(wanted.text, { isCase: !wanted.ignoresCase, isRegexp: wanted.isRegexp, isWithout: false });
}

export class Finder {
  /** Indexes of the loaded lines with a hit, ascending. */
  readonly hits = signal<readonly number[]>([]);
  readonly current = signal(-1);
  /** Hits in the whole range, by the server; `null` until it says so. */
  readonly total = signal<number | null>(null);
  readonly isOpen = signal(false);
  /** The text in the box. */
  readonly text = computed(() => address.value.find);
  /** Whether that text came with a link and waits for Enter. */
  readonly isWaiting = computed(() => find.value === null && this.text.value !== '');
  readonly error = computed(() => (find.value !== null && matcherOf(find.value) === null ? 'This regular expression is not valid.' : ''));
  #scan = 0;
  #abort = new AbortController();
  /** How many of the loaded lines were looked at, and those of them that have a hit. */
  #next = 0;
  #found: number[] = [];
  readonly #ends: (() => void)[];

  constructor(readonly session: LogSession, readonly list: LineList) {
    this.#ends = [
      session.store.subscribe(({ at, removed }) => {
        if (at < this.#next || removed > 0) this.#restart(AGAIN_MS);
        else if (this.#next === at) this.#slice(this.#scan);
      }),
      effect(() => {
        void find.value;
        list.setCurrent(-1);
        this.current.value = -1;
        this.#restart(0);
      }),
      effect(() => {
        const filter = filterOf(find.value);
        const bounds = session.bounds.value;
        const query = logql.value;
        this.#abort.abort();
        this.#abort = new AbortController();
        this.total.value = null;
        if (filter === null || bounds === null || bounds.end <= bounds.start || this.error.value !== '') return undefined;
        const { signal } = this.#abort;
        const timer = setTimeout(() => {
          countLines(searchWithin(query, filter), bounds.start, bounds.end, signal).then((lines) => (this.total.value = lines), () => {});
        }, TOTAL_MS);
        return () => clearTimeout(timer);
      }),
    ];
    this.isOpen.value = address.peek().find !== '';
  }

  close(): void {
    for (const end of this.#ends) end();
    this.#abort.abort();
    this.#scan += 1;
  }

  /** The number of the current hit from the first of the range on, as far as it can be known. */
  get position(): number {
    const hits = this.hits.value;
    void this.current.value;
    const at = hits.indexOf(this.list.current);
    if (at < 0) return 0;
    const { start, end } = this.session.ends.value;
    if (start === 'complete') return at + 1;
    const total = this.total.value;
    return total !== null && end !== 'more' ? Math.max(1, total - (hits.length - 1 - at)) : 0;
  }

  #restart(ms: number): void {
    this.#scan += 1;
    this.#next = 0;
    this.#found = [];
    const scan = this.#scan;
    setTimeout(() => this.#slice(scan), ms);
  }

  #slice(scan: number): void {
    const wanted = find.peek();
    if (scan !== this.#scan) return;
    if (wanted === null || matcherOf(wanted) === null) {
      this.hits.value = [];
      return;
    }
    const has = contains(wanted);
    const { store } = this.session;
    const until = performance.now() + SLICE_MS;
    while (this.#next < store.count) {
      const end = Math.min(store.count, this.#next + SLICE_LINES);
      for (; this.#next < end; this.#next += 1) if (has(store.textAt(this.#next))) this.#found.push(this.#next);
      if (performance.now() > until) {
        setTimeout(() => this.#slice(scan));
        return;
      }
    }
    this.hits.value = [...this.#found];
  }

  /** To the next (1) or the previous (-1) hit; beyond what is loaded the server knows where it is. */
  async move(step: 1 | -1): Promise<void> {
    trustedFind.value = this.text.peek();
    const filter = filterOf(find.peek());
    if (filter === null) return;
    const from = this.list.current >= 0 ? this.list.current : this.list.focusedIndex;
    const next = nearest(this.hits.peek(), from, step, this.session.store.count);
    if (next !== undefined) {
      this.current.value = next;
      this.list.setCurrent(next);
      this.list.scrollToIndex(next, 'center');
      this.list.focus(next);
      return;
    }
    const isThere = await goBeyond(this.session, searchWithin(logql.peek(), filter), step);
    if (!isThere) notify(step === 1 ? 'No hit after this one' : 'No hit before this one');
  }
}

/** The next place after `from`; with none yet, the last one from the end backwards and the first one forwards. */
function nearest(places: readonly number[], from: number, step: 1 | -1, count: number): number | undefined {
  if (step === 1) return places.find((index) => index > from);
  return places.findLast((index) => index < (from < 0 ? count : from));
}

/** Goes to the first line of the query after, or the last before, what is loaded; whether there is one. */
async function goBeyond(session: LogSession, query: string, step: 1 | -1): Promise<boolean> {
  const { store } = session;
  const bounds = session.bounds.peek();
  const { start, end } = session.ends.peek();
  if (store.count === 0 || (step === 1 ? end !== 'more' : start !== 'more')) return false;
  const edge = store.idAt(step === 1 ? store.count - 1 : 0);
  const found = await fetchLines({
    query, limit: 1, direction: step === 1 ? 'forward' : 'backward', ...(step === 1 ? { after: edge } : { before: edge }),
    ...(bounds === null ? {} : { start: `${bounds.start}`, end: `${bounds.end}` }),
  }, AbortSignal.timeout(30_000), () => {}).then((answer) => answer.last ?? answer.first, () => undefined);
  if (found === undefined) return false;
  go(address.peek().around === '' ? { at: found } : { around: found });
  return true;
}

/** Waits until the lines on the side that a step leads to are no longer being loaded. */
async function loaded(session: LogSession, step: 1 | -1): Promise<void> {
  const isLoading = computed(() => session.state.value === 'loading' || session.ends.value[step === 1 ? 'end' : 'start'] === 'loading');
  if (!isLoading.peek()) return;
  await new Promise<void>((resolve) => {
    const end = isLoading.subscribe((is) => {
      if (is) return;
      end();
      resolve();
    });
  });
}

/** To the next or previous line of level error or fatal, of those that are asked for, be they there yet or not. */
export async function moveToError(session: LogSession, list: LineList, step: 1 | -1): Promise<void> {
  await loaded(session, step);
  const { store } = session;
  const isBad = (index: number) => ['error', 'critical', 'fatal'].includes(store.levelAt(index));
  const from = list.focusedIndex < 0 ? (step === 1 ? -1 : store.count) : list.focusedIndex;
  for (let index = from + step; index >= 0 && index < store.count; index += step) {
    if (!isBad(index)) continue;
    list.scrollToIndex(index, 'center');
    list.focus(index);
    return;
  }
  const query = session.query === '' ? build(ALL) : session.query;
  if (!(await goBeyond(session, `${query} | detected_level=~"error|critical|fatal"`, step))) notify(step === 1 ? 'No error after this line' : 'No error before this line');
}
