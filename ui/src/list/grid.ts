// Places in the content, in px from its top, for either order of the view. A line's block is its markers and its text.
import type { ListOptions } from './options';
import type { Rows } from './rows';
import type { LineStore } from './store';

export class Grid {
  constructor(private readonly rows: Rows, private readonly store: LineStore, public options: ListOptions) {}

  /** Room for the note above the first row. */
  get topPad(): number {
    const { order, startNote, endNote, rowHeight } = this.options;
    return (order === 'asc' ? startNote : endNote) === '' ? 0 : rowHeight;
  }

  get height(): number {
    const { order, startNote, endNote, rowHeight } = this.options;
    const bottomPad = (order === 'asc' ? endNote : startNote) === '' ? 0 : rowHeight;
    return this.topPad + this.rows.total * rowHeight + bottomPad;
  }

  /** Where the block of a line begins; `count` stands for the markers after the last line. */
  blockTop(index: number): number {
    const { rowHeight, order } = this.options;
    if (order === 'asc') return this.topPad + this.rows.before(index) * rowHeight;
    if (index === this.store.count) return this.topPad;
    return this.topPad + (this.rows.total - this.rows.before(index) - this.rows.height(index)) * rowHeight;
  }

  blockHeight(index: number): number {
    const rows = index === this.store.count ? this.rows.total - this.rows.before(index) : this.rows.height(index);
    return rows * this.options.rowHeight;
  }

  /** Where the text of a line begins: behind the markers, which are older. */
  textTop(index: number): number {
    const markers = this.options.order === 'asc' ? this.rows.markersBefore(index) : 0;
    return this.blockTop(index) + markers * this.options.rowHeight;
  }

  /** Where a marker is: `ordinal` counts those before a line from the oldest on. */
  markerTop(index: number, ordinal: number): number {
    const { rowHeight, order } = this.options;
    if (order === 'asc') return this.blockTop(index) + ordinal * rowHeight;
    return this.blockTop(index) + this.blockHeight(index) - (ordinal + 1) * rowHeight;
  }

  /** The line whose block is at a place, the nearest beyond the ends; `count` for the markers after the last line. */
  indexAt(y: number): number {
    const { total } = this.rows;
    const row = Math.min(total - 1, Math.max(0, Math.floor((y - this.topPad) / this.options.rowHeight)));
    return this.rows.find(this.options.order === 'asc' ? row : total - 1 - row);
  }

  /** The first and the last line, by index, with a block between two places; both -1 where there is none. */
  linesBetween(top: number, bottom: number): { first: number; last: number } {
    const { count } = this.store;
    if (count === 0) return { first: -1, last: -1 };
    const [above, below] = [this.indexAt(top), this.indexAt(bottom)];
    const [first, last] = this.options.order === 'asc' ? [above, below] : [below, above];
    return { first: Math.min(first, count - 1), last: Math.min(last, count - 1) };
  }

  /** The block below this one, `-1` below the last. */
  below(index: number): number {
    const { count } = this.store;
    const hasTail = this.rows.total > this.rows.before(count);
    if (this.options.order === 'asc') {
      if (index === count) return -1;
      const next = this.rows.beside(index, 1);
      return next < 0 && hasTail ? count : next;
    }
    return index === count ? count - 1 - this.foldedAtEnd() : this.rows.beside(index, -1);
  }

  /** How many lines at the end are folded away. */
  private foldedAtEnd(): number {
    const rows = this.rows.before(this.store.count);
    return rows === 0 ? this.store.count : this.store.count - 1 - this.rows.find(rows - 1);
  }
}
