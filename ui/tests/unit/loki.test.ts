// Loki's answers as the page needs them, and the places that its errors name.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { countByLevel, countLines, duration, formatQuery, placed, queryRange } from '../../src/api/loki';
import { countValues, detectedFields, patterns } from '../../src/api/explore';
import { ServerError } from '../../src/model';
import { positionOf, wrongAt } from '../../src/view/tokens';

const never = new AbortController().signal;
const SECOND = 1_000_000_000n;

/** Answers the next request; gives back what was asked for. */
function answer(body: unknown, status = 200): () => URL {
  let asked = '';
  vi.stubGlobal('fetch', (url: string) => {
    asked = url;
    return Promise.resolve(new Response(typeof body === 'string' ? body : JSON.stringify(body), { status }));
  });
  return () => new URL(asked, 'http://agent/ui/');
}

afterEach(() => vi.unstubAllGlobals());

const matrix = (result: unknown) => ({ status: 'success', data: { resultType: 'matrix', result } });
const vector = (result: unknown) => ({ status: 'success', data: { resultType: 'vector', result } });

describe('metric queries', () => {
  it('are asked in nanoseconds, and answered in numbers', async () => {
    const asked = answer(matrix([{ metric: { app: 'x' }, values: [[1796042590.999, '398'], [1796042890.999, 'NaN'], [1796043190.999, '+Inf']] }]));
    const series = await queryRange('rate({a="b"}[1m])', { start: 1n, end: 5n * SECOND, step: 2n * SECOND }, 'total', never);
    expect(series).toEqual([{ labels: new Map([['app', 'x']]), times: [1796042590999, 1796042890999, 1796043190999], values: [398, NaN, Infinity] }]);
    expect(asked().pathname).toBe('/loki/api/v1/query_range');
    expect(Object.fromEntries(asked().searchParams)).toMatchObject({ query: 'rate({a="b"}[1m])', start: '1', end: '5000000000', step: '2' });
  });

  it('count what is before the end, not at it', async () => {
    const asked = answer(vector([{ metric: {}, value: [1, '12'] }]));
    expect(await countLines('{a="b"} |= `x`', 0n, 60n * SECOND, never)).toBe(12);
    expect(asked().searchParams.get('query')).toBe('sum(count_over_time({a="b"} |= `x` [60s]))');
    expect(asked().searchParams.get('time')).toBe('59999999999');
  });

  it('count none where nothing matches', async () => {
    answer(vector([]));
    expect(await countLines('{a="b"}', 0n, SECOND, never)).toBe(0);
  });

  it('add up levels that this page does not know', async () => {
    answer(vector([{ metric: { detected_level: 'error' }, value: [1, '3'] }, { metric: { detected_level: 'notice' }, value: [1, '2'] }, { metric: {}, value: [1, '1'] }]));
    expect(await countByLevel('{a="b"}', 0n, SECOND, never)).toEqual(new Map([['error', 3], ['unknown', 3]]));
  });

  it('sort values, and leave out lines that have none', async () => {
    answer(vector([{ metric: { status: '200' }, value: [1, '5'] }, { metric: { status: '500' }, value: [1, '9'] }, { metric: {}, value: [1, '99'] }]));
    expect(await countValues('{a="b"} | json', 'status', { start: 0n, end: SECOND }, 10, never)).toEqual([{ value: '500', count: 9 }, { value: '200', count: 5 }]);
  });
});

describe('other answers', () => {
  it('of fields', async () => {
    answer({ fields: [{ label: 'user_id', type: 'int', cardinality: 58, parsers: ['json'], jsonPath: ['user', 'id'] }, { label: 'detected_level', type: 'string', cardinality: 4, parsers: null }] });
    expect(await detectedFields('{a="b"}', { start: 0n, end: SECOND }, never)).toEqual([
      { name: 'user_id', kind: 'int', cardinality: 58, parsers: ['json'], path: ['user', 'id'] }, { name: 'detected_level', kind: 'string', cardinality: 4, parsers: [], path: [] },
    ]);
    answer({ fields: null });
    expect(await detectedFields('{a="b"}', { start: 0n, end: SECOND }, never)).toEqual([]);
  });

  it('of patterns, the most frequent first', async () => {
    answer({ status: 'success', data: [{ pattern: 'a <_>', level: 'info', samples: [[1, 1]] }, { pattern: 'b', samples: [[1, 2], [2, 3]] }] });
    expect((await patterns('{a="b"}', { start: 0n, end: SECOND }, never)).map(({ text, level, count }) => [text, level, count])).toEqual([['b', 'unknown', 5], ['a <_>', 'info', 1]]);
  });
});

describe('errors', () => {
  it('name a place, in their text or beside it', async () => {
    answer({ error: 'parse error at line 1, col 25: syntax error: unexpected $end', status: 'invalid-query' }, 400);
    await expect(formatQuery('{a="b"} |=', never)).rejects.toMatchObject({ status: 400, at: { line: 1, column: 25 } });
    answer({ error: 'parse error', at: { line: 2, column: 3 } }, 400);
    await expect(formatQuery('{a="b"} |=', never)).rejects.toMatchObject({ at: { line: 2, column: 3 } });
    expect(placed(new ServerError(400, 'no place')).at).toBeUndefined();
  });

  const check = (text: string, line: number, column: number, expected: number) =>
    it(`${JSON.stringify(text)} ${line}:${column}`, () => expect(positionOf(text, { line, column })).toBe(expected));
  check('abc', 1, 1, 0);
  check('abc', 1, 4, 3);
  check('a\nbcd', 2, 2, 3);
  check('\u{1f980}x', 1, 2, 2);
  check('abc', 9, 9, 3);

  it('of a regexp are about the string that holds it', () => {
    const error = new ServerError(400, 'error parsing regexp: unclosed group: `(`');
    expect(wrongAt('{a="("} |= "(" |~ "x("', error)).toBe(18);
    expect(wrongAt('{a="b"}', error)).toBe(-1);
    expect(wrongAt('{a="b"}', null)).toBe(-1);
  });
});

describe('duration', () => {
  const check = (ns: bigint, expected: string) => it(expected, () => expect(duration(ns)).toBe(expected));
  check(3600n * SECOND, '3600s');
  check(500_000_000n, '500ms');
  check(1n, '1ms');
  check(0n, '1ms');
  check(SECOND + 1n, '1001ms');
});
