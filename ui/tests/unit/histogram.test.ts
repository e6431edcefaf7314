// The bars of the histogram: which bar a line belongs to, two passes that agree, what a bar is made of, where the axis is written on.
import { describe, expect, it } from 'vitest';
import { addLine, advance, emptyBins, evaluation, fillLevels, fillTotal, heightsOf, indexAt, partsOf, pieces, slices, startOf, sumLevels, sumTotal, ticks } from '../../src/histogram/bins';
import { barAt, rangeOf, xAt } from '../../src/histogram/draw';
import type { Series } from '../../src/api/loki';
import { isNew, stepsOf } from '../../src/view/patterns';

const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;
const FIRST = BigInt(Date.UTC(2026, 10, 30, 10, 0)) * 1_000_000n;
const BARS = { first: FIRST, step: MINUTE, count: 6 };

/** An answer of the server to `evaluation`: times in ms, as it rounds them. */
function series(level: string | null, counts: readonly number[], from = 0): Series {
  const { start, step } = evaluation(BARS, from, from + counts.length);
  return {
    labels: new Map(level === null ? [] : [['detected_level', level]]),
    times: counts.map((_, i) => Math.round(Number((start + BigInt(i) * step) / 1_000n)) / 1_000), values: counts,
  };
}

describe('bars', () => {
  it('hold their first instant and not their last', () => {
    expect([-1n, 0n, 1n, MINUTE - 1n, MINUTE, 6n * MINUTE].map((after) => indexAt(BARS, FIRST + after))).toEqual([-1, 0, 0, 0, 1, 6]);
    expect(indexAt(BARS, FIRST - MINUTE)).toBe(-1);
    expect(indexAt(BARS, FIRST - MINUTE - 1n)).toBe(-2);
  });

  it('are asked for one nanosecond before their ends, since windows include theirs', () => {
    expect(evaluation(BARS, 0, 6)).toEqual({ start: FIRST + MINUTE - 1n, end: FIRST + 6n * MINUTE - 1n, step: MINUTE });
    expect(evaluation(BARS, 2, 3)).toEqual({ start: FIRST + 3n * MINUTE - 1n, end: FIRST + 3n * MINUTE - 1n, step: MINUTE });
  });

  it('are counted within the range alone', () => {
    const all = (range: { start: bigint; end: bigint }, from = 0, to = 6, most = 100) => pieces(BARS, from, to, range, most).map((piece) => {
      // A window ends with its time; each bar's is told as the first and the last instant that it counts.
      const times = piece.start === piece.end ? [piece.start] : Array.from({ length: piece.to - piece.from }, (_, i) => piece.start + BigInt(i) * piece.step);
      return [piece.from, piece.to, times[0]! - piece.length + 1n - FIRST, times.at(-1)! - FIRST];
    });
    const end = FIRST + 6n * MINUTE;
    expect(all({ start: FIRST, end })).toEqual([[0, 6, 0n, 6n * MINUTE - 1n]]);
    expect(all({ start: FIRST + 7n, end: end - 9n })).toEqual([[5, 6, 5n * MINUTE, 6n * MINUTE - 10n], [1, 5, MINUTE, 5n * MINUTE - 1n], [0, 1, 7n, MINUTE - 1n]]);
    expect(all({ start: FIRST + 7n, end }, 0, 2)).toEqual([[1, 2, MINUTE, 2n * MINUTE - 1n], [0, 1, 7n, MINUTE - 1n]]);
    expect(all({ start: FIRST, end }, 0, 6, 4)).toEqual([[2, 6, 2n * MINUTE, 6n * MINUTE - 1n], [0, 2, 0n, 2n * MINUTE - 1n]]);
    // Within one bar, and with bars that are wholly outside.
    expect(all({ start: FIRST + MINUTE + 5n, end: FIRST + MINUTE + 8n })).toEqual([[1, 2, MINUTE + 5n, MINUTE + 7n]]);
  });

  it('find their place in an answer', () => {
    const bins = emptyBins(BARS);
    fillTotal(bins, [series(null, [1, 2, 3, 4, 5, 6])]);
    expect([...bins.total]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(sumTotal(bins)).toBe(21);
    expect(sumLevels(bins)).toBeNull();
  });

  it('leave out what an answer says of other times', () => {
    const bins = emptyBins(BARS);
    fillTotal(bins, [{ labels: new Map(), times: [0, Number(FIRST / 1_000_000n) + 7 * 60_000], values: [5, 5] }]);
    expect(sumTotal(bins)).toBe(0);
  });
});

describe('levels', () => {
  it('come from the new end, and never make a bar lower', () => {
    const bins = emptyBins(BARS);
    fillTotal(bins, [series(null, [4, 4, 4, 4, 4, 4])]);
    fillLevels(bins, [series('error', [1, 1, 1], 3), series('info', [3, 2, 4], 3)], 3, 6);
    expect(bins.colouredFrom).toBe(3);
    expect(partsOf(bins, 0)).toEqual([{ group: null, lines: 4 }]);
    expect(partsOf(bins, 3)).toEqual([{ group: 'error', lines: 1 }, { group: 'info', lines: 3 }]);
    // One line less than the first pass: it went away or has no level yet.
    expect(partsOf(bins, 4)).toEqual([{ group: 'error', lines: 1 }, { group: 'info', lines: 2 }, { group: null, lines: 1 }]);
    // One more: it came between the passes.
    expect(bins.total[5]).toBe(5);
    fillLevels(bins, [series('critical', [1, 0, 0]), series('fatal', [1, 0, 0]), series('trace', [2, 4, 4])], 0, 3);
    expect(partsOf(bins, 0)).toEqual([{ group: 'fatal', lines: 2 }, { group: 'debug', lines: 2 }]);
    expect(Object.fromEntries(sumLevels(bins)!)).toMatchObject({ fatal: 2, error: 3, info: 9, debug: 10 });
  });

  it('are replaced where they are counted again', () => {
    const bins = emptyBins(BARS);
    fillLevels(bins, [series('info', [1, 1, 1, 1, 1, 1])], 0, 6);
    fillLevels(bins, [series('warn', [2], 2)], 2, 3);
    expect(partsOf(bins, 2)).toEqual([{ group: 'warn', lines: 2 }]);
  });

  it('are asked for in pieces, the newest first', () => {
    expect(slices(10, 4)).toEqual([[7, 10], [5, 7], [2, 5], [0, 2]]);
    expect(slices(2, 4)).toEqual([[1, 2], [0, 1]]);
    expect(slices(0, 4)).toEqual([]);
  });
});

describe('live', () => {
  it('lines grow their bar, and those beyond the axis none', () => {
    const bins = emptyBins(BARS);
    bins.colouredFrom = 4;
    for (const at of [0n, 5n * MINUTE, 5n * MINUTE + 1n, 6n * MINUTE, -1n]) addLine(bins, FIRST + at, 'error');
    expect([...bins.total]).toEqual([1, 0, 0, 0, 0, 2]);
    expect(partsOf(bins, 0)).toEqual([{ group: null, lines: 1 }]);
    expect(partsOf(bins, 5)).toEqual([{ group: 'error', lines: 2 }]);
  });

  it('the axis moves on by whole bars', () => {
    const bins = emptyBins(BARS);
    fillLevels(bins, [series('info', [1, 2, 3, 4, 5, 6])], 0, 6);
    const moved = advance(bins, 2);
    expect([...moved.total]).toEqual([3, 4, 5, 6, 0, 0]);
    expect(moved.first).toBe(startOf(BARS, 2));
    expect(partsOf(moved, 3)).toEqual([{ group: 'info', lines: 6 }]);
    expect(sumTotal(advance(bins, 100))).toBe(0);
  });
});

describe('heights', () => {
  it('are in proportion', () => {
    expect(heightsOf([{ group: 'error', lines: 25 }, { group: 'info', lines: 25 }], 100, 40)).toEqual([10, 10]);
    expect(heightsOf([], 100, 40)).toEqual([]);
    expect(heightsOf([{ group: 'info', lines: 1 }], 1_000_000, 40)).toEqual([1]);
  });

  it('let one error among a million be seen, at the cost of the rest', () => {
    const heights = heightsOf([{ group: 'error', lines: 1 }, { group: 'info', lines: 999_999 }], 1_000_000, 40);
    expect(heights[0]).toBe(2);
    expect(heights[0]! + heights[1]!).toBeCloseTo(40, 5);
  });
});

describe('axis', () => {
  const texts = (first: string, minutes: number, width: number, zone: string) =>
    ticks({ first: BigInt(Date.parse(first)) * 1_000_000n, step: MINUTE, count: minutes }, width, zone).map(({ text }) => text);
  it('is written on at round times', () => {
    expect(texts('2026-11-30T09:52:00Z', 60, 700, 'UTC')).toEqual(['10:00', '10:10', '10:20', '10:30', '10:40', '10:50']);
    expect(texts('2026-11-30T09:52:00Z', 60, 700, 'Asia/Kathmandu').slice(0, 2)).toEqual(['15:40', '15:50']);
    expect(texts('2026-11-30T10:00:00Z', 2, 700, 'UTC').slice(0, 3)).toEqual(['10:00:00', '10:00:15', '10:00:30']);
  });
  it('names days', () => {
    expect(texts('2026-11-29T20:00:00Z', 480, 400, 'UTC')).toEqual(['20:00', '22:00', '30 Nov', '02:00', '04:00']);
    expect(texts('2026-11-01T00:00:00Z', 30 * 1440, 500, 'UTC').every((text) => /^\d+ Nov|1 Dec$/.test(text))).toBe(true);
  });
  it('stays at round times when the clock is set back', () => {
    // 25 Oct 2026, 03:00 in Berlin becomes 02:00.
    expect(texts('2026-10-25T00:00:00Z', 300, 500, 'Europe/Berlin')).toEqual(['02:00', '02:00', '03:00', '04:00', '05:00', '06:00']);
  });
});

describe('places', () => {
  const bins = emptyBins(BARS);
  it('lead to bars and back', () => {
    expect([-5, 0, 99, 100, 599, 600, 700].map((x) => barAt(bins, 600, x))).toEqual([0, 0, 0, 1, 5, 5, 5]);
    expect(xAt(bins, 600, startOf(BARS, 3))).toBe(300);
    expect(rangeOf(bins, 4, 2)).toEqual({ start: startOf(BARS, 2), end: startOf(BARS, 5) });
  });
});

describe('patterns', () => {
  const range = { start: 0n, end: 100n * SECOND };
  it('are new if they began in the second half', () => {
    expect(isNew({ samples: [[60, 2], [70, 1]] }, range)).toBe(true);
    expect(isNew({ samples: [[10, 0], [60, 2]] }, range)).toBe(true);
    expect(isNew({ samples: [[10, 1], [60, 2]] }, range)).toBe(false);
    expect(isNew({ samples: [] }, range)).toBe(false);
  });
  it('are drawn in equal steps', () => expect(stepsOf([[0, 1], [49, 2], [50, 3], [99, 4], [100, 5]], range, 2)).toEqual([3, 12]));
});
