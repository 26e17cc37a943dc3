import type { CompiledKernel } from "../gpu-js.ts";
import { LruCache } from "./lru-cache.ts";

const MAX_KERNELS = 256;

export interface CachedKernel {
  readonly run: CompiledKernel;
  /** Results that are still on the device. gpu.js reads a result through its kernel, so the kernel must outlive it. */
  results: number;
}

/**
 * Compiled kernels by name. Names include sizes, so a growing text compiles new kernels at every length; beyond MAX_KERNELS the least
 * recently used ones without results are destroyed.
 */
export class KernelCache {
  readonly #kernels = new LruCache<string, CachedKernel>();

  get(name: string, compile: () => CompiledKernel): CachedKernel {
    const cached = this.#kernels.get(name);
    if (cached) return cached;
    this.#evict();
    const entry = { run: compile(), results: 0 };
    this.#kernels.set(name, entry);
    return entry;
  }

  clear(): void {
    this.#kernels.clear();
  }

  /** Makes room for one more kernel. */
  #evict(): void {
    for (const [name, { run, results }] of this.#kernels) {
      if (this.#kernels.size < MAX_KERNELS) return;
      if (results > 0) continue;
      this.#kernels.delete(name);
      run.destroy();
    }
  }
}
