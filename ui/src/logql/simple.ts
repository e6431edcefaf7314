// Reads LogQL of the simple shape back into what chips show. A shape that is not simple is no error: it gets one chip for all.
import { lex, unquote, type Token } from './lexer';
import { ALL, ANY_STREAM, type LabelFilter, type LineFilter, type LineOp, type Matcher, type MatchOp, type Parser, type Query } from './query';

const MATCH_OPS: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~']);
const LINE_OPS: ReadonlySet<string> = new Set(['|=', '!=', '|~', '!~', '|>', '!>']);
const COMPARE_OPS: ReadonlySet<string> = new Set(['==', '>', '>=', '<', '<=']);
const ERROR_LABELS: ReadonlySet<string> = new Set(['__error__', '__error_details__']);

/** The query as chips show it; `null` for any other shape. Empty text is all logs. */
export function parseSimple(text: string): Query | null {
  if (text.trim() === '') return ALL;
  try {
    return new Reader(text).query();
  } catch (error) {
    if (error === NOT_SIMPLE) return null;
    throw error;
  }
}

const NOT_SIMPLE = Symbol('not the simple shape');

class Reader {
  private readonly tokens: readonly Token[];
  private place = 0;

  constructor(private readonly text: string) {
    this.tokens = lex(text);
  }

  query(): Query {
    const matchers = this.selector();
    const lineFilters: LineFilter[] = [];
    while (LINE_OPS.has(this.peek())) lineFilters.push(this.lineFilter());
    const parsers: Parser[] = [];
    const labelFilters: LabelFilter[] = [];
    while (this.accept('|')) {
      const word = this.peek();
      if (word === 'json' || word === 'logfmt') {
        if (parsers.includes(word) || labelFilters.length > 0) throw NOT_SIMPLE;
        this.take();
        parsers.push(word);
      } else if (word === 'drop') {
        this.take();
        this.dropErrors();
        break;
      } else {
        this.labelFilter(labelFilters);
      }
    }
    if (this.place < this.tokens.length) throw NOT_SIMPLE;
    return { matchers, lineFilters, parsers, labelFilters: sortByName(labelFilters) };
  }

  private selector(): Matcher[] {
    const matchers: Matcher[] = [];
    this.expect('{');
    do {
      const matcher = { name: this.name(), op: this.oneOf(MATCH_OPS) as MatchOp, value: this.string() };
      if (!isAnyStream(matcher)) matchers.push(matcher);
    } while (this.accept(','));
    this.expect('}');
    return matchers;
  }

  private lineFilter(): LineFilter {
    const op = this.oneOf(LINE_OPS) as LineOp;
    const values = [this.string()];
    while (this.accept('or')) values.push(this.string());
    return { op, values };
  }

  /** One condition, or several that all have to hold. */
  private labelFilter(filters: LabelFilter[]): void {
    do {
      const name = this.name();
      const op = this.take();
      const kind = this.tokens[this.place]?.kind;
      if (kind === 'string' && MATCH_OPS.has(op)) {
        filters.push({ name, op: op as MatchOp, value: this.string() });
      } else if (COMPARE_OPS.has(op) || op === '=' || op === '!=') {
        const sign = this.accept('-') ? '-' : '';
        const unit = this.tokens[this.place]?.kind;
        if (unit !== 'number' && unit !== 'duration' && unit !== 'bytes') throw NOT_SIMPLE;
        filters.push({ name, op: (op === '=' ? '==' : op) as LabelFilter['op'], value: sign + this.take(), isNumber: true });
      } else {
        throw NOT_SIMPLE;
      }
    } while (this.accept('and') || this.accept(','));
  }

  /** Nothing but what a parser says of lines it could not read. */
  private dropErrors(): void {
    do {
      if (!ERROR_LABELS.has(this.name())) throw NOT_SIMPLE;
    } while (this.accept(','));
  }

  /** The text of the next token, keywords in lower case; `''` at the end. */
  private peek(): string {
    const token = this.tokens[this.place];
    if (token === undefined) return '';
    const text = this.text.slice(token.start, token.end);
    return token.kind === 'keyword' ? text.toLowerCase() : text;
  }

  private take(): string {
    const text = this.peek();
    this.place += 1;
    return text;
  }

  private accept(text: string): boolean {
    const isNext = this.peek() === text;
    if (isNext) this.place += 1;
    return isNext;
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw NOT_SIMPLE;
  }

  private oneOf(texts: ReadonlySet<string>): string {
    if (!texts.has(this.peek())) throw NOT_SIMPLE;
    return this.take();
  }

  private name(): string {
    if (this.tokens[this.place]?.kind !== 'identifier') throw NOT_SIMPLE;
    return this.take();
  }

  private string(): string {
    if (this.tokens[this.place]?.kind !== 'string') throw NOT_SIMPLE;
    const text = unquote(this.take());
    if (text === null) throw NOT_SIMPLE;
    return text;
  }
}

function isAnyStream({ name, op, value }: Matcher): boolean {
  return name === ANY_STREAM.name && op === ANY_STREAM.op && value === ANY_STREAM.value;
}

/** In the canonical order, that of names; conditions on one name stay as they were. */
export function sortByName(filters: readonly LabelFilter[]): LabelFilter[] {
  return [...filters].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

export { ALL } from './query';
