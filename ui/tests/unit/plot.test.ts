// The values that the chart's axis is written on.
import { expect, test } from 'vitest';
import { valueTicks } from '../../src/view/plot';

test('values of the axis are round, within the range, and as many as have room', () => {
  expect(valueTicks(0, 127, 13)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
  expect(valueTicks(0, 1.06, 5)).toEqual([0, 0.5, 1]);
  expect(valueTicks(0, 0.106, 10)).toEqual([0, 0.02, 0.04, 0.06, 0.08, 0.1]);
  expect(valueTicks(-30, 10, 4)).toEqual([-30, -20, -10, 0, 10]);
  expect(valueTicks(0, 3e9, 1)).toEqual([0]);
});
