// Selected lines as sorted, disjoint runs of indexes: a million lines take no more room than one.
import type { Change } from './store';

export class Selection {
  #runs: [number, number][] = [];

  /** First and last index of each run, ascending. */
  get runs(): readonly (readonly [number, number])[] {
    return this.#runs;
  }

  get count(): number {
    return this.#runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  }

  has(index: number): boolean {
    return this.#runs.some(([first, last]) => first <= index && index <= last);
  }

  clear(): void {
    this.#runs = [];
  }

  add(first: number, last = first): void {
    const [from, to] = first <= last ? [first, last] : [last, first];
    const runs: [number, number][] = [];
    let merged: [number, number] = [from, to];
    for (const run of this.#runs) {
      if (run[1] < merged[0] - 1 || merged[1] + 1 < run[0]) runs.push(run);
      else merged = [Math.min(run[0], merged[0]), Math.max(run[1], merged[1])];
    }
    runs.push(merged);
    this.#runs = runs.sort((a, b) => a[0] - b[0]);
  }

  remove(first: number, last = first): void {
    const [from, to] = first <= last ? [first, last] : [last, first];
    this.#runs = this.#runs.flatMap(([a, b]): [number, number][] => {
      if (b < from || to < a) return [[a, b]];
      const parts: [number, number][] = [];
      if (a < from) parts.push([a, from - 1]);
      if (to < b) parts.push([to + 1, b]);
      return parts;
    });
  }

  toggle(index: number): void {
    if (this.has(index)) this.remove(index);
    else this.add(index);
  }

  /** Every selected index, ascending. */
  *indexes(): Generator<number> {
    for (const [first, last] of this.#runs) for (let index = first; index <= last; index += 1) yield index;
  }

  /** Follows the lines when others are put in or taken out before them. */
  shift({ at, removed, inserted }: Change): void {
    if (removed > 0 && this.#runs.length > 0) this.remove(at, at + removed - 1);
    const by = inserted - removed;
    const runs: [number, number][] = [];
    for (const [first, last] of this.#runs) {
      if (last < at) runs.push([first, last]);
      else if (first >= at) runs.push([first + by, last + by]);
      else runs.push([first, at - 1], [at + by, last + by]);
    }
    this.#runs = runs;
  }
}
