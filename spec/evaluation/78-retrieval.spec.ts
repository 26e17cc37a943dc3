// The executable half of 78-retrieval.md. golden/data/open-flamingo-evaluation.json has what the release's RICES finds among random vectors.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { imageFeatures, mostSimilar, towerOf } from "../../src/evaluation/retrieval.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import { Linear } from "../../src/nn/linear.ts";
import { initialize } from "../../src/nn/state-dict.ts";
import { rearrange } from "../../src/tensor/ops/arrange.ts";
import { named } from "../../src/tensor/pattern.ts";
import { Tensor, view } from "../../src/tensor/tensor.ts";
import { list } from "../support/oracles/modules.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { refusalOf } from "../support/properties/refusals.ts";

interface Released {
  readonly features: number[][];
  readonly normalized: number[][];
  readonly queries: number[][];
  readonly found: Readonly<Record<string, number[][]>>;
}
const { retrieval }: { retrieval: Released } = JSON.parse(
  readFileSync("golden/data/open-flamingo-evaluation.json", "utf8"),
);

/** Images whose features are their pixels. */
const pixels = (rows: readonly (readonly number[])[]): Tensor<"b c h w"> => {
  const shape = [rows.length, rows[0]?.length ?? 0, 1, 1];
  return new Tensor(shape, view(Float64Array.from(rows.flat()), shape));
};
const tower = {
  features: (images: Tensor<"b c h w">) => named("b d", rearrange("b c h w -> b (c h w)", images)),
};

test("[evaluate.features] [evaluate.retrieval] what the release finds among random vectors of unequal lengths", async () => {
  const examples = await imageFeatures(tower, [
    pixels(retrieval.features.slice(0, 4)),
    pixels(retrieval.features.slice(4)),
  ]);
  for (const [i, feature] of examples.entries())
    for (const [at, x] of feature.entries())
      expect(x).toBeCloseTo(retrieval.normalized[i]?.[at] ?? Number.NaN, 14);
  const queries = await imageFeatures(tower, [pixels(retrieval.queries)]);
  for (const [k, found] of Object.entries(retrieval.found))
    expect(queries.map((query) => mostSimilar(query, examples, Number(k)))).toEqual(found);
});

test("[evaluate.retrieval] of equal examples the first is the more similar, and fewer than k are all taken", () => {
  const feature = (...x: number[]): Float64Array => Float64Array.from(x);
  const examples = [feature(0, 1), feature(1, 0), feature(0, 1), feature(1, 0), feature(0, 1)];
  expect(mostSimilar(feature(1, 0), examples, 2)).toEqual([3, 1]);
  expect(mostSimilar(feature(1, 0), examples, 9)).toEqual([4, 2, 0, 3, 1]);
  expect(mostSimilar(feature(1, 0), examples, 0)).toEqual([]);
  expect(mostSimilar(feature(1, 0), [], 3)).toEqual([]);
});

test("[evaluate.features] features are computed on a backend, with the tower's parameters", async () => {
  const proj = initialize(new Linear("c -> d", 12, 5), 3);
  const projected = {
    model: proj,
    features: (images: Tensor<"b c h w">) =>
      named("b d", proj.forward(named("b c", rearrange("b c h w -> b (c h w)", images)))),
  };
  const images = randomTensor<"b c h w">([3, 3, 2, 2], 4);
  const expected = list<number[]>(projected.features(images)).map((row) =>
    row.map((x) => x / Math.hypot(...row)),
  );
  const backend = await simd({ threads: 1 });
  try {
    const exact = await imageFeatures(projected, [images]);
    const fast = await imageFeatures(projected, [images], { backend });
    for (const [i, row] of expected.entries())
      for (const [at, x] of row.entries()) {
        expect(exact[i]?.[at]).toBeCloseTo(x, 14);
        expect(fast[i]?.[at]).toBeCloseTo(x, 5);
      }
  } finally {
    await backend.close();
  }
});

test.each([[[0, 0]], [[Number.NaN, 1]], [[Number.POSITIVE_INFINITY, 1]]])(
  "[evaluate.features] the features %j have no direction",
  async (row) => {
    const { message } = await refusalOf(() => imageFeatures(tower, [pixels([[1, 2], row])]));
    expect(message).toContain("the features of image 1 have the length");
  },
);

test("[evaluate.mean-of-tokens] an encoder has its own features, or the mean of its tokens", async () => {
  const encoder = {
    forward: (images: Tensor<"b c h w">) => named("b n d", rearrange("b c h w -> b (h w) c", images)),
  };
  const images = randomTensor<"b c h w">([2, 3, 2, 4], 4);
  const [, second = []] = list<number[][][]>(images);
  const means = second.map((plane) => plane.flat().reduce((sum, x) => sum + x / 8, 0));
  const [, feature] = await imageFeatures(towerOf(encoder), [images]);
  for (const [i, x] of means.entries()) expect(feature?.[i]).toBeCloseTo(x / Math.hypot(...means), 14);
  expect(towerOf({ ...encoder, ...tower })).toMatchObject(tower);
});
