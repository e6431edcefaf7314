// What clicks do to a query: pure functions from one simple query to the next, and the chips that show it.
import type { Level } from '../model';
import type { CompareOp, LabelFilter, LineFilter, Matcher, Query } from './query';

/** How the text in the bar is meant. */
export interface TextOptions {
  readonly isCase: boolean;
  readonly isRegexp: boolean;
  readonly isWithout: boolean;
}

/** A field of a line: its name as LogQL knows it (see `labelName`) and where it is from. */
export interface FieldRef {
  readonly name: string;
  readonly from: 'stream' | 'metadata' | 'json' | 'logfmt';
}

export type ChipKind = 'label' | 'text' | 'level' | 'field' | 'pattern';

/** One condition of the query as it is shown. */
export interface Chip {
  /** Differs between the chips of a query and stays the same for the same condition. */
  readonly key: string;
  readonly kind: ChipKind;
  /** As shown: `app = checkout`, `level ≥ warn`, `contains "timeout"`, `status ≠ 200`. */
  readonly text: string;
  readonly isExcluding: boolean;
  /** Positions in `query.matchers` that the chip stands for (an app's namespace and pods are one chip). */
  readonly matchers: readonly number[];
  /** Position in `query.lineFilters`, or -1. */
  readonly lineFilter: number;
  /** Position in `query.labelFilters`, or -1. */
  readonly labelFilter: number;
  /** For `text`: what goes back into the bar's box, and its options. */
  readonly edit?: { readonly text: string; readonly options: TextOptions };
  /** For `level`: the level at least, where the levels are all from one upwards. */
  readonly minLevel?: Level;
  /** For `label` and `field`: the name and its values where they are plain ones. */
  readonly name?: string;
  readonly values?: readonly string[];
}

export function withText(query: Query, _text: string, _options: TextOptions): Query {
  return query;
}

/** The line filter that a text in the bar means; `null` for an empty text. */
export function textFilter(_text: string, _options: TextOptions): LineFilter | null {
  return null;
}

/** The text and options that make this filter, the way back of `textFilter`; `null` for a pattern. */
export function editOf(_filter: LineFilter): { text: string; options: TextOptions } | null {
  return null;
}

/** The plain text that was typed for this filter; `null` where it is a regexp of somebody's own or a pattern. */
export function plainText(_filter: LineFilter): string | null {
  return null;
}

/** Adds the value to those the label may have; a second time takes it away. */
export function withLabel(query: Query, _name: string, _value: string): Query {
  return query;
}

/** Adds the value to those the label must not have; a second time takes it away. */
export function withoutLabel(query: Query, _name: string, _value: string): Query {
  return query;
}

/** Puts the matchers into the selector in place of those of the same names: a tick in the overview. */
export function withMatchers(query: Query, _matchers: readonly Matcher[]): Query {
  return query;
}

export function includeField(query: Query, _field: FieldRef, _value: string): Query {
  return query;
}

export function excludeField(query: Query, _field: FieldRef, _value: string): Query {
  return query;
}

/** Compares by amount; the value is a number, a duration (`2s`) or a size (`10KB`). */
export function compareField(query: Query, _field: FieldRef, _op: CompareOp | '!=', _value: string): Query {
  return query;
}

/** Only lines of this level and worse ones; `null` lifts it. */
export function withMinLevel(query: Query, _level: Level | null): Query {
  return query;
}

/** Only lines of these levels; none lifts it. */
export function withLevels(query: Query, _levels: readonly Level[]): Query {
  return query;
}

/** The levels the query asks for, the mildest first; `null` where it does not ask, or not by plain names. */
export function levelsOf(_query: Query): Level[] | null {
  return null;
}

export function minLevelOf(_query: Query): Level | null {
  return null;
}

export function withPattern(query: Query, _pattern: string): Query {
  return query;
}

export function withoutPattern(query: Query, _pattern: string): Query {
  return query;
}

/** The chips, in the order of the query. */
export function chips(_query: Query): Chip[] {
  return [];
}

export function removeChip(query: Query, _chip: Chip): Query {
  return query;
}

/** Turns the chip's condition round: include to exclude and back. */
export function toggleChip(query: Query, _chip: Chip): Query {
  return query;
}

/** The name that the server's parsers give a field: `http.status` is `http_status`; one that a stream label has already gets `_extracted`. */
export function labelName(path: readonly string[], _streamLabels: ReadonlySet<string> = new Set()): string {
  return path.join('_');
}

export type { LabelFilter, LineFilter, Matcher, Query };
