// Compiled kernels, kept by name. Sizes are part of a name, so that text that grows asks for new ones at every length: those that ran
// longest ago leave when there are too many.
import type { Shortcut } from "../host-modes/device.ts";
import { LruCache } from "./lru-cache.ts";

const MOST = 256;

export interface Compiled {
  readonly run: Shortcut;
  /** How many of its results are on the device. gpu.js reads them through their kernel, so it stays as long as they do. */
  results: number;
}

export class Kernels {
  readonly #kept = new LruCache<string, Compiled>();

  get(name: string, compile: () => Shortcut): Compiled {
    const known = this.#kept.get(name);
    if (known) return known;
    this.#shrink();
    const made = { run: compile(), results: 0 };
    this.#kept.set(name, made);
    return made;
  }

  clear(): void {
    this.#kept.clear();
  }

  /** Leaves room for one more. */
  #shrink(): void {
    for (const [name, { run, results }] of this.#kept) {
      if (this.#kept.size < MOST) return;
      if (results > 0) continue;
      this.#kept.delete(name);
      run.destroy();
    }
  }
}
