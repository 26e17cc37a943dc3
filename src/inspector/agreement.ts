// Is a file's attention where the convention allows it? The rule is drawn from the rows, the weights come from the run.
import type { Stages } from "./block.ts";
import { weightsOf } from "./stage-rows.ts";
import type { Place } from "./state.ts";
import type { TokenView, View } from "./view.ts";

export interface Agreement {
  readonly sentence: string;
  /** Where they part first. */
  readonly at: Place | null;
}

const SMALL = 1e-9;

/** The first image of a row whose weight is not what the row's class says: from 1, or 0. */
function parted({ bands }: TokenView, weights: readonly (readonly number[])[]): number {
  const row = bands[0]?.row;
  const sums = weights.map((keys) => keys.reduce((a, w) => a + w, 0));
  const odd = sums.findIndex((sum, m) => {
    const reaches = row?.images.includes(m + 1) ?? false;
    if (row?.class === "nan") return !Number.isNaN(sum);
    if (row?.class === "uniform-leak") return Math.abs(sum - 1 / sums.length) > 1e-6; // [inspector.agreement]
    return reaches ? !(sum > SMALL) : !(Math.abs(sum) <= SMALL); // [inspector.agreement]
  });
  return odd + 1;
}

/** [inspector.agreement] */
export function agreementOf(view: View, stages: Stages): Agreement {
  const name = view.conventions[0]?.name;
  for (const [prompt, tokens] of view.prompts.entries()) {
    for (const token of tokens) {
      for (let head = 0; head < stages.heads; head++) {
        const weights = weightsOf(stages, prompt, token.position, head);
        const lengths = weights?.length === view.batch.images;
        const image = weights && lengths ? parted(token, weights) : -1;
        if (image === 0) continue;
        const at = { prompt, position: token.position, image: Math.max(image, 0) };
        const where = `prompt ${prompt}, position ${token.position}`;
        if (image < 0)
          return {
            sentence: `The file’s attention has no row for ${where} and ${view.batch.images} images.`,
            at,
          };
        return {
          sentence: `The file’s attention is not what ${name} says: first at ${where}, image ${image} (head ${head}).`,
          at,
        }; // [inspector.agreement]
      }
    }
  }
  return { sentence: `Every row of the file’s attention is what ${name} says.`, at: null }; // [inspector.agreement]
}
