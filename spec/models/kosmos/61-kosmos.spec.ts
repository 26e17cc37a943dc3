// The executable half of 61-kosmos.md. Whole models are compared with kosmosx in golden/cases/kosmosx.

import { describe, expect, test } from "vitest";
import { perceiverResampler } from "../../../docs/examples/flamingo-as-loops.mjs";
import { releaseMessage } from "../../../src/conformance/releases/message.ts";
import { generate } from "../../../src/generation/generate.ts";
import type { KosmosMode } from "../../../src/models/kosmos/kosmos.ts";
import { Kosmos } from "../../../src/models/kosmos/kosmos.ts";
import { KosmosLanguage } from "../../../src/models/kosmos/language.ts";
import { kosmosLayout } from "../../../src/models/kosmos/layout.ts";
import { KOSMOS_SIZES } from "../../../src/models/kosmos/sizes.ts";
import { decodingOf, noPadding, readTokens } from "../../../src/models/language-model.ts";
import { MagnetoDecoder } from "../../../src/models/language-models/magneto/decoder.ts";
import type { MagnetoOptions } from "../../../src/models/language-models/magneto/options.ts";
import { CLIPVisionModel, CLIPVisionTransformer } from "../../../src/models/vision/clip/transformers.ts";
import { crossEntropy, IGNORED } from "../../../src/nn/cross-entropy.ts";
import { initialize, stateDict, ties } from "../../../src/nn/state-dict.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Bool, bool, Int, int, type Tensor, tensor } from "../../../src/tensor/tensor.ts";
import { trainable } from "../../../src/training/trainable.ts";
import {
  BOS,
  EOS,
  IMAGE,
  IMAGE_END,
  images,
  PAD,
  SLOTS,
  smallDecoder,
  smallKosmos,
  smallTower,
  tokens,
  VOCABULARY,
  WIDTH,
} from "../../support/fixtures/kosmos/small.ts";
import {
  layerNorm,
  linear,
  type Mat,
  mat,
  range,
  row,
  under,
  type Vec,
  vec,
  type Weights,
} from "../../support/oracles/layers.ts";
import { expectNear, list, weightsOf } from "../../support/oracles/modules.ts";
import { clipStates, openClipWeights, type Plane } from "../../support/oracles/vision/clip.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { changedAt, differing, joined, rowOf, taken } from "../../support/properties/models.ts";
import {
  expectClose,
  expectSame,
  replayEqualsEager,
  valuesOf,
  vjpEqualsFiniteDifferences,
} from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

type Rows = readonly (readonly number[])[];
/** Texts as a batch, with padding behind shorter ones. */
function text(...rows: Rows): Int<"b l"> {
  const l = Math.max(...rows.map((one) => one.length));
  const padded = rows.flatMap((one) => [...one, ...new Array<number>(l - one.length).fill(PAD)]);
  return new Int([rows.length, l], Int32Array.from(padded));
}
/** The mask of such a batch. */
const maskOf = (...rows: Rows): Bool<"b l"> => {
  const l = Math.max(...rows.map((one) => one.length));
  return bool(
    "b l",
    rows.map((one) => range(l).map((i) => i < one.length)),
  );
};

// ---- the input of the decoder as loops, from kosmosx/model.py and torchscale's forward_embedding -----------------------------------------

interface Form {
  readonly mode: KosmosMode;
  readonly scale: number;
  readonly normed: boolean;
}

/** The vectors of an image: tower, resampler without the index of the image, projection. */
function vectorsOf(w: Weights, image: Plane): Mat {
  const shape = { patch: [2, 2], layers: 2, heads: 2, act: "gelu" } as const;
  const features = clipStates(openClipWeights(under(w, "clip_model")), image, shape).at(-1) ?? [];
  const [latents = []] = perceiverResampler(under(w, "perceive"), [features], 2, 2);
  return latents.map((r) => linear(under(w, "image_proj"), r));
}

const plus = (...all: readonly Vec[]): Vec =>
  (all[0] ?? []).map((_, i) => all.reduce((sum, x) => sum + (x[i] ?? Number.NaN), 0));
const times = (s: number, x: Vec): Vec => x.map((one) => s * one);

/** What the first layer reads of a text in which `<image> </image>` stands for an image. */
function sequence(w: Weights, ids: readonly number[], pictures: readonly Plane[], form: Form): Mat {
  const { mode, scale: s, normed } = form;
  const [table, places] = [mat(w, "embed.weight"), mat(w, "embed_positions.weight")];
  const rows: Vec[] = [];
  let next = 0;
  for (const [j, id] of ids.entries()) {
    const once = times(s, row(table, id));
    rows.push(mode === "seed" ? once : times(s, plus(once, row(places, 2 + j))));
    if (id === IMAGE) for (const v of vectorsOf(w, pictures[next++] ?? [])) rows.push(times(s, v));
  }
  const placed = rows.map((x, n) => plus(x, row(places, 2 + n)));
  const gain = under(w, "decoder.layernorm_embedding");
  return normed ? placed.map((x) => layerNorm(vec(gain, "weight"), vec(gain, "bias"), x)) : placed;
}

/** A decoder without layers and final norm, whose logits are a projection of what a first layer would read. */
const bare = (options: Partial<MagnetoOptions> = {}) =>
  smallDecoder({ layers: 0, normalization: "post-ln", xpos: false, ...options });

const TEXTS: Rows = [
  [BOS, IMAGE, IMAGE_END, 5, 6, IMAGE, IMAGE_END, EOS],
  [4, 3, EOS],
  [BOS, 7, IMAGE, IMAGE_END, 7, 7],
];

describe("what the decoder reads", () => {
  for (const mode of ["seed", "published"] as const)
    for (const scaleEmbedding of [false, true])
      for (const layerNormEmbedding of [false, true])
        test(`[kosmos.splice] [kosmos.seed] [kosmos.published] [kosmos.features] [kosmos.projection] "${mode}"${scaleEmbedding ? ", scaled" : ""}${layerNormEmbedding ? ", normed" : ""}: texts with two images, one and none are what loops compute`, () => {
          const model = smallKosmos({ mode, decoder: bare({ scaleEmbedding, layerNormEmbedding }) });
          const pixels = images(3);
          const { logits } = model.forward({ ids: text(...TEXTS), mask: maskOf(...TEXTS), images: pixels });
          const w = weightsOf(model);
          const form = { mode, scale: scaleEmbedding ? Math.sqrt(WIDTH) : 1, normed: layerNormEmbedding };
          const pictures = list<Plane>(pixels);
          const of = [pictures.slice(0, 2), [], pictures.slice(2)];
          expect(logits.shape).toEqual([3, 8 + 2 * SLOTS, VOCABULARY]);
          for (const [b, ids] of TEXTS.entries()) {
            const expected = sequence(w, ids, of[b] ?? [], form).map((x) =>
              linear(under(w, "output_projection"), x),
            );
            const read = taken(rowOf(logits, b), 1, range(expected.length));
            expectNear(read, [expected]);
          }
        });

  test("[kosmos.published] without a scale it is the seed's input, plus the embedding of each token's place among the tokens", () => {
    const [seed, published] = (["seed", "published"] as const).map((mode) =>
      smallKosmos({ mode, decoder: bare() }),
    );
    const ids = [BOS, IMAGE, IMAGE_END, 5, IMAGE, IMAGE_END, 6];
    const call = { ids: text(ids), images: images(2) };
    const [x, y] = [seed, published].map(
      (model) => list<Mat>(model?.forward(call).logits as Tensor)[0] ?? [],
    );
    const w = weightsOf(seed as Kosmos);
    const places = ids.flatMap((id, j) => [j, ...(id === IMAGE ? range(SLOTS).map(() => null) : [])]);
    for (const [n, j] of places.entries()) {
      const difference = row(y as Mat, n).map((one, i) => one - (row(x as Mat, n)[i] ?? Number.NaN));
      const added = j === null ? range(WIDTH).map(() => 0) : row(mat(w, "embed_positions.weight"), 2 + j);
      expectClose(difference, linear(under(w, "output_projection"), added), 1e-12);
    }
  });

  test("[kosmos.places] a place with an id for each vector is read as one without", () => {
    const model = smallKosmos();
    const compact = [BOS, IMAGE, IMAGE_END, 5, IMAGE, IMAGE_END];
    const { ids } = kosmosLayout(["image", [5], "image"], { tokens, slots: SLOTS, end: false });
    expect(ids).toEqual([BOS, 13, 13, 13, 13, 14, 5, 13, 13, 13, 13, 14]);
    const [one, other] = [compact, ids].map((row) => model.forward({ ids: text(row), images: images(2) }));
    expectSame(one?.logits as Tensor, other?.logits as Tensor);
  });

  test("[kosmos.places] image tokens that are no place are refused with their position", () => {
    const model = smallKosmos();
    const call = (...ids: number[]) => refusal(() => model.forward({ ids: text(ids), images: images(1) }));
    expect(call(BOS, IMAGE, 5).message).toContain("row 0 has no </image> behind <image> at position 1");
    expect(call(BOS, 5, IMAGE).message).toContain("no </image> behind <image> at position 2");
    expect(call(BOS, 5, IMAGE_END).message).toContain("</image> without an image before it at position 2");
    expect(call(BOS, IMAGE, IMAGE, IMAGE_END).message).toContain("2 image tokens from position 1 on");
    expect(call(BOS, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE_END).message).toContain("5 image tokens from");
    expect(call(BOS, IMAGE, 5).rule).toBe("kosmos.places");
  });

  test("[kosmos.order] images are used row after row; images of rows are the same images", () => {
    const model = smallKosmos();
    const rows: Rows = [
      [BOS, IMAGE, IMAGE_END, IMAGE, IMAGE_END],
      [BOS, 5, IMAGE, IMAGE_END, 6],
    ];
    const pixels = images(3);
    const all = model.forward({ ids: text(...rows), mask: maskOf(...rows), images: pixels }).logits;
    const alone = rows.map((one, b) =>
      model.forward({ ids: text(one), images: taken(pixels, 0, b === 0 ? [0, 1] : [2]) }),
    );
    expectClose(valuesOf(rowOf(all, 0)), valuesOf((alone[0] as { logits: Tensor }).logits), 1e-12);
    const second = taken(rowOf(all, 1), 1, range(5 + SLOTS));
    expectClose(valuesOf(second), valuesOf((alone[1] as { logits: Tensor }).logits), 1e-12);
    const blank = randomTensor([1, 3, 4, 4], 99);
    const four = joined(pixels, blank, 0);
    const perRow = tensor("b m c h w", [2, 2, 3, 4, 4], valuesOf(four));
    expectSame(model.forward({ ids: text(...rows), mask: maskOf(...rows), images: perRow }).logits, all);
  });

  test("[kosmos.features] features and vectors that were computed before stand for the images", () => {
    const model = smallKosmos();
    const ids = text([BOS, IMAGE, IMAGE_END, 5, IMAGE, IMAGE_END]);
    const pixels = images(2);
    const { logits } = model.forward({ ids, images: pixels });
    const features = model.encode(pixels);
    expect(features.shape).toEqual([2, 5, 6]);
    expectSame(model.forward({ ids, features }).logits, logits);
    const vectors = model.vectors({ features });
    expect(vectors.shape).toEqual([2, SLOTS, WIDTH]);
    expectSame(model.forward({ ids, vectors }).logits, logits);
    const perRow = tensor("b m c h w", [1, 2, 3, 4, 4], valuesOf(pixels));
    expect(model.vectors({ images: perRow }).shape).toEqual([1, 2, SLOTS, WIDTH]);
    // the tower's last norm is not read
    model.clip_model.post_layernorm.weight.assign(randomTensor([6], 5).data);
    expectSame(model.forward({ ids, images: pixels }).logits, logits);
  });

  test("[kosmos.media-embeds] only the first row of the resampler's table of positions is read, so that 256 rows and 257 are the same", () => {
    const [two, three] = [2, 3].map((numMediaEmbeds) =>
      smallKosmos({ resampler: { depth: 2, dimHead: 3, heads: 2, numLatents: SLOTS, numMediaEmbeds } }),
    ) as [Kosmos, Kosmos];
    const other = stateDict(three);
    for (const [name, t] of stateDict(two))
      if (name !== "perceive.media_pos_emb") other.get(name)?.assign(t.data);
    const [first] = list<Mat>(two.perceive.media_pos_emb);
    const rows = [first, [row(first ?? [], 0)], [row(first ?? [], 0)]].flat(2) as number[];
    three.perceive.media_pos_emb.assign(tensor("m 1 d", [3, 1, 6], rows).data);
    const call = { ids: text([BOS, IMAGE, IMAGE_END]), images: images(1) };
    expectSame(three.forward(call).logits, two.forward(call).logits);
    expect(
      new Kosmos({ clip: smallTower(), decoder: smallDecoder(), tokens }).perceive.media_pos_emb.shape,
    ).toEqual([256, 1, 6]);
  });
});

describe("laws", () => {
  const ids = [BOS, 3, IMAGE, IMAGE_END, 5, IMAGE, IMAGE_END, 6, EOS];
  /** Positions of the sequence before each id, and after the last one. */
  const ends = ids.map((_, j) => j + 1 + SLOTS * ids.slice(0, j + 1).filter((id) => id === IMAGE).length);

  for (const mode of ["seed", "published"] as const)
    test(`[kosmos.splice] "${mode}": a prefix does not depend on what follows, images among it`, () => {
      const model = smallKosmos({ mode });
      const pixels = images(2);
      const whole = model.forward({ ids: text(ids), images: pixels }).logits;
      for (const n of [1, 2, 4, 5, 7, 8]) {
        const count = ids.slice(0, n).filter((id) => id === IMAGE).length;
        const given = count === 0 ? {} : { images: taken(pixels, 0, range(count)) };
        const { logits } = model.forward({ ids: text(ids.slice(0, n)), ...given });
        expect(logits.shape[1]).toBe(ends[n - 1]);
        expectClose(valuesOf(logits), valuesOf(taken(whole, 1, range(logits.shape[1] ?? 0))), 1e-11);
      }
    });

  test("[kosmos.order] two images that change places change the logits from the first of them on, and only those", () => {
    const model = smallKosmos();
    const pixels = images(2);
    const [one, other] = [pixels, taken(pixels, 0, [1, 0])].map(
      (given) => model.forward({ ids: text(ids), images: given }).logits,
    ) as [Tensor, Tensor];
    const changed = differing(one, other)[0];
    expect(changed).toEqual(range(ends.at(-1) ?? 0).map((n) => n >= 3));
  });

  test("[kosmos.order] another second image changes the logits from its first vector on", () => {
    const model = smallKosmos();
    const pixels = images(2);
    const [one, other] = [pixels, changedAt(pixels, 0, 1)].map(
      (given) => model.forward({ ids: text(ids), images: given }).logits,
    ) as [Tensor, Tensor];
    const from = (ends[4] ?? 0) + 1; // behind the second <image>
    expect(differing(one, other)[0]).toEqual(range(ends.at(-1) ?? 0).map((n) => n >= from));
  });

  test("[kosmos.padding] a batch of texts with different lengths and numbers of images computes what each text computes alone", () => {
    for (const mode of ["seed", "published"] as const) {
      const model = smallKosmos({ mode });
      const pixels = images(3);
      const all = model.forward({ ids: text(...TEXTS), mask: maskOf(...TEXTS), images: pixels }).logits;
      const of = [[0, 1], [], [2]];
      for (const [b, one] of TEXTS.entries()) {
        const given = of[b]?.length ? { images: taken(pixels, 0, of[b] ?? []) } : {};
        const { logits } = model.forward({ ids: text(one), ...given });
        const part = taken(rowOf(all, b), 1, range(logits.shape[1] ?? 0));
        expectClose(valuesOf(part), valuesOf(logits), 1e-11);
      }
      // without a mask padding is read as tokens behind the text, which changes nothing before it
      const unmasked = model.forward({ ids: text(...TEXTS), images: pixels }).logits;
      for (const [b, one] of TEXTS.entries()) {
        const n = one.length + SLOTS * (of[b]?.length ?? 0);
        expectClose(
          valuesOf(taken(rowOf(unmasked, b), 1, range(n))),
          valuesOf(taken(rowOf(all, b), 1, range(n))),
          1e-11,
        );
      }
    }
  });

  test("[kosmos.cached] passes of any sizes compute what one pass computes, if the images are in the first", () => {
    for (const mode of ["seed", "published"] as const) {
      const model = smallKosmos({ mode });
      const pixels = images(2);
      const whole = model.forward({ ids: text(ids), images: pixels }).logits;
      const { ids: places } = kosmosLayout([[3], "image", [5], "image", [6]], { tokens, slots: SLOTS });
      const perRow = tensor("b m c h w", [1, 2, 3, 4, 4], valuesOf(pixels));
      const { step, context } = model.withMedia({ images: perRow });
      for (const sizes of [[15], [13, 1, 1], [13, 2], [14, 1]]) {
        let [cache, at]: [ReturnType<typeof step>["cache"] | null, number] = [null, 0];
        for (const size of sizes) {
          const pass = text(places.slice(at, at + size));
          at += size;
          const next = step(pass, noPadding(1, at), cache, context());
          cache = next.cache;
          const expected = valuesOf(taken(whole, 1, [at - 1]));
          expectClose(valuesOf(next.logits), expected, 1e-11);
        }
      }
    }
  });

  test("a program computes what the calls compute", async () => {
    const model = smallKosmos({ mode: "published" });
    const pixels = images(2);
    await replayEqualsEager(() => ({ logits: model.forward({ ids: text(ids), images: pixels }).logits }), {
      model,
      inputs: { pixels },
    });
  });

  test("derivatives with respect to parts behind the decoder are finite differences", () => {
    const model = smallKosmos({
      mode: "published",
      decoder: smallDecoder({ layers: 1, scaleEmbedding: true }),
    });
    const pixels = images(1);
    const given = { ids: text([BOS, IMAGE, IMAGE_END, 5]), images: pixels };
    const { clip_model, perceive } = model;
    const { class_embedding } = clip_model.embeddings;
    const inputs = { latents: perceive.latents, class_embedding };
    vjpEqualsFiniteDifferences(() => model.forward(given).logits, inputs, 2e-8);
  });

  test("[kosmos.splice] the embedding of <image> has the derivative of its own position, and none of the vectors'", () => {
    const model = smallKosmos({ decoder: bare() });
    const ids = text([BOS, IMAGE, IMAGE_END]);
    const program = record(
      () => ({ loss: model.loss({ ids, images: images(1), targets: int("b s", [[3, 4, 5, 6, 7, 8]]) }) }),
      {
        model,
      },
    );
    const derived = evaluate(gradients(program, "loss", ["embed.weight", "image_proj.weight"])).outputs;
    const grad = list<Vec>(derived[gradientOf("embed.weight")] as Tensor);
    // by hand: without layers, d loss / d E[id] = Wᵀ (softmax(W x) − onehot) / 6 at the position of the id
    const w = weightsOf(model);
    const x = sequence(w, [BOS, IMAGE, IMAGE_END], list<Plane>(images(1)), {
      mode: "seed",
      scale: 1,
      normed: false,
    });
    const projection = mat(w, "output_projection.weight");
    const slope = (n: number, target: number): Vec => {
      const scores = linear(under(w, "output_projection"), row(x, n)).map(Math.exp);
      const total = scores.reduce((a, b) => a + b, 0);
      const delta = scores.map((s, v) => (s / total - Number(v === target)) / 6);
      return range(WIDTH).map((d) =>
        delta.reduce((sum, one, v) => sum + one * (row(projection, v)[d] ?? 0), 0),
      );
    };
    expectClose(row(grad, IMAGE), slope(1, 4), 1e-12);
    expectClose(row(grad, IMAGE_END), slope(5, 8), 1e-12);
    expect(valuesOf(derived[gradientOf("image_proj.weight")] as Tensor).some((g) => g !== 0)).toBe(true);
  });
});

describe("calls that are refused", () => {
  const model = smallKosmos();
  const ids = text([BOS, IMAGE, IMAGE_END, 5]);
  const call = (given: object): string => refusal(() => model.forward({ ids, ...given } as never)).message;

  test("[kosmos.images] missing and surplus images, and images of another number of texts", () => {
    expect(call({})).toContain("row 0 has 1 images in its text, and 0 are given for it");
    expect(call({ images: images(2) })).toContain("the texts have 1 images, and 2 are given");
    expect(call({ images: images(1), features: model.encode(images(1)) })).toContain(
      "images and features are forms",
    );
    const perRow = randomTensor([2, 1, 3, 4, 4]);
    expect(call({ images: perRow })).toContain("there are images for 2 texts, and 1 texts");
    expect(call({ images: randomTensor([1, 2, 3, 4, 4]) })).toContain(
      "no text has more than 1 images, and 2 are given",
    );
    const two = text([BOS, IMAGE, IMAGE_END, IMAGE, IMAGE_END]);
    expect(call({ ids: two, images: images(1) })).toContain(
      "row 0 has 2 images in its text, and 1 are given for it",
    );
    expect(call({ ids: two, images: randomTensor([1, 1, 3, 4, 4]) })).toContain("row 0 has 2 images");
    expect(call({ images: randomTensor([3, 4, 4]) })).toContain("images is [3 4 4]; it has 4 axes, or 5");
    expect(call({ vectors: randomTensor([1, 2, WIDTH]) })).toContain(
      "vectors are 2 of width 8 for each image, and this model has 3",
    );
    expect(call({ ids: text([5]), images: images(1) })).toContain("the texts have 0 images, and 1 are given");
    expect(refusal(() => model.vectors({})).message).toContain("Kosmos.vectors needs images");
  });

  test("[kosmos.pixels] integers in place of pixels, and images of another size", () => {
    const integers = new Int([1, 3, 4, 4], new Int32Array(48));
    expect(call({ images: integers })).toContain("images is an object (Int); it must be a tensor of floats");
    const wrong = refusal(() => model.forward({ ids, images: randomTensor([1, 3, 4, 5]) }));
    expect([wrong.rule, releaseMessage(wrong)]).toEqual([
      "clip.size",
      "ValueError: Input image size (4*5) doesn't match model (4*4).",
    ]);
  });

  test("[kosmos.padding] padding in front of a text, by the mask or by its token", () => {
    expect(call({ ids: text([PAD, BOS, 5]) })).toContain(
      "row 0 has padding in front of a token; pad at the right",
    );
    const mask = bool("b l", [
      [true, true, true, true],
      [false, true, true, true],
    ]);
    const rows = text([BOS, 5, 6, 7], [3, 5, 6, 7]);
    expect(call({ ids: rows, mask })).toContain("row 1 has padding in front of a token");
    const hole = bool("b l", [[true, false, true, true]]);
    expect(call({ ids: text([BOS, 5, 6, 7]), mask: hole })).toContain(
      "row 0 has padding in front of a token",
    );
    expect(() => model.forward({ ids: text([PAD, PAD]) })).not.toThrow();
  });

  test("[kosmos.length] a sequence that is longer than the table of positions, and not the longest one that it has", () => {
    const small = smallKosmos({ decoder: smallDecoder({ maxPositions: 8 }) });
    const of =
      (...row: number[]) =>
      () =>
        small.forward({ ids: text(row), images: images(1) });
    expect(of(BOS, IMAGE, IMAGE_END, 5, 6)().logits.shape).toEqual([1, 8, VOCABULARY]); // 10 rows, of which 8 are read
    const refused = refusal(of(BOS, IMAGE, IMAGE_END, 5, 6, 7));
    expect(refused.message).toContain("9 positions, and the model's table 8");
    expect(refused.message).toContain("shorten the text to 5 ids");
    expect([refused.rule, releaseMessage(refused)]).toEqual([
      "kosmos.length",
      "IndexError: index out of range in self",
    ]);
  });

  test("[kosmos.text] no token, ids that are none, and ids that the table does not have", () => {
    expect(call({ ids: new Int([1, 0], new Int32Array()) })).toContain(
      "ids is [1 0]; give at least one token",
    );
    expect(call({ ids: [[1]] })).toContain("ids is a list of 1; it must be token ids");
    expect(call({ ids: text([BOS, VOCABULARY]) })).toContain(
      `id ${VOCABULARY} at position 1 is not among the 15 rows`,
    );
  });

  test("[kosmos.tokens] special tokens that the tables do not have, or that are the same", () => {
    const build = (changed: object) => refusal(() => smallKosmos({ tokens: { ...tokens, ...changed } }));
    expect(build({ image: 32_000 }).message).toContain("image has the id 32000, and the tables have 15 rows");
    expect(build({ image: 14 }).message).toContain("the same id 14");
    expect(() => smallKosmos({ tokens: { ...tokens, bos: null } })).not.toThrow();
  });

  test("parts of other classes are refused by name", () => {
    const tower = new CLIPVisionModel();
    expect(refusal(() => smallKosmos({ clip: tower as never })).message).toContain(
      "for a CLIPVisionModel give its vision_model",
    );
    expect(refusal(() => smallKosmos({ decoder: {} as never })).message).toContain(
      "it must be a MagnetoDecoder",
    );
    expect(refusal(() => smallKosmos({ resampler: { dim: 3 } as never })).message).toContain(
      'has no option "dim"',
    );
  });
});

describe("the loss", () => {
  const ids = [BOS, IMAGE, IMAGE_END, 5, 6, IMAGE, IMAGE_END, 7, EOS];
  // <s> <image> v v v </image> 5 6 <image> v v v </image> 7 </s>: the token that follows each position, where it is text to learn
  const none = IGNORED;
  const targets = [none, none, none, none, none, 5, 6, IMAGE, none, none, none, none, 7, EOS, none];

  test("[kosmos.loss] [kosmos.targets] it is the mean over the tokens, without </image>, the <image> after <s>, and vectors", () => {
    const model = smallKosmos();
    const call = { ids: text(ids), images: images(2) };
    const scores = list<Mat>(model.forward(call).logits)[0] ?? [];
    const terms = targets.flatMap((id, n) => {
      if (id === none) return [];
      const row = scores[n] ?? [];
      return [Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - (row[id] ?? Number.NaN)];
    });
    expect(terms.length).toBe(5);
    const expected = terms.reduce((a, b) => a + b) / 5;
    expectClose(valuesOf(model.loss(call)), [expected], 1e-12);
    const { loss } = model.forward({ ...call, targets: int("b s", [targets]) });
    expectClose(valuesOf(loss as Tensor), [expected], 1e-12);
    expectClose(valuesOf(model.loss({ ...call, targets: int("b s", [targets]) })), [expected], 1e-12);
    expect(model.forward(call).loss).toBe(null);
  });

  test("[kosmos.targets] padding has no target, with a mask or without, and a batch counts all tokens alike", () => {
    const model = smallKosmos();
    const rows: Rows = [ids, [BOS, 5, EOS]];
    const [long, short] = rows.map(
      (one, b) => valuesOf(model.loss({ ids: text(one), ...(b === 0 && { images: images(2) }) }))[0] ?? 0,
    );
    const expected = [(5 * (long ?? 0) + 2 * (short ?? 0)) / 7];
    const call = { ids: text(...rows), images: images(2) };
    expectClose(valuesOf(model.loss(call)), expected, 1e-11);
    expectClose(valuesOf(model.loss({ ...call, mask: maskOf(...rows) })), expected, 1e-11);
    // the padding token inside of a mask's text is no padding's neighbour: a target is dropped where its token is padding
    const marked = { ids: text([BOS, 5, PAD]), mask: bool("b l", [[true, true, true]]) };
    expectClose(valuesOf(model.loss(marked)), valuesOf(model.loss({ ids: text([BOS, 5]) })), 1e-11);
  });

  test("[kosmos.targets] targets for the ids alone are refused: they have an entry for every position", () => {
    const model = smallKosmos();
    const call = { ids: text(ids), images: images(2), targets: text(ids) as never };
    expect(refusal(() => model.forward(call)).message).toContain(
      "targets is [1 9], but with a place for every vector of the images the texts are [1 15]",
    );
    expect(
      refusal(() => model.loss({ ids: text([BOS, IMAGE, IMAGE_END]), images: images(1) })).message,
    ).toContain("all targets are ignored");
  });

  test("[kosmos.loss] the published training script takes the softmax over time, which is another number", () => {
    // expected values by torch 2.13.0: CrossEntropyLoss()(x, one_hot(labels, 4).float()) and CrossEntropyLoss()(x[0], labels[0])
    const x = [
      [0.5, -1, 2, 0],
      [1, 0.25, -0.5, 1.5],
      [-2, 1, 0, 0.75],
    ];
    const labels = [2, 0, 3];
    const proper = valuesOf(crossEntropy(tensor("b l n", [x]), int("b l", [labels])).mean)[0] ?? 0;
    const overTime =
      labels.reduce((sum, label, t) => {
        const column = x.map((row) => row[label] ?? 0);
        return sum - ((column[t] ?? 0) - Math.log(column.reduce((z, one) => z + Math.exp(one), 0)));
      }, 0) / 4;
    expect(proper).toBeCloseTo(0.8621442518686129, 12);
    expect(overTime).toBeCloseTo(0.4948266857793026, 12);
  });
});

describe("generation", () => {
  const prompts: Rows = [
    kosmosLayout(["image", [5, 6], "image"], { tokens, slots: SLOTS, end: false }).ids,
    kosmosLayout([[7], "image", [3]], { tokens, slots: SLOTS, end: false }).ids,
    [BOS, 4],
  ];
  const never = [IMAGE, IMAGE_END];
  const perRow = (of: readonly (readonly number[])[]): Tensor<"b m c h w"> => {
    const all = images(3);
    const m = of[0]?.length ?? 0;
    return tensor("b m c h w", [of.length, m, 3, 4, 4], valuesOf(taken(all, 0, of.flat())));
  };

  for (const mode of ["seed", "published"] as const)
    test(`[kosmos.cached] "${mode}": greedy texts of a batch are those of full passes, text by text`, async () => {
      const model = smallKosmos({ mode }, 5);
      const given = perRow([
        [0, 1],
        [2, 0],
        [0, 0],
      ]);
      const options = { maxTokens: 6, stop: EOS, never };
      const found = await generate(model.withMedia({ images: given }), prompts, options);
      for (const [b, prompt] of prompts.entries()) {
        const count = [2, 1, 0][b] ?? 0;
        const own = count === 0 ? {} : { images: taken(images(3), 0, [[0, 1], [2], []][b] ?? []) };
        const row = [...prompt];
        for (let i = 0; i < 6 && row.at(-1) !== EOS; i++) {
          const { logits } = model.forward({ ids: text(row), ...own });
          const last = (list<Mat>(logits)[0] ?? []).at(-1) ?? [];
          const allowed = last.map((x, id) => (never.includes(id) ? Number.NEGATIVE_INFINITY : x));
          row.push(allowed.indexOf(Math.max(...allowed)));
        }
        expect(found[b]).toEqual(row);
      }
    });

  test("[kosmos.cached] beams of a prompt keep its images: the best beam is one that scores best among its own continuations", async () => {
    const model = smallKosmos({}, 5);
    const given = perRow([
      [0, 1],
      [2, 0],
    ]);
    const two = prompts.slice(0, 2);
    const options = { maxTokens: 3, stop: EOS, never, beams: 4 };
    const together = await generate(model.withMedia({ images: given }), two, options);
    for (const [b, prompt] of two.entries()) {
      const alone = perRow([
        [
          [0, 1],
          [2, 0],
        ][b] ?? [],
      ]);
      const used =
        b === 0
          ? alone
          : tensor<"b m c h w">("b m c h w", [1, 1, 3, 4, 4], valuesOf(taken(images(3), 0, [2])));
      expect(together[b]).toEqual((await generate(model.withMedia({ images: used }), [prompt], options))[0]);
    }
  });

  test("texts without images are those of the decoder", async () => {
    const model = smallKosmos();
    const language = new KosmosLanguage({ decoder: model.decoder });
    const options = { maxTokens: 5, stop: EOS, never };
    const prompt = [[BOS, 4, 5]];
    expect(await generate(model.withMedia(), prompt, options)).toEqual(
      await generate(language.writer(), prompt, options),
    );
  });

  test("[kosmos.places] [kosmos.images] prompts without places, and with other images than there are, are refused", async () => {
    const model = smallKosmos();
    const of = async (prompt: readonly number[], given?: Tensor<"b m c h w">): Promise<string> => {
      const writer = model.withMedia(given ? { images: given } : {});
      return generate(writer, [prompt], { maxTokens: 1, stop: EOS }).then(String, (error) => error.message);
    };
    expect(await of([BOS, IMAGE, IMAGE_END, 5], perRow([[0]]))).toContain(
      "prompt 0 has <image> </image> without places",
    );
    expect(await of(prompts[0] ?? [], perRow([[0]]))).toContain(
      "row 0 has 2 images in its text, and 1 are given",
    );
    expect(await of(prompts[1] ?? [], perRow([[0, 1]]))).toContain(
      "no text has more than 1 images, and 2 are given",
    );
    expect(await of(prompts[1] ?? [])).toContain("row 0 has 1 images in its text, and 0 are given");
  });

  test("[kosmos.cached] a model that writes <image> itself is refused with the remedy", () => {
    const model = smallKosmos();
    const { step, context } = model.withMedia({ images: perRow([[0]]) });
    const first = step(text(prompts[1] ?? []), noPadding(1, 8), null, context());
    const second = step(text([IMAGE]), noPadding(1, 9), first.cache, context()); // the token alone has no vector
    const third = () => step(text([IMAGE]), noPadding(1, 10), second.cache, context());
    expect(refusal(third).message).toContain("keep the model from writing <image> with never: [13]");
  });
});

describe("parts and names", () => {
  test("[kosmos.names] [kosmos.shared] parameters have kosmosx's names, and the tables have two", () => {
    const model = smallKosmos();
    const heads = [...stateDict(model).keys()].map((name) => name.split(".").slice(0, 2).join("."));
    expect([...new Set(heads)].sort()).toEqual([
      "clip_model.embeddings",
      "clip_model.encoder",
      "clip_model.post_layernorm",
      "clip_model.pre_layrnorm",
      "decoder.embed_positions",
      "decoder.embed_tokens",
      "decoder.layer_norm",
      "decoder.layers",
      "decoder.output_projection",
      "embed.weight",
      "embed_positions.weight",
      "image_proj.weight",
      "output_projection.weight",
      "perceive.latents",
      "perceive.layers",
      "perceive.media_pos_emb",
      "perceive.norm",
    ]);
    expect([...ties(model)]).toEqual([
      ["decoder.embed_tokens.weight", "embed.weight"],
      ["decoder.embed_positions.weight", "embed_positions.weight"],
      ["decoder.output_projection.weight", "output_projection.weight"],
    ]);
    const language = new KosmosLanguage({ decoder: model.decoder });
    expect([...stateDict(language).keys()].slice(0, 4)).toEqual([
      "embed.weight",
      "embed_positions.weight",
      "output_projection.weight",
      "decoder.embed_tokens.weight",
    ]);
  });

  test("[kosmos.names] the published sizes have the published numbers of parameters", () => {
    // state dicts of kosmosx 0.3.1 with the 32 002 rows of its README, with multiway and without
    const count = (multiway: boolean): number => {
      const model = new Kosmos({
        clip: new CLIPVisionTransformer(KOSMOS_SIZES.clip),
        decoder: new MagnetoDecoder({ ...KOSMOS_SIZES.decoder, multiway }),
        tokens: { bos: 0, pad: 1, eos: 2, image: 32_000, imageEnd: 32_001 },
        resampler: { numMediaEmbeds: 257 },
      });
      const buffers = 24 * 32; // the scales of xPos
      return [...new Set(stateDict(model).values())].reduce((sum, t) => sum + t.size, 0) - buffers;
    };
    expect([count(false), count(true)]).toEqual([1_670_960_128, 2_073_908_224]);
  });

  test("[kosmos.projection] the projection has no bias, and the deviation of the decoder's width, whatever that of the tower", () => {
    const decoder = smallDecoder({ width: 400, heads: 4, layers: 0 });
    const { image_proj } = initialize(new Kosmos({ clip: smallTower(), decoder, tokens }), 3);
    expect(image_proj.bias).toBe(null);
    const drawn = valuesOf(image_proj.weight);
    const deviation = Math.sqrt(drawn.reduce((sum, x) => sum + x * x, 0) / drawn.length);
    expect(drawn.length).toBe(2400);
    expect(deviation * 20).toBeGreaterThan(0.94); // 1 / √400 within 4 standard errors of 2400 draws, 1 / √4800 each
    expect(deviation * 20).toBeLessThan(1.06);
  });

  test("[kosmos.trained] the paper trains the last layer of the tower and everything beside it; Kosmos-X trains everything", () => {
    const model = smallKosmos();
    const all = [...stateDict(model).keys()].filter(
      (name) => !ties(model).has(name) && !name.endsWith("xpos.scale"),
    );
    const paper = trainable(model, "paper");
    const frozen = all.filter((name) => !paper.includes(name));
    expect(
      frozen.every((name) =>
        /^clip_model\.(embeddings|pre_layrnorm|post_layernorm|encoder\.layers\.0)\./.test(name),
      ),
    ).toBe(true);
    expect(frozen.length).toBe(3 + 2 + 2 + 16);
    expect([...trainable(model, "kosmosx@0.3.1")].sort()).toEqual(all.sort());
  });

  test("[kosmos.language] the model of text alone is the decoder, with positions added once", () => {
    const decoder = smallKosmos({ mode: "published" }).decoder;
    const ids = text([BOS, 5, 6, IMAGE, 7]);
    const { logits, loss } = new KosmosLanguage({ decoder }).forward({ ids, targets: text([5, 6, 3, 7, 2]) });
    const at = { ...decodingOf(noPadding(1, 5), 5), media: null, visibility: null };
    expectSame(logits, decoder.logits(readTokens(decoder, ids, at, null).x));
    const seed = new Kosmos({ clip: smallTower(), decoder, tokens });
    const plain = text([BOS, 5, 6, 3, 7]);
    expectSame(
      new KosmosLanguage({ decoder }).forward({ ids: plain }).logits,
      seed.forward({ ids: plain }).logits,
    );
    const scores = list<Mat>(logits)[0] ?? [];
    const terms = [5, 6, 3, 7, 2].map((id, n) => {
      const one = row(scores, n);
      return Math.log(one.reduce((sum, x) => sum + Math.exp(x), 0)) - (one[id] ?? Number.NaN);
    });
    expectClose(valuesOf(loss as Tensor), [terms.reduce((a, b) => a + b) / 5], 1e-12);
  });
});
