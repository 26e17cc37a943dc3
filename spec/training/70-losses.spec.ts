// The executable half of 70-losses.md.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crossEntropy, IGNORED } from "../../src/nn/cross-entropy.ts";
import { gradients } from "../../src/tensor/autodiff/gradients.ts";
import { evaluate } from "../../src/tensor/program/evaluate.ts";
import { record } from "../../src/tensor/program/record.ts";
import { bool, flat, Int, int, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { weightedSum } from "../../src/training/losses.ts";
import { nextTokens, type TargetOptions } from "../../src/training/targets.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { refusal } from "../support/properties/refusals.ts";

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

/** The lengths of all typed arrays in the attributes of a node. */
const heldBy = (value: unknown): number[] =>
  ArrayBuffer.isView(value)
    ? [(value as Uint8Array).length]
    : typeof value === "object" && value !== null
      ? Object.values(value).flatMap(heldBy)
      : [];

test("[loss.memory] the forward pass holds nothing in the size of the logits, and the derivative no mask", () => {
  const logits = randomTensor<"b l n">([2, 8, 500]);
  const targets = int(
    "b l",
    Array.from({ length: 2 }, () => Array.from({ length: 8 }, (_, i) => (i === 3 ? IGNORED : 60 * i))),
  );
  const forward = record(() => ({ mean: crossEntropy(logits, targets).mean }), { inputs: { logits } });
  const large = (sizes: readonly number[]) => sizes.filter((size) => size > 16);
  const computed = forward.nodes.filter(({ op }) => op !== "leaf");
  expect(large(computed.map(({ shape }) => shape.reduce((a, b) => a * b, 1)))).toEqual([]);
  for (const program of [forward, gradients(forward, "mean", ["logits"])])
    expect(large(program.nodes.flatMap(({ attrs }) => heldBy(attrs)))).toEqual([]);
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

test("[loss.datasets] [loss.targets] wrong arguments are refused", () => {
  const loss = tensor("", [], [1]);
  for (const parts of [[], null, [{ weight: NaN, loss }], [{ weight: 1 }], [{ weight: "1", loss }]])
    expect(refusal(() => weightedSum(parts as never)).rule).toBe("loss.datasets");
  const logits = tensor("l n", [[1, 2]]);
  for (const [first, second] of [
    [null, int("l", [0])],
    [logits, [0]],
    [logits, tensor("l", [0])],
  ])
    expect(refusal(() => crossEntropy(first as never, second as never)).rule).toBe("loss.targets");
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
  expect(next([3, 7, 0, 0], { padTokenId: 0, endTokenId: 2 })).toEqual([7, _, _, _]);
});

describe("padding", () => {
  // https://github.com/NVIDIA-NeMo/Megatron-Bridge/pull/4660, https://github.com/huggingface/trl/pull/6357: one id pads and ends.
  const text = [1, 3, 7, 8, 2, 2, 2];
  // torch 2.13: labels = ids.masked_fill(attention_mask == 0, -100), shifted by one; the image token is ignored as well
  const right = [_, 7, 8, 2, _, _, _];

  test("[targets.end] where the pad token ends texts, the first of a trailing run is a target", () => {
    expect(next(text, { padTokenId: 2 })).toEqual(right);
    expect(next(text, { padTokenId: 2, endTokenId: 2 })).toEqual(right);
    expect(next([7, 8, 2], { padTokenId: 2 })).toEqual([8, 2, _]);
    expect(next([2, 2, 7, 8, 2], { padTokenId: 2 })).toEqual([_, 7, 8, 2, _]); // padded on the left
    expect(next([7, 2, 8, 9, 2, 2], { padTokenId: 2 })).toEqual([2, 8, 9, 2, _, _]); // two packed texts
    expect(next([2, 2, 2], { padTokenId: 2 })).toEqual([_, _, _]);
  });

  test("[targets.end] a token that pads only is padding everywhere", () => {
    expect(next([7, 0, 8, 2, 0, 0], { padTokenId: 0, endTokenId: 2 })).toEqual([_, 8, 2, _, _, _]);
    expect(next([7, 0, 8, 2, 0, 0], { endTokenId: 2 })).toEqual([0, 8, 2, 0, 0, _]);
  });

  test("[targets.padding] a mask or lengths decide alone", () => {
    const ids = [text, [7, 2, 2, 8, 9, 2, 2]];
    const mask = bool("b l", [
      [true, true, true, true, true, false, false],
      [true, true, true, true, true, true, true],
    ]);
    const targets = [...right, 2, 2, 8, 9, 2, 2, _];
    const of = (options: TargetOptions) => [...nextTokens(int("b l", ids), options).flat()];
    expect(of({ mask })).toEqual(targets);
    expect(of({ lengths: [5, 7] })).toEqual(targets);
    expect(of({ lengths: [5, 7], padTokenId: 7, endTokenId: 1 })).toEqual(targets);
    expect(of({ lengths: [0, 1] }).every((target) => target === _)).toBe(true);
  });

  test("[targets.padding] mask and lengths of another batch, and both together, are refused", () => {
    const two = int("b l", [text, text]);
    const mask = bool("b l", [[true, true]]);
    expect(() => nextTokens(two, { mask })).toThrow(/in nextTokens: axis "b" disagrees/);
    for (const lengths of [[5], [5, 8]])
      expect(refusal(() => nextTokens(two, { lengths })).rule).toBe("targets.padding");
    expect(refusal(() => nextTokens(two, { mask, lengths: [5, 5] })).rule).toBe("targets.padding");
    for (const bad of [
      { padTokenId: 0.5 },
      { lengths: [-1, 2] },
      { mask: [[true]] },
      { mediaTokenId: "3" },
      { beforeFirstImage: "no" },
    ])
      expect(refusal(() => nextTokens(two, bad as never)).rule).toBe("options.values");
    expect(refusal(() => nextTokens(tensor("b l", [[1, 2]]) as never)).rule).toBe("targets.next");
    expect(() => nextTokens([[1, 2]] as never)).toThrow("text is no array; give a tensor with the axes b l");
  });
});
test("[targets.before-first-image] text before the first image has targets by default and none as an option", () => {
  expect(next([7, 8, 3, 9])).toEqual([8, _, 9, _]);
  expect(next([7, 8, 3, 9], { beforeFirstImage: "ignore" })).toEqual([_, _, 9, _]);
});
