// Rules of 43-backend-memory.md for results that stay on a backend, for appending to them, and for plans.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/kernels/backend.ts";
import { KeptTensor } from "../../src/kernels/kept-tensor.ts";
import { derivedPlan, planOf } from "../../src/kernels/plan.ts";
import { reference } from "../../src/kernels/reference/index.ts";
import { releaseKept, replay, run } from "../../src/kernels/replay.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import { Linear } from "../../src/nn/linear.ts";
import { normalize } from "../../src/nn/norms/layer-norm.ts";
import { LoadError, RuleError, ShapeError } from "../../src/tensor/errors.ts";
import { concat, einsum, rearrange, repeat, slice } from "../../src/tensor/ops/arrange.ts";
import { add, gather, mul, mulScalar, neg } from "../../src/tensor/ops/functions.ts";
import { tap } from "../../src/tensor/program/apply.ts";
import type { Node, Program } from "../../src/tensor/program/program.ts";
import { record } from "../../src/tensor/program/record.ts";
import { type Any, Int, int, type Shape, sizeOf, Tensor, tensor, view } from "../../src/tensor/tensor.ts";
import { openFakeDevice } from "../support/kernels/gpu/fake-gpu-js.ts";
import { valuesOf } from "../support/properties/programs.ts";

const backend = await simd({ threads: 2 });
afterAll(() => backend.close());
const used = (b: Backend = backend): number => b.store?.usage().used ?? 0;

const counting = (shape: Shape, from = 0): Tensor<Any> =>
  new Tensor(
    shape,
    view(
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => from + i),
      shape,
    ),
  );
const x = counting([2, 3]);
const doubled = [0, 2, 4, 6, 8, 10];

const opened: readonly (readonly [string, () => Promise<Backend>])[] = [
  ["the reference", async () => reference("float32")],
  ["simd", () => simd({ threads: 1 })],
  ["a device", async () => (await openFakeDevice()).backend],
];

describe.each(opened)("on %s", (_, open) => {
  test("[replay.keep] a kept result is read by later runs, bound or recorded, and by other backends", async () => {
    const own = await open();
    const y = await run(own, () => mulScalar(x, 2), { keep: "backend" });
    expect(y).toBeInstanceOf(KeptTensor);
    expect(y.shape).toEqual([2, 3]);
    expect(valuesOf(await run(own, () => add(y, x)))).toEqual([0, 3, 6, 9, 12, 15]);
    const p = record(() => add(x, x), { inputs: { x }, symbolic: true });
    const { outputs } = await replay(p, own, { bind: { x: y } });
    expect(valuesOf(outputs.out as Tensor)).toEqual(doubled.map((n) => 2 * n));
    for (const other of [reference("float64"), backend, (await openFakeDevice()).backend])
      expect(valuesOf(await run(other, () => mulScalar(y, 0.5)))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(valuesOf(await y.fetch())).toEqual(doubled);
    await own.close();
  });

  test("[replay.release] memory is freed once, and a released result is an error wherever it is used", async () => {
    const own = await open();
    await run(own, () => add(mulScalar(x, 2), x)); // kernels and their scratch memory stay
    const before = used(own);
    const y = await run(own, () => mulScalar(x, 2), { keep: "backend" });
    const z = await run(own, () => add(y, x), { keep: "backend" });
    const p = record(() => add(x, x), { inputs: { x }, symbolic: true });
    if (own.store) expect(used(own)).toBeGreaterThan(before);
    y.release();
    y.release();
    expect(y.released).toBe(true);
    expect(valuesOf(await z.fetch())).toEqual([0, 3, 6, 9, 12, 15]);
    expect(() => y.data).toThrow(RuleError);
    await expect(y.fetch()).rejects.toThrow(/\[2 3\] was released.*\[replay\.release\]/);
    await expect(run(own, () => add(y, x))).rejects.toThrow("[replay.release]");
    await expect(run(reference(), () => add(y, x))).rejects.toThrow("[replay.release]");
    await expect(replay(p, own, { bind: { x: y } })).rejects.toThrow("[replay.release]");
    releaseKept(z, x);
    expect(valuesOf(x)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(used(own)).toBe(before);
    await own.close();
  });

  test("[replay.release] a result may be released while a run that was given it waits or runs", async () => {
    const own = await open();
    for (const by of [1, 2, 3]) await run(own, () => mulScalar(x, by)); // kernels and their tables stay
    const before = used(own);
    const y = await run(own, () => mulScalar(x, 2), { keep: "backend" });
    const runs = [1, 2, 3].map((by) => run(own, () => mulScalar(y, by)));
    const program = run(reference(), () => mulScalar(y, 7));
    y.release();
    const results = (await Promise.all([...runs, program])).map(valuesOf);
    expect(results).toEqual([1, 2, 3, 7].map((by) => doubled.map((n) => n * by)));
    expect(used(own)).toBe(before);
    await own.close();
  });

  test("[replay.keep] some outputs are kept by name, views and inputs among them", async () => {
    const own = await open();
    const f = () => {
      const y = mulScalar(x, 2);
      return { y, row: slice(y, 0, 1, 2), same: y, x, turned: rearrange("a b -> b a", y), last: add(y, y) };
    };
    const out = await run(own, f, { keep: ["y", "row", "x", "turned", "same"] });
    const kept = Object.entries(out).map(([name, t]) => [name, t instanceof KeptTensor]);
    expect(Object.fromEntries(kept)).toEqual({
      y: true,
      row: true,
      same: true,
      x: true,
      turned: true,
      last: false,
    });
    expect(valuesOf(out.last)).toEqual([0, 4, 8, 12, 16, 20]);
    out.y.release();
    out.same.release();
    const again = await run(own, () => ({
      row: mulScalar(out.row, 1),
      x: mulScalar(out.x, 1),
      turned: mulScalar(out.turned, 1),
    }));
    expect(valuesOf(again.row)).toEqual([6, 8, 10]);
    expect(valuesOf(again.x)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(valuesOf(again.turned)).toEqual([0, 6, 2, 8, 4, 10]);
    await expect(run(own, f, { keep: ["z"] as never })).rejects.toThrow(
      /no such output; it has y, row.*\[replay\.keep\]/,
    );
    for (const keep of ["y", "host", true, null])
      await expect(run(own, f, { keep: keep as unknown as "backend" })).rejects.toThrow(
        /keep is .*; it must be "backend" or a list of names of outputs {2}\[replay\.keep\]/,
      );
    await own.close();
  });
});

test("[replay.keep] a kept result is bound without a copy, and its numbers are copied once", async () => {
  const y = await run(backend, () => mulScalar(x, 2), { keep: "backend" });
  const seen: unknown[] = [];
  const spy: Backend = {
    ...backend,
    ops: {
      ...backend.ops,
      neg: (_, a) => {
        seen.push(a.data);
        return a;
      },
    },
  };
  await run(spy, () => neg(y));
  expect(seen).toEqual([y.view.data]);
  expect(y.data).toBe(y.data);
  expect(y.data.data.buffer).toBeInstanceOf(ArrayBuffer);
  expect(() => y.assign()).toThrow(RuleError);
  y.release();
});

test("[replay.keep] the numbers of a device have to be fetched, and say so", async () => {
  const { backend: own } = await openFakeDevice();
  const y = await run(own, () => mulScalar(x, 2), { keep: "backend" });
  expect(() => y.data).toThrow(/gpu backend.*await fetch\(\).*\[replay\.keep\]/);
  await y.fetch();
  expect(valuesOf(y)).toEqual(doubled);
  const late = await run(own, () => mulScalar(x, 3), { keep: "backend" });
  await own.close();
  expect(valuesOf(y)).toEqual(doubled);
  await expect(late.fetch()).rejects.toThrow(LoadError);
  await expect(late.fetch()).rejects.toThrow(/closed.*fetch kept results before closing/);
  late.release();
});

test("[replay.keep] kept results of a closed simd backend stay readable", async () => {
  const own = await simd({ threads: 2 });
  const y = await run(own, () => mulScalar(x, 2), { keep: "backend" });
  await own.close();
  expect(valuesOf(y)).toEqual(doubled);
  expect(valuesOf(await run(backend, () => mulScalar(y, 2)))).toEqual(doubled.map((n) => 2 * n));
});

test("[replay.keep] a small part of a large result, and a parameter, are kept as copies", async () => {
  const own = await simd({ threads: 1 });
  const layer = new Linear("d -> f", 64, 64);
  const rows = counting([512, 64]);
  await run(own, () => layer.forward(rows), { model: layer });
  const before = used(own);
  const out = await run(
    own,
    () => ({
      last: slice(layer.forward(rows), 0, 511, 512),
      bias: slice(mulScalar(layer.bias as Tensor, 1), 0, 0, 64),
      own: slice(layer.bias as Tensor<Any>, 0, 8, 64),
    }),
    { model: layer, keep: "backend" },
  );
  expect(used(own) - before).toBeLessThanOrEqual(4 * (64 + 64 + 56) + 3 * 64);
  const bias = [...(layer.bias?.data.data ?? [])];
  expect(valuesOf(out.own)).toEqual(bias.slice(8));
  releaseKept(...Object.values(out));
  expect(used(own)).toBe(before);
  await own.close();
});

test("[replay.release] a kept result that is garbage-collected frees its memory", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await run(backend, () => mulScalar(x, 2));
  const before = used();
  await (async () => {
    await run(backend, () => mulScalar(counting([500, 100]), 2), { keep: "backend" });
    expect(used() - before).toBeGreaterThanOrEqual(4 * 50_000);
  })();
  for (let i = 0; i < 50 && used() > before; i++) {
    collect();
    await new Promise((resume) => setTimeout(resume, 10));
  }
  expect(used()).toBeLessThanOrEqual(before);
});

test("[replay.keep] a run that fails or is aborted keeps nothing", async () => {
  const before = used();
  const stop = AbortSignal.abort();
  await expect(run(backend, () => mulScalar(x, 2), { keep: "backend", signal: stop })).rejects.toThrow();
  const store = backend.store;
  if (!store) throw new Error("simd has a store");
  const copyOut = () => Promise.reject(new Error("no room"));
  const broken: Backend = { ...backend, store: { ...store, copyOut } };
  const two = () => ({ a: mulScalar(x, 2), b: mulScalar(x, 3) });
  await expect(run(broken, two, { keep: ["a"] })).rejects.toThrow("no room");
  expect(used()).toBe(before);
});

test("run returns what the function returns: a tensor, or named tensors, with the taps that are requested", async () => {
  const named = await run(backend, () => ({ a: mulScalar(x, 2), b: mulScalar(x, 3) }));
  expect([valuesOf(named.a), valuesOf(named.b)]).toEqual([doubled, [0, 3, 6, 9, 12, 15]]);
  const owner = new (class Owner {})();
  const f = () => mulScalar(tap(owner, "half", mulScalar(x, 0.5)), 4);
  const { outputs, taps } = await run(backend, f, { taps: ["Owner.half"] });
  expect(valuesOf(outputs)).toEqual(doubled);
  expect(valuesOf(taps["Owner.half"] as Tensor)).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
  const both = await run(backend, () => ({ y: f() }), { taps: [] });
  expect([valuesOf(both.outputs.y), both.taps]).toEqual([doubled, {}]);
});

/** A value of the tree: the kept result and the rows that it has. */
interface Value {
  readonly kept: KeptTensor;
  readonly rows: number[][];
}
const heads = 2;
/** Rows as the numbers of [h, s, d] with h = 2 and d = 3, each row repeated with another sign for the second head. */
const flatRows = (rows: number[][]): number[] =>
  Array.from({ length: heads }, (_, h) => rows.map((row) => row.map((n) => (h === 0 ? n : -n)))).flat(2);
const fromRows = (rows: number[][]): Tensor<"h l d"> =>
  tensor("h l d", [heads, rows.length, 3], Float32Array.from(flatRows(rows)));

let counter = 0;
const newRows = (n: number): number[][] => Array.from({ length: n }, () => [++counter, ++counter, ++counter]);

const appendTo = async (own: Backend, past: Tensor, rows: number[][]): Promise<KeptTensor> =>
  run(own, () => concat("h s d, h l d -> h t d", past, fromRows(rows)), { keep: "backend" });

const join = (past: Tensor, rows: number[][]) => concat("h s d, h l d -> h t d", past, fromRows(rows));
const swapped = (t: Tensor): Tensor<Any> => rearrange("h s d -> s h d", t as Tensor<"h s d">);

const turned = (t: Tensor): Tensor<Any> => rearrange("h s d -> h d s", t as Tensor<"h s d">);

/** Ways to make values of an earlier one by concatenation, each with the rows of plain arrays. */
const ways: Record<string, (own: Backend, value: Value, n: number) => Promise<Value[]>> = {
  append: async (own, { kept, rows }, n) => {
    const more = newRows(n);
    return [{ kept: await appendTo(own, kept, more), rows: [...rows, ...more] }];
  },
  crop: async (own, { kept, rows }, n) => {
    const to = Math.min(n, rows.length);
    const more = newRows(1);
    const cropped = await run(own, () => join(slice(kept, 1, 0, to), more), { keep: "backend" });
    return [{ kept: cropped, rows: [...rows.slice(0, to), ...more] }];
  },
  swap: async (own, { kept, rows }, n) => {
    const more = newRows(n);
    const f = () =>
      rearrange("t h d -> h t d", concat("s h d, l h d -> t h d", swapped(kept), swapped(fromRows(more))));
    return [{ kept: await run(own, f, { keep: "backend" }), rows: [...rows, ...more] }];
  },
  columns: async (own, { kept, rows }, n) => {
    const more = newRows(n);
    const f = () =>
      rearrange("h d t -> h t d", concat("h d s, h d l -> h d t", turned(kept), turned(fromRows(more))));
    return [{ kept: await run(own, f, { keep: "backend" }), rows: [...rows, ...more] }];
  },
  self: async (own, { kept, rows }) => {
    const f = () => concat("h s d, h l d -> h t d", kept, kept as Tensor<Any>);
    return [{ kept: await run(own, f, { keep: "backend" }), rows: [...rows, ...rows] }];
  },
  twice: async (own, { kept, rows }) => {
    const [a, b] = [newRows(1), newRows(2)];
    const both = await run(own, () => ({ a: join(kept, a), b: join(kept, b) }), { keep: "backend" });
    return [
      { kept: both.a, rows: [...rows, ...a] },
      { kept: both.b, rows: [...rows, ...b] },
    ];
  },
};

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom("append", "append", "append", "release", ...Object.keys(ways)),
    at: fc.nat(),
    n: fc.integer({ min: 0, max: 4 }),
  }),
  { maxLength: 25 },
);

test.each(opened.slice(0, 2))(
  "[replay.append] on %s, trees of appends, forks, permutations, crops and releases have the rows of plain arrays",
  async (_, open) => {
    const own = await open();
    await run(own, () => mulScalar(x, 1)); // scratch memory of the kernel stays
    const empty = used(own);
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const rows = newRows(2);
        const kept = await run(own, () => mulScalar(fromRows(rows), 1), { keep: "backend" });
        const values: Value[] = [{ kept, rows }];
        for (const { kind, at, n } of list) {
          const value = values[at % values.length] as Value;
          if (kind !== "release") values.push(...((await ways[kind]?.(own, value, n)) ?? []));
          else if (values.length > 1) values.splice(values.indexOf(value), 1)[0]?.kept.release();
          if (values.length > 12) values.shift()?.kept.release();
        }
        for (const { kept, rows } of values) expect(valuesOf(kept)).toEqual(flatRows(rows));
        releaseKept(...values.map(({ kept }) => kept));
        expect(used(own)).toBe(empty);
      }),
      { numRuns: 60 },
    );
    await own.close();
  },
);

test("[replay.append] rows are appended where the past lies, and room doubles when it is full", async () => {
  const own = await simd({ threads: 1 });
  const places = new Set<unknown>();
  await run(own, () => mulScalar(x, 1)); // scratch memory of the kernel stays
  const empty = used(own);
  const sizes: number[] = [];
  let rows = newRows(1);
  let kept = await run(own, () => mulScalar(fromRows(rows), 1), { keep: "backend" });
  for (let i = 0; i < 200; i++) {
    const more = newRows(1);
    const next = await appendTo(own, kept, more);
    expect(valuesOf(kept)).toEqual(flatRows(rows));
    kept.release();
    [kept, rows] = [next, [...rows, ...more]];
    places.add(kept.view.data);
    sizes.push((used(own) - empty) / (4 * 3 * heads * rows.length));
  }
  expect(valuesOf(kept)).toEqual(flatRows(rows));
  expect(places.size).toBeLessThanOrEqual(9); // room for 4, 8 + 2 …: at least doubled each time, so log2(201) blocks and one
  expect(Math.max(...sizes.slice(20))).toBeLessThan(2.5);
  kept.release();
  expect(used(own)).toBe(empty);
  await own.close();
});

test("[replay.append] two beams that share a prefix are apart, and the second is copied", async () => {
  const first = newRows(3);
  const start = await run(backend, () => mulScalar(fromRows(first), 1), { keep: "backend" });
  const [shared, a, b] = [newRows(1), newRows(1), newRows(1)];
  const prefix = await appendTo(backend, start, shared);
  const left = await appendTo(backend, prefix, a);
  const right = await appendTo(backend, prefix, b);
  expect(left.view.data).toBe(prefix.view.data);
  expect(right.view.data).not.toBe(prefix.view.data);
  const more = newRows(1);
  const longer = await appendTo(backend, left, more);
  expect(longer.view.data).toBe(prefix.view.data);
  expect(valuesOf(longer)).toEqual(flatRows([...first, ...shared, ...a, ...more]));
  expect(valuesOf(right)).toEqual(flatRows([...first, ...shared, ...b]));
  expect(valuesOf(prefix)).toEqual(flatRows([...first, ...shared]));
  releaseKept(start, prefix, left, right, longer);
});

test("[replay.append] rows that two heads share are copied when different rows are appended", async () => {
  const start = await run(backend, () => mulScalar(counting([2, 3]), 1), { keep: "backend" });
  const shared = await run(
    backend,
    () => concat("s d, l d -> t d", start as Tensor<Any>, counting([1, 3], 6) as Tensor<Any>),
    { keep: "backend" },
  );
  const f = () => {
    const heads = repeat("s d -> h s d", shared as Tensor<"s d">, { h: 2 });
    return concat("h s d, h l d -> h t d", heads, counting([2, 1, 3], 100) as Tensor<Any>);
  };
  const apart = await run(backend, f, { keep: "backend" });
  const rows = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  expect(valuesOf(apart)).toEqual([...rows, 100, 101, 102, ...rows, 103, 104, 105]);
  expect(valuesOf(shared)).toEqual(rows);
  releaseKept(start, shared, apart);
});

test("[replay.append] an append that fails leaves the past and its room as they were", async () => {
  const own = await simd({ threads: 1 });
  const start = await run(own, () => mulScalar(fromRows(newRows(2)), 1), { keep: "backend" });
  const past = await appendTo(own, start, newRows(1));
  const before = [valuesOf(past), used(own)] as const;
  const missing = new Tensor<"h l d">([heads, 1, 3], () => {
    throw new Error("no numbers");
  });
  await expect(run(own, () => concat("h s d, h l d -> h t d", past, missing))).rejects.toThrow("no numbers");
  expect([valuesOf(past), used(own)]).toEqual(before);
  const more = newRows(1);
  expect((await appendTo(own, past, more)).view.data).toBe(past.view.data);
  await own.close();
});

/** A small program of a few kinds of nodes, scopes and taps. */
function programOf(steps: readonly number[], output: number, [n, m]: readonly [number, number]): Program {
  const owner = new (class Owner {})();
  return record(
    () => {
      const [a, b] = [counting([n, m]), counting([n, m], 1)];
      const made: Tensor<Any>[] = [a, b];
      for (const step of steps) {
        const [p, q] = [made[step % made.length], made[(step >> 3) % made.length]] as [
          Tensor<Any>,
          Tensor<Any>,
        ];
        const kinds = [
          () => add(p, q),
          () => mul(p, q),
          () => normalize(p),
          () => tap(owner, `t${made.length}`, p),
          () => mulScalar(p, 0.1 * step),
          () =>
            gather(
              p,
              int(
                "i",
                Array.from({ length: n }, (_, i) => i),
              ),
            ),
          () => einsum("a c, b c -> a b", p, counting([m, m])),
          () => concat("a c, b c -> (a b) c".replace("(a b)", "d") as "a c, b c -> d c", p, q) && p,
        ];
        made.push(kinds[(step >> 6) % kinds.length]?.() ?? a);
      }
      return { last: made[output % made.length] as Tensor, end: made.at(-1) as Tensor };
    },
    { symbolic: true },
  );
}

/** One change that a plan must not survive: another op, operand, scope range or output. */
function changed(p: Program, kind: number, at: number): Program {
  const id = at % p.nodes.length;
  const node = p.nodes[id] as Node;
  const nodes = (other: Node) => ({ ...p, nodes: p.nodes.with(id, other) });
  if (kind === 0 && node.inputs.length > 1)
    return nodes({ ...node, inputs: node.inputs.map(() => node.inputs[0] ?? 0) });
  if (kind === 1 && node.op === "add") return nodes({ ...node, op: "mul" });
  if (kind === 2) return { ...p, outputs: { ...p.outputs, last: id } };
  if (kind === 3) return { ...p, taps: {} };
  const scope = p.scopes[at % Math.max(1, p.scopes.length)];
  if (!scope) return p;
  const scopes = (other: Partial<typeof scope>) => ({
    ...p,
    scopes: p.scopes.map((s) => (s === scope ? { ...s, ...other } : s)),
  });
  if (kind === 4) return scopes({ name: "other" });
  if (kind === 6) return scopes({ outputs: { y: scope.outputs.out ?? 0 } });
  if (kind === 5) return scopes({ inputs: { y: scope.inputs.x ?? 0 } });
  return scopes({ end: Math.max((scope.outputs.out ?? 0) + 1, scope.end - 1) });
}

test("a plan is found again exactly for programs of the same structure, whatever their sizes and attributes", () => {
  const own = { ...backend };
  const steps = fc.array(fc.nat(2 ** 9 - 1), { maxLength: 12 });
  const size = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(steps, fc.nat(), size, size, fc.nat(7), fc.nat(), (list, output, n, m, kind, at) => {
      const p = programOf(list, output, [n, m]);
      const plan = planOf(p, own);
      expect(plan).toEqual(derivedPlan(p, own));
      expect(planOf(programOf(list, output, [n + 1, m + 2]), own)).toBe(plan);
      const other = changed(p, kind, at);
      expect(planOf(other, own)).toEqual(derivedPlan(other, own));
      expect(planOf(p, { ...own, scopes: {} })).toEqual(derivedPlan(p, { ...own, scopes: {} }));
    }),
    { numRuns: 400 },
  );
});

test("plans are kept for the last programs only, and hold no tensors", () => {
  const own = { ...backend };
  const chain = (n: number) =>
    programOf(
      Array.from({ length: n }, () => 2 << 6),
      0,
      [2, 2],
    );
  const first = planOf(chain(1), own);
  expect(planOf(chain(1), own)).toBe(first);
  for (let n = 2; n < 40; n++) planOf(chain(n), own);
  expect(planOf(chain(1), own)).not.toBe(first);
});

test("a cached plan computes with the attributes and constants of each program", async () => {
  const results = [];
  for (const by of [2, 3, 5]) {
    const ids = new Int<"i">([2], Int32Array.of(by % 2, 0));
    results.push(valuesOf(await run(backend, () => mulScalar(gather(x as Tensor<Any>, ids), by))));
  }
  expect(results).toEqual([
    [0, 2, 4, 0, 2, 4],
    [9, 12, 15, 0, 3, 6],
    [15, 20, 25, 0, 5, 10],
  ]);
  expect(() => record(() => concat("a c, b c -> d c", x as Tensor<Any>, counting([2, 4])))).toThrow(
    ShapeError,
  );
});
