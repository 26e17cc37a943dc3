// Reads the parts of a dropped file that the page needs. A file of tensors can be larger than memory: its header is read first, then
// the tensors that hold the text and the attention.
import { type ByteSource, fromBytes } from "#host";
import { readHeader, type TensorInfo } from "../../../io/safetensors/header.ts";
import { isCrossAttentionWeights } from "../../../models/flamingo/names.ts";
import { LoadError } from "../../../tensor/errors.ts";

const MB = 1_000_000;
/** Files up to this size are read whole. */
const WHOLE_BYTES = 16 * MB;
/** The largest number of bytes that are read from a drop. */
export const MOST_BYTES = 128 * MB;
const LONGEST_HEADER = 25 * MB;
/** Bytes from which another format is recognised. */
const RECOGNISED = 4096;

/** Tensors that locate images, and recorded masks. */
const TEXT = [
  "media_locations",
  "text",
  "input_ids",
  "cross_attention_mask",
  "image_attention_mask",
  "aspect_ratio_mask",
];

interface Part {
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** A source of which some parts are in memory. */
class Parts implements ByteSource {
  readonly size: number;
  readonly #name: string;
  readonly #parts: readonly Part[];

  constructor(name: string, size: number, parts: readonly Part[]) {
    this.#name = name;
    this.size = size;
    this.#parts = parts;
  }

  read(from: number, to: number): Uint8Array {
    const part = this.#parts.find((one) => one.from <= from && to <= one.from + one.bytes.length);
    if (part) return part.bytes.slice(from - part.from, to - part.from);
    throw tooLarge(this.#name, this.size);
  }

  close(): void {}
}

const tooLarge = (name: string, size: number): LoadError =>
  new LoadError(
    `${name} has ${Math.round(size / MB)} MB, and the page reads at most ${MOST_BYTES / MB} MB of a file. Save the text and the attention of one layer in a file of their own.`,
  );

async function partOf(file: Blob, from: number, to: number): Promise<Part> {
  return { from, bytes: new Uint8Array(await file.slice(from, to).arrayBuffer()) };
}

/** The tensors that the page reads: those that locate images, and those of cross-attention. */
export function isNeeded(key: string): boolean {
  const name = key.replace(/^(?:inputs|taps)\./, "");
  if (TEXT.includes(name)) return true;
  return isCrossAttentionWeights(name.replace(/scores(?:\.masked)?$/, "attn"));
}

/** The needed tensors, as many of them as may be read. */
function neededIn(tensors: ReadonlyMap<string, TensorInfo>): TensorInfo[] {
  let bytes = 0;
  return [...tensors].flatMap(([key, info]) => {
    const size = info.end - info.begin;
    if (!isNeeded(key) || bytes + size > MOST_BYTES) return [];
    bytes += size;
    return [info];
  });
}

/** Reads a small file whole, and the needed parts of a large file of tensors. Reading another part throws a LoadError. */
export async function sourceOf(name: string, file: Blob): Promise<ByteSource> {
  if (file.size <= WHOLE_BYTES) return fromBytes(await file.arrayBuffer());
  if (!name.endsWith(".safetensors")) throw tooLarge(name, file.size);
  const start = await partOf(file, 0, RECOGNISED);
  const length = start.bytes.subarray(0, 8).reduceRight((sum, byte) => sum * 256 + byte, 0);
  const hasHeader = length <= Math.min(LONGEST_HEADER, file.size - 8);
  const header = [start, ...(hasHeader ? [await partOf(file, 0, 8 + length)] : [])];
  const { tensors, dataAt } = readHeader(new Parts(name, file.size, header), name);
  const parts: Part[] = [];
  for (const { begin, end } of neededIn(tensors))
    parts.push(await partOf(file, dataAt + begin, dataAt + end));
  return new Parts(name, file.size, [...header, ...parts]);
}
