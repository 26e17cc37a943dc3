// What leaves the page as text: the drawing that the terminal prints.
import { drawMask } from "../masks/draw.ts";
import { drawAgainst } from "../masks/draw-conventions.ts";
import type { State } from "./state.ts";
import type { View } from "./view.ts";

/** What `flamboyance mask` prints for the same prompts. [inspector.copy] */
export function drawingOf(view: View, state: Pick<State, "latents">): string {
  const { locations, images } = view.batch;
  const [one, other] = view.conventions;
  if (!one) return "";
  const tokens = view.prompts.map((prompt) => prompt.map(({ token }) => token.text));
  const options = { tokens, latents: state.latents };
  return other
    ? drawAgainst(locations, images, one, other, options) // [inspector.copy]
    : drawMask(locations, images, one, options); // [inspector.copy]
}
