import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { callOf } from "../../../src/conformance/cases/check-case.ts";
import { maskedAttentions, masksOf } from "../../../src/conformance/mutants/catalogue/masked-attentions.ts";
import { type Evaluation, evaluationOf } from "../../../src/conformance/mutants/evaluation.ts";
import { during, type Mutant } from "../../../src/conformance/mutants/mutant.ts";
import { mutants, nearestMutant } from "../../../src/conformance/mutants/mutants.ts";
import { findCases, type GoldenCase, readCase } from "../../../src/io/golden/cases.ts";
import { normalize } from "../../../src/nn/norms/layer-norm.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { add, addScalar, mul, mulScalar, square, sumAll } from "../../../src/tensor/ops/functions.ts";
import { scope, tap } from "../../../src/tensor/program/apply.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import type { Program } from "../../../src/tensor/program/program.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { rewrite, type Visitor } from "../../../src/tensor/program/rewrite.ts";
import { flat, Tensor, tensor, view } from "../../../src/tensor/tensor.ts";

const CASES = "golden/cases";
const golden = (id: string): GoldenCase => readCase(`${CASES}/flamingo-pytorch/${id}`);
const values = (t: Tensor | null | undefined): number[] => (t ? [...flat(t.data)] : []);
const mutant = (id: string): Mutant => {
  const found = mutants.find((m) => m.id === id);
  if (!found) throw new Error(`no mutant ${id}`);
  return found;
};

/** Replaces every node of one op. */
const replacing =
  (op: string, by: (x: Tensor) => Tensor): Visitor =>
  ({ node, inputs: [x] }) =>
    node.op === op && x ? by(x) : null;

describe("rewrite", () => {
  const x = tensor("n", [1, 2, 4]);
  const w = tensor("n", [3, 5, 7]);
  const owner = {};

  test("[rewrite.identity] a rewrite without replacements returns the same program: a whole model with scopes, taps and tied weights", () => {
    const { program } = evaluationOf(golden("flamingo-palm--videos")).context;
    const rewritten = rewrite(program, () => null);
    expect(rewritten).toEqual(program);
    for (const [id, t] of program.bindings) expect(rewritten.bindings.get(id)).toBe(t);
    expect(Object.keys(program.leaves)).toContain("to_logits.1.weight");
    expect(program.scopes.length).toBeGreaterThan(10);
  });

  test("[rewrite.identity] a pruned program computes the same without its dead nodes", () => {
    const loss = record(() => ({ loss: sumAll(mul(normalize(x), w)), idle: sumAll(normalize(w)) }), {
      inputs: { x, w },
    });
    const { idle: _, ...outputs } = gradients(loss, "loss", ["x", "w"]).outputs;
    const pruned = gradients({ ...loss, outputs: { loss: outputs.loss ?? -1 } }, "loss", ["w"]);
    const rewritten = rewrite(pruned, () => null);
    expect(rewritten.nodes.length).toBeLessThan(pruned.nodes.length);
    expect(values(evaluate(rewritten).outputs[gradientOf("w")])).toEqual(
      values(evaluate(pruned).outputs[gradientOf("w")]),
    );
  });

  test("[rewrite.replace] readers, taps and outputs read the replacement, and its inputs are replaced too", () => {
    const program = record(
      () => {
        const squared = tap(owner, "squared", square(x));
        return { sum: add(addScalar(squared, 1), x), squared };
      },
      { model: { owner }, inputs: { x } },
    );
    const rewritten = rewrite(program, ({ node, inputs: [a], at }) => {
      if (node.op === "mul" && a) return mulScalar(a, 10);
      return node.op === "addScalar" && a ? add(a, at(0)) : null;
    });
    const { outputs, taps } = evaluate(rewritten);
    expect(values(outputs.squared)).toEqual([10, 20, 40]);
    expect(values(Object.values(taps)[0])).toEqual([10, 20, 40]);
    expect(values(outputs.sum)).toEqual([12, 24, 48]); // 10x + x, + x
  });

  test("[rewrite.replace] the output of a scope may be replaced", () => {
    const program = record(() => mulScalar(normalize(x), 3), { inputs: { x } });
    const rewritten = rewrite(
      program,
      replacing("div", () => w),
    );
    expect(values(evaluate(rewritten).outputs.out)).toEqual([9, 15, 21]);
    expect(rewritten.scopes[0]?.outputs.out).toBe(
      rewritten.leaves.w ?? rewritten.nodes.findIndex((n) => n.shape === w.shape),
    );
  });

  test("[rewrite.names] a leaf that no node reads keeps its name, can be bound and has gradient zero", () => {
    const program = record(() => ({ loss: sumAll(mul(x, w)) }), { inputs: { x, w } });
    const rewritten = rewrite(program, replacing("mul", square));
    expect(Object.keys(rewritten.leaves)).toEqual(["x", "w"]);
    const slopes = evaluate(gradients(rewritten, "loss", ["x", "w"]), { w: x }).outputs;
    expect(values(slopes[gradientOf("x")])).toEqual([2, 4, 8]);
    expect(values(slopes[gradientOf("w")])).toEqual([0, 0, 0]);
  });

  test("[rewrite.names] outputs, taps and leaves may share names", () => {
    const program = record(() => ({ y: tap(owner, "y", mulScalar(x, 2)), z: w }), {
      model: { owner },
      inputs: { y: x, "output y": w },
    });
    const rewritten = rewrite(
      program,
      replacing("mulScalar", (t) => mulScalar(t, 3)),
    );
    const names = ({ outputs, taps, leaves }: Program) =>
      [outputs, taps, leaves].map((of) => Object.keys(of));
    expect(names(rewritten)).toEqual(names(program));
    expect(values(evaluate(rewritten).outputs.y)).toEqual([3, 6, 12]);
  });

  test("[rewrite.scope] a changed scope and those around it are renamed, other scopes are not", () => {
    const shared = { n: 1 };
    const program = record(
      () => {
        const inner = (t: Tensor) => scope("inner", { t }, shared, ({ t }) => addScalar(t, 1));
        const changed = scope("outer", { x }, {}, ({ x }) => inner(square(inner(x))));
        return scope("outer", { changed }, {}, ({ changed }) => inner(changed));
      },
      { inputs: { x } },
    );
    const rewritten = rewrite(
      program,
      replacing("mul", (t) => mulScalar(t, 2)),
    );
    const names = (p: Program) => p.scopes.map(({ name }) => name);
    expect(names(program)).toEqual(["outer", "inner", "inner", "outer", "inner"]);
    expect(names(rewritten)).toEqual(["rewritten outer", "inner", "inner", "outer", "inner"]);
    const innermost = rewrite(program, ({ id, inputs: [t] }) =>
      id === program.scopes[2]?.outputs.out && t ? t : null,
    );
    expect(names(innermost)).toEqual(["rewritten outer", "inner", "rewritten inner", "outer", "inner"]);
  });
});

/** A case with the result of every mutant on it. */
interface Row {
  readonly id: string;
  readonly original: string | null;
  /** By mutant: the first tensor beyond its tolerance, null if all are within. */
  readonly detected: ReadonlyMap<string, string | null>;
  readonly excused: ReadonlySet<string>;
  /** "relu in bfloat16" */
  readonly inHalf: ReadonlySet<string>;
}

/** Mistakes that are larger than the rounding of half precision, and the least number of cases that must notice each. */
const HALF = [
  ["variance-unbiased", "bfloat16", 40],
  ["gate-raw", "bfloat16", 20],
  ["relu", "bfloat16", 40],
  ["variance-unbiased", "float16", 100],
  ["gate-raw", "float16", 35],
  ["relu", "float16", 60],
  ["gelu-quick", "float16", 10],
] as const;

function tryAll(folder: string): Row[] {
  const subject = readCase(folder);
  const { id, raises, full } = subject.manifest;
  if (raises || full || !callOf(subject).system.forward) return [];
  const evaluation: Evaluation = evaluationOf(subject);
  const detected = new Map<string, string | null>();
  const excused = new Set<string>();
  const inHalf = new Set<string>();
  for (const m of mutants) {
    const program = m.apply(evaluation.context);
    if (!program) continue;
    detected.set(m.id, evaluation.wrong(program, m.precision)?.tensor ?? null);
    if (evaluation.excused(m)) excused.add(m.id);
    for (const [of, precision] of subject.manifest.grads.length > 0 ? [] : HALF)
      if (of === m.id && evaluation.wrong(program, undefined, precision)) inHalf.add(`${of} in ${precision}`);
  }
  const original = evaluation.wrong(evaluation.context.program)?.tensor ?? null;
  subject.close();
  return [{ id, original, detected, excused, inHalf }];
}

describe("mutants", () => {
  let rows: readonly Row[] = [];
  const detecting = (id: string) => rows.filter(({ detected }) => detected.get(id));
  const tried = (id: string) => rows.filter(({ detected }) => detected.has(id));

  beforeAll(() => {
    rows = findCases([CASES]).flatMap(tryAll);
    if (!process.env.KILLS) return;
    for (const { id } of mutants) {
      const cases = detecting(id).map((row) => `${row.id} by ${row.detected.get(id)}`);
      console.log(`${id}: detected by ${cases.length} of ${tried(id).length}\n  ${cases.join("\n  ")}`);
    }
  }, 400_000);

  test("[mutant.killed] the unchanged programs pass", () => {
    expect(rows.length).toBeGreaterThanOrEqual(60);
    expect(rows.flatMap(({ id, original }) => (original ? [`${id}: ${original}`] : []))).toEqual([]);
  });

  for (const { id, needs, equivalent } of mutants) {
    if (equivalent?.where !== null) {
      test(`[mutant.killed] at least two cases detect ${id}`, () => {
        const missing = `${id}: ${detecting(id).length} of ${tried(id).length} cases detect it; it needs ${needs}`;
        expect(detecting(id).length, missing).toBeGreaterThanOrEqual(2);
      });
    }
    if (equivalent) {
      test(`[mutant.equivalent] no case detects ${id}, because ${equivalent.proof}`, () => {
        const excused = rows.filter((row) => row.excused.has(id));
        const failing = excused.filter(({ detected }) => detected.get(id) === "outputs.out");
        expect(excused.length).toBeGreaterThanOrEqual(2);
        expect(failing.map((row) => row.id)).toEqual([]);
        if (equivalent.where === null) expect(detecting(id)).toEqual([]);
      });
    }
  }

  test.each(HALF)("[compare.half] %s is detected in %s by at least %d cases", (id, precision, least) => {
    const found = rows.filter(({ inHalf }) => inHalf.has(`${id} in ${precision}`));
    expect(found.length).toBeGreaterThanOrEqual(least);
  });

  test("[mutant.visibility] the rule of each mask, written out over heads and keys, is the mask in the program", () => {
    let masks = 0;
    for (const folder of findCases([`${CASES}/flamingo-pytorch`])) {
      const subject = readCase(folder);
      if (subject.manifest.raises || subject.manifest.full) continue;
      for (const scene of maskedAttentions(evaluationOf(subject).context)) {
        const { mayAttend, postSoftmaxMask } = masksOf(scene, scene.visibility);
        const { masked, zeroing: zeroed } = scene.attention;
        expect(mayAttend.flat()).toEqual(masked && flat(masked.attrs.keep));
        expect(postSoftmaxMask.flat()).toEqual(
          zeroed ? flat(zeroed.attrs.keep) : postSoftmaxMask.flat().fill(1),
        );
        masks++;
      }
      subject.close();
    }
    expect(masks).toBeGreaterThan(40);
  });

  test("[mutant.rewire] fields and methods are restored, also after an error", () => {
    class Step {
      by = 1;
      from(x: number): number {
        return x + this.by;
      }
    }
    const step = new Step();
    expect(during(step, "by", 10, () => step.from(5))).toBe(15);
    expect(step.from(5)).toBe(6);
    const method = () =>
      during(
        step,
        "from",
        (x) => -x,
        () => step.from(5),
      );
    expect(method()).toBe(-5);
    expect(Object.hasOwn(step, "from")).toBe(false);
    const failing = () => {
      throw new Error("within");
    };
    expect(() => during(step, "by", 10, failing)).toThrow("within");
    expect(step.by).toBe(1);
  });

  test("[mutant.table] the chapter lists every mutant verbatim", () => {
    const text = readFileSync("spec/conformance/mutants/95-mutants.md", "utf8").split("\n");
    const listed = text.filter((line) => /^\| (\d+ \| )?`/.test(line));
    const of = ({ number, id, title, seenIn, needs }: Mutant) =>
      `| ${number} | \`${id}\` | ${title} | ${seenIn} | ${needs} |`;
    const proofs = mutants.flatMap(({ id, equivalent }) =>
      equivalent ? [`| \`${id}\` | ${equivalent.proof} |`] : [],
    );
    expect(listed).toEqual([...mutants.map(of), ...proofs]);
    expect(new Set(mutants.map(({ id }) => id)).size).toBe(mutants.length);
  });

  test("[mutant.table] the example of the chapter holds", () => {
    const evaluation = evaluationOf(golden("masked-cross-attention--lead-text"));
    const program = mutant("no-zeroing").apply(evaluation.context);
    const wrong = program && evaluation.wrong(program);
    expect(wrong?.row).toEqual([0, 0]);
    expect(wrong?.remark).toBe("not zero, where the whole row is expected to be");
    expect(Math.hypot(...values(program && evaluation.outputOf(program)).slice(0, 12))).toBeCloseTo(1.23, 2);
  });
});

describe("nearestMutant", () => {
  const subject = golden("gated-cross-attention-block--lead-text");
  const evaluation = evaluationOf(subject);
  const computed = (id: string, precision: "float32" | "float64"): Tensor => {
    const program = mutant(id).apply(evaluation.context);
    const { out } = program ? evaluate(program, {}, precision).outputs : {};
    if (!out) throw new Error(`${id} does not touch this case`);
    return out;
  };

  test.each(["at-least", "exclusive-count", "gate-raw", "gelu-tanh", "residual-from-norm", "keys-as-values"])(
    "[mutant.nearest] the output of a single-precision implementation with the mistake %s",
    (id) => {
      expect(nearestMutant(subject, computed(id, "float32"))?.mutant.id).toBe(id);
    },
  );

  test("[mutant.nearest] of two mistakes within the tolerance of each other, the closer one is returned", () => {
    for (const id of ["epsilon-1e-6", "epsilon-1e-12"]) {
      expect(nearestMutant(subject, computed(id, "float64"))?.mutant.id).toBe(id);
    }
  });

  test("[mutant.nearest] a right output, or one with an unknown mistake, has no nearest mutant", () => {
    const right = evaluation.outputOf(evaluation.context.program);
    expect(nearestMutant(subject, right)).toBeNull();
    const other = Float64Array.from(values(right), (x, i) => x + 0.01 * (i % 3));
    expect(nearestMutant(subject, new Tensor(right.shape, view(other, right.shape)))).toBeNull();
  });
});
