// The words in which a convention is written. A new convention is a new value; a new idea is a new word here.

/** How a position counts images: an image's own token counts it, does not count it yet, or text counts the next one. */
export type Numbering = "inclusive" | "exclusive" | "next";

/**
 * How a position's number is compared with an image's: only that image, all up to it, the last few up to it, every image
 * whatever the number, or a list of images written out for each position.
 */
export type Compare =
  | "equal"
  | "at-least"
  | "everything"
  | { readonly last: number }
  | { readonly explicit: readonly (readonly number[])[] };

/** What becomes of a row that may attend nothing: nothing is added; the plain average of all; all, weighed; no number. */
export type EmptyRow = "zero" | "uniform" | "unmasked" | "nan";

/**
 * What a decoding step sees, when keys are kept and only new tokens are passed:
 * none: there is no cache, every step runs the whole text again; rows: its rows of the whole text's mask;
 * restart: counting begins anew at its first token; count: without an image among the new tokens of the whole batch, the
 * number of images in the text last counted, otherwise a restart that is remembered; prompt-end: the numbers at the
 * prompt's last positions, as many as there are new tokens; mask-end: the last rows of the prompt's mask, and its last row
 * ever after; last-row: the prompt's rows, and its last row for whatever comes after the prompt; ahead: the same while the
 * prompt has one image, and nothing after the prompt where it has several.
 */
export type CachedStep =
  | "none"
  | "rows"
  | "restart"
  | "count"
  | "prompt-end"
  | "mask-end"
  | "last-row"
  | "ahead";

export interface Source {
  readonly package: string;
  readonly version: string;
  /** The place in it. */
  readonly where: string;
  /** Where people asked about it. */
  readonly thread?: string;
}

export interface Convention {
  readonly name: string;
  /** Where it was read. */
  readonly source: Source;
  /** How positions count images (text_time). inclusive: an image's own token already counts it. */
  readonly numbering: Numbering;
  /** Are images whose tokens are neighbours seen together, until one comes that is no neighbour? */
  readonly neighbours: "apart" | "together";
  /** Does an end token cut off the images before it, until the next image? */
  readonly endTokens: "ignored" | "cut";
  /** How a position's count is compared with an image's number: the last image only, or all up to it. */
  readonly compare: Compare;
  /** What becomes of a row that may attend nothing, decided from the mask itself, whatever the cause. */
  readonly emptyRow: EmptyRow;
  /** Whether rows with text_time = 0 are set to zero after the softmax, whatever emptyRow made of them. */
  readonly zeroBeforeFirstImage: boolean;
  /** What the feed-forward does to a row whose mask is empty. */
  readonly emptyRowFeedForward: "run" | "skip";
  readonly cachedStep: CachedStep;
  /** Why no run of the source stands behind it; absent where the source itself was run on every short prompt. */
  readonly unproven?: string;
  /** Why its cached step was only read. */
  readonly unprovenStep?: string;
  /** One sentence. */
  readonly note: string;
}
