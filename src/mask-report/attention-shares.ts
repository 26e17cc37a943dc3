// Recorded attention weights, summed to each image's share of each position, and compared with a convention.
import type { Stored } from "../io/safetensors/read.ts";
import type { Convention } from "../masks/conventions/conventions.ts";
import { hasImage } from "../masks/counting/image-ranges.ts";
import { type Tiles, tilesOf } from "../masks/counting/tiles.ts";
import type { AttentionFinding, TileFinding } from "../masks/findings.ts";
import type { Matrix } from "../masks/grid.ts";
import { type MaskRow, maskRows } from "../masks/rows.ts";
import { isCrossAttentionWeights } from "../models/flamingo/names.ts";
import { LoadError } from "../tensor/errors.ts";
import { type Floats, Tensor } from "../tensor/tensor.ts";

export interface Shares {
  /** The tensor's key. */
  readonly key: string;
  /** Per prompt, position and image: the weights of all its latents, averaged over heads. */
  readonly shares: readonly (readonly (readonly number[])[])[];
  /** The same per tile, image by image; null where images have no tiles. */
  readonly tileShares: readonly (readonly (readonly number[])[])[] | null;
  /** Per prompt and position: whether all weights of the row are equal and not zero. */
  readonly even: readonly (readonly boolean[])[];
  readonly heads: number;
  /** Per prompt and position: the number of heads whose weights are all zero. */
  readonly silent: readonly (readonly number[])[];
}

const EVEN = 1e-6;
/** The largest distance of a row's sum from 0 or 1, for weights that were stored in bfloat16. */
const ROUNDING = 0.02;

/** The cross-attention weights among taps without their prefix, of whatever shape. */
const weightsIn = (taps: ReadonlyMap<string, Stored>): [string, Tensor][] =>
  [...taps].flatMap(([key, stored]): [string, Tensor][] =>
    isCrossAttentionWeights(key) && stored instanceof Tensor && stored.shape.length === 4
      ? [[key, stored]]
      : [],
  );

const partsOf = (images: number, tiles: Tiles | null): number => images * (tiles?.most ?? 1);

const fitsBatch = (
  { shape: [tb, , tl, s = 0] }: Tensor,
  [b = 0, l = 0]: readonly number[],
  parts: number,
): boolean => tb === b && tl === l && parts > 0 && s > 0 && s % parts === 0;

/**
 * The weights of every cross-attention layer among taps without their prefix that fit `b` prompts of `l` tokens and `images`
 * images. Throws a LoadError if they are no weights. [prompt.attention]
 */
export function sharesIn(
  taps: ReadonlyMap<string, Stored>,
  size: readonly number[],
  images: number,
  tiles: Tiles | null = null,
): Shares[] {
  return weightsIn(taps)
    .filter(([, stored]) => fitsBatch(stored, size, partsOf(images, tiles)))
    .map(([key, stored]) => sharesOf(key, stored, images, tiles)); // [prompt.attention]
}

/** Throws a LoadError where the weights of a layer do not fit. [prompt.attention] */
export function checkFit(
  title: string,
  taps: ReadonlyMap<string, Stored>,
  [b = 0, l = 0]: readonly number[],
  images: number,
  tiles: Tiles | null,
): void {
  const misfit = weightsIn(taps).find(([, weights]) => !fitsBatch(weights, [b, l], partsOf(images, tiles)));
  if (!misfit) return;
  const [key, { shape }] = misfit;
  const stored = tiles ? `${images} images of ${tiles.most} tiles` : `${images} images`;
  throw new LoadError(
    `${title}: ${key} has the shape [${shape.join(" ")}], which does not fit ${b} prompts of ${l} tokens and ${stored}  [prompt.attention]`,
  ); // [prompt.attention]
}

function sharesOf(key: string, stored: Tensor, images: number, tiles: Tiles | null): Shares {
  const [b = 0, heads = 0, l = 0, s = 0] = stored.shape;
  const weights = stored.flat();
  checkProbabilities(key, weights, stored.shape);
  const each = <T>(f: (i: number, j: number) => T): T[][] =>
    Array.from({ length: b }, (_, i) => Array.from({ length: l }, (_, j) => f(i, j)));
  const rows = (i: number, j: number): Floats[] =>
    Array.from({ length: heads }, (_, h) => {
      const at = ((i * heads + h) * l + j) * s;
      return weights.subarray(at, at + s);
    });
  const folded = (parts: number) =>
    each((i, j) => {
      const sums = new Array<number>(parts).fill(0);
      for (const row of rows(i, j))
        row.forEach((weight, k) => {
          const part = Math.floor((k * parts) / s);
          sums[part] = (sums[part] ?? 0) + weight;
        });
      return sums.map((sum) => sum / heads); // [prompt.attention]
    });
  return {
    key,
    shares: folded(images),
    tileShares: tiles && folded(images * tiles.most),
    even: each((i, j) => rows(i, j).every((r) => r.every((w) => w > 0 && Math.abs(w * s - 1) < EVEN))), // [prompt.attention]
    heads,
    silent: each((i, j) => rows(i, j).filter((r) => r.every((w) => w === 0)).length),
  };
}

/** Each row of weights is NaN as a whole or in part, or has a sum of 1, or of 0 where the row was set to zero. [prompt.attention] */
function checkProbabilities(
  key: string,
  weights: Floats,
  [b = 0, heads = 0, l = 0, s = 0]: readonly number[],
): void {
  for (let row = 0; row < b * heads * l; row++) {
    let [sum, least] = [0, 0];
    for (let k = row * s; k < (row + 1) * s; k++) {
      const weight = weights[k] ?? 0;
      sum += weight;
      least = Math.min(least, weight);
    }
    const isRow = Number.isNaN(sum) || (least >= 0 && Math.min(Math.abs(sum), Math.abs(sum - 1)) <= ROUNDING);
    if (isRow) continue;
    const where = `prompt ${Math.floor(row / (heads * l))}, head ${Math.floor(row / l) % heads}, position ${row % l}`;
    const fault = least < 0 ? `a weight is ${least}` : `the weights add up to ${Number(sum.toPrecision(4))}`;
    throw new LoadError(
      `${key} has no attention weights: in ${where} ${fault}; weights are those after the softmax, at least 0 with a sum of 1 or 0  [prompt.attention]`,
    ); // [prompt.attention]
  }
}

/**
 * The rows whose recorded weights reach other images or tiles, or in another way, than under the convention. `all` are the rows
 * of the convention's mask. [prompt.attention]
 */
export function attentionFindings(
  recorded: Shares,
  locations: Matrix,
  images: number,
  convention: Convention,
  tiles: Tiles | null = null,
): (AttentionFinding | TileFinding)[] {
  const { key, shares, even, heads, silent } = recorded;
  return maskRows(locations, images, convention).flatMap((rows, prompt) =>
    rows.flatMap((row, position): (AttentionFinding | TileFinding)[] => {
      const weights = shares[prompt]?.[position] ?? [];
      const nan = weights.some(Number.isNaN);
      const attended = weights.flatMap((share, m) => (share > 0 ? [m + 1] : []));
      const expected = row.images;
      const sameImages =
        attended.length === expected.length && attended.every((image, i) => image === expected[i]);
      const averages = row.outcome !== "uniform-leak" || even[prompt]?.[position] === true;
      const where = { convention: convention.name, tensor: key, prompt, position };
      if (nan !== (row.outcome === "nan") || (!nan && !(sameImages && averages))) {
        const described = {
          attended,
          ...(nan ? { nan } : {}),
          expected: { outcome: row.outcome, images: expected },
        };
        return [{ kind: "attention-mismatch", ...where, ...described }]; // [prompt.attention]
      }
      const none = silent[prompt]?.[position] ?? 0;
      if (none > 0 && expected.length > 0) {
        const described = { attended, silentHeads: { silent: none, heads } };
        const { outcome } = row;
        return [
          { kind: "attention-mismatch", ...where, ...described, expected: { outcome, images: expected } },
        ]; // [prompt.attention]
      }
      const parts = recorded.tileShares?.[prompt]?.[position];
      const found =
        tiles && parts && row.outcome === "attends" ? tileDifference(parts, row, prompt, tiles) : null;
      return found ? [{ kind: "tile-mismatch", ...where, ...found }] : [];
    }),
  );
}

/** The first image of a row that attends whose padding tiles have weight, or whose own tiles do not all have weight. [mask.tiles] */
function tileDifference(
  parts: readonly number[],
  row: MaskRow,
  prompt: number,
  tiles: Tiles,
): Pick<TileFinding, "image" | "tiles" | "most" | "padding"> | null {
  const { most } = tiles;
  let [padding, padded, missing] = [0, 0, 0];
  parts.forEach((share, i) => {
    const image = Math.floor(i / most) + 1;
    const pads = i % most >= tilesOf(tiles, prompt, image);
    if (pads) padding += share;
    if (pads && share > 0 && padded === 0) padded = image; // [mask.tiles]
    if (!pads && share === 0 && hasImage(row.allowed, image) && missing === 0) missing = image; // [mask.tiles]
  });
  const image = padded || missing;
  return image === 0 ? null : { image, tiles: tilesOf(tiles, prompt, image), most, padding };
}
