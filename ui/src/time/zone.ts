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

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Clocks are set at whole quarters of an hour, so an offset holds until the next one. */
const PIECE_MS = 15 * MINUTE_MS;
/** A zone that is an offset and nothing else. */
const FIXED = /^(?:UTC)?[+-]\d\d(?::\d\d)?$/;
/** Most pieces that are kept of a zone: a week, more than a screen ever shows. */
const PIECES_MAX = 672;

/** What is known of a quarter of an hour. */
interface Piece {
  readonly number: number;
  readonly offset: number;
  isRepeated?: boolean;
}

interface Zone {
  /** Writes the offset; `null` where it is always the same. */
  readonly format: Intl.DateTimeFormat | null;
  readonly fixed: number;
  readonly pieces: Map<number, Piece>;
  last: Piece;
}

const zones = new Map<string, Zone>();
let browserZone: string | undefined;

/** The zone that a preference stands for: a name of the time zone database. */
export function zoneName(preference: string): string {
  if (preference === 'browser') return (browserZone ??= Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC');
  const name = preference === 'agent' ? agentZone.value : preference;
  if (name === 'utc' || !isZone(name)) return 'UTC';
  // An agent whose zone has no name says `UTC+01` or `UTC-03:30`.
  return FIXED.test(name) ? offsetText(name, 0) : name;
}

export function isZone(name: string): boolean {
  return zoneOf(name) !== null;
}

/** All names of zones that the browser knows. */
export function zoneNames(): readonly string[] {
  return Intl.supportedValuesOf?.('timeZone') ?? [];
}

function zoneOf(name: string): Zone | null {
  const known = zones.get(name);
  if (known !== undefined) return known;
  let zone: Zone;
  const fixed = FIXED.test(name) ? parseOffset(name) : /^(?:Etc\/)?UTC$/i.test(name) ? 0 : null;
  try {
    const format = fixed === null ? new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' }) : null;
    zone = { format, fixed: fixed ?? 0, pieces: new Map(), last: { number: NaN, offset: 0 } };
  } catch {
    return null;
  }
  zones.set(name, zone);
  return zone;
}

/** Milliseconds of `+01:00`, `-03:30`, `+00:53:28`; 0 for anything else, such as the bare `GMT` that Intl writes for none. */
export function parseOffset(text: string): number {
  const match = /([+-])(\d\d?):?(\d\d)?(?::(\d\d))?$/.exec(text);
  if (match === null) return 0;
  const [, sign, hours, minutes = '0', seconds = '0'] = match;
  return (sign === '-' ? -1 : 1) * ((Number(hours) * 60 + Number(minutes)) * MINUTE_MS + Number(seconds) * 1000);
}

function pieceAt(zone: Zone, ms: number): Piece {
  const number = Math.floor(ms / PIECE_MS);
  if (zone.last.number === number) return zone.last;
  let piece = zone.pieces.get(number);
  if (piece === undefined) {
    const name = zone.format!.formatToParts(number * PIECE_MS).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    piece = { number, offset: parseOffset(name) };
    if (zone.pieces.size >= PIECES_MAX) zone.pieces.clear();
    zone.pieces.set(number, piece);
  }
  zone.last = piece;
  return piece;
}

/** The zone's distance from UTC in milliseconds, east positive, at an instant in milliseconds. An unknown zone is UTC. */
export function offsetAt(zone: string, ms: number): number {
  const found = zoneOf(zone);
  return found === null || found.format === null ? found?.fixed ?? 0 : pieceAt(found, ms).offset;
}

/** Whether the clock shows this instant's time twice, because it is set back. */
export function isRepeated(zone: string, ms: number): boolean {
  const found = zoneOf(zone);
  if (found === null || found.format === null) return false;
  const piece = pieceAt(found, ms);
  return (piece.isRepeated ??= instantsOf(zone, ms + piece.offset).length > 1);
}

/** The instants at which the zone's clock shows this time: none where it is set forward over it, two where it is set back. In milliseconds. */
export function instantsOf(zone: string, localMs: number): number[] {
  // A day before and after: farther than any zone is from UTC.
  const offsets = new Set([offsetAt(zone, localMs - DAY_MS), offsetAt(zone, localMs + DAY_MS)]);
  return [...offsets].map((offset) => localMs - offset).filter((ms) => ms + offsetAt(zone, ms) === localMs).sort((a, b) => a - b);
}

/** The instant at which the zone's clock shows this time: the first of two, and as if it had not been set forward where there is none. */
export function instantOf(zone: string, localMs: number): number {
  return instantsOf(zone, localMs)[0] ?? localMs - offsetAt(zone, localMs - DAY_MS);
}

/** `+01:00`, `-03:30`. */
export function offsetText(zone: string, ms: number): string {
  const minutes = Math.round(offsetAt(zone, ms) / MINUTE_MS);
  const pad = (value: number): string => String(value).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(minutes) / 60))}:${pad(Math.abs(minutes) % 60)}`;
}

/** `UTC`, `UTC+1`, `UTC−3:30`. */
export function zoneLabel(zone: string, ms: number): string {
  const [hours = '', minutes = ''] = offsetText(zone, ms).slice(1).split(':');
  if (Number(hours) === 0 && Number(minutes) === 0) return 'UTC';
  return `UTC${offsetAt(zone, ms) < 0 ? '−' : '+'}${Number(hours)}${minutes === '00' ? '' : `:${minutes}`}`;
}

export function localParts(zone: string, ms: number): LocalParts {
  const local = new Date(ms + offsetAt(zone, ms));
  return {
    year: local.getUTCFullYear(), month: local.getUTCMonth() + 1, day: local.getUTCDate(), hour: local.getUTCHours(), minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(), ms: local.getUTCMilliseconds(), weekday: local.getUTCDay(),
  };
}
