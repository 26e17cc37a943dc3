// The chunks of a PNG file (ISO/IEC 15948), with their checksums.
import { quoted } from "../../wording.ts";
import { refusal } from "../limits.ts";

const MOST_CHUNKS = 2 ** 17;

/** The types that a reader has to know: the first letter is a capital. */
const CRITICAL = ["IHDR", "PLTE", "IDAT", "IEND"];

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** The checksum of ISO/IEC 15948, annex D. */
export function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (TABLE[(value ^ byte) & 255] ?? 0) ^ (value >>> 8);
  return ~value >>> 0;
}

/** Bodies of the chunks by type. Throws a LoadError if the file does not end with a chunk IEND. */
export function chunksOf(file: Uint8Array, name: string): ReadonlyMap<string, readonly Uint8Array[]> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const chunks = new Map<string, Uint8Array[]>();
  let count = 0;
  for (let at = 8; at + 12 <= file.length; ) {
    if (++count > MOST_CHUNKS)
      throw refusal(name, `it has more than ${MOST_CHUNKS} chunks; save it again  [image.limits]`); // [image.limits]
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > file.length) break;
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (crc(file.subarray(at + 4, end)) !== view.getUint32(end))
      throw refusal(
        name,
        `the checksum of a chunk ${quoted(type)} is wrong: the file is damaged, so fetch or save it again  [image.damaged]`,
      ); // [image.damaged]
    if (/^[A-Z]/.test(type) && !CRITICAL.includes(type))
      throw refusal(
        name,
        `it has a chunk ${quoted(type)}, which the format does not have; save it again  [image.damaged]`,
      );
    const body = file.subarray(at + 8, end);
    const known = chunks.get(type);
    if (known) known.push(body);
    else chunks.set(type, [body]);
    if (type === "IEND") return chunks;
    at = end + 4;
  }
  throw refusal(name, "it has no end; it is cut short, so fetch or save it again  [image.damaged]"); // [image.damaged]
}
