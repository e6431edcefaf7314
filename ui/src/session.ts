// One query's lines: loads them, pages by exact cursors, follows new ones, and says how it goes.
import { signal } from '@preact/signals';
import type { ServerError } from './model';
import type { Marker, Seen } from './api/records';
import { LineStore } from './list/store';
import type { LineList } from './list/list';

/** What is asked for. */
export interface OpenParams {
  /** LogQL; `''` for all lines. */
  readonly query: string;
  /** As in the address: relative, RFC 3339 or nanoseconds; `from` may be `all`. */
  readonly range: { readonly from: string; readonly to: string };
  readonly live: boolean;
  /** A line id: it is found, with lines on both sides. */
  readonly at?: string;
  /** A line id: what stands around it, of its stream, or of `query` if that is not `''`. */
  readonly around?: string;
  /** Whether an empty answer is widened to 24 h and then to everything: for the default range only. */
  readonly canWiden?: boolean;
}

/**
 * `stopped`: by hand; `partial`: the server stopped early, see `partial`; `gone`: the line pointed at is not kept any more, see `gone`.
 */
export type SessionState = 'idle' | 'loading' | 'ready' | 'empty' | 'error' | 'partial' | 'stopped' | 'gone';
export type Connection = 'live' | 'paused' | 'reconnecting' | 'off';

/** What stands beyond the first and the last line held: more that can be loaded, nothing, or what the server stopped at. */
export interface Ends {
  readonly start: 'more' | 'complete' | 'loading' | 'stopped';
  readonly end: 'more' | 'complete' | 'loading' | 'stopped' | 'live';
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
  readonly kind: 'widened' | 'back' | 'updated';
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

export class LogSession {
  readonly store = new LineStore();
  readonly state = signal<SessionState>('idle');
  readonly error = signal<ServerError | null>(null);
  readonly partial = signal<Partial | null>(null);
  readonly progress = signal<Seen | null>(null);
  readonly connection = signal<Connection>('off');
  /** Why live is off although it was asked for: the server's words. */
  readonly refusal = signal<string | null>(null);
  /** Lines that came while the end was not followed, and how many of them are errors. */
  readonly newCount = signal(0);
  readonly newErrors = signal(0);
  /** Lines a second, over the last two seconds. */
  readonly rate = signal(0);
  /** The range as resolved for this answer, in nanoseconds, as the server understood it. */
  readonly bounds = signal<{ start: bigint; end: bigint } | null>(null);
  readonly ends = signal<Ends>({ start: 'loading', end: 'loading' });
  readonly note = signal<Note | null>(null);
  /** The index of the line pointed at; -1 while there is none. */
  readonly target = signal(-1);
  /** The line pointed at is gone: the oldest time kept and the id of the nearest line. */
  readonly gone = signal<{ message: string; oldest: bigint | undefined; nearest: string | undefined } | null>(null);
  /** How many lines are held. */
  readonly count = signal(0);

  /** Ties a list to this session: paging, following, eviction, markers. Returns how to untie them. */
  connect(list: LineList): () => void {
    void list;
    return () => {};
  }

  open(params: OpenParams): void {
    void params;
  }

  older(): void {}

  newer(): void {}

  /** To the newest line: loads the newest page where it is not held. */
  async goToEnd(): Promise<void> {}

  async goToStart(): Promise<void> {}

  /** To a time in nanoseconds: loads around it where it is not held. Returns the index of the line there. */
  async goToTime(time: bigint): Promise<number> {
    void time;
    return -1;
  }

  pause(): void {}

  resume(): void {}

  /** Asks for new lines every 5 s instead of by a socket. */
  poll(): void {}

  /** Loads the lines that a marker stands for. */
  async fill(marker: Marker): Promise<void> {
    void marker;
  }

  /** Stops loading; what came stays. */
  stop(): void {}

  /** Goes on from where an answer stopped. */
  continue(): void {}

  close(): void {}
}
