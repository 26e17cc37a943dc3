// Ops that move elements without changing them, and sums over axes of a pattern. The result is a view where strides allow.
import nops from "ndarray-ops";
import { ShapeError } from "../errors.ts";
import { axesOf, axisOffsets, namedStrides, type Sizes, shapeOf, sidesOf, valuesAt } from "../pattern.ts";
import {
  flat,
  rowMajor,
  type Strided,
  sameSizes,
  shapeText,
  sizeOf,
  type Typed,
  type View,
  zeros,
} from "../tensor.ts";
import { ndArray } from "./elementwise.ts";
import { fold, plus } from "./reductions.ts";
import type { Rule } from "./table.ts";

const resultShape = ({ pattern, sizes }: { pattern: string; sizes: Sizes }): number[] =>
  shapeOf(sidesOf(pattern)[1], sizes);

/** The strides of a view with these groups of axes, or null if the axes of one are not adjacent in memory. */
function joinedStride(groups: readonly (readonly string[])[], sizes: Sizes, strides: Sizes): number[] | null {
  const joined = groups.map((names) => {
    const parts = names.filter((name) => sizes[name] !== 1);
    const steps = valuesAt(strides, parts);
    const last = steps.at(-1) ?? 0;
    return rowMajor(valuesAt(sizes, parts)).every((step, i) => steps[i] === step * last) ? last : null;
  });
  return joined.every((step) => step !== null) ? joined : null;
}

/** The strides of the rearranged view, or null if `rearranged` makes a copy. */
export function viewStride({ stride }: Strided<unknown>, pattern: string, sizes: Sizes): number[] | null {
  const [before, after] = sidesOf(pattern);
  return joinedStride(axesOf(after), sizes, namedStrides(stride, before, sizes));
}

/**
 * Permutes, splits, joins and repeats axes: a view where strides allow. Joined axes that are not adjacent in memory
 * are copied, but axes that are repeated on their own stay repeated (stride 0).
 */
export function rearranged<D extends Typed>(a: Strided<D>, pattern: string, sizes: Sizes): Strided<D> {
  const [before, after] = sidesOf(pattern);
  const groups = axesOf(after);
  const strides = namedStrides(a.stride, before, sizes);
  const shape = shapeOf(after, sizes);
  const stride = joinedStride(groups, sizes, strides);
  if (stride) return { data: a.data, shape, stride, offset: a.offset }; // [ops.no-copy]
  const isCopied = groups.map((names) => valuesAt(strides, names).some(Boolean)); // the others stay repeated
  const parts = groups.filter((_, i) => isCopied[i]).flat();
  const data = flat({ ...a, shape: valuesAt(sizes, parts), stride: valuesAt(strides, parts) });
  const steps = rowMajor(shape.map((n, i) => (isCopied[i] ? n : 1)));
  return { data, shape, stride: steps.map((step, i) => (isCopied[i] ? step : 0)), offset: 0 };
}

export const rearrange: Rule<"rearrange"> = {
  shape: resultShape,
  compute: ({ pattern, sizes }, a) => rearranged(a, pattern, sizes),
};

/** Sums over the axes that the right side of the pattern does not have. */
export const sum: Rule<"sum"> = {
  shape: resultShape,
  compute: (attrs, a) => {
    const [before, after] = sidesOf(attrs.pattern);
    const shape = resultShape(attrs);
    const targets = axisOffsets({ stride: rowMajor(shape) }, after, axesOf(before).flat(), attrs.sizes); // [ops.sum]
    return fold(a, targets, shape, 0, plus);
  },
};

const cut = (a: View, axis: number, from: number, to: number): View => ({
  ...a,
  shape: a.shape.with(axis, to - from),
  offset: a.offset + from * (a.stride[axis] ?? 0),
});

const assign = (out: View, x: View): void => {
  if (sizeOf(x.shape) > 0) nops.assign(ndArray(out), ndArray(x));
};

export const concat: Rule<"concat"> = {
  shape: ({ axis }, ...shapes) => {
    const [first = []] = shapes;
    let total = 0;
    for (const shape of shapes) {
      const n = shape[axis];
      if (n === undefined || !sameSizes(shape, first.toSpliced(axis, 1, n)))
        throw new ShapeError(
          `${shapeText(first)} and ${shapeText(shape)} do not join along axis ${axis}  [ops.concat]`,
        );
      total += n;
    }
    return first.with(axis, total);
  },
  compute: ({ axis }, ...views) => {
    const out = zeros(concat.shape({ axis }, ...views.map((v) => v.shape)));
    let from = 0;
    for (const v of views) {
      const to = from + (v.shape[axis] ?? 0);
      assign(cut(out, axis, from, to), v);
      from = to; // [ops.concat]
    }
    return out;
  },
};

export const slice: Rule<"slice"> = {
  shape: ({ axis, from, to }, a) => {
    const isWithin = from >= 0 && from <= to && to <= (a[axis] ?? NaN);
    if (!isWithin || ![from, to].every(Number.isInteger)) {
      throw new ShapeError(`slice ${from}..${to} of axis ${axis} is outside ${shapeText(a)}  [ops.slice]`);
    }
    return a.with(axis, to - from);
  },
  compute: ({ axis, from, to }, a) => cut(a, axis, from, to),
};

export const pad: Rule<"pad"> = {
  shape: ({ axis, before, after }, a) => {
    const n = a[axis];
    if (n === undefined || ![before, after].every((m) => Number.isInteger(m) && m >= 0)) {
      throw new ShapeError(`pad ${before} and ${after} along axis ${axis} of ${shapeText(a)}  [ops.pad]`);
    }
    return a.with(axis, n + before + after);
  },
  compute: (attrs, a) => {
    const out = zeros(pad.shape(attrs, a.shape));
    assign(cut(out, attrs.axis, attrs.before, attrs.before + (a.shape[attrs.axis] ?? 0)), a);
    return out;
  },
};
