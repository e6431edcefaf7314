// How many rows of the monospaced grid each line takes: counted from the texts without drawing anything, corrected where a line was drawn.
import type { Stream } from '../model';
import { isContinuation, sameButNumbers } from '../text/fold';
import { dayNumber } from '../time/format';
import { CHUNK_LINES, type Chunk } from './chunk';
import { Fenwick } from './fenwick';
import type { LineStore } from './store';

export interface Layout {
  /** Cells of a text row; `Infinity` without wrapping. */
  readonly width: number;
  /** Cells of a line's first text row that something else takes. */
  readonly indent: number;
  /** Rows that a line takes at least, with what says that others are folded into it. */
  readonly least: number;
  /** Most characters of a line that are drawn. */
  readonly limit: number;
  readonly fold: 'no' | 'exact' | 'numbers';
  readonly zone: string;
}

/** A marker row that follows from the lines themselves. */
export type OwnMarker = 'day' | 'restart';

/** The line is folded into the one before, where the person did not unfold it. */
const FOLDED = 1;
/** The entry is of several lines. */
const SEVERAL = 2;
const DAY = 4;
const RESTART = 8;
/** The line repeats the one before. */
const REPEAT = 16;

/** Room that `… 1.0 MiB · show all` takes behind a line that was cut, in cells. */
const REST_CELLS = 24;
/** More slots than this are summed anew instead of one by one. */
const ADD_MAX = 200;
const ROWS_MAX = 65_535;

/** What is known of a chunk's lines, by slot. */
class Block {
  count = 0;
  /** The rows of a line with its markers and what says that others are folded into it. */
  rows = new Uint16Array(0);
  flags = new Uint8Array(0);
  /** Characters up to the first line break. */
  cells = new Uint32Array(0);
  sums = new Fenwick(0);
  total = 0;
  /** The chunk before, and how many lines it had: what the first line is follows from its last one. */
  before: Chunk | undefined;
  beforeCount = 0;
  /** Whether the line behind the last one is folded away. */
  isFollowed = false;

  reserve(count: number): void {
    if (count <= this.rows.length) return;
    const capacity = count > CHUNK_LINES / 2 ? Math.max(count, CHUNK_LINES) : 2 * count;
    const { rows, flags, cells } = this;
    this.rows = new Uint16Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.cells = new Uint32Array(capacity);
    this.rows.set(rows);
    this.flags.set(flags);
    this.cells.set(cells);
    this.sums = new Fenwick(capacity);
    this.sum();
  }

  sum(): void {
    this.sums.fill(this.rows, this.count);
    this.total = this.sums.before(this.count);
  }

  /** Returns by how much that changes the total. */
  set(slot: number, rows: number): number {
    const delta = Math.min(rows, ROWS_MAX) - (this.rows[slot] as number);
    if (delta === 0) return 0;
    this.rows[slot] = Math.min(rows, ROWS_MAX);
    this.sums.add(slot, delta);
    this.total += delta;
    return delta;
  }
}

/** Rows are numbered from the oldest line on, whatever the order of the view. Call `sync` after the store changed and before asking. */
export class Rows {
  readonly #store: LineStore;
  #layout: Layout;
  #blocks: Block[] = [];
  #of = new Map<Chunk, Block>();
  /** Rows before each block. */
  #starts: number[] = [];
  #lineRows = 0;
  readonly #containers = new WeakMap<Stream, { name: string; id: string } | undefined>();

  constructor(store: LineStore, layout: Layout) {
    this.#store = store;
    this.#layout = layout;
  }

  get layout(): Layout {
    return this.#layout;
  }

  /** All rows, those of the markers after the last line included. */
  get total(): number {
    return this.#lineRows + this.#store.markersAt(this.#store.count).length;
  }

  /** Counts anew. A change of the width alone needs only the lengths that are known. */
  setLayout(layout: Layout): void {
    const old = this.#layout;
    if (layout.fold !== old.fold || layout.zone !== old.zone) {
      this.#layout = layout;
      this.#of.clear();
      this.sync();
    } else if (layout.width !== old.width || layout.indent !== old.indent || layout.least !== old.least || layout.limit !== old.limit) {
      this.sync();
      this.#layout = layout;
      for (const [chunk, block] of this.#of) {
        this.#measure(chunk, block, 0);
        block.sum();
      }
      this.#addUp();
    }
  }

  /** Takes in what changed in the store. */
  sync(): void {
    const { chunks } = this.#store;
    const of = new Map<Chunk, Block>();
    let isChanged = chunks.length !== this.#blocks.length;
    this.#blocks = chunks.map((chunk, number) => {
      const block = this.#of.get(chunk) ?? new Block();
      of.set(chunk, block);
      if (this.#update(chunk, block, chunks[number - 1])) isChanged = true;
      return block;
    });
    this.#of = of;
    for (const [number, block] of this.#blocks.entries()) {
      const next = this.#blocks[number + 1];
      const isFollowed = next !== undefined && isFoldedAway(chunks[number + 1] as Chunk, next, 0);
      if (isFollowed === block.isFollowed) continue;
      block.isFollowed = isFollowed;
      block.set(block.count - 1, this.#height(chunks[number] as Chunk, block, block.count - 1));
      isChanged = true;
    }
    if (isChanged) this.#addUp();
  }

  /** Whether anything of the block changed. */
  #update(chunk: Chunk, block: Block, before: Chunk | undefined): boolean {
    const counted = block.count;
    const from = Math.min(counted, chunk.changedFrom, chunk.count);
    chunk.changedFrom = Infinity;
    let isChanged = false;
    if (before !== block.before || (before?.count ?? 0) !== block.beforeCount) {
      block.before = before;
      block.beforeCount = before?.count ?? 0;
      if (from > 0) {
        const flags = this.#flagsOf(chunk, 0, before, true);
        isChanged = flags !== block.flags[0];
        block.flags[0] = flags;
        if (isChanged) block.set(0, this.#height(chunk, block, 0));
      }
    }
    if (from === chunk.count && from === counted) return isChanged;
    block.reserve(chunk.count);
    block.count = chunk.count;
    this.#read(chunk, block, before, from);
    // A line's height says whether the next one is folded into it.
    const first = Math.max(0, from - 1);
    if (from === counted && chunk.count - from <= ADD_MAX) {
      block.rows.fill(0, counted, chunk.count);
      for (let slot = first; slot < chunk.count; slot += 1) block.set(slot, this.#height(chunk, block, slot));
    } else {
      this.#measure(chunk, block, first);
      block.sum();
    }
    return true;
  }

  #addUp(): void {
    let rows = 0;
    this.#starts = this.#blocks.map((block) => {
      const start = rows;
      rows += block.total;
      return start;
    });
    this.#lineRows = rows;
  }

  #read(chunk: Chunk, block: Block, before: Chunk | undefined, from: number): void {
    const first = from > 0 ? chunk.times[from - 1] : before?.times[before.count - 1];
    const last = chunk.times[chunk.count - 1] as bigint;
    // Nearly always all lines are of one day, and none needs a look at its own.
    const hasDays = first === undefined || dayNumber(first, this.#layout.zone) !== dayNumber(last, this.#layout.zone);
    for (let slot = from; slot < chunk.count; slot += 1) {
      const flags = this.#flagsOf(chunk, slot, before, hasDays);
      const text = chunk.texts[slot] as string;
      block.flags[slot] = flags;
      block.cells[slot] = flags & SEVERAL ? text.indexOf('\n') : text.length;
    }
  }

  #flagsOf(chunk: Chunk, slot: number, beforeChunk: Chunk | undefined, hasDays: boolean): number {
    const text = chunk.texts[slot] as string;
    const flags = text.includes('\n') ? SEVERAL : 0;
    const before = slot > 0 ? chunk : beforeChunk;
    if (before === undefined) return flags | DAY;
    const beforeSlot = slot > 0 ? slot - 1 : before.count - 1;
    const { zone, fold } = this.#layout;
    if (hasDays && dayNumber(chunk.times[slot] as bigint, zone) !== dayNumber(before.times[beforeSlot] as bigint, zone)) return flags | DAY;
    const [stream, other] = [chunk.streams[slot] as number, before.streams[beforeSlot] as number];
    if (stream !== other) return this.#isRestart(stream, other) ? flags | RESTART : flags;
    if (chunk.markers.has(slot)) return flags;
    if (isContinuation(text)) return flags | FOLDED;
    if (fold === 'no') return flags;
    const otherText = before.texts[beforeSlot] as string;
    const isSame = fold === 'exact' ? text === otherText : sameButNumbers(text, otherText);
    return isSame ? flags | FOLDED | REPEAT : flags;
  }

  /** Whether one stream is of another container in the place of the other's. */
  #isRestart(stream: number, other: number): boolean {
    const [a, b] = [this.#containerOf(stream), this.#containerOf(other)];
    return a !== undefined && b !== undefined && a.name === b.name && a.id !== b.id;
  }

  #containerOf(index: number): { name: string; id: string } | undefined {
    const stream = this.#store.streams[index] as Stream;
    if (!this.#containers.has(stream)) this.#containers.set(stream, containerOf(stream));
    return this.#containers.get(stream);
  }

  /** Estimates the heights of the slots from `from` on. */
  #measure(chunk: Chunk, block: Block, from: number): void {
    const { width, indent, least, limit } = this.#layout;
    const { rows, flags, cells, count } = block;
    const isWrapped = width !== Infinity;
    const most = limit + REST_CELLS;
    // The hot loop of rewrapping: all that is rare is left to `#height`.
    for (let slot = from; slot < count; slot += 1) {
      if (flags[slot] !== 0 || slot + 1 === count || ((flags[slot + 1] as number) & FOLDED) !== 0) {
        rows[slot] = this.#height(chunk, block, slot);
      } else {
        const length = cells[slot] as number;
        rows[slot] = isWrapped ? Math.max(least, Math.ceil(((length < most ? length : most) + indent) / width)) : least;
      }
    }
    for (const slot of chunk.markers.keys()) if (from <= slot) rows[slot] = this.#height(chunk, block, slot);
  }

  /** The estimated rows of a line with all that belongs to it; none where it is folded away. */
  #height(chunk: Chunk, block: Block, slot: number): number {
    if (isFoldedAway(chunk, block, slot)) return 0;
    return Math.min(ROWS_MAX, this.#rowsWith(chunk, block, slot, this.#textRows(chunk, block, slot)));
  }

  /** The rows of a line whose text takes so many. */
  #rowsWith(chunk: Chunk, block: Block, slot: number, textRows: number): number {
    return markerRows(chunk, block, slot) + Math.max(this.#layout.least, textRows + (isFollowed(chunk, block, slot) ? 1 : 0));
  }

  #textRows(chunk: Chunk, block: Block, slot: number): number {
    const { width, indent, limit } = this.#layout;
    const rowsFor = (length: number, taken: number): number => {
      return width === Infinity ? 1 : Math.max(1, Math.ceil((Math.min(length, limit + REST_CELLS) + taken) / width));
    };
    const first = rowsFor(block.cells[slot] as number, indent);
    if (((block.flags[slot] as number) & SEVERAL) === 0) return first;
    if (chunk.unfolded[slot] !== 1) return first + 1;
    const lines = (chunk.texts[slot] as string).split('\n', ROWS_MAX).slice(1);
    return lines.reduce((sum, line) => sum + rowsFor(line.length, 0), first);
  }

  /** Rows before the line, and before the markers that stand before it. `count` asks for those of all lines. */
  before(index: number): number {
    if (index === this.#store.count) return this.#lineRows;
    const { number, slot } = this.#store.placeOf(index);
    return (this.#starts[number] as number) + (this.#blocks[number] as Block).sums.before(slot);
  }

  /** Rows of the line, of the markers before it, and of what says that others are folded into it; 0 where it is folded away itself. */
  height(index: number): number {
    const { number, slot } = this.#store.placeOf(index);
    return (this.#blocks[number] as Block).rows[slot] as number;
  }

  /** The line that a row belongs to; `count` for the markers after the last one. */
  find(row: number): number {
    if (row >= this.#lineRows) return this.#store.count;
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= row) low = middle;
      else high = middle - 1;
    }
    return (this.#store.firsts[low] as number) + (this.#blocks[low] as Block).sums.find(Math.max(0, row) - (this.#starts[low] as number));
  }

  /** Rows of the markers before a line. */
  markersBefore(index: number): number {
    const { chunk, number, slot } = this.#store.placeOf(index);
    return markerRows(chunk, this.#blocks[number] as Block, slot);
  }

  ownMarkers(index: number): OwnMarker[] {
    const { number, slot } = this.#store.placeOf(index);
    const flags = (this.#blocks[number] as Block).flags[slot] as number;
    return [...(flags & DAY ? (['day'] as const) : []), ...(flags & RESTART ? (['restart'] as const) : [])];
  }

  /** Sets how many rows the text really takes. Returns by how much that is more than was thought. */
  correct(index: number, textRows: number): number {
    const { chunk, number, slot } = this.#store.placeOf(index);
    const block = this.#blocks[number] as Block;
    const delta = block.set(slot, this.#rowsWith(chunk, block, slot, textRows));
    if (delta === 0) return 0;
    for (let next = number + 1; next < this.#starts.length; next += 1) this.#starts[next] = (this.#starts[next] as number) + delta;
    this.#lineRows += delta;
    return delta;
  }

  /** How many lines are folded into this one. */
  foldedInto(index: number): number {
    const { chunk, number, slot } = this.#store.placeOf(index);
    if (!isFollowed(chunk, this.#blocks[number] as Block, slot)) return 0;
    return this.find(this.before(index) + this.height(index)) - index - 1;
  }

  /** Whether the line repeats the one before it. */
  isRepeat(index: number): boolean {
    return (this.#flagsAt(index) & REPEAT) !== 0;
  }

  /** The first and the last of the lines that fold and unfold with this one. */
  runOf(index: number): [number, number] {
    let [first, last] = [index, index];
    while (first > 0 && this.#flagsAt(first) & FOLDED) first -= 1;
    while (last + 1 < this.#store.count && this.#flagsAt(last + 1) & FOLDED) last += 1;
    return [first, last];
  }

  /** Whether there is something to fold at the line. */
  canFold(index: number): boolean {
    const [first, last] = this.runOf(index);
    return first < last || (this.#flagsAt(index) & SEVERAL) !== 0;
  }

  #flagsAt(index: number): number {
    const { number, slot } = this.#store.placeOf(index);
    return (this.#blocks[number] as Block).flags[slot] as number;
  }

  /** The next line after (1) or before (-1) this one that takes rows; -1 where there is none. */
  beside(index: number, step: 1 | -1): number {
    if (this.#store.count === 0) return -1;
    if (step === 1) {
      const next = this.find(this.before(index) + this.height(index));
      return next < this.#store.count ? next : -1;
    }
    const rows = this.before(index);
    return rows === 0 ? -1 : this.find(rows - 1);
  }
}

function isFoldedAway(chunk: Chunk, block: Block, slot: number): boolean {
  return ((block.flags[slot] as number) & FOLDED) !== 0 && chunk.unfolded[slot] !== 1;
}

function isFollowed(chunk: Chunk, block: Block, slot: number): boolean {
  return slot + 1 < block.count ? isFoldedAway(chunk, block, slot + 1) : block.isFollowed;
}

function markerRows(chunk: Chunk, block: Block, slot: number): number {
  const flags = block.flags[slot] as number;
  return (flags & DAY ? 1 : 0) + (flags & RESTART ? 1 : 0) + (chunk.markers.get(slot)?.length ?? 0);
}

/** Where a stream is a container's: what stays when it restarts, and what does not. */
function containerOf({ labels }: Stream): { name: string; id: string } | undefined {
  const [pod, container, id] = [labels.get('pod'), labels.get('container'), labels.get('container_id')];
  if (pod === undefined || container === undefined || id === undefined) return undefined;
  return { name: `${labels.get('namespace') ?? ''}/${pod}/${container}`, id };
}
