// Recorded weights and masks, tiles, and packed samples, of 62-mask-command.md. Right values are counted by hand.
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Stored } from "../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { attentionFindings, sharesIn } from "../../src/mask-report/attention-shares.ts";
import { batchFrom, batchOf } from "../../src/mask-report/batch.ts";
import { maskDocument } from "../../src/mask-report/document.ts";
import { maskReport } from "../../src/mask-report/report.ts";
import { maskText } from "../../src/mask-report/text.ts";
import { conventionOf, conventions, type NamedConvention } from "../../src/masks/conventions/conventions.ts";
import { type Tiles, tileMask } from "../../src/masks/counting/tiles.ts";
import { drawMask } from "../../src/masks/drawing/draw-mask.ts";
import { readPrompts } from "../../src/masks/prompts/prompt.ts";
import { findingSentence } from "../../src/masks/sentences.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { Bool, Int, tensor } from "../../src/tensor/tensor.ts";
import { temporary } from "../support/fixtures/temporary.ts";
import { runMask } from "../support/measure/run-mask.ts";

const folder = temporary();
const mllama = conventionOf("mllama reference");
const idefics = conventionOf("idefics");

// torchtune issue 1874 and pull request 1920: two images of 1 and 3 tiles, of 4 that are stored, with two tokens for each tile.
const LOCATIONS = [0, 1, 0, 1, 0];
const TILES: Tiles = { most: 4, counts: [[1, 3]] };
const located = () => new Bool<"b l">([1, 5], Uint8Array.from(LOCATIONS));
const row = (from: number, to: number): number[] =>
  Array.from({ length: 16 }, (_, s) => (from <= s && s < to ? 1 / (to - from) : 0));
const weights = (...rows: number[][]) => tensor("b h l s", [1, 1, rows.length, 16], rows.flat());
const NONE = row(0, 0);
/** Image 1 has its tile at columns 0 and 1, image 2 its tiles at columns 8 to 13. */
const RIGHT = weights(NONE, row(0, 2), row(0, 2), row(8, 14), row(8, 14));
/** Text after image 1 attends to the three tiles that only pad it, too. */
const PADDED = weights(NONE, row(0, 8), row(0, 8), row(8, 14), row(8, 14));

const from = (inputs: Record<string, Stored>, taps: Record<string, Stored> = {}, options = {}) =>
  batchFrom("it", new Map(Object.entries(inputs)), new Map(Object.entries(taps)), options);
const report = (batch: ReturnType<typeof from>, convention: NamedConvention) =>
  maskReport({ batch, convention, against: null, known: null });
const unwrapped = (of: ReturnType<typeof report>): string => maskText(of).replaceAll("\n", " ");
const tiled = (attn: Stored, convention = mllama) =>
  report(from({ media_locations: located() }, { attn }, { images: [2], tiles: () => TILES }), convention);

test("[mask.tiles] a row may attend to an image's own tiles, and to none that only pads", () => {
  const grid = tileMask({ shape: [1, 5], data: LOCATIONS }, 2, mllama, TILES);
  expect(grid.shape).toEqual([1, 5, 2, 4]);
  const rows = Array.from({ length: 5 }, (_, l) => [...grid.data.subarray(8 * l, 8 * l + 8)].join(""));
  expect(rows).toEqual(["00000000", "10000000", "10000000", "00001110", "00001110"]);
  const none = tileMask({ shape: [1, 5], data: LOCATIONS }, 2, mllama, { most: 4, counts: [] });
  expect([...none.data].includes(1)).toBe(false);
  const drawn = drawMask({ shape: [1, 5], data: LOCATIONS }, 2, mllama, { tiles: TILES, ascii: true });
  expect(drawn).toMatch(/2 +text +1 +# \. \. \. +\. \. \. \. +attends \{1\}/);
  expect(drawn).toMatch(/4 +text +2 +\. \. \. \. +# # # \. +attends \{2\}/);
  const wide = drawMask({ shape: [1, 5], data: LOCATIONS }, 2, mllama, {
    tiles: TILES,
    latents: 8,
    ascii: true,
  });
  expect(wide).toMatch(/4 +text +2 +(\. ){7}\. +(# ){6}\. \. +attends \{2\}/);
});

test("[mask.tiles] recorded weights on padding tiles differ; the same weights on the image's own tiles agree", () => {
  expect(tiled(RIGHT).findings).toEqual([]);
  const { findings } = tiled(PADDED);
  const where = { kind: "tile-mismatch", convention: "mllama reference", tensor: "attn", prompt: 0 };
  const image = { image: 1, tiles: 1, most: 4, padding: 0.75 };
  expect(findings).toEqual([
    { ...where, position: 1, ...image },
    { ...where, position: 2, ...image },
  ]);
  expect(findings.map(findingSentence)[0]).toBe(
    "Prompt 0, position 1 gives 75 % of its weight in attn to tiles that only pad (image 1 has 1 of 4 tiles), which mllama reference masks.",
  );
  expect(unwrapped(tiled(PADDED))).toContain("agree with mllama reference on 3 of 5 rows");
});

test("[mask.tiles] a tile that is left out differs; a row that leaks may reach padding tiles", () => {
  const missing = tiled(weights(NONE, row(0, 2), row(0, 2), row(8, 12), row(8, 14)));
  expect(missing.findings).toMatchObject([
    { kind: "tile-mismatch", position: 3, image: 2, tiles: 3, padding: 0 },
  ]);
  expect(missing.findings.map(findingSentence)[0]).toMatch(/gives a tile of image 2 no weight/);
  const leaking = tiled(
    weights(row(0, 16), row(0, 2), row(0, 2), row(8, 14), row(8, 14)),
    conventionOf("mllama tra"),
  );
  expect(leaking.findings.map(({ kind }) => kind)).toEqual(["leak"]);
});

test("[prompt.attention] without tiles the report says that Mllama's tiles were not compared", () => {
  const untiled = report(from({ media_locations: located() }, { attn: PADDED }, { images: [2] }), mllama);
  expect(unwrapped(untiled)).toContain("agree with mllama reference on all 5 rows, tiles aside.");
  const note =
    /weights in attn on such tiles are not found. The option --num-tiles of flamboyance mask gives the tiles.$/;
  expect(maskDocument(untiled)).toMatchObject({ notes: [expect.stringMatching(note)] });
  expect(maskDocument(tiled(RIGHT))).not.toHaveProperty("notes");
  const other = report(
    from({ media_locations: located() }, { attn: RIGHT }, { images: [2] }),
    conventions.immediate,
  );
  expect(maskText(other)).not.toContain("tiles");
});

test("[prompt.attention] weights that are no probabilities, or of another shape, are refused", () => {
  const refused = (attn: Stored, named: string) => {
    const load = () => from({ media_locations: located() }, { attn }, { images: [2] });
    expect(load).toThrow(named);
    expect(load).toThrow(LoadError);
  };
  const half = row(0, 2).map((w) => w / 2);
  refused(weights(NONE, NONE, half, NONE, NONE), "prompt 0, head 0, position 2 the weights add up to 0.5");
  const negative = row(0, 2).map((w, s) => (s === 3 ? -0.25 : s === 4 ? 0.25 : w));
  refused(weights(NONE, NONE, NONE, NONE, negative), "position 4 a weight is -0.25");
  refused(tensor("b h l s", [1, 1, 4, 16], [...NONE, ...NONE, ...NONE, ...NONE]), "[1 1 4 16]");
  refused(tensor("b h l s", [1, 1, 5, 15], new Array<number>(75).fill(0)), "5 tokens and 2 images");
  const rounded = row(0, 2).map((w) => w * 1.004); // as after bfloat16
  expect(
    from({ media_locations: located() }, { attn: weights(NONE, rounded, NONE, NONE, NONE) }, { images: [2] })
      .attention,
  ).not.toBeNull();
});

test("[prompt.attention] a row of NaN agrees with a convention whose row is NaN, and with no other", () => {
  const nan = new Array<number>(16).fill(Number.NaN);
  const [shares] = sharesIn(
    new Map([["attn", weights(nan, row(0, 8), row(0, 8), row(8, 16), row(8, 16))]]),
    [1, 5],
    2,
  );
  if (!shares) throw new Error("no shares");
  const found = (emptyRow: NamedConvention["emptyRow"]) =>
    attentionFindings(shares, { shape: [1, 5], data: LOCATIONS }, 2, { ...conventions.immediate, emptyRow });
  expect(found("nan")).toEqual([]);
  expect(found("zero")).toMatchObject([{ kind: "attention-mismatch", position: 0, nan: true, attended: [] }]);
  expect(found("zero").map(findingSentence)[0]).toMatch(
    /position 0 is NaN in attn, but under immediate it attends nothing/,
  );
  const [zero] = sharesIn(
    new Map([["attn", weights(NONE, row(0, 8), row(0, 8), row(8, 16), row(8, 16))]]),
    [1, 5],
    2,
  );
  const expectsNan = { ...conventions.immediate, emptyRow: "nan" } as const;
  expect(zero && attentionFindings(zero, { shape: [1, 5], data: LOCATIONS }, 2, expectsNan)).toHaveLength(1);
});

test("[prompt.attention] a head that gives no weight to a row that attends is found", () => {
  // two heads, two positions of an image: the second head is all zero in position 1, though the first one attends
  const attn = tensor("b h l s", [1, 2, 2, 2], [0.5, 0.5, 0.5, 0.5, 0.25, 0.75, 0, 0]);
  const { findings } = report(
    from({ media_locations: new Bool<"b l">([1, 2], Uint8Array.of(1, 0)) }, { attn }, { images: [1] }),
    conventions.immediate,
  );
  expect(findings.map(findingSentence)).toEqual([
    "Prompt 0, position 1 has no weight in 1 of 2 heads in attn, but under immediate it attends {1}.",
  ]);
});

test("[prompt.source] locations are kinds of tokens, and other numbers are refused", () => {
  const locations = (...kinds: number[]) =>
    from({ media_locations: new Int<"b l">([1, kinds.length], Int32Array.from(kinds)) });
  const { prompts, images } = locations(0, 1, 3, 2, 1);
  expect(prompts[0]?.map(({ kind }) => kind)).toEqual([0, 1, 3, 2, 1]);
  expect(images).toBe(2);
  for (const kind of [-1, 4, 7])
    expect(() => locations(1, kind)).toThrow(`it: media_locations is ${kind} at position 1`);
});

test("[prompt.recorded-mask] an aspect_ratio_mask with other values or with gaps, and two masks at once, are refused", () => {
  const ratio = (...tiles: number[]) => new Int<"b m t">([1, 2, 4], Int32Array.from([...tiles, 1, 1, 1, 0]));
  const masks = (...tiles: number[]) =>
    from({
      media_locations: located(),
      cross_attention_mask: cross(...CROSS),
      aspect_ratio_mask: ratio(...tiles),
    });
  expect(masks(1, 0, 0, 0).tiles).toEqual(TILES);
  for (const tiles of [
    [2, 0, 0, 0],
    [1, -1, 0, 0],
    [0, 1, 0, 0],
    [1, 0, 1, 0],
  ])
    expect(() => masks(...tiles)).toThrow(`aspect_ratio_mask is ${tiles.join(" ")} for image 1 of prompt 0`);
  const both = { cross_attention_mask: cross(...CROSS), image_attention_mask: cross(...CROSS) };
  expect(() => from({ media_locations: located(), ...both })).toThrow("save the one that is to be compared");
});

test("[prompt.attention] taps of which none has cross-attention weights are named", async () => {
  const path = join(folder, "taps.safetensors");
  saveSafetensors(
    path,
    new Map<string, Stored>([
      ["inputs.media_locations", located()],
      ["taps.layers.0.attn", RIGHT],
    ]),
  );
  const { stdout } = await runMask(path, "--images", "2");
  expect(stdout.replace(/\s+/g, " ")).toContain(
    "taps.layers.0.attn is not compared: cross-attention weights are",
  );
  const bare = join(folder, "bare.safetensors");
  saveSafetensors(bare, new Map<string, Stored>([["inputs.media_locations", located()]]));
  const named = await runMask(path, "--trace", bare);
  expect(named).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("bare.safetensors: it has no taps"),
  });
});

test("options that a file with locations does not use are refused; padding is found by its id", async () => {
  const path = join(folder, "located.safetensors");
  saveSafetensors(path, new Map<string, Stored>([["media_locations", located()]]));
  for (const option of ["--image-token=9", "--end-token=2", "--pad-token=0", "--image-length=2"])
    expect(await runMask(path, option)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining(`${option.split("=")[0]} is not used`),
    });
  const ids = join(folder, "padded.safetensors");
  saveSafetensors(
    ids,
    new Map<string, Stored>([["input_ids", new Int<"b l">([1, 3], Int32Array.of(0, 9, 5))]]),
  );
  const { stdout } = await runMask(ids, "--image-token", "9", "--pad-token", "0");
  expect(stdout).toContain("0  <pad>");
});

test("[prompt.attention] the weights of every layer are compared, and one of another shape is refused", () => {
  const keys = ["layers.0.1.attn.attn", "layers.1.1.attn.attn"] as const;
  const swapped = weights(NONE, row(8, 16), row(8, 16), row(0, 8), row(0, 8));
  const layers = (second: Stored) =>
    from({ media_locations: located() }, { [keys[0]]: RIGHT, [keys[1]]: second }, { images: [2] });
  const both = report(layers(swapped), conventions.immediate);
  const text = unwrapped(both);
  expect(text).toContain(`weights (${keys[0]}) agree with immediate on all 5 rows.`);
  expect(text).toContain(`weights (${keys[1]}) agree with immediate on 1 of 5 rows.`);
  expect(both.findings).toHaveLength(4);
  expect(maskDocument(both)).toMatchObject({ attention: { tensor: keys[0] }, otherLayers: [keys[1]] });
  expect(() => layers(tensor("b h l s", [1, 1, 1, 16], row(0, 8)))).toThrow(
    `${keys[1]} has the shape [1 1 1 16]`,
  );
});

const cross = (...rows: string[]) =>
  new Int<"b l m t">([1, rows.length, 2, 4], Int32Array.from(rows.join("").replaceAll(" ", ""), Number));
const CROSS = ["0000 0000", "1000 0000", "1000 0000", "0000 1110", "0000 1110"];
const changed = (l: number, to: string) => cross(...CROSS.map((one, i) => (i === l ? to : one)));

test("[prompt.recorded-mask] cross_attention_mask is compared tile by tile", () => {
  const compared = (mask: Stored, convention = mllama, more: Record<string, Stored> = {}) =>
    report(from({ media_locations: located(), cross_attention_mask: mask, ...more }), convention);
  const findings = (...args: Parameters<typeof compared>) => compared(...args).findings;
  expect(findings(cross(...CROSS))).toEqual([]);
  expect(findings(cross(...CROSS), conventionOf("mllama tra")).map(({ kind }) => kind)).toEqual(["leak"]); // the mask itself agrees
  expect(unwrapped(compared(cross(...CROSS)))).toContain("agrees with mllama reference on all 5 rows");

  const padding = findings(changed(2, "1111 0000"), mllama, {
    aspect_ratio_mask: new Int<"b m t">([1, 2, 4], Int32Array.of(1, 0, 0, 0, 1, 1, 1, 0)),
  });
  expect(padding).toMatchObject([
    {
      kind: "recorded-mask-mismatch",
      from: 2,
      to: 2,
      tiles: { image: 1, recorded: [1, 2, 3, 4], expected: 1, most: 4 },
    },
  ]);
  expect(padding.map(findingSentence)[0]).toBe(
    "Prompt 0, position 2 allows tiles 1 to 4 of image 1 in cross_attention_mask, but the image has 1 of 4 tiles.",
  );
  // without numbers of tiles they are those of most rows, or the smaller number
  const taken = [{ from: 2, to: 2, tiles: { recorded: [1, 2, 3, 4], expected: 1 } }];
  expect(findings(changed(2, "1111 0000"))).toMatchObject(taken);
  expect(findings(changed(1, "1111 0000"))).toMatchObject([{ ...taken[0], from: 1, to: 1 }]);
  expect(findings(changed(2, "0100 0000"))).toMatchObject([
    { from: 2, tiles: { recorded: [2], expected: 1 } },
  ]);

  const image = findings(changed(4, "1000 1110"));
  expect(image).toMatchObject([{ from: 4, to: 4, recorded: [[1, 2]], expected: [[2, 2]], tiles: null }]);
  expect(image.map(findingSentence)[0]).toBe(
    "Prompt 0, position 4 allows {1,2} in cross_attention_mask, but mllama reference allows {2}.",
  );
  const earlier = findings(cross("1000 0000", ...CROSS.slice(1, 3), "1000 0000", "1000 0000"));
  expect(earlier).toMatchObject([
    { from: 0, to: 0, expected: [] },
    { from: 3, to: 4, recorded: [[1, 1]], expected: [[2, 2]] },
  ]);
  expect(earlier.map(findingSentence)).toContainEqual(
    expect.stringContaining("allows {1} in cross_attention_mask, but mllama reference allows no image"),
  );
  expect(unwrapped(compared(changed(4, "1000 1110")))).toContain("4 of 5 rows");
});

test("[prompt.recorded-mask] image_attention_mask is compared with IDEFICS, where an end token cuts", () => {
  const ids = new Int<"b l">([1, 6], Int32Array.of(9, 5, 2, 5, 9, 5)); // <image> t </s> t <image> t
  const mask = (rows: string) =>
    new Int<"b l m">([1, 6, 2], Int32Array.from(rows.replaceAll(" ", ""), Number));
  const found = (rows: string, convention = idefics) =>
    report(from({ input_ids: ids, image_attention_mask: mask(rows) }, {}, { image: 9, end: 2 }), convention)
      .findings;
  expect(found("10 10 10 00 01 01")).toEqual([]); // masks.md, the row `I t </s> t I t` of IDEFICS
  expect(found("10 10 10 10 01 01")).toMatchObject([
    { from: 3, to: 3, recorded: [[1, 1]], expected: [], tiles: null },
  ]);
  expect(found("10 10 10 10 01 01", conventions.immediate)).toEqual([]);
  // the processor's path for TensorFlow writes at image positions only (transformers, processing_idefics.py)
  expect(found("10 00 00 00 01 00")).toMatchObject([
    { from: 1, to: 2, recorded: [] },
    { from: 5, to: 5 },
  ]);
});

test("[prompt.recorded-mask] masks of another shape, with other values, or for other images are refused", () => {
  const refused = (inputs: Record<string, Stored>, named: string, options = {}) => {
    const load = () => from({ media_locations: located(), ...inputs }, {}, options);
    expect(load).toThrow(named);
    expect(load).toThrow(LoadError);
  };
  refused({ cross_attention_mask: cross(...CROSS.slice(1)) }, "not [1 5 images tiles]");
  refused({ image_attention_mask: cross(...CROSS) }, "not [1 5 images]");
  const filled = tensor("b l m t", [1, 5, 1, 1], [0, 0, -3.4e38, 0, 0]);
  refused({ cross_attention_mask: filled }, "at [0 2 0 0]; a recorded mask has 1 where attention is allowed");
  const nan = tensor("b l m t", [1, 5, 1, 1], [0, 0, 0, Number.NaN, 0]);
  refused({ cross_attention_mask: nan }, "is NaN at [0 3 0 0]");
  const media = tensor("b m r e", [1, 3, 1, 1], [0, 0, 0]);
  refused({ cross_attention_mask: cross(...CROSS), media }, "is for 2 images, but there are 3");
  refused({ cross_attention_mask: cross(...CROSS) }, "4 tiles for each image, not 2", {
    tiles: () => ({ most: 2, counts: [[1, 2]] }),
  });
  refused({ aspect_ratio_mask: new Int<"b m t">([1, 1, 4], new Int32Array(4)) }, "aspect_ratio_mask", {
    images: [2],
  });
});

test("[prompt.source] tensors without values, or with more positions than a report has, are refused or shown at once", () => {
  const none = new Bool<"b l">([1, 0], new Uint8Array());
  const wide = new Int<"b l m t">([1, 0, 100_000, 100_000], new Int32Array());
  const empty = report(from({ media_locations: none, cross_attention_mask: wide }), mllama);
  expect(empty.rows).toEqual([[]]);
  expect(maskDocument(empty)).toMatchObject({ length: 0, images: 100_000 });
  const media = tensor("b m r e", [1, 1_000_000_000, 0, 1], []);
  const many = report(
    from(
      { media_locations: located(), media },
      { attn: tensor("b h l s", [1, 1, 5, 16], new Array<number>(80).fill(0)) },
      { images: [2] },
    ),
    mllama,
  );
  expect(many.rows[0]).toHaveLength(5);
  const leaks = report(from({ media_locations: located(), media }), conventionOf("mllama tra"));
  expect(maskDocument(leaks)).toMatchObject({ runs: [{ ranges: [[1, 1_000_000_000]] }, {}, {}] });
  expect(maskText(leaks)).toContain("UNMASKED LEAK");
  const long = new Bool<"b l">([1000, 401], new Uint8Array(401_000));
  expect(() => from({ media_locations: long })).toThrow("the most are 400,000");
  const tiles = { most: 4096, counts: [[1, 3]] };
  expect(
    maskDocument(
      report(from({ media_locations: located() }, {}, { images: [2], tiles: () => tiles }), mllama),
    ),
  ).toHaveProperty("tileMask");
  const larger = new Bool<"b l">([1, 20], new Uint8Array(20).fill(1));
  const big = report(from({ media_locations: larger }, {}, { tiles: () => tiles }), mllama);
  expect(maskDocument(big)).not.toHaveProperty("tileMask");
});

test("[prompt.recorded-mask] files, with tiles from an option, from the file, or from neither", async () => {
  const save = (name: string, tensors: [string, Stored][]) => {
    const path = join(folder, name);
    saveSafetensors(path, new Map(tensors));
    return path;
  };
  const media = tensor("b m r e", [1, 2, 8, 4], new Array<number>(64).fill(0));
  const inputs: [string, Stored][] = [
    ["inputs.media_locations", located()],
    ["inputs.media", media],
  ];
  const padded = save("tile-pad.safetensors", [...inputs, ["taps.attn", PADDED]]);
  const right = save("tile-ok.safetensors", [...inputs, ["taps.attn", RIGHT]]);
  const args = ["--convention", "mllama reference", "--num-tiles", "1,3", "--json"];
  const warnings = async (path: string) => JSON.parse((await runMask(path, ...args)).stdout).warnings;
  expect(await warnings(padded)).toHaveLength(2);
  expect(await warnings(right)).toEqual([]);
  const document = JSON.parse((await runMask(right, ...args)).stdout);
  expect(document.tiles).toEqual({ most: 4, counts: [[1, 3]] });
  expect(
    document.tileMask[0].map((images: number[][]) => images.map((one) => one.join("")).join(" ")),
  ).toEqual(CROSS);
  expect((await runMask(right, ...args.slice(0, 4), "--latents", "8")).stdout).toContain("■ ■ · · · · · ·");
  const ids = new Int<"b l">([1, 5], Int32Array.of(7, -200, 7, -200, 7));
  const recorded = save("mask.safetensors", [
    ["input_ids", ids],
    ["cross_attention_mask", cross(...CROSS)],
  ]);
  const { stdout } = await runMask(
    recorded,
    "--image-token",
    "-200",
    "--convention",
    "mllama reference",
    "--json",
  );
  expect(JSON.parse(stdout)).toMatchObject({
    warnings: [],
    recorded: { tensor: "cross_attention_mask", images: 2, tiles: 4 },
    imageToken: "-200",
  });
});

const samples = (
  text: string,
  lengths: "end" | number[],
  name = "immediate",
  pad: "left" | "right" = "right",
) => {
  const { prompts } = readPrompts(text.split("|| "));
  const batch = batchOf(prompts, { samples: [lengths], pad });
  return report(batch, conventionOf(name)).findings.flatMap((finding) =>
    finding.kind === "other-sample"
      ? [`${finding.prompt} ${finding.from}-${finding.to} ${finding.sample} ${finding.images.join(" ")}`]
      : [],
  );
};

test("[prompt.samples] rows that see an image of an earlier or later sample are found", () => {
  expect(samples("<image> a b c <image> d", [3, 3])).toEqual(["0 3-3 1 1,1"]); // c sees the first sample's image
  expect(samples("<image> a </s> c <image> d", "end")).toEqual(["0 3-3 1 1,1"]);
  expect(samples("<image> a b c <image> d", [3, 3], "all-previous")).toEqual(["0 3-5 1 1,1"]);
  expect(samples("<image> a <image> b c <image> d e", [4, 1, 3], "last 2")).toEqual([
    "0 4-4 1 1,2",
    "0 5-7 2 2,2",
  ]);
  expect(samples("a b <image> c", [2, 2], "open-flamingo@0.0.2")).toEqual(["0 0-1 0 1,1"]); // the next image
  expect(samples("a b <image> c", [2, 2], "mllama transformers")).toEqual(["0 0-1 0 1,1"]); // a leak
  expect(samples("a b <image> c", [4], "mllama transformers")).toEqual([]);
  expect(samples("<image> a <image> b", [2, 2])).toEqual([]);
});

test("[prompt.samples] end tokens that cut keep samples apart", () => {
  expect(samples("<image> a </s> c <image> d", "end", "idefics")).toEqual([]);
  expect(samples("<image> a </s> c d </s> <image> d", "end", "otter")).toEqual(["0 3-5 1 1,1"]);
});

test("[prompt.samples] padding belongs to no sample, and lengths have to add up to each prompt", () => {
  expect(samples("<image> a || <image> a <image> b", "end", "immediate", "left")).toEqual([]);
  const { prompts } = readPrompts(["<image> a", "<image> a b <image>"]);
  const batch = batchOf(prompts, { samples: [[2], [2, 2]], pad: "left" });
  expect(batch.samples).toEqual([
    [-1, -1, 0, 0],
    [0, 0, 1, 1],
  ]);
  expect(report(batch, conventions.immediate).findings.map(findingSentence)).toEqual([
    "Prompt 1, position 2 of sample 1 sees {1} of another sample under immediate: give each sample a row of its own, or cut the mask between samples.",
  ]);
  expect(() => batchOf(prompts, { samples: [[2, 2]] })).toThrow(
    "samples of 2, 2 tokens are 4 tokens, but the prompt has 2",
  );
  expect(maskDocument(report(batch, conventions.immediate))).toMatchObject({ samples: batch.samples });
});
