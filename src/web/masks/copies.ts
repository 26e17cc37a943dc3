// What leaves the page as text: what the terminal prints.
import { type MaskQuestion, maskReport } from "../../mask-report/report.ts";
import { maskText } from "../../mask-report/text.ts";
import type { State } from "./state.ts";
import type { View } from "./view.ts";

/** The question that `flamboyance mask` would be asked. */
export function questionOf({ batch, conventions, steps }: View): MaskQuestion | null {
  const [convention, against = null] = conventions;
  if (!convention || batch.prompts.length === 0) return null;
  return { batch, convention, against, known: steps[0]?.[0]?.to ?? null };
}

/** What `flamboyance mask` prints for the same prompts, without colour. */
export function drawingOf(view: View, { latents }: Pick<State, "latents">): string {
  const question = questionOf(view);
  return question ? `${maskText(maskReport(question), { latents })}\n` : "";
}
