// The formats of image files, recognised by their first bytes, and the remedy for those that are not read.
import type { ByteSource } from "#host";
import { otherFormat } from "../other-formats.ts";

/** A test of a file's first bytes, as characters of one byte each. */
type Test = (text: string) => boolean;

const begins =
  (...starts: readonly string[]): Test =>
  (text) =>
    starts.some((start) => text.startsWith(start));
const reads =
  (pattern: RegExp): Test =>
  (text) =>
    pattern.test(text);
/** An ISO base media file with one of these brands. */
const isBrand =
  (...brands: readonly string[]): Test =>
  (text) =>
    brands.some((brand) => text.startsWith(`ftyp${brand}`, 4));

/** Image files, as the end of a sentence "this is …". */
const IMAGES: readonly (readonly [Test, string])[] = [
  [begins("GIF87a", "GIF89a"), "a GIF file, which may be animated"],
  [(text) => text.startsWith("RIFF") && text.startsWith("WEBP", 8), "a WebP file"],
  [(text) => text.startsWith("BM") && text.startsWith("\0\0\0\0", 6), "a BMP file"],
  [begins("II*\0", "MM\0*"), "a TIFF file"],
  [isBrand("avif", "avis"), "an AVIF file"],
  [isBrand("hei", "hev", "mif1", "msf1"), "a HEIC file, as phones take photographs"],
  [begins("\xff\x0a", "\0\0\0\x0cJXL "), "a JPEG XL file"],
  [begins("\0\0\0\x0cjP  ", "\xff\x4f\xff\x51"), "a JPEG 2000 file"],
  [begins("\0\0\x01\0"), "an icon file (ICO)"],
  [begins("8BPS"), "a Photoshop file"],
  [reads(/^P[1-7]\s/), "a Netpbm file (PBM, PGM or PPM)"],
  [reads(/^\s*(<\?xml.*)?<svg/is), "an SVG drawing"],
  [begins("%PDF"), "a PDF document"],
];

/** Other files that are taken for images, with the remedy. */
const OTHERS: readonly (readonly [Test, string])[] = [
  [
    (text) => text.startsWith("PNG", 1),
    "a PNG file that a transfer as text has changed; transfer it as binary",
  ],
  [isBrand(""), "a video; save a frame of it as PNG"],
  [
    reads(/^\s*[{[]\s*["{[\]}]/),
    "JSON text, such as a server's error message; check the address of the download",
  ],
  [begins("PK\x03\x04"), "a zip archive; unpack it, and name the image in it"],
];

export type ImageFormat = "png" | "jpeg";

/** Bytes that are read to recognise a file. */
const BEGINNING = 512;

/** The format of a file by its first bytes, whatever its name; of one that cannot be read, the end of a sentence "this is …". */
export function formatOf(source: ByteSource): ImageFormat | { readonly other: string } {
  const beginning = source.read(0, Math.min(BEGINNING, source.size));
  const text = Array.from(beginning, (byte) => String.fromCharCode(byte)).join("");
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  const match = ([test]: readonly [Test, string]): boolean => test(text);
  const image = IMAGES.find(match);
  if (image) return { other: `${image[1]}; save it as PNG` }; // [image.other-format]
  const other = OTHERS.find(match)?.[1] ?? otherFormat(source, [beginning], "image");
  return { other: other ?? "neither a PNG nor a JPEG file" };
}
