// The definitions of all ops: name -> shape rule and computation in float64.
import { applyRule } from "../program/apply.ts";
import type { Tensor } from "../tensor.ts";
import { einsum } from "./einsum.ts";
import * as elementwise from "./elementwise.ts";
import { gather, pick, place, scatter } from "./gather.ts";
import { concat, pad, rearrange, slice, sum } from "./movement.ts";
import { expand, maxTo, softmax, sumExp, unbroadcast } from "./reductions.ts";
import type { AnyRule, OpName, Ops, Rule } from "./table.ts";
import { overlap, windows } from "./windows.ts";

/** The table of 01-ops.md. [ops.definition] */
export const rules: { readonly [K in OpName]: Rule<K> } = {
  add: elementwise.add,
  sub: elementwise.sub,
  mul: elementwise.mul,
  div: elementwise.div,
  equal: elementwise.equal,
  neg: elementwise.neg,
  exp: elementwise.exp,
  log: elementwise.log,
  sqrt: elementwise.sqrt,
  sin: elementwise.sin,
  cos: elementwise.cos,
  tanh: elementwise.tanh,
  sigmoid: elementwise.sigmoid,
  gelu: elementwise.gelu,
  geluGrad: elementwise.geluGrad,
  relu: elementwise.relu,
  positive: elementwise.positive,
  mulScalar: elementwise.mulScalar,
  addScalar: elementwise.addScalar,
  where: elementwise.where,
  unbroadcast,
  maxTo,
  expand,
  sumExp,
  softmax,
  einsum,
  rearrange,
  repeat: rearrange,
  sum,
  concat,
  slice,
  pad,
  windows,
  overlap,
  gather,
  scatter,
  pick,
  place,
  detach: elementwise.identity,
  tap: elementwise.identity,
};

/** Ops whose result holds only numbers of the operands, or 0 and 1: it needs no rounding. */
// biome-ignore format: a list of names
export const EXACT: ReadonlySet<OpName> = new Set<OpName>([
  "equal", "neg", "relu", "positive", "expand", "rearrange", "repeat", "concat", "slice", "pad",
  "windows", "gather", "pick", "place", "detach", "tap",
]);

/** Ops whose result is a view of the operand's memory, where strides allow. */
// biome-ignore format: a list of names
export const VIEWS: ReadonlySet<OpName> = new Set<OpName>([
  "expand", "rearrange", "repeat", "slice", "windows", "detach", "tap",
]);

export const ruleOf = (op: OpName): AnyRule => rules[op] as unknown as AnyRule;

/** Executes an op by its name. */
export const apply = <K extends OpName>(op: K, attrs: Ops[K]["attrs"], ...inputs: Ops[K]["in"]): Tensor =>
  applyRule(op, rules[op] as unknown as Rule<K>, attrs, ...inputs);
