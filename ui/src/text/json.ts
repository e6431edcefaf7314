// Reads JSON (RFC 8259) as it is written: numbers keep their digits, members their order, and doubled keys are all there. Names of members are never
// properties of objects. Depth and number of values are limited: what is beyond is left as text, or the whole is not taken for JSON.

/** How deep values are taken apart; deeper ones are text. */
const DEPTH_MAX = 64;
/** Values of one text; one with more is not shown as JSON. */
const VALUES_MAX = 20_000;

export interface Member {
  readonly key: string;
  readonly value: Json;
}

/** A value, and where it stands in the text. */
export type Json = { readonly start: number; readonly end: number } & (
  | { readonly kind: 'object'; readonly members: readonly Member[] }
  | { readonly kind: 'array'; readonly items: readonly Json[] }
  | { readonly kind: 'text'; readonly text: string }
  /** `true`, `false` and `null` are words; so are `NaN` and `Infinity`, which some writers make. `nested` is what is too deep. */
  | { readonly kind: 'number' | 'word' | 'nested'; readonly text: string }
);

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null|NaN|-?Infinity/y;
const BLANKS = /[ \t\r\n]*/y;
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|(.))/gs;
const ESCAPES = new Map([['b', '\b'], ['f', '\f'], ['n', '\n'], ['r', '\r'], ['t', '\t'], ['"', '"'], ['\\', '\\'], ['/', '/'], ["'", "'"]]);

/** What ends a reading: the text is no JSON that this page takes apart. */
const NOT_JSON = new Error('not JSON');

/** The value that the whole text is; `null` if it is none. */
export function parseJson(text: string): Json | null {
  const reader = new Reader(text);
  try {
    const value = reader.value(0);
    reader.blanks();
    return reader.at === text.length ? value : null;
  } catch (error) {
    if (error !== NOT_JSON) throw error;
    return null;
  }
}

class Reader {
  at = 0;
  private values = 0;

  constructor(private readonly text: string) {}

  blanks(): void {
    // Most values follow at once or after one blank: no regular expression for those.
    const code = this.text.charCodeAt(this.at);
    if (0x20 < code) return;
    BLANKS.lastIndex = this.at;
    BLANKS.test(this.text);
    this.at = BLANKS.lastIndex;
  }

  value(depth: number): Json {
    this.values += 1;
    if (VALUES_MAX < this.values) throw NOT_JSON;
    this.blanks();
    const start = this.at;
    switch (this.text[start]) {
      case '{': return depth < DEPTH_MAX ? this.object(depth) : this.nested();
      case '[': return depth < DEPTH_MAX ? this.array(depth) : this.nested();
      case '"': {
        const text = this.string();
        return { kind: 'text', text, start, end: this.at };
      }
      default:
    }
    const word = this.match(WORD);
    if (word !== '') return { kind: 'word', text: word, start, end: this.at };
    const number = this.match(NUMBER);
    if (number !== '') return { kind: 'number', text: number, start, end: this.at };
    throw NOT_JSON;
  }

  private match(expression: RegExp): string {
    expression.lastIndex = this.at;
    if (!expression.test(this.text)) return '';
    const found = this.text.slice(this.at, expression.lastIndex);
    this.at = expression.lastIndex;
    return found;
  }

  private object(depth: number): Json {
    const start = this.at;
    const members: Member[] = [];
    this.at += 1;
    this.blanks();
    if (!this.isNext('}')) {
      do {
        this.blanks();
        const key = this.string();
        this.blanks();
        if (!this.isNext(':')) throw NOT_JSON;
        members.push({ key, value: this.value(depth + 1) });
        this.blanks();
      } while (this.isNext(','));
      if (!this.isNext('}')) throw NOT_JSON;
    }
    return { kind: 'object', members, start, end: this.at };
  }

  private array(depth: number): Json {
    const start = this.at;
    const items: Json[] = [];
    this.at += 1;
    this.blanks();
    if (!this.isNext(']')) {
      do {
        items.push(this.value(depth + 1));
        this.blanks();
      } while (this.isNext(','));
      if (!this.isNext(']')) throw NOT_JSON;
    }
    return { kind: 'array', items, start, end: this.at };
  }

  private isNext(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  /** Passes over a value that is too deep, by its brackets. */
  private nested(): Json {
    const start = this.at;
    let depth = 0;
    do {
      const character = this.text[this.at];
      if (character === undefined) throw NOT_JSON;
      if (character === '"') {
        this.skipString();
        continue;
      }
      if (character === '{' || character === '[') depth += 1;
      if (character === '}' || character === ']') depth -= 1;
      this.at += 1;
    } while (0 < depth);
    return { kind: 'nested', text: this.text.slice(start, this.at), start, end: this.at };
  }

  private skipString(): boolean {
    if (this.text[this.at] !== '"') throw NOT_JSON;
    let hasEscapes = false;
    for (let index = this.at + 1; ; index += 1) {
      const code = this.text.charCodeAt(index);
      if (code === 0x22) {
        this.at = index + 1;
        return hasEscapes;
      }
      if (code === 0x5c) {
        hasEscapes = true;
        index += 1;
      } else if (Number.isNaN(code)) {
        throw NOT_JSON;
      }
    }
  }

  private string(): string {
    const start = this.at + 1;
    const hasEscapes = this.skipString();
    const raw = this.text.slice(start, this.at - 1);
    return hasEscapes ? unescape(raw) : raw;
  }
}

/** The text of a string with JSON's escapes; one that is none stays as it is written. */
export function unescape(raw: string): string {
  return raw.replace(ESCAPE, (whole, hex: string | undefined, other: string) =>
    hex === undefined ? (ESCAPES.get(other) ?? whole) : String.fromCharCode(parseInt(hex, 16)));
}

/** The value as it is written, without blanks between its parts; `source` is the text it was read from. */
export function compact(value: Json, source: string): string {
  if (value.kind === 'object') {
    return `{${value.members.map(({ key, value: inner }) => `${JSON.stringify(key)}:${compact(inner, source)}`).join(',')}}`;
  }
  if (value.kind === 'array') return `[${value.items.map((item) => compact(item, source)).join(',')}]`;
  return source.slice(value.start, value.end);
}

/** A piece of pretty-printed JSON, for colours. */
export interface Piece {
  readonly text: string;
  readonly kind: 'punct' | 'key' | 'text' | 'number' | 'word';
}

/** The value over several lines with an indent of two blanks. */
export function pretty(value: Json, source: string): Piece[] {
  const pieces: Piece[] = [];
  const punct = (text: string) => pieces.push({ text, kind: 'punct' });
  const write = (inner: Json, indent: string) => {
    if (inner.kind === 'object' && inner.members.length !== 0) {
      punct('{\n');
      inner.members.forEach(({ key, value: member }, index) => {
        punct(`${indent}  `);
        pieces.push({ text: JSON.stringify(key), kind: 'key' });
        punct(': ');
        write(member, `${indent}  `);
        punct(index === inner.members.length - 1 ? '\n' : ',\n');
      });
      punct(`${indent}}`);
    } else if (inner.kind === 'array' && inner.items.length !== 0) {
      punct('[\n');
      inner.items.forEach((item, index) => {
        punct(`${indent}  `);
        write(item, `${indent}  `);
        punct(index === inner.items.length - 1 ? '\n' : ',\n');
      });
      punct(`${indent}]`);
    } else {
      const { kind } = inner;
      const text = source.slice(inner.start, inner.end);
      pieces.push({ text, kind: kind === 'text' || kind === 'number' || kind === 'word' ? kind : 'punct' });
    }
  };
  write(value, '');
  return pieces;
}
