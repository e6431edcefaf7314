// Finds the first timestamp in a pasted log line, in the shapes that programs write, and hands it back in a shape that `words.ts` reads.
import { MONTHS } from './format';
import { ABBREVIATIONS } from './words';

/** Most characters that are looked at. */
const LENGTH_MAX = 4_096;

const CLOCK = String.raw`\d\d:\d\d:\d\d(?:[.,]\d{1,9})?`;
const ZONE = String.raw`(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d|${ABBREVIATIONS.toUpperCase()})(?![A-Za-z\d:]))?`;
const MONTH = `(?:${MONTHS.join('|')})`;

/** Each with what makes words of it. */
const SHAPES: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  // 2026-11-30T10:12:04.003+01:00, 2026/11/30 10:12:04, 2026-11-30 10:12:04,003
  [new RegExp(String.raw`(?<!\d)(\d{4}[-/]\d\d[-/]\d\d)[Tt _:]+(\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?${ZONE})`), ([, date, time]) => `${date} ${time}`],
  // 20261130T101204Z
  [/(?<!\d)\d{8}T\d{4}(?:\d\d)?Z?(?!\d)/, ([text]) => text],
  // 30/Nov/2026:10:12:04 +0100, Mon, 30 Nov 2026 10:12:04 GMT
  [new RegExp(String.raw`(?<!\d)(\d\d?[ /-]${MONTH}[ /-]\d{4})[: ]+(${CLOCK}${ZONE})`), ([, date, time]) => `${date} ${time}`],
  // Nov 30 10:12:04, Mon Nov 30 10:12:04.003 2026, Nov 30, 2026 10:12:04 PM
  [new RegExp(String.raw`${MONTH} +\d\d?(?:,? \d{4})?,? ${CLOCK}(?: [AP]M)?${ZONE}(?: \d{4}(?!\d))?`), ([text]) => text],
  // 30.11.2026 10:12:04
  [new RegExp(String.raw`(?<!\d)\d\d?\.\d\d?\.\d{4},? ${CLOCK}${ZONE}`), ([text]) => text],
  // 03/04/2026 10:12:04
  [new RegExp(String.raw`(?<!\d)\d\d?/\d\d?/\d{4},? ${CLOCK}(?: [AP]M)?${ZONE}`), ([text]) => text],
  // I1130 10:12:04.003000 of klog
  [new RegExp(String.raw`^[IWEF](\d\d)(\d\d) (${CLOCK})`), ([, month, day, time]) => `${MONTHS[Number(month) - 1] ?? month} ${day} ${time}`],
  // "ts":1796035647.732, ts=1796035647732
  [/["']?@?(?:ts|time|timestamp|t)["']?\s*[:=]\s*"?(\d{9,10}(?:\.\d{1,9})?|\d{12,13}|\d{15,16}|\d{18,19})(?![\d.])/, ([, number]) => number!],
  // 1796035647.732 at the beginning, as of dmesg's or a proxy's
  [/^\[?(\d{10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19})(?![\d.])/, ([, number]) => number!],
  // 10:12:04.003 at the beginning
  [new RegExp(String.raw`^\[?(${CLOCK}${ZONE})`), ([, time]) => time!],
];

/** The line's first timestamp as words of time; `null` where it has none. */
export function findStamp(line: string): string | null {
  const text = line.trim().slice(0, LENGTH_MAX);
  let first: { place: number; words: string } | null = null;
  for (const [shape, words] of SHAPES) {
    const match = shape.exec(text);
    if (match !== null && (first === null || match.index < first.place)) first = { place: match.index, words: words(match) };
  }
  return first?.words ?? null;
}
