// What stays on a graphics card, run on kernels as plain functions: ops on views of what is there, what is copied, and what is freed.
// In a real browser: 40-gpu-browser.spec.ts. The rules stand in 40-gpu.md and 43-backend-memory.md.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ParallelTransformerBlock } from "../../../src/blocks/parallel-transformer-block.ts";
import type { Backend } from "../../../src/kernels/backend.ts";
import { onDevice } from "../../../src/kernels/gpu/device-modes/backend.ts";
import { GpuDevice } from "../../../src/kernels/gpu/device-modes/gpu-device.ts";
import { columns, gridOf, offsetsOf } from "../../../src/kernels/gpu/device-modes/offset-tables.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { replay, run } from "../../../src/kernels/replay.ts";
import { Linear } from "../../../src/nn/linear.ts";
import { normalize } from "../../../src/nn/norms/layer-norm.ts";
import { Bug, ShapeError } from "../../../src/tensor/errors.ts";
import { chunk, concatLast, einsum, pad, rearrange, slice } from "../../../src/tensor/ops/arrange.ts";
import {
  add,
  addScalar,
  exp,
  gelu,
  log,
  maskedSoftmax,
  mul,
  mulScalar,
} from "../../../src/tensor/ops/functions.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Any, Tensor, type View, view } from "../../../src/tensor/tensor.ts";
import { pretend } from "../../support/kernels/fake-gpu-js.ts";
import { blockRuns, gatedBlock, transfers } from "../../support/kernels/gpu-block.ts";
import {
  exampleError,
  examplesOf,
  FUNCTION_NAMES,
  functionError,
} from "../../support/kernels/gpu-elementwise.ts";
import { productOn } from "../../support/kernels/gpu-ops.ts";
import { gamma, numbers, productOf, worstOf } from "../../support/oracles/attention.ts";
import { rows } from "../../support/oracles/ops.ts";
import { layouts, randomMask, randomTensor } from "../../support/properties/arbitraries.ts";
import { expectClose, valuesOf } from "../../support/properties/programs.ts";

async function opened(options: Parameters<typeof pretend>[0] = {}) {
  const pretended = pretend(options);
  const device = await GpuDevice.open("webgpu", async () => pretended.library);
  return { ...pretended, device, backend: onDevice(device) };
}
const { backend: shared } = await opened();

describe.each(examplesOf(shared).map((row) => [rows[row]?.title ?? "", row] as const))("%s", (_, row) => {
  const n = fc.integer({ min: 0, max: 5 });
  test("is what its definition says, on views and on nothing", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ a: n, b: n, c: n }),
        fc.nat(999),
        layouts,
        layouts,
        async (extent, seed, layout, hostLayout) => {
          const error = await exampleError(shared, { row, extent, seed, layout, hostLayout });
          expect(error).toBeLessThanOrEqual(gamma(64));
        },
      ),
      { numRuns: 40 },
    );
    expect(shared.launcher.buffers.blocks).toBe(0);
  });
});

test.each(FUNCTION_NAMES)("%s keeps to the units that it is allowed", async (name) => {
  expect(await functionError(shared, name)).toBeLessThanOrEqual(1);
});

test("rows of nothing, and no rows, are normalised to nothing", async () => {
  for (const shape of [
    [0, 3],
    [2, 0],
  ]) {
    const x = new Tensor<"r d">(shape, view(new Float32Array(0), shape));
    const out = await run(shared, () => normalize(x), { inputs: { x } });
    expect([out.shape, out.data.shape, valuesOf(out)]).toEqual([shape, shape, []]);
  }
});

test("products and attention scopes are counted", async () => {
  const { backend } = await opened();
  expect(backend.ran).toEqual({ matmul: 0, attention: 0 });
  const { program } = gatedBlock();
  const { kernels } = await replay(program, backend);
  expect(kernels).toEqual({ matmul: 5, attention: 1, fallback: 0, mode: "webgpu" });
  expect(backend.ran).toEqual({ matmul: 5, attention: 1 });
});

test("a row far from zero keeps its digits, and a constant row is zero", async () => {
  const far = Float32Array.from({ length: 64 }, (_, i) => 4096 + Math.fround(Math.sin(i)) / 8);
  const x = new Tensor<"r d">([2, 64], view(Float32Array.from([...far, ...far.map(() => 0.1)]), [2, 64]));
  const p = record(() => normalize(x), { inputs: { x }, symbolic: true });
  const [ours, exact] = [await replay(p, shared), await replay(p, reference())];
  const [y, z] = [ours, exact].map(({ outputs }) => valuesOf(outputs.out as Tensor)) as [number[], number[]];
  expectClose(y, z, gamma(64));
  const { device } = shared.launcher;
  const again = await transfers({ device, run: () => replay(p, shared) });
  expect([again.uploads, again.downloads]).toEqual([1, 1]); // no definition had a part in it
});

test("an element is where the sum of its three offsets says", async () => {
  const [a, b] = [numbers(4 * 5 * 6, 1), numbers(4 * 6 * 7, 2)];
  const { out, bound } = productOf(a, b, [4, 5, 6, 7]);
  expect(worstOf(await productOn(shared.launcher, [4, 5, 6, 7], a, b), out, bound)).toBeLessThanOrEqual(1);
});

test("an offset that is no float is refused", () => {
  expect(() => columns([Int32Array.of(2 ** 24 + 1)])).toThrow(ShapeError);
  expect([...columns([Int32Array.of(3, 2 ** 25), Int32Array.of(7)], [0.1])]).toEqual([
    3,
    7,
    Math.fround(0.1),
    2 ** 25,
    0,
    0,
  ]);
});

test("leading axes are counted along z as far as a device counts, then along y", () => {
  expect(gridOf([2, 3, 4, 5]).size).toEqual([5, 4, 6]);
  expect(gridOf([]).size).toEqual([1, 1, 1]);
  const grid = gridOf([300, 300, 4, 5]);
  expect(grid.size).toEqual([5, 1200, 300]);
  const [z, y, x] = offsetsOf(grid, { shape: grid.shape, stride: [6000, 20, 5, 1], offset: 2 });
  expect([z?.[299], y?.[1199], x?.[4]]).toEqual([299 * 6000 + 2, 299 * 20 + 15, 4]);
});

const x = randomTensor<"i j">([6, 8], 1);
const other = randomTensor<"i j">([6, 8], 2);

test("transposing, slicing, expanding and splitting run no kernel and copy nothing", async () => {
  const { backend, compiled, device } = await opened();
  const f = (): Tensor => chunk(rearrange("i j -> j i", add(x, other)))[0];
  const p = record(f, { inputs: { x, other }, symbolic: true });
  const { outputs } = await replay(p, backend);
  expect(compiled).toEqual(["copied", "eachOfTwo 0"]);
  expect([device.uploads, device.downloads]).toEqual([3, 1]); // two inputs and places
  const exact = (await replay(p, reference("float32"))).outputs.out;
  expect(valuesOf(outputs.out as Tensor)).toEqual(valuesOf(exact as Tensor));
});

test("axes that do not join in a view are copied on the device, to the last bit", async () => {
  const { backend, compiled, device } = await opened();
  const f = () => rearrange("i (h k) -> (k i) h", mulScalar(x, 2) as Tensor<Any>, { h: 2 });
  const p = record(f, { inputs: { x }, symbolic: true });
  const out = valuesOf((await replay(p, backend)).outputs.out as Tensor);
  expect(out).toEqual(valuesOf((await replay(p, reference("float32"))).outputs.out as Tensor));
  expect(compiled).toEqual(["copied", "eachOfOne 2", "eachOfOne 0"]);
  expect(device.downloads).toBe(1);
});

test("the host moves nothing itself: an array that it could not hold is left to the card", async () => {
  const { backend } = await opened({ fail: "eachOfOne" });
  const sizes = { a: 64, b: 2 ** 15, c: 2 ** 15 };
  const { data } = await backend.launcher.buffers.upload(
    view(new Float32Array(2 ** 15 + 63), [2 ** 15 + 63]),
  );
  const vast = view(data, [sizes.a, sizes.b, sizes.c], [1, 1, 0]);
  const attrs = { pattern: "a b c -> a (c b)", sizes };
  await expect(backend.ops.rearrange?.(attrs, vast)).rejects.toThrow("the card is on fire");
});

test("parts of other widths do not take each other's places", async () => {
  const { backend } = await opened();
  for (const n of [8, 3, 5]) {
    const part = slice(other, 1, 0, n);
    const f = () => ({
      joined: concatLast(concatLast(addScalar(x, 1), part), x),
      padded: pad(part, 1, 1, 9 - n),
    });
    const p = record(f, { inputs: { x, other }, symbolic: true });
    const [ours, exact] = [await replay(p, backend), await replay(p, reference("float32"))];
    for (const [name, t] of Object.entries(exact.outputs))
      expect(valuesOf(ours.outputs[name] as Tensor)).toEqual(valuesOf(t));
  }
});

const chain = () => {
  const y = gelu(einsum("i j, k j -> i k", x, other as Tensor<Any>));
  return mul(exp(log(addScalar(mul(y, y), 1))), y); // log has no kernel
};
const chained = record(chain, { inputs: { x, other }, symbolic: true });

test("[replay.upload] [replay.download] a definition between kernels reads the device's numbers, and they read its", async () => {
  const { backend, device } = await opened();
  const { outputs } = await replay(chained, backend);
  const exact = await replay(chained, reference());
  expectClose(valuesOf(outputs.out as Tensor), valuesOf(exact.outputs.out as Tensor), 1e-5);
  const again = await transfers({ device, run: () => replay(chained, backend) });
  expect([again.uploads, again.downloads]).toEqual([3, 2]); // x, other and the logarithm; what it is of, and the result
});

test("[replay.upload] what several kernels read is uploaded once, and what none reads is not", async () => {
  const { backend, device } = await opened();
  const p = record(() => ({ a: add(x, mulScalar(x, 2)), b: log(addScalar(other, 3)), c: x }), {
    inputs: { x, other },
    symbolic: true,
  });
  await replay(p, backend);
  const { uploads, downloads } = await transfers({ device, run: () => replay(p, backend) });
  expect([uploads, downloads]).toEqual([2, 3]); // x and other; a, what log is of, and c
  const idle = record(() => log(x), { inputs: { x }, symbolic: true });
  expect(await transfers({ device, run: () => replay(idle, backend) })).toMatchObject({
    uploads: 0,
    downloads: 0,
  });
});

test("[replay.memory] [replay.upload] nothing is left of fifty runs, of one that fails and of one that is stopped", async () => {
  const { backend, device } = await opened();
  const { program } = gatedBlock();
  await replay(program, backend);
  const { live, floats } = device;
  for (let i = 0; i < 50; i++) await replay(program, backend);
  for (const stop of [0.2, 0.5, 0.8]) {
    const controller = new AbortController();
    const onProgress = (done: number) => void (done > stop && controller.abort());
    await expect(replay(program, backend, { signal: controller.signal, onProgress })).rejects.toThrow(
      /abort/i,
    );
  }
  const broken = { ...backend, ops: { ...backend.ops, tanh: () => Promise.reject(new Error("broken")) } };
  await expect(replay(program, broken)).rejects.toThrow("broken");
  expect([device.live, device.floats, backend.launcher.buffers.blocks]).toEqual([live, floats, 0]);
  expect(backend.store?.usage().used).toBe(4 * floats);
});

test.each(["copied", "product", "normalized", "rowSpreads", "eachOfOne", "eachOfTwo", "softWeights"])(
  "%s fails, and a run leaves no buffer behind",
  async (fail) => {
    const { backend, device } = await opened({ fail });
    await expect(replay(gatedBlock().program, backend)).rejects.toThrow("the card is on fire");
    expect(backend.launcher.buffers.blocks).toBe(0);
    await backend.close();
    expect(device.live).toBeGreaterThanOrEqual(0);
  },
);

test("a long chain needs no more than two links at once", async () => {
  const { backend, device } = await opened();
  const long = () => {
    let y: Tensor<"i j"> = x;
    for (let i = 0; i < 20; i++) y = mulScalar(y, 0.9);
    return y;
  };
  const p = record(long, { inputs: { x }, symbolic: true });
  await replay(p, backend);
  expect(device.peak - device.floats).toBeLessThanOrEqual(2 * x.size);
});

test("what was freed is not read any more", async () => {
  const { backend } = await opened();
  const { buffers } = backend.launcher;
  const there = await buffers.upload(x.data);
  buffers.free(buffers.blockOf(there.data) ?? 0);
  await expect(backend.ops.neg?.({}, there)).rejects.toThrow(Bug);
  buffers.free(12345); // and nobody minds what never was
});

test("a block that runs again copies its inputs there and its result back", async () => {
  const { backend } = await opened();
  const { runs, parameters, error } = await blockRuns(backend);
  const [first, ...others] = runs;
  expect(first?.uploads).toBeGreaterThan(parameters + 2);
  for (const run of others) expect(run).toEqual({ uploads: 2, downloads: 1, live: first?.live });
  expect(error).toBeLessThan(1e-5);
});

test("so does a transformer block; its positions are an input too", async () => {
  const { backend, device } = await opened();
  const block = new ParallelTransformerBlock({ dim: 12, dimHead: 4, heads: 2 });
  const tokens: Tensor<"b l d"> = randomTensor([2, 5, 12], 3);
  const p = record(() => block.forward(tokens), { model: block, inputs: { tokens }, symbolic: true });
  const first = await transfers({ device, run: () => replay(p, backend) });
  const second = await transfers({ device, run: () => replay(p, backend) });
  expect(second).toEqual({ uploads: 2, downloads: 1, live: first.live });
});

test("what masks and places take is bounded: those asked for longest ago leave", async () => {
  const { backend, device } = await opened();
  const { constants } = backend.launcher;
  const asked = async (i: number) => constants.get(i, () => Float32Array.of(i));
  const first = await asked(0);
  for (let i = 1; i < 2100; i++) {
    await asked(i);
    if (i % 100 === 0) expect(await asked(0)).toBe(first);
  }
  expect(constants.size).toBe(2048);
  expect(device.live).toBe(2048);
  expect(await asked(0)).toBe(first);
});

test("a mask is uploaded once, and again when its array has other bytes", async () => {
  const { backend, device } = await opened();
  const mask = randomMask([6, 8]);
  const p = record(() => maskedSoftmax(x, mask, { emptyRow: "zero" }), { inputs: { x }, symbolic: true });
  const out = async (on: Backend) => valuesOf((await replay(p, on)).outputs.out as Tensor);
  const first = await out(backend);
  expectClose(first, await out(reference()), gamma(64));
  const { uploads, live } = await transfers({ device, run: () => replay(p, backend) });
  expect(uploads).toBe(1);
  for (const i of mask.data.keys()) mask.data[i] = 1 - (mask.data[i] ?? 0);
  const changed = await transfers({ device, run: () => replay(p, backend) });
  expect([changed.uploads, changed.live]).toEqual([2, live + 1]);
  expectClose(await out(backend), await out(reference()), gamma(64));
  expect(await out(backend)).not.toEqual(first);
});

/** A linear layer whose weight says how often it was read. */
function counted() {
  const layer = new Linear("d -> f", 8, 5, { bias: false });
  let reads = 0;
  const give = (f: (i: number) => number) =>
    layer.weight.assign(() => {
      reads++;
      return view(
        Float32Array.from({ length: 40 }, (_, i) => f(i)),
        [5, 8],
      );
    });
  give((i) => Math.sin(i));
  return { layer, give, reads: () => reads };
}

test("a parameter is uploaded once, and again when it has other numbers; the model's copy is released", async () => {
  const { backend, device } = await opened();
  const { layer, give, reads } = counted();
  const xs = x as Tensor<Any>;
  const p = record(() => layer.forward(xs), { model: layer, inputs: { x: xs }, symbolic: true });
  const out = async () => valuesOf((await replay(p, backend)).outputs.out as Tensor);
  const first = await out();
  const kept = () => device.live - backend.launcher.constants.size;
  expect(kept()).toBe(1);
  expect(await out()).toEqual(first);
  expect(reads()).toBe(1);
  give((i) => 2 * Math.sin(i));
  const second = await out();
  for (const [i, value] of first.entries()) expect(second[i]).toBeCloseTo(2 * value, 4);
  expect([reads(), kept()]).toEqual([2, 1]);
  const zero = new Tensor([5, 8], view(new Float32Array(40), [5, 8]));
  const { outputs } = await replay(p, backend, { bind: { weight: zero } });
  expect(valuesOf(outputs.out as Tensor).every((value) => value === 0)).toBe(true);
  expect(await out()).toEqual(second);
  expect([reads(), kept()]).toEqual([2, 1]);
  expect(layer.weight.data.get(0, 1)).toBe(Math.fround(2 * Math.sin(1)));
  expect(reads()).toBe(3);
});

test("the columns that a product reads lie side by side; who reads a weight otherwise gets the same numbers", async () => {
  const { backend } = await opened();
  const uses: (readonly [(w: Tensor<Any>) => Tensor<Any>, readonly number[]])[] = [
    [(w) => einsum("i j, o j -> i o", x as Tensor<Any>, w), [1, 5]],
    [(w) => einsum("o j, i j -> o i", w, x as Tensor<Any>), [8, 1]],
    [(w) => einsum("i o, o j -> i j", einsum("i j, o j -> i o", x as Tensor<Any>, w), w), [8, 1]],
    [(w) => mulScalar(w, 2), [8, 1]],
  ];
  for (const [f, stride] of uses) {
    const { layer } = counted();
    const p = record(() => f(layer.weight as Tensor<Any>), { model: layer, inputs: { x }, symbolic: true });
    const strides: (readonly number[])[] = [];
    const { einsum: product, mulScalar: scaled } = backend.ops;
    const seen = (v: View): View => {
      if (v.shape[0] === 5) strides.push(v.stride);
      return v;
    };
    const ops: Backend["ops"] = {
      ...backend.ops,
      einsum: (attrs, a, b) => product?.(attrs, seen(a), seen(b)) as Promise<View>,
      mulScalar: (attrs, a) => scaled?.(attrs, seen(a)) as Promise<View>,
    };
    const { outputs } = await replay(p, { ...backend, ops });
    expect(strides[0]).toEqual(stride);
    const exact = (await replay(p, reference())).outputs.out as Tensor;
    expectClose(valuesOf(outputs.out as Tensor), valuesOf(exact), 1e-5);
  }
});

test("a model that is gone leaves its memory", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { backend, device } = await opened();
  const xs = x as Tensor<Any>;
  const { constants } = backend.launcher;
  await (async () => {
    const { layer } = counted();
    await run(backend, () => layer.forward(xs), { model: layer, inputs: { x: xs } });
    expect(device.live).toBe(constants.size + 1);
  })();
  for (let i = 0; i < 50 && device.live > constants.size; i++) {
    collect();
    await new Promise((resume) => setTimeout(resume, 10));
  }
  expect(device.live).toBe(constants.size);
});

test("runs at the same time do not mix", async () => {
  const { backend, device } = await opened();
  const inputs = [1, 2, 3, 4].map((seed) => randomTensor<"i j">([6, 8], seed));
  const exact = async (t: Tensor) =>
    valuesOf((await replay(chained, reference(), { bind: { x: t } })).outputs.out as Tensor);
  const results = await Promise.all(inputs.map((t) => replay(chained, backend, { bind: { x: t } })));
  for (const [i, { outputs }] of results.entries())
    expectClose(valuesOf(outputs.out as Tensor), await exact(inputs[i] as Tensor), 1e-5);
  expect(device.live).toBe(backend.launcher.constants.size);
});
