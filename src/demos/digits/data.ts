// Handwritten digits: 1,797 pictures of 8×8 pixels with their labels (golden/data/SOURCES.md).
import { loadSafetensors } from "../../io/safetensors/read.ts";
import { type Generator, hash } from "../../tensor/random.ts";
import { type Floats, Tensor, view } from "../../tensor/tensor.ts";

export const SIDE = 8;
const PIXELS = SIDE * SIDE;
/** The value of a fully black pixel in the file. */
const BLACK = 16;

export interface Picture {
  /** Row-major ink, 0 (white) to 1 (black). */
  readonly pixels: Floats;
  readonly digit: number;
}

export interface Digits {
  readonly train: readonly Picture[];
  readonly heldOut: readonly Picture[];
}

export function readDigits(path: string): Digits {
  const file = loadSafetensors(path);
  const [ink, labels] = [file.int("images").flat(), file.int("labels").flat()];
  file.close();
  const all = Array.from(labels, (digit, i): Picture => {
    return { digit, pixels: Float64Array.from(ink.subarray(i * PIXELS, (i + 1) * PIXELS), (x) => x / BLACK) };
  });
  const isHeldOut = (i: number): boolean => i % 6 === 5; // [digits.held-out]
  return { train: all.filter((_, i) => !isHeldOut(i)), heldOut: all.filter((_, i) => isHeldOut(i)) };
}

/** A digest of pictures and their digits, in their order, to recognise a run on the same data. */
export const digestOf = (pictures: readonly Picture[]): string =>
  hash(pictures.map(({ pixels, digit }) => `${digit} ${pixels.join(" ")}`).join("\n")).toString(16);

export const BLANK: Picture = { pixels: new Float64Array(PIXELS), digit: -1 };

/** A random item of a list. */
export const pick = <T>(items: readonly T[], { uniform }: Generator): T =>
  items[Math.floor(uniform() * items.length)] as T;

/** Pictures as a batch of images. */
export function asImages(pictures: readonly Picture[]): Tensor<"b c h w"> {
  const values = new Float64Array(pictures.length * PIXELS);
  for (const [i, { pixels }] of pictures.entries()) values.set(pixels, i * PIXELS);
  const shape = [pictures.length, 1, SIDE, SIDE];
  return new Tensor(shape, view(values, shape));
}

/** Sequences of equally many pictures as a batch. */
export function asSequences(rows: readonly (readonly Picture[])[]): Tensor<"b m c h w"> {
  const all = asImages(rows.flat());
  const shape = [rows.length, rows[0]?.length ?? 0, 1, SIDE, SIDE];
  return new Tensor(shape, view(all.data.data as Floats, shape));
}
