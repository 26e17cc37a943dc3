// Reads image files: PNG and JPEG, as Pillow reads them.
import { type ByteSource, openFile } from "#host";
import { RuleError } from "../../tensor/errors.ts";
import { type FileContent, sourceOf } from "../file-content.ts";
import { quoted } from "../wording.ts";
import { formatOf } from "./formats.ts";
import { converted, type DecodedImage, type Image, type ImageMode } from "./image.ts";
import { decodeJpeg } from "./jpeg/decode.ts";
import { MOST_BYTES, refusal } from "./limits.ts";
import { decodePng } from "./png/decode.ts";

const DECODERS = { png: decodePng, jpeg: decodeJpeg } as const;

async function decoded(source: ByteSource, name: string): Promise<DecodedImage> {
  const format = formatOf(source);
  if (typeof format === "object") throw refusal(name, `this is ${format.other}  [image.other-format]`); // [image.other-format]
  if (source.size > MOST_BYTES)
    throw refusal(
      name,
      `it has ${source.size} bytes; at most ${MOST_BYTES} can be read; make it smaller  [image.limits]`,
    ); // [image.limits]
  return DECODERS[format](source.read(0, source.size), name);
}

/**
 * The samples of a file as it holds them, alpha and 16 bits included: what `imagePreprocessor` takes to do the steps of a release bit for bit.
 * `readImageFile` gives the 8-bit pixels of one mode, which every other function of images takes.
 */
export async function decodeImageFile(path: string): Promise<DecodedImage> {
  const file = openFile(path);
  try {
    return await decoded(file, path);
  } finally {
    file.close();
  }
}

export async function decodeImage(bytes: FileContent, name: string): Promise<DecodedImage> {
  return decoded(sourceOf(bytes, "readImage", "readImageFile"), name);
}

function checkMode(mode: ImageMode): void {
  if (mode !== "RGB" && mode !== "L")
    throw new RuleError(`the mode of an image is "RGB" or "L", not ${quoted(String(mode))}`, "image.modes"); // [image.modes]
}

/**
 * The image in a PNG or JPEG file, with the pixels of Pillow's `Image.open(…).convert(mode)`. Throws a LoadError that calls the
 * file `name` where it is of another format, damaged, or larger than 2²⁴ pixels. Throws a RuleError for a mode that is neither
 * RGB nor L.
 */
export async function readImage(bytes: FileContent, mode: ImageMode = "RGB", name = "image"): Promise<Image> {
  checkMode(mode);
  return converted(await decodeImage(bytes, name), mode);
}

/**
 * `readImage` of a file, by its path; `readImage` takes bytes that are in memory already, as in a page. Throws as `readImage` does. A file that is too large, or of another format, is refused before it is
 * read.
 */
export async function readImageFile(path: string, mode: ImageMode = "RGB"): Promise<Image> {
  checkMode(mode);
  return converted(await decodeImageFile(path), mode);
}
