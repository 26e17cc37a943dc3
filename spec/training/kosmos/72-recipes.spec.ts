// The executable half of 72-recipes.md. Expected values: the arguments in train_kosmos.py and kosmosx/train.py, written down by hand; formulas; and
// steps of the released classes and optimisers (golden/cases/kosmos-training).
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parameterNames, stateDict } from "../../../src/nn/state-dict.ts";
import { flat, type Shape, sizeOf, Tensor, view } from "../../../src/tensor/tensor.ts";
import {
  type KosmosRecipe,
  type KosmosRecipeName,
  kosmosRecipes,
  recipeOptions,
} from "../../../src/training/kosmos/recipes.ts";
import { loadKosmosRun, saveKosmosRun } from "../../../src/training/kosmos/run.ts";
import { trainKosmos } from "../../../src/training/kosmos/train.ts";
import { trainable } from "../../../src/training/trainable.ts";
import { temporary } from "../../support/fixtures/temporary.ts";
import { worstOfKosmos } from "../../support/fixtures/training/kosmos-case.ts";
import { bits } from "../../support/fixtures/training/tiny.ts";
import { tinyBatch, tinyKosmos } from "../../support/fixtures/training/tiny-kosmos.ts";
import { refusal } from "../../support/properties/refusals.ts";

const workspace = temporary();
const TOLERANCE = 1e-10;
/** AdamW8bit works in float32: four units in the last place of the largest number. Its bytes are equal. */
const IN_FLOAT32 = 2 ** -21;

describe("steps of the sources", () => {
  test.each([
    [
      "paper",
      "[kosmosrecipe.trained] [kosmosrecipe.schedule] [trainkosmos.mean] [trainkosmos.groups] [trainkosmos.frozen]",
    ],
    ["paper-decay", "[kosmosrecipe.schedule] [trainkosmos.groups] [trainkosmos.resume]"],
    [
      "kosmosx-published",
      "[kosmosrecipe.published] [trainkosmos.untrained] [trainkosmos.linear-alone] [trainkosmos.clip]",
    ],
    [
      "reimplementation-published",
      "[kosmosrecipe.constant] [kosmosrecipe.embedding] [trainkosmos.published-loss]",
    ],
  ])("[kosmosrecipe.data] losses, norms, rates, weights and states of the optimiser: %s %s", async (id) => {
    const worst = await worstOfKosmos(id);
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(id === "reimplementation-published" ? IN_FLOAT32 : TOLERANCE);
  });

  test.each([
    ["paper-decay", "another schedule", { choice: { steps: 1001 } }],
    ["paper", "the mean of means", { options: { behaviour: { mean: "micro-batches" } } }],
    ["paper", "a limit of the norm", { options: { clipAt: 1 } }],
    ["kosmosx-published", "the groups as they were meant", { choice: { asPublished: false } }],
    [
      "kosmosx-published",
      "no gradients that are kept",
      { options: { behaviour: { mean: "micro-batches", untrained: "none" } } },
    ],
    ["kosmosx-published", "no limit of the norm", { options: { clipAt: null } }],
    [
      "reimplementation-published",
      "decay and schedule as they were meant",
      { choice: { asPublished: false } },
    ],
  ] as const)("[kosmosrecipe.published] %s differs with %s", async (id, _, changes) => {
    const differs = await worstOfKosmos(id, changes).then(
      (worst) => worst > 100 * TOLERANCE,
      (error: Error) => error.message.startsWith("nothing to compare"),
    );
    expect(differs).toBe(true);
  });
});

describe("recipes as data", () => {
  /** What the sources say, written down from arXiv 2302.14045, §3.2, the class CFG and the calls of train.py, and the arguments of train_kosmos.py. */
  const stated: readonly (readonly [KosmosRecipeName, Partial<KosmosRecipe>])[] = [
    [
      "paper",
      {
        trained: "paper",
        optimizer: {
          kind: "adamw",
          learningRate: 2e-4,
          betas: [0.9, 0.98],
          epsilon: 1e-6,
          weightDecay: 0.01,
        },
        schedule: { name: "linear", warmup: { steps: 375 }, steps: 300_000 },
        clipAt: null,
        batch: { tokens: 1_200_000 },
      },
    ],
    [
      "kosmosx@0.3.1",
      {
        trained: "kosmosx@0.3.1",
        optimizer: { kind: "lion", learningRate: 1e-4, betas: [0.9, 0.95], epsilon: null, weightDecay: 0.1 },
        schedule: { name: "cosine", warmup: { share: 0.01 }, steps: null },
        clipAt: 1,
        accumulation: 1,
        batch: { sequences: 1 },
        seed: 42,
        saveEvery: 1000,
        logEvery: 100,
      },
    ],
    [
      "KOSMOS_reimplementation@4300dc6",
      {
        trained: "paper",
        optimizer: {
          kind: "adamw-8bit",
          learningRate: 1e-5,
          betas: [0.9, 0.999],
          epsilon: 1e-8,
          weightDecay: 0.01,
        },
        schedule: { name: "linear", warmup: { steps: 0 }, steps: 100_000 },
        clipAt: null,
        batch: { sequences: 4 },
        saveEvery: 100,
        logEvery: 1,
      },
    ],
  ];
  test.each(stated)("[kosmosrecipe.data] %s", (name, numbers) => {
    expect(kosmosRecipes[name]).toMatchObject(numbers);
    expect(kosmosRecipes[name].source.length).toBeGreaterThan(20);
  });

  test("[kosmosrecipe.data] there are three", () => {
    expect(Object.keys(kosmosRecipes)).toEqual(stated.map(([name]) => name));
  });
});

describe("what a recipe gives to the loop", () => {
  const model = tinyKosmos();

  test("[kosmosrecipe.schedule] linear from 375 steps of warm-up to 0 at step 300,000; cosine after 1 % of the steps", () => {
    const paper = recipeOptions(model, "paper").schedule;
    for (const [step, factor] of [
      [0, 0],
      [1, 1 / 375],
      [375, 1],
      [150_187.5, 0.5],
      [300_000, 0],
    ] as const)
      expect(paper(step)).toBeCloseTo(factor, 12);
    expect(recipeOptions(model, "paper", { steps: 1000 }).schedule(1000)).toBe(0);
    const cosine = recipeOptions(model, "kosmosx@0.3.1", { steps: 299 }).schedule; // a warm-up of 2.99 steps is one of 2
    for (const [step, factor] of [
      [0, 0],
      [1, 0.5],
      [2, 1],
      [150.5, 0.5],
      [299, 0],
    ] as const)
      expect(cosine(step)).toBeCloseTo(factor, 12);
    expect(refusal(() => recipeOptions(model, "kosmosx@0.3.1")).message).toContain(
      "give the number of steps",
    );
  });

  test("[kosmosrecipe.constant] as published the rate of train_kosmos.py stays; as it was meant it falls", () => {
    const name = "KOSMOS_reimplementation@4300dc6";
    const published = recipeOptions(model, name, { asPublished: true }).schedule;
    expect([0, 1, 99_999, 1e6].map(published)).toEqual([1, 1, 1, 1]);
    expect(recipeOptions(model, name).schedule(50_000)).toBe(0.5);
  });

  test("[kosmosrecipe.trained] [kosmosrecipe.published] trained parameters, clipping and behaviour", () => {
    const of = (name: KosmosRecipeName, asPublished = false) =>
      recipeOptions(model, name, { steps: 10, asPublished });
    const frozen = trainable(model, "paper").sort();
    const everything = parameterNames(model).sort();
    const namesOf = (name: KosmosRecipeName, asPublished = false) =>
      [...of(name, asPublished).optimizer.names].sort();
    expect(namesOf("paper")).toEqual(frozen);
    expect(namesOf("KOSMOS_reimplementation@4300dc6")).toEqual(frozen);
    expect(namesOf("KOSMOS_reimplementation@4300dc6", true)).toEqual(frozen);
    expect(namesOf("kosmosx@0.3.1")).toEqual(everything);
    expect(namesOf("kosmosx@0.3.1", true).every((name) => name.endsWith("weight"))).toBe(true);
    expect(namesOf("kosmosx@0.3.1", true)).not.toContain("embed.weight");
    expect((["paper", "kosmosx@0.3.1"] as const).map((name) => of(name).clipAt)).toEqual([null, 1]);
    expect(of("kosmosx@0.3.1").behaviour).toEqual({ mean: "targets", untrained: "none" });
    expect(of("kosmosx@0.3.1", true).behaviour).toEqual({ mean: "micro-batches", untrained: "kept" });
    expect(of("kosmosx@0.3.1").accumulation).toBe(1);
  });

  /** The weights after one step with the same gradients of a recipe's optimiser. */
  const stepped = (name: KosmosRecipeName, learningRate: number) => {
    const one = tinyKosmos();
    const { optimizer } = recipeOptions(one, name, { steps: 10, learningRate });
    const state = stateDict(one);
    const ones = new Map([...state].map(([key, t]) => [key, new Tensor(t.shape, constantOf(t.shape, 1))]));
    optimizer.step(state, ones, 1);
    return one;
  };
  const constantOf = (shape: Shape, value: number) =>
    view(new Float64Array(sizeOf(shape)).fill(value), shape);
  const first = (of: object, name: string) => flat((stateDict(of).get(name) as Tensor).data)[0] ?? Number.NaN;

  test("[kosmosrecipe.data] rate and decay reach the optimiser: layers decay, tables do not", () => {
    for (const [name, decay, linear] of [
      ["paper", 0.01, "decoder.layers.0.ffn.fc1.weight"],
      ["kosmosx@0.3.1", 0.1, "decoder.layers.0.ffn.fc1.weight"],
    ] as const) {
      const after = stepped(name, 0.5);
      // Every first step of both optimisers subtracts the rate, for a gradient of 1.
      for (const [key, share] of [
        [linear, 1 - 0.5 * decay],
        ["embed.weight", 1],
      ] as const)
        expect(first(after, key)).toBeCloseTo(first(model, key) * share - 0.5, 5);
    }
  });

  test("[kosmosrecipe.trained] a recipe trains a model", async () => {
    const one = tinyKosmos();
    const before = bits(one);
    const recipe = recipeOptions(one, "kosmosx@0.3.1", { steps: 40, learningRate: 0.01 });
    const losses: number[] = [];
    for await (const { loss } of trainKosmos({
      model: one,
      batch: () => tinyBatch([0, 1]),
      steps: 40,
      ...recipe,
    }))
      losses.push(loss);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 2);
    expect(bits(one)).not.toEqual(before);
  });

  const choices = Object.keys(kosmosRecipes).flatMap((name) =>
    [false, true].map((asPublished) => [name as KosmosRecipeName, asPublished] as const),
  );
  test.each(choices)(
    "[trainkosmos.resume] after any step, %s, as published: %s",
    async (name, asPublished) => {
      const make = () => {
        const one = tinyKosmos(7, 0.1);
        const choice = { steps: 4, learningRate: 0.01, asPublished };
        const batch = (position: number) => tinyBatch([position, position + 3]);
        return { model: one, batch, steps: 4, dropoutSeed: 5, ...recipeOptions(one, name, choice) };
      };
      const partsOf = ({ model: one, optimizer }: ReturnType<typeof make>) => ({ model: one, optimizer });
      const straight = make();
      const initial = bits(straight.model);
      const steps = [];
      for await (const step of trainKosmos(straight)) steps.push(step);
      const final = bits(straight.model);
      expect(final).not.toEqual(initial);
      for (const stop of [1, 2, 3]) {
        const path = join(workspace, `${asPublished}-${stop}.safetensors`);
        const first = make();
        for await (const step of trainKosmos({ ...first, steps: stop }))
          if (step.step === stop) saveKosmosRun(path, partsOf(first), step);
        const second = make();
        const rest = [];
        for await (const step of trainKosmos({ ...second, from: loadKosmosRun(path, partsOf(second)) }))
          rest.push(step);
        expect(rest).toEqual(steps.slice(stop));
        expect(bits(second.model)).toEqual(final);
        expect(second.optimizer.state()).toEqual(straight.optimizer.state());
      }
    },
  );

  test("[options.values] [options.known] other names and choices are refused", () => {
    expect(refusal(() => recipeOptions(model, "kosmos" as "paper")).message).toContain("name");
    for (const other of [null, {}])
      expect(refusal(() => recipeOptions(other as never, "paper")).message).toContain("a Kosmos");
    for (const [choice, word] of [
      [{ steps: 0 }, "steps"],
      [{ learningRate: -1 }, "learningRate"],
      [{ asPublished: 1 }, "asPublished"],
      [{ grouping: "all" }, "grouping"],
    ] as const)
      expect(refusal(() => recipeOptions(model, "paper", choice as never)).message).toContain(word);
  });
});
