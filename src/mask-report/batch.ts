// The input of a mask report: prompts and their images, from text, from token ids, from a golden case or from a trace.

import { type PromptToken, padded, tokensOfIds } from "../io/prompt.ts";
import type { Stored } from "../io/safetensors/read.ts";
import { type Convention, conventions } from "../masks/conventions/conventions.ts";
import { TOKEN } from "../masks/counting/counted-text.ts";
import type { Matrix } from "../masks/grid.ts";
import { LoadError } from "../tensor/errors.ts";
import { Int, Tensor } from "../tensor/tensor.ts";
import { type Shares, sharesIn } from "./attention-shares.ts";

export interface MaskBatch {
  /** The file or case that it was read from; null for prompts given in words. */
  readonly title: string | null;
  /** Padded to one length. */
  readonly prompts: readonly (readonly PromptToken[])[];
  readonly locations: Matrix;
  /** Images in the batch, padding included. */
  readonly images: number;
  /** Images that each prompt was given. */
  readonly real: readonly number[];
  /** The convention of the package that the case comes from. */
  readonly convention: Convention | null;
  /** Recorded attention weights, if there are any. */
  readonly attention: Shares | null;
}

export interface BatchOptions {
  readonly pad?: "left" | "right";
  /** The number of images of each prompt; the last number also counts for all later prompts. By default one per image token. */
  readonly images?: readonly number[] | undefined;
}

/** [prompt.images] */
export function batchOf(
  given: readonly (readonly PromptToken[])[],
  { pad = "right", images }: BatchOptions = {},
): MaskBatch {
  const prompts = padded(given, pad);
  const tokens = prompts.map((prompt) => prompt.filter(({ kind }) => kind === TOKEN.image).length);
  const real = tokens.map((n, b) => (images ? (images[b] ?? images.at(-1) ?? 0) : n)); // [prompt.images]
  return {
    title: null,
    prompts,
    locations: locationsOf(prompts),
    images: Math.max(0, ...real), // [prompt.images]
    real,
    convention: null,
    attention: null,
  };
}

const locationsOf = (prompts: readonly (readonly PromptToken[])[]): Matrix => ({
  shape: [prompts.length, prompts[0]?.length ?? 0],
  data: Uint8Array.from(prompts.flatMap((prompt) => prompt.map(({ kind }) => kind))),
});

/** A case has no words: "<image>" stands for an image token, and "text" for any other. */
const placeholders = (row: ArrayLike<number>): PromptToken[] =>
  Array.from(row, (at) => ({ text: at ? "<image>" : "text", kind: at ? 1 : 0, padding: false }));

const rowsOf = (stored: Stored, name: string): ArrayLike<number>[] => {
  const [b = 0, l = 0] = stored.shape;
  if (stored instanceof Tensor || stored.shape.length !== 2) {
    throw new LoadError(`${name} has no axes b l of integers or booleans  [prompt.source]`);
  }
  const values = stored.flat();
  return Array.from({ length: b }, (_, i) => values.subarray(i * l, (i + 1) * l));
};

/** The number of images in an input: the axis m of media, images and videos; embeddings without it hold one image. */
function imagesOf(name: string, { shape }: Stored): number | null {
  if (name === "embeds" && shape.length === 3) return 1;
  return ["media", "images", "videos", "embeds"].includes(name) ? (shape[1] ?? null) : null;
}

export interface SourceOptions {
  /** The id of the image token, where there are ids. */
  readonly image?: number | undefined;
  readonly end?: number | undefined;
  readonly images?: readonly number[] | undefined;
}

/**
 * The prompts of a case or of a trace, from its tensors: media_locations, or text and the image token's id.
 * [prompt.source]
 */
export function batchFrom(
  title: string,
  inputs: ReadonlyMap<string, Stored>,
  taps: ReadonlyMap<string, Stored>,
  { image, end, images }: SourceOptions,
): MaskBatch {
  const locations = inputs.get("media_locations");
  const ids = inputs.get("text") ?? inputs.get("input_ids");
  let prompts: PromptToken[][];
  if (locations)
    prompts = rowsOf(locations, `${title}: media_locations`).map(placeholders); // [prompt.source]
  else if (ids instanceof Int && image !== undefined) {
    prompts = rowsOf(ids, `${title}: text`).map((row) => tokensOfIds(row, { image, end })); // [prompt.source]
  } else {
    const needs = ids ? "give --image-token ID" : "it needs inputs.media_locations, or inputs.text";
    throw new LoadError(`${title} has no image locations; ${needs}  [prompt.source]`);
  }
  const counts = [...inputs].map(([name, stored]) => imagesOf(name, stored)).filter((n) => n !== null);
  const batch = batchOf(prompts, {
    images: images ?? (counts.length > 0 ? [Math.max(...counts)] : undefined),
  });
  return { ...batch, title, attention: sharesIn(taps, batch.locations.shape, batch.images) };
}

export const defaultConvention: Convention = conventions.immediate;
