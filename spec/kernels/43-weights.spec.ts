// Weights in the memory of the SIMD backend (43-backend-memory.md): panels, 16 bits, lookups and the budget.
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import type { Backend, Use } from "../../src/kernels/backend.ts";
import { reference } from "../../src/kernels/reference/index.ts";
import { replay, run } from "../../src/kernels/replay.ts";
import { Engine } from "../../src/kernels/simd/engine.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import { Weights } from "../../src/kernels/simd/weights.ts";
import { Embedding } from "../../src/nn/embedding.ts";
import { Linear } from "../../src/nn/linear.ts";
import { constant, drawn, Parameter } from "../../src/nn/parameter.ts";
import { initialize, loadStateDict, stateDict } from "../../src/nn/state-dict.ts";
import { gradients } from "../../src/tensor/autodiff/gradients.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { einsum } from "../../src/tensor/ops/arrange.ts";
import { mulScalar, sumAll } from "../../src/tensor/ops/functions.ts";
import { record } from "../../src/tensor/program/record.ts";
import { generator } from "../../src/tensor/random.ts";
import { type Elements, inDtype, isSource, type TensorSource, widened } from "../../src/tensor/source.ts";
import { type Any, flat, int, type Shape, sizeOf, Tensor, tensor, view } from "../../src/tensor/tensor.ts";
import { temporary } from "../support/fixtures/temporary.ts";
import { valuesOf } from "../support/properties/programs.ts";

const backend = await simd({ threads: 2 });
const unfused = await simd({ threads: 1, relaxed: false });
afterAll(() => Promise.all([backend.close(), unfused.close()]));
const used = (b: Backend = backend): number => b.store?.usage().used ?? NaN;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const random = (shape: Shape, seed: number): Tensor<Any> => {
  const { normal } = generator(seed);
  return new Tensor(shape, view(Float32Array.from({ length: sizeOf(shape) }, normal), shape));
};

/** A parameter whose values come from a source, with the ranges that have been read. */
function sourced(shape: Shape, dtype: TensorSource["dtype"], all: Elements) {
  const ranges: (readonly [number, number])[] = [];
  const read = (from: number, to: number): Elements => {
    ranges.push([from, to]);
    return all.slice(from, to);
  };
  const p = new Parameter("a b", shape, constant(0));
  p.assign({ dtype, read });
  return { p: p as unknown as Tensor<Any>, ranges };
}

/** Bits of ordinary numbers, with every exponent of the format and both signs among them. */
const bitsOf = (n: number, seed: number, dtype: "bfloat16" | "float16"): Uint16Array => {
  const { uniform } = generator(seed);
  return Uint16Array.from({ length: n }, () => {
    const bits = Math.floor(65536 * uniform());
    // Exponents of bfloat16 are kept between 2^−31 and 2^32, so that no sum overflows; those of float16 are all but inf and NaN.
    if (dtype === "bfloat16") return (bits & 0x9fff) | ((bits & 0x2000) === 0 ? 0x4000 : 0x2000);
    return (bits & 0x7c00) === 0x7c00 ? bits & 0xbfff : bits;
  });
};

describe("16-bit weights", () => {
  const patterns = ["m k, n k -> m n", "m k, k n -> m n", "k m, n k -> n m"] as const;
  const sizes = [
    [1, 9, 70],
    [1, 1030, 2051],
    [2, 37, 1025],
    [97, 530, 1100],
    [7, 1, 3],
    [1, 3000, 1500], // several chunks of the source
    [100, 1500, 3000],
  ] as const;

  test.each(["bfloat16", "float16"] as const)(
    "%s: products equal those of the widened weights in float32, bit for bit",
    async (dtype) => {
      for (const [i, pattern] of patterns.entries())
        for (const [m, n, k] of sizes) {
          const axes = { m, n, k } as Record<string, number>;
          const [left = "", right = ""] = (pattern.split(" -> ")[0] ?? "").split(", ");
          const shape = (side: string) => side.split(" ").map((axis) => axes[axis] ?? 0);
          const x = random(shape(left), 1 + i);
          const bits = bitsOf(n * k, 2 + i, dtype);
          const short = sourced(shape(right), dtype, bits).p;
          const wide = sourced(shape(right), "float32", widened(bits, dtype)).p;
          for (const b of [backend, unfused]) {
            const [ours, theirs] = [
              await run(b, () => einsum(pattern, x, short), { model: { short } }),
              await run(b, () => einsum(pattern, x, wide), { model: { wide } }),
            ];
            expect(flat(ours.data)).toEqual(flat(theirs.data));
          }
        }
    },
    60_000,
  );

  test("every one of the 65,536 bit patterns is widened exactly, in one row and in many", async () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    for (const dtype of ["bfloat16", "float16"] as const)
      for (const rows of [1, 3]) {
        const { p } = sourced([65536, 1], dtype, all);
        const one = tensor("m k", [rows, 1], new Float32Array(rows).fill(1)) as Tensor<Any>;
        const actual = flat(
          (await run(backend, () => einsum("m k, n k -> m n", one, p), { model: { p } })).data,
        );
        const exact = widened(all, dtype); // its own test has the formula of the format: [io.widen]
        for (let row = 0; row < rows; row++)
          for (const [i, value] of exact.entries())
            if (!Object.is(actual[row * 65536 + i], value + 0))
              expect([i, actual[row * 65536 + i]]).toEqual([i, value]);
      }
  });

  test("panels of 16-bit weights take half the memory, and an array for other ops is float32", async () => {
    const { p } = sourced([800, 1000], "bfloat16", bitsOf(800_000, 3, "bfloat16"));
    const x = random([2, 1000], 1);
    const before = used();
    await run(backend, () => einsum("m k, n k -> m n", x, p), { model: { p } });
    expect(used() - before).toBeLessThan(1.02 * 2 * 800_000);
    const doubled = await run(backend, () => mulScalar(p, 2), { model: { p } });
    expect(valuesOf(doubled)).toEqual(valuesOf(p).map((value) => 2 * value));
  });
});

/** A model with a table that is looked up, and a head that multiplies by the same table or by one of its own. */
function languageModel(tied: boolean, rows: number, width: number) {
  const embedding = new Embedding("d", rows, width);
  const head = new Linear("d -> n", width, rows, { bias: false });
  if (tied) head.weight = embedding.weight as unknown as Tensor<"o i">;
  return new (class Model {
    embedding = embedding;
    head = head;
    forward(ids: number[][]): Tensor {
      return this.head.forward(this.embedding.forward(int("b l", ids)));
    }
  })();
}

describe("tied tables and lookups", () => {
  test("a tied table is stored once, as panels, and rows are read from them", async () => {
    for (const dtype of ["float32", "bfloat16", "float16"] as const) {
      const own = await simd({ threads: 1 });
      const model = initialize(languageModel(true, 1000, 2050), 1, { dtype });
      const forward = () => model.forward([[3, 999, 0, 3]]);
      const expected = valuesOf(await run(reference("float32"), forward, { model }));
      for (let step = 0; step < 2; step++) {
        const actual = valuesOf(await run(own, forward, { model }));
        for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 2);
      }
      const bytes = (dtype === "float32" ? 4 : 2) * 1000 * 2050;
      expect(used(own)).toBeLessThan(1.05 * bytes);
      expect(used(own)).toBeGreaterThanOrEqual(bytes);
      const rows = await run(own, () => model.embedding.forward(int("l", [7, 8, 999])), { model });
      const table = valuesOf(model.embedding.weight);
      expect(valuesOf(rows)).toEqual([7, 8, 999].flatMap((id) => table.slice(2050 * id, 2050 * (id + 1))));
      await own.close();
    }
  });

  test("a table that only lookups read stays where it is, and only the rows are read", async () => {
    const all = Float32Array.from({ length: 5000 * 8 }, (_, i) => i);
    for (const [dtype, elements] of [
      ["float32", all],
      ["float64", Float64Array.from(all)],
    ] as const) /* biome-ignore format: one row */ {
      const { p, ranges } = sourced([5000, 8], dtype, elements);
      const before = used();
      const embedding = Object.assign(new Embedding("d", 5000, 8), { weight: p });
      const ids = int("b l", [[17, 4999, 17, 0]]); // biome-ignore format: one row
      const out = await run(backend, () => embedding.forward(ids), { model: embedding });
      expect(valuesOf(out)).toEqual([17, 4999, 17, 0].flatMap((id) => [...all.subarray(8 * id, 8 * id + 8)]));
      expect(ranges.toSorted(([a], [b]) => a - b)).toEqual([[0, 8], [136, 144], [39992, 40000]]); // biome-ignore format: one row
      expect(used()).toBe(before);
    }
  });

  test("a table that is drawn is stored, in its dtype, and is not drawn again for each lookup", async () => {
    for (const [dtype, bytes] of [
      ["float32", 4],
      ["bfloat16", 2],
    ] as const) /* biome-ignore format: one row */ {
      const own = await simd({ threads: 1 });
      const embedding = new Embedding("d", 3000, 100);
      let generators = 0;
      const from = () => {
        generators++;
        return generator(1);
      };
      embedding.weight.assign(inDtype(drawn(embedding.weight.initial, from), dtype));
      const rows = () => run(own, () => embedding.forward(int("l", [2999, 1])), { model: embedding });
      const first = valuesOf(await rows());
      expect(valuesOf(await rows())).toEqual(first);
      expect(generators).toBe(1);
      expect(used(own)).toBeLessThan(1.01 * bytes * 300_000);
      expect(used(own)).toBeGreaterThanOrEqual(bytes * 300_000);
      const table = valuesOf(embedding.weight);
      expect(first).toEqual([...table.slice(299_900), ...table.slice(100, 200)]);
      await own.close();
    }
  });

  test("the second step of a tied head takes at most 1.1 × the processor time of an untied one", async () => {
    const own = await simd({ threads: 1 });
    const [rows, width] = [20_000, 512];
    const steps = [true, false].map((tied) => {
      const model = initialize(languageModel(tied, rows, width), 1);
      const program = record(() => model.forward([[5]]), { model, symbolic: true });
      return () => replay(program, own);
    });
    const times: number[][] = [[], []];
    for (const step of steps) await step();
    for (let round = 0; round < 40; round++)
      for (const [i, step] of steps.entries()) {
        const since = process.cpuUsage();
        await step();
        const { user, system } = process.cpuUsage(since);
        times[i]?.push(user + system);
      }
    const [tied = NaN, untied = NaN] = times.map((list) => list.sort((a, b) => a - b)[10]); // the lower quartile
    expect(tied / untied).toBeLessThan(1.1);
    await own.close();
  }, 60_000);

  test("training packs a frozen weight once for each direction", async () => {
    const { p, ranges } = sourced([300, 200], "float32", random([300, 200], 1).data.data as Float32Array);
    const frozen = Object.assign(new Linear("d -> f", 200, 300, { bias: false }), { weight: p });
    const x = new Parameter("b d", [4, 200], constant(0.5));
    const model = new (class M {
      frozen = frozen;
      x = x;
    })();
    const program = record(() => ({ out: sumAll(frozen.forward(x as unknown as Tensor<"b d">)) }), {
      model,
      symbolic: true,
    });
    const g = gradients(program, "out", ["x"]);
    const expected = await replay(g, reference("float32"));
    ranges.length = 0;
    const before = used();
    for (let step = 0; step < 3; step++) {
      const { outputs } = await replay(g, backend);
      for (const [name, t] of Object.entries(expected.outputs))
        for (const [i, value] of valuesOf(t).entries())
          expect(valuesOf(outputs[name] as Tensor)[i]).toBeCloseTo(value, 2);
    }
    expect(ranges).toEqual([[0, 60_000], [0, 60_000]]); // biome-ignore format: one row
    expect(used() - before).toBeGreaterThanOrEqual(2 * 4 * 60_000);
  });
});

const node = (pattern: string, shapes: readonly Shape[]): Use => ({
  node: { op: "einsum", attrs: { pattern }, inputs: [], shape: [], scope: -1 },
  operand: 1,
  shapes,
});

describe("the budget", () => {
  test("weights beyond it are packed for each use and freed after it, with the same results", async () => {
    const layers = [0, 1, 2, 3].map((i) =>
      sourced(
        [256, 256],
        i % 2 ? "bfloat16" : "float32",
        i % 2 ? bitsOf(65536, i, "bfloat16") : (random([256, 256], i).data.data as Float32Array),
      ),
    );
    const x = random([3, 256], 9);
    const model = new (class M {
      layers = layers.map(({ p }) => p);
    })();
    const forward = () =>
      model.layers.reduce((y, p) => mulScalar(einsum("m k, n k -> m n", y, p), 2 ** -20) as Tensor<Any>, x);
    const expected = valuesOf(await run(backend, forward, { model }));
    const kept = 4 * 65536;
    for (const budget of [0, kept, 1.5 * kept, 3 * kept]) {
      const own = await simd({ threads: 1, budget });
      for (const { ranges } of layers) ranges.length = 0;
      for (let step = 0; step < 3; step++)
        expect(valuesOf(await run(own, forward, { model }))).toEqual(expected);
      const peak = own.store?.usage().peak ?? NaN;
      expect(used(own)).toBeLessThanOrEqual(budget + 2 ** 16); // and a thread's scratch memory
      expect(peak).toBeLessThan(budget + 3 * kept);
      const reads = layers.map(({ ranges }) => ranges.length);
      const stored = [0, kept, 1.5 * kept, 3 * kept].indexOf(budget);
      expect(reads).toEqual([[3, 3, 3, 3], [1, 3, 3, 3], [1, 1, 3, 3], [1, 1, 1, 1]][stored]); // biome-ignore format: one row
      await own.close();
    }
  });

  test("weights of an earlier run make room for those of a later one", async () => {
    const own = await simd({ threads: 1, budget: 5 * 65536 });
    const x = random([3, 256], 9);
    const [a, b] = [1, 2].map((seed) =>
      sourced([256, 256], "float32", random([256, 256], seed).data.data as Float32Array),
    );
    const use = ({ p }: { p: Tensor<Any> } = { p: x }) =>
      run(own, () => einsum("m k, n k -> m n", x, p), { model: { p } });
    for (const of of [a, a, b, b, b, a]) await use(of);
    expect([a?.ranges.length, b?.ranges.length]).toEqual([2, 1]);
    await own.close();
  });

  test("a run does not fail because of what earlier ones have stored", async () => {
    const engine = await Engine.open({ threads: 1 });
    const weights = new Weights(engine);
    const shapes = [[1, 256], [256, 256]]; // biome-ignore format: one row
    const use = node("m k, n k -> m n", shapes);
    const stored = [1, 2, 3].map((seed) => {
      const { p, ranges } = sourced(
        [256, 256],
        "float32",
        random([256, 256], seed).data.data as Float32Array,
      );
      const layout = { key: "0,1", outer: [0], inner: [1] };
      const panels = () =>
        engine.withTemporaries(() => void weights.panels(weights.parameter(p, [use]) ?? x, layout));
      const x = view(new Float32Array(1), [1]);
      return { panels, ranges };
    });
    const small = new Parameter("n", [1000], constant(3));
    weights.begin();
    for (const { panels } of stored) panels();
    weights.begin();
    stored[0]?.panels();
    const array = weights.parameter(small, []);
    const { heap } = engine;
    heap.allocate(2 ** 32 - 2 ** 21 - heap.usage().used);
    /** Allocates until something stored has been freed. */
    const untilFreed = () => {
      for (let before = 0; before < heap.usage().used; ) {
        before = heap.usage().used;
        heap.allocate(2 ** 16);
      }
    };
    untilFreed();
    untilFreed();
    stored[0]?.panels(); // used by the present run, so those of the earlier run have been freed
    expect(stored.map(({ ranges }) => ranges.length)).toEqual([1, 1, 1]);
    untilFreed();
    expect(() => {
      for (;;) heap.allocate(2 ** 16);
    }).toThrow(/holds 4\.00 GiB and needs 0\.00 GiB more/);
    expect(array?.data.every((value) => value === 3)).toBe(true); // replay may still hold it
    expect(weights.has(array?.data.byteOffset ?? 0)).toBe(true);
  });

  test("panels that the present computation reads are not freed to make room for its other blocks", async () => {
    const engine = await Engine.open({ threads: 1 });
    const weights = new Weights(engine);
    const { p } = sourced([8, 64], "float32", random([8, 64], 1).data.data as Float32Array);
    const use = node("m k, n k -> m n", [
      [1, 64],
      [8, 64],
    ]);
    weights.begin();
    const handle = weights.parameter(p, [use]);
    engine.withTemporaries(() => {
      if (handle) weights.panels(handle, { key: "0,1", outer: [0], inner: [1] });
      expect(engine.heap.makeRoom()).toBe(false);
    });
    expect([engine.heap.makeRoom(), engine.heap.makeRoom()]).toEqual([true, false]);
  });

  test("a weight that does not fit by itself is an error with its shape and size, and is not read", async () => {
    const { p, ranges } = sourced([40_000, 28_000], "float32", new Float32Array(0));
    const ones = tensor("k", [28_000], new Float32Array(28_000)) as Tensor<Any>;
    const before = used();
    const product = run(backend, () => einsum("k, n k -> n", ones, p), { model: { p } });
    await expect(product).rejects.toThrow(LoadError);
    await expect(product).rejects.toThrow(/\[40000 28000\] needs 4\.17 GiB in one piece.*ends at 4 GiB/);
    expect([ranges.length, used()]).toEqual([0, before]);
  });
});

describe("JavaScript arrays after the first run", () => {
  const folder = temporary();
  const [layers, width] = [32, 1024]; // 128 MiB of float32
  const stack = () =>
    new (class Stack {
      layers = Array.from({ length: layers }, () => new Linear("d -> d", width, width, { bias: false }));
      forward(x: Tensor<Any>): Tensor {
        return this.layers.reduce((y: Tensor<Any>, layer) => layer.forward(y), x);
      }
    })();
  const arrays = async (): Promise<number> => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resume) => setTimeout(resume, 1));
      collect();
    }
    return process.memoryUsage().arrayBuffers;
  };

  test.each(["seeds", "file", "16-bit file", "functions"])(
    "from %s, they hold at most a twentieth of the weights",
    async (kind) => {
      const own = await simd({ threads: 2 });
      const model = initialize(stack(), 1);
      const before = await arrays();
      if (kind.includes("file")) {
        const path = join(folder, "weights.safetensors");
        saveSafetensors(path, stateDict(model), kind === "file" ? {} : { floats: "BF16" });
        const file = loadSafetensors(path);
        loadStateDict(model, new Map(file.keys.map((key) => [key, file.tensor(key)])));
      } else if (kind === "functions") {
        const read = () => view(new Float32Array(width * width).fill(2 ** -10), [width, width]);
        loadStateDict(
          model,
          new Map([...stateDict(model).keys()].map((key) => [key, new Tensor([width, width], read)])),
        );
      }
      const x = random([1, width], 1);
      await run(own, () => model.forward(x), { model });
      const bytes = 4 * layers * width * width * (kind === "16-bit file" ? 0.5 : 1);
      expect((await arrays()) - before).toBeLessThan(0.05 * bytes);
      expect(used(own)).toBeGreaterThanOrEqual(bytes);
      for (const { weight } of model.layers)
        if (isSource(weight.stored)) expect(weight.stored.read(0, 1).length).toBe(1);
      await own.close();
    },
    60_000,
  );
});
