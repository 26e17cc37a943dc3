// Functions for the ops with patterns. Their types are computed from the pattern, so that tsc rejects a wrong order of axes.
import { ShapeError } from "../errors.ts";
import { axesOf, callOf, type Sizes, sidesOf, spread, unify, type Words } from "../pattern.ts";
import { applyRule, checkTensors } from "../program/apply.ts";
import { type Any, Bool, Int, shapeText, Tensor } from "../tensor.ts";
import { einsum as einsumRule } from "./einsum.ts";
import {
  concat as concatRule,
  pad as padRule,
  rearranged,
  rearrange as rearrangeRule,
  slice as sliceRule,
  sum as sumRule,
} from "./movement.ts";
import { plus } from "./reductions.ts";
import type { Rule } from "./table.ts";
import { overlap as overlapRule, windows as windowsRule } from "./windows.ts";

/** Patterns with an ellipsis are checked at run time, not by tsc. */
type Named<A extends string> = A extends `${string}...${string}` ? Any : A;
type In<A extends string> = Tensor<Named<NoInfer<A>>>;
type SizesOf<P extends string> = { readonly [W in Words<P>]?: number };

/**
 * The sides of a pattern: the operands and the result. Throws a ShapeError unless the pattern names as many operands as there are,
 * and they are tensors.
 */
function sidesFor(
  where: string,
  pattern: string,
  ...operands: readonly unknown[]
): ReturnType<typeof sidesOf> {
  const sides = sidesOf(pattern);
  if (operands.length !== sides.length - 1)
    throw new ShapeError(
      `the pattern names ${sides.length - 1} operands, got ${operands.length}  [notation.operands]`,
      where,
    );
  checkTensors(where, ...operands);
  return sides;
}

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
  const where = callOf("einsum", pattern);
  const [left, right] = sidesFor(where, pattern, ...operands);
  const [a, b] = operands as [Tensor, Tensor?];
  if (b) return applyRule("einsum", einsumRule, { pattern }, a, b);
  const kept = axesOf(right).flat();
  const dropsNone = axesOf(left)
    .flat()
    .every((name) => kept.includes(name));
  return dropsNone
    ? arranged("rearrange", rearrangeRule, pattern, a, {}, where)
    : arranged("sum", sumRule, pattern, a, {}, where); // [einsum.one-place]
}

type Kind = "rearrange" | "repeat" | "sum";

const isRecord = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Executes an op with a pattern. */
const arranged = (
  kind: Kind,
  rule: Rule<Kind>,
  pattern: string,
  x: Tensor,
  given?: Sizes,
  where?: string,
): Tensor => applyRule(kind, rule, resolved(kind, pattern, x, given, where), x);

/**
 * The attributes of an op with a pattern. rearrange keeps all axes, repeat may add axes, sum may drop axes. Throws a ShapeError if
 * the axes or the sizes do not fit the pattern.
 */
function resolved(
  kind: Kind,
  pattern: string,
  x: Tensor,
  given: Sizes = {},
  where = callOf(kind, pattern),
): { pattern: string; sizes: Sizes } {
  const [left, right] = spread(sidesFor(where, pattern, x), x.shape);
  const [before, after] = [axesOf(left).flat(), axesOf(right).flat()];
  const all = [...before, ...after];
  for (const [name, n] of Object.entries(isRecord(given) ? given : { "the sizes": given }))
    if (!(all.includes(name) && Number.isInteger(n) && n >= 0))
      throw new ShapeError(
        `${name} = ${n} is not a size: sizes are whole numbers for axes of the pattern  [notation.size]`,
        where,
      );
  const alone = all.find(
    (name) => !(kind === "repeat" || before.includes(name)) || !(kind === "sum" || after.includes(name)),
  );
  if (alone)
    throw new ShapeError(
      `axis "${alone}" is on one side only: sum drops axes, repeat adds them  [notation.origin]`,
      where,
    );
  const sizes = { ...given };
  unify(where, left, x.shape, sizes);
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
  return arranged("rearrange", rearrangeRule, pattern, x, sizes as Sizes);
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
  const isHost = x instanceof Bool || x instanceof Int;
  if (!isHost) return arranged("repeat", rearrangeRule, pattern, x, given as Sizes);
  const attrs = resolved("repeat", pattern, new Tensor(x.shape), given as Sizes);
  const { shape, data, stride, offset } = rearranged<Any>(x, attrs.pattern, attrs.sizes);
  const Kind = x.constructor as typeof Int;
  return new Kind(shape, data, stride, offset);
}

/**
 * Sums over the axes that the right side leaves out: sum("b l d -> b l", x). Throws a ShapeError if the pattern adds an axis.
 * Shapes: x as the left side of the pattern → its right side.
 */
export function sum<A extends string, B extends string>(pattern: `${A} -> ${B}`, x: In<A>): Tensor<Named<B>> {
  return arranged("sum", sumRule, pattern, x);
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
  const where = callOf("concat", pattern);
  const [left, right, out = ""] = spread(sidesFor(where, pattern, a, b), a.shape, b.shape);
  const used = [left, right].flatMap((side) => axesOf(side).flat());
  const axis = axesOf(out).findIndex(([name, joined]) => name && !joined && !used.includes(name));
  const others = (side: string) => axesOf(side).toSpliced(axis, 1).join(";");
  if (axis < 0 || others(left) !== others(out) || others(right) !== others(out))
    throw new ShapeError("exactly one axis has a new name  [notation.concat]", where);
  const sizes: Sizes = {};
  unify(where, left, a.shape, sizes);
  unify(where, right, b.shape, sizes);
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
 * The slices along the first axis, each without that axis; there are at least two. Throws a ShapeError if there are fewer.
 * Shapes: x `n ...` → n tensors `...`.
 */
export function unbind<P extends string>(
  x: Tensor<`${string} ${P}`>,
): [Tensor<P>, Tensor<P>, ...Tensor<P>[]] {
  checkTensors("unbind", x);
  const length = x.shape[0] ?? 0;
  if (length < 2)
    throw new ShapeError(
      `the first axis of ${shapeText(x.shape)} has fewer than two slices  [ops.unbind]`,
      "unbind",
    );
  const attrs = resolved("rearrange", "1 ... -> ...", new Tensor(x.shape.with(0, 1)));
  const row = (_: unknown, i: number) => applyRule("rearrange", rearrangeRule, attrs, slice(x, 0, i, i + 1));
  return Array.from({ length }, row) as [Tensor, Tensor, ...Tensor[]];
}

/**
 * Named parts of the last axis, in order: split(x, { q: 512, k: 64 }). The axes of the parts have no names in their types. Throws
 * a ShapeError if the widths do not add up to the last axis.
 * Shapes: x `... n` → for each key, `... w` with its width w.
 */
export function split<K extends string>(x: Tensor, widths: Readonly<Record<K, number>>): Record<K, Tensor> {
  checkTensors("split", x);
  const all = isRecord(widths) ? Object.values<number>(widths) : [Number.NaN];
  if (all.reduce(plus, 0) !== x.shape.at(-1) || !all.every(Number.isInteger))
    throw new ShapeError(
      `${shapeText(x.shape)} is not split into ${all.join(" + ")}: widths are whole numbers that add up to the last axis  [ops.split]`,
      "split",
    );
  const parts: Record<string, Tensor> = {};
  let from = 0;
  for (const [key, width] of Object.entries<number>(widths)) {
    parts[key] = slice(x, -1, from, from + width);
    from += width;
  }
  return parts as Record<K, Tensor>;
}

/**
 * The two halves of the last axis. Throws a ShapeError if the last axis is odd or there is none.
 * Shapes: x `... n` → two tensors `... h`, where h = n / 2.
 */
export function chunk<A extends string>(x: Tensor<A>): [Tensor<A>, Tensor<A>] {
  checkTensors("chunk", x);
  const n = (x.shape.at(-1) ?? 0) / 2;
  const { left, right } = split(x, { left: n, right: n }); // [ops.split]
  return [left, right];
}
