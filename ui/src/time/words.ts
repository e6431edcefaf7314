// Reads one point in time as people write it: a day, a time of day, both, an instant, or how long ago. It only takes the words apart; what they mean
// in a zone is `points.ts`.
import { MONTHS, WEEKDAYS } from './format';

/** A day of the calendar; without `day` the whole month. */
export interface Day {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day?: number;
}

/** What was written, as far as it was. */
export interface Words {
  /** The readings of the date: two of `03/04/2026`. Without a year it is the last one that has come. */
  days?: readonly { readonly year?: number; readonly month: number; readonly day?: number }[];
  /** Days before today. */
  daysAgo?: number;
  /** 0 is Sunday: the last one, with today. */
  weekday?: number;
  /** The week before, for `last monday`: not today. */
  isLast?: boolean;
  /** Nanoseconds since midnight. */
  time?: bigint;
  /** Minutes east of UTC. */
  offset?: number;
  /** Nanoseconds since the Unix epoch. */
  unix?: bigint;
  /** Nanoseconds before now. */
  ago?: bigint;
  isNow?: true;
}

/** Says what is wrong with a time, in words for the person. */
export class TimeFault extends Error {}

const SECOND = 1_000_000_000n;
const MONTH = `(${MONTHS.map((name) => name.toLowerCase()).join('|')})(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\\.?(?![a-z])`;
const WEEKDAY = `(${WEEKDAYS.map((name) => name.toLowerCase()).join('|')})(?:day|s|sday|nesday|r|rs|rsday|urday)?\\.?(?![a-z])`;
const CLOCK = String.raw`(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:\s*([ap])\.?m\.?(?![a-z]))?(?![\d:])`;
/** Zones' names that stand beside times; most have several meanings. */
export const ABBREVIATIONS = '[aecmpw][sde]t|ce?st|ee?st|we?st|[bijk]st|msk|ae[sd]t|nz[sd]t|hkt|sgt';
const UNITS: readonly (readonly [RegExp, bigint])[] = [
  [/^(?:ms|millis|milliseconds?)$/, SECOND / 1000n], [/^(?:s|secs?|seconds?)$/, SECOND], [/^(?:m|mins?|minutes?)$/, 60n * SECOND],
  [/^(?:h|hrs?|hours?)$/, 3600n * SECOND], [/^(?:d|days?)$/, 86_400n * SECOND], [/^(?:w|wks?|weeks?)$/, 604_800n * SECOND],
];

type Take = (groups: readonly (string | undefined)[], words: Words) => void;

/** Each piece that may stand in a time, tried in this order, and what it means. */
const PIECES: readonly { readonly shape: RegExp; readonly take: Take }[] = ([
  [String.raw`(\d{4})([-/])(\d\d?)\2(\d\d?)(?!\d)`, ([year, , month, day], words) => setDay(words, { year: +year!, month: +month!, day: +day! })],
  [String.raw`(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)?(?!\d)`, ([year, month, day, hour, minute, second], words) => {
    setDay(words, { year: +year!, month: +month!, day: +day! });
    setTime(words, +hour!, +minute!, +(second ?? 0));
  }],
  [String.raw`(\d{4})(\d\d)(\d\d)(?!\d)`, ([year, month, day], words) => setDay(words, { year: +year!, month: +month!, day: +day! })],
  [String.raw`(\d{4})-(\d\d)(?![-\d])`, ([year, month], words) => setDay(words, { year: +year!, month: +month! })],
  [String.raw`(\d\d?)\.(\d\d?)\.(\d{4})?(?!\d)`, ([day, month, year], words) => setDay(words, { ...yearOf(year), month: +month!, day: +day! })],
  [String.raw`(\d\d?)\/(\d\d?)(?:\/(\d{4}))?(?![\d/])|(\d\d?)-(\d\d?)-(\d{4})(?!\d)`, ([a, b, c, d, e, f], words) => {
    const [first, second, year] = [+(a ?? d)!, +(b ?? e)!, yearOf(c ?? f)];
    const dayFirst = { ...year, month: second, day: first };
    const monthFirst = { ...year, month: first, day: second };
    if (first === second || first > 12) setDay(words, dayFirst);
    else if (second > 12) setDay(words, monthFirst);
    else setDay(words, dayFirst, monthFirst);
  }],
  [String.raw`(\d\d?)(?:st|nd|rd|th)?(?: of)?[ ./-]*${MONTH}(?:[ ,./-]*(\d{4})(?!\d))?(?::(?=\d))?`, ([day, month, year], words) => {
    setDay(words, { ...yearOf(year), month: monthOf(month!), day: +day! });
  }],
  [String.raw`${MONTH}[ -]*(\d{4})(?![\d:])`, ([month, year], words) => setDay(words, { year: +year!, month: monthOf(month!) })],
  [String.raw`${MONTH}[ -]*(\d\d?)(?:st|nd|rd|th)?(?![\d:])(?:[ ,]+(\d{4})(?![\d:]))?`, ([month, day, year], words) => {
    setDay(words, { ...yearOf(year), month: monthOf(month!), day: +day! });
  }],
  [String.raw`(last )?${WEEKDAY}`, ([last, name], words) => {
    set(words, 'weekday', WEEKDAYS.findIndex((each) => each.toLowerCase() === name));
    if (last !== undefined) words.isLast = true;
  }],
  ['today(?![a-z])', (_, words) => setDaysAgo(words, 0)],
  ['yesterday(?![a-z])', (_, words) => setDaysAgo(words, 1)],
  ['(?:the )?day before yesterday(?![a-z])', (_, words) => setDaysAgo(words, 2)],
  [String.raw`(\d{1,4}) ?d(?:ays?)? ago`, ([days], words) => setDaysAgo(words, +days!)],
  [CLOCK, ([hour, minute, second, fraction, half], words) => {
    setTime(words, hourOf(hour!, half), +minute!, +(second ?? 0), BigInt((fraction ?? '').padEnd(9, '0')));
  }],
  [String.raw`(\d\d?)\s*([ap])\.?m\.?(?![a-z])`, ([hour, half], words) => setTime(words, hourOf(hour!, half), 0, 0)],
  ['noon(?![a-z])', (_, words) => setTime(words, 12, 0, 0)],
  ['midnight(?![a-z])', (_, words) => setTime(words, 0, 0, 0)],
  [String.raw`(?:(?:utc|gmt)(?![a-z]) ?)?([+-])(\d\d?)(?::?(\d\d))?(?![\d:])`, ([sign, hours, minutes], words) => {
    if (words.time === undefined || +hours! > 14 || +(minutes ?? 0) > 59) throw new TimeFault('');
    set(words, 'offset', (sign === '-' ? -1 : 1) * (+hours! * 60 + +(minutes ?? 0)));
  }],
  ['(?:z|utc|gmt)(?![a-z])', (_, words) => set(words, 'offset', 0)],
  [String.raw`(${ABBREVIATIONS})(?![a-z])`, ([name]) => {
    throw new TimeFault(`${name!.toUpperCase()} and its like are not read: many stand for several zones. Write the offset, such as +01:00.`);
  }],
  [String.raw`@?(\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19})(?:\.(\d{1,9}))?(?![\d.])`, ([digits, fraction], words) => {
    set(words, 'unix', unixOf(digits!, fraction));
  }],
  ['now(?![a-z])', (_, words) => set(words, 'isNow', true)],
  // The year at the end, as in `Mon Nov 30 10:12:04 2026`.
  [String.raw`(\d{4})(?!\d)`, ([year], words) => {
    const only = words.days?.length === 1 ? words.days[0]! : undefined;
    if (only === undefined || only.year !== undefined || words.time === undefined) throw new TimeFault('');
    words.days = [{ ...only, year: +year! }];
  }],
] as const satisfies readonly (readonly [string, Take])[]).map(([shape, take]) => ({ shape: new RegExp(shape, 'y'), take }));

const BETWEEN = /(?:[\s,]|t(?=\d)|(?:at|on)(?![a-z])|\[|\])*/y;

/** The words of one point in time; `null` where there is something else in the text. */
export function readWords(text: string): Words | null {
  const isDays = /^\d+ ?d(?:ays?)? ago$/.test(text);
  const ago = isDays ? null : readLength(text.replace(/^(?:now ?)?- ?| ago$/g, ''));
  if (ago !== null) return { ago };
  const words: Words = {};
  let place = skip(text, 0);
  if (place === text.length) return null;
  while (place < text.length) {
    const piece = PIECES.find(({ shape }) => {
      shape.lastIndex = place;
      return shape.test(text);
    });
    if (piece === undefined) return null;
    piece.shape.lastIndex = place;
    const groups = piece.shape.exec(text)!;
    try {
      piece.take(groups.slice(1), words);
    } catch (fault) {
      if (fault instanceof TimeFault && fault.message === '') return null;
      throw fault;
    }
    place = skip(text, place + groups[0].length);
  }
  return isSound(words) ? words : null;
}

/** Nanoseconds of `2 hours`, `1h 30m`, `1.5h`, `an hour`, `hour`; `null` for any other text. */
export function readLength(text: string): bigint | null {
  const counted = text.replace(/^(?:an?|one) (?=[a-z])|^(?=(?:second|minute|hour|day|week)$)/, '1 ');
  let total = 0n;
  for (const [, count, decimals, name, other] of counted.matchAll(/\s*(?:and |,)?\s*(\d{1,9})(?:\.(\d{1,3}))?\s*([a-z]+)|(.)/gy)) {
    const unit = UNITS.find(([shape]) => name !== undefined && shape.test(name))?.[1];
    if (other !== undefined || unit === undefined) return null;
    total += (BigInt(count! + (decimals ?? '').padEnd(3, '0')) * unit) / 1000n;
  }
  return total > 0n ? total : null;
}

function skip(text: string, from: number): number {
  BETWEEN.lastIndex = from;
  BETWEEN.test(text);
  return BETWEEN.lastIndex;
}

/** One kind of day at most (a weekday may stand beside a date), and nothing beside an instant. */
function isSound(words: Words): boolean {
  const days = [words.days, words.daysAgo].filter((each) => each !== undefined).length;
  const isMonth = words.days?.some(({ day }) => day === undefined) ?? false;
  if (words.unix !== undefined || words.isNow) return Object.keys(words).length === 1;
  if (words.offset !== undefined && words.time === undefined) return false;
  if (words.weekday !== undefined && (isMonth || words.daysAgo !== undefined)) return false;
  return days <= 1 && !(isMonth && words.time !== undefined);
}

function set<Name extends keyof Words>(words: Words, name: Name, value: NonNullable<Words[Name]>): void {
  // Twice the same kind of word is no time.
  if (words[name] !== undefined) throw new TimeFault('');
  words[name] = value;
}

function setDaysAgo(words: Words, days: number): void {
  set(words, 'daysAgo', days);
}

function setDay(words: Words, ...days: readonly { readonly year?: number; readonly month: number; readonly day?: number }[]): void {
  for (const { year, month, day } of days) {
    if (month < 1 || month > 12) throw new TimeFault(`There is no month ${month}.`);
    if (year !== undefined && (year < 1970 || year > 2261)) throw new TimeFault(`Times of the year ${year} are not kept. 1970 to 2261 are.`);
    if (day !== undefined && (day < 1 || day > daysIn(year ?? 2024, month))) {
      throw new TimeFault(`${MONTHS[month - 1]}${year === undefined ? '' : ` ${year}`} has no day ${day}.`);
    }
  }
  set(words, 'days', days);
}

function setTime(words: Words, hour: number, minute: number, second: number, nanos = 0n): void {
  const isEndOfDay = hour === 24 && minute === 0 && second === 0 && nanos === 0n;
  if ((hour > 23 && !isEndOfDay) || minute > 59 || second > 60) throw new TimeFault('There is no such time of day.');
  // A leap second is the last one of its minute: the server does not know it either.
  set(words, 'time', BigInt((hour * 60 + minute) * 60 + Math.min(second, 59)) * SECOND + nanos);
}

function hourOf(text: string, half: string | undefined): number {
  const hour = Number(text);
  if (half === undefined) return hour;
  if (hour < 1 || hour > 12) throw new TimeFault(`There is no ${hour} ${half}m.`);
  return (hour % 12) + (half === 'p' ? 12 : 0);
}

export function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function yearOf(text: string | undefined): { year?: number } {
  return text === undefined ? {} : { year: Number(text) };
}

function monthOf(name: string): number {
  return MONTHS.findIndex((each) => each.toLowerCase() === name) + 1;
}

/** Seconds, milliseconds, microseconds or nanoseconds, told by the number of digits. */
function unixOf(digits: string, fraction = ''): bigint {
  const places = digits.length <= 10 ? 9 : digits.length <= 13 ? 6 : digits.length <= 16 ? 3 : 0;
  return BigInt(digits + fraction.slice(0, places).padEnd(places, '0'));
}
