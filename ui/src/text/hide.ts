// Finds the timestamp that a line begins with, to leave it out of view where it says what the row's time says.

/** How far a line's own time may be from the row's, in milliseconds. */
const TOLERANCE_MS = 1000;
/** A time without a zone may be off by a multiple of this: all zones are. */
const ZONE_STEP_MS = 15 * 60_000;
const ZONE_MAX_MS = 14 * 3_600_000;
const DAY_MS = 24 * 3_600_000;
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';

const CLOCK = '(\\d\\d):(\\d\\d):(\\d\\d)(?:[.,](\\d{1,9}))?';
const ZONE = '(?: ?(Z|[+-]\\d\\d:?\\d\\d)| (UTC|GMT|[A-Z]{2,3}T)(?![A-Za-z]))?';
/** What may stand between a timestamp and the text; the end of its own colour, too. */
const BEHIND = '[\\])]?(?:\\x1b\\[[\\d;]*m)*(?: *[|:-](?= ))?(?:\\s+|$)';
const COLOURS = /^(?:\x1b\[[\d;]*m)+/;
const NUMERIC = new RegExp(`^[[(]?(\\d{4})[-/.](\\d\\d)[-/.](\\d\\d)[T ]${CLOCK}${ZONE}${BEHIND}`);
const CLOCK_ONLY = new RegExp(`^[[(]?${CLOCK}${BEHIND}`);
/** RFC 3164's and asctime's. */
const SYSLOG = new RegExp(`^\\[?(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) ([ \\d]\\d) ${CLOCK}(?: (\\d{4}))?${BEHIND}`);
/** The Common Log Format's. */
const COMMON = new RegExp(`^\\[?(\\d\\d)/([A-Z][a-z]{2})/(\\d{4}):${CLOCK}${ZONE}${BEHIND}`);
/** glog's and klog's, with the level in front. */
const KLOG = /^([IWEF])(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})\s+/;
/** Seconds since the epoch with a fraction, milli-, micro- or nanoseconds. */
const EPOCH = new RegExp(`^\\[?(\\d{10})(?:\\.(\\d{1,9})|(\\d{3})(?:\\d{3}){0,2})?${BEHIND}`);

const milliseconds = (fraction: string | undefined) => Number(`0.${fraction ?? '0'}`) * 1000;

function offsetOf(zone: string): number {
  if (zone === 'Z' || zone === 'UTC' || zone === 'GMT') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000;
}

/** Whether a time says the row's; one without a zone (`isExact` is false) may be of any. */
function says(ms: number, row: number, isExact: boolean): boolean {
  const off = Math.abs(ms - row);
  if (off <= TOLERANCE_MS) return true;
  if (isExact || ZONE_MAX_MS + TOLERANCE_MS < off) return false;
  const rest = off % ZONE_STEP_MS;
  return rest <= TOLERANCE_MS || ZONE_STEP_MS - rest <= TOLERANCE_MS;
}

/** Where the text begins behind the line's own timestamp; 0 if there is none, or if it says something else than `time` (ns). */
export function ownTimeEnd(text: string, time: bigint, level = ''): number {
  if (!text.startsWith('\x1b')) return plainEnd(text, time, level);
  const colours = COLOURS.exec(text.slice(0, 32))?.[0].length ?? 0;
  const end = plainEnd(text.slice(colours, colours + 80), time, level);
  return end === 0 ? 0 : colours + end;
}

function plainEnd(text: string, time: bigint, level: string): number {
  const first = text.charCodeAt(0);
  const isDigit = 48 <= first && first <= 57;
  const second = text.charCodeAt(1);
  // Most lines are told by two characters: a digit, a bracket and a digit or capital, a month, a level before a digit.
  const isBracket = first === 0x5b || first === 0x28;
  const isCapital = 65 <= first && first <= 90;
  if (!isDigit && !isBracket && !(isCapital && (text.charCodeAt(3) === 32 || (48 <= second && second <= 57)))) return 0;
  const row = Number(time / 1_000_000n);
  const head = text.slice(0, 80);
  return numeric(head, row) || clockOnly(head, row) || syslog(head, row) || common(head, row) || klog(head, row, level) || epoch(head, row);
}

type Found = RegExpExecArray | null;
const part = (found: RegExpExecArray, index: number) => Number(found[index]);
const clockAt = (found: RegExpExecArray, index: number) =>
  ((part(found, index) * 60 + part(found, index + 1)) * 60 + part(found, index + 2)) * 1000 + milliseconds(found[index + 3]);

function numeric(text: string, row: number): number {
  const found: Found = NUMERIC.exec(text);
  if (found === null) return 0;
  const zone = found[8] ?? found[9];
  const isExact = zone !== undefined && /^(Z|UTC|GMT|[+-].*)$/.test(zone);
  const ms = Date.UTC(part(found, 1), part(found, 2) - 1, part(found, 3)) + clockAt(found, 4) - (isExact ? offsetOf(zone) : 0);
  return says(ms, row, isExact) ? found[0].length : 0;
}

function clockOnly(text: string, row: number): number {
  const found: Found = CLOCK_ONLY.exec(text);
  if (found === null) return 0;
  const midnight = row - (row % DAY_MS);
  const ms = midnight + clockAt(found, 1);
  return [-DAY_MS, 0, DAY_MS].some((shift) => says(ms + shift, row, false)) ? found[0].length : 0;
}

const monthOf = (name: string | undefined) => MONTHS.indexOf(name ?? '?') / 3;

function syslog(text: string, row: number): number {
  const found: Found = SYSLOG.exec(text);
  if (found === null || !Number.isInteger(monthOf(found[1])) || monthOf(found[1]) < 0) return 0;
  const year = new Date(row).getUTCFullYear();
  const years = found[7] === undefined ? [year - 1, year, year + 1] : [part(found, 7)];
  const ofYear = clockAt(found, 3);
  return years.some((each) => says(Date.UTC(each, monthOf(found[1]), part(found, 2)) + ofYear, row, false)) ? found[0].length : 0;
}

function common(text: string, row: number): number {
  const found: Found = COMMON.exec(text);
  if (found === null) return 0;
  const zone = found[8] ?? found[9];
  const ms = Date.UTC(part(found, 3), monthOf(found[2]), part(found, 1)) + clockAt(found, 4) - (zone === undefined ? 0 : offsetOf(zone));
  return says(ms, row, zone !== undefined) ? found[0].length : 0;
}

const KLOG_LEVELS: Readonly<Record<string, string>> = { I: 'info', W: 'warn', E: 'error', F: 'fatal' };

function klog(text: string, row: number, level: string): number {
  const found: Found = KLOG.exec(text);
  // The letter goes with the time, so the row's mark has to say the same.
  if (found === null || KLOG_LEVELS[found[1] ?? ''] !== level) return 0;
  const year = new Date(row).getUTCFullYear();
  const isRow = [year - 1, year, year + 1].some((each) => says(Date.UTC(each, part(found, 2) - 1, part(found, 3)) + clockAt(found, 4), row, false));
  return isRow ? found[0].length : 0;
}

function epoch(text: string, row: number): number {
  const found: Found = EPOCH.exec(text);
  if (found === null) return 0;
  return says(part(found, 1) * 1000 + milliseconds(found[2] ?? found[3]), row, true) ? found[0].length : 0;
}

const TIME_KEYS = new Set(['time', 'ts', 'timestamp', '@timestamp', 't', 'date', 'datetime', 'asctime', 'eventtime', 'time_local', 'timegenerated']);

/** Whether a field is the line's time and says what the row's says. */
export function isRowTime(name: string, value: string, time: bigint): boolean {
  return TIME_KEYS.has(name.toLowerCase()) && value !== '' && ownTimeEnd(value, time) === value.length;
}
