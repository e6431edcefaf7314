// Times, ages, durations, counts and sizes as texts. Cheap enough for every row of the list.
import type { Preferences } from '../state';
import { isRepeated, localParts, offsetAt, offsetText, zoneLabel } from './zone';

const NS_PER_MS = 1_000_000n;
const DAY_MS = 86_400_000;

export const MONTHS: readonly string[] = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
export const WEEKDAYS: readonly string[] = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

const TWO_DIGITS: readonly string[] = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));
const two = (value: number): string => TWO_DIGITS[value] ?? String(value);
const three = (value: number): string => String(value).padStart(3, '0');

/** Milliseconds since the Unix epoch, cut down. */
export function toMs(ns: bigint): number {
  const ms = ns / NS_PER_MS;
  return Number(ns < 0n && ms * NS_PER_MS !== ns ? ms - 1n : ms);
}

export function toNs(ms: number): bigint {
  return BigInt(Math.round(ms)) * NS_PER_MS;
}

/** A line's time as the list shows it. Repeated hours of a clock that is set back carry their offset. */
export function formatTime(ns: bigint, format: Preferences['timeFormat'], zone: string, previous?: bigint, now?: bigint): string {
  if (format === 'ago') return formatAge(ns, now ?? toNs(Date.now()));
  if (format === 'delta' && previous !== undefined) return `${ns < previous ? '' : '+'}${formatDuration(ns - previous)}`;
  const ms = toMs(ns);
  const time = clock(zone, ms, format !== 'time');
  if (format !== 'date') return time;
  const { day, month } = localParts(zone, ms);
  return `${two(day)} ${MONTHS[month - 1]} ${time}`;
}

function clock(zone: string, ms: number, hasMs: boolean): string {
  const local = ms + offsetAt(zone, ms);
  const time = local - Math.floor(local / DAY_MS) * DAY_MS;
  const seconds = Math.floor(time / 1000);
  const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const whole = hasMs ? `${text}.${three(time % 1000)}` : text;
  return isRepeated(zone, ms) ? whole + shortOffset(zone, ms) : whole;
}

/** `+01`, `-03:30`. */
function shortOffset(zone: string, ms: number): string {
  return offsetText(zone, ms).replace(/:00$/, '');
}

/** `30 Nov 2026 10:12:04.003 +01:00`: everything, for the detail. With `hasNanos` all digits there are. */
export function formatFull(ns: bigint, zone: string, hasNanos = false): string {
  const ms = toMs(ns);
  const { year, month, day } = localParts(zone, ms);
  const local = ms + offsetAt(zone, ms);
  const time = new Date(local).toISOString().slice(-13, -1);
  const nanos = hasNanos ? String(((ns % NS_PER_MS) + NS_PER_MS) % NS_PER_MS).padStart(6, '0').replace(/(?:000)+$/, '') : '';
  return `${day} ${MONTHS[month - 1]} ${year} ${time}${nanos} ${offsetText(zone, ms)}`;
}

/** The day of a marker row: `Mon 30 Nov 2026 · UTC+1`; with `now` also `today, 30 Nov · UTC+1` and `yesterday, …`. */
export function formatDay(ns: bigint, zone: string, now?: bigint): string {
  const ms = toMs(ns);
  const { year, month, day, weekday } = localParts(zone, ms);
  const ago = now === undefined ? NaN : dayNumber(now, zone) - dayNumber(ns, zone);
  const word = ago === 0 ? 'today, ' : ago === 1 ? 'yesterday, ' : `${WEEKDAYS[weekday]} `;
  return `${word}${day} ${MONTHS[month - 1]}${ago === 0 || ago === 1 ? '' : ` ${year}`} · ${zoneLabel(zone, ms)}`;
}

/** A number that is the same for instants of one local day, to find where a day row goes. */
export function dayNumber(ns: bigint, zone: string): number {
  const ms = toMs(ns);
  return Math.floor((ms + offsetAt(zone, ms)) / DAY_MS);
}

/** RFC 3339 in the zone, with as many digits of the second as the instant has. */
export function formatRfc3339(ns: bigint, zone: string): string {
  const ms = toMs(ns);
  const local = new Date(ms + offsetAt(zone, ms)).toISOString().slice(0, 19);
  const fraction = String(((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).padStart(9, '0').replace(/0+$/, '');
  return `${local}${fraction === '' ? '' : `.${fraction}`}${offsetAt(zone, ms) === 0 ? 'Z' : offsetText(zone, ms)}`;
}

const AGES: readonly (readonly [ms: number, unit: string])[] = [
  [365 * DAY_MS, 'y'], [DAY_MS, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1_000, 's'],
];

/** How long ago: `now`, `4 s`, `2 min`, `3 h`, `5 d`. What is to come is `now`, too: clocks differ. */
export function formatAge(ns: bigint, now: bigint): string {
  const age = toMs(now - ns);
  const unit = AGES.find(([ms, name]) => age >= ms * (name === 'y' ? 2 : 1));
  return unit === undefined ? 'now' : `${Math.floor(age / unit[0])} ${unit[1]}`;
}

const UNITS: readonly (readonly [ns: bigint, unit: string])[] = [
  [86_400_000_000_000n, 'd'], [3_600_000_000_000n, 'h'], [60_000_000_000n, 'min'], [1_000_000_000n, 's'], [1_000_000n, 'ms'], [1_000n, 'µs'],
  [1n, 'ns'],
];

/** A length of time of nanoseconds in at most two units: `3 ms`, `1.2 s`, `2 min 5 s`, `3 d 4 h`. */
export function formatDuration(ns: bigint): string {
  if (ns < 0n) return `−${formatDuration(-ns)}`;
  const place = UNITS.findIndex(([unit]) => ns >= unit);
  const [unit, name] = UNITS[place] ?? [1n, 's'];
  if (place < 0) return '0 s';
  if (unit <= 1_000_000_000n) {
    // Below a minute: one decimal, cut off so that it never reads 60 s.
    const tenths = Number((ns * 10n) / unit);
    return `${tenths >= 100 || unit === 1n ? Math.floor(tenths / 10) : tenths / 10} ${name}`;
  }
  const [smaller, smallerName] = UNITS[place + 1]!;
  const rest = (ns % unit) / smaller;
  return `${ns / unit} ${name}${rest === 0n ? '' : ` ${rest} ${smallerName}`}`;
}

/** `1,204`; from a million on `1.2 M`, `1.9 G`. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return '–';
  return count < 999_950 ? String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ',') : scaled(count, ['', 'k', 'M', 'G', 'T', 'P']);
}

/** `812 B`, `61 kB`, `7.8 GB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  return Number.isFinite(bytes) ? scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']) : '–';
}

function scaled(value: number, units: readonly string[]): string {
  let place = 0;
  let rest = value;
  // 999.95 would be written 1000.0.
  while (rest >= (place === 0 ? 1000 : 999.95) && place < units.length - 1) {
    rest /= 1000;
    place += 1;
  }
  return `${place === 0 ? Math.round(rest) : rest.toFixed(1).replace(/\.0$/, '')} ${units[place]}`;
}

/** Now, in nanoseconds since the Unix epoch. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** `1 line`, `1,204 lines`. */
export function linesText(count: number): string {
  return count === 1 ? '1 line' : `${formatCount(count)} lines`;
}
