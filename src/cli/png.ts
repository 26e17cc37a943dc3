// Reads PNG (ISO/IEC 15948) as grey values: every colour type and depth, not interlaced.
import { inflateSync } from "node:zlib";
import { LoadError } from "../tensor/errors.ts";

export interface Grey {
  readonly width: number;
  readonly height: number;
  /** Row-major, 0 black to 1 white; what is transparent is seen on white. */
  readonly values: Float64Array;
}

/** Samples a pixel of each colour type: grey, -, rgb, palette, grey + alpha, -, rgba. */
const SAMPLES = [1, 0, 3, 1, 2, 0, 4];
const SIGNATURE = "89504e470d0a1a0a";
const LARGEST = 2 ** 26;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
}

const refuse = (name: string, why: string): LoadError => new LoadError(`${name}: ${why}`);

function chunksOf(bytes: Buffer, name: string): Map<string, Buffer> {
  if (bytes.subarray(0, 8).toString("hex") !== SIGNATURE) throw refuse(name, "it is no PNG");
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const kind = bytes.toString("latin1", at + 4, at + 8);
    if (at + 12 + length > bytes.length) throw refuse(name, `chunk ${kind} is cut short`);
    const body = bytes.subarray(at + 8, at + 8 + length);
    chunks.set(kind, Buffer.concat([chunks.get(kind) ?? Buffer.alloc(0), body]));
    at += 12 + length;
  }
  return chunks;
}

function headerOf(chunks: ReadonlyMap<string, Buffer>, name: string): Header {
  const ihdr = chunks.get("IHDR");
  if (ihdr?.length !== 13 || !chunks.has("IDAT")) throw refuse(name, "it has no picture");
  const [width, height] = [ihdr.readUInt32BE(0), ihdr.readUInt32BE(4)];
  const [depth = 0, colour = 0, , , interlaced = 0] = ihdr.subarray(8);
  if (width * height === 0 || width * height > LARGEST)
    throw refuse(name, `${width}×${height} pixels are none, or too many`);
  if (!SAMPLES[colour] || ![1, 2, 4, 8, 16].includes(depth)) throw refuse(name, "an unknown kind of pixel");
  if (interlaced !== 0) throw refuse(name, "it is interlaced; save it without");
  return { width, height, depth, colour };
}

/** Each byte was stored as a difference from what is left of it, above it, or both. */
function unfilter(raw: Buffer, stride: number, height: number, back: number): Uint8Array {
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const kind = raw[y * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const a = x >= back ? (out[at - back] ?? 0) : 0;
      const b = y > 0 ? (out[at - stride] ?? 0) : 0;
      const c = x >= back && y > 0 ? (out[at - stride - back] ?? 0) : 0;
      const guess = [0, a, b, (a + b) >> 1, paeth(a, b, c)][kind] ?? 0;
      out[at] = (raw[y * (stride + 1) + 1 + x] ?? 0) + guess;
    }
  }
  return out;
}

function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

/** The i-th sample of a row, as it stands. */
function sample(row: Uint8Array, depth: number, i: number): number {
  if (depth === 16) return ((row[2 * i] ?? 0) << 8) | (row[2 * i + 1] ?? 0);
  const bit = i * depth;
  return ((row[bit >> 3] ?? 0) >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}

/** How bright a colour is: ITU-R BT.601. */
const luma = (r: number, g: number, b: number): number => 0.299 * r + 0.587 * g + 0.114 * b;

export function readPng(bytes: Uint8Array, name: string): Grey {
  const chunks = chunksOf(Buffer.from(bytes), name);
  const { width, height, depth, colour } = headerOf(chunks, name);
  const samples = SAMPLES[colour] ?? 1;
  const stride = Math.ceil((width * samples * depth) / 8);
  const data = chunks.get("IDAT") ?? Buffer.alloc(0);
  let raw: Buffer;
  try {
    raw = inflateSync(data, { maxOutputLength: (stride + 1) * height });
  } catch {
    throw refuse(name, "its pixels cannot be unpacked");
  }
  if (raw.length !== (stride + 1) * height) throw refuse(name, "pixels are missing");
  const rows = unfilter(raw, stride, height, Math.max(1, (samples * depth) >> 3));
  const [palette, alphas] = [chunks.get("PLTE"), chunks.get("tRNS")];
  const most = 2 ** depth - 1;
  const values = new Float64Array(width * height);
  for (let i = 0; i < values.length; i++) {
    const row = rows.subarray(Math.floor(i / width) * stride);
    const at = (s: number): number => sample(row, depth, (i % width) * samples + s);
    const entry = at(0);
    const three = [0, 1, 2].map((s) =>
      colour === 3 ? (palette?.[3 * entry + s] ?? 0) / 255 : at(samples > 2 ? s : 0) / most,
    ) as [number, number, number];
    const alpha =
      colour === 3 ? (alphas?.[entry] ?? 255) / 255 : samples % 2 === 0 ? at(samples - 1) / most : 1;
    values[i] = alpha * luma(...three) + 1 - alpha;
  }
  return { width, height, values };
}
