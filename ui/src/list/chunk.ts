// Some thousand lines in a row, in columns: what the store is made of.
import type { Marker } from '../api/records';
import { LEVELS, type Level, type Line } from '../model';

/** Lines a chunk holds before the next one begins; it may grow beyond by lines that are put in later. */
export const CHUNK_LINES = 5000;

/** What few lines have: metadata and parsed fields. */
type Extra = Pick<Line, 'metadata' | 'parsed'>;

const LEVEL_INDEX = new Map<Level, number>(LEVELS.map((level, index) => [level, index]));

/** A line is found by its slot, counted from 0. */
export class Chunk {
  count = 0;
  times = new BigInt64Array(0);
  n = new Uint32Array(0);
  checks = new Uint32Array(0);
  levels = new Uint8Array(0);
  /** Indexes into the store's streams. */
  streams = new Uint32Array(0);
  /** 1 where the person unfolded the line: kept with it so that it moves along. */
  unfolded = new Uint8Array(0);
  texts: string[] = [];
  /** Absent while no line has any. */
  extras: (Extra | undefined)[] | undefined;
  /** Markers before the line in a slot. */
  markers = new Map<number, readonly Marker[]>();
  /** UTF-16 units of the texts. */
  characters = 0;
  /** The first slot whose line or markers changed since rows were counted; lines added at the end do not count. */
  changedFrom = Infinity;

  /** Makes room for as many lines. */
  reserve(lines: number): void {
    if (lines <= this.n.length) return;
    this.times = grown(this.times, new BigInt64Array(lines));
    this.n = grown(this.n, new Uint32Array(lines));
    this.checks = grown(this.checks, new Uint32Array(lines));
    this.levels = grown(this.levels, new Uint8Array(lines));
    this.streams = grown(this.streams, new Uint32Array(lines));
    this.unfolded = grown(this.unfolded, new Uint8Array(lines));
  }

  push(line: Line, stream: number): void {
    if (this.count === this.n.length) this.reserve(Math.max(64, Math.min(2 * this.count, this.count + CHUNK_LINES)));
    this.texts.push('');
    this.extras?.push(undefined);
    this.count += 1;
    this.#put(this.count - 1, line, stream);
  }

  #put(slot: number, line: Line, stream: number): void {
    this.times[slot] = line.time;
    this.n[slot] = line.n;
    this.checks[slot] = parseInt(line.check, 16);
    this.levels[slot] = LEVEL_INDEX.get(line.level) ?? LEVELS.length - 1;
    this.streams[slot] = stream;
    this.unfolded[slot] = 0;
    this.texts[slot] = line.text;
    this.characters += line.text.length;
    if (line.metadata === undefined && line.parsed === undefined) return;
    this.extras ??= new Array<Extra | undefined>(this.count).fill(undefined);
    this.extras[slot] = { metadata: line.metadata, parsed: line.parsed };
  }

  /** Puts lines, and no markers, before the one in `slot`; that one's markers stay with it. For few lines: all behind them are moved. */
  insert(slot: number, lines: readonly Line[], streams: readonly number[]): void {
    const by = lines.length;
    if (this.count + by > this.n.length) this.reserve(this.count + Math.max(by, CHUNK_LINES / 5));
    for (const column of [this.times, this.n, this.checks, this.levels, this.streams, this.unfolded]) column.copyWithin(slot + by, slot, this.count);
    const room = new Array<undefined>(by).fill(undefined);
    this.texts.splice(slot, 0, ...room.map(() => ''));
    this.extras?.splice(slot, 0, ...room);
    if (this.markers.size > 0) this.markers = new Map([...this.markers].map(([at, markers]) => [at < slot ? at : at + by, markers]));
    this.count += by;
    lines.forEach((line, index) => this.#put(slot + index, line, streams[index] as number));
    this.changedFrom = Math.min(this.changedFrom, slot);
  }

  /** Takes out what is from `slot` on and returns it as a chunk of its own. */
  split(slot: number): Chunk {
    const rest = new Chunk();
    rest.count = this.count - slot;
    rest.times = this.times.slice(slot, this.count);
    rest.n = this.n.slice(slot, this.count);
    rest.checks = this.checks.slice(slot, this.count);
    rest.levels = this.levels.slice(slot, this.count);
    rest.streams = this.streams.slice(slot, this.count);
    rest.unfolded = this.unfolded.slice(slot, this.count);
    rest.texts = this.texts.splice(slot);
    rest.extras = this.extras?.splice(slot);
    rest.characters = rest.texts.reduce((sum, text) => sum + text.length, 0);
    for (const [at, markers] of [...this.markers]) {
      if (at < slot) continue;
      rest.markers.set(at - slot, markers);
      this.markers.delete(at);
    }
    this.characters -= rest.characters;
    this.count = slot;
    this.changedFrom = Math.min(this.changedFrom, slot);
    return rest;
  }
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
