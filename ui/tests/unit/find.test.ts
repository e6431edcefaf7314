// What the box to find means.
import { describe, expect, it } from 'vitest';
import { findOf } from '../../src/list/find';

describe('findOf', () => {
  it('reads texts and expressions', () => {
    expect(findOf('')).toBeNull();
    expect(findOf('a b')).toEqual({ text: 'a b', isRegexp: false, ignoresCase: true });
    expect(findOf('/a+/')).toEqual({ text: 'a+', isRegexp: true, ignoresCase: true });
    expect(findOf('/var/log')).toEqual({ text: '/var/log', isRegexp: false, ignoresCase: true });
    expect(findOf('//')).toEqual({ text: '//', isRegexp: false, ignoresCase: true });
  });
});
