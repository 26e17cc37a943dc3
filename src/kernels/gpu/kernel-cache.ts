import type { CompiledKernel } from "./gpu-js.ts";
import { LruCache } from "./lru-cache.ts";

export interface CachedKernel {
  readonly run: CompiledKernel;
  /** Runs in progress, and results that are still on a device: gpu.js reads a result through its kernel. */
  uses: number;
}

/** Compiled kernels by name. Beyond `most` the least recently used ones that are not in use are destroyed. */
export class KernelCache {
  readonly #most: number;
  readonly #kernels = new LruCache<string, CachedKernel>();

  constructor(most: number) {
    this.#most = most;
  }

  get(name: string, compile: () => CompiledKernel): CachedKernel {
    const cached = this.#kernels.get(name);
    if (cached) return cached;
    this.#evict();
    const entry = { run: compile(), uses: 0 };
    this.#kernels.set(name, entry);
    return entry;
  }

  clear(): void {
    this.#kernels.clear();
  }

  /** Makes room for one more kernel. */
  #evict(): void {
    for (const [name, { run, uses }] of this.#kernels) {
      if (this.#kernels.size < this.#most) return;
      if (uses > 0) continue;
      this.#kernels.delete(name);
      run.destroy();
    }
  }
}
