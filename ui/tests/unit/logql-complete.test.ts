import { expect, test } from 'vitest';
import { type Completion, completionsAt, type Known, opensCompletion } from '../../src/logql/complete';
import { CONVERSIONS, RANGE_FUNCTIONS, STAGES, VECTOR_FUNCTIONS } from '../../src/logql/functions';
import { FUNCTIONS, KEYWORDS } from '../../src/logql/lexer';
import { Random } from './random';

const KNOWN: Known = {
  labels: async () => ['app', 'container', 'namespace', 'pod'],
  values: async (label) => (label === 'app' ? [{ value: 'api', count: 12 }, { value: 'a.b' }, { value: 'check"out' }, { value: '¦' }] : []),
  fields: async (selector) => (selector.includes('none') ? [] : [{ name: 'status', parser: 'json', type: 'int' },
    { name: 'user', parser: 'json', type: 'string' }]),
};

/** `|` in the text is the caret's place where it is written `‸`. */
async function at(text: string): Promise<Completion[]> {
  const caret = text.indexOf('‸');
  return completionsAt(text.replace('‸', ''), caret, KNOWN);
}

/** The first entries' labels. */
async function check(text: string, ...expected: string[]): Promise<void> {
  expect((await at(text)).slice(0, Math.max(1, expected.length)).map(({ label }) => label), text).toEqual(expected);
}

/** The text after the entry with this label is taken, the caret as `‸`. */
async function take(text: string, label: string, expected: string): Promise<void> {
  const plain = text.replace('‸', '');
  const entry = (await at(text)).find((each) => each.label === label);
  if (entry === undefined) throw new Error(`${text} offers no ${label}`);
  const result = plain.slice(0, entry.from) + entry.insert.slice(0, entry.caret) + '‸' + entry.insert.slice(entry.caret) + plain.slice(entry.to);
  expect(result).toBe(expected);
}

test('the beginning offers selectors and functions', async () => {
  await check('‸', '{…}', 'rate', 'count_over_time');
  await check('ra‸', 'rate', 'rate_counter');
  await check('sum(‸', '{…}', 'rate');
  await check('sum(rate({a="b"}[5m])) / ‸', '{…}');
  await take('‸', '{…}', '{‸}');
  await take('rat‸', 'rate', 'rate({‸}[5m])');
  await take('top‸', 'topk', 'topk(10, ‸)');
  await take('su‸ (rate({a="b"}[5m]))', 'sum', 'sum‸ (rate({a="b"}[5m]))');
});

test('a selector offers labels, operators and values', async () => {
  await check('{‸', 'app', 'container', 'namespace', 'pod');
  await check('{‸}', 'app');
  await check('{na‸}', 'namespace');
  await check('{app="api", ‸', 'app', 'container');
  await check('{app‸', 'app');
  await check('{app ‸', '=', '!=', '=~', '!~');
  await check('{app=‸', 'api', 'a.b', 'check"out');
  await check('{app="‸', 'api');
  await check('{app="ch‸"}', 'check"out');
  await check('{app=~`‸`}', 'api');
  await check('rate({app="‸"}[5m])', 'api');
  await take('{na‸', 'namespace', '{namespace="‸"');
  await take('{na‸="x"}', 'namespace', '{namespace‸="x"}');
  await take('{app=‸}', 'api', '{app="api"‸}');
  await take('{app="a‸"}', 'api', '{app="api"‸}');
  await take('{app="a‸', 'api', '{app="api"‸');
  await take('{app="a‸, pod="x"}', 'api', '{app="api"‸, pod="x"}');
  await take('{app=~"‸"}', 'a.b', '{app=~`a\\.b`‸}');
  await take('{app="‸"}', 'check"out', '{app=`check"out`‸}');
  await take('{app=`‸`}', 'api', '{app=`api`‸}');
  await take('{app="‸"}', '¦', '{app="¦"‸}');
  expect((await at('{app="‸"}'))[0]).toMatchObject({ detail: '12', kind: 'value' });
});

test('behind a selector come line filters and stages', async () => {
  await check('{app="api"} ‸', '|=', '!=', '|~', '!~', '|>', '!>', '| json');
  await check('{app="api"} |= "x" ‸', '|=');
  await check('{app="api"} | json ‸', '|=');
  await check('{app="api"} | json | status="500" ‸', '|=');
  await check('rate({app="api"} ‸', '[5m]', '|=');
  await check('{app="api"} |= ‸');
  await check('{app="api"} |= "‸"');
  await check('{app="api"} | line_format "‸"');
  await take('{app="api"} ‸', '|=', '{app="api"} |= `‸`');
  await take('rate({app="api"} ‸)', '[5m]', 'rate({app="api"} [‸])');
});

test('behind a bar come parsers, fields and stages', async () => {
  await check('{app="api"} | ‸', 'json', 'logfmt', 'detected_level', 'status', 'user', 'app');
  await check('{app="api"} | json | ‸', 'detected_level', 'status');
  await check('{app="none"} | ‸', 'json', 'logfmt', 'detected_level', 'app');
  await check('{app="api"} | li‸', 'line_format');
  await check('{app="api"} | status ‸', '=', '!=', '=~', '!~', '>');
  await check('{app="api"} | detected_level=‸', 'unknown', 'trace');
  await check('{app="api"} | detected_level=~"er‸"', 'error');
  await check('{app="api"} | json | took > 2s and status ‸', '=', '!=');
  await take('{app="api"} | json | took > 2s ‸', 'and', '{app="api"} | json | took > 2s and ‸');
  await take('{app="api"} |= "x" ‸', 'or', '{app="api"} |= "x" or ‸');
  await take('{app="api"} |= i‸', 'ip', '{app="api"} |= ip("‸")');
  await take('{app="api"} | logfmt ‸', '--strict', '{app="api"} | logfmt --strict‸');
  await check('{app="api"} | json | status="500" and ‸', 'detected_level', 'status');
  await check('{app="api"} | drop ‸', 'detected_level', 'status');
  await check('{app="api"} | keep status, ‸', 'detected_level');
  await check('sum_over_time({app="api"} | json | unwrap ‸', 'detected_level', 'status');
  await check('sum_over_time({app="api"} | json | unwrap duration(‸', 'detected_level', 'status');
  await take('{app="api"} | sta‸', 'status', '{app="api"} | json | status > ‸');
  await take('{app="api"} | json | us‸', 'user', '{app="api"} | json | user="‸"');
  await take('{app="api"} | ‸', 'line_format', '{app="api"} | line_format "{{.‸}}"');
});

test('windows and groupings', async () => {
  await check('rate({app="api"}[‸', '1m', '5m');
  await check('rate({app="api"}[5‸])', '5m');
  await check('sum by (‸', 'detected_level', 'status', 'user', 'app');
  await check('sum by (app, ‸) (rate({app="api"}[5m]))', 'detected_level');
  await check('sum(rate({app="api"}[5m])) ‸', 'by', 'without', '/');
  await check('sum ‸', 'by', 'without');
  await take('sum ‸', 'by', 'sum by (‸)');
  await check('sum(rate({app="api"}[5m])) > ‸', '{…}');
  await take('rate({app="api"}[5m]) > bo‸', 'bool', 'rate({app="api"}[5m]) > bool‸');
  await check('rate({app="api"}[5m] ‸', 'offset');
  await take('rate({app="api"}[‸', '5m', 'rate({app="api"}[5m]‸');
  await take('rate({app="api"}[‸])', '5m', 'rate({app="api"}[5m‸])');
});

test('nothing is offered in comments and where nothing is known', async () => {
  await check('{app="api"} # ra‸');
  await check('{app="api" ‸');
  await check('{app=="‸"');
  await check('{app="api"} | regexp ‸');
});

test('what fits best comes first', async () => {
  await check('{p‸', 'pod', 'app', 'namespace');
  await check('{nsp‸', 'namespace');
  await check('count‸', 'count', 'count_over_time', 'rate_counter');
  await check('{zzz‸');
});

test('the list opens where something is due', () => {
  const due = ['{', '{a', '{a="b",', '{a="b", ', '{a="b", c', '{a=', '{a="', '{a=~`b', '{path="/var/l', '{} |', '{} | ', '{} | js', 'rate(',
    'sum by (', 'rate({}[', '{} | unwrap ', '{} | unwrap d'];
  for (const text of due) expect(opensCompletion(text), text).toBe(true);
  for (const text of ['', 'a', '{a="b"', '{a="b"}', '{a="b" ', 'rate({}[5m])', '{} | json ', '{} |= `x y`']) expect(opensCompletion(text),
    text).toBe(false);
});

test('the tables hold all words of the language', () => {
  const functions = [...RANGE_FUNCTIONS, ...VECTOR_FUNCTIONS, ...CONVERSIONS].map(({ name }) => name);
  expect(new Set([...functions, 'duration_seconds', 'ip'])).toEqual(FUNCTIONS);
  for (const { name, does, example } of [...RANGE_FUNCTIONS, ...VECTOR_FUNCTIONS, ...STAGES]) {
    expect(does, name).not.toBe('');
    expect(example, name).toContain(name);
  }
  for (const { name } of STAGES) expect(KEYWORDS.has(name), name).toBe(true);
});

test('no text and no place breaks it', async () => {
  const pieces = ['{', '}', 'app', '=', '=~', '"', '`', 'api', ',', '|', '|=', 'json', 'rate', '(', ')', '[', ']', '5m', 'by', ' ', '\n', '#', 'ä',
    '💥', 'unwrap', 'drop', 'or', '\\'];
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed);
    const text = random.list(15, () => random.pick(pieces)).join('');
    const caret = random.below(text.length + 1);
    for (const { from, to, insert, caret: place } of await completionsAt(text, caret, KNOWN)) {
      expect(from <= caret && caret <= to && to <= text.length && place <= insert.length, `seed ${seed}: ${text}`).toBe(true);
    }
  }
});
