// A mutant on trial: does a golden case notice it?
import type { GoldenCase } from "../../io/golden/cases.ts";
import { gradientOf, gradients } from "../../tensor/autodiff/gradients.ts";
import { Bug } from "../../tensor/errors.ts";
import { computeNode, evaluate, leafValues, type Results, resultsOf } from "../../tensor/program/evaluate.ts";
import { isDead, type Node, type Program } from "../../tensor/program/program.ts";
import type { Tensor, View } from "../../tensor/tensor.ts";
import { callOf, LOSS, leafOf } from "../cases/check-case.ts";
import type { Comparison } from "../cases/compare.ts";
import { judge } from "../cases/judge.ts";
import type { Context, Mutant } from "./mutant.ts";

type Precision = Mutant["precision"];

export interface Evaluation {
  readonly context: Context;
  readonly outputOf: (program: Program, precision?: Precision) => Tensor;
  /** The first output or gradient that a program gets wrong by the case's own measure, that of single precision. */
  readonly wrong: (program: Program, precision?: Precision) => Comparison | null;
  /** Has the mutant a reason to change nothing here? */
  readonly excused: (mutant: Mutant) => boolean;
}

/** Evaluates, in float64, programs made from one: a node that still does the same to the same operands is not computed again. */
function evaluator(original: Program): (program: Program) => Results {
  const known = new Map<
    object,
    { readonly node: Node; readonly inputs: readonly View[]; readonly out: View }
  >();
  const run = (program: Program): Results => {
    const leaf = leafValues(program, {}, "float64");
    const values: View[] = [];
    const value = (id: number): View => {
      const v = values[id];
      if (!v) throw new Bug(`node ${id} has no value`);
      return v;
    };
    for (const [id, node] of program.nodes.entries()) {
      if (isDead(node)) continue;
      const inputs = node.inputs.map(value);
      const before = known.get(node.attrs);
      const same = before?.node.op === node.op && before.inputs.every((v, i) => v === inputs[i]);
      const computed = () => (node.op === "leaf" ? leaf(id) : computeNode(node, inputs, "float64"));
      const out = before && same ? before.out : computed();
      if (program === original && node.op !== "leaf") known.set(node.attrs, { node, inputs, out });
      values[id] = out;
    }
    return resultsOf(program, value);
  };
  run(original);
  return run;
}

export function evaluationOf(golden: GoldenCase): Evaluation {
  const { manifest } = golden;
  const { system, inputs, record } = callOf(golden);
  const context: Context = { program: record(), model: system.model, inputs, record };
  const [first = ""] = manifest.outputs;
  const inFloat64 = evaluator(context.program);
  const run = (program: Program, precision?: Precision): Results =>
    precision ? evaluate(program, {}, precision) : inFloat64(program);
  const outputOf: Evaluation["outputOf"] = (program, precision) => {
    const output = run(program, precision).outputs[first];
    if (!output) throw new Bug("a program without output");
    return output;
  };
  const outputsOnly = { ...golden, manifest: { ...manifest, grads: [] } };
  const firstOf = (of: GoldenCase, actual: ReadonlyMap<string, Tensor>) =>
    judge(of, actual, "float32", { taps: "locate" }).firstDivergence; // [mutant.killed]
  const wrong: Evaluation["wrong"] = (program, precision) => {
    const actual = new Map([["outputs.out", outputOf(program, precision)]]);
    const output = firstOf(outputsOnly, actual);
    if (output || manifest.grads.length === 0) return output;
    const grads = manifest.grads.filter((grad) => leafOf(grad) in program.leaves);
    const { outputs } = run(gradients(program, LOSS, grads.map(leafOf)), precision);
    for (const grad of grads) {
      const slope = outputs[gradientOf(leafOf(grad))];
      if (slope) actual.set(`grads.${grad}`, slope);
    }
    return firstOf(golden, actual);
  };
  const { taps } = inFloat64(context.program);
  const excused: Evaluation["excused"] = ({ equivalent }) =>
    equivalent !== undefined && (equivalent.where === null || equivalent.where(taps)); // [mutant.equivalent]
  return { context, outputOf, wrong, excused };
}
