// Broken kernels: each fails beyond the first block of its work only.
import type { BrokenBuild } from "./change.ts";

const ATTENTION = "src/kernels/simd/assembly/attention.as.ts";
const GRADIENT = "src/kernels/simd/assembly/attention-vjp.as.ts";
const manyKeys = ["masked-cross-attention--many-keys", "masked-cross-attention--many-keys-all-previous"];
const gradients = [
  "masked-cross-attention--gradients-many-keys",
  "perceiver-attention--gradients-many-keys",
  "parallel-transformer-block--gradients-many-tokens",
];
const wide = ["feed-forward--wide"];

export const kernels: readonly BrokenBuild[] = [
  {
    mistake: "attention computes the first 24 queries",
    path: "src/kernels/simd/ops/attention.ts",
    before: "const tasks = batch * Math.ceil(l / QUERIES);",
    after: "const tasks = batch;",
    noticedBy: [
      "masked-cross-attention--many-keys",
      "perceiver-attention--many-keys",
      "parallel-transformer-block--many-tokens",
      "vit--many-patches",
    ],
    backend: "simd",
  },
  {
    mistake: "attention does not rescale earlier blocks of keys",
    path: ATTENTION,
    before: "if (by != 1) scale(out",
    after: "if (false) scale(out",
    noticedBy: manyKeys,
    backend: "simd",
  },
  {
    mistake: "attention does not rescale the sum of earlier blocks of keys",
    path: ATTENTION,
    before: "load<f32>(state, 4) * by + sum",
    after: "load<f32>(state, 4) + sum",
    noticedBy: manyKeys,
    backend: "simd",
  },
  {
    mistake: "attention reads the first block's mask for every block of keys",
    path: ATTENTION,
    before: "<isize>i * <i32>argument(11) + from : 0",
    after: "<isize>i * <i32>argument(11) : 0",
    noticedBy: manyKeys,
    backend: "simd",
  },
  {
    mistake: "attention skips a masked block of keys although other rows average it",
    path: ATTENTION,
    before: "if (mask && finite && !fixed && !anyAllowed",
    after: "if (mask && finite && from > 0 && !anyAllowed",
    noticedBy: ["masked-cross-attention--many-keys-all-previous"],
    backend: "simd",
  },
  {
    mistake: "scores are summed over the last part of a head beyond 1,024 features",
    path: ATTENTION,
    before: "to, <usize>line << 2, p > 0)",
    after: "to, <usize>line << 2, false)",
    noticedBy: ["masked-cross-attention--wide-head", "perceiver-attention--wide-head"],
    backend: "simd",
  },
  {
    mistake: "attention's gradient takes the first 48 queries for all",
    path: GRADIENT,
    before: "product(panel, queries, l, wideD, top, rows, j,",
    after: "product(panel, queries, l, wideD, 0, rows, j,",
    noticedBy: gradients,
    backend: "simd",
  },
  {
    mistake: "attention's gradient keeps the values' gradient of the last 48 queries",
    path: GRADIENT,
    before: "dv + (<usize>(i * wideE + j) << 2), true)",
    after: "dv + (<usize>(i * wideE + j) << 2), top == 0)",
    noticedBy: gradients,
    backend: "simd",
  },
  {
    mistake: "a product keeps the last part of a sum beyond 1,024 terms",
    path: "src/kernels/simd/assembly/product.as.ts",
    before: "panel, d, at, <usize>n << 2, k > 0)",
    after: "panel, d, at, <usize>n << 2, false)",
    noticedBy: wide,
    backend: "simd",
  },
  {
    mistake: "the edge of a product keeps the last part of a sum beyond 1,024 terms",
    path: "src/kernels/simd/assembly/product.as.ts",
    before: "min(WIDTH, n - j), n, k > 0)",
    after: "min(WIDTH, n - j), n, false)",
    noticedBy: wide,
    backend: "simd",
  },
  {
    mistake: "a product computes the first 96 rows",
    path: "src/kernels/simd/ops/product.ts",
    before: "batch * Math.ceil(m / HIGH) * Math.ceil(n / wide)",
    after: "batch * Math.ceil(n / wide)",
    noticedBy: wide,
    backend: "simd",
  },
  {
    mistake: "a product of one row computes the first 64 columns",
    path: "src/kernels/simd/ops/product.ts",
    before: "{ tasks: Math.ceil(n / wide), words",
    after: "{ tasks: 1, words",
    noticedBy: ["flamingo-palm--text-one-token"],
    backend: "simd",
  },
  {
    mistake: "elementwise operations end after 16,384 elements",
    path: "src/kernels/simd/ops/elementwise.ts",
    before: "* Math.ceil(n / CHUNK);",
    after: "* 1;",
    noticedBy: wide,
    backend: "simd",
  },
  {
    mistake: "elementwise operations end after 512 elements of a row",
    path: "src/kernels/simd/assembly/elementwise.as.ts",
    before: "j < to; j += STRIP) {",
    after: "j < min(to, STRIP); j += STRIP) {",
    noticedBy: ["swiglu--wide", "palm-layer-norm--wide-offset"],
    backend: "simd",
  },
  {
    mistake: "the product on gpu.js computes the first 1,024 columns",
    path: "src/kernels/gpu/host-modes/matmul.ts",
    before: "first < columns; first += STRIP",
    after: "first < Math.min(columns, STRIP); first += STRIP",
    noticedBy: wide,
    backend: "gpu cpu",
  },
  {
    mistake: "the softmax on gpu.js ends after 128 keys",
    path: "src/kernels/gpu/host-modes/attention.ts",
    before: "for (let j = 0; j < columns.length; j++)",
    after: "for (let j = 0; j < Math.min(columns.length, 128); j++)",
    noticedBy: [
      "masked-cross-attention--many-keys",
      "masked-cross-attention--many-keys-all-previous",
      "perceiver-attention--many-keys",
      "parallel-transformer-block--many-tokens",
    ],
    backend: "gpu cpu",
  },
];
