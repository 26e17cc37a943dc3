// PNG files of 64-captions.md: pictures that other encoders wrote, and files that are broken on purpose.
import { spawnSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, crc32, deflateRawSync, deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { readPng, readPngFile } from "../../src/cli/png.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { temporary } from "../support/fixtures/temporary.ts";

const workspace = temporary();

interface Encoded {
  readonly encoder: string;
  /** The colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  readonly colour: 0 | 2 | 3 | 4 | 6;
  readonly depth: number;
  readonly interlaced: boolean;
  readonly paletteAlpha?: boolean;
  /** The colour of the pixel at (4, 3) is declared to be transparent. */
  readonly transparent?: boolean;
  readonly png: string;
}
const { width, height, images } = JSON.parse(
  readFileSync("spec/support/fixtures/png-images.json", "utf8"),
) as { readonly width: number; readonly height: number; readonly images: readonly Encoded[] };

/** The samples that the encoders were given. */
const sample = (x: number, y: number, channel: number, depth: number) =>
  (37 * x + 61 * y + 101 * channel) % 2 ** depth;

/** Red, green, blue and alpha of a pixel, from 0 to 1. */
function colourAt({ colour, depth, paletteAlpha, transparent }: Encoded, x: number, y: number): number[] {
  const at = (channel: number) => sample(x, y, channel, depth) / (2 ** depth - 1);
  if (colour === 3) {
    const i = sample(x, y, 0, depth);
    const alpha = paletteAlpha ? 255 - ((29 * i) % 256) : 255;
    return [...[0, 1, 2].map((channel) => ((53 * i + 97 * channel) % 256) / 255), alpha / 255];
  }
  const channels = colour === 2 || colour === 6 ? [0, 1, 2] : [0, 0, 0];
  const hidden = transparent && channels.every((c) => sample(x, y, c, depth) === sample(4, 3, c, depth));
  const alpha = colour === 4 ? at(1) : colour === 6 ? at(3) : hidden ? 0 : 1;
  return [...channels.map(at), alpha];
}

test.each(images)("$encoder: colour type $colour, depth $depth, interlaced $interlaced", (image) => {
  const picture = readPng(Buffer.from(image.png, "base64"), "x.png");
  expect([picture.width, picture.height]).toEqual([width, height]);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [r = NaN, g = NaN, b = NaN, alpha = NaN] = colourAt(image, x, y);
      const grey = alpha * (0.299 * r + 0.587 * g + 0.114 * b) + (1 - alpha);
      expect(picture.values[y * width + x]).toBeCloseTo(grey, 12);
    }
});

test("there is a picture of every colour type and depth of the format, interlaced and not", () => {
  const kinds = images.map(({ colour, depth, interlaced }) => `${colour}/${depth}/${interlaced}`);
  const depths: Record<number, number[]> = {
    0: [1, 2, 4, 8, 16],
    2: [8, 16],
    3: [1, 2, 4, 8],
    4: [8, 16],
    6: [8, 16],
  };
  const all = Object.entries(depths).flatMap(([colour, list]) =>
    list.flatMap((depth) => [`${colour}/${depth}/false`, `${colour}/${depth}/true`]),
  );
  expect(all.filter((kind) => !kinds.includes(kind))).toEqual([]);
});

function chunk(type: string, body: Uint8Array): Buffer {
  const [length, typed, check] = [Buffer.alloc(4), Buffer.concat([Buffer.from(type), body]), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  check.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, check]);
}

function header(
  width: number,
  height: number,
  [depth, colour, interlaced]: readonly [number, number, number],
) {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set([depth, colour, 0, 0, interlaced], 8);
  return chunk("IHDR", body);
}

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
const GREY = [8, 0, 0] as const;
const END = chunk("IEND", Buffer.alloc(0));
const file = (...chunks: readonly Buffer[]) => Buffer.concat([SIGNATURE, ...chunks, END]);
const data = (...bytes: readonly number[]) => chunk("IDAT", deflateSync(Uint8Array.from(bytes)));

const GOOD = file(header(3, 1, GREY), data(0, 1, 2, 3));
const bomb = (interlaced: 0 | 1) =>
  file(header(3, 1, [8, 0, interlaced]), chunk("IDAT", deflateSync(Buffer.alloc(2 ** 26))));

test.each<[string, Uint8Array, RegExp]>([
  ["text", Buffer.from("hello"), /not a PNG/],
  ["an empty file", Buffer.alloc(0), /not a PNG/],
  ["a signature alone", GOOD.subarray(0, 8), /header/],
  ["a cut header", GOOD.subarray(0, 20), /header/],
  ["cut pixels", GOOD.subarray(0, 46), /decompressed/],
  ["a file without its end", GOOD.subarray(0, -12), /it is cut short, so fetch or save it again/],
  ["no pixels", file(header(3, 1, GREY)), /decompressed/],
  ["pixels that are missing", file(header(9, 1, GREY), data(0, 1)), /less data than 9×1/],
  ["interlaced pixels that are missing", file(header(9, 9, [8, 0, 1]), data(0, 1)), /less data than 9×9/],
  ["garbage for pixels", file(header(3, 1, GREY), chunk("IDAT", Buffer.alloc(9, 7))), /decompressed/],
  ["a width of 0", file(header(0, 1, GREY), data(0)), /0×1/],
  ["2³¹ − 1 rows", file(header(1, 2 ** 31 - 1, GREY), data(0)), /1×2147483647/],
  ["2⁶² pixels", file(header(2 ** 31, 2 ** 31, [16, 6, 1]), data(0)), /2147483648×2147483648/],
  ["a second header", file(header(3, 1, GREY), header(2 ** 20, 2 ** 20, GREY), data(0, 1, 2, 3)), /header/],
  ["a depth of 3", file(header(3, 1, [3, 0, 0]), data(0, 1)), /depth 3/],
  ["colour type 5", file(header(3, 1, [8, 5, 0]), data(0, 1, 2, 3)), /colour type 5/],
  ["a palette that is missing", file(header(3, 1, [8, 3, 0]), data(0, 1, 2, 3)), /palette/],
  [
    "an index beyond the palette",
    file(header(1, 1, [8, 3, 0]), chunk("PLTE", Buffer.alloc(3)), data(0, 9)),
    /palette/,
  ],
  ["a huge palette", file(header(1, 1, [8, 3, 0]), chunk("PLTE", Buffer.alloc(3000)), data(0, 0)), /256/],
  ["a bomb", bomb(0), /more data than 3×1/],
  ["an interlaced bomb", bomb(1), /more data than 3×1/],
])("%s is refused with the file's name and the reason", (_, bytes, reason) => {
  const read = () => readPng(bytes, "x.png");
  expect(read).toThrow(LoadError);
  expect(read).toThrow(reason);
  expect(read).toThrow(/^x\.png: /);
});

test("a bomb of one gibibyte is refused without being decompressed", () => {
  const zeros = { size: 2 ** 24, count: 64 };
  const block = deflateRawSync(Buffer.alloc(zeros.size), { finishFlush: constants.Z_FULL_FLUSH }); // not the last block
  const zlibHeader = Buffer.from([0x78, 0x9c]);
  const stream = Buffer.concat([zlibHeader, ...Array<Buffer>(zeros.count).fill(block)]);
  const bytes = file(header(3, 1, GREY), chunk("IDAT", stream));
  const before = process.resourceUsage().maxRSS;
  expect(() => readPng(bytes, "x.png")).toThrow(/more data than 3×1/);
  expect(process.resourceUsage().maxRSS - before).toBeLessThan((zeros.size * zeros.count) / 1024 / 4); // in KiB
});

test("a file of many empty chunks is read in a time that grows with their number", () => {
  const head = header(3, 1, GREY);
  const secondsOf = (count: number) => {
    const bytes = file(head, ...Array<Buffer>(count).fill(chunk("tEXt", Buffer.alloc(0))), data(0, 1, 2, 3));
    const since = performance.now();
    expect(readPng(bytes, "x.png").values).toHaveLength(3);
    return (performance.now() - since) / 1000;
  };
  expect(secondsOf(100_000)).toBeLessThan(20); // a copy of the list for each chunk took a minute
});

test("a file of more chunks than any encoder writes is refused", () => {
  const chunks = Buffer.concat(Array<Buffer>(2 ** 17).fill(chunk("tEXt", Buffer.alloc(0))));
  expect(() => readPng(file(header(3, 1, GREY), chunks, data(0, 1, 2, 3)), "x.png")).toThrow(
    /more than 131072 chunks/,
  );
});

test("pixels of more than 64 MiB are refused without being decompressed", () => {
  const read = () => readPng(file(header(4096, 2049, [16, 6, 0]), data(0)), "x.png");
  expect(read).toThrow(/pixels have more than 67108864 bytes; save it with 8 bits/);
});

test("a large file that is no PNG file, and a large PNG file, are refused before they are read", () => {
  const limits: [string, Uint8Array, RegExp][] = [
    ["noise", Buffer.from("hello"), /noise: it is not a PNG file$/],
    ["png", GOOD, /png: it has 3000000000 bytes; at most 67108864 can be read/],
  ];
  for (const [name, start, reason] of limits) {
    const path = join(workspace, name);
    writeFileSync(path, start);
    truncateSync(path, 3e9); // a sparse file, which takes no space on the disk
    const before = process.resourceUsage().maxRSS;
    expect(() => readPngFile(path)).toThrow(reason);
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(50_000); // in KiB
  }
});

test("a pipe and a folder are no pictures", () => {
  const pipe = join(workspace, "pipe");
  spawnSync("mkfifo", [pipe]);
  for (const path of [pipe, workspace]) expect(() => readPngFile(path)).toThrow(/it is not a file/);
});

test("a file with a wrong checksum is refused", () => {
  const wrong = Buffer.from(GOOD);
  wrong[29] = (wrong[29] ?? 0) ^ 1; // of the header
  expect(() => readPng(wrong, "x.png")).toThrow(/^x\.png: it cannot be decoded/);
});

test("the file that these tests damage can be read", () => {
  expect([...(readPng(GOOD, "x.png").values as Float64Array)].map((x) => Math.round(255 * x))).toEqual([
    1, 2, 3,
  ]);
});
