// Colours hits in rows. Where the browser has the CSS Custom Highlight API rows stay as they are; elsewhere hits become <mark> elements.
import type { Matcher } from './find';

export const hasHighlights = typeof Highlight !== 'undefined' && typeof CSS !== 'undefined' && 'highlights' in CSS;

/** Hits of all lists, by the names that style/list.css colours; each list takes out its own before it adds others. */
const shared: Record<'hit' | 'hit-now', Highlight | undefined> = { hit: undefined, 'hit-now': undefined };

function highlight(name: 'hit' | 'hit-now'): Highlight {
  let made = shared[name];
  if (made === undefined) {
    made = new Highlight();
    // Both may colour the same place: the current hit wins.
    made.priority = name === 'hit-now' ? 1 : 0;
    CSS.highlights.set(name, made);
    shared[name] = made;
  }
  return made;
}

export class Hits {
  #ranges: [Highlight, Range][] = [];

  clear(): void {
    for (const [of, range] of this.#ranges) of.delete(range);
    this.#ranges = [];
  }

  /** Colours the hits in an element whose text nodes make up `text`. */
  add(element: Element, text: string, matcher: Matcher, isNow: boolean): void {
    const hits = matcher(text);
    if (hits.length === 0) return;
    const of = highlight(isNow ? 'hit-now' : 'hit');
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
      if (from === undefined || to === undefined) return;
      const range = new Range();
      range.setStart(...from);
      range.setEnd(...to);
      of.add(range);
      this.#ranges.push([of, range]);
    }
  }
}

function textNodes(element: Element): Text[] {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes: Text[] = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) nodes.push(node as Text);
  return nodes;
}
