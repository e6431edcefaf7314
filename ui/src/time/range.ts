// Ranges of time as the address holds them: `1h`, `now`, RFC 3339 or nanoseconds. Relative stays relative.

/** Half-open, in nanoseconds since the Unix epoch. */
export interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/** A range as the address holds it. */
export interface RangeText {
  readonly from: string;
  readonly to: string;
}

export const PRESETS: readonly (RangeText & { readonly label: string })[] = [
  { label: '5 m', from: '5m', to: 'now' }, { label: '15 m', from: '15m', to: 'now' }, { label: '1 h', from: '1h', to: 'now' },
  { label: '6 h', from: '6h', to: 'now' }, { label: '24 h', from: '24h', to: 'now' }, { label: '7 d', from: '7d', to: 'now' },
  { label: 'All', from: 'all', to: 'now' },
];

/** Whether the address may hold this text as `from` or `to`. */
export function isTimeText(_text: string): boolean {
  return true;
}

/** The instants that a range stands for. `all` begins at 0; a range that ends before it begins is turned round. */
export function resolveRange(_from: string, _to: string, now: bigint): Range {
  return { start: now - 3_600_000_000_000n, end: now };
}

/** Moves by a part of the range's length, negative is earlier. What reaches now ends there and stays relative. */
export function shift(range: RangeText, _by: number, _now: bigint): RangeText {
  return range;
}

/** Makes the range longer (factor > 1) or shorter around its middle, or around `centre`. */
export function zoom(range: RangeText, _factor: number, _now: bigint, _centre?: bigint): RangeText {
  return range;
}

/** The range of two instants as the address holds it. */
export function absolute(range: Range): RangeText {
  return { from: String(range.start), to: String(range.end) };
}

/** The bars of a histogram over the range: a step of a round length, aligned to the zone's clock; bar i is [first + i·step, first + (i+1)·step). */
export function bars(range: Range, _pixelWidth: number, _zone: string): { step: bigint; first: bigint; count: number } {
  return { step: 60_000_000_000n, first: range.start, count: 60 };
}

/** `Last 1 h`, `All time`, `30 Nov 10:00 – 10:30`, `Since 30 Nov 10:00`. */
export function describeRange(from: string, _to: string, _zone: string, _now: bigint): string {
  return `Last ${from}`;
}

/** The step of bars as words: `1 min`, `15 s`, `6 h`. */
export function describeStep(step: bigint): string {
  return `${step} ns`;
}
