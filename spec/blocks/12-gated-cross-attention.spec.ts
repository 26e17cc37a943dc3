// The executable half of 12-gated-cross-attention.md. The loops are those of docs/examples/flamingo-as-loops.mjs.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { gatedBlock, type VisibilityRule, visibilityOf } from "../../docs/examples/flamingo-as-loops.mjs";
import {
  GatedCrossAttentionBlock,
  type GatedCrossAttentionBlockOptions,
} from "../../src/blocks/gated-cross-attention-block.ts";
import { readMaskCases } from "../../src/io/golden/masks.ts";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { type Convention, conventions } from "../../src/masks/conventions/conventions.ts";
import { EFFECT } from "../../src/masks/exhaustive/effect.ts";
import { promptsOfMode } from "../../src/masks/exhaustive/exhaustive.ts";
import { visibilityOf as mediaVisibilityOf } from "../../src/masks/media-mask.ts";
import { maskRows } from "../../src/masks/rows.ts";
import { initialize, stateDict } from "../../src/nn/state-dict.ts";
import { RuleError, ShapeError } from "../../src/tensor/errors.ts";
import { type Any, Bool, type Tensor, view } from "../../src/tensor/tensor.ts";
import type { Mat } from "../support/oracles/layers.ts";
import {
  ownConventions as every,
  expectNear,
  forAll,
  from,
  list,
  seeds,
  weighted,
  weightsOf,
} from "../support/oracles/modules.ts";
import { locations, randomLocations, randomTensor } from "../support/properties/arbitraries.ts";
import {
  aBatchEqualsItsRows,
  anImageChangesOnlyTheTokensThatSeeIt,
  aPaddingImageChangesNothing,
  aPrefixGivesThePrefix,
  changedAt,
  differing,
  taken,
} from "../support/properties/models.ts";
import { expectClose, expectSame, replayEqualsEager, valuesOf } from "../support/properties/programs.ts";

const immediate: VisibilityRule = { lastOnly: true, empty: "zero", zeroBefore: false };
const allPrevious: VisibilityRule = { ...immediate, lastOnly: false };

const small = { dim: 4, heads: 2, dimHead: 3, ffMult: 2 };
const block = (options: Partial<GatedCrossAttentionBlockOptions> = {}, seed = 1) =>
  weighted(new GatedCrossAttentionBlock({ ...small, ...options }), seed);
const gates = (model: GatedCrossAttentionBlock, attn: number, ff: number): GatedCrossAttentionBlock => {
  model.attn_gate.assign(view(Float64Array.of(attn), [1]));
  model.ff_gate.assign(view(Float64Array.of(ff), [1]));
  return model;
};
const text = (b: number, l: number): Tensor<"b l d"> => randomTensor([b, l, 4], 7, (v) => 2 * v);
const images = (b: number, m: number, r: number): Tensor<"b m r e"> =>
  randomTensor([b, m, r, 4], 8, (v) => 2 * v);
/** Tokens whose mask allows no image. */
const empty = (mediaLocations: Bool<"b l">, m: number, c: Convention): boolean[][] =>
  maskRows(mediaLocations, m, c).map((rows) => rows.map(({ mayAttend }) => !mayAttend.includes(true)));
/** Tokens to which attention adds nothing. */
const zeroed = (mediaLocations: Bool<"b l">, m: number, c: Convention): boolean[][] =>
  maskRows(mediaLocations, m, c).map((rows) => rows.map(({ images }) => images.length === 0));

const sizes = { b: from(1, 2), l: from(0, 5), m: from(1, 3), r: from(1, 3), seed: seeds };
const last = fc.boolean();

/** Compares the block, with gates open and unequal, with the loop. `skip`: no feed-forward on tokens without an image. */
function equalsTheLoop(
  { b, l, m, r, seed, last }: { b: number; l: number; m: number; r: number; seed: number; last: boolean },
  emptyRowFeedForward: "run" | "skip",
): void {
  const convention = conventions[last ? "immediate" : "all-previous"];
  const model = block({ convention: { ...convention, emptyRowFeedForward } }, seed);
  const [x, media, mediaLocations] = [text(b, l), images(b, m, r), randomLocations(b, l, seed)];
  const expected = list<Mat>(x).map((tokens, i) => {
    const located = Array.from({ length: l }, (_, j) => mediaLocations.flat()[i * l + j] === 1);
    const visibility = visibilityOf(located, r, last ? immediate : allPrevious);
    const sees = (token: number) =>
      Array.from({ length: m * r }, (_, s) => s).some((s) => visibility.allowed(token, s));
    const fed = (token: number) => emptyRowFeedForward === "run" || sees(token);
    return gatedBlock(weightsOf(model), tokens, list<readonly Mat[]>(media)[i] ?? [], 2, visibility, fed);
  });
  expectNear(model.forward(x, media, { mediaLocations }), expected);
}

test("[gate.attn] equals the loop, gates open and unequal", () => {
  forAll({ ...sizes, last }, (config) => equalsTheLoop(config, "run"));
});

test("[gate.attn] with the feed-forward's gate at zero only tokens that see an image change, by tanh of the gate", () => {
  const [x, media, mediaLocations] = [text(1, 4), images(1, 2, 2), locations(".I.I")];
  const model = gates(block(), 0.75, 0);
  const attended = valuesOf(model.attn.forward(x, media, { mediaLocations }));
  const expected = valuesOf(x).map((v, i) => v + Math.tanh(0.75) * (attended[i] ?? 0));
  expectNear(model.forward(x, media, { mediaLocations }), [
    [0, 1, 2, 3].map((l) => expected.slice(4 * l, 4 * l + 4)),
  ]);
  const moved = differing(x, model.forward(x, media, { mediaLocations }));
  expect(moved).toEqual([[false, true, true, true]]);
});

test("[gate.ff] with attention's gate at zero images change nothing, bit for bit, and the feed-forward reads the text", () => {
  const [x, media, mediaLocations] = [text(2, 4), images(2, 2, 2), locations(".I.I", "I...")];
  const model = gates(block(), 0, -0.5);
  const out = model.forward(x, media, { mediaLocations });
  expectSame(model.forward(x, changedAt(media, 1, 0) as Tensor<Any>, { mediaLocations }), out);
  const fed = valuesOf(model.ff.forward(x));
  const expected = valuesOf(x).map((v, i) => v + Math.tanh(-0.5) * (fed[i] ?? 0));
  expectClose(valuesOf(out), expected, 1e-14);
});

test("[gate.ff] with both gates open the feed-forward reads attention's output", () => {
  const [x, media, mediaLocations] = [text(1, 4), images(1, 2, 2), locations(".I.I")];
  const model = gates(block(), 0.75, -0.5);
  const y = gates(block(), 0.75, 0).forward(x, media, { mediaLocations });
  const fed = valuesOf(model.ff.forward(y));
  const expected = valuesOf(y).map((v, i) => v + Math.tanh(-0.5) * (fed[i] ?? 0));
  expectClose(valuesOf(model.forward(x, media, { mediaLocations })), expected, 1e-14);
});

test("[gate.ff] replay equals eager", async () => {
  for (const emptyRowFeedForward of ["run", "skip"] as const) {
    const convention = { ...conventions.immediate, emptyRowFeedForward };
    const [model, x, media] = [block({ convention }), text(2, 5), images(2, 2, 3)];
    const mediaLocations = locations(".I.II", "..I..");
    await replayEqualsEager(() => model.forward(x, media, { mediaLocations }), {
      model,
      inputs: { x, media },
    });
  }
});

test("[gate.zero] a new block is the identity, bit for bit, under every convention", () => {
  forAll({ ...sizes, convention: fc.constantFrom(...every) }, ({ b, l, m, r, seed, convention }) => {
    const model = initialize(new GatedCrossAttentionBlock({ ...small, convention }), seed);
    const [x, media] = [text(b, l), images(b, m, r)];
    expectSame(model.forward(x, media, { mediaLocations: randomLocations(b, l, seed) }), x);
    expectSame(model.forward(x, media), x);
  });
});

test("[gate.zero] the two gates start at zero, and no weight does", () => {
  const model = new GatedCrossAttentionBlock(small);
  const zeros = [...stateDict(model)]
    .filter(([, t]) => valuesOf(t).every((v) => v === 0))
    .map(([name]) => name);
  expect(zeros).toEqual(["attn_gate", "ff_gate", "attn.norm.bias", "ff.0.bias"]);
});

test("[gate.zero] either gate alone opens the block", () => {
  const [x, media, mediaLocations] = [text(1, 3), images(1, 1, 2), locations("I..")];
  const out = (attn: number, ff: number) =>
    valuesOf(gates(block(), attn, ff).forward(x, media, { mediaLocations }));
  const [closed, one, other] = [out(0, 0), out(0.1, 0), out(0, 0.1)];
  expect(closed).toEqual(valuesOf(x));
  expect(one).not.toEqual(closed);
  expect(other).not.toEqual(closed);
  expect(one).not.toEqual(other);
});

test("[gate.empty-row-feed-forward] by default the feed-forward runs on every token, as in figure 4", () => {
  const model = block();
  const [x, media, mediaLocations] = [text(1, 4), images(1, 1, 2), locations("..I.")];
  expect(empty(mediaLocations, 1, conventions.immediate)).toEqual([[true, true, false, false]]);
  expect(differing(x, model.forward(x, media, { mediaLocations }))).toEqual([[true, true, true, true]]);
});

test("[gate.empty-row-feed-forward] skip equals the loop that feeds only tokens with an image", () => {
  forAll({ ...sizes, last }, (config) => equalsTheLoop(config, "skip"));
});

test("[gate.empty-row-feed-forward] skip drops the feed-forward of tokens whose mask is empty, and of no others", () => {
  const all = Object.values<Convention>(conventions);
  forAll(
    { ...sizes, l: from(1, 5), convention: fc.constantFrom(...all) },
    ({ b, l, m, r, seed, convention }) => {
      const [x, media, mediaLocations] = [text(b, l), images(b, m, r), randomLocations(b, l, seed)];
      const out = (emptyRowFeedForward: "run" | "skip") =>
        block({ convention: { ...convention, emptyRowFeedForward } }, seed).forward(x, media, {
          mediaLocations,
        });
      const [skip, run] = [out("skip"), out("run")];
      const without = empty(mediaLocations, m, convention);
      expect(differing(run, skip)).toEqual(without);
      const nothing = zeroed(mediaLocations, m, convention);
      const unchanged = without.map((row, i) => row.map((isEmpty, j) => isEmpty && nothing[i]?.[j]));
      expect(differing(x, skip)).toEqual(unchanged.map((row) => row.map((same) => !same)));
    },
    60,
  );
});

const MLLAMA = conventions["mllama transformers"];
/** Rows of two tensors b l d that differ. */
const rowsOf = (one: Tensor, other: Tensor): boolean[][] =>
  list<Mat>(one).map((tokens, b) =>
    tokens.map((token, l) =>
      token.some((v, d) => Math.abs(v - (list<Mat>(other)[b]?.[l]?.[d] ?? NaN)) > 1e-9),
    ),
  );

test("[gate.empty-row-feed-forward] as in transformers' Mllama layer: rows before the first image attend to every image, without feed-forward", () => {
  const folder = "golden/cases/transformers/mllama-cross-attention-decoder-layer";
  const { prompts, images: n } = JSON.parse(readFileSync(`${folder}/rows.json`, "utf8"));
  const expected = loadSafetensors(`${folder}/expected.safetensors`);
  const released = (name: string) => expected.tensor(`outputs.${name}`);

  const [b, l] = [prompts.length, prompts[0].length];
  const [x, media, open, closed] = [
    text(b, l),
    images(b, n, 3),
    block({ convention: MLLAMA }),
    block({ convention: MLLAMA }),
  ];
  gates(closed, 0.5, 0);
  gates(open, 0.5, -0.5);
  const mediaLocations = locations(...prompts.map((prompt: string) => prompt.replaceAll("t", ".")));
  const out = open.forward(x, media, { mediaLocations });

  const fed = rowsOf(released("out"), released("attention"));
  expect(fed).toEqual([
    [false, false, true, true, true, true],
    [false, true, true, true, true, true],
  ]);
  expect(rowsOf(out, closed.forward(x, media, { mediaLocations }))).toEqual(fed);
  for (let image = 0; image < n; image++) {
    const other = changedAt(media, 1, image) as Tensor<Any>;
    const changed = rowsOf(released("out"), released(`out.image-${image + 1}`));
    expect(changed.map((rows) => rows[0])).toEqual([true, true]); // a row whose mask is empty
    expect(rowsOf(out, open.forward(x, other, { mediaLocations }))).toEqual(changed);
  }
  expected.close();
});

test("[gate.empty-row-feed-forward] the feed-forward runs on the rows on which Mllama's runs, for every prompt of up to four tokens", () => {
  const cases = readMaskCases("golden/cases/masks");
  const [open, closed] = [
    gates(block({ convention: MLLAMA }), 0.5, -0.5),
    gates(block({ convention: MLLAMA }), 0.5, 0),
  ];
  for (const n of [1, 2]) {
    const effects = cases.rowsOf("mllama-5.23.0").get(`full.${n}`) ?? new Int32Array();
    let at = 0;
    for (const { kinds } of promptsOfMode("full", 4)) {
      const measured = Array.from(effects.slice(at, at + kinds.length));
      at += kinds.length;
      if (measured.includes(EFFECT.refused)) continue;
      const [x, media] = [text(1, kinds.length), images(1, n, 2)];
      const mediaLocations = new Bool<"b l">([1, kinds.length], Uint8Array.from(kinds));
      const [fed] = rowsOf(
        open.forward(x, media, { mediaLocations }),
        closed.forward(x, media, { mediaLocations }),
      );
      expect(fed, `${kinds}`).toEqual(measured.map((effect) => (effect & EFFECT.feedForward) !== 0));
    }
  }
});

test("[gate.visibility] a visibility that was computed before gives the same numbers as the locations", () => {
  const [x, media, mediaLocations] = [text(2, 5), images(2, 2, 3), locations(".I.II", "..I..")];
  for (const convention of Object.values<Convention>(conventions)) {
    const visibility = mediaVisibilityOf(mediaLocations, 2, convention);
    const model = block({ convention });
    const expected = model.forward(x, media, { mediaLocations });
    expectSame(model.forward(x, media, { visibility }), expected);
    expectSame(
      model.attn.forward(x, media, { visibility }),
      model.attn.forward(x, media, { mediaLocations }),
    );
  }
});

test("[gate.visibility] a visibility of other sizes is refused", () => {
  const model = block();
  const visibility = mediaVisibilityOf(locations("..I."), 2, conventions.immediate);
  for (const [x, media] of [
    [text(1, 3), images(1, 2, 2)],
    [text(1, 4), images(1, 1, 2)],
  ] as const)
    expect(() => model.forward(x, media, { visibility })).toThrow(ShapeError);
  const [x, media, grid] = [text(1, 4), images(1, 2, 2), { shape: [1, 3], data: new Uint8Array(3) }];
  for (const part of ["postSoftmaxMask", "feedForward"]) {
    const call = () => model.forward(x, media, { visibility: { ...visibility, [part]: grid } });
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(new RegExp(`axis "l" disagrees[^]*${part} .* <- axis "l" disagrees: \\d, was 4`));
  }
});

test("[gate.empty-row-feed-forward] without locations there is nothing to skip", () => {
  const [x, media] = [text(1, 3), images(1, 1, 2)];
  const [skip, run] = (["skip", "run"] as const).map((emptyRowFeedForward) =>
    block({ convention: { ...conventions.immediate, emptyRowFeedForward } }),
  );
  expectSame(
    (skip as GatedCrossAttentionBlock).forward(x, media),
    (run as GatedCrossAttentionBlock).forward(x, media),
  );
});

test("[gate.attn] a batch equals its rows one by one", () => {
  const model = block({ convention: { ...conventions.immediate, emptyRowFeedForward: "skip" } });
  const forward = (x: Tensor<"b l d">, media: Tensor<"b m r e">, mediaLocations: Bool<"b l">) =>
    model.forward(x, media, { mediaLocations });
  aBatchEqualsItsRows(forward, text(3, 5), images(3, 2, 2), locations(".I.I.", "..I..", "....."));
});

test("[gate.attn] changing image k changes only tokens that may see image k, bit for bit", () => {
  forAll(
    { l: from(1, 6), m: from(1, 3), seed: seeds, convention: fc.constantFrom(...every) },
    ({ l, m, seed, convention }) => {
      const model = block({ convention }, seed);
      const [x, media, mediaLocations] = [text(2, l), images(2, m, 2), randomLocations(2, l, seed)];
      const rows = maskRows(mediaLocations, m, convention);
      anImageChangesOnlyTheTokensThatSeeIt(
        (other) => model.forward(x, other as Tensor<Any>, { mediaLocations }),
        media,
        (b, token, k) => rows[b]?.[token]?.images.includes(k + 1) ?? false,
      );
    },
  );
});

test("[gate.attn] one more image without a token changes nothing, and no token depends on a later one", () => {
  const [x, mediaLocations] = [text(2, 5), locations(".I.I.", "I....")];
  const model = block();
  aPaddingImageChangesNothing(
    (media) => model.forward(x, media as Tensor<Any>, { mediaLocations }),
    images(2, 2, 2),
  );
  const places = list<readonly number[]>(mediaLocations);
  const forward = (n: number) => {
    const prefix = taken(
      x,
      1,
      Array.from({ length: n }, (_, i) => i),
    ) as Tensor<"b l d">;
    const located = new Bool<"b l">([2, n], Uint8Array.from(places.flatMap((row) => row.slice(0, n))));
    return model.forward(prefix, images(2, 2, 2), { mediaLocations: located });
  };
  aPrefixGivesThePrefix(forward, 5);
});

test("[gate.empty-row-feed-forward] the feed-forward of a block without a convention runs on tokens without an image", () => {
  const [x, media, mediaLocations] = [text(1, 4), images(1, 1, 2), locations("..I.")];
  for (const onlyAttendImmediateMedia of [undefined, false]) {
    const model = gates(block({ onlyAttendImmediateMedia }), 0.5, -0.5);
    expect(differing(x, model.forward(x, media, { mediaLocations }))).toEqual([[true, true, true, true]]);
  }
});

test("[options.known] an unknown option is refused", () => {
  const misspelt = { mediaLocation: locations("..I.") } as object;
  for (const module of [block(), block().attn])
    expect(() => module.forward(text(1, 4), images(1, 2, 2), misspelt)).toThrow(
      'forward has no option "mediaLocation"',
    );
  expect(() => new GatedCrossAttentionBlock({ ...small, ff_mult: 2 } as never)).toThrow(RuleError);
  expect(() => new GatedCrossAttentionBlock({ ...small, ff_mult: 2 } as never)).toThrow(
    'did you mean "ffMult"?',
  );
});
