// Every row of a batch, judged and explained: what the drawings, the command line and a page show.

import type { Convention } from "./conventions/schema.ts";
import { explain } from "./explain.ts";
import { type Matrix, promptsOf } from "./grid.ts";
import { checkImages } from "./media-mask.ts";
import { numbersOf, TOKEN, visibilityOf } from "./numbering.ts";
import { type RowFacts, reaching, rowOutcome } from "./outcome.ts";

export interface MaskRow extends RowFacts {
  /** One sentence. */
  readonly reason: string;
}

/** One prompt's rows, without sentences. */
export function factsOf(kinds: readonly number[], images: number, convention: Convention): RowFacts[] {
  const numbers = numbersOf(kinds, convention);
  let seen = 0;
  return visibilityOf(kinds, images, convention).map((mayAttend, position) => {
    const number = numbers[position] ?? 0;
    const zeroed = convention.zeroBeforeFirstImage && number === 0; // [mask.silent]
    const kind = rowOutcome(mayAttend, zeroed, convention);
    const isImage = kinds[position] === TOKEN.image;
    const image = isImage ? ++seen : 0;
    return { position, isImage, image, number, mayAttend, outcome: kind, images: reaching(mayAttend, kind) };
  });
}

/** A list of rows for each prompt. */
export function maskRows(locations: Matrix, images: number, convention: Convention): MaskRow[][] {
  checkImages(images);
  return promptsOf(locations).map((kinds) =>
    factsOf(kinds, images, convention).map((facts) => ({
      ...facts,
      reason: explain(facts, kinds, convention),
    })),
  );
}
