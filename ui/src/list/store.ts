// All lines that the page holds, in their order, with the markers between them: columnar chunks that are evicted whole.
import type { Entry, Marker } from '../api/records';
import { LEVELS, type Level, type Line, type Stream } from '../model';
import { Chunk, CHUNK_LINES } from './chunk';

/** `removed` lines from index `at` on were taken out and `inserted` ones put there; both are 0 where only markers or folds changed. */
export interface Change {
  readonly at: number;
  readonly removed: number;
  readonly inserted: number;
  /** Whether the lines came after younger ones. */
  readonly isLate?: boolean;
}

/** More lines than this are put into chunks of their own instead of moving those behind them. */
const INSERT_MAX = 500;
/** Lines of one time among which the place of a late one is looked for. */
const LATE_LOOK_MAX = 1000;

/** Where a line is: the slot of the chunk with this number. */
interface Place {
  readonly chunk: Chunk;
  readonly slot: number;
  readonly number: number;
}

const isMarker = (entry: Entry): entry is Marker => 'kind' in entry;

/** Indexes count lines only, the oldest line is 0; a marker stands before the line it is kept at, or at `count` after the last one. */
export class LineStore {
  #chunks: Chunk[] = [];
  /** Index of the first line of each chunk. */
  #firsts: number[] = [];
  #count = 0;
  #streams: Stream[] = [];
  readonly #streamIndex = new Map<string, number>();
  /** Markers after the last line. */
  #tail: readonly Marker[] = [];
  readonly #subscribers = new Set<(change: Change) => void>();

  get count(): number {
    return this.#count;
  }

  get chunks(): readonly Chunk[] {
    return this.#chunks;
  }

  /** Index of the first line of each chunk. */
  get firsts(): readonly number[] {
    return this.#firsts;
  }

  /** All streams since the last `clear`, also those whose lines are held no more. */
  get streams(): readonly Stream[] {
    return this.#streams;
  }

  /** UTF-16 units of all texts. */
  get characters(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.characters, 0);
  }

  /** Calls `fn` after each change. Returns how to stop that. */
  subscribe(fn: (change: Change) => void): () => void {
    this.#subscribers.add(fn);
    return () => this.#subscribers.delete(fn);
  }

  #tell(change: Change): void {
    for (const fn of this.#subscribers) fn(change);
  }

  /** The chunk and the slot of a line. Throws `RangeError` for an index that no line has. */
  placeOf(index: number): Place {
    if (!(0 <= index && index < this.#count)) throw new RangeError(`no line ${index} of ${this.#count}`);
    let low = 0;
    let high = this.#firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#firsts[middle] as number) <= index) low = middle;
      else high = middle - 1;
    }
    return { chunk: this.#chunks[low] as Chunk, slot: index - (this.#firsts[low] as number), number: low };
  }

  lineAt(index: number): Line {
    const { chunk, slot } = this.placeOf(index);
    const line = {
      stream: this.#streams[chunk.streams[slot] as number] as Stream, time: chunk.times[slot] as bigint, n: chunk.n[slot] as number,
      check: hex(chunk.checks[slot] as number), level: LEVELS[chunk.levels[slot] as number] as Level, text: chunk.texts[slot] as string,
    };
    const extra = chunk.extras?.[slot];
    return extra === undefined ? line : { ...line, ...extra };
  }

  textAt(index: number): string {
    const { chunk, slot } = this.placeOf(index);
    return chunk.texts[slot] as string;
  }

  timeAt(index: number): bigint {
    const { chunk, slot } = this.placeOf(index);
    return chunk.times[slot] as bigint;
  }

  levelAt(index: number): Level {
    const { chunk, slot } = this.placeOf(index);
    return LEVELS[chunk.levels[slot] as number] as Level;
  }

  streamAt(index: number): Stream {
    const { chunk, slot } = this.placeOf(index);
    return this.#streams[chunk.streams[slot] as number] as Stream;
  }

  idAt(index: number): string {
    const { chunk, slot } = this.placeOf(index);
    const stream = this.#streams[chunk.streams[slot] as number] as Stream;
    return `${stream.id}.${chunk.times[slot] as bigint}.${chunk.n[slot] as number}.${hex(chunk.checks[slot] as number)}`;
  }

  /** The index of the line with this id; -1 where it is not held. */
  indexOfId(id: string): number {
    const [streamId = '', time = '', n = '', check = ''] = id.split('.');
    const stream = this.#streamIndex.get(streamId);
    if (stream === undefined || !/^-?\d{1,20}$/.test(time)) return -1;
    const [at, number, checked] = [BigInt(time), Number(n), parseInt(check, 16)];
    let nearly = -1;
    for (let index = this.indexAtTime(at); index < this.#count; index += 1) {
      const { chunk, slot } = this.placeOf(index);
      if (chunk.times[slot] !== at) break;
      if (chunk.checks[slot] !== checked || chunk.streams[slot] !== stream) continue;
      if (chunk.n[slot] === number) return index;
      // Retention shifts `n`; the check still tells.
      nearly = index;
    }
    return nearly;
  }

  /** The index of the first line that is not older than `time`; `count` where all are. */
  indexAtTime(time: bigint): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.timeAt(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  markersAt(index: number): readonly Marker[] {
    if (index === this.#count) return this.#tail;
    const { chunk, slot } = this.placeOf(index);
    return chunk.markers.get(slot) ?? [];
  }

  /** The index a marker stands at; -1 where it is not held. */
  indexOfMarker(marker: Marker): number {
    if (this.#tail.includes(marker)) return this.#count;
    for (const [number, chunk] of this.#chunks.entries()) {
      for (const [slot, markers] of chunk.markers) if (markers.includes(marker)) return (this.#firsts[number] as number) + slot;
    }
    return -1;
  }

  /** Puts others, or none, where a marker is. */
  replaceMarker(marker: Marker, ...others: Marker[]): void {
    const at = this.indexOfMarker(marker);
    if (at < 0) return;
    this.#setMarkers(at, this.markersAt(at).flatMap((other) => (other === marker ? others : [other])));
    this.#tell({ at, removed: 0, inserted: 0 });
  }

  #setMarkers(index: number, markers: readonly Marker[]): void {
    if (index === this.#count) {
      this.#tail = markers;
      return;
    }
    const { chunk, slot } = this.placeOf(index);
    if (markers.length === 0) chunk.markers.delete(slot);
    else chunk.markers.set(slot, markers);
    chunk.changedFrom = Math.min(chunk.changedFrom, slot);
  }

  /** Whether the person unfolded the line. */
  isUnfolded(index: number): boolean {
    const { chunk, slot } = this.placeOf(index);
    return chunk.unfolded[slot] === 1;
  }

  /** Folds or unfolds lines `first` to `last`. */
  setUnfolded(first: number, last: number, isUnfolded: boolean): void {
    for (let index = first; index <= last; index += 1) {
      const { chunk, slot } = this.placeOf(index);
      chunk.unfolded[slot] = isUnfolded ? 1 : 0;
      chunk.changedFrom = Math.min(chunk.changedFrom, slot);
    }
    this.#tell({ at: first, removed: 0, inserted: 0 });
  }

  /** Adds entries after the last line and the markers there, in their order. */
  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const at = this.#count;
    this.#tail = this.#pushTo(this.#chunks, this.#tail.length === 0 ? entries : [...this.#tail, ...entries]);
    for (let next = this.#firsts.length; next < this.#chunks.length; next += 1) {
      const before = this.#chunks[next - 1];
      this.#firsts.push(before === undefined ? 0 : (this.#firsts[next - 1] as number) + before.count);
    }
    const last = this.#chunks.at(-1);
    this.#count = last === undefined ? 0 : (this.#firsts.at(-1) as number) + last.count;
    this.#tell({ at, removed: 0, inserted: this.#count - at });
  }

  /** Adds entries before the first line and the markers there; the oldest of them comes first. */
  prepend(entries: readonly Entry[]): void {
    this.insertAt(0, entries);
  }

  /** Puts entries before the line at `index` and before the markers there. */
  insertAt(index: number, entries: readonly Entry[], isLate = false): void {
    if (entries.length === 0) return;
    const before = this.#count;
    const { chunk, slot, number } = index < before ? this.placeOf(index) : { chunk: undefined, slot: 0, number: 0 };
    if (chunk !== undefined && entries.length <= INSERT_MAX && chunk.count + entries.length <= 2 * CHUNK_LINES && !entries.some(isMarker)) {
      const lines = entries as readonly Line[];
      chunk.insert(slot, lines, lines.map((line) => this.#streamOf(line)));
    } else {
      const made: Chunk[] = [];
      const markers = [...this.#pushTo(made, entries), ...this.markersAt(index)];
      if (chunk === undefined) {
        this.#chunks.push(...made);
      } else {
        if (slot > 0) made.push(chunk.split(slot));
        this.#chunks.splice(slot > 0 ? number + 1 : number, 0, ...made);
      }
      this.#index();
      this.#setMarkers(index + this.#count - before, markers);
    }
    this.#index();
    this.#tell({ at: index, removed: 0, inserted: this.#count - before, isLate });
  }

  /** Puts lines that came late where their times belong: behind all that are not younger. */
  insertLate(lines: readonly Line[]): void {
    const sorted = [...lines].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    for (let from = 0; from < sorted.length;) {
      const first = sorted[from] as Line;
      const at = this.#indexForLate(first);
      const limit = at < this.#count ? this.timeAt(at) : undefined;
      let to = from + 1;
      while (to < sorted.length && (limit === undefined || (sorted[to] as Line).time < limit)) to += 1;
      this.insertAt(at, sorted.slice(from, to), true);
      from = to;
    }
  }

  /** Behind all that are not younger; of the line's own stream behind those with a smaller `n`. */
  #indexForLate(line: Line): number {
    let found = this.indexAtTime(line.time + 1n);
    const stream = this.#streamIndex.get(line.stream.id);
    for (let index = found - 1; index >= Math.max(0, found - LATE_LOOK_MAX); index -= 1) {
      const { chunk, slot } = this.placeOf(index);
      if (chunk.times[slot] !== line.time) break;
      if (chunk.streams[slot] === stream && (chunk.n[slot] as number) > line.n) found = index;
    }
    return found;
  }

  /** Adds entries as they come live: in order at the end, late ones where they belong. */
  merge(entries: readonly Entry[]): void {
    let last = this.#count > 0 ? this.timeAt(this.#count - 1) : undefined;
    const run: Entry[] = [];
    const late: Line[] = [];
    for (const entry of entries) {
      if (!isMarker(entry) && last !== undefined && entry.time < last) {
        late.push(entry);
        continue;
      }
      if (!isMarker(entry)) last = entry.time;
      run.push(entry);
    }
    this.append(run);
    this.insertLate(late);
  }

  /** Drops the chunk at one end, with the markers in it. */
  evict(end: 'start' | 'end'): void {
    const chunk = end === 'start' ? this.#chunks.shift() : this.#chunks.pop();
    if (chunk === undefined) return;
    if (end === 'end') this.#tail = [];
    this.#index();
    this.#tell({ at: end === 'start' ? 0 : this.#count, removed: chunk.count, inserted: 0 });
  }

  clear(): void {
    const removed = this.#count;
    this.#chunks = [];
    this.#tail = [];
    this.#streams = [];
    this.#streamIndex.clear();
    this.#index();
    this.#tell({ at: 0, removed, inserted: 0 });
  }

  /** Pushes entries to the last of these chunks and to new ones behind it. Returns the markers that no line follows. */
  #pushTo(chunks: Chunk[], entries: readonly Entry[]): readonly Marker[] {
    let markers: Marker[] = [];
    let chunk = chunks.at(-1);
    for (const [index, entry] of entries.entries()) {
      if (isMarker(entry)) {
        markers.push(entry);
        continue;
      }
      if (chunk === undefined || chunk.count >= CHUNK_LINES) {
        chunk = new Chunk();
        chunk.reserve(Math.min(CHUNK_LINES, entries.length - index));
        chunks.push(chunk);
      }
      if (markers.length > 0) chunk.markers.set(chunk.count, markers);
      if (markers.length > 0) markers = [];
      chunk.push(entry, this.#streamOf(entry));
    }
    return markers;
  }

  #streamOf({ stream }: Line): number {
    let index = this.#streamIndex.get(stream.id);
    if (index === undefined) {
      index = this.#streams.push(stream) - 1;
      this.#streamIndex.set(stream.id, index);
    }
    return index;
  }

  #index(): void {
    let count = 0;
    this.#firsts = this.#chunks.map((chunk) => {
      const first = count;
      count += chunk.count;
      return first;
    });
    this.#count = count;
  }
}

function hex(check: number): string {
  return check.toString(16).padStart(8, '0');
}
