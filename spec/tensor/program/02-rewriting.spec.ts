// The executable half of 02-programs.md: programs as data, and rewrites of programs.
import { describe, expect, test } from "vitest";
import {
  add,
  addScalar,
  maskedSoftmax,
  mul,
  mulScalar,
  softmax,
  square,
  tanh,
} from "../../../src/tensor/ops/functions.ts";
import { scope, tap } from "../../../src/tensor/program/apply.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { isDead, prune, withTaps } from "../../../src/tensor/program/program.ts";
import { extend, record } from "../../../src/tensor/program/record.ts";
import { bool, Tensor } from "../../../src/tensor/tensor.ts";
import { Small } from "../../support/fixtures/small-model.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { expectSame } from "../../support/properties/programs.ts";

describe("rewriting", () => {
  const x = randomTensor<"i">([3], 1);
  const y = randomTensor<"i">([3], 2);

  test("[program.plain] all fields except the bindings are plain data: a structured clone gives the same results", () => {
    const model = new Small();
    const p = record(() => model.forward(), { model, symbolic: true });
    const { bindings, ...rest } = p;
    const clone = { ...structuredClone(rest), bindings };
    expectSame(evaluate(clone).outputs.out as Tensor, model.forward());
    const mask = record(() => maskedSoftmax(x, bool("i", [true, false, true]), { emptyRow: "nan" }));
    const { bindings: numbers, ...plain } = mask;
    const again = { ...structuredClone(plain), bindings: numbers };
    expectSame(evaluate(again).outputs.out as Tensor, evaluate(mask).outputs.out as Tensor);
  });

  test("[program.extend] extend continues a program and leaves the original unchanged", () => {
    const p = record(() => ({ product: mul(x, y) }), { inputs: { x, y } });
    const before = structuredClone({ nodes: p.nodes, outputs: p.outputs, leaves: p.leaves });
    const q = extend(p, (at) => ({ sum: add(at(p.outputs.product ?? -1), at(p.leaves.x ?? -1)) }));
    expect({ nodes: p.nodes, outputs: p.outputs, leaves: p.leaves }).toEqual(before);
    expect(q.nodes.slice(0, p.nodes.length)).toEqual(p.nodes);
    expect(Object.keys(q.outputs)).toEqual(["sum"]);
    expect(q.nodes.at(-1)).toEqual({ op: "add", attrs: {}, inputs: [2, 0], shape: [3], scope: -1 });
    expect(extend(p, () => ({ again: mul(x, y) })).nodes.length).toBe(4); // x and y are known: no new leaves
    expectSame(evaluate(q).outputs.sum as Tensor, add(mul(x, y), x));
    expect(() => extend(p, (at) => ({ out: at(99) }))).toThrow(/3 nodes has no node 99/);
    const tapped = record(() => ({ out: tap({}, "y", mul(x, y)) }), { inputs: { x, y } });
    expect(Object.keys(tapped.taps)).toHaveLength(1);
    expect(extend(tapped, (at) => ({ x: at(0) })).taps).toEqual(tapped.taps);
    const warned = { ...p, warnings: ["a warning of the recording"] };
    expect(extend(warned, (at) => ({ x: at(0) })).warnings).toEqual(["a warning of the recording"]);
  });

  test("[program.prune] a node that is not needed is dead, keeps its id and is not computed", () => {
    const lazy = new Tensor<"i">([3], () => {
      throw new Error("touched");
    });
    const p = record(() => ({ out: tanh(x), unused: softmax(lazy) }), {
      inputs: { x, lazy },
      symbolic: true,
    });
    const q = prune({ ...p, outputs: { out: p.outputs.out ?? -1 } });
    expect(q.nodes.map(isDead)).toEqual([false, false, true, true]);
    expectSame(evaluate(q).outputs.out as Tensor, tanh(x));
    expect(prune(p)).toEqual(p);
  });

  test("[program.prune] a node with a tap is not dead", () => {
    const p = record(() => ({ out: square(x), unused: tap({}, "y", tanh(x)) }));
    const out = { ...p, outputs: { out: p.outputs.out ?? -1 } };
    expect(prune(out).nodes.some(isDead)).toBe(false);
    expect(prune(withTaps(out, [])).nodes.map(isDead)).toEqual([false, false, true, true]);
  });

  test("[scope.range] a scope is a contiguous range with named inputs, attributes and named outputs", () => {
    const p = record(() =>
      addScalar(
        scope("pair", { x, y }, { by: 2 }, ({ x, y }, { by }) => mulScalar(mul(x, y), by)),
        1,
      ),
    );
    expect(p.scopes).toEqual([
      {
        name: "pair",
        parent: -1,
        attrs: { by: 2 },
        inputs: { x: 0, y: 1 },
        first: 2,
        end: 4,
        outputs: { out: 3 },
      },
    ]);
    expect(p.nodes.map((node) => node.scope)).toEqual([-1, -1, 0, 0, -1]);
    const inner = record(() =>
      scope("outer", { x }, {}, ({ x }) => scope("inner", { x }, {}, ({ x }) => tanh(x))),
    );
    expect(inner.scopes.map(({ name, parent }) => [name, parent])).toEqual([
      ["outer", -1],
      ["inner", 0],
    ]);
    // an op behind an inner scope, and a second inner scope, are in the outer one
    const two = record(() =>
      scope("outer", { x }, {}, ({ x }) => {
        const first = tanh(scope("one", { x }, {}, ({ x }) => tanh(x)));
        return scope("two", { first }, {}, ({ first }) => tanh(first));
      }),
    );
    expect(two.scopes.map(({ name, parent }) => [name, parent])).toEqual([
      ["outer", -1],
      ["one", 0],
      ["two", 0],
    ]);
    expect(two.nodes.map((node) => node.scope)).toEqual([-1, 1, 0, 2]);
  });
});
