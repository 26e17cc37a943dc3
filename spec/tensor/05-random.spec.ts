// The executable half of 05-random.md.
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { describe, expect, test } from "vitest";
import { gradients } from "../../src/tensor/autodiff/gradients.ts";
import { RuleError } from "../../src/tensor/errors.ts";
import { sumAll } from "../../src/tensor/ops/functions.ts";
import { evaluate } from "../../src/tensor/program/evaluate.ts";
import { record } from "../../src/tensor/program/record.ts";
import { dropout, generator, hash } from "../../src/tensor/random.ts";
import { Tensor, view } from "../../src/tensor/tensor.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { expectSame, replayEqualsEager, valuesOf } from "../support/properties/programs.ts";

const draw = (n: number, next: () => number): number[] => Array.from({ length: n }, next);
const mean = (values: readonly number[]): number => values.reduce((s, x) => s + x, 0) / values.length;
/** The mean of the powers of the values. */
const moment = (values: readonly number[], power: number): number => mean(values.map((x) => x ** power));
const N = 100_000;

describe("generators", () => {
  test("[random.seeded] the numbers are those of pure-rand's xoroshiro128+ for the mixed seed", () => {
    /** a · b modulo 2³², by the halves of a. */
    const product = (a: number, b: number): number =>
      ((((a >>> 16) * b) % 2 ** 16) * 2 ** 16 + (a & 0xffff) * b) % 2 ** 32;
    /** The finaliser of MurmurHash3. */
    const mixed = (seed: number): number => {
      let h = seed >>> 0;
      h = product((h ^ (h >>> 16)) >>> 0, 0x85ebca6b);
      h = product((h ^ (h >>> 13)) >>> 0, 0xc2b2ae35);
      return h ^ (h >>> 16);
    };
    for (const seed of [0, 1, -1, 7, 2 ** 31 - 1, -(2 ** 31), 2 ** 32 - 1, 123_456_789]) {
      for (const name of ["", "layers.0.norm.weight"]) {
        const { uniform } = generator(seed, name);
        const released = xoroshiro128plus(mixed(seed ^ hash(name)));
        for (let i = 0; i < 1000; i++) expect(uniform()).toBe((released.next() >>> 0) / 2 ** 32);
      }
    }
  });

  test("[random.seeded] the same seed and name give the same numbers, independently of other generators", () => {
    const first = generator(7, "norm.weight");
    const other = generator(7, "norm.bias");
    const alone = draw(5, first.uniform);
    const again = generator(7, "norm.weight");
    const between = draw(5, () => {
      other.normal();
      return again.uniform();
    });
    expect(between).toEqual(alone);
    expect(draw(5, generator(7, "norm.bias").uniform)).not.toEqual(alone);
    expect(draw(5, generator(8, "norm.weight").uniform)).not.toEqual(alone);
    expect(draw(5, generator(7, "norm.weight").normal)).toEqual(draw(5, generator(7, "norm.weight").normal));
  });

  test("[random.seeded] a seed that is no whole number is refused", () => {
    for (const seed of [NaN, Infinity, 0.5, "7", null, undefined, Object.create(null)])
      expect(() => generator(seed as never)).toThrow(
        /a seed is a whole number from .*, not .*\[random\.seeded\]/,
      );
    expect(generator(-1).uniform()).toBe(generator(2 ** 32 - 1).uniform()); // 32 bits count
  });

  test("[random.seeded] names have different 32-bit hashes", () => {
    const names = Array.from({ length: 2000 }, (_, i) => `layers.${i >> 3}.${i % 8}.weight`);
    expect(new Set(names.map(hash)).size).toBe(names.length);
    expect([hash(""), hash("a"), hash("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]); // test values of the FNV authors
  });

  test("[random.uniform] uniform numbers have mean 1/2, variance 1/12 and equal frequencies in every tenth of [0, 1)", () => {
    const u = draw(N, generator(1).uniform);
    expect(u.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(mean(u)).toBeCloseTo(0.5, 2);
    expect(moment(u.map((x) => x - 0.5), 2)).toBeCloseTo(1 / 12, 3); // biome-ignore format: one line
    for (let tenth = 0; tenth < 10; tenth++) {
      expect(u.filter((x) => Math.floor(10 * x) === tenth).length / N).toBeCloseTo(0.1, 2);
    }
    expect(
      moment(
        u.slice(1).map((x, i) => (x - 0.5) * ((u[i] ?? 0) - 0.5)),
        1,
      ),
    ).toBeCloseTo(0, 3);
  });

  test("[random.normal] normal numbers have mean 0, variance 1, no skew, and the kurtosis and tails of a normal distribution", () => {
    const x = draw(N, generator(2).normal);
    expect(mean(x)).toBeCloseTo(0, 1.9);
    expect(moment(x, 2)).toBeCloseTo(1, 1.7);
    expect(Math.abs(moment(x, 3))).toBeLessThan(0.05);
    expect(Math.abs(moment(x, 4) - 3)).toBeLessThan(0.1);
    expect(x.filter((v) => Math.abs(v) > 1.959964).length / N).toBeCloseTo(0.05, 2);
    expect(Math.abs(mean(x.slice(1).map((v, i) => v * (x[i] ?? 0))))).toBeLessThan(0.02); // pairs are independent
    expect(x.every(Number.isFinite)).toBe(true);
  });
});

describe("dropout", () => {
  const ones = new Tensor<"i">([N], view(new Float64Array(N).fill(1), [N]));

  test("[dropout.mean] a fraction p of the elements becomes 0 and the others are multiplied by 1/(1 − p)", () => {
    for (const p of [0.1, 0.5, 0.9]) {
      const y = valuesOf(dropout(ones, p, generator(3)));
      expect(new Set(y)).toEqual(new Set([0, 1 / (1 - p)]));
      expect(y.filter((v) => v === 0).length / N).toBeCloseTo(p, 2);
      expect(Math.abs(mean(y) - 1)).toBeLessThan(0.02);
    }
    expectSame(dropout(ones, 0, generator(3)), ones);
    expect(new Set(valuesOf(dropout(ones, 1, generator(3))))).toEqual(new Set([0]));
  });

  test("[dropout.mean] a p outside [0, 1] is an error", () => {
    for (const p of [-0.1, 1.1, Number.NaN]) expect(() => dropout(ones, p, generator(3))).toThrow(RuleError);
    expect(() => dropout(ones, 2, generator(3))).toThrow(/dropout with p = 2.*\[dropout\.mean\]/);
  });

  test("[dropout.mask] the mask is drawn when dropout is called, and is a constant of the program", async () => {
    const x = randomTensor<"i j">([4, 5]);
    await replayEqualsEager(() => dropout(x, 0.5, generator(9)), { inputs: { x } });
    const { uniform } = generator(9);
    const expected = valuesOf(x).map((v) => (uniform() < 0.25 ? 0 : v * (1 / 0.75)));
    expect(valuesOf(dropout(x, 0.25, generator(9)))).toEqual(expected); // one number for each element, in order
    const next = generator(9);
    const p = record(() => sumAll(dropout(x, 0.5, next)), { inputs: { x }, symbolic: true });
    expectSame(evaluate(p).outputs.out as Tensor, evaluate(p).outputs.out as Tensor);
    expect(valuesOf(dropout(x, 0.5, next))).not.toEqual(valuesOf(dropout(x, 0.5, generator(9)))); // the generator has advanced
    const slope = valuesOf(evaluate(gradients(p, "out", ["x"])).outputs["grad x"] as Tensor);
    expect(slope).toEqual(valuesOf(dropout(x, 0.5, generator(9))).map((y) => (y === 0 ? 0 : 2)));
  });
});
