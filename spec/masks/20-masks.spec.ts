// The executable half of 20-masks.md. The loop below is written from the paper's definition of φ, not from src.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Convention,
  causalMask,
  conventions,
  drawAgainst,
  drawMask,
  drawOutcomes,
  explainRow,
  type Grid,
  lastImages,
  type MaskRow,
  maskRows,
  mediaLocations,
  mediaMask,
  type NamedConvention,
  reasonClause,
  replayDecoding,
  rowOutcome,
  rowReason,
  textTime,
  tileMask,
  visibilityOf,
  zeroedRows,
} from "../../src/entries/masks.ts";
import { isConvention } from "../../src/masks/conventions/check.ts";
import { distinguishingExample, tour, workedExample } from "../../src/masks/drawing/tour.ts";

const { immediate, "all-previous": allPrevious } = conventions;
const released = conventions["flamingo-pytorch@0.1.2 immediate"];
const releasedAll = conventions["flamingo-pytorch@0.1.2 all-previous"];
const every: readonly Convention[] = Object.values(conventions);
const own: readonly Convention[] = [immediate, allPrevious, released, releasedAll];

const batch = (...prompts: readonly (readonly number[])[]): Grid => ({
  shape: [prompts.length, prompts[0]?.length ?? 0],
  data: Uint8Array.from(prompts.flat()),
});
/** "ttIt" -> 0 0 1 0 */
const prompt = (text: string): number[] => [...text].map((token) => Number(token === "I"));

/** The paper, A.1.3: y_l sees x_i with i ≤ φ(l), and section 2.3: directly only i = φ(l). An image's own tag counts. */
function paperMask(located: readonly number[], images: number, lastOnly: boolean): number[] {
  const mask: number[] = [];
  for (let l = 0; l < located.length; l++) {
    for (let i = 1; i <= images; i++) {
      let tags = 0;
      let appears = 0;
      let followed = 0;
      for (let s = 0; s < located.length; s++) {
        if (located[s] === 0) continue;
        tags += 1;
        if (s <= l && tags === i) appears = 1;
        if (s <= l && tags > i) followed = 1;
      }
      mask.push(appears === 1 && (!lastOnly || followed === 0) ? 1 : 0);
    }
  }
  return mask;
}

const strings = (most: number): number[][] =>
  Array.from({ length: most + 1 }, (_, n) =>
    Array.from({ length: 2 ** n }, (_, bits) => Array.from({ length: n }, (_, i) => (bits >> i) & 1)),
  ).flat();

/** A row's outcome as the tables of conventions write it: {1}, 0, U. */
const brief = (row: MaskRow): string =>
  ({
    attends: `{${row.images}}`,
    zeroed: "0",
    identity: "=",
    "uniform-leak": "U",
    "unmasked-leak": "A",
    nan: "NaN",
  })[row.outcome];
const briefs = (located: readonly number[], images: number, convention: Convention): string =>
  (maskRows(batch(located), images, convention)[0] ?? []).map(brief).join(" ");

const located = fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 24 });
const images = fc.integer({ min: 0, max: 6 });
const convention = fc.constantFrom(...every);
const ownConvention = fc.constantFrom(...own);
const rectangle = fc.integer({ min: 0, max: 9 }).chain((l) =>
  fc.array(fc.array(fc.integer({ min: 0, max: 1 }), { minLength: l, maxLength: l }), {
    minLength: 1,
    maxLength: 4,
  }),
);

test("[mask.location] only the media token's id is an image", () => {
  const ids = { shape: [2, 3], data: Int32Array.of(3, 0, 4, 3, 3, -3) };
  expect(mediaLocations(ids, 3)).toEqual(batch([1, 0, 0], [1, 1, 0]));
  expect(mediaLocations(ids, 9)).toEqual(batch([0, 0, 0], [0, 0, 0]));
});

test("[mask.location] an end token is marked where one is named, and is no image", () => {
  const ids = { shape: [1, 5], data: Int32Array.of(3, 8, 3, 0, 8) };
  expect([...mediaLocations(ids, 3, 8).data]).toEqual([1, 2, 1, 0, 2]);
  expect([...mediaLocations(ids, 3, 3).data]).toEqual([1, 0, 1, 0, 0]);
  expect([...textTime(mediaLocations(ids, 3, 8)).data]).toEqual([1, 1, 2, 2, 2]);
});

test("[mask.numbering] an image's own token has that image's number", () => {
  expect([...textTime(batch([0, 1, 0, 0], [0, 0, 1, 0])).data]).toEqual([0, 1, 1, 1, 0, 0, 1, 1]);
  expect([...textTime(batch([1, 1, 0, 1, 0])).data]).toEqual([1, 2, 2, 3, 3]);
});

test("[mask.immediate] equals the paper's definition on every string up to length 8, with 0 to 4 images", () => {
  for (const one of strings(8)) {
    for (let n = 0; n <= 4; n++) {
      for (const c of [immediate, released]) {
        const mask = mediaMask(batch(one), n, c);
        expect(mask.shape).toEqual([1, one.length, n]);
        expect([...mask.data], `${one} ${n}`).toEqual(paperMask(one, n, true));
      }
    }
  }
});

test("[mask.all-previous] equals the paper's definition on every string up to length 8, with 0 to 4 images", () => {
  for (const one of strings(8)) {
    for (let n = 0; n <= 4; n++) {
      for (const c of [allPrevious, releasedAll]) {
        expect([...mediaMask(batch(one), n, c).data], `${one} ${n}`).toEqual(paperMask(one, n, false));
      }
    }
  }
});

test("[mask.all-previous] allows whatever immediate allows", () => {
  fc.assert(
    fc.property(located, images, (one, n) => {
      const less = mediaMask(batch(one), n, immediate).data;
      const more = mediaMask(batch(one), n, allPrevious).data;
      expect(less.every((may, i) => may <= (more[i] ?? 0))).toBe(true);
    }),
  );
});

test("[mask.polarity] the worked masks, literally: 1 is allowed", () => {
  const expected = [
    [0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0],
  ].flat();
  for (const c of own) {
    const mask = mediaMask(workedExample.locations, workedExample.images, c);
    expect(mask.shape).toEqual([2, 4, 3]);
    expect([...mask.data]).toEqual(expected);
  }
});

test("[mask.empty-row] the corrected conventions zero exactly the rows whose mask is empty", () => {
  for (const one of strings(8)) {
    for (let n = 0; n <= 4; n++) {
      for (const c of [immediate, allPrevious]) {
        const mask = paperMask(one, n, c === immediate);
        const empty = one.map((_, l) => !mask.slice(l * n, (l + 1) * n).includes(1));
        const rows = maskRows(batch(one), n, c)[0] ?? [];
        expect(rows.map((row) => row.outcome)).toEqual(empty.map((is) => (is ? "zeroed" : "attends")));
      }
    }
  }
});

test("[mask.uniform-leak] the release averages all images in empty rows that it does not zero", () => {
  for (const one of strings(8)) {
    for (let n = 1; n <= 4; n++) {
      const tags = one.map((_, l) => one.slice(0, l + 1).filter((isImage) => isImage === 1).length);
      const all = Array.from({ length: n }, (_, m) => m + 1);
      expect(briefs(one, n, released)).toBe(
        tags.map((t) => (t === 0 ? "0" : t <= n ? `{${t}}` : "U")).join(" "),
      );
      expect(briefs(one, n, releasedAll)).toBe(
        tags.map((t) => (t === 0 ? "U" : `{${all.slice(0, t)}}`)).join(" "),
      );
      for (const row of maskRows(batch(one), n, releasedAll)[0] ?? []) {
        if (row.outcome === "uniform-leak") expect(row.images).toEqual(all);
      }
    }
  }
});

test("[mask.zeroed] only the release's immediate convention zeroes rows after the softmax, and only before the first image", () => {
  const locations = batch([0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]);
  expect(zeroedRows(locations, released)).toEqual(batch([1, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]));
  for (const c of [immediate, allPrevious, releasedAll]) expect(zeroedRows(locations, c)).toBeNull();
  expect(rowOutcome([[1, 1]], 2, true, released)).toBe("zeroed");
  expect(briefs(prompt("tIIt"), 1, released)).toBe("0 {1} U U");
  expect(briefs(prompt("tIIt"), 1, releasedAll)).toBe("U {1} {1} {1}");
});

test("[mask.last] [mask.neighbours] the last k images are at least the images that stand together", () => {
  const two = { ...lastImages(2), neighbours: "together" } as const;
  const one = { ...lastImages(1), neighbours: "together" } as const;
  // I I I t I t: images 1 to 3 stand together, and image 4 alone.
  const located = batch(prompt("IIItIt"));
  const rows = (convention: Convention) =>
    Array.from({ length: 6 }, (_, l) =>
      [...mediaMask(located, 4, convention).data.subarray(4 * l, 4 * l + 4)].join(""),
    );
  expect(rows(one)).toEqual(["1000", "1100", "1110", "1110", "0001", "0001"]);
  expect(rows(two)).toEqual(["1000", "1100", "1110", "1110", "0011", "0011"]);
});

test("[mask.zeroed] [mask.identity] a block is given flags of rows only where a convention has some", () => {
  const located = batch(prompt("tItIt"));
  const all = Object.values(conventions).map((convention) => ({
    convention,
    ...visibilityOf(located, 2, convention),
  }));
  for (const { convention, postSoftmaxMask, feedForward, emptyRow } of all) {
    const kept = convention.numbering === "next" ? [1, 1, 1, 1, 0] : [0, 1, 1, 1, 1]; // no image comes behind the last t
    expect(postSoftmaxMask, convention.name).toEqual(convention.zeroBeforeFirstImage ? batch(kept) : null);
    expect(feedForward, convention.name).toEqual(
      convention.emptyRowFeedForward === "skip" ? batch([0, 1, 1, 1, 1]) : null,
    );
    expect(emptyRow, convention.name).toBe(
      { zero: "zero", uniform: "uniform", unmasked: "zero", nan: "nan" }[convention.emptyRow],
    );
  }
  expect(all.filter(({ feedForward }) => feedForward).length).toBeGreaterThan(0);
});

test("[mask.no-image] without images every row is zeroed, under every convention", () => {
  fc.assert(
    fc.property(located, convention, (one, c) => {
      const rows = maskRows(batch(one), 0, c)[0] ?? [];
      const nothing = c.emptyRowFeedForward === "skip" ? "identity" : "zeroed";
      expect(rows.every((row) => row.outcome === nothing && row.images.length === 0)).toBe(true);
      expect(rows.map((row) => explainRow(row, one, c))).toEqual(
        one.map((_, position) => ({
          kind: "empty",
          position,
          because: { kind: "no-images" },
          result: nothing,
        })),
      );
    }),
  );
});

test("[mask.outcome] edge cases, row by row", () => {
  const cases: [string, number, string, string, string, string][] = [
    // prompt, images, immediate, all-previous, released immediate, released all-previous
    ["ttIt", 1, "0 0 {1} {1}", "0 0 {1} {1}", "0 0 {1} {1}", "U U {1} {1}"],
    ["Ittt", 3, "{1} {1} {1} {1}", "{1} {1} {1} {1}", "{1} {1} {1} {1}", "{1} {1} {1} {1}"],
    ["ItIt", 1, "{1} {1} 0 0", "{1} {1} {1} {1}", "{1} {1} U U", "{1} {1} {1} {1}"],
    ["IItt", 2, "{1} {2} {2} {2}", "{1} {1,2} {1,2} {1,2}", "{1} {2} {2} {2}", "{1} {1,2} {1,2} {1,2}"],
    ["ttII", 2, "0 0 {1} {2}", "0 0 {1} {1,2}", "0 0 {1} {2}", "U U {1} {1,2}"],
    ["tttt", 2, "0 0 0 0", "0 0 0 0", "0 0 0 0", "U U U U"],
    ["ItIt", 3, "{1} {1} {2} {2}", "{1} {1} {1,2} {1,2}", "{1} {1} {2} {2}", "{1} {1} {1,2} {1,2}"],
  ];
  for (const [text, n, ...expected] of cases) {
    const found = [immediate, allPrevious, released, releasedAll].map((c) => briefs(prompt(text), n, c));
    expect(found, `${text} with ${n}`).toEqual(expected);
  }
  const hazard: Convention = { ...immediate, emptyRow: "nan" };
  expect(briefs(prompt("tI"), 1, hazard)).toBe("NaN {1}");
});

test("[mask.batch] a batch equals its prompts one by one", () => {
  fc.assert(
    fc.property(rectangle, images, convention, (prompts, n, c) => {
      const whole = mediaMask(batch(...prompts), n, c);
      expect([...whole.data]).toEqual(prompts.flatMap((one) => [...mediaMask(batch(one), n, c).data]));
      expect(maskRows(batch(...prompts), n, c)).toEqual(prompts.flatMap((one) => maskRows(batch(one), n, c)));
      const zeroed = prompts.map((one) => zeroedRows(batch(one), c)?.data);
      expect(zeroedRows(batch(...prompts), c)?.data).toEqual(
        c.zeroBeforeFirstImage ? Uint8Array.from(zeroed.flatMap((rows) => [...(rows ?? [])])) : undefined,
      );
    }),
  );
});

const stable = fc.constantFrom(...every.filter(({ numbering }) => numbering !== "next"));

test("[mask.prefix-stable] the mask of a prefix is the prefix of the mask", () => {
  fc.assert(
    fc.property(located, fc.nat(24), images, stable, (one, cut, n, c) => {
      const l = Math.min(cut, one.length);
      const prefix = batch(one.slice(0, l));
      const whole = batch(one);
      expect([...mediaMask(prefix, n, c).data]).toEqual([...mediaMask(whole, n, c).data.slice(0, l * n)]);
      expect(maskRows(prefix, n, c)[0]).toEqual(maskRows(whole, n, c)[0]?.slice(0, l));
      expect(zeroedRows(prefix, c)?.data).toEqual(zeroedRows(whole, c)?.data.slice(0, l));
    }),
  );
});

test("[mask.padding-image] one more image changes no other column, and only rows with its number or rows that leak", () => {
  fc.assert(
    fc.property(located, fc.integer({ min: 1, max: 6 }), ownConvention, (one, n, c) => {
      const before = maskRows(batch(one), n, c)[0] ?? [];
      const after = maskRows(batch(one), n + 1, c)[0] ?? [];
      after.forEach((row, l) => {
        const old = before[l];
        expect(row.mayAttend.slice(0, n)).toEqual(old?.mayAttend);
        if (row.number > n) expect(row.mayAttend[n]).toBe(c.compare === "at-least" || row.number === n + 1);
        else {
          expect(row.mayAttend[n]).toBe(false);
          expect(row.outcome).toBe(old?.outcome);
          if (row.outcome !== "uniform-leak") expect(row).toEqual({ ...old, imageCount: n + 1 });
        }
      });
    }),
  );
});

test("[mask.causal] position l attends the positions up to l", () => {
  expect(causalMask(3)).toEqual({ shape: [3, 3], data: Uint8Array.of(1, 0, 0, 1, 1, 0, 1, 1, 1) });
  for (let n = 0; n < 20; n++) {
    const expected = Array.from({ length: n * n }, (_, i) => Number(i % n <= Math.floor(i / n)));
    expect([...causalMask(n).data]).toEqual(expected);
  }
});

test("[mask.convention] every named convention has its name, one sentence and a source", () => {
  for (const [name, c] of Object.entries<NamedConvention>(conventions)) {
    expect(c.name).toBe(name);
    expect(c.note).toMatch(/^[A-Z].+\.$/);
    expect(Object.values(c.source).every((text) => text.length > 0)).toBe(true);
    if (c.source.package === "flamingo-pytorch")
      expect(name).toContain(`flamingo-pytorch@${c.source.version}`);
  }
});

test("[mask.input] a strided view is read through its strides", () => {
  const transposed = { shape: [2, 3], data: Uint8Array.of(9, 1, 0, 0, 1, 0, 0), stride: [1, 2], offset: 1 };
  expect([...textTime(transposed).data]).toEqual([1, 1, 1, 0, 1, 1]);
  expect(mediaMask(transposed, 2, immediate)).toEqual(mediaMask(batch([1, 0, 0], [0, 1, 0]), 2, immediate));
  expect(zeroedRows(transposed, released)).toEqual(batch([0, 0, 0], [1, 0, 0]));
  // An offset alone: rows follow one another from there, and the data may go on behind them.
  const behind = { shape: [1, 3], data: Uint8Array.of(1, 1, 0, 1, 0, 1), offset: 2 };
  expect([...textTime(behind).data]).toEqual([0, 1, 1]);
});

/** Asserts that a call throws a RangeError whose message contains a text. */
function refused(call: () => unknown, text: string): void {
  let error: unknown;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toEqual(
    expect.objectContaining({ name: "RangeError", message: expect.stringContaining(text) }),
  );
}

test("[mask.input] wrong axes, missing data and impossible image counts are refused with a RangeError", () => {
  const data = new Uint8Array(12);
  refused(
    () => mediaLocations({ shape: [4], data }, 3),
    "the shape [4], strides [null,1] and offset 0 do not fit",
  );
  refused(
    () => mediaMask({ shape: [2, 2, 3], data }, 1, immediate),
    "{ shape: [prompts, positions], data }; the shape [2,2,3], strides [2,1] and",
  );
  for (const [rows, columns] of [
    [2, -3],
    [-2, 3],
    [-3, -4],
  ] as const)
    refused(() => textTime({ shape: [rows, columns], data }), `the shape [${rows},${columns}]`);
  refused(() => textTime({ shape: [-3, -4], data, stride: [1, 1] }), "the shape [-3,-4]");
  refused(
    () => textTime({ shape: [3, 5], data }),
    "the shape [3,5], strides [5,1] and offset 0 do not fit 12 values.",
  );
  refused(
    () => textTime({ shape: [2, 5], data }),
    "the shape [2,5], strides [5,1] and offset 0 do not fit 12 values.",
  );
  refused(
    () => textTime({ shape: [2, 3], data, stride: [6, 2], offset: 2 }),
    "but prompt 1, position 2 has undefined.",
  );
  refused(
    () => textTime({ shape: [2, 3], data, stride: [-3, 1] }),
    "but prompt 1, position 0 has undefined.",
  );
  for (const n of [-1, 1.5, Number.NaN])
    refused(() => mediaMask(batch([1]), n, immediate), `a whole number from 0 up, not ${n}.`);
});

test("[mask.input] strides that are no two whole numbers, and values that are no ids or kinds, are refused", () => {
  const at = (...data: number[]) => ({ shape: [1, data.length], data });
  for (const stride of [[3], [3, 1, 1], [3, 0.5], [Number.NaN, 1]])
    refused(
      () => textTime({ shape: [1, 3], data: [0, 1, 0], stride }),
      `strides ${JSON.stringify(stride)} and offset 0 do not fit`,
    );
  for (const [shape, stride] of [
    [[2, 2, 3], [1]],
    ["12", [1, 1]],
    [[1, 2], 1],
  ] as [number[], number[]][])
    refused(() => textTime({ shape, data: [0, 1], stride }), `strides ${JSON.stringify(stride)}`);
  const holes = { shape: [2, 2], data: [0, 1, 1, 0], stride: [2, 1] };
  delete holes.stride[0]; // a list with a hole is no list of two numbers
  refused(() => textTime(holes), "strides [null,1] and offset 0 do not fit");
  refused(() => textTime({ shape: [1, 1], data: [0, 1], offset: 0.5 }), "and offset 0.5 do not fit");
  for (const value of [0.5, Number.NaN, Number.POSITIVE_INFINITY, "1" as unknown as number]) {
    const text = typeof value === "string" ? `"${value}"` : value;
    refused(() => mediaLocations(at(0, value), 1), `whole numbers, but prompt 0, position 1 has ${text}.`);
    refused(() => mediaMask(at(0, value), 1, immediate), `position 1 has ${text}.`);
  }
  for (const kind of [-1, 4, 50_000]) {
    const text = `Locations are 0 (text), 1 (image), 2 (end token) or 3 (further token of an image), from mediaLocations(), but prompt 0, position 1 has ${kind}.`;
    for (const call of [
      textTime,
      (x: Grid) => mediaMask(x, 1, immediate),
      (x: Grid) => drawMask(x, 1, immediate),
    ])
      refused(() => call(at(0, kind) as unknown as Grid), text);
    refused(() => maskRows(at(0, kind), 1, immediate), text);
    refused(() => replayDecoding(at(0, kind), 1, immediate), text);
  }
  expect([...textTime(at(1, 3, 0, 2)).data]).toEqual([1, 1, 1, 1]);
  expect([...mediaLocations(at(-100, 50_000), 50_000).data]).toEqual([0, 1]); // -100 marks ignored labels
});

test("[mask.input] a convention whose fields have other values, or a name in its place, is refused", () => {
  const where = batch([1, 0]);
  const calls: readonly ((convention: Convention) => unknown)[] = [
    (c) => mediaMask(where, 1, c),
    (c) => maskRows(where, 1, c),
    (c) => visibilityOf(where, 1, c),
    (c) => zeroedRows(where, c),
    (c) => replayDecoding(where, 1, c),
    (c) => drawMask(where, 1, c),
  ];
  const wrong: readonly [object | string, string][] = [
    ["immediate", 'such as conventionOf("immediate") finds, not "immediate"'],
    [{ numbering: "from one" }, 'numbering is "inclusive" or "exclusive" or "next", not "from one".'],
    [{ numbering: { last: 1 } }, 'numbering is "inclusive" or "exclusive" or "next", not {"last":1}.'],
    [{ neighbours: "toString" }, 'neighbours is "apart" or "together", not "toString".'],
    [{ endTokens: undefined }, 'endTokens is "ignored" or "cut", not undefined.'],
    [{ emptyRow: "zeros" }, 'emptyRow is "zero" or "uniform" or "unmasked" or "nan", not "zeros".'],
    [{ zeroBeforeFirstImage: 1 }, "zeroBeforeFirstImage is false or true, not 1."],
    [{ emptyRowFeedForward: true }, 'emptyRowFeedForward is "run" or "skip", not true.'],
    [{ cachedStep: "all" }, 'cachedStep is "none" or "rows"'],
    ...[0, -1, 1.5, "2"].map((last): [object, string] => [
      { compare: { last } },
      `{ last: k } or { explicit: [[k, ...], ...] }, k from 1 up`,
    ]),
    [{ compare: "last" }, 'compare is "equal" or "at-least" or "everything", { last: k }'],
    [
      { compare: { explicit: [[0]] } },
      ', { last: k } or { explicit: [[k, ...], ...] }, k from 1 up, not {"explicit":[[0]]}.',
    ],
    [{ compare: { last: 2, explicit: undefined } }, 'not {"last":2}.'],
    [{ compare: null }, "not null."],
    [{ emptyRowFeedforward: "skip" }, 'A convention has no field "emptyRowFeedforward".'],
    ...["notes", "tiledImages", "unprovenSteps", "constructor", "toString"].map((name): [object, string] => [
      { [name]: 1 },
      `A convention has no field "${name}".`,
    ]),
  ];
  for (const call of calls)
    for (const [given, text] of wrong)
      refused(
        () => call((typeof given === "string" ? given : { ...immediate, ...given }) as Convention),
        text,
      );
  for (const convention of every) for (const call of calls) expect(() => call(convention)).not.toThrow();
  const misspelt = { ...immediate, emptyRowFeedforward: "skip" };
  for (const value of [null, undefined, 3, "immediate", [], {}, misspelt])
    expect(isConvention(value)).toBe(false);
  for (const convention of every) expect(isConvention(convention)).toBe(true);
  refused(
    () => textTime(where, "first" as "next"),
    'numbering is "inclusive" or "exclusive" or "next", not "first".',
  );
  for (const k of [0, -1, 1.5, Number.NaN])
    refused(() => lastImages(k), `The number k of last images is a whole number from 1 up, not ${k}.`);
  expect([...mediaMask(batch([1, 1, 1]), 3, lastImages(2)).data]).toEqual([1, 0, 0, 1, 1, 0, 0, 1, 1]);
});

test("[mask.input] more tiles than are stored, and counts that are no whole numbers, are refused", () => {
  const mask = (most: number, ...counts: number[]) =>
    tileMask(batch([1, 1]), 2, allPrevious, { most, counts: [counts] });
  for (const most of [0, -1, 1.5, Number.NaN]) refused(() => mask(most, 0), `from 1 up, not ${most}.`);
  for (const n of [3, -1, 0.5, Number.NaN])
    refused(
      () => mask(2, 1, n),
      `The counts of tiles are whole numbers from 0 to 2, the number stored, not ${n}.`,
    );
  expect([...mask(2, 1, 2).data]).toEqual([1, 0, 0, 0, 1, 0, 1, 1]);
});

test("[mask.input] a count of text_time names its numbering and its end tokens", () => {
  const cut = { numbering: "next", endTokens: "cut" } as const;
  expect([...textTime(batch([1, 2, 0, 1]), cut).data]).toEqual([1, 2, 0, 2]); // counted by hand
  refused(() => textTime(batch([1]), { numbring: "next", endTokens: "cut" } as never), "numbering is");
  refused(() => textTime(batch([1]), { numbering: "next" } as never), "endTokens is");
});

test("[mask.input] a drawing's latents are a whole number from 1 up, and a multiple of the tiles", () => {
  const drawn = (latents: number, most?: number) =>
    drawMask(batch([1]), 1, immediate, {
      latents,
      tiles: most === undefined ? undefined : { most, counts: [[1]] },
    });
  for (const latents of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, true] as number[])
    refused(() => drawn(latents), `The number of latents is a whole number from 1 up, not ${latents}.`);
  refused(() => drawn("2" as never), 'from 1 up, not "2".');
  refused(() => drawn(3, 2), "The number of latents is 1 or a multiple of the 2 tiles, not 3.");
  expect(drawn(3)).toContain("■ ■ ■");
  expect(drawn(4, 2)).toContain("■ ■ · ·");
  expect(drawn(1, 2)).toContain("■ ·");
});

test("[mask.input] a drawing's reasons are written by a function", () => {
  for (const reasons of [true, false, 5, null])
    refused(
      () => drawMask(batch([1]), 1, immediate, { reasons: reasons as unknown as typeof rowReason }),
      `reasons is a function like rowReason, not ${reasons}.`,
    );
});

test("[mask.drawing] images are drawn, one column each, however many there are", () => {
  const many = 300_000; // more than a call can have arguments
  const text = drawMask(batch([1]), many, immediate);
  expect(text.match(/[■·]/g)).toHaveLength(many);
  expect(text.match(/■/g)).toHaveLength(1);
});

const stripped = (text: string) => text.replace(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g"), "");
const linesOf = (text: string) => text.split("\n");
/** The cells of a drawn grid, line by line, as zeros and ones. */
const cells = (text: string) =>
  linesOf(text)
    .filter((line) => /^ +\d+ /.test(line) && /[■·]/.test(line))
    .map((line) => [...line].filter((char) => "■·".includes(char)).map((char) => Number(char === "■")));

test("[mask.latents] unfolded, every latent of an image has the image's cell", () => {
  fc.assert(
    fc.property(
      rectangle,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      convention,
      (prompts, n, r, c) => {
        const mask = mediaMask(batch(...prompts), n, c).data;
        const drawn = cells(drawMask(batch(...prompts), n, c, { latents: r })).flat();
        expect(drawn).toEqual([...mask].flatMap((may) => new Array(r).fill(may)));
      },
    ),
  );
});

test("[mask.drawing] every prompt has its strip, its grid, its outcomes and, where asked for, its reasons", () => {
  const text = drawMask(batch(prompt("ttI"), prompt("III")), 2, releasedAll, {
    tokens: [["Two", " dogs", "<image>"]],
    reasons: rowReason,
  });
  const lines = linesOf(text);
  expect(lines).toContain("prompt 0   Two   dogs  [image 1]");
  expect(lines).toContain("prompt 1   [image 1]  [image 2]  [image 3]");
  expect(lines.filter((line) => line.includes("UNIFORM LEAK"))).toHaveLength(2);
  expect(lines.find((line) => line.includes("  1   dogs"))).toMatch(/ 0 +· +· +UNIFORM LEAK$/);
  expect(lines.filter((line) => / 3 +■ +■ +attends \{1,2\}$/.test(line))).toHaveLength(1);
  for (const [b, kinds] of [prompt("ttI"), prompt("III")].entries()) {
    for (const row of maskRows(batch(prompt("ttI"), prompt("III")), 2, releasedAll)[b] ?? []) {
      expect(lines).toContain(`  ${reasonClause(explainRow(row, kinds, releasedAll))}`);
    }
  }
  expect(drawMask(batch(prompt("tI")), 1, immediate)).not.toContain("position");
  expect(drawMask(batch(prompt("tI")), 1, immediate, { reasons: (row) => `row ${row.position}` })).toMatch(
    /^ {2}row 0\n {2}row 1$/m,
  );
  expect(drawMask(batch(prompt("tI")), 1, { ...immediate, emptyRow: "nan" })).toMatch(/text +0 +· +NaN$/m);
});

test("[mask.drawing] colour and ASCII change only colours and marks", () => {
  fc.assert(
    fc.property(rectangle, images, convention, (prompts, n, c) => {
      const locations = batch(...prompts);
      const reasons = rowReason;
      const plain = drawMask(locations, n, c, { reasons });
      expect(stripped(drawMask(locations, n, c, { reasons, colour: true }))).toBe(plain);
      expect(drawMask(locations, n, c, { reasons, ascii: true })).toBe(
        plain.replaceAll("■", "#").replaceAll("·", "."),
      );
      const against = drawAgainst(locations, n, c, immediate);
      expect(stripped(drawAgainst(locations, n, c, immediate, { colour: true }))).toBe(against);
      expect(stripped(drawOutcomes(locations, n, every, { colour: true }))).toBe(
        drawOutcomes(locations, n, every),
      );
    }),
  );
  const coloured = drawMask(batch(prompt("ItI")), 2, immediate, { colour: true });
  expect(coloured).toContain("\x1b[36m■\x1b[0m");
  expect(coloured).toContain("\x1b[35m■\x1b[0m");
});

test("[mask.drawing] no token breaks a line, moves the cursor or shifts a column", () => {
  const tokens = ["a\nb", "\x1b[2J", "日本", "x".repeat(40), "\u{e0041}\u2028"];
  const text = drawMask(batch(prompt("ttttt")), 1, immediate, { tokens: [tokens] });
  const rows = linesOf(text).filter((line) => /^ +\d {2}/.test(line));
  expect(rows.map((line) => line.slice(5, 22).trim())).toEqual([
    "a\\nb",
    "\\u{1b}[2J",
    "日本",
    `${"x".repeat(14)}..`,
    expect.stringMatching(/^\\u\{e0041\}/),
  ]);
  expect([...text].every((char) => char === "\n" || !/[\p{Cc}\p{Cf}\u2028]/u.test(char))).toBe(true);
  const columns = rows.map((line) => line.replace("日本", "日本__").indexOf("·")); // two columns each in a terminal
  expect(new Set(columns).size).toBe(1);
});

test("[mask.drawing] a wide batch has numbers for headings and stays a grid", () => {
  const text = drawMask(batch(prompt("ItItIt")), 12, allPrevious);
  expect(text).toMatch(/text_time {2}1 {2}2 {2}3 {2}4 {2}5 {2}6 {2}7 {2}8 {2}9 {2}10 {2}11 {2}12\n/);
  expect(Math.max(...linesOf(text).map((line) => line.length))).toBeLessThanOrEqual(90);
});

test("[mask.drawing] two masks side by side mark exactly the rows that differ", () => {
  fc.assert(
    fc.property(located, images, convention, convention, (one, n, a, b) => {
      const lines = linesOf(drawAgainst(batch(one), n, a, b)).slice(-one.length);
      const [left, right] = [a, b].map((c) => maskRows(batch(one), n, c)[0] ?? []);
      if (one.length === 0) return;
      one.forEach((_, l) => {
        const cellsOf = (rows: readonly MaskRow[] | undefined) =>
          rows?.[l]?.mayAttend.map((may) => (may ? "■" : "·"));
        const drawn = [...(lines[l] ?? "")].filter((char) => "■·".includes(char));
        expect(drawn).toEqual([...(cellsOf(left) ?? []), ...(cellsOf(right) ?? [])]);
        expect(lines[l]?.endsWith("<- differs")).toBe(`${cellsOf(left)}` !== `${cellsOf(right)}`);
      });
    }),
  );
});

test("[mask.drawing] a table of conventions has a label for every row", () => {
  const words = (line: string) =>
    line
      .replace(/^ +(flamingo\S+ )?\S+/, "")
      .trim()
      .split(/ +/);
  const lines = linesOf(drawOutcomes(batch(prompt("tIt"), prompt("III")), 2, own));
  expect(lines[0]?.trim()).toMatch(/^prompt 0 +prompt 1$/);
  expect(lines.slice(2).map((line) => words(line).join(" "))).toEqual([
    "- {1} {1} {1} {2} -",
    "- {1} {1} {1} {1,2} {1,2}",
    "- {1} {1} {1} {2} LEAK",
    "LEAK {1} {1} {1} {1,2} {1,2}",
  ]);
});

test("[mask.tour] prints both worked masks, unfolded, as the tutorial derives them", () => {
  expect(cells(tour()).slice(0, 8)).toEqual([
    [0, 0, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 0],
  ]);
  expect([...textTime(workedExample.locations).data]).toEqual([0, 1, 1, 1, 0, 0, 1, 1]);
});

test("[mask.tour] the example cannot distinguish immediate from all-previous, and a second one can", () => {
  const masks = ({ locations, images: n }: { locations: Grid; images: number }) =>
    [immediate, allPrevious].map((c) => mediaMask(locations, n, c).data);
  const [worked, workedAll] = masks(workedExample);
  const [distinguishing, distinguishingAll] = masks(distinguishingExample);
  expect(worked).toEqual(workedAll);
  expect(distinguishing).not.toEqual(distinguishingAll);

  const text = tour();
  expect(text).toContain("example cannot distinguish immediate from all-previous");
  expect(cells(text).slice(8)).toEqual([
    [1, 0, 0, 1, 0, 0],
    [1, 0, 0, 1, 0, 0],
    [0, 1, 0, 1, 1, 0],
    [0, 1, 0, 1, 1, 0],
  ]);
  const [empty, missing] = [
    /all-previous +LEAK \{1\} \{1\} \{1\} +LEAK LEAK \{1\} \{1\}$/m,
    /immediate +\{1\} \{1\} LEAK LEAK$/m,
  ];
  expect(text).toMatch(empty);
  expect(text).toMatch(missing);
});

test("[mask.tour] fits a terminal of 80 columns, with and without colour", () => {
  expect(Math.max(...linesOf(tour()).map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(stripped(tour({ colour: true }))).toBe(tour());
  expect(tour({ ascii: true })).toMatch(/^[\n\x20-\x7e]+$/);
  expect(linesOf(tour()).every((line) => line === line.trimEnd())).toBe(true);
});
