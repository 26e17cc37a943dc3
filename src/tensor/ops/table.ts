// Every op with its operands and attributes. The tables of definitions (rules.ts), derivatives (vjp.ts) and examples for tests are
// mapped types over this interface, so that a missing entry does not compile.
import type { Sizes } from "../pattern.ts";
import type { Shape, Strided, Tensor, View } from "../tensor.ts";

/** The result of the softmax for a row without allowed entries. */
export type SoftmaxEmptyRow = "zero" | "uniform" | "nan";
/** A mask in the attributes of a node: plain data. */
export type Mask = Strided<Uint8Array>;
export type Ids = Strided<Int32Array>;

type Unary<Attrs = object> = { in: [Tensor]; attrs: Attrs };
type Binary = { in: [Tensor, Tensor]; attrs: object };
type Patterned = Unary<{ pattern: string; sizes: Sizes }>;

/** Every op: the number of its operands (`in`) and its attributes. A program holds attributes as plain data. */
export interface Ops {
  add: Binary;
  sub: Binary;
  mul: Binary;
  div: Binary;
  /** 1 where equal, else 0. Its derivative is zero. */
  equal: Binary;
  neg: Unary;
  exp: Unary;
  log: Unary;
  sqrt: Unary;
  sin: Unary;
  cos: Unary;
  tanh: Unary;
  sigmoid: Unary;
  gelu: Unary;
  geluGrad: Unary;
  relu: Unary;
  /** 1 where x > 0, else 0. Its derivative is zero. */
  positive: Unary;
  mulScalar: Unary<{ by: number }>;
  addScalar: Unary<{ by: number }>;
  where: Unary<{ keep: Mask; otherwise: number }>;
  unbroadcast: Unary<{ shape: Shape }>;
  maxTo: Unary<{ shape: Shape }>;
  expand: Unary<{ shape: Shape }>;
  sumExp: Binary;
  softmax: Unary<{ mayAttend: Mask | null; emptyRow: SoftmaxEmptyRow }>;
  einsum: { in: [Tensor, Tensor]; attrs: { pattern: string } };
  rearrange: Patterned;
  repeat: Patterned;
  sum: Patterned;
  concat: { in: Tensor[]; attrs: { axis: number } };
  slice: Unary<{ axis: number; from: number; to: number }>;
  pad: Unary<{ axis: number; before: number; after: number }>;
  windows: Unary<{ axis: number; size: number; step: number }>;
  overlap: Unary<{ axis: number; step: number; length: number }>;
  gather: Unary<{ ids: Ids }>;
  scatter: Unary<{ ids: Ids; rows: number }>;
  pick: Unary<{ ids: Ids }>;
  place: Unary<{ ids: Ids; width: number }>;
  detach: Unary;
  tap: Unary<{ name: string }>;
}

/** The name of an op. */
export type OpName = keyof Ops;
/** One X for each operand. (A mapped type preserves tuples only over a type parameter.) */
export type Each<T extends Tensor[], X> = { [I in keyof T]: X };

/** The definition of an op: its shape rule and its computation in float64. */
export interface Rule<K extends OpName> {
  shape(attrs: Ops[K]["attrs"], ...shapes: Each<Ops[K]["in"], Shape>): Shape;
  compute(attrs: Ops[K]["attrs"], ...views: Each<Ops[K]["in"], View>): View;
}

/** A rule whose op is not known statically. */
export interface AnyRule {
  shape(attrs: object, ...shapes: Shape[]): Shape;
  compute(attrs: object, ...views: View[]): View;
}
