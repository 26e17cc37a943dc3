// Image files that are broken on purpose, of 39-images.md.
import { spawnSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, crc32, deflateRawSync, deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readImage, readImageFile } from "../../../src/io/images/read.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import jpegs from "../../support/fixtures/images/jpeg.json" with { type: "json" };
import { temporary } from "../../support/fixtures/temporary.ts";

const workspace = temporary();

const read = (bytes: Uint8Array) => readImage(bytes, "L", "x.png");

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
  ["text", Buffer.from("hello"), /neither a PNG nor a JPEG/],
  ["an empty file", Buffer.alloc(0), /an empty file/],
  ["a signature alone", GOOD.subarray(0, 8), /cut short/],
  ["a cut header", GOOD.subarray(0, 20), /cut short/],
  ["cut pixels", GOOD.subarray(0, 46), /cut short/],
  [
    "cut pixels with valid checksums",
    file(header(3, 1, GREY), chunk("IDAT", deflateSync(Buffer.alloc(4)).subarray(0, 9))),
    /decompressed/,
  ],
  ["a file without its end", GOOD.subarray(0, -12), /it is cut short, so fetch or save it again/],
  ["no pixels", file(header(3, 1, GREY)), /decompressed/],
  ["pixels that are missing", file(header(9, 1, GREY), data(0, 1)), /less data than 9×1/],
  ["interlaced pixels that are missing", file(header(9, 9, [8, 0, 1]), data(0, 1)), /less data than 9×9/],
  ["garbage for pixels", file(header(3, 1, GREY), chunk("IDAT", Buffer.alloc(9, 7))), /decompressed/],
  ["a filter that does not exist", file(header(3, 1, GREY), data(5, 1, 2, 3)), /filter 5; there are 0 to 4/],
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
])(
  "[image.damaged] [image.limits] a PNG file: %s is refused with the file's name and the reason",
  async (_, bytes, reason) => {
    const error: unknown = await read(bytes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LoadError);
    expect((error as LoadError).message).toMatch(reason);
    expect((error as LoadError).message).toMatch(/^x\.png: .* {2}\[image\.[a-z-]+\]$/);
  },
);

test("[image.bounded] a bomb of one gibibyte is refused without being decompressed", async () => {
  const zeros = { size: 2 ** 24, count: 64 };
  const block = deflateRawSync(Buffer.alloc(zeros.size), { finishFlush: constants.Z_FULL_FLUSH }); // not the last block
  const zlibHeader = Buffer.from([0x78, 0x9c]);
  const stream = Buffer.concat([zlibHeader, ...Array<Buffer>(zeros.count).fill(block)]);
  const bytes = file(header(3, 1, GREY), chunk("IDAT", stream));
  const before = process.resourceUsage().maxRSS;
  await expect(read(bytes)).rejects.toThrow(/more data than 3×1/);
  expect(process.resourceUsage().maxRSS - before).toBeLessThan((zeros.size * zeros.count) / 1024 / 4); // in KiB
});

test("a file of many empty chunks is read in a time that grows with their number", async () => {
  const head = header(3, 1, GREY);
  const secondsOf = async (count: number) => {
    const bytes = file(head, ...Array<Buffer>(count).fill(chunk("tEXt", Buffer.alloc(0))), data(0, 1, 2, 3));
    const since = performance.now();
    expect((await read(bytes)).data).toHaveLength(3);
    return (performance.now() - since) / 1000;
  };
  expect(await secondsOf(100_000)).toBeLessThan(20); // a copy of the list for each chunk took a minute
});

test("[image.limits] a file of more chunks than any encoder writes is refused", async () => {
  const chunks = Buffer.concat(Array<Buffer>(2 ** 17).fill(chunk("tEXt", Buffer.alloc(0))));
  await expect(read(file(header(3, 1, GREY), chunks, data(0, 1, 2, 3)))).rejects.toThrow(
    /more than 131072 chunks/,
  );
});

test("[image.limits] pixels of more than 64 MiB are refused without being decompressed", async () => {
  await expect(read(file(header(4096, 2049, [16, 6, 0]), data(0)))).rejects.toThrow(
    /pixels have more than 67108864 bytes; save it with 8 bits/,
  );
});

test("[image.limits] a large file that is no image, and a large PNG file, are refused before they are read", async () => {
  const limits: [string, Uint8Array, RegExp][] = [
    ["noise", Buffer.from("hello"), /noise: this is neither a PNG nor a JPEG file/],
    ["png", GOOD, /png: it has 3000000000 bytes; at most 67108864 can be read/],
  ];
  for (const [name, start, reason] of limits) {
    const path = join(workspace, name);
    writeFileSync(path, start);
    truncateSync(path, 3e9); // a sparse file, which takes no space on the disk
    const before = process.resourceUsage().maxRSS;
    await expect(readImageFile(path)).rejects.toThrow(reason);
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(50_000); // in KiB
  }
});

test("a pipe and a folder are no images", async () => {
  const pipe = join(workspace, "pipe");
  spawnSync("mkfifo", [pipe]);
  for (const path of [pipe, workspace]) await expect(readImageFile(path)).rejects.toThrow(/it is not a file/);
});

test("[image.damaged] a wrong checksum is refused, in any chunk", async () => {
  const text = file(header(3, 1, GREY), chunk("tEXt", Buffer.from("a=b")), data(0, 1, 2, 3));
  expect((await read(text)).data).toHaveLength(3);
  for (const [at, type] of [
    [16, "IHDR"],
    [43, "tEXt"],
    [text.length - 14, "IDAT"],
    [text.length - 1, "IEND"],
  ] as const) {
    const wrong = Buffer.from(text);
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    await expect(read(wrong)).rejects.toThrow(`the checksum of a chunk "${type}" is wrong`);
  }
});

test("the file that these tests damage can be read", async () => {
  expect([...(await read(GOOD)).data]).toEqual([1, 2, 3]);
});

test("[image.bounded] nothing is made for a size that the data cannot fill", async () => {
  const before = process.resourceUsage().maxRSS;
  for (let i = 0; i < 20; i++)
    await expect(read(file(header(4096, 4096, [16, 0, 0]), data(0)))).rejects.toThrow(/less data/);
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(20_000); // in KiB; the samples would take 32 MiB
});

describe("JPEG files", () => {
  const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
  const kind = (name: string): Uint8Array =>
    bytesOf(jpegs.images.find((image) => image.kind === name)?.jpeg ?? "");
  const baseline = kind("4:2:0, quality 75");
  const progressive = kind("progressive");

  /** The position of a marker. The fixtures have no thumbnails, in which there would be others. */
  function markerAt(file: Uint8Array, marker: number, from = 0): number {
    for (let at = from; at < file.length; at++) if (file[at] === 0xff && file[at + 1] === marker) return at;
    throw new Error(`there is no marker ${marker}`);
  }
  const changed = (file: Uint8Array, at: number, ...values: readonly number[]): Uint8Array => {
    const copy = file.slice();
    copy.set(values, at);
    return copy;
  };
  const frame = markerAt(baseline, 0xc0);
  const scan = markerAt(baseline, 0xda);
  const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
  /** The last scan of the progressive file, again and again. */
  function scansOf(file: Uint8Array, count: number): Uint8Array {
    let last = 0;
    for (let at = 0; at < file.length; at++) if (file[at] === 0xff && file[at + 1] === 0xda) last = at;
    const again = file.slice(last, -2);
    return joined(file.slice(0, -2), ...Array<Uint8Array>(count).fill(again), file.slice(-2));
  }

  test.each<[string, Uint8Array, RegExp]>([
    ["the signature alone", baseline.slice(0, 3), /cut short/],
    ["cut before its size", baseline.slice(0, frame + 4), /cut short/],
    ["cut in its pixels", baseline.slice(0, -40), /cut short/],
    [
      "cut in its pixels, with an end",
      joined(baseline.slice(0, -200), baseline.slice(-2)),
      /its data are damaged/,
    ],
    ["no scan", joined(baseline.slice(0, scan), baseline.slice(-2)), /it has no image/],
    [
      "65535×65535 pixels",
      changed(baseline, frame + 5, 255, 255, 255, 255),
      /65535×65535 pixels; at most 16777216/,
    ],
    ["4097×4096 pixels", changed(baseline, frame + 5, 0x10, 0, 0x10, 1), /4097×4096 pixels/],
    ["a height of 0", changed(baseline, frame + 5, 0, 0), /nothing to read/],
    ["a larger size than the data has", changed(baseline, frame + 5, 1, 0, 1, 0), /its data are damaged/],
    [
      "more pixels than the data can hold",
      changed(baseline, frame + 5, 8, 0, 8, 0),
      /less data than 2048×2048 pixels need/,
    ],
    ["12 bits", changed(baseline, frame + 4, 12), /samples have 12 bits/],
    ["2 components", changed(baseline, frame + 9, 2), /2 components/],
    [
      "a second header",
      joined(baseline.slice(0, scan), baseline.slice(frame, frame + 19), baseline.slice(scan)),
      /two headers/,
    ],
    ["arithmetic coding", changed(baseline, frame + 1, 0xc9), /JPEG with arithmetic coding/],
    ["without loss", changed(baseline, frame + 1, 0xc3), /JPEG lossless/],
    ["hierarchical", changed(baseline, frame + 1, 0xc5), /JPEG hierarchical/],
    ["a segment of length 0", changed(baseline, 4, 0, 0), /cut short/],
    [
      "bytes where a marker has to be",
      joined(baseline.slice(0, frame), Uint8Array.of(0), baseline.slice(frame)),
      /there is no marker/,
    ],
    [
      "a table of codes that is none",
      changed(baseline, markerAt(baseline, 0xc4) + 5, ...Array<number>(16).fill(255)),
      /its data are damaged/,
    ],
    ["no tables", joined(baseline.slice(0, 2), baseline.slice(frame)), /its data are damaged/],
    ["chroma that is sampled in an unusual way", bytesOf(jpegs.unread.jpeg), /sampled in an unusual way/],
    ["501 scans", scansOf(progressive, 501), /more scans than can be read/],
  ])(
    "[image.damaged] [image.jpeg] [image.limits] %s: refused with the file's name and the reason",
    async (_, bytes, reason) => {
      const error: unknown = await read(bytes).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LoadError);
      expect((error as LoadError).message).toMatch(reason);
      expect((error as LoadError).message).toMatch(/^x\.png: .* {2}\[image\.[a-z-]+\]$/);
    },
  );

  test("the files that these tests damage can be read", async () => {
    for (const file of [baseline, progressive, scansOf(progressive, 0)])
      expect((await read(file)).data).toHaveLength(37 * 29);
  });

  test("[image.bounded] an image has a bit for each block at least", async () => {
    // The scan of this file has fewer than 4,096 bytes, which are bits for 32,768 blocks, and more than 64.
    const bytes = baseline.length - scan;
    expect(64 < bytes && bytes < 4096).toBe(true);
    expect((await read(baseline)).data).toHaveLength(37 * 29);
    await expect(read(changed(baseline, frame + 5, 8, 0, 8, 0))).rejects.toThrow(/less data than 2048×2048/);
    await expect(read(changed(baseline, frame + 5, 1, 0, 0, 64))).rejects.toThrow(/its data are damaged/);
  });

  test("[image.limits] the scans of a large image are fewer", async () => {
    const large = changed(progressive, markerAt(progressive, 0xc2) + 5, 0x10, 0, 0x10, 0); // 4096×4096
    await expect(read(scansOf(large, 40))).rejects.toThrow(/4096×4096 pixels are in more scans/);
  });

  test("[image.damaged] each beginning of a file is refused", async () => {
    for (const file of [baseline, progressive])
      for (let length = 0; length < file.length; length += 7)
        await expect(read(file.slice(0, length))).rejects.toThrow(LoadError);
  });
});

test.each<[string, string | Uint8Array, string]>([
  ["a GIF file", "GIF89a\x01\0\x01\0", "a GIF file, which may be animated; save it as PNG"],
  ["a WebP file", "RIFF\x10\0\0\0WEBPVP8 ", "a WebP file; save it as PNG"],
  ["a BMP file", "BM\x46\0\0\0\0\0\0\0\x36\0", "a BMP file; save it as PNG"],
  ["a little-endian TIFF file", "II*\0\x08\0\0\0", "a TIFF file; save it as PNG"],
  ["a big-endian TIFF file", "MM\0*\0\0\0\x08", "a TIFF file; save it as PNG"],
  ["a HEIC file", "\0\0\0\x18ftypheic\0\0\0\0", "a HEIC file, as phones take photographs; save it as PNG"],
  ["an AVIF file", "\0\0\0\x20ftypavif\0\0\0\0", "an AVIF file; save it as PNG"],
  ["an MP4 video", "\0\0\0\x20ftypisom\0\0\x02\0", "a video; save a frame of it as PNG"],
  ["a JPEG XL file", "\xff\x0a\0\0", "a JPEG XL file; save it as PNG"],
  ["a JPEG 2000 file", "\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 file; save it as PNG"],
  ["an icon", "\0\0\x01\0\x01\0", "an icon file (ICO); save it as PNG"],
  ["a Photoshop file", "8BPS\0\x01", "a Photoshop file; save it as PNG"],
  ["a PDF document", "%PDF-1.7", "a PDF document; save it as PNG"],
  ["a Netpbm file", "P6 3 2 255\n", "a Netpbm file (PBM, PGM or PPM); save it as PNG"],
  ["an SVG drawing", '<?xml version="1.0"?>\n<svg xmlns="x">', "an SVG drawing; save it as PNG"],
  ["a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"],
  ["a web page", "\n<!DOCTYPE html><html>", "a web page (HTML)"],
  ["a Python pickle", "\x80\x04\x95\x10", "a Python pickle; open it with loadPickle"],
  ["a tensor file", "\x10\0\0\0\0\0\0\0{", "a safetensors file; open it with loadSafetensors"],
  ["an XML document", '<?xml version="1.0"?><Error>', "an XML document"],
  ["JSON text", '{"error": "not found"}', "JSON text"],
  ["a zip archive", "PK\x03\x04\x14\0", "a zip archive; unpack it"],
  ["a gzip file", "\x1f\x8b\x08\0", "compressed with gzip; unpack it with gunzip"],
  ["a PNG file sent as text", "?PNG\n\x1a\n", "a PNG file that a transfer as text has changed"],
  ["nothing", "", "an empty file; write or download it again"],
  ["noise", "\x07\x09\x03", "neither a PNG nor a JPEG file"],
])("[image.other-format] %s is named, whatever the file is called", async (_, content, sentence) => {
  const path = join(workspace, "wrong.png");
  writeFileSync(path, Buffer.from(content as string, "latin1"));
  await expect(readImageFile(path)).rejects.toThrow(`${path}: this is ${sentence}`);
});
