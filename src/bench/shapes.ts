// The shapes that are measured, by `flamboyance bench`, by the speed page and by docs/benchmarks.
import type { Shape } from "../tensor/tensor.ts";

export const KERNELS = ["matmul", "attention"] as const;
export type KernelName = (typeof KERNELS)[number];

/** matmul: [m, k, n]. attention: [heads, queries, keys, width]. */
export type Shapes = Readonly<Record<KernelName, readonly Shape[]>>;

const square = (n: number): Shape => [n, n, n];

/** Squares for speed over size, a shape that no tile divides, a feed-forward layer's product, and that of one decoding step. */
export const FULL: Shapes = {
  matmul: [
    ...[64, 128, 256, 512, 768, 1024].map(square),
    [1021, 509, 257],
    [512, 1024, 4096],
    [1, 1024, 4096],
  ],
  attention: [...[64, 256, 512, 1024].map((n) => [8, n, n, 64]), [8, 512, 128, 64]],
};

/** Fewer shapes, for the page: smaller ones first, because a slow backend leaves out the larger ones. */
export const PAGE: Shapes = {
  matmul: [...[128, 256, 512, 1024].map(square), [1, 1024, 4096]],
  attention: FULL.attention.slice(1),
};

/** Small shapes, to test that everything works. */
export const QUICK: Shapes = {
  matmul: [square(64), [33, 17, 21]],
  attention: [[2, 24, 24, 16]],
};
