// The executable half of 71-optimizers.md.

import { describe, expect, test } from "vitest";
import { releaseMessage } from "../../../src/conformance/releases/message.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { flat, Tensor, tensor, view } from "../../../src/tensor/tensor.ts";
import { accumulateGradients, clipGradients, globalNorm } from "../../../src/training/gradient-maps.ts";
import { adamw } from "../../../src/training/optimizers/adamw.ts";
import { adamw8bit } from "../../../src/training/optimizers/eight-bit/adamw.ts";
import { lion } from "../../../src/training/optimizers/lion.ts";
import type { Optimizer } from "../../../src/training/optimizers/optimizer.ts";
import { sgd } from "../../../src/training/optimizers/sgd.ts";
import { stableAdamW } from "../../../src/training/optimizers/stable-adamw.ts";
import { schedule } from "../../../src/training/schedules.ts";
import { expectedFactors, schedules, trainingCase, worstOf } from "../../support/fixtures/training/case.ts";
import { refusal } from "../../support/properties/refusals.ts";

const TORCH = 1e-10;

describe("five steps of torch", () => {
  test.each([
    [
      "adamw-flamingo",
      "[adamw.step] [adamw.decoupled] [adamw.bias-correction] [clip.torch] [accumulate.sum]",
    ],
    ["adamw-text", "[adamw.step] [adamw.bias-correction]"],
    ["sgd-nesterov", "[sgd.nesterov] [sgd.first] [sgd.decay] [accumulate.sum]"],
    ["sgd-dampened", "[sgd.momentum] [sgd.first]"],
  ])("[adamw.step] [adamw.bias-correction] [sgd.momentum] [sgd.decay] %s: %s", async (id) => {
    const worst = await worstOf(trainingCase(id));
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(TORCH);
  });

  const wrong: [rules: string, id: string, changes: object][] = [
    ["[adamw.decoupled]", "adamw-flamingo", { undecayed: false }],
    ["[clip.torch]", "adamw-flamingo", { clipAt: 0.500001 }],
    ["[accumulate.sum]", "sgd-nesterov", { parts: [1, 0.200001] }],
    [
      "[sgd.nesterov]",
      "sgd-nesterov",
      { optimizer: { kind: "sgd", learningRate: 0.1, momentum: 0.9, weightDecay: 0.01 } },
    ],
    [
      "[sgd.first]",
      "sgd-dampened",
      { optimizer: { kind: "sgd", learningRate: 0.1, momentum: 0.8, dampening: 0.31 } },
    ],
    ["[schedule.warmup]", "adamw-text", { schedule: { kind: "constant" } }],
  ];
  test.each(wrong)("%s another option gives other numbers than torch: %s %j", async (_, id, changes) => {
    expect(await worstOf(trainingCase(id, changes))).toBeGreaterThan(100 * TORCH);
  });
});

test("[schedule.warmup] [schedule.linear] [schedule.cosine] [schedule.floor] the factors of torch's schedulers", () => {
  for (const [i, options] of schedules.entries()) {
    const expected = expectedFactors(i);
    const factor = schedule(options);
    expect(expected).toHaveLength(15);
    expected.forEach((x, step) => {
      expect([i, step, factor(step)]).toEqual([i, step, expect.closeTo(x, 12)]);
    });
  }
  expect(new Set(schedules.map(({ kind }) => kind))).toEqual(new Set(["constant", "linear", "cosine"]));
});

test("[schedule.floor] the factor stays at the floor", () => {
  for (const kind of ["linear", "cosine"] as const)
    expect(schedule({ kind, steps: 4, floor: 0.25 })(1e6)).toBeCloseTo(0.25, 12);
});

test("[schedule.steps] a decaying schedule needs more steps than its warm-up", () => {
  for (const options of [{ kind: "linear" }, { kind: "cosine", warmup: 5, steps: 5 }] as const)
    expect(() => schedule(options)).toThrow("needs more steps");
  expect(schedule({})(1e9)).toBe(1);
});

const one = (x: number): Tensor => tensor("n", [1], Float64Array.of(x));
const numberOf = (t: Tensor | undefined): number => (t ? (flat(t.data)[0] ?? Number.NaN) : Number.NaN);
const kinds: [string, (names: string[], weightDecay?: number) => Optimizer][] = [
  ["adamw", (names, weightDecay = 0.1) => adamw({ groups: [{ names }], weightDecay })],
  ["sgd", (names, weightDecay = 0.1) => sgd({ groups: [{ names }], weightDecay, momentum: 0.9 })],
  ["lion", (names, weightDecay = 0.1) => lion({ groups: [{ names }], weightDecay })],
  ["stableAdamW", (names, weightDecay = 0.1) => stableAdamW({ groups: [{ names }], weightDecay })],
  [
    "adamw8bit",
    (names, weightDecay = 0.1) => adamw8bit({ groups: [{ names }], weightDecay, min8bitSize: 0 }),
  ],
];

describe.each(kinds)("%s", (_, make) => {
  test("[optimizer.missing-gradient] a parameter without a gradient does not change", () => {
    const parameters = new Map([
      ["a", one(2)],
      ["b", one(3)],
    ]);
    const optimizer = make(["a", "b"]);
    optimizer.step(parameters, new Map([["a", one(1)]]));
    expect(numberOf(parameters.get("a"))).not.toBe(2);
    expect(numberOf(parameters.get("b"))).toBe(3);
    expect([...optimizer.state().keys()].filter((key) => key.endsWith(".b"))).toEqual([]);
  });

  test("[optimizer.fresh] [optimizer.float64] old arrays keep their numbers; new ones are float64", () => {
    const before = Float32Array.of(0.1);
    const p = new Tensor([1], view(before, [1]));
    const optimizer = make(["p"]);
    optimizer.step(new Map([["p", p]]), new Map([["p", one(1e-6)]]));
    expect(before).toEqual(Float32Array.of(0.1));
    if (optimizer.kind === "adamw-8bit") return; // in float32: 71-adamw-8bit.spec.ts
    expect(p.data.data).toBeInstanceOf(Float64Array);
    expect(numberOf(p)).not.toBe(Math.fround(numberOf(p)));
  });

  test("[optimizer.factor] a factor that is negative or not finite is refused, and nothing changes", () => {
    const optimizer = make(["p"]);
    const parameters = new Map([["p", one(2)]]);
    for (const factor of [Number.NaN, -1, Number.POSITIVE_INFINITY, "1"])
      expect(() => optimizer.step(parameters, parameters, factor as number)).toThrow(/factor is/);
    expect(numberOf(parameters.get("p"))).toBe(2);
    expect(optimizer.state().size).toBe(0);
    optimizer.step(parameters, parameters, 0);
    expect(numberOf(parameters.get("p"))).toBe(2);
  });

  test("[optimizer.groups] a parameter in two groups, or missing from the model, is refused", () => {
    expect(() => make(["p", "q", "p"])).toThrow('"p" is in two parameter groups');
    expect(() => make(["p"]).step(new Map(), new Map())).toThrow('no parameter "p"');
  });

  test("[adamw.bias-correction] [sgd.first] [optimizer.state] steps after storing and loading the state are the same", () => {
    const run = (stops: boolean) => {
      const p = one(1);
      let optimizer = make(["p"]);
      for (let step = 0; step < 4; step++) {
        optimizer.step(new Map([["p", p]]), new Map([["p", one(0.3 * step - 0.2)]]));
        if (!stops) continue;
        const state = optimizer.state();
        optimizer = make(["p"]);
        optimizer.load(state);
      }
      return { value: numberOf(p), state: optimizer.state() };
    };
    expect(run(true)).toEqual(run(false));
    const optimizer = make(["p"]);
    const before = optimizer.state();
    expect(() => optimizer.load(new Map([["exp_avg.q", one(1)]]))).toThrow('no place for "exp_avg.q"');
    expect(optimizer.state()).toEqual(before);
  });

  test("[optimizer.state] state that was taken, or loaded, is not changed by later steps", () => {
    const numbers = (state: ReturnType<Optimizer["state"]>) =>
      [...state].map(([key, t]) => [key, [...t.flat()]]);
    const step = (optimizer: Optimizer, g: number) =>
      optimizer.step(new Map([["p", one(1)]]), new Map([["p", one(g)]]));
    const optimizer = make(["p"]);
    step(optimizer, 0.3);
    const taken = optimizer.state();
    const before = numbers(taken);
    step(optimizer, -0.7);
    expect(numbers(taken)).toEqual(before);
    expect(numbers(optimizer.state())).not.toEqual(before);
    const other = make(["p"]);
    other.load(taken);
    step(other, -0.7);
    expect(numbers(taken)).toEqual(before);
  });
});

test("[optimizer.groups] a group's rates of 0 are its own, and not the others'", () => {
  for (const optimizer of [adamw, sgd, stableAdamW]) {
    const groups = [
      { names: ["still"], learningRate: 0 },
      { names: ["kept"], weightDecay: 0 },
      { names: ["p"] },
    ];
    const parameters = new Map(["still", "kept", "p"].map((name) => [name, one(2)]));
    optimizer({ groups, learningRate: 0.5, weightDecay: 0.1 }).step(
      parameters,
      new Map([...parameters.keys()].map((name) => [name, one(0)])),
    );
    // Without a gradient only the decay moves a parameter, by rate · decay · value.
    expect([...parameters.values()].map(numberOf)).toEqual([2, 2, 2 - 0.5 * 0.1 * 2]);
  }
});

describe("loaded state", () => {
  const sizes = new Map([["p", tensor("n", [1, 2])]]);
  const values = (...x: number[]): Tensor => tensor("n", x);
  const adam = { "exp_avg.p": values(1, 2), "exp_avg_sq.p": values(1, 2), "step.p": values(3) };
  const momentum = { "momentum_buffer.p": values(1, 2) };
  const without = (name: keyof typeof adam) =>
    Object.fromEntries(Object.entries(adam).filter(([key]) => key !== name));
  const makeAdam = () => adamw({ groups: [{ names: ["p"] }] });
  const makeSgd = (rate = 0.9) => sgd({ groups: [{ names: ["p"] }], momentum: rate });
  const wrong: [string, () => Optimizer, Record<string, Tensor>, string][] = [
    ["no first moment", makeAdam, without("exp_avg.p"), '"exp_avg.p" is missing'],
    ["no second moment", makeAdam, without("exp_avg_sq.p"), '"exp_avg_sq.p" is missing'],
    ["no count of steps", makeAdam, without("step.p"), '"step.p" is missing'],
    ["an unknown parameter", makeAdam, { ...adam, "exp_avg.q": values(1, 2) }, 'no place for "exp_avg.q"'],
    ["state of sgd", makeAdam, momentum, 'no place for "momentum_buffer.p"'],
    ["a moment of NaN", makeAdam, { ...adam, "exp_avg.p": values(1, Number.NaN) }, "not finite"],
    [
      "moments that are too long",
      makeAdam,
      { ...adam, "exp_avg.p": values(1, 2, 3), "exp_avg_sq.p": values(1, 2, 3) },
      "has 3 elements instead of 2",
    ],
    ["a negative mean of squares", makeAdam, { ...adam, "exp_avg_sq.p": values(1, -1e-30) }, "0 or above"],
    ["a count of −1", makeAdam, { ...adam, "step.p": values(-1) }, "from 1 up"],
    ["state of adamw", makeSgd, adam, 'no place for "exp_avg.p"'],
    ["an infinite velocity", makeSgd, { "momentum_buffer.p": values(1, -Infinity) }, "not finite"],
    [
      "a velocity that is too short",
      makeSgd,
      { "momentum_buffer.p": values(1) },
      "has 1 elements instead of 2",
    ],
    ["a velocity without momentum", () => makeSgd(0), momentum, 'no place for "momentum_buffer.p"'],
  ];
  test.each(wrong)(
    "[optimizer.state] with %s it is refused, and the old state stays",
    (_, make, state, words) => {
      const optimizer = make();
      optimizer.step(new Map([["p", tensor("n", [1, 2])]]), new Map([["p", tensor("n", [3, 4])]]));
      const before = optimizer.state();
      expect(() => optimizer.load(new Map(Object.entries(state)), sizes)).toThrow(LoadError);
      expect(() => optimizer.load(new Map(Object.entries(state)), sizes)).toThrow(words);
      expect(optimizer.state()).toEqual(before);
    },
  );

  test("[optimizer.state] moments of different sizes are refused without the parameters, too", () => {
    const state = new Map(Object.entries({ ...adam, "exp_avg.p": values(1) }));
    expect(() => makeAdam().load(state)).toThrow("have different sizes");
  });

  test.each([makeAdam, makeSgd])(
    "[optimizer.state] a step with sizes that do not fit changes no parameter",
    (make) => {
      const optimizer = make();
      const [p, q] = [tensor("n", [1, 2]), tensor("n", [5])];
      const gradients = new Map([["p", tensor("n", [1])]]);
      expect(() => optimizer.step(new Map([["p", p]]), gradients)).toThrow('"p" has 2 elements');
      const state = optimizer.kind === "sgd" ? { "momentum_buffer.p": values(1, 2) } : adam;
      optimizer.load(new Map(Object.entries(state)));
      expect(() => optimizer.step(new Map([["p", q]]), new Map([["p", q]]))).toThrow('"p" has 1 elements');
      expect([[...flat(p.data)], [...flat(q.data)]]).toEqual([[1, 2], [5]]);
    },
  );

  test("[optimizer.state] state that fits is restored", () => {
    const optimizer = makeAdam();
    optimizer.load(new Map(Object.entries(adam)), sizes);
    expect(
      [...optimizer.state()].map(([name, t]) => [name, [...(t instanceof Tensor ? flat(t.data) : t.flat())]]),
    ).toEqual([
      ["exp_avg.p", [1, 2]],
      ["exp_avg_sq.p", [1, 2]],
      ["step.p", [3]],
    ]);
  });
});

test("[adamw.bias-correction] the first step is as long as the learning rate, whatever the gradient", () => {
  for (const g of [1e-3, 7, -40]) {
    const p = one(0);
    adamw({ groups: [{ names: ["p"] }], learningRate: 0.25 }).step(
      new Map([["p", p]]),
      new Map([["p", one(g)]]),
    );
    expect(numberOf(p)).toBeCloseTo(-0.25 * Math.sign(g), 5);
  }
});

test.each([
  ["AdamW", adamw, [0.998_632_653_709_985_6, -2.001_867_461_376_680_3, 0.501_694_564_829_128_4]],
  ["SGD", sgd, [0.999_999_999_98, -2.004_250_000_000_000_3, 0.502]],
] as const)("[adamw.step] [sgd.first] the defaults are those of torch.optim.%s", (_, optimizer, expected) => {
  // torch 2.13.0, in float64, with no other arguments. The first element's gradients are as small as ε.
  const p = tensor("n", [1, -2, 0.5]);
  const { step } = optimizer({ groups: [{ names: ["p"] }] });
  const gradients = [[1e-8, 0.5, -3], [2e-8, -0.25, 1], [-1e-8, 4, 0]]; // biome-ignore format: three steps
  for (const g of gradients) step(new Map([["p", p]]), new Map([["p", tensor("n", g)]]));
  for (const [i, x] of [...p.flat()].entries())
    expect(Math.abs(x / (expected[i] ?? Number.NaN) - 1)).toBeLessThan(1e-14);
});

test("[clip.global] [clip.torch] all gradients are clipped as one vector", () => {
  const gradients = new Map([
    ["a", tensor("n", [3, 0])],
    ["b", tensor("n", [0, 4])],
  ]);
  expect(globalNorm(gradients)).toBe(5);
  expect(clipGradients(gradients, 5.1)).toEqual({ norm: 5, gradients });
  const { norm, gradients: short } = clipGradients(gradients, 1);
  expect(norm).toBe(5);
  expect(globalNorm(short)).toBeCloseTo(1, 6);
  expect(numberOf(short.get("a"))).toBeCloseTo(3 / 5, 6);
});

test("[accumulate.sum] gradients are added with their weights, and their arrays do not change", () => {
  const [a, b] = [
    new Map([["x", one(2)]]),
    new Map([
      ["x", one(5)],
      ["y", one(1)],
    ]),
  ];
  const sum = accumulateGradients(accumulateGradients(null, a, 0.5), b, 0.1);
  expect([...sum].map(([name, t]) => [name, numberOf(t)])).toEqual([
    ["x", 1.5],
    ["y", 0.1],
  ]);
  expect([numberOf(a.get("x")), numberOf(b.get("x"))]).toEqual([2, 5]);
  for (const weight of [1, 3, -1, 0])
    expect(numberOf(accumulateGradients(null, a, weight).get("x"))).toBe(2 * weight);
});

test("[sgd.nesterov] Nesterov momentum without momentum, or with dampening, is refused as by torch", () => {
  const groups = [{ names: ["w"] }];
  for (const options of [{}, { momentum: 0.9, dampening: 0.1 }]) {
    const error = refusal(() => sgd({ groups, nesterov: true, ...options }));
    // torch 2.13.0
    expect([error.rule, releaseMessage(error)]).toEqual([
      "sgd.nesterov",
      "ValueError: Nesterov momentum requires a momentum and zero dampening",
    ]);
  }
  expect(() => sgd({ groups, nesterov: true, momentum: 0.9 })).not.toThrow();
});

test("[optimizer.groups] decay rates of means are below 1, as in torch", () => {
  for (const betas of [[0.9, 1], [1, 0.9], [-0.1, 0.9], [0.9], [0.9, 0.9, 0.9], "01"])
    for (const optimizer of [adamw, stableAdamW, adamw8bit])
      expect(refusal(() => optimizer({ groups: [], betas: betas as never })).message).toContain("betas is");
  for (const optimizer of [adamw, stableAdamW, adamw8bit])
    expect(() => optimizer({ groups: [], betas: [0, 0.999_999] })).not.toThrow();
});

test("[optimizer.groups] names and rates of a group are checked", () => {
  for (const group of [
    null,
    3,
    {},
    { names: "w" },
    { names: [1] },
    { names: ["w"], learningRate: NaN },
    { names: ["w"], lr: 1 },
  ])
    for (const optimizer of [adamw, sgd, lion, stableAdamW, adamw8bit])
      expect(refusal(() => optimizer({ groups: [group] as never })).message).toContain("a parameter group");
});
