// What clicks on the values of fields and labels, and on patterns, do to a query: pure functions from one simple query to the next.
import { dropUnusedParsers } from './chips';
import { withLineFilter } from './clicks';
import { KEYWORDS } from './lexer';
import type { CompareOp, LabelFilter, LineFilter, Matcher, Parser, Query } from './query';
import { sortByName } from './simple';
import { isExcluding, oneOf, valuesOf } from './values';

/** A field of a line: its name as LogQL knows it (see `labelName`) and where it is from. */
export interface FieldRef {
  readonly name: string;
  readonly from: 'stream' | 'metadata' | 'json' | 'logfmt';
}

type Condition = Matcher | LabelFilter;

/** Adds the value to those a label may have (must not have), or takes it away if it is among them; it leaves the opposite ones. */
function toggleValue<T extends Condition>(conditions: readonly T[], name: string, value: string, isWithout: boolean): T[] {
  let isDone = false;
  const result = conditions.flatMap((each) => {
    const values = each.name === name ? valuesOf(each) : null;
    if (values === null) return [each];
    const isSame = isExcluding(each.op) === isWithout;
    const has = values.includes(value);
    if (!has && (!isSame || isDone)) return [each];
    isDone ||= isSame;
    const next = has ? values.filter((other) => other !== value) : [...values, value];
    return next.length === 0 ? [] : [{ ...each, ...oneOf(name, next, isExcluding(each.op)) }];
  });
  return isDone ? result : [...result, oneOf(name, [value], isWithout) as T];
}

/** Adds the value to those the label may have; a second time takes it away. */
export function withLabel(query: Query, name: string, value: string): Query {
  return { ...query, matchers: toggleValue(query.matchers, name, value, false) };
}

/** Adds the value to those the label must not have; a second time takes it away. */
export function withoutLabel(query: Query, name: string, value: string): Query {
  return { ...query, matchers: toggleValue(query.matchers, name, value, true) };
}

/** Whether LogQL can name the field in a condition: its keywords, such as `on` and `json`, are no names. */
export function canFilter(field: FieldRef): boolean {
  return /^[A-Za-z_]\w*$/.test(field.name) && !KEYWORDS.has(field.name.toLowerCase());
}

/** ⊕ on a value: only lines that have it, or one of those included before; again takes it away. */
export function includeField(query: Query, field: FieldRef, value: string): Query {
  return field.from === 'stream' ? withLabel(query, field.name, value) : toggleField(query, field, value, false);
}

/** ⊖ on a value: no lines that have it; again takes it away. */
export function excludeField(query: Query, field: FieldRef, value: string): Query {
  return field.from === 'stream' ? withoutLabel(query, field.name, value) : toggleField(query, field, value, true);
}

function toggleField(query: Query, field: FieldRef, value: string, isWithout: boolean): Query {
  const labelFilters = sortByName(toggleValue(query.labelFilters, field.name, value, isWithout));
  return withParserOf(field, { ...query, labelFilters }, query);
}

/** Compares by amount; the value is a number, a duration (`2s`) or a size (`10KB`). It takes the place of a comparison in the same direction. */
export function compareField(query: Query, field: FieldRef, op: CompareOp | '!=', value: string): Query {
  const direction = (each: LabelFilter['op']): string => each.slice(0, 1);
  const others = query.labelFilters.filter((each) => !(each.isNumber && each.name === field.name && direction(each.op) === direction(op)));
  const labelFilters = sortByName([...others, { name: field.name, op, value: value.trim(), isNumber: true }]);
  return withParserOf(field, { ...query, labelFilters }, query);
}

/** Whether a text can be compared by amount: a number, a duration or a size. */
export function isAmount(text: string): boolean {
  return /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^-?(?:\d+(?:\.\d+)?(?:ns|[uµμ]s|ms|[smh]))+$|^\d+(?:\.\d+)?(?:[kKMGTP]i?B?|B)$/.test(text.trim());
}

function withParserOf({ name, from }: FieldRef, query: Query, before: Query): Query {
  const isUsed = query.labelFilters.some((filter) => filter.name === name);
  if ((from !== 'json' && from !== 'logfmt') || !isUsed) return dropUnusedParsers(query, before);
  const parsers: readonly Parser[] = ['json', 'logfmt'];
  return query.parsers.includes(from) ? query : { ...query, parsers: parsers.filter((each) => each === from || query.parsers.includes(each)) };
}

/** Only lines of this pattern; `<_>` in it stands for anything. */
export function withPattern(query: Query, pattern: string): Query {
  return withLineFilter(withoutFilter(query, '!>', pattern), { op: '|>', values: [pattern] });
}

/** No lines of this pattern. */
export function withoutPattern(query: Query, pattern: string): Query {
  return withLineFilter(withoutFilter(query, '|>', pattern), { op: '!>', values: [pattern] });
}

function withoutFilter(query: Query, op: LineFilter['op'], value: string): Query {
  return { ...query, lineFilters: query.lineFilters.filter((each) => !(each.op === op && each.values.length === 1 && each.values[0] === value)) };
}
