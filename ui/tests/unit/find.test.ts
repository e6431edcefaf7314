// What the box to find means.
import { describe, expect, it } from 'vitest';
import { findOf } from '../../src/list/find';

describe('findOf', () => {
  it('reads texts and expressions', () => {
    expect(findOf('')).toBeNull();
    expect(findOf('a b')).toEqual({ text: 'a b', isRegexp: false });
    expect(findOf('/a+/')).toEqual({ text: 'a+', isRegexp: true });
    expect(findOf('/var/log')).toEqual({ text: '/var/log', isRegexp: false });
    expect(findOf('//')).toEqual({ text: '//', isRegexp: false });
  });
});
