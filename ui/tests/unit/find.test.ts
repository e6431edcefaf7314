// What the box to find means, and what it hits.
import { describe, expect, it } from 'vitest';
import { findOf, hitTest } from '../../src/view/find';

describe('findOf', () => {
  it('reads texts and expressions', () => {
    expect(findOf('')).toBeNull();
    expect(findOf('a b')).toEqual({ text: 'a b', isRegexp: false });
    expect(findOf('/a+/')).toEqual({ text: 'a+', isRegexp: true });
    expect(findOf('/var/log')).toEqual({ text: '/var/log', isRegexp: false });
    expect(findOf('//')).toEqual({ text: '//', isRegexp: false });
  });
});

describe('hitTest', () => {
  const check = (find: string, text: string, expected: boolean) => it(`${find} in ${text}`, () => {
    const test = hitTest(findOf(find));
    expect(typeof test === 'string' ? test : test(text)).toBe(expected);
  });
  check('error', 'An ERROR', true);
  check('Error', 'An ERROR', false);
  check('/err.r/', 'An ERROR', true);
  check('/Err.r/', 'An ERROR', false);
  check('.', 'none', false);
  check('', 'none', false);
  it('says what is wrong', () => expect(hitTest(findOf('/(/'))).toMatch(/expression/i));
});
