// Makes characters visible that would change how the text around them looks: control characters, directions, invisible ones.
// The names of directions are those of Unicode's annex 9.

/** Cells from one tab stop to the next, as in a terminal. */
const TAB_CELLS = 8;
/** Combining marks kept in a row; more of them paint over the lines around (a "Zalgo" text). */
const MARKS_MAX = 8;

const NAMES = new Map([
  [0x61c, 'ALM'], [0x200e, 'LRM'], [0x200f, 'RLM'], [0x202a, 'LRE'], [0x202b, 'RLE'], [0x202c, 'PDF'], [0x202d, 'LRO'], [0x202e, 'RLO'],
  [0x2066, 'LRI'], [0x2067, 'RLI'], [0x2068, 'FSI'], [0x2069, 'PDI'], [0x2028, 'LS'], [0x2029, 'PS'],
  [0x200b, 'ZWSP'], [0x200c, 'ZWNJ'], [0x200d, 'ZWJ'], [0x2060, 'WJ'], [0xfeff, 'BOM'], [0xad, 'SHY'], [0x180e, 'MVS'], [0x034f, 'CGJ'],
]);

/** What is never shown as it is. Half of a surrogate pair counts. */
const DANGEROUS =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
/** What has no width of its own, tags and variation selectors of the upper planes included. */
const INVISIBLE = /[\xad\u034f\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0]|\udb40[\udc00-\uddef]/g;
const MARKS = new RegExp(`(\\p{M}{${MARKS_MAX}})\\p{M}+`, 'gu');
const PRINTABLE = /^[\x20-\x7e]*$/;

/** Whether every character is printable ASCII. */
export function isPrintable(text: string): boolean {
  return PRINTABLE.test(text);
}

function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  if (0xd800 <= code && code <= 0xdfff) return '\ufffd';
  return `\u27ea${NAMES.get(code) ?? `U+${code.toString(16).toUpperCase().padStart(4, '0')}`}\u27eb`;
}

/** The text with dangerous characters made visible; tabs and line breaks stay. */
export function visible(text: string): string {
  if (isPrintable(text)) return text;
  return text.replace(DANGEROUS, nameOf).replace(MARKS, '$1');
}

/** Makes everything visible that has no look of its own: tabs and invisible characters, too. Line breaks stay and are shown before they break. */
export function visibleRaw(text: string): string {
  if (isPrintable(text)) return text;
  return visible(text).replace(INVISIBLE, nameOf).replaceAll('\t', '\u2409\t').replaceAll('\n', '\u240a\n');
}

/** Replaces tabs by blanks up to the next tab stop; `column` is where the text begins. */
export function expandTabs(text: string, column = 0): string {
  if (!text.includes('\t')) return text;
  let out = '';
  for (const piece of text.split(/(\t|\n)/)) {
    if (piece === '\t') {
      const blanks = TAB_CELLS - (column % TAB_CELLS);
      out += ' '.repeat(blanks);
      column += blanks;
    } else {
      out += piece;
      column = piece === '\n' ? 0 : column + cellsOf(piece);
    }
  }
  return out;
}

/** Cells of the monospaced grid that a text without line breaks takes: exact for ASCII, as terminals count them else. */
export function cellsOf(text: string): number {
  if (isPrintable(text)) return text.length;
  let cells = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x300) cells += 1;
    else if (/^\p{M}|\p{Cf}$/u.test(character)) cells += 0;
    else cells += isWide(code) ? 2 : 1;
  }
  return cells;
}

/** Wide characters of Unicode's annex 11, by their blocks. */
function isWide(code: number): boolean {
  return (0x1100 <= code && code <= 0x115f) || (0x2e80 <= code && code <= 0xa4cf) || (0xac00 <= code && code <= 0xd7a3) ||
    (0xf900 <= code && code <= 0xfaff) || (0xfe30 <= code && code <= 0xfe6f) || (0xff00 <= code && code <= 0xff60) ||
    (0xffe0 <= code && code <= 0xffe6) || (0x1f300 <= code && code <= 0x1faff) || (0x20000 <= code && code <= 0x3fffd);
}
