// Image files, of 39-images.md. The expected pixels are Pillow's.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { greyOf } from "../../../src/demos/digits/scan.ts";
import { checkImage, converted, type ImageMode } from "../../../src/io/images/image.ts";
import { TURBO, TURBO_LENGTH } from "../../../src/io/images/jpeg/bytes.ts";
import { decodeImage, readImage, readImageFile } from "../../../src/io/images/read.ts";
import { LoadError, RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import jpegs from "../../support/fixtures/images/jpeg.json" with { type: "json" };
import { temporary } from "../../support/fixtures/temporary.ts";

const workspace = temporary();

interface EncodedPng {
  readonly encoder: string;
  /** The colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  readonly colour: 0 | 2 | 3 | 4 | 6;
  readonly depth: number;
  readonly interlaced: boolean;
  readonly paletteAlpha?: boolean;
  /** The colour of the pixel at (4, 3) is declared to be transparent. */
  readonly transparent?: boolean;
  readonly gamma?: number;
  readonly png: string;
  readonly converted: Readonly<Record<ImageMode, string>>;
}
const pngs = JSON.parse(readFileSync("spec/support/fixtures/images/png.json", "utf8")) as {
  readonly width: number;
  readonly height: number;
  readonly images: readonly EncodedPng[];
};

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const MODES: readonly ImageMode[] = ["RGB", "L"];

/** The samples that the encoders were given. */
const sample = (x: number, y: number, channel: number, depth: number) =>
  (37 * x + 61 * y + 101 * channel) % 2 ** depth;

/** Red, green, blue and alpha of a pixel, from 0 to 1. */
function colourAt(image: EncodedPng, x: number, y: number): number[] {
  const { colour, depth, paletteAlpha, transparent } = image;
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

const described = (image: EncodedPng): string =>
  [
    `${image.encoder}: colour type ${image.colour}, depth ${image.depth}`,
    image.interlaced && "interlaced",
    image.transparent && "with a transparent colour",
    image.paletteAlpha && "with alpha in the palette",
    image.gamma && "with gamma",
  ]
    .filter(Boolean)
    .join(", ");

test.each(pngs.images.map((image) => [described(image), image] as const))(
  "[image.samples] [image.sixteen-bits] [image.alpha] [image.grey] a PNG file has Pillow's pixels: %s",
  async (_, image) => {
    for (const mode of MODES) {
      const read = await readImage(bytesOf(image.png), mode, "x.png");
      expect([read.width, read.height, read.channels]).toEqual([
        pngs.width,
        pngs.height,
        mode === "RGB" ? 3 : 1,
      ]);
      expect([...read.data]).toEqual([...bytesOf(image.converted[mode])]);
    }
  },
);

test.each(pngs.images.map((image) => [described(image), image] as const))(
  "the digits see a PNG file at its full depth, on white: %s",
  async (_, image) => {
    const picture = greyOf(await decodeImage(bytesOf(image.png), "x.png"));
    expect([picture.width, picture.height]).toEqual([pngs.width, pngs.height]);
    for (let y = 0; y < pngs.height; y++)
      for (let x = 0; x < pngs.width; x++) {
        const [r = NaN, g = NaN, b = NaN, alpha = NaN] = colourAt(image, x, y);
        const grey = alpha * (0.299 * r + 0.587 * g + 0.114 * b) + (1 - alpha);
        expect(picture.values[y * pngs.width + x]).toBeCloseTo(grey, 12);
      }
  },
);

test("there is a picture of every colour type and depth of the format, interlaced and not, and every transparent colour", () => {
  const kinds = pngs.images.map(
    ({ colour, depth, interlaced, transparent }) =>
      `${colour}/${depth}/${interlaced}/${transparent ?? false}`,
  );
  const depths: Record<number, number[]> = {
    0: [1, 2, 4, 8, 16],
    2: [8, 16],
    3: [1, 2, 4, 8],
    4: [8, 16],
    6: [8, 16],
  };
  const all = Object.entries(depths).flatMap(([colour, list]) =>
    list.flatMap((depth) =>
      [false, true].flatMap((interlaced) => [
        `${colour}/${depth}/${interlaced}/false`,
        ...(Number(colour) <= 2 ? [`${colour}/${depth}/${interlaced}/true`] : []),
      ]),
    ),
  );
  expect(all.filter((kind) => !kinds.includes(kind))).toEqual([]);
});

test.each(jpegs.images.map((image) => [image.kind, image] as const))(
  "[image.cmyk] [image.orientation] [image.grey] a JPEG file has Pillow's pixels: %s",
  async (_, image) => {
    for (const mode of MODES) {
      const read = await readImage(bytesOf(image.jpeg), mode, "x.jpg");
      expect([read.width, read.height, read.channels]).toEqual([
        image.width,
        image.height,
        mode === "RGB" ? 3 : 1,
      ]);
      expect([...read.data]).toEqual([...bytesOf(image.converted[mode])]);
    }
  },
);

test("[image.samples] bytes after the end of a JPEG file, fill bytes and segments of applications do not count", async () => {
  const { jpeg, converted } = jpegs.images[0] ?? { jpeg: "", converted: { RGB: "" } };
  const file = bytesOf(jpeg);
  const segment = [0xff, 0xff, 0xff, 0xec, 0, 6, 0xff, 0xc0, 1, 2]; // APP12 after two fill bytes, with what looks like a header
  const longer = Uint8Array.from([...file.slice(0, 2), ...segment, ...file.slice(2), 0xff, 0xd8, 0]);
  expect([...(await readImage(longer, "RGB")).data]).toEqual([...bytesOf(converted.RGB)]);
});

test("a JPEG file is decoded alike after one that fails", async () => {
  const { jpeg, converted } = jpegs.images[5] ?? { jpeg: "", converted: { RGB: "" } };
  for (let i = 0; i < 3; i++) {
    await expect(readImage(bytesOf(jpegs.unread.jpeg))).rejects.toThrow(LoadError);
    expect([...(await readImage(bytesOf(jpeg))).data]).toEqual([...bytesOf(converted.RGB)]);
  }
});

test("files are read at the same time", async () => {
  const read = await Promise.all(jpegs.images.map(({ jpeg }) => readImage(bytesOf(jpeg))));
  for (const [i, image] of read.entries())
    expect([...image.data]).toEqual([...bytesOf(jpegs.images[i]?.converted.RGB ?? "")]);
});

test("a file is read as its content says, whatever its name", async () => {
  const path = join(workspace, "picture.png");
  writeFileSync(path, bytesOf(jpegs.images[0]?.jpeg ?? ""));
  expect([...(await readImageFile(path)).data]).toEqual([...bytesOf(jpegs.images[0]?.converted.RGB ?? "")]);
  expect((await readImageFile(path, "L")).channels).toBe(1);
});

test("[image.cmyk] inks become colours as Pillow's cmyk2rgb computes them", () => {
  // w = 255 − k, and a channel is w − round(ink · w / 255), by hand; the file stores 255 − ink and 255 − k.
  const inks = [
    [0, 255, 100, 0],
    [255, 0, 128, 55],
    [10, 20, 30, 255],
  ];
  const image = converted(
    {
      width: 3,
      height: 1,
      layout: "cmyk",
      most: 255,
      mode: "CMYK",
      samples: Uint8Array.from(inks.flat(), (ink) => 255 - ink),
    },
    "RGB",
  );
  expect([...image.data]).toEqual([255, 0, 155, 0, 200, 100, 0, 0, 0]);
});

test("[io.file-errors] a path in place of bytes is refused, with the function that takes it", async () => {
  for (const path of ["cat.jpg", undefined, new Blob([])])
    await expect(readImage(path as never)).rejects.toThrow(
      "readImage takes bytes; readImageFile takes a path  [io.file-errors]",
    );
});

test("[image.modes] another mode is refused", async () => {
  const png = bytesOf(pngs.images[0]?.png ?? "");
  const other = (mode: string) => readImage(png, mode as ImageMode);
  await expect(other("RGBA")).rejects.toThrow(RuleError);
  await expect(other("rgb")).rejects.toThrow('the mode of an image is "RGB" or "L", not "rgb"');
});

test("[image.value] sides, channels and bytes of an image fit together", () => {
  const good = { width: 2, height: 3, channels: 3, data: new Uint8Array(18) } as const;
  expect(() => checkImage("resizeImage", good)).not.toThrow();
  const broken = [
    { ...good, width: 0, data: new Uint8Array(0) },
    { ...good, width: 2.5, height: 2, data: new Uint8Array(15) },
    { ...good, channels: 2 as 3, data: new Uint8Array(12) },
    { ...good, data: new Uint8Array(17) },
    { ...good, data: new Uint8Array(19) },
    { ...good, data: new Uint16Array(18) as unknown as Uint8Array },
  ];
  for (const image of broken) expect(() => checkImage("resizeImage", image)).toThrow(ShapeError);
});

test("the module of libjpeg-turbo is that of the development dependency", () => {
  const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const original = readFileSync("node_modules/@cwasm/jpeg-turbo/jpeg-turbo.wasm");
  expect(hash(inflateRawSync(Buffer.from(TURBO, "base64")))).toBe(hash(original));
  expect(TURBO_LENGTH).toBe(original.length);
});
