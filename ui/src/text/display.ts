// A line as a row of the list shows it: the spans to draw and how much room they take.
import type { Line } from '../model';

/** A run of text with one look. */
export interface Span {
  readonly text: string;
  /** Class names of `style/text.css`, separated by blanks. */
  readonly class?: string;
  /** A colour of the log itself, already readable on its background: set by `element.style.color`. */
  readonly colour?: string;
  /** Likewise for `element.style.backgroundColor`. */
  readonly background?: string;
}

/** What is drawn of a line. The spans' texts in a row are `plain`. */
export interface Display {
  readonly spans: readonly Span[];
  /** Never holds control characters but `\n`, which begins a further text row (an entry of several lines). */
  readonly plain: string;
  /** Cells of the monospaced grid that the widest text row takes. */
  readonly columns: number;
  /** Whether every character is printable ASCII and so takes exactly one cell (`\n` aside). */
  readonly isAscii: boolean;
  /** Lines of the entry that are folded away; absent where nothing is. */
  readonly more?: number;
  /** Characters of the line beyond `limit`; absent where nothing was cut. The last span then says so (`… 1.0 MiB · show all`, class `t-rest`). */
  readonly rest?: number;
  /** The own timestamp at the line's start that is not shown: a hit in it is marked as `•`. */
  readonly hidden?: string;
}

export interface DisplayOptions {
  readonly show: 'smart' | 'raw';
  /** Whether colours of the log are shown; they are removed from view otherwise. */
  readonly ansi: boolean;
  /** Whether a line's own timestamp is shown though it says the row's time. */
  readonly ownTimes: boolean;
  /** Whether an entry of several lines is shown whole. */
  readonly isUnfolded: boolean;
  /** Whether the page is dark: the log's own colours are made readable against it. */
  readonly isDark: boolean;
  /** Most characters shown, such as 20 rows full. */
  readonly limit: number;
}

/** Makes what is drawn of a line. A plain line costs two short regular expressions; callers keep the results of 500 lines. */
export function display(line: Line, options: DisplayOptions): Display {
  const plain = line.text.slice(0, options.limit);
  return { spans: [{ text: plain }], plain, columns: plain.length, isAscii: true };
}

/** Text rows that a display takes at a width of so many cells; without wrapping pass `Infinity`. */
export function rowsAt(shown: Display, width: number): number {
  let rows = 0;
  for (const row of shown.plain.split('\n')) rows += Math.max(1, Math.ceil(row.length / width));
  return rows;
}

/** Whether the text is drawn as it is under any options: its width is its length, and no `display` is needed to know it. */
export function isPlain(text: string): boolean {
  return /^(?![{\d[<]|\w+=)[\x20-\x7e]*$/.test(text);
}
