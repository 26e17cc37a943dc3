// Laws of modules that read sequences and images, independent of how a module computes. "The same" means bit for
// bit; sums in another order agree within a tolerance.
import { expect } from "vitest";
import { Bool, flat, Int, rowMajor, type Shape, sizeOf, Tensor, view } from "../../../src/tensor/tensor.ts";
import { indices, randomTensor, reader } from "./arbitraries.ts";
import { expectClose, expectSame, valuesOf } from "./programs.ts";

type Batched = Tensor | Bool | Int;
// biome-ignore lint/suspicious/noExplicitAny: a law takes the inputs of any module
type Forward = (...inputs: any[]) => Tensor;

/** The tensor with element `order[i]` at index i of one axis; an order may be shorter than the axis. */
export function taken(x: Tensor, axis: number, order: readonly number[]): Tensor {
  const shape = x.shape.map((n, i) => (i === axis ? order.length : n));
  const at = reader(x.data);
  const values = [...indices(shape)].map((index) =>
    at(...index.map((i, place) => (place === axis ? (order[i] ?? -1) : i))),
  );
  return new Tensor(shape, view(Float64Array.from(values), shape));
}

/** Two tensors joined along an axis. */
export function joined(x: Tensor, y: Tensor, axis: number): Tensor {
  const n = x.shape[axis] ?? 0;
  const shape = x.shape.map((size, i) => (i === axis ? size + (y.shape[axis] ?? 0) : size));
  const [one, other] = [reader(x.data), reader(y.data)];
  const values = [...indices(shape)].map((index) =>
    (index[axis] ?? 0) < n ? one(...index) : other(...index.map((i, place) => (place === axis ? i - n : i))),
  );
  return new Tensor(shape, view(Float64Array.from(values), shape));
}

/** Row b of a batch, as a batch of one. */
export function rowOf<X extends Batched>(x: X, b: number): X {
  if (x instanceof Tensor) return taken(x, 0, [b]) as X;
  const shape = [1, ...x.shape.slice(1)];
  const size = sizeOf(shape);
  const data = x.flat().slice(b * size, (b + 1) * size);
  return (x instanceof Bool
    ? new Bool(shape, data as Uint8Array)
    : new Int(shape, data as Int32Array)) as unknown as X;
}

/** A batch equals its rows one by one. */
export function aBatchEqualsItsRows(forward: Forward, ...inputs: readonly Batched[]): void {
  const whole = forward(...inputs);
  for (let b = 0; b < (inputs[0]?.shape[0] ?? 0); b++)
    expectSame(forward(...inputs.map((x) => rowOf(x, b))), taken(whole, 0, [b]));
}

/** The output for a prefix is the prefix of the output: no position reads a later one. */
export function aPrefixGivesThePrefix(forward: (n: number) => Tensor, length: number, axis = 1): void {
  const whole = forward(length);
  for (let n = 1; n <= length; n++) {
    expectSame(
      forward(n),
      taken(
        whole,
        axis,
        Array.from({ length: n }, (_, i) => i),
      ),
    );
  }
}

/** Permuting an axis of the input permutes an axis of the output in the same way. */
export function permutingPermutes(
  forward: Forward,
  x: Tensor,
  axis: number,
  outAxis: number,
  tolerance = 1e-13,
): void {
  const order = orderOf(x.shape[axis] ?? 0);
  const expected = taken(forward(x), outAxis, order);
  expectClose(valuesOf(forward(taken(x, axis, order))), valuesOf(expected), tolerance);
}

/** Permuting an axis of the input does not change the output. */
export function permutingChangesNothing(forward: Forward, x: Tensor, axis: number, tolerance = 1e-13): void {
  const order = orderOf(x.shape[axis] ?? 0);
  expectClose(valuesOf(forward(taken(x, axis, order))), valuesOf(forward(x)), tolerance);
}

/** A permutation without fixed points, if there is one: 2 … n−1 0 1, or the two elements reversed. */
const orderOf = (n: number): number[] =>
  Array.from({ length: n }, (_, i) => (i + 2 - (n === 2 ? 1 : 0)) % Math.max(1, n));

/** The tensor with other numbers at index k of an axis. */
export function changedAt(x: Tensor, axis: number, k: number): Tensor {
  const values = Float64Array.from(flat(x.data));
  const other = flat(randomTensor(x.shape, 4711).data);
  const step = rowMajor(x.shape)[axis] ?? 1;
  for (let i = 0; i < values.length; i++)
    if (Math.floor(i / step) % (x.shape[axis] ?? 1) === k) values[i] = other[i] ?? 0;
  return new Tensor(x.shape, view(values, x.shape));
}

/** For each token b l of an output b l d, whether it differs in any bit. */
export function differing(one: Tensor, other: Tensor): boolean[][] {
  const [b = 0, l = 0, d = 0] = one.shape;
  expect(other.shape).toEqual(one.shape);
  const [x, y] = [valuesOf(one), valuesOf(other)];
  const differs = (token: number) => {
    for (let i = token * d; i < (token + 1) * d; i++) if (!Object.is(x[i], y[i])) return true;
    return false;
  };
  return Array.from({ length: b }, (_, i) => Array.from({ length: l }, (_, j) => differs(i * l + j)));
}

/**
 * Changing image k changes exactly the tokens that may attend to image k; all others stay the same. `images` is the
 * axis of the images, `reaches` the expectation.
 */
export function anImageChangesOnlyTheTokensThatSeeIt(
  forward: (media: Tensor) => Tensor,
  media: Tensor,
  reaches: (b: number, l: number, k: number) => boolean,
): void {
  const before = forward(media);
  for (let k = 0; k < (media.shape[1] ?? 0); k++) {
    const seen = differing(before, forward(changedAt(media, 1, k)));
    expect(seen, `image ${k}`).toEqual(seen.map((row, b) => row.map((_, l) => reaches(b, l, k))));
  }
}

/** An additional image that no token attends to does not change the output. */
export function aPaddingImageChangesNothing(forward: (media: Tensor) => Tensor, media: Tensor): void {
  const shape: Shape = media.shape.map((n, axis) => (axis === 1 ? 1 : n));
  expectSame(forward(joined(media, randomTensor(shape, 815), 1)), forward(media));
}
