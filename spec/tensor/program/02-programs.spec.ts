// The executable half of 02-programs.md: recording, rewriting and replaying.
import { describe, expect, test } from "vitest";
import { Bug, ShapeError } from "../../../src/tensor/errors.ts";
import { add, mul, square, tanh } from "../../../src/tensor/ops/functions.ts";
import { tap } from "../../../src/tensor/program/apply.ts";
import { constant } from "../../../src/tensor/program/constants.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { withTaps } from "../../../src/tensor/program/program.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { abstractTensor, Tensor } from "../../../src/tensor/tensor.ts";
import { Block, Small } from "../../support/fixtures/small-model.ts";
import { applyAny, type Host, rows } from "../../support/oracles/ops.ts";
import { randomIds, randomMask, randomTensor } from "../../support/properties/arbitraries.ts";
import { expectSame, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";

const host: Host = { mask: (shape) => randomMask(shape, 5), ids: (shape, n) => randomIds(shape, n, 6) };

describe("eager is the definition", () => {
  test.each(rows)(
    "[record.eager] $title: eager calls, recording and replay agree bit for bit",
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

  test("[record.symbolic] a symbolic recording reads no values: lazy tensors are not initialised", () => {
    const lazy = new Tensor<"i">([3], () => {
      throw new Error("touched");
    });
    const p = record(() => tanh(mul(lazy, lazy)), { inputs: { lazy }, symbolic: true });
    expect(p.nodes.map((node) => node.op)).toEqual(["leaf", "mul", "tanh"]);
    expect(() => record(() => tanh(lazy))).toThrow("touched"); // by default a recording computes
    expect(() => evaluate(p)).toThrow("touched");
  });

  test("[record.symbolic] a wrong shape is an error while recording", () => {
    const f = () => add(abstractTensor("i", [3]), abstractTensor("i", [4]));
    expect(() => record(f, { symbolic: true })).toThrow(ShapeError);
  });

  test("[record.escape] a tensor that was recorded symbolically has no values", () => {
    let escaped = abstractTensor("i", [3]);
    record(() => (escaped = tanh(abstractTensor("i", [3]))), { symbolic: true });
    expect(escaped.symbolic).toBe(true);
    expect(() => tanh(escaped)).toThrow(Bug);
    expect(() => escaped.data).toThrow(/recorded symbolically and has no values/);
  });

  test("[record.once] a nested recording is an error, and the next recording starts empty", () => {
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
  test("[record.leaves] inputs have their names, parameters their paths, and tied parameters all their paths", () => {
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

  test("[record.warns] a large constant that is neither input nor parameter causes a warning", () => {
    const model = new (class Model {
      held = randomTensor<"i j">([50, 100], 1);
    })();
    const [forgotten, little] = [randomTensor<"i j">([50, 100], 2), randomTensor<"i j">([64, 64], 3)];
    const f = () => ({ a: add(model.held, forgotten), b: tanh(little), c: add(model.held, forgotten) });
    const { warnings } = record(f, { model });
    expect(warnings).toEqual([expect.stringMatching(/constant of shape \[50 100\] is neither an input nor/)]);
    expect(record(f, { model, inputs: { forgotten } }).warnings).toEqual([]);
    expect(record(f).warnings).toEqual([]); // without a model there are no parameters to compare with
    const angles = constant(randomTensor<"i j">([50, 100], 4)); // as the cosines of rotary embeddings are
    expect(record(() => ({ a: add(model.held, angles) }), { model }).warnings).toEqual([]);
  });

  test("[replay.bind] other values replace those of a leaf; wrong names and shapes are errors", () => {
    const x = randomTensor<"i">([3], 1);
    const p = record(() => square(x), { inputs: { x } });
    const other = randomTensor<"i">([3], 2);
    expectSame(evaluate(p, { x: other }).outputs.out as Tensor, square(other));
    expectSame(evaluate(p).outputs.out as Tensor, square(x));
    expect(() => evaluate(p, { y: other })).toThrow(/cannot bind "y".*; it has x/);
    expect(() => evaluate(p, { x: randomTensor([4]) })).toThrow(/leaf "x" was recorded as \[3\], got \[4\]/);
    expect(() => evaluate(p, { y: other })).toThrow(ShapeError);
    expect(() => evaluate({ ...p, bindings: new Map() })).toThrow(/leaf 0 has no value/);
  });

  test("[replay.bind] a tied parameter is bound under any of its names", () => {
    const model = new Small();
    const p = record(() => model.forward(), { model, symbolic: true });
    const other = randomTensor([7, 4], 8);
    const [first, second] = ["emb", "head.weight"].map((name) => evaluate(p, { [name]: other }).outputs.out);
    expectSame(first as Tensor, second as Tensor);
    expect(valuesOf(first as Tensor)).not.toEqual(valuesOf(model.forward()));
  });
});

describe("taps", () => {
  const numbered = () => {
    const model = new Small();
    return record(() => model.forward(), { model, symbolic: true });
  };

  test("[tap.path] a tap is named after the path of its module and its own name, in order of execution", () => {
    const names = ["norm", "scores", "scores.masked", "attn", "out"];
    const block = (path: string) => [...names.map((name) => `${path}.${name}`), path];
    expect(Object.keys(numbered().taps)).toEqual([...block("blocks.0"), ...block("blocks.1")]);
  });

  test("[tap.path] the class of an owner outside the model replaces its path; the output of the model itself is not a tap", () => {
    const x = randomTensor([2]);
    const owner = new (class Owner {})();
    expect(tap(owner, "y", x)).toBe(x); // outside a recording, tap has no effect
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

  test("[tap.choose] only the named taps are kept, and an unknown name is an error", () => {
    const p = numbered();
    expect(Object.keys(withTaps(p, ["blocks.1.attn"]).taps)).toEqual(["blocks.1.attn"]);
    expect(() => withTaps(p, ["blocks.1.attm"])).toThrow(/no tap "blocks.1.attm"; it has blocks.0.norm,/);
    expect(() => withTaps(p, ["blocks.1.attm"])).toThrow(ShapeError);
  });
});
