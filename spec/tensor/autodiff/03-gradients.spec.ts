// The executable half of 03-gradients.md: every derivative against finite differences, and the programs that `gradients`
// returns.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attention } from "../../../src/nn/attention/attention.ts";
import { normalize } from "../../../src/nn/norms/layer-norm.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { ShapeError } from "../../../src/tensor/errors.ts";
import { einsum } from "../../../src/tensor/ops/arrange.ts";
import {
  add,
  detach,
  equal,
  exp,
  gelu,
  maskedSoftmax,
  maxLast,
  mul,
  mulScalar,
  positive,
  relu,
  square,
  sumAll,
  tanh,
} from "../../../src/tensor/ops/functions.ts";
import { scope, tap } from "../../../src/tensor/program/apply.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { isClosed, lastUses, type Program, prune, type Scope } from "../../../src/tensor/program/program.ts";
import { extend, record } from "../../../src/tensor/program/record.ts";
import { abstractTensor, bool, type Tensor, tensor } from "../../../src/tensor/tensor.ts";
import { applyAny, type Host, rows } from "../../support/oracles/ops.ts";
import { randomIds, randomMask, randomTensor } from "../../support/properties/arbitraries.ts";
import {
  expectClose,
  expectSame,
  scalar,
  valuesOf,
  vjpEqualsFiniteDifferences,
} from "../../support/properties/programs.ts";

const host: Host = { mask: (shape) => randomMask(shape, 5), ids: (shape, n) => randomIds(shape, n, 6) };
const named = (tensors: readonly Tensor[]) => Object.fromEntries(tensors.map((t, i) => [`x${i}`, t]));

/** Examples without finite differences: detach has no gradient, and the other has NaN. */
const excluded = ["detach", "softmax, masked, empty rows nan"];

describe.each(rows.filter(({ title }) => !excluded.includes(title)))("$title", ({ op, make }) => {
  test("[vjp.rules] first and second derivatives equal finite differences", () => {
    const { attrs, inputs, domain } = make({ a: 2, b: 3, c: 4 }, host);
    const x = inputs.map((shape, i) => randomTensor(shape, 7 + i, domain));
    vjpEqualsFiniteDifferences(() => applyAny(op, attrs, ...x), named(x));
  });

  test("[vjp.rules] derivatives have the shape of their operand for axes of size 0 and 1", () => {
    fc.assert(
      fc.property(fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 1 }), fc.nat({ max: 1 })), ([a, b, c]) => {
        const { attrs, inputs, domain } = make({ a, b, c }, host);
        const x = inputs.map((shape, i) => randomTensor(shape, 7 + i, domain));
        vjpEqualsFiniteDifferences(() => applyAny(op, attrs, ...x), named(x));
      }),
      { numRuns: 8 },
    );
  });
});

describe("functions of several ops", () => {
  test("[vjp.rules] the derivatives of a tensor that is several operands are added", () => {
    const x = randomTensor([2, 3]);
    vjpEqualsFiniteDifferences(() => mul(add(x, x), mul(x, tanh(x))), { x });
    vjpEqualsFiniteDifferences(() => einsum("i k, j k -> i j", x, x), { x });
  });

  test("[vjp.rules] layer normalisation and attention with a mask", () => {
    const x = randomTensor([2, 4]);
    vjpEqualsFiniteDifferences(() => normalize(x), { x }, 1e-7);
    const [q, k, v] = [randomTensor([3, 2], 1), randomTensor([4, 2], 2), randomTensor([4, 2], 3)];
    for (const emptyRow of ["zero", "uniform"] as const) {
      const mask = { mayAttend: randomMask([3, 4], 5), emptyRow, postSoftmaxMask: randomMask([3, 4], 6) };
      vjpEqualsFiniteDifferences(() => attention({}, q, k, v, mask), { q, k, v });
    }
  });
});

const lossOf = (f: () => Tensor, inputs: Record<string, Tensor>): Program =>
  record(() => ({ loss: sumAll(f()) }), { inputs });
const gradOf = (program: Program, leaf: string, loss = "loss"): Tensor =>
  evaluate(gradients(program, loss, [leaf])).outputs[gradientOf(leaf)] as Tensor;

describe("derivatives by convention", () => {
  test("[vjp.ties] equal maxima share the derivative equally", () => {
    const x = tensor("b l", [
      [1, 3, 3, 2],
      [0, 0, 0, 0],
    ]);
    const g = gradOf(
      lossOf(() => maxLast(x), { x }),
      "x",
    );
    expect(valuesOf(g)).toEqual([0, 0.5, 0.5, 0, 0.25, 0.25, 0.25, 0.25]);
  });

  test("[softmax.empty-row-gradient] the gradient of an empty row is exactly zero, whatever emptyRow is", () => {
    const x = randomTensor<"b l">([2, 3]);
    const keep = bool("b l", [
      [false, false, false],
      [true, false, true],
    ]);
    for (const emptyRow of ["zero", "uniform", "nan"] as const) {
      const g = gradOf(
        lossOf(() => square(maskedSoftmax(x, keep, { emptyRow })), { x }),
        "x",
      );
      expect(valuesOf(g).slice(0, 3)).toEqual([0, 0, 0]);
      expect(valuesOf(g)[4]).toBe(0); // and so is that of a masked entry of another row
      expect(valuesOf(g)[3]).not.toBe(0);
    }
  });

  test("[gradients.detach] no gradient flows through detach, but other paths keep theirs", () => {
    const x = randomTensor([3]);
    expect(
      valuesOf(
        gradOf(
          lossOf(() => detach(square(x)), { x }),
          "x",
        ),
      ),
    ).toEqual([0, 0, 0]);
    const g = gradOf(
      lossOf(() => mul(detach(exp(x)), x), { x }),
      "x",
    );
    expectSame(g, exp(x));
    const both = () => {
      const y = exp(x);
      return mul(detach(y), mul(y, y)); // ∂(y²)/∂y, times the detached y
    };
    expectClose(
      valuesOf(gradOf(lossOf(both, { x }), "x")),
      valuesOf(exp(mulScalar(x, 3))).map((y) => 2 * y),
      1e-14,
    );
  });

  test("[relu.slope] the gradient of relu is 0 at 0 and below, 1 above", () => {
    const x = tensor("l", [-1, -0, 0, 5e-324, 2]);
    const g = gradOf(
      lossOf(() => relu(x), { x }),
      "x",
    );
    expect(valuesOf(g)).toEqual([0, 0, 0, 1, 1]); // as torch.relu has it
  });

  test("[gradients.detach] the gradient of an indicator is zero", () => {
    const x = tensor("l", [1, 2]);
    expect(
      valuesOf(
        gradOf(
          lossOf(() => positive(x), { x }),
          "x",
        ),
      ),
    ).toEqual([0, 0]);
    expect(
      valuesOf(
        gradOf(
          lossOf(() => equal(x, tensor("l", [1, 1])), { x }),
          "x",
        ),
      ),
    ).toEqual([0, 0]);
  });
});

describe("programs", () => {
  const a = randomTensor<"i">([3], 1);
  const b = randomTensor<"i">([3], 2);
  const c = randomTensor<"i">([3], 3);
  const two = () =>
    record(() => ({ loss: sumAll(mul(a, b)), other: sumAll(mul(b, c)) }), { inputs: { a, b, c } });

  test("[gradients.unreached] a leaf that the loss does not depend on has a gradient of zeros, in its shape", () => {
    const { outputs } = evaluate(gradients(two(), "loss", ["a", "c"]));
    expect(valuesOf(outputs["grad c"] as Tensor)).toEqual([0, 0, 0]);
    expectSame(outputs["grad a"] as Tensor, b);
  });

  test("[gradients.frozen] only the requested gradients and the nodes that they need are computed", () => {
    const w = [0, 1, 2].map((i) => randomTensor<"o i">([4, 4], i));
    const x = randomTensor<"b i">([2, 4], 9);
    const layer = (x: Tensor<"b i">, w: Tensor<"o i">) => gelu(einsum("b i, o i -> b o", x, w)) as Tensor;
    const program = record(() => ({ loss: sumAll(w.reduce<Tensor>(layer, x)) }), {
      inputs: { ...Object.fromEntries(w.map((t, i) => [`w${i}`, t])), x },
    });
    const ops = (p: Program) => p.nodes.filter((node) => node.op !== "leaf").length;
    const sizes = [["w2"], ["w1", "w2"], ["w0", "w1", "w2"], ["w0", "w1", "w2", "x"]].map((leaves) =>
      ops(gradients(program, "loss", leaves)),
    );
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(new Set(sizes).size).toBe(4); // each further leaf adds nodes
    expect(ops(gradients(program, "loss", []))).toBe(ops(program)); // without leaves, no node is added
    const w1 = gradients(program, "loss", ["w1"]);
    expect(prune(w1)).toEqual(w1); // all remaining nodes are needed
    const both = evaluate(gradients(program, "loss", ["w0", "w2"])).outputs;
    expectSame(both["grad w2"] as Tensor, gradOf(program, "w2"));
  });

  test("[gradients.symbolic] a symbolic program has gradients, and no values are read", () => {
    const x = abstractTensor("i", [3]);
    const p = record(() => ({ loss: sumAll(square(x)) }), { inputs: { x }, symbolic: true });
    const g = gradients(p, "loss", ["x"]);
    expect(valuesOf(evaluate(g, { x: tensor("i", [1, 2, 3]) }).outputs["grad x"] as Tensor)).toEqual([
      2, 4, 6,
    ]);
  });

  test("[gradients.outputs] outputs and taps are kept, and the gradients are added under their names", () => {
    const owner = new (class Owner {})();
    const x = tensor("i", [2]);
    const p = record(() => ({ loss: sumAll(tap(owner, "y", square(x))), seen: mulScalar(x, 3) }), {
      inputs: { x },
    });
    const results = evaluate(gradients(p, "loss", ["x"]));
    expect(Object.keys(results.outputs)).toEqual(["loss", "seen", "grad x"]);
    expect(valuesOf(results.taps["Owner.y"] as Tensor)).toEqual([4]);
    expect(valuesOf(results.outputs["grad x"] as Tensor)).toEqual([4]); // the gradient flows through a tap
  });

  test("[gradients.again] repeated differentiation of x⁴ gives 4x³, 12x², 24x, 24 and 0", () => {
    const x = tensor("", [], [1.7]);
    let p = lossOf(() => square(square(x)), { x });
    for (const expected of [4 * 1.7 ** 3, 12 * 1.7 ** 2, 24 * 1.7, 24, 0]) {
      p = gradients(p, "loss", ["x"]);
      p = { ...p, outputs: { loss: p.outputs["grad x"] ?? -1 } };
      expect(scalar(p, "loss")).toBeCloseTo(expected, 10);
    }
  });

  test("[gradients.again] a tied parameter has the same gradient under both names", () => {
    const shared = randomTensor<"o i">([3, 3]);
    const model = new (class Tied {
      first = shared;
      second = shared;
    })();
    const x = tensor("b i", [[1, 2, 3]]);
    const p = record(() => ({ loss: sumAll(einsum("b i, o i -> b o", x, shared)) }), {
      model,
      inputs: { x },
    });
    const g = evaluate(gradients(p, "loss", ["first", "second"])).outputs;
    expectSame(g["grad first"] as Tensor, g["grad second"] as Tensor);
    expectClose(valuesOf(g["grad first"] as Tensor), [1, 2, 3, 1, 2, 3, 1, 2, 3], 0);
  });

  describe("scopes that are differentiated as a whole", () => {
    const [q, k, v] = [randomTensor([2, 3, 2], 1), randomTensor([2, 4, 2], 2), randomTensor([2, 4, 2], 3)];
    const mask = {
      mayAttend: randomMask([2, 3, 4], 5),
      emptyRow: "uniform",
      postSoftmaxMask: randomMask([2, 3, 4], 6),
    } as const;
    const fused = ["attention"];
    const names = (p: Program): string[] => prune({ ...p, taps: {} }).scopes.map(({ name }) => name);
    const numbers = (p: Program) =>
      Object.entries(evaluate(p).outputs).map(([name, t]) => [name, valuesOf(t)]);

    test("[gradients.fused] the results are the same, and no inner node of the forward scope is read", () => {
      const p = lossOf(() => square(attention({}, q, k, v, mask)), { q, k, v });
      const leaves = ["q", "k", "v"];
      const g = gradients(p, "loss", leaves, { fused });
      expect(names(g)).toEqual(["attention", "attentionVjp"]);
      expect(numbers(g)).toEqual(numbers(gradients(p, "loss", leaves)));
      const [first, second] = g.scopes;
      expect(Object.keys(second?.inputs ?? {})).toEqual(["q", "k", "v", "g"]);
      expect(second?.attrs).toEqual(first?.attrs);
      const last = lastUses({ ...g, taps: {} });
      for (const s of g.scopes) expect(isClosed(g, s, last)).toBe(true);
      expect(
        isClosed(
          gradients(p, "loss", leaves),
          first as Scope,
          lastUses(gradients({ ...p, taps: {} }, "loss", leaves)),
        ),
      ).toBe(false);
    });

    test("[gradients.fused] [gradients.again] the derivative of a fused scope can be differentiated again", () => {
      const p = lossOf(() => square(attention({}, q, k, v, mask)), { q, k, v });
      const twice = (options: object): number[] => {
        const once = gradients(p, "loss", ["q"], options);
        const slope = extend(once, (at) => ({ out: sumAll(square(at(once.outputs["grad q"] as number))) }));
        const { outputs } = evaluate(gradients(slope, "out", ["q", "k", "v"], options));
        return Object.values(outputs).flatMap((t) => valuesOf(t));
      };
      expectClose(twice({ fused }), twice({}), 1e-13);
    });

    test("[gradients.fused] not if an inner node is read outside, the body reads another tensor, or one tensor is two inputs", () => {
      const w = randomTensor([2, 4]);
      const weights = (leak: { of?: Tensor }) =>
        scope("attention", { q, k }, {}, ({ q, k }) => {
          leak.of = exp(einsum("... l d, ... s d -> ... l s", q, k));
          return einsum("... l s, s d -> ... l d", leak.of, einsum("a s, a d -> s d", w, w));
        });
      const read: Record<string, () => Tensor> = {
        leak: () => {
          const leak: { of?: Tensor } = {};
          const out = weights(leak);
          return add(sumAll(out), sumAll(square(leak.of ?? out)));
        },
        else: () => weights({}),
        frozen: () => weights({}),
        twice: () => attention({}, q, q, q, { mayAttend: null, emptyRow: "zero" }),
      };
      for (const [name, f] of Object.entries(read)) {
        const p = lossOf(f, { q, k, w });
        const leaves = { leak: ["q", "k"], else: ["q", "w"], frozen: ["q", "k"], twice: ["q"] }[name] ?? [];
        const g = gradients(p, "loss", leaves, { fused });
        expect([name, names(g)]).toEqual([name, ["attention"]]);
        expect(numbers(g)).toEqual(numbers(gradients(p, "loss", leaves)));
      }
    });
  });

  test("[gradients.scalar] a loss that is not a scalar and unknown names are errors", () => {
    const x = randomTensor([2]);
    const p = record(() => ({ y: square(x), loss: sumAll(x) }), { inputs: { x } });
    expect(() => gradients(p, "y", ["x"])).toThrow(ShapeError);
    expect(() => gradients(p, "y", ["x"])).toThrow(/loss "y" is not a scalar; apply sumAll/);
    expect(() => gradients(p, "los", ["x"])).toThrow(/no output "los"; it has y, loss/);
    expect(() => gradients(p, "loss", ["z"])).toThrow(/no leaf "z"; it has x/);
  });
});
