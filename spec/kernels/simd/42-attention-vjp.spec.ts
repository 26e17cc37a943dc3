// Rules of 42-simd.md for the derivative of attention. Expected values are loops written from its equations, not from src.
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../../../src/kernels/backend.ts";
import { differentiable } from "../../../src/kernels/backend.ts";
import { replay } from "../../../src/kernels/replay.ts";
import { Engine } from "../../../src/kernels/simd/engine.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { attentionVjp } from "../../../src/kernels/simd/ops/attention-vjp.ts";
import { attention } from "../../../src/nn/attention/attention.ts";
import { gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { ShapeError } from "../../../src/tensor/errors.ts";
import { mul, sumAll } from "../../../src/tensor/ops/functions.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { abstractTensor, flat, sizeOf, Tensor, type View, view } from "../../../src/tensor/tensor.ts";
import { lossAndGradients } from "../../../src/training/step.ts";
import { trainable } from "../../../src/training/trainable.ts";
import { tinyFlamingo, tinyLoss } from "../../support/fixtures/training/tiny.ts";
import {
  attrsOf,
  BIASES,
  biasIndex,
  biasOf,
  type Case,
  expectWithin,
  type Operands as ForwardOperands,
  fillFreeMemory,
  gamma,
  inputsOf,
  operandsOf,
  plain,
  random,
  takeValues,
  U,
  valuesOf,
} from "../../support/kernels/cases.ts";

const one = await simd({ threads: 1 });
const three = await simd({ threads: 3, relaxed: false });
afterAll(() => Promise.all([one, three].map((backend) => backend.close())));

const sum = (terms: readonly number[]): number => terms.reduce((x, y) => x + y, 0);
const magnitude = (terms: readonly number[]): number => sum(terms.map(Math.abs));
const indices = (n: number): number[] => [...Array(n).keys()];

type Operands = ForwardOperands & { readonly g: View };
const operandsWithGradient = (c: Case): Operands => {
  const [z, l, , , e] = c.size;
  return { ...operandsOf(c), g: random([z, l, e], c.seed + 3, c.layout + 2) };
};

async function derivative(backend: Backend, c: Case, o = operandsWithGradient(c)): Promise<number[]> {
  const kernel = backend.scopes.attentionVjp?.run;
  if (!kernel) throw new Error("no kernel");
  const { q, k, v, bias } = await kernel(attrsOf(c, o), { ...inputsOf(o), g: o.g });
  expect(bias?.shape).toEqual(o.bias?.shape);
  const outputs = [q, k, v, ...(bias ? [bias] : [])];
  const values = outputs.flatMap(valuesOf);
  for (const x of outputs) takeValues(backend, x);
  return values;
}

/** Sums of terms for each element of the derivatives, and of their errors. */
function sums({ q, k, v, bias }: Operands) {
  const zeros = () => ({
    q: new Float64Array(sizeOf(q.shape)),
    k: new Float64Array(sizeOf(k.shape)),
    v: new Float64Array(sizeOf(v.shape)),
    bias: new Float64Array(bias ? sizeOf(bias.shape) : 0),
  });
  const [out, bound] = [zeros(), zeros()];
  const addTerm = (to: keyof typeof out, i: number, term: number, error: number) => {
    out[to][i] = Number(out[to][i]) + term;
    bound[to][i] = Number(bound[to][i]) + error;
  };
  const joined = (parts: typeof out) => [...parts.q, ...parts.k, ...parts.v, ...parts.bias];
  return { addTerm, results: () => ({ out: joined(out), bound: joined(bound) }) };
}

/** dq, dk, dv and, with a bias, its derivative one after another, each with the bound of 42-simd.md. */
function formula(c: Case, o = operandsWithGradient(c)) {
  const [z, l, s, d, e] = c.size;
  const [q, k, v, g] = [valuesOf(o.q), valuesOf(o.k), valuesOf(o.v), valuesOf(o.g)] as const;
  const { addTerm, results } = sums(o);
  const bias = biasOf(c, o.bias);
  const biasAt = biasIndex(c, o.bias?.shape ?? []);
  for (let row = 0; row < z * l; row++) {
    const m = Math.floor(row / l);
    const isAllowed = (j: number) => !o.mayAttend || o.mayAttend[row * s + j] === 1;
    const isKept = (j: number) => !o.kept || o.kept[row * s + j] === 1;
    const keys = indices(s).filter(isAllowed);
    const scoreTerms = (j: number) =>
      indices(d).map((p) => Number(q[row * d + p]) * Number(k[(m * s + j) * d + p]));
    const scores = new Map(keys.map((j) => [j, sum(scoreTerms(j)) + bias(row, j)]));
    const [top, low] = [Math.max(...scores.values()), Math.min(...scores.values())];
    const norm = sum([...scores.values()].map((x) => Math.exp(x - top)));
    const empty = { zero: 0, uniform: 1 / s, nan: NaN }[c.emptyRow];
    const P = indices(s).map((j) =>
      keys.length === 0 ? empty : isAllowed(j) ? Math.exp(Number(scores.get(j)) - top) / norm : 0,
    );
    const gradientTerms = (j: number) =>
      indices(e).map((p) => (isKept(j) ? Number(g[row * e + p]) * Number(v[(m * s + j) * e + p]) : 0));
    const D = indices(s).map((j) => sum(gradientTerms(j)));
    const mean = sum(P.map((p, j) => p * Number(D[j])));

    const delta = Math.max(
      0,
      ...keys.map((j) => gamma(d + 1) * (magnitude(scoreTerms(j)) + Math.abs(bias(row, j)))),
    );
    const relative = 2 * delta + gamma(s) + 4 * U * (16 + (keys.length ? top - low : 0));
    const eta = indices(s).map((j) => gamma(e) * magnitude(gradientTerms(j)));
    const meanError = sum(
      P.map((p, j) => p * ((relative + gamma(s)) * Math.abs(Number(D[j])) + Number(eta[j]))),
    );
    for (let j = 0; j < s; j++) {
      const [p, dj] = [Number(P[j]), Number(D[j])];
      const weight = isKept(j) ? p : 0;
      for (let col = 0; col < e; col++) {
        const term = weight * Number(g[row * e + col]);
        addTerm("v", (m * s + j) * e + col, term, (relative + gamma(l)) * Math.abs(term));
      }
      if (!isAllowed(j)) continue; // a masked key gets no gradient
      const S = p * (dj - mean);
      const error =
        p *
        (relative * Math.abs(dj - mean) +
          Number(eta[j]) +
          meanError +
          4 * U * (Math.abs(dj) + Math.abs(mean)));
      if (o.bias) addTerm("bias", biasAt(row, j), S, error + gamma(z * l * s) * Math.abs(S));
      for (let col = 0; col < d; col++) {
        const [x, y] = [Number(k[(m * s + j) * d + col]), Number(q[row * d + col])];
        addTerm("q", row * d + col, S * x, (error + gamma(s) * Math.abs(S)) * Math.abs(x));
        addTerm("k", (m * s + j) * d + col, S * y, (error + gamma(l) * Math.abs(S)) * Math.abs(y));
      }
    }
  }
  return results();
}

describe("the derivative of attention", () => {
  const expectWithinBound = async (c: Case): Promise<void> => {
    const { out, bound } = formula(c);
    for (const backend of [one, three])
      expectWithin(await derivative(backend, c), out, (i) => 1.01 * Number(bound[i]) + 1e-30);
  };

  test("any sizes, masks and views are within the bound", async () => {
    const cases: fc.Arbitrary<Case> = fc.record({
      size: fc.tuple(
        fc.nat(3),
        fc.oneof(fc.nat(9), fc.nat(60)),
        fc.oneof(fc.nat(9), fc.nat(60)),
        fc.nat(9),
        fc.nat(9),
      ),
      seed: fc.nat(99),
      mask: fc.constantFrom("none", "all", "some", "causal", "nothing"),
      kept: fc.constantFrom("all", "rows", "some"),
      emptyRow: fc.constantFrom("zero", "uniform", "nan"),
      bias: fc.constantFrom(...BIASES),
      layout: fc.nat(9),
      scale: fc.constantFrom(1, 30),
    });
    await fc.assert(fc.asyncProperty(cases, expectWithinBound), { numRuns: 150 });
  });

  test.each(BIASES)(
    "a bias [%s] has a derivative of its own shape, for several blocks of rows and under every mask",
    async (bias) => {
      for (const mask of ["none", "some", "causal", "nothing"] as const)
        for (const layout of [0, 1, 2])
          await expectWithinBound({
            ...plain,
            size: [3, 101, 43, 9, 7],
            mask,
            bias,
            layout,
            kept: "some",
            emptyRow: "uniform",
          });
    },
  );

  test.each(BIASES.filter((axes) => axes !== "none"))(
    "a NaN in a query makes the derivative of a bias [%s] NaN where it is added to that query's scores",
    async (bias) => {
      const c: Case = { ...plain, size: [2, 60, 9, 4, 3], mask: "none", bias };
      const o = operandsWithGradient(c);
      o.q.data[o.q.offset] = NaN; // in the first row of the first matrix
      const values = await derivative(one, c, o);
      const shape = o.bias?.shape ?? [];
      const size = o.bias ? sizeOf(shape) : 0;
      const at = biasIndex(c, shape);
      const affected = new Set(indices(9).map((key) => at(0, key)));
      expect(values.slice(-size).map(Number.isNaN)).toEqual(indices(size).map((i) => affected.has(i)));
    },
  );

  test.each([
    ["several blocks of queries and keys", [2, 101, 303, 20, 17]],
    ["more queries than a block of depth", [1, 1100, 9, 20, 17]],
    ["more keys than a block of depth", [2, 5, 1100, 20, 17]],
    ["heads wider than a block of depth", [1, 3, 20, 1100, 1030]],
  ] as const)("%s are within the bound", (_, size) =>
    expectWithinBound({ ...plain, size, mask: "causal", kept: "some", scale: 0.1, bias: "1 l s" }),
  );

  test("keys and values that several heads share are packed once, and each head has its own gradient", async () => {
    for (const backend of [one, three]) {
      const c: Case = { ...plain, size: [3, 20, 30, 9, 7] };
      const shared = (v: View) => view(v.data, v.shape, [0, ...v.stride.slice(1)], v.offset);
      const o = operandsWithGradient(c);
      const operands = { ...o, k: shared(o.k), v: shared(o.v) };
      const { out, bound } = formula(c, operands);
      expectWithin(await derivative(backend, c, operands), out, (i) => 1.01 * Number(bound[i]) + 1e-30);
    }
  });

  test("a masked key changes no bit of dq, whatever its value, and gets no gradient", async () => {
    const c: Case = { ...plain, mask: "causal", size: [1, 100, 100, 4, 3] };
    const before = await derivative(one, c);
    for (const key of [1e30, -1e30]) {
      const o = operandsWithGradient(c);
      for (let p = 0; p < 4; p++)
        o.k.data[o.k.offset + 99 * (o.k.stride[1] ?? 0) + p * (o.k.stride[2] ?? 0)] = key;
      const after = await derivative(one, c, o);
      const rows = 99 * 4; // of dq: only the last row may attend to the last key
      expect(after.slice(0, rows)).toEqual(before.slice(0, rows));
    }
    const fullyMasked = await derivative(one, { ...c, mask: "nothing" });
    expect(new Set(fullyMasked)).toEqual(new Set([0]));
  });

  test("results are the same bits for any number of threads, and no memory is kept", async () => {
    const c: Case = { ...plain, mask: "causal", size: [5, 70, 90, 16, 16], bias: "1 l s" };
    const alone = await simd({ threads: 1, relaxed: false });
    const before = alone.store?.usage().used;
    const first = await derivative(alone, c);
    const used = alone.store?.usage();
    for (let round = 0; round < 5; round++) {
      expect(await derivative(three, c)).toEqual(first);
      await derivative(alone, c);
    }
    expect(alone.store?.usage()).toEqual(used);
    expect(before).toBe(0);
    await alone.close();
  });

  test("intermediates stay within the scratch memory", async () => {
    const all = { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null } as const;
    for (const [l, s, d, e] of [
      [5, 9, 6, 0], // values of width 0
      [50, 8, 8, 1],
      [49, 70, 9, 17],
    ] as const) {
      const engine = await Engine.open({ threads: 1 });
      const [q, k, v, g] = [
        random([1, l, d], 1),
        random([1, s, d], 2),
        random([1, s, e], 3),
        random([1, l, e], 4),
      ];
      const bias = random([1, l, s], 5);
      const runOnce = () =>
        engine.heap.free(attentionVjp(engine, { q, k, v, g, bias }, all).q.data.byteOffset);
      runOnce(); // allocates the scratch memory
      const canaries = Array.from({ length: 400 }, () => engine.heap.allocate(64));
      for (const block of canaries) engine.heap.ints(block, 16).fill(0x5a5a5a5a);
      runOnce();
      const words = canaries.flatMap((block) => [...engine.heap.ints(block, 16)]);
      expect(new Set(words)).toEqual(new Set([0x5a5a5a5a]));
    }
  });

  test("no array grows with queries × keys", async () => {
    const peak = async (n: number): Promise<number> => {
      const backend = await simd({ threads: 1 });
      const [q, k, v, g] = [1, 2, 3, 4].map((seed) => random([1, n, 8], seed)) as [View, View, View, View];
      const all = { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null } as const;
      await backend.scopes.attentionVjp?.run(all, { q, k, v, g });
      const most = backend.store?.usage().peak ?? NaN;
      await backend.close();
      return most;
    };
    const [small, large] = [await peak(512), await peak(1024)];
    expect(large / small).toBeLessThan(2.1);
  });

  test("a program of gradients dispatches both scopes to kernels, and both are counted", async () => {
    const [q, k, v] = [
      abstractTensor("b l k", [2, 5, 4]),
      abstractTensor("b s k", [2, 7, 4]),
      abstractTensor("b s k", [2, 7, 4]),
    ];
    const inputs = { q, k, v };
    const program = record(
      () => {
        const out = attention({}, q, k, v, { mayAttend: null, emptyRow: "zero" });
        return { loss: sumAll(mul(out, out)) };
      },
      { inputs, symbolic: true },
    );
    const bind = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape }], i) => [name, new Tensor(shape, random(shape, i))]),
    );
    const names = Object.keys(inputs);
    const unfused = await replay(gradients({ ...program, taps: {} }, "loss", names), one, { bind });
    const fusedProgram = gradients({ ...program, taps: {} }, "loss", names, { fused: differentiable(one) });
    const fused = await replay(fusedProgram, one, { bind });
    expect(unfused.kernels.attention).toBe(0);
    expect(fused.kernels).toMatchObject({ attention: 2, fallback: 0, matmul: 0 });
    for (const name of names) {
      const [x, y] = [unfused, fused].map(({ outputs }) => [
        ...flat(outputs[`grad ${name}`]?.data ?? random([0], 1)),
      ]);
      const size = Math.max(...(x ?? []).map(Math.abs));
      expectWithin(y ?? [], x ?? [], () => 64 * U * size);
    }
  });

  test("without keys or without queries the gradients are zero", async () => {
    await fillFreeMemory(one);
    expect(await derivative(one, { ...plain, size: [1, 2, 0, 3, 2] })).toEqual(new Array(6).fill(0));
    await fillFreeMemory(one);
    expect(await derivative(one, { ...plain, size: [1, 0, 2, 3, 2] })).toEqual(new Array(10).fill(0));
    expect(await derivative(one, { ...plain, size: [0, 2, 2, 3, 2] })).toEqual([]);
    for (const bias of BIASES.filter((axes) => axes !== "none"))
      for (const size of [
        [2, 2, 0, 3, 2],
        [2, 0, 2, 3, 2],
        [0, 2, 2, 3, 2],
      ] as const) {
        await fillFreeMemory(one);
        expect(new Set([0, ...(await derivative(one, { ...plain, size, bias }))])).toEqual(new Set([0]));
      }
  });

  test("shapes that do not match are a ShapeError", async () => {
    const o = operandsWithGradient(plain);
    const kernel = one.scopes.attentionVjp?.run;
    const call = (g: View, k = o.k, more = {}) =>
      kernel?.(attrsOf(plain, o), { q: o.q, k, v: o.v, g, ...more });
    await expect(call(o.g, o.k, { bias: random([7], 1) })).rejects.toThrow(ShapeError);
    await expect(call(o.q)).rejects.toThrow(ShapeError);
    await expect(call(o.g, o.v)).rejects.toThrow(ShapeError);
  });
});

test("[train.fused] attention and its derivative run in the backend's kernels", async () => {
  const model = tinyFlamingo();
  const loss = () => tinyLoss(model)(0);
  const names = trainable(model, "paper");
  const exact = await lossAndGradients(loss, { model, names });
  const ran = one.ran.attention;
  const fused = await lossAndGradients(loss, { model, names, backend: one });
  const scopes = record(() => ({ loss: loss() }), { model, symbolic: true }).scopes;
  const forward = scopes.filter(({ name }) => name === "attention").length;
  expect(one.ran.attention - ran).toBeGreaterThan(forward);
  for (const [name, g] of exact.gradients) {
    const [x, y] = [flat(g.data), flat(fused.gradients.get(name)?.data ?? g.data)];
    const size = Math.max(...x.map(Math.abs), 1e-6);
    expect(Math.max(...Array.from(x, (value, i) => Math.abs(value - Number(y[i]))))).toBeLessThan(
      1e-5 * size,
    );
  }
});
