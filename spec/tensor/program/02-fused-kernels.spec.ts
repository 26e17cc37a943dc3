// Rules of 02-programs.md on fused kernels, on every backend: what a kernel does not receive is never ignored.
import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../../../src/kernels/backend.ts";
import { gpu } from "../../../src/kernels/gpu/index.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { replay } from "../../../src/kernels/replay.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { einsum } from "../../../src/tensor/ops/arrange.ts";
import { add, mulScalar, softmax, square } from "../../../src/tensor/ops/functions.ts";
import { scope, tap } from "../../../src/tensor/program/apply.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Tensor, view } from "../../../src/tensor/tensor.ts";
import { openFakeDevice } from "../../support/kernels/gpu/fake-gpu-js.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { valuesOf } from "../../support/properties/programs.ts";

const backends: Readonly<Record<string, () => Promise<Backend>>> = {
  reference: async () => reference("float32"),
  simd: () => simd({ threads: 2 }),
  "gpu webasm": () => gpu({ mode: "webasm" }),
  "gpu cpu": () => gpu({ mode: "cpu" }),
  "gpu webgpu (fake)": async () => (await openFakeDevice()).backend,
};

const [L, S, D] = [3, 5, 4];
const [q, k, v] = [
  randomTensor<"l k">([L, D], 1),
  randomTensor<"s k">([S, D], 2),
  randomTensor<"s e">([S, D], 3),
];
const bias = randomTensor<"l s">([L, S], 4);
const attrs = { mayAttend: null, emptyRow: "zero", postSoftmaxMask: null } as const;

/** softmax(q kᵀ + b) v, from the formula. */
function expected(b: (l: number, s: number) => number): number[] {
  const [Q, K, V] = [q, k, v].map(valuesOf) as [number[], number[], number[]];
  const at = (x: number[], i: number, j: number) => x[i * D + j] ?? 0;
  return Array.from({ length: L * D }, (_, i) => {
    const [l, e] = [Math.floor(i / D), i % D];
    let [total, sum] = [0, 0];
    for (let s = 0; s < S; s++) {
      let score = b(l, s);
      for (let d = 0; d < D; d++) score += at(Q, l, d) * at(K, s, d);
      total += Math.exp(score);
      sum += Math.exp(score) * at(V, s, e);
    }
    return sum / total;
  });
}
const withBias = expected((l, s) => valuesOf(bias)[l * S + s] ?? 0);

/** A scope named `attention` whose scores go through `change`. */
const attend = (change: (scores: Tensor<"l s">) => Tensor<"l s">, more: Record<string, Tensor> = {}) =>
  scope("attention", { q, k, v, ...more }, attrs, ({ q, k, v }) => {
    const scores = change(einsum("l k, s k -> l s", q, k));
    return einsum("l s, s e -> l e", softmax(scores), v);
  });
const idle = (scores: Tensor<"l s">) => scores;

describe.each(Object.keys(backends))("%s", (name) => {
  const opened = backends[name]?.() as Promise<Backend>;
  afterAll(async () => (await opened).close());

  async function ran(f: () => Tensor, taps: string[] = []) {
    const backend = await opened;
    const { outputs, kernels } = await replay(
      record(f, { inputs: { q, k, v, bias }, symbolic: true }),
      backend,
      { taps },
    );
    const values = valuesOf(outputs.out as Tensor);
    const { fused, unfused } = kernels;
    return {
      values,
      fused,
      unfused: "attention" in backend.scopes ? unfused : [],
      kernel: "attention" in backend.scopes,
    };
  }
  const expectClose = (actual: readonly number[], exact: readonly number[]) => {
    expect(actual.length).toBe(exact.length);
    for (const [i, x] of exact.entries()) expect(actual[i]).toBeCloseTo(x, 5);
  };

  test("[replay.dispatch] a bias from a closure is added, whether it is computed, an input or a constant", async () => {
    const bodies: Record<string, () => Tensor> = {
      "an input": () => attend((scores) => add(scores, bias)),
      computed: () => {
        const twice = mulScalar(bias, 2);
        return attend((scores) => add(scores, mulScalar(twice, 0.5)));
      },
      "a constant": () =>
        attend((scores) =>
          add(scores, new Tensor<"l s">([L, S], view(Float64Array.from(valuesOf(bias)), [L, S]))),
        ),
    };
    for (const [label, body] of Object.entries(bodies)) {
      const { values, fused, unfused, kernel } = await ran(body);
      expectClose(values, withBias);
      const entry = { scope: "attention", inputs: ["q", "k", "v"], reason: "unnamed-reads", count: 1 };
      expect([label, fused, unfused]).toEqual([label, 0, kernel ? [entry] : []]);
    }
  });

  test("[replay.dispatch] a scope with an input that the kernel does not take, or without one that it needs, is computed op by op", async () => {
    const more = await ran(() => attend((scores) => add(scores, bias), { extra: bias }));
    expectClose(more.values, withBias);
    const less = await ran(() =>
      scope("attention", { q, k }, attrs, ({ q, k }) => softmax(einsum("l k, s k -> l s", q, k))),
    );
    expect(less.values.length).toBe(L * S);
    const entry = { scope: "attention", reason: "inputs", count: 1 };
    expect([more.unfused, less.unfused]).toEqual(
      more.kernel
        ? [[{ ...entry, inputs: ["q", "k", "v", "extra"] }], [{ ...entry, inputs: ["q", "k"] }]]
        : [[], []],
    );
  });

  test("[replay.dispatch] the report counts scopes in fused kernels and the others by reason", async () => {
    const owner = new (class Owner {})();
    const mixed = () => {
      const first = attend(idle);
      const tapped = attend((scores) => tap(owner, "scores", scores));
      const returned = scope("attention", { q, k, v }, attrs, ({ q }) => q);
      const biased = [1, 2].map(() => attend((scores) => add(scores, bias)));
      return [tapped, returned, ...biased].reduce((sum, x) => add(sum, square(x)), square(first));
    };
    const { values, fused, unfused, kernel } = await ran(mixed, ["Owner.scores"]);
    const plain = expected(() => 0);
    expectClose(
      values,
      plain.map((x, i) => 2 * x * x + 2 * (withBias[i] ?? 0) ** 2 + (valuesOf(q)[i] ?? 0) ** 2),
    );
    const inputs = ["q", "k", "v"];
    const entries = [
      { scope: "attention", inputs, reason: "inner-reads", count: 1 },
      { scope: "attention", inputs, reason: "not-computed", count: 1 },
      { scope: "attention", inputs, reason: "unnamed-reads", count: 2 },
    ];
    expect([fused, unfused]).toEqual(kernel ? [1, entries] : [0, []]);
  });
});
