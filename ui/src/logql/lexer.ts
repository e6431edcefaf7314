// Cuts LogQL into tokens for colours, completion and the simple shape. It never fails: what is no token is an `error` one. The server parses.
// The rules are those of `src/logql/lexer.rs`.

export type TokenKind =
  | 'punct' | 'operator' | 'string' | 'number' | 'duration' | 'bytes' | 'keyword' | 'function' | 'identifier' | 'comment' | 'error';

export interface Token {
  readonly kind: TokenKind;
  /** Half-open, in UTF-16 units of the text. */
  readonly start: number;
  readonly end: number;
}

/** Words that are no label names, wherever they stand. */
export const KEYWORDS: ReadonlySet<string> = new Set((
  'and bool by decolorize drop group_left group_right ignoring json keep label_format line_format logfmt offset on or pattern regexp unless unpack '
  + 'unwrap without').split(' '));

/** Words that are functions where arguments or a grouping follow, and label names elsewhere. */
export const FUNCTIONS: ReadonlySet<string> = new Set((
  'rate rate_counter count_over_time bytes_over_time bytes_rate sum_over_time avg_over_time max_over_time min_over_time stdvar_over_time '
  + 'stddev_over_time quantile_over_time first_over_time last_over_time absent_over_time sum avg max min count stddev stdvar topk bottomk '
  + 'approx_topk sort sort_desc bytes duration duration_seconds ip label_replace vector').split(' '));

/** A group for each kind, the first that matches is taken; a word becomes a keyword, a function or an identifier. */
const SHAPES: readonly (readonly [TokenKind, RegExp])[] = [
  ['comment', /#[^\n]*/],
  ['string', /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/],
  // A string that does not end: to the end of its line, of the text for a backtick.
  ['error', /"[^\n]*|`[^]*/],
  ['identifier', /[A-Za-z_]\w*/],
  ['duration', /(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|[uµμ]s|ms|[smhdwy]))+(?![.\dnuµμmshdwy])/],
  ['bytes', /(?:\d+(?:\.\d*)?|\.\d+)(?:[kKMGTP]i?B?|B)(?![\w.])/],
  ['number', /0[xX][\w.]*(?:(?<=[pP])[+-]\d*)?|0[oObB]\w*|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/],
  ['operator', /--keep-empty|--strict|\|[=~>]|![=~>]|=[~=]|>=|<=|[|=<>+\-*/%^]/],
  ['punct', /[{}()[\],]/],
];
const TOKEN = new RegExp(SHAPES.map(([, shape]) => `(${shape.source})`).join('|'), 'y');

const BLANKS = /[ \t\r\n]*/y;
const CALL = /\s*(?:\(|(?:by|without)\s*\()/iy;

/** The tokens in order; blanks between them are left out. */
export function lex(text: string): Token[] {
  const tokens: Token[] = [];
  let start = skipBlanks(text, 0);
  while (start < text.length) {
    TOKEN.lastIndex = start;
    const match = TOKEN.exec(text);
    const shape = match === null ? undefined : SHAPES[match.findIndex((group, place) => place > 0 && group !== undefined) - 1];
    const end = match === null ? start + (text.codePointAt(start)! > 0xffff ? 2 : 1) : TOKEN.lastIndex;
    const kind = shape?.[0] === 'identifier' ? wordKind(text, match![0], end) : shape?.[0] ?? 'error';
    const last = tokens.at(-1);
    if (kind === 'error' && last?.kind === 'error' && last.end === start) tokens[tokens.length - 1] = { kind, start: last.start, end };
    else tokens.push({ kind, start, end });
    start = skipBlanks(text, end);
  }
  return tokens;
}

function skipBlanks(text: string, from: number): number {
  BLANKS.lastIndex = from;
  BLANKS.test(text);
  return BLANKS.lastIndex;
}

function wordKind(text: string, word: string, end: number): TokenKind {
  const lower = word.toLowerCase();
  if (KEYWORDS.has(lower)) return 'keyword';
  if (!FUNCTIONS.has(lower)) return 'identifier';
  CALL.lastIndex = end;
  return CALL.test(text) ? 'function' : 'identifier';
}

const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', '"': '"' };

/** The text of a string token, quotes and escapes resolved; `null` where an escape is none or makes a byte that is not ASCII. */
export function unquote(literal: string): string | null {
  const inner = literal.slice(1, -1);
  if (literal.startsWith('`')) return inner;
  let isGood = true;
  const text = inner.replace(/\\(?:x([\da-fA-F]{2})|([0-7]{3})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([^]))/g, (_, hex, octal, short, long, simple) => {
    const code = hex !== undefined ? parseInt(hex, 16) : octal !== undefined ? parseInt(octal, 8) : parseInt(short ?? long ?? '', 16);
    const isByte = hex !== undefined || octal !== undefined;
    const result = simple === undefined
      ? (code > (isByte ? 0x7f : 0x10ffff) || (code >= 0xd800 && code < 0xe000) ? undefined : String.fromCodePoint(code))
      : ESCAPES[simple];
    isGood &&= result !== undefined;
    return result ?? '';
  });
  return isGood ? text : null;
}
