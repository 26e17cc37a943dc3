import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkCase } from "../../../src/conformance/cases/check-case.ts";
import { compare, compareProbes, distance, toleranceFor } from "../../../src/conformance/cases/compare.ts";
import { judge, judgeRaised } from "../../../src/conformance/cases/judge.ts";
import { byCase, exitCode, summarise } from "../../../src/conformance/cases/verdict.ts";
import { findCases, readCase } from "../../../src/io/golden/cases.ts";
import { loadSafetensors, type Stored } from "../../../src/io/safetensors/read.ts";
import { writeSafetensors } from "../../../src/io/safetensors/write.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { flat, Tensor, tensor, view } from "../../../src/tensor/tensor.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const CASES = "golden/cases";
const LEAD_TEXT = `${CASES}/flamingo-pytorch/masked-cross-attention--lead-text`;

const fresh = folders();

/** A copy of a case in which `by` is added to one element of one tensor. */
function tampered(file: "inputs" | "expected", key: string, by: number): string {
  const folder = fresh();
  cpSync(LEAD_TEXT, folder, { recursive: true });
  const path = join(folder, `${file}.safetensors`);
  const stored = loadSafetensors(path);
  const tensors = new Map<string, Stored>(stored.keys.map((name) => [name, stored.get(name)]));
  const values = Float64Array.from(flat(stored.tensor(key).data));
  values[1] = (values[1] ?? 0) + by;
  const shape = stored.info(key).shape;
  tensors.set(key, new Tensor(shape, view(values, shape)));
  const dtypes = new Map(
    stored.keys.map((name) => [name, name === key ? "F64" : stored.info(name).dtype] as const),
  );
  const bytes = writeSafetensors(tensors, { dtypes });
  stored.close();
  writeFileSync(path, bytes);
  return folder;
}

const verdictOn = (folder: string) => checkCase(readCase(folder), reference("float64"));

describe("distance", () => {
  test("[compare.rows] one wrong row among a thousand right ones has its own error", () => {
    const expected = new Float64Array(4000).fill(1);
    const actual = expected.slice();
    for (let i = 40; i < 44; i++) actual[i] = 1.5;
    const { error, row } = distance(actual, expected, 4);
    expect(error).toBeCloseTo(0.5, 12);
    expect(row).toBe(10);
  });

  test("[compare.rows] the error of a small row is relative to the tensor's root mean square", () => {
    const { error } = distance([0.1, 1e-6, 1, 1], [0, 1e-6, 1, 1], 2);
    expect(error).toBeCloseTo(0.1 / (Math.sqrt(2) * Math.sqrt(2 / 4)), 9);
  });

  test("[compare.rows] the distance equals its definition on random tensors", () => {
    const values = fc.array(fc.double({ min: 0.1, max: 9, noNaN: true }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(values, values, (a, e) => {
        const norm = (x: number[]) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
        fc.pre(norm(e) > 1e-3);
        const minus = (x: number[], y: number[]) => x.map((v, i) => v - (y[i] ?? 0));
        let worst = norm(minus(a, e)) / norm(e);
        for (let from = 0; from < 12; from += 3) {
          const [ar, er] = [a.slice(from, from + 3), e.slice(from, from + 3)];
          worst = Math.max(worst, norm(minus(ar, er)) / Math.max(norm(er), norm(e) * Math.sqrt(3 / 12)));
        }
        expect(distance(a, e, 3).error).toBeCloseTo(worst, 9);
      }),
    );
  });

  test.each([
    ["a NaN where a number is expected", [NaN, 1], [0, 1]],
    ["a number where NaN is expected", [0, 1], [NaN, 1]],
    ["an infinity of the other sign", [Infinity, 1], [-Infinity, 1]],
    ["a number where −∞ is expected", [-1e30, 1], [-Infinity, 1]],
    ["anything but zeros where all is zero", [1e-300, 0], [0, 0]],
    ["a difference where the norm overflows", [1e155, 2e150], [1e155, 1e150]],
    ["anything but zeros where a row is zero", [1e-9, 0, 1, 1], [0, 0, 1, 1]],
  ])("[compare.discrete] %s exceeds every tolerance", (_, actual, expected) => {
    expect(distance(actual, expected, 2).error).toBe(Infinity);
  });

  test("[compare.discrete] a NaN on both sides does not hide a difference beside it", () => {
    expect(distance([NaN, 5], [NaN, 1], 2).error).toBeGreaterThan(1);
  });

  test("[compare.discrete] equal infinities have no error, and another shape is reported", () => {
    expect(distance([-Infinity, 3], [-Infinity, 3], 2).error).toBe(0);
    const c = compare("outputs.out", tensor("a", [2], [1, 2]), tensor("a b", [2, 1], [1, 2]), 1);
    expect([c.passed, c.remark]).toEqual([false, "shape [2] where [2 1] is expected"]);
    expect(compare("outputs.out", undefined, tensor("a", [1], [1]), 1).remark).toBe("missing");
  });
});

test("[compare.tolerance] an error equal to the tolerance passes, a larger one fails", () => {
  const [a, e] = [tensor("n", [1], [1.5]), tensor("n", [1], [1])];
  expect([compare("x", a, e, 0.5).passed, compare("x", a, e, 0.4999).passed]).toEqual([true, false]);
});

test("[compare.float64] the float64 tolerance is 1e-12, for gradients 1e-11, whatever the noise", () => {
  expect(toleranceFor("outputs.out", "float64", 8, 1)).toBe(1e-12);
  expect(toleranceFor("taps.attn", "float64", 8, 1)).toBe(1e-12);
  expect(toleranceFor("grads.inputs.x", "float64", 8, 1)).toBe(1e-11);
});

test("[compare.noise] lower precisions have K times the measured noise, scaled by the unit roundoff", () => {
  expect(toleranceFor("outputs.out", "float32", 8, 1e-7)).toBeCloseTo(8e-7, 20);
  expect(toleranceFor("outputs.out", "bfloat16", 8, 1e-7) / 8e-7).toBeCloseTo(2 ** 16, 6);
  expect(toleranceFor("outputs.out", "float16", 8, 1e-7) / 8e-7).toBeCloseTo(2 ** 13, 6);
});

describe("[compare.probes] a full-size tensor", () => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => Math.sin(i));
  const probes = {
    shape: [10, 100],
    index: [3, 500, 999],
    value: [3, 500, 999].map(Math.sin),
    sum: values.reduce((sum, x) => sum + x, 0),
    norm: Math.sqrt(values.reduce((sum, x) => sum + x * x, 0)),
  };
  const judged = (change: (x: Float64Array) => void, shape = [10, 100]) => {
    const x = values.slice();
    change(x);
    return compareProbes("probes.out", new Tensor(shape, view(x, shape)), probes, 1e-6).passed;
  };

  test("[compare.probes] equal tensors pass", () => expect(judged(() => {})).toBe(true));
  test("[compare.probes] a probed element that differs fails", () =>
    expect(judged((x) => x.fill((x[500] ?? 0) + 1e-3, 500, 501))).toBe(false));
  test("[compare.probes] other elements that differ fail by the norm", () =>
    expect(judged((x) => x.fill(2, 100, 130))).toBe(false));
  test("[compare.probes] signs that differ fail by the sum", () => {
    const withOtherSigns = (x: Float64Array) => {
      for (let i = 1; i < 999; i += 2) if (i !== 3) x[i] = -(x[i] ?? 0);
    };
    expect(judged(withOtherSigns)).toBe(false);
  });
  test("[compare.probes] another shape fails", () => expect(judged(() => {}, [1000])).toBe(false));
});

describe("[compare.raises] where the release throws", () => {
  const raises = { phase: "forward", type: "TypeError", message: "no" } as const;
  test("[compare.raises] the same error passes", () =>
    expect(judgeRaised(raises, new RuleError("refused", "a.b", "TypeError: no")).status).toBe("passed"));
  test("[compare.raises] another error, or none, fails", () => {
    expect(judgeRaised(raises, new RuleError("refused", "a.b", "TypeError: yes")).status).toBe("failed");
    expect(judgeRaised(raises, null).status).toBe("failed");
  });
});

describe("one case", () => {
  test("[conform.verdict] an unchanged case passes", async () => {
    expect((await verdictOn(LEAD_TEXT)).status).toBe("passed");
  });

  test.each([
    ["inputs", "weights.to_q.weight", "taps.scores"],
    ["inputs", "inputs.x", "taps.norm"],
    ["expected", "outputs.out", "outputs.out"],
    ["expected", "taps.scores", "taps.scores"],
  ] as const)(
    "[conform.verdict] 1e-6 on one element of %s %s fails, first at %s",
    async (file, key, first) => {
      const verdict = await verdictOn(tampered(file, key, 1e-6));
      expect([verdict.status, verdict.firstDivergence?.tensor]).toEqual(["failed", first]);
    },
  );

  test("[conform.verdict] a wrong tap alone does not fail another implementation", () => {
    const golden = readCase(LEAD_TEXT);
    const actual = new Map<string, Tensor>();
    for (const [name, t] of golden.expected) if (t instanceof Tensor) actual.set(name, t);
    actual.set("taps.attn", tensor("n", [1], [0]));
    expect(judge(golden, actual, "float32", { taps: "locate" }).status).toBe("passed");
    expect(judge(golden, actual, "float32", { taps: "decide" }).status).toBe("failed");
    actual.set("outputs.out", tensor("n", [1], [0]));
    const { status, firstDivergence } = judge(golden, actual, "float32", { taps: "locate" });
    expect([status, firstDivergence?.tensor]).toEqual(["failed", "taps.attn"]);
  });

  test("[conform.verdict] without its expected file a case is broken", () => {
    const folder = fresh();
    cpSync(LEAD_TEXT, folder, { recursive: true });
    rmSync(join(folder, "expected.safetensors"));
    expect(() => readCase(folder)).toThrow(/expected\.safetensors/);
  });
});

test("the summary counts each case once, with its most severe status", () => {
  const base = { module: "M", rows: 1, worst: null, firstDivergence: null, error: null, kernels: null };
  const one = { ...base, id: "a", precision: "float64", status: "passed" } as const;
  const two = { ...base, id: "a", precision: "float32", status: "failed" } as const;
  const three = { ...base, id: "b", precision: "float64", status: "errored" } as const;
  expect(byCase([one, two]).map((v) => [v.id, v.status, v.rows])).toEqual([["a", "failed", 2]]);
  expect(exitCode(summarise([one]))).toBe(0);
  expect(exitCode(summarise([one, two]))).toBe(1);
  expect(exitCode(summarise([one, two, three]))).toBe(2);
  expect(exitCode(summarise([]))).toBe(2);
});

describe("every golden case", () => {
  const folders = findCases([CASES]).filter(
    (folder) => !JSON.parse(readFileSync(`${folder}/case.json`, "utf8")).full,
  );
  const float64 = reference("float64");
  const float32 = reference("float32");

  test.each(folders)("[compare.float64] [compare.noise] %s", async (folder) => {
    for (const backend of [float64, float32]) {
      const verdict = await checkCase(readCase(folder), backend);
      expect(verdict, JSON.stringify(verdict.firstDivergence)).toMatchObject({
        status: "passed",
        error: null,
      });
    }
  });
});
