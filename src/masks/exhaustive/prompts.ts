// Every short prompt, in the order of the rows in the exhaustive golden cases.

/** Every string of that length over the kinds 0 to letters - 1, in numerical order; 1 is an image, 2 an end token. */
export const kindStrings = (length: number, letters: 2 | 3 = 2): number[][] =>
  Array.from({ length: letters ** length }, (_, code) =>
    Array.from({ length }, (_, l) => Math.floor(code / letters ** (length - 1 - l)) % letters),
  );

/** steps: one token at a time; chunks, several: the rest at once, known or not; pairs: two prompts in one batch. */
export type DecodingMode = "steps" | "chunks" | "several" | "pairs";

export interface ShortPrompt {
  readonly kinds: readonly number[];
  /** When decoded: the number of positions in the first pass. */
  readonly first?: number;
  /** The other prompt of the batch. */
  readonly beside?: readonly number[];
}

const upTo = (longest: number, from = 1): number[] =>
  Array.from({ length: Math.max(0, longest - from + 1) }, (_, i) => i + from);

/** Each string of length 1 to `longest`. [mask.golden] */
export const prompts = (longest: number, letters: 2 | 3 = 2): ShortPrompt[] =>
  upTo(longest).flatMap((length) => kindStrings(length, letters).map((kinds) => ({ kinds })));

/** Each string of length 2 to `longest`, cut at each position: its rows are those after the cut. [mask.golden] */
export const cutPrompts = (longest: number): ShortPrompt[] =>
  upTo(longest, 2).flatMap((length) =>
    upTo(length - 1).flatMap((first) => kindStrings(length).map((kinds) => ({ kinds, first }))),
  );

/** Every two prompts of three tokens in one batch, decoded after the first token. [mask.golden] */
export const pairs = (): ShortPrompt[] =>
  kindStrings(3).flatMap((kinds) => kindStrings(3).map((beside) => ({ kinds, first: 1, beside })));
