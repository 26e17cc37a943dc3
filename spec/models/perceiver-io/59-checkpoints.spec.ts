// The executable half of 59-checkpoints.md. The results in golden/data/perceiver-names.json are those of transformers' classes, computed by
// golden/export/perceiver_names.py; a weight is a function of its position in their state dict.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadPickle } from "../../../src/io/pickle/read.ts";
import { loadPerceiver, type PerceiverTask } from "../../../src/models/perceiver-io/checkpoints.ts";
import { ClassificationPerceiver } from "../../../src/models/perceiver-io/tasks/classification.ts";
import { FlowPerceiver } from "../../../src/models/perceiver-io/tasks/flow.ts";
import { LanguagePerceiver } from "../../../src/models/perceiver-io/tasks/language.ts";
import { MultiModalPerceiver } from "../../../src/models/perceiver-io/tasks/multi-modal.ts";
import { stateDict, ties } from "../../../src/nn/state-dict.ts";
import { rearrange } from "../../../src/tensor/ops/arrange.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { bool, flat, Int, int, type Shape, sizeOf, Tensor, view } from "../../../src/tensor/tensor.ts";
import { range } from "../../support/oracles/layers.ts";

interface Case {
  readonly inputs: Readonly<Record<string, Shape>>;
  readonly weights: Readonly<Record<string, Shape>>;
  readonly outputs: Readonly<Record<string, { readonly shape: Shape; readonly values: readonly number[] }>>;
}
const cases: Readonly<Record<string, Case>> = JSON.parse(
  readFileSync("golden/data/perceiver-names.json", "utf8"),
);
const PRIME = 65521;

/** Values in row-major order. */
const numbersOf = (t: Tensor): readonly number[] => Array.from(flat(t.data));

/** Different numbers for every parameter. */
function filled<M extends PerceiverTask>(model: M): M {
  const tied = ties(model);
  for (const [i, [key, t]] of [...stateDict(model)].entries())
    if (!tied.has(key)) t.assign(view(Float64Array.from(fill(i + 1, t.size)), t.shape));
  return model;
}

/** `fill` of golden/export/perceiver_names.py. */
const fill = (nth: number, size: number): number[] =>
  range(size).map((i) => ((((i * i + nth * i) % PRIME) * 7919 + nth * 104729) % PRIME) / PRIME - 0.5);
const tensorOf = (shape: Shape, values: readonly number[]): Tensor =>
  new Tensor(shape, view(Float64Array.from(values), shape));

/** `weight` of golden/export/perceiver_names.py. */
function weight(name: string, shape: Shape, nth: number): Tensor | Int {
  const size = sizeOf(shape);
  if (name.endsWith("num_batches_tracked")) return new Int([], Int32Array.of(0));
  if (/(layernorm[12]?|batchnorm)\.weight$|running_var$/.test(name))
    return tensorOf(
      shape,
      fill(nth, size).map((v) => 1 + v / 2),
    );
  const fanIn = shape.length > 1 && !name.includes("position") ? size / (shape[0] ?? 1) : 4;
  return tensorOf(
    shape,
    fill(nth, size).map((v) => (v * 4) / Math.sqrt(fanIn)),
  );
}
const caseOf = (name: string): Case => {
  const found = cases[name];
  if (!found) throw new Error(`no case ${name}`);
  return found;
};
const weightsOf = (name: string) =>
  new Map(Object.entries(caseOf(name).weights).map(([key, shape], i) => [key, weight(key, shape, i + 1)]));
const inputOf = (name: string, key: string): Tensor => {
  const { inputs } = caseOf(name);
  const shape = inputs[key] ?? [];
  return tensorOf(shape, fill(1000 + Object.keys(inputs).indexOf(key), sizeOf(shape)));
};

const profile = "transformers@5.18.0";
const depth = { numSelfAttendsPerBlock: 2, numBlocks: 2, numLatents: 4, profile } as const;
const picture = { ...depth, numClasses: 5, imgSize: [16, 16], numLatentChannels: 16 } as const;
const language = { ...depth, vocabSize: 40, maxSeqLen: 12, embedDim: 16, numLatentChannels: 24 } as const;

/** The largest difference from the results of transformers. */
function distance(name: string, outputs: Readonly<Record<string, Tensor>>): number {
  let most = 0;
  const expected = caseOf(name).outputs;
  expect(Object.keys(outputs).sort()).toEqual(Object.keys(expected).sort());
  for (const [key, { shape, values }] of Object.entries(expected)) {
    const made = outputs[key];
    expect(made?.shape).toEqual(shape);
    const actual = made ? [...numbersOf(made)] : [];
    for (const [i, value] of values.entries())
      most = Math.max(most, Math.abs(value - (actual[i] ?? Number.NaN)));
    expect(actual.every(Number.isFinite)).toBe(true);
  }
  return most;
}
function loaded<M extends PerceiverTask>(model: M, name: string): M {
  loadPerceiver(model, weightsOf(name), "transformers");
  return model;
}

test("[perceiverio.names-transformers] PerceiverForMaskedLM", () => {
  const name = "PerceiverForMaskedLM";
  const model = loaded(new LanguagePerceiver(language), name);
  const values = [...numbersOf(inputOf(name, "inputs"))];
  const ids = new Int<"b n">(
    [2, 12],
    Int32Array.from(values, (v) => Math.min(39, Math.floor((v + 0.5) * 40))),
  );
  const mask = bool("b n", [range(12).map(() => true), range(12).map((i) => i < 9)]);
  expect(distance(name, { logits: model.forward(ids, mask) })).toBeLessThan(1e-12);
});

test.each([
  ["Learned", "LEARNED_POS_1X1CONV"],
  ["Fourier", "FOURIER_POS_PIXEL"],
  ["ConvProcessing", "FOURIER_POS_CONVNET"],
] as const)("[perceiverio.names-transformers] PerceiverForImageClassification%s", (suffix, prepType) => {
  const name = `PerceiverForImageClassification${suffix}`;
  const model = loaded(new ClassificationPerceiver({ ...picture, prepType }), name);
  const logits = model.forward(named("b c h w", inputOf(name, "inputs")));
  expect(distance(name, { logits })).toBeLessThan(1e-12);
});

test("[perceiverio.names-transformers] PerceiverForOpticalFlow", () => {
  const name = "PerceiverForOpticalFlow";
  const own = { ...depth, imgSize: [8, 12], numLatentChannels: 32, flowScaleFactor: 1 / 100 } as const;
  const model = loaded(new FlowPerceiver(own), name);
  const flow = named("b c h w", model.perceiver.single(inputOf(name, "inputs")));
  expect(distance(name, { logits: rearrange("b c h w -> b h w c", flow) })).toBeLessThan(1e-12);
});

test("[perceiverio.names-transformers] PerceiverForMultimodalAutoencoding", () => {
  const name = "PerceiverForMultimodalAutoencoding";
  const audio = { audioSamplesPerFrame: 32, audioSamplesPerPatch: 4 };
  const own = {
    ...depth,
    imgSize: [8, 8],
    numFrames: 2,
    numClasses: 5,
    numLatentChannels: 512,
    ...audio,
  } as const;
  const model = loaded(new MultiModalPerceiver(own), name);
  const inputs = Object.fromEntries(["image", "audio", "label"].map((key) => [key, inputOf(name, key)]));
  const points = (from: number, to: number) =>
    new Int(
      [to - from],
      Int32Array.from(range(to - from), (i) => from + i),
    );
  const call = { subsampledOutputPoints: { image: points(64, 128), audio: points(8, 16), label: null } };
  const results = model.perceiver.forward(inputs, call);
  expect(results instanceof Tensor).toBe(false);
  if (!(results instanceof Tensor)) expect(distance(name, results)).toBeLessThan(1e-12);
});

/** How DeepMind's code names the decoder and the encoder of a task. */
interface HaikuModules {
  readonly encoder: string;
  readonly decoder: string;
  readonly classes: string;
}

/** The path of a layer. */
function layer(path: string): string {
  const isSelf = path.includes("self_attention");
  const norms: Record<string, string> = isSelf
    ? { layer_norm1: "layer_norm", layer_norm2: "layer_norm_1" }
    : { layer_norm_q: "layer_norm", layer_norm_kv: "layer_norm_1", layer_norm2: "layer_norm_2" };
  const linears: Record<string, string> = {
    proj_q: "linear",
    proj_k: "linear_1",
    proj_v: "linear_2",
    final: "linear_3",
  };
  return path
    .replace(/\.attention\.(\w+)/, (_, part: string) => `/attention/${linears[part]}`)
    .replace(/\.mlp\.fc([12])/, (_, n: string) => (n === "1" ? "/mlp/linear" : "/mlp/linear_1"))
    .replace(/\.(layer_norm\w+)/, (_, part: string) => `/${norms[part]}`);
}

/** The name of haiku for one of JOBR0/PerceiverIO_Pytorch, in the order in which `load_haiku_params` of its commit 0a2a7c3 takes names apart. */
function haikuName(name: string, { encoder, decoder, classes }: HaikuModules): string {
  const field = (path: string): string => {
    const isNorm = path.includes("layer_norm") || path.includes("batchnorm");
    return path.replace(/\.weight$/, isNorm ? ".scale" : ".w").replace(/\.bias$/, isNorm ? ".offset" : ".b");
  };
  const own = name.replace("perceiver.", "");
  const image = own.replace("_multi_preprocessor._preprocessors.__default.", "");
  const special: Record<string, string> = {
    "_output_queries.__default._position_encoding.pos_embs": classes,
    "_output_queries.label._position_encoding.pos_embs": classes,
    "_encoder.latent_pos_enc.pos_embs": `${encoder}/~/trainable_position_encoding.pos_embs`,
    "_output_postprocessors.__default.bias": "embedding_decoder.bias",
    "embed.weight": "embed.embeddings",
    "input_pos_encoding.pos_embs": "trainable_position_encoding.pos_embs",
    "convnet.norms.0.running_mean": "image_preprocessor/~/conv2_d_downsample/~/batchnorm/~/mean_ema.average",
    "convnet.norms.0.num_batches_tracked":
      "image_preprocessor/~/conv2_d_downsample/~/batchnorm/~/mean_ema.counter",
    "convnet.norms.0.running_var": "image_preprocessor/~/conv2_d_downsample/~/batchnorm/~/var_ema.average",
    "_positional_encoding._base_position_encoding.pos_embs":
      "image_preprocessor/~_build_network_inputs/trainable_position_encoding.pos_embs",
  };
  const found = special[own] ?? special[image];
  if (found !== undefined) return found;
  const vector = /^(_multi_preprocessor\.)?(padding_embeddings|mask_tokens)\.(\w+)\.pos_embs$/.exec(own);
  if (vector) {
    const [, isInput, kind, modality] = vector;
    const owner = isInput ? "multimodal_preprocessor" : "multimodal_decoder/~decoder_query";
    return `${owner}/${modality}_${kind === "mask_tokens" ? "mask_token" : "padding"}.pos_embs`;
  }
  return field(
    layer(
      image
        .replace("_encoder.cross_attend", `${encoder}/~/cross_attention`)
        .replace(
          /_encoder\.self_attends\.(\d+)/,
          (_, i: string) => `${encoder}/~/self_attention${i === "0" ? "" : `_${i}`}`,
        )
        .replace("_decoder.decoding_cross_attn", `${decoder}/cross_attention`)
        .replace("_decoder.final_layer", `${decoder}/output`)
        .replace("convnet.convs.0", "image_preprocessor/~/conv2_d_downsample/~/conv")
        .replace("convnet.norms.0", "image_preprocessor/~/conv2_d_downsample/~/batchnorm")
        .replace("convnet_1x1", "image_preprocessor/~/conv2_d")
        .replace(
          "_positional_encoding._projector",
          "image_preprocessor/~_build_network_inputs/position_encoding_projector/linear",
        )
        .replace("_conv_after_patch_layer", "image_preprocessor/patches_linear")
        .replace("_output_postprocessors.audio.linear", "audio_postprocessor/linear")
        .replace("_output_postprocessors.image.projection", "projection_postprocessor/linear")
        .replace("_output_postprocessors.label.linear", "classification_postprocessor/linear"),
    ),
  );
}

/** A weight of torch as haiku keeps it, by naive loops. */
function asHaiku(haiku: string, t: Tensor): Tensor | Int {
  const values = [...numbersOf(t)];
  if (haiku.endsWith(".counter")) return new Int([], Int32Array.of(values[0] ?? 0));
  const isNorm = haiku.includes("batchnorm");
  if (isNorm) return tensorOf([1, 1, 1, t.size], values);
  const [o = 0, i = 0, h = 1, w = 1] = t.shape;
  if (!haiku.endsWith(".w")) return t;
  const out: number[] = [];
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++)
      for (let c = 0; c < i; c++)
        for (let n = 0; n < o; n++) out.push(values[((n * i + c) * h + y) * w + x] ?? Number.NaN);
  return tensorOf(t.shape.length === 4 ? [h, w, i, o] : [i, o], out);
}

/** The weights of a model as DeepMind's checkpoints name them; names begin with `prefix`. */
function haikuWeights(model: PerceiverTask, modules: HaikuModules, prefix: (name: string) => string) {
  const tied = ties(model);
  const weights = new Map<string, Tensor | Int>();
  for (const [name, t] of stateDict(model)) {
    if (tied.has(name) || t.size === 0) continue;
    const haiku = haikuName(name, modules);
    weights.set(prefix(haiku) + haiku, asHaiku(haiku, t));
  }
  return weights;
}
const CLASSES = "classification_decoder/~/basic_decoder";
const isState = (name: string) => /_ema\.(average|counter|hidden)$/.test(name);
const tiny = {
  numSelfAttendsPerBlock: 2,
  numBlocks: 1,
  numLatents: 2,
  numLatentChannels: 16,
  profile: "deepmind",
} as const;

test("[perceiverio.names-deepmind] [perceiverio.names-layouts] a pickle of numpy loads into the language model", () => {
  const own = { ...tiny, vocabSize: 9, maxSeqLen: 5, embedDim: 8 };
  const modules = {
    encoder: "perceiver_encoder",
    decoder: "basic_decoder",
    classes: "basic_decoder/~/trainable_position_encoding.pos_embs",
  };
  const file = loadPickle("golden/data/perceiver-haiku.pickle"); // perceiver_haiku.py
  const model = new LanguagePerceiver(own);
  const report = loadPerceiver(model, file, "deepmind");
  expect(report.loaded.length).toBe(file.keys.length);
  const expected = new LanguagePerceiver(own);
  const state = stateDict(expected);
  for (const [name, t] of state) {
    if (t.size === 0 || ties(expected).has(name)) continue;
    const haiku = haikuName(name, modules);
    const array = file.get(haiku);
    if (!(array instanceof Tensor)) throw new Error(haiku);
    const values = [...numbersOf(array)];
    const [rows = 0, columns = 0] = t.shape;
    const swapped = range(t.size).map((i) => values[(i % columns) * rows + Math.floor(i / columns)] ?? 0);
    t.assign(view(Float64Array.from(haiku.endsWith(".w") ? swapped : values), t.shape));
  }
  const ids = int("b n", [[1, 8, 3, 0, 5]]);
  const logits = [...numbersOf(model.forward(ids))];
  expect(logits).toEqual([...numbersOf(expected.forward(ids))]);
  expect(new Set(logits).size).toBe(45);
});

const image = { ...tiny, numClasses: 3, imgSize: [8, 8] } as const;
test.each([
  ["pixels", () => new ClassificationPerceiver({ ...image, prepType: "FOURIER_POS_PIXEL" }), CLASSES],
  [
    "learned positions",
    () => new ClassificationPerceiver({ ...image, prepType: "LEARNED_POS_1X1CONV" }),
    CLASSES,
  ],
  ["a convolutional stem", () => new ClassificationPerceiver(image), CLASSES],
  ["optical flow", () => new FlowPerceiver({ ...tiny, imgSize: [4, 6] }), "flow_decoder/~/basic_decoder"],
  [
    "the video model",
    () =>
      new MultiModalPerceiver({
        ...tiny,
        imgSize: [4, 4],
        numFrames: 2,
        numClasses: 3,
        audioSamplesPerFrame: 16,
        audioSamplesPerPatch: 4,
      }),
    "multimodal_decoder/~/basic_decoder",
  ],
] as const)(
  "[perceiverio.names-deepmind] [perceiverio.names-layouts] [perceiverio.names-counter] haiku's names: %s",
  (name, build, decoder) => {
    const encoder = name === "the video model" ? "encoder" : "perceiver_encoder";
    const modules = { encoder, decoder, classes: `${CLASSES}/~/trainable_position_encoding.pos_embs` };
    const original = filled(build());
    for (const [key, t] of stateDict(original))
      if (key.endsWith("num_batches_tracked")) t.assign(view(Float64Array.of(4), []));
    const isClassifier = original instanceof ClassificationPerceiver;
    const prefix = (key: string) => (isClassifier ? (isState(key) ? "state." : "params.") : "");
    const weights = haikuWeights(original, modules, prefix);
    const ema = "image_preprocessor/~/conv2_d_downsample/~/batchnorm/~";
    if (weights.has(`state.${ema}/var_ema.average`)) {
      weights.set(`state.${ema}/mean_ema.hidden`, tensorOf([1, 1, 1, 1], [5]));
      weights.set(`state.${ema}/var_ema.counter`, new Int([], Int32Array.of(3)));
    }
    const model = build();
    loadPerceiver(model, weights, "deepmind");
    const different = [...stateDict(model)].filter(([key, t]) => {
      const [actual, wanted] = [numbersOf(t), numbersOf(stateDict(original).get(key) ?? t)];
      return actual.length !== wanted.length || wanted.some((value, i) => value !== actual[i]);
    });
    expect(different.map(([key]) => key)).toEqual([]);
  },
);

test("[perceiverio.names-class-query] [perceiverio.class-query] [perceiverio.names-counter] a checkpoint with a query for each class loads into a model with one, and the other way round", () => {
  const query = "perceiver._output_queries.__default._position_encoding.pos_embs";
  const many = filled(new ClassificationPerceiver({ ...image, profile: "perceiver-io@64947cf" }));
  const weights = new Map<string, Tensor | Int>(stateDict(many));
  const counter =
    "perceiver._multi_preprocessor._preprocessors.__default.convnet.norms.0.num_batches_tracked";
  weights.set(counter, new Int([], Int32Array.of(17)));
  const one = new ClassificationPerceiver(image);
  loadPerceiver(one, weights, "perceiver-io");
  const row = [...numbersOf(stateDict(many).get(query) ?? many.forward(tensorOf([1], [0])))].slice(0, 1024);
  expect(stateDict(one).get(query)?.shape).toEqual([1, 1024]);
  expect([...numbersOf(stateDict(one).get(query) ?? tensorOf([1], [0]))]).toEqual(row);
  expect([...numbersOf(stateDict(one).get(counter) ?? tensorOf([1], [0]))]).toEqual([17]);
  const back = new ClassificationPerceiver({ ...image, profile: "perceiver-io@64947cf" });
  loadPerceiver(back, stateDict(one), "perceiver-io");
  expect([...numbersOf(stateDict(back).get(query) ?? tensorOf([1], [0]))]).toEqual([...row, ...row, ...row]);
});

test("[perceiverio.names-transformers] names and shapes that do not fit are refused, and nothing is loaded", () => {
  const model = new LanguagePerceiver(language);
  const weights = weightsOf("PerceiverForMaskedLM");
  weights.delete("embedding_decoder.bias");
  expect(() => loadPerceiver(model, weights, "transformers")).toThrow(
    "perceiver._output_postprocessors.__default.bias",
  );
  expect(() => loadPerceiver(model, weights, "deepmind")).toThrow("all 72 of perceiver.*");
  expect(() => loadPerceiver(model, weights, "haiku" as "deepmind")).toThrow('"perceiver-io"');
});
