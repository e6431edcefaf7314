// A line as a row of the list shows it: the spans to draw and how much room they take.
import type { Line } from '../model';
import { formatBytes } from '../time/format';
import { readAnsi, stripAnsi } from './ansi';
import { cellsOf, expandTabs, isPrintable, visible, visibleRaw } from './controls';
import { type Field, type Fields, readFields } from './fields';
import { telling } from './fold';
import { isRowTime, ownTimeEnd } from './hide';
import { isLevelKey, levelOf } from './level';

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
  /** Whether colours of the log are shown; they are removed from view otherwise. Raw shows the sequences themselves. */
  readonly ansi: boolean;
  /** Whether a line's own timestamp is shown though it says the row's time. */
  readonly ownTimes: boolean;
  /** Whether an entry of several lines is shown whole: up to ten times `limit`. */
  readonly isUnfolded: boolean;
  /** Whether the page is dark: the log's own colours are made readable against it. */
  readonly isDark: boolean;
  /** Most characters shown, such as 20 rows full. */
  readonly limit: number;
}

/** Characters of a line that are looked at for what a row shows. */
const CHARS_MAX = 64 * 1024;
/** Characters of one field's value in a row; the detail has all. */
const VALUE_CHARS_MAX = 256;
const UNFOLDED_FACTOR = 10;
/** Characters that are read for one that is shown, where there are escape sequences. */
const INPUT_FACTOR = 4;
/** Printable ASCII that begins with neither JSON, an escape, a timestamp, a level of klog, a month, nor a pair of logfmt. */
const PLAIN = /^(?![{\d[(]|[IWEF]\d|[A-Z][a-z]{2} |[\w.@/-]+=)[\x20-\x7e]*$/;
const HAS_FIELDS = /^(\s*\{|[\w.@/-]+=)/;

/** Whether the text is drawn as it is under any options: its width is its length, and no `display` is needed to know it. */
export function isPlain(text: string): boolean {
  return PLAIN.test(text);
}

/** Makes what is drawn of a line. A plain line costs one regular expression; callers keep the results of 500 lines. */
export function display(line: Line, options: DisplayOptions): Display {
  const { text } = line;
  if (text.length <= options.limit && isPlain(text)) return { spans: [{ text }], plain: text, columns: text.length, isAscii: true };
  const row = new Row(options.isUnfolded ? options.limit * UNFOLDED_FACTOR : options.limit);
  const isRaw = options.show === 'raw';
  const start = isRaw || options.ownTimes ? 0 : ownTimeEnd(text, line.time, line.level);
  // A line that is its timestamp alone shows it.
  const hidden = start < text.length ? text.slice(0, start) : '';
  const body = text.slice(hidden.length, hidden.length + CHARS_MAX);
  const fields = !isRaw && HAS_FIELDS.test(body) && body.length < CHARS_MAX ? readFields(body) : undefined;
  if (fields === undefined || fields.kind === 'plain') row.entry(body, options, isRaw ? 'raw' : 'text');
  else row.fields(fields, line, options);
  // Nothing but a level and a time: better than an empty row.
  if (row.isEmpty) row.entry(body, options, 'text');
  return row.finish(text.length, hidden.length, stripAnsi(hidden));
}

/** Collects spans up to a number of characters. */
class Row {
  private readonly spans: Span[] = [];
  private room: number;
  private cut = 0;
  private more = 0;

  constructor(limit: number) {
    this.room = limit;
  }

  get isEmpty(): boolean {
    return this.spans.length === 0;
  }

  /** Cuts the text to the room that is left. */
  private fit(text: string): string {
    if (text.length <= this.room) {
      this.room -= text.length;
      return text;
    }
    // Half of a surrogate pair is no character.
    const shown = text.slice(0, this.room).replace(/[\ud800-\udbff]$/, '');
    this.cut += text.length - shown.length;
    this.room = 0;
    return shown;
  }

  private push(text: string, look?: string): void {
    const shown = this.fit(text);
    if (shown !== '') this.spans.push(look === undefined ? { text: shown } : { text: shown, class: look });
  }

  /** One text row or several: with the log's colours, or raw with everything visible. */
  private lines(whole: string, options: DisplayOptions, kind: 'raw' | 'text'): void {
    // What is far beyond the room is not looked at: a screen full of huge lines has to be drawn at once.
    const factor = kind === 'text' && whole.includes('\x1b') ? INPUT_FACTOR : 1;
    let text = whole.slice(0, this.room * factor + 1);
    this.cut += whole.length - text.length;
    if (kind === 'raw') {
      this.push(expandTabs(visibleRaw(text)));
      return;
    }
    // Windows' line ends say nothing.
    if (text.includes('\r')) text = text.replace(/\r(?=\n|$)/g, '');
    if (!text.includes('\x1b')) {
      this.push(expandTabs(visible(text)));
    } else if (!options.ansi) {
      this.push(expandTabs(visible(stripAnsi(text))));
    } else {
      let column = 0;
      const hasTabs = text.includes('\t');
      for (const span of readAnsi(text, options.isDark)) {
        let piece = visible(span.text);
        if (hasTabs) {
          piece = expandTabs(piece, column);
          const last = piece.lastIndexOf('\n');
          column = last === -1 ? column + cellsOf(piece) : cellsOf(piece.slice(last + 1));
        }
        const shown = this.fit(piece);
        if (shown !== '') this.spans.push(shown === span.text ? span : { ...span, text: shown });
      }
    }
  }

  /** An entry that may be of several lines: whole, or its first line with the most telling other one. */
  entry(text: string, options: DisplayOptions, kind: 'raw' | 'text', behindFirst: () => void = () => {}): void {
    const end = text.indexOf('\n');
    if (end === -1) {
      this.lines(text, options, kind);
      behindFirst();
    } else if (options.isUnfolded) {
      this.lines(text.slice(0, end), options, kind);
      behindFirst();
      this.lines(text.slice(end).trimEnd(), options, kind);
    } else {
      this.lines(text.slice(0, end), options, kind);
      behindFirst();
      this.folded(text.trimEnd().split('\n'), options, kind);
    }
  }

  private folded(lines: readonly string[], options: DisplayOptions, kind: 'raw' | 'text'): void {
    if (lines.length < 2) return;
    // What says how much is folded away is shown however long the first line is.
    this.room = Math.max(this.room, VALUE_CHARS_MAX);
    this.push('\n└ ', 't-fold');
    this.lines(lines[telling(lines)]!.trim().slice(0, VALUE_CHARS_MAX), options, kind);
    this.more += lines.length - 2;
    if (this.more !== 0) this.push(`  … ${this.more} more ${this.more === 1 ? 'line' : 'lines'}`, 't-fold');
  }

  /** The message first, then the other fields; those that the row shows anyway are left out. */
  fields({ message, trace, fields }: Fields, line: Line, options: DisplayOptions): void {
    const others = () => {
      for (const field of fields) {
        if (field !== message && field !== trace && !isShown(field, line)) this.field(field);
      }
    };
    if (message === undefined) others();
    else this.entry(message.value.trimEnd(), options, 'text', others);
    if (trace !== undefined) this.entry(`\n${trace.value}`, options, 'text');
  }

  private field({ path, value, kind }: Field): void {
    const shown = oneLine(value);
    this.push(`${this.isEmpty ? '' : ' '}${oneLine(path.length === 1 ? path[0]! : path.join('.'))}=`, 't-key');
    this.push(kind === 'text' && (shown === '' || /[\s"]/.test(shown)) ? `"${shown}"` : shown, 't-value');
  }

  /** `start` characters at the beginning of the line's `length` are `hidden`. */
  finish(length: number, start: number, hidden: string): Display {
    const rest = this.cut + Math.max(0, length - start - CHARS_MAX);
    if (rest !== 0) {
      this.spans.push({ text: ` … ${formatBytes(length)} · show all`, class: 't-rest' });
    }
    let plain = '';
    for (const { text } of this.spans) plain += text;
    const rows = plain.includes('\n') ? plain.split('\n') : [plain];
    let [columns, isAscii] = [0, true];
    for (const row of rows) {
      columns = Math.max(columns, cellsOf(row));
      isAscii &&= isPrintable(row);
    }
    return {
      spans: this.spans, plain, columns, isAscii,
      ...(this.more === 0 ? {} : { more: this.more }),
      ...(rest === 0 ? {} : { rest }),
      ...(hidden === '' ? {} : { hidden }),
    };
  }
}

/** A key or a value within a row. */
function oneLine(text: string): string {
  const shown = text.length <= VALUE_CHARS_MAX ? text : `${text.slice(0, VALUE_CHARS_MAX)}…`;
  return isPrintable(shown) ? shown : visible(shown).replaceAll('\n', '\u240a').replaceAll('\t', '\u2409');
}

/** Whether the row shows already what the field says: its level or its time. */
function isShown({ path, value }: Field, { level, time }: Line): boolean {
  const name = path.join('.');
  return (isLevelKey(name) && levelOf(value) === level) || isRowTime(name, value, time);
}
