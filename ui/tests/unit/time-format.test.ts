import { expect, test, vi } from 'vitest';
import {
  dayNumber, formatAge, formatBytes, formatCount, formatDay, formatDuration, formatFull, formatRfc3339, formatTime, toMs,
} from '../../src/time/format';
import { agentZone } from '../../src/state';
import { instantsOf, isRepeated, isZone, localParts, offsetAt, offsetText, parseOffset, zoneLabel, zoneName, zoneNames } from '../../src/time/zone';
import { Random } from './random';

const BERLIN = 'Europe/Berlin';
const HOUR = 3_600_000;
const ns = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;

test('offsets are those of Intl, at all times of the year and in all zones', () => {
  for (const zone of ['UTC', 'Etc/UTC', BERLIN, 'America/New_York', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia',
    'Africa/Casablanca', 'Pacific/Chatham']) {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
      hour: 'numeric', minute: 'numeric', second: 'numeric' });
    const random = new Random(zone.length);
    for (let i = 0; i < 60; i++) {
      const ms = random.below(2_000_000) * 1_000_003;
      const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
      const { year, month, day, hour, minute, second } = localParts(zone, ms);
      expect({ year, month, day, hour, minute, second }, `${zone} ${ms}`).toEqual({
        year: parts['year'], month: parts['month'], day: parts['day'], hour: parts['hour'], minute: parts['minute'], second: parts['second'],
      });
    }
  }
});

test('both changes of the clock are exact', () => {
  const back = Date.parse('2026-10-25T01:00:00Z');
  expect([back - 1, back].map((ms) => offsetAt(BERLIN, ms) / HOUR)).toEqual([2, 1]);
  expect([back - HOUR - 1, back - HOUR, back - 1, back, back + HOUR - 1, back + HOUR].map((ms) => isRepeated(BERLIN, ms))).toEqual([false, true,
    true, true, true, false]);
  const forward = Date.parse('2026-03-29T01:00:00Z');
  expect([forward - 1, forward].map((ms) => offsetAt(BERLIN, ms) / HOUR)).toEqual([1, 2]);
  expect(isRepeated(BERLIN, forward)).toBe(false);
  expect(instantsOf(BERLIN, Date.parse('2026-10-25T02:30:00Z'))).toEqual([back - HOUR / 2, back + HOUR / 2]);
  expect(instantsOf(BERLIN, Date.parse('2026-03-29T02:30:00Z'))).toEqual([]);
  expect(instantsOf(BERLIN, Date.parse('2026-06-01T02:30:00Z'))).toEqual([Date.parse('2026-06-01T00:30:00Z')]);
  expect(isRepeated('UTC', back)).toBe(false);
  // West of Greenwich the local time, taken for UTC, is on the other side of the change.
  expect(instantsOf('America/New_York', Date.parse('2026-11-01T01:30:00Z'))).toEqual([Date.parse('2026-11-01T05:30:00Z'),
    Date.parse('2026-11-01T06:30:00Z')]);
  expect(instantsOf('America/New_York', Date.parse('2026-03-08T02:30:00Z'))).toEqual([]);
});

test('a local time and back is the same instant', () => {
  const random = new Random(7);
  for (const zone of [BERLIN, 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia', 'Africa/Casablanca', '+05:30', 'UTC']) {
    for (let i = 0; i < 60; i++) {
      const ms = random.below(2_000_000) * 1_000_003;
      expect(instantsOf(zone, ms + offsetAt(zone, ms)), `${zone} ${ms}`).toContain(ms);
    }
  }
});

test('zones have names and labels', () => {
  const label = (zone: string, expected: string, at = '2026-11-30T00:00:00Z'): void => expect(zoneLabel(zone, Date.parse(at))).toBe(expected);
  label('UTC', 'UTC');
  label('Etc/UTC', 'UTC');
  label('Europe/London', 'UTC');
  label(BERLIN, 'UTC+1');
  label(BERLIN, 'UTC+2', '2026-07-01T00:00:00Z');
  label('America/St_Johns', 'UTC−3:30');
  label('Asia/Kathmandu', 'UTC+5:45');
  label('-03:00', 'UTC−3');
  label('nonsense', 'UTC');
  expect(offsetText('America/St_Johns', 0)).toBe('-03:30');
  expect(['Europe/Berlin', 'utc', '+01:00', 'Etc/UTC'].map(isZone)).toEqual([true, true, true, true]);
  expect(['', 'Nowhere/Land', '+1', '../etc', 'UTC+x'].map(isZone)).toEqual([false, false, false, false, false]);
  expect(zoneName('utc')).toBe('UTC');
  expect(zoneName('Nowhere/Land')).toBe('UTC');
  expect(zoneName('Asia/Tokyo')).toBe('Asia/Tokyo');
  expect(isZone(zoneName('browser'))).toBe(true);
  agentZone.value = 'Asia/Tokyo';
  expect(zoneName('agent')).toBe('Asia/Tokyo');
  agentZone.value = 'UTC+05:30';
  expect(zoneName('agent')).toBe('+05:30');
  agentZone.value = 'UTC-03';
  expect(zoneName('agent')).toBe('-03:00');
  agentZone.value = 'not a zone';
  expect(zoneName('agent')).toBe('UTC');
  expect(zoneNames()).toContain(BERLIN);
  expect(['GMT', 'GMT+01:00', 'GMT-03:30', 'GMT+00:53:28', '+05', ''].map(parseOffset)).toEqual([0, HOUR, -3.5 * HOUR, 3_208_000, 5 * HOUR, 0]);
});

test('a row costs no call of Intl', () => {
  const parts = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
  const start = ns('2026-11-30T10:00:00Z');
  for (let i = 0; i < 10_000; i++) formatTime(start + BigInt(i) * 1_000_000n, 'date', BERLIN);
  // The quarter itself, and a day before and after to see whether its hour is repeated.
  expect(parts.mock.calls.length).toBeLessThan(10);
  parts.mockRestore();
});

test('a line\'s time is written as wished', () => {
  const at = ns('2026-11-30T09:12:04.003Z') + 999_999n;
  expect(formatTime(at, 'time', BERLIN)).toBe('10:12:04');
  expect(formatTime(at, 'millis', BERLIN)).toBe('10:12:04.003');
  expect(formatTime(at, 'date', BERLIN)).toBe('30 Nov 10:12:04.003');
  expect(formatTime(at, 'millis', 'UTC')).toBe('09:12:04.003');
  expect(formatTime(at, 'ago', BERLIN, undefined, at + 4_000_000_000n)).toBe('4 s');
  expect(formatTime(at, 'delta', BERLIN, at - 3_000_000n)).toBe('+3 ms');
  expect(formatTime(at, 'delta', BERLIN, at + 1_500_000_000n)).toBe('−1.5 s');
  expect(formatTime(at, 'delta', BERLIN, at)).toBe('+0 s');
  expect(formatTime(at, 'delta', BERLIN)).toBe('10:12:04.003');
  expect(formatTime(ns('2026-10-25T00:30:00Z'), 'millis', BERLIN)).toBe('02:30:00.000+02');
  expect(formatTime(ns('2026-10-25T01:30:00Z'), 'millis', BERLIN)).toBe('02:30:00.000+01');
  expect(formatTime(ns('2026-10-25T02:30:00Z'), 'millis', BERLIN)).toBe('03:30:00.000');
  expect(formatTime(ns('2026-04-04T15:00:00Z'), 'time', 'Australia/Lord_Howe')).toBe('01:30:00+10:30');
  expect(formatTime(-1n, 'millis', 'UTC')).toBe('23:59:59.999');
  expect(formatTime(0n, 'date', 'America/New_York')).toBe('31 Dec 19:00:00.000');
});

test('everything about an instant', () => {
  const at = ns('2026-11-30T09:12:04.003Z');
  expect(formatFull(at, BERLIN)).toBe('30 Nov 2026 10:12:04.003 +01:00');
  expect(formatFull(at, BERLIN, true)).toBe('30 Nov 2026 10:12:04.003 +01:00');
  expect(formatFull(at + 1_000n, BERLIN, true)).toBe('30 Nov 2026 10:12:04.003001 +01:00');
  expect(formatFull(at + 1n, BERLIN, true)).toBe('30 Nov 2026 10:12:04.003000001 +01:00');
  expect(formatFull(at + 1n, BERLIN)).toBe('30 Nov 2026 10:12:04.003 +01:00');
  expect(formatRfc3339(at, BERLIN)).toBe('2026-11-30T10:12:04.003+01:00');
  expect(formatRfc3339(at - 3_000_000n, 'UTC')).toBe('2026-11-30T09:12:04Z');
  expect(formatRfc3339(at + 1n, 'America/St_Johns')).toBe('2026-11-30T05:42:04.003000001-03:30');
  expect(formatRfc3339(-1n, 'UTC')).toBe('1969-12-31T23:59:59.999999999Z');
  expect(toMs(-1n)).toBe(-1);
});

test('days begin at the zone\'s midnight', () => {
  const now = ns('2026-11-30T09:47:00Z');
  expect(formatDay(now, BERLIN)).toBe('Mon 30 Nov 2026 · UTC+1');
  expect(formatDay(now, BERLIN, now)).toBe('today, 30 Nov · UTC+1');
  expect(formatDay(ns('2026-11-29T22:59:59Z'), BERLIN, now)).toBe('yesterday, 29 Nov · UTC+1');
  expect(formatDay(ns('2026-11-28T12:00:00Z'), BERLIN, now)).toBe('Sat 28 Nov 2026 · UTC+1');
  expect(formatDay(ns('2026-07-01T12:00:00Z'), BERLIN, now)).toBe('Wed 1 Jul 2026 · UTC+2');
  expect(dayNumber(ns('2026-11-29T23:00:00Z'), BERLIN) - dayNumber(ns('2026-11-29T22:59:59Z'), BERLIN)).toBe(1);
  expect(dayNumber(ns('2026-11-29T23:00:00Z'), 'UTC') - dayNumber(ns('2026-11-29T22:59:59Z'), 'UTC')).toBe(0);
});

test('ages, durations, counts and sizes are short', () => {
  const ages: readonly (readonly [seconds: number, expected: string])[] = [
    [-5, 'now'], [0, 'now'], [0.9, 'now'], [1, '1 s'], [59.9, '59 s'], [60, '1 min'], [3_599, '59 min'], [3_600, '1 h'], [86_399, '23 h'],
    [86_400, '1 d'],
    [400 * 86_400, '400 d'], [800 * 86_400, '2 y'],
  ];
  for (const [seconds, expected] of ages) expect(formatAge(0n, BigInt(Math.round(seconds * 1e9)))).toBe(expected);
  const durations: readonly (readonly [ns: bigint, expected: string])[] = [
    [0n, '0 s'], [1n, '1 ns'], [812n, '812 ns'], [1_500n, '1.5 µs'], [3_000_000n, '3 ms'], [3_456_789n, '3.4 ms'], [45_678_000n, '45 ms'],
    [1_234_000_000n, '1.2 s'], [59_999_000_000n, '59 s'],
    [60_000_000_000n, '1 min'], [125_000_000_000n, '2 min 5 s'], [3_600_000_000_000n, '1 h'], [273_600_000_000_000n, '3 d 4 h'],
    [-3_000_000n, '−3 ms'],
  ];
  for (const [length, expected] of durations) expect(formatDuration(length)).toBe(expected);
  const counts: readonly (readonly [count: number, expected: string])[] = [
    [0, '0'], [999, '999'], [1_204, '1,204'], [48_112, '48,112'], [999_949, '999,949'], [999_950, '1 M'], [1_234_567, '1.2 M'],
    [999_960_000, '1 G'], [1.9e9, '1.9 G'], [NaN, '–'],
  ];
  for (const [count, expected] of counts) expect(formatCount(count)).toBe(expected);
  const sizes: readonly (readonly [bytes: number, expected: string])[] = [
    [0, '0 B'], [812, '812 B'], [999, '999 B'], [1_000, '1 kB'], [61_200, '61.2 kB'], [999_960, '1 MB'], [7.8e9, '7.8 GB'], [812.4e9, '812.4 GB'],
    [1e10, '10 GB'], [NaN, '–'],
  ];
  for (const [bytes, expected] of sizes) expect(formatBytes(bytes)).toBe(expected);
});
