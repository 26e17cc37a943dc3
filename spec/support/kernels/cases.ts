// Random operands for kernels: numbers, views of every layout, and attention with masks; and the comparison of a result with its bound.
import { expect } from "vitest";
import type { AttentionAttrs, AttentionInputs, Backend } from "../../../src/kernels/backend.ts";
import type { SoftmaxEmptyRow } from "../../../src/tensor/ops/table.ts";
import { offsets, rowMajor, type Shape, sizeOf, type View, view } from "../../../src/tensor/tensor.ts";
import { numbers as float32s, gamma } from "../oracles/attention.ts";

export { gamma, U } from "../oracles/attention.ts";

/** The factor of the bound of a product over k elements, from the equations of 42-simd.md. */
export const productGamma = (k: number): number =>
  gamma(Math.max(0, Math.min(k, 128) + Math.ceil(k / 128) - 1));

/** float32 numbers between −size and size, determined by the seed. */
export const numbers = (n: number, seed: number, size = 1): Float32Array =>
  Float32Array.from(float32s(n, seed * 7919, size));

/** The data as a view of the shape whose layout is chosen by `layout`: with axes in either order, with gaps, or with a repeated axis. */
export function laidOut(shape: Shape, data: Float32Array, layout: number): View {
  if (layout % 5 === 4 && shape.length > 0) {
    const stride = rowMajor([1, ...shape.slice(1)]).map((step, axis) => (axis === 0 ? 0 : step));
    return view(data, shape, stride); // the first axis repeats one row
  }
  const axes = shape.map((_, axis) => axis);
  const order = layout % 2 ? axes.reverse() : axes;
  const gap = layout % 3;
  const stride = new Array<number>(shape.length).fill(0);
  let step = 1;
  for (const axis of order) {
    stride[axis] = step;
    step *= (shape[axis] ?? 1) + gap;
  }
  const out = view(new Float32Array(step + 5), shape, stride, 3);
  for (const [i, offset] of offsets(shape, stride, 3).entries()) out.data[offset] = data[i] ?? 0;
  return out;
}

/** The values of a view, row-major. */
export const valuesOf = (v: View): number[] =>
  [...offsets(v.shape, v.stride, v.offset)].map((i) => Number(v.data[i]));
export const random = (shape: Shape, seed: number, layout = 0, size = 1): View =>
  laidOut(shape, numbers(sizeOf(shape), seed, size), layout);

/** Fills the memory that the next small results will occupy with nonzero numbers. */
export async function fillFreeMemory(backend: Backend): Promise<void> {
  const held: View[] = [];
  const add = async (v?: View | Promise<View>) => void (v && held.push(await v));
  for (let i = 0; i < 2000; i++) await add(backend.ops.addScalar?.({ by: 2 }, random([16], i)));
  for (const v of held) takeValues(backend, v);
}

/** Returns the values of a kernel's result, row-major, and frees it. */
export function takeValues(backend: Backend, v: View): number[] {
  const result = valuesOf(v);
  const block = backend.store?.blockOf(v.data) ?? null;
  if (block !== null) backend.store?.free(block);
  return result;
}
/** Expects every element to be within its bound of the exact value, with infinities and NaN in the same places. */
export function expectWithin(
  actual: readonly number[],
  exact: readonly number[],
  bound: (i: number) => number,
): void {
  expect(actual.length).toBe(exact.length);
  for (const [i, x] of exact.entries()) {
    const y = actual[i] ?? 0;
    const same = Object.is(Math.fround(x), y) || Math.fround(x) === y || Math.abs(x - y) <= bound(i);
    if (!same) expect(`[${i}] ${y}, off by ${Math.abs(x - y)} of ${bound(i)}`).toBe(`[${i}] ${x}`);
  }
}

export const BIASES = ["none", "z l s", "1 l s", "z 1 s", "z l 1", "z 1 1", "l s", "s", ""] as const;

export interface Case {
  readonly size: readonly [z: number, l: number, s: number, d: number, e: number];
  readonly seed: number;
  readonly mask: "none" | "all" | "some" | "causal" | "nothing";
  /** The post-softmax mask. */
  readonly kept: "all" | "rows" | "some";
  readonly emptyRow: SoftmaxEmptyRow;
  /** The axes of the bias. */
  readonly bias: (typeof BIASES)[number];
  readonly layout: number;
  readonly scale: number;
}

/** The operands of a case, and its masks as bytes [z l s]. */
export function operandsOf({ size: [z, l, s, d, e], seed, mask, kept, bias, layout, scale }: Case) {
  const bytes = (f: (row: number, key: number) => boolean) =>
    Uint8Array.from({ length: z * l * s }, (_, i) => Number(f(Math.floor(i / s), i % s)));
  const u = numbers(z * l * s + z * l, seed + 9);
  const allowed = {
    none: () => true,
    all: () => true,
    some: (row: number, key: number) => row % 3 !== 0 && Number(u[row * s + key]) > 0.4,
    causal: (row: number, key: number) => key <= row % Math.max(l, 1),
    nothing: () => false,
  }[mask];
  const keptWeights = {
    all: () => true,
    rows: (row: number) => row % 4 !== 1,
    some: (row: number, key: number) => (row + key) % 3 > 0,
  }[kept];
  const axes = bias.split(" ").filter(Boolean);
  const biasShape = axes.map((name) => ({ z, l, s })[name] ?? 1);
  return {
    bias: bias === "none" ? null : random(biasShape, seed + 5, layout + 3, 2),
    q: random([z, l, d], seed, layout % 4, scale),
    k: random([z, s, d], seed + 1, layout),
    v: random([z, s, e], seed + 2, (layout + 1) % 10),
    mayAttend: mask === "none" ? null : bytes(allowed),
    kept: kept === "all" ? null : bytes(keptWeights),
  };
}

export type Operands = Omit<ReturnType<typeof operandsOf>, "mayAttend" | "kept" | "bias"> & {
  bias: View | null;
  mayAttend: Uint8Array | null;
  kept: Uint8Array | null;
};

/** The inputs of the attention scope. */
export const inputsOf = ({ q, k, v, bias }: Pick<Operands, "q" | "k" | "v" | "bias">): AttentionInputs =>
  bias ? { q, k, v, bias } : { q, k, v };

/** The index, in the row-major values of a bias of this shape, of the element that is added to the score of a row [z l] and a key. */
export function biasIndex({ size: [, l] }: Case, shape: Shape): (row: number, key: number) => number {
  const sizes = [...[1, 1, 1].slice(shape.length), ...shape];
  return (row, key) =>
    [Math.floor(row / l), row % l, key].reduce((at, i, axis) => {
      const n = sizes[axis] ?? 1;
      return at * n + (n === 1 ? 0 : i);
    }, 0);
}

/** The number that is added to the score of a row [z l] and a key. */
export function biasOf(c: Case, bias: View | null): (row: number, key: number) => number {
  if (!bias) return () => 0;
  const [values, index] = [valuesOf(bias), biasIndex(c, bias.shape)];
  return (row, key) => Number(values[index(row, key)]);
}

/** The attributes of the attention scope. */
export function attrsOf({ size: [z, l, s], emptyRow }: Case, { mayAttend, kept }: Operands): AttentionAttrs {
  const mask = (data: Uint8Array | null) =>
    data && { data, shape: [z, l, s], stride: [l * s, s, 1], offset: 0 };
  return { mayAttend: mask(mayAttend), emptyRow, postSoftmaxMask: mask(kept) };
}

/** The case that tests vary. */
export const plain: Case = {
  size: [2, 60, 150, 8, 5],
  seed: 1,
  mask: "some",
  kept: "all",
  emptyRow: "zero",
  bias: "none",
  layout: 0,
  scale: 1,
};
