// The executable half of 70-losses.md.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gradients } from "../../src/tensor/autodiff/gradients.ts";
import { evaluate } from "../../src/tensor/program/evaluate.ts";
import { record } from "../../src/tensor/program/record.ts";
import { flat, Int, int, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { crossEntropy, IGNORED, weightedSum } from "../../src/training/losses.ts";
import { nextTokens } from "../../src/training/targets.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";

const values = (t: Tensor): number[] => [...flat(t.data)];

/** Loss and derivative, written from the definition. */
function naive(logits: readonly (readonly number[])[], targets: readonly number[]) {
  let [sum, counted] = [0, 0];
  const slopes = logits.map((row, i) => {
    const target = targets[i] ?? IGNORED;
    if (target === IGNORED) return row.map(() => 0);
    const powers = row.map((x) => Math.exp(x));
    const all = powers.reduce((a, b) => a + b);
    sum -= Math.log((powers[target] ?? 0) / all);
    counted++;
    return powers.map((power, j) => power / all - Number(j === target));
  });
  return { sum, counted, slopes };
}

const tables = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 7 }), fc.nat())
  .chain(([rows, n, seed]) =>
    fc.record({
      logits: fc.constant(randomTensor<"b n">([rows, n], seed, (x) => 4 * x)),
      targets: fc.array(fc.oneof(fc.nat({ max: n - 1 }), fc.constant(IGNORED)), {
        minLength: rows,
        maxLength: rows,
      }),
    }),
  )
  .filter(({ targets }) => targets.some((t) => t !== IGNORED));

test("[loss.cross-entropy] [loss.ignored] [loss.counted] the loss and its derivative equal the naive loop", () => {
  fc.assert(
    fc.property(tables, ({ logits, targets }) => {
      const [rows = 0, n = 0] = logits.shape;
      const table = Array.from({ length: rows }, (_, i) => values(logits).slice(i * n, (i + 1) * n));
      const expected = naive(table, targets);
      const at = int("b", targets);
      const program = record(
        () => {
          const { perToken, sum, mean } = crossEntropy(logits, at);
          return { perToken, sum, mean };
        },
        { inputs: { logits } },
      );
      const { outputs } = evaluate(gradients(program, "sum", ["logits"]));
      const got = (name: string): number[] => values(outputs[name] as Tensor);
      expect(got("sum")[0]).toBeCloseTo(expected.sum, 10);
      expect(got("mean")[0]).toBeCloseTo(expected.sum / expected.counted, 10);
      expect(got("perToken").length).toBe(rows);
      got("perToken").forEach((loss, i) => {
        if (targets[i] === IGNORED) expect(loss).toBe(0);
      });
      expected.slopes.flat().forEach((slope, i) => {
        expect(got("grad logits")[i]).toBeCloseTo(slope, 10);
      });
    }),
    { numRuns: 40 },
  );
});

test("[loss.shift] logits of thousands and of minus infinity give finite losses", () => {
  const loss = (rows: number[][], targets: number[]) =>
    values(crossEntropy(tensor("b n", rows), int("b", targets)).perToken);
  const one = Math.log(1 + Math.exp(-1));
  for (const far of [0, 5000, -5000]) expect(loss([[far, far - 1]], [0])[0]).toBeCloseTo(one, 12);
  expect(loss([[1, -Infinity]], [0])).toEqual([0]);
  expect(loss([[1000, 0]], [1])).toEqual([1000]);
  const logits = tensor("b n", [[1, 2]]);
  const program = record(() => ({ sum: crossEntropy(logits, int("b", [0])).sum }), { inputs: { logits } });
  const ops = gradients(program, "sum", ["logits"]).nodes.map(({ op }) => op);
  expect(ops.filter((op) => op === "maxTo")).toHaveLength(1);
  expect(ops).not.toContain("equal"); // which a maximum's derivative would use
});

test("[loss.counted] the mean of ignored targets alone is an error", () => {
  const logits = tensor("b n", [[1, 2]]);
  expect(() => crossEntropy(logits, int("b", [IGNORED]))).toThrow("all targets are ignored");
});

describe("[loss.targets] targets are checked", () => {
  const logits = randomTensor<"b l n">([2, 3, 4]);
  const ids = (...shape: number[]) => new Int<"b l">(shape, new Int32Array(6).fill(3));
  test("[loss.targets] a target must be a class or ignored", () => {
    expect(() => crossEntropy(logits, ids(2, 3))).not.toThrow();
    for (const wrong of [4, -1, -99])
      expect(() =>
        crossEntropy(
          logits,
          int("b l", [
            [0, 0, 0],
            [0, wrong, 0],
          ]),
        ),
      ).toThrow(`target ${wrong} is neither one of 4 classes`);
  });
  test("[loss.targets] targets must have the shape of the logits without their last axis", () => {
    expect(() => crossEntropy(logits, ids(3, 2))).toThrow("need targets [2 3], not [3 2]");
  });
});

test("[loss.datasets] losses are added with their weights", () => {
  const parts = [1, 0.2, 0.03].map((weight, i) => ({ weight, loss: tensor("", [], [10 ** i]) }));
  const [first, ...rest] = parts as [(typeof parts)[0], ...typeof parts];
  expect(values(weightedSum([first, ...rest]))[0]).toBeCloseTo(1 + 2 + 3, 12);
  expect(values(weightedSum([first]))).toEqual([1]);
});

const next = (ids: number[], options?: Parameters<typeof nextTokens>[1]): number[] => [
  ...nextTokens(int("b l", [ids, ids]), options)
    .flat()
    .subarray(ids.length),
];
const _ = IGNORED;

test("[targets.next] the target of each position is the next token; the last position has none", () => {
  expect(next([7, 8, 9])).toEqual([8, 9, _]);
  expect([
    ...nextTokens(
      int("b l", [
        [7, 8],
        [9, 6],
      ]),
    ).flat(),
  ]).toEqual([8, _, 6, _]);
});
test("[targets.image] positions before images and padding have no target", () => {
  expect(next([3, 7, 3, 8])).toEqual([7, _, 8, _]);
  expect(next([4, 7, 4, 8], { mediaTokenId: 4 })).toEqual([7, _, 8, _]);
  expect(next([3, 7, 0, 0], { padTokenId: 0 })).toEqual([7, _, _, _]);
});
test("[targets.before-first-image] text before the first image has targets by default and none as an option", () => {
  expect(next([7, 8, 3, 9])).toEqual([8, _, 9, _]);
  expect(next([7, 8, 3, 9], { beforeFirstImage: "ignore" })).toEqual([_, _, 9, _]);
});
