// The text of reasons, findings, violations and differences, for the terminal and the page. Nothing is computed here.

import { checkConvention, checkMade } from "./conventions/check.ts";
import type { Convention, Numbering } from "./conventions/schema.ts";
import type { TextLike } from "./counting/counted-text.ts";
import { countOf, type ImageRanges, imagesIn, rangesOf, rangesText } from "./counting/image-ranges.ts";
import type { Refusal } from "./decoding/decode.ts";
import type { RowDifference } from "./difference.ts";
import {
  type EmptyBecause,
  type EmptyRowResult,
  explainRow,
  type RowReason,
  type SeenBecause,
  type UnseenBecause,
} from "./explain.ts";
import type {
  AttentionFinding,
  LeakFinding,
  MaskFinding,
  RecordedMaskFinding,
  RefusedFinding,
  SampleFinding,
  TileFinding,
} from "./findings.ts";
import type { InvariantViolation } from "./invariants.ts";
import { outcomeLabel } from "./outcome.ts";
import type { MaskRow, StepOrigin } from "./rows.ts";

/** 1 image; 2 images */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** image 1; images 1 and 2; images 1, 2 and 3; images 1 to 4 */
function listed(noun: string, numbers: readonly number[]): string {
  const [first = 0, last = 0] = [numbers[0], numbers.at(-1)];
  if (numbers.length === 1) return `${noun} ${first}`;
  if (numbers.length > 3 && last - first === numbers.length - 1) return `${noun}s ${first} to ${last}`;
  return `${noun}s ${numbers.slice(0, -1).join(", ")} and ${last}`;
}

const listedImages = (images: ImageRanges): string =>
  images.length === 1 && countOf(images) > 3
    ? `images ${images[0]?.[0]} to ${images[0]?.[1]}`
    : listed("image", imagesIn(images));

/** A clause as a sentence of its own. */
export const asSentence = (clause: string): string =>
  `${clause.slice(0, 1).toUpperCase()}${clause.slice(1)}.`;

/** A reason as a clause: no capital, no full stop. */
export function reasonClause(reason: RowReason): string {
  const subject = `position ${reason.position}`;
  switch (reason.kind) {
    case "seen":
      return `${subject} sees ${listedImages(reason.images)}: ${seenClause(reason.because, reason.images)}`;
    case "unseen":
      return `${subject} does not see image ${reason.image}: ${unseenClause(reason.because)}`;
    case "empty":
      return emptyClause(subject, reason.because, reason.result);
    case "cached":
      return cachedClause(subject, reason.how, reason.reason);
  }
}

const places: Record<Numbering, string> = {
  inclusive: "at or before",
  exclusive: "before",
  next: "up to the one after",
};

const onlyGiven = (images: number): string =>
  images === 0
    ? "no image is given"
    : `only ${counted(images, "image")} ${images === 1 ? "is" : "are"} given`;

function seenClause(because: SeenBecause, images: ImageRanges): string {
  switch (because.kind) {
    case "no-mask":
      return "nothing is masked";
    case "listed":
      return `the list for this position names ${countOf(images) === 1 ? "it" : "them"}`;
    case "own-token":
      return "it is that image's own token";
    case "fewer-images":
      return `there are ${because.tokens} image tokens ${places[because.numbering]} it, but ${onlyGiven(because.images)}`;
    case "located":
      return locatedClause(because, countOf(images));
  }
}

function locatedClause(
  { positions, numbering, rank, neighbours }: Extract<SeenBecause, { kind: "located" }>,
  images: number,
): string {
  const place = places[numbering];
  if (images > 3) return `their tokens are ${place} it (the last at position ${positions.at(-1)})`;
  const where = listed("position", positions);
  if (positions.length > 1) return `their tokens are ${neighbours ? "adjacent, " : ""}${place} it (${where})`;
  if (rank === "next") return `it is the next image after it (${where})`;
  return rank === "earlier"
    ? `its token is ${place} it (${where})`
    : `it is the ${rank} image ${place} it (${where})`;
}

function unseenClause(because: UnseenBecause): string {
  switch (because.kind) {
    case "not-given":
      return onlyGiven(because.images);
    case "not-listed":
      return "the list for this position does not name it";
    case "no-token":
      return "it has no image token";
    case "later":
      return `it comes later (position ${because.position})`;
    case "superseded":
      return `image ${because.by} comes after it (position ${because.position})`;
    case "own-token":
      return "an image's own token does not count it yet";
  }
}

const results: Record<EmptyRowResult, string> = {
  zeroed: "its row is set to zero",
  "zeroed-after-softmax": "its row is set to zero after the softmax",
  identity: "the layer leaves its row unchanged",
  "uniform-leak": "its row averages all images",
  "unmasked-leak": "its row attends to all images, as if there were no mask",
  nan: "its row becomes NaN",
};

function emptyClause(subject: string, because: EmptyBecause, result: EmptyRowResult): string {
  if (because.kind === "no-images") return `${subject} sees no image: none is given`;
  if (because.kind === "not-given") {
    return `${subject} belongs to image ${because.image}, but ${onlyGiven(because.images)}: ${results[result]}`;
  }
  const why = {
    "not-listed": () => "the list for this position names none",
    "end-token": ({ position }: { position: number }) =>
      `the end token at position ${position} cuts it off from earlier images`,
    "no-image-before": () => "no image comes before it",
    "no-image-after": () => "no image comes after it",
  };
  const cause = because.kind === "end-token" ? why["end-token"](because) : why[because.kind]();
  return result === "uniform-leak" || result === "unmasked-leak"
    ? `${subject} should see no image: ${cause}; yet ${results[result]}`
    : `${subject} sees no image: ${cause}; ${results[result]}`;
}

/** `reason` is that of the row that the step uses; its positions are those of the text or pass that the row belongs to. */
function cachedClause(subject: string, how: StepOrigin, reason: RowReason): string {
  switch (how.kind) {
    case "prompt-row":
      return `${subject} uses the row of the prompt's position ${how.position}: ${reasonClause(reason)}`;
    case "own-pass":
      return `${subject} counts images from position ${how.from}, where its pass begins; in that pass ${reasonClause(reason)}`;
    case "last-count":
      return `${subject} uses the images of the text last counted; in that text ${reasonClause(reason)}`;
    case "beyond-prompt": {
      const result = reason.kind === "empty" ? results[reason.result] : reasonClause(reason);
      return `${subject} comes after the prompt, where the mask of several images ends: ${result}`;
    }
  }
}

/** The reason for a row, or for one image in it, as a clause: `reasonClause` of `explainRow`. */
export const rowReason = (row: MaskRow, text: TextLike, convention: Convention, image?: number): string =>
  reasonClause(explainRow(row, text, convention, image));

const rowImages = (outcome: string, images: readonly number[]): string =>
  outcome === "uniform-leak"
    ? "averages all images"
    : images.length > 0
      ? `attends {${rangesText(rangesOf(images, Number.POSITIVE_INFINITY))}}`
      : "attends nothing";

function leakSentence({ convention, outcome, prompt, from, to }: LeakFinding): string {
  const one = from === to;
  const effects = {
    "uniform-leak": `average${one ? "s" : ""} all images, although the mask allows none`,
    "unmasked-leak": `attend${one ? "s" : ""} to all images, as if there were no mask`,
    nan: `become${one ? "s" : ""} NaN`,
  };
  return `Prompt ${prompt}, ${positionsText(from, to)} ${effects[outcome]} (${outcomeLabel(outcome)}) under ${convention}.`;
}

function attentionSentence(finding: AttentionFinding): string {
  const { convention, tensor, prompt, position, attended, expected, nan, silentHeads } = finding;
  const recorded = nan
    ? "is NaN"
    : silentHeads
      ? `has no weight in ${silentHeads.silent} of ${counted(silentHeads.heads, "head")}`
      : rowImages("attends", attended);
  return `Prompt ${prompt}, position ${position} ${recorded} in ${tensor}, but under ${convention} it ${rowImages(expected.outcome, expected.images)}.`;
}

/** 75 %; less than half a per cent is written out. */
const percent = (share: number): string =>
  share < 0.005 ? `${(100 * share).toPrecision(1)} %` : `${Math.round(100 * share)} %`;

function tileSentence({
  convention,
  tensor,
  prompt,
  position,
  image,
  tiles,
  most,
  padding,
}: TileFinding): string {
  const subject = `Prompt ${prompt}, position ${position}`;
  const count = `image ${image} has ${tiles} of ${counted(most, "tile")}`;
  return padding > 0
    ? `${subject} gives ${percent(padding)} of its weight in ${tensor} to tiles that only pad (${count}), which ${convention} masks.`
    : `${subject} gives a tile of image ${image} no weight in ${tensor}, although ${convention} allows all of them (${count}).`;
}

const positionsText = (from: number, to: number): string =>
  from === to ? `position ${from}` : `positions ${from} to ${to}`;

/** Allowed images as the drawings write them. */
const allowedText = (images: ImageRanges): string =>
  images.length === 0 ? "no image" : `{${rangesText(images)}}`;

function recordedMaskSentence(finding: RecordedMaskFinding): string {
  const { convention, tensor, prompt, from, to, recorded, expected, tiles } = finding;
  const [subject, verb] = [`Prompt ${prompt}, ${positionsText(from, to)}`, from === to ? "allows" : "allow"];
  if (tiles === null)
    return `${subject} ${verb} ${allowedText(recorded)} in ${tensor}, but ${convention} allows ${allowedText(expected)}.`;
  const names = tiles.recorded.length === 0 ? "no tile" : listed("tile", tiles.recorded);
  return `${subject} ${verb} ${names} of image ${tiles.image} in ${tensor}, but the image has ${tiles.expected} of ${counted(tiles.most, "tile")}.`;
}

const sampleSentence = ({ convention, prompt, from, to, sample, images }: SampleFinding): string =>
  `Prompt ${prompt}, ${positionsText(from, to)} of sample ${sample} ${from === to ? "sees" : "see"} {${rangesText(images)}} of another sample under ${convention}: give each sample a row of its own, or cut the mask between samples.`;

export const refusalClause = ({ tokens, prompt }: Refusal): string =>
  `${tokens} tokens in one pass, but the prompt has ${prompt}`;

/** A prompt that the convention's source refuses, as a sentence. */
export const refusedSentence = ({ convention, prompt, tokens, images }: RefusedFinding): string =>
  `${convention} refuses prompt ${prompt}, which has ${counted(tokens, "image token")} and ${images === 0 ? "no image" : counted(images, "image")}: its rows are those of the mask alone.`;

/** A finding as a sentence. */
export function findingSentence(finding: MaskFinding): string {
  checkMade("findingSentence", finding, "kind", "a finding, as findingsOf makes them");
  switch (finding.kind) {
    case "missing-image":
      return `Prompt ${finding.prompt}: the image token at position ${finding.position} refers to image ${finding.image}, but ${onlyGiven(finding.images)}.`;
    case "padding-image":
      return `Prompt ${finding.prompt}: the image token at position ${finding.position} refers to image ${finding.image}, which only pads the batch.`;
    case "unreachable-image":
      return finding.lastImage === undefined
        ? `Prompt ${finding.prompt}: image ${finding.image} has no image token.`
        : `Prompt ${finding.prompt}: images ${finding.image} to ${finding.lastImage} have no image token.`;
    case "no-image-token":
      return `Prompt ${finding.prompt} has no image token, but the batch has ${counted(finding.images, "image")}.`;
    case "refused-prompt":
      return refusedSentence(finding);
    case "leak":
      return leakSentence(finding);
    case "attention-mismatch":
      return attentionSentence(finding);
    case "tile-mismatch":
      return tileSentence(finding);
    case "recorded-mask-mismatch":
      return recordedMaskSentence(finding);
    case "other-sample":
      return sampleSentence(finding);
    case "step-refused":
      return `${finding.convention} cannot take the step from position ${finding.from}: ${refusalClause(finding.refused)}.`;
    case "steps-differ":
      return `${counted(finding.steps, "cached step")} ${finding.steps === 1 ? "differs" : "differ"} from the whole text's mask under ${finding.convention}, first in prompt ${finding.prompt}: ${reasonClause(finding.reason)}.`;
    case "not-prefix-stable":
      return `${finding.convention} is not prefix-stable: what a token sees may change with the text after it, so no left-to-right decoding can reproduce it.`;
  }
}

/** A violation as a sentence: the reason of the row that breaks the invariant. */
export function violationSentence(violation: InvariantViolation): string {
  checkMade("violationSentence", violation, "reason", "a violation, as violationsOf makes them");
  const { reason, refused, change } = violation;
  if (refused) return `${refusalClause(refused)}.`;
  const clause = reason ? reasonClause(reason) : "";
  if (!change) return `${clause}.`;
  return change.kind === "more-text"
    ? `${clause}, but this changes when more text follows.`
    : `${clause}, but this changes with ${counted(change.left, "padding token")} before it.`;
}

/** The two conventions' reasons for a row on which they differ. */
export function differenceSentence(
  difference: RowDifference,
  text: TextLike,
  conventions: readonly [Convention, Convention],
): string {
  checkMade("differenceSentence", difference, "one", "a row of a difference, as differenceOf finds them");
  checkMade("differenceSentence", conventions, "1", "two conventions");
  const [{ one, other }, [first, second]] = [difference, conventions];
  for (const convention of conventions) checkConvention(convention);
  return `${first.name}: ${rowReason(one, text, first)}. ${second.name}: ${rowReason(other, text, second)}.`;
}
