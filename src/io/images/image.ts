// Images of 8-bit samples, and the conversion of decoded files to them as Pillow's Image.convert("RGB") and convert("L") do it.
import { ShapeError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";

/** An image of 8-bit samples: rows from the top, pixels from the left, the samples of a pixel side by side: red, green, blue, or grey alone. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** [height × width × channels] */
  readonly data: Uint8Array;
}

/** Pillow's names: three channels, or one of grey. */
export type ImageMode = "RGB" | "L";

/** Pillow's mode of an opened file, in which its `resize` works. */
export type FileMode = "1" | "L" | "I;16" | "LA" | "P" | "RGB" | "RGBA" | "CMYK";

/** The samples as a file holds them. */
export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  /** CMYK is in Adobe's form: 255 is no ink. */
  readonly layout: "grey" | "grey-alpha" | "rgb" | "rgba" | "cmyk";
  /** The value of white. Samples of 1, 2 and 4 bits have been scaled to 8. */
  readonly most: 255 | 65535;
  readonly mode: FileMode;
  readonly samples: Uint8Array | Uint16Array;
}

export const SAMPLES = { grey: 1, "grey-alpha": 2, rgb: 3, rgba: 4, cmyk: 4 } as const;

/** Throws a ShapeError unless the numbers of an image fit together. */
export function checkImage(caller: string, image: Image): void {
  checkMember(caller, { image }, "width", "an image, as readImage returns it");
  const { width, height, channels, data } = image;
  const isSide = (n: unknown): boolean => Number.isInteger(n) && Number(n) > 0;
  if (!isSide(width) || !isSide(height) || (channels !== 1 && channels !== 3))
    throw new ShapeError(
      `an image of ${width}×${height} pixels with ${channels} channels; it needs whole sides of at least 1, and 1 or 3 channels  [image.value]`,
    );
  if (!(data instanceof Uint8Array) || data.length !== width * height * channels)
    throw new ShapeError(
      `an image of ${width}×${height} pixels with ${channels} channels needs ${width * height * channels} bytes, not ${data?.length}  [image.value]`,
    ); // [image.value]
}

/** ITU-R BT.601 luma in 16-bit fixed point (Convert.c of Pillow, L24). [image.grey] */
const luma = (r: number, g: number, b: number): number => (19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16;

/** a·b / 255, rounded, without a division (ImagingUtils.h of Pillow, MULDIV255). */
export const multiplied = (a: number, b: number): number => {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
};

type Colour = (samples: ArrayLike<number>, at: number) => readonly [r: number, g: number, b: number];

/** Samples of 16 bits become their high byte; Pillow clips those of mode I;16 instead. */
function byteOf({ most, mode }: DecodedImage): (sample: number) => number {
  if (most === 255) return (sample) => sample;
  return mode === "I;16" ? (sample) => Math.min(sample, 255) : (sample) => sample >> 8; // [image.sixteen-bits]
}

/** The colour of a pixel in 8 bits; alpha is left out, and what it hides keeps its colour. [image.alpha] */
function colourOf(image: DecodedImage): Colour {
  const byte = byteOf(image);
  const sample = (samples: ArrayLike<number>, at: number): number => byte(samples[at] ?? 0);
  if (image.layout === "cmyk")
    return (samples, at) => {
      const white = sample(samples, at + 3);
      const paper = (ink: number): number => white - multiplied(255 - sample(samples, at + ink), white);
      return [paper(0), paper(1), paper(2)]; // [image.cmyk]
    };
  const [green, blue] = SAMPLES[image.layout] < 3 ? [0, 0] : [1, 2];
  return (samples, at) => [sample(samples, at), sample(samples, at + green), sample(samples, at + blue)];
}

/** The image in a mode, as Pillow's `convert` makes it. */
export function converted(image: DecodedImage, mode: ImageMode): Image {
  const { width, height, layout, samples } = image;
  const [colour, step] = [colourOf(image), SAMPLES[layout]];
  const channels = mode === "RGB" ? 3 : 1;
  const data = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const rgb = colour(samples, pixel * step);
    if (mode === "RGB") data.set(rgb, 3 * pixel);
    else data[pixel] = luma(...rgb); // [image.grey]
  }
  return { width, height, channels, data };
}
