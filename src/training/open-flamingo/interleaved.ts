// Interleaved text of MMC4 (Zhu et al., arXiv 2304.06939): the images of a document, placed before the sentences that fit them best.
// open_flamingo/train/data.py of open-flamingo 2.0.1, preprocess_interleaved.
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import { between, type Check, checked, count, oneOf, optional, passing, whole } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";

/** A document of MMC4: sentences, and images with their similarities to them. */
export interface InterleavedDocument {
  readonly sentences: readonly string[];
  /** For each image its similarity to every sentence, and the size of its file. */
  readonly images: readonly { readonly similarities: readonly number[]; readonly bytes: number }[];
}

/** Which images a text keeps, and what ends it. */
export interface InterleavedOptions {
  /** Images whose best similarity is lower are left out. Default 30, as in the release, whose README trains with 0.24. */
  readonly threshold?: number | undefined;
  /** Default 6. */
  readonly maxImages?: number | undefined;
  /** The text that ends every document, after the last end of a chunk. */
  readonly endOfText: string;
  /** "tags": image k is that of the k-th image token. "document": images keep the order of the document, as in the release. Default "tags". */
  readonly imageOrder?: "tags" | "document" | undefined;
}

/** A text with image tokens, and its images. */
export interface InterleavedText {
  readonly text: string;
  /** The numbers of the images, in the order in which the model is given them. */
  readonly images: readonly number[];
}

const checks: { readonly [K in keyof InterleavedOptions]-?: Check } = {
  threshold: optional(between(-Number.MAX_VALUE, Number.MAX_VALUE, "a finite number")),
  maxImages: optional(count),
  endOfText: passing("a text", (value) => typeof value === "string"),
  imageOrder: optional(oneOf(["tags", "document"])),
};

const { endOfChunk: END_OF_CHUNK, image: IMAGE } = FLAMINGO_TOKENS;
/** Files of at most this many thousand bytes are left out. */
const SMALLEST = 10;

/** The sentence that an image is most similar to; ties go to the first one. */
function bestSentence(similarities: readonly number[]): {
  readonly sentence: number;
  readonly score: number;
} {
  let best = { sentence: -1, score: Number.NEGATIVE_INFINITY };
  for (const [sentence, score] of similarities.entries()) if (score > best.score) best = { sentence, score };
  return best; // [interleaved.best]
}

/**
 * The text of a document with its images' tokens, and the images that go with them; null if no image fits. Throws a RuleError for options
 * that are none, and for sentences that hold one of the two tokens.
 */
export function interleavedText(
  document: InterleavedDocument,
  options: InterleavedOptions,
): InterleavedText | null {
  checkMember("interleavedText", { document }, "sentences", "an object with sentences and images");
  const { sentences, images } = document;
  const known = checked("interleavedText", options, checks);
  const { threshold = 30, maxImages = 6, endOfText, imageOrder = "tags" } = known;
  for (const token of [END_OF_CHUNK, IMAGE])
    if (sentences.some((sentence) => sentence.includes(token)))
      throw new RuleError(
        `a sentence holds ${token}, which would stand for an image; remove it`,
        "interleaved.plain",
      );
  const placed = images
    .map(({ similarities, bytes }, image) => ({ image, bytes, ...bestSentence(similarities) }))
    .filter(({ sentence }) => sentence in sentences)
    .filter(({ bytes, score }) => Math.floor(bytes / 1000) > SMALLEST && score >= threshold) // [interleaved.fits]
    .slice(0, maxImages); // [interleaved.most]
  if (placed.length === 0) return null;
  const parts = sentences.map((text, i) => {
    const here = placed.filter(({ sentence }) => sentence === i).length;
    return `${`${END_OF_CHUNK}${IMAGE}`.repeat(here)}${text}`; // [interleaved.tags]
  });
  const text = parts
    .join(" ")
    .replace(END_OF_CHUNK, "")
    .replaceAll(` ${END_OF_CHUNK}`, END_OF_CHUNK)
    .replaceAll(`${IMAGE} `, IMAGE)
    .replaceAll(` ${IMAGE}`, IMAGE); // [interleaved.spaces]
  const ordered = imageOrder === "tags" ? placed.toSorted((a, b) => a.sentence - b.sentence) : placed; // [interleaved.order]
  return { text: `${text}${END_OF_CHUNK}${endOfText}`, images: ordered.map(({ image }) => image) };
}

/** Which texts are used for training. */
export interface AcceptanceOptions {
  readonly mediaTokenId: number;
  /** Default 1. */
  readonly minImages?: number | undefined;
  /** A random number from 0 to 1, which decides on a text with one image. */
  readonly draw: number;
}

const acceptance: { readonly [K in keyof AcceptanceOptions]-?: Check } = {
  mediaTokenId: whole(-(2 ** 31), 2 ** 31 - 1),
  minImages: optional(whole(0, 2 ** 24)),
  draw: between(0, 1, "a number from 0 to 1"),
};

/** Whether a document is trained on, by its ids after they were cut: half of those with a single image are left out. */
export function acceptsInterleaved(ids: readonly number[], options: AcceptanceOptions): boolean {
  const { mediaTokenId, minImages = 1, draw } = checked("acceptsInterleaved", options, acceptance);
  const images = ids.filter((id) => id === mediaTokenId).length;
  if (images < minImages) return false; // [interleaved.accepted]
  if (images !== 1) return true;
  return draw > 0.5 && ids.at(-1) !== mediaTokenId; // [interleaved.accepted]
}
