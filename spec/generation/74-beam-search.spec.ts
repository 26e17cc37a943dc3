// The executable half of 74-beam-search.md. Golden cases hold the package's own results; here a search over all continuations.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { beamSearch } from "../../src/generation/beam-search.ts";
import { Beams } from "../../src/generation/beams.ts";
import { logProbabilities } from "../../src/generation/choose.ts";
import { generate } from "../../src/generation/generate.ts";
import type { GenerateOptions } from "../../src/generation/options.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import { LlamaForCausalLM } from "../../src/models/language-models/llama.ts";
import { readOn, writerOf } from "../../src/models/writer.ts";
import { initialize } from "../../src/nn/state-dict.ts";
import { named } from "../../src/tensor/pattern.ts";
import { generator } from "../../src/tensor/random.ts";
import { refusalOf } from "../support/properties/refusals.ts";
import { tableWriter } from "./support/table-writer.ts";

/** A table of normal numbers. */
const table = (n: number) =>
  fc.integer().map((seed) => {
    const { normal } = generator(seed);
    return Array.from({ length: n }, () => Array.from({ length: n }, () => 2 * normal()));
  });
type Found = { tokens: number[]; score: number };

/** Every continuation of `last` that ends with a stop token or has `most` tokens, best first: a search without beams. */
function everyText(rows: number[][], last: number, most: number, stops: number[], penalty: number): Found[] {
  const logs = rows.map((row) => [...logProbabilities(Float64Array.from(row))]);
  const found: Found[] = [];
  const visit = (tokens: number[], sum: number): void => {
    const at = tokens.at(-1) ?? last;
    if (tokens.length === most || stops.includes(tokens.at(-1) ?? -1))
      found.push({ tokens, score: sum / tokens.length ** penalty });
    else for (const [id, log] of (logs[at] ?? []).entries()) visit([...tokens, id], sum + log);
  };
  visit([], 0);
  return found.sort((a, b) => b.score - a.score);
}

test.each([-2, 0, 0.5, 1, 2])(
  "[beam.first] [beam.sum] [beam.candidates] [beam.length] as many beams as texts find the best of all texts, length penalty %d",
  async (lengthPenalty) => {
    const [n, most] = [3, 3];
    await fc.assert(
      fc.asyncProperty(table(n), fc.constantFrom<number[]>([2], [1, 2]), async (rows, stops) => {
        const all = everyText(rows, 0, most, stops, lengthPenalty);
        const options = { stop: stops, maxTokens: most, beams: n ** most, lengthPenalty, returns: 3 };
        const [found] = await beamSearch(tableWriter(rows), [[0]], { ...options, earlyStopping: "never" });
        expect(new Set(found?.map(({ tokens }) => `${tokens}`)).size).toBe(3);
        for (const [i, { tokens, score }] of (found ?? []).entries()) {
          expect(score).toBeCloseTo(all[i]?.score ?? 0, 9); // texts of the same pairs of tokens have equal scores
          expect(score).toBeCloseTo(all.find((text) => `${text.tokens}` === `${tokens}`)?.score ?? 0, 9);
        }
      }),
      { numRuns: 20 },
    );
  },
);

test("[beam.candidates] with two stop tokens enough candidates are taken that beams go on, though both of each beam's best end", async () => {
  const probabilities = [0.12, 0.13, 0.4, 0.35, 0, 0]; // after every token; 2 and 3 are stop tokens
  const row = probabilities.map((p) => Math.log(p || 1e-12));
  const rows = probabilities.map(() => row);
  const options = {
    stop: [2, 3],
    maxTokens: 5,
    beams: 2,
    lengthPenalty: 10,
    earlyStopping: "never",
  } as const;
  const [found] = await beamSearch(tableWriter(rows), [[0]], options);
  // Four of the second step's candidates are 1 2, 1 3, 0 2 and 0 3; beams go on with the fifth, and such a penalty favours the longest text.
  expect(found?.[0]?.tokens).toEqual([1, 1, 1, 1, 2]);
  expect(found?.[0]?.score).toBeCloseTo((4 * Math.log(0.13) + Math.log(0.4)) / 5 ** 10, 9);
});

describe("the end of a search", () => {
  const scores = (...probabilities: number[]) => Float64Array.from(probabilities, Math.log);
  const beams = (options: object) => new Beams({ stops: [0], maxTokens: 9, beams: 2, ...options });
  test("[beam.early] true ends with as many finished beams as there are beams, false with no better running one", () => {
    const step = [scores(0.5, 0.4, 0.1), scores(0.5, 0.4, 0.1)];
    const [early, late] = [beams({ earlyStopping: true }), beams({ earlyStopping: false })];
    const lengths = [early, late].map((search) => {
      let n = 0;
      for (; !search.done; n++) search.advance(step);
      return n;
    });
    // By hand: [0] (0.5) ends first; then [1 0] (0.2) ends: two are finished. ln(0.16)/2 > ln(0.2)/2 is false at once for the running
    // [1 1], so that both searches end after two steps.
    expect(lengths).toEqual([2, 2]);
    expect(early.finished.map(({ tokens }) => tokens)).toEqual([[0], [1, 0]]);
  });

  test("[beam.improve] a running beam that equals the worst finished one cannot improve it", () => {
    const one = (running: number) => {
      const search = beams({ beams: 1, lengthPenalty: 0 });
      search.advance([Float64Array.of(-1, running, -9)]);
      return search.done;
    };
    expect([one(-1.001), one(-1), one(-0.999)]).toEqual([true, true, false]);
  });
  test("[beam.improve] a search whose candidates all end is done, with more beams than there are texts too", () => {
    // Two tokens make four texts of two, and the fifth beam does not exist: its score is lowered, as are those of beams that ended.
    const search = beams({ stops: [], beams: 5, maxTokens: 2 });
    const step = [-0.1, -0.1, -5, -5, -5].map((best) => Float64Array.of(best, best - 0.9));
    search.advance(step);
    expect(search.done).toBe(false);
    search.advance(step);
    expect(search.done).toBe(true);
    expect(search.finished.slice(0, 4).map(({ score }) => score)).toEqual([-0.1, -0.55, -0.55, -1]);
  });
  test("[beam.candidates] without a stop token there are two candidates for each beam, of which a stop string may end one", () => {
    const search = beams({
      stops: [],
      stopStrings: ["0"],
      textOf: (tokens: readonly number[]) => tokens.join(" "),
    });
    search.advance([Float64Array.of(-0.1, -1, -2), Float64Array.of(-0.1, -1, -2)]);
    expect(search.running.map(({ tokens, score }) => ({ tokens, score }))).toEqual([
      { tokens: [1], score: -1 },
      { tokens: [2], score: -2 },
    ]);
  });
  test("[beam.improve] never assumes the largest length where the penalty is positive", () => {
    const step = [scores(0.5, 0.45, 0.05), scores(0.5, 0.45, 0.05)];
    const count = (earlyStopping: boolean | "never", lengthPenalty: number): number => {
      const search = beams({ earlyStopping, lengthPenalty });
      let n = 0;
      for (; !search.done; n++) search.advance(step);
      return n;
    };
    // ln(0.2025)/9 is above the worst finished score, ln(0.225)/2: a text of nine tokens could still be better
    expect(count("never", 1)).toBeGreaterThan(count(false, 1));
    expect(count("never", 0)).toBe(count(false, 0)); // without a penalty the length does not count
  });
});

test("[beam.processors] processors see log-probabilities: a repetition penalty lowers what a logit above 0 would raise", async () => {
  const rows = [
    [5, 5.1, 0],
    [5, 5.1, 0],
    [0, 0, 0],
  ];
  const options = { stop: 2, maxTokens: 2, beams: 2, repetitionPenalty: 3 };
  const [[best]] = (await beamSearch(tableWriter(rows), [[0]], options)) as [[Found]];
  const logs = logProbabilities(Float64Array.from([5, 5.1, 0]));
  // 1 first (0 is in the prompt: its log-probability is tripled), then 1 or 0, both tripled: the better one is 1
  expect(best.tokens).toEqual([1, 1]);
  expect(best.score).toBeCloseTo(((logs[1] ?? 0) + 3 * (logs[1] ?? 0)) / 2, 12);
});

const llama = initialize(
  new LlamaForCausalLM({
    vocabSize: 20,
    hiddenSize: 16,
    intermediateSize: 20,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
  }),
  4,
);

test("[beam.batch] [generate.rows] a batch with padding finds the beams of its rows, and so does a model that reads the whole text again", async () => {
  const cached = writerOf(llama);
  const again: typeof cached = {
    ...cached,
    step(ids, mask, cache, context) {
      const text = cache ? named("b l", readOn(cache, ids).text) : ids;
      const { logits, cache: now } = cached.step(text, mask, null, context);
      return { logits, cache: { ...now, layers: [] } };
    },
  };
  const prompts = [[3, 4, 5, 6], [7], [9, 2]];
  const backend = await simd({ threads: 1 });
  const options: GenerateOptions = { stop: [1, 12], maxTokens: 6, beams: 3, returns: 2, backend };
  try {
    const together = await beamSearch(cached, prompts, options);
    for (const [b, prompt] of prompts.entries()) {
      const [alone] = await beamSearch(cached, [prompt], options);
      const [read] = await beamSearch(again, [prompt], options);
      const tokens = (found: readonly { tokens: readonly number[] }[] | undefined) =>
        found?.map((x) => x.tokens);
      expect(tokens(together[b])).toEqual(tokens(alone));
      expect(tokens(alone)).toEqual(tokens(read));
    }
    const rows = await generate(cached, prompts, options);
    expect(rows).toEqual(
      prompts.flatMap((p, b) => (together[b] ?? []).map(({ tokens }) => [...p, ...tokens])),
    );
  } finally {
    await backend.close();
  }
});

test("[beam.batch] prompts are read once, and those that are done leave the batch", async () => {
  const passes: number[] = [];
  const rows = [
    [-9, -9, 9],
    [9, 8, -9],
    [0, 0, 0],
  ];
  await beamSearch(
    tableWriter(rows, (b) => passes.push(b)),
    [[0], [1]],
    { stop: 2, maxTokens: 3, beams: 2, earlyStopping: true },
  );
  expect(passes[0]).toBe(2);
  expect(passes[1]).toBe(4);
  expect(passes.at(-1)).toBe(2);
});

test("[beam.candidates] a vocabulary smaller than the candidates of a beam is refused, and so are more returns than beams", async () => {
  const run = (options: object) =>
    beamSearch(tableWriter([[0]]), [[0]], { stop: 0, maxTokens: 2, beams: 2, ...options });
  expect((await refusalOf(() => run({}))).rule).toBe("beam.candidates");
  expect((await refusalOf(() => run({ returns: 3 }))).message).toContain(
    "returns is 3, more than the 2 beams",
  );
  expect(await run({ maxTokens: 0 })).toEqual([[{ tokens: [], score: 0 }]]);
});
