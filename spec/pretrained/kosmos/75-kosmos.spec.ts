// The executable half of 75-kosmos.md. Logits of a loaded model are compared with those of the saved one.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clipPreprocessing, openClipPreprocessing } from "../../../src/io/images/preprocessing.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../../src/io/safetensors/write.ts";
import { loadKosmosTokenizer } from "../../../src/io/tokenizers/kosmos/load.ts";
import { loadTokenizer } from "../../../src/io/tokenizers/load.ts";
import { saveTorch } from "../../../src/io/torch/write.ts";
import { Kosmos, type KosmosOptions } from "../../../src/models/kosmos/kosmos.ts";
import { MagnetoDecoder } from "../../../src/models/language-models/magneto/decoder.ts";
import type { MagnetoOptions } from "../../../src/models/language-models/magneto/options.ts";
import { OpenClipVisionTransformer } from "../../../src/models/vision/clip/open-clip.ts";
import { CLIPVisionModel } from "../../../src/models/vision/clip/transformers.ts";
import { initialize, stateDict, ties } from "../../../src/nn/state-dict.ts";
import { kosmosTower, loadKosmos, saveKosmos } from "../../../src/pretrained/kosmos/folder.ts";
import { kosmosMemoryPlan } from "../../../src/pretrained/kosmos/memory-plan.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { isSource } from "../../../src/tensor/source.ts";
import { flat, int, Tensor } from "../../../src/tensor/tensor.ts";
import { images, SLOTS, smallTower } from "../../support/fixtures/kosmos/small.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { expectSame } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const fresh = folders();
const TOKENIZER = "golden/data/tokenizers/unigram";
/** Special tokens of that tokenizer, with those of images added: its padding is 0 and its end 1, as T5's. */
const tokens = { bos: null, pad: 0, eos: 1, image: 600, imageEnd: 607 };
const SIZES = { vocabSize: 608, width: 8, layers: 2, heads: 2, feedForwardWidth: 10, maxPositions: 40 };

function kosmos(options: Partial<KosmosOptions> = {}, decoder: Partial<MagnetoOptions> = {}): Kosmos {
  const parts = { clip: smallTower(), decoder: new MagnetoDecoder({ ...SIZES, ...decoder }), tokens };
  const resampler = { depth: 1, dimHead: 3, heads: 2, numLatents: SLOTS, numMediaEmbeds: 2 };
  return initialize(new Kosmos({ ...parts, resampler, ...options }), 4);
}

/** A folder with a saved model. */
function saved(model: Kosmos, preprocessing = clipPreprocessing(4)): string {
  const folder = fresh();
  saveKosmos(folder, model, { tokenizer: TOKENIZER, preprocessing });
  return folder;
}

const call = () => ({ ids: int("b l", [[5, 600, 607, 9, 1]]), images: images(1) });
const logitsOf = (model: Kosmos): Tensor => model.forward(call()).logits;
const change = (folder: string, edit: (settings: Record<string, never>) => void): void => {
  const path = join(folder, "kosmos.json");
  const settings = JSON.parse(readFileSync(path, "utf8"));
  edit(settings);
  writeFileSync(path, JSON.stringify(settings));
};
const problemOf = async (folder: string, options = {}): Promise<string> => {
  try {
    (await loadKosmos(folder, options)).close();
  } catch (error) {
    if (error instanceof LoadError) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
};

/** A model for every option that a decoder has. */
const decoders: readonly (readonly [string, Partial<MagnetoOptions>])[] = [
  ["defaults", {}],
  ["multiway, split", { multiway: true, splitPosition: 3, xpos: true, xposScaleBase: 300 }],
  ["DeepNorm", { deepNorm: true, activation: "relu", eps: 1e-3, paddingId: 0 }],
  ["pre-LN with buckets", { normalization: "pre-ln", relativePosition: { buckets: 8, maxDistance: 20 } }],
  [
    "post-sub-LN, tied, scaled",
    { normalization: "post-sub-ln", tied: true, scaleEmbedding: true, activation: "swish" },
  ],
  ["no positions, norm of embeddings", { maxPositions: null, layerNormEmbedding: true, xpos: true }],
];

for (const mode of ["seed", "published"] as const)
  test.each(decoders)(
    `[kosmosfolder.settings] [kosmosfolder.weights] ${mode}, %s: a loaded model is the saved one`,
    async (_, options) => {
      const model = kosmos(
        { mode },
        { ...options, dropout: 0.1, attentionDropout: 0.2, activationDropout: 0.3, dropPathRate: 0.4 },
      );
      const { model: loaded, report, settings, close } = await loadKosmos(saved(model));
      expectSame(logitsOf(loaded), logitsOf(model));
      expect(loaded.options).toEqual(model.options);
      expect(loaded.decoder.options).toEqual(model.decoder.options);
      expect(loaded.clip_model.options).toEqual(model.clip_model.options);
      expect(settings.mode).toBe(mode);
      expect(report.loaded.length).toBe(stateDict(model).size);
      const { latents } = loaded.perceive;
      expect(isSource(latents.stored)).toBe(true); // read whenever it is used
      close();
    },
  );

test("[kosmosfolder.weights] the file has kosmosx's names, the tables twice, and loads with either or both", async () => {
  const model = kosmos();
  const folder = saved(model);
  const path = join(folder, "model.safetensors");
  const file = loadSafetensors(path);
  expect([...file.keys].sort()).toEqual([...stateDict(model).keys()].sort());
  const all = new Map(file.keys.map((key) => [key, file.get(key)] as const));
  const wanted = logitsOf(model);
  const doubled = ["embed", "embed_positions", "output_projection"];
  const second = {
    embed: "embed_tokens",
    embed_positions: "embed_positions",
    output_projection: "output_projection",
  };
  const without = (names: readonly string[]) =>
    new Map(
      [...all]
        .filter(([name]) => !names.includes(name))
        .map(([name, t]) => [name, new Tensor(t.shape, (t as Tensor).data)]),
    );
  const first = doubled.map((name) => `${name}.weight`);
  const others = Object.values(second).map((name) => `decoder.${name}.weight`);
  for (const names of [first, others, []]) {
    const tensors = without(names);
    tensors.set("clip_model.embeddings.position_ids", new Tensor([1, 5], randomTensor([1, 5]).data));
    saveSafetensors(path, tensors);
    const loaded = await loadKosmos(folder);
    expectSame(logitsOf(loaded.model), wanted);
    expect(loaded.report.ignored.flatMap(({ names: left }) => left)).toEqual([
      "clip_model.embeddings.position_ids",
    ]);
    loaded.close();
  }
  saveSafetensors(path, new Map([...without([]), ["embed.weight", randomTensor([608, 8])]]));
  expect(await problemOf(folder)).toContain(
    '"decoder.embed_tokens.weight" is tied, but its two copies differ',
  );
  saveSafetensors(path, without(["perceive.latents"]));
  expect(await problemOf(folder)).toContain("perceive.latents");
});

test("[kosmosfolder.dtypes] weights keep their dtype, and those in float64 are rounded to float32", () => {
  const model = initialize(kosmos(), 2, { dtype: "bfloat16" });
  model.perceive.latents.assign(randomTensor([SLOTS, 6]).data);
  const file = loadSafetensors(join(saved(model), "model.safetensors"));
  const stored = (name: string) => (file.get(name) as Tensor).stored;
  expect(stored("embed.weight")).toMatchObject({ dtype: "bfloat16" });
  const latents = file.get("perceive.latents") as Tensor;
  expect(latents.stored).toMatchObject({ dtype: "float32" });
  expect([...flat(latents.data)]).toEqual([...flat(randomTensor([SLOTS, 6]).data)].map(Math.fround));
  expect(stored("decoder.embed_tokens.weight")).toMatchObject({ dtype: "bfloat16" });
});

test("[kosmosfolder.files] a folder without settings or weights is refused; the weights may be a file of PyTorch", async () => {
  const folder = saved(kosmos());
  rmSync(join(folder, "model.safetensors"));
  expect(await problemOf(folder)).toContain(
    "there is none of model.safetensors, pytorch_model.bin, final_model.pt",
  );
  for (const name of ["final_model.pt", "pytorch_model.bin"]) {
    const model = initialize(kosmos(), name.length); // other weights in each file
    saveTorch(join(folder, name), stateDict(model));
    const loaded = await loadKosmos(folder);
    expect(loaded.file).toBe(`${folder}/${name}`);
    expectSame(logitsOf(loaded.model), logitsOf(model));
    loaded.close();
  }
  rmSync(join(folder, "kosmos.json"));
  expect(await problemOf(folder)).toContain("there is no kosmos.json; name a folder that saveKosmos wrote");
  expect(await problemOf(`${folder}/none`)).toContain("there is no kosmos.json");
});

test("[kosmosfolder.settings] a member that is missing, unknown or refused is an error that names the file", async () => {
  const problem = async (edit: (settings: Record<string, never>) => void): Promise<string> => {
    const folder = saved(kosmos());
    change(folder, edit);
    const message = await problemOf(folder);
    expect(message.startsWith(`${folder}/kosmos.json: `)).toBe(true);
    expect(message.length).toBeLessThan(600);
    return message.slice(folder.length + 14);
  };
  const set = (part: string, name: string, value: unknown) => (all: Record<string, never>) => {
    (all as unknown as Record<string, Record<string, unknown>>)[part] = {
      ...(all as Record<string, object>)[part],
      [name]: value,
    };
  };
  expect(await problem(set("decoder", "width", undefined))).toContain(
    '"decoder.width" is missing; it has to be an integer',
  );
  expect(await problem(set("decoder", "widht", 8))).toContain('"decoder.widht" is no setting');
  expect(await problem(set("tokens", "image", "<image>"))).toContain('"tokens.image" has to be an integer');
  expect(await problem(set("tokens", "image", 1))).toContain("eos and image have the same id 1");
  expect(await problem(set("tokens", "pad", 1e9))).toContain("pad is 1000000000");
  expect(await problem(set("decoder", "heads", 3))).toContain("a width of 8 cannot be divided among 3 heads");
  expect(await problem(set("decoder", "layers", 1e6))).toContain("the settings have 1000003 layers");
  // One more layer than the file has, with 16 tensors at least: there are no layers to be filled.
  expect(await problem(set("decoder", "layers", 30))).toMatch(
    /the settings have 33 layers, which have at least \d+ tensors, and the file of weights has \d+;/,
  );
  expect(await problem(set("decoder", "vocab_size", 2 ** 25))).toContain("vocabSize is 33554432");
  expect(await problem(set("clip", "hidden_act", "tanhh"))).toContain('"clip.hidden_act"');
  expect(await problem(set("resampler", "heads", 0))).toContain("heads is 0");
  expect(await problem((all) => void Object.assign(all, { mode: "twice" }))).toContain(
    '"mode" has to be seed or published',
  );
  expect(await problem((all) => void Object.assign(all, { decoder: [] }))).toContain(
    '"decoder" has to be an object',
  );
});

test("[kosmosfolder.tokenizer] image tokens are added; other ids, and more ids than rows, are refused", async () => {
  const folder = saved(kosmos());
  const { tokenizer, model, close } = await loadKosmos(folder);
  // <image></image> are two tokens between the pieces of the text; the tokenizer ends each text with </s>
  const ids = tokenizer.encode("a <image></image> b");
  expect(ids.filter((id) => id >= 600)).toEqual([600, 607]);
  expect(ids.at(-1)).toBe(1);
  expect(model.forward({ ids: int("b l", [ids]), images: images(1) }).logits.shape[1]).toBe(
    ids.length + SLOTS,
  );
  close();
  const other = saved(kosmos({ tokens: { ...tokens, image: 601 } }));
  expect(await problemOf(other)).toContain(
    '"<image>" has the id 600 in the tokenizer, and 601 in kosmos.json',
  );
  const gpt2 = saved(kosmos({ tokens: { ...tokens, image: 901, imageEnd: 908 } }, { vocabSize: 909 }));
  copyFileSync("golden/data/tokenizers/gpt2/tokenizer.json", join(gpt2, "tokenizer.json"));
  (await loadKosmos(gpt2)).close();
  const narrow = saved(kosmos({ tokens: { ...tokens, image: 600, imageEnd: 602 } }, { vocabSize: 603 }));
  expect(await problemOf(narrow)).toContain(
    '"</image>" has the id 607 in the tokenizer, and 602 in kosmos.json',
  );
  rmSync(join(narrow, "tokenizer.json"));
  expect(await problemOf(narrow)).toContain("there is no tokenizer.json");
});

test("[kosmosfolder.tokenizer] more ids than rows are refused", async () => {
  const folder = saved(kosmos());
  const more = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8"));
  const last = more.added_tokens.at(-1);
  more.added_tokens.push(
    { ...last, id: 607, content: "</image>" },
    { ...last, id: 650, content: "<further>" },
  );
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(more));
  expect(await problemOf(folder)).toContain(
    "the tokenizer has 651 ids, and the tables of the model 608 rows",
  );
});

const KOSMOS_FILES = "golden/data/kosmos-tokenizers";
const PRESETS = {
  t5: { tokens: { bos: null, pad: 0, eos: 1, image: 900, imageEnd: 901 }, size: 902 },
  // 4 symbols of fairseq, the pieces without SentencePiece's three, and the six of unilm, of which the images' are third and fourth
  kosmos: { tokens: { bos: 0, pad: 1, eos: 2, image: 1203, imageEnd: 1204 }, size: 4 + 1200 - 3 + 6 },
} as const;

test.each(["t5", "kosmos"] as const)(
  "[kosmosfolder.tokenizer] %s: a folder with a SentencePiece model has the ids of the preset, where the settings have them",
  async (name) => {
    const preset = PRESETS[name];
    const folder = fresh();
    const model = kosmos({ tokens: preset.tokens }, { vocabSize: preset.size });
    saveKosmos(folder, model, { tokenizer: `${KOSMOS_FILES}/${name}` });
    const { tokenizer, close } = await loadKosmos(folder);
    const ids = (await loadKosmosTokenizer(`${KOSMOS_FILES}/${name}`)).tokenizer.encode(
      "a<image></image> picture",
    );
    expect(tokenizer.encode("a<image></image> picture")).toEqual(ids);
    expect(ids.at(-1)).toBe(preset.tokens.eos);
    expect(tokenizer.size).toBe(preset.size);
    close();
    for (const wrong of ["pad", "eos", "image", "imageEnd"] as const) {
      const other = fresh();
      const changed = kosmos({ tokens: { ...preset.tokens, [wrong]: 7 } }, { vocabSize: preset.size });
      saveKosmos(other, changed, { tokenizer: `${KOSMOS_FILES}/${name}` });
      expect(await problemOf(other)).toMatch(/in the tokenizer, and \d+ in kosmos\.json/);
    }
  },
);

test("[kosmosfolder.tokenizer] a model of a preset's kind with SentencePiece's own ids is read as any tokenizer", async () => {
  const from = `${KOSMOS_FILES}/kosmos`;
  const plain = await loadTokenizer(from, { special: ["<image>", "</image>"] });
  expect([plain.size, plain.tokenToId("<image>")]).toEqual([1202, 1200]); // behind its 1200 pieces, where fairseq has other ids
  const folder = fresh();
  const own = { bos: 1, pad: 0, eos: 2, image: 1200, imageEnd: 1201 };
  saveKosmos(folder, kosmos({ tokens: own }, { vocabSize: 1202 }), { tokenizer: from });
  const { tokenizer, close } = await loadKosmos(folder);
  expect(tokenizer.encode("a<image></image> picture")).toEqual(plain.encode("a<image></image> picture"));
  close();
});

test("[kosmosfolder.tokenizer] another end than the tokenizer's is refused", async () => {
  const folder = saved(kosmos({ tokens: { ...tokens, eos: 5 } }));
  writeFileSync(join(folder, "tokenizer_config.json"), '{"eos_token": "</s>"}');
  expect(await problemOf(folder)).toContain("eos has the id 1 in the tokenizer, and 5 in kosmos.json");
});

test("[kosmosfolder.processor] images of another size than the tower's are refused", async () => {
  const folder = saved(kosmos(), clipPreprocessing(5));
  expect(await problemOf(folder)).toContain("images have 5 × 5 pixels after it, and the tower takes 4 × 4");
  const high = saved(kosmos(), { ...clipPreprocessing(4), crop: { height: 8, width: 4 } });
  expect(await problemOf(high)).toContain("images have 8 × 4 pixels");
});

test("[kosmosfolder.processor] the steps of the file are read, and CLIP's without a file; open_clip's are not written", async () => {
  const steps = { ...clipPreprocessing(4, 4), filter: "lanczos" as const, scale: 0.5, normalization: null };
  const folder = saved(kosmos(), steps);
  const first = await loadKosmos(folder);
  expect(first.preprocessing).toEqual(steps);
  const white = { width: 6, height: 5, channels: 3, data: new Uint8Array(90).fill(255) };
  const pixels = first.imageProcessor(white as never);
  expect([pixels.shape, ...flat(pixels.data).slice(0, 2)]).toEqual([[3, 4, 4], 127.5, 127.5]);
  first.close();
  for (const changed of [
    { ...steps, crop: null },
    { ...steps, resize: null },
    { ...steps, resize: { width: 5, height: 4 }, crop: { width: 4, height: 4 }, scale: null },
    { ...steps, convert: "never" as const, normalization: { mean: [1, 2, 3], std: [4, 5, 6] } },
  ]) {
    saveKosmos(folder, kosmos(), { tokenizer: TOKENIZER, preprocessing: changed });
    const loaded = await loadKosmos(folder);
    expect(loaded.preprocessing).toEqual(changed);
    loaded.close();
  }
  rmSync(join(folder, "preprocessor_config.json"));
  const second = await loadKosmos(folder);
  expect(second.preprocessing).toEqual(clipPreprocessing(4));
  second.close();
  const to = fresh();
  const refused = refusal(() => saveKosmos(to, kosmos(), { preprocessing: openClipPreprocessing(4) }));
  expect(refused.message).toContain("no place for the preprocessing of open_clip");
  expect(existsSync(to)).toBe(false); // nothing half-written
});

test("[kosmosfolder.tower] another tower comes with its weights and its preprocessing", async () => {
  const folder = saved(kosmos());
  const tower = initialize(new CLIPVisionModel({ ...smallTower().options }), 9);
  const clip = fresh();
  mkdirSync(clip);
  const config = {
    model_type: "clip_vision_model",
    hidden_size: 6,
    intermediate_size: 7,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    image_size: 4,
    patch_size: 2,
    hidden_act: "gelu",
  };
  const write = (changed: object) =>
    writeFileSync(join(clip, "config.json"), JSON.stringify({ ...config, ...changed }));
  write({});
  saveSafetensors(join(clip, "model.safetensors"), stateDict(tower));
  writeFileSync(
    join(clip, "preprocessor_config.json"),
    JSON.stringify({ size: { shortest_edge: 4 }, crop_size: 4, resample: 2 }),
  );
  const loaded = await loadKosmos(folder, { clip });
  const same = kosmos();
  const own = stateDict(tower.vision_model);
  for (const [name, t] of own) stateDict(same.clip_model).get(name)?.assign(t.data);
  expectSame(logitsOf(loaded.model), logitsOf(same));
  expect(loaded.preprocessing.filter).toBe("bilinear");
  loaded.close();
  const wide = initialize(new CLIPVisionModel({ ...smallTower().options, hiddenSize: 4 }), 9);
  write({ hidden_size: 4 });
  saveSafetensors(join(clip, "model.safetensors"), stateDict(wide));
  expect(await problemOf(folder, { clip })).toContain(
    "the tower's tokens have the width 4, and the resampler takes 6",
  );
  const openClip = new OpenClipVisionTransformer({
    imageSize: 4,
    patchSize: 2,
    width: 6,
    layers: 1,
    heads: 2,
    outputDim: 3,
    mlpRatio: 2,
  });
  expect(refusal(() => kosmosTower(openClip)).message).toContain("not an object (OpenClipVisionTransformer)");
  expect(kosmosTower(tower)).toBe(tower.vision_model);
});

test("[kosmosfolder.plan] the plan counts tied tables once, 16-bit weights as such, and the places of images", async () => {
  const model = initialize(kosmos(), 2, { dtype: "bfloat16" });
  const loaded = await loadKosmos(saved(model));
  const plan = kosmosMemoryPlan(loaded, { context: 30, prompt: 20 });
  const sizes = [...stateDict(model)].filter(([name]) => !ties(model).has(name)).map(([, t]) => t);
  expect(plan.parameters).toBe(sizes.reduce((sum, t) => sum + t.size, 0));
  expect(plan.weights).toBe(sizes.reduce((sum, t) => sum + t.size * (t.shape.length > 1 ? 2 : 4), 0));
  expect(plan.longest).toBe(40);
  expect(plan.cache.perToken).toBe(2 * 2 * 8 * 4); // keys and values of two layers, 8 wide, in float32
  // six images have 30 places, more than the 20 tokens that were asked for
  const more = kosmosMemoryPlan(loaded, { context: 30, prompt: 20, images: 6 });
  const none = kosmosMemoryPlan(loaded, { context: 30, prompt: 20, images: 0 });
  expect(more.intermediates.bytes).toBeGreaterThan(1.4 * none.intermediates.bytes);
  loaded.close();
});
