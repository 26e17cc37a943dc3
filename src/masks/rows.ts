// Every row of a batch, judged and explained: what the drawings, the command line and a page show.
import { explain } from "./explain.ts";
import { type Matrix, promptsOf } from "./grid.ts";
import { mediaMask, silentRows, textTime } from "./media-mask.ts";
import { TOKEN } from "./numbering.ts";
import { type RowFacts, reaching, rowClass } from "./row-class.ts";
import type { Convention } from "./terms.ts";

export interface MaskRow extends RowFacts {
  /** One sentence. */
  readonly reason: string;
}

/** A list of rows for each prompt. */
export function maskRows(locations: Matrix, images: number, convention: Convention): MaskRow[][] {
  const mask = mediaMask(locations, images, convention).data;
  const silent = silentRows(locations, convention)?.data;
  const time = textTime(locations, convention).data;

  return promptsOf(locations).map((located, b) => {
    let seen = 0;
    return located.map((token, position) => {
      const row = b * located.length + position;
      const mayAttend = Array.from(mask.subarray(row * images, (row + 1) * images), Boolean);
      const kind = rowClass(mayAttend, silent?.[row] === 1, convention);
      const isImage = token === TOKEN.image;
      const facts: RowFacts = {
        position,
        isImage,
        image: isImage ? ++seen : 0,
        number: time[row] ?? 0,
        mayAttend,
        class: kind,
        images: reaching(mayAttend, kind),
      };
      return { ...facts, reason: explain(facts, located, convention) };
    });
  });
}
