// Single ops on a graphics card, or on the fake of it: operands are uploaded, the result is downloaded, and all buffers are freed.

import type { Launcher } from "../../../../src/kernels/gpu/device-modes/launcher.ts";
import { attention, einsum } from "../../../../src/kernels/gpu/device-modes/ops/products.ts";
import { ndArray } from "../../../../src/tensor/ops/elementwise.ts";
import type { Mask } from "../../../../src/tensor/ops/table.ts";
import { flat, type Shape, type View, view } from "../../../../src/tensor/tensor.ts";
import type { AttentionCase } from "../../oracles/attention.ts";

export type Numbers = readonly number[];

/** Uploads the inputs, computes, downloads the result, and frees everything. */
export async function computed(
  { buffers }: Launcher,
  inputs: readonly View[],
  work: (...views: View[]) => Promise<View>,
): Promise<Float32Array> {
  const held: View[] = [];
  const register = (v: View): View => {
    held.push(v);
    return v;
  };
  try {
    const uploaded: View[] = [];
    for (const v of inputs) uploaded.push(register(await buffers.upload(v)));
    return Float32Array.from(flat(await buffers.copyOut(register(await work(...uploaded)))));
  } finally {
    for (const v of held) buffers.free(buffers.blockOf(v.data) ?? 0);
  }
}

const floats = (values: Numbers, shape: Shape): View => view(Float32Array.from(values), shape);

/** C[z, i, j] = Σₚ A[z, i, p] B[z, p, j], row-major. */
export function productOn(
  launcher: Launcher,
  [z, m, k, n]: readonly [number, number, number, number],
  a: Numbers,
  b: Numbers,
): Promise<Float32Array> {
  const pattern = "z m k, z k n -> z m n";
  return computed(launcher, [floats(a, [z, m, k]), floats(b, [z, k, n])], (a, b) =>
    einsum(launcher, pattern, a, b),
  );
}

/** 1 + 1 by a kernel of its own: one that reads every n-th element. */
export async function sumWithStride(launcher: Launcher, n: number): Promise<number> {
  const sum = await computed(launcher, [floats(Array(2 * n).fill(1), [2, n])], (ones) => {
    const column = ndArray(ones).pick(null, 0);
    return einsum(launcher, "p, p -> ", column, column);
  });
  return sum[0] ?? NaN;
}

export function attendOn(launcher: Launcher, c: AttentionCase): Promise<Float32Array> {
  const [z, l, s, d, e] = c.size;
  const mask = (bits: Numbers | null, stride: readonly number[]): Mask | null =>
    bits && { data: Uint8Array.from(bits), shape: [z, l, s], stride, offset: 0 };
  const attrs = {
    emptyRow: c.emptyRow,
    mayAttend: mask(c.mayAttend, [0, s, 1]),
    postSoftmaxMask: mask(c.keptRows, [0, 1, 0]),
  };
  const inputs = [floats(c.q, [z, l, d]), floats(c.k, [z, s, d]), floats(c.v, [z, s, e])];
  if (c.bias) inputs.push(floats(c.bias.values, c.bias.shape));
  return computed(launcher, inputs, (...views) => {
    const [q, k, v, bias] = views as [View, View, View, View?];
    return attention(launcher, attrs, bias ? { q, k, v, bias } : { q, k, v });
  });
}
