// Reads the times that people write: `15m`, `yesterday 3am..4am`, `30 Nov 10:12`, a pasted log line. What is not understood is said, never guessed.
import { formatRfc3339, toMs } from './format';
import { type Context, dayAfter, dayText, monthOf, pointsOf, weekOf } from './points';
import { describeRange, describeSpan, parseRelative, type Range, type RangeText, readableUnit, relativeText, resolveRange } from './range';
import { findStamp } from './stamp';
import { readLength, readWords, TimeFault, type Words } from './words';
import { zoneLabel } from './zone';

export interface ParsedTime extends RangeText {
  /** From and to in words. */
  readonly shown: string;
}

export interface TimeError {
  readonly error: string;
  /** Where a text has several readings: all of them, as buttons. */
  readonly choices?: readonly (RangeText & { readonly label: string })[];
}

export interface TimeOptions extends Context {
  /** When the machine or agent started, for `since boot`. */
  readonly boot?: bigint;
}

/** What a single instant means: so much before and after it. */
const AROUND = 300_000_000_000n;
const HINT = 'Not understood. Try 15m, yesterday 17:30, 10:00..10:30 or 2026-11-30 10:12.';

export function parseTime(text: string, options: TimeOptions): ParsedTime | TimeError {
  try {
    return readText(text.trim(), options);
  } catch (fault) {
    if (fault instanceof TimeFault) return { error: fault.message };
    throw fault;
  }
}

function readText(text: string, options: TimeOptions): ParsedTime | TimeError {
  if (text === '') return { error: 'Type a time, such as 15m, yesterday 17:30 or 10:00..10:30.' };
  const words = text.toLowerCase().replace(/\u2212/g, '-').replace(/\s+/g, ' ');
  const found = readNamed(words, options) ?? readLast(words, options) ?? readRange(words, options) ?? readPoint(words, options);
  if (found !== null) return found;
  const stamp = findStamp(text);
  return (stamp === null ? null : readPoint(stamp.toLowerCase(), options)) ?? { error: HINT };
}

/** `all`, `now`, `since boot`, `this week`, `last month`. */
function readNamed(text: string, options: TimeOptions): ParsedTime | TimeError | null {
  if (/^(?:all|everything|all time|all of it)$/.test(text)) return result({ from: 'all', to: 'now' }, options);
  if (text === 'now') return result({ from: '5m', to: 'now' }, options);
  if (/^since (?:the )?(?:boot|start|reboot)$/.test(text)) {
    if (options.boot === undefined) return { error: 'When the agent started is not known yet.' };
    return result({ from: write(options.boot, options), to: 'now' }, options);
  }
  const named = /^(this|last|previous) (week|month)$/.exec(text);
  if (named === null) return null;
  const [, which, unit] = named;
  const calendar = (unit === 'week' ? weekOf : monthOf)(options, which === 'this' ? 0 : 1);
  if (which !== 'last') return result(texts(calendar, true, options), options);
  const days = unit === 'week' ? 7 : 30;
  return {
    error: `“last ${unit}” may be the last ${days} days or the calendar's.`,
    choices: [{ label: `Last ${days} d`, from: `${days}d`, to: 'now' }, { label: calendar.label, ...texts(calendar, true, options) }],
  };
}

/** `15m`, `last 2 hours`: relative, up to now. */
function readLast(text: string, options: TimeOptions): ParsedTime | null {
  const length = readLength(text.replace(/^(?:now ?)?- ?|^(?:the )?(?:last|past|previous) /, ''));
  return length === null ? null : result({ from: relativeText(length), to: 'now' }, options);
}

/** `10:00..10:30`, `yesterday 3am to 4am`, `since 10:00`, `until 30 Nov`, `2h..1h`. */
function readRange(text: string, options: TimeOptions): ParsedTime | TimeError | null {
  const [, word, rest = ''] = /^(since|after|from|until|till|before|up to|to) (.+)$/.exec(text) ?? [];
  if (word !== undefined && splitRange(rest) === null) return openRange(word, rest, options);
  const sides = splitRange(text.replace(/^(?:from|since|between) /, ''));
  if (sides === null) return null;
  const [from, to] = sides;
  if (to === '' || to === 'now') return openRange('since', from, options);
  return from === '' ? openRange('until', to, options) : closedRange(from, to, options);
}

/** The two sides of a range, each may be empty; `null` where it is none. */
function splitRange(text: string): [string, string] | null {
  const parts = /^(.*?)(?: ?\.\.+ ?| ?… ?| ?[–—] ?| - | (?:to|until|till|and) )(.*)$/.exec(text) ?? /^([\d:]*\d:\d\d)-(\d\d?:[\d:]+)$/.exec(text);
  if (parts === null || (parts[1] === '' && parts[2] === '')) return null;
  return [parts[1]!.trim(), parts[2]!.trim()];
}

/** A range with one end: `since` a day is from its beginning, `after` it from its end, `until` it is to its end, `before` it to its beginning. */
function openRange(word: string, text: string, options: TimeOptions): ParsedTime | TimeError | null {
  const words = readWords(text);
  if (words === null) return null;
  const isFrom = /^(?:since|after|from)$/.test(word);
  if (words.ago !== undefined) {
    const ago = relativeText(words.ago);
    return result(isFrom ? { from: ago, to: 'now' } : { from: 'all', to: ago }, options);
  }
  const readings = pointsOf(words, options).flatMap((point) => {
    const at = /^(?:since|from|before)$/.test(word) ? point.start : point.end;
    if (isFrom && at >= options.now) return [];
    return [{ label: `${word} ${point.label}`, range: isFrom ? { from: write(at, options), to: 'now' } : { from: 'all', to: write(at, options) } }];
  });
  return readings.length === 0 ? { error: 'That is still to come.' } : choose(readings, options);
}

function closedRange(from: string, to: string, options: TimeOptions): ParsedTime | TimeError | null {
  const [first, last] = [readWords(from), readWords(to)];
  if (first === null || last === null) return null;
  if (first.ago !== undefined && last.ago !== undefined) {
    const [older, newer] = first.ago > last.ago ? [first.ago, last.ago] : [last.ago, first.ago];
    return result({ from: relativeText(older), to: relativeText(newer) }, options);
  }
  // `10:00..11:00 yesterday`: the day that only the second has is that of both.
  const isDayLater = isDayless(first) && !isDayless(last);
  const starts = isDayLater ? pointsOf(last, options).flatMap(({ day }) => pointsOf(first, options, day)) : pointsOf(first, options);
  const spans = starts.flatMap((start, place) => {
    const ends = isDayless(last) ? pointsOf(last, options, start.day) : pointsOf(last, options);
    // Where both ends have two readings by one cause, such as the order of day and month, the same is taken for both.
    const paired = ends.length === starts.length && ends.length > 1 && !isDayless(last) ? [ends[place]!] : ends;
    let later = paired.filter(({ end }) => end > start.start);
    // 22:00..02:00 ends on the next day.
    if (later.length === 0 && isDayless(last) && start.day !== undefined) later = pointsOf(last, options, dayAfter(start.day));
    const day = start.day === undefined ? '' : dayText(start.day);
    return later.map((end) => ({ start: start.start, end: end.end, isWhole: end.start < end.end, day }));
  });
  const [only] = spans;
  if (only === undefined) return { error: 'This ends before it begins.' };
  // Of an hour that comes twice the range covers both.
  if (spans.every(({ day }) => day === only.day)) {
    const start = spans.reduce((least, each) => (each.start < least ? each.start : least), only.start);
    const end = spans.reduce((greatest, each) => (each.end > greatest ? each.end : greatest), only.end);
    return result(texts({ start, end }, only.isWhole, options), options);
  }
  return choose(spans.map((span) => ({ label: describeSpan(span, options.zone, options.now), range: texts(span, span.isWhole, options) })), options);
}

function isDayless(words: Words): boolean {
  return words.time !== undefined && words.days === undefined && words.daysAgo === undefined && words.weekday === undefined;
}

/** A day, a month, or so much around an instant. */
function readPoint(text: string, options: TimeOptions): ParsedTime | TimeError | null {
  const words = readWords(text);
  if (words === null) return null;
  return choose(pointsOf(words, options).map((point) => {
    const isInstant = point.start === point.end;
    const range = isInstant ? texts({ start: point.start - AROUND, end: point.end + AROUND }, false, options) : texts(point, true, options);
    return { label: point.label, range };
  }), options);
}

/** The only reading, or the question which one is meant. */
function choose(readings: readonly { readonly label: string; readonly range: RangeText }[], options: TimeOptions): ParsedTime | TimeError {
  const [only, ...others] = readings;
  if (only === undefined) return { error: HINT };
  if (others.length === 0) return result(only.range, options);
  return { error: 'This can mean several times. Which one?', choices: readings.map(({ label, range }) => ({ label, ...range })) };
}

/** The span as the address holds it. The whole of a day or month that is not over ends now, and is followed. */
function texts({ start, end }: Range, isWhole: boolean, options: TimeOptions): RangeText {
  return { from: write(start, options), to: isWhole && start < options.now && options.now < end ? 'now' : write(end, options) };
}

function result(range: RangeText, options: TimeOptions): ParsedTime {
  const { zone, now } = options;
  const named = describeRange(range.from, range.to, zone, now, true);
  const { start, end } = resolveRange(range.from, range.to, now);
  let shown = named;
  if (parseRelative(range.from) !== null) {
    // Of a range in minutes nobody wants to read milliseconds.
    const unit = readableUnit(end - start);
    shown = `${named}: ${describeSpan({ start: start - (start % unit), end: end - (end % unit) }, zone, now)}`;
  }
  return { ...range, shown: named === 'All time' ? named : `${shown} · ${zoneLabel(zone, toMs(end))}` };
}

function write(ns: bigint, options: TimeOptions): string {
  return formatRfc3339(ns < 0n ? 0n : ns, options.zone);
}
