// Functions for the ops with patterns. Their types are computed from the pattern, so that tsc rejects a wrong order of axes.
import { ShapeError } from "../errors.ts";
import { axesOf, type Sizes, shapeOf, sidesOf, spreadPattern, unify, type Words } from "../pattern.ts";
import { applyRule, checkTensors } from "../program/apply.ts";
import { type Any, Bool, Int, Tensor } from "../tensor.ts";
import { einsum as einsumRule } from "./einsum.ts";
import {
  concat as concatRule,
  pad as padRule,
  rearranged,
  rearrange as rearrangeRule,
  slice as sliceRule,
  sum as sumRule,
} from "./movement.ts";
import { overlap as overlapRule, windows as windowsRule } from "./windows.ts";

/** Patterns with an ellipsis (library code) are checked at run time, not by tsc. */
type Named<A extends string> = A extends `${string}...${string}` ? Any : A;
type In<A extends string> = Tensor<Named<NoInfer<A>>>;
type SizesOf<P extends string> = { readonly [W in Words<P>]?: number };

/**
 * Contracts two operands, einsum("b h l k, b h s k -> b h l s", q, k), or transposes and sums one, einsum("i j -> j i", a). With
 * two, every axis occurs in at least two of operands and result. Throws a ShapeError if the number of operands, their axes or
 * their sizes do not fit the pattern.
 * Shapes: as the pattern says; equal names are equal sizes.
 */
export function einsum<A extends string, B extends string, C extends string>(
  pattern: `${A}, ${B} -> ${C}`,
  a: In<A>,
  b: In<B>,
): Tensor<Named<C>>;
export function einsum<A extends string, C extends string>(
  pattern: `${A} -> ${C}`,
  a: In<A>,
): Tensor<Named<C>>;
export function einsum(pattern: string, ...operands: Tensor[]): Tensor {
  const where = `einsum("${pattern}")`;
  const [left, right] = sidesOf(pattern);
  const wanted = left.split(",").length;
  if (operands.length !== wanted)
    throw new ShapeError(
      `the pattern names ${wanted} operands, but ${operands.length} are given  [notation.operands]`,
      where,
    );
  checkTensors(where, ...operands);
  const [a, b] = operands as [Tensor, Tensor?];
  if (b) return applyRule("einsum", einsumRule, { pattern }, a, b);
  const kept = new Set(axesOf(right).flat());
  const dropsNone = axesOf(left).every((names) => names.every((name) => kept.has(name)));
  return dropsNone
    ? applyRule("rearrange", rearrangeRule, resolve("rearrange", pattern, a.shape, {}, "einsum"), a)
    : applyRule("sum", sumRule, resolve("sum", pattern, a.shape, {}, "einsum"), a); // [einsum.one-place]
}

/** rearrange keeps all axes, repeat may add axes, sum may drop axes. */
type Kind = "rearrange" | "repeat" | "sum";

/** Throws a ShapeError unless sizes are whole numbers for axes of the pattern. */
function checkSizes(kind: Kind, pattern: string, given: Sizes): void {
  const where = `${kind}("${pattern}")`;
  if (typeof given !== "object" || given === null)
    throw new ShapeError("sizes are an object, such as { h: 8 }  [notation.size]", where);
  const invalid = Object.entries(given).find(([, n]) => !Number.isInteger(n) || n < 0);
  if (invalid)
    throw new ShapeError(
      `${invalid[0]} = ${invalid[1]} is not a size; sizes are whole numbers  [notation.size]`,
      where,
    );
  const names = sidesOf(pattern).flatMap((side) => axesOf(side).flat());
  const unused = Object.keys(given).find((name) => !names.includes(name));
  if (unused)
    throw new ShapeError(
      `a size is given for "${unused}", which is not in the pattern  [notation.origin]`,
      where,
    );
}

function resolve(
  kind: Kind,
  pattern: string,
  shape: readonly number[],
  given: Sizes,
  caller: string = kind,
): { pattern: string; sizes: Sizes } {
  const where = `${caller}("${pattern}")`;
  const [left, right] = spreadPattern(pattern, shape.length);
  const [before, after] = [axesOf(left).flat(), axesOf(right).flat()];
  const lost = before.find((name) => kind !== "sum" && !after.includes(name));
  const invented = after.find((name) => kind !== "repeat" && !before.includes(name));
  if (lost) throw new ShapeError(`axis "${lost}" is dropped; sum drops axes  [notation.origin]`, where);
  if (invented)
    throw new ShapeError(
      `axis "${invented}" is not on the left side; repeat adds axes  [notation.origin]`,
      where,
    );
  const sizes = { ...given };
  unify(where, left, shape, sizes);
  shapeOf(right, sizes);
  return { pattern: `${left} -> ${right}`, sizes };
}

/**
 * Permutes, splits and joins axes: rearrange("b l (h k) -> b h l k", x, { h: 8 }). A view where strides allow. Throws a
 * ShapeError if the pattern drops or adds an axis, or a size is unknown or does not divide its axis.
 * Shapes: x as the left side of the pattern → its right side.
 */
export function rearrange<A extends string, B extends string>(
  pattern: `${A} -> ${B}`,
  x: In<A>,
  sizes: SizesOf<NoInfer<A>> = {},
): Tensor<Named<B>> {
  checkTensors(`rearrange("${pattern}")`, x);
  checkSizes("rearrange", pattern, sizes as Sizes);
  return applyRule("rearrange", rearrangeRule, resolve("rearrange", pattern, x.shape, sizes as Sizes), x);
}

/**
 * Repeats along new axes: repeat("r d -> b r d", latents, { b }). A view; masks and ids repeat in the same way. Throws a
 * ShapeError if the pattern drops an axis, or the size of a new one is not given.
 * Shapes: x as the left side of the pattern → its right side.
 */
export function repeat<A extends string, B extends string>(
  pattern: `${A} -> ${B}`,
  x: In<A>,
  sizes?: SizesOf<NoInfer<B>>,
): Tensor<Named<B>>;
export function repeat<A extends string, B extends string>(
  pattern: `${A} -> ${B}`,
  x: Bool<NoInfer<A>>,
  sizes?: SizesOf<NoInfer<B>>,
): Bool<B>;
export function repeat<A extends string, B extends string>(
  pattern: `${A} -> ${B}`,
  x: Int<NoInfer<A>>,
  sizes?: SizesOf<NoInfer<B>>,
): Int<B>;
export function repeat(pattern: string, x: Any, given: object = {}): Any {
  if (!(x instanceof Bool || x instanceof Int)) checkTensors(`repeat("${pattern}")`, x);
  checkSizes("repeat", pattern, given as Sizes);
  const attrs = resolve("repeat", pattern, x.shape, given as Sizes);
  if (x instanceof Tensor) return applyRule("repeat", rearrangeRule, attrs, x);
  if (x instanceof Bool) {
    const { shape, data, stride, offset } = rearranged(x, attrs.pattern, attrs.sizes);
    return new Bool(shape, data, stride, offset);
  }
  const { shape, data, stride, offset } = rearranged<Int32Array>(x, attrs.pattern, attrs.sizes);
  return new Int(shape, data, stride, offset);
}

/**
 * Sums over the axes that the right side leaves out: sum("b l d -> b l", x). Throws a ShapeError if the pattern adds an axis.
 * Shapes: x as the left side of the pattern → its right side.
 */
export function sum<A extends string, B extends string>(pattern: `${A} -> ${B}`, x: In<A>): Tensor<Named<B>> {
  checkTensors(`sum("${pattern}")`, x);
  return applyRule("sum", sumRule, resolve("sum", pattern, x.shape, {}), x);
}

/**
 * Joins two tensors along the one axis whose name differs: concat("b m s d, b m r d -> b m j d", media, latents). Throws a
 * ShapeError unless exactly one axis has a new name and all others have equal sizes.
 * Shapes: a and b as the left side of the pattern → its right side, whose new axis has the sum of their sizes.
 */
export function concat<A extends string, B extends string, C extends string>(
  pattern: `${A}, ${B} -> ${C}`,
  a: In<A>,
  b: In<B>,
): Tensor<Named<C>> {
  checkTensors(`concat("${pattern}")`, a, b);
  const [operands, out] = sidesOf(pattern);
  const [left = "", right = "", ...more] = operands.split(", ");
  const used = [left, right].flatMap((side) => axesOf(side).flat());
  const axis = axesOf(out).findIndex((names) => names.length === 1 && !used.includes(names[0] ?? ""));
  const others = (side: string) => axesOf(side).toSpliced(axis, 1).join(";");
  if (axis < 0 || more.length > 0 || others(left) !== others(out) || others(right) !== others(out)) {
    throw new ShapeError(`exactly one axis has a new name  [notation.concat]`, `concat("${pattern}")`);
  }
  const sizes: Sizes = {};
  unify(`concat("${pattern}")`, left, a.shape, sizes);
  unify(`concat("${pattern}")`, right, b.shape, sizes);
  return applyRule("concat", concatRule, { axis }, a, b);
}

function resolveAxis(x: Tensor, axis: number): number {
  checkTensors("slice, pad and windows", x);
  return axis < 0 ? x.shape.length + axis : axis;
}

/**
 * Elements from ≤ i < to along one axis (negative axes count from the end). A view. Throws a ShapeError if the range lies outside
 * of the axis.
 * Shapes: along the last axis, x `... n` → `... m`, with m = to − from.
 */
export const slice = <A extends string>(x: Tensor<A>, axis: number, from: number, to: number): Tensor<A> =>
  applyRule("slice", sliceRule, { axis: resolveAxis(x, axis), from, to }, x);

/**
 * Zeros before and after along one axis. Throws a ShapeError for an axis that x does not have.
 * Shapes: along the last axis, x `... n` → `... m`, with m = before + n + after.
 */
export const pad = <A extends string>(x: Tensor<A>, axis: number, before: number, after: number): Tensor<A> =>
  applyRule("pad", padRule, { axis: resolveAxis(x, axis), before, after }, x);

/**
 * Windows of `size` elements, one every `step` elements along an axis, whose elements lie along a new last axis (torch's unfold).
 * Elements after the last whole window are dropped. A view. Throws a ShapeError for a window that is larger than the axis.
 * Shapes: along the last axis, x `... n` → `... m s`, with m = ⌊(n − size) / step⌋ + 1 windows of s = size elements.
 */
export const windows = (x: Tensor, axis: number, size: number, step: number): Tensor =>
  applyRule("windows", windowsRule, { axis: resolveAxis(x, axis), size, step }, x);

/**
 * The sum of windows where they overlap, along axis `axis` of the result, which has `length` elements. The adjoint of `windows`.
 * Throws a ShapeError if the windows do not fit into `length`.
 * Shapes: along the last axis, x `... m s` → `... n`, with n = length.
 */
export const overlap = (x: Tensor, axis: number, step: number, length: number): Tensor =>
  applyRule("overlap", overlapRule, { axis: axis < 0 ? x.shape.length - 1 + axis : axis, step, length }, x);

/**
 * Joins two tensors with the same names along their last axis. Throws a ShapeError if another axis differs.
 * Shapes: a `... m`, b `... n` → `... k`, where k = m + n.
 */
export const concatLast = <A extends string>(a: Tensor<A>, b: Tensor<NoInfer<A>>): Tensor<A> =>
  applyRule("concat", concatRule, { axis: a.shape.length - 1 }, a, b);

/**
 * The slices along the first axis, each without that axis; there are at least two. Throws a ShapeError if there are fewer.
 * Shapes: x `n ...` → n tensors `...`.
 */
export function unbind<P extends string>(
  x: Tensor<`${string} ${P}`>,
): [Tensor<P>, Tensor<P>, ...Tensor<P>[]] {
  checkTensors("unbind", x);
  const rest = x.shape.slice(1).map((_, i) => `~${i}`);
  const sizes = Object.fromEntries(rest.map((name, i) => [name, x.shape[i + 1] ?? 1]));
  const pattern = `${["1", ...rest].join(" ")} -> ${rest.join(" ")}`;
  const row = (i: number): Tensor<P> =>
    applyRule("rearrange", rearrangeRule, { pattern, sizes }, slice(x, 0, i, i + 1));
  const [first, second, ...others] = Array.from({ length: x.shape[0] ?? 0 }, (_, i) => row(i));
  if (!first || !second)
    throw new ShapeError(
      `the first axis of [${x.shape.join(" ")}] has fewer than two slices  [ops.unbind]`,
      "unbind",
    );
  return [first, second, ...others];
}

/**
 * Named parts of the last axis, in order: split(x, { q: 512, k: 64 }). The axes of the parts have no names in their types. Throws
 * a ShapeError if the widths do not add up to the last axis.
 * Shapes: x `... n` → for each key, `... w` with its width w.
 */
export function split<K extends string>(x: Tensor, widths: Readonly<Record<K, number>>): Record<K, Tensor> {
  checkTensors("split", x);
  if (typeof widths !== "object" || widths === null)
    throw new ShapeError("widths are an object, such as { q: 512, k: 64 }  [ops.split]", "split");
  const parts: Partial<Record<K, Tensor>> = {};
  let from = 0;
  for (const [key, width] of Object.entries<number>(widths)) {
    parts[key as K] = slice(x, -1, from, from + width);
    from += width;
  }
  if (from !== x.shape.at(-1))
    throw new ShapeError(
      `the widths add up to ${from}, not to the last axis of [${x.shape.join(" ")}]  [ops.split]`,
      "split",
    );
  return parts as Record<K, Tensor>;
}

/**
 * The two halves of the last axis. Throws a ShapeError if the last axis is odd or there is none.
 * Shapes: x `... n` → two tensors `... h`, where h = n / 2.
 */
export function chunk<A extends string>(x: Tensor<A>): [Tensor<A>, Tensor<A>] {
  checkTensors("chunk", x);
  const n = (x.shape.at(-1) ?? 0) / 2;
  if (x.shape.length === 0 || !Number.isInteger(n))
    throw new ShapeError(`the last axis of [${x.shape.join(" ")}] has no halves  [ops.split]`, "chunk");
  return [slice(x, -1, 0, n), slice(x, -1, n, 2 * n)];
}
