// Ranges of time as the address holds them: `1h`, `now`, RFC 3339 or nanoseconds. Relative stays relative.
import { formatRfc3339, MONTHS, toMs } from './format';
import { instantOf, isRepeated, localParts, offsetAt, offsetText, parseOffset } from './zone';

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

const MS = 1_000_000n;
const SECOND = 1_000n * MS;
const MINUTE = 60n * SECOND;
const HOUR = 60n * MINUTE;
const DAY = 24n * HOUR;
/** The last instant that the server can name. */
const LAST = 9_223_372_036_854_775_807n;
/** Most digits of a number that counts seconds; with more it counts nanoseconds, as in the server's API. */
const SECONDS_DIGITS_MAX = 10;

const UNITS: readonly (readonly [name: string, ns: bigint])[] = [['d', DAY], ['h', HOUR], ['m', MINUTE], ['s', SECOND], ['ms', MS]];
const RELATIVE = /^(?:\d{1,9}(?:ms|[smhdw]))+$/;
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-]\d\d:\d\d))$/;

/** Nanoseconds of `1h30m`; `null` for any other text. */
export function parseRelative(text: string): bigint | null {
  if (!RELATIVE.test(text)) return null;
  let total = 0n;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhdw])/g)) {
    total += BigInt(count!) * (unit === 'w' ? 7n * DAY : UNITS.find(([name]) => name === unit)![1]);
  }
  return total;
}

/** The shortest way to write a length of time, cut to milliseconds: `1h`, `90m` is `1h30m`, `24h` stays so, `168h` is `7d`. */
export function relativeText(ns: bigint): string {
  if (ns === DAY) return '24h';
  let rest = ns;
  let text = '';
  for (const [name, unit] of UNITS) {
    if (name === 'd' && rest % DAY !== 0n) continue;
    const count = rest / unit;
    if (count > 0n) text += `${count}${name}`;
    rest %= unit;
  }
  return text === '' ? '1ms' : text;
}

/** Nanoseconds of an instant as the address holds it; `null` for any other text. */
function parseInstant(text: string, now: bigint): bigint | null {
  if (text === 'now') return now;
  if (/^\d{1,19}$/.test(text)) return clamp(BigInt(text) * (text.length <= SECONDS_DIGITS_MAX ? SECOND : 1n));
  const relative = parseRelative(text);
  return relative === null ? parseRfc3339(text) : clamp(now - relative);
}

/** Nanoseconds of RFC 3339; `null` for any other text, a day that does not exist among them. */
export function parseRfc3339(text: string): bigint | null {
  const match = RFC_3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const local = Date.UTC(year, month - 1, day, hour, minute, second);
  if (new Date(local).getUTCDate() !== day || month > 12 || hour > 23 || minute > 59 || second > 59) return null;
  const fraction = BigInt((match[7] ?? '').padEnd(9, '0'));
  return clamp(BigInt(local - parseOffset(match[8] ?? '')) * MS + fraction);
}

export function clamp(ns: bigint): bigint {
  return ns < 0n ? 0n : ns > LAST ? LAST : ns;
}

/** Whether the address may hold this text as `from` or `to`. */
export function isTimeText(text: string): boolean {
  return text === 'all' || parseInstant(text, 0n) !== null;
}

/** The instants that a range stands for. `all` begins at 0; a range that ends before it begins is turned round. */
export function resolveRange(from: string, to: string, now: bigint): Range {
  const start = from === 'all' ? 0n : parseInstant(from, now) ?? now - HOUR;
  const end = parseInstant(to, now) ?? now;
  return start <= end ? { start, end } : { start: end, end: start };
}

/** The range of two instants as the address holds it, in UTC. */
export function absolute({ start, end }: Range): RangeText {
  return { from: start <= 0n ? 'all' : formatRfc3339(start, 'UTC'), to: formatRfc3339(end, 'UTC') };
}

/** Lengths of bars in rising order: 1 2 5 10 … ms, 1 2 5 10 15 30 s and min, 1 2 3 6 12 h, days. */
const STEPS: readonly bigint[] = [
  ...[1n, 2n, 5n, 10n, 20n, 50n, 100n, 200n, 500n].map((count) => count * MS),
  ...[1n, 2n, 5n, 10n, 15n, 30n].map((count) => count * SECOND),
  ...[1n, 2n, 5n, 10n, 15n, 30n].map((count) => count * MINUTE),
  ...[1n, 2n, 3n, 6n, 12n].map((count) => count * HOUR),
  ...[1n, 2n, 4n, 7n, 14n, 28n, 56n, 112n, 224n, 448n].map((count) => count * DAY),
];
const BARS_MIN = 150;
const BARS_MAX = 240;
const BAR_PX = 5;

/** The bars of a histogram over the range: a step of a round length, aligned to the zone's clock (after a change of the clock, to that at the
 * range's end); bar i is [first + i·step, first + (i+1)·step). */
export function bars(range: Range, pixelWidth: number, zone: string): { step: bigint; first: bigint; count: number } {
  const most = BigInt(Math.max(BARS_MIN, Math.min(BARS_MAX, Math.floor(pixelWidth / BAR_PX))));
  const offset = BigInt(offsetAt(zone, toMs(range.end))) * MS;
  const end = range.end > range.start ? range.end : range.start + 1n;
  let result = { step: MS, first: range.start, count: 1 };
  for (const step of STEPS) {
    const first = range.start - (((range.start + offset) % step) + step) % step;
    const count = (end - first + step - 1n) / step;
    result = { step, first, count: Number(count) };
    if (count <= most) break;
  }
  return result;
}

/** The step of bars as words: `1 min`, `15 s`, `6 h`. */
export function describeStep(step: bigint): string {
  const [name, unit] = UNITS.find(([, ns]) => step >= ns) ?? ['ms', MS];
  return `${step / unit} ${name === 'm' ? 'min' : name}`;
}

/** `Last 1 h`, `All time`, `30 Nov 10:00 – 10:30`, `Since 30 Nov 10:00`. Of longer ranges seconds are left out, unless it has to be exact. */
export function describeRange(from: string, to: string, zone: string, now: bigint, isExact = false): string {
  const [isFromRelative, isToRelative] = [parseRelative(from) !== null, parseRelative(to) !== null];
  if (to === 'now' && isFromRelative) return `Last ${spaced(from)}`;
  if (to === 'now' && from === 'all') return 'All time';
  if (isFromRelative && isToRelative) return `${spaced(from)} – ${spaced(to)} ago`;
  const { start, end } = resolveRange(from, to, now);
  const unit = isExact ? 1n : readableUnit(end - start);
  const span = { start: start - (start % unit), end: end - (end % unit) };
  if (to === 'now') return `Since ${describeInstant(span.start, zone, now)}`;
  return from === 'all' ? `Until ${describeInstant(span.end, zone, now)}` : describeSpan(span, zone, now);
}

/** What the ends of a range of this length are told to. */
export function readableUnit(length: bigint): bigint {
  return length >= 10n * MINUTE ? MINUTE : length >= 10n * SECOND ? SECOND : MS;
}

/** `1h30m` as `1 h 30 m`. */
function spaced(relative: string): string {
  return relative.replace(/(\d+)(ms|[smhdw])/g, '$1 $2 ').trim();
}

/** `30 Nov 10:00 – 10:30`, `29 Nov 22:00 – 30 Nov 02:00`, `30 Nov` for a whole day; the year where it is another one. */
export function describeSpan({ start, end }: Range, zone: string, now: bigint): string {
  const [first, last] = [dayText(start, zone, now), dayText(end, zone, now)];
  const midnight = nextMidnight(start, zone);
  if (end === midnight && clockText(start, zone) === '00:00') return first;
  const begin = `${first} ${clockText(start, zone)} – `;
  if (end === midnight && end > start) return `${begin}24:00`;
  return first === last ? begin + clockText(end, zone) : `${begin}${last} ${clockText(end, zone)}`;
}

function describeInstant(ns: bigint, zone: string, now: bigint): string {
  return `${dayText(ns, zone, now)} ${clockText(ns, zone)}`;
}

function dayText(ns: bigint, zone: string, now: bigint): string {
  const { year, month, day } = localParts(zone, toMs(ns));
  return `${day} ${MONTHS[month - 1]}${year === localParts(zone, toMs(now)).year ? '' : ` ${year}`}`;
}

function nextMidnight(ns: bigint, zone: string): bigint {
  const { year, month, day } = localParts(zone, toMs(ns));
  return BigInt(instantOf(zone, Date.UTC(year, month - 1, day + 1))) * MS;
}

/** `10:00`, with seconds and fractions where there are some, with the offset where the hour is repeated. */
function clockText(ns: bigint, zone: string): string {
  const ms = toMs(ns);
  const local = new Date(ms + offsetAt(zone, ms)).toISOString();
  const isWhole = ns % SECOND === 0n;
  const text = local.slice(11, isWhole ? (local.slice(17, 19) === '00' ? 16 : 19) : 23);
  return isRepeated(zone, ms) ? text + offsetText(zone, ms).replace(/:00$/, '') : text;
}
