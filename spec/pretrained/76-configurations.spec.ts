// The executable half of 76-configurations.md. Names and defaults are those of transformers 4.57.6 (configuration_*.py of each model).
import fc from "fast-check";
import { expect, test } from "vitest";
import type { JsonObject } from "../../src/io/json.ts";
import { stateDict } from "../../src/nn/state-dict.ts";
import { optionsIn } from "../../src/pretrained/configurations/configuration.ts";
import { gptNeoX } from "../../src/pretrained/configurations/gpt-neox.ts";
import { gptJ } from "../../src/pretrained/configurations/gptj.ts";
import { llama } from "../../src/pretrained/configurations/llama.ts";
import { mpt } from "../../src/pretrained/configurations/mpt.ts";
import { opt } from "../../src/pretrained/configurations/opt.ts";
import { buildModel, classFor } from "../../src/pretrained/model-classes.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { releasedModels } from "../support/oracles/released-state.ts";
import { expectLoadError } from "../support/properties/refusals.ts";

const FILE = "m/config.json";
const AT = { file: FILE, field: "", rule: "config.fields" };
const build = (config: JsonObject) => buildModel(classFor(config, FILE), config, FILE);
const shapesOf = (config: JsonObject) =>
  new Map([...stateDict(build(config))].map(([name, { shape }]) => [name, shape.join(" ")]));
const refused = (config: JsonObject, rule: string, sentence: string) =>
  expectLoadError(() => build(config), rule, sentence);

const LLAMA = {
  model_type: "llama",
  vocab_size: 11,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 2,
};
const NEOX = { ...LLAMA, model_type: "gpt_neox", rotary_pct: 0.5 };
const OPT = {
  model_type: "opt",
  vocab_size: 11,
  hidden_size: 8,
  ffn_dim: 12,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  word_embed_proj_dim: 8,
};
const GPTJ = {
  model_type: "gptj",
  vocab_size: 11,
  n_embd: 8,
  n_layer: 1,
  n_head: 2,
  rotary_dim: 4,
  n_positions: 7,
};
const MPT = { model_type: "mpt", vocab_size: 11, d_model: 8, n_layers: 1, n_heads: 2, max_seq_len: 7 };

/** Members of config.json that decide nothing about the numbers of a forward pass. */
const COMMON = {
  architectures: ["x"],
  bos_token_id: 2,
  eos_token_id: 2,
  torch_dtype: "float16",
  transformers_version: "4.57.6",
  use_cache: true,
};

// the contents of config.json as they were published with the weights
const llama7 = {
  hidden_act: "silu",
  hidden_size: 4096,
  initializer_range: 0.02,
  intermediate_size: 11008,
  max_position_embeddings: 2048,
  model_type: "llama",
  num_attention_heads: 32,
  num_hidden_layers: 32,
  pad_token_id: 0,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  vocab_size: 32000,
};
const llama7Options = {
  hiddenAct: "silu",
  hiddenSize: 4096,
  intermediateSize: 11008,
  numAttentionHeads: 32,
  numHiddenLayers: 32,
  padTokenId: 0,
  rmsNormEps: 1e-6,
  tieWordEmbeddings: false,
  vocabSize: 32000,
};
const opt350 = {
  _remove_final_layer_norm: false,
  activation_dropout: 0,
  activation_function: "relu",
  attention_dropout: 0,
  do_layer_norm_before: false,
  dropout: 0.1,
  ffn_dim: 4096,
  hidden_size: 1024,
  init_std: 0.02,
  layerdrop: 0,
  max_position_embeddings: 2048,
  model_type: "opt",
  num_attention_heads: 16,
  num_hidden_layers: 24,
  pad_token_id: 1,
  prefix: "</s>",
  vocab_size: 50272,
  word_embed_proj_dim: 512,
};
const opt350Options = {
  RemoveFinalLayerNorm: false,
  activationFunction: "relu",
  doLayerNormBefore: false,
  ffnDim: 4096,
  hiddenSize: 1024,
  maxPositionEmbeddings: 2048,
  numAttentionHeads: 16,
  numHiddenLayers: 24,
  padTokenId: 1,
  vocabSize: 50272,
  wordEmbedProjDim: 512,
};
const pythia = {
  hidden_act: "gelu",
  hidden_size: 2560,
  initializer_range: 0.02,
  intermediate_size: 10240,
  layer_norm_eps: 1e-5,
  max_position_embeddings: 2048,
  model_type: "gpt_neox",
  num_attention_heads: 32,
  num_hidden_layers: 32,
  rotary_emb_base: 10000,
  rotary_pct: 0.25,
  tie_word_embeddings: false,
  use_parallel_residual: true,
  vocab_size: 50304,
};
const pythiaOptions = {
  hiddenAct: "gelu",
  hiddenSize: 2560,
  intermediateSize: 10240,
  layerNormEps: 1e-5,
  numAttentionHeads: 32,
  numHiddenLayers: 32,
  rotaryEmbBase: 10000,
  rotaryPct: 0.25,
  tieWordEmbeddings: false,
  useParallelResidual: true,
  vocabSize: 50304,
};
const gptj6 = {
  activation_function: "gelu_new",
  attn_pdrop: 0,
  embd_pdrop: 0,
  gradient_checkpointing: false,
  initializer_range: 0.02,
  layer_norm_epsilon: 1e-5,
  model_type: "gptj",
  n_embd: 4096,
  n_head: 16,
  n_inner: null,
  n_layer: 28,
  n_positions: 2048,
  resid_pdrop: 0,
  rotary: true,
  rotary_dim: 64,
  scale_attn_weights: true,
  summary_use_proj: true,
  tie_word_embeddings: false,
  vocab_size: 50400,
};
const gptj6Options = {
  activationFunction: "gelu_new",
  layerNormEpsilon: 1e-5,
  nEmbd: 4096,
  nHead: 16,
  nInner: null,
  nLayer: 28,
  nPositions: 2048,
  rotaryDim: 64,
  tieWordEmbeddings: false,
  vocabSize: 50400,
};
const attention = {
  alibi: true,
  alibi_bias_max: 8,
  attn_impl: "torch",
  attn_pdrop: 0,
  attn_type: "multihead_attention",
  attn_uses_sequence_id: false,
  clip_qkv: null,
  prefix_lm: false,
  qk_ln: false,
  softmax_scale: null,
};
const mpt7 = {
  attn_config: attention,
  d_model: 4096,
  emb_pdrop: 0,
  embedding_fraction: 1,
  expansion_ratio: 4,
  init_config: { name: "kaiming_normal_" },
  init_device: "cpu",
  learned_pos_emb: true,
  logit_scale: null,
  max_seq_len: 2048,
  model_type: "mpt",
  n_heads: 32,
  n_layers: 32,
  no_bias: true,
  norm_type: "low_precision_layernorm",
  resid_pdrop: 0,
  tokenizer_name: "EleutherAI/gpt-neox-20b",
  verbose: 0,
  vocab_size: 50432,
};
const mpt7Options = {
  attnConfig: {
    alibi: true,
    alibiBiasMax: 8,
    attnType: "multihead_attention",
    attnUsesSequenceId: false,
    clipQkv: null,
    prefixLm: false,
    qkLn: false,
    softmaxScale: null,
  },
  dModel: 4096,
  embeddingFraction: 1,
  expansionRatio: 4,
  logitScale: null,
  maxSeqLen: 2048,
  nHeads: 32,
  nLayers: 32,
  noBias: true,
  normType: "low_precision_layernorm",
  vocabSize: 50432,
};

test("[config.fields] [config.defaults] the options of a published configuration of llama", () =>
  expect(optionsIn(llama, { ...COMMON, ...llama7 }, AT)).toEqual(llama7Options));

test("[config.fields] [config.defaults] the options of a published configuration of opt", () =>
  expect(optionsIn(opt, { ...COMMON, ...opt350 }, AT)).toEqual(opt350Options));

test("[config.fields] [config.defaults] the options of a published configuration of gptNeoX", () =>
  expect(optionsIn(gptNeoX, { ...COMMON, ...pythia }, AT)).toEqual(pythiaOptions));

test("[config.fields] [config.defaults] the options of a published configuration of gptJ", () =>
  expect(optionsIn(gptJ, { ...COMMON, ...gptj6 }, AT)).toEqual(gptj6Options));

test("[config.fields] [config.defaults] the options of a published configuration of mpt", () =>
  expect(optionsIn(mpt, { ...COMMON, ...mpt7 }, AT)).toEqual(mpt7Options));

test.each([
  [LLAMA, "LlamaForCausalLM"],
  [OPT, "OPTForCausalLM"],
  [NEOX, "GPTNeoXForCausalLM"],
  [GPTJ, "GPTJForCausalLM"],
  [MPT, "MptForCausalLM"],
])("[config.class] model_type %j", (config, name) => {
  expect(build(config).constructor.name).toBe(name);
  const { model_type: _, ...rest } = config;
  expect(build({ ...rest, architectures: [name] }).constructor.name).toBe(name);
});

// golden/language-state-dicts.json: the state dicts of transformers 4.57.6, built on torch's meta device
test.each(
  ["LlamaForCausalLM", "OPTForCausalLM", "GPTNeoXForCausalLM", "GPTJForCausalLM", "MptForCausalLM"].flatMap(
    releasedModels,
  ),
)("[config.class] $name has the names and shapes of transformers, without a value", ({ config, state }) => {
  const { class: name, ...rest } = config;
  const bytes = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const [before, seconds] = [bytes(), process.cpuUsage()];
  const model = build({ architectures: [name ?? null], ...rest });
  expect([...stateDict(model)].map(([key, t]) => `${key} ${t.shape.join(" ")}`)).toEqual(state);
  expect(bytes() - before).toBeLessThan(30e6); // the smallest of these models has 662 MB in 16 bits
  expect(process.cpuUsage(seconds).user).toBeLessThan(1e6);
});

test("[config.class] another model is refused by its name", () => {
  refused(
    { ...LLAMA, model_type: "falcon" },
    "config.class",
    `${FILE}: "model_type" is "falcon", which is not supported; known are llama`,
  );
  refused({ ...LLAMA, model_type: 3 }, "config.class", '"model_type" is no text');
  refused({ architectures: ["FalconForCausalLM"] }, "config.class", '"model_type" is missing');
  refused({ architectures: "LlamaForCausalLM" }, "config.class", '"model_type" is missing');
  refused({}, "config.class", '"model_type" is missing');
});

test("[config.fields] a member of another type is named", () => {
  refused({ ...LLAMA, vocab_size: "11" }, "config.fields", `${FILE}: "vocab_size" has to be a number`);
  refused({ ...LLAMA, mlp_bias: 1 }, "config.fields", '"mlp_bias" has to be true or false');
  refused({ ...OPT, activation_function: "swiglu" }, "config.unsupported", '"activation_function" has to be');
  refused(
    { ...MPT, attn_config: { clip_qkv: "6" } },
    "config.fields",
    '"attn_config.clip_qkv" has to be a number',
  );
  refused(
    { ...LLAMA, hidden_size: 1e12 },
    "options.values",
    `${FILE}: LlamaForCausalLM: hiddenSize is 1000000000000`,
  );
  refused({ ...LLAMA, num_hidden_layers: 1e12 }, "options.values", "numHiddenLayers is 1000000000000");
});

test("[config.defaults] tied heads by default, and null where the class takes None", () => {
  const isTied = (config: JsonObject, head: string, table: string) => {
    const state = stateDict(build(config));
    return state.get(head) === state.get(table);
  };
  expect(isTied(LLAMA, "lm_head.weight", "model.embed_tokens.weight")).toBe(false);
  expect(isTied(OPT, "lm_head.weight", "model.decoder.embed_tokens.weight")).toBe(true);
  expect(isTied(NEOX, "embed_out.weight", "gpt_neox.embed_in.weight")).toBe(false);
  expect(isTied(GPTJ, "lm_head.weight", "transformer.wte.weight")).toBe(false);
  expect(isTied(MPT, "lm_head.weight", "transformer.wte.weight")).toBe(true);
  expect(isTied({ ...LLAMA, tie_word_embeddings: true }, "lm_head.weight", "model.embed_tokens.weight")).toBe(
    true,
  );
  expect(
    isTied({ ...OPT, tie_word_embeddings: false }, "lm_head.weight", "model.decoder.embed_tokens.weight"),
  ).toBe(false);
  expect(shapesOf({ ...GPTJ, n_inner: null }).get("transformer.h.0.mlp.fc_in.weight")).toBe("32 8");
  expect(
    shapesOf({ ...LLAMA, num_key_value_heads: null }).get("model.layers.0.self_attn.k_proj.weight"),
  ).toBe("8 8");
  refused({ ...LLAMA, vocab_size: null }, "config.fields", '"vocab_size" has to be a number');
  refused(
    { ...GPTJ, tie_word_embeddings: null },
    "config.fields",
    '"tie_word_embeddings" has to be true or false',
  );
});

test("[config.unsupported] what would change the results is refused", () => {
  refused({ ...LLAMA, hidden_act: "relu6" }, "config.unsupported", '"hidden_act" has to be gelu or');
  refused(
    { ...LLAMA, partial_rotary_factor: 0.5 },
    "config.unsupported",
    '"partial_rotary_factor" has to be 1',
  );
  refused(
    { ...LLAMA, quantization_config: { quant_method: "gptq" } },
    "config.unsupported",
    "weights are quantised",
  );
  refused(
    { ...LLAMA, rope_scaling: { type: "yarn", factor: 2 } },
    "config.unsupported",
    '"rope_scaling.type" has to be default or linear or llama3',
  );
  refused(
    { ...LLAMA, rope_scaling: { type: "linear", factor: 2, attention_factor: 2 } },
    "config.unsupported",
    '"rope_scaling.attention_factor" is not supported',
  );
  refused(
    { ...MPT, attn_config: { rope: true } },
    "config.unsupported",
    '"attn_config.rope" has to be false',
  );
  refused(
    { ...MPT, ffn_config: { ffn_type: "mptglu" } },
    "config.unsupported",
    '"ffn_config.ffn_type" has to be "mptmlp"',
  );
});

test("[config.aliases] names of attribute_map", () => {
  const { n_embd, n_layer, n_head, n_positions, ...rest } = GPTJ;
  const aliased = {
    ...rest,
    hidden_size: n_embd,
    num_hidden_layers: n_layer,
    num_attention_heads: n_head,
    max_position_embeddings: n_positions,
  };
  expect(shapesOf(aliased)).toEqual(shapesOf(GPTJ));
  expect(shapesOf({ ...GPTJ, hidden_size: 8 })).toEqual(shapesOf(GPTJ));
  refused({ ...GPTJ, hidden_size: 16 }, "config.aliases", '"hidden_size" differs from "n_embd"');
});

test("[config.rotary] base, share and scaling, as transformers 4 and 5 write them", () => {
  const scaling = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  const ropeScaling = {
    ropeType: "llama3",
    factor: 8,
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxPositionEmbeddings: 8192,
  };
  const four = optionsIn(llama, { rope_theta: 5e5, rope_scaling: scaling }, AT);
  expect(four).toEqual({ ropeTheta: 5e5, ropeScaling });
  expect(optionsIn(llama, { rope_parameters: { ...scaling, rope_theta: 5e5 } }, AT)).toEqual(four);
  expect(optionsIn(llama, { rope_scaling: { type: "linear", factor: 2 } }, AT)).toEqual({
    ropeScaling: { ropeType: "linear", factor: 2 },
  });
  expect(optionsIn(llama, { rope_scaling: null, rope_parameters: null }, AT)).toEqual({ ropeScaling: null });
  const neox = { rope_parameters: { rope_type: "default", rope_theta: 7, partial_rotary_factor: 0.5 } };
  expect(optionsIn(gptNeoX, neox, AT)).toEqual({
    rotaryEmbBase: 7,
    rotaryPct: 0.5,
    ropeScaling: { ropeType: "default" },
  });
  refused(
    { ...LLAMA, rope_parameters: { rope_theta: 7, mscale: 2 } },
    "config.unsupported",
    '"rope_scaling.mscale" is not supported',
  );
  refused({ ...LLAMA, rope_parameters: 3 }, "config.fields", '"rope_parameters" has to be an object');
});

/** Members of every configuration here, in which a value of any kind is put. */
const MEMBERS = [...new Set([LLAMA, OPT, NEOX, GPTJ, MPT].flatMap((config) => Object.keys(config)))].concat([
  "rope_scaling",
  "rope_parameters",
  "attn_config",
  "ffn_config",
  "quantization_config",
  "architectures",
]);

test("[config.fields] any JSON in place of a member is read or refused with a LoadError", () => {
  const change = fc.dictionary(fc.constantFrom(...MEMBERS), fc.jsonValue({ maxDepth: 2 }), {
    minKeys: 1,
    maxKeys: 3,
  });
  fc.assert(
    fc.property(fc.constantFrom<JsonObject>(LLAMA, OPT, NEOX, GPTJ, MPT), change, (config, members) => {
      try {
        build({ ...config, ...(members as JsonObject) });
      } catch (error) {
        expect(error).toBeInstanceOf(LoadError);
        expect((error as LoadError).message.length).toBeLessThan(600);
      }
    }),
    { numRuns: 500 },
  );
});
