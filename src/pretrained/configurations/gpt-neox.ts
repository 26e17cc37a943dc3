// GPT-NeoX in transformers: models/gpt_neox/configuration_gpt_neox.py of release 4.57.6.
import { GPT_NEOX_5_NAMES, GPTNeoXForCausalLM } from "../../models/language-models/gpt-neox.ts";
import { activationName, configuration, flag, numberOrDefault } from "./configuration.ts";
import { fromRopeParameters, ropeScaling } from "./rotary.ts";

export const gptNeoX = configuration({
  name: "GPTNeoXForCausalLM",
  modelType: "gpt_neox",
  options: {
    vocab_size: numberOrDefault,
    hidden_size: numberOrDefault,
    num_hidden_layers: numberOrDefault,
    num_attention_heads: numberOrDefault,
    intermediate_size: numberOrDefault,
    hidden_act: activationName,
    rotary_pct: numberOrDefault,
    rotary_emb_base: numberOrDefault,
    rope_scaling: ropeScaling,
    layer_norm_eps: numberOrDefault,
    tie_word_embeddings: flag,
    use_parallel_residual: flag,
    attention_bias: flag,
  },
  fixed: {},
  renamed: fromRopeParameters({ rope_theta: "rotary_emb_base", partial_rotary_factor: "rotary_pct" }),
  longest: { option: "max_position_embeddings", byDefault: 2048 },
  buffers: ["*.attention.bias", "*.attention.masked_bias", "*.rotary_emb.inv_freq"],
  base: { prefix: "gpt_neox.", names: ["embed_in.*", "layers.*", "final_layer_norm.*"] },
  otherNames: GPT_NEOX_5_NAMES,
  build: (options) => new GPTNeoXForCausalLM(options),
});
