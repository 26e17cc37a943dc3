// The origin of each row of a decoding step, for each kind of cached step.

import type { CachedStep } from "../conventions/schema.ts";
import {
  type CountedText,
  countText,
  imagesUpTo,
  type TextPart,
  TOKEN,
  wholeText,
} from "../counting/counted-text.ts";
import type { RowOrigin } from "../rows.ts";

/** The positions of a pass, from `from` up to but not including `to`, and the length of the prompt. */
export interface PassBounds {
  readonly from: number;
  readonly to: number;
  readonly prompt: number;
}

export interface Pass extends PassBounds {
  /** The text of this row of the batch; the part up to `to` is known in this pass. */
  readonly text: CountedText;
  /** Its prompt. */
  readonly known: TextPart;
  /** The text last counted (see CachedStep's count). */
  readonly counted: TextPart;
  /** Whether any prompt of the batch has an image in this pass. */
  readonly anyImage: boolean;
}

const own = (l: number, { text, to }: Pass): RowOrigin => ({
  part: { text, from: 0, to },
  position: l,
  how: null,
});

const rowOfPrompt = (part: TextPart, position: number, l: number): RowOrigin => ({
  part,
  position,
  how: position === l ? null : { kind: "prompt-row", position },
});

const NO_TOKEN_BEFORE = wholeText(countText([TOKEN.text]));

/** The row that position l of a pass uses, for each kind of cached step. */
export const originOf: Record<CachedStep, (l: number, pass: Pass) => RowOrigin> = {
  none: own,
  rows: own, // [mask.step-rows]
  restart: (l, { text, from, to }) => ({
    part: { text, from, to }, // [mask.step-restart]
    position: l - from,
    how: from > 0 ? { kind: "own-pass", from } : null,
  }),
  count: (l, pass) => {
    const { counted, anyImage, from } = pass;
    if (from === 0 || anyImage) return originOf.restart(l, pass); // [mask.step-count]
    return { part: counted, position: counted.to - counted.from - 1, how: { kind: "last-count" } }; // [mask.step-count]
  },
  "prompt-end": (l, pass) => {
    const { known, from, to, prompt } = pass;
    return from === 0 ? own(l, pass) : rowOfPrompt(known, prompt - to + l, l); // [mask.step-prompt-end]
  },
  "mask-end": (l, { known, to, prompt }) => {
    const position = Math.min(l < prompt ? prompt - Math.min(to, prompt) + l : l, prompt - 1); // [mask.step-mask-end]
    return rowOfPrompt(known, position, l);
  },
  "last-row": (l, { known, prompt }) => rowOfPrompt(known, Math.min(l, prompt - 1), l), // [mask.step-last-row]
  ahead: (l, pass) => {
    const several = imagesUpTo(pass.known, pass.known.to - 1) > 1;
    if (l < pass.prompt || !several) return originOf["last-row"](l, pass);
    return { part: NO_TOKEN_BEFORE, position: 0, how: { kind: "beyond-prompt" } }; // [mask.step-ahead]
  },
};
