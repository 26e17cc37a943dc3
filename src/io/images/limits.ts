// Limits that keep reading an image within seconds and a few hundred megabytes.
import { LoadError } from "../../tensor/errors.ts";

/** A photograph of 16 megapixels is within the limit. */
export const MOST_PIXELS = 2 ** 24;
/** Bytes of a file, and of the samples in it. */
export const MOST_BYTES = 2 ** 26;

export const refusal = (name: string, reason: string): LoadError => new LoadError(`${name}: ${reason}`);

/** Refuses a header without pixels, or with too many, before anything of that size is made. */
export function checkSize(name: string, width: number, height: number): void {
  const claim = `its header claims ${width}×${height} pixels`;
  if (width * height === 0)
    throw refusal(name, `${claim}, and there is nothing to read; save it again  [image.limits]`);
  if (width * height > MOST_PIXELS)
    throw refusal(name, `${claim}; at most ${MOST_PIXELS} can be read; make it smaller  [image.limits]`); // [image.limits]
}
