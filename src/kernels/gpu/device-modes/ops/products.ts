// Products and the attention scope on a graphics card.
import { contraction } from "../../../../tensor/ops/einsum.ts";
import { rearrange } from "../../../../tensor/ops/movement.ts";
import { expand } from "../../../../tensor/ops/reductions.ts";
import { axesOf, shapeOf } from "../../../../tensor/pattern.ts";
import { offsets, sizeOf, type View } from "../../../../tensor/tensor.ts";
import type { AttentionAttrs, AttentionInputs } from "../../../backend.ts";
import { reordered } from "../../../reordered.ts";
import { zerosOf } from "../device-buffers.ts";
import { product } from "../kernels/products.ts";
import { type Launcher, layoutKey } from "../launcher.ts";
import { gridOf } from "../offset-tables.ts";
import { binary, unary } from "./elementwise.ts";
import { softmax } from "./rows.ts";

type Names = readonly string[];
type SizeOf = (name: string) => number;

/** A view whose axes have names. */
interface Operand {
  readonly v: View;
  readonly axes: Names;
}

const stridesOf = ({ v, axes }: Operand, names: Names): number[] =>
  names.map((name) => v.stride[axes.indexOf(name)] ?? 0);

/** The stride of several axes traversed as one; null if they have no common stride. */
function joinedStride(operand: Operand, names: Names, size: SizeOf): number | null {
  const wide = names.filter((name) => size(name) !== 1);
  const strides = stridesOf(operand, wide);
  const joins = strides.every((stride, i) => {
    const next = wide[i + 1];
    return next === undefined || stride === (strides[i + 1] ?? 0) * size(next);
  });
  return joins ? (strides.at(-1) ?? 0) : null;
}

/**
 * C[z, i, j] = Σₚ A[z, i, p] B[z, p, j] for any order of axes. An operand is copied only if the axes that are summed over cannot be
 * traversed with one stride.
 */
export async function einsum(launcher: Launcher, pattern: string, a: View, b: View): Promise<View> {
  const { sizes, batch, m, n, k, ...sides } = contraction(pattern, a.shape, b.shape);
  const size: SizeOf = (name) => sizes[name] ?? 1;
  const shape = [batch, m, n].map((names) => sizeOf(names.map(size)));
  const depth = sizeOf(k.map(size));
  if (sizeOf(shape) === 0 || depth === 0) return zerosOf(shapeOf(sides.c, sizes));
  return launcher.withTemporaries(async (temporary) => {
    const withStride = async (v: View, side: string, outer: Names) => {
      const operand = { v, axes: axesOf(side).flat() };
      const stride = joinedStride(operand, k, size);
      if (stride !== null) return { ...operand, stride };
      const axes = [...outer, ...k];
      const view = rearrange.compute({ pattern: `${side} -> ${axes.join(" ")}`, sizes }, v);
      return { v: await temporary(unary(launcher, "copy", view)), axes, stride: 1 };
    };
    const left = await withStride(a, sides.a, [...batch, ...m]);
    const right = await withStride(b, sides.b, [...batch, ...n]);
    const list = (operand: Operand, names: Names, base = 0) =>
      offsets(names.map(size), stridesOf(operand, names), base);
    const lists = () => [
      list(left, batch, left.v.offset),
      list(left, m),
      list(right, batch, right.v.offset),
      list(right, n),
    ];
    const layouts = [left, right].map(({ v, axes }) => `${axes};${layoutKey(v)}`);
    const table = await launcher.table(`product ${pattern} ${layouts.join(" ")}`, lists, [depth]);
    const constants = { strideA: left.stride, strideB: right.stride };
    const operands = [left.v, right.v];
    const c = await launcher.run({ body: product, constants, grid: gridOf(shape), operands, table });
    return reordered(c.data, [...batch, ...m, ...n], axesOf(sides.c).flat(), sizes);
  });
}

/** Scores, softmax and the sum over values. No intermediate result leaves the device. */
export function attention(
  launcher: Launcher,
  attrs: AttentionAttrs,
  { q, k, v, bias }: AttentionInputs,
): Promise<View> {
  return launcher.withTemporaries(async (temporary) => {
    const products = await temporary(scoresOf(launcher, q, k));
    const scores = bias ? await temporary(biased(launcher, products, bias)) : products;
    const weights = await temporary(softmax(launcher, attrs, scores));
    return einsum(launcher, "... l s, ... s e -> ... l e", weights, v);
  });
}

async function biased(launcher: Launcher, scores: View, bias: View): Promise<View> {
  const { shape } = scores;
  expand.shape({ shape }, bias.shape);
  return binary(launcher, "add", scores, expand.compute({ shape }, bias));
}

/** Scores on the device. For queries of width 0, `einsum` returns zeros on the host, which are uploaded. */
async function scoresOf(launcher: Launcher, q: View, k: View): Promise<View> {
  return launcher.buffers.upload(await einsum(launcher, "... l k, ... s k -> ... l s", q, k));
}
