import { expect, test } from 'vitest';
import { build } from '../../src/logql/build';
import { ALL, type LabelFilter, type LineFilter, type Matcher, type Parser, type Query } from '../../src/logql/query';
import { parseSimple, sortByName } from '../../src/logql/simple';
import { Random } from './random';

const SEEDS = 1_000;

function check(text: string, expected: Partial<Query> | null, canonical = text): void {
  const query = parseSimple(text);
  expect(query, text).toEqual(expected === null ? null : { ...ALL, ...expected });
  if (query !== null) expect(build(query)).toBe(canonical);
}

test('the simple shape is read', () => {
  check('', {}, '{service_name=~".+"}');
  check('{service_name=~".+"}', {});
  check('{namespace="shop", pod=~"api-[a-z0-9]+-[a-z0-9]{5}"}', {
    matchers: [{ name: 'namespace', op: '=', value: 'shop' }, { name: 'pod', op: '=~', value: 'api-[a-z0-9]+-[a-z0-9]{5}' }],
  });
  check('{a="b"} |= "x" or `y` != "z" |~ "(?i)e" !~ "f" |> "<_> g" !> `h`', {
    matchers: [{ name: 'a', op: '=', value: 'b' }],
    lineFilters: [
      { op: '|=', values: ['x', 'y'] }, { op: '!=', values: ['z'] }, { op: '|~', values: ['(?i)e'] }, { op: '!~', values: ['f'] },
      { op: '|>', values: ['<_> g'] }, { op: '!>', values: ['h'] },
    ],
  }, '{a="b"} |= `x` or `y` != `z` |~ `(?i)e` !~ `f` |> `<_> g` !> `h`');
  check('{a="b"}|json|logfmt|status="500",d>2s and size>=10KB|n!=5|drop __error__', {
    matchers: [{ name: 'a', op: '=', value: 'b' }], parsers: ['json', 'logfmt'],
    labelFilters: [
      { name: 'd', op: '>', value: '2s', isNumber: true }, { name: 'n', op: '!=', value: '5', isNumber: true },
      { name: 'size', op: '>=', value: '10KB', isNumber: true }, { name: 'status', op: '=', value: '500' },
    ],
  }, '{a="b"} | json | logfmt | d > 2s | n != 5 | size >= 10KB | status="500" | drop __error__, __error_details__');
  check('{a="b"} | x = 5', { matchers: [{ name: 'a', op: '=', value: 'b' }], labelFilters: [{ name: 'x', op: '==', value: '5', isNumber: true }] },
    '{a="b"} | x == 5');
  check('{a="b"} | detected_level=~"warn|error|critical|fatal"', {
    matchers: [{ name: 'a', op: '=', value: 'b' }], labelFilters: [{ name: 'detected_level', op: '=~', value: 'warn|error|critical|fatal' }],
  });
});

test('any other shape is not', () => {
  for (const text of [
    'error', '{}', '{a="b"', '{a="b"} |= "x', '{a="b"} | line_format "x"', '{a="b"} | json x="y"', '{a="b"} | json |= "x"', '{a="b"} | x="1" | json',
    '{a="b"} | json | json', '{a="b"} | x="1" or y="2"', '{a="b"} | (x="1")', '{a="b"} | drop x', '{a="b"} | drop __error__ | x="1"',
    '{a="b"} |= ip("1.2.3.4")', '{a="b"} | x=ip("1.2.3.4")', '({a="b"})', 'rate({a="b"}[5m])', '{a="b"} # why', '{a="\\q"}', '{on="b"}',
    '{a="b"} | logfmt --strict', '{a="b"} | x > "5"', '{a="b"} | x=~5', '{a==1}', '{a="b"} {c="d"}',
  ]) check(text, null);
});

test('a selector is one that LogQL accepts', () => {
  const selector = (...matchers: Matcher[]): string => build({ ...ALL, matchers });
  expect(selector({ name: 'a', op: '!=', value: 'b' })).toBe('{service_name=~".+", a!="b"}');
  expect(selector({ name: 'a', op: '=', value: '' })).toBe('{service_name=~".+", a=""}');
  expect(selector({ name: 'a', op: '=~', value: '.*' })).toBe('{service_name=~".+", a=~".*"}');
  expect(selector({ name: 'a', op: '=~', value: '(?i)b|' })).toBe('{service_name=~".+", a=~"(?i)b|"}');
  expect(selector({ name: 'a', op: '=~', value: '(?i)b' })).toBe('{a=~"(?i)b"}');
  expect(selector({ name: 'a', op: '!~', value: 'b' }, { name: 'c', op: '=', value: 'd' })).toBe('{a!~"b", c="d"}');
});

test('strings are quoted so that they come back', () => {
  const line = (value: string): string => build({ ...ALL, lineFilters: [{ op: '|=', values: [value] }] }).slice(build(ALL).length + 1);
  expect(line('a "b" \\ c')).toBe('|= `a "b" \\ c`');
  expect(line('a\nb')).toBe('|= "a\\nb"');
  expect(line('a `b`')).toBe('|= "a `b`"');
  expect(line('`"\\')).toBe('|= "`\\"\\\\"');
  expect(line('a\nb\t\r\0\u2028')).toBe('|= "a\\nb\\t\\r\\u0000\\u2028"');
});

const TEXTS = [
  'a', 'b c', '', ' ', '"', '\\', '`', '\n', '\r\n', '\t', '\0', '\x1b[31m', 'ä', '日本', '😀', '\u2028', '\u202e', '\ufeff', '#', '{', '}', ')', '|',
  '.', '*', '(?i)x', ' or ',
  'a|b', '__error__', '<_>', '%', '\\n', '\\u0041', '\x7f', '\x85', "'", '/', 'or', ',', '|=',
];
const NAMES = ['a', 'b', 'pod', 'namespace', 'service_name', 'detected_level', '_x1', 'rate', 'sum', 'duration', 'Z'];
const AMOUNTS = ['0', '5', '-1.5', '1e3', '2s', '1h30m', '-250ms', '10KB', '1.5MiB', '7B'];

function randomQuery(random: Random): Query {
  const text = (): string => random.list(4, () => random.pick(TEXTS)).join('');
  const matcher = (): Matcher => ({ name: random.pick(NAMES), op: random.pick(['=', '!=', '=~', '!~'] as const), value: text() });
  const lineFilter = (): LineFilter => ({
    op: random.pick(['|=', '!=', '|~', '!~', '|>', '!>'] as const), values: [text(), ...random.list(2, text)],
  });
  const labelFilter = (): LabelFilter => (random.below(2) === 0
    ? { name: random.pick(NAMES), op: random.pick(['=', '!=', '=~', '!~'] as const), value: text() }
    : { name: random.pick(NAMES), op: random.pick(['==', '!=', '>', '>=', '<', '<='] as const), value: random.pick(AMOUNTS), isNumber: true });
  const parsers = random.pick<readonly Parser[]>([[], ['json'], ['logfmt'], ['json', 'logfmt']]);
  return {
    matchers: random.list(3, matcher), lineFilters: random.list(3, lineFilter), parsers, labelFilters: sortByName(random.list(3, labelFilter)),
  };
}

test('what is built is read back', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const query = randomQuery(new Random(seed));
    const text = build(query);
    expect(parseSimple(text), `seed ${seed}: ${text}`).toEqual(query);
  }
});

test('no text breaks the reader', () => {
  const pieces = ['{', '}', '=', '=~', '!=', '"', '`', '\\', 'a', 'json', '|', '|=', ',', ' ', '\n', '5', 's', 'or', '(', ')', '#', '💥', '\0', '-',
    '.', '[', ']', '>'];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed);
    const text = `${random.pick(['', '{a="b"}', '{a="b"} |= `x` '])}${random.list(12, () => random.pick(pieces)).join('')}`;
    const query = parseSimple(text);
    if (query !== null) expect(parseSimple(build(query)), `seed ${seed}: ${text}`).toEqual(query);
  }
});
