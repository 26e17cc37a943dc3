// Ops on a graphics card, or on what pretends to be one, against their definitions: how far the worst element is off.
import type { onDevice } from "../../../src/kernels/gpu/device-modes/backend.ts";
import { ruleOf } from "../../../src/tensor/ops/rules.ts";
import { flat, type View, view } from "../../../src/tensor/tensor.ts";
import { type AnyExample, type Extent, rows } from "../oracles/ops.ts";
import {
  type Layout,
  laidOut,
  listing,
  numbers,
  randomIds,
  randomMask,
  stridedReader,
} from "../properties/arbitraries.ts";
import { computed } from "./gpu-ops.ts";

type OnCard = ReturnType<typeof onDevice>;
type AnyKernel = (attrs: object, ...inputs: View[]) => Promise<View>;
const kernelOf = (backend: OnCard, op: string): AnyKernel =>
  backend.ops[op as keyof OnCard["ops"]] as unknown as AnyKernel;

/** Rows of the table of examples for whose ops the backend has kernels. */
export const examplesOf = (backend: OnCard): number[] =>
  [...rows.keys()].filter((i) => rows[i] && rows[i].op in backend.ops);

export interface Placed {
  readonly row: number;
  readonly extent: Extent;
  readonly seed: number;
  /** How operands, and masks or ids, lie. */
  readonly layout: Layout;
  readonly hostLayout: Layout;
}

/** The worst error of an example, relative to 1 or to the expected number where that is larger. Wrong shapes are infinitely wrong. */
export async function exampleError(
  backend: OnCard,
  { row, extent, seed, layout, hostLayout }: Placed,
): Promise<number> {
  const { op, make } = rows[row] ?? (rows[0] as NonNullable<(typeof rows)[0]>);
  const example: AnyExample = make(extent, {
    mask: (shape) => randomMask(shape, seed, hostLayout),
    ids: (shape, n) => randomIds(shape, n, seed, hostLayout),
  });
  const given = example.inputs.map((shape, i) =>
    laidOut(Float32Array, Number.NaN, shape, layout, numbers(seed + i, example.domain)),
  );
  const lying = given.map(({ data }) => view(data, [data.length]));
  let shape: readonly number[] = [];
  const actual = await computed(backend.launcher, lying, async (...there) => {
    const views = given.map((g, i) => view(there[i]?.data ?? g.data, g.shape, g.stride, g.offset));
    const out = await kernelOf(backend, op)(example.attrs, ...views);
    shape = out.shape;
    return out;
  });
  const at = given.map(stridedReader);
  const expected = listing(example.shape, (i) => example.element(i, ...at));
  if (`${shape}` !== `${example.shape}`) return Infinity;
  return worst(actual, expected, (x) => Math.max(1, Math.abs(x)));
}

/** Units of 2⁻²⁴ that an op may be off: of the definition's result, and of what it is made of. */
const UNITS = {
  neg: [0, () => 0],
  sqrt: [4, () => 0],
  exp: [4, () => 0],
  tanh: [4, () => 0],
  sigmoid: [6, () => 0],
  gelu: [2, (x: number) => 3 * Math.min(Math.abs(x), 6)],
  geluGrad: [8, () => 8],
  sin: [0, () => 3],
  cos: [0, () => 3],
} as const satisfies Record<string, [number, (x: number) => number]>;
export const FUNCTION_NAMES = Object.keys(UNITS) as (keyof typeof UNITS)[];

/** What is easily wrong: zeros, infinities, NaN, and where eˣ leaves float32. */
const EXTREMES = [0, -0, Infinity, -Infinity, NaN, 88.72, 88.73, -87.3, -87.4, -104, 0.6249, 0.6251];
/** Below it a result is zero on some cards. */
const SMALLEST = 2 ** -126;

/** The worst error of an op over numbers of every size that matters, in units of what is allowed. */
export async function functionError(backend: OnCard, op: keyof typeof UNITS): Promise<number> {
  const sizes = [0.01, 1, 15, 100, ...(op === "sin" || op === "cos" ? [1e4, 2 ** 20] : [])];
  const ranges = sizes.flatMap((size) => {
    const next = numbers(size, (x) => (op === "sqrt" ? Math.abs(x) : x) * size);
    return Array.from({ length: 2000 }, next);
  });
  const huge = op === "sin" || op === "cos" ? [] : [3e38, -3e38]; // where a turn is less than a step of float32
  const given = [...ranges, ...EXTREMES, ...huge];
  const x = view(Float32Array.from(given), [given.length]);
  const actual = await computed(backend.launcher, [x], (v) => kernelOf(backend, op)({}, v));
  const expected = Array.from(flat(ruleOf(op).compute({}, x)));
  const [units, more] = UNITS[op];
  return Math.max(
    ...expected.map((y, i) => {
      const exact = Number.isFinite(Math.fround(y)) ? y : Math.fround(y);
      return worst(
        [actual[i] ?? 0],
        [exact],
        () => 2 ** -24 * (units * Math.abs(y) + more(x.get(i))) + SMALLEST,
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
