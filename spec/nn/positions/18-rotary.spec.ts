// The executable half of 18-rotary.md. Numbers of torch: torch 2.13.0 and transformers 4.57.6.

import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ParallelTransformerBlock } from "../../../src/blocks/parallel-transformer-block.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { frequencies } from "../../../src/nn/positions/angles.ts";
import { RotaryEmbedding, rotate } from "../../../src/nn/positions/palm-rotary.ts";
import { type RotaryOptions, rotary } from "../../../src/nn/positions/rotary.ts";
import { scaled } from "../../../src/nn/positions/scaling.ts";
import { parameterNames, stateDict } from "../../../src/nn/state-dict.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { einsum } from "../../../src/tensor/ops/arrange.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { square } from "../../../src/tensor/ops/functions.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Any, type Int, int, type Tensor, tensor } from "../../../src/tensor/tensor.ts";
import { type Mat, range, rotate as rotateHalvesLoop, type Vec } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, list, type nested, seeds } from "../../support/oracles/modules.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import {
  expectClose,
  replayEqualsEager,
  valuesOf,
  vjpEqualsFiniteDifferences,
} from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

/** Equations (14) and (15) of arXiv 2104.09864v5, one pair after another. */
function rotateLoop(
  x: Vec,
  m: number,
  { width, pairing = "halves", base = 10_000 }: RotaryOptions,
): number[] {
  const out = [...x];
  for (let i = 0; i < width / 2; i++) {
    const [p, q] = pairing === "halves" ? [i, i + width / 2] : [2 * i, 2 * i + 1];
    const angle = m * base ** ((-2 * i) / width);
    const [a, b] = [x[p] ?? NaN, x[q] ?? NaN];
    out[p] = a * Math.cos(angle) - b * Math.sin(angle);
    out[q] = a * Math.sin(angle) + b * Math.cos(angle);
  }
  return out;
}

const configurations = {
  h: from(1, 3),
  l: from(1, 7),
  half: from(1, 4),
  rest: from(0, 3),
  pairing: fc.constantFrom("halves" as const, "interleaved" as const),
  base: fc.constantFrom(10_000, 500_000, 7),
  first: from(0, 3000),
  seed: seeds,
};

describe("rotary", () => {
  test("[rotary.rotate] equals the loop for every width, pairing, base and first position, and keeps lengths", () => {
    forAll(configurations, ({ h, l, half, rest, pairing, base, first, seed }) => {
      const options = { width: 2 * half, pairing, base, from: first };
      const x = randomTensor<"h l k">([h, l, 2 * half + rest], seed);
      const expected = list<Mat>(x).map((rows) => rows.map((row, m) => rotateLoop(row, first + m, options)));
      const rotated = rotary(x, options);
      expectNear(rotated, expected, 1e-12);
      const norms = (heads: readonly Mat[]) => heads.flat().map((row) => Math.hypot(...row));
      expectClose(norms(list<Mat>(rotated)), norms(list<Mat>(x)), 1e-14);
    });
  });

  test("[rotary.rotate] inner products depend on the difference of two positions only", () => {
    forAll(configurations, ({ half, rest, pairing, base, first, l, seed }) => {
      const [q, k] = [1, 2].map((n) => randomTensor<"l k">([1, 2 * half + rest], seed + n));
      const product = (m: number, n: number): number => {
        const turned = { width: 2 * half, pairing, base };
        const [a, b] = [
          rotary(q as Tensor<"l k">, { ...turned, from: m }),
          rotary(k as Tensor<"l k">, { ...turned, from: n }),
        ];
        return valuesOf(einsum("l k, s k -> l s", a, b as Tensor<Any>))[0] ?? NaN;
      };
      expectClose([product(first + l, first)], [product(l, 0)], 1e-11);
      expectClose([product(first, first + l)], [product(0, l)], 1e-11);
    });
  });

  test("[rotary.rotate] replay equals eager, and derivatives equal finite differences", async () => {
    for (const options of [{ width: 4 }, { width: 2, pairing: "interleaved", from: 5 }] as const) {
      const x = randomTensor<"b h l k">([2, 1, 3, 5], 3);
      await replayEqualsEager(() => rotary(x, options), { inputs: { x } });
      vjpEqualsFiniteDifferences(() => square(rotary(x, options)), { x });
    }
  });

  test("[rotary.halves] [rotary.interleaved] halves and neighbours differ by a permutation of the features", () => {
    const x = randomTensor<"l k">([5, 6], 4);
    const apart = [0, 2, 4, 1, 3, 5]; // where the halves' features are among neighbours
    const permuted = rotary(x, { width: 6, pairing: "interleaved" });
    const moved = list<Vec>(x).map((row) => apart.map((i) => row[i] ?? NaN));
    const halves = list<Vec>(x).map((_, m) => rotateLoop(moved[m] ?? [], m, { width: 6 }));
    const back = halves.map((row) => [0, 3, 1, 4, 2, 5].map((i) => row[i] ?? NaN));
    expectNear(permuted, back);
    expect(valuesOf(permuted)).not.toEqual(valuesOf(rotary(x, { width: 6 })));
    expect(valuesOf(rotary(x, { width: 6 }))).toEqual(valuesOf(rotary(x, { width: 6, pairing: "halves" })));
  });

  test("[rotary.width] features beyond the width pass unchanged; an odd width and a narrower head are refused", () => {
    const x = randomTensor<"l k">([4, 7], 5);
    const rotated = list<Vec>(rotary(x, { width: 4 }));
    expect(rotated.map((row) => row.slice(4))).toEqual(list<Vec>(x).map((row) => row.slice(4)));
    expect(rotated.slice(1).every((row, m) => row[3] !== list<Vec>(x)[m + 1]?.[3])).toBe(true);
    const heads = randomTensor<"h l k">([2, 3, 6], 5); // other axes are as long as the width
    const parts = list<Mat>(rotary(heads, { width: 2 })).map((rows) => rows.map((row) => row.slice(2)));
    expect(parts).toEqual(list<Mat>(heads).map((rows) => rows.map((row) => row.slice(2))));
    expect(() => rotary(x, { width: 5 })).toThrow(RuleError);
    expect(() => rotary(x, { width: 5 })).toThrow("rotary: width is 5; it must be an even number");
    expect(() => rotary(x, { width: 8 })).toThrow(ShapeError);
    expect(() => rotary(x, { width: 8 })).toThrow("[4 7] has no 8 dimensions to rotate");
    expect(() => rotary(randomTensor<"k">([8], 1), { width: 8 })).toThrow(ShapeError);
  });

  test("[rotary.from] the first position is 0 unless another is given", () => {
    const x = randomTensor<"l k">([5, 4], 6);
    const later = randomTensor<"l k">([5, 4], 6);
    expect(list<Vec>(rotary(x, { width: 4 }))[0]).toEqual(list<Vec>(x)[0]);
    expect(valuesOf(rotary(x, { width: 4 }))).toEqual(valuesOf(rotary(later, { width: 4, from: 0 })));
  });

  test("[rotary.from] rows have the positions that are given for them, with any axes between rows and tokens", () => {
    const positions = [
      [4, 0, 900],
      [1, 1, 7],
    ]; // as of left padding: not in order, and equal ones
    const given = int("b l", positions);
    for (const middle of [[], [2], [2, 3]]) {
      const x = randomTensor([2, ...middle, 3, 6], 7);
      const rotated = rotary(x, { width: 4, pairing: "interleaved", from: given });
      const loop = (rows: ReturnType<typeof nested>, b: number, depth: number): unknown =>
        depth === 0
          ? (rows as Mat).map((row, l) =>
              rotateLoop(row, positions[b]?.[l] ?? NaN, { width: 4, pairing: "interleaved" }),
            )
          : (rows as Mat[]).map((part) => loop(part, b, depth - 1));
      expectNear(rotated, list<Mat>(x).map((rows, b) => loop(rows, b, middle.length)) as Mat);
    }
  });

  test("[rotary.from] positions of other rows, or of another number of tokens, are refused", () => {
    const x = randomTensor<"b h l k">([2, 1, 3, 4], 8);
    const at = (ids: Int<"b l">) => () => rotary(x, { width: 4, from: ids });
    expect(
      at(
        int("b l", [
          [0, 1],
          [0, 1],
        ]),
      ),
    ).toThrow("from has positions of 2 tokens, and the text has 3");
    expect(at(int("b l", [[0, 1, 2]]))).toThrow("from has positions of 1 rows, and the heads are [2 1 3 4]");
    expect(() => rotary(randomTensor<"l k">([3, 4], 1), { width: 4, from: int("b l", [[0, 1, 2]]) })).toThrow(
      ShapeError,
    );
    const far = int("b l", [
      [0, 1, 2 ** 24 + 1],
      [0, 1, 2],
    ]);
    expect(at(far)).toThrow("position 16777217 is not a whole number from -16,777,216 to 16,777,216");
  });

  test("[rotary.precision] float32 rounds frequencies, angles, cosines and sines, as transformers does", () => {
    // LlamaRotaryEmbedding of transformers 4.57.6, head of 6, rope_theta 1e5, position 1999: its angles, and the nearest float32 numbers
    // to their cosines and sines (numpy, in float64)
    const angles = [1999, 43.06714630126953, 0.9278533458709717];
    const x = randomTensor<"l k">([1, 6], 9, () => 1);
    const rotated = list<Vec>(rotary(x, { width: 6, base: 1e5, from: 1999, precision: "float32" }))[0] ?? [];
    const [cos, sin] = [Math.cos, Math.sin].map((f) => angles.map((angle) => Math.fround(f(angle))));
    const expected = [
      ...range(3).map((i) => (cos?.[i] ?? 0) - (sin?.[i] ?? 0)),
      ...range(3).map((i) => (cos?.[i] ?? 0) + (sin?.[i] ?? 0)),
    ];
    expect(rotated).toEqual(expected);
    const exact = list<Vec>(rotary(x, { width: 6, base: 1e5, from: 1999 }))[0] ?? [];
    expectClose(exact, rotateLoop([1, 1, 1, 1, 1, 1], 1999, { width: 6, base: 1e5 }), 1e-12);
    expect(Math.abs((exact[1] ?? 0) - (rotated[1] ?? 0))).toBeGreaterThan(1e-7);
  });

  test("[rotary.precision] every step is rounded: base, exponent, power, reciprocal, angle, cosine and sine", () => {
    const round = Math.fround;
    for (const [width, base] of [
      [14, 10_000.1],
      [6, 7.3],
      [10, 123.456],
    ] as const) {
      const theta = range(width / 2).map((i) => round(1 / round(round(base) ** round((2 * i) / width))));
      const positions = range(60).map((i) => i * i);
      const ones = randomTensor<"b l k">([1, 60, width], 1, () => 1);
      const from = int("b l", [positions]);
      const rotated = list<Mat>(rotary(ones, { width, base, from, precision: "float32" }))[0] ?? [];
      const both = (f: (angle: number) => number, m: number) => theta.map((t) => round(f(round(m * t))));
      for (const [l, m] of positions.entries()) {
        const [cos, sin] = [both(Math.cos, m), both(Math.sin, m)];
        const expected = [
          ...cos.map((c, i) => c - (sin[i] ?? NaN)),
          ...cos.map((c, i) => (sin[i] ?? NaN) + c),
        ];
        expect(rotated[l]).toEqual(expected);
      }
    }
  });

  /** The frequencies that `rotary` applies, from the cosine and sine of position 1: all of them are below π. */
  const applied = (options: Partial<RotaryOptions> & { readonly width: number }): number[] => {
    const half = options.width / 2;
    const one = tensor("l k", [range(options.width).map((i) => (i < half ? 1 : 0))]);
    const [row = []] = list<Vec>(rotary(one, { ...options, from: 1 }));
    return range(half).map((i) => Math.atan2(row[i + half] ?? NaN, row[i] ?? NaN));
  };
  const llama3 = {
    ropeType: "llama3",
    factor: 4,
    lowFreqFactor: 1.5,
    highFreqFactor: 3.5,
    originalMaxPositionEmbeddings: 50,
  } as const;

  test("[rotary.scaling] [rotary.llama3] frequencies are those of the formulas", () => {
    const kinds = new Set<string>();
    forAll({ half: from(1, 8), base: from(2, 2000), context: from(3, 400) }, ({ half, base, context }) => {
      const width = 2 * half;
      const theta = range(half).map((i) => base ** ((-2 * i) / width));
      const linear = applied({ width, base, scaling: { ropeType: "linear", factor: 2.5 } });
      expectClose(
        linear,
        theta.map((t) => t / 2.5),
        1e-12,
      );
      expectClose(applied({ width, base, scaling: { ropeType: "default" } }), theta, 1e-12);
      const { factor: f, lowFreqFactor: a, highFreqFactor: b } = llama3;
      const expected = theta.map((t) => {
        const n = (context * t) / (2 * Math.PI);
        kinds.add(n > b ? "high" : n < a ? "low" : "between");
        if (n > b) return t;
        if (n < a) return t / f;
        const s = (n - a) / (b - a);
        return ((1 - s) * t) / f + s * t;
      });
      const scaling = { ...llama3, originalMaxPositionEmbeddings: context };
      expectClose(applied({ width, base, scaling }), expected, 1e-12);
    });
    expect([...kinds].sort()).toEqual(["between", "high", "low"]);
  });

  test("[rotary.scaling] [rotary.llama3] in float32 they are those of transformers, step by step", () => {
    // LlamaRotaryEmbedding(LlamaConfig(…)).inv_freq of transformers 4.57.6, a head of 12, rope_theta 10
    expect(scaled(frequencies(6, 10, "float32"), llama3, "float32")).toEqual([
      1.0, 0.6812920570373535, 0.46415889263153076, 0.19959434866905212, 0.0711861103773117,
      0.036694981157779694,
    ]);
    // the sum of the frequencies of forty configurations, a head of 64, rope_theta 10,000: one bit of one of them changes it
    const sums = range(40).map((i) => {
      const k = i + 1;
      const low = 0.9 + 0.13 * k;
      const factors = { factor: 1.3 + 0.37 * k, lowFreqFactor: low, highFreqFactor: low + 1.7 + 0.23 * k };
      const scaling = {
        ropeType: "llama3",
        ...factors,
        originalMaxPositionEmbeddings: 200 + 97 * k,
      } as const;
      return scaled(frequencies(32, 10_000, "float32"), scaling, "float32").reduce((a, b) => a + b, 0);
    });
    expect(sums.reduce((a, b) => a + b, 0)).toBe(157.50170713425177);
    const linear = { ropeType: "linear", factor: 3 } as const;
    expect(scaled(frequencies(6, 10, "float32"), linear, "float32")).toEqual([
      0.3333333432674408, 0.22709734737873077, 0.15471963584423065, 0.10540925711393356, 0.07181448489427567,
      0.048926640301942825,
    ]);
  });

  test("[rotary.scaling] calls with other frequencies do not share their tables", () => {
    const one = randomTensor<"b l k">([1, 1, 2], 3, () => 1);
    const from = int("b l", [[1]]);
    const turned = (factor: number) =>
      valuesOf(rotary(one, { width: 2, from, scaling: { ropeType: "linear", factor } }))[0];
    expect([turned(1), turned(2)]).toEqual([1, 0.5].map((angle) => Math.cos(angle) - Math.sin(angle)));
  });

  test.each([
    [{ ropeType: "yarn", factor: 2 }, 'ropeType is "yarn"; it must be "default" or "linear" or "llama3"'],
    [{ factor: 2 }, "ropeType"],
    [{ ropeType: "linear" }, "factor"],
    [{ ropeType: "linear", factor: 0 }, "factor is 0"],
    [{ ropeType: "default", factor: 2 }, "factor"],
    [{ ...llama3, betaFast: 32 }, "betaFast"],
    [{ ...llama3, lowFreqFactor: undefined }, "lowFreqFactor"],
    [{ ...llama3, lowFreqFactor: 3.5 }, "highFreqFactor is 3.5; it must be above lowFreqFactor"],
    ["linear", "scaling is"],
  ])("[rotary.scaling] [rotary.llama3] %j is refused", (scaling, message) => {
    const one = randomTensor<"l k">([1, 2], 3, () => 1);
    expect(refusal(() => rotary(one, { width: 2, scaling: scaling as never })).message).toContain(message);
  });

  test("[options.bounds] positions up to 2^24 are accepted", () => {
    const one = randomTensor<"b l k">([1, 1, 2], 1, () => 1);
    const largest = [2 ** 24, -(2 ** 24)];
    for (const m of largest) {
      const expected = rotateLoop([1, 1], m, { width: 2 });
      expectClose(valuesOf(rotary(one, { width: 2, from: m })), expected, 1e-9);
      expectClose(valuesOf(rotary(one, { width: 2, from: int("b l", [[m]]) })), expected, 1e-9);
    }
  });

  test("[rotary.precision] the angles do not depend on the precision of the replay", () => {
    // 12345 · 10000^(−2/4) is 123.45, whose nearest float32 number is 1.5e-6 away
    const x = randomTensor<"l k">([1, 4], 10, () => 1);
    const program = record(() => rotary(x, { width: 4, from: 12_345 }), { inputs: { x } });
    const inFloat32 = valuesOf(evaluate(program, {}, "float32").outputs.out as Tensor);
    expect(Math.abs((inFloat32[1] ?? 0) - (Math.cos(123.45) - Math.sin(123.45)))).toBeLessThan(2e-7);
    const float32 = record(() => rotary(x, { width: 4, from: 12_345, precision: "float32" }), {
      inputs: { x },
    });
    const values = (precision: "float32" | "float64") =>
      valuesOf(evaluate(float32, {}, precision).outputs.out as Tensor);
    expect(values("float32")).toEqual(values("float64").map(Math.fround));
  });

  test("[rotary.once] calls with the same positions share their cosines and sines, unless the positions have changed", () => {
    const positions = int("b l", [[3, 1]]);
    const [q, k] = [1, 2].map((n) => randomTensor<"b l k">([1, 2, 4], n)) as [
      Tensor<"b l k">,
      Tensor<"b l k">,
    ];
    const leaves = (...calls: readonly RotaryOptions[]) => {
      const all = () => Object.fromEntries(calls.map((one, i) => [i, rotary(i % 2 === 0 ? q : k, one)]));
      return record(all, { inputs: { q, k } }).bindings.size - 2;
    };
    const options = { width: 4, from: positions };
    expect(leaves(options, options, options, options)).toBe(2);
    const others = [{ base: 5 }, { pairing: "interleaved" }, { precision: "float32" }, { width: 2 }] as const;
    for (const other of others) expect(leaves(options, { ...options, ...other })).toBe(4);
    const before = valuesOf(rotary(q, options));
    positions.data[0] = 8;
    const after = valuesOf(rotary(q, options));
    expect(after.slice(0, 4)).not.toEqual(before.slice(0, 4));
    expect(after).toEqual(valuesOf(rotary(q, { width: 4, from: int("b l", [[8, 1]]) })));
  });

  test("[record.warns] the tables of a long text are no forgotten weights", () => {
    const model = new (class Model {
      held = randomTensor<"l k">([2000, 4], 1);
    })();
    expect(record(() => rotary(model.held, { width: 4 }), { model }).warnings).toEqual([]);
  });
});

describe("PaLM's form", () => {
  test("[rotary.angles] position m, from 0, has the angles m·θ, once for each half", () => {
    const rotary = new RotaryEmbedding(6);
    const theta = valuesOf(rotary.inv_freq);
    const angles = list<Vec>(rotary.forward(4));
    expect(angles).toEqual(range(4).map((m) => [...theta, ...theta].map((t) => m * t)));
    expect(rotary.forward(0).shape).toEqual([0, 6]);
  });

  test("[rotary.rotate] rotation equals the loop in every head and keeps lengths", () => {
    forAll({ h: from(1, 3), l: from(1, 9), half: from(1, 4), seed: seeds }, ({ h, l, half, seed }) => {
      const rotary = new RotaryEmbedding(2 * half);
      const theta = valuesOf(rotary.inv_freq);
      const x = randomTensor<"h l k">([h, l, 2 * half], seed);
      const rotated = rotate(x, rotary.forward(l));
      const expected = list<Mat>(x).map((rows) => rows.map((row, m) => rotateHalvesLoop(row, m, theta)));
      expectNear(rotated, expected);
      const norms = (heads: readonly Mat[]) => heads.flat().map((row) => Math.hypot(...row));
      expectClose(norms(list<Mat>(rotated)), norms(list<Mat>(x)), 1e-14);
    });
  });

  test("[rotary.rotate] position 0 is not rotated", () => {
    const x = randomTensor<"l k">([1, 6], 1);
    expect(valuesOf(rotate(x, new RotaryEmbedding(6).forward(1)))).toEqual(valuesOf(x));
  });

  test("[rotary.halves] feature i is paired with feature i + k/2", () => {
    const rotated = (feature: number): Vec => {
      const unit = randomTensor<"l k">([2, 6], 1, () => 0);
      ndArray(unit.data).set(1, feature, 1); // at position 1
      return list<Vec>(rotate(unit, new RotaryEmbedding(6).forward(2)))[1] ?? [];
    };
    const angle = Math.fround(10000 ** (-2 / 6));
    expectClose(rotated(1), [0, Math.cos(angle), 0, 0, Math.sin(angle), 0], 1e-7);
    expectClose(rotated(4), [0, -Math.sin(angle), 0, 0, Math.cos(angle), 0], 1e-7);
  });

  test("[rotary.halves] a head of odd width is refused", () => {
    for (const [make, message] of [
      [() => new RotaryEmbedding(5), "RotaryEmbedding: dim is 5; it must be an even number"],
      [
        () => new ParallelTransformerBlock({ dim: 4, dimHead: 3 }),
        "ParallelTransformerBlock: dimHead is 3; it must be an even number from 2 to 16,777,216",
      ],
    ] as const) {
      expect(make).toThrow(RuleError);
      expect(make).toThrow(message);
    }
  });

  test("[rotary.float32] frequencies are the float32 numbers of the source", () => {
    for (const dim of [2, 8, 64, 128]) {
      const theta = valuesOf(new RotaryEmbedding(dim).inv_freq);
      expect(theta.length).toBe(dim / 2);
      for (const [i, value] of theta.entries()) {
        expect(Math.fround(value)).toBe(value);
        expect(Math.abs(value * 10000 ** ((2 * i) / dim) - 1)).toBeLessThan(1.3e-7);
      }
    }
    const stored = "golden/cases/flamingo-pytorch/rotary-embedding--wide/inputs.safetensors";
    const torch = loadSafetensors(fileURLToPath(new URL(`../../../${stored}`, import.meta.url))).tensor(
      "weights.inv_freq",
    );
    expect(valuesOf(new RotaryEmbedding(64).inv_freq)).toEqual(valuesOf(torch as Tensor));
    // torch's for dim 12, where the exponent is not a float32 number
    expect(valuesOf(new RotaryEmbedding(12).inv_freq)).toEqual([
      1, 0.2154434472322464, 0.04641588404774666, 0.009999999776482582, 0.002154434332624078,
      0.00046415894757956266,
    ]);
  });

  test("[rotary.float32] the frequencies are a buffer: saved, not trained", () => {
    const model = new ParallelTransformerBlock({ dim: 5, heads: 2, dimHead: 4, ffMult: 2 });
    expect(stateDict(model).has("rotary_emb.inv_freq")).toBe(true);
    expect(parameterNames(model)).not.toContain("rotary_emb.inv_freq");
  });
});
