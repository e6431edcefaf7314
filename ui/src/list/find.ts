// Where a text is found in another: for colouring rows, and for counting in lines that are loaded.
import type { Span } from '../text/display';
import type { Find } from './options';

/** What a text in the box, or the address's `find`, means; `null` for nothing. */
export function findOf(text: string): Find | null {
  const regexp = /^\/(.+)\/$/s.exec(text);
  return text === '' ? null : regexp === null ? { text, isRegexp: false } : { text: regexp[1]!, isRegexp: true };
}

/** Characters of a row that a regular expression is run over: it may take long. */
const REGEXP_CHARS_MAX = 4096;
/** Hits that are coloured in one row. */
const HITS_MAX = 200;

/** Start and end of each hit in a text, ascending. */
export type Matcher = (text: string) => (readonly [number, number])[];

/** How a text is searched for; `null` where there is nothing to search for or the pattern is not valid. All lower case ignores case. */
export function matcherOf(find: Find | null): Matcher | null {
  if (find === null || find.text === '') return null;
  const ignoresCase = find.text === find.text.toLowerCase();
  if (!find.isRegexp) return literal(find.text, ignoresCase);
  try {
    return regexp(new RegExp(find.text, ignoresCase ? 'gi' : 'g'));
  } catch {
    return null;
  }
}

function literal(wanted: string, ignoresCase: boolean): Matcher {
  return (text) => {
    // A few letters change their length with their case: those texts are compared as they are.
    const lower = ignoresCase ? text.toLowerCase() : text;
    const searched = lower.length === text.length ? lower : text;
    const hits: [number, number][] = [];
    for (let at = searched.indexOf(wanted); at >= 0 && hits.length < HITS_MAX; at = searched.indexOf(wanted, at + wanted.length)) {
      hits.push([at, at + wanted.length]);
    }
    return hits;
  };
}

function regexp(pattern: RegExp): Matcher {
  return (text) => {
    const hits: [number, number][] = [];
    for (const match of text.slice(0, REGEXP_CHARS_MAX).matchAll(pattern)) {
      if (match[0] !== '') hits.push([match.index, match.index + match[0].length]);
      if (hits.length === HITS_MAX) break;
    }
    return hits;
  };
}

/** Whether a line holds the text; for many lines, so without the places. */
export function contains(find: Find): (text: string) => boolean {
  if (find.isRegexp) {
    const matcher = matcherOf(find);
    return (text) => matcher !== null && matcher(text).length > 0;
  }
  if (find.text !== find.text.toLowerCase()) return (text) => text.includes(find.text);
  // A regular expression without anything special is several times as fast as making each text lower case.
  const pattern = new RegExp(find.text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'i');
  return (text) => pattern.test(text);
}

/** Splits spans so that each hit is of spans of its own, whose class is `hit` besides what it was. */
export function markHits(spans: readonly Span[], hits: readonly (readonly [number, number])[]): Span[] {
  const made: Span[] = [];
  let at = 0;
  let next = 0;
  for (const span of spans) {
    const end = at + span.text.length;
    for (let from = at; from < end;) {
      while (next < hits.length && hits[next]![1] <= from) next += 1;
      const hit = hits[next];
      const isHit = hit !== undefined && hit[0] <= from;
      const to = Math.min(end, hit === undefined ? end : isHit ? hit[1] : hit[0]);
      made.push({ ...span, text: span.text.slice(from - at, to - at), class: isHit ? `${span.class ?? ''} hit`.trim() : span.class });
      from = to;
    }
    at = end;
  }
  return made;
}
