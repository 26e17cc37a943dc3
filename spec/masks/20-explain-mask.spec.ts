// explainMask: a prompt in words to a report for each token. Expected values are counted by hand from the rule of the convention.
import { expect, test } from "vitest";
import { conventions } from "../../src/masks/conventions/conventions.ts";
import { explainMask, MaskExplanation } from "../../src/masks/prompts/explain-mask.ts";
import { reasonClause } from "../../src/masks/sentences.ts";

const names = Object.keys(conventions);
const table = ({ tokens }: MaskExplanation) =>
  tokens.map(({ text, kind, textTime, images, outcome }) => [text, kind, textTime, images, outcome]);

test("[mask.explain] each token has its text, kind, text_time, images, outcome and reason", () => {
  const explanation = explainMask("A <image> b <image> c </s> d", { convention: "immediate" });
  expect(table(explanation)).toEqual([
    ["A", "text", 0, [], "zeroed"],
    ["<image>", "image", 1, [1], "attends"],
    ["b", "text", 1, [1], "attends"],
    ["<image>", "image", 2, [2], "attends"],
    ["c", "text", 2, [2], "attends"],
    ["</s>", "end", 2, [2], "attends"],
    ["d", "text", 2, [2], "attends"],
  ]);
  const [first, , third] = explanation.tokens;
  expect(first?.reason).toEqual({
    kind: "empty",
    position: 0,
    because: { kind: "no-image-before" },
    result: "zeroed",
  });
  expect(third && reasonClause(third.reason)).toMatch(/position 2 sees image 1/);
});

test("[mask.explain] under idefics an end token cuts the images off; under all-previous every image before is seen", () => {
  const rows = (convention: string) =>
    explainMask("A <image> b </s> c", { convention }).tokens.map(({ images }) => images);
  // transformers 4.57.6, image_attention_mask_for_packed_input_ids: seen_eod is set after the end token's own row
  expect(rows("idefics")).toEqual([[], [1], [1], [1], []]);
  const all = explainMask("<image> a <image> b", { convention: "all-previous" });
  expect(all.tokens.map(({ images }) => images)).toEqual([[1], [1], [1, 2], [1, 2]]);
});

test.each(names)("[mask.explain] %s explains a prompt, by its name and as a value", (convention) => {
  const value = conventions[convention as keyof typeof conventions];
  const token = value.source && "imageToken" in value.source ? value.source.imageToken : "<image>";
  const explanation = explainMask(`A ${token} b`, { convention });
  expect(explanation.tokens.map(({ kind }) => kind)).toEqual(["text", "image", "text"]);
  expect(explanation.convention.name).toBe(convention);
  expect(`${explanation}`).toContain(convention);
  expect(table(explainMask(`A ${token} b`, { convention: value }))).toEqual(table(explanation));
});

test("[mask.explain] images, the image's token and its length can be named", () => {
  const two = explainMask("A <image> b", { convention: "all-previous", images: 2 });
  expect([two.images, two.tokens.map(({ images }) => images)]).toEqual([2, [[], [1], [1]]]);
  const named = explainMask("<pic> <pic> a", {
    convention: "immediate",
    imageToken: "<pic>",
    imageLength: 2,
  });
  expect(named.tokens.map(({ kind }) => kind)).toEqual(["image", "further", "text"]);
  expect([named.images, named.imageToken]).toEqual([1, "<pic>"]);
  const other = explainMask("A <|image_pad|> b", { convention: "immediate" });
  expect(other.possibleImageTokens).toEqual(["<|image_pad|>"]);
  expect(`${other}`).toMatch(/Not read as images: <\|image_pad\|>\. The option imageToken/);
});

test("[mask.explain] the text is that of drawMask, under the convention's name and note", () => {
  expect(`${explainMask("A <image> b", { convention: "immediate" })}`.split("\n")).toEqual([
    `immediate: ${conventions.immediate.note}`,
    "",
    "prompt 0   A  [image 1]  b",
    "",
    "     token      text_time  image 1",
    "  0  A              0         ·       zeroed",
    "  1  [image 1]      1         ■       attends {1}",
    "  2  b              1         ■       attends {1}",
    "",
    "  position 0 sees no image: no image comes before it; its row is set to zero",
    "  position 1 sees image 1: it is that image's own token",
    "  position 2 sees image 1: it is the last image at or before it (position 1)",
  ]);
});

const loose = explainMask as unknown as (...args: readonly unknown[]) => MaskExplanation;
const convention = "immediate";

test.each<[string, readonly unknown[], RegExp]>([
  ["no text", [["A"], { convention }], /takes a prompt as text.*not object/],
  ["an empty prompt", [" \n", { convention }], /has no token/],
  ["no options", ["A"], /needs options with a convention/],
  ["no convention", ["A", {}], /needs a convention: a name/],
  [
    "an unknown convention",
    ["A", { convention: "idefix" }],
    /No convention is called "idefix"; there are "immediate"/,
  ],
  ["a part of several names", ["A", { convention: "mllama" }], /matches several conventions/],
  [
    "a convention with a wrong field",
    ["A", { convention: { ...conventions.immediate, numbering: "x" } }],
    /numbering/,
  ],
  ["an unknown option", ["A", { convention, image: 1 }], /no option image \(did you mean "images"\?\)/],
  ["a part of an image", ["A", { convention, images: 1.5 }], /whole number from 0 up/],
  ["an image token that is empty", ["A", { convention, imageToken: "" }], /imageToken is the text/],
  ["a length of no image", ["A", { convention, imageLength: 0 }], /imageLength is a whole number/],
  [
    "too many entries",
    ["a ".repeat(2000), { convention, images: 501 }],
    /2000 tokens times 501 images.*maskRows/,
  ],
  ["too long a text", ["a".repeat(400_001), { convention }], /at most 400000 characters/],
])("[mask.explain] %s is refused", (_, args, words) => {
  expect(() => loose(...args)).toThrow(words);
  expect(() => loose(...args)).toThrow(RangeError);
});

test("[mask.explain] [mask.refuses] a prompt that the source refuses is said to be refused", () => {
  const prompt = "A <|image|> b <|image|>";
  const refused = explainMask(prompt, { convention: "mllama transformers", images: 1 });
  expect(refused.refused).toMatchObject({ kind: "refused-prompt", tokens: 2, images: 1 });
  expect(`${refused}`).toMatch(/mllama transformers refuses prompt 0, which has 2 image tokens and 1 image/);
  for (const images of [2, 3]) {
    const accepted = explainMask(prompt, { convention: "mllama transformers", images });
    expect(accepted.refused).toBeNull();
    expect(`${accepted}`).not.toContain("refuses");
  }
  expect(explainMask(prompt, { convention, images: 1 }).refused).toBeNull();
});

test("[mask.explain] hidden characters of a prompt are shown escaped", () => {
  expect(`${explainMask("\u001b[31m <image>", { convention })}`).not.toContain("\u001b");
  expect(explainMask("a", { convention })).toBeInstanceOf(MaskExplanation);
});
