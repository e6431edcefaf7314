// The chips of a query: each condition in words, with what is needed to edit, remove and turn it round.
import type { Level } from '../model';
import { appOfPattern } from './apps';
import { build } from './build';
import { LEVEL_LABEL, levelsOfFilter, minOf } from './levels';
import { ALL, type LabelFilter, type LineFilter, type LineOp, type Matcher, type Query } from './query';
import { editOf, textsOf, type TextOptions } from './text';
import { isExcluding, splitAlternatives, unquoteRegexp, valuesOf } from './values';

export type ChipKind = 'label' | 'text' | 'level' | 'field' | 'pattern';

/** One condition of the query as it is shown. */
export interface Chip {
  /** Differs between the chips of a query and stays the same for the same condition. */
  readonly key: string;
  readonly kind: ChipKind;
  /** As shown: `app = checkout`, `level ≥ warn`, `contains "timeout"`, `status ≠ 200`. */
  readonly text: string;
  /** The condition as LogQL. */
  readonly title: string;
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
  /** For `label`, `level` and `field`: the name, and its values where they are plain ones. */
  readonly name?: string;
  readonly values?: readonly string[];
}

/** How a regexp ends that selects the files of a directory: those right in it. */
const IN_DIRECTORY = '/[^/]+';
/** Most values that a chip names. */
const VALUES_MAX = 3;
/** Most characters of a value that a chip shows. */
const VALUE_LENGTH_MAX = 60;

/** The chips, in the order of the query. */
export function chips(query: Query): Chip[] {
  const result = [
    ...matcherChips(query.matchers),
    ...query.lineFilters.map(lineChip),
    ...query.labelFilters.map(labelChip),
  ];
  const seen = new Map<string, number>();
  return result.map((chip) => {
    const times = seen.get(chip.title) ?? 0;
    seen.set(chip.title, times + 1);
    return { ...chip, key: times === 0 ? chip.title : `${chip.title} ${times}` };
  });
}

type Unkeyed = Omit<Chip, 'key'>;

function matcherChips(matchers: readonly Matcher[]): Unkeyed[] {
  const pods = matchers.findIndex((matcher) => appsOf(matcher) !== null);
  const namespace = pods < 0 ? -1 : matchers.findIndex(({ name, op }) => name === 'namespace' && op === '=');
  return matchers.flatMap((matcher, place) => {
    const { name, op } = matcher;
    const apps = appsOf(matcher);
    const isWhole = place === pods && !isExcluding(op);
    if (place === namespace && !isExcluding(matchers[pods]!.op)) return [];
    const places = isWhole && namespace >= 0 ? [namespace, place].sort((a, b) => a - b) : [place];
    const values = apps ?? valuesOf(matcher);
    return [{
      kind: 'label' as const, text: apps === null ? condition(name, op, matcher.value, values) : condition('app', op, '', apps),
      title: selectorText(places.map((each) => matchers[each]!)), isExcluding: isExcluding(op), matchers: places, lineFilter: -1, labelFilter: -1,
      name: apps === null ? name : 'app', ...(values === null ? {} : { values }),
    }];
  });
}

/** The apps whose pods a matcher selects; `null` where it is about something else. */
function appsOf({ name, op, value }: Matcher): string[] | null {
  if (name !== 'pod' || !op.endsWith('~')) return null;
  const apps = splitAlternatives(value).map((each) => appOfPattern(each)?.app);
  return apps.includes(undefined) ? null : [...new Set(apps as string[])];
}

function selectorText(matchers: readonly Matcher[]): string {
  return build({ ...ALL, matchers }).replace('service_name=~".+", ', '');
}

const TEXT_WORDS: { readonly [op in LineOp]: string } = {
  '|=': 'contains', '!=': 'without', '|~': 'matches', '!~': 'without', '|>': 'like', '!>': 'not like',
};

function lineChip(filter: LineFilter, place: number): Unkeyed {
  const edit = editOf(filter);
  const texts = textsOf(filter);
  const isPattern = filter.op.endsWith('>');
  let text: string;
  if (texts !== null) {
    const verb = isExcluding(filter.op) ? 'without' : 'contains';
    text = `${verb} ${someOf(texts.map((each) => `"${shorten(each)}"`))}${filter.op.endsWith('=') ? ' Aa' : ''}`;
  } else if (isPattern) {
    text = `${TEXT_WORDS[filter.op]} ${someOf(filter.values.map((each) => `"${shorten(each)}"`))}`;
  } else {
    const regexps = filter.values.map((each) => (each.startsWith('(?i)') ? `/${shorten(each.slice(4))}/i` : `/${shorten(each)}/`));
    text = `${TEXT_WORDS[filter.op]} ${someOf(regexps)}`;
  }
  const title = build({ ...ALL, lineFilters: [filter] }).slice(build(ALL).length + 1);
  return {
    kind: isPattern ? 'pattern' : 'text', text, title, isExcluding: isExcluding(filter.op), matchers: [], lineFilter: place, labelFilter: -1,
    ...(edit === null ? {} : { edit }),
  };
}

function labelChip(filter: LabelFilter, place: number): Unkeyed {
  const { name, op, value } = filter;
  const levels = levelsOfFilter(filter);
  const values = valuesOf(filter);
  const minLevel = levels === null || isExcluding(op) ? null : minOf(levels);
  const belowLevel = levels === null || !isExcluding(op) ? null : minOf(levelsOfFilter({ ...filter, op: op === '!=' ? '=' : '=~' })!);
  let text: string;
  if (minLevel !== null) text = `level ≥ ${minLevel}`;
  else if (belowLevel !== null) text = `level < ${belowLevel}`;
  else text = condition(name === LEVEL_LABEL ? 'level' : name, op, value, values);
  const title = build({ ...ALL, labelFilters: [filter] }).slice(build(ALL).length + 1);
  return {
    kind: levels === null ? 'field' : 'level', text, title, isExcluding: isExcluding(op), matchers: [], lineFilter: -1, labelFilter: place, name,
    ...(values === null ? {} : { values }), ...(minLevel === null ? {} : { minLevel }),
  };
}

/** `status = 500 or 504`, `pod matches api-.*`, `duration > 2s`. */
function condition(name: string, op: string, value: string, values: readonly string[] | null): string {
  if (values !== null) return `${name} ${isExcluding(op) ? '≠' : '='} ${someOf(values.map((each) => (each === '' ? '""' : shorten(each))))}`;
  const directory = op.endsWith('~') && value.endsWith(IN_DIRECTORY) ? unquoteRegexp(value.slice(0, -IN_DIRECTORY.length)) : null;
  if (directory !== null) return `${name} ${isExcluding(op) ? 'not in' : 'in'} ${shorten(directory === '' ? '/' : directory)}`;
  if (op === '=~') return `${name} matches ${shorten(value)}`;
  if (op === '!~') return `${name} does not match ${shorten(value)}`;
  const sign = { '==': '=', '!=': '≠', '>=': '≥', '<=': '≤' }[op] ?? op;
  return `${name} ${sign} ${value}`;
}

function someOf(values: readonly string[]): string {
  if (values.length > VALUES_MAX) return `${values.slice(0, VALUES_MAX - 1).join(', ')} or ${values.length - VALUES_MAX + 1} more`;
  return values.join(' or ');
}

function shorten(text: string): string {
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX).replace(/[\ud800-\udbff]$/, '')}…` : text;
}

export function removeChip(query: Query, chip: Chip): Query {
  const without = <T>(items: readonly T[], places: readonly number[]): T[] => items.filter((_, place) => !places.includes(place));
  return dropUnusedParsers({
    ...query,
    matchers: without(query.matchers, chip.matchers),
    lineFilters: without(query.lineFilters, [chip.lineFilter]),
    labelFilters: without(query.labelFilters, [chip.labelFilter]),
  }, query);
}

/** Leaves the parsers out when the last condition that could need one is gone. */
export function dropUnusedParsers(query: Query, before: Query): Query {
  const needsParser = ({ name }: LabelFilter): boolean => name !== LEVEL_LABEL;
  return before.labelFilters.some(needsParser) && !query.labelFilters.some(needsParser) ? { ...query, parsers: [] } : query;
}

const LINE_OPPOSITES: { readonly [op in LineOp]: LineOp } = { '|=': '!=', '!=': '|=', '|~': '!~', '!~': '|~', '|>': '!>', '!>': '|>' };
const OPPOSITES: { readonly [op in LabelFilter['op']]: LabelFilter['op'] } = {
  '=': '!=', '!=': '=', '=~': '!~', '!~': '=~', '==': '!=', '>': '<=', '<=': '>', '<': '>=', '>=': '<',
};

/** Turns the chip's condition round: include to exclude and back. Of an app's chip the pods are turned, the namespace stays. */
export function toggleChip(query: Query, chip: Chip): Query {
  const turned = chip.matchers.find((place) => query.matchers[place]?.name === 'pod') ?? chip.matchers[0];
  return {
    ...query,
    matchers: query.matchers.map((each, place) => (place === turned ? { ...each, op: OPPOSITES[each.op] as Matcher['op'] } : each)),
    lineFilters: query.lineFilters.map((each, place) => (place === chip.lineFilter ? { ...each, op: LINE_OPPOSITES[each.op] } : each)),
    labelFilters: query.labelFilters.map((each, place) => {
      if (place !== chip.labelFilter) return each;
      return { ...each, op: each.isNumber && each.op === '!=' ? '==' : OPPOSITES[each.op] };
    }),
  };
}
