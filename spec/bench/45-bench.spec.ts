// The executable half of 45-bench.md. How fast anything is, is no test: what is told must be true on any machine.
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { exampleHere } from "../../src/bench/example-process.ts";
import { EXAMPLES, examples, tinyFlamingo } from "../../src/bench/examples.ts";
import { peakGflops, spinner } from "../../src/bench/peak-flops.ts";
import { checkProduct } from "../../src/bench/rates.ts";
import { start } from "../../src/bench/start.ts";
import type { Target } from "../../src/bench/target.ts";
import { exponentOf, median, secondsOf } from "../../src/bench/timing.ts";
import { each } from "../../src/cli/commands/bench.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { reference } from "../../src/kernels/reference/index.ts";
import { FlamingoPaLM } from "../../src/models/flamingo/flamingo-palm.ts";
import { stateDict } from "../../src/nn/state-dict.ts";
import { Bug, LoadError, ShapeError } from "../../src/tensor/errors.ts";
import { record } from "../../src/tensor/program/record.ts";
import { flat, type Shape, sizeOf, Tensor, view } from "../../src/tensor/tensor.ts";

/** Small whole numbers: their sums are exact in float32 too. */
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

test("matmul is the product, of matrices and of batches", async () => {
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

test("what does not fit together is refused", async () => {
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

test("a product that is wrong in a corner is noticed", () => {
  const [a, b] = [numbers([5, 40], 1), numbers([40, 3], 2)];
  const right = Float32Array.from(naive(a, b));
  const product = (values: Float32Array) => new Tensor([5, 3], view(values, [5, 3]));
  expect(() => checkProduct(a, b, product(right), "we")).not.toThrow();
  for (const corner of [0, 2, 12, 14])
    for (const wrong of [Number(right[corner]) + 0.5, NaN]) {
      const values = right.map((x, i) => (i === corner ? wrong : x));
      expect(() => checkProduct(a, b, product(values), "we")).toThrow(Bug);
      expect(() => checkProduct(a, b, product(values), "we")).toThrow("we got C[");
    }
});

test("the first run does not count, and one slow run does not matter", async () => {
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

test("what is quick is repeated until the time is over", async () => {
  let [now, runs] = [0, 0];
  const work = async () => {
    now += 100;
    runs++;
  };
  expect(await secondsOf(work, { runs: 2, seconds: 1 }, () => now)).toBeCloseTo(0.1, 12);
  expect(runs).toBe(11);
});

test("a clock that ticks once a millisecond tells 0.3 ms", async () => {
  let [now, runs] = [0, 0];
  const work = async () => {
    now += 0.3;
    runs++;
  };
  const clock = () => Math.floor(now);
  const seconds = await secondsOf(work, { runs: 3, seconds: 0, least: 0.03 }, clock);
  expect(Math.abs(seconds - 0.0003)).toBeLessThan(0.0003 / 29); // a tick of thirty
  expect(runs).toBeGreaterThan(3 * 100);
  expect(runs).toBeLessThan(3 * 100 * 3); // and no more than it takes
  const seven = async () => {
    now += 7;
  };
  expect(await secondsOf(seven, { runs: 1, seconds: 0, least: 0.01 }, () => now)).toBeCloseTo(0.007, 12);
});

test("a rest does not count, and may end it", async () => {
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

test("a power is found again", () => {
  const sizes = [64, 128, 512, 1024];
  for (const exponent of [0, 1, 1.5, 2, 3])
    expect(
      exponentOf(
        sizes,
        sizes.map((n) => 1e-6 * n ** exponent),
      ),
    ).toBeCloseTo(exponent, 9);
});

test("the loop does its sums, every one of them", () => {
  for (const sums of [8, 12]) {
    const { spin } = new WebAssembly.Instance(new WebAssembly.Module(spinner(sums, false))).exports as {
      spin: (loops: number) => number;
    };
    const [x, y] = [Math.fround(0.999), Math.fround(0.001)];
    const values = Array.from({ length: sums }, (_, i) => Math.fround(1 + i / 16));
    for (let step = 0; step < 2 * 3; step++)
      for (const [i, value] of values.entries()) values[i] = Math.fround(Math.fround(value * x) + y);
    expect(spin(3)).toBe(values.reduce((sum, value) => Math.fround(sum + value)));
  }
  let now = 0;
  const clock = () => {
    now += 4; // milliseconds
    return now;
  };
  const tried = (peakGflops(20_000, clock) * 4e6) / (20_000 * 2 * 2 * 4); // sums, of two vectors of four a loop
  expect([tried % 1, tried >= 8, tried <= 16]).toEqual([0, true, true]); // there are 16 registers
  const rate = peakGflops(20_000);
  expect(rate).toBeGreaterThan(0.1);
  expect(rate).toBeLessThan(10_000);
});

test("they are the README's", () => {
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

test("what is told is the time, the mode without its threads, and the memory of the process", async () => {
  const backend = { ...reference("float32"), mode: "webasm, 2 threads" };
  const contestant: Target = { backend: "gpu", threads: 2, open: async () => backend };
  const patience = { runs: 1, seconds: 0 };
  const told = await exampleHere("perceiver-resampler", contestant, patience, true);
  const { seconds, peakBytes, ...who } = told;
  expect(who).toEqual({ name: "perceiver-resampler", backend: "gpu", mode: "webasm", threads: 2 });
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThan(60);
  expect(peakBytes).toBeGreaterThan(process.memoryUsage().heapUsed);
});

test("a backend that cannot be opened is left out, unless it was named", async () => {
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

test("the first process does not count, and all have to compute the same", async () => {
  const contestant: Target = { backend: "a", threads: 1, open: async () => reference() };
  const among = (...found: [seconds: number, checksum: number][]) => {
    const first = async () => {
      const [seconds = NaN, checksum = NaN] = found.shift() ?? [];
      return { backend: "a", mode: null, threads: 1, seconds, checksum };
    };
    return start(contestant, { runs: found.length - 1, seconds: 0 }, first);
  };
  expect((await among([9, 5], [3, 5], [1, 5], [2, 5])).seconds).toBe(2);
  await expect(among([9, 5], [3, 5], [1, 5.5])).rejects.toThrow("computed 5, then 5.5");
  await expect(among([9, NaN], [3, NaN])).rejects.toThrow(Bug);
});

test("the sum is that of a tiny FlamingoPaLM's logits", () => {
  const { model, forward } = tinyFlamingo();
  expect(model).toBeInstanceOf(FlamingoPaLM);
  const logits = forward();
  expect(logits.shape).toEqual([1, 16, 128]);
  const { checksum } = JSON.parse(bench("--first", "--backend", "reference").stdout);
  const sum = [...flat(logits.data)].reduce((sum, x) => sum + x, 0);
  expect(Math.abs(checksum - sum)).toBeLessThan(1e-4); // 2,048 numbers of float32, none far from 1
});

test("the time begins with the process: what delays it counts", () => {
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

test("one document on stdout, with the keys that stay", () => {
  const { status, stdout, stderr } = bench("--quick", "--json", "--backend", "reference");
  expect(status).toBe(0);
  const found = JSON.parse(stdout);
  expect(Object.keys(found)).toEqual(["peakGflops", "matmul", "attention", "examples", "scaling", "start"]);
  expect(found.peakGflops).toBeGreaterThan(0);
  const rate = { backend: "reference", mode: null, threads: 1, gflops: expect.any(Number) };
  expect(found.matmul).toEqual([
    { ...rate, shape: [64, 64, 64] },
    { ...rate, shape: [33, 17, 21] },
  ]);
  expect(found.attention).toEqual([{ ...rate, shape: [2, 24, 24, 16] }]);
  expect(found.examples).toHaveLength(1);
  expect(found.examples[0]).toMatchObject({ name: "perceiver-resampler", backend: "reference", mode: null });
  expect(found.examples[0].seconds).toBeGreaterThan(0);
  expect(found.examples[0].peakBytes).toBeGreaterThan(2e7); // Node alone
  const [{ exponent, sizes, seconds }] = found.scaling;
  expect([sizes, seconds.length, Number.isFinite(exponent)]).toEqual([[16, 32], 2, true]);
  expect(found.start).toMatchObject([{ backend: "reference", mode: null, threads: 1 }]);
  expect(stderr).toContain("matmul 64×64×64 reference");
});

test("without it there are tables; what is not there is a usage error", () => {
  const { status, stdout } = bench("--quick", "--backend", "reference", "--only", "matmul");
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^In registers, one thread: \d+ GFLOP\/s\n\nproduct, GFLOP\/s +reference 1 thread\n/,
  );
  expect(stdout).toMatch(/\n64×64×64 +\d+\.\d\n/);
  const first = bench("--quick", "--backend", "reference", "--only", "start");
  expect(first.stdout).toMatch(/\nfirst result of a fresh process, reference 1 thread: [\d.]+ m?s\n$/);
  for (const wrong of ["--backend=abacus", "--only=sums", "--threads=0", "--example=none", "--mode=slow"])
    expect(bench("--quick", wrong).status).toBe(3);
});
