// Sums and maxima over axes, their adjoint `expand`, and softmax.
import { ShapeError } from "../errors.ts";
import {
  type Floats,
  flat,
  offsets,
  rowMajor,
  type Shape,
  sameSizes,
  shapeText,
  sizeOf,
  type View,
  viewOf,
} from "../tensor.ts";
import { sameShape } from "./elementwise.ts";
import type { Rule, SoftmaxEmptyRow } from "./table.ts";

/**
 * The strides of an array of shape `small` expanded to shape `large`: trailing axes are aligned, and repeated axes have stride 0.
 * Throws a ShapeError unless axes of size 1 and missing leading axes are all that is repeated.
 */
function expandedStride(small: Shape, large: Shape, stride: readonly number[] = rowMajor(small)): number[] {
  const lead = large.length - small.length;
  if (lead < 0 || small.some((n, i) => n !== 1 && n !== large[lead + i]))
    throw new ShapeError(
      `${shapeText(small)} does not expand to ${shapeText(large)}: only axes of size 1 are repeated  [ops.expand]`,
    );
  return large.map((n, i) => (small[i - lead] === n ? (stride[i - lead] ?? 0) : 0));
}

export const expand: Rule<"expand"> = {
  shape: ({ shape }, a) => {
    expandedStride(a, shape);
    return shape;
  },
  compute: ({ shape }, a) => ({ ...a, shape, stride: expandedStride(a.shape, shape, a.stride) }),
};

/** Combines every element of `a`, in row-major order, into the element of the result at its target. */
export function fold(
  a: View,
  targets: Int32Array,
  shape: Shape,
  initial: number,
  combine: (accumulated: number, x: number) => number,
): View {
  const out = new Float64Array(sizeOf(shape)).fill(initial); // [ops.empty]
  const x = flat(a);
  for (let i = 0; i < x.length; i++) {
    const at = targets[i] ?? 0;
    out[at] = combine(out[at] ?? initial, x[i] ?? 0);
  }
  return viewOf(out, shape);
}

export const plus = (a: number, b: number): number => a + b;

/** Combines every element into the one that `expand` would have repeated there. */
// @__NO_SIDE_EFFECTS__
const folded = (initial: number, combine: (a: number, b: number) => number): Rule<"unbroadcast"> => ({
  shape: ({ shape }, a) => {
    expandedStride(shape, a);
    return shape;
  },
  compute: ({ shape }, a) =>
    fold(a, offsets(a.shape, expandedStride(shape, a.shape)), shape, initial, combine),
});

export const unbroadcast = folded(0, plus);
/** Math.max propagates NaN, unlike `sup` of ndarray-ops. The maximum of no elements is −∞. */
export const maxTo = folded(-Infinity, Math.max); // [ops.nan]

/** Σⱼ exp(x[i, j] − shift[i]) over the last axis, which is kept with size 1. No array in the shape of x is allocated. */
export const sumExp: Rule<"sumExp"> = {
  shape: (_, a, shift) => {
    const rows = [...a.slice(0, -1), 1];
    if (a.length > 0 && sameSizes(shift, rows)) return rows;
    throw new ShapeError(
      `the rows of ${shapeText(a)} need one shift each, ${shapeText(rows)}, not ${shapeText(shift)}  [ops.sum-exp]`,
    );
  },
  compute: (_, a, shift) => {
    const rows = offsets(a.shape.slice(0, -1), a.stride.slice(0, -1), a.offset);
    const shifts = flat(shift);
    const [n, step] = [a.shape.at(-1) ?? 0, a.stride.at(-1) ?? 0];
    const out = new Float64Array(rows.length);
    for (const [i, row] of rows.entries()) {
      let total = 0;
      for (let j = 0; j < n; j++) total += Math.exp((a.data[row + j * step] ?? 0) - (shifts[i] ?? 0));
      out[i] = total;
    }
    return viewOf(out, shift.shape);
  },
};

/**
 * softmax(x)ᵢ = exp(xᵢ − max x) / Σⱼ exp(xⱼ − max x) over the allowed entries of each row (last axis), 0 elsewhere.
 * The result for a row without allowed entries is `emptyRow`. Whether a row is empty depends on the mask, not on a fill value.
 */
export const softmax: Rule<"softmax"> = {
  shape: ({ mayAttend }, a) => (mayAttend ? sameShape(a, mayAttend.shape) : a),
  compute: ({ mayAttend, emptyRow }, a) => {
    const x = flat(a);
    const allowed = mayAttend ? flat(mayAttend) : new Uint8Array(x.length).fill(1);
    const out = new Float64Array(x.length);
    const n = a.shape.at(-1) ?? 1;
    for (let from = 0; from < x.length; from += n) softmaxRow(x, allowed, out, from, from + n, emptyRow);
    return viewOf(out, a.shape);
  },
};

/** The weight of each of the n entries of a row without allowed entries. */
export const emptyRowWeight = (emptyRow: SoftmaxEmptyRow, n: number): number =>
  emptyRow === "zero" ? 0 : emptyRow === "uniform" ? 1 / n : NaN; // [softmax.empty-row]

function softmaxRow(
  x: Floats,
  allowed: Uint8Array,
  out: Float64Array,
  from: number,
  to: number,
  emptyRow: SoftmaxEmptyRow,
): void {
  let top = -Infinity;
  let isEmpty = true;
  for (let i = from; i < to; i++) {
    if (!allowed[i]) continue;
    top = Math.max(top, x[i] ?? 0);
    isEmpty = false;
  }
  if (isEmpty) {
    out.fill(emptyRowWeight(emptyRow, to - from), from, to);
    return;
  }
  let total = 0;
  for (let i = from; i < to; i++) {
    if (!allowed[i]) continue; // [softmax.masked]
    const weight = Math.exp((x[i] ?? 0) - top); // [softmax.shift]
    out[i] = weight;
    total += weight;
  }
  for (let i = from; i < to; i++) if (allowed[i]) out[i] = (out[i] ?? 0) / total;
}
