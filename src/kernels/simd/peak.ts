// The loop that measures the peak FLOP/s of one thread (assembly/peak.as.ts).
import { RELAXED, SIMD } from "./bytes.ts";
import { fromBase64 } from "./engine.ts";

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
