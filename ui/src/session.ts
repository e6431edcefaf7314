// One query's lines: loads them, pages by exact cursors, follows new ones, and says how it goes.
import { effect, signal } from '@preact/signals';
import { GoneError, isAbort, toServerError } from './api/http';
import { fetchLines, type LinesParams } from './api/lines';
import type { Begin, End, Entry, Marker, Seen } from './api/records';
import type { LineList } from './list/list';
import { evictFar, heldAtMost } from './list/room';
import { LineStore, type Change } from './list/store';
import { Live } from './live';
import { ALL, build } from './logql/build';
import { lineId, type ServerError, type Stream } from './model';
import { formatAge, formatCount, formatDuration } from './time/format';
import { resolveRange } from './time/range';

export type { Connection } from './live';

/** Lines of a page, on either side of a line pointed at, and of a gap that is filled. */
const PAGE_LINES = 1000;
const AROUND_LINES = 100;
const FILL_LINES = 5000;
/** Pages that are loaded to reach the other end of a run of lines that a link marks. */
const RUN_PAGES_MAX = 20;
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
  /** The query of further pages: the stream's own around a line. */
  #query = '';
  /** Where the range begins as later pages ask for it. */
  #start: string | undefined;
  /** What loads at present. */
  readonly #loading = new Set<AbortController>();
  /** Whether the lines held are of the answer before, shown until this one has a line. */
  #isStale = false;
  /** How far a scan came that found nothing. */
  #reached: bigint | undefined;
  #version = '';
  readonly #filling = new Set<Marker>();

  constructor() {
    this.store.subscribe(this.#onChange);
  }

  readonly #onChange = ({ at, removed, inserted }: Change): void => {
    this.count.value = this.store.count;
    if (inserted > 0 && this.state.peek() === 'empty') this.state.value = 'ready';
    const target = this.target.peek();
    if (target >= at) this.target.value = target < at + removed ? -1 : target + inserted - removed;
  };

  /** Ties a list to this session: paging, following, eviction, markers. Returns how to untie them. */
  connect(list: LineList): () => void {
    const ends = [
      list.on('older', () => this.older()),
      list.on('newer', () => this.newer()),
      list.on('marker', (marker) => void this.fill(marker)),
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
    this.#query = params.query;
    this.#start = params.range.from === 'all' ? undefined : params.range.from;
    this.#isStale = true;
    this.#reached = undefined;
    this.state.value = 'loading';
    this.ends.value = { start: 'loading', end: 'loading' };
    this.target.value = -1;
    for (const cleared of [this.error, this.partial, this.progress, this.note, this.gone, this.bounds]) cleared.value = null;
    this.#live.forgetNew();
    const id = params.around || params.at?.split('..')[0];
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
      this.#freshen();
      this.error.value = toServerError(error);
      if (this.store.count === 0) this.state.value = 'error';
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

  /** Asks for lines of this answer; `take` gets what comes in the order in which it is shown. */
  async #ask(params: LinesParams, signal: AbortSignal, take: (entries: Entry[]) => void): Promise<End> {
    const isBackward = params.direction === 'backward';
    return fetchLines({ ...(this.#query === '' ? {} : { query: this.#query }), ...params }, signal, ({ begin, entries, seen }) => {
      if (begin !== undefined) this.#begin(begin);
      if (seen !== undefined) {
        this.progress.value = seen;
        if (seen.backTo !== 0n) this.#reached = seen.backTo;
      }
      if (entries.length === 0) return;
      take(isBackward ? entries.reverse() : entries);
    });
  }

  #begin({ start, end, now, version }: Begin): void {
    if (!this.#isAround) this.bounds.value ??= { start: start === undefined || start < 0n ? 0n : start, end: end === undefined || end > now ? now : end };
    this.#sawVersion(version);
  }

  #sawVersion(version: string): void {
    if (this.#version !== '' && version !== '' && version !== this.#version) {
      this.note.value = { kind: 'updated', text: 'The agent was updated.', action: { label: 'Reload', run: () => location.reload() } };
    }
    if (version !== '') this.#version = version;
  }

  /** The range as parameters; what is open is left out. */
  #range(): Pick<LinesParams, 'start' | 'end'> {
    const { to } = this.#params.range;
    return { start: this.#start, end: to === 'now' || this.#isAround ? undefined : to };
  }

  get #isAround(): boolean {
    return Boolean(this.#params.around || this.#params.at);
  }

  async #loadNewest(signal: AbortSignal): Promise<void> {
    const end = await this.#ask({ ...this.#range(), direction: 'backward', limit: PAGE_LINES }, signal, (entries) => {
      this.#freshen();
      this.store.prepend(entries);
      // What comes meanwhile belongs behind the newest line: there is no need to wait for the whole page.
      this.#follow();
    });
    this.#freshen();
    if (this.store.count === 0 && end.reason === 'complete' && this.#params.canWiden === true) {
      const wider = WIDER[WIDER.indexOf(this.#start ?? 'all') + 1];
      if (wider !== undefined) {
        this.#start = wider === 'all' ? undefined : wider;
        this.bounds.value = null;
        await this.#loadNewest(signal);
        return;
      }
    }
    if (this.store.count > 0) this.#sayWidened();
    // Later pages hold to the instant that the first one began at.
    if (this.#start !== undefined && this.bounds.peek() !== null) this.#start = String(this.bounds.peek()?.start);
    this.#finish(end);
    this.ends.value = { start: endState(end), end: this.#params.live ? 'live' : 'complete' };
    this.#follow();
  }

  #sayWidened(): void {
    const { range } = this.#params;
    if (this.#start === (range.from === 'all' ? undefined : range.from)) return;
    const now = BigInt(Date.now()) * 1_000_000n;
    const shown = this.#start === undefined ? formatAge(this.store.timeAt(0), now) : this.#start.replace(/h$/, ' h');
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
    this.#start = undefined;
    const counts = { before_count: AROUND_LINES, after_count: AROUND_LINES };
    let end: End;
    try {
      end = await this.#ask({ around: id, ...counts }, signal, (entries) => {
        this.#freshen();
        this.store.append(entries);
      });
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
    if (this.#params.around && this.#query === '' && stream !== undefined) this.#query = selectorOf(stream);
    if (target < 0) {
      this.note.value = { kind: 'absent', text: 'The line is not in the answer to this query.' };
    }
    const [before, after] = target < 0 ? [AROUND_LINES, AROUND_LINES] : [target, this.store.count - 1 - target];
    this.ends.value = { start: before < AROUND_LINES ? 'complete' : 'more', end: after < AROUND_LINES && end.reason === 'complete' ? 'complete' : 'more' };
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
      await this.#ask({ around: error.nearest, before_count: AROUND_LINES, after_count: AROUND_LINES }, signal, (entries) => this.store.append(entries));
      this.target.value = this.store.indexOfId(error.nearest);
    }
    this.ends.value = { start: 'more', end: 'more' };
    this.state.value = 'gone';
  }

  /** Says how an answer ended. */
  #finish(end: End): void {
    this.progress.value = null;
    this.error.value = null;
    const reason = end.reason === 'time' || end.reason === 'memory' || end.reason === 'cut' ? end.reason : end.unreadableParts > 0 ? 'unreadable' : null;
    if (reason === null) {
      this.partial.value = null;
      this.state.value = this.store.count === 0 ? 'empty' : 'ready';
      return;
    }
    const at = this.store.count > 0 ? this.store.timeAt(0) : this.#reached;
    this.partial.value = { reason, at, seconds: end.seconds, unreadableParts: end.unreadableParts };
    this.state.value = 'partial';
  }

  /** Follows new lines from the last one held on, where that is asked for and not done. */
  #follow(): void {
    if (!this.#params.live || this.#live.isOn) return;
    const { count } = this.store;
    const start = this.bounds.peek()?.start;
    this.#live.start(this.#query, count > 0 ? { after: this.store.idAt(count - 1) } : start === undefined ? { last: '0' } : { start: String(start) });
  }

  #sayBack(ms: number, lines: number): void {
    const text = `Back after ${formatDuration(BigInt(ms) * 1_000_000n)}, ${formatCount(lines)} ${lines === 1 ? 'line' : 'lines'} caught up.`;
    this.note.value = { kind: 'back', text };
  }

  /** Loads older lines where there are any. */
  older(): void {
    if (this.ends.peek().start === 'more' && !this.#isStale) void this.#guard((signal) => this.#olderPage(signal));
  }

  /** Loads newer lines where there are any that do not come by themselves. */
  newer(): void {
    if (this.ends.peek().end === 'more' && !this.#isStale) void this.#guard((signal) => this.#newerPage(signal));
  }

  async #olderPage(signal: AbortSignal): Promise<void> {
    const { store } = this;
    this.ends.value = { ...this.ends.peek(), start: 'loading' };
    // A search that has found nothing yet goes on where it came to.
    const place = store.count > 0 ? { before: store.idAt(0) } : { end: this.#reached === undefined ? undefined : String(this.#reached) };
    const end = await this.#ask({ ...this.#range(), ...place, direction: 'backward', limit: PAGE_LINES }, signal, (entries) => store.prepend(entries));
    this.ends.value = { ...this.ends.peek(), start: endState(end) };
    this.#finish(end);
    this.#evict();
    this.#follow();
  }

  async #newerPage(signal: AbortSignal): Promise<void> {
    const { store } = this;
    if (store.count === 0) return;
    this.ends.value = { ...this.ends.peek(), end: 'loading' };
    const after = store.idAt(store.count - 1);
    const end = await this.#ask({ ...this.#range(), after, direction: 'forward', limit: PAGE_LINES }, signal, (entries) => store.append(entries));
    this.#reachedEnd(endState(end));
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
    const { store } = this;
    const { skipped } = this.#live;
    const { end } = this.ends.peek();
    if (store.count === 0 || end === 'loading' || (skipped === undefined && (end === 'live' || end === 'complete'))) return;
    await this.#guard(async (signal) => {
      this.#live.stop();
      this.ends.value = { ...this.ends.peek(), end: 'loading' };
      const after = store.idAt(store.count - 1);
      const newest: Entry[] = [];
      const answer = await this.#ask({ ...this.#range(), after, direction: 'backward', limit: PAGE_LINES }, signal, (entries) => {
        newest.unshift(...entries);
      });
      if (skipped !== undefined) store.replaceMarker(skipped);
      const first = newest.find((entry) => !('kind' in entry));
      if (answer.reason !== 'complete' && first !== undefined && !('kind' in first)) {
        const lines = skipped?.lines === undefined ? undefined : Math.max(1, skipped.lines - newest.length);
        newest.unshift({ kind: 'gap', lines, after, before: lineId(first), reason: 'skipped' });
      }
      store.append(newest);
      this.#reachedEnd('complete');
    });
  }

  /** Loads the oldest lines where they are not held. What lies between is a gap that can be filled. */
  async goToStart(): Promise<void> {
    const { store } = this;
    if (this.ends.peek().start !== 'more' || store.count === 0) return;
    await this.#guard(async (signal) => {
      this.ends.value = { ...this.ends.peek(), start: 'loading' };
      const before = store.idAt(0);
      const oldest: Entry[] = [];
      const answer = await this.#ask({ ...this.#range(), before, direction: 'forward', limit: PAGE_LINES }, signal, (entries) => {
        oldest.push(...entries);
      });
      const last = oldest.findLast((entry) => !('kind' in entry));
      if (answer.reason !== 'complete' && last !== undefined && !('kind' in last)) {
        oldest.push({ kind: 'gap', lines: undefined, after: lineId(last), before, reason: 'skipped' });
      }
      store.prepend(oldest);
      this.ends.value = { ...this.ends.peek(), start: 'complete' };
    });
  }

  /** The index of the line at a time in nanoseconds; what is around it is loaded in place of what is held where that does not reach so far. */
  async goToTime(time: bigint): Promise<number> {
    const { store } = this;
    const isHeld = store.count > 0 && (store.timeAt(0) <= time || this.ends.peek().start === 'complete') &&
      (time <= store.timeAt(store.count - 1) || this.ends.peek().end !== 'more');
    if (isHeld) return Math.min(store.count - 1, store.indexAtTime(time));
    const isDone = await this.#guard(async (signal) => {
      const [before, after]: [Entry[], Entry[]] = [[], []];
      const { start, end } = this.#range();
      const ends = await Promise.all([
        this.#ask({ start, end: String(time), direction: 'backward', limit: PAGE_LINES / 2 }, signal, (entries) => before.unshift(...entries)),
        this.#ask({ start: String(time), end, direction: 'forward', limit: PAGE_LINES / 2 }, signal, (entries) => after.push(...entries)),
      ]);
      this.#live.stop();
      store.clear();
      store.append([...before, ...after]);
      this.ends.value = { ...this.ends.peek(), start: endState(ends[0]) };
      this.#reachedEnd(endState(ends[1]));
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
    this.#filling.add(marker);
    await this.#guard(async (signal) => {
      const loaded: Entry[] = [];
      const { after, before } = marker;
      const end = await this.#ask({ after, before, direction: 'forward', limit: FILL_LINES }, signal, (entries) => {
        loaded.push(...entries);
      });
      const last = loaded.findLast((entry) => !('kind' in entry));
      const index = this.store.indexOfMarker(marker);
      if (index < 0) return;
      this.store.insertAt(index, loaded);
      const isLeft = end.reason === 'limit' && last !== undefined && !('kind' in last);
      if (!isLeft) this.store.replaceMarker(marker);
      else this.store.replaceMarker(marker, { ...marker, after: lineId(last), lines: marker.lines === undefined ? undefined : Math.max(1, marker.lines - loaded.length) });
    });
    this.#filling.delete(marker);
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
    this.older();
    this.newer();
  }
}

function endState(end: End): EndState {
  return end.reason === 'complete' ? 'complete' : end.reason === 'limit' ? 'more' : 'stopped';
}

/** The streams with exactly these labels, and those that have more. */
function selectorOf({ labels }: Stream): string {
  const isContainer = ['namespace', 'pod', 'container'].every((name) => labels.has(name));
  const names = isContainer ? ['namespace', 'pod', 'container'] : [...labels.keys()];
  return build({ ...ALL, matchers: names.map((name) => ({ name, op: '=', value: labels.get(name) ?? '' })) });
}
