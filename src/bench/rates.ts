// Rates of the matrix product and of attention.
import type { Backend } from "../kernels/backend.ts";
import { matmul } from "../kernels/matmul.ts";
import { run } from "../kernels/replay.ts";
import { attention } from "../nn/attention/attention.ts";
import { Bug } from "../tensor/errors.ts";
import { generator } from "../tensor/random.ts";
import { type Shape, sizeOf, Tensor, view } from "../tensor/tensor.ts";
import { FULL, type KernelName, QUICK } from "./shapes.ts";
import { measureTarget, type Target, type TargetName } from "./target.ts";
import { secondsOf, type TimingOptions } from "./timing.ts";

export interface Rate extends TargetName {
  readonly shape: Shape;
  readonly gflops: number;
}

/** Numbers in ±1, always the same. */
export function operand(length: number, seed: number): Float32Array<ArrayBuffer> {
  const { uniform } = generator(seed);
  return Float32Array.from({ length }, () => 2 * uniform() - 1);
}

const tensorOf = (shape: Shape, seed: number): Tensor =>
  new Tensor(shape, view(operand(sizeOf(shape), seed), shape));

const SAMPLES = 64;
const UNIT = 2 ** -24;

/** A list that may read its numbers from somewhere else. */
interface Indexed {
  readonly length: number;
  at(i: number): number | undefined;
}

/**
 * Compares elements of c = a b, corners included, with the sum itself, within the error bound of float32, k·u/(1 − k·u) · Σ |a||b|.
 * All three are flat and row-major; the shape is [m, k, n]. Throws a Bug that names `target` and the element.
 */
export function checkProduct(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  c: Indexed,
  [m = 0, k = 0, n = 0]: Shape,
  target: string,
): void {
  if (c.length !== m * n) throw new Bug(`${target} computed ${c.length} elements instead of ${m * n}`);
  for (let sample = 0; sample < SAMPLES; sample++) {
    const [i, j] = sample < 4 ? [(sample & 1) * (m - 1), (sample >> 1) * (n - 1)] : [];
    const row = i ?? (sample * 7919) % m;
    const column = j ?? (sample * 6271) % n;
    let [sum, size] = [0, 0];
    for (let p = 0; p < k; p++) {
      const term = (a[row * k + p] ?? NaN) * (b[p * n + column] ?? NaN);
      sum += term;
      size += Math.abs(term);
    }
    const actual = c.at(row * n + column) ?? NaN;
    if (!(Math.abs(actual - sum) <= ((k * UNIT) / (1 - k * UNIT)) * size)) {
      const element = `C[${row}, ${column}] of ${m} × ${k} × ${n}`;
      throw new Bug(`${target} computed a wrong product: ${element} is ${actual} instead of ${sum}`);
    }
  }
}

/** GFLOP/s of a product whose result has been checked. */
async function productRate(backend: Backend, shape: Shape, timing: TimingOptions): Promise<number> {
  const [m = 0, k = 0, n = 0] = shape;
  const [a, b] = [tensorOf([m, k], 1), tensorOf([k, n], 2)];
  const c = await matmul(a, b, backend);
  const target = [backend.name, backend.mode].filter(Boolean).join(" ");
  checkProduct(a.flat(), b.flat(), c.flat(), shape, target);
  const seconds = await secondsOf(() => matmul(a, b, backend), timing);
  return kernels.matmul.operations(shape) / seconds / 1e9;
}

async function attentionRate(backend: Backend, shape: Shape, timing: TimingOptions): Promise<number> {
  const [h = 0, l = 0, s = 0, d = 0] = shape;
  const inputs = { q: tensorOf([h, l, d], 1), k: tensorOf([h, s, d], 2), v: tensorOf([h, s, d], 3) };
  const scope = () => attention({}, inputs.q, inputs.k, inputs.v, { mayAttend: null, emptyRow: "zero" });
  const seconds = await secondsOf(() => run(backend, scope, { inputs }), timing);
  return kernels.attention.operations(shape) / seconds / 1e9;
}

interface Kernel {
  /** Its name in progress reports. */
  readonly title: string;
  readonly operations: (shape: Shape) => number;
  readonly rate: (backend: Backend, shape: Shape, timing: TimingOptions) => Promise<number>;
}

export const kernels: Readonly<Record<KernelName, Kernel>> = {
  matmul: { title: "product", operations: (shape) => 2 * sizeOf(shape), rate: productRate },
  attention: { title: "attention", operations: (shape) => 4 * sizeOf(shape), rate: attentionRate },
};

export interface BenchOptions {
  readonly quick: boolean;
  readonly timing: TimingOptions;
  /** Called with a line of progress. */
  readonly progress: (line: string) => void;
}

/** The rates of one target over all shapes. */
export function rates(
  kernel: KernelName,
  target: Target,
  { quick, timing, progress }: BenchOptions,
): Promise<Rate[]> {
  return measureTarget(target, async (backend, name) => {
    const results: Rate[] = [];
    for (const shape of (quick ? QUICK : FULL)[kernel]) {
      const gflops = await kernels[kernel].rate(backend, shape, timing);
      results.push({ ...name, shape, gflops });
      const target = [name.backend, name.mode].filter(Boolean).join(" ");
      progress(
        `${kernel} ${shape.join("×")} ${target}, threads: ${name.threads}: ${gflops.toFixed(1)} GFLOP/s`,
      );
    }
    return results;
  });
}
