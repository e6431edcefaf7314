// One query's lines: loads them, pages by exact cursors, follows new ones, and says how it goes.
import { effect, signal } from '@preact/signals';
import { GoneError, isAbort, toServerError } from './api/http';
import type { Begin, End, Marker, Seen } from './api/records';
import type { LineList } from './list/list';
import { evictFar, heldAtMost } from './list/room';
import { LineStore, type Change } from './list/store';
import { Live } from './live';
import type { ServerError } from './model';
import { AROUND_LINES, PAGE_LINES, Pages, selectorOf, type Gap } from './pages';
import { formatAge, formatCount, formatDuration } from './time/format';
import { resolveRange } from './time/range';

export type { Connection } from './live';

/** Pages that are loaded to reach the other end of a run of lines that a link marks. */
const RUN_PAGES_MAX = 20;
/** How much is loaded at most to close the gap that a jump to an end leaves. */
const CLOSE_PAGES_MAX = 4;
const CLOSE_LINES_MAX = 20_000;
/** Ranges that an empty answer is widened to. */
const WIDER: readonly string[] = ['24h', 'all'];

/** What is asked for. */
export interface OpenParams {
  /** LogQL; `''` for all lines. */
  readonly query: string;
  /** As in the address: relative, RFC 3339 or nanoseconds; `from` may be `all`. */
  readonly range: { readonly from: string; readonly to: string };
  readonly live: boolean;
  /** A line id, or `id..id`: it is found, with lines on both sides. */
  readonly at?: string;
  /** A line id: what stands around it, of its stream, or of `query` if that is not `''`. */
  readonly around?: string;
  /** Whether an empty answer is widened to 24 h and then to everything: for the default range only. */
  readonly canWiden?: boolean;
}

/** `stopped`: by hand; `partial`: the server stopped early, see `partial`; `gone`: the line pointed at is not kept any more, see `gone`. */
export type SessionState = 'idle' | 'loading' | 'ready' | 'empty' | 'error' | 'partial' | 'stopped' | 'gone';
/** What stands beyond an end: more that can be loaded, nothing, or more that is not loaded by itself. */
type EndState = 'more' | 'complete' | 'loading' | 'stopped';

export interface Ends {
  readonly start: EndState;
  readonly end: EndState | 'live';
}

/** Why an answer is not whole. */
export interface Partial {
  readonly reason: 'time' | 'memory' | 'cut' | 'unreadable';
  /** Where the scan stopped, in nanoseconds. */
  readonly at: bigint | undefined;
  readonly seconds: number;
  readonly unreadableParts: number;
}

/** A sentence about what the session did by itself, and how to undo it. */
export interface Note {
  readonly kind: 'widened' | 'back' | 'updated' | 'absent';
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

export class LogSession {
  readonly store = new LineStore();
  readonly state = signal<SessionState>('idle');
  readonly error = signal<ServerError | null>(null);
  readonly partial = signal<Partial | null>(null);
  readonly progress = signal<Seen | null>(null);
  /** The range of this answer, in nanoseconds, as the server understood it. */
  readonly bounds = signal<{ start: bigint; end: bigint } | null>(null);
  readonly ends = signal<Ends>({ start: 'loading', end: 'loading' });
  readonly note = signal<Note | null>(null);
  /** The index of the line pointed at; -1 while there is none. */
  readonly target = signal(-1);
  /** The line pointed at is gone: the oldest time kept and the id of the nearest line. */
  readonly gone = signal<{ message: string; oldest: bigint | undefined; nearest: string | undefined } | null>(null);
  /** How many lines are held. */
  readonly count = signal(0);
  readonly #live = new Live(this.store, {
    begin: (begin) => this.#sawVersion(begin.version),
    back: (ms, lines) => this.#sayBack(ms, lines),
  });
  readonly connection = this.#live.connection;
  /** Why live is off although it was asked for: the server's words. */
  readonly refusal = this.#live.refusal;
  /** Lines that came while the end was not followed, and how many of them are errors. */
  readonly newCount = this.#live.newCount;
  readonly newErrors = this.#live.newErrors;
  /** Lines a second, over the last two seconds. */
  readonly rate = this.#live.rate;
  #params: OpenParams = { query: '', range: { from: '1h', to: 'now' }, live: false };
  readonly #pages = new Pages(this.store, {
    begin: (begin) => this.#begin(begin),
    seen: (seen) => {
      this.progress.value = seen;
    },
  });
  /** What loads at present. */
  readonly #loading = new Set<AbortController>();
  /** Whether the lines held are of the answer before, shown until this one has a line. */
  #isStale = false;
  #version = '';
  readonly #filling = new Set<Marker>();
  readonly #failed = new WeakSet<Marker>();

  constructor() {
    this.store.subscribe(this.#onChange);
  }

  readonly #onChange = ({ at, removed, inserted }: Change): void => {
    this.count.value = this.store.count;
    if (inserted > 0 && this.state.peek() === 'empty') this.state.value = 'ready';
    const target = this.target.peek();
    if (target >= at) this.target.value = target < at + removed ? -1 : target + inserted - removed;
  };

  /** LogQL of the lines that are paged through; `''` for all. */
  get query(): string {
    return this.#pages.query;
  }

  /** Ties a list to this session: paging, following, eviction, markers. Returns how to untie them. */
  connect(list: LineList): () => void {
    const ends = [
      list.on('older', () => void this.older()),
      list.on('newer', () => void this.newer()),
      list.on('marker', (marker) => void this.fill(marker)),
      list.on('near', ({ marker, isFromNewer }) => {
        if (marker.kind === 'gap' && marker !== this.#live.skipped && !this.#failed.has(marker)) void this.#fill(marker, isFromNewer);
      }),
      list.on('viewport', (view) => {
        this.#live.view = view;
      }),
      list.on('pin', (isPinned) => {
        this.#live.view = { ...this.#live.view, isPinned };
        if (!isPinned) return;
        this.#live.forgetNew();
        if (this.#live.skipped !== undefined || this.ends.peek().end === 'more') void this.goToEnd();
      }),
      effect(() => {
        const { start, end } = this.ends.value;
        const isPaging = this.count.value > 0 && this.state.value !== 'loading';
        list.setOptions({ loading: !isPaging ? null : start === 'loading' ? 'start' : end === 'loading' ? 'end' : null });
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  /** Asks for an answer in place of the one before, whose lines stay until the first new one is there. */
  open(params: OpenParams): void {
    this.close();
    this.#params = params;
    const id = params.around || params.at?.split('..')[0];
    const { from, to } = params.range;
    // A link's line is shown whatever the range says.
    this.#pages.reset(params.query, id ? {} : { start: from === 'all' ? undefined : from, end: to === 'now' ? undefined : to });
    this.#isStale = true;
    this.state.value = 'loading';
    this.ends.value = { start: 'loading', end: 'loading' };
    this.target.value = -1;
    for (const cleared of [this.error, this.partial, this.progress, this.note, this.gone, this.bounds]) cleared.value = null;
    this.#live.forgetNew();
    void this.#guard((signal) => (id ? this.#loadAround(id, signal) : this.#loadNewest(signal)));
  }

  close(): void {
    for (const loading of this.#loading) loading.abort();
    this.#loading.clear();
    this.#live.stop();
  }

  /** Runs what can be stopped, and says what went wrong with it. Returns whether it came to its end. */
  async #guard(load: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    const loading = new AbortController();
    this.#loading.add(loading);
    try {
      await load(loading.signal);
      return !loading.signal.aborted;
    } catch (error) {
      if (loading.signal.aborted || isAbort(error)) return false;
      this.error.value = toServerError(error);
      // What is shown of the answer before stays: a query is often wrong only while it is typed.
      if (this.#isStale || this.store.count === 0) this.state.value = 'error';
      const { start, end } = this.ends.peek();
      this.ends.value = { start: start === 'loading' ? 'stopped' : start, end: end === 'loading' ? 'stopped' : end };
      return false;
    } finally {
      this.#loading.delete(loading);
    }
  }

  /** Drops the lines of the answer before. */
  #freshen(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    this.store.clear();
  }

  #begin({ start, end, now, version }: Begin): void {
    if (!this.#isAround) {
      this.bounds.value ??= { start: start === undefined || start < 0n ? 0n : start, end: end === undefined || end > now ? now : end };
    }
    this.#sawVersion(version);
  }

  #sawVersion(version: string): void {
    if (this.#version !== '' && version !== '' && version !== this.#version) {
      this.note.value = { kind: 'updated', text: 'The agent was updated.', action: { label: 'Reload', run: () => location.reload() } };
    }
    if (version !== '') this.#version = version;
  }

  get #isAround(): boolean {
    return Boolean(this.#params.around || this.#params.at);
  }

  async #loadNewest(signal: AbortSignal): Promise<void> {
    const pages = this.#pages;
    // What comes meanwhile belongs behind the newest line: there is no need to wait for the whole page.
    const end = await pages.newest(signal, () => this.#freshen(), () => this.#follow());
    this.#freshen();
    const wider = WIDER[WIDER.indexOf(pages.range.start ?? 'all') + 1];
    if (this.store.count === 0 && end.reason === 'complete' && this.#params.canWiden === true && wider !== undefined) {
      pages.range = { ...pages.range, start: wider === 'all' ? undefined : wider };
      this.bounds.value = null;
      await this.#loadNewest(signal);
      return;
    }
    if (this.store.count > 0) this.#sayWidened();
    // Later pages hold to the instant that the first one began at.
    const bounds = this.bounds.peek();
    if (pages.range.start !== undefined && bounds !== null) pages.range = { ...pages.range, start: String(bounds.start) };
    this.#finish(end);
    this.ends.value = { start: endState(end), end: this.#params.live ? 'live' : 'complete' };
    this.#follow();
  }

  #sayWidened(): void {
    const { range } = this.#params;
    const from = this.#pages.range.start ?? 'all';
    if (from === range.from) return;
    const now = BigInt(Date.now()) * 1_000_000n;
    const shown = from === 'all' ? formatAge(this.store.timeAt(0), now) : from.replace(/h$/, ' h');
    const { count } = this.store;
    const lines = count >= PAGE_LINES ? 'lines' : `${formatCount(count)} ${count === 1 ? 'line' : 'lines'}`;
    const { start, end } = resolveRange(range.from, range.to, now);
    const asked = formatDuration(end - start);
    this.note.value = {
      kind: 'widened', text: `Nothing in the last ${asked}. Showing ${lines} of ${shown}.`,
      action: { label: `Stay at ${asked}`, run: () => this.open({ ...this.#params, canWiden: false }) },
    };
  }

  async #loadAround(id: string, signal: AbortSignal): Promise<void> {
    let end: End;
    try {
      end = await this.#pages.around(id, signal, () => this.#freshen());
    } catch (error) {
      if (!(error instanceof GoneError)) throw error;
      await this.#loadNearest(error, signal);
      return;
    }
    this.#freshen();
    this.#finish(end);
    const target = this.store.indexOfId(id);
    this.target.value = target;
    const stream = target >= 0 ? this.store.streamAt(target) : undefined;
    if (this.#params.around && this.#params.query === '' && stream !== undefined) this.#pages.query = selectorOf(stream);
    if (target < 0) this.note.value = { kind: 'absent', text: 'The line is not in the answer to this query.' };
    const [before, after] = target < 0 ? [AROUND_LINES, AROUND_LINES] : [target, this.store.count - 1 - target];
    const isEnd = after < AROUND_LINES && end.reason === 'complete';
    this.ends.value = { start: before < AROUND_LINES ? 'complete' : 'more', end: isEnd ? 'complete' : 'more' };
    this.#includeInBounds();
    const last = this.#params.at?.split('..')[1];
    for (let page = 0; last !== undefined && page < RUN_PAGES_MAX && this.store.indexOfId(last) < 0; page += 1) await this.#newerPage(signal);
  }

  /** The range of a link is widened to hold the line that it points at. */
  #includeInBounds(): void {
    if (this.store.count === 0 || this.#params.around) return;
    const [first, last] = [this.store.timeAt(0), this.store.timeAt(this.store.count - 1)];
    const { from, to } = this.#params.range;
    const { start, end } = resolveRange(from, to, BigInt(Date.now()) * 1_000_000n);
    this.bounds.value = { start: start < first ? start : first, end: end > last ? end : last + 1n };
  }

  async #loadNearest(error: GoneError, signal: AbortSignal): Promise<void> {
    this.#freshen();
    this.gone.value = { message: error.message, oldest: error.oldest, nearest: error.nearest };
    if (error.nearest !== undefined) {
      await this.#pages.around(error.nearest, signal, () => this.#freshen());
      this.target.value = this.store.indexOfId(error.nearest);
    }
    this.ends.value = { start: 'more', end: 'more' };
    this.state.value = 'gone';
  }

  /** Says how an answer ended. */
  #finish(end: End): void {
    this.progress.value = null;
    this.error.value = null;
    if (this.state.peek() === 'gone') return;
    const isEarly = end.reason === 'time' || end.reason === 'memory' || end.reason === 'cut';
    const reason = isEarly ? end.reason : end.unreadableParts > 0 ? 'unreadable' : null;
    if (reason === null) {
      this.partial.value = null;
      this.state.value = this.store.count === 0 ? 'empty' : 'ready';
      return;
    }
    this.partial.value = { reason, at: this.#pages.reached, seconds: end.seconds, unreadableParts: end.unreadableParts };
    this.state.value = 'partial';
  }

  /** Follows new lines from the last one held on, where that is asked for and not done. */
  #follow(): void {
    if (!this.#params.live || this.#live.isOn) return;
    const { count } = this.store;
    const start = this.bounds.peek()?.start;
    const beginning = start === undefined ? { last: '0' } : { start: String(start) };
    this.#live.start(this.#pages.query, count > 0 ? { after: this.store.idAt(count - 1) } : beginning);
  }

  #sayBack(ms: number, lines: number): void {
    const text = `Back after ${formatDuration(BigInt(ms) * 1_000_000n)}, ${formatCount(lines)} ${lines === 1 ? 'line' : 'lines'} caught up.`;
    this.note.value = { kind: 'back', text };
  }

  /** Loads older lines where there are any; resolves when they are there, at once where nothing is asked for. */
  async older(): Promise<void> {
    if (this.ends.peek().start === 'more' && !this.#isStale) await this.#guard((signal) => this.#olderPage(signal));
  }

  /** Loads newer lines where there are any that do not come by themselves. */
  async newer(): Promise<void> {
    if (this.ends.peek().end === 'more' && !this.#isStale) await this.#guard((signal) => this.#newerPage(signal));
  }

  async #olderPage(signal: AbortSignal): Promise<void> {
    this.ends.value = { ...this.ends.peek(), start: 'loading' };
    const end = await this.#pages.older(signal);
    this.ends.value = { ...this.ends.peek(), start: endState(end) };
    this.#finish(end);
    this.#evict();
    this.#follow();
  }

  async #newerPage(signal: AbortSignal): Promise<void> {
    if (this.store.count === 0) return;
    this.ends.value = { ...this.ends.peek(), end: 'loading' };
    this.#reachedEnd(endState(await this.#pages.newer(signal)));
    this.#evict();
  }

  #reachedEnd(state: EndState): void {
    const isLive = state === 'complete' && this.#params.live;
    this.ends.value = { ...this.ends.peek(), end: isLive ? 'live' : state };
    if (isLive) this.#follow();
  }

  /** Keeps to what a page holds, at the cost of the end that is farther from the eye. */
  #evict(): void {
    const gone = evictFar(this.store, heldAtMost(), this.#live.view);
    if (gone.end) this.#live.stop();
    const { start, end } = this.ends.peek();
    if (gone.start || gone.end) this.ends.value = { start: gone.start ? 'more' : start, end: gone.end ? 'more' : end };
  }

  /** Loads the newest lines where they are not held. What lies between is a gap that can be filled. */
  async goToEnd(): Promise<void> {
    const { skipped } = this.#live;
    const { end } = this.ends.peek();
    if (this.store.count === 0 || end === 'loading' || (skipped === undefined && (end === 'live' || end === 'complete'))) return;
    await this.#guard(async (signal) => {
      this.#live.stop();
      this.ends.value = { ...this.ends.peek(), end: 'loading' };
      const gap = await this.#pages.toEnd(signal, skipped);
      this.#reachedEnd('complete');
      void this.#closeGap(gap, true);
    });
  }

  /** Loads the oldest lines where they are not held. What lies between is a gap that can be filled. */
  async goToStart(): Promise<void> {
    if (this.ends.peek().start !== 'more' || this.store.count === 0) return;
    await this.#guard(async (signal) => {
      this.ends.value = { ...this.ends.peek(), start: 'loading' };
      const gap = await this.#pages.toStart(signal);
      this.ends.value = { ...this.ends.peek(), start: 'complete' };
      void this.#closeGap(gap, false);
    });
  }

  /** The index of the line at a time in nanoseconds. What is around it is loaded in place of what is held where that does not reach so far. */
  async goToTime(time: bigint): Promise<number> {
    const { store } = this;
    const { start, end } = this.ends.peek();
    const isHeld = store.count > 0 && (store.timeAt(0) <= time || start === 'complete') && (time <= store.timeAt(store.count - 1) || end !== 'more');
    if (isHeld) return Math.min(store.count - 1, store.indexAtTime(time));
    const isDone = await this.#guard(async (signal) => {
      const [before, after] = await this.#pages.toTime(time, signal);
      this.#live.stop();
      this.ends.value = { ...this.ends.peek(), start: endState(before) };
      this.#reachedEnd(endState(after));
    });
    return isDone && store.count > 0 ? Math.min(store.count - 1, store.indexAtTime(time)) : -1;
  }

  /** Loads the lines that a gap stands for, the oldest of them first. */
  async fill(marker: Marker): Promise<void> {
    if (marker.kind !== 'gap' || this.#filling.has(marker) || this.store.indexOfMarker(marker) < 0) return;
    if (marker === this.#live.skipped) {
      await this.goToEnd();
      return;
    }
    await this.#fill(marker, false);
  }

  /** Returns what is left of the gap, if it could be filled. */
  async #fill(gap: Gap, isFromNewer: boolean): Promise<Gap | undefined> {
    if (this.#filling.has(gap)) return undefined;
    this.#filling.add(gap);
    let left: Gap | undefined;
    const isDone = await this.#guard(async (signal) => {
      left = await this.#pages.fill(gap, isFromNewer, signal);
    });
    this.#filling.delete(gap);
    // One that failed is left to the person: nothing asks again by itself.
    if (!isDone) this.#failed.add(gap);
    return left;
  }

  /** Loads what lies between two pages where that is not much, so that nobody notices the gap; begins next to what is on screen. */
  async #closeGap(gap: Gap | undefined, isFromNewer: boolean): Promise<void> {
    let left = gap;
    for (let pages = 0; pages < CLOSE_PAGES_MAX && left !== undefined; pages += 1) {
      if (left.lines !== undefined && left.lines > CLOSE_LINES_MAX) return;
      left = await this.#fill(left, isFromNewer);
    }
  }

  pause(): void {
    this.#live.pause();
  }

  /** Goes on with new lines, or tries a lost connection again at once. */
  resume(): void {
    this.#live.resume();
  }

  /** Asks for new lines every 5 s instead of by a connection of its own. */
  poll(): void {
    this.#live.poll();
  }

  /** Stops loading; what came stays. */
  stop(): void {
    for (const loading of this.#loading) loading.abort();
    this.#freshen();
    const { start, end } = this.ends.peek();
    this.ends.value = { start: start === 'loading' ? 'stopped' : start, end: end === 'loading' ? (this.#params.live ? 'live' : 'stopped') : end };
    this.progress.value = null;
    this.state.value = 'stopped';
    this.#follow();
  }

  /** Goes on from where an answer stopped. */
  continue(): void {
    const { start, end } = this.ends.peek();
    this.ends.value = { start: start === 'stopped' ? 'more' : start, end: end === 'stopped' ? 'more' : end };
    this.state.value = this.store.count === 0 ? 'loading' : 'ready';
    this.partial.value = null;
    this.error.value = null;
    void this.older();
    void this.newer();
  }
}

function endState(end: End): EndState {
  return end.reason === 'complete' ? 'complete' : end.reason === 'limit' ? 'more' : 'stopped';
}
