// The executable half of 01-ops.md: ops with patterns against loops over all axes, for random patterns, sizes and views.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { ShapeError } from "../../../src/tensor/errors.ts";
import { concat, einsum, rearrange, repeat, slice, sum } from "../../../src/tensor/ops/arrange.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { expand, square, sumAll } from "../../../src/tensor/ops/functions.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Any, Tensor, tensor, view, zeros } from "../../../src/tensor/tensor.ts";
import {
  copyOf,
  indices,
  type Layout,
  laidOutTensor,
  layouts,
  listing,
  randomIds,
  randomMask,
  randomTensor,
  reader,
  stridedReader,
} from "../../support/properties/arbitraries.ts";
import { expectClose, expectSame, valuesOf } from "../../support/properties/programs.ts";

type Groups = readonly (readonly string[])[];
type Sizes = Readonly<Record<string, number>>;
/** The functions without their types, for random patterns. */
const dynamic = { einsum, rearrange, repeat, sum, concat } as unknown as Record<
  "einsum" | "rearrange" | "repeat" | "sum" | "concat",
  (pattern: string, ...rest: unknown[]) => Tensor
>;

const written = (groups: Groups): string =>
  groups.map((g) => (g.length === 1 ? g[0] : g.length === 0 ? "1" : `(${g.join(" ")})`)).join(" ");
const shapeOf = (groups: Groups, sizes: Sizes): number[] =>
  groups.map((g) => g.reduce((n, name) => n * (sizes[name] ?? 0), 1));

/** Calls f with every assignment of indices to the letters. */
function forAll(letters: readonly string[], sizes: Sizes, f: (at: Sizes) => void): void {
  for (const index of indices(letters.map((name) => sizes[name] ?? 0))) {
    f(Object.fromEntries(letters.map((name, i) => [name, index[i] ?? 0])));
  }
}
/** The index of an assignment in an array: (h k) is h·K + k. */
const place = (groups: Groups, at: Sizes, sizes: Sizes): number[] =>
  groups.map((g) => g.reduce((i, name) => i * (sizes[name] ?? 0) + (at[name] ?? 0), 0));

/** out[after] = Σ x[before], over every letter of the pattern. */
function byLoops(before: Groups, after: Groups, sizes: Sizes, x: Tensor): Tensor<Any> {
  const out = zeros(shapeOf(after, sizes));
  const letters = [...new Set([...before.flat(), ...after.flat()])];
  forAll(letters, sizes, (at) => {
    const to = place(after, at, sizes);
    ndArray(out).set(...to, ndArray(out).get(...to) + ndArray(x.data).get(...place(before, at, sizes)));
  });
  return new Tensor(out.shape, out);
}

const LETTERS = ["a", "b", "c", "d"];
const size = fc.integer({ min: 0, max: 3 });
const sizes: fc.Arbitrary<Sizes> = fc.record({ a: size, b: size, c: size, d: size });
const subset = fc.shuffledSubarray(LETTERS, { minLength: 1 });
const single = (letters: readonly string[]): Groups => letters.map((name) => [name]);
/** A permutation of the letters, some of them joined, possibly with axes of size 1 in between. */
const grouped = (letters: readonly string[]): fc.Arbitrary<Groups> =>
  fc
    .tuple(
      fc.shuffledSubarray([...letters], { minLength: letters.length }),
      fc.array(fc.nat({ max: 3 }), { minLength: letters.length, maxLength: letters.length }),
    )
    .map(([order, where]) => {
      const groups: string[][] = [];
      for (const [i, name] of order.entries()) {
        if (where[i] === 0) groups.push([]); // a "1" before it
        const last = groups.at(-1);
        if (where[i] === 1 && last) last.push(name);
        else groups.push([name]);
      }
      return groups;
    });
const only = (all: Sizes, names: readonly string[]): Sizes =>
  Object.fromEntries(names.map((name) => [name, all[name] ?? 0]));

test("[ops.rearrange] every element moves to the position that the pattern gives", () => {
  const patterns = subset.chain((names) => fc.tuple(grouped(names), grouped(names), sizes, layouts));
  fc.assert(
    fc.property(patterns, ([before, after, all, layout]) => {
      const sizes = only(all, before.flat());
      const x = laidOutTensor(shapeOf(before, sizes), layout, 1);
      const out = dynamic.rearrange(`${written(before)} -> ${written(after)}`, x, sizes);
      expectSame(out, byLoops(before, after, sizes, x));
    }),
    { numRuns: 300 },
  );
});

/** Letters of the left side, and a right side with more. */
const growing = subset.chain((names) =>
  fc.tuple(fc.shuffledSubarray(names, { minLength: 0 }).chain(grouped), grouped(names), sizes, layouts),
);

test("[ops.repeat] elements repeat along the new axes; masks and ids repeat like tensors", () => {
  fc.assert(
    fc.property(growing, ([before, after, all, layout]) => {
      const sizes = only(all, [...before.flat(), ...after.flat()]);
      const pattern = `${written(before)} -> ${written(after)}`;
      const shape = shapeOf(before, sizes);
      const x = laidOutTensor(shape, layout, 1);
      const expected = byLoops(before, after, sizes, x);
      expectSame(dynamic.repeat(pattern, x, sizes), expected);
      for (const host of [randomMask(shape, 1, layout), randomIds(shape, 99, 1, layout)]) {
        const at = stridedReader(host);
        const numbers = new Tensor<Any>(
          shape,
          view(Float64Array.from(listing(shape, (i) => at(...i))), shape),
        );
        const out = dynamic.repeat(pattern, host, sizes) as unknown as typeof host;
        expect(out.constructor).toBe(host.constructor);
        expect(out.shape).toEqual(expected.shape);
        expect([...out.flat()]).toEqual(valuesOf(byLoops(before, after, sizes, numbers)));
      }
    }),
    { numRuns: 200 },
  );
});

test("[ops.sum] elements are summed over the axes that the right side does not have", () => {
  const patterns = subset.chain((names) =>
    fc.tuple(fc.constant(single(names)), fc.shuffledSubarray(names).chain(grouped), sizes, layouts),
  );
  fc.assert(
    fc.property(patterns, ([before, after, all, layout]) => {
      const sizes = only(all, before.flat());
      const x = laidOutTensor(shapeOf(before, sizes), layout, 1);
      const out = dynamic.sum(`${written(before)} -> ${written(after)}`, x);
      const expected = byLoops(before, after, sizes, x);
      expect(out.shape).toEqual(expected.shape);
      expectClose(valuesOf(out), valuesOf(expected), 1e-14);
    }),
    { numRuns: 200 },
  );
});

describe("einsum", () => {
  /** Σ over every letter of a[…] b[…], added up at c[…]. */
  function contracted(sides: readonly Groups[], sizes: Sizes, a: Tensor, b: Tensor): Tensor<Any> {
    const [A = [], B = [], C = []] = sides;
    const out = zeros(shapeOf(C, sizes));
    forAll(Object.keys(sizes), sizes, (at) => {
      const to = place(C, at, sizes);
      const product =
        ndArray(a.data).get(...place(A, at, sizes)) * ndArray(b.data).get(...place(B, at, sizes));
      ndArray(out).set(...to, ndArray(out).get(...to) + product);
    });
    return new Tensor(out.shape, out);
  }

  const law = (places: Sizes, sizes: Sizes, order: readonly string[], left: Layout, right: Layout) => {
    // bit 0: in the left operand, bit 1: in the right one, bit 2: in the result; two of them at least
    const side = (bit: number, names: readonly string[]) =>
      single(names.filter((name) => (((places[name] ?? 0) >> bit) & 1) === 1));
    const [A, B, C] = [side(0, order), side(1, [...order].reverse()), side(2, Object.keys(sizes))];
    const a = laidOutTensor(shapeOf(A, sizes), left, 1);
    const b = laidOutTensor(shapeOf(B, sizes), right, 2);
    const out = dynamic.einsum(`${written(A)}, ${written(B)} -> ${written(C)}`, a, b);
    const expected = contracted([A, B, C], sizes, a, b);
    expect(out.shape).toEqual(expected.shape);
    expectClose(valuesOf(out), valuesOf(expected), 1e-13);
    expectSame(out, dynamic.einsum(`${written(A)}, ${written(B)} -> ${written(C)}`, copyOf(a), copyOf(b)));
  };
  const kind = fc.constantFrom(0b111, 0b011, 0b101, 0b110);

  test("[einsum.product] einsum is a sum of products over all axes", () => {
    const order = fc.shuffledSubarray(LETTERS, { minLength: 4 });
    const places = fc.record({ a: kind, b: kind, c: kind, d: kind });
    fc.assert(fc.property(places, sizes, order, layouts, layouts, law), { numRuns: 300 });
  });

  test("[einsum.product] products of every size up to 9, with full and partial tiles of four", () => {
    const size = fc.nat({ max: 9 });
    const sizes = fc.record({ m: size, n: size, k: size, b: fc.nat({ max: 2 }) });
    const order = fc.shuffledSubarray(["m", "n", "k", "b"], { minLength: 4 });
    const places = { m: 0b101, n: 0b110, k: 0b011, b: 0b111 };
    fc.assert(
      fc.property(sizes, order, layouts, layouts, (sizes, order, left, right) =>
        law(places, sizes, order, left, right),
      ),
      { numRuns: 200 },
    );
  });

  test("[einsum.product] NaN and infinity affect their own rows and columns only", () => {
    const a = randomTensor<"i k">([5, 3]);
    const b = randomTensor<"k j">([3, 6]);
    ndArray(a.data).set(1, 2, Number.NaN);
    ndArray(b.data).set(0, 4, Infinity);
    const out = einsum("i k, k j -> i j", a, b);
    const finite = listing(out.shape, ([i = 0, j = 0]) =>
      Number(Number.isFinite(ndArray(out.data).get(i, j))),
    );
    expect(finite).toEqual(listing(out.shape, ([i, j]) => Number(i !== 1 && j !== 4)));
  });

  test("[einsum.two-places] axes that occur once, joined axes, and other than two operands are errors", () => {
    const [x, y] = [randomTensor([2, 3]), randomTensor([3, 4])];
    const once: readonly (readonly [string, RegExp])[] = [
      ["i k, k j -> i", /axis "j" occurs once: sum over it with sum first/],
      ["i k, k j -> j", /axis "i" occurs once: sum over it with sum first/],
      ["i k, k j -> i j n", /axis "n" occurs once: .* add it with repeat afterwards/],
      ["i k, j n -> i j", /axis "k" occurs once/],
    ];
    for (const [pattern, message] of once) expect(() => dynamic.einsum(pattern, x, y)).toThrow(message);
    const three = "i k, k j, j n -> i n";
    expect(() => dynamic.einsum(three, x, y, y)).toThrow(
      /one or two operands.*contract more of them two at a time/,
    );
    for (const [pattern, ...operands] of [
      ["i k -> k i", x, y],
      [three, x, y],
      ["i k, k j -> i j", x],
      ["i k -> i"],
    ])
      expect(() => dynamic.einsum(pattern as string, ...operands)).toThrow(
        /the pattern names \d operands, got \d/,
      );
    for (const pattern of ["(h i) k, k j -> (h i) j", "i 1, i j -> 1 j"]) {
      expect(() => dynamic.einsum(pattern, x, y)).toThrow(/axes stand alone here; split and join them/);
    }
    expect(() => dynamic.einsum("i k, k j -> i j", y, x)).toThrow(/axis "k" disagrees: 2, was 4/);
    expect(() => dynamic.einsum("i k, k j -> i j", x, x)).toThrow(ShapeError);
    expect(() => dynamic.einsum("... k, ... k -> ...", x, randomTensor([1, 2, 3]))).toThrow(ShapeError);
  });
});

describe("einsum of one operand", () => {
  const x = tensor("i j", [
    [1, 2, 3],
    [4, 5, 6],
  ]);

  test("[einsum.one-place] it is transposed and summed", () => {
    // numpy.einsum("ij->ji", x), …; https://github.com/HIPS/autograd/issues/115
    const transposed: Tensor<"j i"> = einsum("i j -> j i", x);
    expect([transposed.shape, valuesOf(transposed)]).toEqual([
      [3, 2],
      [1, 4, 2, 5, 3, 6],
    ]);
    expect(valuesOf(einsum("i j -> i", x))).toEqual([6, 15]);
    expect(valuesOf(einsum("i j -> j", x))).toEqual([5, 7, 9]);
    expect(valuesOf(dynamic.einsum("i j -> ", x))).toEqual([21]);
    expect(valuesOf(dynamic.einsum("... j -> ...", x))).toEqual([6, 15]);
    const cube = randomTensor<"a b c">([2, 3, 4], 5);
    expectSame(einsum("a b c -> c a", cube), sum("a b c -> c a", cube));
  });

  test("[einsum.one-place] its derivative is the transposed or repeated gradient", () => {
    const of = (pattern: string) => {
      const loss = record(() => sumAll(square(dynamic.einsum(pattern, x))), { inputs: { x } });
      return valuesOf(evaluate(gradients(loss, "out", ["x"])).outputs[gradientOf("x")] as Tensor);
    };
    expect(of("i j -> j i")).toEqual([2, 4, 6, 8, 10, 12]);
    expect(of("i j -> i")).toEqual([12, 12, 12, 30, 30, 30]);
  });

  test("[einsum.one-place] misuse is a sentence with the pattern and the remedy", () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      [
        "i i -> i",
        /"i i" names an axis twice; use two names, and for a diagonal multiply by an identity matrix/,
      ],
      ["i j -> j k", /in einsum\("i j -> j k"\): axis "k" is on one side only/],
      ["i j k -> i", /"i j k" has 3 axes, the shape 2/],
      ["i j", /needs one arrow/],
      ["", /needs one arrow/],
      ["i,j -> i", /the pattern names 2 operands, got 1/],
    ];
    for (const [pattern, message] of wrong) {
      expect(() => dynamic.einsum(pattern, x)).toThrow(ShapeError);
      expect(() => dynamic.einsum(pattern, x)).toThrow(message);
    }
    // numpy.diagonal by the remedy
    const square2 = tensor("i j", [
      [1, 2],
      [3, 4],
    ]);
    const identity = tensor("i j", [
      [1, 0],
      [0, 1],
    ]);
    expect(valuesOf(einsum("i j, i j -> i", square2, identity))).toEqual([1, 4]);
  });
});

test("[ops.rearrange] an axis of size 1 may be joined to others, as einops reads it", () => {
  const x = randomTensor<"a b">([2, 3]);
  expectSame(rearrange("a b -> (b a 1)", x), rearrange("a b -> (b a)", x));
  expectSame(dynamic.rearrange("(a 1) b -> b (1 1) a", x), dynamic.rearrange("a b -> b 1 a", x));
});

/** Texts that resemble patterns, and values that are none. */
const patternLike = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .array(
        fc.constantFrom(
          "a",
          "b",
          "c",
          "i",
          "1",
          "(a b)",
          "(c",
          ")",
          "()",
          "...",
          "->",
          ",",
          ", ",
          " -> ",
          "~0",
          "é",
          "0",
          "A_1",
          "(a 1)",
        ),
        {
          maxLength: 8,
        },
      )
      .chain((parts) => fc.constantFrom(parts.join(" "), parts.join(""))),
  },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "a b -> b a",
      "a b, b c -> a c",
      "a, b -> b a",
      "a b -> a",
      "a (b c) -> b a c",
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(null, undefined, 3, {}, [], true) },
);
const operand = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom([2, 2], [2, 3]).map((shape) => randomTensor(shape)) },
  {
    weight: 6,
    arbitrary: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }).map((shape) => randomTensor(shape)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(
      null,
      undefined,
      3,
      "x",
      {},
      [],
      [1, 2],
      { shape: [2] },
      randomMask([2, 3]),
      randomIds([2, 3], 4),
    ),
  },
);
const sizesLike = fc.oneof(
  fc.dictionary(
    fc.constantFrom("a", "b", "c", "h", "1", "..."),
    fc.constantFrom<unknown>(0, 1, 2, 3, -1, 0.5, NaN, Infinity, "2", null),
  ),
  fc.constantFrom<unknown>(undefined, null, 3, "a", [2]),
);

test("[notation.operands] any pattern with any operands gives a result or a ShapeError that shows the pattern", () => {
  const outcomes = { result: 0, refused: 0 };
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(dynamic)),
      patternLike,
      fc.array(operand, { maxLength: 3 }),
      sizesLike,
      (name, pattern, operands, sizes) => {
        const call = dynamic[name as keyof typeof dynamic];
        const isArrangement = name === "rearrange" || name === "repeat";
        const rest = isArrangement ? [operands[0], sizes] : operands;
        try {
          expect(call(pattern as string, ...rest).shape.every(Number.isInteger)).toBe(true);
          outcomes.result++;
        } catch (error) {
          if (!(error instanceof ShapeError)) throw error;
          expect(error.message).toMatch(/\[(notation|einsum|ops|tensor)\.[a-z-]+\]$/);
          outcomes.refused++;
        }
      },
    ),
    { numRuns: 5000 },
  );
  expect(outcomes.result).toBeGreaterThan(50);
});

test("[ops.concat] the axis with the new name holds both operands in order", () => {
  const media = randomTensor<"b m s d">([2, 1, 3, 2], 1);
  const latents = randomTensor<"b m r d">([2, 1, 4, 2], 2);
  const both = concat("b m s d, b m r d -> b m j d", media, latents);
  const [x, y] = [reader(media.data), reader(latents.data)];
  const expected = listing([2, 1, 7, 2], ([b = 0, m = 0, j = 0, d = 0]) =>
    j < 3 ? x(b, m, j, d) : y(b, m, j - 3, d),
  );
  expect(both.shape).toEqual([2, 1, 7, 2]);
  expect(valuesOf(both)).toEqual(expected);
  expectSame(concat("... s d, ... r d -> ... j d", media, latents), both); // any leading axes
  expect(() => concat("... s d, ... r d -> ... j d", media, randomTensor([2, 4, 2]))).toThrow(
    /"~0 ~1 r d" has 4 axes, the shape 3/,
  );
});

test("[ops.no-copy] permuting, splitting, repeating, slicing and expanding return views of the same buffer", () => {
  const x = randomTensor<"a (b c)">([3, 4]);
  const views = [
    rearrange("a (b c) -> c b a", x, { b: 2 }),
    repeat("a (b c) -> n b a c m", x, { b: 2, n: 5, m: 2 }),
    slice(x, 1, 1, 3),
    expand(x, zerosOf([5, 3, 4])),
    rearrange("a (b c) -> (a b c)", x, { b: 2 }), // adjacent in memory
    rearrange("a (b c) -> a (c b)", x, { b: 1 }), // an axis of size 1 has no influence
  ];
  for (const t of views) expect(t.data.data).toBe(x.data.data);
  const strides = [[1, 2, 4], [0, 2, 4, 1, 0], [4, 1], [0, 4, 1], [1], [4, 1]];
  expect(views.map((t) => t.data.stride)).toEqual(strides);
  const joined = repeat("a (b c) -> n b (a c) m", x, { b: 2, n: 5, m: 2 });
  expect(joined.data.data.length).toBe(12); // joined axes are copied, axes that are repeated on their own are not
  expect(joined.data.stride).toEqual([0, 6, 1, 0]);
});

function zerosOf(shape: readonly number[]): Tensor<Any> {
  return new Tensor(shape, zeros(shape));
}
