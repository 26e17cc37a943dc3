// The executable half of 53-open-flamingo.md. Whole models are compared with the release in golden/cases/open-flamingo.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { perceiverResampler } from "../../../docs/examples/flamingo-as-loops.mjs";
import { GatedCrossAttentionBlock } from "../../../src/blocks/gated-cross-attention-block.ts";
import { releaseMessage } from "../../../src/conformance/releases/message.ts";
import { conventions, mediaLocations, visibilityOf } from "../../../src/entries/masks.ts";
import {
  type DecoderLayer,
  type Decoding,
  decodingOf,
  type LanguageModel,
  noPadding,
  readTokens,
} from "../../../src/models/language-model.ts";
import { LlamaForCausalLM } from "../../../src/models/language-models/llama.ts";
import type { OpenFlamingoOptions } from "../../../src/models/open-flamingo/flamingo.ts";
import { FlamingoLayer } from "../../../src/models/open-flamingo/flamingo-layer.ts";
import {
  OpenFlamingoResampler,
  type OpenFlamingoResamplerOptions,
} from "../../../src/models/open-flamingo/perceiver-resampler.ts";
import { stateDict } from "../../../src/nn/state-dict.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { sumAll } from "../../../src/tensor/ops/functions.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Bool, flat, type Int, type Tensor, view } from "../../../src/tensor/tensor.ts";
import { decoders, WORDS } from "../../support/fixtures/decoders.ts";
import { IMAGE, images, smallFlamingo, text } from "../../support/fixtures/open-flamingo/small.ts";
import type { Mat, Nested } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, list, seeds, weighted, weightsOf } from "../../support/oracles/modules.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { changedAt, differing, rowOf, taken } from "../../support/properties/models.ts";
import { expectClose, expectSame, valuesOf } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const sizes = { vocabSize: 9, hiddenSize: 8, intermediateSize: 6, numAttentionHeads: 2 };
const llama = (layers = 3) => new LlamaForCausalLM({ ...sizes, numHiddenLayers: layers });

const flamingo = ({ langEncoder = llama(), ...options }: Partial<OpenFlamingoOptions> = {}) =>
  smallFlamingo(langEncoder, options);

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

test("[openflamingo.once] a language model is wrapped once, and sizes that follow from the model are no options", () => {
  const langEncoder = llama();
  const { layers } = langEncoder;
  for (const [options, text] of [
    [{ perceiver: { dim: 9 } }, "dim"],
    [{ crossAttn: { dimMedia: 9 } }, "dimMedia"],
    [{ crossAttn: { convention: "paper" } }, "convention"],
  ] as const)
    expect(() => flamingo({ langEncoder, ...(options as object) })).toThrow(`has no option "${text}"`);
  expect(langEncoder.layers).toBe(layers); // a refused call leaves the language model as it was
  const { lang_encoder } = flamingo({ langEncoder });
  const wrapped = lang_encoder.layers;
  expect(() => flamingo({ langEncoder })).toThrow("another OpenFlamingo");
  expect(langEncoder.layers).toBe(wrapped);
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
    mediaLocations(text([1, IMAGE, 2, IMAGE]), IMAGE),
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
  expect([error.rule, releaseMessage(error)]).toEqual([
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

const WORDS_AFTER_SPECIAL = 7;
const zero = view(Float64Array.of(0), [1]);

/** A batch of random texts with padding in front, an image token in each, and the split into passes. */
const batches = fc
  .record({
    rows: fc.array(
      fc.array(
        fc.oneof(
          { weight: 1, arbitrary: fc.constant(IMAGE) },
          { weight: 2, arbitrary: fc.integer({ min: WORDS_AFTER_SPECIAL, max: WORDS - 1 }) },
        ),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
      { minLength: 1, maxLength: 3 },
    ),
    split: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ rows, split }) => ({ rows: rows.map((row) => [IMAGE, ...row]), split }));

/** Rows padded on the left, their mask, and as many images as the largest number of image tokens. */
function padded(rows: readonly (readonly number[])[]) {
  const l = Math.max(...rows.map((row) => row.length));
  const langX = text(...rows.map((row) => [...new Array<number>(l - row.length).fill(0), ...row]));
  const attentionMask = new Bool<"b s">(
    [rows.length, l],
    Uint8Array.from(rows.flatMap((row) => Array.from({ length: l }, (_, i) => Number(i >= l - row.length)))),
  );
  const m = Math.max(...rows.map((row) => row.filter((id) => id === IMAGE).length));
  return { langX, attentionMask, m, l };
}
const columns = <X extends Bool | Int>(x: X, to: number, from = 0): number[][] =>
  list<number[]>(x).map((row) => row.slice(from, to));
const maskTo = (mask: Bool<"b s">, to: number) =>
  new Bool<"b s">([mask.shape[0] ?? 0, to], Uint8Array.from(columns(mask, to).flat()));
/** The logits of a row without its padding. */
const realLogits = (logits: Tensor, row: number, length: number): number[][] =>
  (list<number[][]>(logits)[row] ?? []).slice(-length);
const runs = { numRuns: 8 };

describe.each(decoders)("%s", (_, make) => {
  test("[gate.zero] with closed gates the logits are those of the language model, bit for bit", () => {
    const langX = text([0, 8, IMAGE, 9, 10], [7, IMAGE, 9, IMAGE, 8]);
    const attentionMask = new Bool<"b s">([2, 5], Uint8Array.of(0, 1, 1, 1, 1, 1, 1, 1, 1, 1));
    const language = weighted(make(), 3);
    const at = { ...decodingOf(attentionMask, 5, "slots"), media: null, visibility: null };
    const expected = language.logits(readTokens(language, langX, at, null).x);
    const gatesOf = (model: object) => [...stateDict(model)].filter(([name]) => name.endsWith("_gate"));
    const model = smallFlamingo(make());
    const weights = new Map([...stateDict(language)]);
    for (const [name, t] of stateDict(model)) {
      const own = weights.get(name.replace("lang_encoder.", "").replace(".decoder_layer", ""));
      if (own) t.assign(own.data);
    }
    for (const [, gate] of gatesOf(model)) gate.assign(zero);
    expect(gatesOf(model).length).toBe(6);
    expectSame(model.forward({ visionX: images(2, 2), langX, attentionMask }).logits, expected);
  });

  test("[openflamingo.visibility] another image changes the tokens that see it, and no token before its own", () => {
    const model = smallFlamingo(make());
    const langX = text([8, IMAGE, 9, IMAGE, 8], [IMAGE, 9, 10, 8, IMAGE]);
    const before = images(2, 2);
    const { logits } = model.forward({ visionX: before, langX });
    for (const [k, first] of [
      [0, [1, 0]],
      [1, [3, 4]],
    ] as const) {
      const visionX = changedAt(before, 1, k) as typeof before;
      const changed = differing(logits, model.forward({ visionX, langX }).logits);
      expect(changed).toEqual(first.map((at) => Array.from({ length: 5 }, (_, l) => l >= at)));
    }
  });

  test("[openflamingo.visibility] passes of any sizes, with cached media or without, compute what one pass computes", () => {
    const model = smallFlamingo(make());
    fc.assert(
      fc.property(batches, ({ rows, split }) => {
        const { langX, attentionMask, m, l } = padded(rows);
        const visionX = images(rows.length, m);
        const whole = model.forward({ visionX, langX, attentionMask }).logits;
        const at = Math.min(split, l - 1);
        for (const cached of [false, true]) {
          if (cached) model.cacheMedia({ inputIds: langX, visionX });
          const shared = { ...(cached ? {} : { visionX }), useCache: true, clearConditionedLayers: false };
          const first = model.forward({
            ...shared,
            langX: text(...columns(langX, at)),
            attentionMask: maskTo(attentionMask, at),
          });
          const rest = { langX: text(...columns(langX, l, at)), attentionMask };
          const second = model.forward({ ...shared, ...rest, pastKeyValues: first.pastKeyValues });
          model.uncacheMedia();
          for (const [b, row] of rows.entries()) {
            const joined = [first, second].flatMap(({ logits }) => list<number[][]>(logits)[b] ?? []);
            expectClose(joined.slice(-row.length).flat(), realLogits(whole, b, row.length).flat(), 1e-12);
          }
        }
      }),
      runs,
    );
  });

  test("[decode.padding] a batch computes what each of its rows computes alone", () => {
    const model = smallFlamingo(make());
    fc.assert(
      fc.property(batches, ({ rows }) => {
        const { langX, attentionMask, m } = padded(rows);
        const visionX = images(rows.length, m);
        const { logits } = model.forward({ visionX, langX, attentionMask });
        for (const [b, row] of rows.entries()) {
          const own = row.filter((id) => id === IMAGE).length;
          const alone = model.forward({
            visionX: taken(
              rowOf(visionX, b),
              1,
              Array.from({ length: own }, (_, i) => i),
            ),
            langX: text(row),
          });
          expectClose(realLogits(logits, b, row.length).flat(), valuesOf(alone.logits), 1e-12);
        }
      }),
      runs,
    );
  });
});
