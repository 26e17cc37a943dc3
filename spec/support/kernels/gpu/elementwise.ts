// The largest error of ops on a graphics card, or on the fake of it, compared with their definitions.

import type { deviceBackend } from "../../../../src/kernels/gpu/device-modes/backend.ts";
import { ndArray } from "../../../../src/tensor/ops/elementwise.ts";
import { ruleOf } from "../../../../src/tensor/ops/rules.ts";
import { flat, type View, view, viewOf } from "../../../../src/tensor/tensor.ts";
import { type AnyExample, type Extent, rows } from "../../oracles/ops.ts";
import {
  type Layout,
  laidOut,
  listing,
  numbers,
  randomIds,
  randomMask,
  stridedReader,
} from "../../properties/arbitraries.ts";
import { computed } from "./ops.ts";

type DeviceBackend = ReturnType<typeof deviceBackend>;
type AnyKernel = (attrs: object, ...inputs: View[]) => Promise<View>;
const kernelOf = (backend: DeviceBackend, op: string): AnyKernel =>
  backend.ops[op as keyof DeviceBackend["ops"]] as unknown as AnyKernel;

/** Rows of the table of examples whose ops have kernels in the backend. */
export const examplesOf = (backend: DeviceBackend): number[] =>
  [...rows.keys()].filter((i) => rows[i] && rows[i].op in backend.ops);

export interface ExampleRun {
  readonly row: number;
  readonly extent: Extent;
  readonly seed: number;
  /** The layouts of operands, and of masks or ids. */
  readonly layout: Layout;
  readonly hostLayout: Layout;
}

/** The largest error of an example, relative to the expected number or 1, whichever is larger; infinite for a wrong shape. */
export async function exampleError(
  backend: DeviceBackend,
  { row, extent, seed, layout, hostLayout }: ExampleRun,
): Promise<number> {
  const { op, make } = rows[row] ?? (rows[0] as NonNullable<(typeof rows)[0]>);
  const example: AnyExample = make(extent, {
    mask: (shape) => randomMask(shape, seed, hostLayout),
    ids: (shape, n) => randomIds(shape, n, seed, hostLayout),
  });
  const operands = example.inputs.map((shape, i) =>
    laidOut(Float32Array, Number.NaN, shape, layout, numbers(seed + i, example.domain)),
  );
  const arrays = operands.map(({ data }) => view(data, [data.length]));
  let shape: readonly number[] = [];
  const actual = await computed(backend.launcher, arrays, async (...uploaded) => {
    const views = operands.map((g, i) => viewOf(uploaded[i]?.data ?? g.data, g.shape, g.stride, g.offset));
    const out = await kernelOf(backend, op)(example.attrs, ...views);
    shape = out.shape;
    return out;
  });
  const readers = operands.map(stridedReader);
  const expected = listing(example.shape, (i) => example.element(i, ...readers));
  if (`${shape}` !== `${example.shape}`) return Infinity;
  return worst(actual, expected, (x) => Math.max(1, Math.abs(x)));
}

/** The allowed error of an op in units of 2⁻²⁴: relative to its result, and an amount that depends on its argument. */
const UNITS = {
  neg: [0, () => 0],
  sqrt: [4, () => 0],
  exp: [4, () => 0],
  tanh: [4, () => 0],
  sigmoid: [6, () => 0],
  gelu: [2, (x: number) => 3 * Math.min(Math.abs(x), 6)],
  geluGrad: [8, () => 8],
  relu: [0, () => 0],
  positive: [0, () => 0],
  log: [4, () => 0],
  sin: [0, () => 3],
  cos: [0, () => 3],
} as const satisfies Record<string, [number, (x: number) => number]>;
export const FUNCTION_NAMES = Object.keys(UNITS) as (keyof typeof UNITS)[];

/** Zeros, infinities, NaN, and arguments at which eˣ leaves the range of float32 or tanh changes its formula. */
const EXTREMES = [0, -0, Infinity, -Infinity, NaN, 88.72, 88.73, -87.3, -87.4, -104, 0.6249, 0.6251];
/** Smaller results are zero on some cards. */
const SMALLEST = 2 ** -126;

/** The largest error of an op over numbers of all relevant sizes, relative to the allowed error. */
export async function functionError(backend: DeviceBackend, op: keyof typeof UNITS): Promise<number> {
  const sizes = [0.01, 1, 15, 100, ...(op === "sin" || op === "cos" ? [1e4, 2 ** 20] : [])];
  const ranges = sizes.flatMap((size, seed) => {
    const next = numbers(seed, (x) => (op === "sqrt" || op === "log" ? Math.abs(x) : x) * size);
    return Array.from({ length: 2000 }, next);
  });
  // Adjacent float32 numbers of this size are more than 2π apart, so sin and cos of them are arbitrary.
  const huge = op === "sin" || op === "cos" ? [] : [3e38, -3e38];
  const values = [...ranges, ...EXTREMES, ...huge];
  const x = view(Float32Array.from(values), [values.length]);
  const actual = await computed(backend.launcher, [x], (v) => kernelOf(backend, op)({}, v));
  const expected = Array.from(flat(ruleOf(op).compute({}, x)));
  const [units, extra] = UNITS[op];
  return Math.max(
    ...expected.map((y, i) => {
      const exact = Number.isFinite(Math.fround(y)) ? y : Math.fround(y);
      return worst(
        [actual[i] ?? 0],
        [exact],
        () => 2 ** -24 * (units * Math.abs(y) + extra(ndArray(x).get(i))) + SMALLEST,
      );
    }),
  );
}

function worst(actual: ArrayLike<number>, expected: readonly number[], unit: (x: number) => number): number {
  if (actual.length !== expected.length) return Infinity;
  return expected.reduce((most, y, i) => {
    const x = actual[i] ?? 0;
    if (Object.is(x, y) || x === y) return most;
    return Math.max(most, Number.isNaN(x) !== Number.isNaN(y) ? Infinity : Math.abs(x - y) / unit(y));
  }, 0);
}
