// Pages of a query's lines by exact cursors: what is asked for at either end of the lines held, around one of them, and for the gaps between.
import { fetchLines, type LinesParams } from './api/lines';
import type { Begin, End, Entry, Marker, Seen } from './api/records';
import type { LineStore } from './list/store';
import { ALL, build } from './logql/build';
import { lineId, type Line, type Stream } from './model';

/** Lines of a page, on either side of a line that is pointed at, and of a gap that is filled. */
export const PAGE_LINES = 1000;
export const AROUND_LINES = 100;
const FILL_LINES = 5000;

export type Gap = Extract<Marker, { kind: 'gap' }>;
export interface PageHandlers {
  begin(begin: Begin): void;
  seen(seen: Seen): void;
}

export class Pages {
  /** LogQL; `''` for all lines. */
  query = '';
  /** The range as parameters; open where undefined. */
  range: Pick<LinesParams, 'start' | 'end'> = {};
  /** How far a search came that has found nothing yet. */
  #reached: bigint | undefined;

  constructor(private readonly store: LineStore, private readonly handlers: PageHandlers) {}

  /** Begins with another query. */
  reset(query: string, range: Pick<LinesParams, 'start' | 'end'>): void {
    this.query = query;
    this.range = range;
    this.#reached = undefined;
  }

  /** Where the search has come to, in nanoseconds. */
  get reached(): bigint | undefined {
    return this.store.count > 0 ? this.store.timeAt(0) : this.#reached;
  }

  /** Asks for lines; `take` gets what comes in the order in which it is shown. */
  async #ask(params: LinesParams, signal: AbortSignal, take: (entries: Entry[]) => void): Promise<End> {
    const isBackward = params.direction === 'backward';
    return fetchLines({ ...(this.query === '' ? {} : { query: this.query }), ...params }, signal, ({ begin, entries, seen }) => {
      if (begin !== undefined) this.handlers.begin(begin);
      if (seen !== undefined) {
        if (seen.backTo !== 0n) this.#reached = seen.backTo;
        this.handlers.seen(seen);
      }
      if (entries.length > 0) take(isBackward ? entries.reverse() : entries);
    });
  }

  /** The newest lines, each piece before the one that came before it. `before` and `behind` are called around each. */
  newest(signal: AbortSignal, before: () => void, behind: () => void): Promise<End> {
    return this.#ask({ ...this.range, direction: 'backward', limit: PAGE_LINES }, signal, (entries) => {
      before();
      this.store.prepend(entries);
      behind();
    });
  }

  /** A line with those on both sides, of its stream unless there is a query. */
  around(id: string, signal: AbortSignal, before: () => void): Promise<End> {
    return this.#ask({ around: id, before_count: AROUND_LINES, after_count: AROUND_LINES }, signal, (entries) => {
      before();
      this.store.append(entries);
    });
  }

  /** A page before the first line held. A search that has found nothing yet goes on where it came to. */
  older(signal: AbortSignal): Promise<End> {
    const { store } = this;
    const place = store.count > 0 ? { before: store.idAt(0) } : this.#reached === undefined ? {} : { end: String(this.#reached) };
    return this.#ask({ ...this.range, ...place, direction: 'backward', limit: PAGE_LINES }, signal, (entries) => store.prepend(entries));
  }

  /** A page behind the last line held. */
  newer(signal: AbortSignal): Promise<End> {
    const { store } = this;
    const after = store.idAt(store.count - 1);
    return this.#ask({ ...this.range, after, direction: 'forward', limit: PAGE_LINES }, signal, (entries) => store.append(entries));
  }

  /** The newest page, behind a gap of what lies between, which is returned. `skipped` stands at the end for lines that are known not to be held. */
  async toEnd(signal: AbortSignal, skipped: Gap | undefined): Promise<Gap | undefined> {
    const { store } = this;
    const after = store.idAt(store.count - 1);
    const newest: Entry[] = [];
    const end = await this.#ask({ ...this.range, after, direction: 'backward', limit: PAGE_LINES }, signal, (entries) => {
      newest.unshift(...entries);
    });
    if (skipped !== undefined) store.replaceMarker(skipped);
    const first = newest.find(isLine);
    if (end.reason === 'complete' || first === undefined) {
      store.append(newest);
      return undefined;
    }
    const lines = skipped?.lines === undefined ? undefined : Math.max(1, skipped.lines - newest.length);
    const gap: Gap = { kind: 'gap', lines, after, before: lineId(first), reason: 'skipped' };
    store.append([gap, ...newest]);
    return gap;
  }

  /** The oldest page, before a gap of what lies between, which is returned. */
  async toStart(signal: AbortSignal): Promise<Gap | undefined> {
    const { store } = this;
    const before = store.idAt(0);
    const oldest: Entry[] = [];
    const end = await this.#ask({ ...this.range, before, direction: 'forward', limit: PAGE_LINES }, signal, (entries) => {
      oldest.push(...entries);
    });
    const last = oldest.findLast(isLine);
    if (end.reason === 'complete' || last === undefined) {
      store.prepend(oldest);
      return undefined;
    }
    const gap: Gap = { kind: 'gap', lines: undefined, after: lineId(last), before, reason: 'skipped' };
    store.prepend([...oldest, gap]);
    return gap;
  }

  /** What is around a time, in place of what is held. Returns how the older and the newer half ended. */
  async toTime(time: bigint, signal: AbortSignal): Promise<[End, End]> {
    const [before, after]: [Entry[], Entry[]] = [[], []];
    const limit = PAGE_LINES / 2;
    const ends = await Promise.all([
      this.#ask({ ...this.range, end: String(time), direction: 'backward', limit }, signal, (entries) => before.unshift(...entries)),
      this.#ask({ ...this.range, start: String(time), direction: 'forward', limit }, signal, (entries) => after.push(...entries)),
    ]);
    this.store.clear();
    this.store.append([...before, ...after]);
    return ends;
  }

  /** Lines that a gap stands for, the oldest of them first, or the newest. Returns what is left of the gap. */
  async fill(gap: Gap, isFromNewer: boolean, signal: AbortSignal): Promise<Gap | undefined> {
    const { store } = this;
    const direction = isFromNewer ? 'backward' : 'forward';
    const loaded: Entry[] = [];
    const end = await this.#ask({ after: gap.after, before: gap.before, direction, limit: FILL_LINES }, signal, (entries) => {
      if (isFromNewer) loaded.unshift(...entries);
      else loaded.push(...entries);
    });
    const index = store.indexOfMarker(gap);
    if (index < 0) return undefined;
    const lines = gap.lines === undefined ? undefined : Math.max(1, gap.lines - loaded.length);
    const border = isFromNewer ? loaded.find(isLine) : loaded.findLast(isLine);
    const isLeft = end.reason === 'limit' && border !== undefined;
    const left: Gap | undefined = isLeft ? { ...gap, lines, ...(isFromNewer ? { before: lineId(border) } : { after: lineId(border) }) } : undefined;
    if (isFromNewer) {
      store.replaceMarker(gap);
      store.insertAt(index, left === undefined ? loaded : [left, ...loaded]);
    } else {
      store.insertAt(index, loaded);
      store.replaceMarker(gap, ...(left === undefined ? [] : [left]));
    }
    return left;
  }
}

function isLine(entry: Entry): entry is Line {
  return !('kind' in entry);
}

/** The streams with exactly these labels, and those that have more; all of a container's. */
export function selectorOf({ labels }: Stream): string {
  const isContainer = ['namespace', 'pod', 'container'].every((name) => labels.has(name));
  const names = isContainer ? ['namespace', 'pod', 'container'] : [...labels.keys()];
  return build({ ...ALL, matchers: names.map((name) => ({ name, op: '=', value: labels.get(name) ?? '' })) });
}
