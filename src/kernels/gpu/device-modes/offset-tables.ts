// Kernels find their operands through tables of offsets: for each operand, its offsets along the z, y and x axes of the result.
import { ShapeError } from "../../../tensor/errors.ts";
import { offsets, type Shape, type Strided, sizeOf } from "../../../tensor/tensor.ts";
import type { Size } from "./gpu-device.ts";

/** The layout of a view, without its numbers. */
export type Layout = Omit<Strided<unknown>, "data">;

/** The axes of a shape in three groups: the last axis is x, the one before it y, and all others z. */
export interface Grid {
  readonly shape: Shape;
  readonly size: Size;
  /** The axes at which the groups y and x begin. */
  readonly cuts: readonly [y: number, x: number];
}

/** WebGPU's limit of workgroups along an axis. Leading axes that exceed it are counted along y instead. */
const MAX_DEPTH = 65_535;

export function gridOf(shape: Shape): Grid {
  const x = Math.max(shape.length - 1, 0);
  let y = Math.max(x - 1, 0);
  while (sizeOf(shape.slice(0, y)) > MAX_DEPTH) y--;
  const [depth, height, width] = [shape.slice(0, y), shape.slice(y, x), shape.slice(x)].map(sizeOf);
  return { shape, size: [width ?? 1, height ?? 1, depth ?? 1], cuts: [y, x] };
}

/** Offsets of a view of the grid's shape along z, y and x. */
export function offsetsOf({ cuts: [y, x] }: Grid, { shape, stride, offset }: Layout): Int32Array[] {
  return [
    offsets(shape.slice(0, y), stride.slice(0, y), offset),
    offsets(shape.slice(y, x), stride.slice(y, x)),
    offsets(shape.slice(x), stride.slice(x)),
  ];
}

/**
 * A table with a column for each list, padded with zeros, followed by a column for each number with the number in its first row.
 * Throws a ShapeError if an offset is not exact in float32.
 */
export function table(lists: readonly Int32Array[], numbers: readonly number[] = []): Float32Array {
  const width = lists.length + numbers.length;
  const height = Math.max(1, ...lists.map((list) => list.length));
  const out = new Float32Array(width * height);
  lists.forEach((list, column) => {
    for (let i = 0; i < list.length; i++) {
      const value = list[i] ?? 0;
      if (Math.fround(value) !== value)
        throw new ShapeError(`offset ${value} is not exact in float32, the only type of gpu.js's buffers`);
      out[i * width + column] = value;
    }
  });
  numbers.forEach((number, i) => {
    out[lists.length + i] = number;
  });
  return out;
}
