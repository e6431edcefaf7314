// A log query of the simple shape, the one that chips show: selector, line filters, parsers, label filters. `build.ts` writes it as LogQL,
// `simple.ts` reads it back, `clicks.ts` changes it.

export type MatchOp = '=' | '!=' | '=~' | '!~';
export type LineOp = '|=' | '!=' | '|~' | '!~' | '|>' | '!>';
export type CompareOp = '==' | '>' | '>=' | '<' | '<=';
export type Parser = 'json' | 'logfmt';

/** A condition on a label of the stream. */
export interface Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

/** A condition on the line's text; with several values one of them has to hold (none of them for `!=`, `!~`, `!>`). */
export interface LineFilter {
  readonly op: LineOp;
  readonly values: readonly string[];
}

/** A condition on a label, on metadata, or on what a parser found. */
export interface LabelFilter {
  readonly name: string;
  readonly op: MatchOp | CompareOp;
  readonly value: string;
  /** Set where the value is a number, a duration or a size, which LogQL writes without quotes and compares by amount. */
  readonly isNumber?: true;
}

export interface Query {
  /** Empty: all streams. */
  readonly matchers: readonly Matcher[];
  readonly lineFilters: readonly LineFilter[];
  readonly parsers: readonly Parser[];
  /** Sorted by name. */
  readonly labelFilters: readonly LabelFilter[];
}

/** All logs. */
export const ALL: Query = { matchers: [], lineFilters: [], parsers: [], labelFilters: [] };

/** LogQL wants a matcher that refuses the empty value; this one holds for every stream. */
export const ANY_STREAM: Matcher = { name: 'service_name', op: '=~', value: '.+' };
