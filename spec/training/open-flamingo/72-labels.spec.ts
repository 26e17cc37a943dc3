// The executable half of 72-labels.md. Rows are written as text, one character a token, and the expected labels are found with regular
// expressions; golden/cases/open-flamingo has the labels of the package's own training loop.
import fc from "fast-check";
import { expect, test } from "vitest";
import { nextLabels } from "../../../src/nn/cross-entropy.ts";
import { flat, Int, int, Tensor, view } from "../../../src/tensor/tensor.ts";
import { embeddingGradientMask } from "../../../src/training/open-flamingo/gradient-mask.ts";
import { type LabelOptions, laionLabels, mmc4Labels } from "../../../src/training/open-flamingo/labels.ts";
import { refusal, shapeRefusal } from "../../support/properties/refusals.ts";

const TOKENS = "abcdIEPs"; // I: an image, E: the end of a chunk, P: padding, s: the end of the text
const options: LabelOptions = {
  mediaTokenId: TOKENS.indexOf("I"),
  eocTokenId: TOKENS.indexOf("E"),
  padTokenId: TOKENS.indexOf("P"),
};
const idsOf = (rows: readonly string[]): Int<"b l"> =>
  int(
    "b l",
    rows.map((row) => [...row].map((token) => TOKENS.indexOf(token))),
  );
/** Labels as text: a dot where there is none. */
const shown = (labels: Int<"b l">): string[] => {
  const [b = 0, l = 0] = labels.shape;
  const tokens = [...labels.flat()].map((id) => (id === -100 ? "." : (TOKENS[id] ?? "?")));
  return Array.from({ length: b }, (_, row) => tokens.slice(row * l, (row + 1) * l).join(""));
};

const dots = (text: string): string => ".".repeat(text.length);
const withoutSpecial = (row: string): string => row.replace(/[IP]/g, ".");
/** Everything outside of "I … E" becomes dots, then images and padding. */
const interleaved = (row: string): string => {
  const images = row.split(/(?=I)/);
  const parts = images.map((part) => {
    if (!part.startsWith("I")) return dots(part);
    const [, kept = part, rest = ""] = /^(I[^E]*E)(.*)$/.exec(part) ?? [];
    return kept + dots(rest);
  });
  return withoutSpecial(parts.join(""));
};

const batches = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 14 })).chain(([b, l]) =>
  fc.array(fc.string({ unit: fc.constantFrom(...TOKENS), minLength: l, maxLength: l }), {
    minLength: b,
    maxLength: b,
  }),
);

test("[labels.laion] captions have labels at all tokens but images and padding", () => {
  expect(shown(laionLabels(idsOf(["IabEsPP", "aIbcdEs"]), options))).toEqual([".abEs..", "a.bcdEs"]);
  fc.assert(
    fc.property(batches, (rows) => {
      expect(shown(laionLabels(idsOf(rows), options))).toEqual(rows.map(withoutSpecial));
    }),
  );
});

test("[labels.mmc4] [labels.before-first-image] [labels.end-of-chunk] interleaved text has labels from an image to the end of its chunk", () => {
  const rows = ["abIcdEIaEsP", "IIabEcdIaPP", "abcdEaEsPPP", "EaIbcPdEaEs"];
  expect(shown(mmc4Labels(idsOf(rows), options))).toEqual([
    "...cdE.aE..",
    "..abE...a..",
    "...........",
    "...bc.dE...",
  ]);
  fc.assert(
    fc.property(batches, (given) => {
      expect(shown(mmc4Labels(idsOf(given), options))).toEqual(given.map(interleaved));
    }),
  );
});

test("[labels.ids] special tokens that are not three, and ids that are no batch, are refused", () => {
  const ids = idsOf(["IaE"]);
  for (const labels of [laionLabels, mmc4Labels]) {
    expect(refusal(() => labels(ids, { ...options, padTokenId: options.eocTokenId })).rule).toBe(
      "labels.ids",
    );
    expect(refusal(() => labels(ids, { ...options, padTokenId: options.mediaTokenId })).rule).toBe(
      "labels.ids",
    );
    expect(refusal(() => labels(ids, { ...options, eocTokenId: options.mediaTokenId })).rule).toBe(
      "labels.ids",
    );
    // @ts-expect-error a list is no Int
    expect(refusal(() => labels([[1, 2]], options)).rule).toBe("labels.ids");
    expect(refusal(() => labels(ids, { ...options, padTokenId: 0.5 })).message).toContain("padTokenId");
    // @ts-expect-error ids have two axes
    expect(shapeRefusal(() => labels(new Int<"b">([2], Int32Array.of(1, 2)), options)).message).toContain(
      "ids",
    );
  }
});

test("[labels.next] targets are the labels of the next position, in each row", () => {
  const labels = int("b l", [
    [-100, 4, 5],
    [6, -100, 7],
  ]);
  expect([...nextLabels(labels).flat()]).toEqual([4, 5, -100, -100, 7, -100]);
});

test("[embeddings.rows] rows that are not kept have no gradient, and those that are kept have all of it", () => {
  const values = Float64Array.from({ length: 12 }, (_, i) => i + 1);
  const gradient = new Tensor<"n d">([4, 3], view(values, [4, 3]));
  expect([...flat(embeddingGradientMask(gradient, [3, 1]).data)]).toEqual([
    0, 0, 0, 4, 5, 6, 0, 0, 0, 10, 11, 12,
  ]);
  expect([...flat(embeddingGradientMask(gradient, []).data)]).toEqual(new Array(12).fill(0));
  expect([...values]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  for (const row of [4, -1, 0.5])
    expect(refusal(() => embeddingGradientMask(gradient, [row])).rule).toBe("embeddings.rows");
});
