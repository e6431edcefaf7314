// What words of time mean in a zone: instants, days, months. A text may have several meanings, then all of them come back.
import { MONTHS, toMs, toNs, WEEKDAYS } from './format';
import { describeSpan } from './range';
import { type Day, daysIn, TimeFault, type Words } from './words';
import { instantOf, instantsOf, localParts, offsetText } from './zone';

export interface Context {
  readonly now: bigint;
  readonly zone: string;
}

/** One meaning of a point: an instant (`end` is `start`), or the whole of a day or month. */
export interface Point {
  readonly start: bigint;
  readonly end: bigint;
  /** The day it lies on as it was written; what has none takes that of the other end of a range. */
  readonly day?: Day;
  /** Tells this meaning from the others. */
  readonly label: string;
}

const DAY_NS = 86_400_000_000_000n;

/** The meanings of the words, the likelier first. `day` stands for a day that is not written; today without it. */
export function pointsOf(words: Words, context: Context, day?: Day): Point[] {
  const { now } = context;
  if (words.isNow) return [instant(now, 'now')];
  if (words.unix !== undefined) return [instant(words.unix, '')];
  if (words.ago !== undefined) return [instant(now - words.ago, '')];
  const days = daysOf(words, context) ?? (day === undefined ? defaultDays(words, context) : [day]);
  return days.flatMap((each) => (words.time === undefined ? [wholeOf(each, context)] : instantsOn(each, words, context, words.time)));
}

function instant(at: bigint, label: string, day?: Day): Point {
  return { start: at, end: at, label, ...(day === undefined ? {} : { day }) };
}

/** Days on which the words may be; `null` where they name none. */
function daysOf(words: Words, context: Context): Day[] | null {
  const { weekday } = words;
  if (words.daysAgo !== undefined) return [daysBefore(context, words.daysAgo)];
  if (words.days !== undefined) {
    const days = words.days.map((day) => withYear(day, context));
    const wrong = weekday === undefined ? undefined : days.find((day) => weekdayOf(day) !== weekday);
    if (wrong !== undefined) throw new TimeFault(`${dayText(wrong)} is a ${WEEKDAYS[weekdayOf(wrong)]}, not a ${WEEKDAYS[weekday!]}.`);
    return days;
  }
  if (weekday === undefined) return null;
  const ago = (localParts(context.zone, toMs(context.now)).weekday - weekday + 7) % 7;
  return [daysBefore(context, ago === 0 && words.isLast ? 7 : ago)];
}

/** Today; where that time is still to come, both yesterday and today. */
function defaultDays(words: Words, context: Context): Day[] {
  const today = daysBefore(context, 0);
  const [first] = instantsOn(today, words, context, words.time ?? 0n);
  return first !== undefined && first.start > context.now ? [daysBefore(context, 1), today] : [today];
}

function daysBefore({ now, zone }: Context, days: number): Day {
  const { year, month, day } = localParts(zone, toMs(now));
  return dayOf(new Date(Date.UTC(year, month - 1, day - days)));
}

/** The day after, for a range that ends past midnight. */
export function dayAfter({ year, month, day = 1 }: Day): Day {
  return dayOf(new Date(Date.UTC(year, month - 1, day + 1)));
}

function dayOf(date: Date): Day {
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** The last such day that has come, where no year is written. */
function withYear({ year, month, day }: { readonly year?: number; readonly month: number; readonly day?: number }, { now, zone }: Context): Day {
  const rest = day === undefined ? { month } : { month, day };
  if (year !== undefined) return { year, ...rest };
  const today = localParts(zone, toMs(now));
  let last = today.month < month || (today.month === month && today.day < (day ?? 1)) ? today.year - 1 : today.year;
  // The 29th of February is not in every year.
  while (day !== undefined && day > daysIn(last, month)) last -= 1;
  return { year: last, ...rest };
}

function weekdayOf({ year, month, day = 1 }: Day): number {
  return new Date(Date.UTC(year, month - 1, day)).getUTCDay();
}

export function dayText({ year, month, day }: Day): string {
  return `${day === undefined ? '' : `${day} `}${MONTHS[month - 1]} ${year}`;
}

function wholeOf(day: Day, { zone }: Context): Point {
  const midnight = (year: number, month: number, date: number): bigint => toNs(instantOf(zone, Date.UTC(year, month - 1, date)));
  const start = midnight(day.year, day.month, day.day ?? 1);
  const end = day.day === undefined ? midnight(day.year, day.month + 1, 1) : midnight(day.year, day.month, day.day + 1);
  return { start, end, day, label: dayText(day) };
}

/** The instants at which a clock shows this time on this day: two where it is set back. */
function instantsOn(day: Day, words: Words, { zone }: Context, time: bigint): Point[] {
  const local = Date.UTC(day.year, day.month - 1, day.day ?? 1) + Number(time / 1_000_000n);
  const below = time % 1_000_000n;
  const label = `${dayText(day)} ${time === DAY_NS ? '24:00' : new Date(local).toISOString().slice(11, 19).replace(/:00$/, '')}`;
  if (words.offset !== undefined) return [instant(toNs(local - words.offset * 60_000) + below, label, day)];
  const found = instantsOf(zone, local);
  if (found.length === 0) throw new TimeFault(`${label} was not on the clock: it was set forward over it.`);
  return found.map((ms) => instant(toNs(ms) + below, found.length > 1 ? `${label} ${offsetText(zone, ms)}` : label, day));
}

/** Monday of the week of today and of the one before, for `this week` and `last week`. */
export function weekOf(context: Context, weeksAgo: number): Point {
  const { weekday } = localParts(context.zone, toMs(context.now));
  const start = wholeOf(daysBefore(context, ((weekday + 6) % 7) + 7 * weeksAgo), context).start;
  const end = wholeOf(daysBefore(context, ((weekday + 6) % 7) + 7 * weeksAgo - 7), context).start;
  return { start, end, label: describeSpan({ start, end }, context.zone, context.now) };
}

export function monthOf(context: Context, monthsAgo: number): Point {
  const { year, month } = localParts(context.zone, toMs(context.now));
  const first = new Date(Date.UTC(year, month - 1 - monthsAgo, 1));
  return wholeOf({ year: first.getUTCFullYear(), month: first.getUTCMonth() + 1 }, context);
}
