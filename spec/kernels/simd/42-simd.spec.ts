// Rules of 42-simd.md. Expected values are loops written from its equations, not from src.

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { auto } from "../../../src/kernels/auto.ts";
import type { Backend } from "../../../src/kernels/backend.ts";
import { Engine } from "../../../src/kernels/simd/engine.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { attendFew } from "../../../src/kernels/simd/ops/attend-few.ts";
import { elements } from "../../../src/kernels/simd/ops/elementwise.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { contraction } from "../../../src/tensor/ops/einsum.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { rules } from "../../../src/tensor/ops/rules.ts";
import type { Mask, OpName, SoftmaxEmptyRow } from "../../../src/tensor/ops/table.ts";
import { rowMajor, type Shape, sizeOf, type View, view } from "../../../src/tensor/tensor.ts";
import { repository } from "../../support/architecture/tree.mjs";
import {
  attrsOf,
  BIASES,
  biasOf,
  type Case,
  expectWithin,
  fillFreeMemory,
  gamma,
  inputsOf,
  laidOut,
  numbers,
  type Operands,
  operandsOf,
  plain,
  productGamma,
  random,
  takeValues,
  U,
  valuesOf,
} from "../../support/kernels/cases.ts";

const TINY = 2 ** -149;

const one = await simd({ threads: 1 });
const two = await simd({ threads: 2 });
const three = await simd({ threads: 3, relaxed: false });
afterAll(() => Promise.all([one, two, three].map((backend) => backend.close())));

type AnyRule = { compute(attrs: object, ...views: View[]): View };
const ruleOf = (op: OpName): AnyRule => rules[op] as unknown as AnyRule;
type Kernels = Record<string, (attrs: object, ...views: View[]) => Promise<View>>;
/** Runs a kernel and returns the values of its result, row-major; the result is freed. */
async function values(backend: Backend, op: OpName, attrs: object, ...views: View[]): Promise<number[]> {
  const kernel = (backend.ops as unknown as Kernels)[op];
  if (!kernel) throw new Error(`no kernel for ${op}`);
  return takeValues(backend, await kernel(attrs, ...views));
}
const defined = (op: OpName, attrs: object, ...views: View[]): number[] =>
  valuesOf(ruleOf(op).compute(attrs, ...views));

describe("the product", () => {
  const patterns = [
    "m k, k n -> m n",
    "m k, n k -> m n",
    "k m, k n -> m n",
    "m k, n k -> n m",
    "b m k, b n k -> b m n",
    "b c m k, b c k n -> m b n c",
    "b m k, n k -> b m n",
    "b l m k, n k -> b l m n",
    "b m k, b m n -> n k",
    "m k c, c k n -> n m",
    "m, n -> m n",
    "k, k -> ",
    "m k, k -> m",
    "b k, b k -> b",
  ];
  const size = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 6, max: 21 }));
  const sizes = fc.record({ b: fc.integer({ min: 0, max: 3 }), c: size, l: size, m: size, n: size, k: size });

  test("products of any pattern, orientation and size are within the bound, on views of any layout", async () => {
    const layout = fc.integer({ min: 0, max: 9 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...patterns),
        sizes,
        layout,
        layout,
        async (pattern, size, layoutA, layoutB) => {
          const sides = (pattern.split(" -> ")[0] ?? "").split(", ");
          const shape = (side = "") =>
            side
              .split(" ")
              .filter(Boolean)
              .map((name) => size[name as keyof typeof size]);
          const [a, b] = [random(shape(sides[0]), 1, layoutA), random(shape(sides[1]), 2, layoutB)];
          const abs = (v: View) => view(Float64Array.from(valuesOf(v), Math.abs), v.shape);
          const bound = defined("einsum", { pattern }, abs(a), abs(b));
          const { k, sizes: all } = contraction(pattern, a.shape, b.shape);
          const depth = sizeOf(k.map((name) => all[name] ?? 1));
          const exact = defined("einsum", { pattern }, a, b);
          for (const backend of [one, three])
            expectWithin(
              await values(backend, "einsum", { pattern }, a, b),
              exact,
              (i) => productGamma(depth) * Number(bound[i]) + TINY,
            );
        },
      ),
      { numRuns: 250 },
    );
  });

  test.each([
    [1, 1021, 509, 257],
    [1, 97, 1537, 9],
    [1, 1, 2100, 333],
    [1, 1, 2100, 5],
    [3, 50, 1025, 130],
    [1, 700, 600, 1],
  ])(
    "a product of batch %i, %i × %i, times %i columns, with several blocks of depth, is within the bound",
    async (batch, m, k, n) => {
      const [a, b] = [random([batch, m, k], 3), random([batch, n, k], 4)];
      const pattern = batch === 1 ? "m k, n k -> m n" : "b m k, b n k -> b m n";
      const flat2 = (v: View) =>
        batch === 1 ? view(v.data, v.shape.slice(1), v.stride.slice(1), v.offset) : v;
      const actual = await values(two, "einsum", { pattern }, flat2(a), flat2(b));
      const [x, y] = [valuesOf(a), valuesOf(b)];
      for (let i = 0; i < actual.length; i += 1 + (i % 31)) {
        const [z, row, column] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
        let [sum, magnitude] = [0, 0];
        for (let p = 0; p < k; p++) {
          const term = Number(x[(z * m + row) * k + p]) * Number(y[(z * n + column) * k + p]);
          sum += term;
          magnitude += Math.abs(term);
        }
        expect(Math.abs(sum - Number(actual[i]))).toBeLessThanOrEqual(productGamma(k) * magnitude);
      }
    },
  );

  // A float32 sum stays at 1 while terms below half a unit in its last place, which is 2⁻²³, are added one by one. Of 2048 terms in
  // sequence 2047 would be lost, and of two halves one by one still 1023; of parts of 128 terms, only those beside the 1.
  test.each([
    [1, 21],
    [13, 21],
    [24, 16],
  ])(
    "small terms are summed by themselves before they meet a large one: %i × 2048 times 2048 × %i",
    async (m, n) => {
      const [k, small] = [2048, 2 ** -24 * (1 - 2 ** -8)];
      const a = new Float32Array(m * k).fill(small);
      for (let i = 0; i < m; i++) a[i * k + (i % 2) * 1024] = 1;
      const b = new Float32Array(n * k).fill(1);
      const exact = 1 + (k - 1) * small;
      for (const backend of [one, three]) {
        const views = [view(a, [m, k]), view(b, [n, k])];
        const actual = await values(backend, "einsum", { pattern: "m k, n k -> m n" }, ...views);
        expect(actual).toHaveLength(m * n);
        for (const found of actual)
          expect(Math.abs(found - exact)).toBeLessThanOrEqual(productGamma(k) * exact);
      }
    },
  );

  test("a sum over nothing is zero and is counted as a product", async () => {
    const before = one.ran.matmul;
    await fillFreeMemory(one);
    const nothing = await values(
      one,
      "einsum",
      { pattern: "m k, k n -> m n" },
      random([2, 0], 1),
      random([0, 3], 1),
    );
    expect(nothing).toEqual([0, 0, 0, 0, 0, 0]);
    expect(one.ran.matmul - before).toBe(1);
  });

  test("NaN and infinities spread as in the definition", async () => {
    const withValue = (i: number, x: number) => {
      const a = random([9, 70], 1);
      a.data[a.offset + i] = x;
      return a;
    };
    const b = random([70, 13], 2);
    for (const x of [NaN, Infinity, -Infinity]) {
      const pattern = "m k, k n -> m n";
      const exact = defined("einsum", { pattern }, withValue(75, x), b);
      expectWithin(await values(one, "einsum", { pattern }, withValue(75, x), b), exact, () => 1e-5);
    }
  });

  test("float64 operands are rounded to float32 once", async () => {
    const a = view(Float64Array.of(1 + 2 ** -30, 2 ** 24 + 1, 1e-46), [3, 1]);
    const b = view(Float64Array.of(1), [1, 1]);
    expect(await values(one, "einsum", { pattern: "m k, k n -> m n" }, a, b)).toEqual([1, 2 ** 24, 0]);
    const large = Float64Array.from({ length: 100_000 }, () => 7);
    large.set([1e-46, 7, 2 ** 24 + 1, 7, 1 + 2 ** -30], 50);
    const reversed = view(large, [3, 1], [-2, 1], 54);
    expect(await values(one, "einsum", { pattern: "m k, k n -> m n" }, reversed, b)).toEqual([1, 2 ** 24, 0]);
  });
});

const EXTREMES = [
  0,
  -0,
  1,
  -1,
  Infinity,
  -Infinity,
  NaN,
  1e-45,
  -1e-45,
  1e-39,
  3e38,
  -3e38,
  87,
  -87,
  89,
  -104,
  5.6,
  -5.7,
  0.3,
];

describe("elementwise ops", () => {
  const float = fc.oneof(
    fc.constantFrom(...EXTREMES),
    fc.float({ noDefaultInfinity: true }),
    fc.float({ min: -20, max: 20 }),
  );
  const shape = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 });
  const filled = (shape: Shape, from: readonly number[], layout: number): View =>
    laidOut(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => from[(i * 7) % from.length] ?? 0),
      layout,
    );
  /** Allowed errors in units of u: relative to the result, and an amount that depends on the argument. */
  const unaries: [OpName, object, number, (x: number) => number][] = [
    ["neg", {}, 0, () => 0],
    ["sqrt", {}, 1, () => 0],
    ["exp", {}, 4, () => 0],
    ["sigmoid", {}, 6, () => 0],
    ["gelu", {}, 2, (x) => 3 * Math.min(Math.abs(x), 6)],
    ["geluGrad", {}, 8, () => 8],
    ["relu", {}, 0, () => 0],
    ["positive", {}, 0, () => 0],
    ["tanh", {}, 3, () => 0],
    ["sin", {}, 1.001, () => 0],
    ["cos", {}, 1.001, () => 0],
    ["log", {}, 1.001, () => 0],
    ["mulScalar", { by: 1 / 3 }, 2, () => 0],
    ["addScalar", { by: 0.1 }, 1, () => 1],
  ];

  test.each(unaries)("%s %j is within its bound", async (op, attrs, units, extra) => {
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.array(float, { minLength: 1, maxLength: 12 }),
        fc.nat(9),
        async (shape, from, layout) => {
          const x = filled(shape, [...from, ...EXTREMES], layout);
          const [exact, argument] = [defined(op, attrs, x), valuesOf(x)];
          const bound = (i: number) =>
            U * (units * Math.abs(exact[i] ?? 0) + extra(argument[i] ?? 0)) + 2 * TINY;
          expectWithin(await values(one, op, attrs, x), exact, bound);
        },
      ),
      { numRuns: 60 },
    );
  });

  /** The distance between float32 numbers of the size of y. */
  const ulp = (y: number): number => {
    const [bits = 0] = new Uint32Array(Float32Array.of(Math.abs(y)).buffer);
    return 2 ** (Math.max(bits >>> 23, 1) - 150);
  };

  test.each<[OpName, (x: number) => number, number]>([
    ["tanh", Math.tanh, 1.6],
    ["sin", Math.sin, 0.501],
    ["cos", Math.cos, 0.501],
    ["log", Math.log, 0.501],
    ["exp", Math.exp, 1],
    ["relu", (x) => (x < 0 ? 0 : x), 0],
    ["positive", (x) => (x > 0 ? 1 : 0), 0],
  ])("%s is within its bound in units in the last place, from −∞ to ∞ and NaN", async (op, exact, bound) => {
    // Every 9973rd bit pattern of a float32, and those around multiples of π/2, where sin and cos cancel.
    const patterns = Uint32Array.from({ length: Math.floor(2 ** 32 / 9973) }, (_, i) => i * 9973);
    const near = Array.from({ length: 3000 }, (_, n) => Math.fround((n * n * Math.PI) / 2));
    const large = Array.from({ length: 3000 }, (_, n) => Math.fround(1e5 + 331.7 * n));
    const x = Float32Array.from([...new Float32Array(patterns.buffer), ...near, ...large, ...EXTREMES]);
    for (const backend of [one, three]) {
      const actual = await values(backend, op, {}, view(x, [x.length]));
      let worst = 0;
      for (const [i, y] of actual.entries()) {
        const wanted = exact(x[i] ?? 0);
        if (Object.is(y, Math.fround(wanted))) continue; // signs of zeros, infinities and NaN must agree
        const error = Math.abs(y - wanted) / ulp(wanted);
        const isOff = Number.isNaN(error) || !Number.isFinite(y) || (y === 0 && Math.fround(wanted) === 0);
        worst = Math.max(worst, isOff ? Infinity : error);
      }
      expect(worst).toBeLessThanOrEqual(bound);
      if (bound >= 1) expect(worst).toBeGreaterThan(bound / 2); // the bound is a measured one
    }
  });

  test.each<OpName>(["add", "sub", "mul", "div", "equal"])("%s is correctly rounded", async (op) => {
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.array(float, { minLength: 1, maxLength: 12 }),
        fc.nat(9),
        fc.nat(9),
        async (shape, from, layout, otherLayout) => {
          const [x, y] = [
            filled(shape, [...from, ...EXTREMES], layout),
            filled(shape, [...EXTREMES, ...from].reverse(), otherLayout),
          ];
          expectWithin(await values(one, op, {}, x, y), defined(op, {}, x, y), () => 0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("where selects by masks of any layout", async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.nat(9), fc.boolean(), async (shape, layout, repeated) => {
        const x = filled(shape, EXTREMES, layout);
        const stride = rowMajor(shape).map((step, axis) => (repeated && axis === 0 ? 0 : step));
        const keep: Mask = {
          data: Uint8Array.from({ length: sizeOf(shape) + 1 }, (_, i) => ((i * 5) % 3) & 1),
          shape,
          stride,
          offset: 1,
        };
        const mask = { ...keep, data: Uint8Array.of(...keep.data, 0) };
        const attrs = { keep: mask, otherwise: -Infinity };
        expectWithin(await values(one, "where", attrs, x), defined("where", attrs, x), () => 0);
      }),
    );
  });

  test("long rows may be contiguous, strided, or a repeated element", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 500, max: 1600 }), fc.nat(3), fc.nat(3), async (n, left, right) => {
        const strides = [
          [n, 1],
          [1, 3],
          [1, 0],
          [0, 2],
        ];
        const [x, y] = [left, right].map((layout, i) =>
          view(numbers(3 * n + 3, layout + i), [3, n], strides[layout], i),
        ) as [View, View];
        for (const op of ["add", "div"] as const)
          expectWithin(await values(one, op, {}, x, y), defined(op, {}, x, y), () => 0);
        expectWithin(await values(one, "neg", {}, x), defined("neg", {}, x), () => 0);
        const data = Uint8Array.from({ length: 3 * n + 3 }, (_, i) => (i * i) % 3);
        const keep: Mask = { data, shape: [3, n], stride: strides[right] ?? [], offset: 2 };
        const attrs = { keep, otherwise: 0.5 };
        expectWithin(await values(one, "where", attrs, x), defined("where", attrs, x), () => 0);
      }),
      { numRuns: 50 },
    );
  });

  test("concat, pad and gather are exact", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.nat(4), fc.nat(4), fc.nat(9), async (axis, p, q, layout) => {
        const shape = (n: number) => [2, 3, 4].map((m, i) => (i === axis ? n : m));
        const parts = [
          filled(shape(p), EXTREMES, layout),
          filled(shape(q), [1, 2, 3], layout + 1),
          filled(shape(1), [7], layout),
        ];
        expectWithin(
          await values(one, "concat", { axis }, ...parts),
          defined("concat", { axis }, ...parts),
          () => 0,
        );
        const [x = view(new Float32Array(0), [0])] = parts;
        const padding = { axis, before: p, after: q };
        expectWithin(await values(one, "pad", padding, x), defined("pad", padding, x), () => 0);
      }),
    );
    const elements = { data: Int32Array.of(9, 4, 0, 3), shape: [3], stride: [1], offset: 1 };
    for (const layout of [0, 1, 2, 4]) {
      const x = filled([3, 5], EXTREMES, layout);
      expectWithin(
        await values(one, "pick", { ids: elements }, x),
        defined("pick", { ids: elements }, x),
        () => 0,
      );
      const attrs = { ids: elements, width: 5 };
      const column = filled([3], EXTREMES, layout);
      await fillFreeMemory(one);
      expectWithin(await values(one, "place", attrs, column), defined("place", attrs, column), () => 0);
    }
    const ids = { data: Int32Array.of(2, 0, 2, 1), shape: [2, 2], stride: [1, 2], offset: 0 };
    const table = filled([3, 5], [1, 2, 3, 4, NaN], 1);
    expectWithin(await values(one, "gather", { ids }, table), defined("gather", { ids }, table), () => 0);
  });
});

describe("row ops", () => {
  test("softmax is within its bound for any rows and any mask", async () => {
    const empties = fc.constantFrom<SoftmaxEmptyRow>("zero", "uniform", "nan");
    await fc.assert(
      fc.asyncProperty(
        fc.nat(4),
        fc.nat(40),
        fc.nat(9),
        fc.nat(3),
        empties,
        async (rows, n, layout, masked, emptyRow) => {
          const x = random([rows, n], layout + 1, layout, 30);
          const bits = Uint8Array.from(numbers(rows * n + 4, n), (u) =>
            Number(u > ([0, 0, 0.8, -2][masked] ?? 0)),
          );
          const mayAttend = masked
            ? { data: bits, shape: [rows, n], stride: [layout % 2 ? 0 : n, 1], offset: 2 }
            : null;
          const attrs = { mayAttend, emptyRow };
          const exact = defined("softmax", attrs, x);
          expectWithin(
            await values(one, "softmax", attrs, x),
            exact,
            (i) => U * 80 * Math.abs(exact[i] ?? 0) + TINY,
          );
        },
      ),
      { numRuns: 100 },
    );
    for (const scores of [
      [-Infinity, -Infinity],
      [Infinity, 0],
      [NaN, 1],
      [-Infinity, 2],
    ]) {
      const attrs = { mayAttend: null, emptyRow: "zero" };
      const x = view(Float32Array.from(scores), [1, 2]);
      expectWithin(await values(one, "softmax", attrs, x), defined("softmax", attrs, x), () => 1e-6);
    }
  });

  test("sums over any axes are within the bound of a product", async () => {
    const size = fc.array(fc.nat(9), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(size, fc.nat(15), fc.nat(3), fc.nat(9), async (shape, reduced, fewer, layout) => {
        const x = random(shape, 3, layout);
        const small = shape
          .map((n, axis) => ((reduced >> axis) & 1 ? 1 : n))
          .slice(Math.min(fewer, shape.length));
        const names = shape.map((_, axis) => "abcd"[axis] ?? "");
        const kept = names.filter((_, axis) => !((reduced >> axis) & 1)).reverse();
        const pattern = `${names.join(" ")} -> ${kept.join(" ")}`;
        const sizes = Object.fromEntries(names.map((name, axis) => [name, shape[axis] ?? 1]));
        const abs = view(Float64Array.from(valuesOf(x), Math.abs), shape);
        for (const [op, attrs] of [
          ["unbroadcast", { shape: small }],
          ["sum", { pattern, sizes }],
        ] as const) {
          const bound = defined(op, attrs, abs);
          const actual = await values(one, op, attrs, x);
          expectWithin(actual, defined(op, attrs, x), (i) => productGamma(sizeOf(shape)) * (bound[i] ?? 0));
        }
      }),
      { numRuns: 100 },
    );
    const attrs = { pattern: "b (h k) -> h", sizes: { b: 2, h: 3, k: 2 } };
    expectWithin(
      await values(one, "sum", attrs, random([2, 6], 1)),
      defined("sum", attrs, random([2, 6], 1)),
      () => 1e-6,
    );
  });

  test("maxima over any axes are exact, with few and with many elements", async () => {
    const size = fc.array(fc.oneof(fc.nat(5), fc.integer({ min: 14, max: 40 })), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(size, fc.nat(7), fc.nat(3), fc.nat(9), async (shape, reduced, fewer, layout) => {
        const few = [
          ...EXTREMES.filter((x) => !Number.isNaN(x)),
          ...numbers(40, layout, 9),
          ...(layout % 3 ? [] : [NaN]),
        ];
        const n = sizeOf(shape);
        const x = laidOut(
          shape,
          Float32Array.from({ length: n }, (_, i) => few[(i * 7) % few.length] ?? 0),
          layout,
        );
        const small = shape
          .map((n, axis) => ((reduced >> axis) & 1 ? 1 : n))
          .slice(Math.min(fewer, shape.length));
        await fillFreeMemory(one);
        const actual = await values(one, "maxTo", { shape: small }, x);
        expect(actual).toEqual(
          defined("maxTo", { shape: small }, x).map((y) => (y === 0 ? expect.closeTo(0) : y)),
        );
      }),
      { numRuns: 100 },
    );
    const long = random([3, 70_001], 5, 0, 100);
    expect(await values(two, "maxTo", { shape: [3, 1] }, long)).toEqual(
      defined("maxTo", { shape: [3, 1] }, long),
    );
  });

  test("sums of exponentials are within a few units in the last place, without overflow", async () => {
    const size = fc.oneof(fc.nat(6), fc.integer({ min: 15, max: 70 }));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(5),
        fc.nat(4),
        size,
        fc.nat(9),
        fc.constantFrom(1, 50),
        async (a, b, n, layout, scale) => {
          const x = random([a, b, n], n + 1, layout, scale);
          const shift = laidOut(
            [a, b, 1],
            Float32Array.from(defined("maxTo", { shape: [a, b, 1] }, x)),
            layout + 1,
          );
          const shifts = n > 0 ? shift : random([a, b, 1], 1);
          const exact = defined("sumExp", {}, x, shifts);
          // an error of 4u in each exponential, and of half a unit of its argument, which is rounded once
          expectWithin(
            await values(one, "sumExp", {}, x, shifts),
            exact,
            (i) => U * (6 + 2 * scale) * Number(exact[i]),
          );
        },
      ),
      { numRuns: 100 },
    );
    const special = view(Float32Array.of(1, NaN, 2, 3, Infinity, 0, -Infinity, 0), [4, 2]);
    const zeros = view(new Float32Array(4), [4, 1]);
    expectWithin(
      await values(one, "sumExp", {}, special, zeros),
      defined("sumExp", {}, special, zeros),
      () => 1e-5,
    );
    await expect(values(one, "sumExp", {}, special, special)).rejects.toThrow(ShapeError);
  });

  test("scatter adds rows in float64 and rounds once, whatever the layout", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(40),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(9),
        fc.nat(5),
        fc.nat(9),
        async (n, rows, width, more, layout) => {
          const x = random([n, 2, width, more], n + 1, layout, 3);
          const ids = {
            data: Int32Array.from({ length: 2 * n + 1 }, (_, i) => (i * i) % rows),
            shape: [n, 2],
            stride: [2, 1],
            offset: 1,
          };
          await fillFreeMemory(one);
          const exact = defined("scatter", { ids, rows }, x).map(Math.fround);
          expect(await values(one, "scatter", { ids, rows }, x)).toEqual(
            exact.map((y) => (y === 0 ? expect.closeTo(0) : y)),
          );
        },
      ),
      { numRuns: 100 },
    );
    const ids = {
      data: Int32Array.from({ length: 3000 }, (_, i) => (i * 7) % 500),
      shape: [3000],
      stride: [1],
      offset: 0,
    };
    const x = random([3000, 130], 3);
    const exact = defined("scatter", { ids, rows: 501 }, x).map(Math.fround);
    for (const backend of [one, two])
      expect(await values(backend, "scatter", { ids, rows: 501 }, x)).toEqual(exact);
  });

  test("a norm without centring keeps its precision", async () => {
    const kernel = one.scopes.normalize;
    if (!kernel) throw new Error("no kernel");
    await fc.assert(
      fc.asyncProperty(
        fc.nat(3),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(9),
        fc.constantFrom(1e-18, 1e-3, 1, 1e15),
        async (rows, n, layout, scale) => {
          const x = random([rows, n], n, layout, scale);
          const argument = valuesOf(x);
          const exact = argument.map((value, i) => {
            const row = argument.slice(Math.floor(i / n) * n).slice(0, n);
            return value / Math.sqrt(row.reduce((s, u) => s + u * u, 0) / n + Math.fround(1e-6));
          });
          const actual = takeValues(one, await kernel.run({ epsilon: 1e-6, centred: false }, { x }));
          expectWithin(actual, exact, (i) => 2 * U * Math.abs(exact[i] ?? 0) + TINY);
        },
      ),
      { numRuns: 100 },
    );
  });

  const normalize = async (x: View): Promise<number[]> => {
    const kernel = one.scopes.normalize?.run;
    if (!kernel) throw new Error("no kernel");
    return takeValues(one, await kernel({ epsilon: 1e-5, centred: true }, { x }));
  };

  test("layer normalisation keeps its precision for any mean", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(3),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(9),
        fc.constantFrom(0, 1, 1e4),
        async (rows, n, layout, mean) => {
          const x = random([rows, n], n, layout, 2);
          for (const i of x.data.keys()) x.data[i] = Number(x.data[i]) + mean;
          const argument = valuesOf(x);
          const exact = argument.map((value, i) => {
            const row = argument.slice(Math.floor(i / n) * n).slice(0, n);
            const mu = row.reduce((s, u) => s + u, 0) / n;
            const variance = row.reduce((s, u) => s + (u - mu) ** 2, 0) / n;
            return (value - mu) / Math.sqrt(variance + Math.fround(1e-5));
          });
          expectWithin(await normalize(x), exact, (i) => 2 * U * Math.abs(exact[i] ?? 0) + 1e-9);
        },
      ),
      { numRuns: 100 },
    );
    expect((await normalize(view(Float32Array.of(1, NaN, 3, 4, 5, 6), [2, 3]))).map(Number.isNaN)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

async function attend(backend: Backend, c: Case, o: Operands = operandsOf(c)): Promise<number[]> {
  const kernel = backend.scopes.attention?.run;
  if (!kernel) throw new Error("no kernel");
  return takeValues(backend, await kernel(attrsOf(c, o), inputsOf(o)));
}

function formula(c: Case, o: Operands = operandsOf(c)) {
  const [z, l, s, d, e] = c.size;
  const bias = biasOf(c, o.bias);
  const [q, k, v] = [valuesOf(o.q), valuesOf(o.k), valuesOf(o.v)];
  const out: number[] = [];
  const bound: number[] = [];
  for (let row = 0; row < z * l; row++) {
    const m = Math.floor(row / l);
    const keys = [...Array(s).keys()].filter((j) => !o.mayAttend || o.mayAttend[row * s + j]);
    const terms = (j: number) =>
      Array.from({ length: d }, (_, p) => Number(q[row * d + p]) * Number(k[(m * s + j) * d + p]));
    const scores = new Map(keys.map((j) => [j, terms(j).reduce((x, y) => x + y, bias(row, j))]));
    const top = Math.max(...scores.values());
    const low = Math.min(...scores.values());
    const total = [...scores.values()].reduce((sum, x) => sum + Math.exp(x - top), 0);
    const empty = { zero: 0, uniform: 1 / s, nan: NaN }[c.emptyRow];
    const weights = Array.from({ length: s }, (_, j) => {
      if (o.kept && !o.kept[row * s + j]) return 0;
      if (keys.length === 0) return empty;
      const x = scores.get(j);
      return x === undefined ? 0 : Math.exp(x - top) / total;
    });
    const delta = Math.max(
      0,
      ...keys.map((j) => gamma(d + 1) * terms(j).reduce((x, y) => x + Math.abs(y), Math.abs(bias(row, j)))),
    );
    const relative = 2 * delta + gamma(s) + 4 * U * (16 + (keys.length ? top - low : 0));
    for (let col = 0; col < e; col++) {
      const parts = weights.map((w, j) => w * Number(v[(m * s + j) * e + col]));
      out.push(parts.reduce((x, y) => x + y, 0));
      bound.push(relative * parts.reduce((x, y) => x + Math.abs(y), 0) + 1e-30);
    }
  }
  return { out, bound };
}

describe("attention", () => {
  // Up to 16 queries of a matrix read keys and values where they lie, more of them in packed panels.
  const queries = fc.oneof(fc.nat(9), fc.integer({ min: 17, max: 26 }));
  const cases: fc.Arbitrary<Case> = fc.record({
    size: fc.tuple(fc.nat(3), queries, fc.oneof(fc.nat(9), fc.nat(280)), fc.nat(9), fc.nat(9)),
    seed: fc.nat(99),
    mask: fc.constantFrom("none", "all", "some", "causal", "nothing"),
    kept: fc.constantFrom("all", "rows", "some"),
    emptyRow: fc.constantFrom("zero", "uniform", "nan"),
    bias: fc.constantFrom(...BIASES),
    layout: fc.nat(9),
    scale: fc.constantFrom(1, 30),
  });
  const expectWithinBound = async (c: Case): Promise<void> => {
    const { out, bound } = formula(c);
    for (const backend of [one, three]) expectWithin(await attend(backend, c), out, (i) => Number(bound[i]));
  };

  test("attention with any sizes, masks, biases and views is within the bound", async () => {
    await fc.assert(fc.asyncProperty(cases, expectWithinBound), { numRuns: 250 });
  });

  test.each(["none", "some", "causal"] as const)(
    "attention with several blocks of queries and keys, mask %s, is within the bound",
    async (mask) => {
      await expectWithinBound({ ...plain, size: [2, 61, 303, 20, 17], mask });
    },
  );

  test.each(BIASES)(
    "a bias [%s] is added beyond the first block of queries and keys, under every mask",
    async (bias) => {
      for (const [layout, mask] of (["none", "all", "some", "causal", "nothing"] as const).entries()) {
        const emptyRow = (["zero", "uniform", "nan"] as const)[layout % 3] ?? "zero";
        await expectWithinBound({
          ...plain,
          size: [2, 61, 303, 20, 17],
          mask,
          emptyRow,
          bias,
          layout,
          kept: "some",
        });
      }
    },
  );

  test("a bias for all heads and rows is read with strides of 0, and is copied in its own size", async () => {
    const size = [4, 200, 300, 8, 8] as const;
    const memory = async (bias: Case["bias"]) => {
      const backend = await simd({ threads: 1 });
      await attend(backend, { ...plain, size, mask: "none", bias });
      const { peak } = backend.store?.usage() ?? { peak: NaN };
      await backend.close();
      return peak;
    };
    const [none, row, all] = [await memory("none"), await memory("s"), await memory("z l s")];
    expect(row - none).toBeLessThan(4 * 300 * 2);
    expect(all - none).toBeGreaterThan(4 * 4 * 200 * 300 - 1);
  });

  test("a bias of NaN, ∞ and −∞ has the effect of the definition; at masked keys it has none", async () => {
    const c: Case = { ...plain, size: [1, 30, 300, 4, 3], mask: "causal", bias: "z l s" };
    const changed = (at: (row: number, key: number) => number | null) => {
      const o = operandsOf(c);
      const values = valuesOf(o.bias as View).map((x, i) => at(Math.floor(i / 300), i % 300) ?? x);
      return { ...o, bias: view(Float32Array.from(values), [1, 30, 300]) };
    };
    const before = await attend(one, c);
    const rowsOf = (out: number[], isRow: (row: number) => boolean) =>
      out.filter((_, i) => isRow(Math.floor(i / 3)));
    for (const x of [NaN, Infinity, -Infinity]) {
      const masked = changed((row, key) => (key > row ? x : null));
      expect(await attend(one, c, masked)).toEqual(before);
      const allowed = await attend(
        one,
        c,
        changed((row, key) => (row === 20 && key === 7 ? x : null)),
      );
      expect(rowsOf(allowed, (row) => row !== 20)).toEqual(rowsOf(before, (row) => row !== 20));
      if (x !== -Infinity) expect(rowsOf(allowed, (row) => row === 20)).toEqual([NaN, NaN, NaN]);
    }
    const removed = changed((_, key) => (key === 5 ? -Infinity : null)); // a bias of −∞ masks a key
    const { out, bound } = formula(c, removed);
    expectWithin(await attend(one, c, removed), out, (i) => Number(bound[i]));
    expect(out.every(Number.isFinite)).toBe(true);
    const nothing = await attend(
      one,
      c,
      changed((row) => (row === 20 ? -Infinity : null)),
    );
    expect(rowsOf(nothing, (row) => row === 20)).toEqual([NaN, NaN, NaN]); // the mask alone makes a row empty
    const nowhere: Case = { ...c, mask: "nothing" };
    const fixed = await attend(one, nowhere, { ...operandsOf(nowhere), bias: changed(() => NaN).bias });
    expect(new Set(fixed)).toEqual(new Set([0]));
  });

  test.each([5, 20])(
    "attention of %i queries with more keys than a block of depth is within the bound",
    (l) => expectWithinBound({ ...plain, size: [2, l, 1100, 6, 10], mask: "none" }),
  );

  test.each([3, 20])(
    "attention of %i queries with a head wider than a block of depth is within the bound",
    (l) => expectWithinBound({ ...plain, size: [1, l, 70, 1100, 4], scale: 0.1 }),
  );

  test("a masked key changes no bit of the output, whatever its value", async () => {
    const c: Case = { ...plain, mask: "causal", size: [1, 100, 100, 4, 3] };
    const before = await attend(one, c);
    for (const score of [1e30, NaN, Infinity]) {
      const o = operandsOf(c);
      for (let p = 0; p < 4; p++)
        o.k.data[o.k.offset + 70 * (o.k.stride[1] ?? 0) + p * (o.k.stride[2] ?? 0)] = score;
      const after = await attend(one, c, o);
      expect(after.slice(0, 70 * 3)).toEqual(before.slice(0, 70 * 3));
      expect(after.slice(70 * 3)).not.toEqual(before.slice(70 * 3));
    }
  });

  test("0 · NaN is NaN, also in a block of keys that no query may attend to", async () => {
    const c: Case = { ...plain, mask: "causal", size: [1, 60, 200, 4, 3] };
    for (const value of [NaN, Infinity]) {
      const o = operandsOf(c);
      o.v.data[o.v.offset + 150 * (o.v.stride[1] ?? 0) + (o.v.stride[2] ?? 0)] = value;
      const after = await attend(one, c, o);
      expect(after.map((x, i) => (i % 3 === 1) === Number.isNaN(x)).every(Boolean)).toBe(true);
    }
  });

  test("a mean of values near the largest float is finite, although their sum is not", async () => {
    for (const [l, s, mask, kept, emptyRow] of [
      [5, 2, "none", "all", "zero"],
      [20, 2, "none", "all", "zero"],
      [5, 129, "all", "all", "nan"],
      [5, 300, "causal", "some", "uniform"],
      [20, 300, "causal", "some", "uniform"],
      [5, 300, "nothing", "rows", "uniform"],
      [20, 300, "nothing", "rows", "uniform"],
      [5, 300, "some", "all", "zero"],
      [20, 300, "some", "all", "zero"],
      [5, 1300, "some", "some", "zero"],
      [5, 1300, "nothing", "rows", "uniform"],
    ] as const) {
      const c: Case = { ...plain, size: [2, l, s, 4, 9], mask, kept, emptyRow };
      const o = operandsOf(c);
      // One column is large in one block of keys only, the next everywhere, and the others are of size 1.
      const rows = valuesOf(o.v).map((x, i) =>
        i % 9 === 1 || (i % 9 === 0 && i < 9) ? Math.sign(x || 1) * 3.3e38 : x,
      );
      o.v = view(Float32Array.from(rows), [2, s, 9]);
      const { out, bound } = formula(c, o);
      expect(out.every((x) => Number.isNaN(x) || Math.abs(x) < 3.4e38)).toBe(true);
      for (const backend of [one, three])
        expectWithin(await attend(backend, c, o), out, (i) => Number(bound[i]));
    }
  });

  test("blocks of keys that no query may attend to are skipped", async () => {
    const [size, first] = [[1, 2048, 2048, 64, 64], 64] as const;
    const o = operandsOf({ ...plain, size, mask: "all" });
    const all = o.mayAttend ?? new Uint8Array();
    const few = all.map((_, i) => Number(i % size[2] < first));
    const time = async (mayAttend: Uint8Array) => {
      const start = process.cpuUsage();
      await attend(one, { ...plain, size }, { ...o, mayAttend });
      return process.cpuUsage(start).user;
    };
    const [some, every]: [number[], number[]] = [[], []];
    for (let i = 0; i < 9; i++) {
      every.push(await time(all)); // in turns, so that both meet the same load
      some.push(await time(few));
    }
    expect(Math.min(...some)).toBeLessThan(0.6 * Math.min(...every));
  });

  test("scores of ±∞ and NaN have the same effect as in the definition", async () => {
    for (const [x, y] of [
      [Infinity, 1],
      [-Infinity, 1],
      [-Infinity, -Infinity],
      [NaN, 0],
      [Infinity, Infinity],
    ] as const)
      for (const isX of [0, 128, 299, 1299].map((key) => (j: number) => j === key).concat((j) => j < 640)) {
        const s = isX(1299) || isX(600) ? 1300 : 300;
        const c: Case = { ...plain, size: [1, 1, s, 1, 1], mask: "none" };
        const o = operandsOf(c);
        o.q.data.fill(1);
        o.k = view(
          Float32Array.from({ length: s }, (_, j) => (isX(j) ? x : y)),
          [1, s, 1],
        );
        const weights = ruleOf("softmax").compute(
          { mayAttend: null, emptyRow: "zero" },
          ndArray(o.k).transpose(0, 2, 1),
        );
        const exact = defined("einsum", { pattern: "b l s, b s e -> b l e" }, weights, o.v);
        expectWithin(await attend(one, c, o), exact, () => 1e-5);
        const many: Case = { ...c, size: [1, 20, s, 1, 1] };
        const all = await attend(one, many, { ...o, q: view(new Float32Array(20).fill(1), [1, 20, 1]) });
        expectWithin(all, Array(20).fill(exact[0]), () => 1e-5);
      }
  });

  test("few queries to several ranges of keys are within the bound, with masks, biases and views", async () => {
    const size = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 400, max: 1700 }),
      fc.nat(13),
      fc.nat(13),
    );
    const long = fc.tuple(cases, size).map(([c, size]): Case => ({ ...c, size }));
    await fc.assert(fc.asyncProperty(long, expectWithinBound), { numRuns: 25 });
  });

  test("heads that share keys and values, in a block with room for more keys, are within the bound", async () => {
    for (const [groups, heads, l, s, room] of [
      [2, 3, 1, 700, 900],
      [1, 4, 4, 513, 513],
      [3, 2, 2, 90, 128],
      [2, 12, 2, 40, 41], // 24 rows for each matrix
    ] as const) {
      const [d, e] = [6, 5];
      const c: Case = { ...plain, size: [groups * heads, l, s, d, e], mask: "some", kept: "some" };
      const shared = (width: number, seed: number): View => {
        const block = random([groups, room, width], seed);
        for (let i = 0; i < block.data.length; i++)
          if (Math.floor(i / width) % room >= s) block.data[i] = NaN;
        return view(block.data, [groups, heads, s, width], [room * width, 0, width, 1]);
      };
      const [k, v] = [shared(d, 1), shared(e, 2)];
      const flat = (x: View): View =>
        view(Float32Array.from(valuesOf(x)), [groups * heads, ...x.shape.slice(-2)]);
      const o = { ...operandsOf(c), k: flat(k), v: flat(v) };
      const { out, bound } = formula(c, o);
      const grouped = ({ data, shape }: View): View => view(data, [groups, heads, ...shape.slice(1)]);
      const mask = (data: Uint8Array | null): Mask | null =>
        data && { data, shape: [groups, heads, l, s], stride: rowMajor([groups, heads, l, s]), offset: 0 };
      const attrs = { mayAttend: mask(o.mayAttend), postSoftmaxMask: mask(o.kept), emptyRow: c.emptyRow };
      for (const backend of [one, three]) {
        const kernel = backend.scopes.attention?.run;
        if (!kernel) throw new Error("no kernel");
        const actual = takeValues(backend, await kernel(attrs, { q: grouped(flat(o.q)), k, v }));
        expectWithin(actual, out, (i) => Number(bound[i]));
      }
    }
  });

  test("few queries copy neither the cache nor the heads that share it", async () => {
    const engine = await Engine.open({ threads: 1 });
    const cache = engine.result([2, 1, 4000, 16]);
    const heads = view(cache.data, [2, 8, 4000, 16], [4000 * 16, 0, 16, 1]);
    const attrs = { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null } as const;
    const { used } = engine.heap.usage();
    expect(attendFew(engine, { q: random([2, 8, 1, 16], 2), k: heads, v: heads }, attrs)?.shape).toEqual([
      2, 8, 1, 16,
    ]);
    expect(engine.heap.usage().peak - used).toBeLessThan(0.1 * 4 * sizeOf(cache.shape));
  });

  test("attention to no keys is zero and is counted as an attention scope", async () => {
    const before = one.ran.attention;
    await fillFreeMemory(one);
    expect(await attend(one, { ...plain, size: [1, 2, 0, 3, 2], emptyRow: "nan" })).toEqual([0, 0, 0, 0]);
    expect(one.ran.attention - before).toBe(1);
  });

  test("shapes that do not match are a ShapeError", async () => {
    const o = operandsOf(plain);
    const kernel = one.scopes.attention?.run;
    const all = { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null } as const;
    const bad = { data: new Uint8Array(9), shape: [2, 60, 3], stride: [0, 0, 1], offset: 0 };
    for (const call of [
      () => kernel?.(all, { q: o.q, k: o.v, v: o.v }),
      () => kernel?.(all, { q: o.q, k: o.k, v: random([1, 150, 5], 1) }),
      () => kernel?.({ ...all, mayAttend: bad }, inputsOf(o)),
      () => kernel?.({ ...all, postSoftmaxMask: bad }, inputsOf(o)),
      () => kernel?.(all, { ...inputsOf(o), bias: random([3], 1) }),
      () => kernel?.(all, { ...inputsOf(o), bias: random([1, 2, 60, 150], 1) }),
    ])
      await expect(call()).rejects.toThrow(ShapeError);
  });
});

describe("the engine", () => {
  test("results are the same bits for any number of threads", async () => {
    const relaxed = await simd({ threads: 5 });
    const product = [random([300, 700], 1), random([700, 210], 2)] as const;
    const pattern = "m k, k n -> m n";
    const x = random([97, 1000], 5);
    const c: Case = { ...plain, size: [3, 130, 260, 16, 16], mask: "causal" };
    const of = async (backend: Backend) => [
      await values(backend, "einsum", { pattern }, ...product),
      await values(backend, "gelu", {}, x),
      await values(backend, "softmax", { mayAttend: null, emptyRow: "nan" }, x),
      await attend(backend, c),
    ];
    const onOneThread = await of(one);
    for (let round = 0; round < 5; round++)
      for (const backend of [two, relaxed]) expect(await of(backend)).toEqual(onOneThread);
    await relaxed.close();
  });

  test("worker threads take part in a job", async () => {
    const engine = await Engine.open({ threads: 3 });
    const many = { tasks: 4000, words: [0, 16384, 0, 1, 16384], cost: 1e9 };
    for (let i = 0; i < 200 && engine.threads.workerTasks === 0; i++) {
      const words = [engine.heap.allocate(65536 * 4), 16384, 4000, 1, 16384];
      const offsets = engine.heap.allocate(16384);
      engine.heap.ints(offsets, 4000).fill(0);
      engine.threads.run("copy", { ...many, words: [...words, words[0] ?? 0, offsets, 1, offsets] });
      await new Promise((resume) => setTimeout(resume, 10));
    }
    expect(engine.threads.size === 1 || engine.threads.workerTasks > 0).toBe(true);
    await engine.threads.close();
    const alone = await Engine.open({ threads: 1 });
    elements(alone, "neg", {}, random([100_000], 1));
    expect(alone.threads.workerTasks).toBe(0);
  });

  test("a task writes no element after its own", async () => {
    const { threads, heap } = await Engine.open({ threads: 1 });
    const [x, out, offsets] = [heap.allocate(128), heap.allocate(128), heap.allocate(64)];
    heap.ints(offsets, 1)[0] = 0;
    for (let n = 1; n <= 9; n++) {
      heap.floats(x, 32).fill(1);
      heap.floats(out, 32).fill(7);
      const words = [out, n, 1, 1, n, x, offsets, 1, x, offsets, 1, 0, 0];
      threads.run("elements", { tasks: 1, words, cost: 1, scratch: 8192 });
      expect(heap.floats(out, 32).indexOf(7)).toBe(n);
    }
  });

  test("the backend reports its number of threads, which is between 1 and 64", async () => {
    const available = (n: number) => (availableParallelism() === 1 ? 1 : n);
    expect([one.threads, two.threads, three.threads]).toEqual([1, available(2), available(3)]);
    for (const [requested, expected] of [
      [1, 1],
      [2, 2],
      [1000, 64],
    ] as const)
      expect((await Engine.open({ threads: requested })).threads.size).toBe(available(expected));
  });

  test("fused multiply-add is used where the JavaScript engine supports it, and can be switched off", () => {
    const head = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0];
    const zero = [65, 0, 253, 17];
    const madd = [253, 133, 2, 11]; // f32x4.relaxed_madd of three vectors of zeros, then the end
    const has = WebAssembly.validate(Uint8Array.from([...head, ...zero, ...zero, ...zero, ...madd]));
    expect(one.mode?.startsWith(has ? "relaxed" : "fixed")).toBe(true);
    expect(three.mode).toMatch(/^fixed/);
  });

  test("auto chooses simd for float32 where the JavaScript engine supports it, otherwise the reference", async () => {
    const chosen = await auto();
    expect(chosen.name).toBe("simd");
    await chosen.close();
    expect([(await auto("float64")).name, (await auto("bfloat16")).precision]).toEqual([
      "reference",
      "bfloat16",
    ]);
    const { validate } = WebAssembly;
    try {
      WebAssembly.validate = () => false;
      expect((await auto()).name).toBe("reference");
    } finally {
      WebAssembly.validate = validate;
    }
  });
});

test("the modules in bytes.ts are compiled from the AssemblyScript sources", () => {
  const { status } = spawnSync(process.execPath, [".ci/simd.mjs", "--check"], { cwd: repository });
  expect(status).toBe(0);
});

test("[options.known] [options.values] an option that the backend does not have, or cannot use, is refused", async () => {
  const options: readonly [object, RegExp][] = [
    [
      { precision: "float64" },
      /^simd has no option "precision"; known are threads, budget, relaxed; simd computes in float32/,
    ],
    [{ thread: 1 }, /no option "thread" \(did you mean "threads"\?\)/],
    [null as never, /^simd takes an object of options, not null/],
    [4 as never, /^simd takes an object of options, not a number/],
    ["4" as never, /^simd takes an object of options, not a string/],
    [[4], /^simd takes an object of options, not a list/],
    [Promise.resolve({}), /^simd takes an object of options, not a promise/],
    [new Float32Array(2), /^simd takes an object of options, not a Float32Array/],
    [{ threads: 0 }, /threads is 0; it must be a whole number from 1 up/],
    [{ threads: 1.5 }, /threads is 1\.5/],
    [{ threads: Number.NaN }, /threads is NaN/],
    [{ threads: "2" }, /threads is "2"; it must be a whole number from 1 up/],
    [{ threads: null }, /threads is null/],
    [{ threads: Object.create(null) }, /threads is an object/],
    [{ threads: 2 ** 53 }, /threads is 9007199254740992/],
    [{ budget: -1 }, /budget is -1; it must be a whole number of bytes from 0 to 2\^32/],
    [{ budget: 2 ** 32 + 1 }, /budget is 4294967297/],
    [{ relaxed: "no" }, /relaxed is "no"; it must be true or false/],
    [{ relaxed: 1 }, /relaxed is 1;/],
  ];
  for (const [given, message] of options) {
    const opened = simd(given);
    await expect(opened).rejects.toThrow(RuleError);
    await expect(opened).rejects.toThrow(message);
  }
});
