// Rules of 43-backend-memory.md.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { Backend, Usage } from "../../src/kernels/backend.ts";
import { reference } from "../../src/kernels/reference/index.ts";
import { replay, run } from "../../src/kernels/replay.ts";
import { Engine } from "../../src/kernels/simd/engine.ts";
import { Heap } from "../../src/kernels/simd/heap.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import { attention as attend } from "../../src/kernels/simd/ops/attention.ts";
import { elements } from "../../src/kernels/simd/ops/elementwise.ts";
import { concat, pick, place, scatter } from "../../src/kernels/simd/ops/movement.ts";
import { einsum as product } from "../../src/kernels/simd/ops/product.ts";
import { maxTo, normalize, softmax, sumExp } from "../../src/kernels/simd/ops/rows.ts";
import { unbroadcast } from "../../src/kernels/simd/ops/sums.ts";
import { attention } from "../../src/nn/attention/attention.ts";
import { Embedding } from "../../src/nn/embedding.ts";
import { Linear } from "../../src/nn/linear.ts";
import { constant, Parameter } from "../../src/nn/parameter.ts";
import { gradientOf, gradients } from "../../src/tensor/autodiff/gradients.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { chunk, einsum, rearrange } from "../../src/tensor/ops/arrange.ts";
import { ndArray } from "../../src/tensor/ops/elementwise.ts";
import { add, gelu, mul, mulScalar, sumAll } from "../../src/tensor/ops/functions.ts";
import { record } from "../../src/tensor/program/record.ts";
import {
  type Any,
  int,
  type Shape,
  sizeOf,
  type Tensor,
  tensor,
  type View,
  view,
} from "../../src/tensor/tensor.ts";
import { valuesOf } from "../support/properties/programs.ts";

const backend = await simd({ threads: 2 });
afterAll(() => backend.close());
const usage = (b: Backend = backend): Usage => b.store?.usage() ?? { used: -1, peak: -1, reserved: -1 };

const filled = <A extends string>(axes: A, shape: Shape, f: (i: number) => number): Tensor<A> =>
  tensor(
    axes,
    shape,
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(f(i))),
  );
const x = filled("i j", [64, 32], (i) => Math.sin(i));
const xs = x as Tensor<Any>;
const square = filled("s k", [32, 32], (i) => Math.sin(3 * i)) as Tensor<Any>;
const w = filled("j k", [32, 48], (i) => Math.cos(i));

const layered = (x: Tensor<"i j">): Tensor<"k c"> => {
  const y = gelu(einsum("i j, j k -> i k", x, w));
  const [left, right] = chunk(rearrange("i k -> k i", add(y, mulScalar(y, 0.5))));
  const z = mul(left, right);
  return einsum("k i, i c -> k c", z, w as Tensor<Any>);
};

test("[replay.memory] no memory is left in use after a replay that completes, fails or is aborted", async () => {
  const p = record(() => layered(x), { inputs: { x }, symbolic: true });
  await replay(p, backend);
  const before = usage();
  for (let i = 0; i < 5; i++) await replay(p, backend);
  for (const stop of [0.2, 0.5, 0.8]) {
    const controller = new AbortController();
    const onProgress = (done: number) => void (done > stop && controller.abort());
    await expect(replay(p, backend, { signal: controller.signal, onProgress })).rejects.toThrow(/abort/i);
  }
  const broken: Backend = {
    ...backend,
    ops: { ...backend.ops, mul: () => Promise.reject(new Error("broken")) },
  };
  await expect(replay(p, broken)).rejects.toThrow("broken");
  expect(usage().used).toBe(before.used);
  expect(usage().reserved).toBe(before.reserved);
});

test("[replay.memory] a long chain of ops needs memory for two intermediates", async () => {
  const own = await simd({ threads: 1 });
  const big = filled("i j", [256, 1024], (i) => i % 7);
  const chain = (): Tensor => {
    let y = big;
    for (let i = 0; i < 30; i++) y = mulScalar(y, 0.9);
    return y;
  };
  await run(own, chain);
  expect(usage(own).peak).toBeLessThan(2.1 * 4 * big.size);
  await own.close();
});

test("[replay.memory] a buffer is kept as long as any view of it is needed", async () => {
  const viewed = () => {
    const y = gelu(x);
    const [a, b] = chunk(rearrange("i j -> j i", y));
    const noise = Array.from({ length: 6 }, (_, i) => mulScalar(x, i)).reduce((s, t) => add(s, t));
    return add(mul(a, b), chunk(rearrange("i j -> j i", noise))[0]);
  };
  const expected = valuesOf(viewed());
  const actual = valuesOf(await run(backend, viewed));
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 4);
});

test("[replay.results] a later run does not change the results of an earlier one", async () => {
  const p = record(() => ({ out: layered(x), same: rearrange("i j -> j i", gelu(x)) }), {
    inputs: { x },
    symbolic: true,
  });
  const first = await replay(p, backend);
  const copies = Object.values(first.outputs).map((t) => valuesOf(t));
  await replay(p, backend, { bind: { x: filled("i j", [64, 32], () => 9) } });
  expect(Object.values(first.outputs).map((t) => valuesOf(t))).toEqual(copies);
  for (const t of Object.values(first.outputs)) expect(t.data.data.buffer).toBeInstanceOf(ArrayBuffer);
});

/** A linear layer that counts how often its weight is read. */
function counted(rows: number, columns: number) {
  const layer = new Linear("d -> f", columns, rows, { bias: false });
  const weight = layer.weight as Parameter<"o i">;
  let reads = 0;
  const assign = (f: (i: number) => number) =>
    weight.assign(() => {
      reads++;
      return filled("o i", [rows, columns], f).data;
    });
  assign((i) => Math.sin(i));
  return { layer, weight, assign, reads: () => reads };
}

test("[replay.weights] a parameter is read once, and again after `assign`", async () => {
  const { layer, assign, reads } = counted(40, 32);
  const p = record(() => layer.forward(xs), { model: layer, symbolic: true });
  const out = async () => valuesOf((await replay(p, backend)).outputs.out as Tensor);
  const first = await out();
  expect(await out()).toEqual(first);
  expect(reads()).toBe(1);
  assign((i) => 2 * Math.sin(i));
  const second = await out();
  for (const [i, value] of first.entries()) expect(second[i]).toBeCloseTo(2 * value, 4);
  expect(reads()).toBe(2);
  const bind = { weight: filled("o i", [40, 32], () => 0) };
  const { outputs } = await replay(p, backend, { bind });
  expect(valuesOf(outputs.out as Tensor).every((value) => value === 0)).toBe(true);
  expect(await out()).toEqual(second);
  expect(reads()).toBe(2);
});

test("[replay.assigned] a parameter that is given other values while a replay waits makes it fail", async () => {
  for (const on of [backend, reference("float32")]) {
    const { layer, weight, assign } = counted(4, 32);
    const f = () => ({ out: layer.forward(xs) });
    const { used } = usage(on);
    const late = run(on, f, { keep: "backend" });
    assign(() => 0);
    const message =
      /a parameter \[4 32\] was given other values during a replay; await.*\[replay\.assigned\]/;
    await expect(late).rejects.toThrow(message);
    expect(usage(on).used - used).toBeLessThanOrEqual(4 * 8 * 32); // the panels alone
    expect(valuesOf((await run(on, f)).out).every((value) => value === 0)).toBe(true);
    const bound = replay(record(f, { model: layer, symbolic: true }), on, {
      bind: { weight: filled("o i", [4, 32], () => 0) },
    });
    assign(() => 1);
    weight.release();
    expect(valuesOf((await bound).outputs.out as Tensor).every((value) => value === 0)).toBe(true);
  }
});

test("[replay.weights] a parameter that only products read is stored as panels only", async () => {
  const own = await simd({ threads: 1 });
  const { layer } = counted(801, 1000); // 101 panels of eight rows
  await run(own, () => layer.forward(filled("i d", [3, 1000], () => 1)), { model: layer });
  expect(usage(own).used).toBeLessThan(1.02 * 4 * 808 * 1000);
  expect(usage(own).used).toBeGreaterThanOrEqual(4 * 808 * 1000);
  await own.close();
});

test("a tied embedding table agrees with the reference in lookups, products and gradients", async () => {
  const table = new Embedding("d", 50, 16);
  const head = new Linear("d -> n", 16, 50);
  head.weight = table.weight as unknown as Tensor<"o i">;
  const model = { table, head };
  const ids = int("b l", [
    [1, 7, 7],
    [49, 0, 3],
  ]);
  const p = record(() => ({ out: sumAll(gelu(head.forward(table.forward(ids)))) }), {
    model: new (class M {
      table = table;
      head = head;
    })(),
    symbolic: true,
  });
  expect(Object.keys(model).length).toBe(2);
  const g = gradients(p, "out", ["table.weight", "head.bias"]);
  for (let run = 0; run < 2; run++)
    for (const program of [p, g]) {
      const [ours, theirs] = [await replay(program, backend), await replay(program, reference())];
      for (const name of Object.keys(theirs.outputs)) {
        const [a, b] = [valuesOf(ours.outputs[name] as Tensor), valuesOf(theirs.outputs[name] as Tensor)];
        for (const [i, value] of b.entries())
          expect(Math.abs((a[i] ?? NaN) - value)).toBeLessThan(2e-5 * (1 + Math.abs(value)));
      }
    }
  expect(Object.keys(g.outputs)).toContain(gradientOf("head.bias"));
});

test("[replay.weights] ops other than products read a parameter's numbers, not its panels", async () => {
  const fresh = () => counted(32, 32).weight as unknown as Tensor<Any>;
  const programs: ((p: Tensor<Any>) => Tensor | Record<string, Tensor>)[] = [
    (p) => einsum("i f, f d -> i d", einsum("i d, f d -> i f", xs, p), p),
    (p) => attention({}, xs, p, square, { mayAttend: null, emptyRow: "zero" }),
    (p) => einsum("f d, i d -> f i", p, xs),
    (p) => ({ out: einsum("i d, f d -> i f", xs, p), same: p }),
    (p) => einsum("i d, f d -> i f", xs, rearrange("f d -> d f", p) as Tensor<Any>),
  ];
  for (const f of programs) {
    const p = fresh();
    const program = record(() => f(p), {
      model: new (class M {
        p = p;
      })(),
      symbolic: true,
    });
    const [ours, theirs] = [await replay(program, backend), await replay(program, reference())];
    for (const [name, t] of Object.entries(theirs.outputs))
      for (const [i, value] of valuesOf(t).entries())
        expect(Math.abs((valuesOf(ours.outputs[name] as Tensor)[i] ?? NaN) - value)).toBeLessThan(1e-3);
  }
});

test("a failed computation frees its result and its temporaries", async () => {
  const engine = await Engine.open({ threads: 1 });
  engine.result([1000]);
  const before = engine.heap.usage().used;
  engine.result([500]);
  const failing = () => {
    engine.temporary(4000);
    throw new Error("failed");
  };
  expect(() => engine.withTemporaries(failing)).toThrow("failed");
  expect(engine.heap.usage().used).toBe(before);
});

test("the model's copy of a parameter is released, and is available again when it is read", async () => {
  const { layer, weight, reads } = counted(24, 32);
  await run(backend, () => layer.forward(xs), { model: layer });
  expect(reads()).toBe(1);
  expect(ndArray(weight.data).get(0, 1)).toBe(Math.fround(Math.sin(1)));
  expect(reads()).toBe(2);
});

test("a garbage-collected model frees its memory", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const before = usage().used;
  await (async () => {
    const layer = new Linear("d -> f", 32, 4000, { bias: false });
    await run(backend, () => layer.forward(xs), { model: layer });
    expect(usage().used - before).toBeGreaterThanOrEqual(4 * 32 * 4000);
  })();
  for (let i = 0; i < 50 && usage().used > before; i++) {
    collect();
    await new Promise((resume) => setTimeout(resume, 10));
  }
  expect(usage().used).toBeLessThanOrEqual(before);
});

test("an allocation beyond 4 GiB is an error with the amounts, and the backend stays usable", async () => {
  const heap = new Heap(512);
  const at = heap.allocate(2 ** 20);
  expect(() => heap.allocate(5e9)).toThrow(LoadError);
  expect(() => heap.allocate(5e9)).toThrow(/0\.00 GiB.*4\.66 GiB.*4 GiB/);
  heap.free(at);
  expect(heap.usage().used).toBe(0);
  const huge = new Parameter("n", [1_200_000_000], constant(1));
  const before = usage().used;
  Object.defineProperty(huge, "data", { get: () => view(new Float32Array(1), [1_200_000_000], [0]) });
  await expect(run(backend, () => mulScalar(huge, 2), { model: { huge } })).rejects.toThrow(LoadError);
  expect(usage().used).toBe(before);
  await run(backend, () => layered(x));
});

test("packing that fails frees its own blocks, and no other parameter's", async () => {
  const backend = await simd({ threads: 1 });
  const plain = new Parameter("n", [1000], constant(3));
  const twice = () => mulScalar(plain, 2);
  const expected = valuesOf(await run(backend, twice, { model: { plain } }));
  const broken = new Parameter("k n", [2000, 2000], constant(1));
  let reads = 0;
  const read = (from: number, to: number): Float32Array => {
    if (++reads === 2) throw new LoadError("the file has been truncated"); // in the second chunk
    return new Float32Array(to - from);
  };
  broken.assign({ dtype: "float32", read });
  const ones = filled("k", [2000], () => 1) as Tensor<Any>;
  const before = usage(backend).used;
  const product = () => einsum("k, k n -> n", ones, broken);
  await expect(run(backend, product, { model: { broken } })).rejects.toThrow("truncated");
  expect(usage(backend).used).toBe(before);
  await run(backend, () => layered(x));
  expect(valuesOf(await run(backend, twice, { model: { plain } }))).toEqual(expected);
  expect(await run(backend, product, { model: { broken } })).toBeDefined();
  await backend.close();
});

test("scratch memory that does not fit is an error, and later jobs allocate it again", async () => {
  const engine = await Engine.open({ threads: 1 });
  const job = { tasks: 0, words: [], cost: 0 };
  const runWith = (scratch: number) =>
    engine.threads.run("normalize", { ...job, tasks: 1, words: new Array(12).fill(0), scratch });
  runWith(64);
  const { used } = engine.heap.usage();
  expect(() => runWith(5e9)).toThrow(LoadError);
  runWith(64);
  expect(engine.heap.usage().used).toBe(used);
});

test("[replay.serial] concurrent replays give the same results as separate ones, also if one fails", async () => {
  const w = new Parameter("k n", [64, 64], constant(0.5));
  w.assign(filled("k n", [64, 64], Math.cos).data);
  const rows = filled("m k", [3, 64], Math.sin) as Tensor<Any>;
  const asPanels = () => einsum("m k, k n -> m n", rows, w);
  const asArray = () => add(mulScalar(w, 2), w);
  const separate = [];
  for (const f of [asPanels, asArray]) separate.push(valuesOf(await run(backend, f, { model: { w } })));
  const aborted = run(backend, asPanels, { model: { w }, signal: AbortSignal.abort() });
  const concurrent = [asPanels, asArray, asPanels, asArray].map((f) => run(backend, f, { model: { w } }));
  await expect(aborted).rejects.toThrow();
  const results = (await Promise.all(concurrent)).map((t) => valuesOf(t));
  expect(results).toEqual([...separate, ...separate]);
});

test("blocks do not overlap, and freed blocks are merged", () => {
  const sizes = fc.array(fc.tuple(fc.boolean(), fc.nat(300_000)), { maxLength: 60 });
  fc.assert(
    fc.property(sizes, (steps) => {
      const heap = new Heap(512);
      const live: { at: number; size: number }[] = [];
      for (const [allocate, n] of steps) {
        if (allocate || live.length === 0) live.push({ at: heap.allocate(n), size: n });
        else {
          const [block] = live.splice(n % live.length, 1);
          if (block) heap.free(block.at);
        }
        const sorted = [...live].sort((a, b) => a.at - b.at);
        for (const [i, { at, size }] of sorted.entries()) {
          expect(at % 64).toBe(0);
          expect(at + size).toBeLessThanOrEqual(sorted[i + 1]?.at ?? heap.memory.buffer.byteLength - 64);
          if (size > 0) expect(heap.blockOf(heap.floats(at + 4 * Math.floor((size - 1) / 4), 0))).toBe(at);
        }
      }
      for (const { at } of live) heap.free(at);
      const { reserved } = heap.usage();
      if (live.length > 0) heap.free(heap.allocate(reserved - 640));
      expect(heap.usage()).toMatchObject({ used: 0, reserved });
    }),
    { numRuns: 60 },
  );
});

test("a thousand runs need no more memory than two", async () => {
  const layer = new Linear("d -> f", 32, 40);
  const p = record(() => gelu(layer.forward(xs)), { model: layer, symbolic: true });
  for (let i = 0; i < 2; i++) await replay(p, backend); // the first packs the weights
  const before = usage();
  for (let i = 0; i < 1000; i++) await replay(p, backend);
  expect(usage()).toEqual(before);
});

test("kernels write only to their own blocks", async () => {
  for (const relaxed of [false, true]) {
    const engine = await Engine.open({ threads: 1, relaxed });
    const { heap } = engine;
    const canaries: number[] = [];
    const holes: number[] = [];
    for (let i = 0; i < 600; i++) {
      holes.push(heap.allocate(64 * (1 + (i % 40))));
      canaries.push(heap.allocate(64));
    }
    for (const at of canaries) heap.ints(at, 16).fill(0x5a5a5a5a);
    for (const at of holes) heap.free(at);
    const some = (shape: Shape, k: number) =>
      view(
        Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * k)),
        shape,
      );
    const free = (v: View) => void (sizeOf(v.shape) > 0 && heap.free(v.data.byteOffset));
    const size = fc.integer({ min: 1, max: 19 });
    fc.assert(
      fc.property(size, size, size, (m, n, k) => {
        const noPanels = { panels: () => null };
        free(product(engine, "m k, k n -> m n", some([m, k], 1), some([k, n], 2), noPanels));
        free(product(engine, "m k, n k -> m n", some([m, k], 1), some([n, k], 2), noPanels));
        free(product(engine, "k, n k -> n", some([k], 1), some([n, k], 2), noPanels));
        free(unbroadcast(engine, { shape: [n] }, some([m, n], 2)));
        free(elements(engine, "gelu", {}, some([m, k], 1)));
        free(softmax(engine, { mayAttend: null, emptyRow: "zero" }, some([m, n], 1)));
        free(normalize(engine, { epsilon: 1e-5, centred: true }, some([m, n], 1)));
        free(concat(engine, { axis: 1 }, [some([m, n], 1), some([m, k], 1)]));
        free(elements(engine, "sin", {}, some([m, k], 1)));
        free(maxTo(engine, { shape: [m, 1] }, some([m, 2 * n], 1)));
        free(maxTo(engine, { shape: [] }, some([m, n + 1, k], 1)));
        free(sumExp(engine, some([m, n], 1), some([m, 1], 2)));
        const ids = int(
          "i",
          Array.from({ length: m }, (_, i) => (i * i) % k),
        );
        free(scatter(engine, { ids, rows: k }, some([m, n], 1)));
        free(place(engine, { ids, width: k }, some([m], 1)));
        free(pick(engine, { ids }, some([m, k], 1)));
        const inputs = { q: some([2, m, k], 1), k: some([2, n, k], 2), v: some([2, n, m], 3) };
        free(attend(engine, inputs, { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null }));
        expect(canaries.every((at) => heap.ints(at, 16).every((word) => word === 0x5a5a5a5a))).toBe(true);
      }),
      { numRuns: 60 },
    );
  }
});
