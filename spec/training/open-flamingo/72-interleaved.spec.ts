// The executable half of 72-interleaved.md. Texts and orders of images are those of preprocess_interleaved of open-flamingo 2.0.1, run with a
// tokenizer that records its text and images that record their numbers.
import { expect, test } from "vitest";
import { acceptsInterleaved, interleavedText } from "../../../src/training/open-flamingo/interleaved.ts";
import { refusal } from "../../support/properties/refusals.ts";

const RELEASED = [
  {
    sentences: ["One.", "Two two.", "Three."],
    images: [
      { similarities: [0.1, 0.5, 0.3], bytes: 20000 },
      { similarities: [0.6, 0.2, 0.1], bytes: 30000 },
    ],
    threshold: 0.24,
    maxImages: 6,
    text: "<image>One.<|endofchunk|><image>Two two. Three.<|endofchunk|></s>",
    order: [0, 1],
  },
  {
    sentences: ["One.", "Two two.", "Three."],
    images: [
      { similarities: [0.1, 0.5, 0.5], bytes: 20000 },
      { similarities: [0.1, 0.7, 0.1], bytes: 30000 },
      { similarities: [0.9, 0.1, 0.2], bytes: 11000 },
    ],
    threshold: 0.24,
    maxImages: 6,
    text: "<image>One.<|endofchunk|><image><|endofchunk|><image>Two two. Three.<|endofchunk|></s>",
    order: [0, 1, 2],
  },
  {
    sentences: ["a", "b", "c", "d"],
    images: [
      { similarities: [0.1, 0.1, 0.1, 0.9], bytes: 20000 },
      { similarities: [0.9, 0.1, 0.1, 0.1], bytes: 10999 },
      { similarities: [0.1, 0.9, 0.1, 0.1], bytes: 11000 },
      { similarities: [0.1, 0.1, 0.23, 0.1], bytes: 99999 },
      { similarities: [0.3, 0.2, 0.1, 0.1], bytes: 50000 },
    ],
    threshold: 0.24,
    maxImages: 6,
    text: "<image>a<|endofchunk|><image>b c<|endofchunk|><image>d<|endofchunk|></s>",
    order: [0, 2, 4],
  },
  {
    sentences: ["a", "b"],
    images: [
      { similarities: [0.3, 0.9], bytes: 20000 },
      { similarities: [0.8, 0.2], bytes: 20000 },
      { similarities: [0.25, 0.9], bytes: 20000 },
    ],
    threshold: 0.24,
    maxImages: 2,
    text: "<image>a<|endofchunk|><image>b<|endofchunk|></s>",
    order: [0, 1],
  },
  {
    sentences: [" spaced ", "", "end "],
    images: [
      { similarities: [0.1, 0.9, 0.2], bytes: 20000 },
      { similarities: [0.9, 0.1, 0.2], bytes: 20000 },
      { similarities: [0.1, 0.2, 0.9], bytes: 20000 },
    ],
    threshold: 0.24,
    maxImages: 6,
    text: "<image>spaced <|endofchunk|><image><|endofchunk|><image>end <|endofchunk|></s>",
    order: [0, 1, 2],
  },
  {
    sentences: ["a", "b"],
    images: [
      { similarities: [31, 2], bytes: 20000 },
      { similarities: [2, 29], bytes: 20000 },
    ],
    threshold: 30,
    maxImages: 6,
    text: "<image>a b<|endofchunk|></s>",
    order: [0],
  },
];
const documentOf = (similarities: readonly number[], bytes = 20_000) => ({
  sentences: ["a", "b"],
  images: [{ similarities, bytes }],
});

test("[interleaved.best] [interleaved.fits] [interleaved.most] [interleaved.tags] [interleaved.spaces] texts are those of the release, and so is its order of images", () => {
  for (const { sentences, images, threshold, maxImages, text, order } of RELEASED) {
    const options = { threshold, maxImages, endOfText: "</s>", imageOrder: "document" } as const;
    expect(interleavedText({ sentences, images }, options)).toEqual({ text, images: order });
  }
});

test("[interleaved.order] by default the k-th image token is that of the k-th image", () => {
  for (const { sentences, images, threshold, maxImages, text, order } of RELEASED) {
    const found = interleavedText({ sentences, images }, { threshold, maxImages, endOfText: "</s>" });
    const best = (image: number): number => {
      const { similarities = [] } = images[image] ?? {};
      return similarities.indexOf(Math.max(...similarities));
    };
    const bySentence = sentences.flatMap((_, sentence) => order.filter((image) => best(image) === sentence));
    expect(found).toEqual({ text, images: bySentence });
  }
  expect(
    RELEASED.some(
      ({ order }, i) =>
        order.join() !==
        interleavedText(RELEASED[i] ?? documentOf([1]), { threshold: 0.24, endOfText: "" })?.images.join(),
    ),
  ).toBe(true);
});

test("[interleaved.fits] [interleaved.most] defaults are those of the release: 30, and six images", () => {
  expect(interleavedText(documentOf([29.9, 0]), { endOfText: "" })).toBe(null);
  expect(interleavedText(documentOf([30, 0]), { endOfText: "" })?.text).toBe("<image>a b<|endofchunk|>");
  expect(interleavedText(documentOf([30, 0], 10_999), { endOfText: "" })).toBe(null);
  expect(interleavedText(documentOf([30, 0], 11_000), { endOfText: "" })).not.toBe(null);
  const seven = {
    sentences: ["a"],
    images: Array.from({ length: 7 }, () => ({ similarities: [40], bytes: 20_000 })),
  };
  expect(interleavedText(seven, { endOfText: "" })?.images).toEqual([0, 1, 2, 3, 4, 5]);
  expect(
    interleavedText({ sentences: [], images: [{ similarities: [], bytes: 20_000 }] }, { endOfText: "" }),
  ).toBe(null);
});

test("[interleaved.plain] a sentence with a token of its own is refused", () => {
  for (const token of ["<image>", "<|endofchunk|>"])
    expect(
      refusal(() => interleavedText({ sentences: [`a ${token}`], images: [] }, { endOfText: "" })).rule,
    ).toBe("interleaved.plain");
  expect(refusal(() => interleavedText(documentOf([40]), { endOfText: "", maxImages: 0 })).message).toContain(
    "maxImages",
  );
});

test("[interleaved.accepted] half of the texts with one image are left out, and those whose only image is the last token", () => {
  const accepts = (ids: readonly number[], draw = 1, minImages?: number) =>
    acceptsInterleaved(ids, { mediaTokenId: 2, draw, minImages });
  expect(accepts([5, 6])).toBe(false);
  expect(accepts([2, 5], 0.5)).toBe(false);
  expect(accepts([2, 5], 0.51)).toBe(true);
  expect(accepts([5, 2], 1)).toBe(false);
  expect(accepts([2, 5, 2], 0)).toBe(true);
  expect(accepts([2, 5, 2], 1, 3)).toBe(false);
  expect(accepts([5], 1, 0)).toBe(true);
  expect(refusal(() => accepts([2], 2)).message).toContain("draw");
});
