// The executable half of 02-programs.md: dispatch of scopes to fused kernels, stopping a replay, and emulated precision.
import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/kernels/backend.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { replay, run } from "../../../src/kernels/replay.ts";
import { attention } from "../../../src/nn/attention/attention.ts";
import { normalize } from "../../../src/nn/norms/layer-norm.ts";
import { gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { einsum } from "../../../src/tensor/ops/arrange.ts";
import { mul, mulScalar, square, sumAll, tanh } from "../../../src/tensor/ops/functions.ts";
import { type Precision, round } from "../../../src/tensor/precision.ts";
import { scope, tap } from "../../../src/tensor/program/apply.ts";
import { computeNode, evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Any, Tensor, view } from "../../../src/tensor/tensor.ts";
import { applyAny, type Host, rows } from "../../support/oracles/ops.ts";
import { randomIds, randomMask, randomTensor } from "../../support/properties/arbitraries.ts";
import { expectSame, scalar, valuesOf } from "../../support/properties/programs.ts";

/** A backend whose only kernel is `attention`, by the definition, and that counts its calls. */
function withAttentionKernel(onCall: () => void = () => {}): Backend & { calls: number } {
  const backend = {
    ...reference(),
    calls: 0,
    scopes: {
      attention: {
        takes: [["q", "k", "v"]],
        run: async ({ mayAttend, emptyRow, postSoftmaxMask }: Any, { q, k, v }: Any) => {
          backend.calls++;
          onCall();
          const [tq, tk, tv] = [q, k, v].map((x) => new Tensor<Any>(x.shape, x));
          return attention({}, tq as Any, tk as Any, tv as Any, { mayAttend, emptyRow, postSoftmaxMask })
            .data;
        },
      },
    },
  };
  return backend;
}

const [q, k, v] = [randomTensor([2, 3, 4], 1), randomTensor([2, 5, 4], 2), randomTensor([2, 5, 4], 3)];
const w = randomTensor([2, 3, 4], 4);
const owner = new (class Owner {})();
const masks = { mayAttend: randomMask([2, 3, 5], 5), emptyRow: "zero" as const };
const attend = () => attention(owner, mulScalar(q, 0.5), k, v, masks);
const block = () => tap(owner, "after", mul(attend(), w));
const inputs = { q, k, v, w };

describe("dispatch of scopes to fused kernels", () => {
  test("[replay.dispatch] a scope whose output alone is read is dispatched once, with the same result", async () => {
    const backend = withAttentionKernel();
    const p = record(block, { inputs, symbolic: true });
    const { outputs } = await replay(p, backend);
    expect(backend.calls).toBe(1);
    expectSame(outputs.out as Tensor, block());
    expectSame(await run(withAttentionKernel(), block), block());
  });

  test("[replay.dispatch] a scope with a requested inner tap is not dispatched; taps outside and on its output have no influence", async () => {
    const p = record(block, { inputs, symbolic: true });
    for (const [tapped, calls] of [
      ["Owner.scores", 0],
      ["Owner.attn", 0],
      ["Owner.out", 1],
      ["Owner.after", 1],
    ] as const) {
      const backend = withAttentionKernel();
      const { taps, outputs } = await replay(p, backend, { taps: [tapped] });
      expect([tapped, backend.calls]).toEqual([tapped, calls]);
      expectSame(taps[tapped] as Tensor, evaluate(p).taps[tapped] as Tensor);
      expectSame(outputs.out as Tensor, block());
    }
  });

  test("[replay.dispatch] a scope whose inner nodes a gradient reads is not dispatched", async () => {
    const p = record(() => ({ loss: sumAll(block()) }), { inputs, symbolic: true });
    for (const [leaf, calls] of [
      ["q", 0],
      ["v", 0],
      ["w", 1],
    ] as const) {
      const backend = withAttentionKernel();
      const g = gradients(p, "loss", [leaf]);
      const { outputs } = await replay(g, backend);
      expect([leaf, backend.calls]).toEqual([leaf, calls]);
      expectSame(outputs[`grad ${leaf}`] as Tensor, evaluate(g).outputs[`grad ${leaf}`] as Tensor);
    }
  });

  test("[replay.dispatch] a scope with an inner node among the outputs is not dispatched", async () => {
    const p = record(block, { inputs, symbolic: true });
    const backend = withAttentionKernel();
    await replay({ ...p, outputs: { ...p.outputs, scores: p.taps["Owner.scores"] ?? -1 } }, backend);
    expect(backend.calls).toBe(0);
  });

  test("[replay.dispatch] a dead scope is not dispatched", async () => {
    const p = record(() => ({ out: tanh(q), unused: attend() }), { inputs, symbolic: true });
    const backend = withAttentionKernel();
    await replay({ ...p, outputs: { out: p.outputs.out ?? -1 } }, backend);
    expect(backend.calls).toBe(0);
  });

  test("[replay.dispatch] of two scopes that begin at the same node the outermost is dispatched", async () => {
    const nested = () =>
      scope("normalize", { x: q, k, v }, { epsilon: 0 }, ({ x, k, v }) => attention(owner, x, k, v, masks));
    const inner = withAttentionKernel();
    let outer = 0;
    const normalize = {
      takes: [["x"], ["v", "k", "x"]],
      run: async () => {
        outer++;
        return nested().data;
      },
    };
    const backend = { ...inner, scopes: { ...inner.scopes, normalize } };
    expectSame(await run(backend, nested), nested());
    expect([outer, inner.calls]).toEqual([1, 0]);
  });

  test("[replay.dispatch] a scope whose body returns its input is not dispatched", async () => {
    const backend = withAttentionKernel();
    const idle = () => square(scope("attention", { q, k, v }, masks, ({ q }) => q));
    expectSame(await run(backend, idle), square(q));
    expect(backend.calls).toBe(0);
  });

  test("[replay.kernels] an op runs in its kernel, and products that fall back to the definition are counted", async () => {
    const ran: string[] = [];
    const kernel = async (attrs: object, ...views: Any[]) => {
      ran.push("einsum");
      return computeNode({ op: "einsum", attrs, inputs: [], shape: [], scope: -1 }, views, "float64");
    };
    const product = () => einsum("b l k, b s k -> b l s", q as Tensor<"b l k">, k as Tensor<"b s k">);
    const p = record(() => tanh(product()), { symbolic: true });
    const own = await replay(p, { ...reference(), ops: { einsum: kernel } });
    expect([ran.length, own.kernels.fallback]).toEqual([1, 0]);
    expectSame(own.outputs.out as Tensor, tanh(product()));
    expect((await replay(p, reference())).kernels).toEqual({
      matmul: 0,
      attention: 0,
      fallback: 1,
      fused: 0,
      unfused: [],
      mode: null,
    });
  });
});

describe("stopping", () => {
  const slow = (): Tensor => {
    let x: Tensor = randomTensor<"i j">([64, 64]);
    for (let i = 0; i < 3000; i++)
      x = tanh(einsum("i j, j k -> i k", x as Tensor<"i j">, x as Tensor<"j k">));
    return x;
  };

  test("[replay.signal] an aborted signal stops a replay between two nodes, with the reason of the signal", async () => {
    const p = record(block, { inputs, symbolic: true });
    await expect(replay(p, reference(), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const controller = new AbortController();
    const backend = withAttentionKernel(() => controller.abort(new Error("enough")));
    await expect(replay(p, backend, { signal: controller.signal })).rejects.toThrow("enough");
  });

  test("[replay.signal] a timeout stops the definitions as well, although they are synchronous", async () => {
    const p = record(slow, { symbolic: true });
    let done = 0;
    const options = { signal: AbortSignal.timeout(30), onProgress: (share: number) => (done = share) };
    await expect(replay(p, reference(), options)).rejects.toThrow(/timeout|abort/i);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(1);
  });

  test("[replay.signal] short replays, one after another, yield to timers as well", async () => {
    const x = randomTensor<"i">([3]);
    const p = record(() => mul(x, x));
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 0);
    const until = performance.now() + 3000;
    while (!fired && performance.now() < until) await replay(p, reference());
    expect(fired).toBe(true);
  });

  test("[replay.signal] progress goes from 0 to 1, also across dispatched scopes", async () => {
    const seen: number[] = [];
    await replay(record(block, { inputs, symbolic: true }), withAttentionKernel(), {
      onProgress: (done) => seen.push(done),
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
    expect(seen[0]).toBeLessThan(0.5);
  });
});

const rounded = (t: Tensor, precision: Precision): Tensor<Any> =>
  new Tensor(t.shape, view(Float64Array.from(valuesOf(t), round[precision]), t.shape));

const host: Host = { mask: (shape) => randomMask(shape, 5), ids: (shape, n) => randomIds(shape, n, 6) };
const emulated = ["float32", "bfloat16", "float16"] as const;

describe.each(emulated)("%s", (precision) => {
  test.each(rows)(
    "[precision.each] $title: the rounded definition of rounded operands",
    async ({ op, make }) => {
      const { attrs, inputs, domain } = make({ a: 2, b: 3, c: 4 }, host);
      const x = inputs.map((shape, i) => randomTensor(shape, 7 + i, domain));
      const small = x.map((t) => rounded(t, precision));
      const expected = rounded(applyAny(op, attrs, ...small), precision);
      const p = record(() => applyAny(op, attrs, ...x), { symbolic: true });
      expectSame(evaluate(p, {}, precision).outputs.out as Tensor, expected);
      expectSame((await replay(p, reference(precision))).outputs.out as Tensor, expected);
      for (const [i, t] of x.entries())
        expect(valuesOf(t)).toEqual(valuesOf(randomTensor(t.shape, 7 + i, domain)));
    },
  );

  test("[precision.each] the result of every op is rounded", () => {
    const x = randomTensor<"i">([50], 1);
    const p = record(() => tanh(square(x)), { symbolic: true });
    const once = rounded(square(rounded(x, precision)), precision);
    expectSame(evaluate(p, {}, precision).outputs.out as Tensor, rounded(tanh(once), precision));
  });

  test.each([true, false])(
    "[precision.scope] normalize is rounded at its boundary only, centred %s",
    async (centred) => {
      const x = rounded(
        randomTensor([6, 8], 3, (u) => 3 + 2 * u),
        precision,
      );
      const p = record(() => mul(normalize(x, { centred }), x), { symbolic: true });
      const expected = rounded(mul(rounded(normalize(x, { centred }), precision), x), precision);
      expectSame(evaluate(p, {}, precision).outputs.out as Tensor, expected);
      expectSame((await replay(p, reference(precision))).outputs.out as Tensor, expected);
      const everywhere = evaluate({ ...p, scopes: [] }, {}, precision).outputs.out as Tensor;
      expect(valuesOf(everywhere)).not.toEqual(valuesOf(expected)); // rounding inside would show
    },
  );
});

test("[precision.each] float64 is exact, and a float32 parameter gives the results of its float64 copy", () => {
  const x = randomTensor([4], 1);
  const single = new Tensor<Any>([4], view(Float32Array.from(valuesOf(x)), [4]));
  const p = record(() => ({ out: sumAll(square(single)) }), { inputs: { single }, symbolic: true });
  const copy = rounded(single, "float64");
  for (const precision of ["float64", ...emulated] as const) {
    expectSame(
      evaluate(p, {}, precision).outputs.out as Tensor,
      evaluate(p, { single: copy }, precision).outputs.out as Tensor,
    );
  }
  expect(scalar(p, "out")).toBe(valuesOf(single).reduce((s, u) => s + u * u, 0));
});
