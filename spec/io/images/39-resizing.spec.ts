// Resizing and preprocessing, of 39-resizing.md. Pillow's and torchvision's own results are golden cases.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Image } from "../../../src/io/images/image.ts";
import {
  type ImageSize,
  type ResizeFilter,
  type ResizeOptions,
  resizeImage,
} from "../../../src/io/images/resize.ts";
import {
  centerCrop,
  clipNormalizations,
  imageTensor,
  resizeShortSide,
} from "../../../src/io/images/transforms.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { flat, Int } from "../../../src/tensor/tensor.ts";

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** The table of 39-resizing.md: support and formula. */
const FILTERS: Record<ResizeFilter, { support: number; f: (x: number) => number }> = {
  box: { support: 0.5, f: (x) => (-0.5 < x && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, f: (x) => (Math.abs(x) < 1 ? 1 - Math.abs(x) : 0) },
  hamming: { support: 1, f: (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0) },
  bicubic: {
    support: 2,
    f: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
      return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
    },
  },
  lanczos: { support: 3, f: (x) => (-3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** One row of samples by the formula in real numbers, and the number of weights in it, each of which may be off by 2⁻²³. */
function exactRow(
  row: readonly number[],
  m: number,
  filter: ResizeFilter,
): { value: number; weights: number }[] {
  const { support, f } = FILTERS[filter];
  const [n, scale] = [row.length, row.length / m];
  const t = Math.max(scale, 1);
  return Array.from({ length: m }, (_, i) => {
    const c = (i + 0.5) * scale;
    const from = Math.max(0, Math.floor(c - support * t + 0.5));
    const end = Math.min(n, Math.floor(c + support * t + 0.5));
    const inside = Array.from({ length: end - from }, (_, k) => from + k);
    const weight = inside.map((j) => f((j - c + 0.5) / t));
    const sum = weight.reduce((a, b) => a + b, 0);
    const value = inside.reduce((total, j, k) => total + ((row[j] ?? 0) * (weight[k] ?? 0)) / sum, 0);
    return { value, weights: inside.length };
  });
}

const rowImage = (row: readonly number[]): Image => ({
  width: row.length,
  height: 1,
  channels: 1,
  data: Uint8Array.from(row),
});
const transposed = ({ width, height, channels, data }: Image): Image => {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        out[(x * height + y) * channels + c] = data[(y * width + x) * channels + c] ?? 0;
  return { width: height, height: width, channels, data: out };
};

const names = Object.keys(FILTERS) as ResizeFilter[];
const bytes = (min: number, max: number) => fc.array(fc.nat(255), { minLength: min, maxLength: max });

/** A value of which the rounded one is known although weights are rounded: not within the error of a half. */
const isSettled = (value: number, weights: number): boolean =>
  Math.abs(value - Math.floor(value) - 0.5) > 255 * weights * 2 ** -22;

test("[image.cubic] [image.filters] [image.antialias] [image.edges] [image.fixed-point] a row is the formula's, rounded and clipped", () => {
  let compared = 0;
  fc.assert(
    fc.property(
      bytes(1, 60),
      fc.integer({ min: 1, max: 60 }),
      fc.constantFrom(...names),
      (row, m, filter) => {
        if (row.length === m) return;
        const { data } = resizeImage(rowImage(row), { width: m, height: 1 }, { filter });
        for (const [i, { value, weights }] of exactRow(row, m, filter).entries()) {
          if (!isSettled(value, weights)) continue;
          expect(data[i]).toBe(Math.min(255, Math.max(0, Math.round(value))));
          compared++;
        }
      },
    ),
    { numRuns: 400 },
  );
  expect(compared).toBeGreaterThan(5000);
});

const CASES = "golden/cases/pillow";

test.each(readdirSync(CASES))(
  "[image.fixed-point] [image.edges] [image.order] Pillow's bytes: %s",
  (name) => {
    const { config } = JSON.parse(readFileSync(join(CASES, name, "case.json"), "utf8"));
    const bytesOf = (file: string, key: string) => {
      const stored = loadSafetensors(join(CASES, name, file)).get(key);
      if (!(stored instanceof Int)) throw new Error(`${key} has no integers`);
      return { shape: stored.shape, values: stored.flat() };
    };
    const [given, expected] = [
      bytesOf("inputs.safetensors", "inputs.image"),
      bytesOf("expected.safetensors", "outputs.out"),
    ];
    const [height = 0, width = 0, channels] = given.shape;
    const from = { width, height, channels: channels as 1 | 3, data: Uint8Array.from(given.values) };
    const size = { width: config.size[0], height: config.size[1] };
    const made = resizeImage(from, size, { filter: config.resample.toLowerCase() });
    expect([made.height, made.width, made.channels]).toEqual(expected.shape);
    expect([...made.data]).toEqual([...expected.values]);
  },
);

test("[image.filters] without options the filter is bicubic", () => {
  const row = rowImage([0, 255, 10, 200, 30, 90, 0]);
  const bicubic = resizeImage(row, { width: 13, height: 1 }, { filter: "bicubic" });
  expect(resizeImage(row, { width: 13, height: 1 })).toEqual(bicubic);
  expect(resizeImage(row, { width: 13, height: 1 }, { filter: "bilinear" })).not.toEqual(bicubic);
  expect(resizeShortSide(row, 3)).toEqual(resizeImage(row, { width: 21, height: 3 }, { filter: "bicubic" }));
});

const image: fc.Arbitrary<Image> = fc
  .record({
    width: fc.integer({ min: 1, max: 20 }),
    height: fc.integer({ min: 1, max: 20 }),
    channels: fc.constantFrom(1 as const, 3 as const),
  })
  .chain(({ width, height, channels }) =>
    fc
      .uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
      .map((data) => ({ width, height, channels, data })),
  );
const size: fc.Arbitrary<ImageSize> = fc.record({
  width: fc.integer({ min: 1, max: 30 }),
  height: fc.integer({ min: 1, max: 30 }),
});

test("[image.fixed-point] [image.order] an image is one pass for each axis, with bytes between them", () => {
  fc.assert(
    fc.property(image, size, fc.constantFrom(...names), (from, to, filter) => {
      const wide = (one: Image) => resizeImage(one, { width: to.width, height: one.height }, { filter });
      const high = (one: Image) => resizeImage(one, { width: one.width, height: to.height }, { filter });
      const heightFirst = to.height < from.height && from.height - to.height > 2 * (from.width - to.width);
      expect(resizeImage(from, to, { filter })).toEqual(heightFirst ? wide(high(from)) : high(wide(from)));
      expect(resizeImage(from, to, { filter, order: "width-first" })).toEqual(high(wide(from)));
    }),
  );
});

test("[image.fixed-point] columns are resized as rows are, and channels one by one", () => {
  fc.assert(
    fc.property(image, fc.integer({ min: 1, max: 30 }), fc.constantFrom(...names), (one, m, filter) => {
      const across = resizeImage(one, { width: m, height: one.height }, { filter });
      const turned = resizeImage(transposed(one), { width: one.height, height: m }, { filter });
      expect(transposed(turned)).toEqual(across);
      for (let channel = 0; channel < one.channels; channel++) {
        const only = (x: Image): Image => ({
          ...x,
          channels: 1,
          data: x.data.filter((_, i) => i % x.channels === channel),
        });
        expect(resizeImage(only(one), { width: m, height: one.height }, { filter })).toEqual(only(across));
      }
    }),
  );
});

test("[image.fixed-point] an image of one colour keeps it, and the result shares no memory with the input", () => {
  for (const filter of names)
    for (const value of [0, 1, 127, 254, 255]) {
      const one: Image = { width: 7, height: 5, channels: 1, data: new Uint8Array(35).fill(value) };
      const resized = resizeImage(one, { width: 23, height: 3 }, { filter });
      expect(new Set(resized.data)).toEqual(new Set([value]));
      const same = resizeImage(one, { width: 7, height: 5 }, { filter });
      expect(same).toEqual(one);
      expect(same.data.buffer).not.toBe(one.data.buffer);
    }
});

describe("refusals", () => {
  const one = rowImage([1, 2, 3]);

  test("[image.target] sides that are no whole numbers of at least 1, and images that are too large", () => {
    const to = (width: number, height: number) => () => resizeImage(one, { width, height });
    for (const [width, height] of [
      [0, 1],
      [1, 0],
      [-3, 2],
      [1.5, 2],
      [NaN, 2],
      [2, Infinity],
    ] as const)
      expect(to(width, height)).toThrow(RuleError);
    expect(to(4097, 4096)).toThrow("4097×4096");
    expect(() => centerCrop(one, { width: 4097, height: 4096 })).toThrow(RuleError);
    expect(() => resizeShortSide(one, 0)).toThrow(RuleError);
  });

  test("[image.target] an image that would be too large between the passes", () => {
    const tall: Image = { width: 1, height: 2 ** 16, channels: 1, data: new Uint8Array(2 ** 16) };
    const order = "width-first";
    expect(() => resizeImage(tall, { width: 1025, height: 1 }, { order })).toThrow("1025×65536");
    expect(resizeImage(tall, { width: 1025, height: 1 }).data).toHaveLength(1025);
  });

  test("[image.resize-options] other filters, orders and options", () => {
    const resize = (options: object) => () =>
      resizeImage(one, { width: 2, height: 2 }, options as ResizeOptions);
    expect(resize({ filter: "nearest" })).toThrow(
      'there is no filter "nearest"; there are box, bilinear, hamming, bicubic, lanczos',
    );
    expect(resize({ filter: "constructor" })).toThrow(RuleError);
    expect(resize({ order: "height-first" })).toThrow("pillow-13 and width-first");
    expect(resize({ resample: "bicubic" })).toThrow('resizing has no option "resample"');
  });

  test("[image.value] images that do not fit together", () => {
    const broken = { ...one, width: 4 };
    expect(() => resizeImage(broken, { width: 2, height: 2 })).toThrow(ShapeError);
    expect(() => centerCrop(broken, 1)).toThrow(ShapeError);
    expect(() => imageTensor(broken)).toThrow(ShapeError);
    expect(() => resizeShortSide(broken, 2)).toThrow(ShapeError);
  });
});

const numbered = (width: number, height: number): Image => ({
  width,
  height,
  channels: 1,
  data: Uint8Array.from({ length: width * height }, (_, i) => i + 1),
});

test("[image.short-side] the short side gets the size, the long side ⌊size · long / short⌋", () => {
  const sizes = ([width, height]: readonly [number, number], n: number) => {
    const { width: w, height: h } = resizeShortSide(numbered(width, height), n);
    return [w, h];
  };
  expect(sizes([67, 48], 20)).toEqual([27, 20]); // 27.9
  expect(sizes([3, 7], 5)).toEqual([5, 11]); // 11.67
  expect(sizes([7, 3], 2)).toEqual([4, 2]); // 4.67
  expect(sizes([6, 6], 4)).toEqual([4, 4]);
});

test("[image.target] [image.resize-options] [image.normalize] arguments of another kind are named", () => {
  const one = { width: 1, height: 1, channels: 1, data: new Uint8Array(1) } as const;
  const wrong = undefined as never;
  for (const call of [() => centerCrop(one, wrong), () => resizeImage(one, wrong)])
    expect(call).toThrow('an object with width and height, not "undefined"  [image.target]');
  expect(() => resizeImage(one, one, null as never)).toThrow(
    'are an object, not "null"  [image.resize-options]',
  );
  expect(() => imageTensor(one, { mean: [0] } as never)).toThrow("a list std  [image.normalize]");
});

test("[image.center] an offset of half a pixel is rounded to the even number", () => {
  const first = (width: number, crop: number) =>
    centerCrop(numbered(width, 1), { width: crop, height: 1 }).data[0];
  // The offsets are 0.5, 1.5, 2.5, 3.5 and 1, and the first sample is one more.
  expect([first(4, 3), first(6, 3), first(8, 3), first(10, 3), first(5, 3)]).toEqual([1, 3, 3, 5, 2]);
  const high = (height: number, crop: number) =>
    centerCrop(numbered(1, height), { width: 1, height: crop }).data[0];
  expect([high(4, 3), high(6, 3), high(8, 3), high(10, 3), high(5, 3)]).toEqual([1, 3, 3, 5, 2]);
});

test("[image.center] a number crops a square, an object a rectangle", () => {
  expect([...centerCrop(numbered(4, 4), 2).data]).toEqual([6, 7, 10, 11]);
  expect([...centerCrop(numbered(4, 4), { width: 4, height: 2 }).data]).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
});

test("[image.center-padding] a wide crop of a tall image makes nothing larger than the crop", () => {
  const tall = { width: 1, height: 2 ** 16, channels: 1, data: new Uint8Array(2 ** 16).fill(7) } as const;
  const { data } = centerCrop(tall, { width: 2 ** 20, height: 1 });
  expect([data.length, data.indexOf(7), data.lastIndexOf(7)]).toEqual([2 ** 20, 2 ** 19 - 1, 2 ** 19 - 1]);
});

test("[image.center-padding] a smaller image is padded with black, an odd pixel to the right and the bottom", () => {
  expect([...centerCrop(numbered(2, 1), { width: 5, height: 4 }).data]).toEqual([
    ...[0, 0, 0, 0, 0],
    ...[0, 1, 2, 0, 0],
    ...[0, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 0],
  ]);
});

test("[image.center-padding] colours stay together", () => {
  const one: Image = { width: 1, height: 1, channels: 3, data: Uint8Array.of(7, 8, 9) };
  expect([...centerCrop(one, { width: 2, height: 1 }).data]).toEqual([7, 8, 9, 0, 0, 0]);
  expect([...centerCrop(one, { width: 1, height: 2 }).data]).toEqual([7, 8, 9, 0, 0, 0]);
});

test("[image.center-padding] one side is padded while the other is cropped", () => {
  expect([...centerCrop(numbered(1, 5), { width: 3, height: 1 }).data]).toEqual([0, 3, 0]);
  expect([...centerCrop(numbered(5, 1), { width: 1, height: 3 }).data]).toEqual([0, 3, 0]);
});

test("[image.normalize] samples become (x / 255 − mean) / std, channel by channel", () => {
  const one: Image = { width: 2, height: 1, channels: 3, data: Uint8Array.from([0, 51, 255, 102, 204, 153]) };
  const tensor = imageTensor(one, { mean: [0.5, 0.25, 0], std: [0.5, 2, -1] });
  expect(tensor.shape).toEqual([3, 1, 2]);
  const expected = [-1, -0.2, (0.2 - 0.25) / 2, (0.8 - 0.25) / 2, -1, -0.6];
  for (const [i, value] of flat(tensor.data).entries()) expect(value).toBeCloseTo(expected[i] ?? NaN, 14);
  expect([...flat(imageTensor(one).data)]).toEqual([0, 0.4, 0.2, 0.8, 1, 0.6]);
  const high = imageTensor({ ...one, width: 1, height: 2 });
  expect(high.shape).toEqual([3, 2, 1]);
  expect([...flat(high.data)]).toEqual([0, 0.4, 0.2, 0.8, 1, 0.6]);
});

test("[image.normalize] CLIP's numbers are those of its clip.py", () => {
  // openai/CLIP, clip/clip.py, _transform
  expect(clipNormalizations.openai.mean).toEqual([0.48145466, 0.4578275, 0.40821073]);
  expect(clipNormalizations.openai.std).toEqual([0.26862954, 0.26130258, 0.27577711]);
});

test("[image.normalize] means and deviations that do not fit are refused", () => {
  const one = rowImage([1]);
  expect(() => imageTensor(one, clipNormalizations.openai)).toThrow(ShapeError);
  expect(() => imageTensor(one, { mean: [0], std: [] })).toThrow(ShapeError);
  expect(() => imageTensor(one, { mean: [0], std: [0] })).toThrow(RuleError);
  expect(() => imageTensor(one, { mean: [NaN], std: [1] })).toThrow(RuleError);
});
