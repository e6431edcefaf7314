// The line list: rows of a grid for any number of lines, without Preact. Heights are known without drawing (rows.ts), the place is kept to the pixel
// (scroll.ts), and only what is seen has elements (pool.ts).
import { cancelFrame, onFrame } from './frame';
import { Drawing } from './drawing';
import { geometryOf, type Geometry } from './geometry';
import { Grid } from './grid';
import { Header } from './header';
import { Notes } from './notes';
import type { ListEvents, ListOptions, Viewport } from './options';
import { Pointer } from './pointer';
import { make, type RowElement } from './row';
import { Rows } from './rows';
import { Scroller } from './scroll';
import { Selection } from './select';
import type { Change, LineStore } from './store';

export { type Find, LIST_DEFAULTS, type ListEvents, type ListOptions, type Viewport } from './options';

/** Rounds of drawing, finding that a line is taller than thought, and drawing what that brings into view. */
const ROUNDS_MAX = 8;
/** How long a line that came late is tinted, and how late it has to be in ns. */
const LATE_MS = 2000;
const LATE_NS = 1_000_000_000n;
/** How often ages are drawn anew. */
const AGE_MS = 10_000;
/** A list is at rest when nothing was drawn for so long, in ms. */
const REST_MS = 200;
/** Views that are left at an end when more lines are asked for. */
const VIEWS_LEFT = 2;
/** Cells that are measured as one, since a cell may be no whole number of px wide. */
const PROBE_CELLS = 100;
/** Options that change how long times are. */
const TIMES = ['timeFormat', 'zone', 'isPhone'] as const;
/** Options that leave the content of rows as it is. */
const LOOKS = new Set<keyof ListOptions>(['find', 'searched', 'marked', 'loading', 'startNote', 'endNote', 'label', 'href']);

/** A line that stays where it is while others come and go, and how far the view begins below its text. */
interface Anchor {
  index: number;
  delta: number;
}

export class LineList {
  readonly selection = new Selection();
  readonly rows: Rows;
  readonly grid: Grid;
  readonly scroller: Scroller;
  readonly drawing: Drawing;
  /** All of the list: the host may be given other classes and styles by its owner. */
  readonly root = make('div', 'list');
  /** Is scrolled, and holds `canvas`. */
  readonly view = make('div', 'list-view');
  /** The grid of the rows. */
  readonly canvas = make('div', 'list-canvas');
  geometry: Geometry;
  /** The line of the current hit. */
  current = -1;
  readonly late = new Selection();
  /** Rows that a selection of text begins or ends in. */
  readonly held = new Set<RowElement>();
  #options: ListOptions;
  readonly #probe = make('span', 'list-probe');
  readonly #notes = new Notes(this.canvas);
  readonly #header: Header;
  readonly #pointer: Pointer;
  readonly #handlers = new Map<keyof ListEvents, Set<(value: never) => void>>();
  readonly #cleanup: (() => void)[] = [];
  #isPinned = true;
  #focused = -1;
  #anchor: Anchor | undefined;
  #lateTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #columnCells = new Map<string, number>();
  /** Lines that came since rows were drawn. */
  #unseen = 0;
  /** Whether they wait for the frame after the next one. */
  #isWaiting = false;
  #isMeasured = false;
  #isSuspended = false;
  /** Whether rows beyond the screen are drawn, too: not while each moment brings others. */
  #hasSpare = false;
  #spareTimer: ReturnType<typeof setTimeout> | undefined;
  /** What room for times and tags rows were placed with. */
  #drawnCells = [0, 0];
  #seen: Viewport = { first: -1, last: -1, isPinned: true };

  constructor(readonly host: HTMLElement, readonly store: LineStore, options: ListOptions) {
    this.#options = options;
    this.geometry = geometryOf(options, { cell: 8, width: 800, timeCells: 0, tagCells: 0 }, this.#columnCells);
    this.rows = new Rows(store, this.geometry.layout);
    this.grid = new Grid(this.rows, store, options);
    this.drawing = new Drawing(this, this.canvas);
    this.canvas.setAttribute('role', 'grid');
    this.canvas.setAttribute('aria-rowcount', '-1');
    this.canvas.setAttribute('aria-multiselectable', 'true');
    this.canvas.tabIndex = 0;
    this.#probe.textContent = '0'.repeat(PROBE_CELLS);
    this.#probe.setAttribute('aria-hidden', 'true');
    this.#header = new Header(this.#columnCells, (names) => this.emit('columns', names), () => this.#measureSoon());
    this.view.append(this.canvas);
    this.root.append(this.#header.element, this.view, this.#probe);
    host.append(this.root);
    this.scroller = new Scroller(this.view, this.canvas, (by) => this.#onScroll(by), () => onFrame('draw', this.draw));
    this.#pointer = new Pointer(this);
    this.#cleanup.push(store.subscribe(this.#onChange));
    const observer = new ResizeObserver(this.#measureSoon);
    for (const element of [this.view, this.#probe]) observer.observe(element);
    addEventListener('resize', this.#measureSoon);
    const timer = setInterval(() => this.#options.timeFormat === 'ago' && this.#refill(), AGE_MS);
    this.#cleanup.push(() => {
      observer.disconnect();
      removeEventListener('resize', this.#measureSoon);
      clearInterval(timer);
    });
    this.#applyOptions();
    this.drawing.onFind();
    onFrame('draw', this.draw);
  }

  get options(): ListOptions {
    return this.#options;
  }

  /** Whether the newest end is followed. */
  get isPinned(): boolean {
    return this.#isPinned;
  }

  /** Index of the focused line, -1 for none. */
  get focusedIndex(): number {
    return this.#focused;
  }

  /** What is on screen. */
  get viewport(): Viewport {
    return this.#seen;
  }

  setOptions(change: Partial<ListOptions>): void {
    const before = this.#options;
    const names = (Object.keys(change) as (keyof ListOptions)[]).filter((name) => change[name] !== before[name]);
    if (names.length === 0) return;
    this.#options = { ...before, ...change };
    this.grid.options = this.#options;
    if (TIMES.some((name) => names.includes(name))) this.drawing.timeCells = 0;
    if (names.some((name) => !LOOKS.has(name))) this.#refill();
    if (names.includes('find') || names.includes('searched')) this.drawing.onFind();
    if (names.includes('marked')) this.drawing.forgetMarked();
    this.#applyOptions();
    this.#measureSoon();
  }

  #applyOptions(): void {
    const { rowHeight, wrap, isPhone, isTall, order, loading, label, columns } = this.#options;
    this.root.style.setProperty('--row', `${rowHeight}px`);
    this.root.classList.toggle('is-wrapped', wrap || isPhone);
    this.root.classList.toggle('is-phone', isPhone);
    this.root.classList.toggle('is-tall', isTall);
    this.scroller.setPage(isPhone);
    const [top, bottom] = order === 'asc' ? (['start', 'end'] as const) : (['end', 'start'] as const);
    this.root.classList.toggle('is-loading-top', loading === top);
    this.root.classList.toggle('is-loading-bottom', loading === bottom);
    this.canvas.setAttribute('aria-label', label);
    this.#header.show(isPhone ? [] : columns);
  }

  /** Stops drawing and scrolling while something else is in its place; keeps its own place meanwhile. */
  suspend(isSuspended: boolean): void {
    if (isSuspended === this.#isSuspended) return;
    this.#isSuspended = isSuspended;
    this.scroller.suspend(isSuspended);
    if (!isSuspended) this.#measureSoon();
  }

  /** To the newest line, and follows it from there on. */
  scrollToEnd(): void {
    this.#pin(true);
    this.draw();
  }

  /** To the oldest line held. */
  scrollToStart(): void {
    if (this.store.count > 0) this.#goTo(0, this.#options.order === 'asc' ? -2 * this.scroller.height : 0);
  }

  scrollToIndex(index: number, where: 'center' | 'nearest' = 'nearest'): void {
    if (!(0 <= index && index < this.store.count)) return;
    this.rows.sync();
    this.#measureIfNeeded();
    const { rowHeight } = this.#options;
    const { height, top } = this.scroller;
    const text = this.grid.textTop(index);
    const length = Math.min(height, (this.rows.height(index) - this.rows.markersBefore(index)) * rowHeight);
    if (where === 'center') this.#goTo(index, (length - height) / 2);
    else if (text < top) this.#goTo(index, -Math.min(rowHeight, height - length));
    else if (text + length > top + height) this.#goTo(index, Math.min(0, length + rowHeight - height));
  }

  /** Scrolls by views, as Page Up and Page Down do. */
  scrollPages(pages: number): void {
    const { scroller } = this;
    this.#onScroll(0);
    const top = Math.min(scroller.max, Math.max(0, scroller.top + pages * (scroller.height - 2 * this.#options.rowHeight)));
    if (this.#anchor !== undefined) this.#goTo(this.#anchor.index, this.#anchor.delta + top - scroller.top);
  }

  #goTo(index: number, delta: number): void {
    this.#pin(false);
    this.#anchor = { index, delta };
    this.#hasSpare = false;
    this.draw();
  }

  /** Stops following the end without moving. */
  unpin(): void {
    this.#pin(false);
  }

  #pin(isPinned: boolean): void {
    if (this.#isPinned === isPinned) return;
    this.#isPinned = isPinned;
    this.emit('pin', isPinned);
    onFrame('draw', this.draw);
  }

  /** Focuses a line, -1 for none; brings it into view. The browser's focus follows unless it is elsewhere in the page. */
  focus(index: number): void {
    const isGone = !(0 <= index && index < this.store.count);
    this.#focused = isGone ? -1 : index;
    if (!isGone) {
      this.#pin(false);
      this.scrollToIndex(index);
    }
    this.draw();
    const active = document.activeElement;
    const element = this.rowElement(index);
    if (element !== undefined && (active === null || active === document.body || this.root.contains(active))) element.focus({ preventScroll: true });
    this.emit('focus', this.#focused);
  }

  /** Focuses the next (1) or the previous (-1) row as shown; `isExtending` selects both. Without a focus begins at the edge of what is on screen. */
  moveFocus(step: 1 | -1, isExtending = false): void {
    const { first, last } = this.#seen;
    if (last < 0) return;
    const older = this.#options.order === 'asc' ? -step : step;
    const from = this.#focused;
    const to = from < 0 ? (this.#isPinned ? last : first) : this.rows.beside(from, older === 1 ? -1 : 1);
    if (to < 0) return;
    if (isExtending && from >= 0) {
      this.selection.add(from, to);
      this.emit('select', undefined);
    }
    this.focus(to);
  }

  /** Folds or unfolds an entry of several lines or a run of lines that belong together. */
  toggleFold(index: number): void {
    this.rows.sync();
    if (!this.rows.canFold(index)) return;
    this.store.setUnfolded(...this.rows.runOf(index), !this.store.isUnfolded(index));
  }

  /** Unfolds all that is loaded, or folds it if anything is unfolded. */
  toggleAllFolds(): void {
    if (this.store.count === 0) return;
    const isUnfolded = this.store.chunks.some((chunk) => chunk.unfolded.subarray(0, chunk.count).includes(1));
    this.store.setUnfolded(0, this.store.count - 1, !isUnfolded);
  }

  /** Colours the hits of this line as the current ones; -1 for none. */
  setCurrent(index: number): void {
    this.current = index;
    onFrame('draw', this.draw);
  }

  /** The element of a line's row while it is drawn. */
  rowElement(index: number): HTMLElement | undefined {
    return index < 0 ? undefined : this.drawing.pool.lines.find((row) => row.index === index)?.element;
  }

  on<Name extends keyof ListEvents>(event: Name, fn: (value: ListEvents[Name]) => void): () => void {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers);
    handlers.add(fn);
    return () => handlers.delete(fn);
  }

  emit<Name extends keyof ListEvents>(event: Name, value: ListEvents[Name]): void {
    for (const fn of this.#handlers.get(event) ?? []) (fn as (value: ListEvents[Name]) => void)(value);
  }

  destroy(): void {
    for (const draw of [this.draw, this.#drawLater]) cancelFrame(draw);
    clearTimeout(this.#lateTimer);
    clearTimeout(this.#spareTimer);
    for (const fn of this.#cleanup) fn();
    this.#pointer.destroy();
    this.scroller.destroy();
    this.drawing.destroy();
    this.#handlers.clear();
    this.root.remove();
  }

  /** The line whose row is at a place of the window; -1 beyond the ends. */
  indexAtClient(y: number): number {
    if (this.store.count === 0) return -1;
    const index = this.grid.indexAt(this.scroller.top + y - (this.#options.isPhone ? 0 : this.view.getBoundingClientRect().top));
    return Math.min(index, this.store.count - 1);
  }

  readonly #onChange = (change: Change): void => {
    if (this.#isPinned) this.#hasSpare = false;
    const { at, removed, inserted, isLate } = change;
    const shift = (index: number): number => (index < at ? index : index < at + removed ? -1 : index + inserted - removed);
    this.selection.shift(change);
    this.late.shift(change);
    for (const row of this.drawing.pool.lines) row.index = shift(row.index);
    for (const marker of this.drawing.pool.markers) marker.index = shift(marker.index);
    if (this.#anchor !== undefined) {
      const index = shift(this.#anchor.index);
      this.#anchor = index < 0 && removed > 0 ? { index: Math.max(0, Math.min(at, this.store.count - 1)), delta: 0 } : { ...this.#anchor, index };
    }
    if (this.#focused >= 0) {
      this.#focused = shift(this.#focused);
      if (this.#focused < 0) this.emit('focus', -1);
    }
    if (this.current >= 0) this.current = shift(this.current);
    this.drawing.forgetMarked();
    if (this.store.count === 0) {
      this.#anchor = undefined;
      this.#refill();
    }
    if (isLate === true && this.store.timeAt(this.store.count - 1) - this.store.timeAt(at) > LATE_NS) this.#tint(at, at + inserted - 1);
    this.#unseen += inserted;
    const isFlooded = this.#isPinned && this.#unseen * this.#options.rowHeight > this.scroller.height;
    if (!isFlooded) onFrame('draw', this.draw);
    else if (!this.#isWaiting) onFrame('draw', this.#drawLater);
    this.#isWaiting ||= isFlooded;
  };

  /** Lets a frame go by where nothing stays on screen: nobody reads it in so short a time. */
  readonly #drawLater = (): void => onFrame('draw', this.draw);

  #tint(first: number, last: number): void {
    this.late.add(first, last);
    clearTimeout(this.#lateTimer);
    this.#lateTimer = setTimeout(() => {
      this.late.clear();
      onFrame('draw', this.draw);
    }, LATE_MS);
  }

  #onScroll(by: number): void {
    // The same line is further up or down by what was scrolled; whatever else changes meanwhile does not matter.
    if (this.#anchor !== undefined) this.#anchor.delta += by;
    const { top, max } = this.scroller;
    const isAtEnd = this.#options.order === 'asc' ? top >= max - 1 : top <= 1;
    if (by !== 0) this.#pin(isAtEnd);
    this.#hasSpare = true;
    onFrame('draw', this.draw);
  }

  readonly #measureSoon = (): void => {
    this.#isMeasured = false;
    onFrame('draw', this.draw);
  };

  /** Has every row filled anew. */
  #refill(): void {
    this.drawing.refill();
    onFrame('draw', this.draw);
  }

  #measureIfNeeded(): void {
    if (this.#isMeasured) return;
    this.#isMeasured = true;
    this.scroller.measure();
    const cell = this.#probe.getBoundingClientRect().width / PROBE_CELLS;
    const { timeCells, tagCells } = this.drawing;
    const measures = { cell: cell > 0 ? cell : this.geometry.cell, width: this.view.clientWidth, timeCells, tagCells };
    const geometry = geometryOf(this.#options, measures, this.#columnCells);
    if (JSON.stringify(geometry) === JSON.stringify(this.geometry)) return;
    if (geometry.layout.width !== this.geometry.layout.width || geometry.layout.limit !== this.geometry.layout.limit) this.drawing.refill();
    this.geometry = geometry;
    this.rows.setLayout(geometry.layout);
    const { markLeft, timeLeft, tagLeft, columnsLeft, textLeft, textWidth, layout } = geometry;
    const lengths = { mark: markLeft, time: timeLeft, tag: tagLeft, columns: columnsLeft, text: textLeft };
    for (const [name, px] of Object.entries(lengths)) this.root.style.setProperty(`--${name}-left`, `${px}px`);
    this.root.style.setProperty('--text-width', `${textWidth}px`);
    this.root.style.setProperty('--text-indent', `${layout.indent * geometry.cell}px`);
    this.#header.place(geometry);
  }

  #place(): void {
    const { scroller, grid } = this;
    scroller.setTotal(grid.height);
    if (this.#isPinned) scroller.to(this.#options.order === 'asc' ? scroller.max : 0);
    else if (this.#anchor !== undefined) scroller.shift(grid.textTop(this.#anchor.index) + this.#anchor.delta - scroller.top);
    if (scroller.top < 0 || scroller.max < scroller.top) scroller.to(scroller.top);
  }

  /** Draws what is on screen: once per frame, and at once where something asks for a place. */
  readonly draw = (): void => {
    const { scroller, drawing } = this;
    if (this.#isSuspended) return;
    this.#unseen = 0;
    this.#isWaiting = false;
    this.rows.sync();
    this.#measureIfNeeded();
    this.#place();
    this.#spareLater();
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      drawing.fill(this.#hasSpare);
      if (!drawing.correct()) break;
      this.#place();
    }
    scroller.keepRoom();
    drawing.position();
    if (scroller.commit()) drawing.position();
    this.#notes.place(this.grid, scroller);
    drawing.colour();
    this.#keepPlace();
    if (drawing.timeCells !== this.#drawnCells[0] || drawing.tagCells !== this.#drawnCells[1]) {
      // A longer time or name than before: there is less room for the text from the next frame on.
      this.#drawnCells = [drawing.timeCells, drawing.tagCells];
      this.#measureSoon();
    }
    this.#tellSeen();
  };

  /** Draws more rows than are on screen when the list comes to rest. */
  #spareLater(): void {
    clearTimeout(this.#spareTimer);
    if (this.#hasSpare) return;
    this.#spareTimer = setTimeout(() => {
      this.#hasSpare = true;
      onFrame('draw', this.draw);
    }, REST_MS);
  }

  /** Takes the first line that is wholly on screen as the one that stays in its place. */
  #keepPlace(): void {
    const { grid, scroller, store } = this;
    if (store.count === 0) {
      this.#anchor = undefined;
      return;
    }
    let index = grid.indexAt(scroller.top);
    for (let next = index; next >= 0 && grid.blockTop(next) < scroller.top + scroller.height / 2; next = grid.below(next)) {
      if (next === store.count) continue;
      index = next;
      if (grid.textTop(next) >= scroller.top) break;
    }
    index = Math.min(index, store.count - 1);
    this.#anchor = { index, delta: scroller.top - grid.textTop(index) };
  }

  #tellSeen(): void {
    const { grid, scroller, store } = this;
    const isAscending = this.#options.order === 'asc';
    const seen = { ...grid.linesBetween(scroller.top, scroller.top + scroller.height - 1), isPinned: this.#isPinned };
    const old = this.#seen;
    this.#seen = seen;
    if (seen.first !== old.first || seen.last !== old.last || seen.isPinned !== old.isPinned) this.emit('viewport', seen);
    if (store.count === 0) return;
    for (const { marker, index } of this.drawing.pool.markers) {
      const isLeft = typeof marker !== 'string' && marker.kind === 'gap' && marker.reason === 'skipped';
      if (isLeft && index < store.count) this.emit('near', { marker, isFromNewer: index <= seen.first });
    }
    const near = VIEWS_LEFT * scroller.height;
    const [isNearTop, isNearBottom] = [scroller.top < near, scroller.max - scroller.top < near];
    if (isAscending ? isNearTop : isNearBottom) this.emit('older', undefined);
    if (isAscending ? isNearBottom : isNearTop) this.emit('newer', undefined);
  }
}
