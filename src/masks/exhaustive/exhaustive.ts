// Every row of every short prompt under a convention, as bytes: what the exhaustive golden cases are compared with.

import type { Convention } from "../conventions/schema.ts";
import { type Judge, judgeOf, replayDecoding } from "../decoding/decode.ts";
import { factsOf } from "../rows.ts";
import { EFFECT, effectOf } from "./effect.ts";
import { cutPrompts, type Decoding, pairs, prompts, type ShortPrompt } from "./prompts.ts";

/** full: prompts of text and images; ends: of text, images and end tokens; the others decode. */
export type Mode = "full" | "ends" | Decoding;

export const MODES: readonly Mode[] = ["full", "ends", "steps", "chunks", "several", "pairs"];

/** The prompts of a mode, in the order of their rows. */
export function promptsOfMode(mode: Mode, longest: number): ShortPrompt[] {
  if (mode === "pairs") return pairs();
  return mode === "full" || mode === "ends" ? prompts(longest, mode === "ends" ? 3 : 2) : cutPrompts(longest);
}

/** How a mode decodes a prompt of that length whose first pass takes `first`. [mask.golden] */
export const passesOf = (mode: Decoding, length: number, first: number) => ({
  prompt: mode === "chunks" ? length : first, // in chunks the whole text is known; in the others only what was passed
  passes:
    mode === "steps" || mode === "pairs"
      ? [first, ...new Array<number>(length - first).fill(1)]
      : [first, length - first],
});

/** A text occurs in many decodings, so each is judged once for all of them. */
const judges = new WeakMap<Convention, Map<number, Judge>>();

function judgeFor(images: number, convention: Convention): Judge {
  const mine = judges.get(convention) ?? new Map<number, Judge>();
  judges.set(convention, mine);
  const judge = mine.get(images) ?? judgeOf(images, convention, false);
  mine.set(images, judge);
  return judge;
}

/** The rows of one prompt that a mode compares: all of them, or those after the first pass. */
export function effectsOf(mode: Mode, prompt: ShortPrompt, images: number, convention: Convention): number[] {
  const { kinds, first = 0, beside } = prompt;
  if (mode === "full" || mode === "ends") {
    return factsOf(kinds, images, convention).map((row) => effectOf(row, convention));
  }
  const texts = beside ? [kinds, beside] : [kinds];
  const locations = { shape: [texts.length, kinds.length], data: texts.flat() };
  const options = { ...passesOf(mode, kinds.length, first), judge: judgeFor(images, convention) };
  const steps = replayDecoding(locations, images, convention, options);
  if (steps.some((step) => step.refused !== null)) {
    return new Array<number>(texts.length * (kinds.length - first)).fill(EFFECT.refused); // [mask.golden]
  }
  const later = steps.slice(1); // [mask.golden]
  return texts.flatMap((_, b) =>
    later.flatMap((step) => (step.rows[b] ?? []).map((row) => effectOf(row, convention))),
  );
}
