// The SIMD kernels and what measures: a script of its own, loaded when a measurement is asked for.
import { cores } from "#host";
import { QUICK_ATTENTIONS, QUICK_PRODUCTS } from "../../bench/rates.ts";
import type { Target } from "../../bench/target.ts";
import { simd, simdRuns } from "../../kernels/simd/index.ts";

export { firstResult } from "./first.ts";
export { measure } from "./measure.ts";
export { simdRuns };

/** On one thread, and on all where a page has several. */
export const simdWays = (): Target[] =>
  [...new Set([1, cores()])].map((threads) => ({
    backend: "simd",
    threads,
    open: () => simd({ threads }),
  }));

/** A few of the benchmark's shapes, small ones first. */
export const full = {
  shapes: {
    matmul: [
      [128, 128, 128],
      [256, 256, 256],
      [512, 512, 512],
      [1024, 1024, 1024],
      [1, 1024, 4096],
    ],
    attention: [
      [8, 256, 256, 64],
      [8, 512, 512, 64],
      [8, 1024, 1024, 64],
      [8, 512, 128, 64],
    ],
  },
  patience: { runs: 3, seconds: 0.5, least: 0.02 },
  loops: 10_000_000,
};
/** To see that it works. */
export const quick = {
  shapes: { matmul: QUICK_PRODUCTS, attention: QUICK_ATTENTIONS },
  patience: { runs: 2, seconds: 0, least: 0.002 },
  loops: 1_000_000,
};
