// The executable half of 81-speed.md, as far as it needs no browser.
import { afterEach, expect, test, vi } from "vitest";
import type { Target } from "../../../src/bench/target.ts";
import type { Backend } from "../../../src/kernels/backend.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { rules } from "../../../src/tensor/ops/rules.ts";
import { flat, type View, view } from "../../../src/tensor/tensor.ts";
import { type Adapter, adapterFor, isSoftware } from "../../../src/web/speed/adapters.ts";
import { firstResult } from "../../../src/web/speed/first.ts";
import { measure, type Plan } from "../../../src/web/speed/measure.ts";
import { scripted } from "../../../src/web/speed/scripts.ts";
import { nothingYet, type Speed } from "../../../src/web/speed/speeds.ts";
import { jsonOf, saidOf, short, tableOf, threadsIn } from "../../../src/web/speed/words.ts";

afterEach(() => vi.unstubAllGlobals());

/** The reference under another name, with what is changed, and how often it is open. */
function way(backend: string, changes: Partial<Backend> = {}) {
  const open = { now: 0 };
  const contestant: Target = {
    backend,
    threads: 1,
    open: async () => {
      open.now++;
      return { ...reference("float32"), ...changes, close: async () => void open.now-- };
    },
  };
  return { contestant, open };
}

function planFor(ways: readonly Target[], patch: Partial<Plan> = {}): Plan {
  return {
    ways,
    shapes: {
      matmul: [
        [3, 4, 5],
        [6, 5, 4],
      ],
      attention: [[1, 3, 4, 2]],
    },
    patience: { runs: 1, seconds: 0 },
    loops: 1000,
    first: null,
    signal: new AbortController().signal,
    tell: () => {},
    ...patch,
  };
}

test("every shape of every way is measured, closed, and stands in its place", async () => {
  const [one, other] = [way("one"), way("other")];
  const told: number[] = [];
  const found = nothingYet();
  const plan = planFor([one.contestant, other.contestant], { tell: (_, done) => told.push(done) });
  expect(await measure(plan, found)).toBe(true);
  expect([one.open.now, other.open.now, found.missing]).toEqual([0, 0, []]);
  expect(found.registerGflops).toBeGreaterThan(0);
  expect(told).toEqual(Array.from({ length: 7 }, (_, i) => i / 7));
  for (const { shape, gflops, milliseconds } of found.matmul)
    expect(gflops * milliseconds * 1e6).toBeCloseTo(2 * shape.reduce((product, n) => product * n, 1), 6);
  expect(found.attention.map(({ gflops, milliseconds }) => Math.round(gflops * milliseconds * 1e6))).toEqual([
    4 * 24,
    4 * 24,
  ]);
  const { ways, rows } = tableOf(found, "matmul");
  expect(ways).toHaveLength(2);
  expect(rows.map(({ shape, cells }) => [shape.join(), cells.map((c) => c?.backend)])).toEqual([
    ["3,4,5", ["one", "other"]],
    ["6,5,4", ["one", "other"]],
  ]);
});

const speed = (patch: Partial<Speed>): Speed => ({
  backend: "simd",
  mode: "relaxed",
  threads: 1,
  shape: [2, 2, 2],
  gflops: 1,
  milliseconds: 1,
  ...patch,
});

test("a way without a shape leaves its place empty, and threads have columns of their own", () => {
  const found = nothingYet();
  found.matmul.push(
    speed({ gflops: 1 }),
    speed({ gflops: 2, threads: 4 }),
    speed({ gflops: 3, backend: "gpu", mode: "webgpu", shape: [3, 3, 3] }),
    speed({ gflops: 4, threads: 4, shape: [3, 3, 3] }),
  );
  const { ways, rows } = tableOf(found, "matmul");
  expect(ways).toEqual([
    ["simd", "fused, 1 thread"],
    ["simd", "fused, 4 threads"],
    ["webgpu", "gpu.js"],
  ]);
  expect(rows.map(({ cells }) => cells.map((c) => c?.gflops))).toEqual([
    [1, 2, undefined],
    [undefined, 4, 3],
  ]);
  expect([0.01234, 9.876, 123.4, 1234.5].map(short)).toEqual(["0.0123", "9.88", "123", "1235"]);
});

test("who stops it has stopped it: it is closed, what was found stays, nothing is begun", async () => {
  for (const last of ["registers", "product 6×5×4", "attention"]) {
    const [one, other] = [way("one"), way("other")];
    const stop = new AbortController();
    const told: string[] = [];
    const found = nothingYet();
    const tell = (doing: string) => {
      told.push(doing);
      if (doing.includes(last)) stop.abort();
    };
    const plan = planFor([one.contestant, other.contestant], { tell, signal: stop.signal });
    expect(await measure(plan, found)).toBe(false);
    expect(told.at(-1)).toContain(last);
    expect([one.open.now, other.open.now, found.missing]).toEqual([0, 0, []]);
    const before = { registers: 0, "product 6×5×4": 1, attention: 2 }[last];
    expect([found.matmul.length, found.attention.length]).toEqual([before, 0]);
  }
});

/** An einsum that does something first, and may change the result. */
const einsum = (first: () => unknown, change: (c: View) => View = (c) => c): Backend["ops"] => ({
  einsum: async (attrs, a, b) => {
    await first();
    return change(rules.einsum.compute(attrs, a, b));
  },
});

test("it is stopped between two timings of one shape as well", async () => {
  const stop = new AbortController();
  let runs = 0;
  const ops = einsum(() => ++runs === 5 && stop.abort());
  const { contestant, open } = way("one", { ops });
  const plan = planFor([contestant], { signal: stop.signal, patience: { runs: 1000, seconds: 0 } });
  const found = nothingYet();
  expect(await measure(plan, found)).toBe(false);
  expect([open.now, found.matmul, runs]).toEqual([0, [], 5]);
});

test("a wrong product has no rate and is told; the others are measured", async () => {
  const ops = einsum(
    () => {},
    (c) =>
      view(
        Float32Array.from(flat(c), (x, i) => (i === 0 ? x + 1 : x)),
        c.shape,
      ),
  );
  const [wrong, right] = [way("wrong", { ops }), way("right")];
  const found = nothingYet();
  expect(await measure(planFor([wrong.contestant, right.contestant]), found)).toBe(true);
  expect(found.matmul.map(({ backend }) => backend)).toEqual(["right", "right"]);
  expect(found.missing).toEqual([
    { backend: "wrong", mode: null, why: expect.stringContaining("C[0, 0] of 3 × 4 × 5 wrong") },
  ]);
  expect(wrong.open.now).toBe(0);
});

test("what cannot be opened is told with its first line; the others are measured", async () => {
  const open = async () => Promise.reject(new LoadError("not here\n(because)"));
  const absent = { backend: "gpu", mode: "webgpu", threads: 1, open };
  const found = nothingYet();
  expect(await measure(planFor([absent, way("right").contestant]), found)).toBe(true);
  expect(found.missing).toEqual([{ backend: "gpu", mode: "webgpu", why: "not here" }]);
  expect(found.matmul).toHaveLength(2);
});

test("without a first result, every way is measured all the same", async () => {
  const first = async () => Promise.reject(new LoadError("no memory\n(for it)"));
  const found = nothingYet();
  expect(await measure(planFor([way("right").contestant], { first }), found)).toBe(true);
  expect(found.missing).toEqual([{ backend: "simd", mode: null, why: "no first result: no memory" }]);
  expect([found.first, found.matmul.length, found.attention.length]).toEqual([null, 2, 1]);
});

test("all that is worth knowing, in order", () => {
  const found = nothingYet();
  found.matmul.push(speed({}));
  found.missing.push({ backend: "gpu", mode: "webgpu", why: "not here" });
  found.missing.push({ backend: "simd", mode: null, why: "nor this" });
  const machine = { isolated: true, cores: 2 };
  const said = saidOf(found, machine, [{ mode: "webgl2", name: "a card", software: false }]);
  expect(said).toEqual([
    threadsIn(machine),
    { sentence: expect.stringContaining("fused"), tone: "note" },
    { sentence: "webgl2 runs on a card.", tone: "note" },
    { sentence: "gpu webgpu: not here.", tone: "alarm" },
    { sentence: "simd: nor this.", tone: "alarm" },
  ]);
});

test("what would take too long is left out, and it is said which", async () => {
  const ops = einsum(() => new Promise((resume) => setTimeout(resume, 20)));
  const shapes = {
    matmul: [
      [1, 1, 1], // some 100 operations a second
      [1, 1, 50], // some 5,000
      [1, 1, 20_000],
      [1, 1, 2],
    ],
    attention: [[1, 1, 1, 1]],
  };
  const found = nothingYet();
  expect(await measure(planFor([way("slow", { ops }).contestant], { shapes }), found)).toBe(true);
  expect(found.matmul.map(({ shape }) => shape.join())).toEqual(["1,1,1", "1,1,50", "1,1,2"]);
  expect(found.missing.map(({ why }) => why)).toEqual([
    "left out, since it would take seconds a run: product 1×1×20000",
  ]);
});

test("how many threads and, if one, why", () => {
  const said = (isolated: boolean, cores: number) => threadsIn({ isolated, cores }).sentence;
  expect(said(false, 8)).toMatch(/one thread: this page is not cross-origin isolated/);
  expect(said(true, 1)).toMatch(/one thread: there is one core/);
  expect(said(true, 8)).toMatch(/up to 8 threads: this page is cross-origin isolated/);
});

test("plain or fused", () => {
  const sentences = (mode: string) => {
    const found = nothingYet();
    found.matmul.push(speed({ backend: "gpu", mode: "webgpu" }), speed({ mode }));
    return saidOf(found, { isolated: true, cores: 2 }, []).map(({ sentence }) => sentence);
  };
  expect(sentences("relaxed")[1]).toMatch(/multiplies and adds in one fused instruction/);
  expect(sentences("fixed")[1]).toMatch(/multiplies, then adds: this browser has no relaxed SIMD/);
  expect([
    sentences("relaxed").length,
    saidOf(nothingYet(), { isolated: true, cores: 2 }, []).length,
  ]).toEqual([2, 1]);
});

// As browsers report them.
const SOFTWARE = [
  "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)",
  "google swiftshader",
  "llvmpipe (LLVM 15.0.7, 256 bits)",
  "ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11 vs_5_0 ps_5_0, D3D11)",
  "Apple Software Renderer",
];
const CARDS = [
  "ANGLE (NVIDIA, NVIDIA GeForce RTX 3080 Direct3D11 vs_5_0 ps_5_0, D3D11)",
  "ANGLE (Apple, ANGLE Metal Renderer: Apple M1, Unspecified Version)",
  "Mali-G78",
  "intel gen-12lp",
];

test("software is told from cards, and said", async () => {
  expect(SOFTWARE.filter((name) => !isSoftware(name))).toEqual([]);
  expect(CARDS.filter(isSoftware)).toEqual([]);
  const webgpu = (adapter: object) => {
    vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => adapter } });
    return adapterFor("webgpu");
  };
  expect(await webgpu({ info: { vendor: "google", architecture: "swiftshader" } })).toEqual({
    mode: "webgpu",
    name: "google swiftshader",
    software: true,
  });
  expect(await webgpu({ info: { vendor: "intel", architecture: "gen-12lp" } })).toMatchObject({
    software: false,
  });
  expect(await webgpu({ isFallbackAdapter: true })).toMatchObject({
    name: "an unnamed adapter",
    software: true,
  });
  expect(await webgpu({ info: { vendor: "a", isFallbackAdapter: true } })).toMatchObject({ software: true });
  const said = (software: boolean) =>
    saidOf(nothingYet(), { isolated: true, cores: 2 }, [{ mode: "webgpu", name: "a b", software }])[1];
  expect(said(true)).toMatchObject({
    tone: "alarm",
    sentence: expect.stringContaining("software adapter (a b)"),
  });
  expect(said(false)).toEqual({ tone: "note", sentence: "webgpu runs on a b." });
});

test("a browser without a mode says which", async () => {
  vi.stubGlobal("navigator", {});
  expect(await adapterFor("webgpu")).toBe("this browser has no WebGPU here");
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
  expect(await adapterFor("webgpu")).toBe("this browser offers no WebGPU adapter");
  vi.stubGlobal("document", { createElement: () => ({ getContext: () => null }) });
  expect(await adapterFor("webgl2")).toBe("this browser has no WebGL 2 here");
});

test("a script is asked for once, by its own name, and again if it did not come", async () => {
  const asked: { src: string; onload: () => void; onerror: () => void }[] = [];
  vi.stubGlobal("document", {
    createElement: () => ({}),
    head: { append: (script: (typeof asked)[number]) => asked.push(script) },
  });
  vi.stubGlobal("flamboyanceGpu", { gpu: "the backend" });
  const lost = scripted("flamboyanceGpu");
  asked[0]?.onerror();
  await expect(lost).rejects.toThrow("./speed-gpu.js could not be loaded");
  const both = [scripted("flamboyanceGpu"), scripted("flamboyanceGpu")];
  asked[1]?.onload();
  expect(await Promise.all(both)).toEqual([{ gpu: "the backend" }, { gpu: "the backend" }]);
  expect(asked.map(({ src }) => src)).toEqual(["./speed-gpu.js", "./speed-gpu.js"]);
});

test("the first result comes step by step, and every step takes its own time", async () => {
  let now = 1000; // a clock that a step moves on by one, opening by a thousand, a product by a hundred
  const { contestant, open } = way("one", { ops: einsum(() => (now += 100)) });
  const opened = async () => {
    now += 1000;
    return contestant.open();
  };
  const { run, again, ...rest } = await firstResult(12, opened, () => now++);
  expect(rest).toEqual({ load: 12, compile: 1001, build: 1 });
  expect([run > 1000, run % 100, again]).toEqual([true, 1, run]);
  expect(open.now).toBe(0);
});

test("the SIMD kernels give one", async () => {
  const first = await firstResult(0);
  for (const step of ["compile", "build", "run", "again"] as const) expect(first[step]).toBeGreaterThan(0);
});

test("one document with the keys that stay", () => {
  const found = nothingYet();
  found.matmul.push(speed({}));
  const adapter: Adapter = { mode: "webgl2", name: "a card", software: false };
  const text = jsonOf(found, { isolated: false, cores: 4 }, [adapter], "a browser");
  expect(text).toBe(JSON.stringify(JSON.parse(text), null, 2));
  expect(JSON.parse(text)).toEqual({
    browser: "a browser",
    isolated: false,
    cores: 4,
    adapters: [adapter],
    registerGflops: null,
    first: null,
    matmul: [{ backend: "simd", mode: "relaxed", threads: 1, shape: [2, 2, 2], gflops: 1, milliseconds: 1 }],
    attention: [],
    missing: [],
  });
});
