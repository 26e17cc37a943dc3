// GPT-J in transformers: models/gptj/configuration_gptj.py of release 4.57.6.
import { GPTJForCausalLM } from "../../models/language-models/gptj.ts";
import { activationName, configuration, flag, numberOrDefault, numberOrNull } from "./configuration.ts";

export const gptJ = configuration({
  name: "GPTJForCausalLM",
  modelType: "gptj",
  options: {
    vocab_size: numberOrDefault,
    n_positions: numberOrDefault,
    n_embd: numberOrDefault,
    n_layer: numberOrDefault,
    n_head: numberOrDefault,
    rotary_dim: numberOrNull,
    n_inner: numberOrNull,
    activation_function: activationName,
    layer_norm_epsilon: numberOrDefault,
    tie_word_embeddings: flag,
  },
  fixed: {},
  aliases: {
    max_position_embeddings: "n_positions",
    hidden_size: "n_embd",
    num_attention_heads: "n_head",
    num_hidden_layers: "n_layer",
  },
  longest: { option: "n_positions", byDefault: 2048 },
  buffers: ["*.attn.bias", "*.attn.masked_bias"],
  base: { prefix: "transformer.", names: ["wte.*", "h.*", "ln_f.*"] },
  build: (options) => new GPTJForCausalLM(options),
});
