// Recorded masks: cross_attention_mask of Mllama (text, images, tiles) and image_attention_mask of IDEFICS (text, images), as their
// processors in transformers make them, compared with a convention.

import type { Stored } from "../io/safetensors/read.ts";
import { indexOf } from "../io/wording.ts";
import type { Convention } from "../masks/conventions/conventions.ts";
import { rangesOf, sameRanges } from "../masks/counting/image-ranges.ts";
import { type Tiles, tilesOf } from "../masks/counting/tiles.ts";
import type { RecordedMaskFinding } from "../masks/findings.ts";
import { addRun, type MaskRow } from "../masks/rows.ts";
import { LoadError } from "../tensor/errors.ts";
import { Tensor } from "../tensor/tensor.ts";

export interface RecordedMask {
  /** The tensor's key. */
  readonly key: string;
  readonly images: number;
  /** Tiles stored for each image; 1 where images have none. */
  readonly tiles: number;
  /** b l m t: 1 where the mask allows a tile. */
  readonly allowed: Uint8Array;
}

/** The axes of each mask, by the tensor's name. */
const AXES = { cross_attention_mask: 4, image_attention_mask: 3 } as const;

/** The recorded mask among inputs without their prefix, or null. Throws a LoadError if it does not fit or holds other values. [prompt.recorded-mask] */
export function recordedMaskIn(
  title: string,
  inputs: ReadonlyMap<string, Stored>,
  [b = 0, l = 0]: readonly number[],
): RecordedMask | null {
  if (Object.keys(AXES).every((key) => inputs.has(key)))
    throw new LoadError(
      `${title} has ${Object.keys(AXES).join(" and ")}; save the one that is to be compared  [prompt.recorded-mask]`,
    );
  for (const [key, axes] of Object.entries(AXES)) {
    const stored = inputs.get(key);
    if (!stored) continue;
    const { shape } = stored;
    if (shape.length !== axes || shape[0] !== b || shape[1] !== l) {
      const wanted = axes === 4 ? "images tiles" : "images";
      throw new LoadError(
        `${title}: ${key} has the shape [${shape.join(" ")}], not [${b} ${l} ${wanted}] for ${b} prompts of ${l} tokens  [prompt.recorded-mask]`,
      );
    }
    const values = stored instanceof Tensor ? stored.flat() : stored.flat();
    const other = values.findIndex((value) => value !== 0 && value !== 1);
    if (other >= 0)
      throw new LoadError(
        `${title}: ${key} is ${values[other]} at ${indexOf(other, shape)}; a recorded mask has 1 where attention is allowed, and 0 elsewhere  [prompt.recorded-mask]`,
      );
    return { key, images: shape[2] ?? 0, tiles: shape[3] ?? 1, allowed: Uint8Array.from(values) };
  }
  return null;
}

/** For each image of a prompt, the number of tiles that most rows with the image allow; the smaller one of two equally frequent ones. */
export function tilesInMask({ images, tiles, allowed }: RecordedMask, prompts: number): Tiles {
  if (allowed.length === 0) return { most: tiles, counts: [] };
  const length = allowed.length / (prompts * images * tiles);
  const rows = new Uint32Array(prompts * images * (tiles + 1)); // by prompt, image and number of tiles
  for (let cell = 0; cell * tiles < allowed.length; cell++) {
    const count = allowed.subarray(cell * tiles, (cell + 1) * tiles).reduce((sum, one) => sum + one, 0);
    const place = Math.floor(cell / (length * images)) * images + (cell % images);
    rows[place * (tiles + 1) + count] = (rows[place * (tiles + 1) + count] ?? 0) + 1;
  }
  const usual = (place: number): number => {
    const frequencies = rows.subarray(place * (tiles + 1) + 1, (place + 1) * (tiles + 1)); // rows without the image say nothing
    const most = frequencies.reduce((a, n) => Math.max(a, n), 0);
    return most === 0 ? 0 : frequencies.indexOf(most) + 1; // [prompt.recorded-mask]
  };
  const list = (b: number) => Array.from({ length: images }, (_, m) => usual(b * images + m));
  return { most: tiles, counts: Array.from({ length: prompts }, (_, b) => list(b)) };
}

/** A row of a recorded mask: the images of which it allows a tile, and the first of them whose tiles are not the expected ones. */
function recordedRow(recorded: RecordedMask, start: number, prompt: number, tiles: Tiles) {
  const images: number[] = [];
  let different: RecordedMaskFinding["tiles"] = null;
  for (let image = 1; image <= recorded.images; image++) {
    const at = start + (image - 1) * recorded.tiles;
    const cells = recorded.allowed.subarray(at, at + recorded.tiles);
    const own = Array.from(cells, (allowed, t) => (allowed ? t + 1 : 0)).filter((tile) => tile > 0);
    if (own.length === 0) continue;
    images.push(image);
    const expected = tilesOf(tiles, prompt, image);
    const same = own.length === expected && own.at(-1) === expected; // [prompt.recorded-mask]
    if (!same) different ??= { image, recorded: own, expected, most: tiles.most };
  }
  return { images: rangesOf(images, recorded.images), different };
}

/** The rows whose recorded mask is not the convention's mask; neighbouring rows that differ alike are one finding. [prompt.recorded-mask] */
export function recordedMaskFindings(
  recorded: RecordedMask,
  rows: readonly (readonly MaskRow[])[],
  convention: Convention,
  tiles: Tiles,
): RecordedMaskFinding[] {
  const findings: RecordedMaskFinding[] = [];
  const stride = recorded.images * recorded.tiles;
  rows.forEach((list, prompt) => {
    list.forEach(({ allowed: expected, position }, l) => {
      const row = recordedRow(recorded, (prompt * list.length + l) * stride, prompt, tiles);
      const agrees = sameRanges(row.images, expected);
      if (agrees && row.different === null) return;
      const where = { convention: convention.name, tensor: recorded.key, prompt };
      const run = { from: position, to: position, recorded: row.images, expected };
      const difference = agrees ? row.different : null;
      addRun<RecordedMaskFinding>(
        findings,
        { kind: "recorded-mask-mismatch", ...where, ...run, tiles: difference },
        alike,
      ); // [prompt.recorded-mask]
    });
  });
  return findings;
}

const alike = (a: RecordedMaskFinding, b: RecordedMaskFinding): boolean =>
  a.prompt === b.prompt &&
  sameRanges(a.recorded, b.recorded) &&
  sameRanges(a.expected, b.expected) &&
  a.tiles?.image === b.tiles?.image &&
  `${a.tiles?.recorded}` === `${b.tiles?.recorded}`;
