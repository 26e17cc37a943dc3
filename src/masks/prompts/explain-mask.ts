// The mask of one prompt in words, token by token, as data that can be printed.
import { didYouMean } from "../../terminal/nearest.ts";
import { label } from "../../terminal/width.ts";
import { conventionOf } from "../conventions/conventions.ts";
import type { Convention } from "../conventions/schema.ts";
import { countText, TOKEN, wholeText } from "../counting/counted-text.ts";
import { promptRefusal } from "../counting/refused.ts";
import { drawMask } from "../drawing/draw-mask.ts";
import { explainRow, type RowReason } from "../explain.ts";
import type { RefusedFinding } from "../findings.ts";
import type { Matrix } from "../grid.ts";
import type { RowOutcome } from "../outcome.ts";
import { maskRows } from "../rows.ts";
import { refusedSentence, rowReason } from "../sentences.ts";
import type { ImageMarker } from "./image-markers.ts";
import { type Prompts, readPrompts } from "./prompt.ts";

/** The convention of an explanation, and how many images are given. */
export interface ExplainMaskOptions {
  /** The name of a convention, a part of a name that only one has, "last k", or a convention of your own. */
  readonly convention: string | Convention;
  /** The number of images that are given with the prompt; by default as many as it has image tokens. */
  readonly images?: number | undefined;
  /** The text that stands for an image; by default that of the convention's codebase, or a known one that occurs. */
  readonly imageToken?: string | undefined;
  /** The number of image tokens that are one image, or "run" where each unbroken run is one. By default 1. */
  readonly imageLength?: ImageMarker["length"] | undefined;
}

/** What one token of a prompt sees. */
export interface ExplainedToken {
  readonly position: number;
  readonly text: string;
  /** further: a token after the first of an image that takes several. */
  readonly kind: "text" | "image" | "end" | "further";
  /** The number of images that the position counts (text_time). */
  readonly textTime: number;
  /** The images that reach the token, from 1: those it attends to, or all of them where an empty row leaks. */
  readonly images: readonly number[];
  readonly outcome: RowOutcome;
  /** Why, as a value; `reasonClause` makes a clause of it. */
  readonly reason: RowReason;
}

const KINDS = ["text", "image", "end", "further"] as const;
const OPTIONS = ["convention", "images", "imageToken", "imageLength"] as const;
/** Entries of the mask, tokens times images. */
const MOST_ENTRIES = 1_000_000;
const MOST_CHARACTERS = 400_000;

/** The mask of a prompt: its tokens as data, and as text from `toString`. */
export class MaskExplanation {
  readonly convention: Convention;
  /** The number of images. */
  readonly images: number;
  /** The text that stands for an image. */
  readonly imageToken: string;
  /** Other tokens that may have been meant for images, but count as text. */
  readonly possibleImageTokens: readonly string[];
  readonly tokens: readonly ExplainedToken[];
  /** That the convention's source refuses the prompt, so that the outcomes are those of the mask alone; null if it accepts it. */
  readonly refused: RefusedFinding | null;
  readonly #locations: Matrix;

  constructor(convention: Convention, images: number, read: Prompts, own: string | undefined) {
    const tokens = read.prompts[0] ?? [];
    const kinds = tokens.map(({ kind }) => kind);
    const whole = wholeText(countText(kinds));
    this.convention = convention;
    this.images = images;
    this.imageToken = read.imageToken;
    const refusal = promptRefusal(kinds, images, convention); // [mask.refuses]
    this.refused =
      refusal === null || refusal.tokens + images === 0 // a text alone is no mistake [mask.findings]
        ? null
        : { kind: "refused-prompt", convention: convention.name, prompt: 0, tokens: refusal.tokens, images };
    this.possibleImageTokens = own === undefined ? [...read.otherImageTokens, ...read.lookalikes] : [];
    this.#locations = { shape: [1, kinds.length], data: kinds };
    this.tokens = (maskRows(this.#locations, images, convention)[0] ?? []).map((row, position) => ({
      position,
      text: tokens[position]?.text ?? "",
      kind: KINDS[kinds[position] ?? TOKEN.text],
      textTime: row.number,
      images: row.images,
      outcome: row.outcome,
      reason: explainRow(row, whole, convention),
    }));
  }

  /** The drawing of `drawMask`, with the reason for each row, under the convention's name and note. */
  toString(): string {
    const { name, note } = this.convention;
    const possible = this.possibleImageTokens.map((token) => label(token)).join(", ");
    const hint =
      possible === ""
        ? []
        : ["", `Not read as images: ${possible}. The option imageToken names the image's token.`];
    const tokens = [this.tokens.map(({ text }) => text)];
    const drawing = drawMask(this.#locations, this.images, this.convention, { tokens, reasons: rowReason });
    const refusal = this.refused === null ? [] : ["", refusedSentence(this.refused)];
    return [note === undefined ? name : `${name}: ${note}`, "", drawing, ...refusal, ...hint].join("\n");
  }
}

function checkOptions(text: unknown, options: unknown): void {
  if (typeof text !== "string")
    throw new RangeError(`explainMask takes a prompt as text, such as "A <image> b", not ${typeof text}.`); // [mask.explain]
  if (text.length > MOST_CHARACTERS)
    throw new RangeError(
      `explainMask takes at most ${MOST_CHARACTERS} characters, but the prompt has ${text.length}; maskRows takes any number of tokens.`,
    ); // [mask.explain]
  if (typeof options !== "object" || options === null)
    throw new RangeError('explainMask needs options with a convention: { convention: "idefics" }.'); // [mask.explain]
  const unknown = Object.keys(options).find((name) => !OPTIONS.some((known) => known === name));
  if (unknown !== undefined)
    throw new RangeError(
      `explainMask has no option ${label(unknown)}${didYouMean(unknown, OPTIONS)}; known are ${OPTIONS.join(", ")}.`,
    ); // [mask.explain]
}

/** Throws a RangeError for a marker that no prompt can have. */
function checkMarker({ imageToken, imageLength }: ExplainMaskOptions): void {
  if (imageToken !== undefined && (typeof imageToken !== "string" || imageToken.trim() === ""))
    throw new RangeError("imageToken is the text that stands for an image, and not empty."); // [mask.explain]
  const isLength = imageLength === "run" || (Number.isInteger(imageLength) && Number(imageLength) >= 1);
  if (imageLength !== undefined && !isLength)
    throw new RangeError(`imageLength is a whole number from 1 up or "run", not ${String(imageLength)}.`); // [mask.explain]
}

/**
 * Which token of a prompt sees which image under a convention, and why: data for each token, and text from `toString`, so that
 * `console.log(`${explainMask("A <image> b", { convention: "idefics" })}`)` prints it. The prompt is split into words as by
 * `flamboyance mask`. Throws a RangeError for unknown options and conventions, and for more than a million tokens times images.
 */
export function explainMask(text: string, options: ExplainMaskOptions): MaskExplanation {
  checkOptions(text, options);
  checkMarker(options);
  const { convention: given, imageToken, imageLength = 1 } = options;
  if (typeof given !== "string" && (typeof given !== "object" || given === null))
    throw new RangeError(
      'explainMask needs a convention: a name, such as "idefics", or a convention of your own.',
    ); // [mask.explain]
  const convention = typeof given === "string" ? conventionOf(given) : given;
  const read = readPrompts([text], { own: convention.source?.imageToken, imageToken, imageLength });
  const tokens = read.prompts[0] ?? [];
  if (tokens.length === 0) throw new RangeError("The prompt has no token."); // [mask.explain]
  const { images = tokens.filter(({ kind }) => kind === TOKEN.image).length } = options;
  if (tokens.length * images > MOST_ENTRIES)
    throw new RangeError(
      `${tokens.length} tokens times ${images} images are more than ${MOST_ENTRIES}; maskRows has their rows as ranges.`,
    ); // [mask.explain]
  return new MaskExplanation(convention, images, read, imageToken);
}
