// What greedy decoding, sampling and beam search have in common for one row of text.
import type { Settings } from "./options.ts";
import { longest } from "./prompts.ts";

/** Prompts as processors see them: by themselves, or with the padding in front that `seenPadding` names. */
export function seenPrompts(
  prompts: readonly (readonly number[])[],
  { seenPadding }: Settings,
): readonly (readonly number[])[] {
  if (seenPadding === undefined) return prompts;
  const l = longest(prompts);
  return prompts.map((row) => [...new Array<number>(l - row.length).fill(seenPadding), ...row]); // [generate.seen-padding]
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
