// The vocabulary in which conventions are written. A behaviour that no field can express needs a new field or value here.

/**
 * How positions count images. inclusive: an image's own token counts it; exclusive: it does not count it yet; next: text
 * has the number of the image that comes next.
 */
export type Numbering = "inclusive" | "exclusive" | "next";

/**
 * How a position's number is compared with an image's. equal: that image only; at-least: all images up to it; last: the
 * last few up to it; everything: every image, whatever the number; explicit: the images listed for each position.
 */
export type Compare =
  | "equal"
  | "at-least"
  | "everything"
  | { readonly last: number }
  | { readonly explicit: readonly (readonly number[])[] };

/**
 * What attention computes in a row whose mask allows no image. zero: nothing is added; uniform: the plain average of all
 * images; unmasked: a softmax over all images; nan: NaN.
 */
export type EmptyRowBehaviour = "zero" | "uniform" | "unmasked" | "nan";

/**
 * The mask rows of a decoding step that is given the new tokens only.
 * none: there is no cache, every step runs the whole text; rows: the rows of the whole text's mask;
 * restart: counting starts again at the first new token; count: where no prompt of the batch has an image among the new
 * tokens, the number of images in the text last counted, otherwise a restart, which is remembered; prompt-end: the numbers
 * at the prompt's last positions, as many as there are new tokens; mask-end: the last rows of the prompt's mask, and its
 * last row after the prompt; last-row: the prompt's rows, and its last row after the prompt; ahead: as last-row while the
 * prompt has one image, and no image after a prompt that has several.
 */
export type CachedStep = (typeof CACHED_STEPS)[number];

export const CACHED_STEPS = [
  "none",
  "rows",
  "restart",
  "count",
  "prompt-end",
  "mask-end",
  "last-row",
  "ahead",
] as const;

/**
 * The prompts for which the source raises an error. no-image: those of a batch without any image; count: these, and prompts
 * whose image tokens are not as many as their images (images that only pad the batch are not theirs).
 */
export type Refuses = (typeof REFUSES)[number];

export const REFUSES = ["no-image", "count"] as const;

/** The code or text in which a convention is found. */
export interface ConventionSource {
  readonly package: string;
  readonly version: string;
  /** File, class and function, or the section of a paper. */
  readonly where: string;
  /** Issues and commits in which the behaviour was discussed. */
  readonly thread?: string;
  /** The text of the image's token, where the package gives it one. */
  readonly imageToken?: string;
}

/** How an implementation decides which images a text token sees, and what becomes of a token that sees none. */
export interface Convention {
  readonly name: string;
  /** How positions count images (text_time). */
  readonly numbering: Numbering;
  /** together: images whose tokens are neighbours are seen together, until an image comes that is no neighbour. */
  readonly neighbours: "apart" | "together";
  /** cut: positions after an end token count no image until the next image comes. */
  readonly endTokens: "ignored" | "cut";
  /** How a position's number is compared with an image's. */
  readonly compare: Compare;
  /** What attention computes in a row whose mask allows no image, whatever the cause. */
  readonly emptyRow: EmptyRowBehaviour;
  /** Whether rows with text_time = 0 are set to zero after the softmax, in place of the result of emptyRow. */
  readonly zeroBeforeFirstImage: boolean;
  /** Whether the feed-forward runs on a row whose mask allows no image. */
  readonly emptyRowFeedForward: "run" | "skip";
  readonly cachedStep: CachedStep;
  /** The prompts that the source refuses; absent if it accepts every prompt. */
  readonly refuses?: Refuses;
  /** Whether images are divided into tiles, of which those that only pad are masked. */
  readonly tiled?: boolean;
  /** The reason why the source was not run; absent if it was run on every short prompt. */
  readonly unproven?: string;
  /** The reason why the cached step was read from the source's code but not run. */
  readonly unprovenStep?: string;
  /** The code or text that it describes. */
  readonly source?: ConventionSource;
  /** One sentence. */
  readonly note?: string;
}

/** A convention of a codebase or text. */
export interface NamedConvention extends Convention {
  readonly source: ConventionSource;
  readonly note: string;
}

/** The values of each field that has only a few; the paper's come first. */
export const FIELD_VALUES = {
  numbering: ["inclusive", "exclusive", "next"],
  emptyRow: ["zero", "uniform", "unmasked", "nan"],
  zeroBeforeFirstImage: [false, true],
  endTokens: ["ignored", "cut"],
  neighbours: ["apart", "together"],
  emptyRowFeedForward: ["run", "skip"],
} as const satisfies { readonly [F in keyof Convention]?: readonly Convention[F][] };
