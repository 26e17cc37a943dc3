// Text copied from the page: the report as `flamboyance mask` prints it.
import { type MaskQuery, maskReport } from "../../mask-report/report.ts";
import { maskText } from "../../mask-report/text.ts";
import type { State } from "./state.ts";
import type { View } from "./view.ts";

/** The state of the page as arguments of a report; null if there is no prompt. */
function queryOf({ batch, conventions, steps }: View): MaskQuery | null {
  const [convention, against = null] = conventions;
  if (!convention || batch.prompts.length === 0) return null;
  return { batch, convention, against, known: steps[0]?.[0]?.to ?? null };
}

/** The largest number of cells of a drawing that the page makes. */
const MOST_CELLS = 100_000;

/** The output of `flamboyance mask` for the same prompts, without colour; null if it would have too many cells. */
export function drawingOf(view: View, { latents }: Pick<State, "latents">): string | null {
  const query = queryOf(view);
  if (!query) return "";
  const [prompts = 0, length = 0] = view.batch.locations.shape;
  const cells = view.conventions.length * prompts * length * view.batch.images * latents;
  return cells > MOST_CELLS ? null : `${maskText(maskReport(query), { latents })}\n`;
}
