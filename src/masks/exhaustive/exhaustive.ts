// The effects of every row of every short prompt under a convention, for comparison with the exhaustive golden cases.

import type { Convention } from "../conventions/schema.ts";
import { promptRefusal } from "../counting/refused.ts";
import { replayDecoding } from "../decoding/decode.ts";
import { promptRows } from "../rows.ts";
import { EFFECT, effectOf } from "./effect.ts";
import { cutPrompts, type DecodingMode, pairs, prompts, type ShortPrompt } from "./prompts.ts";

/** full: prompts of text and images; ends: of text, images and end tokens; the others decode. */
export type Mode = "full" | "ends" | DecodingMode;

export const MODES: readonly Mode[] = ["full", "ends", "steps", "chunks", "several", "pairs"];

/** The prompts of a mode, in the order of their rows. */
export function promptsOfMode(mode: Mode, longest: number): ShortPrompt[] {
  if (mode === "pairs") return pairs();
  return mode === "full" || mode === "ends" ? prompts(longest, mode === "ends" ? 3 : 2) : cutPrompts(longest);
}

/** The passes of a mode for a prompt of that length whose first pass takes `first` tokens. [mask.golden] */
export const passesOf = (mode: DecodingMode, length: number, first: number) => ({
  prompt: mode === "chunks" ? length : first, // in chunks the whole text is known, otherwise only the first pass
  passes:
    mode === "steps" || mode === "pairs"
      ? [first, ...new Array<number>(length - first).fill(1)]
      : [first, length - first],
});

const refusedRows = (rows: number): number[] => new Array<number>(rows).fill(EFFECT.refused);

/**
 * The rows of one prompt that a mode compares: all of them, or those after the first pass. A prompt that the source refuses has
 * the byte for it in all of its rows.
 */
export function effectsOf(mode: Mode, prompt: ShortPrompt, images: number, convention: Convention): number[] {
  const { kinds, first = 0, beside } = prompt;
  const refused = (text: readonly number[]) => promptRefusal(text, images, convention) !== null;
  if (mode === "full" || mode === "ends") {
    if (refused(kinds)) return refusedRows(kinds.length); // [mask.refuses]
    return promptRows(kinds, images, convention).map((row) => effectOf(row, convention));
  }
  const texts = beside ? [kinds, beside] : [kinds];
  const locations = { shape: [texts.length, kinds.length], data: texts.flat() };
  const steps = replayDecoding(locations, images, convention, passesOf(mode, kinds.length, first));
  if (steps.some((step) => step.refused !== null)) {
    return refusedRows(texts.length * (kinds.length - first)); // [mask.golden]
  }
  const later = steps.slice(1); // [mask.golden]
  return texts.flatMap((text, b) =>
    refused(text)
      ? refusedRows(text.length - first)
      : later.flatMap((step) => (step.rows[b] ?? []).map((row) => effectOf(row, convention))),
  );
}
