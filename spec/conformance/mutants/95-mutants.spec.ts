import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { maskedAttentions, masksOf } from "../../../src/conformance/mutants/catalogue/masked-attentions.ts";
import { type Evaluation, evaluationOf } from "../../../src/conformance/mutants/evaluation.ts";
import { during, type Mutant } from "../../../src/conformance/mutants/mutant.ts";
import { mutants, nearestMutant } from "../../../src/conformance/mutants/mutants.ts";
import { findCases, type GoldenCase, readCase } from "../../../src/io/golden/cases.ts";
import { normalize } from "../../../src/nn/norms/layer-norm.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { add, addScalar, mul, mulScalar, square, sumAll } from "../../../src/tensor/ops/functions.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import type { Program } from "../../../src/tensor/program/program.ts";
import { record, scope, tap } from "../../../src/tensor/program/record.ts";
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

  test("[rewrite.identity] nothing replaced, nothing changed: a whole model, with scopes, taps and tied weights", () => {
    const { program } = evaluationOf(golden("flamingo-palm--videos")).context;
    const again = rewrite(program, () => null);
    expect(again).toEqual(program);
    for (const [id, t] of program.bindings) expect(again.bindings.get(id)).toBe(t);
    expect(Object.keys(program.leaves)).toContain("to_logits.1.weight");
    expect(program.scopes.length).toBeGreaterThan(10);
  });

  test("[rewrite.identity] a pruned program computes the same; what was dead is gone", () => {
    const loss = record(() => ({ loss: sumAll(mul(normalize(x), w)), idle: sumAll(normalize(w)) }), {
      inputs: { x, w },
    });
    const { idle: _, ...outputs } = gradients(loss, "loss", ["x", "w"]).outputs;
    const pruned = gradients({ ...loss, outputs: { loss: outputs.loss ?? -1 } }, "loss", ["w"]);
    const again = rewrite(pruned, () => null);
    expect(again.nodes.length).toBeLessThan(pruned.nodes.length);
    expect(values(evaluate(again).outputs[gradientOf("w")])).toEqual(
      values(evaluate(pruned).outputs[gradientOf("w")]),
    );
  });

  test("[rewrite.replace] readers, taps and outputs see the replacement; inputs of a replacement are what they have become", () => {
    const program = record(
      () => {
        const squared = tap(owner, "squared", square(x));
        return { sum: add(addScalar(squared, 1), x), squared };
      },
      { model: { owner }, inputs: { x } },
    );
    const again = rewrite(program, ({ node, inputs: [a], at }) => {
      if (node.op === "mul" && a) return mulScalar(a, 10);
      return node.op === "addScalar" && a ? add(a, at(0)) : null;
    });
    const { outputs, taps } = evaluate(again);
    expect(values(outputs.squared)).toEqual([10, 20, 40]);
    expect(values(Object.values(taps)[0])).toEqual([10, 20, 40]);
    expect(values(outputs.sum)).toEqual([12, 24, 48]); // 10x + x, + x
  });

  test("[rewrite.replace] the output of a scope may be replaced", () => {
    const program = record(() => mulScalar(normalize(x), 3), { inputs: { x } });
    const again = rewrite(
      program,
      replacing("div", () => w),
    );
    expect(values(evaluate(again).outputs.out)).toEqual([9, 15, 21]);
    expect(again.scopes[0]?.output).toBe(again.leaves.w ?? again.nodes.findIndex((n) => n.shape === w.shape));
  });

  test("[rewrite.names] a leaf that nothing reads any more keeps its name, can be bound and has gradient zero", () => {
    const program = record(() => ({ loss: sumAll(mul(x, w)) }), { inputs: { x, w } });
    const again = rewrite(program, replacing("mul", square));
    expect(Object.keys(again.leaves)).toEqual(["x", "w"]);
    const slopes = evaluate(gradients(again, "loss", ["x", "w"]), { w: x }).outputs;
    expect(values(slopes[gradientOf("x")])).toEqual([2, 4, 8]);
    expect(values(slopes[gradientOf("w")])).toEqual([0, 0, 0]);
  });

  test("[rewrite.names] outputs, taps and leaves may be called alike", () => {
    const program = record(() => ({ y: tap(owner, "y", mulScalar(x, 2)), z: w }), {
      model: { owner },
      inputs: { y: x, "output y": w },
    });
    const again = rewrite(
      program,
      replacing("mulScalar", (t) => mulScalar(t, 3)),
    );
    const names = ({ outputs, taps, leaves }: Program) =>
      [outputs, taps, leaves].map((of) => Object.keys(of));
    expect(names(again)).toEqual(names(program));
    expect(values(evaluate(again).outputs.y)).toEqual([3, 6, 12]);
  });

  test("[rewrite.scope] a changed scope and those around it are renamed, their neighbours are not", () => {
    const shared = { n: 1 };
    const program = record(
      () => {
        const inner = (t: Tensor) => scope("inner", { t }, shared, ({ t }) => addScalar(t, 1));
        const changed = scope("outer", { x }, {}, ({ x }) => inner(square(inner(x))));
        return scope("outer", { changed }, {}, ({ changed }) => inner(changed));
      },
      { inputs: { x } },
    );
    const again = rewrite(
      program,
      replacing("mul", (t) => mulScalar(t, 2)),
    );
    const names = (p: Program) => p.scopes.map(({ name }) => name);
    expect(names(program)).toEqual(["outer", "inner", "inner", "outer", "inner"]);
    expect(names(again)).toEqual(["rewritten outer", "inner", "inner", "outer", "inner"]);
    const innermost = rewrite(program, ({ id, inputs: [t] }) =>
      id === program.scopes[2]?.output && t ? t : null,
    );
    expect(names(innermost)).toEqual(["rewritten outer", "inner", "rewritten inner", "outer", "inner"]);
  });
});

/** Every case on which mutants are tried, with what each of them came to. */
interface Row {
  readonly id: string;
  readonly original: string | null;
  /** By what: the first tensor that is wrong, null where none is. */
  readonly noticed: ReadonlyMap<string, string | null>;
  readonly excused: ReadonlySet<string>;
}

function tryAll(folder: string): Row[] {
  const subject = readCase(folder);
  const { id, raises, full } = subject.manifest;
  if (raises || full) return [];
  const trial: Evaluation = evaluationOf(subject);
  const noticed = new Map<string, string | null>();
  const excused = new Set<string>();
  for (const m of mutants) {
    const program = m.apply(trial.context);
    if (!program) continue;
    noticed.set(m.id, trial.wrong(program, m.precision)?.tensor ?? null);
    if (trial.excused(m)) excused.add(m.id);
  }
  const original = trial.wrong(trial.context.program)?.tensor ?? null;
  subject.close();
  return [{ id, original, noticed, excused }];
}

describe("mutants", () => {
  let rows: readonly Row[] = [];
  const noticing = (id: string) => rows.filter(({ noticed }) => noticed.get(id));
  const tried = (id: string) => rows.filter(({ noticed }) => noticed.has(id));

  beforeAll(() => {
    rows = findCases([CASES]).flatMap(tryAll);
    if (!process.env.KILLS) return;
    for (const { id } of mutants) {
      const cases = noticing(id).map((row) => `${row.id} by ${row.noticed.get(id)}`);
      console.log(`${id}: noticed by ${cases.length} of ${tried(id).length}\n  ${cases.join("\n  ")}`);
    }
  }, 120_000);

  test("[mutant.killed] the unchanged programs pass, or the mutants' failures would mean nothing", () => {
    expect(rows.length).toBeGreaterThanOrEqual(60);
    expect(rows.flatMap(({ id, original }) => (original ? [`${id}: ${original}`] : []))).toEqual([]);
  });

  for (const { id, needs, equivalent } of mutants) {
    if (equivalent?.where !== null) {
      test(`[mutant.killed] two cases notice ${id}`, () => {
        const missing = `${id}: ${noticing(id).length} of ${tried(id).length} cases notice it; it takes ${needs}`;
        expect(noticing(id).length, missing).toBeGreaterThanOrEqual(2);
      });
    }
    if (equivalent) {
      test(`[mutant.equivalent] no case notices ${id} where ${equivalent.proof}`, () => {
        const excused = rows.filter((row) => row.excused.has(id));
        const blamed = excused.filter(({ noticed }) => noticed.get(id) === "outputs.out");
        expect(excused.length).toBeGreaterThanOrEqual(2);
        expect(blamed.map((row) => row.id)).toEqual([]);
        if (equivalent.where === null) expect(noticing(id)).toEqual([]);
      });
    }
  }

  test("[mutant.visibility] the rule of each mask, written out, is the mask in the program", () => {
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

  test("[mutant.rewire] fields and methods are as they were, also after an error", () => {
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

  test("[mutant.table] the text lists every mutant as it is", () => {
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

  test("[mutant.table] the example in the text is so", () => {
    const trial = evaluationOf(golden("masked-cross-attention--lead-text"));
    const program = mutant("no-zeroing").apply(trial.context);
    const wrong = program && trial.wrong(program);
    expect(wrong?.row).toEqual([0, 0]);
    expect(wrong?.remark).toBe("not zero, where the whole row is expected to be");
    expect(Math.hypot(...values(program && trial.outputOf(program)).slice(0, 12))).toBeCloseTo(1.23, 2);
  });
});

describe("nearestMutant", () => {
  const subject = golden("gated-cross-attention-block--lead-text");
  const trial = evaluationOf(subject);
  const computed = (id: string, precision: "float32" | "float64"): Tensor => {
    const program = mutant(id).apply(trial.context);
    const { out } = program ? evaluate(program, {}, precision).outputs : {};
    if (!out) throw new Error(`${id} does not touch this case`);
    return out;
  };

  test.each(["at-least", "exclusive-count", "gate-raw", "gelu-tanh", "residual-from-norm", "keys-as-values"])(
    "[mutant.nearest] an implementation in single precision with the mistake %s is told so",
    (id) => {
      expect(nearestMutant(subject, computed(id, "float32"))?.id).toBe(id);
    },
  );

  test("[mutant.nearest] of two mistakes within the tolerance of each other it is the closer one", () => {
    for (const id of ["epsilon-1e-6", "epsilon-1e-12"]) {
      expect(nearestMutant(subject, computed(id, "float64"))?.id).toBe(id);
    }
  });

  test("[mutant.nearest] what is right, or wrong in its own way, resembles no mutant", () => {
    const right = trial.outputOf(trial.context.program);
    expect(nearestMutant(subject, right)).toBeNull();
    const odd = Float64Array.from(values(right), (x, i) => x + 0.01 * (i % 3));
    expect(nearestMutant(subject, new Tensor(right.shape, view(odd, right.shape)))).toBeNull();
  });
});
