// The executable half of 53-open-flamingo.md. Whole models are compared with the release in golden/cases/open-flamingo.
import { expect, test } from "vitest";
import { GatedCrossAttentionBlock } from "../../../src/blocks/gated-cross-attention-block.ts";
import { conventions, locate, visibilityOf } from "../../../src/masks/index.ts";
import {
  type DecoderLayer,
  type Decoding,
  decodingOf,
  type LanguageModel,
  noPadding,
} from "../../../src/models/language-model.ts";
import { LlamaForCausalLM } from "../../../src/models/language-models/llama.ts";
import { OpenFlamingo, type OpenFlamingoOptions } from "../../../src/models/open-flamingo/flamingo.ts";
import { FlamingoLayer } from "../../../src/models/open-flamingo/flamingo-layer.ts";
import {
  OpenFlamingoResampler,
  type OpenFlamingoResamplerOptions,
} from "../../../src/models/open-flamingo/perceiver-resampler.ts";
import { Linear } from "../../../src/nn/linear.ts";
import { stateDict } from "../../../src/nn/state-dict.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { rearrange } from "../../../src/tensor/ops/arrange.ts";
import { sumAll } from "../../../src/tensor/ops/functions.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Bool, flat, Int, type Tensor } from "../../../src/tensor/tensor.ts";
import { perceiverResampler } from "../../support/oracles/blocks.ts";
import type { Mat, Nested } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, list, seeds, weighted, weightsOf } from "../../support/oracles/modules.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { expectSame } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const IMAGE = 5;
const sizes = { vocabSize: 9, hiddenSize: 8, intermediateSize: 6, numAttentionHeads: 2 };
const llama = (layers = 3) => new LlamaForCausalLM({ ...sizes, numHiddenLayers: layers });

/** Every pixel of a 2 × 2 image is a token of width 3. */
class Pixels {
  proj = new Linear("c -> d", 3, 3, { bias: false });

  forward(images: Tensor<"b c h w">): Tensor<"b n d"> {
    return named("b n d", this.proj.forward(rearrange("b c h w -> b (h w) c", images)));
  }
}

const flamingo = (options: Partial<OpenFlamingoOptions> = {}) =>
  weighted(
    new OpenFlamingo({
      visionEncoder: new Pixels(),
      langEncoder: llama(),
      eocTokenId: 6,
      mediaTokenId: IMAGE,
      visDim: 3,
      perceiver: { depth: 1, dimHead: 2, heads: 2, numLatents: 2 },
      crossAttn: { dimHead: 4, heads: 2 },
      ...options,
    }),
    1,
  );
const images = (b: number, m: number, f = 1): Tensor<"b m f c h w"> => randomTensor([b, m, f, 3, 2, 2], 7);
const text = (...rows: readonly (readonly number[])[]) =>
  new Int<"b l">([rows.length, rows[0]?.length ?? 0], Int32Array.from(rows.flat()));

/** For each layer of a model of five layers, 1 if it has cross-attention. */
const gates = (crossAttnEveryNLayers?: number, crossAttnFirstLayer?: number) =>
  flamingo({ langEncoder: llama(5), crossAttnEveryNLayers, crossAttnFirstLayer })
    .lang_encoder.layers.map((layer) =>
      Number(layer instanceof FlamingoLayer && layer.gated_cross_attn_layer !== null),
    )
    .join("");

test("[openflamingo.every] the layers n − 1, 2n − 1, … have cross-attention", () => {
  expect([gates(), gates(1), gates(2), gates(3), gates(6)]).toEqual([
    "11111",
    "11111",
    "01010",
    "00100",
    "00000",
  ]);
});

test("[openflamingo.first-layer] layers before the first one have no cross-attention", () => {
  expect([gates(1, 0), gates(1, 3), gates(2, 2), gates(3, 2), gates(3, 3), gates(1, 5)]).toEqual([
    "11111",
    "00011",
    "00010",
    "00100",
    "00000",
    "00000",
  ]);
});

test("[openflamingo.layer] cross-attention stands in front of the layer, which is given mask and cache", () => {
  const cross = weighted(
    new GatedCrossAttentionBlock({
      dim: 8,
      dimMedia: 3,
      heads: 2,
      dimHead: 4,
      convention: conventions["open-flamingo@2.0.1"],
    }),
    2,
  );
  const decoder = weighted(llama(1), 3).layers[0] as DecoderLayer;
  const x = randomTensor<"b l d">([1, 4, 8], 4);
  const media = randomTensor<"b m r e">([1, 2, 2, 3], 5);
  const visibility = visibilityOf(
    locate(text([1, IMAGE, 2, IMAGE]), IMAGE),
    2,
    conventions["open-flamingo@2.0.1"],
  );
  const at: Decoding = { ...decodingOf(noPadding(1, 6), 4), media, visibility };
  const past = { k: randomTensor([1, 2, 2, 4], 6), v: randomTensor([1, 2, 2, 4], 8) };
  const { x: y, now } = new FlamingoLayer(cross, decoder).forward(x, at, past);
  const expected = decoder.forward(cross.forward(x, media, { visibility }), at, past);
  expectSame(y, expected.x);
  expectSame(now.k, expected.now.k);
  const plain = decoder.forward(x, at, past);
  expectSame(new FlamingoLayer(null, decoder).forward(x, at, past).x, plain.x);
  expect([...flat(y.data)]).not.toEqual([...flat(plain.x.data)]);
});

test("[openflamingo.encode] images are encoded one by one, without a derivative of the encoder", () => {
  const model = flamingo();
  const visionX = images(2, 3);
  const all = model.perceive(visionX);
  const values = flat(visionX.data);
  for (const [b, m] of [
    [0, 0],
    [1, 2],
  ] as const) {
    const at = (b * 3 + m) * 12;
    const one = randomTensor<"b m f c h w">([1, 1, 1, 3, 2, 2], 1);
    one.data.data.set(values.subarray(at, at + 12));
    const alone = flat(model.perceive(one).data);
    expect([...flat(all.data).subarray((b * 3 + m) * 6, (b * 3 + m + 1) * 6)]).toEqual([...alone]);
  }
  const program = record(
    () => sumAll(model.forward({ visionX: images(1, 1), langX: text([IMAGE, 1]) }).logits),
    {
      model,
    },
  );
  const names = ["vision_encoder.proj.weight", "perceiver.latents"];
  const slopes = evaluate(gradients(program, "out", names)).outputs;
  const [encoder, latents] = names.map((name) => [...flat((slopes[gradientOf(name)] as Tensor).data)]);
  expect(encoder?.every((slope) => slope === 0)).toBe(true);
  expect(latents?.every((slope) => slope === 0)).toBe(false);
});

test("[openflamingo.one-frame] an image of two frames is refused, in the words of the release", () => {
  const error = refusal(() => flamingo().perceive(images(1, 1, 2)));
  expect([error.rule, error.upstream]).toEqual([
    "openflamingo.one-frame",
    "AssertionError: Only single frame supported",
  ]);
});

const resampler = (options: Partial<OpenFlamingoResamplerOptions>, seed = 1) =>
  weighted(
    new OpenFlamingoResampler({ dim: 4, depth: 2, dimHead: 2, heads: 2, numLatents: 3, ...options }),
    seed,
  );

test("[openflamingo.resampler] [openflamingo.frames] [openflamingo.media-time] the resampler equals the loop, with any embeddings", () => {
  const shapes = {
    m: from(1, 3),
    f: from(1, 3),
    s: from(1, 3),
    depth: from(0, 2),
    media: from(0, 1),
    frames: from(0, 1),
    seed: seeds,
  };
  forAll(shapes, ({ m, f, s, depth, media, frames, seed }) => {
    const model = resampler({ depth, maxNumMedia: media ? 4 : null, maxNumFrames: frames ? 3 : null }, seed);
    const x = randomTensor<"b m f s d">([2, m, f, s, 4], seed);
    const w = weightsOf(model);
    const added = (w.frame_embs ?? []) as Mat;
    const rows = list<readonly (readonly Mat[])[]>(x).map((texts) => {
      const joined = texts.map((image) =>
        image.flatMap((frame, i) => frame.map((r) => r.map((v, d) => v + (added[i]?.[d] ?? 0)))),
      );
      const none = Array.from({ length: m }, () => [[0, 0, 0, 0]]);
      return perceiverResampler(
        { ...w, media_pos_emb: (w.media_time_embs ?? none) as Nested },
        joined,
        depth,
        2,
      );
    });
    expectNear(model.forward(x), rows);
  });
});

test("[openflamingo.limits] more images or frames than embeddings are refused", () => {
  const rule = (shape: readonly number[]) =>
    refusal(() =>
      resampler({ maxNumMedia: 2, maxNumFrames: 1 }).forward(randomTensor([1, ...shape, 2, 4], 1)),
    ).rule;
  expect(rule([3, 1])).toBe("openflamingo.limits");
  expect(rule([2, 2])).toBe("openflamingo.limits");
});

test("[openflamingo.resampler] sizes that are left out are those of the release", () => {
  const shapes = (model: object) =>
    Object.fromEntries([...stateDict(model)].map(([name, t]) => [name, t.shape.join(" ")]));
  const found = shapes(new OpenFlamingoResampler({ dim: 1024 }));
  expect(found).toMatchObject({
    latents: "64 1024",
    "layers.5.0.to_q.weight": "512 1024",
    "layers.5.0.to_kv.weight": "1024 1024",
    "layers.5.0.to_out.weight": "1024 512",
    "layers.5.1.1.weight": "4096 1024",
    "layers.5.1.3.weight": "1024 4096",
    "norm.bias": "1024",
  });
  expect(Object.keys(found).some((name) => name.startsWith("layers.6") || name.includes("embs"))).toBe(false);
});

test("[openflamingo.positions] positions count slots, padding included", () => {
  const seen: number[][] = [];
  const inner = llama(1);
  const langEncoder: LanguageModel = {
    width: 8,
    layers: inner.layers,
    embed(ids, at) {
      seen.push([...at.positions.flat()]);
      return inner.embed(ids);
    },
    logits: (x) => inner.logits(x),
  };
  const model = flamingo({ langEncoder });
  const attentionMask = new Bool<"b s">([1, 4], Uint8Array.of(0, 0, 1, 1));
  model.forward({ visionX: images(1, 1), langX: text([0, 0, IMAGE, 1]), attentionMask });
  expect(seen).toEqual([[0, 1, 2, 3]]);
});
