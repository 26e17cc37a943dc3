// The header and the palette of a PNG file, checked before anything is decompressed.
import { checkSize, MOST_BYTES, refusal } from "../limits.ts";

/** The depths that each colour type may have: grey, RGB, palette, grey and alpha, RGB and alpha. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Columns and rows of a pass: the first one, and the step to the next. */
export type Pass = readonly [left: number, top: number, across: number, down: number];

const WHOLE: readonly Pass[] = [[0, 0, 1, 1]];
const ADAM7: readonly Pass[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

export interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  /** Stored samples of a pixel; an index into the palette is one. */
  readonly samples: number;
  /** Passes that have pixels. */
  readonly passes: readonly Pass[];
  /** Bytes of the decompressed data: each row of each pass has a filter byte. */
  readonly size: number;
  /** Samples of a pixel in the decoded image, the alpha of a palette or of a transparent colour included. */
  readonly channels: 1 | 2 | 3 | 4;
}

export const columnsOf = ({ width }: Pick<Header, "width">, [left, , across]: Pass): number =>
  Math.max(0, Math.ceil((width - left) / across));
export const rowsOf = ({ height }: Pick<Header, "height">, [, top, , down]: Pass): number =>
  Math.max(0, Math.ceil((height - top) / down));
export const rowBytes = (columns: number, { depth, samples }: Pick<Header, "depth" | "samples">): number =>
  Math.ceil((columns * depth * samples) / 8);

type Chunks = ReadonlyMap<string, readonly Uint8Array[]>;

/** Throws a LoadError for a header that the format does not have, and for images beyond the limits. */
export function headerOf(chunks: Chunks, name: string): Header {
  const [header, ...others] = chunks.get("IHDR") ?? [];
  if (chunks.keys().next().value !== "IHDR" || header?.length !== 13 || others.length > 0)
    throw refusal(name, "it does not begin with one header of 13 bytes; save it again  [image.damaged]");
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  checkSize(name, width, height);
  const [depth = 0, colour = 0, compression, filter, interlacing = 0] = header.subarray(8);
  if (!DEPTHS[colour]?.includes(depth))
    throw refusal(
      name,
      `the format has no colour type ${colour} with depth ${depth}; save it again  [image.damaged]`,
    );
  if (compression !== 0 || filter !== 0 || interlacing > 1)
    throw refusal(
      name,
      "its header names a compression, filter or interlacing that the format does not have; save it again  [image.damaged]",
    );
  const samples = SAMPLES[colour] ?? 1;
  const passes = (interlacing === 1 ? ADAM7 : WHOLE).filter(
    (pass) => columnsOf({ width }, pass) > 0 && rowsOf({ height }, pass) > 0,
  );
  const size = passes.reduce((sum, pass) => {
    const bytes = rowBytes(columnsOf({ width }, pass), { depth, samples });
    return sum + rowsOf({ height }, pass) * (1 + bytes);
  }, 0);
  const transparency = chunks.has("tRNS") && colour < 4 ? 1 : 0;
  const channels = ((colour === 3 ? 3 : samples) + transparency) as Header["channels"];
  if (width * height * channels * (depth === 16 ? 2 : 1) > MOST_BYTES)
    throw refusal(
      name,
      `its pixels have more than ${MOST_BYTES} bytes; save it with 8 bits a channel  [image.limits]`,
    ); // [image.limits]
  return { width, height, depth, colour, samples, passes, size, channels };
}
