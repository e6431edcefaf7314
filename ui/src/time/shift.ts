// Ranges of time moved and made longer or shorter, as the keys do it.
import { absolute, clamp, type RangeText, relativeText, resolveRange } from './range';

const MS = 1_000_000n;

/** Moves by a part of the range's length, negative is earlier. What reaches now ends there and stays relative. */
export function shift(range: RangeText, by: number, now: bigint): RangeText {
  if (range.from === 'all') return range;
  const { start, end } = resolveRange(range.from, range.to, now);
  const distance = scale(end - start, by);
  return placed(start + distance, end + distance, now);
}

/** Makes the range longer (factor > 1) or shorter around its middle, or around `centre`. All of time stays as it is. */
export function zoom(range: RangeText, factor: number, now: bigint, centre?: bigint): RangeText {
  if (range.from === 'all') return range;
  const { start, end } = resolveRange(range.from, range.to, now);
  const length = end - start < MS ? MS : end - start;
  const middle = centre ?? start + length / 2n;
  const before = scale(middle - start, factor);
  const whole = scale(length, factor);
  return placed(middle - before, middle - before + (whole < MS ? MS : whole), now);
}

function scale(ns: bigint, factor: number): bigint {
  return (ns * BigInt(Math.round(factor * 1_000_000))) / 1_000_000n;
}

/** A range of this length that does not reach into the future, nor before the first instant there is. */
function placed(start: bigint, end: bigint, now: bigint): RangeText {
  if (end >= now) return now < end - start ? { from: 'all', to: 'now' } : { from: relativeText(end - start), to: 'now' };
  return absolute({ start: clamp(start), end });
}
