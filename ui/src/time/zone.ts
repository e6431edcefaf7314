// Time zones: names, offsets, local clock readings. Offsets are kept, so that formatting a row makes no call of Intl.
import { agentZone } from '../state';

export interface LocalParts {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly ms: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

/** The zone that a preference stands for: a name of the time zone database. */
export function zoneName(preference: string): string {
  if (preference === 'browser') return Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (preference === 'agent') return agentZone.value;
  return preference === 'utc' || !isZone(preference) ? 'UTC' : preference;
}

export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The zone's distance from UTC in milliseconds, east positive, at an instant in milliseconds. */
export function offsetAt(_zone: string, _ms: number): number {
  return 0;
}

/** Whether the clock shows this instant's time twice, because it is set back. */
export function isRepeated(_zone: string, _ms: number): boolean {
  return false;
}

/** `UTC`, `UTC+1`, `UTC−3:30`. */
export function zoneLabel(_zone: string, _ms: number): string {
  return 'UTC';
}

export function localParts(zone: string, ms: number): LocalParts {
  const local = new Date(ms + offsetAt(zone, ms));
  return {
    year: local.getUTCFullYear(), month: local.getUTCMonth() + 1, day: local.getUTCDate(), hour: local.getUTCHours(), minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(), ms: local.getUTCMilliseconds(), weekday: local.getUTCDay(),
  };
}

/** The instants at which the zone's clock shows this time: none where it is set forward over it, two where it is set back. In milliseconds. */
export function instantsOf(_zone: string, localMs: number): number[] {
  return [localMs];
}
