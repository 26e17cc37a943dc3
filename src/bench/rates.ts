// Rates of the product and of attention over a range of shapes.
import type { Backend } from "../kernels/backend.ts";
import { matmul } from "../kernels/matmul.ts";
import { run } from "../kernels/replay.ts";
import { attention } from "../nn/attention/attention.ts";
import { Bug } from "../tensor/errors.ts";
import { generator } from "../tensor/random.ts";
import { flat, type Shape, sizeOf, Tensor, view } from "../tensor/tensor.ts";
import { modeOf, type Target } from "./target.ts";
import { secondsOf, type TimingOptions } from "./timing.ts";

export interface Rate {
  readonly backend: string;
  readonly mode: string | null;
  readonly threads: number;
  readonly shape: Shape;
  readonly gflops: number;
}

/** [m, k, n]: square ones for the picture of speed over size, an odd one, and what models ask for. */
export const PRODUCTS: readonly Shape[] = [
  [64, 64, 64],
  [128, 128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [768, 768, 768],
  [1024, 1024, 1024],
  [1021, 509, 257],
  [512, 1024, 4096],
  [1, 1024, 4096],
];
/** [heads, queries, keys, width]. */
export const ATTENTIONS: readonly Shape[] = [
  [8, 64, 64, 64],
  [8, 256, 256, 64],
  [8, 512, 512, 64],
  [8, 1024, 1024, 64],
  [8, 512, 128, 64],
];
export const QUICK_PRODUCTS: readonly Shape[] = [
  [64, 64, 64],
  [33, 17, 21],
];
export const QUICK_ATTENTIONS: readonly Shape[] = [[2, 24, 24, 16]];

/** Uniform in ±1, the same every time. */
function random(shape: Shape, seed: number): Tensor {
  const { uniform } = generator(seed);
  return new Tensor(
    shape,
    view(
      Float32Array.from({ length: sizeOf(shape) }, () => 2 * uniform() - 1),
      shape,
    ),
  );
}

const SAMPLES = 64;
const UNIT = 2 ** -24;

/** Holds some elements of a product to the sum itself, within what float32 may lose: k·u/(1 − k·u) · Σ |a||b|. */
export function checkProduct(a: Tensor, b: Tensor, c: Tensor, who: string): void {
  const [m = 0, k = 0] = a.shape;
  const n = b.shape[1] ?? 0;
  const [x, y, z] = [a, b, c].map((t) => flat(t.data));
  const at = (values: typeof x, i: number): number => values?.[i] ?? NaN;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const [i, j] = sample < 4 ? [(sample & 1) * (m - 1), (sample >> 1) * (n - 1)] : [];
    const row = i ?? (sample * 7919) % m;
    const column = j ?? (sample * 6271) % n;
    let [sum, size] = [0, 0];
    for (let p = 0; p < k; p++) {
      const term = at(x, row * k + p) * at(y, p * n + column);
      sum += term;
      size += Math.abs(term);
    }
    const error = Math.abs(at(z, row * n + column) - sum);
    if (!(error <= ((k * UNIT) / (1 - k * UNIT)) * size)) {
      const where = `C[${row}, ${column}] of ${m} × ${k} × ${n}`;
      throw new Bug(`${who} got ${where} wrong: ${at(z, row * n + column)} instead of ${sum}`);
    }
  }
}

/** Billions of operations a second. */
async function productRate(backend: Backend, shape: Shape, patience: TimingOptions): Promise<number> {
  const [m = 0, k = 0, n = 0] = shape;
  const [a, b] = [random([m, k], 1), random([k, n], 2)];
  const who = [backend.name, backend.mode].filter(Boolean).join(" ");
  checkProduct(a, b, await matmul(a, b, backend), who);
  const seconds = await secondsOf(() => matmul(a, b, backend), patience);
  return productOperations(shape) / seconds / 1e9;
}

async function attentionRate(backend: Backend, shape: Shape, patience: TimingOptions): Promise<number> {
  const [h = 0, l = 0, s = 0, d = 0] = shape;
  const inputs = { q: random([h, l, d], 1), k: random([h, s, d], 2), v: random([h, s, d], 3) };
  const scope = () => attention({}, inputs.q, inputs.k, inputs.v, { mayAttend: null, emptyRow: "zero" });
  const seconds = await secondsOf(() => run(backend, scope, { inputs }), patience);
  return attentionOperations(shape) / seconds / 1e9;
}

const productOperations = (shape: Shape): number => 2 * sizeOf(shape);
const attentionOperations = (shape: Shape): number => 4 * sizeOf(shape);

export const parts = {
  matmul: { rate: productRate, operations: productOperations, full: PRODUCTS, quick: QUICK_PRODUCTS },
  attention: {
    rate: attentionRate,
    operations: attentionOperations,
    full: ATTENTIONS,
    quick: QUICK_ATTENTIONS,
  },
} as const;

/** The rates of one backend, opened and closed here. */
export async function rates(
  part: keyof typeof parts,
  { backend: name, threads, open }: Target,
  { quick, patience }: { readonly quick: boolean; readonly patience: TimingOptions },
  say: (what: string) => void,
): Promise<Rate[]> {
  const { rate, full, quick: few } = parts[part];
  const backend = await open();
  const mode = modeOf(backend);
  const found: Rate[] = [];
  try {
    for (const shape of quick ? few : full) {
      const gflops = await rate(backend, shape, patience);
      found.push({ backend: name, mode, threads, shape, gflops });
      say(
        `${part} ${shape.join("×")} ${name} ${mode ?? ""} ${threads} threads: ${gflops.toFixed(1)} GFLOP/s`,
      );
    }
  } finally {
    await backend.close();
  }
  return found;
}
