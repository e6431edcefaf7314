// The bars of the histogram as numbers: how many lines in each, and of which level as far as that is known. Pure; `model.ts` asks, `draw.ts` draws.
import type { Series } from '../api/loki';
import { groupOf, LEVEL_GROUPS, toLevel, type LevelGroup } from '../model';
import { localParts } from '../time/zone';

/** Bar i is [first + i·step, first + (i+1)·step), in nanoseconds. */
export interface Bars {
  readonly step: bigint;
  readonly first: bigint;
  readonly count: number;
}

export interface Bins extends Bars {
  /** Lines of each bar. */
  readonly total: Float64Array;
  /** Lines of each bar by level, as `LEVEL_GROUPS`; they count from bar `colouredFrom` on. */
  readonly levels: readonly Float64Array[];
  colouredFrom: number;
}

export function emptyBins(bars: Bars): Bins {
  return { ...bars, total: new Float64Array(bars.count), levels: LEVEL_GROUPS.map(() => new Float64Array(bars.count)), colouredFrom: bars.count };
}

export function startOf({ first, step }: Bars, index: number): bigint {
  return first + BigInt(index) * step;
}

export function endOf(bars: Bars): bigint {
  return startOf(bars, bars.count);
}

/** The bar that holds this instant; it may lie outside. */
export function indexAt({ first, step }: Bars, time: bigint): number {
  const distance = time - first;
  return Number(distance >= 0n ? distance / step : -((-distance + step - 1n) / step));
}

/** The times at which a metric query over `step` answers for the bars `from` to `to`: windows end inclusively, bars do not. */
export function evaluation(bars: Bars, from: number, to: number): { start: bigint; end: bigint; step: bigint } {
  return { start: startOf(bars, from + 1) - 1n, end: startOf(bars, to) - 1n, step: bars.step };
}

/** Bars that one metric query answers for: at `start`, `end` and each `step` between, over `length` each, in nanoseconds. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly step: bigint;
  readonly length: bigint;
}

/** The bars `from` to `to` in pieces of at most so many, the newest first. A bar that reaches beyond the range is one of its own: only what is within is counted. */
export function pieces(bars: Bars, from: number, to: number, range: { start: bigint; end: bigint }, barsMax: number): Piece[] {
  const edge = (bar: number): Piece[] => {
    const [start, end] = [startOf(bars, bar), startOf(bars, bar + 1)];
    const first = start < range.start ? range.start : start;
    const last = (range.end < end ? range.end : end) - 1n;
    return last < first ? [] : [{ from: bar, to: bar + 1, start: last, end: last, step: bars.step, length: last + 1n - first }];
  };
  const isCut = (bar: number): boolean => startOf(bars, bar) < range.start || range.end < startOf(bars, bar + 1);
  const result: Piece[] = [];
  let end = to;
  for (; end > from && isCut(end - 1); end -= 1) result.push(...edge(end - 1));
  const cut: Piece[] = [];
  let start = from;
  for (; start < end && isCut(start); start += 1) cut.unshift(...edge(start));
  for (; end > start; end -= barsMax) {
    const first = Math.max(start, end - barsMax);
    result.push({ from: first, to: end, ...evaluation(bars, first, end), length: bars.step });
  }
  return [...result, ...cut];
}

/** The bar that a time of an answer to `evaluation` is about. */
function barOf(bars: Bars, ms: number): number {
  return Math.round((ms - Number(bars.first / 1_000_000n)) / (Number(bars.step) / 1e6)) - 1;
}

export function fillTotal(bins: Bins, series: readonly Series[]): void {
  for (const { times, values } of series) {
    times.forEach((ms, i) => {
      const bar = barOf(bins, ms);
      if (0 <= bar && bar < bins.count) bins.total[bar]! += values[i]!;
    });
  }
}

/** Colours the bars from `from` up to `to`: what was there of their levels is replaced. */
export function fillLevels(bins: Bins, series: readonly Series[], from: number, to: number): void {
  for (const level of bins.levels) level.fill(0, from, to);
  for (const { labels, times, values } of series) {
    const counts = bins.levels[LEVEL_GROUPS.indexOf(groupOf(toLevel(labels.get('detected_level') ?? 'unknown')))]!;
    times.forEach((ms, i) => {
      const bar = barOf(bins, ms);
      if (from <= bar && bar < to) counts[bar]! += values[i]!;
    });
  }
  // Lines that came between the two passes make a bar grow; it never shrinks.
  for (let bar = from; bar < to; bar += 1) {
    const sum = bins.levels.reduce((all, level) => all + level[bar]!, 0);
    if (sum > bins.total[bar]!) bins.total[bar] = sum;
  }
  bins.colouredFrom = Math.min(bins.colouredFrom, from);
}

/** Adds one line that came live. */
export function addLine(bins: Bins, time: bigint, group: LevelGroup): void {
  const bar = indexAt(bins, time);
  if (bar < 0 || bar >= bins.count) return;
  bins.total[bar]! += 1;
  if (bar >= bins.colouredFrom) bins.levels[LEVEL_GROUPS.indexOf(group)]![bar]! += 1;
}

/** The bins moved on by so many bars: the oldest are dropped, empty ones come at the end. */
export function advance(bins: Bins, by: number): Bins {
  const next = emptyBins({ ...bins, first: startOf(bins, by) });
  const kept = Math.max(0, bins.count - by);
  next.total.set(bins.total.subarray(bins.count - kept));
  next.levels.forEach((level, i) => level.set(bins.levels[i]!.subarray(bins.count - kept)));
  next.colouredFrom = Math.max(0, bins.colouredFrom - by);
  return next;
}

/** The pieces of the second pass, the newest first, as halves of bars [from, to). */
export function slices(count: number, pieces: number): [number, number][] {
  const result: [number, number][] = [];
  for (let piece = pieces; piece > 0; piece -= 1) {
    const from = Math.floor((count * (piece - 1)) / pieces);
    const to = Math.floor((count * piece) / pieces);
    if (to > from) result.push([from, to]);
  }
  return result;
}

export function sumTotal(bins: Bins): number {
  return bins.total.reduce((sum, lines) => sum + lines, 0);
}

/** Lines by level over all bars; `null` while the colour is not known everywhere. */
export function sumLevels(bins: Bins): ReadonlyMap<LevelGroup, number> | null {
  if (bins.colouredFrom > 0) return null;
  return new Map(LEVEL_GROUPS.map((group, i) => [group, bins.levels[i]!.reduce((sum, lines) => sum + lines, 0)]));
}

export interface Part {
  /** `null`: the level is not known yet. */
  readonly group: LevelGroup | null;
  readonly lines: number;
}

/** What a bar is made of, from the bottom up: the worst level stands on the axis, where heights compare best. */
export function partsOf(bins: Bins, bar: number): Part[] {
  const total = bins.total[bar]!;
  const parts: Part[] = [];
  let rest = total;
  if (bar >= bins.colouredFrom) {
    LEVEL_GROUPS.forEach((group, i) => {
      const lines = bins.levels[i]![bar]!;
      if (lines > 0) parts.push({ group, lines });
      rest -= lines;
    });
  }
  if (rest > 0) parts.push({ group: null, lines: rest });
  return parts;
}

/** Heights of a bar's parts in px. What there is is seen: no part of fatal, error or warn is lower than 2 px, no bar than 1 px; others give way. */
export function heightsOf(parts: readonly Part[], most: number, height: number): number[] {
  const total = parts.reduce((sum, { lines }) => sum + lines, 0);
  if (total === 0 || most === 0) return parts.map(() => 0);
  const whole = Math.max(1, Math.round((total / most) * height));
  const heights = parts.map(({ group, lines }) => {
    const least = group === 'fatal' || group === 'error' || group === 'warn' ? 2 : 0;
    return Math.max(least, (lines / total) * whole);
  });
  let excess = heights.reduce((sum, each) => sum + each, 0) - whole;
  for (let i = heights.length - 1; i >= 0 && excess > 0.01; i -= 1) {
    const group = parts[i]!.group;
    if (group === 'fatal' || group === 'error') continue;
    const least = group === 'warn' ? 2 : 0;
    const given = Math.min(excess, Math.max(0, heights[i]! - least));
    heights[i]! -= given;
    excess -= given;
  }
  return heights;
}

export interface Tick {
  readonly time: bigint;
  readonly text: string;
  /** Whether a day begins here: it is written stronger. */
  readonly isDay: boolean;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Distances between the words of the axis, in ms. */
const TICK_STEPS = [
  1_000, 2_000, 5_000, 10_000, 15_000, 30_000, MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS,
  60 * MINUTE_MS, 120 * MINUTE_MS, 180 * MINUTE_MS, 360 * MINUTE_MS, 720 * MINUTE_MS, DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 14 * DAY_MS, 28 * DAY_MS, 91 * DAY_MS,
  182 * DAY_MS, 364 * DAY_MS,
];
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Where the axis is written on, at round times of the zone's clock, at least `room` px apart. */
export function ticks(bars: Bars, width: number, zone: string, room = 84): Tick[] {
  const start = Number(bars.first / 1_000_000n);
  const end = Number(endOf(bars) / 1_000_000n);
  const least = ((end - start) * room) / Math.max(1, width);
  const step = TICK_STEPS.find((each) => each >= least) ?? TICK_STEPS.at(-1)!;
  const result: Tick[] = [];
  const offset = (ms: number): number => {
    const { year, month, day, hour, minute, second } = localParts(zone, ms);
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
  };
  let at = Math.ceil((start + offset(start)) / step) * step - offset(start);
  for (let guard = 0; at <= end && guard < 200; guard += 1) {
    // Where the clock is changed between two ticks, the next one moves with it.
    const local = at + offset(at);
    const onGrid = Math.round(local / step) * step - offset(at);
    if (onGrid >= start) result.push({ time: BigInt(onGrid) * 1_000_000n, ...words(zone, onGrid, step) });
    at = onGrid + step;
  }
  return result;
}

const pad = (value: number): string => String(value).padStart(2, '0');

function words(zone: string, ms: number, step: number): { text: string; isDay: boolean } {
  const { year, month, day, hour, minute, second } = localParts(zone, ms);
  const isDay = hour === 0 && minute === 0 && second === 0;
  if (step >= 91 * DAY_MS) return { text: `${MONTHS[month - 1]} ${year}`, isDay: false };
  if (isDay || step >= DAY_MS) return { text: `${day} ${MONTHS[month - 1]}`, isDay };
  return { text: `${pad(hour)}:${pad(minute)}${step < MINUTE_MS ? `:${pad(second)}` : ''}`, isDay: false };
}
