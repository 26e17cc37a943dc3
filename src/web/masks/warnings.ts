// Warnings as sentences, the same that the terminal prints, each with the place it is about.
import { maskReport } from "../../mask-report/report.ts";
import { questionOf } from "./copies.ts";
import type { Place } from "./state.ts";
import type { View } from "./view.ts";

export interface Warning {
  readonly sentence: string;
  /** Something is wrong, or worth knowing. */
  readonly tone: "alarm" | "note";
  readonly at: Place | null;
}

/** The place that a sentence names: "Prompt 0, positions 3 to 5 …", "…, first in prompt 1: position 4 …". */
export function placeIn(sentence: string): Place | null {
  const found = /\bprompt (\d+)\b.*?\bpositions? (\d+)/i.exec(sentence);
  const image = /asks for image (\d+)|, image (\d+)/.exec(sentence);
  if (!found) return null;
  return {
    prompt: Number(found[1]),
    position: Number(found[2]),
    image: Number(image?.[1] ?? image?.[2] ?? 0),
  };
}

/** Nothing is seen that should not be seen; it is only said. */
const CALM = /is not prefix-stable|^Prompt \d+: (?:no token stands for|it has no image token)/;

const warning = (sentence: string): Warning => ({
  sentence,
  tone: CALM.test(sentence) ? "note" : "alarm",
  at: placeIn(sentence),
});

/** Of both conventions, each sentence once. */
export function warningsOf(view: View): Warning[] {
  const unknown = view.unknown.map(
    (name) => `No convention is called “${name}”; this page shows another in its place.`,
  );
  const question = questionOf(view);
  const told = question
    ? view.conventions.flatMap(
        (convention) => maskReport({ ...question, convention, against: null }).warnings,
      )
    : [];
  return [...unknown.map(warning), ...agreement(view, told), ...[...new Set(told)].map(warning)];
}

/** A file's attention that is what the convention says is worth a sentence, too. */
function agreement({ batch, conventions }: View, told: readonly string[]): Warning[] {
  const { attention } = batch;
  if (!attention || told.some((sentence) => sentence.includes(` in ${attention.key}, `))) return [];
  const names = conventions.map(({ name }) => name).join(" and ");
  const sentence = `Every row of the recorded weights (${attention.key}) is what ${names} says.`;
  return [{ sentence, tone: "note", at: null }];
}
