// The executable half of 53-checkpoints.md. Checkpoints, kept names, keys and counts are those of the released package
// (golden/export/open_flamingo_checkpoints).
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { loadTorch } from "../../../src/io/torch/read.ts";
import { writeTorch } from "../../../src/io/torch/write.ts";
import { checkpointState, flamingoStateDict } from "../../../src/models/open-flamingo/checkpoints/state.ts";
import { OpenFlamingo } from "../../../src/models/open-flamingo/flamingo.ts";
import { loadStateDict, stateDict, ties } from "../../../src/nn/state-dict.ts";
import { loadClip } from "../../../src/pretrained/clip/load.ts";
import { loadPretrained } from "../../../src/pretrained/load-pretrained.ts";
import {
  CheckpointError,
  loadFlamingoCheckpoint,
} from "../../../src/pretrained/open-flamingo/checkpoint/load.ts";
import type { CheckpointReport } from "../../../src/pretrained/open-flamingo/checkpoint/report.ts";
import { describeCheckpointReport } from "../../../src/pretrained/open-flamingo/checkpoint/report-text.ts";
import { saveFlamingoCheckpoint } from "../../../src/pretrained/open-flamingo/checkpoint/save.ts";
import { flamingoMemoryPlan } from "../../../src/pretrained/open-flamingo/memory-plan.ts";
import { describeMemoryPlan } from "../../../src/pretrained/plan-text.ts";
import { flat, Int, Tensor, view } from "../../../src/tensor/tensor.ts";
import { sparseSafetensors, sparseTorch } from "../../support/fixtures/files/sparse.ts";
import {
  checkpointModel,
  checkpointPath,
  keptNames,
  type ReleasedFlamingo,
  releasedFlamingo,
  releasedFlamingos,
  SMALL_MODELS,
  type SmallModel,
} from "../../support/fixtures/open-flamingo/released.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { refusal } from "../../support/properties/refusals.ts";

const fresh = folders();
const valuesOf = (t: Tensor): number[] => [...flat(t.data)];

/** Every tensor of a small model of the package, under its first name. */
const expectedOf = (name: string): Map<string, Tensor> => {
  const file = loadSafetensors(checkpointPath(`${name}.expected.safetensors`));
  return new Map(file.keys.map((key) => [key, file.tensor(key)]));
};
/** A model with zeros everywhere. */
const zeros = (name: SmallModel): OpenFlamingo => {
  const model = checkpointModel(name);
  for (const t of stateDict(model).values()) t.assign(view(new Float64Array(t.size), t.shape));
  return model;
};
/** A model with all weights of the package's. */
const whole = (name: SmallModel): OpenFlamingo => {
  const model = checkpointModel(name);
  loadStateDict(model, expectedOf(name));
  return model;
};

/** Expects the loaded parameters to be those of the package, and all others to have kept their values. */
function expectLoaded(model: OpenFlamingo, expected: ReadonlyMap<string, Tensor>, loaded: readonly string[]) {
  const tied = ties(model);
  const given = new Set(loaded.map((name) => stateDict(model).get(name)));
  for (const [name, t] of stateDict(model)) {
    const values = valuesOf(expected.get(tied.get(name) ?? name) as Tensor);
    expect([name, valuesOf(t)]).toEqual([name, given.has(t) ? values : values.map(() => 0)]);
  }
}

/** The error of a checkpoint that is refused; the model keeps its zeros. */
function refused(
  name: SmallModel,
  weights: ReadonlyMap<string, Tensor | Int>,
  options = {},
): { report: CheckpointReport; message: string } {
  const model = zeros(name);
  try {
    loadFlamingoCheckpoint(model, weights, options);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    expect([...stateDict(model).values()].flatMap(valuesOf).every((value) => value === 0)).toBe(true);
    return error;
  }
  throw new Error("nothing was refused");
}

/** The tensors of a checkpoint of the package. */
const tensorsOf = (name: string): Map<string, Tensor> => {
  const file = loadTorch(checkpointPath(`${name}.pt`));
  return new Map(file.keys.map((key) => [key, file.tensor(key)]));
};

describe.each(SMALL_MODELS)("%s", (name) => {
  test("[checkpoints.package-form] the tensors that the package saves, in its order", () => {
    const names = (freezeLmEmbeddings: boolean) => [
      ...checkpointState(checkpointModel(name), { freezeLmEmbeddings }).keys(),
    ];
    expect([names(false), names(true)]).toEqual([keptNames[name].trained, keptNames[name].frozen]);
  });

  test("[checkpoints.missing] [checkpoints.rows] a checkpoint of the package is loaded, and what it lacks is reported", () => {
    const model = zeros(name);
    const { report, close } = loadFlamingoCheckpoint(model, checkpointPath(`${name}.pt`));
    expect(report.loaded).toEqual(keptNames[name].trained);
    expectLoaded(model, expectedOf(name), report.loaded);
    close();
    const rows = {
      gptj: ["lang_encoder.lm_head.weight", "lang_encoder.lm_head.bias"],
      llama: ["lang_encoder.lm_head.weight"],
    };
    const output = Object.entries(rows).find(([kind]) => kind === name)?.[1] ?? [];
    const lacking = [...expectedOf(name).keys()].filter((key) => !keptNames[name].trained.includes(key));
    expect([report.missing.rows, report.missing.trained]).toEqual([output, []]);
    expect([...report.missing.frozen, ...output].sort()).toEqual(lacking.sort());
    expect([report.unexpected, report.copies, report.renamed, report.besides]).toEqual([[], [], [], []]);
  });

  test("[checkpoints.written] [checkpoints.complete] [checkpoints.state-dict] a checkpoint that is written is loaded again", () => {
    const original = whole(name);
    for (const form of ["package", "complete", "everything"] as const)
      for (const ending of ["pt", "safetensors"]) {
        const path = `${fresh()}.${ending}`;
        saveFlamingoCheckpoint(path, original, { form });
        const model = zeros(name);
        const { report } = loadFlamingoCheckpoint(model, path);
        expectLoaded(model, expectedOf(name), report.loaded);
        expect(report.unexpected).toEqual([]);
        expect(report.missing.rows).toEqual(
          form === "package"
            ? [...stateDict(model).keys()].filter((key) => /lm_head/.test(key) && /^(llama|gptj)$/.test(name))
            : [],
        );
        if (form === "everything") expect(report.missing.frozen).toEqual([]);
        else expect(report.missing.frozen.length).toBeGreaterThan(20);
        const isRead = (key: string) => !key.startsWith("lang_encoder.old_") && !key.includes("_layers.");
        if (ending === "pt" && form === "package")
          expect(loadTorch(path).keys).toEqual(keptNames[name].trained);
        if (ending === "safetensors") expect(loadSafetensors(path).keys.every(isRead)).toBe(true);
      }
  });
});

/** "key 1 2" for each tensor. */
const lines = (state: ReadonlyMap<string, Tensor>): string[] =>
  [...state].map(([key, { shape }]) => [key, ...shape].join(" "));

test.each(Object.entries(releasedFlamingos))(
  "[checkpoints.state-dict] keys, order, shapes and counts of %s",
  (_, released) => {
    const model = releasedFlamingo(released);
    const state = flamingoStateDict(model, released.profile);
    const text = new Set(
      Object.keys(released.keys).filter(
        (key) => released.profile === "0.1.1" && /^vision_encoder\.(?!visual\.)/.test(key),
      ),
    );
    const expected = Object.entries(released.keys).flatMap(
      ([key, [shape, [first = 0, step = 1, count = 0]]]) =>
        text.has(key)
          ? []
          : count === 0
            ? [[key, ...shape].join(" ")]
            : Array.from({ length: count }, (_, i) =>
                [key.replace("#", String(first + i * step)), ...shape].join(" "),
              ),
    );
    expect(lines(state).sort()).toEqual(expected.sort());
    if (text.size === 0)
      expect({
        keys: state.size,
        sha256: createHash("sha256").update(lines(state).join("\n")).digest("hex"),
      }).toEqual(released.order);
    const count = (...prefixes: string[]) =>
      [...new Map([...stateDict(model)].map(([name, t]) => [t, name]))]
        .filter(([, name]) => prefixes.some((prefix) => name.includes(prefix)))
        .reduce((sum, [t]) => sum + t.size, 0);
    const { perceiver, gated_cross_attn_layers: gated, lang_encoder: language } = released.parameters;
    expect([count("perceiver."), count("gated_cross_attn_layer.")]).toEqual([perceiver, gated]);
    expect(count("lang_encoder.") - gated).toBe(language);
    expect(count("vision_encoder.")).toBe(303_966_208);
  },
);

test("[checkpoints.training] a checkpoint of training: its state dict is loaded, and its other entries are named", () => {
  const model = zeros("opt");
  const { report } = loadFlamingoCheckpoint(model, readFileSync(checkpointPath("training.pt")), {
    name: "x",
  });
  expect(report).toMatchObject({
    file: "x",
    isTraining: true,
    besides: ["epoch", "optimizer_state_dict", "lr_scheduler_state_dict"],
    loaded: keptNames.opt.trained,
  });
  expectLoaded(model, expectedOf("opt"), report.loaded);
  expect(describeCheckpointReport(report).slice(0, 3)).toEqual([
    "x: 28 parameters are loaded, of 28 tensors",
    "  a checkpoint of training",
    "  not read: epoch, optimizer_state_dict, lr_scheduler_state_dict",
  ]);
});

test("[checkpoints.second-names] [checkpoints.copies] the whole state dict has two names for each tensor of a layer", () => {
  const model = zeros("llama");
  const { report } = loadFlamingoCheckpoint(model, checkpointPath("everything.pt"));
  expect(report.loaded).toEqual([...stateDict(model).keys()]);
  expectLoaded(model, expectedOf("llama"), report.loaded);
  const second = report.copies.map(({ name, from }) => [name, ...from]);
  expect(second).toContainEqual([
    "lang_encoder.model.layers.0.decoder_layer.mlp.up_proj.weight",
    "lang_encoder.model.layers.0.decoder_layer.mlp.up_proj.weight",
    "lang_encoder.old_decoder_blocks.0.mlp.up_proj.weight",
  ]);
  expect(second).toContainEqual([
    "lang_encoder.model.layers.1.gated_cross_attn_layer.attn_gate",
    "lang_encoder.model.layers.1.gated_cross_attn_layer.attn_gate",
    "lang_encoder.gated_cross_attn_layers.1.attn_gate",
  ]);
  expect(second.length).toBe(
    [...stateDict(model).keys()].filter((name) => name.includes(".layers.") && name.startsWith("lang"))
      .length,
  );
});

test("[checkpoints.second-names] tensors are found under their second names alone", () => {
  const model = zeros("llama");
  const state = flamingoStateDict(whole("llama"));
  const alone = new Map([...state].filter(([name]) => !name.startsWith("lang_encoder.model.layers.")));
  const { report } = loadFlamingoCheckpoint(model, alone);
  expectLoaded(model, expectedOf("llama"), report.loaded);
  expect([report.missing.frozen, report.copies]).toEqual([[], []]);
  expect(report.renamed).toContainEqual({
    name: "lang_encoder.model.layers.1.gated_cross_attn_layer.ff.1.weight",
    from: "lang_encoder.gated_cross_attn_layers.1.ff.1.weight",
  });
});

test("[checkpoints.whole-clip] [checkpoints.second-names] checkpoints of the first release", () => {
  const model = zeros("llama");
  const all = expectedOf("llama-0.1.1");
  const expected = new Map(
    [...all].flatMap(([name, t]) =>
      /^vision_encoder\.(?!visual\.)/.test(name) ? [] : [[name.replace("visual.", ""), t] as const],
    ),
  );
  const trained = loadFlamingoCheckpoint(model, checkpointPath("llama-0.1.1.pt")).report;
  expectLoaded(model, expected, trained.loaded);
  expect(trained.loaded).toEqual(keptNames.llama.trained);
  expect([trained.copies.length, trained.aside["text tower of CLIP"]]).toEqual([11, []]);
  const { report } = loadFlamingoCheckpoint(model, checkpointPath("everything-0.1.1.pt"));
  expect(report.loaded).toEqual([...stateDict(model).keys()]);
  expectLoaded(model, expected, report.loaded);
  const text = [...all.keys()].filter((name) => /^vision_encoder\.(?!visual\.)/.test(name));
  expect([...report.aside["text tower of CLIP"]].sort()).toEqual(text.sort());
  expect(describeCheckpointReport(report).join("\n")).toContain(`left aside, text tower of CLIP`);
});

test("[checkpoints.wrappers] fields of wrappers and a common prefix are removed from the names", () => {
  for (const prefix of ["", "model.", "module.net."]) {
    const model = zeros("llama");
    const given = new Map([...tensorsOf("checkpointed")].map(([name, t]) => [prefix + name, t]));
    expect([...given.keys()].some((name) => name.includes("._checkpoint_wrapped_module."))).toBe(true);
    const { report } = loadFlamingoCheckpoint(model, given);
    expect(report.loaded).toEqual(keptNames.llama.trained);
    expectLoaded(model, expectedOf("llama"), report.loaded);
    expect(report.prefix).toBe(prefix.replace("module.", ""));
  }
});

test("[checkpoints.other-names] names of the head and of layers in other releases", () => {
  const renamed = (name: SmallModel, pairs: readonly (readonly [string, string])[]) => {
    const state = flamingoStateDict(whole(name));
    const other = [...state].map(
      ([key, t]) => [pairs.reduce((text, [from, to]) => text.replace(from, to), key), t] as const,
    );
    const model = zeros(name);
    const { report } = loadFlamingoCheckpoint(model, new Map(other));
    expectLoaded(model, expectedOf(name), report.loaded);
    expect([report.loaded, report.unexpected]).toEqual([[...stateDict(model).keys()], []]);
  };
  renamed("gpt-neox", [["embed_out.", "lm_head."]]);
  renamed("mosaic-mpt", [
    ["norm_1.", "ln_1."],
    ["norm_2.", "ln_2."],
    ["norm_f.", "ln_f."],
    ["ffn.up_proj.", "mlp.mlp_up."],
    ["ffn.down_proj.", "mlp.mlp_down."],
  ]);
});

test("[checkpoints.buffers] buffers of old releases are left aside, under both names", () => {
  const names = [
    "gpt_neox.layers.0.decoder_layer.attention.bias",
    "gpt_neox.layers.1.decoder_layer.attention.rotary_emb.inv_freq",
    "old_decoder_blocks.0.attention.masked_bias",
  ];
  const buffers = names.map((name) => [`lang_encoder.${name}`, new Int([1], Int32Array.of(1))] as const);
  const given = new Map<string, Tensor | Int>([...tensorsOf("gpt-neox"), ...buffers]);
  const { report } = loadFlamingoCheckpoint(zeros("gpt-neox"), given, { strict: true });
  expect(report.aside.buffer).toEqual(buffers.map(([name]) => name));
});

test("[checkpoints.copies] copies that differ are refused", () => {
  const given = new Map(flamingoStateDict(whole("opt")));
  const gate = "lang_encoder.gated_cross_attn_layers.1.ff_gate";
  given.set(gate, new Tensor([1], view(Float64Array.of(7), [1])));
  const { report, message } = refused("opt", given);
  expect(report.problems.different).toEqual([
    {
      name: "lang_encoder.model.decoder.layers.1.gated_cross_attn_layer.ff_gate",
      from: ["lang_encoder.model.decoder.layers.1.gated_cross_attn_layer.ff_gate", gate],
    },
  ]);
  expect(message).toContain("several copies, which differ");
});

test("[checkpoints.shapes] another shape is refused, with both shapes and the remedy for a resized vocabulary", () => {
  const given = tensorsOf("opt");
  const table = "lang_encoder.model.decoder.embed_tokens.weight";
  given.set(table, new Tensor([13, 8], view(new Float64Array(104), [13, 8])));
  given.set("perceiver.latents", new Tensor([2, 8], view(new Float64Array(16), [2, 8])));
  const { report, message } = refused("opt", given);
  expect(report.problems.wrongShapes).toEqual([
    { name: "perceiver.latents", model: [3, 8], checkpoint: [2, 8] },
    { name: table, model: [11, 8], checkpoint: [13, 8] },
  ]);
  expect(message).toContain(
    `${table}: the model has [11 8], the checkpoint [13 8]; build the model with a vocabulary of 13 tokens`,
  );
  expect(message).toMatch(/perceiver\.latents: the model has \[3 8\], the checkpoint \[2 8\]$/m);
});

test("[checkpoints.dtypes] tensors that are no floats are refused", () => {
  const given = new Map<string, Tensor | Int>(tensorsOf("opt"));
  given.set("perceiver.norm.bias", new Int([8], new Int32Array(8)));
  const { report } = refused("opt", given);
  expect(report.problems.unreadable).toEqual([
    { name: "perceiver.norm.bias", problem: "is not a tensor of floats" },
  ]);
});

test("[checkpoints.trained] a trained part that is not the model's is refused", () => {
  const lacking = tensorsOf("opt");
  lacking.delete("perceiver.latents");
  const first = refused("opt", lacking);
  expect(first.report.problems.incomplete).toEqual(["perceiver.latents"]);
  expect(first.message).toContain("missing, although it is trained");
  const more = tensorsOf("opt").set("perceiver.frame_embs", new Tensor([1], view(Float64Array.of(1), [1])));
  expect(refused("opt", more).message).toContain("trained, but unknown to the model");
  const everywhere = checkpointModel("opt", { crossAttnEveryNLayers: 1 });
  expect(() => loadFlamingoCheckpoint(everywhere, tensorsOf("opt"))).toThrow(
    "in the layers 0, 1, the checkpoint in the layer 1: build the model with the crossAttnEveryNLayers and crossAttnFirstLayer",
  );
  const second = new Map(
    [...tensorsOf("opt")].map(([name, t]) => [
      name.replace("model.decoder.layers.1.gated_cross_attn_layer", "gated_cross_attn_layers.0"),
      t,
    ]),
  );
  expect(refused("opt", second).report.problems.gatedLayers).toEqual([{ model: [1], checkpoint: [0] }]);
});

test("[checkpoints.strict] unknown tensors and missing rows are reported, and refused with strict", () => {
  const odd = "lang_encoder.\u001b[31m\nred";
  const given = tensorsOf("llama").set(odd, new Tensor([1], view(Float64Array.of(1), [1])));
  const { report } = loadFlamingoCheckpoint(zeros("llama"), given);
  expect(report.unexpected).toEqual([odd]);
  const text = describeCheckpointReport(report).join("\n");
  expect(text).toContain(
    "missing and needed, with a row for each added token:\n    lang_encoder.lm_head.weight",
  );
  expect(text).toContain("unexpected:\n    lang_encoder.");
  expect(text).not.toContain("\u001b");
  const { report: strict } = refused("llama", given, { strict: true });
  expect(strict.problems.strict).toEqual(["lang_encoder.lm_head.weight", odd]);
  expect(refusal(() => loadFlamingoCheckpoint(zeros("opt"), given, { strict: 1 } as never)).rule).toBe(
    "options.values",
  );
});

test("[checkpoints.all-or-nothing] nothing is loaded of files that are cut or of other contents", () => {
  const bytes = readFileSync(checkpointPath("opt.pt"));
  for (const length of [0, 1, 100, bytes.length >> 1, bytes.length - 1]) {
    const model = zeros("opt");
    expect(() => loadFlamingoCheckpoint(model, bytes.subarray(0, length))).toThrow(
      /empty|cut|begin|long|bytes|damaged/,
    );
    expect([...stateDict(model).values()].flatMap(valuesOf).every((value) => value === 0)).toBe(true);
  }
  expect(refused("opt", new Map()).report.problems.incomplete.length).toBe(25);
  expect(() => saveFlamingoCheckpoint("x.zip", zeros("opt"))).toThrow("it must end with .pt or .safetensors");
  expect(writeTorch(new Map()).length).toBeGreaterThan(0);
});

/** Shapes of a model's tensors, each under its first name. */
const shapesOf = (state: ReadonlyMap<string, Tensor>) => {
  const seen = new Set<Tensor>();
  return new Map(
    [...state].flatMap(([name, t]) => (seen.has(t) || !seen.add(t) ? [] : [[name, t.shape] as const])),
  );
};
const MODEL_TYPES: Readonly<Record<string, string>> = {
  MosaicMPTForCausalLM: "mpt",
  GPTNeoXForCausalLM: "gpt_neox",
  LlamaForCausalLM: "llama",
};

/** The files of a released model at their full size, with holes for values: language model in two shards, image tower, checkpoint. */
function sparseModel(released: ReleasedFlamingo): string {
  const folder = fresh();
  mkdirSync(`${folder}/language`, { recursive: true });
  const model = releasedFlamingo(released);
  const all = shapesOf(stateDict(model));
  const below = (prefix: string) =>
    [...all].flatMap(([name, shape]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), shape] as const] : [],
    );
  const language = below("lang_encoder.")
    .filter(([name]) => !name.includes("gated_cross_attn_layer"))
    .map(([name, shape]) => [name.replace(".decoder_layer.", "."), shape] as const);
  const half = language.length >> 1;
  const map: Record<string, string> = {};
  for (const [name, shard] of [
    ["a.safetensors", language.slice(0, half)],
    ["b.safetensors", language.slice(half)],
  ] as const) {
    sparseSafetensors(`${folder}/language/${name}`, new Map(shard));
    for (const [key] of shard) map[key] = name;
  }
  writeFileSync(`${folder}/language/model.safetensors.index.json`, JSON.stringify({ weight_map: map }));
  const config = { ...released.config, model_type: MODEL_TYPES[released.class] };
  writeFileSync(`${folder}/language/config.json`, JSON.stringify(config));
  sparseSafetensors(`${folder}/vision.safetensors`, new Map(below("vision_encoder.")));
  sparseTorch(`${folder}/checkpoint.pt`, shapesOf(checkpointState(model)));
  return folder;
}

test.each(Object.entries(releasedFlamingos))(
  "[checkpoints.lazy] [checkpoints.plan] %s opens lazily from files of its full size",
  async (name, released) => {
    const folder = sparseModel(released);
    const { user, system } = process.cpuUsage();
    const language = await loadPretrained(`${folder}/language`);
    const vision = loadClip(`${folder}/vision.safetensors`, { heads: 16, imageSize: 224, act: "quick_gelu" });
    const model = new OpenFlamingo({
      visionEncoder: vision.encoder,
      langEncoder: language.model,
      eocTokenId: 1,
      mediaTokenId: 2,
      visDim: vision.width,
      crossAttnEveryNLayers: released.every,
    });
    const checkpoint = loadFlamingoCheckpoint(model, `${folder}/checkpoint.pt`);
    const plan = flamingoMemoryPlan(model, { name, language, checkpoint, imageSize: [224, 224] });
    const used = process.cpuUsage({ user, system });
    expect((used.user + used.system) / 1e6).toBeLessThan(2);
    const { perceiver, gated_cross_attn_layers: gated, lang_encoder: parameters } = released.parameters;
    const tower = 303_966_208;
    expect(plan.parameters).toBe(perceiver + gated + parameters + tower);
    const [rows, width] = [
      Number(released.config.vocab_size),
      released.keys["lang_encoder.transformer.wte.weight"]?.[0][1] ?? Number(released.config.hidden_size),
    ];
    const layers = Number(released.config.n_layers ?? released.config.num_hidden_layers);
    const tables = released.class === "GPTNeoXForCausalLM" ? 2 : 1; // embed_in and embed_out
    const stored = statSync(`${folder}/checkpoint.pt`).size;
    expect(checkpoint.file.bytes).toBe(4 * (perceiver + gated + tables * rows * width));
    expect(stored - checkpoint.file.bytes).toBeLessThan(2 ** 18);
    expect(plan.cache.perToken).toBe(4 * 2 * layers * width);
    const ofPlan = 2 * (parameters - tables * rows * width + tower) + checkpoint.file.bytes;
    expect(Math.abs(plan.weights - ofPlan) / ofPlan).toBeLessThan(1e-3); // norms and biases, which are kept in 32 bits
    const text = describeMemoryPlan(plan);
    expect(text[0]).toMatch(
      /^openflamingo\/OpenFlamingo-\S+: OpenFlamingo around \w+ with [\d,]+ parameters$/,
    );
    expect(plan.files.map((file) => file.name)).toEqual([
      "a.safetensors",
      "b.safetensors",
      "vision_encoder",
      `${folder}/checkpoint.pt`,
    ]);
    for (const file of [language, vision, checkpoint]) file.close();
  },
  30_000,
);

test("a report with very many names is written in time that grows with their number", () => {
  const { report } = loadFlamingoCheckpoint(checkpointModel("opt"), tensorsOf("opt"));
  const trained = Array.from({ length: 100_000 }, (_, i) => `perceiver.layers.${i}.0.to_q.weight`);
  const many = {
    ...report,
    missing: { ...report.missing, trained },
    problems: { ...report.problems, incomplete: trained },
  };
  const started = performance.now();
  expect(describeCheckpointReport(many).join("\n")).toContain("all 100,000 of perceiver.layers.*");
  expect(performance.now() - started).toBeLessThan(5000); // comparing each name with every other took a minute
});
