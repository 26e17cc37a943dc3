// The images that a pass of OpenFlamingo reads, and the image that each of its tokens sees. Conditioning is a value that a pass is given;
// the release stores it in the layers.
import { passVisibility } from "../../masks/decoding/passes.ts";
import { type Grid, mediaLocations } from "../../masks/grid.ts";
import type { Visibility } from "../../masks/media-mask.ts";
import { RuleError } from "../../tensor/errors.ts";
import type { Bool, Int, Tensor } from "../../tensor/tensor.ts";
import { rowsOf } from "../language-model.ts";
import type { ReadText } from "../writer.ts";
import type { OpenFlamingoBehaviour } from "./profiles.ts";

/** Images for the passes of a text. */
export interface Conditioning {
  readonly media: Tensor<"b m r e">;
  /** With cached media, the text whose image tokens were counted last, which passes without an image token follow; otherwise null. */
  readonly counted: Int<"b l"> | null;
}

/** A pass over the last tokens of a text. */
export interface ImagePass {
  readonly read: ReadText;
  /** False for padding, in the whole text. */
  readonly mask: Bool<"b s">;
}

interface Reading {
  readonly mediaTokenId: number;
  readonly behaviour: OpenFlamingoBehaviour;
}

/** Image tokens of the text read so far, 1 at each. */
export function imagesOf({ read, mask }: ImagePass, { mediaTokenId, behaviour }: Reading): Grid {
  const { shape, data } = mediaLocations(read.text, mediaTokenId);
  if (behaviour.imageTokensInPadding === "count") return { shape, data };
  const real = mask.flat();
  return { shape, data: data.map((image, i) => (real[i] ? image : 0)) }; // [openflamingo.padded-images]
}

/** Columns of a grid, from one position on. */
const columnsFrom = ({ shape: [b = 0, s = 0], data }: Grid, from: number): Grid => ({
  shape: [b, s - from],
  data: Uint8Array.from(
    { length: b * (s - from) },
    (_, i) => data[Math.floor(i / (s - from)) * s + from + (i % (s - from))] ?? 0,
  ),
});

/** Two grids side by side. */
function beside(left: Grid, right: Grid): Grid {
  const [b = 0, c = 0] = left.shape;
  const [, s = 0] = right.shape;
  const data = new Uint8Array(b * (c + s));
  for (let row = 0; row < b; row++) {
    data.set(left.data.subarray(row * c, (row + 1) * c), row * (c + s));
    data.set(right.data.subarray(row * s, (row + 1) * s), row * (c + s) + c);
  }
  return { shape: [b, c + s], data };
}

/** Whether the shorter of two texts is the beginning of the other. */
const beginAlike = (a: readonly number[], b: readonly number[]): boolean =>
  a.slice(0, b.length).every((id, i) => id === b[i]);

/**
 * The image tokens of the text of cached media, as far as the text read so far follows it: a row does if it has no image token of its own
 * and is not that text from its beginning.
 */
function countedBefore(counted: Int<"b l">, { text }: ReadText, images: Grid, mediaTokenId: number): Grid {
  const { shape, data } = mediaLocations(counted, mediaTokenId);
  const [cached, read] = [rowsOf(counted), rowsOf(text)];
  const [c = 0, s = 0] = [shape[1], images.shape[1]];
  const follows = read.map(
    (row, b) => !images.data.subarray(b * s, (b + 1) * s).includes(1) && !beginAlike(row, cached[b] ?? []), // [openflamingo.cached-media]
  );
  return { shape, data: data.map((image, i) => (follows[Math.floor(i / c)] ? image : 0)) };
}

/** Which image each token of the pass sees. `images` are the image tokens of the text read so far. */
export function visibilityOfPass(
  pass: ImagePass,
  images: Grid,
  { media, counted }: Conditioning,
  { mediaTokenId, behaviour: { convention } }: Reading,
): Visibility {
  const { passes } = pass.read;
  const l = passes.at(-1) ?? 0;
  const m = media.shape[1] ?? 0;
  const ownTokens = convention.cachedStep === "count" || convention.cachedStep === "restart";
  const own = ownTokens ? columnsFrom(images, (images.shape[1] ?? 0) - l) : images; // [openflamingo.visibility]
  const of = ownTokens ? [l] : passes;
  if (!counted) return passVisibility(own, of, m, convention);
  const before = ownTokens
    ? mediaLocations(counted, mediaTokenId) // [openflamingo.cached-media]
    : countedBefore(counted, pass.read, images, mediaTokenId);
  return passVisibility(beside(before, own), [counted.shape[1] ?? 0, ...of], m, convention);
}

/** The text that later passes follow: in the release it is the pass, if any row of it has an image token. */
export function countedAfter(
  ids: Int<"b l">,
  { counted }: Conditioning,
  { mediaTokenId, behaviour: { convention } }: Reading,
): Int<"b l"> | null {
  const recounts = convention.cachedStep === "count" && ids.flat().includes(mediaTokenId);
  return counted && recounts ? ids : counted; // [openflamingo.recount]
}

/** Throws a RuleError unless images and image tokens go together. `whole`: no further tokens can bring an image token. */
export function checkImages(
  { shape: [b = 0, s = 0], data }: Grid,
  { shape: [batch = 0, m = 0] }: Tensor<"b m r e">,
  { mediaTokenId, behaviour }: Reading,
  whole: boolean,
): void {
  if (batch !== b)
    throw new RuleError(
      `there are images for ${batch} texts, but ${b} texts: give every text its own images, also where several share them`,
      "openflamingo.batch",
    );
  const counts = Array.from({ length: b }, (_, row) =>
    data.subarray(row * s, (row + 1) * s).reduce((sum, image) => sum + image, 0),
  );
  const most = Math.max(0, ...counts);
  if (most > m && behaviour.missingImages === "refuse")
    throw new RuleError(
      `text ${counts.indexOf(most)} has ${most} image tokens, but there are ${m} images for it: give an image for each token`,
      "openflamingo.missing-images",
    );
  if (most < m && whole && behaviour.surplusImages === "refuse")
    throw new RuleError(
      `${most === 0 ? "no text has an image token" : `no text has more than ${most} image tokens`} (id ${mediaTokenId}), but there are ${m} images: put the token where each image belongs, leave images out, or accept unseen ones with behaviour { surplusImages: "accept" }`,
      "openflamingo.surplus-images",
    );
}
