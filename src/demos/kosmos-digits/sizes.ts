// Sizes and options that both models share.
import { IDS } from "./vocabulary.ts";

export const WIDTH = 64;
export const HEAD = { heads: 4, dimHead: 16 } as const;
export const RESAMPLER = { depth: 1, numLatents: 4 } as const;

/** How answers are generated: up to the end of the sentence. */
export const ANSWERS = {
  stop: [IDS.fullStop, IDS.eos],
  maxTokens: 10,
  never: [IDS.pad, IDS.image, IDS.imageEnd],
} as const;
