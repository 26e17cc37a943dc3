// The peak of one thread. No kernel in WebAssembly can be faster, so the ratio of a kernel's rate to it is the share of the machine that it
// uses.
import { peakLoop } from "../kernels/simd/index.ts";

const REPEATS = 3;

/** The best of a few runs, in GFLOP/s; 0 where the engine has no SIMD. */
export async function peakGflops(
  loops: number,
  clock: () => number = () => performance.now(),
): Promise<number> {
  const loop = await peakLoop();
  if (!loop) return 0;
  loop.run(loops >> 3); // compiled with optimisations from here on
  let best = 0;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const since = clock();
    loop.run(loops);
    best = Math.max(best, (loops * loop.operations) / (1e6 * (clock() - since)));
  }
  return best;
}
