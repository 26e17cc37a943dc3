// The executable half of 18-attention-bias.md. Numbers of the sources: transformers 4.57.6 and torchscale 0.3.0 under torch 2.13.0.
import fc from "fast-check";
import { expect, test } from "vitest";
import { normal } from "../../../src/nn/parameter.ts";
import { alibi } from "../../../src/nn/positions/alibi.ts";
import { RelativePositionBias } from "../../../src/nn/positions/relative-bias.ts";
import { stateDict } from "../../../src/nn/state-dict.ts";
import { softmax } from "../../../src/tensor/ops/functions.ts";
import { type Tensor, tensor } from "../../../src/tensor/tensor.ts";
import { type Mat, range, type Vec } from "../../support/oracles/layers.ts";
import { forAll, from, list, weighted } from "../../support/oracles/modules.ts";
import {
  expectClose,
  replayEqualsEager,
  valuesOf,
  vjpEqualsFiniteDifferences,
} from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const biasOf = (heads: number, keys: number): Mat =>
  list<Mat>(alibi({ heads, keys })).map(([row]) => row ?? []);

test("[alibi.bias] the bias of a key is minus the slope times its distance from the last key", () => {
  // build_mpt_alibi_tensor(3, 4) of transformers 4.57.6
  expect(biasOf(3, 4)).toEqual(
    [
      [-3 / 16, -2 / 16, -1 / 16, 0],
      [-3 / 256, -2 / 256, -1 / 256, 0],
      [-3 / 4, -2 / 4, -1 / 4, 0],
    ].map((row) => row.map((value) => value + 0)),
  );
  expect(alibi({ heads: 3, keys: 4 }).shape).toEqual([3, 1, 4]);
  expect(alibi({ heads: 2, keys: 0 }).shape).toEqual([2, 1, 0]);
});

test("[alibi.bias] the softmax of causal scores is that of the paper's biases −slope·(l − s)", () => {
  forAll({ heads: from(1, 9), keys: from(1, 9) }, ({ heads, keys }) => {
    for (const row of biasOf(heads, keys)) {
      const slope = keys > 1 ? -(row[keys - 2] ?? NaN) : 0;
      for (const l of range(keys)) {
        const shared = row.slice(0, l + 1);
        const paper = range(l + 1).map((s) => -slope * (l - s));
        const [a, b] = [shared, paper].map((values) => valuesOf(softmax(tensor("s", values))));
        expectClose(a ?? [], b ?? [], 1e-14);
      }
    }
  });
});

test("[alibi.bias] the last keys of a longer text have the biases of a shorter one", () => {
  expect(biasOf(6, 9).map((row) => row.slice(4))).toEqual(biasOf(6, 5));
});

test("[alibi.slopes] [alibi.bias] slopes are 2^(−biasMax·h/n), in float32 where that is asked for", () => {
  const slopes = (heads: number, more: object = {}) =>
    valuesOf(alibi({ heads, keys: 2, ...more }))
      .filter((_, i) => i % 2 === 0)
      .map((v) => -v);
  expect(slopes(8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((h) => 2 ** -h)); // arXiv 2108.12409, §3: 1/2, 1/4, … 1/256 for 8 heads
  expect(slopes(2, { biasMax: 4 })).toEqual([1 / 4, 1 / 16]);
  expectClose(
    slopes(16),
    range(16).map((h) => 2 ** (-(h + 1) / 2)),
    1e-15,
  );
  // build_mpt_alibi_tensor(12, 2)
  const torch = [
    0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625, 0.7071067690849304,
    0.3535533845424652, 0.1767766922712326, 0.0883883461356163,
  ];
  expect(slopes(12, { precision: "float32" })).toEqual(torch);
  expect(slopes(12)[8]).toBe(1 / Math.SQRT2);
  // build_mpt_alibi_tensor(12, 9)[8] and the slopes 1, 3, 5 and 17 of build_mpt_alibi_tensor(128, 2)
  expect(list<Mat>(alibi({ heads: 12, keys: 9, precision: "float32" }))[8]).toEqual([
    [
      -5.656854152679443, -4.949747562408447, -4.242640495300293, -3.535533905029297, -2.8284270763397217,
      -2.1213202476501465, -1.4142135381698608, -0.7071067690849304, 0,
    ],
  ]);
  const many = slopes(128, { precision: "float32" });
  expect([0, 2, 4, 16].map((h) => many[h])).toEqual([
    0.9576033353805542, 0.8781261444091797, 0.8052452206611633, 0.4788016676902771,
  ]);
});

test("[alibi.heads] heads that are no power of two take every second slope of the next one", () => {
  // build_mpt_alibi_tensor(6, 4) and (8, 4), key 1
  expect(biasOf(6, 4).map((row) => row[1])).toEqual([-0.5, -0.125, -0.03125, -0.0078125, -1, -0.25]);
  expect(biasOf(8, 4).map((row) => row[1])).toEqual([
    -1, -0.5, -0.25, -0.125, -0.0625, -0.03125, -0.015625, -0.0078125,
  ]);
});

test("[alibi.heads] the slopes are those of the paper's code for every number of heads", () => {
  // get_slopes of the paper's repository (ofirpress/attention_with_linear_biases): the slopes of the power of two below, then every second
  // slope of the power above
  const ofPower = (n: number): Vec => range(n).map((h) => 2 ** (-8 * ((h + 1) / n)));
  const paper = (n: number): Vec => {
    const below = 2 ** Math.floor(Math.log2(n));
    const above = ofPower(2 * below).filter((_, h) => h % 2 === 0);
    return [...ofPower(below), ...above.slice(0, n - below)];
  };
  for (const n of range(70))
    expectClose(
      biasOf(n + 1, 2).map((row) => -(row[0] ?? NaN)),
      paper(n + 1),
      1e-15,
    );
});

/** The buckets of one query at position `keys` − 1 − `after` and all keys, by distance. */
const bucketsByDistance = (
  options: ConstructorParameters<typeof RelativePositionBias>[0],
  far: number,
): Vec => {
  const rows = list<Vec>(
    new RelativePositionBias({ ...options, heads: 1 }).buckets({ queries: 1, keys: 2 * far + 1, from: far }),
  );
  return rows[0] ?? [];
};

test("[relative.buckets] [relative.direction] buckets are torchscale's, from 30 keys before to 30 keys after", () => {
  // RelativePositionBias._relative_position_bucket(torch.arange(-30, 31), …) of torchscale 0.3.0
  expect(bucketsByDistance({}, 30)).toEqual([
    11, 11, 11, 11, 11, 11, 11, 11, 10, 10, 10, 10, 10, 10, 10, 9, 9, 9, 9, 8, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1,
    0, 17, 18, 19, 20, 21, 22, 23, 24, 24, 24, 24, 25, 25, 25, 25, 26, 26, 26, 26, 26, 26, 26, 27, 27, 27, 27,
    27, 27, 27, 27,
  ]);
  expect(bucketsByDistance({ bidirectional: false }, 30).slice(0, 33)).toEqual([
    20, 20, 20, 20, 19, 19, 19, 18, 18, 18, 17, 17, 16, 16, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3,
    2, 1, 0, 0, 0,
  ]);
  expect(
    bucketsByDistance({ bidirectional: false }, 30)
      .slice(30)
      .every((bucket) => bucket === 0),
  ).toBe(true);
  expect(bucketsByDistance({ numBuckets: 8, maxDistance: 20 }, 8)).toEqual([
    3, 3, 2, 2, 2, 2, 2, 1, 0, 5, 6, 6, 6, 6, 6, 7, 7,
  ]);
  expect(bucketsByDistance({}, 30)).toEqual(
    bucketsByDistance({ bidirectional: true, numBuckets: 32, maxDistance: 128 }, 30),
  );
});

test("[relative.buckets] both directions have the same bounds, buckets grow with the distance, and all are used", () => {
  const options = { numBuckets: fc.integer({ min: 4, max: 40 }), factor: from(2, 30) };
  forAll(options, ({ numBuckets, factor }) => {
    const half = Math.floor(numBuckets / 2);
    const maxDistance = Math.floor(half / 2) * factor;
    const buckets = bucketsByDistance({ numBuckets, maxDistance }, 2 * maxDistance);
    const [before, after] = [buckets.slice(0, 2 * maxDistance).reverse(), buckets.slice(2 * maxDistance + 1)];
    expect(after).toEqual(before.map((bucket) => bucket + half));
    expect(before).toEqual([...before].sort((a, b) => a - b));
    expect(before.slice(maxDistance).every((bucket) => bucket === half - 1)).toBe(true);
    expect(buckets[2 * maxDistance]).toBe(0);
  });
});

test("[relative.float32] on the bounds of buckets the float32 logarithm decides", () => {
  const of = (numBuckets: number, maxDistance: number) => {
    const bias = new RelativePositionBias({ bidirectional: false, numBuckets, maxDistance, heads: 1 });
    return (from: number) => list<Vec>(bias.buckets({ queries: 1, keys: 1, from }))[0]?.[0];
  };
  // RelativePositionBias._relative_position_bucket of torchscale 0.3.0. 5 ln(8/4)/ln(128/4) is 1; in float64 it would be below.
  expect([7, 8, 9].map(of(9, 128))).toEqual([4, 5, 5]);
  expect(Math.trunc((Math.log(2) / Math.log(32)) * 5)).toBe(0);
  const bounds = [5, 6, 11, 12, 23, 24, 47, 48, 95, 96, 191, 192, 383, 384, 999];
  expect(bounds.map(of(12, 384))).toEqual([5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 11, 11]);
});

test("[relative.buckets] too few buckets and too small a distance are refused", () => {
  const message = (options: object) => refusal(() => new RelativePositionBias(options)).message;
  expect(message({ numBuckets: 3 })).toContain(
    "numBuckets is 3; it must be at least 4, two for each direction",
  );
  expect(message({ numBuckets: 1, bidirectional: false })).toContain(
    "numBuckets is 1; it must be at least 2",
  );
  expect(message({ maxDistance: 8 })).toContain("maxDistance is 8; it must be above 8");
  expect(() => new RelativePositionBias({ numBuckets: 4, maxDistance: 2 })).not.toThrow();
  const endless = () => new RelativePositionBias().buckets({ queries: 2 ** 20, keys: 2 ** 20 });
  expect(refusal(endless).rule).toBe("options.bounds");
  expect(
    () => new RelativePositionBias({ numBuckets: 2, maxDistance: 2, bidirectional: false }),
  ).not.toThrow();
});

test("[relative.table] the bias of head h is its column of the table; a table has gradients, and replay equals eager", async () => {
  const bias = weighted(new RelativePositionBias({ numBuckets: 8, maxDistance: 20, heads: 3 }), 1);
  const call = { queries: 4, keys: 6, from: 2 };
  const table = list<Vec>(bias.relative_attention_bias.weight);
  const buckets = list<Vec>(bias.buckets(call));
  const expected = range(3).map((h) => buckets.map((row) => row.map((bucket) => table[bucket]?.[h] ?? NaN)));
  expect(list<Mat>(bias.forward(call))).toEqual(expected);
  expect(
    [...stateDict(new RelativePositionBias()).entries()].map(([name, { shape }]) => [name, ...shape]),
  ).toEqual([["relative_attention_bias.weight", 32, 12]]);
  await replayEqualsEager(() => bias.forward(call), { model: bias });
  const weight: Tensor = bias.relative_attention_bias.weight;
  vjpEqualsFiniteDifferences(() => softmax(bias.forward(call)), { weight });
});

test("[relative.table] the table has the given distribution, which is normal with deviation 1 unless it is given", () => {
  for (const [initial, std] of [
    [undefined, 1],
    [normal(0.02), 0.02],
  ] as const) {
    const { relative_attention_bias } = new RelativePositionBias({ numBuckets: 100, heads: 100, initial });
    const drawn = valuesOf(relative_attention_bias.weight);
    const deviation = Math.sqrt(drawn.reduce((a, b) => a + b * b, 0) / drawn.length);
    expect(Math.abs(deviation / std - 1)).toBeLessThan(0.04); // five standard errors of 10,000 numbers
  }
});

test("[relative.table] a query's buckets depend on its distance to the keys only", () => {
  const bias = new RelativePositionBias({ numBuckets: 8, maxDistance: 20 });
  const whole = list<Vec>(bias.buckets({ queries: 9, keys: 9 }));
  expect(list<Vec>(bias.buckets({ queries: 1, keys: 9, from: 8 }))).toEqual([whole[8]]);
  expect(list<Vec>(bias.buckets({ queries: 3, keys: 9, from: 4 }))).toEqual(whole.slice(4, 7));
  for (const l of range(8)) expect(whole[l + 1]?.slice(1)).toEqual(whole[l]?.slice(0, 8));
});
