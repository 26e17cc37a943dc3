// The sentences of reasons, findings, violations and differences: the only tests that depend on their wording.
import { expect, test } from "vitest";
import {
  type CachedStep,
  type Convention,
  conventionOf,
  conventions,
  explainRow,
  maskRows,
} from "../../src/entries/masks.ts";
import { checkCounts } from "../../src/masks/counts.ts";
import { replayDecoding } from "../../src/masks/decoding/decode.ts";
import { differenceOf } from "../../src/masks/difference.ts";
import { findingsOf, type MaskFinding } from "../../src/masks/findings.ts";
import { violationsOf } from "../../src/masks/invariants.ts";
import {
  asSentence,
  counted,
  differenceSentence,
  findingSentence,
  reasonClause,
  refusalClause,
  violationSentence,
} from "../../src/masks/sentences.ts";

const { immediate, "all-previous": allPrevious } = conventions;
const released = conventions["flamingo-pytorch@0.1.2 immediate"];
const releasedAll = conventions["flamingo-pytorch@0.1.2 all-previous"];
/** "tIE" -> 0 1 2 */
const prompt = (text: string): number[] => [...text].map((token) => "tIE".indexOf(token));
const batch = (...texts: readonly string[]) => ({
  shape: [texts.length, texts[0]?.length ?? 0],
  data: texts.flatMap(prompt),
});
const rows = (text: string, n: number, c: Convention) => maskRows(batch(text), n, c)[0] ?? [];

const reasons = (text: string, n: number, c: Convention) =>
  rows(text, n, c).map((row) => reasonClause(explainRow(row, prompt(text), c)));

test("[mask.reason] the reason for a row that attends names the images and their positions", () => {
  expect(reasons("tIt", 1, immediate).slice(1)).toEqual([
    "position 1 sees image 1: it is that image's own token",
    "position 2 sees image 1: it is the last image at or before it (position 1)",
  ]);
  expect(reasons("tIttI", 2, immediate).at(-1)).toBe("position 4 sees image 2: it is that image's own token");
  expect(reasons("tIt", 1, allPrevious).at(-1)).toBe(
    "position 2 sees image 1: it is the only image at or before it (position 1)",
  );
  expect(reasons("ItIt", 3, allPrevious).slice(2)).toEqual([
    "position 2 sees images 1 and 2: their tokens are at or before it (positions 0 and 2)",
    "position 3 sees images 1 and 2: their tokens are at or before it (positions 0 and 2)",
  ]);
  expect(reasons("ItIIt", 3, allPrevious).at(-1)).toBe(
    "position 4 sees images 1, 2 and 3: their tokens are at or before it (positions 0, 2 and 3)",
  );
  expect(reasons("IIIItt", 4, allPrevious).at(-1)).toBe(
    "position 5 sees images 1 to 4: their tokens are at or before it (the last at position 3)",
  );
  expect(reasons("ItIt", 1, allPrevious).at(-1)).toBe(
    "position 3 sees image 1: there are 2 image tokens at or before it, but only 1 image is given",
  );
});

test("[mask.reason] rows without an image have a cause and an outcome", () => {
  const first = (c: Convention) => reasons("tI", 1, c)[0];
  expect(first(immediate)).toBe("position 0 sees no image: no image comes before it; its row is set to zero");
  expect(first(released)).toBe(
    "position 0 sees no image: no image comes before it; its row is set to zero after the softmax",
  );
  expect(first(releasedAll)).toBe(
    "position 0 should see no image: no image comes before it; yet its row averages all images",
  );
  expect(first({ ...immediate, emptyRow: "nan" })).toBe(
    "position 0 sees no image: no image comes before it; its row becomes NaN",
  );
  const missing = (c: Convention, n: number) => reasons("ItIIt", n, c).at(-1);
  expect(missing(immediate, 1)).toBe(
    "position 4 belongs to image 3, but only 1 image is given: its row is set to zero",
  );
  expect(missing(released, 1)).toBe(
    "position 4 belongs to image 3, but only 1 image is given: its row averages all images",
  );
  expect(missing(released, 2)).toBe(
    "position 4 belongs to image 3, but only 2 images are given: its row averages all images",
  );
});

test("[mask.reason] of several end tokens the first one after the image cuts a position off", () => {
  const cut = { ...immediate, endTokens: "cut" } as const;
  const kinds = [1, 0, 2, 0, 2, 2, 0, 1, 2, 0];
  const locations = { shape: [1, kinds.length], data: kinds };
  const ends = (maskRows(locations, 2, cut)[0] ?? []).map((row) => {
    const found = explainRow(row, kinds, cut);
    return found.kind === "empty" && found.because.kind === "end-token" ? found.because.position : null;
  });
  expect(ends).toEqual([null, null, null, 2, 2, 2, 2, null, null, 8]);
});

const reason = (text: string, n: number, c: Convention, position: number, image?: number) => {
  const row = rows(text, n, c)[position];
  return row ? reasonClause(explainRow(row, prompt(text), c, image)) : "";
};

test("[mask.reason] every cause of other conventions has a sentence", () => {
  const next = conventionOf("open-flamingo@0.0.2");
  expect(reason("tIt", 1, next, 0)).toBe(
    "position 0 sees image 1: it is the next image after it (position 1)",
  );
  expect(reason("tIt", 1, next, 1)).toBe("position 1 sees image 1: it is that image's own token");
  expect(reason("tIt", 1, next, 2)).toBe(
    "position 2 sees no image: no image comes after it; its row is set to zero after the softmax",
  );
  expect(reason("tItI", 1, next, 2)).toBe(
    "position 2 belongs to image 2, but only 1 image is given: its row averages all images",
  );
  expect(reason("ItI", 2, conventions.paper, 2)).toBe(
    "position 2 sees image 1: it is the last image before it (position 0)",
  );
  const mllama = conventionOf("mllama transformers");
  expect(reason("tIIt", 2, mllama, 3)).toBe(
    "position 3 sees images 1 and 2: their tokens are adjacent, at or before it (positions 1 and 2)",
  );
  expect(reason("tIIt", 2, mllama, 0)).toBe(
    "position 0 should see no image: no image comes before it; yet its row attends to all images, as if there were no mask",
  );
  expect(reason("tI", 1, conventionOf("mllama reference"), 0)).toBe(
    "position 0 sees no image: no image comes before it; the layer leaves its row unchanged",
  );
  const idefics = conventionOf("idefics");
  expect(reason("IttEt", 1, idefics, 4)).toBe(
    "position 4 sees no image: the end token at position 3 cuts it off from earlier images; its row is set to zero",
  );
  expect(reason("tEt", 1, idefics, 2)).toBe(
    "position 2 sees no image: no image comes before it; its row is set to zero",
  );
  expect(reason("tt", 2, { ...immediate, compare: "everything" }, 0)).toBe(
    "position 0 sees images 1 and 2: nothing is masked",
  );
  const listed: Convention = { ...immediate, compare: { explicit: [[2], []] } };
  expect(reason("tI", 2, listed, 0)).toBe("position 0 sees image 2: the list for this position names it");
  expect(reason("tI", 2, listed, 1)).toBe(
    "position 1 sees no image: the list for this position names none; its row is set to zero",
  );
  expect(reason("IIII", 2, { ...immediate, compare: { last: 3 } }, 3)).toBe(
    "position 3 sees image 2: there are 4 image tokens at or before it, but only 2 images are given",
  );
});

test("[mask.reason] a single image is seen or not seen for a reason", () => {
  const of = (c: Convention, position: number, image: number, text = "ItItt") =>
    reason(text, 2, c, position, image);
  expect(of(immediate, 4, 2)).toBe(
    "position 4 sees image 2: it is the last image at or before it (position 2)",
  );
  expect(of(immediate, 4, 1)).toBe("position 4 does not see image 1: image 2 comes after it (position 2)");
  expect(of(immediate, 1, 2)).toBe("position 1 does not see image 2: it comes later (position 2)");
  expect(of(immediate, 1, 2, "It")).toBe("position 1 does not see image 2: it has no image token");
  expect(of(immediate, 1, 3)).toBe("position 1 does not see image 3: only 2 images are given");
  expect(of(conventions["all-previous"], 4, 1)).toBe(
    "position 4 sees image 1: its token is at or before it (position 0)",
  );
  expect(of(conventions.paper, 2, 2, "ItI")).toBe(
    "position 2 does not see image 2: an image's own token does not count it yet",
  );
  expect(of({ ...immediate, compare: { explicit: [[1]] } }, 0, 2)).toBe(
    "position 0 does not see image 2: the list for this position does not name it",
  );
  expect(of(immediate, 0, 1, "tI")).toBe(
    "position 0 sees no image: no image comes before it; its row is set to zero",
  );
});

test("[mask.reason] without images every row has the same reason", () => {
  expect(reasons("tI", 0, immediate)).toEqual([
    "position 0 sees no image: none is given",
    "position 1 sees no image: none is given",
  ]);
});

test("[mask.reason] the row of a cached step names the row that it uses", () => {
  const step = (text: string, cachedStep: CachedStep, known: number) => {
    const c = { ...immediate, cachedStep };
    const steps = replayDecoding(batch(text), 2, c, { prompt: known });
    const row = steps.at(-1)?.rows[0]?.[0];
    return row ? reasonClause(explainRow(row, prompt(text), c)) : "";
  };
  expect(step("Itt", "last-row", 1)).toBe(
    "position 2 uses the row of the prompt's position 0: position 0 sees image 1: it is that image's own token",
  );
  expect(step("Itt", "restart", 2)).toBe(
    "position 2 counts images from position 2, where its pass begins; in that pass position 0 sees no image: no image comes before it; its row is set to zero",
  );
  expect(step("Itt", "count", 2)).toBe(
    "position 2 uses the images of the text last counted; in that text position 1 sees image 1: it is the last image at or before it (position 0)",
  );
  expect(step("IItt", "ahead", 2)).toBe(
    "position 3 comes after the prompt, where the mask of several images ends: its row is set to zero",
  );
});

test("[mask.counts] each mismatch of tokens and images has a sentence", () => {
  const sentences = (text: string, n: number, real?: number[]) =>
    checkCounts(batch(text), n, real).flatMap(({ findings }) => findings.map(findingSentence));
  expect(sentences("tItII", 2, [1])).toEqual([
    "Prompt 0: the image token at position 3 refers to image 2, which only pads the batch.",
    "Prompt 0: the image token at position 4 refers to image 3, but only 2 images are given.",
  ]);
  expect(sentences("I", 0)).toEqual([
    "Prompt 0: the image token at position 0 refers to image 1, but no image is given.",
  ]);
  expect(sentences("tI", 2)).toEqual(["Prompt 0: image 2 has no image token."]);
  expect(sentences("tt", 1)).toEqual(["Prompt 0 has no image token, but the batch has 1 image."]);
});

test("[mask.findings] leaks, cached steps and masks that depend on later text have a sentence", () => {
  const sentences = (text: string, c: Convention, known: number | null = null) => {
    const locations = batch(text);
    const steps = known === null ? null : replayDecoding(locations, 1, c, { prompt: known });
    return findingsOf(locations, 1, c, { steps }).map(findingSentence);
  };
  expect(sentences("ttI", releasedAll)).toEqual([
    "Prompt 0, positions 0 to 1 average all images, although the mask allows none (UNIFORM LEAK) under flamingo-pytorch@0.1.2 all-previous.",
  ]);
  expect(sentences("tI", conventionOf("mllama transformers"))).toEqual([
    "Prompt 0, position 0 attends to all images, as if there were no mask (UNMASKED LEAK) under mllama transformers.",
  ]);
  expect(sentences("tI", { ...immediate, emptyRow: "nan" })).toEqual([
    "Prompt 0, position 0 becomes NaN (NaN) under immediate.",
  ]);
  expect(sentences("It", conventions["paper next"])).toEqual([
    "paper next is not prefix-stable: what a token sees may change with the text after it, so no left-to-right decoding can reproduce it.",
  ]);
  expect(sentences("Ittt", conventions.otter, 1)).toEqual([
    "3 cached steps differ from the whole text's mask under otter, first in prompt 0: position 1 counts images from position 1, where its pass begins; in that pass position 0 sees no image: no image comes before it; its row is set to zero after the softmax.",
  ]);
  const refused: MaskFinding = {
    kind: "step-refused",
    convention: "flamingo-mini",
    from: 2,
    refused: { tokens: 3, prompt: 2 },
  };
  expect(findingSentence(refused)).toBe(
    "flamingo-mini cannot take the step from position 2: 3 tokens in one pass, but the prompt has 2.",
  );
});

test("[prompt.attention] a row of recorded weights that differs has a sentence", () => {
  const sentence = (
    attended: readonly number[],
    outcome: "attends" | "uniform-leak" | "zeroed",
    images: number[],
  ) =>
    findingSentence({
      kind: "attention-mismatch",
      convention: "immediate",
      tensor: "attn",
      prompt: 0,
      position: 1,
      attended,
      expected: { outcome, images },
    });
  expect(sentence([2], "attends", [1])).toBe(
    "Prompt 0, position 1 attends {2} in attn, but under immediate it attends {1}.",
  );
  expect(sentence([], "uniform-leak", [1, 2])).toBe(
    "Prompt 0, position 1 attends nothing in attn, but under immediate it averages all images.",
  );
  expect(sentence([1, 2], "zeroed", [])).toBe(
    "Prompt 0, position 1 attends {1,2} in attn, but under immediate it attends nothing.",
  );
});

test("[mask.step] a violation has a sentence, with the change that breaks the invariant", () => {
  const sentences = (text: string, c: Convention) => violationsOf(prompt(text), 1, c).map(violationSentence);
  expect(sentences("ttt", { ...immediate, cachedStep: "prompt-end" })).toEqual([
    "2 tokens in one pass, but the prompt has 1.",
  ]);
  expect(sentences("tI", conventions["paper next"])).toEqual([
    "position 0 sees no image: no image comes after it; its row is set to zero, but this changes when more text follows.",
  ]);
  expect(sentences("tI", { ...immediate, compare: { explicit: [[], [1]] } })).toContain(
    "position 0 sees no image: the list for this position names none; its row is set to zero, but this changes with 1 padding token before it.",
  );
  expect(refusalClause({ tokens: 2, prompt: 1 })).toBe("2 tokens in one pass, but the prompt has 1");
});

test("[mask.difference] a row that differs has both reasons", () => {
  const { first } = differenceOf(batch("ItIt"), 3, immediate, allPrevious);
  expect(first && differenceSentence(first, prompt("ItIt"), [immediate, allPrevious])).toBe(
    "immediate: position 2 sees image 2: it is that image's own token. all-previous: position 2 sees images 1 and 2: their tokens are at or before it (positions 0 and 2).",
  );
});

test("[mask.reason] a clause becomes a sentence, and nouns agree with their number", () => {
  expect(asSentence("position 1 sees it")).toBe("Position 1 sees it.");
  expect([0, 1, 2].map((n) => counted(n, "image"))).toEqual(["0 images", "1 image", "2 images"]);
});
