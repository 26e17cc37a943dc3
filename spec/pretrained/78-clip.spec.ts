// The executable half of 78-clip.md. golden/data/clip holds folders of save_pretrained of transformers 4.57.6 and files of open_clip_torch 3.3.0, with what the packages'
// towers give in float64.
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { OpenClipVisionTransformer } from "../../src/models/vision/clip/open-clip.ts";
import { CLIPVisionModelWithProjection } from "../../src/models/vision/clip/transformers.ts";
import { initialize, stateDict } from "../../src/nn/state-dict.ts";
import { type LoadClipOptions, loadClip } from "../../src/pretrained/clip/load.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { type Tensor, view } from "../../src/tensor/tensor.ts";
import { folders } from "../support/fixtures/temporary.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { expectClose, valuesOf } from "../support/properties/programs.ts";

const HOME = "golden/data/clip";
const fresh = folders();
const QUICK = `${HOME}/open-clip-quick_gelu`;

/** Both kinds of tokens and the features equal those of the package. */
function equalsThePackage(
  path: string,
  expected: string,
  options: LoadClipOptions = {},
  tolerance = 1e-10,
): void {
  const results = loadSafetensors(`${expected}/expected.safetensors`);
  const pixels = results.tensor<"b c h w">("pixel_values");
  for (const tokens of ["raw", "ln_post"] as const) {
    const { encoder, width, close } = loadClip(path, { ...options, tokens });
    expect(width).toBe(results.tensor(tokens).shape[2]);
    expectClose(valuesOf(encoder.forward(pixels)), valuesOf(results.tensor(tokens)), tolerance);
    expectClose(valuesOf(encoder.features(pixels)), valuesOf(results.tensor("features")), tolerance);
    close();
  }
  results.close();
}

const namesOf = (uses: readonly { readonly names: readonly string[] }[]): string[] =>
  uses.flatMap(({ names }) => [...names]);

test("[clipfile.folder] [clipfile.projection] [clipfile.texts] a folder of CLIPModel gives its tower; texts are left aside", () => {
  equalsThePackage(`${HOME}/clip-model`, `${HOME}/clip-model`);
  const { encoder, report, config } = loadClip(`${HOME}/clip-model`);
  expect(encoder).toBeInstanceOf(CLIPVisionModelWithProjection);
  expect(config?.model_type).toBe("clip");
  const aside = namesOf(report.ignored);
  expect(aside.length).toBe(22);
  expect(aside.every((name) => /^(text_|logit_scale)/.test(name))).toBe(true);
  expect(report.loaded.length).toBe(40);
});

test("[clipfile.folder] [clipfile.projection] folders of CLIPVisionModel, in bfloat16, in several files, with and without a projection", () => {
  equalsThePackage(`${HOME}/vision-bfloat16-bin`, `${HOME}/vision-bfloat16-bin`);
  equalsThePackage(`${HOME}/vision-projection-sharded`, `${HOME}/vision-projection-sharded`);
  expect(loadClip(`${HOME}/vision-bfloat16-bin`).encoder).not.toBeInstanceOf(CLIPVisionModelWithProjection);
});

test("[clipfile.tower] [clipfile.sizes] [clipfile.heads] a file of open_clip gives its tower, alone, among the whole model, or in a checkpoint of training", () => {
  for (const file of ["whole.pt", "whole.safetensors", "training.pt", "tower.bin"])
    equalsThePackage(`${QUICK}/${file}`, QUICK, { act: "quick_gelu" });
  const { encoder, report, preprocessing } = loadClip(`${QUICK}/training.pt`, { act: "quick_gelu" });
  expect(encoder).toBeInstanceOf(OpenClipVisionTransformer);
  expect(encoder.imageSize).toEqual([12, 12]);
  expect(preprocessing).toMatchObject({ convert: "last", resize: { shortSide: 12 }, scale: "1/255" });
  const aside = namesOf(report.ignored);
  expect(aside).toContain("state_dict.module.token_embedding.weight");
  expect(aside.some((name) => name.includes(".visual."))).toBe(false);
});

test("[clipfile.activation] OpenAI's files have QuickGELU; for others it has to be given", () => {
  equalsThePackage(`${QUICK}/openai.pt`, QUICK, {}, 2e-3); // its weights are rounded to float16
  expect(() => loadClip(`${QUICK}/whole.pt`)).toThrow(
    'weights do not tell the activation; give it as act: "quick_gelu"',
  );
  expect(() => equalsThePackage(`${QUICK}/whole.pt`, QUICK, { act: "gelu" })).toThrow("element");
});

test("[clipfile.activation] [clipfile.folder] a folder of open_clip has sizes, activation and preprocessing in its configuration", () => {
  const folder = `${HOME}/open-clip-gelu`;
  equalsThePackage(folder, folder);
  expect(loadClip(folder).preprocessing.normalization).toEqual({
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.5, 0.5],
  });
  expect(() => loadClip(folder, { heads: 2 })).toThrow(
    "heads is in the folder's configuration; leave the option out",
  );
  const copy = fresh();
  cpSync(folder, copy, { recursive: true });
  const path = join(copy, "open_clip_config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  const changed = (model: object) =>
    writeFileSync(path, JSON.stringify({ ...config, model_cfg: { ...config.model_cfg, ...model } }));
  changed({ quick_gelu: true });
  expect(() => equalsThePackage(copy, folder)).toThrow("element");
  changed({ vision_cfg: { ...config.model_cfg.vision_cfg, pool_type: "avg" } });
  expect(() => loadClip(copy)).toThrow("pool_type");
  changed({ vision_cfg: { ...config.model_cfg.vision_cfg, layers: [3, 4, 6, 3] } });
  expect(() => loadClip(copy)).toThrow("this is a ResNet");
});

test("[clipfile.processor] preprocessor_config.json decides the steps; absent members have transformers' defaults", () => {
  const { preprocessing } = loadClip(`${HOME}/clip-model`);
  expect(preprocessing).toEqual({
    convert: "first",
    resize: { shortSide: 10 },
    filter: "bilinear",
    crop: { width: 8, height: 8 },
    rounding: "down",
    scale: 0.00392156862745098,
    normalization: { mean: [0.5, 0.25, 0.125], std: [0.26862954, 0.26130258, 0.27577711] },
  });
  const copy = fresh();
  cpSync(`${HOME}/clip-model`, copy, { recursive: true });
  const path = join(copy, "preprocessor_config.json");
  const steps = (config: object) => {
    writeFileSync(path, JSON.stringify(config));
    return loadClip(copy).preprocessing;
  };
  const usual = steps({});
  expect(usual).toMatchObject({
    convert: "first",
    resize: { shortSide: 224 },
    filter: "bicubic",
    crop: { width: 224, height: 224 },
    scale: 1 / 255,
  });
  expect(steps({ size: 30, crop_size: 20, resample: 1 })).toMatchObject({
    resize: { shortSide: 30 },
    crop: { width: 20, height: 20 },
    filter: "lanczos",
  });
  const none = {
    do_resize: false,
    do_center_crop: false,
    do_rescale: false,
    do_normalize: false,
    do_convert_rgb: false,
  };
  expect(steps(none)).toMatchObject({
    convert: "never",
    resize: null,
    crop: null,
    scale: null,
    normalization: null,
  });
  for (const wrong of [
    { size: 0 },
    { size: { longest_edge: 5, shortest_edge: 4 } },
    { resample: 0 },
    { image_std: [1] },
    { image_std: [1, 0, 1] },
    { use_square_size: true },
    { do_resize: "no" },
  ])
    expect(() => steps(wrong), JSON.stringify(wrong)).toThrow(LoadError);
  rmSync(path);
  expect(loadClip(copy).preprocessing).toMatchObject({
    resize: { shortSide: 10 },
    crop: { width: 10, height: 10 },
  });
});

const small = {
  imageSize: [4, 6],
  patchSize: 2,
  width: 6,
  layers: 1,
  heads: 2,
  mlpRatio: 1.5,
  outputDim: 3,
} as const;

/** A file of a tower with a prefix before its names, and changes. */
function fileOf(prefix: string, change: (state: Map<string, Tensor>) => void = () => {}): string {
  const model = initialize(new OpenClipVisionTransformer(small), 1);
  const state = new Map([...stateDict(model)].map(([name, t]) => [prefix + name, t] as const));
  change(state);
  const path = `${fresh()}.safetensors`;
  saveSafetensors(path, state);
  return path;
}

test("[clipfile.sizes] [clipfile.heads] what shapes do not say is an option, and then fits", () => {
  const path = fileOf("visual.");
  const act = "gelu";
  expect(() => loadClip(path, { act })).toThrow(
    "a width of 6 is no multiple of 64, the width of a head; give the number of heads",
  );
  expect(() => loadClip(path, { act, heads: 2 })).toThrow("6 patches make no square");
  const { encoder } = loadClip(path, { act, heads: 2, imageSize: [4, 6] });
  const model = initialize(new OpenClipVisionTransformer(small), 1);
  const x = randomTensor<"b c h w">([1, 3, 4, 6], 3);
  expectClose(valuesOf(encoder.forward(x)), valuesOf(model.forward(x)), 1e-6); // weights in float32
  expect(() => loadClip(path, { act, heads: 4, imageSize: [4, 6] })).toThrow(LoadError);
  expect(() => loadClip(path, { act, heads: 2, imageSize: [4, 4] })).toThrow("positional_embedding");
});

test("[clipfile.tower] files without one tower are refused by what they hold", () => {
  const hints = { act: "gelu", heads: 2, imageSize: [4, 6] } as const;
  const one = view(new Float64Array(1), [1]);
  const scalar = randomTensor([1], 1, () => one.data[0] ?? 0);
  expect(() =>
    loadClip(
      fileOf("", (state) => state.delete("class_embedding")),
      hints,
    ),
  ).toThrow("it holds no image tower of CLIP");
  const twice = fileOf("a.", (state) => {
    for (const [name, t] of [...state]) state.set(name.replace("a.", "b."), t);
  });
  expect(() => loadClip(twice, hints)).toThrow('it holds 2 image towers, "a.conv1.weight", "b.conv1.weight"');
  const resnet = fileOf("visual.", (state) => {
    state.clear();
    state.set("visual.conv1.weight", scalar).set("visual.layer1.0.conv1.weight", scalar);
  });
  expect(() => loadClip(resnet, hints)).toThrow("its image tower is a ResNet");
  expect(() => loadClip(`${HOME}/clip-model/model.safetensors`, hints)).toThrow(
    "it has the names of transformers",
  );
  expect(() => loadClip(`${QUICK}/script.pt`, hints)).toThrow(
    "this is a TorchScript archive, which holds code; save its state dict in Python",
  );
  expect(() =>
    loadClip(
      fileOf("v.", (state) => state.set("v.attn_pool.query", scalar)),
      hints,
    ),
  ).toThrow("attn_pool.query");
  expect(() =>
    loadClip(
      fileOf("v.", (state) => state.set("v.proj", scalar)),
      hints,
    ),
  ).toThrow('"v.proj" has 1 axes, not 2');
  expect(() =>
    loadClip(
      fileOf("v.", (state) => state.delete("v.positional_embedding")),
      hints,
    ),
  ).toThrow('"v.positional_embedding" is missing');
  expect(() => loadClip("nowhere")).toThrow("cannot open nowhere: it does not exist");
});

test("[clipfile.folder] configurations of other models, or with other sizes than the weights, are refused", () => {
  const copy = fresh();
  cpSync(`${HOME}/clip-model`, copy, { recursive: true });
  const path = join(copy, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  const refused = (change: object, message: string) => {
    writeFileSync(path, JSON.stringify({ ...config, ...change }));
    expect(() => loadClip(copy), JSON.stringify(change)).toThrow(message);
  };
  const vision = (change: object) => ({ vision_config: { ...config.vision_config, ...change } });
  refused({ model_type: "llama" }, '"model_type" is "llama"; it has to be "clip" or "clip_vision_model"');
  refused({ model_type: 7 }, '"model_type" is missing');
  refused({ vision_config: [] }, "vision_config");
  refused(vision({ hidden_act: "mish" }), "hidden_act");
  refused(vision({ num_hidden_layers: 3 }), "vision_model.encoder.layers.2");
  refused(vision({ num_hidden_layers: 1e9 }), "numHiddenLayers");
  refused(vision({ hidden_size: 2 ** 24 }), "more than 2^32");
  refused(vision({ hidden_size: 12 }), "vision_model.");
  refused(vision({ num_attention_heads: 3 }), "cannot be split into 3 heads");
  refused(vision({ image_size: 20 }), "position_embedding");
  refused({ projection_dim: 6 }, "visual_projection.weight");
});
