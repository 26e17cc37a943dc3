// PNG files (ISO/IEC 15948) of every colour type and depth, interlaced or not. As in Pillow, gAMA and other hints on colours are not
// applied, and of an animation the default image is read.
import type { DecodedImage, FileMode } from "../image.ts";
import { inflated } from "../inflate.ts";
import { refusal } from "../limits.ts";
import { chunksOf } from "./chunks.ts";
import { columnsOf, type Header, headerOf, rowBytes, rowsOf } from "./header.ts";

/** The predictor that is nearest to a + b − c. */
function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

type Predict = (left: number, above: number, aboveLeft: number) => number;

/** None, Sub, Up, Average, Paeth. */
const FILTERS: readonly Predict[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  paeth,
];

/** Undoes the filters of a pass in place: `rows` rows of a filter byte and `bytes` bytes, from `start`. */
function unfilter(data: Uint8Array, start: number, rows: number, bytes: number, step: number, name: string) {
  for (let row = 0; row < rows; row++) {
    const at = start + row * (bytes + 1) + 1;
    const predict = FILTERS[data[at - 1] ?? 0];
    if (!predict)
      throw refusal(name, `a row has the filter ${data[at - 1]}; there are 0 to 4  [image.damaged]`);
    for (let i = 0; i < bytes; i++) {
      const left = i < step ? 0 : (data[at + i - step] ?? 0);
      const above = row === 0 ? 0 : (data[at + i - bytes - 1] ?? 0);
      const aboveLeft = row === 0 || i < step ? 0 : (data[at + i - bytes - 1 - step] ?? 0);
      data[at + i] = (data[at + i] ?? 0) + predict(left, above, aboveLeft);
    }
  }
}

/** The n-th sample of a row. Samples below 8 bits lie in a byte from its high bits. */
function sampleReader(data: Uint8Array, depth: number): (row: number, n: number) => number {
  if (depth === 8) return (row, n) => data[row + n] ?? 0;
  if (depth === 16) return (row, n) => 256 * (data[row + 2 * n] ?? 0) + (data[row + 2 * n + 1] ?? 0);
  const each = 8 / depth;
  return (row, n) =>
    ((data[row + Math.floor(n / each)] ?? 0) >> (8 - depth * ((n % each) + 1))) & (2 ** depth - 1);
}

interface Colours {
  readonly palette: Uint8Array;
  /** The chunk tRNS: the alpha of palette colours, or the transparent colour in 16 bits a sample. */
  readonly transparency: Uint8Array;
}

type Write = (pixel: number, row: number, column: number) => void;

/** Writes an indexed pixel's colour. */
function paletteWriter(
  { channels }: Header,
  { palette, transparency }: Colours,
  read: (row: number, n: number) => number,
  samples: DecodedImage["samples"],
  name: string,
): Write {
  return (pixel, row, column) => {
    const index = read(row, column);
    if (3 * index >= palette.length)
      throw refusal(
        name,
        `a pixel has colour ${index}, and the palette has ${palette.length / 3}; save it again  [image.damaged]`,
      );
    for (let channel = 0; channel < 3; channel++)
      samples[pixel * channels + channel] = palette[3 * index + channel] ?? 0; // [image.samples]
    if (channels === 4) samples[pixel * channels + 3] = transparency[index] ?? 255;
  };
}

/** Writes a pixel's samples, scaled to 8 bits where there are fewer, and its alpha where one colour is transparent. */
function sampleWriter(
  header: Header,
  { transparency }: Colours,
  read: (row: number, n: number) => number,
  target: DecodedImage["samples"],
): Write {
  const { depth, samples, channels } = header;
  const scale = depth < 8 ? 255 / (2 ** depth - 1) : 1;
  const most = depth === 16 ? 65535 : 255;
  const mask = 2 ** depth - 1;
  const key = Array.from({ length: samples }, (_, n) => {
    const value = 256 * (transparency[2 * n] ?? 0) + (transparency[2 * n + 1] ?? 0);
    return value & mask;
  });
  return (pixel, row, column) => {
    let same = true;
    for (let n = 0; n < samples; n++) {
      const value = read(row, column * samples + n);
      target[pixel * channels + n] = value * scale; // [image.samples]
      same &&= value === key[n];
    }
    if (channels > samples) target[pixel * channels + samples] = same ? 0 : most;
  };
}

const LAYOUTS = { 1: "grey", 2: "grey-alpha", 3: "rgb", 4: "rgba" } as const;

function coloursOf(
  chunks: ReadonlyMap<string, readonly Uint8Array[]>,
  { colour }: Header,
  name: string,
): Colours {
  const [palette = new Uint8Array(0)] = chunks.get("PLTE") ?? [];
  const [transparency = new Uint8Array(0)] = chunks.get("tRNS") ?? [];
  if (palette.length > 3 * 256 || palette.length % 3 !== 0)
    throw refusal(
      name,
      "its palette has more than 256 colours, or a part of one; save it again  [image.damaged]",
    );
  if (colour === 3 && palette.length === 0)
    throw refusal(name, "its palette is missing; save it again  [image.damaged]");
  return { palette, transparency };
}

/** Pillow's mode of a file (PngImagePlugin.py, _MODES): a transparent colour does not count. */
function modeOf({ colour, depth }: Header): FileMode {
  if (colour === 0) return depth === 1 ? "1" : depth === 16 ? "I;16" : "L";
  if (colour === 4) return depth === 16 ? "RGBA" : "LA";
  return colour === 2 ? "RGB" : colour === 3 ? "P" : "RGBA";
}

/** `name` is the file's name for error messages. */
export async function decodePng(file: Uint8Array, name: string): Promise<DecodedImage> {
  const chunks = chunksOf(file, name);
  const header = headerOf(chunks, name);
  const { width, height, depth, channels, passes } = header;
  const colours = coloursOf(chunks, header, name);
  const data = await inflated(chunks.get("IDAT") ?? [], header.size);
  if (data === "damaged") throw refusal(name, "its pixels cannot be decompressed  [image.damaged]");
  if (typeof data === "string")
    throw refusal(name, `it has ${data} data than ${width}×${height} pixels need  [image.damaged]`);
  const samples = new (depth === 16 ? Uint16Array : Uint8Array)(width * height * channels);
  const read = sampleReader(data, depth);
  const write =
    header.colour === 3
      ? paletteWriter(header, colours, read, samples, name)
      : sampleWriter(header, colours, read, samples);
  let start = 0;
  for (const pass of passes) {
    const [left, top, across, down] = pass;
    const [columns, rows] = [columnsOf(header, pass), rowsOf(header, pass)];
    const bytes = rowBytes(columns, header);
    unfilter(data, start, rows, bytes, Math.max(1, (depth * header.samples) / 8), name);
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++)
        write((top + y * down) * width + left + x * across, start + y * (bytes + 1) + 1, x);
    start += rows * (bytes + 1);
  }
  const most = depth === 16 ? 65535 : 255;
  return { width, height, layout: LAYOUTS[channels], most, mode: modeOf(header), samples };
}
