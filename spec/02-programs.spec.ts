// The executable half of 02-programs.md: recording, rewriting and replaying.
import { describe, expect, test } from "vitest";
import { attention } from "../src/nn/attention.ts";
import { LayerNorm } from "../src/nn/layer-norm.ts";
import { Linear } from "../src/nn/linear.ts";
import { Bug, ShapeError } from "../src/tensor/errors.ts";
import { evaluate } from "../src/tensor/evaluate.ts";
import {
  add,
  expand,
  gather,
  gelu,
  maskedSoftmax,
  mul,
  scale,
  shift,
  softmax,
  square,
  tanh,
} from "../src/tensor/functions.ts";
import { named } from "../src/tensor/pattern.ts";
import { isDead, prune, withTaps } from "../src/tensor/program.ts";
import { extend, record, scope, tap } from "../src/tensor/record.ts";
import { bool, symbol, Tensor } from "../src/tensor/tensor.ts";
import { randomIds, randomMask, randomTensor } from "./support/arbitraries.ts";
import { applyAny, type Host, rows } from "./support/examples.ts";
import { expectSame, replayEqualsEager, valuesOf } from "./support/laws.ts";

const host: Host = { mask: (shape) => randomMask(shape, 5), ids: (shape, n) => randomIds(shape, n, 6) };

/** Two layers of attention over one row of tokens, with everything that models use: taps, scopes, masks, ids, ties. */
class Small {
  emb: Tensor<"v d"> = randomTensor([7, 4], 1);
  blocks = [new Block(2), new Block(3)];
  head = new Linear("d -> v", 4, 7, { bias: false, tiedTo: named("o i", this.emb) });
  forward(ids = randomIds([2, 5], 7)): Tensor {
    const x = this.blocks.reduce((x, block) => block.forward(x), gather(this.emb, ids) as Tensor<"b l d">);
    return this.head.forward(x as Tensor<"b l d">);
  }
}
class Block {
  norm = new LayerNorm(4);
  to_q: Linear<"d", "k">;
  gain: Tensor<"d">;
  constructor(seed: number) {
    this.to_q = new Linear("d -> k", 4, 4);
    this.gain = randomTensor([4], seed);
  }
  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    const h = named("b l k", this.to_q.forward(this.norm.forward(x)));
    const mayAttend = randomMask([2, 5, 5], 4);
    const seen = attention(this, h, h, h, { mayAttend, emptyRow: "zero" });
    return tap(this, "", add(x, mul(named("b l d", gelu(seen)), expand(this.gain, x))));
  }
}

describe("eager is the definition", () => {
  test.each(rows)(
    "[record.eager] $title: computing, recording and replaying agree bit for bit",
    async ({ op, make }) => {
      const { attrs, inputs, domain } = make({ a: 2, b: 3, c: 4 }, host);
      const x = inputs.map((shape, i) => randomTensor(shape, 7 + i, domain));
      await replayEqualsEager(() => applyAny(op, attrs, ...x), { inputs: { x: x[0] as Tensor } });
    },
  );

  test("[record.eager] a model with taps, scopes, masks, ids and ties agrees bit for bit", async () => {
    const model = new Small();
    await replayEqualsEager(() => model.forward(), { model });
  });

  test("[record.symbolic] touches no number: lazy tensors stay as they are", () => {
    const lazy = new Tensor<"i">([3], () => {
      throw new Error("touched");
    });
    const p = record(() => tanh(mul(lazy, lazy)), { inputs: { lazy }, symbolic: true });
    expect(p.nodes.map((node) => node.op)).toEqual(["leaf", "mul", "tanh"]);
    expect(() => record(() => tanh(lazy), { symbolic: false })).toThrow("touched");
    expect(() => evaluate(p)).toThrow("touched");
  });

  test("[record.symbolic] a wrong shape is refused while recording", () => {
    const f = () => add(symbol("i", [3]), symbol("i", [4]));
    expect(() => record(f, { symbolic: true })).toThrow(ShapeError);
  });

  test("[record.escape] a tensor that was recorded symbolically has no numbers outside", () => {
    let escaped = symbol("i", [3]);
    record(() => (escaped = tanh(symbol("i", [3]))), { symbolic: true });
    expect(escaped.symbolic).toBe(true);
    expect(() => tanh(escaped)).toThrow(Bug);
    expect(() => escaped.data).toThrow(/recorded symbolically and has no numbers/);
  });

  test("[record.once] recording inside a recording throws, and the next recording is clean", () => {
    const x = randomTensor([2]);
    expect(() => record(() => record(() => tanh(x)).nodes && x)).toThrow(Bug);
    expect(() => record(() => evaluateThrowing())).toThrow("inside");
    expect(record(() => tanh(x)).nodes.length).toBe(2);
    function evaluateThrowing(): Tensor {
      throw new Error("inside");
    }
  });
});

describe("leaves", () => {
  test("[record.leaves] inputs have their names, parameters their paths, and a tie both its paths", () => {
    const model = new Small();
    const x = randomTensor([2, 5, 4]);
    const p = record(() => model.head.forward(model.blocks[0]?.forward(x) ?? x), { model, inputs: { x } });
    expect(p.leaves.emb).toBe(p.leaves["head.weight"]);
    expect(Object.keys(p.leaves).sort()).toEqual([
      "blocks.0.gain",
      "blocks.0.norm.bias",
      "blocks.0.norm.weight",
      "blocks.0.to_q.bias",
      "blocks.0.to_q.weight",
      "emb",
      "head.weight",
      "x",
    ]);
    expect(p.bindings.get(p.leaves.x ?? -1)).toBe(x);
  });

  test("[record.warns] of a large constant that the model does not hold, and only of that", () => {
    const model = new (class Model {
      held = randomTensor<"i">([5000], 1);
    })();
    const [forgotten, little] = [randomTensor<"i">([5000], 2), randomTensor<"i">([4096], 3)];
    const f = () => ({ a: add(model.held, forgotten), b: tanh(little), c: add(model.held, forgotten) });
    const { warnings } = record(f, { model });
    expect(warnings).toEqual([expect.stringMatching(/constant of shape \[5000\] is neither an input nor/)]);
    expect(record(f, { model, inputs: { forgotten } }).warnings).toEqual([]);
    expect(record(f).warnings).toEqual([]); // without a model nobody can tell
  });

  test("[replay.bind] other values take a leaf's place; wrong names and shapes are refused", () => {
    const x = randomTensor<"i">([3], 1);
    const p = record(() => square(x), { inputs: { x } });
    const other = randomTensor<"i">([3], 2);
    expectSame(evaluate(p, { x: other }).outputs.out as Tensor, square(other));
    expectSame(evaluate(p).outputs.out as Tensor, square(x));
    expect(() => evaluate(p, { y: other })).toThrow(/no leaf "y"; it has x/);
    expect(() => evaluate(p, { x: randomTensor([4]) })).toThrow(/leaf "x" was recorded as \[3\], got \[4\]/);
    expect(() => evaluate(p, { y: other })).toThrow(ShapeError);
  });
});

describe("taps", () => {
  const numbered = () => {
    const model = new Small();
    return record(() => model.forward(), { model, symbolic: true });
  };

  test("[tap.path] a tap is named by the module's path and its own name, in order of execution", () => {
    const names = ["norm", "scores", "scores.masked", "attn", "out"];
    const block = (path: string) => [...names.map((name) => `${path}.${name}`), path];
    expect(Object.keys(numbered().taps)).toEqual([...block("blocks.0"), ...block("blocks.1")]);
  });

  test("[tap.path] outside a model the class gives the name; the model's own output is no tap", () => {
    const x = randomTensor([2]);
    const owner = new (class Owner {})();
    expect(tap(owner, "y", x)).toBe(x); // and outside a recording it is nothing at all
    expect(Object.keys(record(() => tap(owner, "", tap(owner, "y", x))).taps)).toEqual(["Owner.y", "Owner"]);
    expect(record(() => tap(owner, "", tap(owner, "y", x)), { model: owner }).taps).toEqual({ y: 1 });
  });

  test("[tap.again] a module that runs again gets numbered taps", () => {
    const block = new Block(1);
    const model = new (class Model {
      block = block;
    })();
    const x = randomTensor<"b l d">([2, 5, 4]);
    const p = record(() => block.forward(block.forward(block.forward(x))), { model });
    const scores = Object.keys(p.taps).filter((name) => /block\.scores(@|$)/.test(name));
    expect(scores).toEqual(["block.scores", "block.scores@2", "block.scores@3"]);
    const { taps, outputs } = evaluate(p);
    expectSame(taps["block@3"] as Tensor, outputs.out as Tensor);
    expect(valuesOf(taps.block as Tensor)).not.toEqual(valuesOf(taps["block@2"] as Tensor));
  });

  test("[tap.choose] keeps the named ones only, and refuses a name that is not there", () => {
    const p = numbered();
    expect(Object.keys(withTaps(p, ["blocks.1.attn"]).taps)).toEqual(["blocks.1.attn"]);
    expect(() => withTaps(p, ["blocks.1.attm"])).toThrow(/no tap "blocks.1.attm"; there are blocks.0.norm,/);
    expect(() => withTaps(p, ["blocks.1.attm"])).toThrow(ShapeError);
  });
});

describe("rewriting", () => {
  const x = randomTensor<"i">([3], 1);
  const y = randomTensor<"i">([3], 2);

  test("[program.plain] all but the bindings is plain data: a structured clone replays to the same numbers", () => {
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

  test("[program.extend] continues a program in the same ops, and leaves the first as it was", () => {
    const p = record(() => ({ product: mul(x, y) }), { inputs: { x, y } });
    const before = structuredClone({ nodes: p.nodes, outputs: p.outputs, leaves: p.leaves });
    const q = extend(p, (at) => ({ sum: add(at(p.outputs.product ?? -1), at(p.leaves.x ?? -1)) }));
    expect({ nodes: p.nodes, outputs: p.outputs, leaves: p.leaves }).toEqual(before);
    expect(q.nodes.slice(0, p.nodes.length)).toEqual(p.nodes);
    expect(Object.keys(q.outputs)).toEqual(["sum"]);
    expectSame(evaluate(q).outputs.sum as Tensor, add(mul(x, y), x));
    expect(() => extend(p, (at) => ({ out: at(99) }))).toThrow(/3 nodes has no node 99/);
  });

  test("[program.prune] what nothing needs is dead, keeps its place, and is not computed", () => {
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

  test("[program.prune] a tap is a need", () => {
    const p = record(() => ({ out: square(x), unused: tap({}, "y", tanh(x)) }));
    const out = { ...p, outputs: { out: p.outputs.out ?? -1 } };
    expect(prune(out).nodes.some(isDead)).toBe(false);
    expect(prune(withTaps(out, [])).nodes.map(isDead)).toEqual([false, false, true, true]);
  });

  test("[scope.range] a scope is a contiguous range with named inputs, attributes and one output", () => {
    const p = record(() =>
      shift(
        scope("pair", { x, y }, { by: 2 }, ({ x, y }, { by }) => scale(mul(x, y), by)),
        1,
      ),
    );
    expect(p.scopes).toEqual([
      { name: "pair", parent: -1, attrs: { by: 2 }, inputs: { x: 0, y: 1 }, first: 2, end: 4, output: 3 },
    ]);
    expect(p.nodes.map((node) => node.scope)).toEqual([-1, -1, 0, 0, -1]);
    const inner = record(() =>
      scope("outer", { x }, {}, ({ x }) => scope("inner", { x }, {}, ({ x }) => tanh(x))),
    );
    expect(inner.scopes.map(({ name, parent }) => [name, parent])).toEqual([
      ["outer", -1],
      ["inner", 0],
    ]);
  });
});
