// LLaMA in transformers: models/llama/configuration_llama.py of release 4.57.6.
import { LlamaForCausalLM } from "../../models/language-models/llama.ts";
import {
  activationName,
  configuration,
  flag,
  idOrNull,
  numberOrDefault,
  numberOrNull,
  only,
} from "./configuration.ts";
import { fromRopeParameters, ropeScaling } from "./rotary.ts";

export const llama = configuration({
  name: "LlamaForCausalLM",
  modelType: "llama",
  options: {
    vocab_size: numberOrDefault,
    hidden_size: numberOrDefault,
    intermediate_size: numberOrDefault,
    num_hidden_layers: numberOrDefault,
    num_attention_heads: numberOrDefault,
    num_key_value_heads: numberOrNull,
    head_dim: numberOrNull,
    hidden_act: activationName,
    rms_norm_eps: numberOrDefault,
    rope_theta: numberOrDefault,
    rope_scaling: ropeScaling,
    attention_bias: flag,
    mlp_bias: flag,
    pad_token_id: idOrNull,
    tie_word_embeddings: flag,
  },
  fixed: { partial_rotary_factor: only(1) },
  renamed: fromRopeParameters({ rope_theta: "rope_theta", partial_rotary_factor: "partial_rotary_factor" }),
  longest: { option: "max_position_embeddings", byDefault: 2048 },
  buffers: ["*.rotary_emb.inv_freq"],
  base: { prefix: "model.", names: ["embed_tokens.*", "layers.*", "norm.*"] },
  build: (options) => new LlamaForCausalLM(options),
});
