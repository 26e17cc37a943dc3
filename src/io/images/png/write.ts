// Writes PNG files of 8-bit samples (ISO/IEC 15948), without filters.
import { joined } from "../../file-content.ts";
import { checkImage, type Image } from "../image.ts";
import { crc } from "./chunks.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** The colour types of grey and RGB. */
const COLOUR = { 1: 0, 3: 2 } as const;

/** Length, type, body and checksum. */
function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + 12);
  const numbers = new DataView(bytes.buffer);
  numbers.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(body, 8);
  numbers.setUint32(body.length + 8, crc(bytes.subarray(4, body.length + 8)));
  return bytes;
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const compressed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(compressed).arrayBuffer());
}

/** The bytes of a PNG file with the image. Throws a ShapeError if the numbers of the image do not fit together. */
export async function encodePng(image: Image): Promise<Uint8Array> {
  checkImage("encodePng", image);
  const { width, height, channels, data } = image;
  const header = new Uint8Array(13);
  const numbers = new DataView(header.buffer);
  numbers.setUint32(0, width);
  numbers.setUint32(4, height);
  header.set([8, COLOUR[channels]], 8);
  const row = width * channels;
  const rows = new Uint8Array(height * (row + 1)); // each row begins with the number of its filter, 0
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1); // [image.png-out]
  return joined([
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", await deflated(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}
