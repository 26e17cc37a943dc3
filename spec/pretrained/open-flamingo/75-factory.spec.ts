// The executable half of 75-factory.md. Ids of added tokens are those of add_special_tokens in transformers 4.57.6 (39-more-special.spec.ts),
// and logits of a loaded model are compared with those of the saved one.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../../src/io/safetensors/write.ts";
import { LlamaForCausalLM } from "../../../src/models/language-models/llama.ts";
import type { OpenFlamingo } from "../../../src/models/open-flamingo/flamingo.ts";
import { CLIPVisionModel } from "../../../src/models/vision/clip/transformers.ts";
import { initialize, parameterNames, stateDict, ties } from "../../../src/nn/state-dict.ts";
import {
  type CreateFlamingoOptions,
  createFlamingo,
  type VisionTower,
} from "../../../src/pretrained/open-flamingo/factory.ts";
import { loadFlamingo, saveFlamingo } from "../../../src/pretrained/open-flamingo/folder.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { isSource } from "../../../src/tensor/source.ts";
import { flat, int, Tensor, view } from "../../../src/tensor/tensor.ts";
import { trainable } from "../../../src/training/trainable.ts";
import { Pixels } from "../../support/fixtures/open-flamingo/small.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { bits, changedNames } from "../../support/fixtures/training/tiny.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { refusalOf } from "../../support/properties/refusals.ts";

const fresh = folders();
const SIZES = {
  perceiver: { depth: 1, heads: 2, dimHead: 2, numLatents: 2 },
  crossAttn: { heads: 2, dimHead: 2 },
};
const SETTINGS = {
  perceiver: { depth: 1, heads: 2, dim_head: 2, num_latents: 2 },
  cross_attn: { heads: 2, dim_head: 2 },
};

interface Language {
  readonly rows?: number;
  readonly tokenizer?: string;
  readonly tied?: boolean;
  readonly config?: object;
}

/** A folder with a LLaMA of two layers in bfloat16 and one of the small tokenizers. */
function languageFolder({
  rows = 900,
  tokenizer = "gpt2",
  tied = false,
  config = {},
}: Language = {}): string {
  const folder = fresh();
  mkdirSync(folder);
  const sizes = { hidden_size: 8, intermediate_size: 6, num_hidden_layers: 2, num_attention_heads: 2 };
  const json = { model_type: "llama", vocab_size: rows, tie_word_embeddings: tied, ...sizes, ...config };
  writeFileSync(join(folder, "config.json"), JSON.stringify(json));
  const model = new LlamaForCausalLM({
    vocabSize: rows,
    hiddenSize: 8,
    intermediateSize: 6,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    tieWordEmbeddings: tied,
  });
  const state = stateDict(initialize(model, 1, { dtype: "bfloat16" }));
  const second = ties(model);
  const weights = new Map([...state].filter(([name]) => !second.has(name)));
  saveSafetensors(join(folder, "model.safetensors"), weights, { floats: "stored" });
  copyFileSync(`golden/data/tokenizers/${tokenizer}/tokenizer.json`, join(folder, "tokenizer.json"));
  return folder;
}

const tower = (): VisionTower => ({
  encoder: initialize(new Pixels(4), 2),
  width: 4,
  imageProcessor: () => new Tensor<"c h w">([3, 2, 2], view(new Float64Array(12), [3, 2, 2])),
});
const create = (language: Language = {}, changes: Partial<CreateFlamingoOptions> = {}) =>
  createFlamingo({ langEncoder: languageFolder(language), visionEncoder: tower(), ...SIZES, ...changes });

const images = randomTensor<"b m f c h w">([1, 1, 1, 3, 2, 2], 7);
const logitsOf = (model: OpenFlamingo, size = 2): number[] => {
  const visionX = size === 2 ? images : randomTensor<"b m f c h w">([1, 1, 1, 3, size, size], 7);
  const langX = int("b l", [[model.options.mediaTokenId, 5, 7, model.options.eocTokenId]]);
  return [...flat(model.forward({ visionX, langX }).logits.data)];
};
/** Opens the gates, so that images have an effect. */
function opened(model: OpenFlamingo): OpenFlamingo {
  for (const [name, t] of stateDict(model))
    if (name.endsWith("_gate")) t.assign(view(Float64Array.of(0.7), [1]));
  return model;
}

test("[factory.tokens] [factory.resize] tables have a row for each id, old rows stay, and the ids are those of the texts", async () => {
  for (const [rows, tokenizer, size] of [
    [900, "gpt2", 909],
    [1000, "gpt2", 909],
    [907, "llama", 908],
  ] as const) {
    const { model, tokenizer: encoder, padTokenId, language } = await create({ rows, tokenizer });
    expect(encoder.size).toBe(size);
    const { eocTokenId, mediaTokenId } = model.options;
    expect([eocTokenId, mediaTokenId, padTokenId]).toEqual(
      tokenizer === "gpt2" ? [902, 901, 908] : [901, 900, 907],
    );
    expect(encoder.pad).toBe(padTokenId);
    const state = stateDict(model);
    const plain = stateDict((await createLanguage({ rows, tokenizer })).model);
    for (const table of ["model.embed_tokens.weight", "lm_head.weight"]) {
      const t = state.get(`lang_encoder.${table}`);
      expect(t?.shape).toEqual([size, 8]);
      const old = [...flat(plain.get(table)?.data ?? images.data)].slice(0, size * 8);
      expect([...flat(t?.data ?? images.data)].slice(0, old.length)).toEqual(old);
      expect(t && isSource(t.stored) && t.stored.dtype).toBe("bfloat16");
    }
    expect(language.model).toBe(model.lang_encoder);
  }
});

const createLanguage = async (language: Language) => {
  const { loadPretrained } = await import("../../../src/pretrained/load-pretrained.ts");
  return loadPretrained(languageFolder(language));
};

test("[factory.tokens] under a release's profile the ids are the last ones of the encoded texts", async () => {
  const ids = async (profile?: "open-flamingo@2.0.1" | "open-flamingo@0.1.1") => {
    const { model } = await create({ rows: 610, tokenizer: "unigram" }, { profile });
    return [model.options.eocTokenId, model.options.mediaTokenId];
  };
  expect(await ids()).toEqual([601, 600]);
  expect(await ids("open-flamingo@2.0.1")).toEqual([1, 1]); // its tokenizer adds </s>
  expect(await ids("open-flamingo@0.1.1")).toEqual([1, 1]);
});

test("[factory.resize] new rows have the deviation of the configuration", async () => {
  for (const [config, std] of [
    [{}, 0.02],
    [{ initializer_range: 0.5 }, 0.5],
    [{ init_std: 2 }, 2],
  ] as const) {
    const { model } = await create({ rows: 100, config });
    const rows = flat(stateDict(model).get("lang_encoder.model.embed_tokens.weight")?.data ?? images.data);
    const added = [...rows.slice(800)];
    const squares = added.reduce((sum, x) => sum + x * x, 0) / added.length;
    expect(Math.sqrt(squares) / std).toBeCloseTo(1, 1);
  }
});

test("[factory.seed] the same seed gives the same model, another one other new weights and the same pretrained ones", async () => {
  const language = languageFolder();
  const make = async (seed?: number) => (await create({}, { langEncoder: language, seed })).model;
  const [a, b, c] = [await make(), await make(0), await make(1)];
  expect(bits(a)).toEqual(bits(b));
  const changed = changedNames(bits(a), bits(c));
  const isNew = (name: string) =>
    trainable(a, "open-flamingo").includes(name) || name === "lang_encoder.lm_head.weight";
  expect(changed.length).toBeGreaterThan(15);
  expect(changed.filter((name) => !isNew(name))).toEqual([]);
  const old = (model: OpenFlamingo) =>
    [...flat(stateDict(model).get("lang_encoder.lm_head.weight")?.data ?? images.data)].slice(0, 900 * 8);
  expect(old(a)).toEqual(old(c));
  const mean = (await create({}, { langEncoder: language, newRows: "mean" })).model;
  expect(changedNames(bits(a), bits(mean))).toEqual([
    "lang_encoder.model.embed_tokens.weight",
    "lang_encoder.lm_head.weight",
  ]);
});

test("[factory.frozen] resampler, gated layers and token embeddings are trained", async () => {
  const { model } = await create({}, { crossAttnEveryNLayers: 2 });
  const named = trainable(model, "open-flamingo");
  const expected = parameterNames(model).filter((name) => /^perceiver|gated_cross|embed_tokens/.test(name));
  expect(named).toEqual(expected);
  expect(
    named.filter((name) => name.includes("gated_cross")).every((name) => name.includes("layers.1.")),
  ).toBe(true);
  expect(trainable(model, "open-flamingo, frozen embeddings")).toEqual(
    expected.filter((name) => !name.includes("embed_tokens")),
  );
});

test("[flamingofolder.weights] [flamingofolder.dtypes] [flamingofolder.paths] a loaded model computes the logits of the saved one", async () => {
  for (const tied of [false, true]) {
    const langEncoder = languageFolder({ tied });
    const { model } = await create({}, { langEncoder, seed: 5, crossAttnFirstLayer: 1 });
    opened(model);
    const folder = fresh();
    const path = relative(resolve(folder), resolve(langEncoder));
    const settings = { ...SETTINGS, cross_attn_first_layer: 1 };
    saveFlamingo(folder, model, { ...settings, lang_encoder_path: path });
    const loaded = await loadFlamingo(folder, { visionEncoder: tower() });
    const rounded = stateDict(loaded.model).get(
      "lang_encoder.model.layers.1.gated_cross_attn_layer.attn_gate",
    );
    expect([...flat(rounded?.data ?? images.data)]).toEqual([Math.fround(0.7)]);
    const gates = [...stateDict(model)].filter(([name]) => name.endsWith("_gate"));
    for (const [, t] of gates) t.assign(view(Float64Array.of(Math.fround(0.7)), [1]));
    expect(logitsOf(loaded.model)).toEqual(logitsOf(model));
    expect(loaded.report.missing.rows).toEqual([]);
    const file = loadSafetensors(join(folder, "checkpoint.safetensors"));
    expect(file.has("lang_encoder.lm_head.weight")).toBe(!tied);
    expect(file.info("lang_encoder.model.embed_tokens.weight").dtype).toBe("BF16");
    expect(file.info("lang_encoder.model.layers.1.gated_cross_attn_layer.attn_gate").dtype).toBe("F32");
    expect(
      file.keys.some((name) => name.includes("decoder_layer") || name.startsWith("vision_encoder")),
    ).toBe(false);
    file.close();
    saveFlamingo(folder, model, { ...settings, lang_encoder_path: "nowhere" });
    await expect(loadFlamingo(folder, { visionEncoder: tower() })).rejects.toThrow("nowhere");
    const other = await loadFlamingo(folder, { visionEncoder: tower(), languageModel: langEncoder });
    expect(logitsOf(other.model)).toEqual(logitsOf(model));
    saveFlamingo(folder, model, { ...settings, lang_encoder_path: resolve(langEncoder) });
    expect(logitsOf((await loadFlamingo(folder, { visionEncoder: tower() })).model)).toEqual(logitsOf(model));
  }
});

/** A folder of transformers with a small CLIP tower. */
function clipFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const sizes = {
    hidden_size: 8,
    intermediate_size: 6,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    image_size: 4,
    patch_size: 2,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "clip_vision_model", ...sizes }));
  const model = new CLIPVisionModel({
    hiddenSize: 8,
    intermediateSize: 6,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    imageSize: 4,
    patchSize: 2,
  });
  saveSafetensors(join(folder, "model.safetensors"), stateDict(initialize(model, 4)), { floats: "stored" });
}

test("[flamingofolder.paths] [flamingofolder.settings] without options the models are those of the folder, and settings have defaults", async () => {
  const folder = fresh();
  clipFolder(join(folder, "vision"));
  const from = languageFolder();
  const language = join(folder, "language");
  mkdirSync(language);
  for (const name of ["config.json", "model.safetensors", "tokenizer.json"])
    copyFileSync(join(from, name), join(language, name));
  const { model } = await createFlamingo({
    langEncoder: language,
    visionEncoder: join(folder, "vision"),
    ...SIZES,
  });
  opened(model);
  saveFlamingo(folder, model, SETTINGS);
  const written = JSON.parse(readFileSync(join(folder, "open-flamingo.json"), "utf8"));
  expect(written).toEqual({
    profile: "flamboyance",
    lang_encoder_path: "language",
    vision_encoder_path: "vision",
    cross_attn_every_n_layers: 1,
    cross_attn_first_layer: 0,
    ...SETTINGS,
  });
  writeFileSync(join(folder, "open-flamingo.json"), JSON.stringify(SETTINGS));
  const loaded = await loadFlamingo(folder);
  expect(loaded.settings).toEqual(written);
  const float32 = stateDict(loaded.model).get("lang_encoder.model.layers.0.gated_cross_attn_layer.ff_gate");
  expect([...flat(float32?.data ?? images.data)]).toEqual([Math.fround(0.7)]);
  for (const [name, t] of stateDict(model))
    if (name.endsWith("_gate")) t.assign(view(Float64Array.of(Math.fround(0.7)), [1]));
  expect(logitsOf(loaded.model, 4)).toEqual(logitsOf(model, 4));
  const image = { width: 6, height: 5, channels: 3 as const, data: new Uint8Array(90) };
  expect(loaded.imageProcessor(image).shape).toEqual([3, 4, 4]);
  loaded.close();
  const release = await loadFlamingo(folder, { profile: "open-flamingo@2.0.1" });
  expect(release.model.options.behaviour.surplusImages).toBe("accept");
  const mixed = await loadFlamingo(folder, { behaviour: { surplusImages: "accept" } });
  expect(mixed.model.options.behaviour).toEqual({
    ...loaded.model.options.behaviour,
    surplusImages: "accept",
  });
  writeFileSync(
    join(folder, "open-flamingo.json"),
    JSON.stringify({ ...SETTINGS, profile: "open-flamingo@2.0.1" }),
  );
  expect((await loadFlamingo(folder)).model.options.behaviour.surplusImages).toBe("accept");
});

test("[flamingofolder.settings] [flamingofolder.files] a folder with unknown or refused settings, or without its files, is refused by name", async () => {
  const langEncoder = resolve(languageFolder());
  const { model } = await create({}, { langEncoder });
  const folder = fresh();
  const settings = { ...SETTINGS, lang_encoder_path: langEncoder };
  saveFlamingo(folder, model, settings);
  const file = join(folder, "open-flamingo.json");
  const refused = async (json: string | null, ...texts: readonly string[]) => {
    if (json === null) rmSync(file);
    else writeFileSync(file, json);
    const error: unknown = await loadFlamingo(folder, { visionEncoder: tower() }).catch((thrown) => thrown);
    if (!(error instanceof LoadError)) throw error;
    for (const text of texts) expect(error.message).toContain(text);
  };
  const bad = (change: object): string => JSON.stringify({ ...settings, ...change });
  await refused(bad({ cross_attn_every_n_layer: 2 }), file, "cross_attn_every_n_layer");
  await refused(bad({ cross_attn_every_n_layers: "2" }), file, "cross_attn_every_n_layers");
  await refused(bad({ cross_attn_every_n_layers: 0 }), file, "crossAttnEveryNLayers");
  await refused(bad({ cross_attn_every_n_layers: 2 }), "checkpoint.safetensors");
  await refused(bad({ lang_encoder_path: "" }), file, "lang_encoder_path");
  await refused(bad({ vision_encoder_path: "" }), file, "vision_encoder_path");
  await refused(bad({ perceiver: { ...SETTINGS.perceiver, dim: 8 } }), file, '"dim"');
  await refused(bad({ cross_attn: { ...SETTINGS.cross_attn, convention: "paper" } }), file, '"convention"');
  await refused(bad({ perceiver: { depth: -1 } }), file, "depth");
  await refused(bad({ perceiver: { deep: 1 } }), file, "deep");
  await refused(bad({ cross_attn: { heads: 1e9 } }), file, "heads");
  await refused(bad({ profile: "open-flamingo@3" }), file, "profile");
  await refused("{", file);
  await refused(null, folder, "open-flamingo.json");
  writeFileSync(file, JSON.stringify(settings));
  await loadFlamingo(folder, { visionEncoder: tower() });
  rmSync(join(folder, "checkpoint.safetensors"));
  await refused(JSON.stringify(settings), folder, "checkpoint.pt");
  // @ts-expect-error the setting is misspelt
  expect(() => saveFlamingo(folder, model, { profil: "flamboyance" })).toThrow("profil");
  expect(existsSync(join(folder, "checkpoint.safetensors"))).toBe(false);
});

test("[flamingofolder.settings] settings that describe another model than the saved one are refused, and nothing is written", async () => {
  const { model } = await create({}, { crossAttnFirstLayer: 1 });
  const given = { ...SETTINGS, cross_attn_first_layer: 1 };
  for (const [change, text] of [
    [{ cross_attn_first_layer: 0 }, "gated.0"],
    [{ cross_attn_every_n_layers: 3 }, "gated.1"],
    [
      { perceiver: { ...SETTINGS.perceiver, num_latents: 3 } },
      "perceiver.latents is [2 4] in the model and [3 4]",
    ],
    [{ perceiver: { ...SETTINGS.perceiver, depth: 2 } }, "perceiver.layers.1"],
    [{ cross_attn: {} }, "gated.1"],
  ] as const) {
    const folder = fresh();
    expect(() => saveFlamingo(folder, model, { ...given, ...change })).toThrow(text);
    expect(existsSync(folder)).toBe(false);
  }
  saveFlamingo(fresh(), model, given);
  // @ts-expect-error a language model alone
  expect(() => saveFlamingo(fresh(), model.lang_encoder)).toThrow("saveFlamingo takes an OpenFlamingo");
});

test("an option of loadFlamingo that is refused is named as such, and not as a setting of the file", async () => {
  const langEncoder = resolve(languageFolder());
  const { model } = await create({}, { langEncoder });
  const folder = fresh();
  saveFlamingo(folder, model, { ...SETTINGS, lang_encoder_path: langEncoder });
  for (const [options, text] of [
    [{ languageModel: 5 }, "loadFlamingo: languageModel is 5"],
    [{ visionEncoder: {} }, "loadFlamingo: visionEncoder is an object"],
    [{ profile: "x" }, 'loadFlamingo: profile is "x"; it must be "flamboyance" or "open-flamingo'],
    [{ behaviour: { surplus: 1 } }, 'behaviour has no option "surplus"'],
    [{ loading: 5 }, "loadFlamingo: loading is 5"],
  ] as const) {
    const { message } = await refusalOf(() => loadFlamingo(folder, options as object));
    expect(message).toContain(text);
    expect(message).not.toContain("open-flamingo.json");
  }
  // @ts-expect-error a folder is required
  expect((await refusalOf(() => loadFlamingo())).message).toContain("loadFlamingo: folder is undefined");
});

test("[factory.tokens] options that are none are refused", async () => {
  const langEncoder = languageFolder();
  expect((await refusalOf(() => create({}, { langEncoder, seed: 0.5 }))).message).toContain("seed");
  expect((await refusalOf(() => create({}, { langEncoder: "" }))).message).toContain("langEncoder");
  // @ts-expect-error an encoder alone has no width
  expect((await refusalOf(() => create({}, { visionEncoder: new Pixels() }))).message).toContain(
    "visionEncoder",
  );
  // @ts-expect-error the option is misspelt
  expect((await refusalOf(() => create({}, { langEncoders: "" }))).message).toContain("langEncoders");
  await expect(create({}, { langEncoder, visionEncoder: "nowhere" })).rejects.toThrow("nowhere");
});
