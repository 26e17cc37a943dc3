// The executable half of 10-perceiver-resampler.md. The loops are those of docs/examples/flamingo-as-loops.mjs.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { perceiverAttention, perceiverResampler } from "../../docs/examples/flamingo-as-loops.mjs";
import { PerceiverAttention } from "../../src/blocks/perceiver-attention.ts";
import { PerceiverResampler, type PerceiverResamplerOptions } from "../../src/blocks/perceiver-resampler.ts";
import { releaseMessage } from "../../src/conformance/releases/message.ts";
import { RuleError, ShapeError } from "../../src/tensor/errors.ts";
import type { Any, Tensor } from "../../src/tensor/tensor.ts";
import { linear, type Mat, norm, under } from "../support/oracles/layers.ts";
import {
  expectNear,
  forAll,
  from,
  list,
  seeds,
  tapsOf,
  weighted,
  weightsOf,
} from "../support/oracles/modules.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import {
  aBatchEqualsItsRows,
  changedAt,
  joined,
  permutingChangesNothing,
  permutingPermutes,
  taken,
} from "../support/properties/models.ts";
import { expectSame, replayEqualsEager, valuesOf } from "../support/properties/programs.ts";
import { shapeRefusal } from "../support/properties/refusals.ts";

const sizes = {
  b: from(1, 2),
  m: from(0, 3),
  s: from(0, 4),
  r: from(1, 4),
  dim: from(1, 5),
  heads: from(1, 3),
  dimHead: from(1, 3),
  seed: seeds,
};
const small = { dim: 6, depth: 2, heads: 2, dimHead: 4, numLatents: 3, ffMult: 2 };
const resampler = (options: Partial<PerceiverResamplerOptions> = {}, seed = 1) =>
  weighted(new PerceiverResampler({ ...small, ...options }), seed);
const features = (b: number, m: number, s: number, dim = 6): Tensor<"b m s d"> =>
  randomTensor([b, m, s, dim], 10 * b + m + s, (x) => 2 * x);
/** The same numbers under other position embeddings. */
const placed = (model: PerceiverResampler, change: (positions: Tensor) => Tensor): PerceiverResampler => {
  const other = resampler({ numMediaEmbeds: model.media_pos_emb.shape[0] });
  other.media_pos_emb.assign(change(model.media_pos_emb).data);
  return other;
};

test("[resampler.attend] attention equals the loop", () => {
  forAll(sizes, ({ b, m, s, r, dim, heads, dimHead, seed }) => {
    const attn = weighted(new PerceiverAttention({ dim, heads, dimHead }), seed);
    const x = randomTensor<"b m s d">([b, m, s, dim], seed);
    const latents = randomTensor<"b m r d">([b, m, r, dim], seed + 1);
    const w = weightsOf(attn);
    const expected = list<readonly Mat[]>(x).map((media, i) =>
      media.map((image, j) =>
        perceiverAttention(w, image, list<readonly Mat[]>(latents)[i]?.[j] ?? [], heads),
      ),
    );
    expectNear(attn.forward(x, latents), expected);
  });
});

test("[resampler.concat] keys are the features, then the latents, each normalised by its own norm", () => {
  const attn = weighted(new PerceiverAttention({ dim: 6, heads: 1, dimHead: 4 }), 2);
  const [x, latents] = [features(1, 1, 4), randomTensor<"b m r d">([1, 1, 3, 6], 5)];
  const w = weightsOf(attn);
  const [image = [], own = []] = [x, latents].map((t) => list<readonly Mat[]>(t)[0]?.[0] ?? []);
  const z = own.map((row) => norm(under(w, "norm_latents"), row));
  const seen = [...image.map((row) => norm(under(w, "norm_media"), row)), ...z];
  const keys = seen.map((row) => linear(under(w, "to_kv"), row).slice(0, 4));
  const queries = z.map((row) => linear(under(w, "to_q"), row));
  const scores = queries.map((q) =>
    keys.map((k) => q.reduce((sum, v, c) => sum + (v * (k[c] ?? NaN)) / 2, 0)),
  );
  expectNear(tapsOf(attn, () => attn.forward(x, latents)).scores as Tensor, [[[scores]]]);
});

test("[resampler.concat] without features the latents attend to themselves", () => {
  const attn = weighted(new PerceiverAttention({ dim: 6, heads: 2, dimHead: 4 }), 2);
  const [none, latents] = [features(1, 1, 0), randomTensor<"b m r d">([1, 1, 3, 6], 5)];
  const own = list<readonly Mat[]>(latents)[0]?.[0] ?? [];
  expectNear(attn.forward(none, latents), [[perceiverAttention(weightsOf(attn), [], own, 2)]]);
});

test("[resampler.layers] the resampler equals the loop, for any depth", () => {
  forAll({ ...sizes, depth: from(0, 3) }, ({ b, m, s, r, dim, heads, dimHead, seed, depth }) => {
    const options = { dim, depth, heads, dimHead, numLatents: r, ffMult: 2, numMediaEmbeds: 3 };
    const model = weighted(new PerceiverResampler(options), seed);
    const x = randomTensor<"b m s d">([b, m, s, dim], seed);
    const expected = list<readonly Mat[]>(x).map((media) =>
      perceiverResampler(weightsOf(model), media, depth, heads),
    );
    expectNear(model.forward(x), expected);
  });
});

test("[resampler.layers] replay equals eager", async () => {
  const [model, x] = [resampler(), features(2, 2, 3)];
  await replayEqualsEager(() => model.forward(x), { model, inputs: { x } });
});

test("[resampler.layers] a batch equals its rows one by one", () => {
  const model = resampler();
  aBatchEqualsItsRows((x: Tensor<"b m s d">) => model.forward(x), features(3, 2, 4));
});

test("[resampler.latents] permuting the latents permutes the outputs", () => {
  const x = features(2, 2, 4);
  const model = resampler({ numLatents: 5 });
  const withLatents = (latents: Tensor): Tensor => {
    const other = resampler({ numLatents: 5 });
    other.latents.assign(latents.data);
    return other.forward(x);
  };
  permutingPermutes(withLatents, model.latents, 0, 2);
});

test("[resampler.latents] changing an image changes its own latents only", () => {
  const [model, x] = [resampler(), features(2, 3, 4)];
  const before = model.forward(x);
  for (const k of [0, 1, 2]) {
    const after = model.forward(changedAt(x, 1, k) as Tensor<"b m s d">);
    const others = [0, 1, 2].filter((m) => m !== k);
    expectSame(taken(after, 1, others), taken(before, 1, others));
    expect(valuesOf(taken(after, 1, [k]))).not.toEqual(valuesOf(taken(before, 1, [k])));
  }
});

test("[resampler.latents] the order of an image's features does not matter", () => {
  const model = resampler();
  permutingChangesNothing((x: Tensor<"b m s d">) => model.forward(x), features(2, 2, 5), 2);
});

test("[resampler.norm] every output latent is normalised with the scale and bias of the last norm", () => {
  const [model, x] = [resampler(), features(1, 2, 3)];
  const raw = valuesOf(model.forward(x));
  const [scale, bias] = [valuesOf(model.norm.weight), valuesOf(model.norm.bias as Tensor)];
  for (let i = 0; i < raw.length; i += 6) {
    const plain = raw.slice(i, i + 6).map((v, d) => (v - (bias[d] ?? 0)) / (scale[d] ?? 1));
    expect(Math.abs(plain.reduce((sum, v) => sum + v, 0))).toBeLessThan(1e-12);
    expect(plain.reduce((sum, v) => sum + v * v, 0) / 6).toBeCloseTo(1, 4); // up to ε
  }
});

test("[resampler.media-position] the m-th position embedding, and nothing else, is added to the m-th image", () => {
  const model = resampler({ numMediaEmbeds: 4 }); // one more than there are images
  const x = features(2, 3, 4);
  const zero = (t: Tensor): Tensor => randomTensor(t.shape, 1, () => 0);
  const shifted = randomTensor(x.shape, 1, () => 0);
  const [from_, at, positions] = [valuesOf(x), valuesOf(shifted), valuesOf(model.media_pos_emb)];
  for (let i = 0; i < at.length; i++) {
    const m = Math.floor(i / (4 * 6)) % 3;
    shifted.data.data[i] = (from_[i] ?? 0) + (positions[m * 6 + (i % 6)] ?? 0);
  }
  expectSame(placed(model, zero).forward(shifted as Tensor<Any>), model.forward(x));
});

test("[resampler.media-position] the same image in another place gives other latents, unless the position embeddings are equal", () => {
  const model = resampler({ numMediaEmbeds: 2 });
  const one = features(1, 1, 3);
  const twice = joined(one, one, 1) as Tensor<"b m s d">;
  const out = model.forward(twice);
  expect(valuesOf(taken(out, 1, [0]))).not.toEqual(valuesOf(taken(out, 1, [1])));
  const level = placed(model, (positions) => taken(positions, 0, [1, 1])).forward(twice);
  expectSame(taken(level, 1, [0]), taken(level, 1, [1]));
});

test("[resampler.one-image] features with three axes are those of one image", () => {
  const model = resampler();
  const x = features(2, 1, 4);
  const flatter = randomTensor<"b s d">([2, 4, 6], 1);
  flatter.data.data.set(valuesOf(x));
  const out = model.forward(flatter);
  expect(out.shape).toEqual([2, 1, 3, 6]);
  expectSame(out, model.forward(x));
});

test("[resampler.media-limit] more images than position embeddings are refused with both numbers", () => {
  const model = resampler({ numMediaEmbeds: 4 });
  expect(model.forward(features(1, 4, 2)).shape).toEqual([1, 4, 3, 6]);
  const refused = () => model.forward(features(1, 5, 2));
  expect(refused).toThrow(RuleError);
  expect(refused).toThrow("5 images or videos, but numMediaEmbeds is 4");
  expect(() => resampler({ numMediaEmbeds: 1 }).forward(features(1, 2, 2))).toThrow("numMediaEmbeds is 1");
});

test("[resampler.media-limit] the error has the release's message; with a single position the release raises none", () => {
  const path = "golden/cases/flamingo-pytorch/perceiver-resampler--too-many-media/case.json";
  const { raises } = JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
  const released = (limit: number, m: number): string | null => {
    try {
      resampler({ numMediaEmbeds: limit }).forward(features(1, m, 2));
    } catch (error) {
      if (error instanceof RuleError) return releaseMessage(error);
    }
    return "nothing was refused";
  };
  expect(released(4, 5)).toBe(`${raises.type}: ${raises.message}`);
  expect(released(1, 5)).toBe(null);
});

test("[resampler.attend] errors of wrong shapes name the axes", () => {
  const model = resampler();
  expect(() => model.forward(features(1, 1, 2, 5))).toThrow(ShapeError);
  expect(() => model.forward(features(1, 1, 2, 5))).toThrow(
    /in PerceiverResampler: axis "d" disagrees[\s\S]*<- axis "d" disagrees: 6, was 5/,
  );
  expect(() => model.forward(randomTensor([2, 6]) as Tensor<Any>)).toThrow(ShapeError);
  const attn = new PerceiverAttention({ dim: 6 });
  expect(() => attn.forward(features(1, 2, 2), randomTensor([1, 1, 3, 6]) as Tensor<Any>)).toThrow(
    /axis "m" disagrees/,
  );
  expect(() => attn.forward(features(1, 1, 2, 5), randomTensor([1, 1, 3, 5]) as Tensor<Any>)).toThrow(
    /axis "d" disagrees/,
  );
});

test("[resampler.attend] shapes that the release refuses are refused in its words", () => {
  const released = (call: () => unknown) => releaseMessage(shapeRefusal(call));
  // torch 2.13 on flamingo-pytorch 0.1.2
  for (const shape of [
    [1, 1, 3, 13],
    [1, 3, 13],
  ])
    expect(released(() => resampler({ dim: 12 }).forward(randomTensor(shape) as Tensor<Any>))).toBe(
      "RuntimeError: The size of tensor a (13) must match the size of tensor b (12) at non-singleton dimension 3",
    );
  const attn = new PerceiverAttention({ dim: 12, dimHead: 4, heads: 2 });
  const attend = (x: number[], latents: number[]) => () =>
    attn.forward(randomTensor(x) as Tensor<Any>, randomTensor(latents) as Tensor<Any>);
  const width =
    "RuntimeError: Given normalized_shape=[12], expected input with shape [*, 12], but got input of size";
  const join =
    "RuntimeError: Sizes of tensors must match except in dimension 2. Expected size 1 but got size 2 for tensor number 1 in the list.";
  expect(released(attend([1, 1, 3, 13], [1, 1, 2, 12]))).toBe(`${width}[1, 1, 3, 13]`);
  expect(released(attend([1, 1, 3, 12], [1, 1, 2, 13]))).toBe(`${width}[1, 1, 2, 13]`);
  expect(released(attend([1, 1, 3, 13], [1, 1, 2, 11]))).toBe(`${width}[1, 1, 3, 13]`); // the features' norm comes first
  expect(released(attend([1, 1, 3, 12], [1, 2, 2, 12]))).toBe(join);
  expect(released(attend([1, 1, 3, 12], [2, 1, 2, 12]))).toBe(join);
  expect(released(attend([1, 3, 12], [2, 2, 12]))).toBe(null); // torch names another dimension there
});

test("[resampler.attend] no features, no images and no latents are computed, as by the release", () => {
  expect(resampler().forward(features(1, 1, 0)).shape).toEqual([1, 1, 3, 6]);
  expect(resampler().forward(features(1, 0, 2)).shape).toEqual([1, 0, 3, 6]);
  const attn = new PerceiverAttention({ dim: 6, dimHead: 4, heads: 2 });
  expect(attn.forward(features(1, 1, 2), randomTensor([1, 1, 0, 6]) as Tensor<Any>).shape).toEqual([
    1, 1, 0, 6,
  ]);
});
