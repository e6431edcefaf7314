// Colours hits in rows. Where the browser has the CSS Custom Highlight API rows stay as they are; elsewhere hits become <mark> elements.
import type { Matcher } from './find';

export const hasHighlights = typeof Highlight !== 'undefined' && typeof CSS !== 'undefined' && 'highlights' in CSS;

/** What colours a hit, the weakest first: searched for by the query, found, found and current. style/list.css says how. */
const NAMES = ['searched', 'hit', 'hit-now'] as const;
export type HitName = (typeof NAMES)[number];

/** Hits of all lists; each list takes out its own before it adds others. */
const shared = new Map<HitName, Highlight>();

function highlight(name: HitName): Highlight {
  let made = shared.get(name);
  if (made === undefined) {
    made = new Highlight();
    // Several may colour the same place.
    made.priority = NAMES.indexOf(name);
    CSS.highlights.set(name, made);
    shared.set(name, made);
  }
  return made;
}

/** What is coloured in an element. */
interface Coloured {
  key: string;
  readonly ranges: [Highlight, Range][];
}

export class Hits {
  readonly #of = new Map<Element, Coloured>();

  clear(): void {
    for (const element of this.#of.keys()) this.#remove(element);
  }

  /** Forgets elements that are not drawn any more. */
  keep(elements: ReadonlySet<Element>): void {
    for (const element of this.#of.keys()) if (!elements.has(element)) this.#remove(element);
  }

  #remove(element: Element): void {
    for (const [of, range] of this.#of.get(element)?.ranges ?? []) of.delete(range);
    this.#of.delete(element);
  }

  /** Colours the hits in an element whose text nodes make up `text`. Nothing is done where `key`, which names all of it, is that of the last time. */
  colour(element: Element, key: string, text: string, layers: readonly (readonly [HitName, Matcher])[]): void {
    if (this.#of.get(element)?.key === key) return;
    this.#remove(element);
    const ranges = layers.flatMap(([name, matcher]) => rangesOf(element, matcher(text)).map((range): [Highlight, Range] => [highlight(name), range]));
    for (const [of, range] of ranges) of.add(range);
    this.#of.set(element, { key, ranges });
  }
}

/** The ranges of places in an element's text; both ascend. */
function rangesOf(element: Element, hits: readonly (readonly [number, number])[]): Range[] {
  if (hits.length === 0) return [];
  const ranges: Range[] = [];
  const nodes = textNodes(element);
  let node = 0;
  let before = 0;
  const place = (offset: number, isEnd: boolean): [Text, number] | undefined => {
    while (node < nodes.length && (isEnd ? before + nodes[node]!.length < offset : before + nodes[node]!.length <= offset)) {
      before += nodes[node]!.length;
      node += 1;
    }
    const found = nodes[node];
    return found && [found, offset - before];
  };
  for (const [start, end] of hits) {
    const [from, to] = [place(start, false), place(end, true)];
    if (from === undefined || to === undefined) break;
    const range = new Range();
    range.setStart(...from);
    range.setEnd(...to);
    ranges.push(range);
  }
  return ranges;
}

function textNodes(element: Element): Text[] {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes: Text[] = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) nodes.push(node as Text);
  return nodes;
}
