import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { callOf, checkCase } from "../../../src/conformance/cases/check-case.ts";
import {
  compareProbes,
  compareTensors,
  noiseIn,
  toleranceFor,
} from "../../../src/conformance/cases/compare.ts";
import { distance } from "../../../src/conformance/cases/distance.ts";
import { judge, judgeRaised } from "../../../src/conformance/cases/judge.ts";
import { nextTaps } from "../../../src/conformance/cases/tap-graph.ts";
import { byCase, exitCode, share, summariseCases } from "../../../src/conformance/cases/verdict.ts";
import type { Dtype } from "../../../src/io/dtypes.ts";
import { findCases, readCase } from "../../../src/io/golden/cases.ts";
import { loadSafetensors, type Stored } from "../../../src/io/safetensors/read.ts";
import { writeSafetensors } from "../../../src/io/safetensors/write.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { flat, int, Tensor, tensor, view } from "../../../src/tensor/tensor.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const CASES = "golden/cases";
const LEAD_TEXT = `${CASES}/flamingo-pytorch/masked-cross-attention--lead-text`;

const fresh = folders();

/** The folders of all cases that are not full-size. */
const small = (): string[] =>
  findCases([CASES]).filter((folder) => !JSON.parse(readFileSync(`${folder}/case.json`, "utf8")).full);

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
    stored.keys.map((name) => [name, name === key ? "F64" : (stored.info(name).dtype as Dtype)] as const),
  );
  const bytes = writeSafetensors(tensors, { dtypes });
  stored.close();
  writeFileSync(path, bytes);
  return folder;
}

/** A double as an integer multiple of 2^-1074. */
function integer(x: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(x));
  const [exponent, fraction] = [bits.getUint16(0) >> 4, bits.getBigUint64(0) & (2n ** 52n - 1n)];
  const size = exponent === 0 ? fraction : (fraction + 2n ** 52n) << BigInt(exponent - 1);
  return x < 0 ? -size : size;
}

/** √(a / b) as a double, rounded once: the integer root of a · 2^(2·2200) / b. */
function root(a: bigint, b: bigint): number {
  const square = (a << 4400n) / b;
  if (square === 0n) return 0;
  let x = 1n << BigInt((square.toString(2).length + 1) >> 1);
  for (let next = (x + square / x) >> 1n; next < x; next = (x + square / x) >> 1n) x = next;
  const extra = Math.max(0, x.toString(2).length - 60);
  const exponent = extra - 2200;
  return (
    Number(x >> BigInt(extra)) * 2 ** Math.trunc(exponent / 2) * 2 ** (exponent - Math.trunc(exponent / 2))
  );
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

  /** The error by exact arithmetic: doubles are integers times 2^-1074, and only the last root is rounded. */
  function exactError(a: readonly number[], e: readonly number[], width: number): number {
    const [A, E] = [a.map(integer), e.map(integer)];
    const total = E.reduce((sum, x) => sum + x * x, 0n);
    let worst = root(
      A.reduce((sum, x, i) => sum + (x - (E[i] ?? 0n)) ** 2n, 0n),
      total,
    );
    for (let from = 0; from < e.length; from += width) {
      const row = E.slice(from, from + width);
      const own = row.reduce((sum, x) => sum + x * x, 0n) * BigInt(e.length);
      const share = total * BigInt(width);
      const wrong = row.reduce((sum, x, i) => sum + ((A[from + i] ?? 0n) - x) ** 2n, 0n) * BigInt(e.length);
      const zero = row.every((x) => x === 0n);
      if (wrong > 0n) worst = Math.max(worst, zero ? Infinity : root(wrong, own > share ? own : share));
    }
    return worst;
  }

  test("[compare.rows] the distance equals exact arithmetic for numbers of any size, zeros and rows of zeros", () => {
    const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, 1, -1));
    const row = fc.oneof(fc.array(number, { minLength: 3, maxLength: 3 }), fc.constant([0, 0, 0]));
    const values = fc.array(row, { minLength: 4, maxLength: 4 }).map((rows) => rows.flat());
    fc.assert(
      fc.property(values, values, fc.boolean(), (a, e, close) => {
        fc.pre(e.some((x) => x !== 0));
        const given = close ? e.map((x) => x * (1 + 2 ** -20)) : a;
        fc.pre(given.every(Number.isFinite));
        const [found, exact] = [distance(given, e, 3).error, exactError(given, e, 3)];
        if (exact === Infinity) expect(found).toBe(Infinity);
        else expect(Math.abs(found - exact)).toBeLessThanOrEqual(1e-9 * exact + 1e-300);
      }),
      { numRuns: 2000 },
    );
  });

  test("[compare.rows] the squares of 1e200 and of 1e-200 neither overflow nor vanish", () => {
    for (const size of [1e200, 1e-200, 1.1e308, 5e-324 * 2 ** 20]) {
      expect(distance([size * 1.5, size], [size, size], 2).error).toBeCloseTo(
        Math.hypot(0.5) / Math.SQRT2,
        9,
      );
    }
    expect(distance([1.7e308], [-1.7e308], 1).error).toBeCloseTo(2, 12);
  });

  test("[compare.rows] the largest difference of the worst row is named, and rows beyond the tolerance are counted", () => {
    const expected = [1, 1, 1, 1, 1, 1, 1, 1];
    const found = distance([1.001, 1, 1, 1.1, 1.2, 1.9, 1, 1], expected, 2, 0.05);
    expect([found.row, found.place, found.beyond]).toEqual([2, { at: 5, actual: 1.9, expected: 1 }, 2]);
  });

  test("[compare.empty] a tensor without elements has no error and no row", () => {
    expect(distance([], [], 3)).toEqual({ error: 0, row: 0, place: null, remark: null, beyond: 0 });
    const none = tensor("a b", [0, 3], []);
    expect(compareTensors("outputs.out", none, none, 1)).toMatchObject({ passed: true, row: [], rows: 0 });
  });

  test.each([
    ["a NaN where a number is expected", [NaN, 1], [0, 1]],
    ["a number where NaN is expected", [0, 1], [NaN, 1]],
    ["NaN on both sides", [NaN, 1], [NaN, 1]],
    ["an infinity of the other sign", [Infinity, 1], [-Infinity, 1]],
    ["a number where −∞ is expected", [-1e30, 1], [-Infinity, 1]],
    ["anything but zeros where all is zero", [1e-300, 0], [0, 0]],
    ["anything but zeros where a row is zero", [1e-9, 0, 1, 1], [0, 0, 1, 1]],
  ])("[compare.discrete] %s exceeds every tolerance", (_, actual, expected) => {
    expect(distance(actual, expected, 2).error).toBe(Infinity);
  });

  test("[compare.discrete] equal infinities have no error, and another shape is reported", () => {
    expect(distance([-Infinity, 3], [-Infinity, 3], 2).error).toBe(0);
    const c = compareTensors("outputs.out", tensor("a", [2], [1, 2]), tensor("a b", [2, 1], [1, 2]), 1);
    expect([c.passed, c.remark]).toEqual([false, "shape [2] where [2 1] is expected"]);
    expect(compareTensors("outputs.out", undefined, tensor("a", [1], [1]), 1).remark).toBe("missing");
  });
});

test("[compare.tolerance] a row whose error equals the tolerance is not beyond it", () => {
  const e = Float64Array.of(1, 1, 1, 1); // rows of one element, of which two have the errors 0.5 and 0.25
  const beyond = (tolerance: number) => distance(Float64Array.of(1.5, 1.25, 1, 1), e, 1, tolerance).beyond;
  expect([0.6, 0.5, 0.4, 0.25, 0.2].map(beyond)).toEqual([0, 0, 1, 1, 2]);
});

test("[compare.tolerance] an error equal to the tolerance passes, a larger one fails", () => {
  const [a, e] = [tensor("n", [1], [1.5]), tensor("n", [1], [1])];
  expect([compareTensors("x", a, e, 0.5).passed, compareTensors("x", a, e, 0.4999).passed]).toEqual([
    true,
    false,
  ]);
});

test("[compare.float64] the float64 tolerance is 1e-12, for gradients 1e-11, whatever the noise", () => {
  const noise = new Map([["outputs.out", 1]]);
  expect(toleranceFor("outputs.out", "float64", 8, noise)).toBe(1e-12);
  expect(toleranceFor("taps.attn", "float64", 8, noise)).toBe(1e-12);
  expect(toleranceFor("grads.inputs.x", "float64", 8, noise)).toBe(1e-11);
});

test("[compare.preprocess] float32 numbers of a preprocessed image have K times the noise, and a batch of one is no axis", () => {
  const golden = readCase("golden/cases/open-clip/image-transform--wide");
  const noise = golden.manifest.tolerance?.noise.get("outputs.pixel_values") ?? 0;
  const computed = golden.expected.get("outputs.pixel_values");
  if (!(computed instanceof Tensor)) throw new Error("no pixels");
  const { shape } = computed;
  const pixels = (change: (x: number) => number, axes = shape) =>
    new Tensor(axes, view(Float64Array.from(flat(computed.data), change), axes));
  const worst = (expected: Tensor, actual: Tensor, level = "preprocess") => {
    const changed = new Map([...golden.expected, ["outputs.pixel_values", expected]]);
    const manifest = { ...golden.manifest, level };
    const results = new Map([...golden.expected, ["outputs.pixel_values", actual]]);
    return judge({ ...golden, manifest, expected: changed } as typeof golden, results, "float64", {
      taps: "decide",
    }).status;
  };
  expect(noise).toBeGreaterThan(0);
  const inFloat32 = pixels(Math.fround); // as the package itself gives them
  expect(worst(inFloat32, computed)).toBe("passed");
  expect(
    worst(
      inFloat32,
      pixels((x) => x * (1 + 9 * noise)),
    ),
  ).toBe("failed");
  expect(worst(computed, inFloat32)).toBe("failed"); // float64 numbers are judged in float64
  expect(worst(inFloat32, computed, "op")).toBe("failed");
  expect(worst(pixels(Math.fround, [1, ...shape]), computed)).toBe("passed");
  expect(worst(pixels(Math.fround, [1, ...shape]), computed, "op")).toBe("failed");
  expect(
    worst(
      pixels((x) => Math.fround(x + 0.01), [1, ...shape]),
      computed,
    ),
  ).toBe("failed");
  golden.close();
});

test("[compare.float32] parameters that bitsandbytes computed in float32 have K times the noise; those of Lion, 1e-12", () => {
  const status = (folder: string, factor: number) => {
    const golden = readCase(folder);
    const expected = golden.expected.get("outputs.p1");
    if (!(expected instanceof Tensor)) throw new Error("no parameter");
    const values = view(
      Float64Array.from(flat(expected.data), (x) => x * (1 + factor)),
      expected.shape,
    );
    const results = new Map([
      ...golden.expected,
      ["outputs.p1", new Tensor(expected.shape, values)] as const,
    ]);
    const verdict = judge(golden, results, "float64", { taps: "decide" }).status;
    golden.close();
    return verdict;
  };
  const eightBit = "golden/cases/bitsandbytes/adamw-8bit--kosmos"; // its noise is 2.4e-7
  expect([status(eightBit, 1e-6), status(eightBit, 3e-6)]).toEqual(["passed", "failed"]);
  expect([
    status("golden/cases/lion-pytorch/lion--kosmos", 1e-13),
    status("golden/cases/lion-pytorch/lion--kosmos", 1e-6),
  ]).toEqual(["passed", "failed"]);
});

test("[compare.noise] the other precisions have K times the noise that was measured in them", () => {
  const [noise, half] = [new Map([["outputs.out", 1e-7]]), new Map([["outputs.out", 0.004]])];
  const tolerance = { policy: "noise", K: 8, noise, bfloat16: half, float16: null } as const;
  expect(noiseIn("float32", tolerance)).toBe(noise);
  expect(noiseIn("bfloat16", tolerance)).toBe(half);
  expect(toleranceFor("outputs.out", "float32", 8, noise)).toBeCloseTo(8e-7, 20);
  expect(toleranceFor("outputs.out", "bfloat16", 8, half)).toBeCloseTo(0.032, 12);
  expect(toleranceFor("taps.attn", "bfloat16", 8, half)).toBeNull();
});

describe("[compare.half] half precision", () => {
  const golden = readCase(LEAD_TEXT);
  const results = new Map([...golden.expected]);
  const judged = (tolerance: object, actual = results) => {
    const manifest = { ...golden.manifest, tolerance: { ...golden.manifest.tolerance, ...tolerance } };
    return judge({ ...golden, manifest } as typeof golden, actual, "float16", { taps: "locate" });
  };

  test("[compare.half] a case without noise in this precision is not compared, and says how it can be", () => {
    const { status, rows, error } = judged({ float16: null });
    expect([status, rows]).toEqual(["skipped", 0]);
    expect(error).toMatch(/no noise was measured in float16: export the case again, or judge it in float32/);
  });

  test("[compare.half] a reason in place of the noise is the reason why nothing is compared", () => {
    expect(judged({ float16: "taps.scores leaves the range of float16" })).toMatchObject({
      status: "skipped",
      error: "taps.scores leaves the range of float16",
    });
  });

  test("[compare.half] tensors without noise are listed as not compared, the others are judged", () => {
    const noise = new Map([["outputs.out", 0.001]]);
    const { status, notCompared } = judged({ float16: noise });
    const names = golden.manifest.taps.map((name) => `taps.${name}`);
    expect([status, notCompared]).toEqual(["passed", [{ what: "rounding", names }]]);
    const wrong = new Map(results).set("outputs.out", tensor("n", [1], [0]));
    expect(judged({ float16: noise }, wrong).status).toBe("failed");
  });

  test("[compare.half] a manifest's noise in half precision is at most 1/16", () => {
    const copy = (value: unknown) => {
      const folder = fresh();
      cpSync(LEAD_TEXT, folder, { recursive: true });
      const json = JSON.parse(readFileSync(join(folder, "case.json"), "utf8"));
      json.tolerance.bfloat16 = value;
      writeFileSync(join(folder, "case.json"), JSON.stringify(json));
      return () => readCase(folder).manifest.tolerance?.bfloat16;
    };
    expect(copy({ "outputs.out": 0.0625 })()).toEqual(new Map([["outputs.out", 0.0625]]));
    expect(copy("a reason")()).toBe("a reason");
    expect(copy({ "outputs.out": 0.0626 })).toThrow(/tolerance\.bfloat16\.outputs\.out/);
    expect(copy(5)).toThrow(/tolerance\.bfloat16/);
  });
});

test("[compare.nan] an expected NaN is refused, because no result agrees with it", () => {
  const golden = readCase(LEAD_TEXT);
  const shape = golden.expected.get("outputs.out")?.shape ?? [];
  const values = new Float64Array(shape.reduce((n, d) => n * d, 1)).fill(NaN);
  const nan = new Tensor(shape, view(values, shape));
  const expected = new Map(golden.expected).set("outputs.out", nan);
  const call = () => judge({ ...golden, expected }, expected, "float32", { taps: "locate" });
  expect(call).toThrow(/"outputs\.out" holds NaN; no result agrees with NaN/);
});

test("[compare.empty] a case whose expected tensors have no elements is not compared", () => {
  const golden = readCase(LEAD_TEXT);
  const none = new Map<string, Stored>([["outputs.out", tensor("a b", [0, 3], [])]]);
  const manifest = { ...golden.manifest, taps: [] };
  const { status, error } = judge({ ...golden, manifest, expected: none }, none, "float32", {
    taps: "locate",
  });
  expect([status, error]).toEqual(["skipped", "the expected tensors have no elements"]);
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
  test("[compare.probes] other elements that differ fail by the norm, though their sum is the same", () =>
    expect(judged((x) => x.set([(x[100] ?? 0) + 2, (x[101] ?? 0) - 2], 100))).toBe(false));
  test("[compare.probes] signs that differ fail by the sum", () => {
    const withOtherSigns = (x: Float64Array) => {
      for (let i = 1; i < 999; i += 2) if (i !== 3) x[i] = -(x[i] ?? 0);
    };
    expect(judged(withOtherSigns)).toBe(false);
  });
  test("[compare.probes] the error of a probe is relative to its value where that is above the root mean square", () => {
    const x = new Float64Array(1000).fill(1).fill(10, 3, 4);
    const index = Array.from({ length: 256 }, (_, i) => i);
    const large = {
      shape: [1000],
      index,
      value: index.map((i) => x[i] ?? 0),
      sum: 1009,
      norm: Math.sqrt(999 + 100),
    };
    const of = (by: number) => {
      const moved = x.slice().fill(10 * (1 + by), 3, 4);
      const { passed, beyond } = compareProbes(
        "probes.out",
        new Tensor([1000], view(moved, [1000])),
        large,
        1e-6,
      );
      return { passed, beyond };
    };
    expect(of(0.9e-6)).toEqual({ passed: true, beyond: 0 });
    expect(of(1.1e-6)).toEqual({ passed: false, beyond: 1 });
  });
  test("[compare.probes] another shape fails", () => expect(judged(() => {}, [1000])).toBe(false));
  test("[compare.nan] a NaN that no probe meets fails, and is named", () => {
    const x = values.slice().fill(NaN, 7, 8);
    const { passed, remark } = compareProbes(
      "probes.out",
      new Tensor([10, 100], view(x, [10, 100])),
      probes,
      1,
    );
    expect([passed, remark]).toEqual([false, "NaN at [0 7]"]);
  });

  test("[compare.probes] numbers whose squares overflow have the error of their size", () => {
    const of = (size: number, by = 1) => {
      const x = values.map((v) => v * size * by);
      const scaled = {
        value: probes.value.map((v) => v * size),
        sum: probes.sum * size,
        norm: probes.norm * size,
      };
      return compareProbes(
        "probes.out",
        new Tensor([10, 100], view(x, [10, 100])),
        { ...probes, ...scaled },
        0.1,
      );
    };
    for (const size of [1, 1e200, 1e-200]) {
      expect(of(size).passed).toBe(true);
      expect(of(size, 1.05).error).toBeCloseTo(of(1, 1.05).error, 6);
      expect(of(size, 1.2).passed).toBe(false);
    }
  });

  test("[compare.probes] an output that is expected to be zero throughout must be", () => {
    const zero = { ...probes, value: [0, 0, 0], sum: 0, norm: 0 };
    const of = (x: Float64Array) =>
      compareProbes("probes.out", new Tensor([10, 100], view(x, [10, 100])), zero, 1);
    expect(of(new Float64Array(1000))).toMatchObject({ passed: true, error: 0 });
    expect(of(new Float64Array(1000).fill(1e-300, 3, 4))).toMatchObject({
      passed: false,
      remark: "not zero throughout, as expected",
    });
  });

  const golden = readCase(LEAD_TEXT);
  const broken = (change: Record<string, Stored>, size = [10, 100]) => {
    const at = Array.from({ length: 256 }, (_, i) => (i * 37) % 1000);
    const expected = new Map<string, Stored>([
      ["probes.out.index", int("n", at)],
      ["probes.out.value", tensor("n", [256], at.map(Math.sin))],
      ["probes.out.sum", new Tensor([], view(Float64Array.of(probes.sum), []))],
      ["probes.out.norm", new Tensor([], view(Float64Array.of(probes.norm), []))],
      ...Object.entries(change).map(([part, t]): [string, Stored] => [`probes.out.${part}`, t]),
    ]);
    const tolerance = {
      policy: "noise",
      K: 8,
      noise: new Map([["probes.out", 1e-6]]),
      bfloat16: null,
      float16: null,
    };
    const manifest = { ...golden.manifest, full: true, probed: new Map([["out", size]]), tolerance } as const;
    const actual = new Map<string, Stored>([["outputs.out", new Tensor([10, 100], view(values, [10, 100]))]]);
    return () =>
      judge({ ...golden, manifest: manifest as typeof golden.manifest, expected }, actual, "float32", {
        taps: "locate",
      });
  };

  test("[compare.probes] 256 probes within the output are judged, anything else is refused", () => {
    const times = (n: number, of: (i: number) => number) => Array.from({ length: n }, (_, i) => of(i));
    expect(broken({})().status).toBe("passed");
    expect(
      broken({
        index: int(
          "n",
          times(255, (i) => i),
        ),
      }),
    ).toThrow(/255 positions and 256 values, not 256 of each/);
    expect(broken({ value: tensor("n", [3], [0, 1, 2]) })).toThrow(/256 positions and 3 values/);
    expect(
      broken({
        index: int(
          "n",
          times(256, (i) => i + 750),
        ),
      }),
    ).toThrow(/position 1000 of 1000 elements/);
    expect(
      broken({
        index: int(
          "n",
          times(256, (i) => i - 1),
        ),
      }),
    ).toThrow(/position -1 of 1000 elements/);
    expect(
      broken({
        index: int(
          "n",
          times(256, (i) => i % 100),
        ),
      }),
    ).toThrow(/100 different positions/);
    expect(broken({ norm: new Tensor([], view(Float64Array.of(Infinity), [])) })).toThrow(/an infinity/);
    expect(broken({ sum: new Tensor([], view(Float64Array.of(NaN), [])) })).toThrow(/holds NaN/);
    expect(broken({ index: tensor("n", [1], [0]) })).toThrow(/have no positions/);
  });
});

describe("[compare.raises] where the release throws", () => {
  const message = "linear requires `num_training_steps`, please provide that argument."; // transformers 4.57.6
  const raises = { phase: "forward", type: "ValueError", message } as const;
  const raised = (name: string, phase: "construct" | "forward" = "forward") => ({
    error: new RuleError("refused", "scheduler.steps", { name }),
    phase,
  });
  test("[compare.raises] the same error passes", () =>
    expect(judgeRaised(raises, raised("linear")).status).toBe("passed"));
  test("[compare.raises] another error, or none, fails", () => {
    expect(judgeRaised(raises, raised("cosine")).status).toBe("failed");
    expect(judgeRaised(raises, null).status).toBe("failed");
  });
  test("[compare.raises] the same error in the other phase fails, and the phases are named", () => {
    const { status, error } = judgeRaised(raises, raised("linear", "construct"));
    expect([status, error]).toEqual([
      "failed",
      expect.stringMatching(/in the phase "construct", but .* "forward"/),
    ]);
  });
  test("[compare.raises] a ShapeError, which quotes no release, fails and is not broken", () => {
    const judged = judgeRaised(raises, { error: new ShapeError("the sizes differ"), phase: "forward" });
    expect(judged).toMatchObject({ status: "failed", error: expect.stringContaining("the sizes differ") });
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
  expect(exitCode(summariseCases([one]))).toBe(0);
  expect(exitCode(summariseCases([one, two]))).toBe(1);
  expect(exitCode(summariseCases([one, two, three]))).toBe(2);
  expect(exitCode(summariseCases([]))).toBe(2);
});

describe("[conform.first-divergence] the first tensor that differs", () => {
  const golden = readCase(LEAD_TEXT);
  const copyOf = (name: string): Float64Array => {
    const t = golden.expected.get(name);
    if (!(t instanceof Tensor)) throw new Error(`no ${name}`);
    return Float64Array.from(flat(t.data));
  };
  const shapeOf = (name: string) => golden.expected.get(name)?.shape ?? [];
  /** The right results with some tensors replaced. */
  const judged = (changes: Record<string, Float64Array>, next?: ReadonlyMap<string, readonly string[]>) => {
    const actual = new Map<string, Stored>(golden.expected);
    for (const [name, x] of Object.entries(changes))
      actual.set(name, new Tensor(shapeOf(name), view(x, shapeOf(name))));
    return judge(golden, actual, "float32", { taps: "locate", next });
  };
  const next = nextTaps(callOf(golden).record(), golden.manifest.outputs);
  const filled = (fill: number) => copyOf("taps.scores.masked").map((x) => (x === -Infinity ? fill : x));
  const wrongOutput = copyOf("outputs.out").map((x) => x + 1);
  const averaged = () => {
    const [attn, width] = [copyOf("taps.attn"), shapeOf("taps.attn").at(-1) ?? 1];
    for (let from = 0; from < attn.length; from += width) {
      const row = attn.subarray(from, from + width);
      if (row.every((x) => x === 0)) row.fill(1 / width);
    }
    return attn;
  };

  test.each([-3.4028234663852886e38, -65504, -1e4, -1e3])(
    "[compare.fill] a fill of %d masks as −∞ does: the weights are named, which are not zeroed",
    (fill) => {
      const changes = {
        "taps.scores.masked": filled(fill),
        "taps.attn": averaged(),
        "outputs.out": wrongOutput,
      };
      expect(judged(changes).firstDivergence?.tensor).toBe("taps.attn");
      expect(judged(changes, next).firstDivergence?.tensor).toBe("taps.attn");
    },
  );

  test.each([-10, 0, NaN, Infinity])("[compare.fill] a fill of %d does not mask", (fill) => {
    const found = judged({ "taps.scores.masked": filled(fill), "outputs.out": wrongOutput });
    expect(found.firstDivergence?.tensor).toBe("taps.scores.masked");
  });

  test("[compare.fill] an allowed score that is masked, or a masked one that is not, is a difference", () => {
    const masked = copyOf("taps.scores.masked");
    const allowed = masked.findIndex((x) => x !== -Infinity);
    const more = masked.slice().fill(-1e30, allowed, allowed + 1);
    expect(judged({ "taps.scores.masked": more, "outputs.out": wrongOutput }).firstDivergence?.tensor).toBe(
      "taps.scores.masked",
    );
  });

  test("[compare.fill] in a row in which nothing is allowed the fill is one number, as its softmax is uniform", () => {
    const of = (row: number[]) => {
      const [none, some] = [
        [-Infinity, -Infinity, -Infinity],
        [1, 2, -Infinity],
      ];
      const e = tensor("a b", [2, 3], [...none, ...some]);
      return compareTensors("taps.scores.masked@2", tensor("a b", [2, 3], [...row, 1, 2, -1e9]), e, 1e-6)
        .passed;
    };
    expect([of([-1e9, -1e9, -1e9]), of([-Infinity, -Infinity, -Infinity])]).toEqual([true, true]);
    expect([of([-1e9, -1e9, -2e9]), of([NaN, NaN, NaN]), of([-Infinity, -1e9, -1e9])]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test("[compare.fill] a fill masks if its weight beside the least allowed score is at most the noise", () => {
    const e = tensor("a b", [1, 3], [0, 2, -Infinity]);
    // With a noise of 0.001 and a tolerance of eight times as much: exp(−6.91) = 0.000998 and exp(−6.90) = 0.001008.
    const passes = (fill: number) =>
      compareTensors("taps.scores.masked", tensor("a b", [1, 3], [0, 2, fill]), e, 8 * 0.001).passed;
    expect([-1e9, -6.91, -6.9, -5].map(passes)).toEqual([true, true, false, false]);
  });

  test("taps are followed by what is computed from them", () => {
    expect(next.get("taps.norm")).toEqual(["taps.scores"]);
    expect(next.get("taps.scores")).toEqual(["taps.scores.masked"]);
    expect(next.get("taps.attn")).toEqual(["taps.out"]);
    expect(next.get("taps.out")).toEqual(["outputs.out"]);
  });

  test("[conform.first-divergence] a tap is blamed if a part of what is computed from it differs", () => {
    const twice = (name: string) => copyOf(name).map((x) => 2 * x);
    const changes = {
      "taps.scores": twice("taps.scores"),
      "taps.out": twice("taps.out"),
      "outputs.out": wrongOutput,
    };
    const both = new Map([
      ["taps.scores", ["taps.attn", "taps.out"]],
      ["taps.out", ["outputs.out"]],
    ]);
    expect(judged(changes, both).firstDivergence?.tensor).toBe("taps.scores");
    const one = new Map([...both, ["taps.scores", ["taps.attn"]]]);
    expect(judged(changes, one).firstDivergence?.tensor).toBe("taps.out");
  });

  test("[conform.first-divergence] a tap that all that is computed from it contradicts is not blamed", () => {
    const scores = copyOf("taps.scores").map((x) => 2 * x);
    const changes = { "taps.scores": scores, "taps.attn": averaged(), "outputs.out": wrongOutput };
    expect(judged(changes).firstDivergence?.tensor).toBe("taps.scores");
    expect(judged(changes, next).firstDivergence?.tensor).toBe("taps.attn");
    const unscaled = { ...changes, "taps.attn": copyOf("taps.attn") };
    expect(judged(unscaled, next).firstDivergence?.tensor, "the only tap that differs").toBe("taps.scores");
  });

  test("[conform.first-divergence] a tap that the next one confirms is blamed", () => {
    const masked = copyOf("taps.scores.masked").map((x) => 2 * x);
    const scores = copyOf("taps.scores").map((x) => 2 * x);
    const changes = { "taps.scores": scores, "taps.scores.masked": masked, "outputs.out": wrongOutput };
    expect(judged(changes, next).firstDivergence?.tensor).toBe("taps.scores");
  });
});

test("[compare.half] our own half-precision runs of every case use at most a third of the tolerance", async () => {
  const count = { passed: 0, skipped: 0, inIntegers: 0, inexactIds: 0, optimizers: 0 };
  for (const precision of ["bfloat16", "float16"] as const) {
    for (const folder of small()) {
      const golden = readCase(folder);
      const verdict = await checkCase(golden, reference(precision));
      const hasOtherIds = /outputs\.sequences is not exact/.test(verdict.error ?? "");
      const isOptimizer = /an optimiser keeps its state in float32 or float64/.test(verdict.error ?? "");
      const status =
        golden.manifest.level === "preprocess"
          ? "inIntegers"
          : hasOtherIds
            ? "inexactIds" // the release itself decodes other ids in this precision
            : isOptimizer
              ? "optimizers"
              : verdict.status;
      expect(Object.keys(count), `${folder} ${JSON.stringify(verdict)}`).toContain(status);
      count[status as keyof typeof count]++;
      if (status === "inIntegers")
        expect(verdict.error).toMatch(
          /preprocess images in integers|images are preprocessed in integers|a tokenizer computes ids/,
        );
      if (verdict.worst)
        expect(share(verdict.worst), `${folder} ${verdict.worst.tensor}`).toBeLessThan(1 / 3);
    }
  }
  expect(count.inIntegers).toBeGreaterThan(0);
  const optimizers = small().filter((folder) => /^(adamw-8bit|lion|adamw)--/.test(basename(folder)));
  expect(count.optimizers).toBe(2 * optimizers.length);
  expect(count.passed).toBeGreaterThan(20 * count.skipped);
}, 120_000);

describe("every golden case", () => {
  const folders = small();
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
