// The symbols of a word as a linked list, and a priority queue of the pairs to merge: the lowest rank first, then the leftmost.

export class MergeQueue {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #isGone: Uint8Array;
  /** A binary heap of rank · 2^31 + position. */
  readonly #heap: number[] = [];

  /** `count` symbols, each linked with its neighbours. */
  constructor(count: number) {
    this.#next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
    this.#previous = Int32Array.from({ length: count }, (_, i) => i - 1);
    this.#isGone = new Uint8Array(count);
  }

  /** The symbol after this one, or -1. */
  after(at: number): number {
    return at < 0 ? -1 : (this.#next[at] ?? -1);
  }
  before(at: number): number {
    return this.#previous[at] ?? -1;
  }

  /** Removes `right`, which follows `left`: `left` now stands for both. */
  join(left: number, right: number): void {
    const after = this.after(right);
    this.#isGone[right] = 1;
    this.#next[left] = after;
    if (after >= 0) this.#previous[after] = left;
  }

  /** The symbols that are left, in order. */
  remaining(): number[] {
    const result: number[] = [];
    for (let at = this.#isGone.length === 0 ? -1 : 0; at >= 0; at = this.after(at)) result.push(at);
    return result;
  }

  push(rank: number, left: number): void {
    const heap = this.#heap;
    const key = rank * 2 ** 31 + left;
    let i = heap.length;
    heap.push(key);
    while (i > 0) {
      const parent = (i - 1) >>> 1;
      const above = heap[parent] ?? 0;
      if (above <= key) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = key;
  }

  /** The next pair whose left symbol is still there. */
  pop(): { readonly rank: number; readonly left: number } | null {
    for (let key = this.#take(); key !== null; key = this.#take()) {
      const rank = Math.floor(key / 2 ** 31);
      const left = key - rank * 2 ** 31;
      if (this.#isGone[left] === 0) return { rank, left };
    }
    return null;
  }

  #take(): number | null {
    const heap = this.#heap;
    const [first, last] = [heap[0], heap.pop()];
    if (first === undefined || last === undefined) return null;
    const size = heap.length;
    if (size === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
      if ((heap[child] ?? 0) >= last) break;
      heap[i] = heap[child] ?? 0;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}
