// The files of an OpenFlamingo of the size of openflamingo/OpenFlamingo-3B-vitl-mpt1b, with random weights in bfloat16: 5.1 GB.
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { drawn, pool } from "../full_size/weights.mjs";

const { MosaicMptForCausalLM, OpenClipVisionTransformer, OpenFlamingo, stateDict, tensor } = await import(
  "../../../dist/index.js"
);
const { saveFlamingoCheckpoint, saveSafetensors } = await import("../../../dist/entries/io.js");

/** config.json of the language model, in the names of llm-foundry: that of mosaicml/mpt-1b-redpajama-200b with the tokens of OpenFlamingo. */
const LANGUAGE = {
  model_type: "mpt",
  architectures: ["MPTForCausalLM"],
  d_model: 2048,
  n_heads: 16,
  n_layers: 24,
  expansion_ratio: 4,
  max_seq_len: 2048,
  vocab_size: 50280,
  no_bias: true,
  norm_type: "low_precision_layernorm",
  attn_config: { alibi: true, alibi_bias_max: 8, qk_ln: true, attn_pdrop: 0 },
};
export const SIZES = { every: 1, eoc: 50277, image: 50278, prompt: [50278, 13496, 27] };
export const NAMES = {
  language: "language",
  vision: "vision.safetensors",
  trained: "checkpoint.pt",
  image: "image.safetensors",
};
const BYTES = 5.2e9;

/** Deviation and mean: weights of norms are near 1, gates near 0.5, biases near 0, and matrices keep the size of what they multiply. */
function distribution(name, shape) {
  if (/gate$/.test(name)) return [0.1, 0.5];
  if (shape.length === 1 && name.endsWith("weight")) return [0.1, 1];
  if (shape.length === 1) return [0.02, 0];
  if (/latents|embedding|wte/.test(name)) return [0.5, 0];
  return [shape.slice(1).reduce((n, m) => n * m, 1) ** -0.5, 0];
}

/** The model without weights. */
export const build = () =>
  new OpenFlamingo({
    visionEncoder: new OpenClipVisionTransformer({
      imageSize: 224,
      patchSize: 14,
      width: 1024,
      layers: 24,
      heads: 16,
      mlpRatio: 4,
      outputDim: 768,
      act: "quick_gelu",
    }),
    langEncoder: new MosaicMptForCausalLM({
      dModel: 2048,
      nHeads: 16,
      nLayers: 24,
      maxSeqLen: 2048,
      vocabSize: 50280,
      noBias: true,
      attnConfig: { alibi: true, qkLn: true },
    }),
    eocTokenId: SIZES.eoc,
    mediaTokenId: SIZES.image,
    visDim: 1024,
    crossAttnEveryNLayers: SIZES.every,
  });

/** The language model's own tensors, under its own names. */
const languageNames = (state) =>
  [...state].flatMap(([name, t]) =>
    name.startsWith("lang_encoder.") && !name.includes(".gated_cross_attn_layer.")
      ? [[name.replace("lang_encoder.", "").replace(".decoder_layer.", "."), t]]
      : [],
  );

/** Makes the folder unless it is there, completely or not at all. */
export function make(folder) {
  if (existsSync(folder)) return;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(join(partial, NAMES.language), { recursive: true });
  const { bavail, bsize } = statfsSync(partial);
  if (bavail * bsize < BYTES)
    throw new Error(`${folder}: 5.2 GB are needed, and ${Math.round((bavail * bsize) / 1e6)} MB are free`);
  const model = build();
  const state = stateDict(model);
  const values = pool();
  for (const [name, t] of state) t.assign(drawn(name, values, ...distribution(name, t.shape)));
  const write = (name, entries) =>
    saveSafetensors(join(partial, name), new Map(entries), { floats: "stored" });
  const language = languageNames(state);
  const half = language.length >> 1;
  const shards = [language.slice(0, half), language.slice(half)];
  const map = {};
  for (const [i, shard] of shards.entries()) {
    const name = `model-0000${i + 1}-of-00002.safetensors`;
    write(join(NAMES.language, name), shard);
    for (const [key] of shard) map[key] = name;
  }
  const json = (name, value) =>
    writeFileSync(join(partial, NAMES.language, name), JSON.stringify(value, null, 1));
  json("model.safetensors.index.json", { weight_map: map });
  json("config.json", LANGUAGE);
  const tower = [...state].filter(([name]) => name.startsWith("vision_encoder."));
  write(
    NAMES.vision,
    tower.map(([name, t]) => [name.replace("vision_encoder.", ""), t]),
  );
  saveFlamingoCheckpoint(join(partial, NAMES.trained), model);
  const pixels = values.subarray(0, 3 * 224 * 224);
  write(NAMES.image, [["pixels", tensor("b m f c h w", [1, 1, 1, 3, 224, 224], pixels)]]);
  renameSync(partial, folder);
}
