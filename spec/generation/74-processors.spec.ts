// The executable half of 74-processors.md. Golden cases hold the package's own scores; here are naive loops, and ties.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { softmaxOf } from "../../src/generation/choose.ts";
import { generate } from "../../src/generation/generate.ts";
import { largest } from "../../src/generation/largest.ts";
import {
  badWords,
  minLength,
  noRepeatNgram,
  processed,
  processorsOf,
  repetitionPenalty,
  suppressed,
  temperature,
  topK,
  topP,
} from "../../src/generation/processors.ts";
import { refusalOf } from "../support/properties/refusals.ts";
import { tableWriter } from "./support/table-writer.ts";

const N = 7;
const token = fc.integer({ min: 0, max: N - 1 });
const text = fc.array(token, { minLength: 1, maxLength: 20 });
const numbers = fc
  .array(fc.integer({ min: -20, max: 20 }), { minLength: N, maxLength: N })
  .map((xs) => Float64Array.from(xs, (x) => x / 4));
const excluded = (scores: Float64Array): number[] =>
  [...scores.keys()].filter((i) => scores[i] === -Infinity);
/** The scores of all tokens but those that are excluded are as before. */
function expectExcluded(before: Float64Array, after: Float64Array, ids: Iterable<number>): void {
  const gone = new Set(ids);
  expect([...after]).toEqual([...before].map((x, i) => (gone.has(i) ? -Infinity : x)));
}

test("[generate.repetition] a token of the text is penalised once, by its sign", () => {
  fc.assert(
    fc.property(numbers, text, fc.constantFrom(0.5, 1.3, 2), (scores, tokens, penalty) => {
      const naive = [...scores].map((x, i) => (tokens.includes(i) ? (x < 0 ? x * penalty : x / penalty) : x));
      expect([...repetitionPenalty(penalty)(scores, tokens)]).toEqual(naive);
    }),
  );
});

test("[generate.ngrams] a token is excluded if it would complete a sequence that the text has", () => {
  fc.assert(
    fc.property(numbers, text, fc.integer({ min: 1, max: 4 }), (scores, tokens, n) => {
      const grams = new Set(
        tokens.flatMap((_, i) => (i + n <= tokens.length ? [`${tokens.slice(i, i + n)}`] : [])),
      );
      const last = n === 1 ? [] : tokens.slice(1 - n);
      const repeats = [...scores.keys()].filter((id) => grams.has(`${[...last, id]}`));
      expectExcluded(scores, noRepeatNgram(n)(scores, tokens), repeats);
    }),
  );
});

test("[generate.bad-words] words are excluded at their last token, unless they are a stop token or as long as no text", () => {
  fc.assert(
    fc.property(
      numbers,
      text,
      fc.array(fc.array(token, { minLength: 1, maxLength: 3 })),
      (scores, tokens, words) => {
        const stops = [2];
        const ids = words.filter((word) => {
          if (word.length === 1) return !stops.includes(word[0] ?? 0);
          return (
            word.length <= tokens.length && `${tokens.slice(1 - word.length)}` === `${word.slice(0, -1)}`
          );
        });
        expectExcluded(
          scores,
          badWords(words, stops)(scores, tokens),
          ids.map((word) => word.at(-1) ?? 0),
        );
      },
    ),
  );
});

test("[generate.bad-words] a text of all but a word's last token alone is too short, as in the package", () => {
  // NoBadWordsLogitsProcessor of transformers 4.57.6 with these words excludes these tokens after these texts.
  const process = badWords([[1, 2], [0, 1, 3]], []); // biome-ignore format: two words
  const texts = [[1], [0, 1], [1, 1], [0, 1, 1], [3, 0, 1]]; // biome-ignore format: five texts
  const found = texts.map((text) => excluded(process(new Float64Array(5), text)));
  expect(found).toEqual([[], [2], [2], [2], [2, 3]]);
});

test("[generate.min-length] [generate.never] [generate.temperature] stop tokens wait for the length, listed ones are never chosen, scores are divided", () => {
  const scores = Float64Array.of(1, -2, 3);
  expectExcluded(scores, minLength(3, [0, 2])(scores, [1, 1]), [0, 2]);
  expectExcluded(scores, minLength(3, [0, 2])(scores, [1, 1, 1]), []);
  expectExcluded(scores, suppressed([1])(scores, [0]), [1]);
  expect([...temperature(4)(scores, [0])]).toEqual([0.25, -0.5, 0.75]);
});

describe("the most probable tokens", () => {
  test("[generate.top-k] tokens as probable as the k-th stay", () => {
    fc.assert(
      fc.property(
        numbers,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 3 }),
        (scores, k, keep) => {
          const least = [...scores].sort((a, b) => b - a)[Math.min(Math.max(k, keep), N) - 1] ?? 0;
          const below = [...scores.keys()].filter((i) => (scores[i] ?? 0) < least);
          expectExcluded(scores, topK(k, keep)(scores, []), below);
        },
      ),
    );
  });

  test("[generate.top-p] the tokens that top-p keeps sum to at least p, and without the least probable of them to less", () => {
    fc.assert(
      fc.property(numbers, fc.constantFrom(0.05, 0.3, 0.66, 0.9), (scores, p) => {
        const probabilities = softmaxOf(scores);
        const kept = [...topP(p)(scores, []).entries()].filter(([, x]) => x > -Infinity).map(([i]) => i);
        const shares = kept.map((i) => probabilities[i] ?? 0);
        const sum = shares.reduce((a, b) => a + b, 0);
        expect(sum).toBeGreaterThanOrEqual(p - 1e-12);
        expect(sum - Math.min(...shares)).toBeLessThan(p + 1e-12);
      }),
    );
  });

  test("[generate.top-p] of equal scores, top-p removes the lowest ids first", () => {
    // TopPLogitsWarper of transformers 4.57.6 on torch 2.13.0 (CPU) removes these; for thousands of scores its sort is not stable
    expect(excluded(topP(0.5)(Float64Array.of(0, 0, 0, 0), []))).toEqual([0, 1]);
    expect(excluded(topP(0.4)(Float64Array.of(1, 1, 0), []))).toEqual([0, 2]);
    expect(excluded(topP(0.01, 2)(Float64Array.of(0, 0, 0), []))).toEqual([0]);
  });

  test("[generate.ties] the largest numbers are listed in descending order, equal ones by index", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3, max: 3 })), fc.nat(9), (xs, k) => {
        const naive = [...xs.keys()].sort((a, b) => (xs[b] ?? 0) - (xs[a] ?? 0) || a - b).slice(0, k);
        expect(largest(Float64Array.from(xs), k)).toEqual(naive);
      }),
    );
  });
});

test("[generate.order] the order is that of the package, whatever the order of the options", () => {
  const options = {
    topP: 0.9,
    topK: 3,
    temperature: 2,
    never: [1],
    minTokens: 1,
    minLength: 2,
    badWords: [[3]],
    noRepeatNgram: 2,
    repetitionPenalty: 2,
  };
  const all = processorsOf(options, { stops: [0], promptLength: 1 });
  expect(all.map(({ name }) => name)).toEqual([
    "repetitionPenalty",
    "noRepeatNgram",
    "badWords",
    "minLength",
    "minTokens",
    "never",
    "temperature",
    "topK",
    "topP",
  ]);
  expect(processorsOf({}, { stops: [0], promptLength: 1 })).toEqual([]);
  const none = processorsOf({ minLength: 9, minTokens: 9 }, { stops: [], promptLength: 1 });
  expect(none).toEqual([]); // without a stop token there is nothing to exclude
  const both = processorsOf({ repetitionPenalty: 2, temperature: 0.5 }, { stops: [], promptLength: 1 });
  expect([...processed(both, Float64Array.of(4, -1), [0, 1])]).toEqual([4, -4]);
});

test("[generate.repetition] [generate.min-length] options of generate reach the processors, and the prompt counts", async () => {
  const writer = tableWriter([
    [0, 2, 1.9, -9],
    [0, 2, 1.9, -9],
    [0, 2, 1.9, 3],
    [0, 0, 0, 0],
  ]);
  const run = (options: object, prompt = [0]) =>
    generate(writer, [prompt], { stop: 3, maxTokens: 3, ...options });
  expect(await run({})).toEqual([[0, 1, 1, 1]]);
  expect(await run({ repetitionPenalty: 1.2 })).toEqual([[0, 1, 2, 3]]);
  expect(await run({ repetitionPenalty: 1.2, minTokens: 3 })).toEqual([[0, 1, 2, 1]]);
  expect(await run({ repetitionPenalty: 1.2, minLength: 3 })).toEqual([[0, 1, 2, 3]]);
  expect(await run({ repetitionPenalty: 1.2 }, [1])).toEqual([[1, 2, 3]]);
  expect((await refusalOf(() => run({ noRepeatNgram: 1, stop: [], maxTokens: 5 }, [1]))).message).toContain(
    "all 4 are excluded by noRepeatNgram",
  );
  expect((await refusalOf(() => run({ badWords: [[9]] }))).rule).toBe("generate.bad-words");
});

describe("one of several texts", () => {
  const texts = [[1, 2], [1, 2, 3], [4], [1, 5, 1]];
  const STOP = 0;
  const tables = fc.array(fc.array(fc.integer({ min: -20, max: 20 }), { minLength: N, maxLength: N }), {
    minLength: N,
    maxLength: N,
  });
  /** log p(to | from) of a table of logits, by the formula. */
  const logOf = (table: number[][], from: number, to: number): number =>
    (table[from]?.[to] ?? 0) - Math.log((table[from] ?? []).reduce((sum, x) => sum + Math.exp(x), 0));
  /** The sum of log-probabilities of a text and the stop token behind the token 6. */
  const sumOf = (table: number[][], text: readonly number[]): number =>
    [...text, STOP].reduce((sum, id, i) => sum + logOf(table, i === 0 ? 6 : (text[i - 1] ?? 0), id), 0);

  test("[generate.only-texts] the best of as many beams as texts is the most probable text of all", async () => {
    await fc.assert(
      fc.asyncProperty(tables, async (table) => {
        const options = {
          stop: STOP,
          maxTokens: 4,
          beams: 5,
          returns: 4,
          lengthPenalty: 0,
          onlyTexts: texts,
        };
        const found = await generate(tableWriter(table), [[6]], options);
        const sums = texts.map((text) => sumOf(table, text));
        const best = Math.max(...sums);
        const [, ...tokens] = found[0] ?? [];
        expect(tokens.at(-1)).toBe(STOP);
        expect(texts).toContainEqual(tokens.slice(0, -1));
        expect(sumOf(table, tokens.slice(0, -1))).toBeCloseTo(best, 9);
      }),
      { numRuns: 50 },
    );
  });

  test("[generate.only-texts] greedy decoding follows the texts, loop by loop", async () => {
    await fc.assert(
      fc.asyncProperty(tables, async (table) => {
        const [[, ...tokens] = []] = await generate(tableWriter(table), [[6]], {
          stop: STOP,
          maxTokens: 9,
          onlyTexts: texts,
        });
        const naive: number[] = [];
        for (let last = 6; naive.at(-1) !== STOP; last = naive.at(-1) ?? 0) {
          const wholes = texts.map((text) => [...text, STOP]);
          const open = wholes.filter((text) => naive.every((id, i) => text[i] === id));
          const allowed = [...new Set(open.map((text) => text[naive.length] ?? -1))].sort((a, b) => a - b);
          const best = Math.max(...allowed.map((id) => table[last]?.[id] ?? 0));
          naive.push(allowed.find((id) => table[last]?.[id] === best) ?? -1);
        }
        expect(tokens).toEqual(naive);
      }),
    );
  });

  test.each([[[]], [[[]]], [[[1], [-1]]], ["x"]])(
    "[generate.only-texts] onlyTexts %j is refused",
    async (bad) => {
      const options = { stop: STOP, maxTokens: 1, onlyTexts: bad as number[][] };
      expect((await refusalOf(() => generate(tableWriter([[1]]), [[0]], options))).message).toContain(
        "at least one text",
      );
    },
  );
});
