// Operands for kernels: numbers, views of every kind, attention with its masks; and how a result is held to a bound.
import { expect } from "vitest";
import type { AttentionAttrs } from "../../../src/kernels/attention-attrs.ts";
import type { Backend } from "../../../src/kernels/backend.ts";
import type { EmptyRow } from "../../../src/tensor/ops/table.ts";
import { offsets, rowMajor, type Shape, sizeOf, type View, view } from "../../../src/tensor/tensor.ts";

export const U = 2 ** -24;
export const gamma = (n: number): number => (n * U) / (1 - n * U);

/** float32 numbers in ±size, the same for the same seed. */
export function numbers(n: number, seed: number, size = 1): Float32Array {
  let state = (seed * 7919) | 0;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state / 2 ** 31) * size;
  });
}

/** An array of some shape that lies in another one transposed, with gaps, back to front or repeated. */
export function lying(shape: Shape, data: Float32Array, how: number): View {
  if (how % 5 === 4 && shape.length > 0) {
    const stride = rowMajor([1, ...shape.slice(1)]).map((step, axis) => (axis === 0 ? 0 : step));
    return view(data, shape, stride); // the first axis is one row again and again
  }
  const axes = shape.map((_, axis) => axis);
  const order = how % 2 ? axes.reverse() : axes;
  const gap = how % 3;
  const stride = new Array<number>(shape.length).fill(0);
  let step = 1;
  for (const axis of order) {
    stride[axis] = step;
    step *= (shape[axis] ?? 1) + gap;
  }
  const out = view(new Float32Array(step + 5), shape, stride, 3);
  const places = offsets(shape, stride, 3);
  for (const [i, at] of places.entries()) out.data[at] = data[i] ?? 0;
  return out;
}

export const at = (v: View): number[] =>
  [...offsets(v.shape, v.stride, v.offset)].map((i) => Number(v.data[i]));
export const random = (shape: Shape, seed: number, how = 0, size = 1): View =>
  lying(shape, numbers(sizeOf(shape), seed, size), how);

/** Leaves numbers other than zero wherever the next small result may stand. */
export async function soil(backend: Backend): Promise<void> {
  const held: View[] = [];
  const add = async (v?: Promise<View>) => void (v && held.push(await v));
  for (let i = 0; i < 2000; i++) await add(backend.ops.addScalar?.({ by: 2 }, random([16], i)));
  for (const v of held) told(backend, v);
}

/** Row-major values of a kernel's result, which is freed. */
export function told(backend: Backend, v: View): number[] {
  const result = at(v);
  const block = backend.store?.blockOf(v.data) ?? null;
  if (block !== null) backend.store?.free(block);
  return result;
}
/** Every element within its bound; infinities and NaN where the definition has them. */
export function within(
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

export interface Case {
  readonly size: readonly [z: number, l: number, s: number, d: number, e: number];
  readonly seed: number;
  readonly mask: "none" | "all" | "some" | "causal" | "nothing";
  readonly loud: "all" | "rows" | "some";
  readonly emptyRow: EmptyRow;
  readonly how: number;
  readonly scale: number;
}

/** Operands, and masks as bytes [z l s]; the keys of the second half of z are those of the first, as one head's are. */
export function drawn({ size: [z, l, s, d, e], seed, mask, loud, how, scale }: Case) {
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
  const kept = {
    all: () => true,
    rows: (row: number) => row % 4 !== 1,
    some: (row: number, key: number) => (row + key) % 3 > 0,
  }[loud];
  return {
    q: random([z, l, d], seed, how % 4, scale),
    k: random([z, s, d], seed + 1, how),
    v: random([z, s, e], seed + 2, (how + 1) % 10),
    may: mask === "none" ? null : bytes(allowed),
    kept: loud === "all" ? null : bytes(kept),
  };
}

export type Operands = Omit<ReturnType<typeof drawn>, "may" | "kept"> & {
  may: Uint8Array | null;
  kept: Uint8Array | null;
};

/** The attributes of the scope. */
export function attrsOf({ size: [z, l, s], emptyRow }: Case, { may, kept }: Operands): AttentionAttrs {
  const mask = (data: Uint8Array | null) =>
    data && { data, shape: [z, l, s], stride: [l * s, s, 1], offset: 0 };
  return { mayAttend: mask(may), emptyRow, postSoftmaxMask: mask(kept) };
}

/** A case to vary. */
export const plain: Case = {
  size: [2, 60, 150, 8, 5],
  seed: 1,
  mask: "some",
  loud: "all",
  emptyRow: "zero",
  how: 0,
  scale: 1,
};
