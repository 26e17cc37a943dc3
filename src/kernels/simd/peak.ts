// The limits of a machine, which benchmarks report beside rates: the peak FLOP/s of one thread, and how fast memory is read
// (assembly/peak.as.ts).
import { RELAXED, SIMD } from "./bytes.ts";
import { Engine, fromBase64 } from "./engine.ts";

/** x · FACTOR + SUMMAND has the fixed point 1, so the vectors neither overflow nor become subnormal. */
export const [FACTOR, SUMMAND] = [0.999, 0.001];

export interface PeakLoop {
  /** Floating-point operations of one iteration. */
  readonly operations: number;
  /** Runs the iterations on the calling thread and returns a sum that depends on all of them. */
  readonly run: (loops: number) => number;
}

interface Exports {
  peakOperations(): number;
  peak(loops: number, factor: number, summand: number): number;
}

/** null if the JavaScript engine has no SIMD. `relaxed`: with fused multiply-add, if the engine supports it. */
export async function peakLoop({ relaxed = true } = {}): Promise<PeakLoop | null> {
  const bytes = (relaxed ? [RELAXED, SIMD] : [SIMD])
    .map(fromBase64)
    .find((code) => WebAssembly.validate(code));
  if (!bytes) return null;
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
  const { peak, peakOperations } = instance.exports as unknown as Exports;
  return { operations: peakOperations(), run: (loops) => peak(loops, FACTOR, SUMMAND) };
}

/** Bytes that one task reads. */
const PART = 2 ** 20;

export interface MemorySweep {
  readonly bytes: number;
  /** Reads all of the bytes once, on all threads, and returns the sum of the numbers there, which are ones. */
  readonly run: () => number;
  readonly close: () => Promise<void>;
}

/** Memory of at least as many bytes, to be read. null if the JavaScript engine has no SIMD. */
export async function memorySweep(least: number, threads?: number): Promise<MemorySweep | null> {
  if (!Engine.runs()) return null;
  const engine = await Engine.open({ threads });
  const tasks = Math.ceil(least / PART);
  const at = engine.heap.allocate(tasks * PART);
  const sums = engine.heap.allocate(16 * tasks);
  engine.heap.floats(at, (tasks * PART) / 4).fill(1); // pages that were never written may all be the same one
  const run = () => {
    engine.threads.run("sweep", { tasks, words: [at, PART, sums], cost: tasks * PART });
    return engine.heap.floats(sums, 4 * tasks).reduce((sum, x) => sum + x, 0);
  };
  return { bytes: tasks * PART, run, close: () => engine.threads.close() };
}
