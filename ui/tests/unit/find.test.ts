// What the box to find means, and what a query searches for.
import { describe, expect, it } from 'vitest';
import { findOf, matcherOf, searchMatcherOf } from '../../src/list/find';
import type { Find } from '../../src/list/options';
import { searchedOf } from '../../src/logql/searched';

describe('findOf', () => {
  it('reads texts and expressions', () => {
    const check = (text: string, expected: Find | null) => expect(findOf(text), text).toEqual(expected);
    check('', null);
    check('a b', { text: 'a b', isRegexp: false, ignoresCase: true });
    check('a B', { text: 'a B', isRegexp: false, ignoresCase: false });
    check('/a+/', { text: 'a+', isRegexp: true, ignoresCase: true });
    check('/A+/', { text: 'A+', isRegexp: true, ignoresCase: false });
    check('/var/log', { text: '/var/log', isRegexp: false, ignoresCase: true });
    check('//', { text: '//', isRegexp: false, ignoresCase: true });
  });
});

describe('searchedOf', () => {
  it('takes what lines have to hold, of any LogQL', () => {
    const short = ({ text, isRegexp, ignoresCase }: Find) => `${isRegexp ? 'regexp ' : ''}${ignoresCase ? 'any case ' : ''}${text}`;
    const check = (query: string, ...expected: string[]) => expect(searchedOf(query).map(short), query).toEqual(expected);
    check('');
    check('{a="b"}');
    check('{a=~"b|c"} |= `timeout`', 'timeout');
    check('{a="b"} |= "x" or `y` != "no" or "not" |= "z"', 'x', 'y', 'z');
    check('{a="b"} |~ "(?i)timeout|order"', 'any case timeout', 'any case order');
    check('{a="b"} |~ "(?i)a\\\\.b"', 'any case a.b');
    check('{a="b"} |~ `took \\d+ms`', 'regexp took \\d+ms');
    check('{a="b"} !~ "no" !> "no <_>" |> "like <_>" | level="x" | line_format "y"');
    check('{a="b"} |= ip("10.0.0.0/8")');
    check('sum(rate({a="b"} |= "x" [1m]))', 'x');
    check('{a="b"} |= ""');
    check('{a="b"} |= "unended');
  });
});

describe('matchers', () => {
  const plain = (text: string, ignoresCase = false): Find => ({ text, isRegexp: false, ignoresCase });
  const regexp = (text: string, ignoresCase = false): Find => ({ text, isRegexp: true, ignoresCase });

  it('keep to the case that counts', () => {
    expect(matcherOf(plain('Ab', true))!('xab AB')).toEqual([[1, 3], [4, 6]]);
    expect(matcherOf(plain('ab'))!('xab AB')).toEqual([[1, 3]]);
    expect(matcherOf(regexp('A.', true))!('xab AB')).toEqual([[1, 3], [4, 6]]);
    expect(matcherOf(regexp('('))).toBeNull();
  });

  it('of several texts name each place once, in order', () => {
    expect(searchMatcherOf([])).toBeNull();
    expect(searchMatcherOf([plain('ab'), plain('bc'), plain('x')])!('x abc bc')).toEqual([[0, 1], [2, 4], [6, 8]]);
    expect(searchMatcherOf([plain('a'), regexp('\\d+ms')])!('12ms a')).toEqual([[0, 4], [5, 6]]);
  });

  it('leave out expressions that could take for ever', () => {
    const check = (text: string, isTaken: boolean) => expect(searchMatcherOf([regexp(text)]) !== null, text).toBe(isTaken);
    check('took \\d+ms', true);
    check('[)*+]+ \\)* (GET|POST)', true);
    check('(GET|POST)? \\w{1,3}', true);
    check('(a+)+$', false);
    check('(a|aa)*$', false);
    check('(?:a*){2,}', false);
    check('.*.*.*x', false);
    check('a+b{2,}c*', false);
    const start = performance.now();
    const slow = searchMatcherOf([regexp('.*.*=')])!;
    for (let row = 0; row < 200; row += 1) slow('x'.repeat(4096));
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
