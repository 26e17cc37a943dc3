// Every row of every short prompt under a convention, as bytes: what the exhaustive golden cases are compared with.
import { type DecodeStep, replayDecoding } from "./decode.ts";
import { EFFECT, effectOf } from "./effect.ts";
import { factsOf } from "./rows.ts";
import { cutPrompts, type Decoding, prompts, type ShortPrompt } from "./short-prompts.ts";
import type { Convention } from "./terms.ts";

/** full: prompts of text and images; ends: of text, images and end tokens; the others decode. */
export type Mode = "full" | "ends" | Decoding;

export const MODES: readonly Mode[] = ["full", "ends", "steps", "chunks", "several"];

/** The prompts of a mode, in the order of their rows. */
export const promptsOfMode = (mode: Mode, longest: number): ShortPrompt[] =>
  mode === "full" || mode === "ends" ? prompts(longest, mode === "ends" ? 3 : 2) : cutPrompts(longest);

/** How a mode decodes a prompt of that length whose first pass takes `first`. [mask.golden] */
export const passesOf = (mode: Decoding, length: number, first: number) => ({
  prompt: mode === "chunks" ? length : first, // in chunks the whole text is known; in the others only what was passed
  passes: mode === "steps" ? [first, ...new Array<number>(length - first).fill(1)] : [first, length - first],
});

/** The rows of one prompt that a mode compares: all of them, or those after the first pass. */
export function effectsOf(mode: Mode, prompt: ShortPrompt, images: number, convention: Convention): number[] {
  const { kinds, first = 0 } = prompt;
  if (mode === "full" || mode === "ends") {
    return factsOf(kinds, images, convention).map((row) => effectOf(row, convention));
  }
  const locations = { shape: [1, kinds.length], data: kinds };
  const options = { ...passesOf(mode, kinds.length, first), reasons: false };
  const steps = replayDecoding(locations, images, convention, options);
  const refused = steps.some((step) => step.refused !== null);
  const bytes = ({ rows, from, to }: DecodeStep): number[] =>
    refused
      ? new Array<number>(to - from).fill(EFFECT.refused)
      : rows.flat().map((row) => effectOf(row, convention));
  return steps.slice(1).flatMap(bytes); // [mask.golden]
}
