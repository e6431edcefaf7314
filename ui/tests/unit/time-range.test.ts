import { expect, test } from 'vitest';
import { absolute, bars, describeRange, describeStep, isTimeText, parseRelative, parseRfc3339, PRESETS, relativeText, resolveRange } from '../../src/time/range';
import { shift, zoom } from '../../src/time/shift';
import { Random } from './random';

const BERLIN = 'Europe/Berlin';
const SECOND = 1_000_000_000n;
const HOUR = 3_600n * SECOND;
const ns = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;
const NOW = ns('2026-11-30T10:47:27.732+01:00');

test('an address holds relative and absolute times', () => {
  for (const text of ['now', 'all', '1h', '1h30m', '500ms', '2w', '2026-11-30T10:00:00+01:00', '2026-11-30T10:00:00.123456789Z', '1796035647',
    '1796035647732000000', '0']) {
    expect(isTimeText(text), text).toBe(true);
  }
  for (const text of ['', 'yesterday', '1x', '1.5h', '-1h', '2026-02-30T00:00:00Z', '2026-11-30T24:00:00Z', '2026-11-30', '2026-11-30T10:00:00',
    '12345678901234567890', '١h', '1h\n', ' 1h']) {
    expect(isTimeText(text), text).toBe(false);
  }
  expect(parseRfc3339('2026-11-30T10:00:00.5+01:00')).toBe(ns('2026-11-30T09:00:00.500Z'));
  expect(parseRfc3339('9999-01-01T00:00:00Z')).toBe(9_223_372_036_854_775_807n);
  expect(parseRelative('1h30m')).toBe(5_400n * SECOND);
});

test('lengths of time are written as short as they can be', () => {
  for (const [text, expected] of [['1h', '1h'], ['90m', '1h30m'], ['1d', '24h'], ['7d', '7d'], ['2w', '14d'], ['36h', '36h'], ['61s', '1m1s'],
    ['1500ms', '1s500ms']] as const) {
    expect(relativeText(parseRelative(text)!)).toBe(expected);
  }
  expect(relativeText(1n)).toBe('1ms');
  const random = new Random(1);
  for (let i = 0; i < 1_000; i++) {
    const length = BigInt(1 + random.below(10_000_000)) * 1_000_000n * BigInt(1 + random.below(1_000));
    expect(parseRelative(relativeText(length))).toBe(length);
  }
});

test('ranges are resolved', () => {
  expect(resolveRange('1h', 'now', NOW)).toEqual({ start: NOW - HOUR, end: NOW });
  expect(resolveRange('2h', '1h', NOW)).toEqual({ start: NOW - 2n * HOUR, end: NOW - HOUR });
  expect(resolveRange('1h', '2h', NOW)).toEqual({ start: NOW - 2n * HOUR, end: NOW - HOUR });
  expect(resolveRange('all', 'now', NOW)).toEqual({ start: 0n, end: NOW });
  expect(resolveRange('1796035647', '1796035647732000000', NOW)).toEqual({ start: 1_796_035_647n * SECOND, end: 1_796_035_647_732_000_000n });
  expect(resolveRange('nonsense', 'nonsense', NOW)).toEqual({ start: NOW - HOUR, end: NOW });
  for (const { from, to } of PRESETS) expect(isTimeText(from) && isTimeText(to)).toBe(true);
});

test('absolute ranges are the same instants', () => {
  const random = new Random(2);
  for (let i = 0; i < 500; i++) {
    const start = BigInt(random.below(2_000_000_000)) * SECOND + BigInt(random.below(1_000_000_000)) + 1n;
    const range = { start, end: start + BigInt(random.below(1_000_000_000)) };
    const { from, to } = absolute(range);
    expect(resolveRange(from, to, NOW)).toEqual(range);
  }
  expect(absolute({ start: 0n, end: SECOND })).toEqual({ from: 'all', to: '1970-01-01T00:00:01Z' });
});

test('a range is moved by parts of itself, and ends now at the latest', () => {
  const hour = { from: '1h', to: 'now' };
  const earlier = shift(hour, -0.5, NOW);
  expect(resolveRange(earlier.from, earlier.to, NOW)).toEqual({ start: NOW - HOUR - HOUR / 2n, end: NOW - HOUR / 2n });
  expect(shift(earlier, 0.5, NOW)).toEqual(hour);
  expect(shift(hour, 0.5, NOW)).toEqual(hour);
  expect(shift(earlier, 0.5, NOW + SECOND)).not.toEqual(hour);
  expect(shift({ from: 'all', to: 'now' }, -0.5, NOW)).toEqual({ from: 'all', to: 'now' });
});

test('a range is made longer and shorter around its middle', () => {
  const hour = { from: '1h', to: 'now' };
  expect(zoom(hour, 2, NOW)).toEqual({ from: '2h', to: 'now' });
  const shorter = zoom(hour, 0.5, NOW);
  expect(resolveRange(shorter.from, shorter.to, NOW)).toEqual({ start: NOW - (3n * HOUR) / 4n, end: NOW - HOUR / 4n });
  expect(zoom(shorter, 2, NOW)).toEqual(hour);
  const around = zoom(absolute({ start: NOW - 4n * HOUR, end: NOW - 2n * HOUR }), 0.5, NOW, NOW - 4n * HOUR);
  expect(resolveRange(around.from, around.to, NOW)).toEqual({ start: NOW - 4n * HOUR, end: NOW - 3n * HOUR });
  let smallest = hour;
  for (let i = 0; i < 100; i++) smallest = zoom(smallest, 0.5, NOW);
  const { start, end } = resolveRange(smallest.from, smallest.to, NOW);
  expect(end - start).toBe(1_000_000n);
  let largest = hour;
  for (let i = 0; i < 100; i++) largest = zoom(largest, 2, NOW);
  expect(largest).toEqual({ from: 'all', to: 'now' });
});

test('bars are round, aligned and as many as fit', () => {
  const check = (from: string, zone: string, step: string, first: string, count: number, width = 1200): void => {
    const result = bars(resolveRange(from, 'now', NOW), width, zone);
    expect(`${describeStep(result.step)} ${new Date(Number(result.first / 1_000_000n)).toISOString()} ${result.count}`,
      from).toBe(`${step} ${first} ${count}`);
  };
  check('1h', BERLIN, '30 s', '2026-11-30T08:47:00.000Z', 121, 700);
  check('1h', BERLIN, '30 s', '2026-11-30T08:47:00.000Z', 121);
  check('15m', BERLIN, '5 s', '2026-11-30T09:32:25.000Z', 181);
  check('24h', BERLIN, '10 min', '2026-11-29T09:40:00.000Z', 145);
  check('7d', BERLIN, '1 h', '2026-11-23T09:00:00.000Z', 169);
  check('7d', 'Asia/Kathmandu', '1 h', '2026-11-23T09:15:00.000Z', 169);
  check('30d', BERLIN, '6 h', '2026-10-31T05:00:00.000Z', 121, 600);
  check('30d', 'UTC', '6 h', '2026-10-31T06:00:00.000Z', 121, 600);
  check('200d', BERLIN, '1 d', '2026-05-13T23:00:00.000Z', 201);
  check('1s', BERLIN, '5 ms', '2026-11-30T09:47:26.730Z', 201);
  const random = new Random(3);
  for (let i = 0; i < 2_000; i++) {
    const length = BigInt(Math.round(10 ** (6 + random.below(10_000) / 1_000)));
    const range = { start: NOW - length, end: NOW };
    const { step, first, count } = bars(range, 320 + random.below(2_000), random.pick(['UTC', BERLIN, 'Asia/Kathmandu']));
    expect(first <= range.start && range.start < first + step).toBe(true);
    const last = first + step * BigInt(count - 1);
    expect(last < range.end && range.end <= last + step).toBe(true);
    expect(count).toBeLessThanOrEqual(240);
    if (length > SECOND) expect(count, `${length}`).toBeGreaterThanOrEqual(60);
  }
  expect(bars({ start: NOW, end: NOW }, 1_000, 'UTC').count).toBe(1);
  expect(bars({ start: 0n, end: NOW }, 1_000, 'UTC').count).toBeLessThanOrEqual(240);
});

test('ranges are described in words', () => {
  const described = (from: string, to: string, expected: string): void => expect(describeRange(from, to, BERLIN, NOW)).toBe(expected);
  described('1h', 'now', 'Last 1 h');
  described('1h30m', 'now', 'Last 1 h 30 m');
  described('all', 'now', 'All time');
  described('2h', '1h', '2 h – 1 h ago');
  described('2026-11-30T10:00:00+01:00', 'now', 'Since 30 Nov 10:00');
  described('2026-11-30T10:00:00+01:00', '2026-11-30T10:30:00+01:00', '30 Nov 10:00 – 10:30');
  described('2026-11-29T22:00:00+01:00', '2026-11-30T02:00:30+01:00', '29 Nov 22:00 – 30 Nov 02:00');
  described('2026-11-30T10:00:00.250+01:00', '2026-11-30T10:00:30.123+01:00', '30 Nov 10:00 – 10:00:30');
  described('2026-11-29T22:00:00+01:00', '2026-11-30T00:00:00+01:00', '29 Nov 22:00 – 24:00');
  described('2026-11-29T00:00:00+01:00', '2026-11-30T00:00:00+01:00', '29 Nov');
  described('2025-11-29T10:00:00.250Z', '2025-11-29T10:00:01Z', '29 Nov 2025 11:00:00.250 – 11:00:01');
  described('all', '2026-11-30T10:00:00+01:00', 'Until 30 Nov 10:00');
  described('2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '25 Oct 02:30+02 – 02:30+01');
  described('all', '1h', 'Until 30 Nov 09:47');
  described('2026-11-30T10:17:27.732+01:00', '2026-11-30T10:27:27.732+01:00', '30 Nov 10:17 – 10:27');
});
