// New lines of a query: takes them in once per frame, counts those that come unseen, and keeps no more than there is room for.
import { signal } from '@preact/signals';
import { Follower, type From } from './api/follow';
import { isAbort, toServerError, wait } from './api/http';
import { fetchLines } from './api/lines';
import type { Begin, Entry, Marker } from './api/records';
import { cancelFrame, onFrame } from './list/frame';
import type { Viewport } from './list/options';
import { LIVE, roomAtEnd } from './list/room';
import type { LineStore } from './list/store';
import { groupOf, lineId, type Line } from './model';

/** Lines that are taken in per frame at most: a backlog is spread over some. */
const FRAME_LINES = 5000;
/** The time over which the rate is taken, and how often it is told, in ms. */
const RATE_MS = 2000;
const RATE_STEP_MS = 500;
/** Lines that come within so long after a lost connection is back are those that were missed. */
const CATCH_UP_MS = 1000;
const POLL_MS = 5000;
const POLL_LINES = 5000;

export type Connection = 'live' | 'paused' | 'reconnecting' | 'off';
type Gap = Extract<Marker, { kind: 'gap' }>;

export interface LiveHandlers {
  begin(begin: Begin): void;
  /** The connection is back: how long it was lost in ms, and how many lines were caught up. */
  back(ms: number, lines: number): void;
}

export class Live {
  readonly connection = signal<Connection>('off');
  /** Why new lines do not come although they were asked for: the server's words. */
  readonly refusal = signal<string | null>(null);
  /** Lines that came while the end was not followed, and how many of them are errors. */
  readonly newCount = signal(0);
  readonly newErrors = signal(0);
  /** Lines a second, over the last two seconds. */
  readonly rate = signal(0);
  view: Viewport = { first: -1, last: -1, isPinned: true };
  #query = '';
  /** Where to go on; `undefined` while there is nothing to follow. */
  #from: From | undefined;
  #follower: Follower | undefined;
  #polling: AbortController | undefined;
  #isPaused = false;
  #pending: Entry[] = [];
  /** Stands for lines that are counted but not kept. */
  #skipped: Gap | undefined;
  #lostAt: number | undefined;
  #caughtUp = 0;
  #backTimer: ReturnType<typeof setTimeout> | undefined;
  #arrivals: { at: number; lines: number }[] = [];
  #rateTimer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly store: LineStore, private readonly handlers: LiveHandlers) {}

  /** Whether lines are asked for, paused or not. */
  get isOn(): boolean {
    return this.#from !== undefined;
  }

  /** What stands for the lines that are not kept; they begin behind the last line held. */
  get skipped(): Gap | undefined {
    return this.#skipped;
  }

  start(query: string, from: From): void {
    this.stop();
    this.#query = query;
    this.#from = from;
    this.#connect();
  }

  stop(): void {
    this.#disconnect();
    this.#from = undefined;
    this.#pending = [];
    this.#skipped = undefined;
    cancelFrame(this.#takeIn);
    this.connection.value = 'off';
    this.refusal.value = null;
  }

  pause(): void {
    this.#isPaused = true;
    if (!this.isOn) return;
    this.#disconnect();
    this.connection.value = 'paused';
  }

  resume(): void {
    if (!this.#isPaused) {
      this.#follower?.retryNow();
      return;
    }
    this.#isPaused = false;
    if (this.isOn) this.#connect();
  }

  /** Begins to count new lines anew. */
  forgetNew(): void {
    this.newCount.value = 0;
    this.newErrors.value = 0;
  }

  #connect(): void {
    if (this.#isPaused) {
      this.connection.value = 'paused';
      return;
    }
    this.#rateTimer = setInterval(() => this.#tellRate(), RATE_STEP_MS);
    this.connection.value = 'live';
    this.#follower = new Follower(this.#query, this.#from as From, {
      entries: (entries) => this.#add(entries),
      open: (begin, isBack) => {
        this.connection.value = 'live';
        this.handlers.begin(begin);
        if (isBack) this.#sayBack();
      },
      lost: () => {
        this.#lostAt ??= Date.now();
        this.connection.value = 'reconnecting';
      },
      refused: (reason) => {
        this.connection.value = 'off';
        this.refusal.value = reason;
      },
    });
  }

  #disconnect(): void {
    if (this.#follower !== undefined) this.#from = this.#follower.place;
    this.#follower?.close();
    this.#follower = undefined;
    this.#polling?.abort();
    this.#polling = undefined;
    this.#lostAt = undefined;
    clearTimeout(this.#backTimer);
    clearInterval(this.#rateTimer);
    this.#arrivals = [];
    this.rate.value = 0;
  }

  #sayBack(): void {
    const ms = Date.now() - (this.#lostAt ?? Date.now());
    this.#lostAt = undefined;
    this.#caughtUp = 0;
    clearTimeout(this.#backTimer);
    this.#backTimer = setTimeout(() => this.handlers.back(ms, this.#caughtUp), CATCH_UP_MS);
  }

  /** Asks for new lines every 5 s instead: where the server has no connection left for this page. */
  poll(): void {
    if (this.#from === undefined) return;
    this.#disconnect();
    this.refusal.value = null;
    this.connection.value = 'live';
    this.#polling = new AbortController();
    void this.#pollOn(this.#polling.signal);
  }

  async #pollOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const from = this.#from ?? { last: '0' };
      try {
        const query = this.#query === '' ? {} : { query: this.#query };
        const place = 'after' in from ? { after: from.after } : 'start' in from ? { start: from.start } : {};
        await fetchLines({ ...query, ...place, direction: 'forward', limit: POLL_LINES }, signal, ({ begin, entries }) => {
          if (begin !== undefined) this.handlers.begin(begin);
          const last = entries.findLast((entry): entry is Line => !('kind' in entry));
          if (last !== undefined) this.#from = { after: lineId(last) };
          this.#add(entries);
        }, 'levels');
        this.connection.value = 'live';
        await wait(POLL_MS, signal);
      } catch (error) {
        if (signal.aborted || isAbort(error)) return;
        this.connection.value = 'reconnecting';
        if (toServerError(error).status >= 400 && toServerError(error).status !== 429) return;
        await wait(POLL_MS, signal).catch(() => undefined);
      }
    }
  }

  #add(entries: Entry[]): void {
    if (entries.length === 0) return;
    this.#arrivals.push({ at: Date.now(), lines: entries.length });
    this.#caughtUp += entries.length;
    // A backlog of ten thousand lines is too much for the arguments of one call.
    for (const entry of entries) this.#pending.push(entry);
    onFrame('data', this.#takeIn);
  }

  readonly #takeIn = (): void => {
    const { store, view } = this;
    const entries = this.#fresh(this.#pending.splice(0, FRAME_LINES));
    if (this.#pending.length > 0) onFrame('data', this.#takeIn);
    const lines = entries.filter((entry): entry is Line => !('kind' in entry));
    if (this.#skipped === undefined && roomAtEnd(store, LIVE, view, entries.length)) store.merge(entries);
    else this.#skip(lines.length);
    if (view.isPinned) return;
    this.newCount.value += lines.length;
    this.newErrors.value += lines.filter(({ level }) => groupOf(level) === 'error' || groupOf(level) === 'fatal').length;
  };

  /** Leaves out what is held already: the seam of two connections is exact, this is for lines that come late. */
  #fresh(entries: Entry[]): Entry[] {
    const { store } = this;
    const last = store.count > 0 ? store.timeAt(store.count - 1) : undefined;
    if (last === undefined) return entries;
    const ids = new Set<string>();
    return entries.filter((entry) => {
      if ('kind' in entry || entry.time >= last) return true;
      const id = lineId(entry);
      const isNew = !ids.has(id) && store.indexOfId(id) < 0;
      ids.add(id);
      return isNew;
    });
  }

  /** Counts lines that are not kept, and says so behind the last one that is. */
  #skip(lines: number): void {
    const { store } = this;
    const before = this.#skipped;
    const gap: Gap = before === undefined
      ? { kind: 'gap', lines, after: store.count > 0 ? store.idAt(store.count - 1) : '', before: '', reason: 'skipped' }
      : { ...before, lines: (before.lines ?? 0) + lines };
    this.#skipped = gap;
    if (before === undefined) store.append([gap]);
    else store.replaceMarker(before, gap);
  }

  #tellRate(): void {
    const now = Date.now();
    this.#arrivals = this.#arrivals.filter(({ at }) => now - at <= RATE_MS);
    this.rate.value = Math.round((this.#arrivals.reduce((sum, { lines }) => sum + lines, 0) * 1000) / RATE_MS);
  }
}
