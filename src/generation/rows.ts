// Checks that greedy decoding, sampling and beam search share for one row of text.
import { RuleError } from "../tensor/errors.ts";
import type { Settings } from "./options.ts";

/** Prompts as processors see them. Throws a RuleError if `seenPrompts` has another number of them. */
export function promptsSeen(
  prompts: readonly (readonly number[])[],
  { seenPrompts = prompts }: Settings,
): readonly (readonly number[])[] {
  if (seenPrompts.length === prompts.length) return seenPrompts; // [generate.seen]
  throw new RuleError(
    `seenPrompts has ${seenPrompts.length} rows, and there are ${prompts.length} prompts`,
    "generate.seen",
  );
}

/** Whether generated tokens end a row: by a stop token, or a stop string in their text. */
export function endsText(
  tokens: readonly number[],
  { stops, stopStrings = [], textOf }: Pick<Settings, "stops" | "stopStrings" | "textOf">,
): boolean {
  if (stops.includes(tokens.at(-1) ?? -1)) return true;
  if (!textOf || stopStrings.length === 0) return false;
  const text = textOf(tokens);
  return stopStrings.some((part) => text.includes(part)); // [generate.stop-strings]
}
