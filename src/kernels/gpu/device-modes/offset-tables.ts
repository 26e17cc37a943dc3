// Where a kernel finds what it reads: offsets of the cells of a result along z, y and x, in columns side by side.
import { ShapeError } from "../../../tensor/errors.ts";
import { offsets, type Shape, type Strided, sizeOf } from "../../../tensor/tensor.ts";
import type { Size } from "./gpu-device.ts";

type Placed = Omit<Strided<unknown>, "data">;

/** The axes of a shape as three: the last is x, the one before y, all others z, as far as a device counts along z. */
export interface Grid {
  readonly shape: Shape;
  readonly size: Size;
  /** Where y and x begin. */
  readonly cuts: readonly [y: number, x: number];
}

/** Groups of threads that WebGPU takes along an axis. */
const MOST_LAYERS = 65_535;

export function gridOf(shape: Shape): Grid {
  const x = Math.max(shape.length - 1, 0);
  let y = Math.max(x - 1, 0);
  while (sizeOf(shape.slice(0, y)) > MOST_LAYERS) y--;
  const [depth, height, width] = [shape.slice(0, y), shape.slice(y, x), shape.slice(x)].map(sizeOf);
  return { shape, size: [width ?? 1, height ?? 1, depth ?? 1], cuts: [y, x] };
}

/** Offsets of a view of the grid's shape along z, y and x. */
export function offsetsOf({ cuts: [y, x] }: Grid, { shape, stride, offset }: Placed): Int32Array[] {
  return [
    offsets(shape.slice(0, y), stride.slice(0, y), offset),
    offsets(shape.slice(y, x), stride.slice(y, x)),
    offsets(shape.slice(x), stride.slice(x)),
  ];
}

/** Lists as columns, as long as the longest; then numbers, each at the head of a column. Offsets are floats there, and exact. */
export function columns(lists: readonly Int32Array[], numbers: readonly number[] = []): Float32Array {
  const width = lists.length + numbers.length;
  const height = Math.max(1, ...lists.map((list) => list.length));
  const out = new Float32Array(width * height);
  lists.forEach((list, column) => {
    for (let i = 0; i < list.length; i++) {
      const value = list[i] ?? 0;
      if (Math.fround(value) !== value)
        throw new ShapeError(`offset ${value} is no number that a kernel of gpu.js has`);
      out[i * width + column] = value;
    }
  });
  numbers.forEach((number, i) => {
    out[lists.length + i] = number;
  });
  return out;
}
