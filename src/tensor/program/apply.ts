// Eager execution: `applyRule` executes every op. While a program is being recorded (record.ts), it also receives the ops, taps and
// scopes.
import { Bug, ShapeError } from "../errors.ts";
import type { AnyRule, OpName, Ops, Rule } from "../ops/table.ts";
import { Tensor } from "../tensor.ts";

/** The result of a recorded function or of a scope's body. */
export type Outputs = Tensor | Readonly<Record<string, Tensor>>;
type Tensors = Readonly<Record<string, Tensor>>;

/** A program while it is being recorded. */
export interface Recorder {
  /** Whether ops compute shapes only. */
  readonly symbolic: boolean;
  op(op: OpName, attrs: object, inputs: readonly Tensor[], out: Tensor): void;
  tap(owner: object, name: string, x: Tensor): Tensor;
  scope<T extends Outputs>(name: string, inputs: Tensors, attrs: object, body: () => T): T;
}

let recorder: Recorder | null = null;

/** Runs `f` while `r` records. */
export function recording<T>(r: Recorder, f: () => T): T {
  if (recorder) throw new Bug("recording inside a recording"); // [record.once]
  recorder = r;
  try {
    return f();
  } finally {
    recorder = null;
  }
}

/** Throws a ShapeError unless every operand is a tensor. */
export function checkTensors(where: string, ...operands: readonly unknown[]): void {
  const at = operands.findIndex((x) => !(x instanceof Tensor));
  if (at < 0) return;
  const x = operands[at];
  const isHost = typeof x === "object" && x !== null && "kind" in x; // not instanceof: a bundle of einsum has no use for Bool and Int
  const given = isHost ? `${x.kind}; only repeat takes those` : x === null ? "null" : typeof x;
  throw new ShapeError(`operand ${at + 1} must be a tensor, not ${given}  [notation.operands]`, where);
}

/**
 * Executes an op by its rule: computes the shape and, unless recording symbolically, the values. Functions of one op name its rule, so
 * that a bundle holds the rules of the ops that it uses; `apply` of ops/rules.ts finds the rule of any op. Throws a ShapeError for an
 * operand that is no tensor.
 */
export function applyRule<K extends OpName>(
  op: K,
  rule: Rule<K>,
  attrs: Ops[K]["attrs"],
  ...inputs: Ops[K]["in"]
): Tensor {
  checkTensors(op, ...inputs);
  const { shape: shapeOf, compute } = rule as unknown as AnyRule;
  const shape = shapeOf(attrs, ...inputs.map((t) => t.shape));
  const values = recorder?.symbolic ? undefined : compute(attrs, ...inputs.map((t) => t.data)); // [record.symbolic]
  const out = new Tensor(shape, values);
  recorder?.op(op, attrs, inputs, out); // [record.eager]
  return out;
}

/**
 * Names an activation (as a forward hook in torch sees it) and returns x: the path of its module followed by the name,
 * `layers.0.1.attn.scores`. The empty name stands for the output of the module. If the module runs again, its taps are named
 * `scores@2` and so on. Nothing happens outside of a recording. Throws a ShapeError, while recording, if x is no tensor.
 */
export const tap = <T extends Tensor>(owner: object, name: string, x: T): T =>
  recorder ? (recorder.tap(owner, name, x) as T) : x; // [tap.path]

/**
 * Records a scope. The body, in terms of ops, is the definition; a backend may run a fused kernel of this name instead. The body returns
 * one tensor, or several by name. Throws a ShapeError if it returns anything else.
 */
export function scope<I extends Record<string, Tensor>, A extends object, T extends Outputs>(
  name: string,
  inputs: I,
  attrs: A,
  body: (inputs: I, attrs: A) => T,
): T {
  const run = () => body(inputs, attrs);
  return recorder ? recorder.scope(name, inputs, attrs, run) : run();
}
