// Resizing without rounding, and PNG files, of 39-resizing.md and 39-images.md. Expected values: torch's interpolate
// (golden/export/perceiver_data.py), and the package pngjs, which reads what encodePng writes.
import { PNG } from "pngjs";
import { describe, expect, test } from "vitest";
import type { Image } from "../../../src/io/images/image.ts";
import { encodePng } from "../../../src/io/images/png/write.ts";
import { readImage } from "../../../src/io/images/read.ts";
import { resizedCrop } from "../../../src/io/images/resize-floats.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { flat, Int } from "../../../src/tensor/tensor.ts";

const file = loadSafetensors("golden/data/perceiver-io/expected.safetensors");
const stored = file.get("picture");
const data = Uint8Array.from(stored instanceof Int ? stored.data : []);
const picture: Image = { width: 31, height: 23, channels: 3, data };
const square = { left: 4, top: 0, width: 23, height: 23 };

describe("resizedCrop", () => {
  test.each([
    ["reduced", 9, true],
    ["reduced_plain", 9, false],
    ["enlarged", 40, true],
  ])("[image.resized-crop] %s: to %i pixels, antialias %s, as torch", (name, side, antialias) => {
    const result = resizedCrop(picture, square, { width: side, height: side }, { antialias });
    const expected = flat(file.tensor(name).data);
    expect(result.shape).toEqual([3, side, side]);
    const worst = Math.max(
      ...[...flat(result.data)].map((x, i) => Math.abs(x - (expected[i] ?? Number.NaN))),
    );
    expect(worst).toBeLessThan(1e-12);
  });

  test("[image.resized-crop] antialias is the default", () => {
    const size = { width: 9, height: 9 };
    expect(flat(resizedCrop(picture, square, size).data)).toEqual(
      flat(resizedCrop(picture, square, size, { antialias: true }).data),
    );
  });

  test.each([
    { left: -1, top: 0, width: 3, height: 3 },
    { left: 0, top: 21, width: 3, height: 3 },
    { left: 29, top: 0, width: 3, height: 3 },
    { left: 0, top: 0, width: 0, height: 3 },
    { left: 0.5, top: 0, width: 3, height: 3 },
  ])("[image.resized-crop] %j is refused", (crop) => {
    expect(() => resizedCrop(picture, crop, { width: 2, height: 2 })).toThrow(RuleError);
  });
});

describe("encodePng", () => {
  const grey: Image = { width: 31 * 3, height: 23, channels: 1, data };
  test("[image.png-out] pngjs and readImage read the same pixels", async () => {
    for (const image of [picture, grey]) {
      const bytes = await encodePng(image);
      const read = PNG.sync.read(Buffer.from(bytes));
      const samples = [...read.data].filter((_, i) => i % 4 < image.channels);
      expect([read.width, read.height]).toEqual([image.width, image.height]);
      expect(samples).toEqual([...data]);
      expect(await readImage(bytes, image.channels === 3 ? "RGB" : "L")).toEqual(image);
    }
  });

  test("[image.png-out] an image whose numbers do not fit together is refused", async () => {
    await expect(encodePng({ ...picture, width: 30 })).rejects.toThrow(ShapeError);
  });
});
