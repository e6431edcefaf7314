// Prefix sums of numbers that change: reading, changing and finding take logarithmic time (P. M. Fenwick, "A New Data Structure for Cumulative
// Frequency Tables", 1994).

export class Fenwick {
  readonly #tree: Int32Array;
  /** The largest power of two that is not above the capacity. */
  readonly #top: number;

  /** For `capacity` numbers, all 0. */
  constructor(readonly capacity: number) {
    this.#tree = new Int32Array(capacity + 1);
    this.#top = capacity === 0 ? 0 : 2 ** Math.floor(Math.log2(capacity));
  }

  /** Takes the first `count` of `values`, the others become 0, in linear time. */
  fill(values: ArrayLike<number>, count: number): void {
    const tree = this.#tree;
    for (let at = 1; at < tree.length; at += 1) tree[at] = at <= count ? (values[at - 1] as number) : 0;
    for (let at = 1; at < tree.length; at += 1) {
      const parent = at + (at & -at);
      if (parent < tree.length) tree[parent] = (tree[parent] as number) + (tree[at] as number);
    }
  }

  add(index: number, delta: number): void {
    for (let at = index + 1; at < this.#tree.length; at += at & -at) this.#tree[at] = (this.#tree[at] as number) + delta;
  }

  /** The sum of the numbers before `index`. */
  before(index: number): number {
    let sum = 0;
    for (let at = index; at > 0; at -= at & -at) sum += this.#tree[at] as number;
    return sum;
  }

  /** The index of the number within which `offset` falls: the largest whose sum before is not above it and which is not 0. */
  find(offset: number): number {
    let at = 0;
    let left = offset;
    for (let step = this.#top; step > 0; step >>= 1) {
      const next = at + step;
      if (next < this.#tree.length && (this.#tree[next] as number) <= left) {
        at = next;
        left -= this.#tree[next] as number;
      }
    }
    return at;
  }
}
