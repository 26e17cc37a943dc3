// A pool of worker threads that share one WebAssembly memory. The calling thread takes part in every job; without workers it runs the
// job alone.
import { cores, startThread, type Thread } from "#host";
import type { Heap } from "./heap.ts";

/** The position of a name is the kernel's number in work.as.ts. */
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
  "maxima",
  "sumExp",
  "scatter",
  "pack16",
  "attendFew",
  "combineFew",
  "sweep",
] as const;
export type Kernel = (typeof KERNELS)[number];

export interface Job {
  readonly tasks: number;
  /** The kernel's arguments: addresses and integers, and floats as their `bits`. */
  readonly words: readonly number[];
  /** The estimated time on one thread, in nanoseconds. */
  readonly cost: number;
  /** Bytes of scratch memory for each thread. */
  readonly scratch?: number;
}

/** Fields of the control block as indices of words. The kernels use those from NEXT on: see control.as.ts. */
const [GENERATION, OPEN, ACTIVE, ASLEEP, NEXT, COUNT, KERNEL, SCRATCH, SCRATCH_SIZE, WORDS] = [
  0, 1, 2, 3, 16, 32, 33, 34, 35, 48,
];
/** The address after the control block. */
export const CONTROL_END = 512;

/** How often a worker looks for the next job before it sleeps: some tens of microseconds, about as long as waking a thread takes. */
const SPINS = 20_000;

/**
 * The source of a worker thread, as text so that no file has to be located or fetched. The worker waits for the next job and takes part
 * in it; a worker that wakes up after the job has ended finds it closed. `data` is the value passed to `startThread`.
 *
 * A worker counts as asleep before it sleeps, and it does not sleep once the generation has changed. A job that changes the generation
 * and then finds no worker asleep therefore has none to wake.
 */
const WORKER = `
const { module, memory, thread } = data;
const { work } = new WebAssembly.Instance(module, { env: { memory } }).exports;
const control = new Int32Array(memory.buffer, 0, 16);
for (let seen = 0; ; ) {
  for (let spins = 0; spins < ${SPINS} && Atomics.load(control, ${GENERATION}) === seen; spins++);
  if (Atomics.load(control, ${GENERATION}) === seen) {
    Atomics.add(control, ${ASLEEP}, 1);
    Atomics.wait(control, ${GENERATION}, seen);
    Atomics.sub(control, ${ASLEEP}, 1);
  }
  seen = Atomics.load(control, ${GENERATION});
  Atomics.add(control, ${ACTIVE}, 1);
  if (Atomics.load(control, ${OPEN})) work(thread);
  if (Atomics.sub(control, ${ACTIVE}, 1) === 1) Atomics.notify(control, ${ACTIVE});
}`;

const MAX_THREADS = 64;
/** Nanoseconds below which a job runs on the calling thread alone, because waking workers would take longer, or telling those awake. */
const MIN_SHARED_COST = { asleep: 100_000, awake: 10_000 };

interface Exports {
  work(thread: number): number;
  rowTile(): number;
}

const word = new Float32Array(1);
/** The bits of a float32 as an integer. */
export function bits(x: number): number {
  word[0] = x;
  return new Int32Array(word.buffer)[0] ?? 0;
}

export class ThreadPool {
  /** The number of threads, including the calling one. */
  readonly size: number;
  /** Rows in a tile of the product. */
  readonly rowTile: number;
  /** Tasks that worker threads have run since the pool was opened. */
  workerTasks = 0;
  readonly #heap: Heap;
  readonly #module: WebAssembly.Module;
  readonly #exports: Exports;
  /** Started by the first job that is worth sharing. */
  #workers: Thread[] | null = null;
  #scratch = { at: 0, size: 0 };
  #mayBlock = true;
  /** The end of the workers that are being stopped. */
  #closing: Promise<void> | null = null;

  constructor(module: WebAssembly.Module, heap: Heap, size: number = cores()) {
    const instance = new WebAssembly.Instance(module, { env: { memory: heap.memory } });
    this.#exports = instance.exports as unknown as Exports;
    this.#module = module;
    this.#heap = heap;
    this.size = cores() === 1 ? 1 : Math.max(1, Math.min(size, MAX_THREADS));
    this.rowTile = this.#exports.rowTile();
  }

  run(kernel: Kernel, { tasks, words, cost, scratch = 0 }: Job): void {
    if (tasks <= 0) return;
    this.#ensureScratch(scratch);
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
    const isShared = this.size > 1 && tasks > 1 && cost > this.#minSharedCost(control) && !this.#closing;
    if (isShared) this.#start(control);
    this.workerTasks += tasks - this.#exports.work(0);
    if (isShared) this.#finish(control);
  }

  /** Stops the workers. Until they have ended, the calling thread runs jobs alone; a later job starts new ones. */
  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  async #stop(): Promise<void> {
    await Promise.all((this.#workers ?? []).map((worker) => worker.stop()));
    this.#workers = null;
    this.#closing = null;
    // A worker that was stopped just as it woke up is still counted as active, and the next job would wait for it.
    const control = this.#heap.ints(0, CONTROL_END / 4);
    Atomics.store(control, ACTIVE, 0);
    Atomics.store(control, ASLEEP, 0);
  }

  #minSharedCost(control: Int32Array): number {
    const isAwake = this.#workers !== null && Atomics.load(control, ASLEEP) === 0;
    return isAwake ? MIN_SHARED_COST.awake : MIN_SHARED_COST.asleep;
  }

  #start(control: Int32Array): void {
    this.#workers ??= Array.from({ length: this.size - 1 }, (_, i) =>
      startThread(WORKER, { module: this.#module, memory: this.#heap.memory, thread: i + 1 }),
    );
    Atomics.store(control, OPEN, 1);
    Atomics.add(control, GENERATION, 1);
    if (Atomics.load(control, ASLEEP) > 0) Atomics.notify(control, GENERATION);
  }

  /** Waits for workers that are still running tasks. The calling thread has found no task left to start. */
  #finish(control: Int32Array): void {
    Atomics.store(control, OPEN, 0);
    for (let spins = 0; ; spins++) {
      const active = Atomics.load(control, ACTIVE);
      if (active === 0) return;
      if (spins > 1000 && this.#mayBlock) this.#block(control, active);
    }
  }

  #block(control: Int32Array, active: number): void {
    try {
      Atomics.wait(control, ACTIVE, active, 1);
    } catch {
      this.#mayBlock = false; // the main thread of a page must not block
    }
  }

  #ensureScratch(scratch: number): void {
    if (scratch <= this.#scratch.size) return;
    const size = Math.ceil(scratch / 64) * 64;
    if (this.#scratch.at > 0) this.#heap.free(this.#scratch.at);
    this.#scratch = { at: 0, size: 0 }; // in case the next line throws
    this.#scratch = { at: this.#heap.allocate(size * this.size), size };
  }
}
