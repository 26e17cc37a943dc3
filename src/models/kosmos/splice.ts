// Where the vectors of images stand in a text: Huang et al. (KOSMOS-1), arXiv 2302.14045, §2.1: embeddings of images are put between the
// tokens <image> and </image>, in one sequence with the embeddings of tokens.
import { RuleError } from "../../tensor/errors.ts";
import { concat, rearrange } from "../../tensor/ops/arrange.ts";
import { gather } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { Bool, Int, type Tensor } from "../../tensor/tensor.ts";
import { rowsOf } from "../language-model.ts";
import type { KosmosTokens } from "./layout.ts";

/** Ids in which every vector has a place of its own, which has the id of the image token. */
export interface SplicedText {
  readonly ids: Int<"b s">;
  /** False for padding. */
  readonly mask: Bool<"b s">;
}

type ImageTokens = Pick<KosmosTokens, "image" | "imageEnd">;

/** The number of image tokens beside each other from `at` on. */
function runAt(row: readonly number[], at: number, image: number): number {
  let end = at;
  while (row[end] === image) end++;
  return end - at;
}

/** A row in which every image has a place for each of its `slots` vectors. Throws a RuleError for an image token outside of such a place. */
function withPlaces(
  row: readonly number[],
  b: number,
  { image, imageEnd }: ImageTokens,
  slots: number,
): number[] {
  const out: number[] = [];
  const refusal = (found: string): RuleError =>
    new RuleError(
      `row ${b} has ${found}: the place of an image is <image> </image> (ids ${image} ${imageEnd}), or <image>, ${slots} further image tokens and </image>`,
      "kosmos.places",
    );
  for (let at = 0; at < row.length; at++) {
    const id = row[at] ?? 0;
    if (id === imageEnd) throw refusal(`</image> without an image before it at position ${at}`);
    if (id !== image) {
      out.push(id);
      continue;
    }
    const run = runAt(row, at, image);
    if (row[at + run] !== imageEnd) throw refusal(`no </image> behind <image> at position ${at}`);
    if (run !== 1 && run !== slots + 1) throw refusal(`${run} image tokens from position ${at} on`);
    for (let i = 0; i <= slots; i++) out.push(image); // [kosmos.splice]
    out.push(imageEnd);
    at += run;
  }
  return out;
}

/** The rows of a batch without their padding, which is at the right. Throws a RuleError for padding elsewhere. */
export function withoutPadding(
  rows: readonly (readonly number[])[],
  mask: Bool<"b l"> | null,
  pad: number,
): readonly (readonly number[])[] {
  const refusal = (b: number) =>
    new RuleError(
      `row ${b} has padding in front of a token; pad at the right: in torchscale a token that may attend to nothing is NaN, and makes every other token NaN`,
      "kosmos.padding",
    );
  const l = rows[0]?.length ?? 0;
  const real = mask?.flat();
  return rows.map((row, b) => {
    if (!real) {
      if (row[0] === pad && row.some((id) => id !== pad)) throw refusal(b); // [kosmos.padding]
      return row;
    }
    const marks = real.subarray(b * l, (b + 1) * l);
    const length = marks.lastIndexOf(1) + 1;
    if (marks.subarray(0, length).includes(0)) throw refusal(b); // [kosmos.padding]
    return row.slice(0, length);
  });
}

/**
 * A batch in which every vector has a place. Rows had `l` ids with their padding, and keep it, at the right; those with fewer images than
 * others get more of it. Throws a RuleError for an image token that is not part of the place of an image.
 */
export function splicedText(
  rows: readonly (readonly number[])[],
  tokens: KosmosTokens,
  slots: number,
  l: number,
): SplicedText {
  const placed = rows.map((row, b) => withPlaces(row, b, tokens, slots));
  const s = placed.reduce((most, row, b) => Math.max(most, l + row.length - (rows[b]?.length ?? 0)), 0);
  const ids = new Int32Array(placed.length * s).fill(tokens.pad);
  const mask = new Uint8Array(placed.length * s);
  for (const [b, row] of placed.entries()) {
    ids.set(row, b * s);
    mask.fill(1, b * s, b * s + row.length);
  }
  return { ids: new Int([placed.length, s], ids), mask: new Bool([placed.length, s], mask) };
}

/** For each position which vector stands there: −1 for a token, otherwise image · slots + vector, images counted within the row. */
export function vectorsAt({ ids, mask }: SplicedText, image: number, slots: number): Int<"b s"> {
  const [b = 0, s = 0] = ids.shape;
  const [all, real] = [ids.flat(), mask.flat()];
  const places = new Int32Array(b * s).fill(-1);
  for (let row = 0; row < b; row++) {
    let [images, run] = [0, 0];
    for (let i = row * s; i < (row + 1) * s; i++) {
      run = real[i] === 1 && all[i] === image ? run + 1 : 0;
      if (run === 1) images++;
      if (run > 1) places[i] = (images - 1) * slots + (run - 2); // [kosmos.splice]
    }
  }
  return new Int([b, s], places);
}

/** The place of each token among the tokens of its row, vectors and padding not counted. */
export function tokenPlaces({ mask }: SplicedText, places: Int<"b s">): Int<"b s"> {
  const [b = 0, s = 0] = places.shape;
  const [real, vectors] = [mask.flat(), places.flat()];
  const at = new Int32Array(b * s);
  for (let row = 0; row < b; row++) {
    let tokens = 0;
    for (let i = row * s; i < (row + 1) * s; i++) {
      at[i] = tokens;
      if (real[i] === 1 && (vectors[i] ?? 0) < 0) tokens++; // [kosmos.published]
    }
  }
  return new Int([b, s], at);
}

/** The vectors of a call's images. */
export interface ImageVectors {
  readonly all: Tensor<"n r d">;
  /** The number of images of each row; null: the images of all rows follow each other. */
  readonly perRow: number | null;
}

/** A form of images without the axis of rows. `axes` is the number of axes that it then has. */
export function formOf(
  caller: string,
  name: string,
  x: Tensor,
  axes: number,
): { readonly all: Tensor; readonly perRow: number | null } {
  if (x.shape.length === axes) return { all: x, perRow: null };
  if (x.shape.length === axes + 1) {
    const [, m = 0] = x.shape;
    return { all: rearrange("b m ... -> (b m) ...", x), perRow: m };
  }
  throw new RuleError(
    `${caller}: ${name} is [${x.shape.join(" ")}]; it has ${axes} axes, or ${axes + 1} with the rows of the batch in front of the images of each`,
    "kosmos.images",
  );
}

/** The number of images of each row. */
function imageCounts(places: Int<"b s">, slots: number): number[] {
  return rowsOf(places).map((row) =>
    row.reduce((most, place) => Math.max(most, Math.floor(place / slots) + 1), 0),
  );
}

const mismatch = (found: string): RuleError =>
  new RuleError(
    `${found}: give one image for each <image> </image> of the text, in the order in which they are read`,
    "kosmos.images",
  );

/** Throws a RuleError for images that no text reads: those of a batch are all read, and of those of rows each by at least one. */
export function checkSurplus(places: Int<"b s">, vectors: ImageVectors | null, slots: number): void {
  if (!vectors) return;
  const counts = imageCounts(places, slots);
  const [given = 0] = vectors.all.shape;
  const read = vectors.perRow === null ? counts.reduce((sum, n) => sum + n, 0) : Math.max(0, ...counts);
  if (read < (vectors.perRow ?? given))
    throw mismatch(
      vectors.perRow === null
        ? `the texts have ${read} images, and ${given} are given`
        : `no text has more than ${read} images, and ${vectors.perRow} are given for each`,
    );
}

/** The vector of each position, as its row among those of all images; negative for tokens. Throws a RuleError where images are missing. */
export function vectorRows(places: Int<"b s">, vectors: ImageVectors | null, slots: number): Int<"b s"> {
  const counts = imageCounts(places, slots);
  const [given = 0] = vectors?.all.shape ?? [];
  const perRow = vectors?.perRow ?? null;
  if (perRow !== null && given !== perRow * counts.length)
    throw mismatch(`there are images for ${given / perRow} texts, and ${counts.length} texts`);
  const first: number[] = [];
  let before = 0;
  for (const [row, count] of counts.entries()) {
    first.push(before);
    before += perRow ?? count; // [kosmos.order]
    if (perRow === null ? before > given : count > perRow)
      throw mismatch(
        `row ${row} has ${count} images in its text, and ${perRow ?? given - (first[row] ?? 0)} are given for it`,
      );
  }
  const s = places.shape[1] ?? 0;
  const rows = places
    .flat()
    .map((place, i) => (place < 0 ? place : (first[Math.floor(i / s)] ?? 0) * slots + place));
  return new Int(places.shape, rows);
}

/** The last `l` columns. */
export function lastOf(x: Int<"b s">, l: number): Int<"b l"> {
  const rows = rowsOf(x).map((row) => row.slice(row.length - l));
  return new Int([rows.length, l], Int32Array.from(rows.flat()));
}

/** Embeddings of tokens, with row `from[i]` of the vectors in place of each position i that has one; `from` is negative for tokens. */
export function spliced(
  embedded: Tensor<"b l d">,
  vectors: Tensor<"n r d">,
  from: Int<"b l">,
): Tensor<"b l d"> {
  const [b = 0, l = 0] = embedded.shape;
  // #region splice
  const tokens = named("t d", rearrange("b l d -> (b l) d", embedded));
  const images = named("v d", rearrange("n r d -> (n r) d", vectors));
  const table = concat("t d, v d -> a d", tokens, images);
  const rows = from.flat().map((row, i) => (row < 0 ? i : b * l + row));
  return gather(table, new Int<"b l">([b, l], rows)); // [kosmos.splice]
  // #endregion
}
