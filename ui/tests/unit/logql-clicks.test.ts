import { expect, test } from 'vitest';
import { isMetric, searchWithin, selectorOf } from '../../src/logql/any';
import { appMatchers, appOfPattern, appOfPod, podsOf, union, type Controller } from '../../src/logql/apps';
import { ALL, build, type Matcher, type Query } from '../../src/logql/build';
import {
  chips, editOf, labelName, levelsOf, minLevelOf, plainText, removeChip, textFilter, toggleChip, withLevels, withMinLevel, withText, type TextOptions,
} from '../../src/logql/clicks';
import {
  canFilter, compareField, excludeField, includeField, isAmount, withLabel, withoutLabel, withoutPattern, withPattern, type FieldRef,
} from '../../src/logql/fieldclicks';
import { parseSimple } from '../../src/logql/simple';
import { literalsOf, quoteRegexp, splitAlternatives, unquoteRegexp } from '../../src/logql/values';
import { Random } from './random';

const BASE = '{a="b"}';

function read(text: string): Query {
  const query = parseSimple(text);
  if (query === null) throw new Error(`not simple: ${text}`);
  return query;
}

/** What a click makes of `{a="b"}` and the stages. */
function check(stages: string, click: (query: Query) => Query, expected: string): void {
  expect(build(click(read(`${BASE}${stages}`)))).toBe(`${BASE}${expected}`);
}

const PLAIN: TextOptions = { isCase: false, isRegexp: false, isWithout: false };
const CASE = { ...PLAIN, isCase: true };
const REGEXP = { ...PLAIN, isRegexp: true };

test('text in the box becomes a line filter', () => {
  const typed = (text: string, options: TextOptions, expected: string): void => check('', (query) => withText(query, text, options), expected);
  typed('', PLAIN, '');
  typed('timeout', PLAIN, ' |~ `(?i)timeout`');
  typed('timeout', CASE, ' |= `timeout`');
  typed('connection refused', PLAIN, ' |~ `(?i)connection refused`');
  typed('a.b[c]*', PLAIN, ' |~ `(?i)a\\.b\\[c\\]\\*`');
  typed('a.b', REGEXP, ' |~ `(?i)a.b`');
  typed('a.b', { ...REGEXP, isCase: true }, ' |~ `a.b`');
  typed('x', { ...PLAIN, isWithout: true }, ' !~ `(?i)x`');
  typed('x', { ...CASE, isWithout: true }, ' != `x`');
  typed('x', { ...REGEXP, isCase: true, isWithout: true }, ' !~ `x`');
  typed('a OR b', CASE, ' |= `a` or `b`');
  typed('a OR b', PLAIN, ' |~ `(?i)a|b`');
  typed('a|b OR c', PLAIN, ' |~ `(?i)a\\|b|c`');
  typed('a OR b', { ...CASE, isWithout: true }, ' != `a` or `b`');
  typed('"a OR b"', CASE, ' |= `a OR b`');
  typed('"a OR b" OR c', CASE, ' |= `a OR b` or `c`');
  typed('"a"', CASE, ' |= `"a"`');
  typed('a OR ', CASE, ' |= `a`');
  typed(' OR ', CASE, ' |= ` OR `');
  typed('a or b', CASE, ' |= `a or b`');
  typed('aORb', CASE, ' |= `aORb`');
  typed('a OR b', { ...REGEXP, isCase: true }, ' |~ `a OR b`');
  check(' |= `x`', (query) => withText(query, 'x', CASE), ' |= `x`');
});

test('a line filter goes back into the box', () => {
  const back = (filter: string, expected: string | null): void => {
    const edit = editOf(read(`${BASE} ${filter}`).lineFilters[0]!);
    const signs = edit && `${edit.options.isWithout ? '≠' : ''}${edit.options.isCase ? 'Aa' : ''}${edit.options.isRegexp ? '.*' : ''} ${edit.text}`;
    expect(signs, filter).toBe(expected);
  };
  back('|~ "(?i)timeout"', ' timeout');
  back('|= "timeout"', 'Aa timeout');
  back('!= "timeout"', '≠Aa timeout');
  back('|~ "(?i)a\\\\.b"', ' a.b');
  back('|~ "(?i)a.b"', '.* a.b');
  back('|~ "a.b"', 'Aa.* a.b');
  back('!~ "(?i)a|b"', '≠ a OR b');
  back('|= "a OR b" or "c"', 'Aa "a OR b" OR c');
  back('|~ "a" or "b"', null);
  back('|> "<_> a"', null);
  back('|= ""', null);
  expect(plainText({ op: '|~', values: ['(?i)a\\.b|c'] })).toBe('a.b OR c');
  expect(plainText({ op: '|~', values: ['(?i)a.b'] })).toBeNull();
  expect(plainText({ op: '|>', values: ['a'] })).toBeNull();
});

test('text and back is the same filter', () => {
  const pieces = ['a', 'B', ' ', ' OR ', 'OR', '"', '|', '.', '\\', '(?i)', '(', '[', '^', '-', 'ä', '\n', '\\d'];
  for (let seed = 1; seed <= 1_000; seed++) {
    const random = new Random(seed);
    const text = random.list(6, () => random.pick(pieces)).join('');
    const options = { isCase: random.below(2) === 0, isRegexp: random.below(2) === 0, isWithout: random.below(2) === 0 };
    const filter = textFilter(text, options);
    const edit = filter && editOf(filter);
    if (edit !== null) expect(textFilter(edit.text, edit.options), `seed ${seed}: ${text}`).toEqual(filter);
    else if (filter !== null) expect(text, `seed ${seed}`).toMatch(/OR|^\(\?i\)$/);
  }
});

test('regexps of values are recognised, others are left alone', () => {
  for (const text of ['', 'a', 'a.b', '\\', 'a|b', '^$', '{}', '😀', '(?i)', '-&~#']) expect(unquoteRegexp(quoteRegexp(text))).toBe(text);
  for (const regexp of ['a.b', 'a\\d', 'a|b', '\\a', 'a\\', '[a]']) expect(unquoteRegexp(regexp), regexp).toBeNull();
  expect(splitAlternatives('a|b(c|d)|[|]|\\||[]|]|[^]|]')).toEqual(['a', 'b(c|d)', '[|]', '\\|', '[]|]', '[^]|]']);
  expect(literalsOf('a\\.b|c|')).toEqual(['a.b', 'c', '']);
  expect(literalsOf('a.b|c')).toBeNull();
});

const STATUS: FieldRef = { name: 'status', from: 'json' };
const TOOK: FieldRef = { name: 'took', from: 'logfmt' };
const TRACE: FieldRef = { name: 'trace_id', from: 'metadata' };
const DROP = ' | drop __error__, __error_details__';

test('values are included and excluded', () => {
  check('', (query) => includeField(query, STATUS, '500'), ` | json | status="500"${DROP}`);
  check(' | json | status="500"', (query) => includeField(query, STATUS, '504'), ` | json | status=~"500|504"${DROP}`);
  check(' | json | status=~"500|504"', (query) => includeField(query, STATUS, '500'), ` | json | status="504"${DROP}`);
  check(' | json | status="504"', (query) => includeField(query, STATUS, '504'), '');
  check(' | json | status="504"', (query) => excludeField(query, STATUS, '504'), ` | json | status!="504"${DROP}`);
  check(' | json | status!="200"', (query) => excludeField(query, STATUS, '204'), ` | json | status!~"200|204"${DROP}`);
  check(' | json | status!~"200|204"', (query) => includeField(query, STATUS, '200'), ` | json | status!="204" | status="200"${DROP}`);
  check(' | json | status=~"5.."', (query) => includeField(query, STATUS, '500'), ` | json | status=~"5.." | status="500"${DROP}`);
  check('', (query) => includeField(query, TRACE, '9ac1'), ' | trace_id="9ac1"');
  check('', (query) => includeField(query, TOOK, '1.5s'), ` | logfmt | took="1.5s"${DROP}`);
  check(' | logfmt | took="2s"', (query) => includeField(query, STATUS, '500'), ` | json | logfmt | status="500" | took="2s"${DROP}`);
  check(' | json | detected_level="error" | x="y"',
    (query) => includeField(query, { name: 'x', from: 'json' }, 'y'), ' | detected_level="error"');
  check('', (query) => includeField(query, STATUS, 'a"b'), ` | json | status=\`a"b\`${DROP}`);
  check(' | json | x="a.b"', (query) => includeField(query, { name: 'x', from: 'json' }, 'c|d'), ` | json | x=~\`a\\.b|c\\|d\`${DROP}`);
});

test('labels go into the selector', () => {
  const click = (before: string, change: (query: Query) => Query, expected: string): void => expect(build(change(read(before)))).toBe(expected);
  click('', (query) => withLabel(query, 'pod', 'x'), '{pod="x"}');
  click('{pod="x"}', (query) => withLabel(query, 'pod', 'y.z'), '{pod=~`x|y\\.z`}');
  click('{pod=~"x|y"}', (query) => withLabel(query, 'pod', 'x'), '{pod="y"}');
  click('{pod="x"}', (query) => withLabel(query, 'pod', 'x'), '{service_name=~".+"}');
  click('{pod="x"}', (query) => withoutLabel(query, 'pod', 'x'), '{service_name=~".+", pod!="x"}');
  click('{a="b"}', (query) => withoutLabel(query, 'pod', 'x'), '{a="b", pod!="x"}');
  click('{a="b"}', (query) => includeField(query, { name: 'pod', from: 'stream' }, 'x'), '{a="b", pod="x"}');
  click('{a="b"}', (query) => excludeField(query, { name: 'pod', from: 'stream' }, 'x'), '{a="b", pod!="x"}');
});

test('amounts are compared', () => {
  check('', (query) => compareField(query, TOOK, '>', '2s'), ` | logfmt | took > 2s${DROP}`);
  check(' | logfmt | took > 2s', (query) => compareField(query, TOOK, '>=', ' 3s '), ` | logfmt | took >= 3s${DROP}`);
  check(' | logfmt | took > 2s', (query) => compareField(query, TOOK, '<', '9s'), ` | logfmt | took > 2s | took < 9s${DROP}`);
  for (const text of ['5', '-1.5', '1e3', '2s', '1h30m', '300µs', '10KB', '1.5MiB', '.5', '7B', '1k']) {
    expect(isAmount(text), text).toBe(true);
    expect(parseSimple(`${BASE} | x > ${text}`)?.labelFilters[0]?.value, text).toBe(text);
  }
  for (const text of ['', 'x', '5 apples', '1.2.3', '2x', '--1', '1h2', '5"']) expect(isAmount(text), text).toBe(false);
});

test('levels are asked for from one upwards or one by one', () => {
  check('', (query) => withMinLevel(query, 'warn'), ' | detected_level=~"warn|error|critical|fatal"');
  check(' | x="y"', (query) => withMinLevel(query, 'fatal'), ' | detected_level=~"critical|fatal" | x="y"');
  check(' | detected_level="info"', (query) => withMinLevel(query, 'trace'), ' | detected_level=~"trace|debug|info|warn|error|critical|fatal"');
  check(' | detected_level="info"', (query) => withMinLevel(query, null), '');
  check('', (query) => withLevels(query, ['error']), ' | detected_level="error"');
  check('', (query) => withLevels(query, ['unknown', 'fatal', 'info']), ' | detected_level=~"unknown|info|fatal"');
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) expect(minLevelOf(withMinLevel(ALL, level))).toBe(level);
  expect(minLevelOf(ALL)).toBeNull();
  expect(levelsOf(ALL)).toBeNull();
  expect(levelsOf(read(`${BASE} | detected_level=~"info|fatal"`))).toEqual(['info', 'fatal']);
  expect(minLevelOf(read(`${BASE} | detected_level=~"info|fatal"`))).toBeNull();
  expect(levelsOf(read(`${BASE} | detected_level!~"unknown|trace"`))).toEqual(['debug', 'info', 'warn', 'error', 'critical', 'fatal']);
  expect(levelsOf(read(`${BASE} | detected_level=~"e.*"`))).toBeNull();
});

test('patterns are added and excluded', () => {
  check('', (query) => withPattern(query, 'retry <_> of <_>: timeout'), ' |> `retry <_> of <_>: timeout`');
  check(' |> `a <_>`', (query) => withoutPattern(query, 'a <_>'), ' !> `a <_>`');
  check(' !> `a <_>`', (query) => withPattern(query, 'a <_>'), ' |> `a <_>`');
});

test('chips say what the query asks for', () => {
  const shown = (text: string, ...expected: string[]): void => {
    expect(chips(read(text)).map((chip) => `${chip.kind}: ${chip.text}`), text).toEqual(expected);
  };
  shown('');
  const stages = '|~ "(?i)timeout" | json | detected_level=~"warn|error|critical|fatal" | status!="200"';
  shown(`{namespace="shop", pod=~"checkout-[a-z0-9]+-[a-z0-9]{5}"} ${stages}`,
    'label: app = checkout', 'text: contains "timeout"', 'level: level ≥ warn', 'field: status ≠ 200');
  shown('{namespace="shop", pod=~"a-[a-z0-9]{5}|b\\\\.c-[0-9]+"}', 'label: app = a or b.c');
  shown('{namespace="shop", pod!~"a-[a-z0-9]{5}"}', 'label: namespace = shop', 'label: app ≠ a');
  shown('{namespace=~"shop|x", pod=~"a-[a-z0-9]{5}"}', 'label: namespace = shop or x', 'label: app = a');
  shown('{path=~"/var/log\\\\.d/[^/]+"}', 'label: path in /var/log.d');
  shown('{path!~"/[^/]+"}', 'label: path not in /');
  shown('{path=~"/a.c/[^/]+"}', 'label: path matches /a.c/[^/]+');
  shown('{pod=~"a|b|c|d"}', 'label: pod = a, b or 2 more');
  shown('{pod=~"a.*", x!~"y+", z=""}', 'label: pod matches a.*', 'label: x does not match y+', 'label: z = ""');
  shown(`${BASE} |= "T" != "x" or "y" |~ "(?i)a." !~ "b+" |> "<_> c" !> "d"`,
    'label: a = b', 'text: contains "T" Aa', 'text: without "x" or "y" Aa', 'text: matches /a./i', 'text: without /b+/', 'pattern: like "<_> c"',
    'pattern: not like "d"');
  shown(`${BASE} |~ "(?i)|"`, 'label: a = b', 'text: matches /|/i');
  shown(`${BASE} | took > 2s | n == 5 | n != 6 | s <= 1KB`, 'label: a = b', 'field: n = 5', 'field: n ≠ 6', 'field: s ≤ 1KB', 'field: took > 2s');
  shown(`${BASE} | detected_level!~"warn|error|critical|fatal" | detected_level="info" | detected_level!="debug"`,
    'label: a = b', 'level: level < warn', 'level: level = info', 'level: level ≠ debug');
});

test('keys differ, also for the same condition twice', () => {
  const keys = chips(read(`${BASE} |= "x" |= "x" | y="1" | y="1"`)).map(({ key }) => key);
  expect(new Set(keys).size).toBe(5);
});

test('chips are removed and turned round', () => {
  const stages = '|~ `(?i)x` |> `y <_>` | json | detected_level="error" | n > 5 | z="1"';
  const text = `{namespace="shop", pod=~"api-[0-9]+", c="d"} ${stages}${DROP}`;
  const [app, label, line, pattern, level, number, field] = chips(read(text));
  const removed = (chip = app!): string => build(removeChip(read(text), chip));
  expect(removed(app)).toBe(text.replace('namespace="shop", pod=~"api-[0-9]+", ', ''));
  expect(removed(label)).toBe(text.replace(', c="d"', ''));
  expect(removed(line)).toBe(text.replace(' |~ `(?i)x`', ''));
  expect(removed(pattern)).toBe(text.replace(' |> `y <_>`', ''));
  expect(removed(level)).toBe(text.replace(' | detected_level="error"', ''));
  expect(removed(field)).toBe(text.replace(' | z="1"', ''));
  const turned = (chip = app!): string => build(toggleChip(read(text), chip));
  expect(turned(app)).toBe(text.replace('pod=~', 'pod!~'));
  expect(turned(label)).toBe(text.replace('c="d"', 'c!="d"'));
  expect(turned(line)).toBe(text.replace('|~', '!~'));
  expect(turned(pattern)).toBe(text.replace('|>', '!>'));
  expect(turned(level)).toBe(text.replace('detected_level=', 'detected_level!='));
  expect(turned(number)).toBe(text.replace('n > 5', 'n <= 5'));
  expect(turned(field)).toBe(text.replace('z="1"', 'z!="1"'));
});

test('turning round twice changes nothing, removing takes one chip away', () => {
  const text = `{pod=~"x-[0-9]+", a!="b"} |= \`c\` or \`d\` !~ \`e\` |> \`f\` | json | g == 5 | h != 6 | i >= 7 | j=~"k|l"${DROP}`;
  const query = read(text);
  for (const chip of chips(query)) {
    expect(build(toggleChip(toggleChip(query, chip), chip)), chip.text).toBe(text);
    expect(chips(removeChip(query,
      chip)).map((each) => each.text)).toEqual(chips(query).filter((each) => each !== chip && each.key !== chip.key).map((each) => each.text));
  }
});

test('field names are those of the server', () => {
  const name = (path: string[], expected: string): void => expect(labelName(path)).toBe(expected);
  name(['http.status'], 'http_status');
  name(['pod', 'deployment', 'ref'], 'pod_deployment_ref');
  name(['1st'], '_1st');
  name(['a', '1st'], 'a_1st');
  name([' ', 'foo'], 'foo');
  name(['größe'], 'gr__e');
  name(['a😀b'], 'a_b');
  name([' a b '], 'a_b');
  expect(labelName(['app'], new Set(['app']))).toBe('app_extracted');
  expect(canFilter({ name: 'on', from: 'json' })).toBe(false);
  expect(canFilter({ name: 'status', from: 'json' })).toBe(true);
});

test('an app is a pod\'s name without what its controller adds', () => {
  const app = (pod: string, expected: string): void => {
    const found = appOfPod(pod);
    expect(`${found.controller} ${found.app}`, pod).toBe(expected);
    const regexp = podsOf(found.app, found.controller);
    expect(pod).toMatch(new RegExp(`^(?:${regexp})$`));
    if (found.controller !== 'pod') expect(appOfPattern(regexp)).toEqual(found);
  };
  app('checkout-7d4b9c8f6d-x7k2p', 'deployment checkout');
  app('my-api-v2-5d8f7c9b6-q4zpl', 'deployment my-api-v2');
  app('node-exporter-x7k2p', 'daemonset node-exporter');
  app('postgres-0', 'statefulset postgres');
  app('backup-28391231-x7k2p', 'job backup');
  app('etcd-control.plane', 'pod etcd-control.plane');
  app('nginx-cache', 'pod nginx-cache');
  app('kube-proxy', 'pod kube-proxy');
  expect(appOfPattern('a.*')).toBeNull();
  expect(appOfPattern('(a|b)-[0-9]+')).toBeNull();
  expect(podsOf('a.b', 'deployment' satisfies Controller)).toBe('a\\.b-[a-z0-9]+-[a-z0-9]{5}');
});

test('several selections make one selector', () => {
  const all = (...selections: Matcher[][]): string => build({ ...ALL, matchers: union(selections) });
  const pod = (name: string): Matcher[] => [{ name: 'namespace', op: '=', value: 'shop' }, { name: 'pod', op: '=', value: name }];
  expect(all(pod('a'), pod('b.c'), pod('d'))).toBe('{namespace="shop", pod=~`a|b\\.c|d`}');
  expect(all(appMatchers('shop', 'api', 'statefulset'), appMatchers('x', 'db', 'pod'))).toBe('{namespace=~"shop|x", pod=~"api-[0-9]+|db"}');
  expect(all(pod('a'))).toBe('{namespace="shop", pod="a"}');
  expect(all(pod('a'), [pod('b')[0]!, { name: 'pod', op: '!=', value: 'b' }])).toBe('{namespace="shop"}');
  expect(all(pod('a'), [{ name: 'path', op: '=', value: '/x' }])).toBe('{service_name=~".+"}');
});

test('metric queries are told from log queries', () => {
  for (const text of ['rate({a="b"}[5m])', 'sum by (a) (rate({a="b"}[5m]))', '(sum(rate({a="b"}[5m])))', '1 + 1', '-1', 'vector(1)',
    '# x\nrate({a="b"}[5m])']) {
    expect(isMetric(text), text).toBe(true);
  }
  for (const text of ['', '{a="b"}', '({a="b"})', ' {a="b"} | line_format "sum(x)"', 'error', '# sum(\n{a="b"}',
    '"x"'.slice(1)]) expect(isMetric(text), text).toBe(false);
});

test('any query can be searched within', () => {
  const within = (text: string, expected: string): void => expect(searchWithin(text, { op: '|=', values: ['x'] })).toBe(expected);
  within('{a="b"} | line_format "y"', '{a="b"} | line_format "y" |= `x`');
  within('{a="b"} | line_format "y" # why', '{a="b"} | line_format "y" |= `x` # why');
  within('({a="b"} | unpack)', '({a="b"} | unpack |= `x`)');
  within('(({a="b"}))', '(({a="b"} |= `x`))');
  within('count_over_time({a="b"}[5m] != "y" | json)', 'count_over_time({a="b"}[5m] |= `x` != "y" | json)');
  within('sum(rate({a="b"}[5m])) != 0', 'sum(rate({a="b"} |= `x`[5m])) != 0');
  within('{a="b"} | json | unwrap y', '{a="b"} | json |= `x` | unwrap y');
  within('{a="b"} | (x="1")', '{a="b"} | (x="1") |= `x`');
  within('sum(rate({a="b"} | json [5m])) / sum(rate({c="}"}[5m]))', 'sum(rate({a="b"} |= `x` | json [5m])) / sum(rate({c="}"} |= `x`[5m]))');
  expect(selectorOf('sum(rate( {a="}", c=~`{`} | json [5m]))')).toBe('{a="}", c=~`{`}');
  expect(selectorOf('vector(1)')).toBe('{service_name=~".+"}');
});
