// The records of `lines` and `follow`: text that arrives in pieces -> lines and what stands between them. One JSON.parse per piece.
import { ServerError, toLevel, type Line, type Stream } from '../model';

/** What stands between lines. Two ids, each exclusive, name the lines that `gap` can be filled with. */
export type Marker =
  | { readonly kind: 'gap'; readonly lines: number | undefined; readonly after: string; readonly before: string; readonly reason: GapReason }
  | { readonly kind: 'loss'; readonly stream: Stream; readonly time: bigint; readonly bytes: readonly [number, number]; readonly reason: string }
  | { readonly kind: 'rotated' | 'started'; readonly time: bigint };

/** `missed`: they came faster than the server could send them; `skipped`: the page did not ask for them, or had no room. */
export type GapReason = 'missed' | 'skipped';

/** Told apart by `kind`, which a line has not. */
export type Entry = Line | Marker;

/** What an answer begins with. */
export interface Begin {
  readonly query: string;
  readonly start: bigint | undefined;
  readonly end: bigint | undefined;
  readonly now: bigint;
  readonly version: string;
  /** Which agent answered. */
  readonly instance: string;
}

/** How far a scan has come that finds nothing. */
export interface Seen {
  readonly backTo: bigint;
  readonly bytes: number;
  readonly lines: number;
}

/** How an answer ended; `cut` where it stopped without saying so. */
export interface End {
  readonly reason: 'complete' | 'limit' | 'time' | 'memory' | 'cut';
  readonly first: string | undefined;
  readonly last: string | undefined;
  readonly unreadableParts: number;
  readonly seconds: number;
}

/** What one piece held, lines and markers in their order. */
export interface Records {
  begin?: Begin;
  entries: Entry[];
  seen?: Seen;
  end?: End;
  /** The server's clock in a sign of life. */
  beat?: bigint;
}

type Fields = Record<string, string>;
type RawLine = [stream: number, time: string, n: number, check: string, level: string, text: string, extra?: { metadata?: Fields; parsed?: Fields }];
type RawRecord = Record<string, Record<string, unknown> | undefined>;

/** Longest piece of a record that is held while its rest is awaited, in characters. */
const RECORD_LENGTH_MAX = 64 << 20;

/** Decodes one answer or one connection: stream numbers count anew in each. */
export class Decoder {
  #rest = '';
  readonly #streams = new Map<number, Stream>();

  /** Decodes a piece of the text; half a record at its end waits for the next piece. */
  push(piece: string): Records {
    const end = piece.lastIndexOf('\n');
    if (end < 0) {
      this.#rest += piece;
      if (this.#rest.length > RECORD_LENGTH_MAX) throw unreadable();
      return { entries: [] };
    }
    const text = this.#rest + piece.slice(0, end);
    this.#rest = piece.slice(end + 1);
    return this.#decode(text);
  }

  /** Decodes whole records: a frame of a WebSocket. */
  frame(text: string): Records {
    return this.#decode(text.endsWith('\n') ? text.slice(0, -1) : text);
  }

  #decode(text: string): Records {
    const records: Records = { entries: [] };
    if (text === '') return records;
    let values: unknown;
    try {
      // JSON escapes line breaks within strings, so each one here stands between two records.
      values = JSON.parse(`[${text.replaceAll('\n', ',')}]`);
    } catch {
      throw unreadable();
    }
    for (const value of values as unknown[]) {
      if (Array.isArray(value)) records.entries.push(this.#line(value as RawLine));
      else if (typeof value === 'object' && value !== null) this.#record(value as RawRecord, records);
    }
    return records;
  }

  #line([number, time, n, check, level, text, extra]: RawLine): Line {
    const stream = this.#streams.get(number);
    if (stream === undefined || typeof text !== 'string') throw unreadable();
    const line = { stream, time: BigInt(time), n, check, level: toLevel(level), text };
    if (extra === undefined || extra === null) return line;
    return { ...line, metadata: toMap(extra.metadata), parsed: toMap(extra.parsed) };
  }

  #record(record: RawRecord, records: Records): void {
    const { begin, stream, gap, rotated, started, missed, seen, end, beat, error } = record;
    if (stream) {
      const labels = toMap(stream.labels as Fields | undefined) ?? new Map<string, string>();
      this.#streams.set(Number(stream.s), { id: text(stream.id), labels, service: text(stream.service) });
    } else if (gap) {
      const of = this.#streams.get(Number(gap.s));
      const [from, to] = Array.isArray(gap.bytes) ? (gap.bytes as unknown[]) : [];
      const time = toTime(gap.time);
      if (of === undefined || time === undefined) return;
      const bytes = [Number(from ?? 0), Number(to ?? 0)] as const;
      records.entries.push({ kind: 'loss', stream: of, time, bytes, reason: text(gap.reason) });
    } else if (rotated ?? started) {
      const time = toTime((rotated ?? started)?.time);
      if (time !== undefined) records.entries.push({ kind: rotated ? 'rotated' : 'started', time });
    } else if (missed) {
      const lines = typeof missed.lines === 'number' ? missed.lines : undefined;
      records.entries.push({ kind: 'gap', lines, after: text(missed.after), before: text(missed.before), reason: 'missed' });
    } else if (begin) {
      records.begin = {
        query: text(begin.query), start: toTime(begin.start), end: toTime(begin.end),
        now: toTime(begin.now) ?? BigInt(Date.now()) * 1_000_000n, version: text(begin.version), instance: text(begin.instance),
      };
    } else if (seen) {
      records.seen = { backTo: toTime(seen.back_to) ?? 0n, bytes: Number(seen.bytes ?? 0), lines: Number(seen.lines ?? 0) };
    } else if (end) {
      const reason = (['complete', 'limit', 'time', 'memory'] as const).find((known) => known === end.reason) ?? 'complete';
      records.end = {
        reason, first: optional(end.first), last: optional(end.last),
        unreadableParts: Number(end.unreadable_parts ?? 0), seconds: Number(end.seconds ?? 0),
      };
    } else if (beat) {
      records.beat = toTime(beat.now) ?? BigInt(Date.now()) * 1_000_000n;
    } else if (error) {
      throw new ServerError(Number(error.status ?? 0), text(error.message) || 'The agent could not finish the answer.');
    }
  }
}

function unreadable(): ServerError {
  return new ServerError(0, 'The answer holds something that is no record.');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function optional(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A time in nanoseconds, or in RFC 3339. */
function toTime(value: unknown): bigint | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value !== 'string') return undefined;
  if (/^-?\d{1,20}$/.test(value)) return BigInt(value);
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n;
}

/** Into a Map, so that no key of a log can reach an object's prototype. */
function toMap(fields: Fields | undefined): ReadonlyMap<string, string> | undefined {
  return fields === undefined || fields === null ? undefined : new Map(Object.entries(fields));
}
