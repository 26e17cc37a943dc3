// The input of a mask report: prompts and their images, from text, from token ids, from a golden case or from a trace.

import type { Stored } from "../io/safetensors/read.ts";
import { conventions, type NamedConvention } from "../masks/conventions/conventions.ts";
import { TOKEN } from "../masks/counting/counted-text.ts";
import type { Tiles } from "../masks/counting/tiles.ts";
import type { Matrix } from "../masks/grid.ts";
import { type ImageMarker, type PartialImage, partialImages } from "../masks/prompts/image-markers.ts";
import { longest, type PromptToken, padded, tokensOfIds } from "../masks/prompts/prompt.ts";
import { LoadError } from "../tensor/errors.ts";
import { Int, Tensor } from "../tensor/tensor.ts";
import { checkFit, type Shares, sharesIn } from "./attention-shares.ts";
import { MOST_POSITIONS } from "./limits.ts";
import { type RecordedMask, recordedMaskIn } from "./recorded-mask.ts";
import { type SampleLengths, samplesOf } from "./samples.ts";

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
  readonly convention: NamedConvention | null;
  /** Recorded attention weights of the first layer, if there are any. */
  readonly attention: Shares | null;
  /** Those of the other layers. */
  readonly otherLayers: readonly Shares[];
  /** A recorded mask, if there is one. */
  readonly recorded: RecordedMask | null;
  /** The tiles of each image; null where images have none, or nothing is known of them. */
  readonly tiles: Tiles | null;
  /** For each prompt and position, the number of its sample, or -1 for padding; null where prompts are not divided into samples. */
  readonly samples: readonly (readonly number[])[] | null;
  /** The image token as text; null where the input has image locations. */
  readonly marker: string | null;
  readonly notes: readonly Note[];
}

/** Something that was decided about the input, and that may not be what was meant. */
export type Note =
  | { readonly kind: "unknown-tiles"; readonly tensor: string; readonly convention: string }
  | { readonly kind: "other-image-token"; readonly token: string; readonly marker: string }
  /** No image token occurs, but tokens that look like one do. */
  | { readonly kind: "no-image-token"; readonly tokens: readonly string[]; readonly marker: string }
  | ({ readonly kind: "partial-image"; readonly prompt: number } & PartialImage)
  /** The taps of a file, none of which has cross-attention weights. */
  | { readonly kind: "no-weights"; readonly tensors: readonly string[] }
  | { readonly kind: "path"; readonly word: string; readonly exists: boolean };

/** The tokens that stand for an image, and the number of them that are one image. */
export interface Marker {
  readonly text: string;
  readonly tokens: number;
  readonly length: ImageMarker["length"];
}

export interface BatchOptions {
  readonly pad?: "left" | "right";
  /** The number of images of each prompt; the last number also counts for all later prompts. By default one per image token. */
  readonly images?: readonly number[] | undefined;
  readonly marker?: Marker | undefined;
  /** The samples of each prompt; the last also counts for all later prompts. */
  readonly samples?: readonly SampleLengths[] | undefined;
}

/**
 * Throws a LoadError for more positions than a report can hold, and for samples that do not fit their prompt. [prompt.images]
 */
export function batchOf(
  given: readonly (readonly PromptToken[])[],
  { pad = "right", images, marker, samples }: BatchOptions = {},
): MaskBatch {
  checkSize(given.length, longest(given));
  const prompts = padded(given, pad);
  const tokens = prompts.map((prompt) => prompt.filter(({ kind }) => kind === TOKEN.image).length);
  const real = tokens.map((n, b) => (images ? (images[b] ?? images.at(-1) ?? 0) : n)); // [prompt.images]
  return {
    title: null,
    prompts,
    locations: locationsOf(prompts),
    images: real.reduce((most, n) => Math.max(most, n), 0), // [prompt.images]
    real,
    convention: null,
    attention: null,
    otherLayers: [],
    recorded: null,
    tiles: null,
    samples: samples
      ? given.map((prompt, b) =>
          samplesIn(prompts[b] ?? [], prompt, samples[b] ?? samples.at(-1) ?? "end", pad),
        )
      : null,
    marker: marker === undefined ? null : markerText(marker),
    notes: marker === undefined ? [] : partialNotes(given, marker),
  };
}

/** Padding makes many short prompts as long as the longest one. */
function checkSize(count: number, length: number): void {
  const positions = count * length;
  if (positions <= MOST_POSITIONS) return;
  const most = MOST_POSITIONS.toLocaleString("en");
  throw new LoadError(
    `${count} prompts, padded to ${length} tokens, have ${positions} positions; the most are ${most}: give fewer or shorter prompts  [prompt.padding]`,
  ); // [prompt.padding]
}

/** The sample of each position of a padded prompt. */
function samplesIn(
  all: readonly PromptToken[],
  prompt: readonly PromptToken[],
  lengths: SampleLengths,
  pad: "left" | "right",
): number[] {
  const own = samplesOf(prompt, lengths);
  const padding = new Array<number>(all.length - own.length).fill(-1);
  return pad === "left" ? [...padding, ...own] : [...own, ...padding];
}

const markerText = ({ text, length }: Marker): string =>
  length === 1 ? text : length === "run" ? `a run of ${text}` : `${length} times ${text}`;

function partialNotes(prompts: readonly (readonly PromptToken[])[], { tokens, length }: Marker): Note[] {
  if (length === "run" || length === 1) return [];
  return prompts.flatMap((prompt, b) =>
    partialImages(
      prompt.map(({ kind }) => kind),
      tokens * length,
    ).map((partial): Note => ({ kind: "partial-image", prompt: b, ...partial })),
  );
}

const locationsOf = (prompts: readonly (readonly PromptToken[])[]): Matrix => ({
  shape: [prompts.length, prompts[0]?.length ?? 0],
  data: Uint8Array.from(prompts.flat(), ({ kind }) => kind),
});

/** Locations have no words: a text stands for the tokens of each kind. */
const PLACEHOLDERS: readonly PromptToken[] = [
  { text: "text", kind: TOKEN.text, padding: false },
  { text: "<image>", kind: TOKEN.image, padding: false },
  { text: "</s>", kind: TOKEN.end, padding: false },
  { text: "<image>", kind: TOKEN.more, padding: false },
];

function placeholders(row: ArrayLike<number>, name: string): PromptToken[] {
  return Array.from(row, (kind, l) => {
    const token = PLACEHOLDERS[kind];
    if (token) return token;
    throw new LoadError(
      `${name} is ${kind} at position ${l}; locations are 0 for text, 1 for an image's first token, 2 for an end token and 3 for an image's further tokens  [prompt.source]`,
    ); // [prompt.source]
  });
}

const rowsOf = (stored: Stored, name: string): ArrayLike<number>[] => {
  const [b = 0, l = 0] = stored.shape;
  if (stored instanceof Tensor || stored.shape.length !== 2) {
    throw new LoadError(`${name} has no axes b l of integers or booleans  [prompt.source]`);
  }
  checkSize(b, l);
  const values = stored.flat();
  return Array.from({ length: b }, (_, i) => values.subarray(i * l, (i + 1) * l));
};

/** The number of images in an input: the axis m of media, images and videos; embeddings without it hold one image. */
function imagesOf(name: string, { shape }: Stored): number | null {
  if (name === "embeds" && shape.length === 3) return 1;
  return ["media", "images", "videos", "embeds", "pixel_values"].includes(name) ? (shape[1] ?? null) : null;
}

export interface SourceOptions extends Pick<BatchOptions, "images" | "samples"> {
  /** The id of the image token, or the ids of several tokens that stand for one image, where there are ids. */
  readonly image?: number | readonly number[] | undefined;
  readonly imageLength?: ImageMarker["length"];
  readonly end?: number | undefined;
  readonly pad?: number | undefined;
  /** The tiles of each image, in place of those of the file. */
  readonly tiles?: ((batch: MaskBatch) => Tiles) | undefined;
}

/**
 * The prompts of a case or of a trace, from its tensors: media_locations, or ids and the image token's id; and what was recorded of
 * their attention. [prompt.source]
 */
export function batchFrom(
  title: string,
  inputs: ReadonlyMap<string, Stored>,
  taps: ReadonlyMap<string, Stored>,
  options: SourceOptions,
): MaskBatch {
  const { images, samples } = options;
  const { prompts, marker } = promptsFrom(title, inputs, options);
  const shape = [prompts.length, longest(prompts)];
  const recorded = recordedMaskIn(title, inputs, shape);
  const counts = [...inputs].map(([name, stored]) => imagesOf(name, stored)).filter((n) => n !== null);
  const stored = counts.length > 0 ? Math.max(...counts) : recorded?.images; // [prompt.source]
  const given = images ?? (stored === undefined ? undefined : [stored]);
  const batch = batchOf(prompts, { images: given, marker, samples });
  if (recorded && recorded.images !== batch.images)
    throw new LoadError(
      `${title}: ${recorded.key} is for ${recorded.images} images, but there are ${batch.images}  [prompt.recorded-mask]`,
    );
  const tiles = options.tiles?.(batch) ?? tilesIn(title, inputs, prompts.length, batch.images);
  if (recorded && tiles && recorded.tiles !== tiles.most)
    throw new LoadError(
      `${title}: ${recorded.key} has ${recorded.tiles} tiles for each image, not ${tiles.most}  [prompt.recorded-mask]`,
    );
  checkFit(title, taps, shape, batch.images, tiles);
  const [attention = null, ...otherLayers] = sharesIn(taps, shape, batch.images, tiles);
  return { ...batch, title, attention, otherLayers, recorded, tiles };
}

function promptsFrom(
  title: string,
  inputs: ReadonlyMap<string, Stored>,
  { image, imageLength = 1, end, pad }: SourceOptions,
): { prompts: PromptToken[][]; marker?: Marker } {
  const locations = inputs.get("media_locations");
  const ids = inputs.get("text") ?? inputs.get("input_ids");
  if (locations) {
    const name = `${title}: media_locations`;
    return { prompts: rowsOf(locations, name).map((row) => placeholders(row, name)) }; // [prompt.source]
  }
  if (!(ids instanceof Int) || image === undefined) {
    const needs = ids
      ? "give --image-token ID"
      : "it needs inputs.media_locations, inputs.text or inputs.input_ids";
    throw new LoadError(`${title} has no image locations; ${needs}  [prompt.source]`);
  }
  const special = { image, imageLength, end, pad };
  const prompts = rowsOf(ids, `${title}: ids`).map((row) => tokensOfIds(row, special)); // [prompt.source]
  return { prompts, marker: markerOfIds(image, imageLength) };
}

/** The marker of images among ids. */
export const markerOfIds = (image: number | readonly number[], length: ImageMarker["length"]): Marker => {
  const ids = [image].flat();
  return { text: ids.join(" "), tokens: ids.length, length };
};

/** The tiles of each image in aspect_ratio_mask (b m t) of Mllama in transformers; null where there is none. [prompt.recorded-mask] */
function tilesIn(
  title: string,
  inputs: ReadonlyMap<string, Stored>,
  prompts: number,
  images: number,
): Tiles | null {
  const stored = inputs.get("aspect_ratio_mask");
  if (!stored) return null;
  const { shape } = stored;
  const [b, m, most = 0] = shape;
  if (shape.length !== 3 || b !== prompts || m !== images || stored instanceof Tensor)
    throw new LoadError(
      `${title}: aspect_ratio_mask has the shape [${shape.join(" ")}], not [${prompts} ${images} tiles] of integers  [prompt.recorded-mask]`,
    );
  const values = stored.flat();
  const count = (cell: number) => {
    const own = values.subarray(cell * most, (cell + 1) * most);
    const tiles = own.filter((one) => one === 1).length;
    if (own.some((one, t) => one !== Number(t < tiles)))
      throw new LoadError(
        `${title}: aspect_ratio_mask is ${own.join(" ")} for image ${(cell % images) + 1} of prompt ${Math.floor(cell / images)}; it has 1 at the image's tiles, which come first, and 0 at the others  [prompt.recorded-mask]`,
      ); // [prompt.recorded-mask]
    return tiles;
  };
  const list = (p: number) => Array.from({ length: images }, (_, i) => count(p * images + i));
  return { most, counts: Array.from({ length: prompts }, (_, p) => list(p)) };
}

export const defaultConvention: NamedConvention = conventions.immediate;
