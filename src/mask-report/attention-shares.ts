// How much of its attention each position gave to each image, from recorded attention weights, and whether a convention
// says the same.
import type { Stored } from "../io/safetensors/read.ts";
import type { Convention } from "../masks/conventions/conventions.ts";
import type { Matrix } from "../masks/grid.ts";
import { type MaskRow, maskRows } from "../masks/rows.ts";
import { isCrossAttentionWeights } from "../models/flamingo/names.ts";
import { flat, Tensor } from "../tensor/tensor.ts";

export interface Shares {
  /** The tensor's key. */
  readonly key: string;
  /** Per prompt, position and image: the weights of all its latents, averaged over heads. */
  readonly shares: readonly (readonly (readonly number[])[])[];
  /** Per prompt and position: are all weights of the row equal and not zero? */
  readonly even: readonly (readonly boolean[])[];
}

const EVEN = 1e-6;

/** The first cross-attention's weights among taps without their prefix; null where there are none. [prompt.attention] */
export function sharesIn(
  taps: ReadonlyMap<string, Stored>,
  [b = 0, l = 0]: readonly number[],
  images: number,
): Shares | null {
  for (const [key, stored] of taps) {
    const [tb, heads = 0, tl, s = 0] = stored.shape;
    const fits = stored.shape.length === 4 && tb === b && tl === l && images > 0 && s % images === 0;
    if (isCrossAttentionWeights(key) && stored instanceof Tensor && fits)
      return sharesOf(key, stored, heads, s, images); // [prompt.attention]
  }
  return null;
}

function sharesOf(key: string, stored: Tensor, heads: number, s: number, images: number): Shares {
  const [b = 0, , l = 0] = stored.shape;
  const weights = flat(stored.data);
  const row = (i: number, h: number, j: number) => {
    const at = ((i * heads + h) * l + j) * s;
    return weights.subarray(at, at + s);
  };
  const each = <T>(f: (i: number, j: number) => T): T[][] =>
    Array.from({ length: b }, (_, i) => Array.from({ length: l }, (_, j) => f(i, j)));
  const all = (i: number, j: number) => Array.from({ length: heads }, (_, h) => row(i, h, j));
  const latents = s / images;
  const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, x) => a + x, 0);
  return {
    key,
    shares: each((i, j) =>
      Array.from({ length: images }, (_, m) => {
        const parts = all(i, j).map((r) => sum(r.subarray(m * latents, (m + 1) * latents)));
        return sum(parts) / heads; // [prompt.attention]
      }),
    ),
    even: each((i, j) => all(i, j).every((r) => r.every((w) => w > 0 && Math.abs(w * s - 1) < EVEN))), // [prompt.attention]
  };
}

/** Sentences about rows that attend what the convention does not say, or attend it otherwise. [prompt.attention] */
export function mismatches(
  { key, shares, even }: Shares,
  locations: Matrix,
  images: number,
  convention: Convention,
): string[] {
  return maskRows(locations, images, convention).flatMap((rows, b) =>
    rows.flatMap((row, l) => {
      const attended = (shares[b]?.[l] ?? []).flatMap((share, m) => (share > 0 ? [m + 1] : []));
      const leaks = row.outcome === "uniform-leak";
      const same = `${attended}` === `${row.images}` && (!leaks || even[b]?.[l] === true); // [prompt.attention]
      if (same) return [];
      const seen = attended.length === 0 ? "attends nothing" : `attends {${attended}}`;
      return [
        `Prompt ${b}, position ${l} ${seen} in ${key}, but under ${convention.name} it ${inWords(row)}.`,
      ];
    }),
  );
}

const inWords = ({ outcome: kind, images }: MaskRow): string =>
  kind === "uniform-leak"
    ? "averages all images"
    : images.length > 0
      ? `attends {${images}}`
      : "attends nothing";
