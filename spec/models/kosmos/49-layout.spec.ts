// The executable half of 49-layout.md. Expected values: lists written by hand, and `_prepare` of unilm's Laion2BLoader (microsoft/unilm,
// kosmos-2/unilm/data/vl/laion2b_loader.py), whose lists are repeated here for one image.
import { expect, test } from "vitest";
import {
  type KosmosSegment,
  kosmosBatch,
  kosmosLayout,
  kosmosSegments,
  kosmosTextLimit,
} from "../../../src/models/kosmos/layout.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { generator } from "../../../src/tensor/random.ts";

const tokens = { bos: 0, pad: 1, eos: 2, image: 8, imageEnd: 9 };
const of = (segments: readonly KosmosSegment[], options = {}) =>
  kosmosLayout(segments, { tokens, slots: 3, ...options });

test("[layout.order] images stand anywhere in the text, in any number", () => {
  expect(of([[5, 6]]).ids).toEqual([0, 5, 6, 2]);
  expect(of(["image"]).ids).toEqual([0, 8, 8, 8, 8, 9, 2]);
  expect(of([[5], "image", "image", [6], "image"]).ids).toEqual([
    0, 5, 8, 8, 8, 8, 9, 8, 8, 8, 8, 9, 6, 8, 8, 8, 8, 9, 2,
  ]);
  expect(of([]).ids).toEqual([0, 2]);
  expect(of(["image", [5]], { start: false, end: false }).ids).toEqual([8, 8, 8, 8, 9, 5]);
  expect(of([[5]], { end: false }).ids).toEqual([0, 5]);
  expect(kosmosLayout([[5], "image"], { tokens: { ...tokens, bos: null }, slots: 1 }).ids).toEqual([
    5, 8, 8, 9, 2,
  ]);
});

test("[layout.order] an image has 64 slots if nothing is said", () => {
  expect(kosmosLayout(["image"], { tokens }).slots).toEqual(Array.from({ length: 64 }, (_, i) => i + 2));
});

test("[layout.slots] the indexes of slots are given, image after image", () => {
  expect(of([[5], "image", [6], "image"]).slots).toEqual([3, 4, 5, 9, 10, 11]);
  expect(of([[5]]).slots).toEqual([]);
});

test("[layout.targets] one image before a text has the mask of unilm's loader", () => {
  const [n, text] = [3, [5, 6, 7, 2]];
  const full = [0, ...new Array(n + 1).fill(8), 9, ...text];
  const mask = [0, 0, ...new Array(n).fill(0), 1, ...text.map(() => 1)];
  const expected = full.slice(1).map((id, at) => (mask[at] === 1 ? id : -100));
  const { ids, targets } = of(["image", [5, 6, 7]]);
  expect(ids).toEqual(full);
  expect(targets).toEqual([...expected, -100]);
});

test("[layout.targets] text predicts the image token that follows, and the end of an image what follows it", () => {
  const { targets } = of([[5], "image", "image", [6]]);
  expect(targets).toEqual([5, 8, -100, -100, -100, -100, 8, -100, -100, -100, -100, 6, 2, -100]);
  expect(of(["image"], { start: false }).targets).toEqual([-100, -100, -100, -100, 2, -100]);
});

test("[layout.padding] a batch is padded at the right, without targets", () => {
  const batch = kosmosBatch([of([[5]]), of(["image"])], 1);
  expect(batch.ids).toEqual([
    [0, 5, 2, 1, 1, 1, 1],
    [0, 8, 8, 8, 8, 9, 2],
  ]);
  expect(batch.targets[0]).toEqual([5, 2, -100, -100, -100, -100, -100]);
  expect(batch.mask[0]).toEqual([true, true, true, false, false, false, false]);
  expect(batch.mask[1]).toEqual(new Array(7).fill(true));
  expect(batch.slots).toEqual([[], [2, 3, 4]]);
  expect(kosmosBatch([], 1)).toEqual({ ids: [], slots: [], targets: [], mask: [] });
  expect(() => of([[5, 1]])).toThrow(/padding/);
});

const words = (n: number): number[] => new Array<number>(n).fill(5);

test("[layout.length] 2046 positions have room for 1982 ids with one image", () => {
  expect(kosmosTextLimit()).toBe(1982);
  expect(kosmosTextLimit({ images: 0 })).toBe(2046);
  expect(kosmosTextLimit({ images: 2, slots: 4, maxPositions: 28 })).toBe(20);
  expect(kosmosTextLimit({ images: 99 })).toBe(0);
  // <s>, <image>, </image> and </s> are four of the 1982
  expect(kosmosLayout(["image", words(1978)], { tokens }).ids).toHaveLength(2046);
  expect(() => kosmosLayout(["image", words(1979)], { tokens })).toThrow(
    /2047 positions are more than the 2046 of the model; shorten the text to 1982 ids/,
  );
  expect(kosmosLayout(["image", words(1979)], { tokens, maxPositions: 2047 }).ids).toHaveLength(2047);
});

test("[layout.length] more images than there is room for are refused before any list is made", () => {
  const many = new Array<KosmosSegment>(100_000).fill("image");
  expect(() => kosmosLayout(many, { tokens, slots: 2 ** 24 })).toThrow(/leave out images/);
  const long = words(300_000);
  expect(kosmosLayout([long], { tokens, maxPositions: 2 ** 24 }).ids).toHaveLength(300_002);
});

test("[layout.segments] a segment is an image or ids of text", () => {
  for (const id of [8, 9]) expect(() => of([[5], [6, id]])).toThrow(/segment 1 has the id/);
  for (const id of [-1, 0.5, Number.NaN, 2 ** 25]) expect(() => of([[id]])).toThrow(RuleError);
  expect(() => of(["picture" as "image"])).toThrow(RuleError);
  expect(() => of([null as unknown as "image"])).toThrow(RuleError);
});

test("[options.values] what is no list of segments, layouts or ids is refused", () => {
  const wrong = <T>(value: unknown): T => value as T;
  for (const value of [null, undefined, "image", {}]) {
    expect(() => of(wrong(value))).toThrow(/kosmosLayout: segments are/);
    expect(() => kosmosBatch(wrong(value), 1)).toThrow(/kosmosBatch: layouts are/);
    expect(() => kosmosSegments(wrong(value), tokens)).toThrow(/kosmosSegments: ids are/);
  }
  for (const id of ["8", Number.NaN, undefined, -1])
    expect(() => kosmosSegments([5, wrong(id)], tokens)).toThrow(/kosmosSegments: the id at 1 is/);
  expect(() => kosmosSegments([5], wrong(undefined))).toThrow(/tokens is undefined/);
  expect(() => kosmosSegments([5], { ...tokens, image: wrong("8") })).toThrow(/image is "8"/);
});

test("[layout.special-ids] special tokens have different ids", () => {
  expect(() => kosmosLayout([], { tokens: { ...tokens, eos: 8 } })).toThrow(
    /eos and image have the same id 8/,
  );
  expect(() => kosmosLayout([], { tokens: { ...tokens, pad: 0 } })).toThrow(/bos and pad/);
});

test("[layout.pairs] ids are split at pairs of image tokens", () => {
  expect(kosmosSegments([5, 8, 9, 6, 7, 8, 9], tokens)).toEqual([[5], "image", [6, 7], "image"]);
  expect(kosmosSegments([8, 9, 8, 9], tokens)).toEqual(["image", "image"]);
  expect(kosmosSegments([], tokens)).toEqual([]);
  for (const ids of [[8], [9], [8, 5, 9], [9, 8], [8, 8, 9]])
    expect(() => kosmosSegments(ids, tokens)).toThrow(/without its partner/);
});

/** Random segments, adjacent lists included. */
function randomSegments(seed: number): KosmosSegment[] {
  const random = generator(seed, "segments");
  const below = (n: number): number => Math.floor(random.uniform() * n);
  return Array.from({ length: below(7) }, () =>
    below(2) === 0 ? "image" : Array.from({ length: below(5) }, () => 10 + below(90)),
  );
}

test("[layout.order] the layout of a concatenation is the concatenation of layouts, and no token is lost", () => {
  const parts = { start: false, end: false };
  for (let seed = 0; seed < 200; seed++) {
    const [left, right] = [randomSegments(2 * seed), randomSegments(2 * seed + 1)];
    const [a, b, both] = [of(left, parts), of(right, parts), of([...left, ...right], parts)];
    expect(both.ids).toEqual([...a.ids, ...b.ids]);
    expect(both.slots).toEqual([...a.slots, ...b.slots.map((at) => at + a.ids.length)]);
    const images = [...left, ...right].filter((segment) => segment === "image").length;
    expect(both.slots).toHaveLength(3 * images);
    const isSlot = new Set(both.slots);
    expect(both.ids.filter((id, at) => id > 9 && !isSlot.has(at))).toEqual(
      [...left, ...right].flatMap((segment) => (segment === "image" ? [] : segment)),
    );
    expect(
      kosmosSegments(
        both.ids.filter((_, at) => !isSlot.has(at)),
        tokens,
      ).flat(),
    ).toEqual([...left, ...right].flat());
  }
});
