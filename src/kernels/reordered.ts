import type { Sizes } from "../tensor/pattern.ts";
import { type Floats, rowMajor, type View, viewOf } from "../tensor/tensor.ts";

/** Row-major values with axes `from`, as a view with the same axes in the order `to`. */
export function reordered(
  values: Floats,
  from: readonly string[],
  to: readonly string[],
  sizes: Sizes,
): View {
  const size = (name: string): number => sizes[name] ?? 1;
  const stride = rowMajor(from.map(size));
  return viewOf(
    values,
    to.map(size),
    to.map((name) => stride[from.indexOf(name)] ?? 0),
  );
}

/** The same memory with the axes in the given order. */
export const transposed = ({ data, shape, stride, offset }: View, order: readonly number[]): View =>
  viewOf(
    data,
    order.map((axis) => shape[axis] ?? 1),
    order.map((axis) => stride[axis] ?? 0),
    offset,
  );
