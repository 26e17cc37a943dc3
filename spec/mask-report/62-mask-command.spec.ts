// The executable half of 62-mask-command.md.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { mask } from "../../src/cli/commands/mask.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { conventionOfCase } from "../../src/conformance/sources/interface/case-convention.ts";
import { readCase } from "../../src/io/golden/cases.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { readIds } from "../../src/io/token-ids.ts";
import { attentionFindings, sharesIn } from "../../src/mask-report/attention-shares.ts";
import { batchFrom, batchOf } from "../../src/mask-report/batch.ts";
import { defaultKnown, maskReport } from "../../src/mask-report/report.ts";
import { maskText } from "../../src/mask-report/text.ts";
import { conventionOf, conventions } from "../../src/masks/conventions/conventions.ts";
import { drawMask } from "../../src/masks/drawing/draw-mask.ts";
import type { RowOutcome } from "../../src/masks/outcome.ts";
import { partialImages } from "../../src/masks/prompts/image-markers.ts";
import { padded, readPrompts, tokensOf, tokensOfIds } from "../../src/masks/prompts/prompt.ts";
import { findingSentence, rowReason } from "../../src/masks/sentences.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { Bool, Int, tensor } from "../../src/tensor/tensor.ts";
import { temporary } from "../support/fixtures/temporary.ts";
import { growth, LINEAR } from "../support/measure/growth.ts";

const CASES = "golden/cases/flamingo-pytorch";
const MORE = `${CASES}/masked-cross-attention--more-tokens-than-images`;
const CATS = "A cat: <image> Two dogs: <image><image> done";
const folder = temporary();

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

/** The output of the command. */
async function run(...args: string[]): Promise<string> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
  try {
    expect(await mask(args)).toBe(0);
  } finally {
    spy.mockRestore();
  }
  return written.join("");
}
const json = async (...args: string[]) => JSON.parse(await run(...args, "--json"));

test("[prompt.tokens] words, punctuation, images and end tokens; white space is dropped", () => {
  const tokens = tokensOf("It's a  cat:<image>, isn’t it?</s> <|endofchunk|>\n<|image|><pad> x<y");
  const texts = "It's a cat : <image> , isn’t it ? </s> <|endofchunk|> <|image|> <pad> x < y".split(" ");
  expect(tokens.map(({ text }) => text)).toEqual(texts);
  expect(tokens.map(({ kind }) => kind)).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0]);
  expect(tokens.filter(({ padding }) => padding).map(({ text }) => text)).toEqual(["<pad>"]);
});

const textsOf = (text: string) => tokensOf(text).map((token) => token.text);
const kindsIn = (text: string, options = {}) =>
  readPrompts([text], options)
    .prompts[0]?.map(({ kind }) => kind)
    .join("");

test("[prompt.tokens] a chat of Llama 3.2 with blank lines is one prompt, and its special tokens are one token each", () => {
  const chat =
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|image|>What is it?<|eot_id|>" +
    "<|start_header_id|>assistant<|end_header_id|>\n\n";
  const texts = // by hand
    "<|begin_of_text|> <|start_header_id|> user <|end_header_id|> <|image|> What is it ? <|eot_id|> <|start_header_id|> assistant <|end_header_id|>";
  expect(textsOf(chat)).toEqual(texts.split(" "));
  expect(kindsIn(chat)).toBe("0000100002000");
});

test("[prompt.tokens] <fake_token_around_image> and any other <word> are one token", () => {
  const texts = "<fake_token_around_image> <image> <fake_token_around_image> <end_of_utterance>".split(" ");
  expect(textsOf(texts.join(""))).toEqual(texts);
  expect(kindsIn(texts.join(""))).toBe("0100");
  expect(textsOf("<0x0A><br/><reserved_special_token_5></p>")).toHaveLength(4);
  expect(textsOf("x < y > z<>< a>")).toEqual("x < y > z < > < a >".split(" "));
});

test("[prompt.tokens] time is linear in the text, whatever its brackets", () => {
  for (const piece of ["<", "<a", "<|a", "a'", "<a.", "|>"])
    expect(
      growth((n) => void tokensOf(piece.repeat(n)), 25_000),
      piece,
    ).toBeLessThan(LINEAR);
});

test("[prompt.image-token] the codebase's own token, or the first known one that occurs, for the whole batch", () => {
  const read = (texts: string[], options = {}) => {
    const { prompts, imageToken, otherImageTokens } = readPrompts(texts, options);
    return {
      kinds: prompts.map((list) => list.map(({ kind }) => kind).join("")),
      imageToken,
      otherImageTokens,
    };
  };
  const both = ["<image> a", "<|image|> b"];
  expect(read(both)).toEqual({ kinds: ["10", "00"], imageToken: "<image>", otherImageTokens: ["<|image|>"] });
  const mllama = conventionOf("mllama reference").source.imageToken;
  const own = read(both, { own: mllama });
  expect(own).toEqual({ kinds: ["00", "10"], imageToken: "<|image|>", otherImageTokens: ["<image>"] });
  expect(read(["<image> a"], { own: mllama })).toMatchObject({ kinds: ["10"], imageToken: "<image>" });
  expect(read(["<Image> a"])).toMatchObject({ kinds: ["10"], imageToken: "<Image>", otherImageTokens: [] });
  expect(read(["a"], { own: mllama })).toMatchObject({ kinds: ["0"], imageToken: "<|image|>" });
  expect(read(["<image> <x>"], { imageToken: "<x>" })).toMatchObject({
    kinds: ["01"],
    otherImageTokens: ["<image>"],
  });
  for (const name of ["idefics", "otter", "flamingo-mini", "open-flamingo@2.0.1"] as const)
    expect(conventions[name].source.imageToken).toBe("<image>");
});

test("[prompt.image-length] several tokens stand for one image: a sequence, a number of placeholders, or a run", () => {
  expect(kindsIn("<img> p p </img> a <img> p </img>", { imageToken: "<img>p p</img>" })).toBe("13330000");
  const ids = (list: number[], image: number | number[], imageLength?: number | "run") =>
    tokensOfIds(list, { image, ...(imageLength === undefined ? {} : { imageLength }) })
      .map(({ kind }) => kind)
      .join("");
  const placeholders = [1, 40, 40, 40, 7, 40, 40, 40, 8]; // one image is three placeholders, as in NeMo Automodel PR 2059
  expect(ids(placeholders, 40)).toBe("011101110");
  expect(ids(placeholders, 40, 3)).toBe("013301330");
  expect(ids(placeholders, 40, "run")).toBe("013301330");
  expect(ids([40, 40, 40, 40, 40], 40, 2)).toBe("13131");
  expect(ids([5, 6, 7, 5, 6, 5, 6, 7, 5, 6, 7], [5, 6, 7])).toBe("13300133133");
  expect(ids([5, 6, 5, 6, 5, 6, 1], [5, 6], 2)).toBe("1333130");
  expect(ids([1, -200, 5, 6, -200, 7], -200)).toBe("010010");
});

test("[prompt.image-length] an image of too few tokens is found", () => {
  expect(partialImages([0, 1, 3, 3, 0, 1, 3], 3)).toEqual([{ position: 5, tokens: 2, expected: 3 }]);
  expect(partialImages([1, 3, 1, 3], 2)).toEqual([]);
});

test("[prompt.tokens] only white space is lost", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const kept = tokensOf(text).map((token) => token.text);
      expect(kept.join("")).toBe(text.replace(/\s/gu, ""));
    }),
  );
});

test("[prompt.ids] the image token's id, the end token's id, and text; a padding token is text", () => {
  const tokens = tokensOfIds([7, 9, 2, 0, 7], { image: 9, end: 2, pad: 0 });
  expect(tokens.map(({ kind }) => kind)).toEqual([0, 1, 2, 0, 0]);
  expect(tokens.map(({ text }) => text)).toEqual(["7", "9", "2", "<pad>", "7"]);
  expect(tokens.map(({ padding }) => padding)).toEqual([false, false, false, true, false]);
  expect(tokensOfIds([5], { image: 5, pad: 5 })[0]).toMatchObject({ kind: 1, padding: false });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each([
  ["[1, 2, 3]", [[1, 2, 3]]],
  [" [[1, 2], [3]]\n", [[1, 2], [3]]],
  [
    "1 2,3\r\n\n-100\t4\n",
    [
      [1, 2, 3],
      [-100, 4],
    ],
  ], // prettier-ignore
  ["\uFEFF12", [[12]]],
])("[prompt.ids] a file %j", (text, ids) => {
  expect(readIds(bytes(text), "ids")).toEqual(ids);
});

test.each([
  ["1 two 3", '"two"'],
  ["[1, 2.5]", '"2.5"'],
  ['[1, "2"]', '"2"'],
  ["[1, [2]]", "is not a token id"],
  ["[1, ", "not valid JSON"],
  ["[]", "holds no token ids"],
  ["\n \n", "holds no token ids"],
  ["99999999999999999999", "is not a token id"],
  ["[[[[1]]]]", "is not a token id"],
])("[prompt.ids] %j is refused", (text, named) => {
  expect(() => readIds(bytes(text), "ids")).toThrow(named);
  expect(() => readIds(bytes(text), "ids")).toThrow(LoadError);
});

test("[prompt.ids] deep brackets and more than 400,000 ids are refused; 200,000 prompts are read", () => {
  const refused = (text: string, named: string) => {
    expect(() => readIds(bytes(text), "ids")).toThrow(named);
    expect(() => readIds(bytes(text), "ids")).toThrow(LoadError);
  };
  refused("[".repeat(1e5) + "]".repeat(1e5), "brackets within brackets");
  refused("[".repeat(1e5), "brackets within brackets");
  refused("1 ".repeat(400_001), "more than 400,000 token ids");
  refused(`[${"1,".repeat(4e5)}1]`, "more than 400,000 token ids");
  refused("1".repeat(16_000_001), "longer than 16 MB");
  const many = readIds(bytes(`[${"[1,2],".repeat(199_999)}[1,2]]`), "ids");
  expect(many).toHaveLength(200_000);
  expect(
    padded(
      [...many, [1]].map((ids) => tokensOfIds(ids, { image: 2 })),
      "right",
    ).at(-1),
  ).toHaveLength(2);
});

test("[prompt.ids] bytes that are not text are refused", () => {
  expect(() => readIds(Uint8Array.of(0x31, 0xff), "ids")).toThrow(LoadError);
});

test("[prompt.padding] prompts are padded to one length with text, on the chosen side", () => {
  const batch = [tokensOf("a <image>"), tokensOf("<image>")];
  const texts = (side: "left" | "right") =>
    padded(batch, side).map((prompt) => prompt.map(({ text }) => text));
  expect(texts("left")[1]).toEqual(["<pad>", "<image>"]);
  expect(texts("right")[1]).toEqual(["<image>", "<pad>"]);
  expect(padded(batch, "left")[1]?.[0]).toMatchObject({ kind: 0, padding: true });
});

test("[prompt.images] as many as image tokens, or as given; the batch has the largest number", () => {
  const batch = [tokensOf("<image> <image>"), tokensOf("<image>"), tokensOf("a")];
  expect(batchOf(batch)).toMatchObject({ images: 2, real: [2, 1, 0] });
  expect(batchOf(batch, { images: [3] })).toMatchObject({ images: 3, real: [3, 3, 3] });
  expect(batchOf(batch, { images: [1, 4] })).toMatchObject({ images: 4, real: [1, 4, 4] });
  expect(batchOf(batch, { images: [0] })).toMatchObject({ images: 0 });
});

test("[prompt.source] locations, or ids with the image token's id; images from the media's second axis", () => {
  const locations = new Bool<"b l">([1, 3], Uint8Array.of(0, 1, 0));
  const ids = new Int<"b l">([1, 3], Int32Array.of(5, 9, 2));
  const media = tensor("b m r e", [1, 2, 1, 1], [0, 0]);
  const from = (inputs: object, options = {}) =>
    batchFrom("it", new Map(Object.entries(inputs)), new Map(), options);
  const kinds = (batch: ReturnType<typeof from>) => Array.from(batch.locations.data);
  expect(kinds(from({ media_locations: locations }))).toEqual([0, 1, 0]);
  expect(from({ media_locations: locations })).toMatchObject({ images: 1, title: "it" });
  expect(from({ media_locations: locations, media })).toMatchObject({ images: 2 });
  expect(from({ media_locations: locations, media }, { images: [3] })).toMatchObject({ images: 3 });
  expect(
    from({ media_locations: locations, embeds: tensor("b s d", [1, 5, 1], [0, 0, 0, 0, 0]) }).images,
  ).toBe(1);
  expect(kinds(from({ text: ids }, { image: 9, end: 2 }))).toEqual([0, 1, 2]);
  expect(() => from({ text: ids })).toThrow("--image-token");
  expect(() => from({ media })).toThrow("inputs.media_locations");
  expect(() => from({ media_locations: media })).toThrow("axes b l");
});

test("[prompt.source] a case has its package's convention and its own images", async () => {
  expect(await json(MORE)).toMatchObject({
    convention: "flamingo-pytorch@0.1.2 immediate",
    source: "flamingo-pytorch/masked-cross-attention--more-tokens-than-images",
    images: 2,
  });
  const all = await json(`${MORE}-all-previous/`);
  expect(all.convention).toBe("flamingo-pytorch@0.1.2 all-previous");
  const model = await json(`${CASES}/flamingo-palm--every-second`, "--convention", "idefics");
  expect(model.convention).toBe("idefics");
  expect(model.tokens.map(({ image }: { image: number | null }) => image)).toEqual([
    null,
    1,
    null,
    2,
    null,
    3,
  ]);
});

test("[prompt.attention] the weights in cases with a mask agree with the package's convention", async () => {
  for (const name of [
    "masked-cross-attention--lead-text",
    "gated-cross-attention-block--lead-text-all-previous",
  ]) {
    const { manifest, inputs, expected } = readCase(`${CASES}/${name}`);
    const taps = new Map([...expected].map(([key, tap]) => [key.replace("taps.", ""), tap]));
    const batch = batchFrom(name, inputs, taps, {});
    const { findings } = maskReport({
      batch,
      convention: conventionOfCase(manifest) ?? conventions.immediate,
      against: null,
      known: null,
    });
    expect(findings.filter(({ kind }) => kind === "attention-mismatch")).toEqual([]);
    const { attention } = await json(`${CASES}/${name}`);
    expect(attention.shares[0]).toHaveLength(manifest.inputs.get("x")?.shape[1] ?? 0);
  }
});

test("[prompt.attention] shares are sums over latents and means over heads; another convention's rows differ", () => {
  // one prompt, two heads, two positions, two images of two latents
  const weights = [1, 0, 0, 0, 0.5, 0.5, 0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0, 0.25, 0.75];
  const rows = [weights.slice(0, 4), weights.slice(8, 12), weights.slice(4, 8), weights.slice(12)].flat();
  const attn = tensor("b h l s", [1, 2, 2, 4], rows);
  const [found] = sharesIn(new Map([["attn.attn", attn]]), [1, 2], 2);
  expect(found?.shares).toEqual([
    [
      [1, 0],
      [0.25, 0.75],
    ],
  ]); // prettier-ignore
  expect(found?.even).toEqual([[false, false]]);
  expect(sharesIn(new Map([["layers.0.0.fn.attn", attn]]), [1, 2], 2)).toEqual([]);
  expect(sharesIn(new Map([["attn", attn]]), [1, 2], 3)).toEqual([]);

  const even = tensor("b h l s", [1, 1, 2, 2], [0.5, 0.5, 0, 1]);
  const [shares] = sharesIn(new Map([["attn", even]]), [1, 2], 2);
  expect(shares?.even).toEqual([[true, false]]);
  const locations = { shape: [1, 2], data: [0, 1] };
  if (!shares) throw new Error("no shares");
  const mismatches = (name: string) => attentionFindings(shares, locations, 2, conventionOf(name));
  expect(mismatches("flamingo-pytorch@0.0.16 imm")).toEqual([
    {
      kind: "attention-mismatch",
      convention: "flamingo-pytorch@0.0.16 immediate",
      tensor: "attn",
      prompt: 0,
      position: 1,
      attended: [2],
      expected: { outcome: "attends", images: [1] },
    },
  ]);
  expect(mismatches("flamingo-mini")).toHaveLength(2);
  const [uneven] = sharesIn(
    new Map([["attn", tensor("b h l s", [1, 1, 2, 2], [0.4, 0.6, 1, 0])]]),
    [1, 2],
    2,
  );
  expect(uneven && attentionFindings(uneven, locations, 2, conventionOf("0.0.16 imm"))).toHaveLength(1);
});

test("the stable keys", async () => {
  const document = await json("a <image> b", "--images", "2");
  expect(Object.keys(document).slice(0, 5)).toEqual([
    "convention",
    "tokens",
    "mayAttend",
    "rows",
    "warnings",
  ]);
  expect(document.convention).toBe("immediate");
  expect(document.tokens).toEqual([
    { text: "a", image: null, number: 0 },
    { text: "<image>", image: 1, number: 1 },
    { text: "b", image: null, number: 1 },
  ]);
  expect(document.mayAttend).toEqual([
    [false, false],
    [true, false],
    [true, false],
  ]);
  expect(document.rows[0]).toEqual({
    class: "zeroed",
    images: [],
    reason: expect.stringMatching(/^position 0 /),
  });
  expect(document.rows[2]).toMatchObject({ class: "attends", images: [1] });
  for (const absent of ["prompts", "against", "cached", "attention"])
    expect(document).not.toHaveProperty(absent);
});

test("a batch, a second convention and decoding", async () => {
  const args = ["a <image> b", "<image> x <image> y z", "--convention", "open-flamingo@2.0.1"];
  const document = await json(
    ...args,
    "--against",
    "idefics",
    "--images",
    "1",
    "--cached",
    "--known",
    "2",
    "--pad",
    "left",
  );
  expect(document.prompts).toHaveLength(2);
  expect(document.prompts[0].tokens[0].text).toBe("<pad>");
  expect(document.tokens).toEqual(document.prompts[0].tokens);
  expect(document.against).toMatchObject({ convention: "idefics", cells: 0 });
  expect(document.against.rows[0]).toMatchObject({
    prompt: 1,
    position: 2,
    one: { class: "uniform-leak", images: [1] },
    other: { class: "zeroed", images: [] },
  });
  const [differing] = document.against.rows;
  expect([differing.one, differing.other].map((row) => Object.keys(row))).toEqual([
    ["class", "images"],
    ["class", "images"],
  ]);
  expect(document.cached.known).toBe(2);
  const [step] = document.cached.steps;
  expect(Object.keys(step)).toEqual(["from", "to", "rows", "full", "differs", "refused"]);
  for (const list of [...step.rows, ...step.full])
    for (const row of list) expect(Object.keys(row)).toEqual(["class", "images"]);
  expect(document.cached.steps.map(({ from }: { from: number }) => from)).toEqual([0, 2, 3, 4]);
  expect(document.cached.steps[1]).toMatchObject({ differs: { prompt: 1, position: 2 }, refused: null });
});

test("warnings are the sentences of the findings: counts, leaks, steps, weights, masks that depend on later text", async () => {
  const kinds = (text: string, name: string, options: { images?: number[]; known?: number } = {}) => {
    const batch = batchOf(text.split("\n").map(tokensOf), { images: options.images });
    const query = { batch, convention: conventionOf(name), against: null, known: options.known ?? null };
    return maskReport(query).findings.map(({ kind }) => kind);
  };
  expect(kinds(CATS, "immediate")).toEqual([]);
  expect(kinds("<image> a <image>", "immediate", { images: [1] })).toEqual(["missing-image"]);
  expect(kinds("<image>\na", "immediate", { images: [2, 1] })).toEqual([
    "unreachable-image",
    "no-image-token",
  ]);
  expect(kinds("a b <image> c", "flamingo-pytorch@0.1.2 all")).toEqual(["leak"]);
  expect(kinds("a <image> c", "mllama transformers")).toEqual(["leak"]);
  expect(kinds("<image> a b", "paper next")).toEqual(["not-prefix-stable"]);
  expect(kinds("<image> a b c", "otter", { known: 1 })).toEqual(["steps-differ"]);
  const { warnings } = await json("a b <image> c", "--convention", "flamingo-pytorch@0.1.2 all");
  const report = reportOf("a b <image> c", "flamingo-pytorch@0.1.2 all");
  expect(warnings).toEqual(report.findings.map(findingSentence));
  const trained = await json(`${CASES}/masked-cross-attention--lead-text`, "--convention", "all-previous");
  expect(trained.warnings).not.toEqual([]);
});

test("decoding begins after the last image, if tokens follow it", () => {
  const known = (...texts: string[]) => defaultKnown(batchOf(texts.map(tokensOf)));
  expect(known(CATS)).toBe(9);
  expect(known("a <image>")).toBe(1);
  expect(known("a b c")).toBe(1);
  expect(known("a <image> b c d", "<image>")).toBe(2);
  expect(known("<image>")).toBe(1);
});

const reportOf = (
  text: string,
  name = "immediate",
  against: string | null = null,
  known: number | null = null,
) =>
  maskReport({
    batch: batchOf([tokensOf(text)]),
    convention: conventionOf(name),
    against: against === null ? null : conventionOf(against),
    known,
  });

test("without findings the text is the convention with its source, and the drawing", () => {
  const report = reportOf(CATS);
  const text = maskText(report);
  const drawing = drawMask(report.batch.locations, 3, conventions.immediate, {
    tokens: report.batch.prompts.map((prompt) => prompt.map((token) => token.text)),
    reasons: rowReason,
  });
  expect(text.endsWith(`\n\n${drawing}`)).toBe(true);
  expect(text).toMatch(/^immediate\n {2}A token sees the last image at or before it/);
  expect(text).toContain("arXiv 2204.14198v2");
  expect(text).toContain("■ may attend   · may not");
});

test("no line of prose is wider than the terminal, with and without colour", () => {
  const text = `x <image> ${"word ".repeat(30)} <image>`;
  for (const width of [60, 80])
    for (const name of ["immediate", "flamingo-pytorch@0.1.2 all-previous", "mllama transformers"])
      for (const report of [
        reportOf(text, name),
        reportOf(text, name, "otter"),
        reportOf(text, name, null, 3),
      ])
        for (const line of maskText(report, { width, colour: true }).split("\n")) {
          const plain = stripVTControlCharacters(line);
          if (!/[■·]|^prompt 0|^ {4,}|^ {2}(\d|position {2,}|\(1)/.test(plain))
            expect(plain.length).toBeLessThanOrEqual(width);
        }
});

test("colour only repeats what the text says", () => {
  for (const report of [reportOf(CATS, "0.0.16 imm"), reportOf(CATS, "immediate", "idefics", 2)]) {
    const plain = maskText(report);
    const painted = maskText(report, { colour: true });
    expect(painted).not.toBe(plain);
    expect(stripVTControlCharacters(painted)).toBe(plain);
  }
});

test("a difference: the two grids, the outcomes of neighbouring rows, and the first row's reasons", () => {
  const text = maskText(reportOf("a b <image> c <image> d", "immediate", "flamingo-pytorch@0.1.2 all"));
  expect(text).toContain("(1) immediate\n  (2) flamingo-pytorch@0.1.2 all-previous");
  expect(text).toMatch(/0 to 1 +zeroed +UNIFORM LEAK +<- differs/);
  expect(text).toMatch(/2 to 3 +attends \{1\} +attends \{1\}\n/);
  expect(text).toMatch(/4 to 5 +attends \{2\} +attends \{1,2\} +<- differs/);
  expect(text).toMatch(/^ +4 rows differ \(2 entries/m);
  const equal = maskText(reportOf("a <image> b", "immediate", "all-previous"));
  expect(equal).toContain("every row is the same");
  const first = reportOf("a b <image> c <image> d", "immediate", "flamingo-pytorch@0.1.2 all").difference
    ?.first;
  const unwrapped = text.replace(/\n +/g, " ");
  for (const [row, name] of [
    [first?.one, "immediate"],
    [first?.other, "flamingo-pytorch@0.1.2 all"],
  ] as const)
    expect(row && unwrapped).toContain(row && rowReason(row, [0, 0, 1, 0, 1, 0], conventionOf(name)));
  const empty = maskText(reportOf("a <image> b", "immediate", "0.0.16 imm"));
  expect(empty).toMatch(/1 row differs \(the masks are equal/);
  expect(empty.match(/^prompt 0/gm)).toHaveLength(1);
});

test("decoding: the row of each step, and the same row of the whole mask", () => {
  const text = maskText(reportOf("<image> a <image> b", "open-flamingo@2.0.1", null, 1));
  expect(text).toMatch(/1 +a +attends \{1\} +attends \{1\}\n/);
  expect(text).toMatch(/2 to 3 +\[image 2\] +attends \{1\} +attends \{2\} +<- differs/);
  expect(text).toContain("2 of 3 rows differ");
  expect(maskText(reportOf(CATS, "immediate", null, 4))).toContain("Every cached step has the rows");
  expect(maskText(reportOf(CATS, "0.0.16 imm", null, 4))).toContain("There is no cache");
});

test("ids from a file, a case, a trace, and a case with another's weights", async () => {
  const ids = file("ids.txt", "1 9 3\n9 4\n");
  const document = await json("--ids", ids, "--image-token", "9", "--pad", "left");
  expect(document.prompts[1].tokens.map(({ text }: { text: string }) => text)).toEqual(["<pad>", "9", "4"]);

  const trace = join(folder, "trace.safetensors");
  const located = new Bool<"b l">([1, 2], Uint8Array.of(0, 1));
  const weights = tensor("b h l s", [1, 1, 2, 2], [0.5, 0.5, 1, 0]);
  saveSafetensors(
    trace,
    new Map<string, Bool | typeof weights>([
      ["inputs.media_locations", located],
      ["taps.attn", weights],
    ]),
  ); // prettier-ignore
  const traced = await json(trace, "--images", "2", "--convention", "0.0.16 imm");
  expect(traced.attention).toEqual({
    tensor: "attn",
    shares: [
      [
        [0.5, 0.5],
        [1, 0],
      ],
    ],
  }); // prettier-ignore
  const mismatch = (convention: string, outcome: RowOutcome) =>
    findingSentence({
      kind: "attention-mismatch",
      convention,
      tensor: "attn",
      prompt: 0,
      position: 0,
      attended: [1, 2],
      expected: { outcome, images: [] },
    });
  expect(traced.warnings).not.toContain(mismatch(traced.convention, "uniform-leak"));
  const untraced = await json(trace, "--images", "2");
  expect(untraced.warnings).toContain(mismatch("immediate", "zeroed"));
  expect((await json("hello")).tokens).toHaveLength(1);
  const shares = (await json(MORE, "--trace", `${MORE}/expected.safetensors`)).attention;
  expect(shares).toEqual((await json(MORE)).attention);
});

test.each([
  [["golden/cases"], "name the folder of one case"],
  [["golden"], "name the folder of one case"],
  [["./nowhere"], "no case"],
  [["nothing.safetensors"], "nothing.safetensors"],
  [["--ids", "no-such-file", "--image-token", "1"], "no-such-file"],
])("%j is a LoadError", async (args, named) => {
  await expect(mask(args)).rejects.toThrow(named);
  await expect(mask(args)).rejects.toThrow(LoadError);
});

test.each([
  [[], "needs a prompt"],
  [[" "], "is empty"],
  [["<image>", "--convention", "frobnicate"], '"mllama torchtune"'],
  [["<image>", "--against", "flamingo"], "matches several"],
  [["<image>", "--images", "two"], "--images is a whole number"],
  [["<image>", "--images", "5000"], "--images"],
  [["<image>", "--pad", "middle"], "left, right"],
  [["<image>", "--known", "1"], "--cached"],
  [["<image> a", "--cached", "--known", "3"], "--known"],
  [["<image>", "--latents", "0"], "--latents"],
  [["<image>", "--ids", "x", "--image-token", "1"], "not both"],
  [["--ids", "x"], "--ids needs --image-token"],
  [["--ids", "x", "--image-token", "1.5"], "--image-token is a whole number"],
  [["<image>", "--image-token", "1"], "occurs in no prompt"],
  [["<image>", "--end-token", "1"], "needs --ids"],
  [["<image>", "--images", "1,2"], "--images is for 2 prompts, but there is 1"],
  [["<image>", "b", "--segments", "1;1;1"], "--segments is for 3 prompts, but there are 2"],
  [["<image>", "--num-tiles", "1;2"], "--num-tiles is for 2 prompts, but there is 1"],
])("%j is refused", async (args, named) => {
  await expect(mask(args)).rejects.toThrow(named);
  await expect(mask(args)).rejects.toThrow(UsageError);
});

test("options that belong together are accepted", async () => {
  expect((await json("a <image> b", "--cached", "--known", "1")).cached.known).toBe(1);
  expect((await json("a <image> b")).convention).toBe("immediate");
});

test("help has an example", async () => {
  expect(await run("--help")).toMatch(/Example\n +flamboyance mask /);
});

test("less than 0.3 s of a processor, and the same text as in a process", async () => {
  const report = "process.on('exit',()=>process.stderr.write(JSON.stringify(process.cpuUsage())))";
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [`--import=data:text/javascript,${encodeURIComponent(report)}`, "dist/cli/main.js", "mask", CATS],
    { encoding: "utf8" },
  );
  expect(status).toBe(0);
  expect(stdout).toBe(await run(CATS));
  const { user, system } = JSON.parse(stderr);
  expect((user + system) / 1e6).toBeLessThan(0.3);
});
