// Tests of 81-speed.md that need no browser.
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
import { noResults, type Speed } from "../../../src/web/speed/results.ts";
import { scripted } from "../../../src/web/speed/scripts.ts";
import { jsonOf, noticesOf, short, tableOf, threadNotice } from "../../../src/web/speed/text.ts";

afterEach(() => vi.unstubAllGlobals());

/** The reference backend under another name and with changes, and the number of times that it is open. */
function targetNamed(backend: string, changes: Partial<Backend> = {}) {
  const open = { now: 0 };
  const target: Target = {
    backend,
    threads: 1,
    open: async () => {
      open.now++;
      return { ...reference("float32"), ...changes, close: async () => void open.now-- };
    },
  };
  return { target, open };
}

function planFor(targets: readonly Target[], patch: Partial<Plan> = {}): Plan {
  return {
    targets,
    shapes: {
      matmul: [
        [3, 4, 5],
        [6, 5, 4],
      ],
      attention: [[1, 3, 4, 2]],
    },
    timing: { runs: 1, seconds: 0 },
    loops: 1000,
    first: null,
    signal: new AbortController().signal,
    progress: () => {},
    ...patch,
  };
}

test("every target measures every shape and is closed, and the table has a row for each shape", async () => {
  const [one, other] = [targetNamed("one"), targetNamed("other")];
  const shares: number[] = [];
  const results = noResults();
  const plan = planFor([one.target, other.target], { progress: (_, done) => shares.push(done) });
  expect(await measure(plan, results)).toBe(true);
  expect([one.open.now, other.open.now, results.missing]).toEqual([0, 0, []]);
  expect(results.peakGflops).toBeGreaterThan(0);
  expect(shares).toEqual(Array.from({ length: 7 }, (_, i) => i / 7));
  for (const { shape, gflops, milliseconds } of results.matmul)
    expect(gflops * milliseconds * 1e6).toBeCloseTo(2 * shape.reduce((product, n) => product * n, 1), 6);
  expect(
    results.attention.map(({ gflops, milliseconds }) => Math.round(gflops * milliseconds * 1e6)),
  ).toEqual([4 * 24, 4 * 24]);
  const { headings, rows } = tableOf(results, "matmul");
  expect(headings).toHaveLength(2);
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

test("a shape that a target did not measure is an empty cell, and each number of threads has its column", () => {
  const results = noResults();
  results.matmul.push(
    speed({ gflops: 1 }),
    speed({ gflops: 2, threads: 4 }),
    speed({ gflops: 3, backend: "gpu", mode: "webgpu", shape: [3, 3, 3] }),
    speed({ gflops: 4, threads: 4, shape: [3, 3, 3] }),
  );
  const { headings, rows } = tableOf(results, "matmul");
  expect(headings).toEqual([
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

test("stopping closes the target, keeps the results so far and starts nothing more", async () => {
  for (const last of ["peak", "product 6×5×4", "attention"]) {
    const [one, other] = [targetNamed("one"), targetNamed("other")];
    const stop = new AbortController();
    const steps: string[] = [];
    const results = noResults();
    const progress = (step: string) => {
      steps.push(step);
      if (step.includes(last)) stop.abort();
    };
    const plan = planFor([one.target, other.target], { progress, signal: stop.signal });
    expect(await measure(plan, results)).toBe(false);
    expect(steps.at(-1)).toContain(last);
    expect([one.open.now, other.open.now, results.missing]).toEqual([0, 0, []]);
    const before = { peak: 0, "product 6×5×4": 1, attention: 2 }[last];
    expect([results.matmul.length, results.attention.length]).toEqual([before, 0]);
  }
});

/** An einsum that does something first, and may change the result. */
const einsum = (first: () => unknown, change: (c: View) => View = (c) => c): Backend["ops"] => ({
  einsum: async (attrs, a, b) => {
    await first();
    return change(rules.einsum.compute(attrs, a, b));
  },
});

test("a measurement stops between two timings of one shape, too", async () => {
  const stop = new AbortController();
  let runs = 0;
  const ops = einsum(() => ++runs === 5 && stop.abort());
  const { target, open } = targetNamed("one", { ops });
  const plan = planFor([target], { signal: stop.signal, timing: { runs: 1000, seconds: 0 } });
  const results = noResults();
  expect(await measure(plan, results)).toBe(false);
  expect([open.now, results.matmul, runs]).toEqual([0, [], 5]);
});

test("a target with a wrong product is reported without rates, and the others are measured", async () => {
  const ops = einsum(
    () => {},
    (c) =>
      view(
        Float32Array.from(flat(c), (x, i) => (i === 0 ? x + 1 : x)),
        c.shape,
      ),
  );
  const [wrong, right] = [targetNamed("wrong", { ops }), targetNamed("right")];
  const results = noResults();
  expect(await measure(planFor([wrong.target, right.target]), results)).toBe(true);
  expect(results.matmul.map(({ backend }) => backend)).toEqual(["right", "right"]);
  expect(results.missing).toEqual([
    { backend: "wrong", mode: null, why: expect.stringContaining("C[0, 0] of 3 × 4 × 5") },
  ]);
  expect(wrong.open.now).toBe(0);
});

test("a target that cannot be opened is reported by the first line of its error, and the others are measured", async () => {
  const open = async () => Promise.reject(new LoadError("not here\n(because)"));
  const absent = { backend: "gpu", mode: "webgpu", threads: 1, open };
  const results = noResults();
  expect(await measure(planFor([absent, targetNamed("right").target]), results)).toBe(true);
  expect(results.missing).toEqual([{ backend: "gpu", mode: "webgpu", why: "not here" }]);
  expect(results.matmul).toHaveLength(2);
});

test("every target is measured even if the first result fails", async () => {
  const first = async () => Promise.reject(new LoadError("no memory\n(for it)"));
  const results = noResults();
  expect(await measure(planFor([targetNamed("right").target], { first }), results)).toBe(true);
  expect(results.missing).toEqual([{ backend: "simd", mode: null, why: "no first result: no memory" }]);
  expect([results.first, results.matmul.length, results.attention.length]).toEqual([null, 2, 1]);
});

test("notices come in order: threads, instructions, adapters, missing targets", () => {
  const results = noResults();
  results.matmul.push(speed({}));
  results.missing.push({ backend: "gpu", mode: "webgpu", why: "not here" });
  results.missing.push({ backend: "simd", mode: null, why: "nor this" });
  const machine = { isolated: true, cores: 2 };
  const notices = noticesOf(results, machine, [{ mode: "webgl2", name: "a card", software: false }]);
  expect(notices).toEqual([
    threadNotice(machine),
    { sentence: expect.stringContaining("fused"), tone: "note" },
    { sentence: "webgl2 runs on a card.", tone: "note" },
    { sentence: "gpu webgpu: not here.", tone: "alarm" },
    { sentence: "simd: nor this.", tone: "alarm" },
  ]);
});

test("shapes that would take too long are left out and named", async () => {
  const ops = einsum(() => new Promise((resume) => setTimeout(resume, 20)));
  const shapes = {
    matmul: [
      [1, 1, 1], // at most 2 operations in 20 ms: more than 300 operations would take more than 3 s
      [1, 1, 1_000_000],
      [1, 1, 2],
    ],
    attention: [[1, 1, 1, 1]],
  };
  const results = noResults();
  expect(await measure(planFor([targetNamed("slow", { ops }).target], { shapes }), results)).toBe(true);
  expect(results.matmul.map(({ shape }) => shape.join())).toEqual(["1,1,1", "1,1,2"]);
  expect(results.missing).toHaveLength(1);
  expect(results.missing[0]?.why).toContain(": product 1×1×1000000");
});

test("the notice on threads gives their number and, if it is one, the reason", () => {
  const sentence = (isolated: boolean, cores: number) => threadNotice({ isolated, cores }).sentence;
  expect(sentence(false, 8)).toMatch(/one thread .*not cross-origin isolated/);
  expect(sentence(true, 1)).toMatch(/one thread .*one core/);
  expect(sentence(true, 8)).toMatch(/up to 8 threads/);
});

test("a notice says whether multiply-add is fused", () => {
  const sentences = (mode: string) => {
    const results = noResults();
    results.matmul.push(speed({ backend: "gpu", mode: "webgpu" }), speed({ mode }));
    return noticesOf(results, { isolated: true, cores: 2 }, []).map(({ sentence }) => sentence);
  };
  expect(sentences("relaxed")[1]).toMatch(/fused multiply-add.* supports relaxed SIMD/);
  expect(sentences("fixed")[1]).toMatch(/separately.* does not support relaxed SIMD/);
  expect([
    sentences("relaxed").length,
    noticesOf(noResults(), { isolated: true, cores: 2 }, []).length,
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

test("software adapters are recognised and reported", async () => {
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
  const notice = (software: boolean) =>
    noticesOf(noResults(), { isolated: true, cores: 2 }, [{ mode: "webgpu", name: "a b", software }])[1];
  expect(notice(true)).toMatchObject({
    tone: "alarm",
    sentence: expect.stringContaining("software adapter (a b)"),
  });
  expect(notice(false)).toEqual({ tone: "note", sentence: "webgpu runs on a b." });
});

test("a mode that the browser does not offer is named", async () => {
  vi.stubGlobal("navigator", {});
  expect(await adapterFor("webgpu")).toBe("this browser does not offer WebGPU");
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
  expect(await adapterFor("webgpu")).toBe("this browser offers no WebGPU adapter");
  vi.stubGlobal("document", { createElement: () => ({ getContext: () => null }) });
  expect(await adapterFor("webgl2")).toBe("this browser does not offer WebGL 2");
});

test("a script is requested once, and again after a request that failed", async () => {
  const requested: { src: string; onload: () => void; onerror: () => void }[] = [];
  vi.stubGlobal("document", {
    createElement: () => ({}),
    head: { append: (script: (typeof requested)[number]) => requested.push(script) },
  });
  vi.stubGlobal("flamboyanceGpu", { gpu: "the backend" });
  const failed = scripted("flamboyanceGpu");
  requested[0]?.onerror();
  await expect(failed).rejects.toThrow("./speed-gpu.js could not be loaded");
  const both = [scripted("flamboyanceGpu"), scripted("flamboyanceGpu")];
  requested[1]?.onload();
  expect(await Promise.all(both)).toEqual([{ gpu: "the backend" }, { gpu: "the backend" }]);
  expect(requested.map(({ src }) => src)).toEqual(["./speed-gpu.js", "./speed-gpu.js"]);
});

test("each step of the first result has its own time", async () => {
  let now = 1000; // a clock that a step moves on by one, opening by a thousand, a product by a hundred
  const { target, open } = targetNamed("one", { ops: einsum(() => (now += 100)) });
  const opened = async () => {
    now += 1000;
    return target.open();
  };
  const { run, again, ...rest } = await firstResult(12, opened, () => now++);
  expect(rest).toEqual({ load: 12, compile: 1001, build: 1 });
  expect([run > 1000, run % 100, again]).toEqual([true, 1, run]);
  expect(open.now).toBe(0);
});

test("the SIMD kernels compute a first result", async () => {
  const first = await firstResult(0);
  for (const step of ["compile", "build", "run", "again"] as const) expect(first[step]).toBeGreaterThan(0);
});

test("the copied JSON has the stable keys", () => {
  const results = noResults();
  results.matmul.push(speed({}));
  const adapter: Adapter = { mode: "webgl2", name: "a card", software: false };
  const text = jsonOf(results, { isolated: false, cores: 4 }, [adapter], "a browser");
  expect(text).toBe(JSON.stringify(JSON.parse(text), null, 2));
  expect(JSON.parse(text)).toEqual({
    browser: "a browser",
    isolated: false,
    cores: 4,
    adapters: [adapter],
    peakGflops: null,
    first: null,
    matmul: [{ backend: "simd", mode: "relaxed", threads: 1, shape: [2, 2, 2], gflops: 1, milliseconds: 1 }],
    attention: [],
    missing: [],
  });
});
