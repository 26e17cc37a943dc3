// The executable half of 01-ops.md: special functions against published values, softmax row by row, and invalid operands.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { reference } from "../../../src/kernels/reference/index.ts";
import { replay } from "../../../src/kernels/replay.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import {
  chunk,
  concat,
  overlap,
  pad,
  slice,
  split,
  unbind,
  windows,
} from "../../../src/tensor/ops/arrange.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { erf } from "../../../src/tensor/ops/erf.ts";
import {
  add,
  addScalar,
  arange,
  equal,
  expand,
  gather,
  gelu,
  maskedSoftmax,
  maxLast,
  meanLast,
  mulScalar,
  neg,
  pick,
  place,
  positive,
  relu,
  scatter,
  softmax,
  sumAll,
  sumExp,
  unbroadcast,
  where,
  zerosLike,
} from "../../../src/tensor/ops/functions.ts";
import { apply } from "../../../src/tensor/ops/rules.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Bool, bool, type Int, int, type Tensor, tensor } from "../../../src/tensor/tensor.ts";
import { randomTensor, reader } from "../../support/properties/arbitraries.ts";
import { expectClose, expectSame, valuesOf } from "../../support/properties/programs.ts";

/** x and erf x as Python 3.11's math.erf gives it. */
// biome-ignore format: a table
const ERF: readonly (readonly [number, number])[] = [
  [0.0, 0.0], [-0.0, -0.0], [5e-324, 5e-324], [1e-308, 1.1283791670955125e-308],
  [-1e-300, -1.1283791670955126e-300], [1e-100, 1.1283791670955126e-100],
  [1e-20, 1.1283791670955125e-20], [-1e-16, -1.1283791670955125e-16],
  [1e-12, 1.1283791670955126e-12], [-3e-08, -3.3851375012865365e-08],
  [1e-06, 1.1283791670951364e-06], [0.0001, 0.00011283791633342487],
  [-0.001, -0.0011283787909692365], [0.01, 0.011283415555849616],
  [0.05, 0.05637197779701663], [-0.1, -0.1124629160182849],
  [0.125, 0.1403162048013338], [0.2, 0.22270258921047847],
  [0.25, 0.2763263901682369], [0.3333333333333333, 0.36264811176606293],
  [-0.4, -0.42839235504666845], [0.5, 0.5204998778130465],
  [-0.5, -0.5204998778130465], [0.6, 0.6038560908479259],
  [Math.SQRT1_2, 0.682689492137086], [0.75, 0.7111556336535151],
  [-0.9, -0.7969082124228322], [1.0, 0.8427007929497149],
  [-1.0, -0.8427007929497149], [1.1, 0.8802050695740817],
  [1.25, 0.9229001282564582], [1.5, 0.9661051464753108],
  [-1.75, -0.9866716712191824], [2.0, 0.9953222650189527],
  [2.25, 0.9985372834133188], [2.5, 0.999593047982555],
  [-2.75, -0.9998993780778803], [3.0, 0.9999779095030014],
  [3.3, 0.9999969422902035], [3.7, 0.9999998328489421],
  [-4.0, -0.9999999845827421], [4.5, 0.9999999998033839],
  [5.0, 0.9999999999984626], [5.5, 0.9999999999999927],
  [-5.9, -0.9999999999999999], [5.999, 1.0], [6.0, 1.0], [-6.0, -1.0],
  [6.1, 1.0], [7.0, 1.0], [-30.0, -1.0], [1e300, 1.0],
];

/** x and x Φ(x), as Python 3.11 gives it for x * 0.5 * math.erfc(-x / math.sqrt(2)). */
// biome-ignore format: a table
const GELU: readonly (readonly [number, number])[] = [
  [-8.0, -4.9767684594174555e-15], [-6.0, -5.919525870226207e-09],
  [-4.0, -0.00012668496733247986], [-3.0, -0.004049694094890287],
  [-2.0, -0.04550026389635844], [-1.5, -0.10021080190328713],
  [-1.0, -0.15865525393145707], [-0.7517915246935645, -0.16997120747990369],
  [-0.5, -0.15426876936299344], [-0.1, -0.0460172162722971],
  [-1e-08, -4.999999960105772e-09], [0.0, 0.0], [1e-08, 5.000000039894228e-09],
  [0.1, 0.053982783727702904], [0.5, 0.34573123063700656], [1.0, 0.8413447460685429],
  [1.5, 1.399789198096713], [2.0, 1.9544997361036416], [3.0, 2.99595030590511],
  [4.0, 3.9998733150326675], [6.0, 5.999999994080474], [8.0, 7.999999999999995],
];

test.each(ERF)("[erf.series] erf %d is %d within 1.4e-15", (x, expected) => {
  expect(Object.is(Math.sign(erf(x)), Math.sign(expected))).toBe(true);
  const tolerance = Math.max(1.4e-15 * Math.abs(expected), Number.MIN_VALUE);
  expect(Math.abs(erf(x) - expected)).toBeLessThanOrEqual(tolerance);
});

test("[erf.series] erf is odd and within ±1, and propagates NaN", () => {
  expect(erf(Number.NaN)).toBeNaN();
  expect([erf(Infinity), erf(-Infinity)]).toEqual([1, -1]);
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (x) => erf(-x) === -erf(x) && Math.abs(erf(x)) <= 1 + 1e-15),
  );
});

test.each(GELU)("[gelu.erf] gelu %d is %d, with the error function", (x, expected) => {
  // 1 + erf cancels for negative x, as in the source packages, so the error is absolute
  expectClose(valuesOf(gelu(tensor("x", [x]))), [expected], 1e-14);
});

const masked = (emptyRow: "zero" | "uniform" | "nan", x: number[], keep: boolean[]) =>
  valuesOf(maskedSoftmax(tensor("l", x), bool("l", keep), { emptyRow }));

describe("softmax", () => {
  test("[softmax.empty-row] emptyRow determines an empty row, whatever its scores are", () => {
    for (const x of [0, -Infinity, Infinity, Number.NaN]) {
      expect(masked("zero", [x, 2, 3], [false, false, false])).toEqual([0, 0, 0]);
      expect(masked("uniform", [x, 2, 3], [false, false, false])).toEqual([1 / 3, 1 / 3, 1 / 3]);
      expect(masked("nan", [x, 2, 3], [false, false, false])).toEqual([NaN, NaN, NaN]);
    }
  });

  test("[softmax.empty-row] a word that is none of the three is refused", () => {
    for (const word of ["unmasked", "", undefined, null])
      expect(() => masked(word as never, [1, 2], [false, false])).toThrow(
        /emptyRow is .*\[softmax\.empty-row\]/,
      );
  });

  test("[softmax.masked] a masked entry has a weight of exactly 0 and no effect on the others", () => {
    for (const hidden of [-Infinity, 0, 900, Infinity, Number.NaN]) {
      const weights = masked("nan", [hidden, 0, Math.log(3)], [false, true, true]);
      expect(weights[0]).toBe(0);
      expectClose(weights, [0, 0.25, 0.75], 1e-15);
    }
    expect(masked("zero", [1, Number.NaN, 2], [false, true, true])).toEqual([0, NaN, NaN]);
  });

  test("[softmax.shift] only differences of scores matter, however large the scores are", () => {
    const scores = [-3, 0.5, 2]; // whole eighths: adding 1e15 to them rounds nothing
    const expected = valuesOf(softmax(tensor("l", scores)));
    for (const by of [-1e15, -1e5, 1e5, 1e15]) {
      const shifted = tensor(
        "l",
        scores.map((s) => s + by),
      );
      expectClose(valuesOf(softmax(shifted)), expected, 1e-10);
    }
    expect(valuesOf(softmax(tensor("l", [-Infinity, 0])))).toEqual([0, 1]);
    expect(valuesOf(softmax(tensor("l", [-Infinity, -Infinity])))).toEqual([NaN, NaN]);
  });

  test("[softmax.masked] rows sum to 1, and a mask that allows all entries has no effect", () => {
    const x = randomTensor([3, 4, 5], 3, (u) => 9 * u);
    const everything = new Bool(x.shape, Uint8Array.of(1), [0, 0, 0]);
    expectSame(maskedSoftmax(x, everything, { emptyRow: "nan" }), softmax(x));
    expectClose(valuesOf(unbroadcast(softmax(x), [3, 4, 1])), new Array(12).fill(1), 1e-15);
  });
});

test("[ops.definition] ops are functions that reduce and map take as they are", () => {
  const parts = [1, 2, 3].map((value) => tensor("i", [2], [value, 10 * value]));
  expect(valuesOf(parts.reduce(add))).toEqual([6, 60]);
  expect(parts.map(neg).map((x) => valuesOf(x))).toEqual([
    [-1, -10],
    [-2, -20],
    [-3, -30],
  ]);
});

test("[ops.empty] the sum of no elements is 0, the maximum −∞, the mean NaN", () => {
  const nothing = tensor("a b", [2, 0], []);
  expect(ndArray(sumAll(nothing).data).get()).toBe(0);
  expect(valuesOf(maxLast(nothing))).toEqual([-Infinity, -Infinity]);
  expect(valuesOf(meanLast(nothing))).toEqual([NaN, NaN]);
  expect(zerosLike(nothing).shape).toEqual([2, 0]);
});

test("[ops.nan] a maximum over a NaN is NaN, at any position", () => {
  for (const row of [[NaN, 1, 2], [1, NaN, 2], [1, 2, NaN]]) // biome-ignore format: three rows
    expect(valuesOf(maxLast(tensor("a b", [row])))).toEqual([NaN]);
  expect(valuesOf(equal(tensor("a", [NaN, 1]), tensor("a", [NaN, 1])))).toEqual([0, 1]);
  expect(valuesOf(where(bool("a", [false, true]), tensor("a", [NaN, 1])))).toEqual([0, 1]);
});

/** As torch 2.13.0 gives them: torch.relu, and the gradient of its sum, which is the slope. */
test("[relu.slope] relu keeps NaN and −0, and its slope at 0 is 0", () => {
  const x = tensor("x", [-0, 0, NaN, Infinity, -Infinity, -1, 2, 5e-324]);
  expect(valuesOf(relu(x))).toEqual([-0, 0, NaN, Infinity, 0, 0, 2, 5e-324]);
  expect(valuesOf(positive(x))).toEqual([0, 0, 0, 1, 0, 0, 1, 1]); // at NaN, torch has 1
});

test("arange counts from any number", () => {
  expect(valuesOf(arange("n", 3, -1))).toEqual([-1, 0, 1]);
  expect(valuesOf(arange("n", 3))).toEqual([0, 1, 2]);
});

test("[ops.windows] windows drop what is left after the last one, as torch's unfold does", () => {
  const x = tensor("l", [0, 1, 2, 3, 4, 5, 6, 7]);
  const w = windows(x, 0, 3, 2); // torch.arange(8).unfold(0, 3, 2)
  expect([w.shape, valuesOf(w)]).toEqual([
    [3, 3],
    [0, 1, 2, 2, 3, 4, 4, 5, 6],
  ]);
  expect(w.data.data).toBe(x.data.data);
  expect(valuesOf(overlap(w, 0, 2, 8))).toEqual([0, 1, 4, 3, 8, 5, 6, 0]);
  expect(valuesOf(overlap(w, -1, 2, 8))).toEqual([0, 1, 4, 3, 8, 5, 6, 0]); // an axis of the result, from the end
  expect(windows(x, -1, 0, 3).shape).toEqual([3, 0]); // torch.arange(8).unfold(0, 0, 3).shape
});

test("[ops.pick] pick reads and place writes one element of each row", () => {
  const x = tensor("a b", [[1, NaN, 3], [4, 5, Infinity]]); // biome-ignore format: two rows
  expect(valuesOf(pick(x, int("a", [2, 0])))).toEqual([3, 4]);
  expect(valuesOf(place(tensor("a", [-0, Infinity]), int("a", [1, 2]), 3))).toEqual([
    0,
    -0,
    0,
    0,
    0,
    Infinity,
  ]);
});

test("[ops.empty] sumExp of no elements is 0", () => {
  expect(valuesOf(sumExp(tensor("a b", [2, 0], []), tensor("a b", [2, 1], [1, 2])))).toEqual([0, 0]);
});

describe("invalid operands", () => {
  const x = randomTensor<"a b">([2, 5]);
  const rejects = (
    rule: string,
    f: () => unknown,
    message: RegExp,
    error: typeof ShapeError | typeof RuleError = ShapeError,
  ) => {
    expect(f).toThrow(error);
    expect(f).toThrow(message);
    expect(f).toThrow(`[${rule}]`);
  };

  test("[ops.no-broadcast] different shapes are an error that suggests expand", () => {
    rejects("ops.no-broadcast", () => add(x, randomTensor([2, 1])), /\[2 5\] and \[2 1\] differ.*expand/);
    rejects("ops.no-broadcast", () => add(x, randomTensor([5])), /\[2 5\] and \[5\] differ/);
    const mask = bool("a b", [[true]]);
    rejects("ops.no-broadcast", () => where(mask, x), /\[2 5\] and \[1 1\] differ/);
    rejects("ops.no-broadcast", () => maskedSoftmax(x, mask, { emptyRow: "nan" }), /\[2 5\] and \[1 1\]/);
  });

  test("[ops.expand] an axis of another size than 1 is not repeated", () => {
    rejects("ops.expand", () => expand(randomTensor([2]), x), /\[2\] does not expand to \[2 5\]/);
    rejects("ops.expand", () => expand(randomTensor([1, 2, 5]), x), /\[1 2 5\] does not expand to \[2 5\]/);
    rejects("ops.expand", () => expand(randomTensor([0]), x), /\[0\] does not expand to \[2 5\]/);
    rejects("ops.expand", () => unbroadcast(x, [2]), /\[2\] does not expand to \[2 5\]/);
  });

  test("[ops.slice] bounds outside the axis, reversed bounds and fractions are errors", () => {
    rejects("ops.slice", () => slice(x, 1, 3, 6), /slice 3\.\.6 of axis 1 is outside \[2 5\]/);
    rejects("ops.slice", () => slice(x, 1, -1, 2), /slice -1\.\.2/);
    rejects("ops.slice", () => slice(x, 1, 3, 2), /slice 3\.\.2/);
    rejects("ops.slice", () => slice(x, 1, Number.NaN, 2), /slice NaN\.\.2/);
    rejects("ops.slice", () => slice(x, 1, 0.5, 2), /slice 0\.5\.\.2/);
    rejects("ops.slice", () => slice(x, 1, 0, 1.5), /slice 0\.\.1\.5/);
    rejects("ops.split", () => chunk(x), /\[2 5\] is not split into 2\.5 \+ 2\.5: .* whole numbers/);
    rejects("ops.split", () => chunk(tensor("", 1)), /\[\] is not split into 0 \+ 0/);
    rejects("ops.slice", () => slice(x, 2, 0, 1), /axis 2/);
    rejects("ops.slice", () => slice(x, -3, 0, 1), /axis -1/);
  });

  test("[ops.pad] negative and fractional widths and unknown axes are errors", () => {
    rejects("ops.pad", () => pad(x, 0, -1, 2), /pad -1 and 2 along axis 0 of \[2 5\]/);
    rejects("ops.pad", () => pad(x, 0, 1, 0.5), /pad 1 and 0\.5/);
    rejects("ops.pad", () => pad(x, 2, 0, 1), /axis 2/);
  });

  test("[ops.concat] different sizes on another axis and unknown axes are errors", () => {
    rejects(
      "ops.concat",
      () => apply("concat", { axis: 1 }, x, randomTensor([3, 5])),
      /\[2 5\] and \[3 5\].* along axis 1/,
    );
    rejects("ops.concat", () => apply("concat", { axis: 0 }, x, randomTensor([2])), /do not join/);
    rejects("ops.concat", () => apply("concat", { axis: 0 }, sumAll(x), sumAll(x)), /do not join/);
  });

  test("[ops.unbind] fewer than two slices are an error", () => {
    rejects("ops.unbind", () => unbind(randomTensor([1, 5])), /first axis of \[1 5\]/);
  });

  test("[ops.split] widths that do not add up to the axis are an error", () => {
    rejects(
      "ops.split",
      () => split(x, { q: 1, k: 3 }),
      /\[2 5\] is not split into 1 \+ 3: .* add up to the last axis/,
    );
  });

  test("[ops.split] widths that are no object are an error, for an empty axis too", () => {
    for (const widths of [null, undefined, 5, 0, "", () => 1])
      for (const y of [x, randomTensor([2, 0])])
        rejects("ops.split", () => split(y, widths as never), /is not split into NaN: widths are whole/);
  });

  test("[notation.operands] a factor or a summand that is no number is named by its type", () => {
    rejects("notation.operands", () => mulScalar(x, "2" as never), /"by" is a number, not string/);
    rejects("notation.operands", () => addScalar(x, undefined as never), /"by" is a number, not undefined/);
  });

  test("[notation.operands] ids that are no integers are refused", () => {
    const floats = randomTensor([2]) as never;
    const calls = (ids: never) => [
      () => gather(x, ids),
      () => scatter(x, ids, 3),
      () => pick(x, ids),
      () => place(randomTensor([2]), ids, 3),
    ];
    for (const ids of [floats, bool("a", [true, false]) as never, undefined as never, [0, 1] as never])
      for (const call of calls(ids)) rejects("notation.operands", call, /ids are integers/, RuleError);
  });

  test("[ops.gather] an id that is not a row is named with its position", () => {
    const late = int("i j", [
      [0, 1],
      [2, 0],
    ]);
    rejects("ops.gather", () => gather(x, late), /id 2 at position 2 is not among the 2 rows/, RuleError);
    rejects("ops.gather", () => gather(x, int("i", [-1])), /id -1 at position 0/, RuleError);
    rejects("ops.gather", () => gather(randomTensor([0, 3]), int("i", [0])), /among the 0 rows/, RuleError);
    rejects("ops.gather", () => scatter(x, int("i", [0, 7]), 7), /id 7 at position 1/, RuleError);
  });

  test.each<[string, (ids: Int<"i">) => Tensor]>([
    ["gather", (ids) => gather(x, ids)],
    ["scatter", (ids) => scatter(x, ids, 2)],
    ["pick", (ids) => pick(x, ids)],
    ["place", (ids) => place(randomTensor([2]), ids, 2)],
  ])(
    "[program.plain] ids of %s that were changed in a program are refused when it runs, on every backend",
    async (_, call) => {
      for (const id of [-1, 5]) {
        const { outputs, nodes, ...rest } = record(() => call(int("i", [0, 1])));
        const changed = nodes.map(({ attrs, ...node }) => ({
          ...node,
          attrs: "ids" in attrs ? { ...attrs, ids: int("i", [0, id]) } : attrs,
        })) as typeof nodes;
        const program = { ...rest, outputs, nodes: changed };
        const message = `id ${id} at position 1 is not among the`;
        expect(() => evaluate(program)).toThrow(message);
        for (const backend of [reference(), await simd()])
          await expect(replay(program, backend)).rejects.toThrow(message);
      }
    },
  );

  test("[ops.windows] windows that do not lie within the axis are errors", () => {
    rejects(
      "ops.windows",
      () => windows(x, 1, 6, 1),
      /windows of 6 elements every 1 along axis 1 of \[2 5\]/,
    );
    for (const [size, step] of [[-1, 1], [2, 0], [2, -1], [1.5, 1], [2, 0.5], [NaN, 1]] as const) // biome-ignore format: six pairs
      rejects(
        "ops.windows",
        () => windows(x, 1, size, step),
        /a size from 0 to the axis's and a step from 1/,
      );
    rejects("ops.windows", () => windows(x, 2, 1, 1), /axis 2/);
    rejects("ops.windows", () => windows(x, -3, 1, 1), /axis -1/);
    rejects("ops.windows", () => overlap(x, 0, 2, 12), /12 elements have 4 windows of 5 every 2, not 2/);
    rejects("ops.windows", () => overlap(x, 0, 2, 4), /windows of 5 elements every 2 along axis 0 of \[4\]/);
    rejects("ops.windows", () => overlap(x, 0, 2, -1), /does not make -1/);
    rejects("ops.windows", () => overlap(x, 1, 1, 5), /axis 1 of windows \[2 5\]/);
  });

  test("[ops.pick] an id that is not an element of its row is named with its position", () => {
    rejects(
      "ops.pick",
      () => pick(x, int("a", [4, 5])),
      /id 5 at position 1 is not among the 5 elements of a row/,
      RuleError,
    );
    rejects("ops.pick", () => pick(x, int("a", [-1, 0])), /id -1 at position 0/, RuleError);
    rejects("ops.pick", () => pick(x, int("a", [0, 0, 0])), /rows of shape \[2\] need one id each, .* \[3\]/);
    rejects("ops.pick", () => apply("pick", { ids: int("", 0) }, tensor("", 1)), /a scalar has no rows/);
    rejects(
      "ops.pick",
      () => place(tensor("a", [1]), int("a", [3]), 3),
      /id 3 at position 0 .* 3 elements/,
      RuleError,
    );
    rejects("ops.pick", () => place(tensor("a", [1]), int("a", [0]), 1.5), /width is 1\.5; it must/);
    const none = [tensor("a", []), int("a", [])] as const;
    rejects("ops.pick", () => place(...none, -1), /width is -1; it must/);
    expect(place(...none, 3).shape).toEqual([0, 3]);
  });

  test("[ops.sum-exp] another number of shifts than rows is an error", () => {
    rejects(
      "ops.sum-exp",
      () => sumExp(x, randomTensor([2])),
      /rows of \[2 5\] need one shift each, \[2 1\], not \[2\]/,
    );
    rejects("ops.sum-exp", () => sumExp(tensor("", 1), tensor("a", [1])), /rows of \[\]/);
  });

  test("[ops.scatter] another number of rows than ids is an error", () => {
    const ids = int("i", [0, 1, 0]);
    rejects("ops.scatter", () => scatter(x, ids, 2), /\[2 5\] does not begin with the shape .* \[3\]/);
  });

  test.each([-1, 1.5, NaN, Infinity, 2 ** 53, "2", null, undefined, 2n, Symbol("rows")])(
    "[ops.scatter] [ops.pick] a table has no %s rows, and a row no such width, with ids or without",
    (n) => {
      const words = (name: string) => RegExp(`^${name} is .*; it must be a whole number from 0 up`);
      for (const ids of [int("i", [0]), int("i", [])]) {
        const rows = randomTensor([ids.shape[0] ?? 0]);
        rejects("ops.scatter", () => scatter(rows, ids, n as never), words("rows"));
        rejects("ops.pick", () => place(rows, ids, n as never), words("width"));
      }
    },
  );

  test.each([undefined, null, 5, "2 5", {}, [Symbol("n")], [-1], [2, NaN]])(
    "[tensor.values] a sum over axes refuses a shape that is none: %o",
    (shape) => rejects("tensor.values", () => unbroadcast(x, shape as never), /^\[.*\] is not a shape/),
  );
});

describe("parts", () => {
  const x = randomTensor<"n l">([3, 4]);
  const at = reader(x.data);
  const [i, j] = [
    [0, 1, 2],
    [0, 1, 2, 3],
  ];

  test("[ops.split] split returns consecutive parts of the last axis under their names", () => {
    const { q, k } = split(x, { q: 3, k: 1 });
    expect([q.shape, k.shape]).toEqual([
      [3, 3],
      [3, 1],
    ]);
    expect(valuesOf(q)).toEqual(i.flatMap((i) => [at(i, 0), at(i, 1), at(i, 2)]));
    expect(valuesOf(k)).toEqual(i.map((i) => at(i, 3)));
  });

  test("[ops.split] chunk returns the two halves of the last axis, and concat joins them", () => {
    const [left, right] = chunk(x);
    expect(valuesOf(left)).toEqual(i.flatMap((i) => [at(i, 0), at(i, 1)]));
    expectSame(concat("... m, ... n -> ... k", left, right), x);
  });

  test("[ops.unbind] unbind returns slices without the first axis", () => {
    const slices = unbind(x);
    expect(slices.map((t) => t.shape)).toEqual([[4], [4], [4]]);
    expect(slices.map(valuesOf)).toEqual(i.map((i) => j.map((j) => at(i, j))));
  });
});
