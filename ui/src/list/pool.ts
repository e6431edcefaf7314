// The elements of the rows that are drawn, in the order in which they are seen: selections and screen readers go by the order of the document.
import { MarkerElement } from './markers';
import { RowElement } from './row';

/** Elements that are kept for later. */
const FREE_MAX = 120;

export class Pool {
  /** In the order of the document. */
  lines: RowElement[] = [];
  markers: MarkerElement[] = [];
  #free: RowElement[] = [];
  #stays = new Set<Element>();

  constructor(private readonly canvas: HTMLElement) {}

  /** Gives each of these lines, named by index in the order seen, an element: the one it has, or one whose content is of no line. */
  assign(indexes: readonly number[]): void {
    const wanted = new Set(indexes);
    const has = new Map<number, RowElement>();
    const free: RowElement[] = [];
    for (const row of this.lines) {
      if (wanted.has(row.index) && !has.has(row.index)) has.set(row.index, row);
      else free.push(row);
    }
    // In the order of the document, so that a jump moves no element.
    free.reverse();
    this.#stays = new Set([...has.values()].map((row) => row.element));
    this.lines = indexes.map((index) => {
      const own = has.get(index);
      if (own !== undefined) return own;
      const row = free.pop() ?? this.#free.pop() ?? new RowElement();
      row.index = index;
      row.version = -1;
      row.y = NaN;
      return row;
    });
    for (const row of free) {
      row.index = -1;
      row.element.remove();
      if (this.#free.length < FREE_MAX) this.#free.push(row);
    }
  }

  /** Puts the elements into the document in this order. Those that stay are never moved, so that focus and selection stay, too. */
  arrange(elements: readonly HTMLElement[], markers: MarkerElement[]): void {
    const stays = this.#stays;
    const before = new Set(this.markers);
    for (const marker of markers) if (before.delete(marker)) stays.add(marker.element);
    for (const { element } of before) element.remove();
    this.markers = markers;
    let cursor = this.canvas.firstElementChild;
    for (const element of elements) {
      while (cursor !== null && cursor !== element && !stays.has(cursor)) cursor = cursor.nextElementSibling;
      if (cursor === element) cursor = cursor.nextElementSibling;
      else this.canvas.insertBefore(element, cursor);
    }
    // They are where they belong now: nothing moves them if this is called again for the same rows.
    for (const element of elements) stays.add(element);
  }

  clear(): void {
    for (const { element } of [...this.lines, ...this.markers]) element.remove();
    this.lines = [];
    this.markers = [];
    this.#free = [];
  }
}
