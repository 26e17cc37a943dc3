// The executable half of 11-masked-cross-attention.md. The loops are those of docs/examples/flamingo-as-loops.mjs.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  maskedCrossAttention,
  visibilityOf as seen,
  type VisibilityRule,
} from "../../docs/examples/flamingo-as-loops.mjs";
import { GatedCrossAttentionBlock } from "../../src/blocks/gated-cross-attention-block.ts";
import {
  MaskedCrossAttention,
  type MaskedCrossAttentionOptions,
} from "../../src/blocks/masked-cross-attention.ts";
import { releaseMessage } from "../../src/conformance/releases/message.ts";
import { type Convention, conventions } from "../../src/masks/conventions/conventions.ts";
import { visibilityOf } from "../../src/masks/media-mask.ts";
import { maskRows } from "../../src/masks/rows.ts";
import { ShapeError } from "../../src/tensor/errors.ts";
import { ndArray } from "../../src/tensor/ops/elementwise.ts";
import { type Any, Bool, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { linear, type Mat, norm, row, under } from "../support/oracles/layers.ts";
import {
  ownConventions as every,
  expectNear,
  forAll,
  from,
  list,
  seeds,
  tapsOf,
  weighted,
  weightsOf,
} from "../support/oracles/modules.ts";
import { locations, randomLocations, randomTensor } from "../support/properties/arbitraries.ts";
import {
  aBatchEqualsItsRows,
  anImageChangesOnlyTheTokensThatSeeIt,
  aPaddingImageChangesNothing,
  aPrefixGivesThePrefix,
  joined,
  permutingChangesNothing,
  taken,
} from "../support/properties/models.ts";
import { expectClose, expectSame, replayEqualsEager, valuesOf } from "../support/properties/programs.ts";
import { refusal, shapeRefusal } from "../support/properties/refusals.ts";

const released = conventions["flamingo-pytorch@0.1.2 immediate"];
const releasedAll = conventions["flamingo-pytorch@0.1.2 all-previous"];
/** The conventions in the loop's terms, written from their sources and not read from the data. */
const rules: Readonly<Record<string, VisibilityRule>> = {
  immediate: { lastOnly: true, empty: "zero", zeroBefore: false },
  "all-previous": { lastOnly: false, empty: "zero", zeroBefore: false },
  "flamingo-pytorch@0.1.2 immediate": { lastOnly: true, empty: "uniform", zeroBefore: true },
  "flamingo-pytorch@0.1.2 all-previous": { lastOnly: false, empty: "uniform", zeroBefore: false },
};
const convention = fc.constantFrom(...every);
const ruleOf = ({ name }: Convention): VisibilityRule => rules[name] as VisibilityRule;

const small = { dim: 5, dimMedia: 4, heads: 2, dimHead: 3 };
const attention = (options: Partial<MaskedCrossAttentionOptions> = {}, seed = 1) =>
  weighted(new MaskedCrossAttention({ ...small, ...options }), seed);
const text = (b: number, l: number, dim = 5): Tensor<"b l d"> => randomTensor([b, l, dim], 7, (v) => 2 * v);
const images = (b: number, m: number, r: number, e = 4): Tensor<"b m r e"> =>
  randomTensor([b, m, r, e], 8, (v) => 2 * v);
/** Which image reaches which token, by the outcomes of 20-masks. */
const reaching = (mediaLocations: Bool<"b l">, m: number, c: Convention) => {
  const rows = maskRows(mediaLocations, m, c);
  return (b: number, l: number, k: number) => rows[b]?.[l]?.images.includes(k + 1) ?? false;
};

const sizes = {
  b: from(1, 2),
  l: from(0, 6),
  m: from(1, 3),
  r: from(1, 3),
  dim: from(1, 5),
  dimMedia: from(1, 4),
  heads: from(1, 3),
  dimHead: from(1, 3),
  seed: seeds,
};

test("[xattn.attend] equals the loop under every convention, for any locations", () => {
  forAll(
    { ...sizes, convention },
    ({ b, l, m, r, dim, dimMedia, heads, dimHead, seed, convention }) => {
      const attn = weighted(new MaskedCrossAttention({ dim, dimMedia, heads, dimHead, convention }), seed);
      const [x, media] = [text(b, l, dim), images(b, m, r, dimMedia)];
      const mediaLocations = randomLocations(b, l, seed);
      const expected = list<Mat>(x).map((tokens, i) => {
        const located = Array.from({ length: l }, (_, j) => mediaLocations.flat()[i * l + j] === 1);
        const visibility = seen(located, r, ruleOf(convention));
        return maskedCrossAttention(
          weightsOf(attn),
          tokens,
          list<readonly Mat[]>(media)[i] ?? [],
          heads,
          visibility,
        );
      });
      expectNear(attn.forward(x, media, { mediaLocations }), expected);
    },
    60,
  );
});

test("[xattn.attend] the option onlyAttendImmediateMedia names the two corrected conventions", () => {
  expect(conventions.immediate).toMatchObject(new MaskedCrossAttention({ dim: 4 }).options.convention);
  const all = new MaskedCrossAttention({ dim: 4, onlyAttendImmediateMedia: false });
  expect(conventions["all-previous"]).toMatchObject(all.options.convention);
  const given = new MaskedCrossAttention({ dim: 4, onlyAttendImmediateMedia: true, convention: releasedAll });
  expect(given.options.convention).toBe(releasedAll);
});

test("[xattn.attend] replay equals eager", async () => {
  for (const convention of every) {
    const [model, x, media] = [attention({ convention }), text(2, 5), images(2, 2, 3)];
    const mediaLocations = locations(".I.II", "..I..");
    await replayEqualsEager(() => model.forward(x, media, { mediaLocations }), {
      model,
      inputs: { x, media },
    });
  }
});

test("[xattn.attend] a batch equals its rows one by one", () => {
  for (const convention of every) {
    const model = attention({ convention });
    const forward = (x: Tensor<"b l d">, media: Tensor<"b m r e">, mediaLocations: Bool<"b l">) =>
      model.forward(x, media, { mediaLocations });
    aBatchEqualsItsRows(forward, text(3, 5), images(3, 2, 2), locations(".I.I.", "..I..", "....."));
  }
});

test("[xattn.norm] scale and shift of a token do not matter, those of the media do", () => {
  const model = attention();
  const [x, media, mediaLocations] = [text(1, 4), images(1, 2, 2), locations(".I.I")];
  const large = tensor(
    "b l d",
    x.shape,
    valuesOf(x).map((v) => 1e4 * v),
  );
  const moved = tensor(
    "b l d",
    x.shape,
    valuesOf(x).map((v) => 2e4 * v + 5e4),
  );
  const out = valuesOf(model.forward(large, media, { mediaLocations }));
  expectClose(valuesOf(model.forward(moved, media, { mediaLocations })), out, 1e-9);
  const louder = tensor(
    "b m r e",
    media.shape,
    valuesOf(media).map((v) => 2 * v + 1),
  );
  expect(valuesOf(model.forward(large, louder, { mediaLocations }))).not.toEqual(out);
});

/** The scores of both heads of a module, computed with the loops. */
function scoresByHand(model: MaskedCrossAttention, x: Tensor, media: Tensor): Mat[][] {
  const w = weightsOf(model);
  return list<Mat>(x).map((tokens, b) => {
    const q = tokens.map((token) => linear(under(w, "to_q"), norm(under(w, "norm"), token)));
    const k = (list<readonly Mat[]>(media)[b] ?? []).flat().map((e) => linear(under(w, "to_kv"), e));
    const head = (r: readonly number[], h: number) => r.slice(3 * h, 3 * h + 3);
    const score = (query: readonly number[], key: readonly number[]) =>
      query.reduce((z, v, c) => z + v * (key[c] ?? NaN), 0) / Math.sqrt(3);
    return [0, 1].map((h) => q.map((query) => k.map((key) => score(head(query, h), head(key, h)))));
  });
}

test("[xattn.norm] [xattn.keys] in every head the queries come from normalised text and the keys from media as given", () => {
  const [model, x, media] = [attention(), text(2, 3), images(2, 2, 2)];
  const { scores } = tapsOf(model, () => model.forward(x, media));
  expectNear(scores as Tensor, scoresByHand(model, x, media));
});

test("[xattn.keys] latent r of image m is key m·R + r", () => {
  const model = attention({ heads: 1 });
  const [x, media] = [text(1, 3), images(1, 3, 2)];
  const scores = (given: Tensor) =>
    tapsOf(model, () => model.forward(x, given as Tensor<Any>)).scores as Tensor;
  for (const [m, r, key] of [
    [0, 0, 0],
    [0, 1, 1],
    [1, 0, 2],
    [2, 1, 5],
  ] as const) {
    const other = taken(media, 0, [0]); // a copy
    ndArray(other.data).set(0, m, r, 1, 99);
    const [before, after] = [scores(media), scores(other)].map(
      (t) => list<readonly Mat[]>(t)[0]?.[0]?.[0] ?? [],
    );
    const moved = before?.flatMap((v, j) => (v === after?.[j] ? [] : [j]));
    expect(moved).toEqual([key]);
  }
});

test("[xattn.keys] lie image by image: the weights of a token's image are a block of its row", () => {
  const model = attention();
  const attn = tapsOf(model, () =>
    model.forward(text(1, 5), images(1, 3, 2), { mediaLocations: locations(".I.II") }),
  ).attn;
  const seen = list<readonly Mat[]>(attn as Tensor)[0]?.map((head) =>
    head.map((weights) => weights.map((w) => Number(w > 0)).join("")),
  );
  const blocks = ["000000", "110000", "110000", "001100", "000011"];
  expect(seen).toEqual([blocks, blocks]);
});

test("[xattn.mask] changing image k changes only tokens that may see image k, bit for bit", () => {
  forAll({ l: from(1, 6), m: from(1, 3), seed: seeds, convention }, ({ l, m, seed, convention }) => {
    const model = attention({ convention }, seed);
    const [x, media, mediaLocations] = [text(2, l), images(2, m, 2), randomLocations(2, l, seed)];
    anImageChangesOnlyTheTokensThatSeeIt(
      (other) => model.forward(x, other as Tensor<"b m r e">, { mediaLocations }),
      media,
      reaching(mediaLocations, m, convention),
    );
  });
});

test("[xattn.mask] a token that sees no image gets exactly zero by default", () => {
  const x = text(1, 5);
  for (const onlyAttendImmediateMedia of [true, false]) {
    const model = attention({ onlyAttendImmediateMedia });
    const zeroRows = (mediaLocations: Bool<"b l">, m: number) =>
      (list<Mat>(model.forward(x, images(1, m, 2), { mediaLocations }))[0] ?? []).map((r) =>
        r.every((v) => v === 0),
      );
    expect(zeroRows(locations("..I.I"), 2)).toEqual([true, true, false, false, false]);
    const imageMissing = onlyAttendImmediateMedia;
    expect(zeroRows(locations("I.I.."), 1)).toEqual([false, false, imageMissing, imageMissing, imageMissing]);
  }
});

test("[mask.uniform-leak] under the release's conventions a token without an image averages all latents of all images", () => {
  const [x, media] = [text(1, 4), images(1, 2, 3)];
  const leaking: readonly (readonly [Convention, string, number])[] = [
    [released, "III.", 3], // belongs to image 3 of 2
    [releasedAll, "..I.", 1], // no image yet
  ];
  for (const [convention, layout, token] of leaking) {
    const model = attention({ convention });
    const w = weightsOf(model);
    const keys = (list<readonly Mat[]>(media)[0] ?? []).flat();
    const values = keys.map((e) => linear(under(w, "to_kv"), e).slice(6));
    const average = row(values, 0).map(
      (_, c) => values.reduce((z, v) => z + (v[c] ?? NaN), 0) / values.length,
    );
    const out = model.forward(x, media, { mediaLocations: locations(layout) });
    expectNear(taken(out, 1, [token]), [[linear(under(w, "to_out"), average)]]);
  }
});

test("[xattn.mask] one more image without a token changes nothing", () => {
  forAll({ l: from(1, 6), seed: seeds }, ({ l, seed }) => {
    const mediaLocations = randomLocations(2, l, seed);
    const counts = list<readonly number[]>(mediaLocations).map((r) => r.reduce((a, b) => a + b, 0));
    const m = Math.max(1, ...counts); // an image for every token of the fullest row
    for (const name of ["immediate", "all-previous"] as const) {
      const model = attention({ convention: conventions[name] }, seed);
      const forward = (media: Tensor) => model.forward(text(2, l), media as Tensor<Any>, { mediaLocations });
      aPaddingImageChangesNothing(forward, images(2, m, 2));
    }
  });
});

test("[xattn.mask] an image whose token is the last changes that token only, one beyond it nothing", () => {
  const model = attention();
  const mediaLocations = locations("I...I");
  anImageChangesOnlyTheTokensThatSeeIt(
    (media) => model.forward(text(1, 5), media as Tensor<Any>, { mediaLocations }),
    images(1, 3, 2),
    (_, l, k) => (k === 0 && l < 4) || (k === 1 && l === 4),
  );
});

test("[xattn.mask] the output for a prefix is the prefix of the output", () => {
  const [whole, media] = [text(2, 6), images(2, 2, 2)];
  const places = list<readonly number[]>(locations("I..I..", "..I..I"));
  for (const convention of every) {
    const model = attention({ convention });
    const forward = (n: number) => {
      const x = taken(
        whole,
        1,
        Array.from({ length: n }, (_, i) => i),
      ) as Tensor<"b l d">;
      const prefix = Uint8Array.from(places.flatMap((r) => r.slice(0, n)));
      return model.forward(x, media, { mediaLocations: new Bool([2, n], prefix) });
    };
    aPrefixGivesThePrefix(forward, 6);
  }
});

test("[xattn.mask] the order of an image's latents does not matter", () => {
  for (const convention of every) {
    const model = attention({ convention });
    const mediaLocations = locations(".I.I", "II.I");
    const forward = (media: Tensor<"b m r e">) => model.forward(text(2, 4), media, { mediaLocations });
    permutingChangesNothing(forward, images(2, 2, 4), 2);
  }
});

test("[xattn.no-locations] every token sees every image, under every convention", () => {
  const [x, media] = [text(2, 3), images(2, 2, 2)];
  const outs = every.map((convention) => attention({ convention }).forward(x, media));
  const expected = list<Mat>(x).map((tokens, b) =>
    maskedCrossAttention(weightsOf(attention()), tokens, list<readonly Mat[]>(media)[b] ?? [], 2),
  );
  for (const out of outs) expectNear(out, expected);
  expectSame(attention().forward(x, media, { mediaLocations: null }), outs[0] as Tensor);
  const model = attention();
  anImageChangesOnlyTheTokensThatSeeIt(
    (other) => model.forward(x, other as Tensor<Any>),
    media,
    () => true,
  );
  const taps = tapsOf(model, () => model.forward(x, media));
  expect(Object.keys(taps)).not.toContain("scores.masked");
  const masked = tapsOf(model, () => model.forward(x, media, { mediaLocations: locations("..I", "I..") }));
  expect(Object.keys(masked)).toContain("scores.masked");
});

test("[xattn.no-media] images without latents, and no images at all, are refused, with locations and without", () => {
  for (const media of [images(1, 0, 2), images(1, 2, 0)]) {
    for (const mediaLocations of [null, locations("..I")]) {
      const error = refusal(() => attention().forward(text(1, 3), media, { mediaLocations }));
      expect(error.rule).toBe("xattn.no-media");
      // torch 2.13 on flamingo-pytorch 0.1.2
      expect(releaseMessage(error)).toBe(
        "IndexError: amax(): Expected reduction dim -1 to have non-zero size.",
      );
    }
  }
  expect(attention().forward(text(1, 0), images(1, 1, 2)).shape).toEqual([1, 0, 5]); // as the release computes it
});

test("[mask.end-token] [mask.neighbours] locations may mark end tokens and an image's further tokens; other numbers are refused", () => {
  const marked = (...kinds: number[]) => new Bool<"b l">([1, kinds.length], Uint8Array.from(kinds));
  const [x, media] = [text(1, 6), images(1, 2, 2)];
  for (const convention of [conventions.idefics, conventions["mllama transformers"]]) {
    const model = attention({ convention });
    const forward = (mediaLocations: Bool<"b l">) => valuesOf(model.forward(x, media, { mediaLocations }));
    const [ended, joined] = [marked(1, 0, 2, 0, 1, 0), marked(1, 3, 1, 3, 0, 0)];
    for (const where of [ended, joined]) {
      const visibility = visibilityOf(where, 2, convention);
      expect(forward(where)).toEqual(valuesOf(model.forward(x, media, { visibility })));
    }
    const without = marked(1, 0, 0, 0, 1, 0);
    if (convention.endTokens === "cut")
      expect(forward(ended)).not.toEqual(forward(without)); // position 3 sees no image
    else expect(forward(joined)).not.toEqual(forward(marked(1, 0, 1, 0, 0, 0))); // images with text between are no neighbours
    expect(refusal(() => forward(marked(1, 4, 0, 0, 0, 0))).message).toContain("it must be booleans b l");
  }
});

test("[xattn.one-mask] locations together with a finished mask, and values that are neither, are refused", () => {
  const [model, x, media, mediaLocations] = [attention(), text(1, 3), images(1, 2, 2), locations("I.I")];
  const visibility = visibilityOf(mediaLocations, 2, conventions.immediate);
  const error = refusal(() => model.forward(x, media, { mediaLocations, visibility }));
  expect(error.rule).toBe("xattn.one-mask");
  const bad: readonly (readonly [object, string])[] = [
    [{ visibility: {} }, "visibility is an object (Object)"],
    [
      { visibility: { ...visibility, emptyRow: "unmasked" } },
      'emptyRow is "unmasked"; it must be one of zero, uniform, nan',
    ],
    [{ visibility: { ...visibility, postSoftmaxMask: [1] } }, "visibility is an object (Object)"],
    [
      {
        visibility: {
          ...visibility,
          mayAttend: { shape: [1, 3, 2], data: Float32Array.of(1, 0, 0, 0.5, 0, 1) },
        },
      },
      "visibility is an object (Object)",
    ],
    [{ mediaLocations: [[true, false, true]] }, "mediaLocations is a list of 1"],
    [{ mediaLocations: { shape: [1, 3], data: [1, 0, 1] } }, "mediaLocations is an object (Object)"],
  ];
  for (const [masks, message] of bad)
    expect(refusal(() => model.forward(x, media, masks as never)).message).toContain(message);
});

test("[xattn.attend] inputs of other widths are refused in the words of the release", () => {
  const model = attention();
  const given = (call: () => unknown): string | null => releaseMessage(shapeRefusal(call));
  // torch 2.13 on flamingo-pytorch 0.1.2, with dim 5 and 2 heads of 3
  expect(given(() => model.forward(text(2, 3, 4), images(2, 2, 2)))).toBe(
    "RuntimeError: Given normalized_shape=[5], expected input with shape [*, 5], but got input of size[2, 3, 4]",
  );
  const { heads, dimHead } = model.options;
  const columns = 2 * heads * dimHead;
  const wide = images(2, 3, 2, 6);
  const width = model.to_kv.weight.shape[1];
  expect(given(() => model.forward(text(2, 3), wide))).toBe(
    `RuntimeError: mat1 and mat2 shapes cannot be multiplied (12x6 and ${width}x${columns})`,
  );
  // locations of a text of one token are repeated, and other axes are errors of einops, which are not known
  for (const [l, where] of [[1, "I.I."], [4, "I"]] as const) // biome-ignore format: one line
    expect(
      given(() => model.forward(text(1, l), images(1, 2, 2), { mediaLocations: locations(where) })),
    ).toBe(null);
  expect(given(() => model.forward(text(2, 3), randomTensor([2, 3, 2, 6, 1]) as Tensor<Any>))).toBe(null);
  expect(given(() => model.forward(text(1, 5), images(1, 2, 2), { mediaLocations: locations("I.I.") }))).toBe(
    "RuntimeError: The size of tensor a (4) must match the size of tensor b (5) at non-singleton dimension 2",
  );
  expect(given(() => model.forward(text(1, 5), images(1, 2, 2), { mediaLocations: locations("I") }))).toBe(
    null,
  );
});

test("[xattn.attend] wrong shapes are refused with every argument's axes", () => {
  const model = attention();
  const [x, media] = [text(2, 3), images(2, 2, 2)];
  const mediaLocations = locations("..", "..");
  const wrong: readonly (readonly [() => unknown, RegExp])[] = [
    [
      () => model.forward(x, images(1, 2, 2)),
      /in MaskedCrossAttention: axis "b" disagrees[\s\S]*<- axis "b" disagrees: 1, was 2/,
    ],
    [() => model.forward(text(2, 3, 4), media), /in MaskedCrossAttention: axis "d" disagrees/],
    [() => model.forward(x, images(2, 2, 2, 5)), /in MaskedCrossAttention: axis "e" disagrees/],
    [() => model.forward(x, media, { mediaLocations }), /in MaskedCrossAttention: axis "l" disagrees/],
    [
      () => new GatedCrossAttentionBlock({ dim: 5 }).forward(x, undefined as never, { mediaLocations }),
      /in GatedCrossAttentionBlock: media is missing/,
    ],
    [() => model.forward(x, joined(media, media, 0) as Tensor<Any>), /axis "b" disagrees/],
  ];
  for (const [call, message] of wrong) {
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  }
});
