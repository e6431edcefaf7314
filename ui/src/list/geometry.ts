// Where the parts of a row stand, in cells of the monospaced grid, and how many cells are left for the text.
import type { ListOptions } from './options';
import type { Layout } from './rows';

const PAD_PX = 8;
const MARK_CELLS = 2;
const COLUMN_CELLS = 14;
const TEXT_CELLS_MIN = 12;
/** Rows of a wrapped line before the rest is left to the detail, and characters of one that is not wrapped. */
const WRAPPED_ROWS_MAX = 20;
const CHARS_MAX = 4096;

export interface Geometry {
  /** Px of a cell. */
  readonly cell: number;
  /** Px from the left edge. */
  readonly markLeft: number;
  readonly timeLeft: number;
  readonly tagLeft: number;
  readonly columnsLeft: number;
  readonly textLeft: number;
  /** Px of the text where it is wrapped. */
  readonly textWidth: number;
  /** Px of each column. */
  readonly columnWidths: readonly number[];
  readonly layout: Layout;
}

/** What is measured: px of a cell and of the view, and cells of the longest time and tag. */
export interface Measures {
  readonly cell: number;
  readonly width: number;
  readonly timeCells: number;
  readonly tagCells: number;
}

/** `columnCells` are the widths of columns that were changed by hand. */
export function geometryOf(options: ListOptions, { cell, width, timeCells, tagCells }: Measures, columnCells: ReadonlyMap<string, number>): Geometry {
  const isWrapped = options.wrap || options.isPhone;
  const markLeft = PAD_PX;
  const timeLeft = markLeft + MARK_CELLS * cell;
  // On a phone a stripe in its colour stands for the stream, between the time and the text.
  const tagLeft = timeLeft + (timeCells + (options.isPhone ? 0.25 : 1)) * cell;
  const hasTags = options.hasStreams && !options.isPhone;
  const columnsLeft = tagLeft + (hasTags ? (tagCells + 2) * cell : 0);
  const columnWidths = options.isPhone ? [] : options.columns.map((name) => (columnCells.get(name) ?? COLUMN_CELLS) * cell);
  const behind = columnWidths.reduce((sum, px) => sum + px + cell, columnsLeft);
  // On a phone the text's first row begins behind the time, the others at the edge.
  const textLeft = options.isPhone ? markLeft : behind;
  const indent = options.isPhone ? MARK_CELLS + timeCells + 1 : 0;
  const cells = Math.max(TEXT_CELLS_MIN + indent, Math.floor((width - textLeft - PAD_PX) / cell));
  return {
    cell, markLeft, timeLeft, tagLeft, columnsLeft, textLeft, columnWidths,
    // Half a cell more than needed, against rounding.
    textWidth: (cells + 0.5) * cell,
    layout: {
      width: isWrapped ? cells : Infinity,
      indent: isWrapped ? indent : 0,
      least: options.isTall ? 2 : 1,
      // What says how much is left out has room in the last row.
      limit: isWrapped ? (WRAPPED_ROWS_MAX - 1) * cells - indent : CHARS_MAX,
      fold: options.fold,
      zone: options.zone,
    },
  };
}

/** Whether the displayed text takes known room: rows of characters that each take one cell, or rows that are not wrapped. */
export function textRows(plain: string, { width, indent }: Layout): number {
  if (width === Infinity) return plain.split('\n').length;
  if (!plain.includes('\n')) return Math.max(1, Math.ceil((plain.length + indent) / width));
  return plain.split('\n').reduce((sum, row, at) => sum + Math.max(1, Math.ceil((row.length + (at === 0 ? indent : 0)) / width)), 0);
}
