// Overlapping windows along an axis as a view, and the adjoint op: the building block of convolution, pooling and unfolding.
import { ShapeError } from "../errors.ts";
import { offsets, rowMajor, type Shape, shapeText } from "../tensor.ts";
import { fold, plus } from "./reductions.ts";
import type { Rule } from "./table.ts";

/** The number of windows that lie within n elements; what is left after the last one is dropped, as torch's unfold does. */
const windowCount = (n: number, size: number, step: number): number => Math.floor((n - size) / step) + 1; // [ops.windows]

/** The size of axis `axis`. Throws a ShapeError unless windows of this size and step lie along it. */
function checkWindows(shape: Shape, axis: number, size: number, step: number): number {
  const n = shape[axis];
  const isWhole = Number.isInteger(size) && Number.isInteger(step);
  if (n !== undefined && isWhole && size >= 0 && step >= 1 && size <= n) return n;
  throw new ShapeError(
    `windows of ${size} elements every ${step} along axis ${axis} of ${shapeText(shape)}: ` +
      "a size from 0 to the axis's and a step from 1 up are needed  [ops.windows]",
  );
}

/** y[…, i, …, k] = x[…, i · step + k, …], with k along a new last axis of `size`. A view of x. */
export const windows: Rule<"windows"> = {
  shape: ({ axis, size, step }, a) => {
    const count = windowCount(checkWindows(a, axis, size, step), size, step);
    return [...a.with(axis, count), size];
  },
  compute: (attrs, a) => {
    const along = a.stride[attrs.axis] ?? 0;
    const stride = [...a.stride.with(attrs.axis, along * attrs.step), along];
    return { ...a, shape: windows.shape(attrs, a.shape), stride }; // [ops.no-copy]
  },
};

/** Adds windows where they overlap: y[…, j, …] = Σ x[…, i, …, k] over i · step + k = j. The adjoint of `windows`. */
export const overlap: Rule<"overlap"> = {
  shape: ({ axis, step, length }, a) => {
    const [size, outer] = [a.at(-1) ?? 0, a.slice(0, -1)];
    if (outer[axis] === undefined || !Number.isInteger(length) || length < 0)
      throw new ShapeError(`axis ${axis} of windows ${shapeText(a)} does not make ${length}  [ops.windows]`);
    const shape = outer.with(axis, length);
    checkWindows(shape, axis, size, step);
    const count = windowCount(length, size, step);
    if (outer[axis] !== count)
      throw new ShapeError(
        `${length} elements have ${count} windows of ${size} every ${step}, not ${outer[axis]}  [ops.windows]`,
      );
    return shape;
  },
  compute: (attrs, a) => {
    const shape = overlap.shape(attrs, a.shape);
    const stride = rowMajor(shape);
    const along = stride[attrs.axis] ?? 0;
    const targets = offsets(a.shape, [...stride.with(attrs.axis, along * attrs.step), along]);
    return fold(a, targets, shape, 0, plus);
  },
};
