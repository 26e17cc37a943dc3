// Sums and maxima over axes, their adjoint `expand`, and softmax.
import { ShapeError } from "../errors.ts";
import { flat, offsets, rowMajor, type Shape, sizeOf, type View, view } from "../tensor.ts";
import { sameShape } from "./elementwise.ts";
import type { Ops, Rule, SoftmaxEmptyRow } from "./table.ts";

/** Trailing axes are aligned. Only axes of size 1 and missing leading axes are repeated. */
function checkExpands(small: Shape, large: Shape): void {
  const lead = large.length - small.length;
  if (lead < 0 || small.some((n, i) => n !== 1 && n !== large[lead + i])) {
    throw new ShapeError(
      `[${small.join(" ")}] does not expand to [${large.join(" ")}]: only axes of size 1 are repeated  [ops.expand]`,
    );
  }
}

/** The strides of an array of shape `small` expanded to shape `large`: repeated axes have stride 0. */
function expandedStride(small: Shape, stride: readonly number[], large: Shape): number[] {
  const lead = large.length - small.length;
  return large.map((n, i) => (i < lead || (small[i - lead] === 1 && n !== 1) ? 0 : (stride[i - lead] ?? 0)));
}

export const expand: Rule<"expand"> = {
  exact: true,
  view: true,
  shape: ({ shape }, a) => {
    checkExpands(a, shape);
    return shape;
  },
  compute: ({ shape }, a) => view(a.data, shape, expandedStride(a.shape, a.stride, shape), a.offset),
};

/** Combines every element of `a` into the element of the result that `expand` would have repeated there. */
export function fold(
  a: View,
  shape: Shape,
  initial: number,
  combine: (accumulated: number, x: number) => number,
): View {
  const out = new Float64Array(sizeOf(shape)).fill(initial); // [ops.empty]
  const targets = offsets(a.shape, expandedStride(shape, rowMajor(shape), a.shape));
  const x = flat(a);
  for (let i = 0; i < x.length; i++) {
    const at = targets[i] ?? 0;
    out[at] = combine(out[at] ?? initial, x[i] ?? 0);
  }
  return view(out, shape);
}

export const plus = (a: number, b: number): number => a + b;

const folded = (initial: number, combine: (a: number, b: number) => number): Rule<"unbroadcast"> => ({
  shape: ({ shape }, a) => {
    checkExpands(shape, a);
    return shape;
  },
  compute: ({ shape }, a) => fold(a, shape, initial, combine),
});

export const unbroadcast = /* @__PURE__ */ folded(0, plus);
/** Math.max propagates NaN, unlike `sup` of ndarray-ops. The maximum of no elements is −∞. */
export const maxTo = /* @__PURE__ */ folded(-Infinity, Math.max); // [ops.nan]

/** Σⱼ exp(x[i, j] − shift[i]) over the last axis, which is kept with size 1. No array in the shape of x is allocated. */
export const sumExp: Rule<"sumExp"> = {
  shape: (_, a, shift) => {
    const rows = [...a.slice(0, -1), 1];
    if (a.length > 0 && `${shift}` === `${rows}`) return rows;
    throw new ShapeError(
      `the rows of [${a.join(" ")}] need one shift each, [${rows.join(" ")}], not [${shift.join(" ")}]  [ops.sum-exp]`,
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
    return view(out, shift.shape);
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
    const out = new Float64Array(x.length);
    const n = a.shape.at(-1) ?? 1;
    const allowed = mayAttend && rowsOf(mayAttend);
    for (let row = 0, from = 0; from < x.length; row++, from += n) {
      softmaxRow(x, out, from, n, allowed ? (j) => allowed(row, j) : null, emptyRow);
    }
    return view(out, a.shape);
  },
};

/** The weight of each of the n entries of a row without allowed entries. */
export const emptyRowWeight = (emptyRow: SoftmaxEmptyRow, n: number): number =>
  emptyRow === "zero" ? 0 : emptyRow === "uniform" ? 1 / n : NaN; // [softmax.empty-row]

/** Reads a mask by row and column, without copying its repeated axes. */
function rowsOf({ data, shape, stride, offset }: NonNullable<Ops["softmax"]["attrs"]["mayAttend"]>) {
  const starts = offsets(shape.slice(0, -1), stride.slice(0, -1), offset);
  const step = stride.at(-1) ?? 0;
  return (row: number, j: number): boolean => data[(starts[row] ?? 0) + j * step] !== 0;
}

function softmaxRow(
  x: View["data"],
  out: Float64Array,
  from: number,
  n: number,
  allowed: ((j: number) => boolean) | null,
  emptyRow: SoftmaxEmptyRow,
): void {
  let top = -Infinity;
  let count = 0;
  for (let j = 0; j < n; j++) {
    if (allowed && !allowed(j)) continue;
    top = Math.max(top, x[from + j] ?? 0);
    count++;
  }
  if (count === 0) {
    out.fill(emptyRowWeight(emptyRow, n), from, from + n);
    return;
  }
  let total = 0;
  for (let j = 0; j < n; j++) {
    if (allowed && !allowed(j)) continue; // [softmax.masked]
    const weight = Math.exp((x[from + j] ?? 0) - top); // [softmax.shift]
    out[from + j] = weight;
    total += weight;
  }
  for (let j = 0; j < n; j++) if (!allowed || allowed(j)) out[from + j] = (out[from + j] ?? 0) / total;
}
