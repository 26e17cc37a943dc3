// The executable half of 77-data.md.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ByteSource, fromBytes } from "#host";
import { filteredDocument, imageReason } from "../../../src/evaluation/data/filters.ts";
import { linesOf } from "../../../src/evaluation/data/lines.ts";
import { KOSMOS_TEXT_MIXTURE, mixed, mixture } from "../../../src/evaluation/data/mixture.ts";
import { type Packed, packed } from "../../../src/evaluation/data/packing.ts";
import {
  goodSamples,
  imagesOf,
  type ReadSample,
  samplesOf,
  withImages,
} from "../../../src/evaluation/data/samples.ts";
import { trainingText } from "../../../src/evaluation/data/training-formats.ts";
import type { Image } from "../../../src/io/images/image.ts";
import { refusal } from "../../support/properties/refusals.ts";

const file = (text: string): ByteSource => fromBytes(new TextEncoder().encode(text));
const decoder = new TextDecoder();
/** The samples of a text, and the problems of its lines. */
const read = (text: string) => [...samplesOf(file(text), "a.jsonl")];
const problemOf = (line: string): string => {
  const [one] = read(line);
  return one && "problem" in one ? one.problem : "none";
};

describe("files of JSON lines", () => {
  test("[data.samples] half of a surrogate pair is refused, which no file of UTF-8 can have", () => {
    expect(problemOf('{"text": "a\\ud83d"}')).toContain('"text" has half of a surrogate pair');
    expect(problemOf('{"question": "a", "answers": ["b", "\\udc00"]}')).toContain('"answers[1]" has half');
    expect(problemOf('{"text": "a\\ud83d\\ude00"}')).toBe("none");
  });

  test("[data.lines] lines of spaces are passed over; lines of zeros and other control characters are not", () => {
    expect(read(' \t\r\n\n{"text": "a"}\r\n').map(({ line }) => line)).toEqual([3]);
    const found = read('\0\0\0\n\x01\n\f\n{"text": "a"}');
    expect(found.map((one) => "problem" in one)).toEqual([true, true, true, false]);
  });

  test("[data.lines] lines are those of the text, whatever the length of lines and chunks", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: "grapheme", maxLength: 40 }).map((line) => line.replace(/[\r\n\ufeff]/g, "")),
        ),
        fc.constantFrom("\n", "\r\n"),
        (lines, end) => {
          const found = [...linesOf(file(lines.map((line) => line + end).join("")))];
          expect(found.map(({ bytes }) => decoder.decode(bytes ?? undefined))).toEqual(lines);
          expect(found.map(({ number }) => number)).toEqual(lines.map((_, i) => i + 1));
        },
      ),
    );
    const long = "x".repeat(200_000); // longer than several chunks
    const [first, second, ...more] = linesOf(file(`\ufeff${long}\n${long}y`));
    expect(decoder.decode(first?.bytes ?? undefined)).toBe(long);
    expect(decoder.decode(second?.bytes ?? undefined)).toBe(`${long}y`);
    expect(more).toEqual([]);
  });

  test("[data.lines] blank lines are passed over, and counted", () => {
    const [one, ...more] = read('\n \r\n{"text": "a"}\n\n');
    expect(one).toMatchObject({ line: 3, sample: { kind: "text", text: "a" } });
    expect(more).toEqual([]);
  });

  test("[data.long-lines] a line of more than 16 MB is no sample, and the next one is read", () => {
    const line = `{"text": "${"x".repeat(16_000_000)}"}`;
    const [long, next] = read(`${line}\n{"text": "a"}`);
    expect(long).toEqual({ line: 1, problem: expect.stringContaining("line 1 is longer than 16 MB") });
    expect(next).toMatchObject({ line: 2, sample: { text: "a" } });
    expect(read(line.slice(12))).toEqual([{ line: 1, problem: expect.stringContaining("is not JSON") }]);
  });

  test("[data.lines] a file larger than memory is read in chunks", () => {
    const unit = new TextEncoder().encode(`${JSON.stringify({ text: "y".repeat(1_011) })}\n`);
    let largest = 0;
    const source = {
      size: unit.length * 1_000_000_000, // a terabyte
      read(from: number, to: number) {
        largest = Math.max(largest, to - from);
        return Uint8Array.from({ length: to - from }, (_, i) => unit[(from + i) % unit.length] ?? 0);
      },
    } as unknown as ByteSource;
    let count = 0;
    for (const one of samplesOf(source, "large.jsonl")) {
      expect(one).toMatchObject({ sample: { kind: "text" } });
      if (++count === 2_000) break;
    }
    expect(largest).toBeLessThanOrEqual(2 ** 16);
  });

  test("[data.kinds] the kinds of samples", () => {
    const kinds = read(
      [
        '{"text": "a"}',
        '{"image": "a.png", "caption": "b"}',
        '{"segments": ["a", {"image": "b.png"}, {"text": "c"}]}',
        '{"image": "a.png", "question": "b", "answers": ["c", ""]}',
        '{"question": "b", "answers": ["c"]}',
        '{"context": "a", "choices": ["b", "c"], "answer": 1}',
        '{"matrix": ["a", "b", "c"], "candidates": ["d", "e"], "answer": 0}',
        '{"image": "a", "descriptions": ["b"], "category": "c", "choices": ["d", "e"], "answer": 1}',
      ].join("\n"),
    ).map((one) => ("sample" in one ? one.sample : one));
    expect(kinds).toEqual([
      { kind: "text", text: "a" },
      { kind: "caption", image: "a.png", caption: "b" },
      { kind: "document", segments: ["a", { image: "b.png" }, "c"] },
      { kind: "question", image: "a.png", question: "b", answers: ["c", ""] },
      { kind: "question", image: null, question: "b", answers: ["c"] },
      { kind: "choice", image: null, context: "a", choices: ["b", "c"], answer: 1 },
      { kind: "matrix", matrix: ["a", "b", "c"], candidates: ["d", "e"], answer: 0 },
      {
        ...{ kind: "description", image: "a", descriptions: ["b"], category: "c" },
        ...{ choices: ["d", "e"], answer: 1 },
      },
    ]);
    const [one] = samplesOf(file('{"text": "a"}'), "a.jsonl", ["caption", "question"]);
    expect(one).toMatchObject({
      problem: expect.stringContaining(
        "a.jsonl, line 1 is a text, and what is wanted is a caption or a question",
      ),
    });
  });

  test.each([
    ["[]", "is not a JSON object { … }; write the line again, or leave it out"],
    ["{", "is not JSON; write the line again, or leave it out"],
    ["{}", "a sample has one of the fields segments, matrix, descriptions, choices, question, caption, text"],
    [
      '{"matrix": ["a", "b", "c", "d", "e"], "candidates": ["d", "e"], "answer": 0}',
      "has 5 images; matrices",
    ],
    ['{"matrix": ["a", "b", "c"], "candidates": ["d", "e"], "answer": 2}', "one of 2 candidates, from 0"],
    ['{"image": "a", "descriptions": [], "category": "c", "choices": ["d", "e"], "answer": 1}', "0 entries"],
    ['{"text": 3}', '"text" has to be a string'],
    ['{"text": " "}', '"text" is empty'],
    ['{"caption": "a"}', '"image" is missing'],
    ['{"question": "a", "answers": "b"}', '"answers" has to be a list'],
    ['{"question": "a", "answers": []}', '"answers" has 0 entries; it needs at least 1'],
    ['{"question": "a", "answers": [1]}', '"answers[0]" has to be a string'],
    ['{"context": "a", "choices": ["b"], "answer": 0}', "it needs at least 2"],
    ['{"context": "a", "choices": ["b", "c", "b"], "answer": 2}', '"choices" has "b" twice; remove one'],
    ['{"matrix": ["a", "b", "c"], "candidates": ["d", "d"], "answer": 0}', '"candidates" has "d" twice'],
    [
      '{"image": "a", "descriptions": ["b"], "category": "c", "choices": ["e", "e"], "answer": 1}',
      '"choices" has "e" twice',
    ],
    ['{"context": "a", "choices": ["b", "c"], "answer": 2}', "the index of one of 2 choices"],
    ['{"context": "a", "choices": ["b", "c"], "answer": -1}', "the index of one of 2 choices"],
    ['{"segments": []}', '"segments" has 0 entries'],
    ['{"segments": [{"image": "a", "text": "b"}]}', '"segments[0].text" is no field'],
    ['{"text": "a", "source": "b"}', '"source" is no field of a text'],
    ['{"text": "a", "text": "b"}', "has a key twice"],
    ['{"text": [[[[[1]]]]]}', "nested more than 4"],
  ])("[data.samples] [data.bad-lines] %s", (line, message) => {
    const problem = problemOf(line);
    expect(problem).toContain(message);
    expect(problem).toMatch(/^a\.jsonl, line 1\b/);
  });

  test("[data.bad-lines] lines after a bad one are read, unless the caller throws", () => {
    const source = file('{"text": "a"}\n{\n{"text": "b"}');
    const bad: number[] = [];
    const good = [...goodSamples(source, "a.jsonl", null, ({ line }) => bad.push(line))];
    expect([good.map(({ line }) => line), bad]).toEqual([[1, 3], [2]]);
    const stops = goodSamples(source, "a.jsonl", null, ({ problem }) => {
      throw new Error(problem);
    });
    expect(() => [...stops]).toThrow("line 2 is not JSON");
  });
});

test("[data.images] a sample is written with other paths of its images, and is otherwise the same", () => {
  const text = [
    '{"text":"a"}',
    '{"image":"a.png","caption":"b"}',
    '{"segments":["a",{"image":"b.png"},"c"]}',
    '{"image":"a.png","question":"b","answers":["c"]}',
    '{"question":"b","answers":["c"]}',
    '{"context":"a","choices":["b","c"],"answer":1}',
  ].join("\n");
  const samples = read(text).map((one) => (one as ReadSample).sample);
  expect(samples.map(imagesOf)).toEqual([[], ["a.png"], ["b.png"], ["a.png"], [], []]);
  expect(samples.map((sample) => withImages(sample, (path) => path)).join("\n")).toBe(text);
  const moved = samples.map((sample) => withImages(sample, (path) => `../x/${path}`)).join("\n");
  expect(moved).toBe(text.replaceAll(/([ab]\.png)/g, "../x/$1"));
});

test("[format.text] [format.caption] [format.document] training formats, as in table 21 of the paper", () => {
  const samples = read(
    '{"text": "ab"}\n{"image": "w.png", "caption": "c"}\n{"segments": ["a", {"image": "w.png"}, "b", {"image": "e.png"}]}',
  );
  const encode = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));
  const formats = samples.map((one) => {
    const { sample } = one as ReadSample;
    if (sample.kind !== "text" && sample.kind !== "caption" && sample.kind !== "document")
      throw new Error("no training sample");
    return trainingText(sample, encode);
  });
  expect(formats).toEqual([
    { segments: [[97, 98]], images: [] },
    { segments: ["image", [99]], images: ["w.png"] },
    { segments: [[97], "image", [98], "image"], images: ["w.png", "e.png"] },
  ]);
});

describe("packing", () => {
  const pieces = fc.array(fc.array(fc.nat(9), { maxLength: 12 }), { maxLength: 30 });
  const lengths = fc.integer({ min: 1, max: 10 });
  /** The sequences of pieces, each with an id at least. More sequences than ids are an error rather than a test without end. */
  const packedRows = (all: readonly (readonly number[])[], length: number) => {
    const rows: Packed[] = [];
    for (const row of packed(all, length)) {
      rows.push(row);
      if (rows.length > all.flat().length) throw new Error("there are more sequences than ids");
    }
    return rows;
  };

  test("[packing.order] no id is lost, repeated or moved", () => {
    fc.assert(
      fc.property(pieces, lengths, (all, length) => {
        const rows = packedRows(all, length);
        expect(rows.flatMap(({ ids }) => ids)).toEqual(all.flat());
        expect(rows.every(({ ids }) => ids.length > 0 && ids.length <= length)).toBe(true);
        // An empty piece begins nowhere: no place stands twice, or behind the last id.
        for (const { ids, starts } of rows)
          for (const [i, start] of starts.entries()) {
            expect(start).toBeLessThan(starts[i + 1] ?? ids.length);
            if (i === 0) expect(start).toBe(0);
          }
      }),
    );
  });

  test("[packing.whole] a piece that fits is whole, and a sequence is as full as it can be", () => {
    fc.assert(
      fc.property(pieces, lengths, (all, length) => {
        const short = all.filter((piece) => piece.length > 0 && piece.length <= length);
        const rows = packedRows(short, length);
        const parts = rows.flatMap(({ ids, starts }) =>
          starts.map((start, i) => ids.slice(start, starts[i + 1])),
        );
        expect(parts).toEqual(short);
        for (const [i, { ids }] of rows.slice(1).entries())
          expect((rows[i]?.ids.length ?? 0) + (rows[i + 1]?.starts[1] ?? ids.length)).toBeGreaterThan(length);
      }),
    );
  });

  test("[packing.long] a longer piece fills sequences of its own", () => {
    const rows = packedRows([[1], [2, 3, 4, 5, 6, 7, 8], [9], [10, 11, 12]], 3);
    expect(rows).toEqual([
      { ids: [1], starts: [0] },
      { ids: [2, 3, 4], starts: [0] },
      { ids: [5, 6, 7], starts: [0] },
      { ids: [8, 9], starts: [0, 1] },
      { ids: [10, 11, 12], starts: [0] },
    ]);
    expect(refusal(() => [...packed([[1]], 0)]).message).toContain("length");
  });
});

describe("mixtures", () => {
  test("[mixture.weights] shares are those of the weights, within five standard deviations", () => {
    const weights = Object.values(KOSMOS_TEXT_MIXTURE);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    expect(total).toBeCloseTo(99.9, 10);
    const [n, counts] = [40_000, weights.map(() => 0)];
    const draws = mixture(weights, 3);
    for (let i = 0; i < n; i++) {
      const at = draws.next().value;
      counts[at] = (counts[at] ?? 0) + 1;
    }
    for (const [i, weight] of weights.entries()) {
      const p = weight / total;
      expect(Math.abs((counts[i] ?? 0) - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)));
    }
  });

  // Pearson's chi-square over all seeds and weights, each expected count at least 5. A draw of the right distribution exceeds the mean k − 1 by 6 standard
  // deviations √(2(k − 1)), plus 12 for the skew of small k, with a probability below 4e-6 (tail of the chi-square, scipy.stats.chi2.sf); neighbouring draws are
  // counted in pairs, so that dependent draws fail too.
  test("[mixture.weights] for any weights, draws and pairs of draws have the shares within chi-square bounds", () => {
    const n = 4_000;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 6 }),
        fc.nat(2 ** 31),
        (weights, seed) => {
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const shares = weights.map((weight) => weight / total);
          const draws = mixture(weights, seed);
          const drawn = Array.from({ length: 2 * n }, () => draws.next().value);
          const bound = (k: number) => k - 1 + 6 * Math.sqrt(2 * (k - 1)) + 12;
          const excess = (counts: Map<number, number>, expected: readonly number[]): number => {
            const used = expected.map((e, i) => [e, counts.get(i) ?? 0] as const).filter(([e]) => e >= 5);
            return used.reduce((sum, [e, c]) => sum + (c - e) ** 2 / e, 0) - bound(used.length + 1);
          };
          const counts = new Map<number, number>();
          const pairs = new Map<number, number>();
          for (let i = 0; i < 2 * n; i++) {
            const at = drawn[i] ?? 0;
            counts.set(at, (counts.get(at) ?? 0) + 1);
            const pair = at * weights.length + (drawn[i + 1] ?? 0);
            if (i % 2 === 0) pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
          }
          expect(
            excess(
              counts,
              shares.map((p) => 2 * n * p),
            ),
          ).toBeLessThan(0);
          expect(
            excess(
              pairs,
              shares.flatMap((p) => shares.map((q) => n * p * q)),
            ),
          ).toBeLessThan(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("[mixture.seed] the seed decides the draws", () => {
    const first = (seed: number): number[] => {
      const draws = mixture([1, 2, 3], seed);
      return Array.from({ length: 50 }, () => draws.next().value);
    };
    expect(first(1)).toEqual(first(1));
    expect(first(1)).not.toEqual(first(2));
    expect(refusal(() => mixture([1, 0], 1).next()).message).toContain("above 0");
    expect(refusal(() => mixture([1e308, 1e308], 1).next()).message).toContain("write smaller weights");
    expect(refusal(() => mixture([], 1).next()).message).toContain("at least one weight");
  });

  test("[mixture.passes] a source that has ended begins again, and an empty one is refused", () => {
    const items = ["a", "b", "c"];
    const empty = (): never => {
      throw new Error("empty");
    };
    const all = mixed([() => items.values(), () => ["x"].values()], [3, 1], 5, empty);
    const taken = Array.from({ length: 40 }, () => all.next().value);
    const ofFirst = taken.filter(({ source }) => source === 0);
    expect(ofFirst.map(({ item }) => item)).toEqual(ofFirst.map((_, i) => items[i % 3]));
    expect(ofFirst.map(({ pass }) => pass)).toEqual(ofFirst.map((_, i) => Math.floor(i / 3)));
    expect(ofFirst.length).toBeGreaterThan(20);
    expect(() => mixed([() => [].values()], [1], 1, empty).next()).toThrow("empty");
  });
});

describe("filters of documents", () => {
  const image = (width: number, height: number, plain = false): Image => ({
    width,
    height,
    channels: 3,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (plain ? (i % 3) * 40 : i % 251)),
  });

  test("[filter.small] [filter.plain] small images and images of one colour are left out", () => {
    expect([image(63, 64), image(64, 63), image(64, 64)].map((one) => imageReason(one))).toEqual([
      "small image",
      "small image",
      null,
    ]);
    expect(imageReason(image(64, 64, true))).toBe("single-colour image");
    const almost = image(64, 64, true);
    almost.data[almost.data.length - 1] = 1;
    expect(imageReason(almost)).toBe(null);
    expect(imageReason(image(10, 10), 10)).toBe(null);
  });

  test("[filter.most] [filter.none] the first five good images are kept", () => {
    const good = image(64, 64);
    const images = [image(1, 1), good, good, good, image(64, 64, true), good, good, good];
    const { images: kept, reason, removed } = filteredDocument(images, "1");
    expect([kept, reason]).toEqual([[1, 2, 3, 5, 6], null]);
    expect([...removed]).toEqual([
      [0, "small image"],
      [4, "single-colour image"],
      [7, "more images than are kept"],
    ]);
    expect(filteredDocument([image(1, 1)], "1").reason).toBe("no image");
    expect(filteredDocument([], "1").reason).toBe("no image");
  });

  test("[filter.single] about half of the documents with one image are kept, the same ones each time", () => {
    const [n, one] = [2000, [image(64, 64)]];
    const kept = (seed: number): number[] =>
      Array.from({ length: n }, (_, id) => id).filter(
        (id) => filteredDocument(one, String(id), { seed }).reason === null,
      );
    const first = kept(1);
    expect(Math.abs(first.length - n / 2)).toBeLessThan(5 * Math.sqrt(n / 4));
    expect(kept(1)).toEqual(first);
    expect(kept(2)).not.toEqual(first);
    expect(filteredDocument(one, "1", { keepSingle: 1 }).reason).toBe(null);
    expect(filteredDocument(one, "1", { keepSingle: 0 }).reason).toBe("one image");
  });
});
