// The executable half of 53-calls.md. Tables of the images that a position sees under a profile were computed by open-flamingo 2.0.1, and by tag
// 0.1.1 of its repository, with transformers 4.57.6: the output of cross-attention, before its last projection, with one image changed at a
// time. Logits, losses and generated ids of whole models are compared with the release in golden/cases/open-flamingo.

import { describe, expect, test } from "vitest";
import { releaseMessage } from "../../../src/conformance/releases/message.ts";
import { conventions } from "../../../src/entries/masks.ts";
import { type DecoderLayer, decodingOf, noPadding } from "../../../src/models/language-model.ts";
import { LlamaForCausalLM } from "../../../src/models/language-models/llama.ts";
import type { OpenFlamingo } from "../../../src/models/open-flamingo/flamingo.ts";
import type { FlamingoInputs } from "../../../src/models/open-flamingo/inputs.ts";
import type {
  OpenFlamingoBehaviour,
  OpenFlamingoProfile,
} from "../../../src/models/open-flamingo/profiles.ts";
import type { Cache } from "../../../src/models/writer.ts";
import { Embedding } from "../../../src/nn/embedding.ts";
import { stateDict } from "../../../src/nn/state-dict.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { rearrange } from "../../../src/tensor/ops/arrange.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { gradientCheckpointing, keepTaps } from "../../../src/tensor/program/checkpointing.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Bool, bool, type Int, type Tensor } from "../../../src/tensor/tensor.ts";
import { decoders } from "../../support/fixtures/decoders.ts";
import { IMAGE, images, smallFlamingo, text } from "../../support/fixtures/open-flamingo/small.ts";
import { list } from "../../support/oracles/modules.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { changedAt, differing, taken } from "../../support/properties/models.ts";
import { expectClose, expectSame, valuesOf } from "../../support/properties/programs.ts";
import { refusal, shapeRefusal } from "../../support/properties/refusals.ts";

/** A language model whose logits at a position are the hidden states there: its layer returns what it is given. */
class Positionwise {
  readonly width = 8;
  table = new Embedding("d", 9, 8);
  layers: readonly DecoderLayer[] = [{ forward: (x) => ({ x, now: { k: x, v: x } }) }];
  /** The shapes of the hidden states for which logits were computed. */
  readonly options = { read: [] as string[] };
  embed(ids: Int<"b l">): Tensor<"b l d"> {
    return this.table.forward(ids);
  }
  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    this.options.read.push(x.shape.join(" "));
    return x as unknown as Tensor<"b l n">;
  }
}

const positionwise = (profile: OpenFlamingoProfile, behaviour: Partial<OpenFlamingoBehaviour> = {}) =>
  smallFlamingo(new Positionwise(), { profile, behaviour });
const llama = () =>
  new LlamaForCausalLM({
    vocabSize: 9,
    hiddenSize: 8,
    intermediateSize: 6,
    numAttentionHeads: 2,
    numHiddenLayers: 2,
    rotaryPrecision: "float64",
  });

/** For each pass, the images that each position sees: a row of numbers for each text, 0 for none. */
function seen(passes: (visionX: Tensor<"b m f c h w">) => readonly Tensor[], m: number, b = 2): string[] {
  const before = images(b, m);
  const reference = passes(before);
  const changed = Array.from({ length: m }, (_, k) => passes(changedAt(before, 1, k) as typeof before));
  return reference.map((logits, pass) =>
    Array.from({ length: b }, (_, row) =>
      Array.from({ length: logits.shape[1] ?? 0 }, (_, l) => {
        const by = changed.map((of) => differing(logits, of[pass] as Tensor)[row]?.[l] ?? false);
        return by.flatMap((differs, k) => (differs ? [k + 1] : [])).join("") || "0";
      }).join(" "),
    ).join(" | "),
  );
}

const I = IMAGE;
const full = text([1, I, 2, I, 3], [1, 2, I, 3, 4]);
const columns = (from: number, to: number) =>
  text(...list<readonly number[]>(full).map((row) => row.slice(from, to)));
/** The text in passes, with the images given to each. */
const inPasses =
  (model: OpenFlamingo, ...ends: readonly number[]) =>
  (visionX: Tensor<"b m f c h w">) => {
    let past: FlamingoInputs["pastKeyValues"] = null;
    return ends.map((end, i) => {
      const langX = columns(ends[i - 1] ?? 0, end);
      const { logits, pastKeyValues } = model.forward({
        visionX,
        langX,
        pastKeyValues: past,
        useCache: true,
      });
      past = pastKeyValues;
      return logits;
    });
  };

describe("which image a token sees", () => {
  test("[openflamingo.visibility] the last image at or before a token of the whole text; in a release, of its own pass", () => {
    const whole = "0 1 1 2 2 | 0 0 1 1 1";
    const next = "1 1 2 2 0 | 1 1 1 0 0";
    expect(seen(inPasses(positionwise("flamboyance"), 5), 2)).toEqual([whole]);
    expect(seen(inPasses(positionwise("open-flamingo@2.0.1"), 5), 2)).toEqual([whole]);
    expect(seen(inPasses(positionwise("open-flamingo@0.1.1"), 5), 2)).toEqual([next]);
    expect(seen(inPasses(positionwise("flamboyance"), 2, 4, 5), 2)).toEqual([
      "0 1 | 0 0",
      "1 2 | 1 1",
      "2 | 1",
    ]);
    expect(seen(inPasses(positionwise("open-flamingo@2.0.1"), 2, 4, 5), 2)).toEqual([
      "0 1 | 0 0",
      "0 1 | 1 1",
      "0 | 0",
    ]);
    expect(seen(inPasses(positionwise("open-flamingo@0.1.1"), 2, 4, 5), 2)).toEqual([
      "1 1 | 0 0",
      "1 1 | 1 0",
      "0 | 0",
    ]);
  });

  test("[openflamingo.visibility] a generated image token counts in its own row; in 2.0.1 images of all rows then count from 1", () => {
    const generated = (profile: OpenFlamingoProfile) => {
      const model = positionwise(profile);
      return seen((visionX) => {
        const writer = model.withMedia(visionX);
        let cache: Cache | null = null;
        let s = 0;
        return [full, text([2], [2]), text([I], [2]), text([2], [2])].map((ids) => {
          s += ids.shape[1] ?? 0;
          const step = writer.step(ids, noPadding(2, s), cache, writer.context());
          cache = step.cache;
          return rearrange("b n -> b 1 n", step.logits);
        });
      }, 2);
    };
    // by hand: row 0 generates a third image token, for which there is no image
    expect(generated("flamboyance")).toEqual(["2 | 1", "2 | 1", "0 | 1", "0 | 1"]);
    expect(generated("open-flamingo@2.0.1")).toEqual(["2 | 1", "2 | 1", "1 | 0", "1 | 0"]);
    expect(generated("open-flamingo@0.1.1")).toEqual(["0 | 0", "0 | 0", "1 | 0", "0 | 0"]);
  });

  test("[openflamingo.cached-media] [openflamingo.recount] a text without image tokens sees the last image of inputIds", () => {
    const keep = { useCache: true, clearConditionedLayers: false };
    const run = (profile: OpenFlamingoProfile, texts: readonly Int<"b l">[], goesOn: boolean) =>
      seen((visionX) => {
        const model = positionwise(profile);
        model.cacheMedia({ inputIds: full, visionX });
        let past: FlamingoInputs["pastKeyValues"] = null;
        return texts.map((langX) => {
          const out = model.forward({ langX, pastKeyValues: goesOn ? past : null, ...keep });
          past = out.pastKeyValues;
          return out.logits;
        });
      }, 2);
    const steps = [full, text([1], [2]), text([I], [2]), text([1], [2])];
    expect(run("open-flamingo@2.0.1", steps, true)).toEqual([
      "0 1 1 2 2 | 0 0 1 1 1",
      "2 | 1",
      "1 | 0",
      "1 | 0",
    ]);
    const chunks = [columns(0, 1), columns(1, 3), columns(3, 5)];
    expect(run("open-flamingo@2.0.1", chunks, true)).toEqual(["2 | 1", "1 1 | 0 1", "1 1 | 0 0"]);
    const others = [text([2, 3], [4, 2]), text([2, 3], [4, I]), text([2, 3], [4, 2])];
    expect(run("open-flamingo@2.0.1", others, false)).toEqual(["2 2 | 1 1", "0 0 | 0 1", "0 0 | 1 1"]);
    // by hand: the last image in the whole text of the row, or in inputIds for a text of its own without images
    expect(run("flamboyance", chunks, true)).toEqual(["0 | 0", "1 1 | 0 1", "2 2 | 1 1"]);
    expect(run("flamboyance", others, false)).toEqual(["2 2 | 1 1", "2 2 | 0 1", "2 2 | 1 1"]);
    const two = positionwise("flamboyance");
    const error = refusal(() => {
      two.cacheMedia({ inputIds: full, visionX: images(2, 2) });
      two.forward({ langX: full, ...keep });
      return two.forward({ langX: text([I, I, I], [1, 1, 1]), ...keep });
    });
    expect(error.rule).toBe("openflamingo.missing-images");
  });

  test("[openflamingo.padded-images] image tokens in padding are no images, except in the releases", () => {
    const attentionMask = bool("b s", [
      [false, false, true, true, true],
      [true, true, true, true, true],
    ]);
    const run = (profile: OpenFlamingoProfile) =>
      seen(
        (visionX) => [
          positionwise(profile).forward({
            visionX,
            langX: text([1, I, 2, I, 3], [I, I, 1, 1, 1]),
            attentionMask,
          }).logits,
        ],
        2,
      );
    expect(run("flamboyance")).toEqual(["0 0 0 1 1 | 1 2 2 2 2"]);
    expect(run("open-flamingo@2.0.1")).toEqual(["0 1 1 2 2 | 1 2 2 2 2"]);
  });

  test("[openflamingo.missing-images] tokens after a surplus image token average all images in a release", () => {
    const ids = text([I, 1, I, 2], [1, I, 2, 3]);
    const run = (profile: OpenFlamingoProfile) =>
      seen((visionX) => [positionwise(profile).forward({ visionX, langX: ids }).logits], 1);
    expect(run("open-flamingo@2.0.1")).toEqual(["1 1 1 1 | 0 1 1 1"]); // of one image
    const model = positionwise("open-flamingo@2.0.1");
    const { "lang_encoder.layers.0.gated_cross_attn_layer.attn.attn": weights } = evaluate(
      record(() => model.forward({ visionX: images(2, 1), langX: ids }).logits, { model }),
    ).taps;
    const [row = []] = list<number[][][]>(weights as Tensor);
    expect(row[0]?.[2]).toEqual([0.5, 0.5]); // the mean, whatever the query
    expect(row[0]?.[1]).not.toEqual([0.5, 0.5]);
    expect(refusal(() => run("flamboyance")).message).toMatch(
      /text 0 has 2 image tokens, but there are 1 images for it: give an image for each token/,
    );
    const lenient = positionwise("flamboyance", { missingImages: "accept" });
    expect(seen((visionX) => [lenient.forward({ visionX, langX: ids }).logits], 1)).toEqual([
      "1 1 0 0 | 0 1 1 1",
    ]);
  });

  test("[openflamingo.surplus-images] images that no text names are refused where no token can follow", () => {
    const ids = text([1, I], [I, 2]);
    const model = positionwise("flamboyance");
    const three = { visionX: images(2, 3), langX: ids };
    const error = refusal(() => model.forward(three));
    expect([error.rule, error.message]).toEqual([
      "openflamingo.surplus-images",
      expect.stringMatching(
        /no text has more than 1 image tokens \(id 5\), but there are 3 images: put the token/,
      ),
    ]);
    expect(
      refusal(() => model.forward({ visionX: images(2, 1), langX: text([1, 2], [3, 4]) })).message,
    ).toMatch(/no text has an image token \(id 5\)/);
    expect(refusal(() => model.cacheMedia({ visionX: images(2, 3), inputIds: ids })).rule).toBe(error.rule);
    const writer = model.withMedia(images(2, 3));
    expect(refusal(() => writer.step(ids, noPadding(2, 2), null, writer.context())).rule).toBe(error.rule);
    const { pastKeyValues } = model.forward({ ...three, useCache: true }); // later passes may have image tokens
    expect(() => model.forward({ ...three, pastKeyValues })).not.toThrow();
    for (const other of [
      positionwise("open-flamingo@2.0.1"),
      positionwise("flamboyance", { surplusImages: "accept" }),
    ])
      expect(other.forward(three).logits.shape).toEqual([2, 2, 8]);
  });
});

describe("images of a call", () => {
  test("[openflamingo.images] pixels, the encoder's tokens and the resampler's latents are forms of the same images", () => {
    const model = smallFlamingo(llama());
    const visionX = images(2, 2);
    const features = model.encode(visionX);
    const media = model.perceive({ features });
    const { logits } = model.forward({ visionX, langX: full });
    expectSame(model.perceive(visionX), media);
    expectSame(model.forward({ features, langX: full }).logits, logits);
    expectSame(model.forward({ media, langX: full }).logits, logits);
    const writer = model.withMedia({ features });
    const { logits: last } = writer.step(full, noPadding(2, 5), null, writer.context());
    expectSame(last, rearrange("b 1 n -> b n", named("b 1 n", taken(logits, 1, [4]))));
    const error = refusal(() => model.forward({ visionX, media, langX: full }));
    expect([error.rule, error.message]).toEqual([
      "openflamingo.images",
      expect.stringContaining("visionX and media are forms of the same images; give one of them"),
    ]);
    expect(refusal(() => model.perceive({})).message).toMatch(
      /perceive needs images: visionX, or features or media/,
    );
  });

  const cachedModel = () => {
    const model = smallFlamingo(llama());
    model.cacheMedia({ inputIds: full, visionX: images(2, 2) });
    return model;
  };
  const keep = { clearConditionedLayers: false } as const;

  test("[openflamingo.cached] [openflamingo.no-images] [openflamingo.text] [openflamingo.batch] a refused call says what to do, and leaves cached media as they were", () => {
    const visionX = images(2, 2);
    const expected = cachedModel().forward({ langX: full }).logits;
    const outOfRange = text([1, 99], [1, I]);
    const calls: readonly (readonly [FlamingoInputs, string, RegExp])[] = [
      [{ langX: full, visionX }, "openflamingo.cached", /call uncacheMedia\(\) first, or leave them out/],
      [{ langX: text([], []) }, "openflamingo.text", /langX is \[2 0\]; give at least one token/],
      [
        { langX: text([I]) },
        "openflamingo.batch",
        /images for 2 texts, but 1 texts: give every text its own images/,
      ],
      [{ langX: text([I, I, I], [1, 1, 1]) }, "openflamingo.missing-images", /give an image for each token/],
      [
        { langX: outOfRange },
        "ops.gather",
        /id 99 at position 1 .* 9 rows of the table: enlarge it, or give ids from 0 to 8/,
      ],
      [
        { langX: full, labels: text([1, 2, 99, 1, 1], [1, 1, 1, 1, 1]) },
        "loss.targets",
        /target 99 is neither/,
      ],
      [
        { langX: full, labels: text([-100, -100, -100, -100, -100], [1, -100, -100, -100, -100]) },
        "loss.counted",
        /all targets are ignored/,
      ],
      [
        { langX: full, attentionMask: noPadding(2, 4) },
        "decode.mask",
        /a pass of 5 tokens is longer than its text, which has 4/,
      ],
      [{ langX: full, attentionMask: noPadding(2, 6) }, "decode.mask", /the mask is \[2 6\]/],
    ];
    for (const [inputs, rule, message] of calls) {
      const model = cachedModel();
      const error = refusal(() => model.forward(inputs));
      expect([error.rule, error.message]).toEqual([rule, expect.stringMatching(message)]);
      expectSame(model.forward({ langX: full }).logits, expected);
    }
    const model = cachedModel();
    expect(shapeRefusal(() => model.forward({ langX: full, labels: text([1], [2]) })).message).toMatch(
      /labels/,
    );
    const twice = refusal(() => model.cacheMedia({ inputIds: full, visionX: images(2, 2, 2) }));
    expect(twice.rule).toBe("openflamingo.one-frame");
    expectSame(model.forward({ langX: full }).logits, expected);
  });

  test("[openflamingo.no-images] a call without images, or with none for a text, is refused in the words of the release", () => {
    const model = smallFlamingo(llama());
    const error = refusal(() => model.forward({ langX: full }));
    expect([error.rule, releaseMessage(error)]).toEqual([
      "openflamingo.no-images",
      "AssertionError: Must provide either vision_x or have precached media using cache_media().",
    ]);
    expect(error.message).toMatch(/give visionX, or call cacheMedia first/);
    for (const none of [
      { visionX: images(2, 0) },
      { features: randomTensor<"b m s d">([2, 0, 4, 3]) },
      { media: randomTensor<"b m r e">([2, 0, 2, 3]) },
    ])
      expect(refusal(() => model.forward({ langX: full, ...none })).message).toMatch(
        /0 images for each text: give at least one/,
      );
    expect(releaseMessage(refusal(() => cachedModel().forward({ langX: full, visionX: images(2, 2) })))).toBe(
      "AssertionError: Expect vision_x to be None when media has been cached using cache_media(). Try uncache_media() first.",
    );
  });

  test("[openflamingo.unconditioned] a gated layer without images is refused; a layer without cross-attention needs none", () => {
    const model = smallFlamingo(llama(), { crossAttnEveryNLayers: 2 });
    const [plain, gated] = model.lang_encoder.layers;
    const at = { ...decodingOf(noPadding(1, 2), 2), media: null, visibility: null };
    const x = randomTensor<"b l d">([1, 2, 8], 3);
    const error = refusal(() => gated?.forward(x, at, null));
    expect([error.rule, releaseMessage(error)]).toEqual([
      "openflamingo.unconditioned",
      "ValueError: vis_x must be conditioned before forward pass",
    ]);
    expect(plain?.forward(x, at, null).x.shape).toEqual([1, 2, 8]);
  });

  test("[openflamingo.clear] cached media are forgotten after a call, unless it keeps them, or by uncacheMedia", () => {
    const model = cachedModel();
    const { logits } = model.forward({ langX: full, ...keep });
    expectSame(model.forward({ langX: full, ...keep }).logits, logits);
    const labels = full;
    expectSame(model.loss({ langX: full, labels, ...keep }), model.loss({ langX: full, labels, ...keep }));
    expectSame(model.forward({ langX: full }).logits, logits);
    expect(refusal(() => model.forward({ langX: full })).rule).toBe("openflamingo.no-images");
    expectSame(model.forward({ langX: full, visionX: images(2, 2) }).logits, logits);
    for (const forget of [
      (cached: OpenFlamingo) => cached.uncacheMedia(),
      (cached: OpenFlamingo) => cached.loss({ langX: full, labels }),
    ]) {
      const cached = cachedModel();
      forget(cached);
      expect(refusal(() => cached.forward({ langX: full })).rule).toBe("openflamingo.no-images");
    }
    // images of a call are not cached by it, as in the release
    model.forward({ langX: full, visionX: images(2, 2), ...keep });
    expect(refusal(() => model.forward({ langX: full })).rule).toBe("openflamingo.no-images");
  });
});

test("[openflamingo.remembered-mask] without a mask the padding of cached tokens stays padding; in a release it becomes text", () => {
  const visionX = images(2, 2);
  const step = text([2], [3]);
  const first = bool("b s", [
    [false, true, true, true, true],
    [true, true, true, true, true],
  ]);
  const whole = bool("b s", [
    [false, true, true, true, true, true],
    [true, true, true, true, true, true],
  ]);
  const run = (profile: OpenFlamingoProfile, attentionMask: Bool<"b s"> | null) => {
    const model = smallFlamingo(llama(), { profile });
    const { pastKeyValues } = model.forward({ visionX, langX: full, attentionMask: first, useCache: true });
    return model.forward({ visionX, langX: step, attentionMask, pastKeyValues }).logits;
  };
  for (const [profile, mask] of [
    ["flamboyance", whole],
    ["open-flamingo@2.0.1", noPadding(2, 6)],
  ] as const)
    expectSame(run(profile, null), run(profile, mask));
  expect(valuesOf(run("open-flamingo@2.0.1", null))).not.toEqual(valuesOf(run("open-flamingo@2.0.1", whole)));
});

describe("the loss", () => {
  const N = -100;
  const labels = text([N, N, 2, N, 3], [4, N, N, 3, N]);
  const visionX = images(2, 2);

  /** Mean of −log softmax(logits[l])[labels[l + 1]] over labels other than −100. */
  const meanLoss = (logits: Tensor): number => {
    const terms = list<number[][]>(logits).flatMap((row, b) =>
      row.flatMap((scores, l) => {
        const label = list<number[]>(labels)[b]?.[l + 1] ?? N;
        const sum = scores.reduce((total, x) => total + Math.exp(x), 0);
        return label === N ? [] : [Math.log(sum) - (scores[label] ?? Number.NaN)];
      }),
    );
    expect(terms.length).toBe(3); // the first label of a row is not predicted
    return terms.reduce((sum, x) => sum + x, 0) / terms.length;
  };

  test.each(decoders)(
    "[openflamingo.loss] [openflamingo.labelled-logits] %s: both losses equal the naive loop",
    (_, make) => {
      const model = smallFlamingo(make());
      const { logits, loss } = model.forward({ visionX, langX: full, labels });
      if (!loss) throw new Error("there is no loss");
      expectClose(valuesOf(loss), [meanLoss(logits)], 1e-12);
      expectClose(valuesOf(model.loss({ visionX, langX: full, labels })), [meanLoss(logits)], 1e-12);
      expect(model.forward({ visionX, langX: full }).loss).toBe(null);
    },
  );

  test("[openflamingo.labelled-logits] where every token is a label, every position but the last of each row counts", () => {
    const model = smallFlamingo(llama());
    const { loss } = model.forward({ visionX, langX: full, labels: full });
    if (!loss) throw new Error("there is no loss");
    expectClose(valuesOf(model.loss({ visionX, langX: full, labels: full })), valuesOf(loss), 1e-12);
  });

  test("[openflamingo.labelled-logits] logits of positions without a label are not computed, and the derivatives are those of forward", () => {
    const language = new Positionwise();
    const model = smallFlamingo(language);
    model.loss({ visionX, langX: full, labels });
    expect(language.options.read).toEqual(["1 3 8"]);
    const small = smallFlamingo(llama());
    const names = ["perceiver.latents", "lang_encoder.model.layers.1.gated_cross_attn_layer.attn_gate"];
    const slopes = (loss: () => Tensor) =>
      evaluate(gradients(record(loss, { model: small }), "out", names)).outputs;
    const all = slopes(() => small.forward({ visionX, langX: full, labels }).loss as Tensor);
    const some = slopes(() => small.loss({ visionX, langX: full, labels }));
    for (const name of names) {
      const [x, y] = [all, some].map((of) => valuesOf(of[gradientOf(name)] as Tensor));
      expectClose(x ?? [], y ?? [], 1e-12);
      expect(Math.max(...(x ?? []).map(Math.abs))).toBeGreaterThan(1e-6);
    }
  });

  test("[openflamingo.no-labels] without a label the loss is refused, or NaN in a release", () => {
    const none = { visionX, langX: full, labels: text([4, N, N, N, N], [4, N, N, N, N]) };
    const model = smallFlamingo(llama());
    for (const call of [() => model.forward(none), () => model.loss(none)])
      expect([refusal(call).rule, releaseMessage(refusal(call))]).toEqual(["loss.counted", "nan"]);
    const release = smallFlamingo(llama(), { profile: "open-flamingo@2.0.1" });
    expect(valuesOf(release.forward(none).loss as Tensor)).toEqual([Number.NaN]);
    expect(valuesOf(release.loss(none))).toEqual([Number.NaN]);
    expect(refusal(() => Reflect.apply(model.loss, model, [{ visionX, langX: full }])).message).toMatch(
      /needs labels/,
    );
  });

  test.each(decoders)(
    "[openflamingo.checkpointing] %s: the outputs of resampler, layers and gated blocks are kept, with the same derivatives",
    (_, make) => {
      const language = make();
      const model = smallFlamingo(language, { gradientCheckpointing: true });
      expect(smallFlamingo(make()).keepOnly).toBe(null);
      const keepOnly = model.keepOnly as RegExp;
      const program = record(() => ({ loss: model.loss({ visionX, langX: full, labels }) }), { model });
      const kept = Object.keys(program.taps).filter((name) => keepOnly.test(name));
      expect(kept[0]).toBe("perceiver");
      expect(kept.filter((name) => name.endsWith(".gated_cross_attn_layer")).length).toBe(3);
      expect(kept.filter((name) => name.endsWith(".decoder_layer")).length).toBe(3);
      expect(kept.length).toBe(7);
      const derived = gradients(program, "loss", ["perceiver.latents"]);
      const again = gradientCheckpointing(derived, "loss", keepTaps(keepOnly));
      const [x, y] = [derived, again].map(
        (of) => evaluate(of).outputs[gradientOf("perceiver.latents")] as Tensor,
      );
      expectSame(x as Tensor, y as Tensor);
      expect(again.nodes.length).toBeGreaterThan(derived.nodes.length);
    },
  );
});

describe("profiles", () => {
  test("[openflamingo.profile] options of a profile can be changed one by one; an unknown profile or option is refused", () => {
    const { behaviour } = smallFlamingo(llama(), {
      profile: "open-flamingo@2.0.1",
      behaviour: { missingImages: "refuse" },
    }).options;
    expect(behaviour).toMatchObject({ missingImages: "refuse", surplusImages: "accept" });
    expect(behaviour.convention).toBe(conventions["open-flamingo@2.0.1"]);
    const { options } = smallFlamingo(llama());
    expect(options.behaviour).toMatchObject({ missingImages: "refuse", surplusImages: "refuse" });
    expect(options.convention).toBe(conventions.immediate);
    const strange: object = { profile: "open-flamingo" };
    expect(refusal(() => smallFlamingo(llama(), strange)).message).toMatch(
      /profile is "open-flamingo"; it must be "flamboyance" or "open-flamingo@2.0.1" or "open-flamingo@0.1.1"/,
    );
    const unknown: object = { behaviour: { surplus: "accept" } };
    expect(refusal(() => smallFlamingo(llama(), unknown)).rule).toBe("options.known");
  });

  test("[openflamingo.encoder-name] the image encoder's parameters have the names of the release", () => {
    const names = (profile: OpenFlamingoProfile) =>
      [...stateDict(smallFlamingo(llama(), { profile })).keys()].filter((name) =>
        name.startsWith("vision_encoder"),
      );
    expect(names("flamboyance")).toEqual(["vision_encoder.proj.weight"]);
    expect(names("open-flamingo@2.0.1")).toEqual(["vision_encoder.proj.weight"]);
    expect(names("open-flamingo@0.1.1")).toEqual(["vision_encoder.visual.proj.weight"]);
  });
});
