// Evaluates mutants on a golden case: does the case detect the mistake?
import type { GoldenCase } from "../../io/golden/cases.ts";
import { gradientOf, gradients } from "../../tensor/autodiff/gradients.ts";
import { Bug } from "../../tensor/errors.ts";
import type { Precision } from "../../tensor/precision.ts";
import { computeNode, evaluate, leafValues, type Results, resultsOf } from "../../tensor/program/evaluate.ts";
import { isDead, type Node, type Program } from "../../tensor/program/program.ts";
import type { Tensor, View } from "../../tensor/tensor.ts";
import { callOf, LOSS, leafOf } from "../cases/check-case.ts";
import type { Comparison } from "../cases/compare.ts";
import { judge } from "../cases/judge.ts";
import type { Context, Mutant } from "./mutant.ts";

export interface Evaluation {
  readonly context: Context;
  readonly outputOf: (program: Program, precision?: Mutant["precision"]) => Tensor;
  /**
   * The first output or gradient beyond the case's tolerance in the precision `judged`, by default float32; null if all are within
   * it. Except where `precision` is given, the program is evaluated in float64.
   */
  readonly wrong: (
    program: Program,
    precision?: Mutant["precision"],
    judged?: Precision,
  ) => Comparison | null;
  /** Whether the mutant is proven to change nothing on this case. */
  readonly excused: (mutant: Mutant) => boolean;
}

/** Evaluates rewrites of one program in float64. A node with the same operation and operands as in the original is not computed again. */
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
      const previous = known.get(node.attrs);
      const same = previous?.node.op === node.op && previous.inputs.every((v, i) => v === inputs[i]);
      const computed = () => (node.op === "leaf" ? leaf(id) : computeNode(node, inputs, "float64"));
      const out = previous && same ? previous.out : computed();
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
  const run = (program: Program, precision?: Mutant["precision"]): Results =>
    precision ? evaluate(program, {}, precision) : inFloat64(program);
  const outputOf: Evaluation["outputOf"] = (program, precision) => {
    const output = run(program, precision).outputs[first];
    if (!output) throw new Bug("a program without output");
    return output;
  };
  const outputsOnly = { ...golden, manifest: { ...manifest, outputs: [first], grads: [] } };
  const firstOf = (of: GoldenCase, actual: ReadonlyMap<string, Tensor>, judged: Precision) =>
    judge(of, actual, judged, { taps: "locate" }).firstDivergence; // [mutant.killed]
  const wrong: Evaluation["wrong"] = (program, precision, judged = "float32") => {
    const actual = new Map([[`outputs.${first}`, outputOf(program, precision)]]);
    const output = firstOf(outputsOnly, actual, judged);
    if (output || manifest.grads.length === 0) return output;
    const grads = manifest.grads.filter((grad) => leafOf(grad) in program.leaves);
    const { outputs } = run(gradients(program, LOSS, grads.map(leafOf)), precision);
    for (const grad of grads) {
      const slope = outputs[gradientOf(leafOf(grad))];
      if (slope) actual.set(`grads.${grad}`, slope);
    }
    return firstOf({ ...golden, manifest: { ...manifest, outputs: [first] } }, actual, judged);
  };
  const { taps } = inFloat64(context.program);
  const excused: Evaluation["excused"] = ({ equivalent }) =>
    equivalent !== undefined && (equivalent.where === null || equivalent.where(taps)); // [mutant.equivalent]
  return { context, outputOf, wrong, excused };
}
