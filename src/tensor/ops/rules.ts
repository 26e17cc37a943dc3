// The definitions of all ops: name -> shape rule and computation in float64.
import nops from "ndarray-ops";
import { applyRule } from "../program/record.ts";
import type { Tensor } from "../tensor.ts";
import { einsum } from "./einsum.ts";
import {
  addScalar,
  binary,
  gelu,
  geluGrad,
  identity,
  map,
  mulScalar,
  positive,
  relu,
  sigmoid,
  unary,
  where,
} from "./elementwise.ts";
import { gather, pick, place, scatter } from "./gather.ts";
import { concat, pad, rearrange, slice, sum } from "./movement.ts";
import { expand, maxTo, softmax, sumExp, unbroadcast } from "./reductions.ts";
import type { AnyRule, OpName, Ops, Rule } from "./table.ts";
import { overlap, windows } from "./windows.ts";

/** The table of 01-ops.md. [ops.definition] */
export const rules: { readonly [K in OpName]: Rule<K> } = {
  add: binary(nops.add),
  sub: binary(nops.sub),
  mul: binary(nops.mul),
  div: binary(nops.div),
  equal: { ...binary(nops.eq as unknown as typeof nops.add), exact: true },
  neg: { ...unary(nops.neg), exact: true },
  exp: unary(nops.exp),
  log: unary(nops.log),
  sqrt: unary(nops.sqrt),
  sin: unary(nops.sin),
  cos: unary(nops.cos),
  tanh: map(Math.tanh),
  sigmoid: map(sigmoid),
  gelu: map(gelu),
  geluGrad: map(geluGrad),
  relu: { ...map(relu), exact: true },
  positive: { ...map(positive), exact: true },
  mulScalar,
  addScalar,
  where,
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
  detach: identity,
  tap: identity,
};

export const ruleOf = (op: OpName): AnyRule => rules[op] as unknown as AnyRule;

/** Executes an op by its name. */
export const apply = <K extends OpName>(op: K, attrs: Ops[K]["attrs"], ...inputs: Ops[K]["in"]): Tensor =>
  applyRule(op, rules[op] as unknown as Rule<K>, attrs, ...inputs);
