// The calls of `run` and `replay`: what they return with taps, and what they refuse.
import { describe, expect, expectTypeOf, test } from "vitest";
import { reference } from "../../../src/kernels/reference/index.ts";
import { replay, run } from "../../../src/kernels/replay.ts";
import { Linear } from "../../../src/nn/linear.ts";
import { initialize } from "../../../src/nn/state-dict.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { tap } from "../../../src/tensor/program/apply.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { flat, type Tensor, tensor } from "../../../src/tensor/tensor.ts";

class Twice {
  readonly first = new Linear("d -> d", 2, 2);
  readonly second = new Linear("d -> d", 2, 2);
  forward(x: Tensor<"b d">): Tensor<"b d"> {
    return tap(this.second, "out", this.second.forward(tap(this.first, "out", this.first.forward(x))));
  }
}
const model = initialize(new Twice(), 1);
const x = tensor("b d", [[1, 2]]);
const f = () => model.forward(x);
const backend = reference("float64");

test("[tap.choose] run returns the output, and with taps both", async () => {
  const alone = await run(backend, f, { model });
  expectTypeOf(alone).toEqualTypeOf<Tensor>();
  const both = await run(backend, f, { model, taps: ["first.out"] });
  expectTypeOf(both).toEqualTypeOf<{
    readonly outputs: Tensor;
    readonly taps: Readonly<Record<string, Tensor>>;
  }>();
  expect(Object.keys(both.taps)).toEqual(["first.out"]);
  expect([...flat(both.outputs.data)]).toEqual([...flat(alone.data)]);
  expect([...flat(both.taps["first.out"]?.data ?? alone.data)]).toEqual([
    ...flat(model.first.forward(x).data),
  ]);
  expect(await run(backend, f, { model, taps: [] })).toHaveProperty("outputs");
});

// Calls as JavaScript can make them.
type Call = (...args: readonly unknown[]) => Promise<unknown>;
const loose = run as unknown as Call;
const looseReplay = replay as unknown as Call;

describe("refusals", () => {
  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      "an option with a misspelt name",
      () => loose(backend, f, { model, tap: ["first.out"] }),
      /run has no option "tap" \(did you mean "taps"\?\)/,
    ],
    [
      "an option of replay alone",
      () => loose(backend, f, { symbolic: true }),
      /run has no option "symbolic".*known are bind, taps, keep, signal, onProgress, model, inputs/,
    ],
    [
      "an option of run given to replay",
      () => looseReplay(record(f), backend, { model }),
      /replay has no option "model"/,
    ],
    [
      "a promise of a backend",
      () => loose(Promise.resolve(backend), f),
      /run takes a backend.*await it first/,
    ],
    ["no function", () => loose(backend, f()), /run takes a function.*not object/],
    [
      "options that are a list",
      () => loose(backend, f, ["first.out"]),
      /takes an object of options, not a list/,
    ],
    ["options that are null", () => loose(backend, f, null), /takes an object of options, not null/],
    ["taps that are one name", () => loose(backend, f, { model, taps: "first.out" }), /taps is not a list/],
  ])("[options.known] %s is refused", async (_, call, words) => {
    await expect(call()).rejects.toThrow(words);
    await expect(call()).rejects.toThrow(RuleError);
  });

  test.each<[string, readonly string[], RegExp]>([
    ["a last part", ["out"], /no tap "out"; did you mean first\.out, second\.out\?/],
    ["a misspelt name", ["first.uot"], /did you mean first\.out\?/],
    ["another name", ["attn.scores"], /it has first\.out, second\.out/],
    ["a name of every object", ["toString"], /no tap "toString"/],
  ])("[tap.choose] %s is an error with the nearest names", async (_, taps, words) => {
    await expect(run(backend, f, { model, taps })).rejects.toThrow(words);
    await expect(run(backend, f, { model, taps })).rejects.toThrow(ShapeError);
    await expect(replay(record(f, { model }), backend, { taps })).rejects.toThrow(words);
  });

  test("[tap.choose] of many taps the first twelve are listed; without names the model is missing", async () => {
    const many = () => Array.from({ length: 15 }, (_, i) => i).reduce((y) => tap({}, "one", y), x as Tensor);
    await expect(run(backend, many, { taps: ["other"] })).rejects.toThrow(/Object\.one@12 and 3 more/);
    await expect(run(backend, () => x, { taps: ["other"] })).rejects.toThrow(/it has none.*`model`/);
  });
});

test("[record.outputs] a function that returns anything but tensors is refused, and says what it returned", async () => {
  const x = tensor("a", [1, 2]);
  const wrong: readonly (readonly [() => unknown, RegExp])[] = [
    [async () => x, /not a promise {2}\[record\.outputs\]/],
    [() => "x", /not string {2}\[/],
    [() => null, /not null {2}\[/],
    [() => undefined, /not undefined {2}\[/],
    [() => [x], /not a list {2}\[/],
    [() => ({ out: x, other: Promise.resolve(x) }), /returned a promise as "other"/],
    [() => ({ out: [1] }), /returned a list as "out"/],
  ];
  for (const [f, words] of wrong) {
    await expect(run(reference(), f as never)).rejects.toThrow(words);
    expect(() => record(f as never)).toThrow(ShapeError);
  }
  expect(Object.keys(await run(reference(), () => ({ a: x, b: x })))).toEqual(["a", "b"]);
});
