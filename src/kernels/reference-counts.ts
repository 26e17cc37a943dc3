// Which blocks of a backend's memory a replay still needs. Views of one block share it; it is freed with the last of them.
import type { View } from "../tensor/tensor.ts";
import type { Store } from "./backend.ts";

export class ReferenceCounts {
  readonly #store: Store | undefined;
  readonly #holders = new Map<number, number>();

  constructor(store: Store | undefined) {
    this.#store = store;
  }

  #blockOf(v: View): number | null {
    return this.#store?.blockOf(v.data) ?? null;
  }

  hold(v: View): View {
    const block = this.#blockOf(v);
    if (block !== null) this.#holders.set(block, (this.#holders.get(block) ?? 0) + 1);
    return v;
  }

  drop(v: View): void {
    const block = this.#blockOf(v);
    if (block === null) return;
    const left = (this.#holders.get(block) ?? 1) - 1;
    if (left > 0) {
      this.#holders.set(block, left);
      return;
    }
    this.#holders.delete(block);
    this.#store?.free(block); // [replay.memory]
  }

  /** A copy that the caller may keep. */
  async keep(v: View): Promise<View> {
    return this.#store?.keep(v) ?? v; // [replay.results]
  }

  /** As kernels read it; what that takes is held. */
  async upload(v: View): Promise<View> {
    const there = (await this.#store?.upload?.(v)) ?? v;
    return there === v ? v : this.hold(there); // [replay.upload]
  }

  /** As the definitions read it. */
  async download(v: View): Promise<View> {
    return this.#store?.download?.(v) ?? v; // [replay.download]
  }

  /** Frees what is left, also when the replay did not come to its end. */
  close(): void {
    for (const block of this.#holders.keys()) this.#store?.free(block);
    this.#holders.clear();
  }
}
