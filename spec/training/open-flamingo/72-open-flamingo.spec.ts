// The executable half of 72-open-flamingo.md. Expected gradients are sums of gradients of single batches, whose derivatives chapters 03 and
// 70 compare with finite differences; golden/cases/open-flamingo has losses and gradients of the package.
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { saveSafetensors } from "../../../src/io/safetensors/write.ts";
import { LlamaForCausalLM } from "../../../src/models/language-models/llama.ts";
import type { OpenFlamingo } from "../../../src/models/open-flamingo/flamingo.ts";
import { crossEntropy, nextLabels } from "../../../src/nn/cross-entropy.ts";
import { initialize, parameterNames, stateDict } from "../../../src/nn/state-dict.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { flat, type Int, Tensor, tensor, view } from "../../../src/tensor/tensor.ts";
import { loadCheckpoint, saveCheckpoint } from "../../../src/training/checkpoint.ts";
import { shuffledOrder } from "../../../src/training/data-order.ts";
import { flamingoTrainingProfiles } from "../../../src/training/open-flamingo/behaviour.ts";
import { flamingoGroups } from "../../../src/training/open-flamingo/groups.ts";
import { laionLabels, mmc4Labels } from "../../../src/training/open-flamingo/labels.ts";
import { flamingoLoss } from "../../../src/training/open-flamingo/loss.ts";
import { loadFlamingoRun, saveFlamingoRun } from "../../../src/training/open-flamingo/run.ts";
import {
  type FlamingoDataset,
  type FlamingoStep,
  type TrainFlamingoOptions,
  trainFlamingo,
} from "../../../src/training/open-flamingo/train.ts";
import { adamw } from "../../../src/training/optimizers/adamw.ts";
import type { Named, Optimizer } from "../../../src/training/optimizers/optimizer.ts";
import { sgd } from "../../../src/training/optimizers/sgd.ts";
import { lossAndGradients, stepProgram } from "../../../src/training/step.ts";
import { trainable } from "../../../src/training/trainable.ts";
import { weightsDigest } from "../../../src/training/weights-digest.ts";
import {
  batchOf,
  TOKENS,
  tinyDatasets,
  tinyOpenFlamingo,
} from "../../support/fixtures/open-flamingo/tiny.ts";
import { temporary } from "../../support/fixtures/temporary.ts";
import { bits, changedNames } from "../../support/fixtures/training/tiny.ts";
import { refusal } from "../../support/properties/refusals.ts";

const workspace = temporary();
const RELEASE = flamingoTrainingProfiles["open-flamingo@2.0.1"];
const TABLE = "lang_encoder.model.embed_tokens.weight";
const ids = { mediaTokenId: TOKENS.image, eocTokenId: TOKENS.eoc, padTokenId: TOKENS.pad };
const labelled = { laion: laionLabels, mmc4: mmc4Labels };

const adam = (
  model: OpenFlamingo,
  set: "open-flamingo" | "open-flamingo, frozen embeddings" = "open-flamingo",
) => adamw({ groups: flamingoGroups(model, trainable(model, set)), learningRate: 0.02 });

/** A step of gradient descent with a rate of 1 shows the gradient: what a parameter lost. */
const descent = (model: OpenFlamingo) =>
  sgd({ groups: [{ names: trainable(model, "open-flamingo") }], learningRate: 1 });

async function all(options: TrainFlamingoOptions): Promise<FlamingoStep[]> {
  const steps: FlamingoStep[] = [];
  for await (const step of trainFlamingo(options)) steps.push(step);
  return steps;
}

const runOf = (model: OpenFlamingo, optimizer: Optimizer, changes: Partial<TrainFlamingoOptions> = {}) => ({
  model,
  optimizer,
  datasets: tinyDatasets,
  padTokenId: TOKENS.pad,
  steps: 1,
  ...changes,
});

/** The gradient of one batch of a dataset. */
async function gradientOf(model: OpenFlamingo, dataset: FlamingoDataset, position: number): Promise<Named> {
  const batch = await dataset.batch(position);
  const rule = dataset.labels;
  const labels = typeof rule === "function" ? rule(batch.ids) : labelled[rule](batch.ids, ids);
  const names = trainable(model, "open-flamingo");
  return (await lossAndGradients(() => flamingoLoss(model, batch, labels), { model, names })).gradients;
}

/** Numbers by name, with those of embeddings that are not trained set to 0. */
type Numbers = Map<string, number[]>;
const numbersOf = (gradients: Named): Numbers =>
  new Map([...gradients].map(([name, g]) => [name, [...flat(g.data)]]));
function masked(gradients: Numbers): Numbers {
  const width = 8;
  const table = gradients.get(TABLE)?.map((x, i) => {
    const row = Math.floor(i / width);
    return row === TOKENS.image || row === TOKENS.eoc ? x : 0;
  });
  return new Map([...gradients, [TABLE, table ?? []]]);
}
function sumOf(parts: readonly (readonly [number, Numbers])[]): Numbers {
  const sum: Numbers = new Map();
  for (const [weight, part] of parts)
    for (const [name, x] of part) {
      const before = sum.get(name);
      sum.set(
        name,
        x.map((one, i) => weight * one + (before?.[i] ?? 0)),
      );
    }
  return sum;
}
const normOf = (gradients: Numbers): number => Math.hypot(...[...gradients.values()].flat());
const scaled = (gradients: Numbers, factor: number): Numbers => sumOf([[factor, gradients]]);
const clipped = (gradients: Numbers, c: number): Numbers =>
  scaled(gradients, Math.min(1, c / (normOf(gradients) + 1e-6)));

/** The gradient that a step applied: the difference of the weights. */
function applied(before: Named, model: OpenFlamingo): Numbers {
  const after = stateDict(model);
  return new Map(
    [...before].map(([name, old]) => {
      const now = flat(after.get(name)?.data ?? old.data);
      return [name, [...flat(old.data)].map((x, i) => x - (now[i] ?? 0))];
    }),
  );
}
const copies = (model: OpenFlamingo): Named =>
  new Map(
    trainable(model, "open-flamingo").map((name) => {
      const t = stateDict(model).get(name);
      const numbers = Float64Array.from(flat(t?.data ?? tensor("", 0).data));
      return [name, new Tensor(t?.shape ?? [], view(numbers, t?.shape ?? []))];
    }),
  );
function expectGradients(actual: Numbers, expected: Numbers): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, numbers] of expected)
    for (const [i, x] of numbers.entries())
      expect(Math.abs((actual.get(name)?.[i] ?? Number.NaN) - x), `${name} ${i}`).toBeLessThan(1e-12);
}

test("[trainflamingo.loss] the loss is the mean over the labels, as all logits give it", () => {
  const model = tinyOpenFlamingo();
  const batch = batchOf(["abIcdEIaE", "IbaEfIcEP"], 4);
  const labels = mmc4Labels(batch.ids, ids);
  const { images: visionX, ids: langX, mask } = batch;
  const attentionMask = named("b s", mask);
  const whole = () => {
    const { logits } = model.forward({ visionX, langX, attentionMask });
    return crossEntropy(logits, nextLabels(labels)).mean;
  };
  const value = (f: () => Tensor) =>
    flat(evaluate(record(() => ({ f: f() }), { model })).outputs.f?.data ?? tensor("", 0).data)[0];
  expect(value(() => flamingoLoss(model, batch, labels))).toBeCloseTo(value(whole) ?? Number.NaN, 13);
  const features = model.vision_encoder.forward(
    batch.images?.data ? imagesOf(batch.images) : tensor("b c h w", [[[[0]]]]),
  );
  const shaped = new Tensor<"b m s d">([2, 2, 4, 4], view(flat(features.data), [2, 2, 4, 4]));
  const encoded = { ids: batch.ids, mask: batch.mask, features: shaped };
  expect(value(() => flamingoLoss(model, encoded, labels))).toBe(
    value(() => flamingoLoss(model, batch, labels)),
  );
});

/** The images of a batch one by one. */
const imagesOf = ({ shape: [b = 0, m = 0, , c = 0, h = 0, w = 0], data }: Tensor): Tensor<"b c h w"> =>
  new Tensor([b * m, c, h, w], view(flat(data), [b * m, c, h, w]));

test("[trainflamingo.weights] [trainflamingo.position] [trainflamingo.embeddings] [trainflamingo.clip] a step applies the weighted sum of its micro-batches, masked and clipped once", async () => {
  const model = tinyOpenFlamingo({ dtype: "float32" });
  const before = copies(model);
  const parts: [number, Numbers][] = [];
  for (const position of [2, 3])
    for (const [i, dataset] of tinyDatasets.entries())
      parts.push([(i === 0 ? 0.2 : 1) / 2, numbersOf(await gradientOf(model, dataset, position))]);
  const sum = masked(sumOf(parts));
  const from = { step: 1, updates: 1 };
  const c = normOf(sum) / 3;
  const [step] = await all(runOf(model, descent(model), { accumulation: 2, from, steps: 2, clipAt: c }));
  expect(step?.norm).toBeCloseTo(normOf(sum), 10);
  expect(step?.step).toBe(2);
  expectGradients(applied(before, model), clipped(sum, c));
});

test("[trainflamingo.clip] without a limit nothing is clipped, and the default is a norm of 1", async () => {
  for (const [clipAt, limit] of [
    [null, Number.POSITIVE_INFINITY],
    [undefined, 1],
  ] as const) {
    const model = tinyOpenFlamingo({ dtype: "float32" });
    const before = copies(model);
    const heavy = tinyDatasets.map((one) => ({ ...one, weight: 40 }));
    const sum = masked(
      sumOf(
        await Promise.all(
          heavy.map(async (one) => [40, numbersOf(await gradientOf(model, one, 0))] as const),
        ),
      ),
    );
    expect(normOf(sum)).toBeGreaterThan(1.5);
    await all(runOf(model, descent(model), { datasets: heavy, clipAt }));
    expectGradients(applied(before, model), clipped(sum, limit));
  }
});

test("[trainflamingo.clip] under the release the sum so far is clipped after every micro-batch", async () => {
  const model = tinyOpenFlamingo({ dtype: "float32" });
  const before = copies(model);
  const c = 0.05;
  let sum: Numbers = new Map();
  for (const position of [0, 1, 2]) {
    const parts = await Promise.all(
      tinyDatasets.map(
        async (one, i) =>
          [(i === 0 ? 0.2 : 1) / 3, numbersOf(await gradientOf(model, one, position))] as const,
      ),
    );
    sum = clipped(masked(sumOf([[1, sum], ...parts])), c);
  }
  await all(runOf(model, descent(model), { accumulation: 3, clipAt: c, behaviour: RELEASE }));
  expectGradients(applied(before, model), sum);
});

/** Pages of which those at the given positions have no labels. */
const withEmpty = (...empty: readonly number[]): readonly FlamingoDataset[] =>
  tinyDatasets.map((one) =>
    one.labels === "mmc4"
      ? {
          ...one,
          batch: (at: number) => (empty.includes(at) ? batchOf(["abcE", "cEPP"], at) : one.batch(at)),
        }
      : one,
  );

test("[trainflamingo.no-labels] a batch without labels adds nothing; under the release it discards what there is", async () => {
  const gradients = async (model: OpenFlamingo, parts: readonly (readonly [number, number])[]) =>
    masked(
      sumOf(
        await Promise.all(
          parts.map(async ([dataset, position]) => {
            const one = tinyDatasets[dataset];
            if (!one) throw new Error("no such dataset");
            return [
              (dataset === 0 ? 0.2 : 1) / 3,
              numbersOf(await gradientOf(model, one, position)),
            ] as const;
          }),
        ),
      ),
    );
  const options = { accumulation: 3, datasets: withEmpty(1), clipAt: null };
  const ours = tinyOpenFlamingo({ dtype: "float32" });
  const beforeOurs = copies(ours);
  const kept = await gradients(ours, [
    [0, 0],
    [1, 0],
    [0, 1],
    [0, 2],
    [1, 2],
  ]);
  const [step] = await all(runOf(ours, descent(ours), options));
  expectGradients(applied(beforeOurs, ours), kept);
  expect(step?.withoutLabels).toEqual([{ dataset: "pages", position: 1 }]);
  expect(step?.updates).toBe(1);

  const theirs = tinyOpenFlamingo({ dtype: "float32" });
  const beforeTheirs = copies(theirs);
  const last = await gradients(theirs, [
    [0, 2],
    [1, 2],
  ]);
  await all(runOf(theirs, descent(theirs), { ...options, behaviour: RELEASE }));
  expectGradients(applied(beforeTheirs, theirs), last);
});

test("[trainflamingo.no-labels] under the release a step that ends without labels is not taken, and the schedule does not count it", async () => {
  const schedule = (step: number) => 1 / (step + 1);
  const options = { accumulation: 2, steps: 3, schedule, datasets: withEmpty(1) };
  const model = tinyOpenFlamingo();
  const before = bits(model);
  const steps = [];
  for await (const step of trainFlamingo(runOf(model, adam(model), { ...options, behaviour: RELEASE }))) {
    steps.push(step);
    if (step.step === 1) expect(changedNames(before, bits(model))).toEqual([]);
  }
  expect(steps.map(({ factor }) => factor)).toEqual([null, 1, 1 / 2]);
  expect(steps.map(({ updates }) => updates)).toEqual([0, 1, 2]);
  const ours = tinyOpenFlamingo();
  const factors = (await all(runOf(ours, adam(ours), options))).map(({ factor }) => factor);
  expect(factors).toEqual([1, 1 / 2, 1 / 3]);
});

test("[trainflamingo.embeddings] only the rows of image and end of a chunk change, or those that are asked for", async () => {
  const rowsChanged = async (embeddingRows?: readonly number[] | null) => {
    const model = tinyOpenFlamingo();
    const before = [...flat(stateDict(model).get(TABLE)?.data ?? tensor("", 0).data)];
    await all(runOf(model, adam(model), { embeddingRows, steps: 2 }));
    const after = flat(stateDict(model).get(TABLE)?.data ?? tensor("", 0).data);
    return [...new Set(before.flatMap((x, i) => (x === after[i] ? [] : [Math.floor(i / 8)])))];
  };
  expect(await rowsChanged()).toEqual([TOKENS.eoc, TOKENS.image]);
  expect(await rowsChanged([4])).toEqual([4]);
  expect((await rowsChanged(null)).length).toBeGreaterThan(5);
});

test("[factory.frozen] [trainflamingo.loop] resampler, gated layers and embeddings change; everything else keeps every bit", async () => {
  for (const set of ["open-flamingo", "open-flamingo, frozen embeddings"] as const) {
    const model = tinyOpenFlamingo();
    const before = bits(model);
    await all(runOf(model, adam(model, set), { steps: 2 }));
    const expected = parameterNames(model).filter(
      (name) =>
        name.startsWith("perceiver.") ||
        name.includes(".gated_cross_attn_layer.") ||
        (set === "open-flamingo" && name === TABLE),
    );
    expect(changedNames(before, bits(model)).sort()).toEqual(expected.sort());
    const again = tinyOpenFlamingo();
    await all(runOf(again, adam(again, set), { steps: 2 }));
    expect(bits(again)).toEqual(bits(model));
  }
});

test("[trainflamingo.decay] matrices of the gated layers decay; under the release gates, norms and biases do too", () => {
  const model = tinyOpenFlamingo();
  const names = trainable(model, "open-flamingo");
  const decaying = (...[decay, behaviour]: [number?, typeof RELEASE?]) =>
    flamingoGroups(model, names, decay, behaviour).flatMap((group) => (group.weightDecay ? group.names : []));
  const inGated = names.filter((name) => name.includes("gated_cross_attn_layer"));
  const matrices = [
    "attn.to_q.weight",
    "attn.to_kv.weight",
    "attn.to_out.weight",
    "ff.1.weight",
    "ff.3.weight",
  ];
  expect(decaying().sort()).toEqual(
    inGated.filter((name) => matrices.some((matrix) => name.endsWith(`.${matrix}`))).sort(),
  );
  expect(decaying(0.1, RELEASE).sort()).toEqual([...inGated].sort());
  expect(inGated.some((name) => name.endsWith("attn_gate"))).toBe(true);
  expect(flamingoGroups(model, names).map(({ weightDecay }) => weightDecay)).toEqual([0.1, 0]);
  expect(
    flamingoGroups(model, names)
      .flatMap((group) => group.names)
      .sort(),
  ).toEqual([...names].sort());
});

test("[trainflamingo.checkpointing] gradient checkpointing changes no number, and computes again", async () => {
  const [a, b] = [tinyOpenFlamingo(), tinyOpenFlamingo()];
  const [plain] = await all(runOf(a, adam(a)));
  const [saved] = await all(runOf(b, adam(b), { gradientCheckpointing: true }));
  expect(saved).toEqual(plain);
  expect(bits(b)).toEqual(bits(a));
  const batch = batchOf(["IabE"], 1);
  const names = trainable(a, "open-flamingo");
  const { openFlamingoLayerOutputs: keepOnly } = await import("../../../src/models/open-flamingo/names.ts");
  const loss = () => flamingoLoss(a, batch, laionLabels(batch.ids, ids));
  const nodes = (keep: RegExp | null) => stepProgram(loss, { model: a, names, keepOnly: keep }).nodes.length;
  const kept = stepProgram(loss, { model: a, names }).nodes.flatMap(({ op, attrs }) =>
    op === "tap" && "name" in attrs && keepOnly.test(String(attrs.name)) ? [String(attrs.name)] : [],
  );
  expect(nodes(keepOnly)).toBeGreaterThan(nodes(null));
  const layer = "lang_encoder.model.layers";
  expect(new Set(kept)).toEqual(
    new Set([
      "perceiver",
      ...[0, 1, 2].flatMap((i) => [`${layer}.${i}.gated_cross_attn_layer`, `${layer}.${i}.decoder_layer`]),
    ]),
  );
});

/** The state of an optimiser, exact to the last bit. */
const stateOf = (optimizer: Optimizer): Map<string, string> =>
  new Map(
    [...optimizer.state()].map(([name, t]) => [
      name,
      (t instanceof Tensor ? flat(t.data) : t.flat()).join(" "),
    ]),
  );

test("[trainflamingo.resume] [checkpoint.part] a run that is continued after any step gives the same weights, bit for bit", async () => {
  const options = {
    steps: 5,
    accumulation: 2,
    datasets: withEmpty(3, 6),
    schedule: (step: number) => 1 / (step + 1),
  };
  for (const behaviour of [{}, RELEASE]) {
    const whole = tinyOpenFlamingo();
    const optimizer = adam(whole);
    const paths = [];
    for await (const step of trainFlamingo(runOf(whole, optimizer, { ...options, behaviour }))) {
      const path = join(workspace, `${step.step}-${"clipping" in behaviour}.safetensors`);
      saveFlamingoRun(path, { model: whole, optimizer, facts: { seed: 1 } }, step);
      paths.push(path);
    }
    const expected = bits(whole);
    for (const path of paths) {
      const model = tinyOpenFlamingo();
      const second = adam(model);
      const from = loadFlamingoRun(path, { model, optimizer: second, facts: { seed: 1 } });
      await all(runOf(model, second, { ...options, behaviour, from }));
      expect(bits(model)).toEqual(expected);
      expect(stateOf(second)).toEqual(stateOf(optimizer));
    }
  }
});

test("[trainflamingo.resume] [checkpoint.part] a checkpoint of another kind, of other facts or of other parameters is refused and changes nothing", () => {
  const model = tinyOpenFlamingo();
  const optimizer = adam(model);
  const path = join(workspace, "run.safetensors");
  saveFlamingoRun(path, { model, optimizer, facts: { seed: 1 } }, { step: 3, updates: 2 });
  const other = tinyOpenFlamingo({ seed: 2 });
  const before = bits(other);
  const refused = (file: string, run: object, text: string) => {
    expect(() => loadFlamingoRun(file, { model: other, optimizer: adam(other), ...run })).toThrow(text);
    expect(() => loadFlamingoRun(file, { model: other, optimizer: adam(other), ...run })).toThrow(LoadError);
    expect(bits(other)).toEqual(before);
  };
  refused(path, { facts: { seed: 2 } }, "seed");
  refused(
    path,
    { facts: { seed: 1 }, optimizer: adam(other, "open-flamingo, frozen embeddings") },
    "embed_tokens",
  );
  const plain = join(workspace, "plain.safetensors");
  saveCheckpoint(plain, { model, optimizer }, 3, { seed: 1 });
  refused(plain, { facts: { seed: 1 } }, "[trainflamingo.resume]");
  const odd = join(workspace, "odd.safetensors");
  saveSafetensors(odd, new Map([["extra.updates", tensor("n", [0.5])]]));
  refused(odd, {}, "[trainflamingo.resume]");
  expect(loadFlamingoRun(path, { model: other, optimizer: adam(other), facts: { seed: 1 } })).toEqual({
    step: 3,
    updates: 2,
  });
  const trained = trainable(other, "open-flamingo");
  expect(changedNames(before, bits(other)).every((name) => trained.includes(name))).toBe(true);
  expect(bits(other).get("perceiver.latents")).toBe(bits(model).get("perceiver.latents"));
  const unknown = { model, optimizer, names: ["perceiver.latent"] };
  expect(refusal(() => saveCheckpoint(path, unknown, 1)).rule).toBe("checkpoint.part");
  expect(refusal(() => loadCheckpoint(path, unknown)).rule).toBe("checkpoint.part");
});

test("[checkpoint.digest] the digest depends on every bit, on names and shapes, and not on the dtype", () => {
  const small = (dtype: "float32" | "bfloat16" = "bfloat16") =>
    initialize(
      new LlamaForCausalLM({
        vocabSize: 5,
        hiddenSize: 4,
        intermediateSize: 3,
        numHiddenLayers: 1,
        numAttentionHeads: 1,
      }),
      1,
      { dtype },
    );
  const digest = weightsDigest(small());
  expect(digest).toMatch(/^[0-9a-f]{16}$/);
  expect(weightsDigest(small())).toBe(digest);
  expect(weightsDigest(small("float32"))).not.toBe(digest);
  const widened = small();
  for (const t of stateDict(widened).values()) t.assign(view(Float64Array.from(flat(t.data)), t.shape));
  expect(weightsDigest(widened)).toBe(digest);
  for (const name of stateDict(small()).keys()) {
    const changed = small();
    const t = stateDict(changed).get(name);
    const numbers = Float64Array.from(flat(t?.data ?? tensor("", 0).data));
    const last = numbers.length - 1;
    numbers[last] = (numbers[last] ?? 0) * (1 + 2 ** -8);
    t?.assign(view(numbers, t.shape));
    expect(weightsDigest(changed)).not.toBe(digest);
    expect(weightsDigest(changed, [name])).toBe(weightsDigest(small(), [name]));
  }
  expect(weightsDigest({ a: tensor("n", [1, 2]) })).not.toBe(weightsDigest({ b: tensor("n", [1, 2]) }));
  expect(weightsDigest({ a: tensor("n", [1, 2]) })).not.toBe(weightsDigest({ a: tensor("n m", [[1, 2]]) }));
});

test("[order.shuffled] [order.passes] [order.position] every pass has each sample once, in an order of its own that no other call changes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer(), (size, seed) => {
      const [order, other] = [shuffledOrder(size, seed), shuffledOrder(size, seed)];
      const passes = [0, 1, 2].map((pass) => Array.from({ length: size }, (_, i) => order(pass * size + i)));
      for (const pass of passes) expect([...pass].sort((a, b) => a - b)).toEqual([...pass.keys()]);
      for (const at of [2 * size, 0, size, 3 * size - 1])
        expect(other(at)).toBe(passes[Math.floor(at / size)]?.[at % size]);
    }),
  );
  const pass = (seed: number, from = 0) =>
    Array.from({ length: 30 }, (_, i) => shuffledOrder(30, seed)(from + i)).join();
  expect(new Set([pass(1), pass(2), pass(1, 30), pass(1, 60)]).size).toBe(4);
  expect(pass(1)).not.toBe([...new Array(30).keys()].join());
  expect(() => shuffledOrder(0, 1)).toThrow("size");
  expect(() => shuffledOrder(2, 1)(-1)).toThrow("position");
});

test("options that are none are refused before the first step", () => {
  const model = tinyOpenFlamingo();
  const run = runOf(model, adam(model));
  const bad: readonly (readonly [object, string])[] = [
    [{ datasets: [] }, "datasets"],
    [{ datasets: [...tinyDatasets, ...tinyDatasets] }, "datasets"],
    [{ datasets: [{ ...tinyDatasets[0], labels: "coco" }] }, "datasets"],
    [{ accumulation: 0 }, "accumulation"],
    [{ clipAt: -1 }, "clipAt"],
    [{ from: { step: 0.5, updates: 0 } }, "from"],
    [{ model: {} }, "model"],
    [{ clip: 1 }, "clip"],
  ];
  for (const [change, text] of bad)
    expect(refusal(() => trainFlamingo({ ...run, ...change })).message).toContain(text);
  const labels = (given: Int<"b l">) => given;
  expect(() =>
    trainFlamingo({ ...run, datasets: [{ name: "own", labels, batch: () => batchOf(["IaE"], 1) }] }),
  ).not.toThrow();
});
