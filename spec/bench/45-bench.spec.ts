// Tests of 45-bench.md. No test depends on how fast the machine is.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bytesOfWeights,
  bytesReadBy,
  CachedDecoder,
  memoryBandwidth,
} from "../../src/bench/decoders/decode.ts";
import { decoder } from "../../src/bench/decoders/memory.ts";
import { workOf } from "../../src/bench/decoders/pretrained.ts";
import { exampleHere } from "../../src/bench/example-process.ts";
import { EXAMPLES, examples, tinyFlamingo } from "../../src/bench/examples.ts";
import { peakGflops } from "../../src/bench/peak-flops.ts";
import { checkProduct } from "../../src/bench/rates.ts";
import { start } from "../../src/bench/start.ts";
import type { Target } from "../../src/bench/target.ts";
import { exponentOf, inRounds, median, secondsOf } from "../../src/bench/timing.ts";
import { each } from "../../src/cli/commands/bench.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { reference } from "../../src/kernels/reference/index.ts";
import { peakLoop, simd } from "../../src/kernels/simd/index.ts";
import { FlamingoPaLM } from "../../src/models/flamingo/flamingo-palm.ts";
import { decodingOf, noPadding, readTokens } from "../../src/models/language-model.ts";
import { LlamaForCausalLM } from "../../src/models/language-models/llama.ts";
import { nextLogits, writerOf } from "../../src/models/writer.ts";
import { initialize, stateDict } from "../../src/nn/state-dict.ts";
import { Bug, LoadError, ShapeError } from "../../src/tensor/errors.ts";
import { record } from "../../src/tensor/program/record.ts";
import { flat, Int, type Shape, sizeOf, Tensor, view } from "../../src/tensor/tensor.ts";
import { temporary } from "../support/fixtures/temporary.ts";

/** Small whole numbers, whose sums are exact in float32. */
function numbers(shape: Shape, seed: number): Tensor {
  let state = seed | 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >> 27) | 0;
  };
  return new Tensor(shape, view(Float32Array.from({ length: sizeOf(shape) }, next), shape));
}

function naive(a: Tensor, b: Tensor): number[] {
  const [m = 0, k = 0] = a.shape.slice(-2);
  const [x, y, n] = [flat(a.data), flat(b.data), b.shape.at(-1) ?? 0];
  const batch = sizeOf(a.shape.slice(0, -2));
  const out: number[] = [];
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += Number(x[(z * m + i) * k + p]) * Number(y[(z * k + p) * n + j]);
        out.push(sum);
      }
  return out;
}

test("matmul multiplies matrices and batches of matrices, on any backend", async () => {
  const axis = fc.integer({ min: 1, max: 9 });
  const batch = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(batch, axis, axis, axis, fc.integer(), async (z, m, k, n, seed) => {
      const [a, b] = [numbers([...z, m, k], seed), numbers([...z, k, n], seed + 1)];
      const own = await matmul(a, b);
      const chosen = await matmul(a, b, reference("float64"));
      expect([own.shape, chosen.shape]).toEqual([
        [...z, m, n],
        [...z, m, n],
      ]);
      expect([...flat(own.data)]).toEqual(naive(a, b));
      expect([...flat(chosen.data)]).toEqual(naive(a, b));
    }),
    { numRuns: 40 },
  );
});

test("matrices that do not fit together raise a ShapeError with both shapes", async () => {
  const pairs: [Shape, Shape][] = [
    [
      [2, 3],
      [2, 3],
    ],
    [[3], [3, 1]],
    [
      [2, 2, 3],
      [3, 3, 2],
    ],
    [
      [1, 2, 3],
      [3, 2],
    ],
  ];
  for (const [left, right] of pairs) {
    const error = await matmul(numbers(left, 1), numbers(right, 2)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ShapeError);
    expect(String(error)).toContain(`[${left.join(" ")}] times [${right.join(" ")}]`);
  }
});

test("a wrong element in a corner of a product is reported", () => {
  const [a, b] = [numbers([5, 40], 1), numbers([40, 3], 2)].map((t) => flat(t.data));
  const product = naive(numbers([5, 40], 1), numbers([40, 3], 2));
  const check = (c: number[]) => checkProduct(a ?? [], b ?? [], c, [5, 40, 3], "the target");
  expect(() => check(product)).not.toThrow();
  for (const corner of [0, 2, 12, 14])
    for (const wrong of [Number(product[corner]) + 0.5, NaN]) {
      const element = `C[${Math.floor(corner / 3)}, ${corner % 3}]`;
      const changed = () => check(product.with(corner, wrong));
      expect(changed).toThrow(Bug);
      expect(changed).toThrow(`the target computed a wrong product: ${element}`);
    }
  expect(() => check(product.slice(1))).toThrow("14 elements instead of 15");
});

test("a time is the median of all runs but the first", async () => {
  expect([median([3]), median([9, 1, 2]), median([4, 1, 3, 2])]).toEqual([3, 2, 2.5]);
  let now = 0;
  const lasts = [5000, 10, 900, 20, 30, 40];
  let runs = 0;
  const work = async () => {
    now += lasts[runs++] ?? 0;
  };
  expect(await secondsOf(work, { runs: 5, seconds: 0 }, () => now)).toBeCloseTo(0.03, 12);
  expect(runs).toBe(6);
});

test("a quick task is repeated until the time is over", async () => {
  let [now, runs] = [0, 0];
  const work = async () => {
    now += 100;
    runs++;
  };
  expect(await secondsOf(work, { runs: 2, seconds: 1 }, () => now)).toBeCloseTo(0.1, 12);
  expect(runs).toBe(11);
});

test("0.3 ms can be measured with a clock that ticks once a millisecond", async () => {
  let [now, runs] = [0, 0];
  const work = async () => {
    now += 0.3;
    runs++;
  };
  const clock = () => Math.floor(now);
  const seconds = await secondsOf(work, { runs: 3, seconds: 0, least: 0.03 }, clock);
  expect(Math.abs(seconds - 0.0003)).toBeLessThan(0.0003 / 29); // an error of at most one tick in thirty
  expect(runs).toBeGreaterThan(3 * 100);
  expect(runs).toBeLessThan(3 * 100 * 3); // and few more than necessary
  const seven = async () => {
    now += 7;
  };
  expect(await secondsOf(seven, { runs: 1, seconds: 0, least: 0.01 }, () => now)).toBeCloseTo(0.007, 12);
});

test("a rest is not counted, and one that rejects ends the measurement", async () => {
  let [now, rests] = [0, 0];
  const work = async () => {
    now += 10;
  };
  const rest = async () => {
    now += 500;
    if (++rests > 3) throw new Error("enough");
  };
  expect(await secondsOf(work, { runs: 3, seconds: 0, rest }, () => now)).toBeCloseTo(0.01, 12);
  expect(rests).toBe(3);
  await expect(secondsOf(work, { runs: 1, seconds: 0, rest }, () => now)).rejects.toThrow("enough");
});

test("the fitted exponent is that of the power that made the times", () => {
  const sizes = [64, 128, 512, 1024];
  for (const exponent of [0, 1, 1.5, 2, 3])
    expect(
      exponentOf(
        sizes,
        sizes.map((n) => 1e-6 * n ** exponent),
      ),
    ).toBeCloseTo(exponent, 9);
});

test("rounds measure every task in turn, and each task has the median of its own times", async () => {
  const order: string[] = [];
  const times: Record<string, (number | null)[]> = { a: [9, 1, 2], b: [null, 5, 7], c: [null, null, null] };
  const tasks = Object.entries(times).map(([name, list]) => async () => {
    order.push(name);
    return list.shift() ?? null;
  });
  expect(await inRounds(3, tasks)).toEqual([2, 6, NaN]);
  expect(order.join("")).toBe("abcabcabc");
});

test("the peak loop performs every operation that it counts", async () => {
  const loop = await peakLoop({ relaxed: false });
  if (!loop) throw new Error("this engine has no SIMD");
  const [factor, summand] = [Math.fround(0.999), Math.fround(0.001)];
  const vectors = Array.from({ length: 12 }, (_, i) => 1 + i);
  let operations = 0;
  for (let step = 0; step < 2 * 3; step++)
    for (const [i, value] of vectors.entries()) {
      vectors[i] = Math.fround(Math.fround(value * factor) + summand);
      operations += 2 * 4; // a product and a sum of four floats
    }
  expect(loop.run(3)).toBe(vectors.reduce((sum, value) => Math.fround(sum + value)));
  expect(3 * loop.operations).toBe(operations);
});

test("the peak is the best of several runs of the loop", async () => {
  let [now, readings] = [0, 0];
  const lasts = [8, 4, 16]; // milliseconds
  const clock = () => {
    if (readings++ % 2 === 1) now += lasts.shift() ?? NaN; // between the two readings of a run
    return now;
  };
  const { operations = NaN } = (await peakLoop()) ?? {};
  expect(await peakGflops(20_000, clock)).toBeCloseTo((20_000 * operations) / 4e6, 9);
});

test("the examples have the shapes and the number of parameters of the released models", () => {
  const outputs = EXAMPLES.map((name) => {
    const { model, forward } = examples[name]();
    const program = record(forward, { model, symbolic: true });
    const numbers = [...new Set(stateDict(model).values())].reduce((sum, { size }) => sum + size, 0);
    return [name, program.nodes[program.outputs.out ?? -1]?.shape, numbers];
  });
  const flamingo = 303_289_328 + 13 * 1024 + 12 * 32; // and two kinds of buffers: beta, inv_freq
  expect(outputs).toEqual([
    ["perceiver-resampler", [1, 2, 64, 1024], expect.any(Number)],
    ["gated-cross-attention-block", [1, 512, 1024], expect.any(Number)],
    ["flamingo-palm-text", [2, 512, 20000], flamingo],
    ["flamingo-palm-dialogue", [4, 512, 20000], flamingo],
  ]);
});

test("an example reports its time, the backend's mode and threads, and the memory of the process", async () => {
  const backend = { ...reference("float32"), mode: "webasm", threads: 2 };
  const target: Target = { backend: "gpu", threads: 1, open: async () => backend };
  const timing = { runs: 1, seconds: 0 };
  const result = await exampleHere("perceiver-resampler", target, timing, true);
  const { seconds, peakBytes, ...name } = result;
  expect(name).toEqual({ name: "perceiver-resampler", backend: "gpu", mode: "webasm", threads: 2 });
  expect(seconds).toBeGreaterThan(0);
  expect(peakBytes).toBeGreaterThan(process.memoryUsage().heapUsed);
});

test("a backend that cannot be opened is left out, unless the command line names it", async () => {
  const all = ["a", "b"].map((backend): Target => ({ backend, threads: 1, open: async () => reference() }));
  const measure = async ({ backend }: Target) => {
    if (backend === "a") throw new LoadError("a is not installed");
    return [backend];
  };
  expect(await each(all, false, measure)).toEqual(["b"]);
  await expect(each(all, true, measure)).rejects.toThrow("a is not installed");
  const broken = async () => Promise.reject(new Bug("a wrong product"));
  await expect(each(all, false, broken)).rejects.toThrow("a wrong product");
});

const node = (...words: string[]) => spawnSync(process.execPath, words, { encoding: "utf8" });
const bench = (...args: string[]) => node("dist/cli/main.js", "bench", ...args);

test("the first process is not counted, and all processes have to compute the same sum", async () => {
  const target: Target = { backend: "a", threads: 1, open: async () => reference() };
  const among = (...results: [seconds: number, checksum: number][]) => {
    const first = async () => {
      const [seconds = NaN, checksum = NaN] = results.shift() ?? [];
      return { backend: "a", mode: null, threads: 1, seconds, checksum };
    };
    return start(target, { runs: results.length - 1, seconds: 0 }, first);
  };
  expect((await among([9, 5], [3, 5], [1, 5], [2, 5])).seconds).toBe(2);
  await expect(among([9, 5], [3, 5], [1, 5.5])).rejects.toThrow("computed 5, then 5.5");
  await expect(among([9, NaN], [3, NaN])).rejects.toThrow(Bug);
});

test("the checksum is the sum of a tiny FlamingoPaLM's logits", () => {
  const { model, forward } = tinyFlamingo();
  expect(model).toBeInstanceOf(FlamingoPaLM);
  const logits = forward();
  expect(logits.shape).toEqual([1, 16, 128]);
  const { checksum } = JSON.parse(bench("--first", "--backend", "reference").stdout);
  const sum = [...flat(logits.data)].reduce((sum, x) => sum + x, 0);
  expect(Math.abs(checksum - sum)).toBeLessThan(1e-4); // 2,048 numbers of float32, none far from 1
});

test("the time starts with the process: a delay before the program counts", () => {
  const late = "data:text/javascript,await new Promise((go) => setTimeout(go, 300))"; // goes to its processes too
  const quick = ["--quick", "--json", "--only", "start", "--backend", "reference"];
  const { stdout } = node("--import", late, "dist/cli/main.js", "bench", ...quick);
  const { start } = JSON.parse(stdout);
  expect(start).toEqual([
    {
      backend: "reference",
      mode: null,
      threads: 1,
      seconds: expect.any(Number),
      checksum: expect.any(Number),
    },
  ]);
  expect(start[0].seconds).toBeGreaterThan(0.29);
});

test("--json prints one document with the stable keys", () => {
  const { status, stdout, stderr } = bench("--quick", "--json", "--backend", "reference");
  expect(status).toBe(0);
  const results = JSON.parse(stdout);
  expect(Object.keys(results)).toEqual([
    "peakGflops",
    "matmul",
    "attention",
    "examples",
    "scaling",
    "start",
    "memory",
    "decode",
    "languageModel",
  ]);
  expect(results.peakGflops).toBeGreaterThan(0);
  const rate = { backend: "reference", mode: null, threads: 1, gflops: expect.any(Number) };
  expect(results.matmul).toEqual([
    { ...rate, shape: [64, 64, 64] },
    { ...rate, shape: [33, 17, 21] },
  ]);
  expect(results.attention).toEqual([{ ...rate, shape: [2, 24, 24, 16] }]);
  expect(results.examples).toHaveLength(1);
  expect(results.examples[0]).toMatchObject({
    name: "perceiver-resampler",
    backend: "reference",
    mode: null,
  });
  expect(results.examples[0].seconds).toBeGreaterThan(0);
  expect(results.examples[0].peakBytes).toBeGreaterThan(2e7); // Node alone
  const [{ exponent, sizes, seconds }] = results.scaling;
  expect([sizes, seconds.length, Number.isFinite(exponent)]).toEqual([[16, 32], 2, true]);
  expect(results.start).toMatchObject([{ backend: "reference", mode: null, threads: 1 }]);
  expect(stderr).toContain("matmul 64×64×64 reference");
});

test("memory runs decoders of the given size, each in a process of its own, that hold their weights once", () => {
  const sizes = ["--layers", "4", "--width", "512", "--tokens", "5"];
  const { status, stdout, stderr } = bench(
    "--quick",
    "--json",
    "--only",
    "memory",
    "--threads",
    "1",
    ...sizes,
  );
  expect(status).toBe(0);
  const { memory } = JSON.parse(stdout);
  // Table and head of 32,000 tokens; four layers of four square projections, a feed-forward layer of three by 2,048 and two norms.
  const parameters = 2 * 32_000 * 512 + 4 * (4 * 512 ** 2 + 3 * 512 * 2048 + 2 * 512) + 512;
  const same = {
    backend: "simd",
    mode: expect.any(String),
    threads: 1,
    layers: 4,
    width: 512,
    tokens: 5,
    parameters,
  };
  expect(memory).toMatchObject([{ ...same, weights: "float32" }, { ...same, weights: "bfloat16" }]); // biome-ignore format: one row
  const [wide, short] = memory;
  for (const { firstSeconds, tokenSeconds, tokenProcessorSeconds, arrayBytes } of memory) {
    expect(Math.min(firstSeconds, tokenSeconds, tokenProcessorSeconds)).toBeGreaterThan(0);
    expect(arrayBytes).toBeLessThan(0.05 * 2 * parameters);
  }
  expect(wide.peakBytes).toBeGreaterThan(4 * parameters);
  expect(wide.peakBytes - short.peakBytes).toBeGreaterThan(parameters); // of the two bytes that each parameter has less
  expect(stderr).toContain(`${parameters} bfloat16 parameters`);
  const here = bench(
    "--quick",
    "--weights",
    "float16",
    "--threads",
    "1",
    ...sizes.with(1, "1").with(3, "64"),
  );
  expect(here.stdout).toMatch(/decoder.*\n0\.004 × 10⁹ float16, 5 tokens +simd \w+ 1 thread /);
}, 60_000);

test("without --json there are tables; an unknown word is a usage error", () => {
  const { status, stdout } = bench("--quick", "--backend", "reference", "--only", "matmul");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^Peak of one thread: \d+ GFLOP\/s\n/);
  expect(stdout).toMatch(/product.*\n64×64×64 +\d+\.\d\n33×17×21 +\d+\.\d\n/);
  const first = bench("--quick", "--backend", "reference", "--only", "start");
  expect(first.stdout).toMatch(/first result.*\nreference 1 thread +[\d.]+ m?s\n$/);
  for (const wrong of [
    "--backend=abacus",
    "--only=sums",
    "--threads=0",
    "--example=none",
    "--mode=slow",
    "--weights=int8",
  ])
    expect(bench("--quick", wrong).status).toBe(3);
});

test("a decoder reads one token a step, and its cache grows on the backend", async () => {
  const size = { layers: 2, width: 64, cached: 5 };
  const model = initialize(decoder(size, 256), 1);
  const logits: number[][] = [];
  for (const backend of [reference("float64"), await simd({ threads: 1 })]) {
    const decoding = await CachedDecoder.open(model, backend, size);
    for (let step = 0; step < 3; step++) logits.push([...flat((await decoding.step()).data)]);
    expect(decoding.cached).toBe(8);
    const [grown, weights] = [backend.store?.usage().used ?? 0, 4 * 2 * (4 * 64 ** 2 + 3 * 64 * 256)];
    decoding.close();
    if (backend.store) expect(grown - backend.store.usage().used).toBeGreaterThanOrEqual(2 * 2 * 4 * 8 * 64);
    if (backend.store) expect(backend.store.usage().used).toBeGreaterThan(weights);
    await backend.close();
  }
  for (let step = 0; step < 3; step++)
    for (const [i, x] of (logits[step] ?? []).entries()) expect(logits[step + 3]?.[i]).toBeCloseTo(x, 4);
  expect(logits[1]).not.toEqual(logits[0]);
});

test("the weights that a step reads are all but the table of embeddings, of which it reads a row", () => {
  // Four square projections, a feed-forward layer of three by 512 and two norms; the last norm, the head and a row.
  const numbers = 3 * (4 * 128 ** 2 + 3 * 128 * 512 + 2 * 128) + 128 + 128 * 300 + 128;
  const model = decoder({ layers: 3, width: 128 }, 300);
  expect(bytesReadBy(model)).toBe(4 * numbers);
  expect(bytesOfWeights(model)).toBe(4 * (numbers + 299 * 128));
  initialize(model, 1, { dtype: "bfloat16" });
  expect([bytesReadBy(model), bytesOfWeights(model)]).toEqual([2 * numbers, 2 * (numbers + 299 * 128)]);
});

test("the memory's bandwidth is the bytes that were read, by the least time of a sweep", async () => {
  const times = [0, 8, 10, 12, 20, 24, 30, 35, 40, 46]; // the shortest of five takes 2 ms
  expect(await memoryBandwidth(3 * 2 ** 20, 2, () => times.shift() ?? NaN)).toBe((3 * 2 ** 20) / 0.002);
  expect(times).toEqual([]);
});

test("decode reports tokens per second, the overhead of a step, and the limit of the bandwidth", () => {
  const { status, stdout, stderr } = bench("--quick", "--json", "--only", "decode", "--threads", "1");
  expect([status, stderr]).toEqual([0, expect.stringContaining("decode 2 layers of width 64, 20 cached: ")]);
  const { decode } = JSON.parse(stdout);
  const known = { backend: "simd", mode: expect.any(String), threads: 1, layers: 2, width: 64, cached: 20 };
  const measured = {
    tokensPerSecond: expect.any(Number),
    overheadMs: expect.any(Number),
    bandwidthLimit: expect.any(Number),
  };
  expect(decode).toEqual([{ ...known, ...measured }]);
  const [{ tokensPerSecond, overheadMs, bandwidthLimit }] = decode;
  expect(Math.min(tokensPerSecond, overheadMs, bandwidthLimit)).toBeGreaterThan(0);
  const shown = bench("--quick", "--only", "decode", "--threads", "1").stdout;
  expect(shown).toMatch(
    /decoding .* limit +overhead\n2 layers of width 64, 20 cached +simd \w+ 1 thread +[\d.]+ +[\d.]+ +\d+ ms/,
  );
}, 30_000);

const TINY = { vocabSize: 50, hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 2 };
const GROUPED = { ...TINY, numAttentionHeads: 4, numKeyValueHeads: 2, tieWordEmbeddings: true };

test("the work of a pass counts the products with weights, the output layer once, and the cache", () => {
  // A layer: queries and output 16 × 16, keys and values 16 × 8 each, three matrices of the feed-forward layer.
  const layer = 2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 24;
  for (const tokens of [1, 7])
    expect(workOf(writerOf(new LlamaForCausalLM(GROUPED)), tokens)).toEqual({
      operations: 2 * (tokens * 2 * layer + 50 * 16),
      cached: 2 * 2 * tokens * 8,
    });
});

const folder = temporary();

test("language-model measures a folder in one process and its first token in others", () => {
  const model = initialize(new LlamaForCausalLM(GROUPED), 3, { dtype: "bfloat16" });
  const names = { vocab_size: 50, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2 };
  const heads = { num_attention_heads: 4, num_key_value_heads: 2, tie_word_embeddings: true };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "llama", ...names, ...heads }));
  const tensors = new Map([...stateDict(model)].filter(([name]) => name !== "lm_head.weight"));
  saveSafetensors(join(folder, "model.safetensors"), tensors, { floats: "stored" });
  const options = ["--quick", "--threads", "1", "--model", folder];
  const { status, stdout } = bench("--json", "--only", "language-model", ...options);
  expect(status).toBe(0);
  const [speed] = JSON.parse(stdout).languageModel;
  const parameters = 50 * 16 + 2 * (2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 24 + 2 * 16) + 16;
  expect(speed).toMatchObject({ backend: "simd", threads: 1, model: folder, tokens: 8, steps: 3 });
  expect(speed.weightBytes).toBe(2 * parameters);
  const times = ["prefillSeconds", "prefillProcessorSeconds", "tokenSeconds", "tokenProcessorSeconds"];
  for (const key of [...times, "prefillLimit", "bandwidthLimit"]) expect(speed[key]).toBeGreaterThan(0);
  expect(speed.tokensPerSecond).toBeCloseTo(1 / speed.tokenSeconds, 6);
  expect(speed.peakBytes).toBeGreaterThan(2e7); // Node alone
  expect(speed.firstTokenSeconds).toBeGreaterThan(speed.prefillSeconds);
  expect(bench(...options).stdout).toMatch(
    /reading 8 tokens .*\ndecoding .*\npeak memory .*\nfirst token of a process +–/,
  );
  const { checksum } = JSON.parse(bench("--first", ...options).stdout);
  const ids = new Int<"b l">(
    [1, 16],
    Int32Array.from({ length: 16 }, (_, i) => (7919 * i + 11) % 50),
  );
  const prompt = decodingOf(noPadding(1, 16), 16);
  const { x } = readTokens(model, ids, { ...prompt, media: null, visibility: null }, null);
  const logits = [...flat(nextLogits(model, x).data)];
  expect(checksum).toBe(logits.indexOf(Math.max(...logits)));
  expect(bench("--only", "language-model").status).toBe(3);
}, 60_000);
