// Random tensors, shapes and masks, with random layouts in memory.

import fc from "fast-check";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { generator } from "../../../src/tensor/random.ts";
import {
  type Any,
  Bool,
  bool,
  type Floats,
  Int,
  type Shape,
  type Strided,
  sizeOf,
  Tensor,
  type View,
  view,
} from "../../../src/tensor/tensor.ts";

/** Every multi-index of a shape, the last axis fastest. */
export function* indices(shape: Shape): Generator<number[]> {
  const [n, ...rest] = shape;
  if (n === undefined) yield [];
  else for (let i = 0; i < n; i++) for (const tail of indices(rest)) yield [i, ...tail];
}

/** The elements f(index) in row-major order. */
export const listing = (shape: Shape, f: (index: readonly number[]) => number): number[] =>
  [...indices(shape)].map(f);

export type At = (...index: readonly number[]) => number;
/** Reads a view element by element with ndarray's `get`. */
export const reader =
  (v: View): At =>
  (...index) =>
    ndArray(v).get(...index);

/** Reads any strided data element by element. */
export const stridedReader =
  ({ data, stride, offset }: Strided<Floats | Uint8Array | Int32Array>): At =>
  (...index) =>
    data[index.reduce((at, i, axis) => at + i * (stride[axis] ?? 0), offset)] ?? Number.NaN;

/** Numbers from −1 to 1, determined by the seed. */
export function numbers(seed: number, map: (x: number) => number = (x) => x): () => number {
  const { uniform } = generator(seed, "spec");
  return () => map(2 * uniform() - 1);
}

export function randomTensor<A extends string = Any>(
  shape: Shape,
  seed = 1,
  map?: (x: number) => number,
): Tensor<A> {
  const next = numbers(seed, map);
  return new Tensor<A>(shape, view(Float64Array.from({ length: sizeOf(shape) }, next), shape));
}

/** A random mask in which about one in three entries is masked, and every fourth row (last axis) is empty. */
export function randomMask(shape: Shape, seed = 1, layout: Layout = plain): Bool<Any> {
  const next = numbers(seed);
  let column = 0;
  let row = -1;
  const bit = () => {
    if (column++ % (shape.at(-1) ?? 1) === 0) row++;
    return row % 4 === 1 ? 0 : Number(next() > -0.3);
  };
  const { data, stride, offset } = laidOut(Uint8Array, 1, shape, layout, bit);
  return new Bool(shape, data, stride, offset);
}

export function randomIds(shape: Shape, rows: number, seed = 1, layout: Layout = plain): Int<Any> {
  const next = numbers(seed);
  const id = () => Math.floor(((next() + 1) / 2) * rows);
  const { data, stride, offset } = laidOut(Int32Array, -7, shape, layout, id);
  return new Int(shape, data, stride, offset);
}

/** The layout of a view in memory. */
export interface Layout {
  /** The first axis is the fastest, as after a transposition. */
  readonly transposed: boolean;
  /** Elements before and after every axis that are not part of the view, as after slicing. */
  readonly margin: number;
  readonly step: number;
  /** Bit i: axis i has stride 0, as after `expand` and `repeat`. */
  readonly repeated: number;
}
export const plain: Layout = { transposed: false, margin: 0, step: 1, repeated: 0 };

export const layouts: fc.Arbitrary<Layout> = fc.record({
  transposed: fc.boolean(),
  margin: fc.nat({ max: 2 }),
  step: fc.integer({ min: 1, max: 2 }),
  repeated: fc.oneof(fc.constant(0), fc.nat({ max: 7 })),
});

/** Strided data with a given layout. Elements outside the view are `junk`, so that a wrong offset changes the result. */
export function laidOut<D extends Floats | Uint8Array | Int32Array>(
  kind: new (n: number) => D,
  junk: number,
  shape: Shape,
  { transposed, margin, step, repeated }: Layout,
  next: () => number,
): Strided<D> {
  const repeats = (axis: number) => ((repeated >> axis) & 1) === 1;
  const room = shape.map((n, axis) => (repeats(axis) ? 1 : n * step) + 2 * margin);
  const stride = shape.map((_, axis) => sizeOf(transposed ? room.slice(0, axis) : room.slice(axis + 1)));
  const data = new kind(sizeOf(room)).fill(junk) as D;
  const offset = stride.reduce((at, s) => at + margin * s, 0);
  const steps = stride.map((s, axis) => (repeats(axis) ? 0 : s * step));
  for (const index of indices(shape)) {
    data[index.reduce((at, i, axis) => at + i * (steps[axis] ?? 0), offset)] = next();
  }
  return { data, shape, stride: steps, offset };
}

/** A tensor of random numbers with a given layout. */
export function laidOutTensor(
  shape: Shape,
  layout: Layout,
  seed: number,
  map?: (x: number) => number,
  kind: new (n: number) => Floats = Float64Array,
): Tensor<Any> {
  const { data, stride, offset } = laidOut<Floats>(kind, Number.NaN, shape, layout, numbers(seed, map));
  return new Tensor(shape, view(data, shape, stride, offset));
}

/** The same booleans, row-major. */
export const copyOfBool = (mask: Bool): Bool<Any> => {
  const at = stridedReader(mask);
  return new Bool(mask.shape, Uint8Array.from(listing(mask.shape, (i) => at(...i))));
};

/** The same integers, row-major. */
export const copyOfInt = (ids: Int): Int<Any> => {
  const at = stridedReader(ids);
  return new Int(ids.shape, Int32Array.from(listing(ids.shape, (i) => at(...i))));
};

/** The same numbers, row-major, in float64. */
export const copyOf = (t: Tensor): Tensor<Any> => {
  const at = reader(t.data);
  return new Tensor(t.shape, view(Float64Array.from(listing(t.shape, (i) => at(...i))), t.shape));
};

/** Positions of images in each row of text: "..I." -> false false true false */
export const locations = (...rows: readonly string[]): Bool<"b l"> =>
  bool(
    "b l",
    rows.map((row) => [...row].map((c) => c === "I")),
  );

export const randomLocations = (b: number, l: number, seed: number): Bool<"b l"> => {
  const next = numbers(seed);
  return new Bool(
    [b, l],
    Uint8Array.from({ length: b * l }, () => Number(next() > 0.3)),
  );
};
