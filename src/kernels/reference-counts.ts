import type { View } from "../tensor/tensor.ts";
import type { Store } from "./backend.ts";

/** Counts the live views of every block of a backend's memory. A block is freed when its last view is released. */
export class ReferenceCounts {
  readonly #store: Store | undefined;
  readonly #counts = new Map<number, number>();

  constructor(store: Store | undefined) {
    this.#store = store;
  }

  #blockOf(v: View): number | null {
    return this.#store?.blockOf(v.data) ?? null;
  }

  acquire(v: View): View {
    const block = this.#blockOf(v);
    if (block !== null) this.#counts.set(block, (this.#counts.get(block) ?? 0) + 1);
    return v;
  }

  release(v: View): void {
    const block = this.#blockOf(v);
    if (block === null) return;
    const count = (this.#counts.get(block) ?? 1) - 1;
    if (count > 0) {
      this.#counts.set(block, count);
      return;
    }
    this.#counts.delete(block);
    this.#store?.free(block); // [replay.memory]
  }

  /** Frees all blocks that are still counted, also after a failure. */
  close(): void {
    for (const block of this.#counts.keys()) this.#store?.free(block);
    this.#counts.clear();
  }
}
