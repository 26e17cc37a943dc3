// Tiles: the parts into which Mllama divides an image. A batch stores as many tiles for every image, and those beyond an image's own
// only pad.
import { shown } from "../conventions/check.ts";
import type { Convention } from "../conventions/schema.ts";
import type { Grid, Matrix } from "../grid.ts";
import { mediaMask } from "../media-mask.ts";

/** The tiles of the images of a batch: an image can be stored as several. */
export interface Tiles {
  /** The number of tiles that are stored for every image, padding included. */
  readonly most: number;
  /** For each prompt, the number of tiles of each image. */
  readonly counts: readonly (readonly number[])[];
}

/** The number of tiles of an image (from 1); 0 for an image that only pads the batch. */
export const tilesOf = ({ counts }: Tiles, prompt: number, image: number): number =>
  counts[prompt]?.[image - 1] ?? 0;

function checkTiles({ most, counts }: Tiles): void {
  if (!Number.isInteger(most) || most < 1)
    throw new RangeError(
      `The number of stored tiles, most, is a whole number from 1 up, not ${shown(most)}.`,
    ); // [mask.input]
  const other = counts.flat().find((n) => !Number.isInteger(n) || n < 0 || n > most);
  if (other !== undefined)
    throw new RangeError(
      `The counts of tiles are whole numbers from 0 to ${most}, the number stored, not ${shown(other)}.`,
    ); // [mask.input]
}

/**
 * 1 where position l of prompt b may attend to tile t of image m: mediaMask with the padding tiles masked. b l -> b l m t
 * [mask.tiles] Throws a RangeError for locations or counts of tiles that are out of range.
 */
export function tileMask(locations: Matrix, images: number, convention: Convention, tiles: Tiles): Grid {
  const { shape, data } = mediaMask(locations, images, convention);
  const length = shape[1] ?? 0;
  const { most } = tiles;
  checkTiles(tiles);
  const masked = new Uint8Array(data.length * most);
  data.forEach((may, i) => {
    const prompt = Math.floor(i / (length * images));
    if (may) masked.fill(1, i * most, i * most + tilesOf(tiles, prompt, (i % images) + 1)); // [mask.tiles]
  });
  return { shape: [...shape, most], data: masked };
}
