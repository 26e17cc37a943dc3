// Rules of 40-gpu.md and 43-backend-memory.md for the memory of a graphics card: ops on views of buffers, transfers, and the life of
// buffers, on a fake of gpu.js. 40-browser.spec.ts runs the same kernels in Chromium.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ParallelTransformerBlock } from "../../../src/blocks/parallel-transformer-block.ts";
import type { Backend } from "../../../src/kernels/backend.ts";
import { gridOf, offsetsOf, table } from "../../../src/kernels/gpu/device-modes/offset-tables.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { replay, run } from "../../../src/kernels/replay.ts";
import { Linear } from "../../../src/nn/linear.ts";
import { normalize } from "../../../src/nn/norms/layer-norm.ts";
import { Bug, ShapeError } from "../../../src/tensor/errors.ts";
import { chunk, concat, einsum, pad, rearrange, slice } from "../../../src/tensor/ops/arrange.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import {
  add,
  addScalar,
  gelu,
  maskedSoftmax,
  maxLast,
  mul,
  mulScalar,
  scatter,
  sqrt,
} from "../../../src/tensor/ops/functions.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Any, int, Tensor, tensor, type View, view, viewOf } from "../../../src/tensor/tensor.ts";
import { blockRuns, gatedBlock, transfers } from "../../support/kernels/gpu/block.ts";
import {
  exampleError,
  examplesOf,
  FUNCTION_NAMES,
  functionError,
} from "../../support/kernels/gpu/elementwise.ts";
import { INJECTED, openFakeDevice } from "../../support/kernels/gpu/fake-gpu-js.ts";
import { productOn } from "../../support/kernels/gpu/ops.ts";
import { gamma, numbers, productOf, worstOf } from "../../support/oracles/attention.ts";
import { rows } from "../../support/oracles/ops.ts";
import { layouts, randomMask, randomTensor } from "../../support/properties/arbitraries.ts";
import { expectClose, valuesOf } from "../../support/properties/programs.ts";

const { backend: shared } = await openFakeDevice();

describe.each(examplesOf(shared).map((row) => [rows[row]?.title ?? "", row] as const))("%s", (_, row) => {
  const n = fc.integer({ min: 0, max: 5 });
  test("agrees with its definition on views of any layout, empty ones included", async () => {
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

test.each(FUNCTION_NAMES)("the error of %s is within its bound", async (name) => {
  expect(await functionError(shared, name)).toBeLessThanOrEqual(1);
});

test("layer normalisation of empty rows, and of no rows, is empty", async () => {
  for (const shape of [
    [0, 3],
    [2, 0],
  ]) {
    const x = new Tensor<"r d">(shape, view(new Float32Array(0), shape));
    const out = await run(shared, () => normalize(x), { inputs: { x } });
    expect([out.shape, out.data.shape, valuesOf(out)]).toEqual([shape, shape, []]);
  }
});

test("the backend counts products and attention scopes", async () => {
  const { backend } = await openFakeDevice();
  expect(backend.ran).toEqual({ matmul: 0, attention: 0 });
  const { program } = gatedBlock();
  const { kernels } = await replay(program, backend);
  expect(kernels).toEqual({ matmul: 5, attention: 1, fallback: 0, fused: 3, unfused: [], mode: "webgpu" });
  expect(backend.ran).toEqual({ matmul: 5, attention: 1 });
});

test("layer normalisation keeps its precision for a large mean, and a constant row is zero", async () => {
  const largeMean = Float32Array.from({ length: 64 }, (_, i) => 4096 + Math.fround(Math.sin(i)) / 8);
  const x = new Tensor<"r d">(
    [2, 64],
    view(Float32Array.from([...largeMean, ...largeMean.map(() => 0.1)]), [2, 64]),
  );
  const p = record(() => normalize(x), { inputs: { x }, symbolic: true });
  const [ours, exact] = [await replay(p, shared), await replay(p, reference())];
  const [y, z] = [ours, exact].map(({ outputs }) => valuesOf(outputs.out as Tensor)) as [number[], number[]];
  expectClose(y, z, gamma(64));
  const { device } = shared.launcher;
  const second = await transfers({ device, run: () => replay(p, shared) });
  expect([second.uploads, second.downloads]).toEqual([1, 1]); // x and the result: no op fell back to its definition
});

test("a norm without centring equals the definition, beside ε too", async () => {
  const [large, small] = [[3, -4, 5, 12], [1e-4, 2e-4, -1e-4, 3e-4]]; // biome-ignore format: two rows
  const x = new Tensor<"r d">([2, 4], view(Float32Array.from([...large, ...small]), [2, 4]));
  const p = record(() => normalize(x, { centred: false, epsilon: 1e-6 }), { inputs: { x }, symbolic: true });
  const [ours, exact] = [await replay(p, shared), await replay(p, reference())];
  expectClose(valuesOf(ours.outputs.out as Tensor), valuesOf(exact.outputs.out as Tensor), 1e-6);
  expect(ours.kernels.fused).toBe(1);
});

test("a maximum over a NaN is NaN at any position, and over no elements −∞", async () => {
  for (const row of [
    [NaN, 1, 2],
    [1, NaN, 2],
    [1, 2, NaN],
    [NaN, NaN, NaN],
    [-3, -Infinity, -2],
    [-Infinity, -Infinity, -Infinity],
  ]) {
    // biome-ignore format: six rows
    const x = tensor("r d", [row]);
    const out = await run(shared, () => maxLast(x), { inputs: { x } });
    expect(valuesOf(out)).toEqual([Math.max(...row)]);
  }
  const nothing = tensor("r d", [2, 0], []);
  expect(valuesOf(await run(shared, () => maxLast(nothing), { inputs: { x: nothing } }))).toEqual([
    -Infinity,
    -Infinity,
  ]);
});

test("an element is read at the sum of its z, y and x offsets", async () => {
  const [a, b] = [numbers(4 * 5 * 6, 1), numbers(4 * 6 * 7, 2)];
  const { out, bound } = productOf(a, b, [4, 5, 6, 7]);
  expect(worstOf(await productOn(shared.launcher, [4, 5, 6, 7], a, b), out, bound)).toBeLessThanOrEqual(1);
});

test("an offset that is not exact in float32 is an error", () => {
  expect(() => table([Int32Array.of(2 ** 24 + 1)])).toThrow(ShapeError);
  expect([...table([Int32Array.of(3, 2 ** 25), Int32Array.of(7)], [0.1])]).toEqual([
    3,
    7,
    Math.fround(0.1),
    2 ** 25,
    0,
    0,
  ]);
});

test("leading axes form z up to the limit of a device; the rest join y", () => {
  expect(gridOf([2, 3, 4, 5]).size).toEqual([5, 4, 6]);
  expect(gridOf([]).size).toEqual([1, 1, 1]);
  const grid = gridOf([300, 300, 4, 5]);
  expect(grid.size).toEqual([5, 1200, 300]);
  const [z, y, x] = offsetsOf(grid, { shape: grid.shape, stride: [6000, 20, 5, 1], offset: 2 });
  expect([z?.[299], y?.[1199], x?.[4]]).toEqual([299 * 6000 + 2, 299 * 20 + 15, 4]);
});

const x = randomTensor<"i j">([6, 8], 1);
const other = randomTensor<"i j">([6, 8], 2);

/** Replays f on a new device and compares the result, bit by bit, with the reference; returns the work that the device did. */
async function workOf(f: () => Tensor) {
  const { backend, counts, device } = await openFakeDevice();
  const p = record(f, { inputs: { x, other }, symbolic: true });
  const [{ outputs }, exact] = [await replay(p, backend), await replay(p, reference("float32"))];
  expect(valuesOf(outputs.out as Tensor)).toEqual(valuesOf(exact.outputs.out as Tensor));
  return { runs: counts.runs, uploads: device.uploads, downloads: device.downloads };
}

test("transposing, slicing, expanding and splitting run no kernel and copy nothing", async () => {
  const sum = () => add(x, other);
  const viewed = () => chunk(rearrange("i j -> j i", sum()))[0];
  expect(await workOf(viewed)).toEqual(await workOf(sum));
});

test("axes that do not join in a view are copied on the device, by one kernel", async () => {
  const scaled = () => mulScalar(x, 2) as Tensor<Any>;
  const joined = () => rearrange("i (h k) -> (k i) h", scaled(), { h: 2 });
  const { runs, uploads, downloads } = await workOf(scaled);
  // One run is the copy, another the upload of its offset table.
  expect(await workOf(joined)).toEqual({ runs: runs + 2, uploads: uploads + 1, downloads });
});

test("axes of a view larger than the host's memory are joined without a copy on the host", async () => {
  const { backend } = await openFakeDevice({ failAt: 4 }); // after the uploads of the view and of the offset table
  const sizes = { a: 64, b: 2 ** 15, c: 2 ** 15 };
  const { data } = await backend.launcher.buffers.upload(
    view(new Float32Array(2 ** 15 + 63), [2 ** 15 + 63]),
  );
  const vast = viewOf(data, [sizes.a, sizes.b, sizes.c], [1, 1, 0]);
  const attrs = { pattern: "a b c -> a (c b)", sizes };
  await expect(backend.ops.rearrange?.(attrs, vast)).rejects.toMatchObject({ cause: INJECTED });
});

test("concat and pad use the right offset tables for parts of different widths", async () => {
  const { backend } = await openFakeDevice();
  for (const n of [8, 3, 5]) {
    const part = slice(other, 1, 0, n);
    const f = () => ({
      joined: concat("... m, ... n -> ... k", concat("... m, ... n -> ... k", addScalar(x, 1), part), x),
      padded: pad(part, 1, 1, 9 - n),
    });
    const p = record(f, { inputs: { x, other }, symbolic: true });
    const [ours, exact] = [await replay(p, backend), await replay(p, reference("float32"))];
    for (const [name, t] of Object.entries(exact.outputs))
      expect(valuesOf(ours.outputs[name] as Tensor)).toEqual(valuesOf(t));
  }
});

/** The same tensor by way of an op that has no kernel. */
const viaDefinition = (t: Tensor): Tensor => {
  const rows = t.shape[0] ?? 0;
  return scatter(t, int("i", [...Array(rows).keys()]), rows);
};

const chain = () => {
  const y = gelu(einsum("i j, k j -> i k", x, other as Tensor<Any>));
  return mul(sqrt(viaDefinition(addScalar(mul(y, y), 1))), y);
};
const chained = record(chain, { inputs: { x, other }, symbolic: true });

test("[replay.upload] [replay.download] a definition between kernels reads results of the device, and kernels read its result", async () => {
  const { backend, device } = await openFakeDevice();
  const { outputs } = await replay(chained, backend);
  const exact = await replay(chained, reference());
  expectClose(valuesOf(outputs.out as Tensor), valuesOf(exact.outputs.out as Tensor), 1e-5);
  const second = await transfers({ device, run: () => replay(chained, backend) });
  expect([second.uploads, second.downloads]).toEqual([3, 2]); // up: x, other, the scattered rows; down: their argument, the result
});

test("[replay.upload] an input of several kernels is uploaded once, and an input of none is not uploaded", async () => {
  const { backend, device } = await openFakeDevice();
  const p = record(() => ({ a: add(x, mulScalar(x, 2)), b: viaDefinition(addScalar(other, 3)), c: x }), {
    inputs: { x, other },
    symbolic: true,
  });
  await replay(p, backend);
  const { uploads, downloads } = await transfers({ device, run: () => replay(p, backend) });
  expect([uploads, downloads]).toEqual([2, 3]); // up: x and other; down: a, the argument of scatter, and c
  const idle = record(() => viaDefinition(x), { inputs: { x }, symbolic: true });
  expect(await transfers({ device, run: () => replay(idle, backend) })).toMatchObject({
    uploads: 0,
    downloads: 0,
  });
});

test("[replay.memory] [replay.upload] no buffer is left after fifty runs, a failed one and an aborted one", async () => {
  const { backend, device } = await openFakeDevice();
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

test("whichever upload or kernel fails, a run leaves no buffer behind", async () => {
  const mask = randomMask([6, 8]);
  const f = (): Tensor => {
    const weights = maskedSoftmax(x, mask, { emptyRow: "uniform" });
    const products = einsum("i j, k j -> i k", x, other as Tensor<Any>);
    return concat("... m, ... n -> ... k", normalize(gelu(products)), weights);
  };
  const program = record(f, { inputs: { x, other }, symbolic: true });
  const complete = await openFakeDevice();
  await replay(program, complete.backend);
  const steps = complete.counts.uploaded + complete.counts.runs;
  for (let failAt = 0; failAt < steps; failAt++) {
    const { backend } = await openFakeDevice({ failAt });
    await expect(replay(program, backend)).rejects.toMatchObject({ cause: INJECTED });
    expect(backend.launcher.buffers.blocks).toBe(0);
  }
});

test("a long chain of ops needs memory for two intermediates", async () => {
  const { backend, device } = await openFakeDevice();
  const long = () => {
    let y: Tensor<"i j"> = x;
    for (let i = 0; i < 20; i++) y = mulScalar(y, 0.9);
    return y;
  };
  const p = record(long, { inputs: { x }, symbolic: true });
  await replay(p, backend);
  expect(device.peak - device.floats).toBeLessThanOrEqual(2 * x.size);
});

test("reading a freed buffer is an error; freeing an unknown block is not", async () => {
  const { backend } = await openFakeDevice();
  const { buffers } = backend.launcher;
  const uploaded = await buffers.upload(x.data);
  buffers.free(buffers.blockOf(uploaded.data) ?? 0);
  await expect(backend.ops.neg?.({}, uploaded)).rejects.toThrow(Bug);
  expect(() => buffers.free(12345)).not.toThrow();
});

test("a second run of a block uploads its inputs and downloads its result, and nothing else", async () => {
  const { backend } = await openFakeDevice();
  const { runs, parameters, error } = await blockRuns(backend);
  const [first, ...others] = runs;
  expect(first?.uploads).toBeGreaterThan(parameters + 2);
  for (const run of others) expect(run).toEqual({ uploads: 2, downloads: 1, live: first?.live });
  expect(error).toBeLessThan(1e-5);
});

test("a second run of a transformer block uploads its inputs and positions, and downloads its result", async () => {
  const { backend, device } = await openFakeDevice();
  const block = new ParallelTransformerBlock({ dim: 12, dimHead: 4, heads: 2 });
  const tokens: Tensor<"b l d"> = randomTensor([2, 5, 12], 3);
  const p = record(() => block.forward(tokens), { model: block, inputs: { tokens }, symbolic: true });
  const first = await transfers({ device, run: () => replay(p, backend) });
  const second = await transfers({ device, run: () => replay(p, backend) });
  expect(second).toEqual({ uploads: 2, downloads: 1, live: first.live });
});

test("at most 2,048 constant buffers are kept; the least recently used are released", async () => {
  const { backend, device } = await openFakeDevice();
  const { constants } = backend.launcher;
  const constant = async (i: number) => constants.get(i, () => Float32Array.of(i));
  const first = await constant(0);
  for (let i = 1; i < 2100; i++) {
    await constant(i);
    if (i % 100 === 0) expect(await constant(0)).toBe(first);
  }
  expect(constants.size).toBe(2048);
  expect(device.live).toBe(2048);
  expect(await constant(0)).toBe(first);
});

test("a mask is uploaded once, and again when the bytes of its array have changed", async () => {
  const { backend, device } = await openFakeDevice();
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

/** A linear layer that counts how often its weight is read. */
function counted() {
  const layer = new Linear("d -> f", 8, 5, { bias: false });
  let reads = 0;
  const assign = (f: (i: number) => number) =>
    layer.weight.assign(() => {
      reads++;
      return view(
        Float32Array.from({ length: 40 }, (_, i) => f(i)),
        [5, 8],
      );
    });
  assign((i) => Math.sin(i));
  return { layer, assign, reads: () => reads };
}

test("a parameter is uploaded once, and again after `assign`; the model's copy is released", async () => {
  const { backend, device } = await openFakeDevice();
  const { layer, assign, reads } = counted();
  const xs = x as Tensor<Any>;
  const p = record(() => layer.forward(xs), { model: layer, inputs: { x: xs }, symbolic: true });
  const out = async () => valuesOf((await replay(p, backend)).outputs.out as Tensor);
  const first = await out();
  const stored = () => device.live - backend.launcher.constants.size;
  expect(stored()).toBe(1);
  expect(await out()).toEqual(first);
  expect(reads()).toBe(1);
  assign((i) => 2 * Math.sin(i));
  const second = await out();
  for (const [i, value] of first.entries()) expect(second[i]).toBeCloseTo(2 * value, 4);
  expect([reads(), stored()]).toEqual([2, 1]);
  const zero = new Tensor([5, 8], view(new Float32Array(40), [5, 8]));
  const { outputs } = await replay(p, backend, { bind: { weight: zero } });
  expect(valuesOf(outputs.out as Tensor).every((value) => value === 0)).toBe(true);
  expect(await out()).toEqual(second);
  expect([reads(), stored()]).toEqual([2, 1]);
  expect(ndArray(layer.weight.data).get(0, 1)).toBe(Math.fround(2 * Math.sin(1)));
  expect(reads()).toBe(3);
});

test("a weight is stored in the order in which its product reads it; other uses read the same numbers", async () => {
  const { backend } = await openFakeDevice();
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
    const recorded = (v: View): View => {
      if (v.shape[0] === 5) strides.push(v.stride);
      return v;
    };
    const ops: Backend["ops"] = {
      ...backend.ops,
      einsum: (attrs, a, b) => product?.(attrs, recorded(a), recorded(b)) as Promise<View>,
      mulScalar: (attrs, a) => scaled?.(attrs, recorded(a)) as Promise<View>,
    };
    const { outputs } = await replay(p, { ...backend, ops });
    expect(strides[0]).toEqual(stride);
    const exact = (await replay(p, reference())).outputs.out as Tensor;
    expectClose(valuesOf(outputs.out as Tensor), valuesOf(exact), 1e-5);
  }
});

test("a garbage-collected model frees its buffers", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { backend, device } = await openFakeDevice();
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

test("concurrent runs do not interfere", async () => {
  const { backend, device } = await openFakeDevice();
  const inputs = [1, 2, 3, 4].map((seed) => randomTensor<"i j">([6, 8], seed));
  const exact = async (t: Tensor) =>
    valuesOf((await replay(chained, reference(), { bind: { x: t } })).outputs.out as Tensor);
  const results = await Promise.all(inputs.map((t) => replay(chained, backend, { bind: { x: t } })));
  for (const [i, { outputs }] of results.entries())
    expectClose(valuesOf(outputs.out as Tensor), await exact(inputs[i] as Tensor), 1e-5);
  expect(device.live).toBe(backend.launcher.constants.size);
});
