import type { View } from "../tensor/tensor.ts";
import type { Store } from "./backend.ts";

/** Counts the references that outlive a run to the blocks of a store: those of kept results, and of runs that use these. */
export class KeptBlocks {
  static readonly #all = new WeakMap<Store, KeptBlocks>();
  readonly #store: Store;
  readonly #counts = new Map<number, number>();

  private constructor(store: Store) {
    this.#store = store;
  }

  static of(store: Store): KeptBlocks {
    const kept = KeptBlocks.#all.get(store) ?? new KeptBlocks(store);
    KeptBlocks.#all.set(store, kept);
    return kept;
  }

  has(block: number): boolean {
    return this.#counts.has(block);
  }

  acquire(block: number): void {
    this.#counts.set(block, (this.#counts.get(block) ?? 0) + 1);
  }

  release(block: number): void {
    const count = (this.#counts.get(block) ?? 1) - 1;
    if (count > 0) {
      this.#counts.set(block, count);
      return;
    }
    this.#counts.delete(block);
    this.#store.free(block); // [replay.release]
  }
}

/** Counts the live views of every block in one run. A block is freed when its last view is released, unless a result keeps it. */
export class ReferenceCounts {
  readonly #store: Store | undefined;
  readonly #kept: KeptBlocks | undefined;
  readonly #counts = new Map<number, number>();

  constructor(store: Store | undefined) {
    this.#store = store;
    this.#kept = store && KeptBlocks.of(store);
  }

  acquire(v: View): View {
    const block = this.#store?.blockOf(v.data) ?? null;
    if (block !== null) this.#counts.set(block, (this.#counts.get(block) ?? 0) + 1);
    return v;
  }

  release(v: View): void {
    const block = this.#store?.blockOf(v.data) ?? null;
    if (block === null) return;
    const count = (this.#counts.get(block) ?? 1) - 1;
    if (count > 0) {
      this.#counts.set(block, count);
      return;
    }
    this.#counts.delete(block);
    this.#free(block);
  }

  /** Frees all blocks that are still counted, also after a failure. */
  close(): void {
    for (const block of this.#counts.keys()) this.#free(block);
    this.#counts.clear();
  }

  #free(block: number): void {
    if (!this.#kept?.has(block)) this.#store?.free(block); // [replay.memory]
  }
}
