// Which documents of text and images are kept, as KOSMOS-1 keeps pages of Common Crawl (arXiv 2302.14045, §3.1).
import type { Image } from "../../io/images/image.ts";
import { type Check, checked, count, inner, optional, passing, whole } from "../../nn/options.ts";
import { checkGiven, checkMember } from "../../tensor/given.ts";
import { generator } from "../../tensor/random.ts";

/** Which images and documents are kept. Sides of images are in pixels. */
export interface FilterOptions {
  /** The smallest width and height of an image. Default 64. */
  readonly smallest?: number | undefined;
  /** The most images of a document; further ones are left out. Default 5. */
  readonly mostImages?: number | undefined;
  /** The share of documents with one image that are kept. Default 0.5. */
  readonly keepSingle?: number | undefined;
  /** The seed of the choice among documents with one image. Default 0. */
  readonly seed?: number | undefined;
}
const checks: { readonly [K in keyof FilterOptions]-?: Check } = {
  smallest: optional(count),
  mostImages: optional(inner),
  keepSingle: optional(passing("a share from 0 to 1", (n) => typeof n === "number" && n >= 0 && n <= 1)),
  seed: optional(whole(0, Number.MAX_SAFE_INTEGER)),
};

/** Why an image or a document is left out. */
export type FilterReason =
  | "small image"
  | "single-colour image"
  | "more images than are kept"
  | "no image"
  | "one image";

/** Whether all pixels are alike. */
function isPlain({ data, channels }: Image): boolean {
  for (let i = channels; i < data.length; i++) if (data[i] !== data[i % channels]) return false;
  return true;
}

/** Why an image is left out: it is smaller than `smallest` in one direction, or has one colour only. Null if it is kept. */
export function imageReason(image: Image, smallest = 64): FilterReason | null {
  checkMember("imageReason", { image }, "width", "an image, as readImage returns it");
  if (image.width < smallest || image.height < smallest) return "small image"; // [filter.small]
  return isPlain(image) ? "single-colour image" : null; // [filter.plain]
}

/** A document after the filter: the indices of the images that it keeps, or why it is left out. */
export interface Filtered {
  readonly images: readonly number[];
  readonly reason: FilterReason | null;
  /** Why images are left out, by index. */
  readonly removed: ReadonlyMap<number, FilterReason>;
}

/**
 * The images that a document keeps. `id` names the document, such as its line: with the seed it decides about documents with one image. A document that
 * has no image left is left out.
 */
export function filteredDocument(
  images: readonly Image[],
  id: string,
  options: FilterOptions = {},
): Filtered {
  checkGiven("filteredDocument", { images }, "a list");
  const known = checked("filteredDocument", options, checks);
  const { smallest = 64, mostImages = 5, keepSingle = 0.5, seed = 0 } = known;
  const removed = new Map<number, FilterReason>();
  const kept: number[] = [];
  for (const [i, image] of images.entries()) {
    const reason =
      imageReason(image, smallest) ?? (kept.length < mostImages ? null : "more images than are kept"); // [filter.most]
    if (reason === null) kept.push(i);
    else removed.set(i, reason);
  }
  if (kept.length === 0) return { images: [], reason: "no image", removed }; // [filter.none]
  const isDropped = kept.length === 1 && generator(seed, `document ${id}`).uniform() >= keepSingle; // [filter.single]
  return isDropped ? { images: [], reason: "one image", removed } : { images: kept, reason: null, removed };
}
