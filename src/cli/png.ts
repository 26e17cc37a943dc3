// Reads PNG files (ISO/IEC 15948) as grey values. pngjs decodes them; the sizes that a file claims are checked before that.
import { inflateSync } from "node:zlib";
import { PNG } from "pngjs";
import { openFile } from "#host";
import { type GreyPicture, greyOf } from "../demos/digits/scan.ts";
import { LoadError } from "../tensor/errors.ts";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
/** Limits that keep reading within seconds and a few hundred megabytes. A photo of 16 megapixels in 8 bits is within them. */
const MOST_PIXELS = 2 ** 24;
const MOST_BYTES = 2 ** 26;
const MOST_CHUNKS = 2 ** 17;
const MOST_PALETTE = 3 * 256;

/** Samples of a pixel of each colour type: grey, RGB, palette, grey and alpha, RGB and alpha. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** The depths that each colour type may have. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

const refusal = (name: string, reason: string): LoadError => new LoadError(`${name}: ${reason}`);

/** Bodies of the chunks by type, as far as the file has whole chunks. */
function chunksOf(file: Buffer, name: string): Map<string, Buffer[]> {
  const chunks = new Map<string, Buffer[]>();
  let count = 0;
  for (let at = SIGNATURE.length; at + 12 <= file.length; ) {
    if (++count > MOST_CHUNKS) throw refusal(name, `it has more than ${MOST_CHUNKS} chunks; save it again`);
    const length = file.readUInt32BE(at);
    const type = file.toString("latin1", at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    const known = chunks.get(type);
    if (known) known.push(body);
    else chunks.set(type, [body]);
    at += 12 + length;
  }
  return chunks;
}

/** First column, first row, and the steps between columns and rows: of a whole picture, and of the passes of Adam7. */
const WHOLE = [[0, 0, 1, 1]] as const;
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Bytes of the decompressed data: each row of each pass has a filter byte. */
function dataSize(width: number, height: number, bits: number, interlaced: boolean): number {
  return (interlaced ? ADAM7 : WHOLE).reduce((sum, [left, top, across, down]) => {
    const [columns, rows] = [Math.ceil((width - left) / across), Math.ceil((height - top) / down)];
    return columns > 0 && rows > 0 ? sum + rows * (1 + Math.ceil((columns * bits) / 8)) : sum;
  }, 0);
}

/** The length of decompressed data; Infinity beyond `most`. */
function inflatedLength(data: Buffer, most: number, name: string): number {
  try {
    return inflateSync(data, { maxOutputLength: most }).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") return Infinity;
    throw refusal(name, "its pixels cannot be decompressed");
  }
}

/** Refuses a file without a proper header, and one that would take more memory than a picture of the largest size. */
function checkSizes(file: Buffer, name: string): void {
  if (!file.subarray(0, 8).equals(SIGNATURE)) throw refusal(name, "it is not a PNG file");
  const chunks = chunksOf(file, name);
  const [header, ...otherHeaders] = chunks.get("IHDR") ?? [];
  if (header?.length !== 13 || otherHeaders.length > 0)
    throw refusal(name, "it does not have one header of 13 bytes");
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  if (width * height === 0)
    throw refusal(
      name,
      `its header claims ${width}×${height} pixels, and there is nothing to read; save it again`,
    );
  if (width * height > MOST_PIXELS)
    throw refusal(
      name,
      `its header claims ${width}×${height} pixels; at most ${MOST_PIXELS} can be read; make it smaller`,
    );
  const [depth = 0, colour = 0] = header.subarray(8);
  if (!DEPTHS[colour]?.includes(depth))
    throw refusal(name, `the format has no colour type ${colour} with depth ${depth}`);
  if (chunks.get("PLTE")?.some(({ length }) => length > MOST_PALETTE))
    throw refusal(name, "its palette has more than 256 colours");
  const bits = depth * (SAMPLES[colour] ?? 1);
  if (width * height * bits > 8 * MOST_BYTES)
    throw refusal(name, `its pixels have more than ${MOST_BYTES} bytes; save it with 8 bits a channel`);
  const bytes = dataSize(width, height, bits, header[12] === 1);
  const length = inflatedLength(Buffer.concat(chunks.get("IDAT") ?? []), bytes, name);
  if (length !== bytes)
    throw refusal(
      name,
      `it has ${length < bytes ? "less" : "more"} data than ${width}×${height} pixels need`,
    );
  if (!chunks.has("IEND")) throw refusal(name, "it has no end; it is cut short, so fetch or save it again");
}

/** Any colour type and depth, interlaced or not. `name` is the file's name for error messages. */
export function readPng(bytes: Uint8Array, name: string): GreyPicture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkSizes(file, name);
  try {
    const { width, height, data, depth, palette } = PNG.sync.read(file, { skipRescale: true });
    return greyOf(width, height, data, palette ? 255 : 2 ** depth - 1); // a palette has colours of 8 bits
  } catch (error) {
    throw refusal(
      name,
      `it cannot be decoded (${error instanceof Error ? error.message : error}); save it again`,
    );
  }
}

/** Reads a file of pixels. A file that is too large, or is no PNG file, is refused before it is read. */
export function readPngFile(path: string): GreyPicture {
  const file = openFile(path);
  try {
    if (!SIGNATURE.equals(file.read(0, Math.min(SIGNATURE.length, file.size))))
      throw refusal(path, "it is not a PNG file");
    if (file.size > MOST_BYTES)
      throw refusal(path, `it has ${file.size} bytes; at most ${MOST_BYTES} can be read; make it smaller`);
    return readPng(file.read(0, file.size), path);
  } finally {
    file.close();
  }
}
