// `GET api/v1/follow`: new lines as they come, over a WebSocket that finds its way back by the id of the last line.
import { lineId, type Line } from '../model';
import { wsUrl } from '../route';
import { noteInstance } from './instance';
import { Decoder, type Begin, type Entry, type Records } from './records';

/** Pauses before a connection is tried again, in ms, give or take a fifth; the last one holds. */
const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15_000];
const JITTER = 0.2;
/** The server says something every 5 s; longer silence than this is a lost connection. */
const SILENCE_MS = 15_000;
/** A hidden page keeps its connection for so long. */
const HIDDEN_MS = 60_000;
/** The server refuses for a reason that trying again does not change. */
const POLICY_VIOLATION = 1008;

/** From where on lines are sent: behind a line, from a time in nanoseconds, or the newest so many. */
export type From = { readonly after: string } | { readonly start: string } | { readonly last: string };

export interface FollowHandlers {
  entries(entries: Entry[]): void;
  /** `isBack` where a connection was lost before. */
  open(begin: Begin, isBack: boolean): void;
  /** The connection is lost and is tried again. */
  lost(): void;
  /** The server will not send lines, in its words. */
  refused(reason: string): void;
}

export class Follower {
  #socket: WebSocket | undefined;
  #isClosed = false;
  #isHidden = false;
  #failures = 0;
  /** Whether a connection was lost and none has come in its place. */
  #isLost = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #hide: ReturnType<typeof setTimeout> | undefined;
  #lastTime: bigint | undefined;
  readonly #stop = new AbortController();

  constructor(private readonly query: string, private from: From, private readonly handlers: FollowHandlers) {
    const { signal } = this.#stop;
    addEventListener('online', this.retryNow, { signal });
    document.addEventListener('visibilitychange', this.#onVisibility, { signal });
    this.#connect();
    this.#onVisibility();
  }

  /** Where to go on. */
  get place(): From {
    return this.from;
  }

  /** Tries again at once where the connection is lost. */
  readonly retryNow = (): void => {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#connect();
  };

  close(): void {
    this.#isClosed = true;
    this.#stop.abort();
    for (const timer of [this.#retry, this.#silence, this.#hide]) clearTimeout(timer);
    this.#drop();
  }

  #connect(): void {
    this.#retry = undefined;
    const query = this.query === '' ? undefined : this.query;
    const socket = new WebSocket(wsUrl('api/v1/follow', { query, ...this.from }));
    this.#socket = socket;
    const decoder = new Decoder();
    this.#listen();
    socket.onmessage = ({ data }) => {
      this.#listen();
      try {
        this.#take(decoder.frame(String(data)));
      } catch {
        // What cannot be read is asked for again, behind the last line that could.
        this.#drop();
        this.#lost();
      }
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#drop();
      if (code === POLICY_VIOLATION) {
        this.close();
        this.handlers.refused(reason === '' ? 'The agent refused to send new lines.' : reason);
      } else {
        this.#lost();
      }
    };
  }

  #take({ begin, entries }: Records): void {
    if (begin !== undefined) {
      this.#failures = 0;
      noteInstance(begin.instance);
      this.handlers.open(begin, this.#isLost);
      this.#isLost = false;
    }
    if (entries.length === 0) return;
    for (const entry of entries) if (!('kind' in entry)) this.#note(entry);
    this.handlers.entries(entries);
  }

  /** Remembers the place to go on from: the last line in order. Lines that come late are before it. */
  #note(line: Line): void {
    if (this.#lastTime !== undefined && line.time < this.#lastTime) return;
    this.#lastTime = line.time;
    this.from = { after: lineId(line) };
  }

  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#drop();
      this.#lost();
    }, SILENCE_MS);
  }

  /** Forgets the socket, which may never close by itself. */
  #drop(): void {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #lost(): void {
    if (this.#isClosed || this.#isHidden) return;
    this.#isLost = true;
    const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] as number;
    this.#failures += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), pause * (1 + JITTER * (2 * Math.random() - 1)));
    this.handlers.lost();
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#hide);
    if (document.hidden) {
      this.#hide = setTimeout(() => {
        this.#isHidden = true;
        clearTimeout(this.#retry);
        this.#retry = undefined;
        this.#drop();
      }, HIDDEN_MS);
    } else if (this.#isHidden) {
      this.#isHidden = false;
      this.#connect();
    } else {
      this.retryNow();
    }
  };
}
