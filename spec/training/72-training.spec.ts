// The executable half of 72-training.md.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import type { FlamingoPaLM } from "../../src/models/flamingo/flamingo-palm.ts";
import { layerOutputs, type ParameterSetName } from "../../src/models/flamingo/names.ts";
import { crossEntropy } from "../../src/nn/cross-entropy.ts";
import { Dropout } from "../../src/nn/dropout.ts";
import { Parameter } from "../../src/nn/parameter.ts";
import { parameterNames, ties } from "../../src/nn/state-dict.ts";
import { setTraining } from "../../src/nn/train-mode.ts";
import { gradients } from "../../src/tensor/autodiff/gradients.ts";
import { LoadError, RuleError } from "../../src/tensor/errors.ts";
import { sum } from "../../src/tensor/ops/arrange.ts";
import { mulScalar } from "../../src/tensor/ops/functions.ts";
import { gradientCheckpointing, keepTaps, peakLiveElements } from "../../src/tensor/program/checkpointing.ts";
import { evaluate } from "../../src/tensor/program/evaluate.ts";
import { isClosed, isDead, lastUses, type Program } from "../../src/tensor/program/program.ts";
import { record } from "../../src/tensor/program/record.ts";
import { flat, Int, int, Tensor, tensor, view } from "../../src/tensor/tensor.ts";
import {
  ForeignCheckpointError,
  loadCheckpoint,
  type RunFacts,
  saveCheckpoint,
} from "../../src/training/checkpoint.ts";
import { adamw } from "../../src/training/optimizers/adamw.ts";
import { adamw8bit } from "../../src/training/optimizers/eight-bit/adamw.ts";
import { lion } from "../../src/training/optimizers/lion.ts";
import type { Optimizer, ParameterGroup } from "../../src/training/optimizers/optimizer.ts";
import { sgd } from "../../src/training/optimizers/sgd.ts";
import { stableAdamW } from "../../src/training/optimizers/stable-adamw.ts";
import { stepProgram } from "../../src/training/step.ts";
import { nextTokens } from "../../src/training/targets.ts";
import { decayGroups, trainable } from "../../src/training/trainable.ts";
import { type TrainingStep, type TrainOptions, train } from "../../src/training/training.ts";
import { temporary } from "../support/fixtures/temporary.ts";
import { trainingCase } from "../support/fixtures/training/case.ts";
import {
  bits,
  changedNames,
  tinyFlamingo,
  tinyLoss,
  tinyOptimizer,
} from "../support/fixtures/training/tiny.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { refusal } from "../support/properties/refusals.ts";

const workspace = temporary();

async function all<M extends object>(options: TrainOptions<M>): Promise<TrainingStep[]> {
  const steps: TrainingStep[] = [];
  for await (const step of train(options)) steps.push(step);
  return steps;
}

function tinyRun(changes: object = {}) {
  const model = tinyFlamingo();
  const optimizer = tinyOptimizer(model);
  return { model, optimizer, loss: tinyLoss(model), steps: 3, ...changes };
}

/** Names below a module: under("a", "b c") is ["a.b", "a.c"]. */
const under = (module: string, names: string): string[] =>
  names.split(" ").map((name) => `${module}.${name}`);
const resampler = [
  ...under("perceiver_resampler", "latents media_pos_emb norm.weight norm.bias"),
  ...under("perceiver_resampler.layers.0.0.norm_media", "weight bias"),
  ...under("perceiver_resampler.layers.0.0.norm_latents", "weight bias"),
  ...under("perceiver_resampler.layers.0.0", "to_q.weight to_kv.weight to_out.weight"),
  ...under("perceiver_resampler.layers.0.1", "0.weight 0.bias 1.weight 3.weight"),
];
const gatedBlocks = ["layers.0.1", "layers.1.1"].flatMap((block) => [
  ...under(block, "attn_gate ff_gate"),
  ...under(block, "attn.norm.weight attn.norm.bias attn.to_q.weight attn.to_kv.weight attn.to_out.weight"),
  ...under(block, "ff.0.weight ff.0.bias ff.1.weight ff.3.weight"),
]);
const framePositions = "video_frame_pos_emb";
const languageModel = [
  "token_emb.weight",
  "to_logits.0.gamma",
  ...["layers.0.0.fn", "layers.1.0.fn"].flatMap((block) =>
    under(block, "norm.gamma fused_attn_ff_proj.weight attn_out.weight ff_out.1.weight"),
  ),
];

const withVideos = () => tinyFlamingo(1, 0, { maxVideoFrames: 2 });

describe("trained parameters", () => {
  test.each(["adamw-flamingo", "adamw-text"])(
    "[freezing.sets] %s: the set has the parameters with gradients in the release",
    (id) => {
      const { manifest, names } = trainingCase(id);
      expect([...names].sort()).toEqual([...manifest.trained].sort());
    },
  );

  // Expected sets are written from the sources; golden cases have those of the release ([flamingo.frozen]).
  const sets: [ParameterSetName, string, string[]][] = [
    // arXiv 2204.14198v2: §2.1 and §2.2 freeze the vision encoder and the language model; the resampler, the temporal
    // position embeddings (A.1.1) and the gated blocks are trained from scratch.
    ["paper", "resampler, frame positions, gated blocks", [...resampler, framePositions, ...gatedBlocks]],
    // FlamingoPaLM.forward unfreezes perceiver_resampler and each GatedCrossAttentionBlock.
    ["flamingo-pytorch@0.1.2", "resampler, gated blocks", [...resampler, ...gatedBlocks]],
    // factory.py unfreezes model.perceiver (whose frame_embs are the frame positions), gated_cross_attn_layers and
    // get_input_embeddings().
    [
      "open-flamingo",
      "perceiver, gated blocks, input embeddings",
      [...resampler, framePositions, ...gatedBlocks, "token_emb.weight"],
    ],
    ["language model", "embeddings, blocks, final norm", languageModel],
  ];
  test.each(sets)("[freezing.sets] %s: %s", (set, _, expected) => {
    expect(trainable(withVideos(), set).sort()).toEqual(expected.sort());
  });

  test("[freezing.sets] every parameter belongs to the image encoder, the language model or the paper's set", () => {
    const model = withVideos();
    const known = [...trainable(model, "language model"), ...trainable(model, "paper")];
    const rest = parameterNames(model).filter((name) => !known.includes(name));
    expect(rest.length).toBeGreaterThan(0);
    expect(rest.every((name) => name.startsWith("img_encoder."))).toBe(true);
    expect(trainable(model, "flamingo-pytorch@0.1.2 text")).toEqual(parameterNames(model));
  });

  test("[freezing.nothing] a set that the model does not have, or that has none of its parameters, is an error", () => {
    const model = Object.assign(tinyFlamingo().token_emb, {
      parameterSets: { none: [], absent: ["weigh", "weight.*", "*.weight"] },
    });
    for (const name of ["none", "absent"] as const)
      expect(() => trainable(model, name)).toThrow(
        `Embedding has no parameter of the set "${name}"; parameterNames(model) lists`,
      );
    const sets: Readonly<Record<string, readonly string[]>> = model.parameterSets;
    for (const name of ["paper", "constructor", "__proto__"])
      expect(() => trainable({ parameterSets: sets }, name)).toThrow(
        `no parameter set is called "${name}"; there are none, absent`,
      );
    for (const plain of [tinyFlamingo().to_logits, { parameterSets: null }])
      expect(refusal(() => trainable(plain as never, "paper" as never)).message).toContain(
        "names no sets of parameters",
      );
  });

  test("[freezing.sets] a set that is no list of rules for names is refused", () => {
    const { token_emb } = tinyFlamingo();
    for (const wrong of [[3], ["weight", ""], "weight", { includes: () => true }, null]) {
      const model = Object.assign(token_emb, { parameterSets: { wrong } });
      expect(refusal(() => trainable(model as never, "wrong" as never)).message).toMatch(
        /^trainable: wrong is .*; it must be a list of names/,
      );
    }
  });

  test("[freezing.decay] matrices decay; vectors and gates do not", () => {
    const model = tinyFlamingo();
    const [decayed, plain] = decayGroups(model, [
      "layers.0.1.attn_gate",
      "token_emb.weight",
      "layers.0.1.ff.0.bias",
    ]);
    expect(decayed).toEqual({ names: ["token_emb.weight"] });
    expect(plain).toEqual({ names: ["layers.0.1.attn_gate", "layers.0.1.ff.0.bias"], weightDecay: 0 });
  });

  test("[train.frozen] frozen parameters keep every bit; all trained parameters change", async () => {
    const run = tinyRun();
    const before = bits(run.model);
    await all(run);
    expect(changedNames(before, bits(run.model)).sort()).toEqual([...run.optimizer.names].sort());
  });

  test("[train.frozen] on videos the paper's set trains the frame positions, and flamingo-pytorch's does not", async () => {
    const videos = randomTensor<"b m f c h w">([1, 1, 2, 1, 4, 4], 5);
    const text = int("b l", [[3, 4, 5]]);
    for (const set of ["paper", "flamingo-pytorch@0.1.2"] as const) {
      const model = withVideos();
      const before = bits(model);
      const loss = () => crossEntropy(model.forward(text, { videos }), nextTokens(text)).mean;
      await all({ model, optimizer: tinyOptimizer(model, set), loss, steps: 1 });
      expect(changedNames(before, bits(model)).includes(framePositions)).toBe(set === "paper");
    }
  });

  test("[train.frozen] gradients of frozen parameters are not in the program", () => {
    const model = tinyFlamingo();
    const length = (names: readonly string[]) =>
      stepProgram(() => tinyLoss(model)(0), { model, names }).nodes.filter((node) => !isDead(node)).length;
    const [none, paper, language, both] = [
      length([]),
      length(trainable(model, "paper")),
      length(trainable(model, "language model")),
      length([...trainable(model, "paper"), ...trainable(model, "language model")]),
    ];
    expect(none).toBeLessThan(paper);
    expect(paper).toBeLessThan(both);
    expect(language).toBeLessThan(both);
    const last = length(["layers.1.1.ff_gate"]);
    expect(last - none).toBeLessThan((paper - none) / 8); // the derivative stops at the last layer
  });
});

describe("the loop", () => {
  test("[train.loop] the same seed gives the same bits, another seed other bits", async () => {
    const once = async (seed: number) => {
      const model = tinyFlamingo(seed);
      const steps = await all({ model, optimizer: tinyOptimizer(model), loss: tinyLoss(model), steps: 3 });
      return { steps, bits: bits(model) };
    };
    const [a, b, c] = [await once(1), await once(1), await once(2)];
    expect(a).toEqual(b);
    expect(c.bits).not.toEqual(a.bits);
    expect(a.steps.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(a.steps.every(({ loss, norm, factor }) => loss > 0 && norm > 0 && factor === 1)).toBe(true);
  });

  test("[train.parts] the loss of two parts is their weighted sum", async () => {
    const [whole, halves] = [tinyFlamingo(), tinyFlamingo()];
    const data = tinyLoss(whole, 2);
    const both = () => record(() => ({ a: data(0, 0), b: data(0, 1) }), { model: whole });
    const { a, b } = evaluate(both()).outputs as Record<"a" | "b", Tensor>;
    const one = (model: typeof whole, loss: TrainOptions<typeof whole>["loss"], parts: number[]) =>
      all({
        model,
        optimizer: sgd({ groups: [{ names: trainable(model, "paper") }] }),
        loss,
        parts,
        steps: 1,
      });
    const [step] = await one(halves, tinyLoss(halves, 2), [0.5, 0.5]);
    expect(step?.loss).toBeCloseTo(((flat(a.data)[0] ?? 0) + (flat(b.data)[0] ?? 0)) / 2, 12);
    const [first] = await one(whole, (step) => data(step, 0), [1]);
    expect(first?.norm).not.toBeCloseTo(step?.norm ?? 0, 6);
  });

  test("[train.dropout] masks follow from the seed and the step; a model's own train() keeps dropout out of the frozen encoder", async () => {
    const losses = async (dropoutSeed: number | null, trainModeReachesEncoder = false) => {
      const model = tinyFlamingo(1, 0.5, { behaviour: { trainModeReachesEncoder } });
      const run = { model, optimizer: tinyOptimizer(model), loss: tinyLoss(model), steps: 2, dropoutSeed };
      return (await all(run)).map(({ loss }) => loss);
    };
    const without = await losses(null);
    expect(await losses(7)).toEqual(without); // only the encoder of this model has dropout
    const active = await losses(7, true);
    expect(active).not.toEqual(without);
    expect(await losses(7, true)).toEqual(active);
    expect(await losses(8, true)).not.toEqual(active);
    const plain = async (dropoutSeed: number) => {
      const model = tinyFlamingo(1, 0.5);
      const wrapper = { encoder: model.img_encoder as object, forward: tinyLoss(model) }; // has no train() of its own
      const optimizer = sgd({ groups: [{ names: [] }] });
      const run = { model: wrapper, optimizer, loss: wrapper.forward, steps: 2, dropoutSeed };
      return (await all(run)).map(({ loss }) => loss);
    };
    expect(await plain(7)).not.toEqual(without);
  });

  test("[train.dropout] each part has masks of its own, and the model is in evaluation mode afterwards", async () => {
    const layer = new Dropout(0.5);
    const model = { layer, weight: new Parameter("n", [64], () => 1) };
    const total = () => sum("n -> ", model.layer.forward(model.weight));
    const optimizer = sgd({ groups: [{ names: ["weight"] }], learningRate: 0 });
    const run = { model, optimizer, loss: total, steps: 1, dropoutSeed: 5 };
    const kept = async (parts: number[]) => ((await all({ ...run, parts }))[0]?.loss ?? 0) / 2; // twice the elements that are kept
    // The masks of part 0 and part 1 together, which equal masks would make twice the first.
    const [first, both, second] = [await kept([1, 0]), await kept([1, 1]), await kept([0, 1])];
    expect(both).toBe(first + second);
    expect(second).not.toBe(first);
    expect(flat(layer.forward(model.weight).data)).toEqual(flat(model.weight.data));
    setTraining(model, { seed: 1 });
    await expect(
      all({
        ...run,
        loss: () => {
          throw new Error("stop");
        },
      }),
    ).rejects.toThrow("stop");
    expect(flat(layer.forward(model.weight).data)).toEqual(flat(model.weight.data));
  });

  test("[train.abort] a signal stops a step before any weight has changed", async () => {
    const abort = new AbortController();
    const run = tinyRun({ signal: abort.signal, steps: 100 });
    const loss = run.loss;
    const stopping = (step: number, part: number) => {
      if (step === 2) abort.abort(new Error("enough"));
      return loss(step, part);
    };
    await expect(all({ ...run, loss: stopping })).rejects.toThrow("enough");
    const two = tinyRun({ steps: 2 });
    await all(two);
    expect(bits(run.model)).toEqual(bits(two.model));
  });

  test("[train.reached] [optimizer.missing-gradient] parameters that the loss does not depend on do not change; a loss that depends on none is an error", async () => {
    const { model } = tinyRun();
    const text = int("b l", [[4, 5, 6, 7]]);
    const loss = () => crossEntropy(model.forward(text), nextTokens(text)).mean;
    const before = bits(model);
    const everything = tinyOptimizer(model, "flamingo-pytorch@0.1.2 text");
    await all({ model, optimizer: everything, loss, steps: 1 });
    const changed = changedNames(before, bits(model)).filter((name) => parameterNames(model).includes(name)); // tied parameters once
    expect(changed.sort()).toEqual(trainable(model, "language model").sort());
    const images = tinyOptimizer(model, "paper");
    await expect(all({ model, optimizer: images, loss, steps: 1 })).rejects.toThrow("depends on none");
  });

  test("[train.finite] a loss of NaN stops before any weight has changed", async () => {
    const run = tinyRun();
    const before = bits(run.model);
    await expect(all({ ...run, loss: (step) => mulScalar(run.loss(step), Number.NaN) })).rejects.toThrow(
      "the loss is NaN",
    );
    expect(bits(run.model)).toEqual(before);
  });
});

describe("gradient checkpointing", () => {
  const programOf = (dropout = false, fused: readonly string[] = []): Program => {
    const model = tinyFlamingo(1, 0.5);
    if (dropout) setTraining(model, { seed: 3 });
    const forward = record(() => ({ loss: tinyLoss(model)(0) }), { model, symbolic: true });
    return gradients(forward, "loss", [...trainable(model, "paper"), "token_emb.weight"], { fused });
  };

  test.each([false, true])(
    "[checkpointing.same] loss and gradients are equal bit for bit (dropout: %j)",
    (dropout) => {
      const program = programOf(dropout);
      const again = gradientCheckpointing(program, "loss", keepTaps(layerOutputs));
      const numbers = (p: Program) =>
        Object.entries(evaluate(p).outputs).map(([name, t]) => [name, [...flat(t.data)]]);
      expect(numbers(again)).toEqual(numbers(program));
      expect(Object.keys(again.taps)).toEqual(Object.keys(program.taps));
    },
  );

  test("[checkpointing.same] [gradients.fused] fused derivatives stay scopes, with second computations before them", () => {
    const program = { ...programOf(false, ["attention"]), taps: {} };
    const again = gradientCheckpointing(program, "loss", keepTaps(layerOutputs));
    const numbers = (p: Program) =>
      Object.entries(evaluate(p).outputs).map(([name, t]) => [name, [...flat(t.data)]]);
    expect(numbers(again)).toEqual(numbers(program));
    const last = lastUses(again);
    const derivatives = again.scopes.filter(({ name }) => name === "attentionVjp");
    expect(derivatives.length).toBeGreaterThan(1);
    for (const scope of derivatives) {
      expect(isClosed(again, scope, last)).toBe(true);
      const inside = again.nodes.slice(scope.first, scope.end).filter((node) => !isDead(node));
      const outer = inside.flatMap(({ inputs }) => inputs.filter((id) => id < scope.first));
      for (const id of outer)
        if (again.nodes[id]?.op !== "leaf") expect(Object.values(scope.inputs)).toContain(id);
    }
  });

  test("[checkpointing.again] [checkpointing.keep] derivatives read leaves, kept activations and second computations only", () => {
    const program = { ...programOf(), taps: {} };
    const last = program.outputs.loss ?? -1;
    const again = gradientCheckpointing(program, "loss", keepTaps(/^layers\.\d\.0$/));
    const read = new Set(
      again.nodes.slice(last + 1).flatMap(({ inputs }) => inputs.filter((id) => id <= last)),
    );
    const names = [...read].flatMap((id) => {
      const { op, attrs } = again.nodes[id] ?? { op: "nothing", attrs: {} };
      return op === "leaf" ? [] : ["name" in attrs ? attrs.name : op];
    });
    expect(names.sort()).toEqual(["layers.0.0", "layers.1.0"]);
    expect(new Set(again.nodes.slice(last + 1).map(({ scope }) => scope))).toEqual(new Set([-1]));
    const reads = lastUses(again);
    const attention = again.scopes.filter(({ name }) => name === "attention");
    expect(attention.length).toBeGreaterThan(0);
    for (const { first, end, outputs } of attention)
      for (let id = first; id < end; id++)
        if (id !== outputs.out && again.nodes[id]?.op !== "leaf") expect(reads[id]).toBeLessThan(end);
  });

  test("[checkpointing.memory] with depth, peak memory grows by the outputs of layers and not by their insides", () => {
    const deep = (depth: number, again: boolean): number => {
      const model = tinyFlamingo();
      const [layer] = model.layers;
      if (layer) model.layers = Array.from({ length: depth }, () => layer);
      const forward = record(() => ({ loss: tinyLoss(model, 4)(0) }), { model, symbolic: true });
      const program = { ...gradients(forward, "loss", ["token_emb.weight"]), taps: {} };
      return peakLiveElements(
        again ? gradientCheckpointing(program, "loss", keepTaps(/^layers\.\d+\.[01](@\d+)?$/)) : program,
      );
    };
    const growth = (again: boolean): number => deep(9, again) - deep(8, again);
    expect(growth(true)).toBeLessThan(growth(false) / 8);
    expect(deep(8, true)).toBeLessThan(deep(8, false) / 3);
  });

  test("[options.values] [options.known] options of the loop are checked before the first step", () => {
    const model = tinyFlamingo();
    const optimizer = sgd({ groups: [{ names: parameterNames(model) }] });
    const good = { model, optimizer, steps: 1, loss: () => tensor("", [], [0]) };
    const bad: Record<string, readonly unknown[]> = {
      steps: [1.5, NaN, -1, Infinity, "2", null, undefined, 2 ** 31],
      from: [-1, 0.5, NaN, "1"],
      clipAt: [-1, NaN, "1", null],
      parts: [[], [NaN], ["1"], 5],
      dropoutSeed: [NaN, 1.5, "1"],
      keepOnly: ["layers"],
      schedule: [null, 5],
      loss: [undefined, 5],
      optimizer: [null, {}],
      signal: [{}],
      clip: [1],
    };
    for (const [name, values] of Object.entries(bad))
      for (const value of values) {
        const options = { ...good, [name]: value } as unknown as TrainOptions<FlamingoPaLM>;
        expect(() => train(options), `${name} ${String(value)}`).toThrow(RuleError);
      }
    expect(() =>
      train({ ...good, from: 0, clipAt: Infinity, parts: [0.5, -0.5], keepOnly: null }),
    ).not.toThrow();
  });

  test("[checkpointing.same] [train.loop] a run with gradient checkpointing has the same weights", async () => {
    const [plain, again] = [tinyRun({ steps: 2 }), tinyRun({ steps: 2, keepOnly: /^layers\.\d\.[01]$/ })];
    expect(await all(again)).toEqual(await all(plain));
    expect(bits(again.model)).toEqual(bits(plain.model));
  });
});

const optimizers: [string, (groups: readonly ParameterGroup[]) => Optimizer][] = [
  ["adamw", (groups) => adamw({ groups, learningRate: 1e-2 })],
  ["adamw8bit", (groups) => adamw8bit({ groups, learningRate: 1e-2, min8bitSize: 40 })],
  ["lion", (groups) => lion({ groups, learningRate: 1e-2 })],
  ["sgd", (groups) => sgd({ groups, learningRate: 1e-2, momentum: 0.9 })],
  ["stableAdamW", (groups) => stableAdamW({ groups, learningRate: 1e-2 })],
];

describe("checkpoints", () => {
  test.each(optimizers)(
    "[checkpoint.resume] after each step of %s, a resumed run has the same weights and state, bit for bit",
    async (name, make) => {
      const optimizerOf = (model: FlamingoPaLM) => make([{ names: trainable(model, "paper") }]);
      const runOf = (seed: number) => {
        const model = tinyFlamingo(seed);
        return { model, optimizer: optimizerOf(model), loss: tinyLoss(model), steps: 4 };
      };
      const straight = runOf(1);
      for await (const { step } of train(straight))
        saveCheckpoint(join(workspace, `${name}-${step}.safetensors`), straight, step);
      for (const step of [1, 2, 3]) {
        const rest = runOf(99);
        const from = loadCheckpoint(join(workspace, `${name}-${step}.safetensors`), rest);
        await all({ ...rest, from });
        expect(bits(rest.model)).toEqual(bits(straight.model));
        expect(rest.optimizer.state()).toEqual(straight.optimizer.state());
      }
    },
  );

  test("[checkpoint.resume] 8-bit state takes a byte for each element, and the codes of another file are refused", async () => {
    const path = join(workspace, "bytes.safetensors");
    const model = tinyFlamingo();
    const run = {
      model,
      optimizer: adamw8bit({ groups: [{ names: trainable(model, "paper") }], min8bitSize: 40 }),
    };
    await all({ ...run, loss: tinyLoss(model), steps: 1 });
    saveCheckpoint(path, run, 1);
    const file = loadSafetensors(path);
    const codes = file.keys.filter(
      (key) => key.startsWith("optimizer.state1.") && file.info(key).dtype === "U8",
    );
    const tensors = new Map(file.keys.map((key) => [key, file.get(key)]));
    const { metadata } = file;
    const ofBytes = file.keys.filter((key) => file.info(key).dtype === "U8");
    const dtypes = new Map(ofBytes.map((key) => [key, "U8"] as const));
    expect(codes.length).toBeGreaterThan(5);
    const [first = ""] = codes;
    tensors.set(first, new Int([3], Int32Array.of(1, 2, 3)));
    saveSafetensors(path, tensors, { metadata, dtypes });
    file.close();
    const before = bits(model);
    expect(() => loadCheckpoint(path, run)).toThrow("has 3 elements instead of");
    expect(bits(model)).toEqual(before);
  });

  test("[checkpoint.resume] a resumed run has the same weights and optimiser state, bit for bit", async () => {
    const path = join(workspace, "resume.safetensors");
    const straight = tinyRun({ steps: 5 });
    await all(straight);
    const first = tinyRun({ steps: 5 });
    for await (const { step } of train(first)) {
      saveCheckpoint(path, first, step);
      if (step === 2) break;
    }
    const second = { ...tinyRun({ steps: 5 }), model: tinyFlamingo(99) };
    const rest = { ...second, optimizer: tinyOptimizer(second.model), loss: tinyLoss(second.model) };
    const from = loadCheckpoint(path, rest);
    expect(from).toBe(2);
    rmSync(path); // it was read completely
    await all({ ...rest, from });
    expect(bits(rest.model)).toEqual(bits(straight.model));
    expect(rest.optimizer.state()).toEqual(straight.optimizer.state());
    expect(ties(rest.model)).toEqual(ties(straight.model));
  });

  test("[checkpoint.kind] files that are no checkpoint of this optimiser are refused", () => {
    const path = join(workspace, "other.safetensors");
    const { model, optimizer } = tinyRun();
    saveSafetensors(path, new Map([["weights.x", tensor("n", [1])]]));
    expect(() => loadCheckpoint(path, { model, optimizer })).toThrow("is not a checkpoint");
    saveCheckpoint(path, { model, optimizer: sgd({ groups: [] }) }, 1);
    expect(() => loadCheckpoint(path, { model, optimizer })).toThrow("a checkpoint of sgd, not of adamw");
  });

  const facts = { seed: 1, plan: "short" };
  const foreign: [string, object, string][] = [
    [
      "another seed",
      { seed: 2, plan: "short" },
      'seed is "1" there and "2" here; resume that run with its own options',
    ],
    ["a fact that the file lacks", { ...facts, data: "d1" }, 'data is not recorded there and "d1" here'],
    ["a fact of the file that is not given", { seed: 1 }, 'plan is "short" there and not given here'],
  ];
  test.each(foreign)(
    "[checkpoint.run] a checkpoint with %s is refused, and nothing changes",
    async (_, run, words) => {
      const path = join(workspace, "facts.safetensors");
      const saved = tinyRun();
      saveCheckpoint(path, saved, 1, facts);
      const other = { ...tinyRun(), model: tinyFlamingo(99) };
      const before = bits(other.model);
      expect(() => loadCheckpoint(path, other, run as RunFacts)).toThrow(words);
      expect(() => loadCheckpoint(path, other, run as RunFacts)).toThrow(ForeignCheckpointError);
      expect(bits(other.model)).toEqual(before);
      expect(loadCheckpoint(path, other, facts)).toBe(1);
      expect(loadCheckpoint(path, other)).toBe(1);
    },
  );

  test("[checkpoint.resume] further tensors of a run are restored with it", () => {
    const path = join(workspace, "extra.safetensors");
    const run = tinyRun();
    saveCheckpoint(path, { ...run, extra: new Map([["losses", tensor("n", [1, 2, 3])]]) }, 3);
    const extra = new Map([["old", tensor("n", [0])]]);
    expect(loadCheckpoint(path, { ...run, extra })).toBe(3);
    expect([...extra].map(([name, t]) => [name, [...flat(t.data)]])).toEqual([["losses", [1, 2, 3]]]);
  });

  type Damage = (tensors: Map<string, Tensor | Int>, metadata: Map<string, string>) => void;
  const first = (tensors: Map<string, unknown>, prefix: string): string =>
    [...tensors.keys()].find((key) => key.startsWith(prefix)) ?? "";
  /** Replaces the first tensor below a prefix by one with other values, of the same shape if `values` is a function. */
  const change =
    (prefix: string, values: ((x: number, i: number) => number) | readonly number[]): Damage =>
    (tensors) => {
      const key = first(tensors, prefix);
      const { shape, data } = tensors.get(key) as Tensor;
      const changed =
        typeof values === "function" ? Float64Array.from(flat(data), values) : Float64Array.from(values);
      const size = typeof values === "function" ? shape : [changed.length];
      tensors.set(key, new Tensor(size, view(changed, size)));
    };
  const remove =
    (prefix: string, all = false): Damage =>
    (tensors, metadata) => {
      for (const key of [...tensors.keys()]
        .filter((one) => one.startsWith(prefix))
        .slice(0, all ? Infinity : 1))
        tensors.delete(key);
      metadata.set("tensors", String(tensors.size));
    };
  const integer =
    (prefix: string, value: number): Damage =>
    (tensors) =>
      void tensors.set(first(tensors, prefix), int("b", [value]));
  const add =
    (key: string): Damage =>
    (tensors, metadata) => {
      tensors.set(key, tensor("n", [1]));
      metadata.set("tensors", String(tensors.size));
    };
  const damages: [string, Damage, string][] = [
    [
      "no optimiser state",
      (t) => [...t.keys()].filter((k) => /^opt/.test(k)).forEach((k) => void t.delete(k)),
      "was written with",
    ],
    ["a missing first moment", remove("optimizer.exp_avg."), "is missing, although"],
    ["a missing second moment", remove("optimizer.exp_avg_sq."), "is missing, although"],
    ["a missing count of steps", remove("optimizer.step."), "is missing, although"],
    ["a first moment of another size", change("optimizer.exp_avg.", [1, 2]), "has 2 elements instead of"],
    ["a second moment of another size", change("optimizer.exp_avg_sq.", [1, 2]), "has 2 elements instead of"],
    ["two counts of steps", change("optimizer.step.", [1, 2]), "has 2 elements instead of 1"],
    ["a moment of NaN", change("optimizer.exp_avg.", () => Number.NaN), "not finite"],
    ["an infinite moment", change("optimizer.exp_avg_sq.", () => Infinity), "not finite"],
    ["a negative mean of squares", change("optimizer.exp_avg_sq.", () => -1), "0 or above"],
    ["a count of steps of 0", change("optimizer.step.", [0]), "a whole number from 1 up"],
    ["a count of steps of 1.5", change("optimizer.step.", [1.5]), "a whole number from 1 up"],
    ["a count of steps as an integer", integer("optimizer.step.", 1), "is I64, not floats"],
    ["a weight of NaN", change("weights.", (x, i) => (i === 0 ? Number.NaN : x)), "not finite"],
    ["a weight of another shape", change("weights.", [1]), "is [1] there and"],
    ["a missing weight", remove("weights."), "is missing there and"],
    ["an unknown weight", add("weights.other"), '"other" is [1] there and missing in the model'],
    ["an unknown tensor", add("other"), "which no checkpoint has"],
    ["state of an unknown parameter", add("optimizer.exp_avg.x"), 'no place for "exp_avg.x"'],
    ["state of another kind", add("optimizer.momentum.x"), 'no place for "momentum.x"'],
    ["no step", remove("step"), 'there is no tensor "step"'],
    ["a step of −1", integer("step", -1), "its step is -1"],
    ["a step that is a float", (t) => void t.set("step", tensor("n", [1])), "is F64, not integers"],
    ["two steps", (t) => void t.set("step", int("b", [1, 2])), "not one number"],
    ["an unknown number of tensors", (_, m) => void m.delete("tensors"), "was written with"],
    [
      "another version",
      (_, m) => void m.set("schema", "flamboyance-checkpoint/1"),
      "a checkpoint of another version",
    ],
  ];
  test.each(damages)(
    "[checkpoint.whole] [optimizer.state] with %s it is refused, and nothing changes",
    async (_, damage, words) => {
      const path = join(workspace, "damaged.safetensors");
      const saved = tinyRun({ steps: 1 });
      await all(saved);
      saveCheckpoint(path, saved, 1);
      const file = loadSafetensors(path);
      const tensors = new Map(file.keys.map((key) => [key, file.get(key) as Tensor | Int]));
      for (const t of tensors.values()) if (t instanceof Tensor) t.data;
      const metadata = new Map(file.metadata);
      damage(tensors, metadata);
      saveSafetensors(path, tensors, { metadata });
      const model = tinyFlamingo(99);
      const run = { model, optimizer: tinyOptimizer(model), loss: tinyLoss(model), steps: 1 };
      await all(run);
      const before = [bits(run.model), run.optimizer.state()];
      const load = () => loadCheckpoint(path, run);
      expect(load).toThrow(LoadError);
      expect(load).toThrow(words);
      expect([bits(run.model), run.optimizer.state()]).toEqual(before);
    },
  );

  const script = (path: string) => `
    const { Parameter } = await import(${JSON.stringify(join(process.cwd(), "dist/entries/nn.js"))});
    const { saveCheckpoint, sgd } = await import(${JSON.stringify(join(process.cwd(), "dist/entries/training.js"))});
    const model = new (class Model { weight = new Parameter("n", [20000], () => 0); })();
    for (let step = 1; ; step++) {
      model.weight.assign(Object.assign(model.weight.data, {}));
      model.weight.data.data.fill(step);
      saveCheckpoint(${JSON.stringify(path)}, { model, optimizer: sgd({ groups: [] }) }, step);
    }`;

  test("[checkpoint.atomic] after a kill at a random time the file is a complete checkpoint", async () => {
    const path = join(workspace, "killed", "checkpoint.safetensors");
    let [unfinished, steps] = [0, new Set<number>()];
    for (let trial = 0; trial < 8; trial++) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script(path)], { stdio: "ignore" });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      const before = existsSync(path) ? statSync(path).mtimeMs : 0;
      while (child.exitCode === null && (!existsSync(path) || statSync(path).mtimeMs === before))
        await new Promise((resolve) => setTimeout(resolve, 2));
      await new Promise((resolve) => setTimeout(resolve, (trial * 37) % 50));
      child.kill("SIGKILL");
      await ended;
      const file = loadSafetensors(path);
      const step = file.int("step").flat()[0] ?? 0;
      expect(new Set(flat(file.tensor("weights.weight").data))).toEqual(new Set([step]));
      file.close();
      steps = steps.add(step);
      const left = readdirSync(join(workspace, "killed")).filter((name) => name.endsWith(".tmp"));
      unfinished += left.length;
      for (const name of left) rmSync(join(workspace, "killed", name));
    }
    expect(Math.max(...steps)).toBeGreaterThan(0);
    expect(unfinished).toBeGreaterThan(0); // some processes were killed while writing
  });
});
