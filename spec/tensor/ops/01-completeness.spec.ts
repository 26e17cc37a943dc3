// An op is complete when it has a definition, a derivative, an oracle, a row in 01-ops.md, a public function and a test of every
// kernel. The tables here are mapped types over the op list or are compared with it, so that an omission does not pass.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as flamboyance from "../../../src/index.ts";
import { deviceBackend } from "../../../src/kernels/gpu/device-modes/backend.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { vjp } from "../../../src/tensor/autodiff/vjp.ts";
import { ruleOf, rules, VIEWS } from "../../../src/tensor/ops/rules.ts";
import type { OpName } from "../../../src/tensor/ops/table.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { flat, type View } from "../../../src/tensor/tensor.ts";
import { examples, type Host, rows } from "../../support/oracles/ops.ts";
import { laidOutTensor, plain, randomIds, randomMask } from "../../support/properties/arbitraries.ts";
import { expectClose } from "../../support/properties/programs.ts";

const ops = Object.keys(rules).sort();
const host: Host = { mask: (shape) => randomMask(shape, 5), ids: (shape, n) => randomIds(shape, n, 6) };

test("every op has a definition, a derivative and an oracle", () => {
  expect(Object.keys(vjp).sort()).toEqual(ops);
  expect(Object.keys(examples).sort()).toEqual(ops);
  expect(new Set(rows.map(({ op }) => op)).size).toBe(ops.length);
});

interface Documented {
  readonly op: string;
  readonly attributes: readonly string[];
  readonly kernels: readonly string[];
}

/** The rows of the table in 01-ops.md, one for each op. */
function documented(): Documented[] {
  const chapter = readFileSync(new URL("01-ops.md", import.meta.url), "utf8");
  const lines = chapter.matchAll(/^\| (`.*?) \|(.*?)\|.*\|(.*?)\|$/gm);
  const quoted = (cell: string) => [...cell.matchAll(/`(\w+)`/g)].map(([, word = ""]) => word);
  return [...lines].flatMap(([, names = "", attributes = "", kernels = ""]) =>
    quoted(names).map((op) => ({
      op,
      attributes: quoted(attributes),
      kernels: kernels.split(" ").filter(Boolean),
    })),
  );
}

describe("01-ops.md", () => {
  test("has one row for every op, with the names of its attributes", () => {
    const attributes = rows.map(({ op, make }): [string, string[]] => [
      op,
      Object.keys(make({ a: 2, b: 3, c: 4 }, host).attrs).sort(),
    ]);
    const expected = Object.fromEntries(attributes);
    expect(documented().length).toBe(ops.length);
    expect(Object.fromEntries(documented().map((row) => [row.op, [...row.attributes].sort()]))).toEqual(
      expected,
    );
  });

  test("lists the kernels of every backend", async () => {
    const backend = await simd();
    const device = deviceBackend({ mode: "gpu" } as unknown as Parameters<typeof deviceBackend>[0]);
    const listed = (kernel: string) =>
      documented().flatMap(({ op, kernels }) => (kernels.includes(kernel) ? [op] : []));
    expect(listed("simd").sort()).toEqual(Object.keys(backend.ops).sort());
    expect(listed("gpu").sort()).toEqual(Object.keys(device.ops).sort());
    await backend.close?.();
  });
});

const x = flamboyance.tensor("a b", [
  [1, 2],
  [3, 4],
]);
const keep = flamboyance.bool("a b", [
  [true, false],
  [true, true],
]);
const ids = flamboyance.int("i", [1, 0]);

/** A call of a public function that records the op. */
const calls: { readonly [K in OpName]: () => flamboyance.Tensor } = {
  add: () => flamboyance.add(x, x),
  sub: () => flamboyance.sub(x, x),
  mul: () => flamboyance.mul(x, x),
  div: () => flamboyance.div(x, x),
  equal: () => flamboyance.equal(x, x),
  neg: () => flamboyance.neg(x),
  exp: () => flamboyance.exp(x),
  log: () => flamboyance.log(x),
  sqrt: () => flamboyance.sqrt(x),
  sin: () => flamboyance.sin(x),
  cos: () => flamboyance.cos(x),
  tanh: () => flamboyance.tanh(x),
  sigmoid: () => flamboyance.sigmoid(x),
  gelu: () => flamboyance.gelu(x),
  geluGrad: () => flamboyance.gelu(x), // it occurs in derivatives only
  relu: () => flamboyance.relu(x),
  positive: () => flamboyance.positive(x),
  mulScalar: () => flamboyance.mulScalar(x, 2),
  addScalar: () => flamboyance.addScalar(x, 2),
  where: () => flamboyance.where(keep, x),
  unbroadcast: () => flamboyance.unbroadcast(x, [2]),
  maxTo: () => flamboyance.maxLast(x),
  expand: () => flamboyance.expand(flamboyance.tensor("b", [1, 2]), x),
  sumExp: () => flamboyance.sumExp(x, flamboyance.maxLast(x)),
  softmax: () => flamboyance.softmax(x),
  einsum: () => flamboyance.einsum("a b, c b -> a c", x, named("c b", x)),
  rearrange: () => flamboyance.rearrange("a b -> b a", x),
  repeat: () => flamboyance.repeat("a b -> a b c", x, { c: 2 }),
  sum: () => flamboyance.sum("a b -> a", x),
  concat: () => flamboyance.concat("a b, a c -> a d", x, named("a c", x)),
  slice: () => flamboyance.slice(x, 0, 0, 1),
  pad: () => flamboyance.pad(x, 0, 1, 1),
  windows: () => flamboyance.windows(x, 0, 1, 1),
  overlap: () => flamboyance.overlap(x, 0, 1, 3),
  gather: () => flamboyance.gather(x, ids),
  scatter: () => flamboyance.scatter(x, ids, 2),
  pick: () => flamboyance.pick(x, ids),
  place: () => flamboyance.place(flamboyance.tensor("i", [1, 2]), ids, 2),
  detach: () => flamboyance.detach(x),
  tap: () => flamboyance.tap({}, "y", x),
};

describe("a public function records", () => {
  test.each(Object.entries(calls))("%s", (op, call) => {
    const forward = flamboyance.record(() => ({ loss: flamboyance.sumAll(call()) }), { inputs: { x } });
    const program = op === "geluGrad" ? flamboyance.gradients(forward, "loss", ["x"]) : forward;
    expect(program.nodes.map((node) => node.op)).toContain(op);
  });
});

/** Coarse, for every kernel that there is; spec/kernels has a tight bound for each. */
test("every simd kernel computes the definition of its op", async () => {
  const backend = await simd();
  const kernels = backend.ops as Record<string, (attrs: object, ...views: View[]) => Promise<View>>;
  const tested = new Set<string>();
  for (const { op, title, make } of rows) {
    const kernel = kernels[op];
    if (kernel === undefined) continue;
    const { attrs, inputs, domain } = make({ a: 3, b: 4, c: 5 }, host);
    const views = inputs.map((shape, i) => laidOutTensor(shape, plain, i, domain, Float32Array).data);
    const out = await kernel(attrs, ...views);
    tested.add(op);
    const [actual, expected] = [out, ruleOf(op).compute(attrs, ...views)].map((v) => [...flat(v)]);
    expect([title, out.shape]).toEqual([title, ruleOf(op).shape(attrs, ...inputs)]);
    expectClose(actual ?? [], expected ?? [], 1e-5);
  }
  expect([...tested].sort()).toEqual(Object.keys(backend.ops).sort());
  await backend.close?.();
});

test("exactly the ops that are marked as views return the memory of their operand", () => {
  const shared = rows.filter(({ op, make }) => {
    const { attrs, inputs } = make({ a: 2, b: 3, c: 4 }, host);
    const views = inputs.map((shape, i) => laidOutTensor(shape, plain, i).data);
    return views.some(({ data }) => data === ruleOf(op).compute(attrs, ...views).data);
  });
  const marked = ops.filter((op) => VIEWS.has(op as OpName));
  expect([...new Set(shared.map(({ op }) => op))].sort()).toEqual(marked);
});
