// The SIMD kernels and the measurement: a script of its own, loaded with the first measurement.
import { cores } from "#host";
import { PAGE, QUICK } from "../../bench/shapes.ts";
import type { Target } from "../../bench/target.ts";
import { simd, simdRuns } from "../../kernels/simd/index.ts";

export { firstResult } from "./first.ts";
export { measure } from "./measure.ts";
export { simdRuns };

/** One thread, and all threads where the page has several. */
export const simdTargets = (): Target[] =>
  [...new Set([1, cores()])].map((threads) => ({
    backend: "simd",
    threads,
    open: () => simd({ threads }),
  }));

export const full = {
  shapes: PAGE,
  timing: { runs: 3, seconds: 0.5, least: 0.02 },
  loops: 10_000_000,
};
/** Small shapes, to test that everything works. */
export const quick = {
  shapes: QUICK,
  timing: { runs: 2, seconds: 0, least: 0.002 },
  loops: 1_000_000,
};
