// The executable half of 72-kosmos.md. Expected values: laws (a batch in parts is the batch), counts by hand, and sums of gradients written out.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Kosmos } from "../../../src/models/kosmos/kosmos.ts";
import { IGNORED } from "../../../src/nn/cross-entropy.ts";
import { parameterNames, stateDict } from "../../../src/nn/state-dict.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { flat, Int } from "../../../src/tensor/tensor.ts";
import { shuffledOrder } from "../../../src/training/data-order.ts";
import { accumulateGradients } from "../../../src/training/gradient-maps.ts";
import { kosmosTraining } from "../../../src/training/kosmos/behaviour.ts";
import { loadKosmosRun, saveKosmosRun } from "../../../src/training/kosmos/run.ts";
import {
  type KosmosStep,
  type KosmosTrainingBatch,
  type TrainKosmosOptions,
  trainKosmos,
} from "../../../src/training/kosmos/train.ts";
import { adamw } from "../../../src/training/optimizers/adamw.ts";
import type { Named } from "../../../src/training/optimizers/optimizer.ts";
import { sgd } from "../../../src/training/optimizers/sgd.ts";
import { schedule } from "../../../src/training/schedules.ts";
import { lossAndGradients } from "../../../src/training/step.ts";
import { trainable } from "../../../src/training/trainable.ts";
import { temporary } from "../../support/fixtures/temporary.ts";
import { bits, changedNames } from "../../support/fixtures/training/tiny.ts";
import { tinyBatch, tinyKosmos } from "../../support/fixtures/training/tiny-kosmos.ts";
import { refusal } from "../../support/properties/refusals.ts";

const workspace = temporary();

type Options = Partial<TrainKosmosOptions>;

/** A run over six samples in a shuffled order, two a micro-batch, with AdamW on the parameters that the paper trains. */
function tinyRun(options: Options = {}): TrainKosmosOptions {
  const model = options.model ?? tinyKosmos(1, 0.1);
  const order = shuffledOrder(6, 9);
  const batch = (position: number) => tinyBatch([order(2 * position), order(2 * position + 1)]);
  const groups = [{ names: trainable(model, "paper") }];
  const optimizer = adamw({ groups, learningRate: 0.02, weightDecay: 0.01 });
  return { model, optimizer, batch, steps: 3, ...options };
}

async function all(options: TrainKosmosOptions): Promise<KosmosStep[]> {
  const steps: KosmosStep[] = [];
  for await (const step of trainKosmos(options)) steps.push(step);
  return steps;
}

/** The loss of `Kosmos.loss` on samples, and its gradients of the trained parameters. */
const gradientsOf = (model: Kosmos, samples: readonly number[], names = trainable(model, "paper")) =>
  lossAndGradients(() => model.loss(tinyBatch(samples)), { model, names });

const countOf = ({ targets }: KosmosTrainingBatch): number =>
  targets.flat().filter((id) => id !== IGNORED).length;

/** The largest difference of two sets of gradients, of which the first is not zero. */
function difference(a: Named, b: Named): number {
  expect([...a.keys()].sort()).toEqual([...b.keys()].sort());
  let worst = 0;
  for (const [name, t] of a) {
    const other = flat(b.get(name)?.data ?? t.data);
    flat(t.data).forEach((x, i) => {
      worst = Math.max(worst, Math.abs(x - (other[i] ?? Number.NaN)));
    });
  }
  return worst;
}

/** What a step of plain gradient descent at rate 1 subtracts: the gradient that the loop made. */
async function loopGradient(options: Options): Promise<{ step: KosmosStep; gradients: Named }> {
  const model = tinyKosmos();
  const names = trainable(model, "paper");
  let gradients: Named = new Map();
  const optimizer = {
    ...sgd({ groups: [{ names }], learningRate: 1 }),
    step: (_: Named, found: Named) => {
      gradients = found;
    },
  };
  const [step] = await all({ ...tinyRun({ model }), optimizer, steps: 1, ...options });
  if (!step) throw new Error("no step");
  return { step, gradients };
}

describe("parts of a step", () => {
  const halves = [
    [0, 1],
    [2, 3],
  ] as const;
  const batch = (position: number) => tinyBatch(halves[position] ?? []);

  test("[trainkosmos.mean] micro-batches with different numbers of targets are one batch", async () => {
    const [a, b] = halves.map((half) => countOf(tinyBatch(half)));
    expect(a).not.toBe(b); // otherwise the mean of means would do
    const whole = await loopGradient({ batch: () => tinyBatch([0, 1, 2, 3]) });
    const parts = await loopGradient({ batch, accumulation: 2 });
    expect(parts.step.loss).toBeCloseTo(whole.step.loss, 12);
    expect(parts.step.targets).toBe((a ?? 0) + (b ?? 0));
    expect(difference(whole.gradients, parts.gradients)).toBeLessThan(1e-13);
  });

  test('[trainkosmos.mean] with "micro-batches" the loss is the mean of their means, as accelerate has it', async () => {
    const model = tinyKosmos();
    const [first, second] = [await gradientsOf(model, [0, 1]), await gradientsOf(model, [2, 3])];
    const expected = accumulateGradients(
      accumulateGradients(null, first.gradients, 0.5),
      second.gradients,
      0.5,
    );
    const found = await loopGradient({ batch, accumulation: 2, behaviour: { mean: "micro-batches" } });
    expect(found.step.loss).toBeCloseTo((first.loss + second.loss) / 2, 12);
    expect(difference(expected, found.gradients)).toBeLessThan(1e-13);
    const byTargets = await loopGradient({ batch, accumulation: 2 });
    expect(difference(byTargets.gradients, found.gradients)).toBeGreaterThan(1e-6);
  });

  test("[trainkosmos.shards] gradients of processes, averaged with their numbers of targets, are those of one process", async () => {
    const model = tinyKosmos();
    const shards = [[0], [1, 2], [3, 4, 5]];
    const counts = shards.map((shard) => countOf(tinyBatch(shard)));
    const total = counts.reduce((sum, n) => sum + n, 0);
    let sum: Named | null = null;
    for (const [i, shard] of shards.entries()) {
      const { gradients } = await gradientsOf(model, shard); // each process has a copy of the model and its own samples
      sum = accumulateGradients(sum, gradients, (counts[i] ?? 0) / total);
    }
    const { gradients } = await gradientsOf(model, [0, 1, 2, 3, 4, 5]);
    expect(difference(gradients, sum ?? new Map())).toBeLessThan(1e-13);
  });

  test("[trainkosmos.shards] three processes that exchange gradients stay equal to each other and to one process", async () => {
    const whole = (step: number): number[][] => [[step], [step + 1, step + 2], [step + 3]];
    const one = tinyRun({ model: tinyKosmos(), batch: (step) => tinyBatch(whole(step).flat()) });
    await all(one);
    const processes = whole(0).map(() => tinyRun({ model: tinyKosmos() }));
    for (let step = 0; step < 3; step++) {
      const shards = whole(step);
      const counts = shards.map((shard) => countOf(tinyBatch(shard)));
      const total = counts.reduce((sum, n) => sum + n, 0);
      let sum: Named | null = null;
      for (const [i, { model }] of processes.entries()) {
        const { gradients } = await gradientsOf(model, shards[i] ?? []);
        sum = accumulateGradients(sum, gradients, (counts[i] ?? 0) / total);
      }
      for (const { model, optimizer } of processes) optimizer.step(stateDict(model), sum ?? new Map());
    }
    const [first, ...others] = processes.map(({ model }) => bits(model));
    for (const other of others) expect(other).toEqual(first);
    const trained = new Set(one.optimizer.names);
    const weightsOf = (model: Kosmos): Named =>
      new Map([...stateDict(model)].filter(([name]) => trained.has(name)));
    expect(difference(weightsOf(one.model), weightsOf(processes[0]?.model ?? one.model))).toBeLessThan(1e-9);
    expect(bits(one.model)).not.toEqual(bits(tinyKosmos()));
  });

  test("[trainkosmos.targets] a micro-batch without targets counts for nothing, and a step without any is refused", async () => {
    const none = (samples: readonly number[]): KosmosTrainingBatch => {
      const full = tinyBatch(samples);
      return {
        ...full,
        targets: new Int(
          full.targets.shape,
          full.targets.flat().map(() => IGNORED),
        ),
      };
    };
    const mixed = (position: number) => (position === 0 ? none([0, 1]) : tinyBatch([2, 3]));
    const alone = await loopGradient({ batch: () => tinyBatch([2, 3]) });
    const found = await loopGradient({ batch: mixed, accumulation: 2 });
    expect(found.step.targets).toBe(alone.step.targets);
    expect(difference(alone.gradients, found.gradients)).toBeLessThan(1e-15);
    const empty = all(tinyRun({ batch: () => none([0]) }));
    await expect(empty).rejects.toThrow(/no micro-batch of step 0 has a target/);
    const missing = all(tinyRun({ batch: () => ({ ...tinyBatch([0]), targets: null }) as never }));
    await expect(missing).rejects.toThrow(/micro-batch 0 has no targets/);
  });

  test("[trainkosmos.position] micro-batches are numbered on from step to step", async () => {
    const asked: number[] = [];
    const run = tinyRun({ accumulation: 2, steps: 4, from: { step: 1 } });
    await all({
      ...run,
      batch: (position) => {
        asked.push(position);
        return tinyBatch([position % 6]);
      },
    });
    expect(asked).toEqual([2, 3, 4, 5, 6, 7]);
  });
});

describe("the loop", () => {
  test("[trainkosmos.loss] [trainkosmos.loop] loss, perplexity, norm and factor of each step, from the model's own loss", async () => {
    const run = tinyRun({ model: tinyKosmos(), schedule: schedule({ kind: "linear", steps: 4 }) });
    const first = await lossAndGradients(() => run.model.loss(run.batch(0) as KosmosTrainingBatch), {
      model: run.model,
      names: run.optimizer.names,
    });
    const steps = await all(run);
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(steps.map(({ factor }) => factor)).toEqual([1, 0.75, 0.5]);
    expect(steps[0]?.loss).toBe(first.loss);
    let squares = 0;
    for (const g of first.gradients.values()) for (const x of flat(g.data)) squares += x * x;
    expect(steps[0]?.norm).toBeCloseTo(Math.sqrt(squares), 12);
    for (const { loss, perplexity } of steps) expect(perplexity / Math.E ** loss).toBeCloseTo(1, 13);
    expect(steps[0]?.targets).toBe(countOf(run.batch(0) as KosmosTrainingBatch));
  });

  test("[schedule.factor] a schedule that gives no finite number of at least 0 stops the run before a weight changes", async () => {
    for (const wrong of [Number.NaN, -0.1, undefined, "1"]) {
      const run = tinyRun({ schedule: (step) => (step === 1 ? (wrong as number) : 1) });
      const steps: KosmosStep[] = [];
      let after = bits(run.model);
      const loop = async () => {
        for await (const step of trainKosmos(run)) {
          steps.push(step);
          after = bits(run.model);
        }
      };
      await expect(loop()).rejects.toThrow(/the factor of step 1 is/);
      expect(steps).toHaveLength(1);
      expect(bits(run.model)).toEqual(after);
    }
  });

  test("[trainkosmos.targets] a batch that is no object is refused", async () => {
    for (const wrong of [null, undefined, 3])
      await expect(all(tinyRun({ batch: () => wrong as never }))).rejects.toThrow(
        /micro-batch 0 has no targets/,
      );
  });

  test("[trainkosmos.loop] the same seeds give the same weights, bit for bit", async () => {
    const runs = [
      tinyRun({ dropoutSeed: 3 }),
      tinyRun({ dropoutSeed: 3 }),
      tinyRun({ dropoutSeed: 4 }),
      tinyRun(),
    ];
    const weights: Map<string, string>[] = [];
    for (const run of runs) {
      await all(run);
      weights.push(bits(run.model));
    }
    expect(weights[1]).toEqual(weights[0]);
    expect(weights[2]).not.toEqual(weights[0]); // [trainkosmos.dropout]
    expect(weights[3]).not.toEqual(weights[0]); // no dropout
  });

  test("[trainkosmos.dropout] masks differ between steps and micro-batches, and dropout is off afterwards", async () => {
    const model = tinyKosmos(1, 0.5);
    const still = { ...sgd({ groups: [{ names: trainable(model, "paper") }] }), step: () => {} };
    const same = { model, optimizer: still, batch: () => tinyBatch([0, 1]), steps: 3 };
    const losses = (await all({ ...tinyRun(same), dropoutSeed: 1 })).map(({ loss }) => loss);
    expect(new Set(losses).size).toBe(3);
    const [pair] = await all({ ...tinyRun(same), dropoutSeed: 1, accumulation: 2, steps: 1 });
    expect(pair?.loss).not.toBe(losses[0]); // the second micro-batch has another mask than the first
    const without = (await all(tinyRun(same))).map(({ loss }) => loss);
    expect(new Set(without).size).toBe(1);
    expect(losses).not.toContain(without[0]);
  });

  test("[trainkosmos.checkpointing] with gradient checkpointing no number changes", async () => {
    const runs = [tinyRun(), tinyRun({ gradientCheckpointing: true })] as const;
    const found = [await all(runs[0]), await all(runs[1])];
    expect(found[1]).toEqual(found[0]);
    expect(bits(runs[1].model)).toEqual(bits(runs[0].model));
  });

  test.each([true, false])(
    "[trainkosmos.checkpointing] layers are computed again only where it is asked for: %s",
    async (gradientCheckpointing) => {
      const model = tinyKosmos();
      let asked = 0;
      const { layerOutputs } = model;
      Object.defineProperty(model, "layerOutputs", {
        get: () => {
          asked++;
          return layerOutputs;
        },
      });
      await all(tinyRun({ model, gradientCheckpointing, steps: 2 }));
      expect(asked).toBe(gradientCheckpointing ? 2 : 0); // once for each micro-batch
    },
  );

  test("[trainkosmos.clip] gradients are scaled once, to the limit over the norm plus 1e-6", async () => {
    const free = await loopGradient({});
    const limit = free.step.norm / 3;
    const found = await loopGradient({ clipAt: limit });
    const expected = accumulateGradients(null, free.gradients, limit / (free.step.norm + 1e-6));
    expect(found.step.norm).toBe(free.step.norm);
    expect(difference(expected, found.gradients)).toBeLessThan(1e-16);
    const parts = { batch: (i: number) => tinyBatch([i]), accumulation: 2 };
    const sum = await loopGradient(parts);
    const clipped = await loopGradient({ ...parts, clipAt: sum.step.norm / 2 });
    const half = accumulateGradients(null, sum.gradients, sum.step.norm / 2 / (sum.step.norm + 1e-6));
    expect(difference(half, clipped.gradients)).toBeLessThan(1e-16);
  });

  test("[trainkosmos.frozen] the image tower keeps every bit but in its last layer; all else that the loss reaches changes", async () => {
    const run = tinyRun({ model: tinyKosmos() });
    const before = bits(run.model);
    const { gradients } = await lossAndGradients(() => run.model.loss(run.batch(0) as KosmosTrainingBatch), {
      model: run.model,
      names: run.optimizer.names,
    });
    const [first] = await all(run);
    let squares = 0; // those of frozen parameters are not computed
    for (const g of gradients.values()) for (const x of flat(g.data)) squares += x * x;
    expect(first?.norm).toBeCloseTo(Math.sqrt(squares), 12);
    const changed = new Set(changedNames(before, bits(run.model)));
    const isTower = (name: string) => name.startsWith("clip_model.");
    expect(
      [...changed].filter(isTower).every((name) => name.startsWith("clip_model.encoder.layers.1.")),
    ).toBe(true);
    expect([...changed].filter(isTower).length).toBe(16); // four projections, two linears and two norms, weight and bias
    const still = parameterNames(run.model).filter((name) => !changed.has(name) && !isTower(name));
    expect(still).toEqual([]);
  });
});

const partsOf = ({ model, optimizer }: TrainKosmosOptions) => ({ model, optimizer });

describe("resuming", () => {
  const options: readonly [string, () => TrainKosmosOptions][] = [
    [
      "a run with dropout, a schedule and accumulation",
      () =>
        tinyRun({
          steps: 5,
          dropoutSeed: 2,
          accumulation: 2,
          schedule: schedule({ kind: "cosine", warmup: 1, steps: 5 }),
        }),
    ],
    [
      "a run that keeps gradients of untrained parameters",
      () => {
        const model = tinyKosmos();
        const names = parameterNames(model).filter((name) => name.includes("ffn") && name.endsWith("weight"));
        const optimizer = adamw({ groups: [{ names }], learningRate: 0.02 });
        return tinyRun({ model, optimizer, steps: 4, clipAt: 0.5, behaviour: { untrained: "kept" } });
      },
    ],
  ];
  test.each(options)("[trainkosmos.resume] after any step: %s", async (_, make) => {
    const straight = make();
    const initial = bits(straight.model);
    const all4 = await all(straight);
    expect(changedNames(initial, bits(straight.model))).toEqual(
      expect.arrayContaining([...straight.optimizer.names]),
    );
    for (let stop = 1; stop < straight.steps; stop++) {
      const path = join(workspace, `kosmos-${stop}.safetensors`);
      const first = make();
      for await (const step of trainKosmos(first)) {
        if (step.step < stop) continue;
        saveKosmosRun(path, partsOf(first), step);
        break;
      }
      const second = make();
      const from = loadKosmosRun(path, partsOf(second));
      expect(from.step).toBe(stop);
      expect(await all({ ...second, from })).toEqual(all4.slice(stop));
      expect(bits(second.model)).toEqual(bits(straight.model));
      expect(second.optimizer.state()).toEqual(straight.optimizer.state());
    }
  });

  test("[trainkosmos.resume] a checkpoint of other facts is refused, and nothing changes", async () => {
    const path = join(workspace, "facts.safetensors");
    const saved = tinyRun();
    saveKosmosRun(path, { ...partsOf(saved), facts: { recipe: "paper" } }, { step: 1 });
    const other = tinyRun({ model: tinyKosmos(2) });
    const before = bits(other.model);
    expect(() => loadKosmosRun(path, { ...partsOf(other), facts: { recipe: "mine" } })).toThrow(LoadError);
    expect(bits(other.model)).toEqual(before);
    expect(loadKosmosRun(path, { ...partsOf(other), facts: { recipe: "paper" } })).toEqual({ step: 1 });
  });
});

describe("untrained parameters", () => {
  test('[trainkosmos.untrained] [trainkosmos.frozen] with "kept" their gradients count in the norm, and add up from step to step', async () => {
    const model = tinyKosmos();
    const names = ["image_proj.weight"];
    const optimizer = { ...sgd({ groups: [{ names }], learningRate: 0 }) };
    const batch = () => tinyBatch([0, 1]);
    const everything = parameterNames(model);
    const { gradients } = await gradientsOf(model, [0, 1], everything);
    const squares = (of: (name: string) => boolean) => {
      let sum = 0;
      for (const [name, g] of gradients) if (of(name)) for (const x of flat(g.data)) sum += x * x;
      return sum;
    };
    const [own, others] = [squares((name) => names.includes(name)), squares((name) => !names.includes(name))];
    const shared = { ...tinyRun({ model, optimizer, batch, steps: 2 }) };
    const kept = await all({ ...shared, behaviour: { untrained: "kept" } });
    expect(kept[0]?.norm).toBeCloseTo(Math.sqrt(own + others), 12);
    expect(kept[1]?.norm).toBeCloseTo(Math.sqrt(own + 4 * others), 12); // twice the gradient, of which nothing was clipped
    const usual = await all({ ...shared, behaviour: { untrained: "none" } });
    expect(kosmosTraining.untrained).toBe("none"); // the default
    expect(await all(shared)).toEqual(usual);
    for (const step of usual) {
      expect(step.norm).toBeCloseTo(Math.sqrt(own), 12);
      expect(step.kept).toBeUndefined();
    }
    // Clipped to c, the first step leaves c / ‖g‖ of them, to which the second step's are added.
    const limit = Math.sqrt(own + others) / 2;
    const clipped = await all({ ...shared, clipAt: limit, behaviour: { untrained: "kept" } });
    expect(clipped[1]?.norm).toBeCloseTo(Math.sqrt(own + 1.5 ** 2 * others), 5);
  });
});

test("[options.values] [options.known] options are checked before the first step", () => {
  const good = tinyRun();
  const bad: Record<string, readonly unknown[]> = {
    model: [null, {}],
    optimizer: [null, {}],
    batch: [null, 5],
    steps: [-1, 1.5, NaN, "2", undefined],
    from: [null, {}, { step: -1 }, { step: 0.5 }],
    accumulation: [0, 1.5, "2", null],
    schedule: [null, 5],
    clipAt: [-1, NaN, "1"],
    loss: [null, 5],
    dropoutSeed: [NaN, 1.5, "1"],
    gradientCheckpointing: [null, 1],
    behaviour: [null, "kept"],
    backend: ["simd"],
    signal: [{}],
    clip: [1],
  };
  for (const [name, values] of Object.entries(bad))
    for (const value of values)
      expect(
        refusal(() => trainKosmos({ ...good, [name]: value } as never)).message,
        `${name} ${String(value)}`,
      ).toContain(name);
  for (const [name, value] of [
    ["mean", "tokens"],
    ["untrained", "all"],
    ["clipping", "step"],
  ])
    expect(
      refusal(() => trainKosmos({ ...good, behaviour: { [name as string]: value } as never })).message,
    ).toContain(String(name));
  expect(() => saveKosmosRun("x", { ...partsOf(good), model: null } as never, { step: 1 })).toThrow("model");
  expect(() => loadKosmosRun("x", { ...partsOf(good), model: 1 } as never)).toThrow("model");
});
