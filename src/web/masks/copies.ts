// Text copied from the page: the report as `flamboyance mask` prints it.
import { type MaskQuery, maskReport } from "../../mask-report/report.ts";
import { maskText } from "../../mask-report/text.ts";
import type { State } from "./state.ts";
import type { View } from "./view.ts";

/** The state of the page as arguments of a report; null if there is no prompt. */
export function queryOf({ batch, conventions, steps }: View): MaskQuery | null {
  const [convention, against = null] = conventions;
  if (!convention || batch.prompts.length === 0) return null;
  return { batch, convention, against, known: steps[0]?.[0]?.to ?? null };
}

/** The output of `flamboyance mask` for the same prompts, without colour. */
export function drawingOf(view: View, { latents }: Pick<State, "latents">): string {
  const query = queryOf(view);
  return query ? `${maskText(maskReport(query), { latents: view.batch.tiles ? 1 : latents })}\n` : "";
}
