// Recorded attention weights, summed to each image's share of each position, and compared with a convention.
import type { Stored } from "../io/safetensors/read.ts";
import type { Convention } from "../masks/conventions/conventions.ts";
import type { AttentionFinding } from "../masks/findings.ts";
import type { Matrix } from "../masks/grid.ts";
import { maskRows } from "../masks/rows.ts";
import { isCrossAttentionWeights } from "../models/flamingo/names.ts";
import { flat, Tensor } from "../tensor/tensor.ts";

export interface Shares {
  /** The tensor's key. */
  readonly key: string;
  /** Per prompt, position and image: the weights of all its latents, averaged over heads. */
  readonly shares: readonly (readonly (readonly number[])[])[];
  /** Per prompt and position: whether all weights of the row are equal and not zero. */
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

/** The rows whose recorded weights reach other images, or in another way, than under the convention. [prompt.attention] */
export function attentionFindings(
  { key, shares, even }: Shares,
  locations: Matrix,
  images: number,
  convention: Convention,
): AttentionFinding[] {
  return maskRows(locations, images, convention).flatMap((rows, prompt) =>
    rows.flatMap((row, position): AttentionFinding[] => {
      const attended = (shares[prompt]?.[position] ?? []).flatMap((share, m) => (share > 0 ? [m + 1] : []));
      const sameImages =
        attended.length === row.images.length && attended.every((image, i) => image === row.images[i]);
      const averages = row.outcome !== "uniform-leak" || even[prompt]?.[position] === true;
      if (sameImages && averages) return []; // [prompt.attention]
      const expected = { outcome: row.outcome, images: row.images };
      const where = { convention: convention.name, tensor: key, prompt, position };
      return [{ kind: "attention-mismatch", ...where, attended, expected }];
    }),
  );
}
