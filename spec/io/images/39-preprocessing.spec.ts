// The executable half of 39-preprocessing.md. golden/data/clip/pictures holds what open_clip_torch 3.3.0 and transformers 4.57.6 make of the files beside it.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Image } from "../../../src/io/images/image.ts";
import {
  clipPreprocessing,
  type ImagePreprocessing,
  kosmosPreprocessing,
  openClipPreprocessing,
  preprocessImage,
} from "../../../src/io/images/preprocessing.ts";
import { decodeImageFile, readImageFile } from "../../../src/io/images/read.ts";
import { resizeNearest } from "../../../src/io/images/resize.ts";
import { centerCrop, imageTensor } from "../../../src/io/images/transforms.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { valuesOf } from "../../support/properties/programs.ts";

const HOME = "golden/data/clip/pictures";
const SIDE = 24;
const expected = loadSafetensors(`${HOME}/expected.safetensors`);
const files = readdirSync(HOME).filter((name) => /\.(png|jpg)$/.test(name));
const presets: Readonly<Record<string, (side: number) => ImagePreprocessing>> = {
  "open-clip": openClipPreprocessing,
  clip: clipPreprocessing,
};

/** The bytes of the result, in RGB; imageTensor's values are exact multiples of 1/255 here. */
const bytesOf = (image: Parameters<typeof preprocessImage>[0], steps: ImagePreprocessing): Uint8Array => {
  const { pixels } = preprocessImage(image, { ...steps, scale: null, normalization: null });
  const [c = 0, h = 0, w = 0] = pixels.shape;
  const values = valuesOf(pixels);
  return Uint8Array.from({ length: c * h * w }, (_, i) => values[(i % c) * h * w + Math.floor(i / c)] ?? 0);
};

test("every mode of a file is among the pictures", () => {
  expect(files.length).toBe(13);
  expect(expected.keys.length).toBe(26);
});

describe.each(Object.keys(presets))("%s", (name) => {
  test.each(files)(
    "[image.mode] [image.nearest] [image.convert] %s has the bytes of the package",
    async (file) => {
      const steps = presets[name]?.(SIDE);
      if (!steps) throw new Error("a preset");
      const bytes = bytesOf(await decodeImageFile(`${HOME}/${file}`), steps);
      expect([...bytes]).toEqual([...expected.int(`${name}.${file}`).flat()]);
    },
  );
});

interface Sized {
  readonly height: number;
  readonly width: number;
  readonly side: number;
  readonly openClip: string;
  readonly clip: string;
}
const sizes: readonly Sized[] = JSON.parse(readFileSync(`${HOME}/sizes.json`, "utf8"));

/** The generator of Park and Miller, as in golden/export/clip_files/pictures.py. */
function randomImage(height: number, width: number): Image {
  let state = 1 + 1000 * height + width;
  const data = Uint8Array.from({ length: 3 * height * width }, () => {
    state = (state * 16807) % 2147483647;
    return state % 256;
  });
  return { width, height, channels: 3, data };
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("[image.center-down] images of thirty sizes, enlarged and made smaller, have the packages' bytes", () => {
  expect(sizes.length).toBe(90);
  for (const { height, width, side, openClip, clip } of sizes) {
    const image = randomImage(height, width);
    const found = [openClipPreprocessing(side), clipPreprocessing(side)].map((steps) =>
      digest(preprocessImage(image, { ...steps, scale: null, normalization: null }).cropped.data),
    );
    expect(found, `${height} × ${width} to ${side}`).toEqual([openClip, clip]);
  }
});

test("[image.convert] a grey image is three equal channels, or is refused where nothing converts it", async () => {
  const grey = await readImageFile(`${HOME}/grey.png`, "L");
  const steps = clipPreprocessing(SIDE);
  expect([...bytesOf(grey, steps)]).toEqual([...expected.int("clip.grey.png").flat()]);
  expect([...bytesOf(grey, openClipPreprocessing(SIDE))]).toEqual([
    ...expected.int("open-clip.grey.png").flat(),
  ]);
  expect(() => preprocessImage(grey, { ...steps, convert: "never" })).toThrow(RuleError);
  expect(() => preprocessImage(grey, { ...steps, convert: "never" })).toThrow(
    "the image is grey, and these steps take RGB",
  );
  const colour = await readImageFile(`${HOME}/rgb.png`);
  expect([...bytesOf(colour, { ...steps, convert: "never" })]).toEqual([
    ...expected.int("clip.rgb.png").flat(),
  ]);
});

test("[image.center-down] offsets and missing pixels of the crop, by hand", () => {
  // one row of 5 pixels: (5 − 2) / 2 = 1.5 and (5 − 4) / 2 = 0.5; 3 are missing for 8
  const row: Image = { width: 5, height: 1, channels: 1, data: Uint8Array.of(1, 2, 3, 4, 5) };
  const crop = (width: number, rounding?: "even" | "down") => [
    ...centerCrop(row, { width, height: 1 }, rounding).data,
  ];
  expect(crop(2, "down")).toEqual([2, 3]);
  expect(crop(2)).toEqual([3, 4]);
  expect(crop(4, "down")).toEqual([1, 2, 3, 4]);
  expect(crop(8, "down")).toEqual([0, 0, 1, 2, 3, 4, 5, 0]);
  expect(crop(8)).toEqual([0, 1, 2, 3, 4, 5, 0, 0]);
  expect(() => centerCrop(row, 1, "up" as never)).toThrow(
    'an offset is rounded to "even" or "down", not "up"',
  );
});

test("[image.nearest] the sample of each place, by hand", () => {
  // 7 samples to 3: 7/6, 21/6, 35/6; to 5: 0.7, 2.1, 3.5, 4.9, 6.3
  const row = { width: 7, height: 1, channels: 1, data: Uint8Array.of(0, 1, 2, 3, 4, 5, 6) };
  expect([...resizeNearest(row, { width: 3, height: 2 }).data]).toEqual([1, 3, 5, 1, 3, 5]);
  expect([...resizeNearest(row, { width: 5, height: 1 }).data]).toEqual([0, 2, 3, 4, 6]);
});

test("[image.scale] a factor takes the place of 1/255, and no factor leaves the samples", () => {
  const pixel: Image = { width: 1, height: 1, channels: 3, data: Uint8Array.of(0, 64, 255) };
  const normalization = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.5, 2] };
  expect(valuesOf(imageTensor(pixel, normalization, 1 / 64))).toEqual([-2, 1, (255 / 64 - 0.5) / 2]);
  const steps = { ...clipPreprocessing(1), scale: null, normalization: null };
  expect(valuesOf(preprocessImage(pixel, steps).pixels)).toEqual([0, 64, 255]);
  expect(valuesOf(preprocessImage(pixel, { ...steps, scale: "1/255" }).pixels)).toEqual([0, 64 / 255, 1]);
});

describe("presets of Kosmos", () => {
  const home = "golden/data/kosmos-images";
  const pixels = loadSafetensors(`${home}/expected.safetensors`);
  const listed = JSON.parse(readFileSync(`${home}/presets.json`, "utf8"));

  test.each(["laion2b_s32b_b82k", "openai"] as const)(
    "[image.presets] %s: means, deviations and pixels are those of open_clip and transformers",
    async (checkpoint) => {
      const { mean, std } = listed.presets[checkpoint];
      const steps = kosmosPreprocessing(checkpoint, listed.size);
      expect(steps.normalization).toEqual({ mean, std });
      const cat = await readImageFile("golden/data/cat-64.png");
      const packages = { transformers: steps, open_clip: openClipPreprocessing(listed.size, { mean, std }) };
      for (const [name, preset] of Object.entries(packages)) {
        const expected = valuesOf(pixels.tensor(`${checkpoint}.${name}`));
        const found = valuesOf(preprocessImage(cat, preset).pixels);
        expect(found).toHaveLength(3 * 24 * 24);
        // In float32 x / 255 and the mean are rounded by up to 2⁻²⁵ and 2⁻²⁶, the difference by 2⁻²⁵, all divided by std ≥ 0.26; the quotient by 2⁻²³.
        expect(Math.max(...found.map((x, i) => Math.abs(x - (expected[i] ?? Number.NaN))))).toBeLessThan(
          4 * 2 ** -23,
        );
      }
    },
  );

  test("[image.presets] the default is the checkpoint of the published models, at 224 pixels", () => {
    const { normalization, ...steps } = kosmosPreprocessing();
    expect(normalization?.mean).toEqual([0.5, 0.5, 0.5]);
    expect(steps).toMatchObject({
      convert: "first",
      resize: { shortSide: 224 },
      crop: { width: 224, height: 224 },
    });
    expect(() => kosmosPreprocessing("laion" as "openai")).toThrow(/openai, laion2b_s32b_b82k, not "laion"/);
    expect(() => kosmosPreprocessing("constructor" as "openai")).toThrow(RuleError);
  });
});
