// The threads, and how a job is given to them. The calling thread works too, and alone where there are no others.
import { cores, startThread, type Thread } from "#host";
import type { Heap } from "./heap.ts";

/** Kernels by number, as work.as.ts runs them. */
export const KERNELS = [
  "pack",
  "multiply",
  "rowTimesPanels",
  "markFinite",
  "attend",
  "elements",
  "copy",
  "softmax",
  "normalize",
  "attendVjp",
] as const;
export type Kernel = (typeof KERNELS)[number];

export interface Job {
  readonly tasks: number;
  /** Addresses and whole numbers; floats as `bits`. */
  readonly words: readonly number[];
  /** About how many nanoseconds it takes one thread. */
  readonly cost: number;
  /** Bytes of its own that every thread needs. */
  readonly scratch?: number;
}

/** The control block, in words: see control.as.ts. */
const [GENERATION, OPEN, ACTIVE, NEXT, COUNT, KERNEL, SCRATCH, SCRATCH_SIZE, WORDS] = [
  0, 1, 2, 16, 32, 33, 34, 35, 48,
];
/** First address that is not the control block's. */
export const CONTROL_END = 512;

/**
 * What a thread does, as text, so that it needs no file: waits for the next job, takes part while it is open. A thread that comes
 * late finds it closed. `data` is what it was started with.
 */
const WORKER = `
const { module, memory, thread } = data;
const { work } = new WebAssembly.Instance(module, { env: { memory } }).exports;
const control = new Int32Array(memory.buffer, 0, 16);
for (let seen = 0; ; ) {
  Atomics.wait(control, ${GENERATION}, seen);
  seen = Atomics.load(control, ${GENERATION});
  Atomics.add(control, ${ACTIVE}, 1);
  if (Atomics.load(control, ${OPEN})) work(thread);
  if (Atomics.sub(control, ${ACTIVE}, 1) === 1) Atomics.notify(control, ${ACTIVE});
}`;

const MOST = 64;
/** A job that takes less is not worth waking anybody for. */
const WORTH = 100_000;

interface Exports {
  work(thread: number): number;
  rowTile(): number;
}

const word = new Float32Array(1);
/** A float as the whole number that has its bits. */
export function bits(x: number): number {
  word[0] = x;
  return new Int32Array(word.buffer)[0] ?? 0;
}

export class ThreadPool {
  /** How many threads work, the calling one included. */
  readonly size: number;
  /** Rows in a tile of the product. */
  readonly rowTile: number;
  /** Tasks that other threads have run. */
  helped = 0;
  readonly #heap: Heap;
  readonly #module: WebAssembly.Module;
  readonly #exports: Exports;
  workers: Thread[] | null = null;
  #scratch = { at: 0, size: 0 };
  #mayBlock = true;

  constructor(module: WebAssembly.Module, heap: Heap, size: number = cores()) {
    const instance = new WebAssembly.Instance(module, { env: { memory: heap.memory } });
    this.#exports = instance.exports as unknown as Exports;
    this.#module = module;
    this.#heap = heap;
    this.size = cores() === 1 ? 1 : Math.max(1, Math.min(size, MOST));
    this.rowTile = this.#exports.rowTile();
  }

  run(kernel: Kernel, { tasks, words, cost, scratch = 0 }: Job): void {
    if (tasks <= 0) return;
    this.#provide(scratch);
    const control = this.#heap.ints(0, CONTROL_END / 4);
    control.set(
      words.map((n) => n | 0),
      WORDS,
    );
    control[COUNT] = tasks;
    control[KERNEL] = KERNELS.indexOf(kernel);
    control[SCRATCH] = this.#scratch.at;
    control[SCRATCH_SIZE] = this.#scratch.size;
    Atomics.store(control, NEXT, 0);
    const together = this.size > 1 && tasks > 1 && cost > WORTH;
    if (together) this.#call(control);
    this.helped += tasks - this.#exports.work(0);
    if (together) this.#wait(control);
  }

  async close(): Promise<void> {
    await Promise.all((this.workers ?? []).map((member) => member.stop()));
    this.workers = null;
  }

  #call(control: Int32Array): void {
    this.workers ??= Array.from({ length: this.size - 1 }, (_, i) =>
      startThread(WORKER, { module: this.#module, memory: this.#heap.memory, thread: i + 1 }),
    );
    Atomics.store(control, OPEN, 1);
    Atomics.add(control, GENERATION, 1);
    Atomics.notify(control, GENERATION);
  }

  /** All tasks are taken by now; somebody may still be at the last ones. */
  #wait(control: Int32Array): void {
    Atomics.store(control, OPEN, 0);
    for (let turns = 0; ; turns++) {
      const active = Atomics.load(control, ACTIVE);
      if (active === 0) return;
      if (turns > 1000 && this.#mayBlock) this.#block(control, active);
    }
  }

  #block(control: Int32Array, active: number): void {
    try {
      Atomics.wait(control, ACTIVE, active, 1);
    } catch {
      this.#mayBlock = false; // a page's own thread must not
    }
  }

  #provide(scratch: number): void {
    if (scratch <= this.#scratch.size) return;
    const size = Math.ceil(scratch / 64) * 64;
    if (this.#scratch.at > 0) this.#heap.free(this.#scratch.at);
    this.#scratch = { at: 0, size: 0 }; // should there be no room for more
    this.#scratch = { at: this.#heap.allocate(size * this.size), size };
  }
}
