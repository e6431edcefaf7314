// Where a text is found in another: for colouring rows, and for counting in lines that are loaded.
import type { Span } from '../text/display';
import type { Find } from './options';

/** What a text in the box, or the address's `find`, means; `null` for nothing. All lower case ignores case. */
export function findOf(text: string): Find | null {
  if (text === '') return null;
  const regexp = /^\/(.+)\/$/s.exec(text)?.[1];
  const wanted = regexp ?? text;
  return { text: wanted, isRegexp: regexp !== undefined, ignoresCase: wanted === wanted.toLowerCase() };
}

/** Characters of a row that a regular expression is run over: it may take long. */
const REGEXP_CHARS_MAX = 4096;
/** Hits that are coloured in one row. */
const HITS_MAX = 200;
/** As for those that a query brought, maybe a link's: fewer characters, repetitions without an end, and ms, after which it is not run again. */
const TAME_CHARS_MAX = 512;
const TAME_REPEATS_MAX = 2;
const TAME_MS_MAX = 16;

/** Start and end of each hit in a text, ascending. */
export type Matcher = (text: string) => (readonly [number, number])[];

/** How a text is searched for; `null` where there is nothing to search for or the pattern is not valid. */
export function matcherOf(find: Find | null): Matcher | null {
  if (find === null || find.text === '') return null;
  if (!find.isRegexp) return literal(find.text, find.ignoresCase);
  try {
    return regexp(new RegExp(find.text, find.ignoresCase ? 'gi' : 'g'));
  } catch {
    return null;
  }
}

/** How what a query searches for is found, without overlaps; `null` where there is nothing. Expressions that may take long are left out: nobody here wrote them. */
export function searchMatcherOf(finds: readonly Find[]): Matcher | null {
  const matchers = finds.flatMap((find) => {
    const matcher = find.isRegexp && !isTame(find.text) ? null : matcherOf(find);
    return matcher === null ? [] : [find.isRegexp ? limited(matcher) : matcher];
  });
  const [first] = matchers;
  if (first === undefined || matchers.length === 1) return first ?? null;
  return (text) => {
    let end = 0;
    return matchers.flatMap((matcher) => matcher(text)).sort(([a], [b]) => a - b).filter(([from, to]) => {
      const isFree = from >= end;
      if (isFree) end = to;
      return isFree;
    });
  };
}

/** Whether the time that an expression takes grows slowly enough with the text: nothing repeated holds a repetition, and few have no end. */
function isTame(pattern: string): boolean {
  const bare = pattern.replace(/\\./gs, 'x').replace(/\[\^?\]?[^\]]*\]/g, 'x');
  return !/\)[*+{]/.test(bare) && (bare.match(/[*+]|\{\d*,\}/g)?.length ?? 0) <= TAME_REPEATS_MAX;
}

function limited(matcher: Matcher): Matcher {
  let isOff = false;
  return (text) => {
    if (isOff) return [];
    const start = performance.now();
    const hits = matcher(text.slice(0, TAME_CHARS_MAX));
    isOff = performance.now() - start > TAME_MS_MAX;
    return hits;
  };
}

function literal(found: string, ignoresCase: boolean): Matcher {
  const wanted = ignoresCase ? found.toLowerCase() : found;
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
  if (!find.ignoresCase) return (text) => text.includes(find.text);
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
