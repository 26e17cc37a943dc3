// Which text position may attend which image. Position l of prompt b has text_time[b, l], image m has the number
// m + 1, and a comparison of the two is the mask. Latents are no concern here: an image's latents share its column.
import type { Convention } from "./convention.ts";
import { type Grid, type Matrix, promptsOf } from "./grid.ts";

// #region text-time
/** From the locations of one prompt to the number of each of its positions. */
const numberings: Record<Convention["numbering"], (located: readonly number[]) => number[]> = {
  inclusive: (located) => {
    let count = 0;
    return located.map((isImage) => (count += isImage)); // [mask.numbering] [mask.prefix-stable]
  },
};

const comparisons: Record<Convention["compare"], (time: number, image: number) => boolean> = {
  equal: (time, image) => time === image, // [mask.immediate]
  "at-least": (time, image) => time >= image, // [mask.all-previous]
};
// #endregion

export interface Counts {
  readonly shape: readonly number[];
  readonly data: Int32Array;
}

/** The number of every position: how many images stand at or before it. b l -> b l */
export function textTime(locations: Matrix, numbering: Convention["numbering"] = "inclusive"): Counts {
  const times = promptsOf(locations).flatMap((located) => numberings[numbering](located)); // [mask.batch]
  return { shape: [...locations.shape], data: Int32Array.from(times) };
}

/** mayAttend: 1 where position l of prompt b may attend image m. b l -> b l m */
export function mediaMask(locations: Matrix, images: number, convention: Convention): Grid {
  if (!Number.isInteger(images) || images < 0) {
    throw new RangeError(`The number of images is a whole number from 0 up, but it is ${images}.`); // [mask.input]
  }
  const { shape, data: time } = textTime(locations, convention.numbering);
  const data = new Uint8Array(time.length * images);
  const allowed = comparisons[convention.compare];
  for (let row = 0; row < time.length; row++) {
    for (let m = 0; m < images; m++) {
      const mediaTime = m + 1; // [mask.padding-image]
      data[row * images + m] = allowed(time[row] ?? 0, mediaTime) ? 1 : 0; // [mask.polarity]
    }
  }
  return { shape: [...shape, images], data };
}

/** Rows that are set to zero after the softmax because no image came yet; null where the convention has none. b l -> b l */
export function silentRows(locations: Matrix, convention: Convention): Grid | null {
  if (!convention.silentBeforeFirstImage) return null;
  const { shape, data: time } = textTime(locations, convention.numbering);
  return { shape, data: Uint8Array.from(time, (t) => Number(t === 0)) }; // [mask.silent]
}
