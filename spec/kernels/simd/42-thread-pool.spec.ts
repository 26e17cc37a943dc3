// Rules of 42-simd.md for jobs of the thread pool: their tasks and their estimated cost.
import { expect, test, vi } from "vitest";
import { Engine } from "../../../src/kernels/simd/engine.ts";
import { attention } from "../../../src/kernels/simd/ops/attention.ts";
import { elements } from "../../../src/kernels/simd/ops/elementwise.ts";
import { concat, scatter } from "../../../src/kernels/simd/ops/movement.ts";
import { einsum } from "../../../src/kernels/simd/ops/product.ts";
import { maxTo, normalize, softmax, sumExp } from "../../../src/kernels/simd/ops/rows.ts";
import type { Kernel } from "../../../src/kernels/simd/thread-pool.ts";
import { int } from "../../../src/tensor/tensor.ts";
import { random } from "../../support/kernels/cases.ts";

const engine = await Engine.open({ threads: 1 });

interface Work {
  readonly kernel: Kernel;
  readonly call: (rows: number, n: number) => unknown;
  /** The operations of the job (multiply-adds or elements) for `rows` rows of n, and the largest useful number of tasks. */
  readonly operations: (rows: number, n: number) => number;
  readonly parts: (rows: number, n: number) => number;
}

const byElement = {
  operations: (rows: number, n: number) => rows * n,
  parts: (rows: number, n: number) => rows * n,
};
const byRow = { ...byElement, parts: (rows: number) => rows };
const all = { mayAttend: null, emptyRow: "zero" } as const;
const WORKS: Readonly<Record<string, Work>> = {
  neg: { ...byElement, kernel: "elements", call: (r, n) => elements(engine, "neg", {}, random([r, n], 1)) },
  gelu: { ...byElement, kernel: "elements", call: (r, n) => elements(engine, "gelu", {}, random([r, n], 1)) },
  add: {
    ...byElement,
    kernel: "elements",
    call: (r, n) => elements(engine, "add", {}, random([r, n], 1), random([r, n], 2)),
  },
  concat: { ...byElement, kernel: "copy", call: (r, n) => concat(engine, { axis: 0 }, [random([r, n], 1)]) },
  softmax: { ...byRow, kernel: "softmax", call: (r, n) => softmax(engine, all, random([r, n], 1)) },
  normalize: {
    ...byRow,
    kernel: "normalize",
    call: (r, n) => normalize(engine, { epsilon: 1e-5, centred: true }, random([r, n], 1)),
  },
  maxTo: { ...byRow, kernel: "maxima", call: (r, n) => maxTo(engine, { shape: [r, 1] }, random([r, n], 1)) },
  sumExp: {
    ...byRow,
    kernel: "sumExp",
    call: (r, n) => sumExp(engine, random([r, n], 1), random([r, 1], 2)),
  },
  scatter: {
    ...byRow,
    kernel: "scatter",
    call: (r, n) => scatter(engine, { ids: int("i", [...Array(r).keys()]), rows: r }, random([r, n], 1)),
  },
  sin: { ...byElement, kernel: "elements", call: (r, n) => elements(engine, "sin", {}, random([r, n], 1)) },
  "one row times a matrix": {
    ...byRow,
    kernel: "rowTimesPanels",
    call: (r, n) => einsum(engine, "k, n k -> n", random([n], 1), random([r, n], 2), { panels: () => null }),
  },
  "finding values that are not finite": {
    ...byRow,
    kernel: "markFinite",
    call: (r, n) => {
      const keys = random([1, r, 1], 1);
      const inputs = { q: random([1, 1, 1], 2), k: keys, v: random([1, r, n], 3) };
      return attention(engine, inputs, { ...all, postSoftmaxMask: null });
    },
  },
};

test.each(Object.entries(WORKS))(
  "%s: every task has work, and the estimated cost is proportional to the operations",
  (_, { kernel, call, operations, parts }) => {
    const run = vi.spyOn(engine.threads, "run");
    const costs = [
      [5, 40],
      [5, 4000],
      [700, 40],
      [3, 40_000],
    ].map(([rows = 0, n = 0]) => {
      run.mockClear();
      call(rows, n);
      const job = run.mock.calls.find(([name]) => name === kernel)?.[1];
      expect(job?.tasks).toBeLessThanOrEqual(parts(rows, n));
      return (job?.cost ?? NaN) / operations(rows, n);
    });
    run.mockRestore();
    // Between eight multiply-adds in a cycle at 5 GHz and a function of ten cycles at 2 GHz.
    for (const nanoseconds of costs) {
      expect(nanoseconds).toBeCloseTo(costs[0] ?? NaN, 9);
      expect(nanoseconds).toBeGreaterThan(1 / 50);
      expect(nanoseconds).toBeLessThan(kernel === "rowTimesPanels" || kernel === "markFinite" ? 1 : 5);
    }
  },
);

test("a worker that is stopped while it counts as active does not hold up later jobs", async () => {
  const own = await Engine.open({ threads: 2 });
  const x = random([512, 512], 1);
  const job = () => elements(own, "gelu", {}, x).data.slice();
  const expected = job();
  const active = own.heap.ints(0, 16).subarray(2, 3); // the word ACTIVE of thread-pool.ts
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // until the workers have seen that the job is over
    Atomics.add(active, 0, 1);
    const closed = [own.threads.close(), own.threads.close()];
    expect(job(), "while they stop").toEqual(expected);
    await Promise.all(closed);
    expect(Atomics.load(active, 0)).toBe(0);
    expect(job(), "with new workers").toEqual(expected);
  }
  await own.threads.close();
});

test("workers sleep after the last job, small jobs do not wake them, and large jobs do", async () => {
  const own = await Engine.open({ threads: 2 });
  const asleep = () => Atomics.load(own.heap.ints(0, 16), 3); // the word ASLEEP of thread-pool.ts
  const untilAsleep = async () => {
    for (let i = 0; i < 1000 && asleep() < own.threads.size - 1; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(asleep()).toBe(own.threads.size - 1);
  };
  const small = random([256, 128], 1); // estimated as 13 µs in several tasks
  const large = random([1024, 1024], 1);
  elements(own, "add", {}, large, large);
  await untilAsleep();
  const { workerTasks } = own.threads;
  for (let i = 0; i < 50; i++) elements(own, "add", {}, small, small);
  expect([own.threads.workerTasks, asleep()]).toEqual([workerTasks, own.threads.size - 1]);
  for (let i = 0; i < 500 && own.threads.workerTasks === workerTasks; i++) {
    elements(own, "gelu", {}, large);
    await untilAsleep();
  }
  expect(own.threads.size === 1 || own.threads.workerTasks > workerTasks).toBe(true);
  await own.threads.close();
  expect(asleep()).toBe(0); // also for a worker that was stopped in its sleep
});

test("small jobs are shared while no worker is asleep", async () => {
  const own = await Engine.open({ threads: 2 });
  const small = random([256, 128], 1);
  const large = random([1024, 1024], 1);
  for (let i = 0; i < 500 && own.threads.size > 1; i++) {
    elements(own, "gelu", {}, large); // afterwards the worker is awake for a while
    const { workerTasks } = own.threads;
    for (let j = 0; j < 5; j++) elements(own, "add", {}, small, small);
    if (own.threads.workerTasks > workerTasks) return own.threads.close();
  }
  expect(own.threads.size).toBe(1);
});
