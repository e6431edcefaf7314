// Fills, measures, places and colours the rows on screen.
import type { Marker } from '../api/records';
import type { Display } from '../text/display';
import { telling } from '../text/fold';
import { formatCount, formatTime } from '../time/format';
import { markHits, matcherOf, searchMatcherOf, type Matcher } from './find';
import { textRows, type Geometry } from './geometry';
import type { Grid } from './grid';
import { hasHighlights, type HitName, Hits } from './highlight';
import { MarkerElement, markerText } from './markers';
import type { ListOptions } from './options';
import { Pool } from './pool';
import type { RowElement } from './row';
import type { OwnMarker, Rows } from './rows';
import type { Scroller } from './scroll';
import type { Selection } from './select';
import type { LineStore } from './store';

/** Rows that are drawn at most. */
const ROWS_DRAWN_MAX = 110;
/** Rows beyond the view on either side: enough to be scrolled into, and few where the next moment brings others. */
const SPARE_ROWS_MAX = 30;
const SPARE_ROWS_MIN = 4;
/** Displays that are kept for rows that come back. */
const DISPLAYS_MAX = 500;
const TAG_CELLS_MAX = 20;
/** Lines of a run that are looked at for the most telling one. */
const TELLING_LINES_MAX = 200;
const NOTE_CHARS_MAX = 256;

/** What the list knows and the rows show. */
export interface Scene {
  readonly store: LineStore;
  readonly rows: Rows;
  readonly grid: Grid;
  readonly scroller: Scroller;
  readonly options: ListOptions;
  readonly geometry: Geometry;
  readonly selection: Selection;
  readonly focusedIndex: number;
  /** The line of the current hit. */
  readonly current: number;
  readonly late: Selection;
  /** Rows that a selection of text begins or ends in: they keep their elements wherever they are. */
  readonly held: ReadonlySet<RowElement>;
}

export class Drawing {
  readonly pool: Pool;
  /** Cells that the longest time and tag met so far take, and the widest text. */
  timeCells = 0;
  tagCells = 6;
  widest = 0;
  /** Counts changes after which every row has to be filled anew. */
  #version = 0;
  #displays = new Map<string, Display>();
  #marked: readonly [number, number] | undefined;
  #matcher: Matcher | null = null;
  #searched: Matcher | null = null;
  /** Counts what is searched for. */
  #finds = 0;
  #notes = new WeakMap<RowElement, { key: string; note: string }>();
  readonly #hits = new Hits();

  constructor(private readonly scene: Scene, private readonly canvas: HTMLElement) {
    this.pool = new Pool(canvas);
  }

  /** Has every row filled anew. */
  refill(): void {
    this.#version += 1;
    this.#displays.clear();
    this.widest = 0;
  }

  /** Looks up anew which lines are marked. */
  forgetMarked(): void {
    this.#marked = undefined;
  }

  onFind(): void {
    this.#matcher = matcherOf(this.scene.options.find);
    this.#searched = searchMatcherOf(this.scene.options.searched);
    this.#finds += 1;
    if (!hasHighlights) this.refill();
  }

  destroy(): void {
    this.#hits.clear();
    this.pool.clear();
  }

  /** Gives the lines on screen their elements, and fills those that are not; more of them where they may be scrolled into view. */
  fill(hasSpare: boolean): void {
    const { store, grid, scroller, options, held } = this.scene;
    const room = Math.floor((ROWS_DRAWN_MAX - scroller.height / options.rowHeight) / 2);
    const spare = hasSpare ? Math.max(SPARE_ROWS_MIN, Math.min(SPARE_ROWS_MAX, room)) : SPARE_ROWS_MIN;
    const from = scroller.top - spare * options.rowHeight;
    const to = scroller.top + scroller.height + spare * options.rowHeight;
    const blocks: number[] = [];
    if (this.scene.rows.total > 0) {
      for (let index = grid.indexAt(from); index >= 0 && grid.blockTop(index) < to; index = grid.below(index)) blocks.push(index);
    }
    const lines = new Set(blocks.filter((index) => index < store.count));
    const extra = [...held].map((row) => row.index);
    for (const index of [...extra, this.scene.focusedIndex]) if (index >= 0 && this.scene.rows.height(index) > 0) lines.add(index);
    const sign = options.order === 'asc' ? 1 : -1;
    this.pool.assign([...lines].sort((a, b) => sign * (a - b)));
    const now = BigInt(Date.now()) * 1_000_000n;
    for (const row of this.pool.lines) {
      if (row.version !== this.#version || row.isUnfolded !== store.isUnfolded(row.index)) this.#fillRow(row, now);
      this.#look(row);
    }
    this.#arrange(blocks, now);
  }

  #fillRow(row: RowElement, now: bigint): void {
    const { store, options, geometry } = this.scene;
    const { index } = row;
    const line = store.lineAt(index);
    row.isUnfolded = store.isUnfolded(index);
    const display = this.#displayOf(index, row.isUnfolded);
    const previous = index > 0 ? store.timeAt(index - 1) : undefined;
    const time = formatTime(line.time, options.isPhone ? 'time' : options.timeFormat, options.zone, previous, now);
    const tag = options.hasStreams ? options.streamTag(line.stream) : null;
    const cells = options.isPhone ? [] : options.columns.map((name) => options.cell(line, name));
    const matcher = this.#matcher ?? this.#searched;
    const marked = matcher === null || hasHighlights ? display : { ...display, spans: markHits(display.spans, matcher(display.plain)) };
    row.fill({ line, display: marked, time, tag, cells, columnWidths: geometry.columnWidths });
    row.version = this.#version;
    row.rows = display.isAscii || geometry.layout.width === Infinity ? textRows(display.plain, geometry.layout) : 0;
    this.timeCells = Math.max(this.timeCells, time.length);
    if (tag !== null) this.tagCells = Math.min(TAG_CELLS_MAX, Math.max(this.tagCells, tag.text.length));
    this.widest = Math.max(this.widest, display.columns);
  }

  #displayOf(index: number, isUnfolded: boolean): Display {
    const { store, options, geometry } = this.scene;
    const key = `${isUnfolded ? 1 : 0}${store.idAt(index)}`;
    let made = this.#displays.get(key);
    if (made === undefined) {
      const { show, ansi, ownTimes, isDark } = options;
      made = options.display(store.lineAt(index), { show, ansi, ownTimes, isDark, isUnfolded, limit: geometry.layout.limit });
      // The oldest one goes: rows come back soon or not at all.
      if (this.#displays.size >= DISPLAYS_MAX) this.#displays.delete(this.#displays.keys().next().value as string);
      this.#displays.set(key, made);
    }
    return made;
  }

  #look(row: RowElement): void {
    const { focusedIndex, selection, late } = this.scene;
    const { index } = row;
    row.look({
      isFocused: index === focusedIndex,
      isSelected: selection.has(index),
      isMarked: this.#isMarked(index),
      isLate: late.has(index),
      note: this.#note(row),
    });
  }

  #isMarked(index: number): boolean {
    const { marked } = this.scene.options;
    if (marked === null) return false;
    if (this.#marked === undefined) {
      const [a, b] = marked.map((id) => this.scene.store.indexOfId(id)) as [number, number];
      this.#marked = a < 0 || b < 0 ? [Math.max(a, b), Math.max(a, b)] : [Math.min(a, b), Math.max(a, b)];
    }
    return this.#marked[0] <= index && index <= this.#marked[1];
  }

  /** What says that lines are folded into this one. */
  #note(row: RowElement): string {
    const { rows, store, options } = this.scene;
    const count = rows.foldedInto(row.index);
    if (count === 0) return '';
    const last = row.index + count;
    const key = `${row.version} ${store.idAt(last)} ${count}`;
    const known = this.#notes.get(row);
    if (known?.key === key) return known.note;
    let note = '';
    if (rows.isRepeat(row.index + 1)) {
      const until = formatTime(store.timeAt(last), 'time', options.zone);
      note = `×${formatCount(count + 1)} ${options.fold === 'numbers' ? 'the same but for numbers, ' : ''}until ${until}`;
    } else {
      const texts: string[] = [];
      for (let index = row.index; index <= Math.min(last, row.index + TELLING_LINES_MAX); index += 1) texts.push(store.textAt(index));
      const most = row.index + telling(texts);
      const shown = options.display(store.lineAt(most), {
        show: 'raw', ansi: false, ownTimes: true, isDark: options.isDark, isUnfolded: false, limit: NOTE_CHARS_MAX,
      });
      note = `└ ${shown.plain.trim()}${count > 1 ? `  … ${count - 1} more ${count === 2 ? 'line' : 'lines'}` : ''}`;
    }
    this.#notes.set(row, { key, note });
    return note;
  }

  /** Puts lines and markers into the document in the order seen. */
  #arrange(blocks: readonly number[], now: bigint): void {
    const { store, rows, options } = this.scene;
    const isAscending = options.order === 'asc';
    const known = new Map(this.pool.markers.map((marker) => [`${marker.index} ${marker.ordinal}`, marker]));
    const markers: MarkerElement[] = [];
    const around = new Map<number, HTMLElement[]>();
    for (const index of blocks) {
      const isLine = index < store.count;
      const all: readonly (Marker | OwnMarker)[] = isLine ? [...store.markersAt(index), ...rows.ownMarkers(index)] : store.markersAt(index);
      if (all.length === 0) continue;
      // The name of a day stands above its lines: below, in the other order, are those of the day before.
      const day = isLine ? store.timeAt(isAscending ? index : Math.max(0, index - 1)) : 0n;
      const made = all.map((marker, ordinal) => {
        const text = markerText(marker, day, options.zone, now);
        const old = known.get(`${index} ${ordinal}`);
        return old !== undefined && old.marker === marker && old.text === text ? old : new MarkerElement(index, ordinal, marker, text);
      });
      markers.push(...made);
      around.set(index, made.map((marker) => marker.element));
    }
    const elements: HTMLElement[] = [];
    const tail = around.get(store.count) ?? [];
    if (!isAscending) elements.push(...tail.reverse());
    for (const row of this.pool.lines) {
      const own = around.get(row.index) ?? [];
      if (isAscending) elements.push(...own, row.element);
      else elements.push(row.element, ...own.reverse());
    }
    if (isAscending) elements.push(...tail);
    this.pool.arrange(elements, markers);
  }

  /** Tells the rows how tall the lines really are. Returns whether any was thought otherwise. */
  correct(): boolean {
    const { rows, options } = this.scene;
    // One layout for all that have to be measured.
    for (const row of this.pool.lines) {
      if (row.rows === 0) row.rows = Math.max(1, Math.round(row.text.offsetHeight / options.rowHeight));
    }
    let isChanged = false;
    for (const row of this.pool.lines) if (rows.correct(row.index, row.rows) !== 0) isChanged = true;
    return isChanged;
  }

  position(): void {
    const { grid, scroller } = this.scene;
    const { origin } = scroller;
    for (const row of this.pool.lines) move(row, grid.textTop(row.index) - origin);
    for (const marker of this.pool.markers) move(marker, grid.markerTop(marker.index, marker.ordinal) - origin);
    const { options, geometry } = this.scene;
    if (options.isTall) for (const row of this.pool.lines) row.element.classList.toggle('is-short', row.isShort);
    const isWrapped = geometry.layout.width !== Infinity;
    // Rows that are not wrapped scroll sideways together.
    const width = isWrapped || options.isPhone ? '' : `${Math.ceil(geometry.textLeft + (this.widest + 2) * geometry.cell)}px`;
    if (this.canvas.style.minWidth !== width) this.canvas.style.minWidth = width;
  }

  /** Colours the hits. */
  colour(): void {
    if (!hasHighlights) return;
    if (this.#matcher === null && this.#searched === null) {
      this.#hits.clear();
      return;
    }
    this.#hits.keep(new Set(this.pool.lines.map(({ text }) => text)));
    for (const row of this.pool.lines) {
      if (row.display === undefined) continue;
      const isNow = row.index === this.scene.current;
      const layers: [HitName, Matcher][] = [];
      if (this.#searched !== null) layers.push(['searched', this.#searched]);
      if (this.#matcher !== null) layers.push([isNow ? 'hit-now' : 'hit', this.#matcher]);
      this.#hits.colour(row.text, `${row.fills} ${this.#finds} ${isNow}`, row.display.plain, layers);
      const { hidden } = row.display;
      row.element.classList.toggle('has-hidden-hit', hidden !== undefined && hidden !== '' && this.#matcher !== null && this.#matcher(hidden).length > 0);
    }
  }
}

function move(item: { element: HTMLElement; y: number }, y: number): void {
  if (item.y === y) return;
  item.y = y;
  item.element.style.transform = `translateY(${y}px)`;
}
