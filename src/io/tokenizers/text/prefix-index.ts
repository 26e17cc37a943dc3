// The strings of a list that a text continues with at a position: a sorted array, narrowed one code unit at a time by binary search.

export class PrefixIndex {
  readonly #keys: readonly string[];
  readonly #values: Int32Array;

  /** Of a key that occurs twice, the value of the first entry counts. */
  constructor(entries: Iterable<readonly [key: string, value: number]>) {
    const first = new Map<string, number>();
    for (const [key, value] of entries) if (key !== "" && !first.has(key)) first.set(key, value);
    this.#keys = [...first.keys()].sort((a, b) => (a < b ? -1 : 1));
    this.#values = Int32Array.from(this.#keys, (key) => first.get(key) ?? 0);
  }

  /** Calls `visit` for every key that `text` has at `from`, the shortest first. */
  each(text: string, from: number, visit: (length: number, value: number) => void): void {
    let [low, high] = [0, this.#keys.length];
    for (let depth = 0; low < high && from + depth < text.length; depth++) {
      const unit = text.charCodeAt(from + depth);
      low = this.#bound(low, high, depth, unit);
      high = this.#bound(low, high, depth, unit + 1);
      if (low < high && this.#keys[low]?.length === depth + 1) visit(depth + 1, this.#values[low] ?? 0);
    }
  }

  /** The longest key that `text` has at `from`, or null. */
  longest(text: string, from: number): { readonly length: number; readonly value: number } | null {
    let found: { length: number; value: number } | null = null;
    this.each(text, from, (length, value) => {
      found = { length, value };
    });
    return found;
  }

  /** The first key in the range whose code unit at `depth` is at least `unit`; a key that ends before it counts as smaller. */
  #bound(low: number, high: number, depth: number, unit: number): number {
    while (low < high) {
      const middle = (low + high) >>> 1;
      const key = this.#keys[middle] ?? "";
      if (depth < key.length && key.charCodeAt(depth) >= unit) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
