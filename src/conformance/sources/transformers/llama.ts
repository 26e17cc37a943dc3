// Cases of transformers' LlamaForCausalLM.
import { integer, optional, orNull } from "../../../io/fields.ts";
import { flag, only } from "../../../pretrained/configurations/configuration.ts";
import { llama as released } from "../../../pretrained/configurations/llama.ts";
import { id, layersOrDefault, modelClass, numberOrDefault, rotaryPrecision } from "./readers.ts";

const options = {
  ...released.options,
  num_hidden_layers: layersOrDefault,
  rotary_precision: rotaryPrecision,
};

const others = {
  max_position_embeddings: numberOrDefault,
  bos_token_id: id,
  eos_token_id: optional(orNull(integer), 2),
  attention_dropout: only(0),
  initializer_range: numberOrDefault,
  pretraining_tp: numberOrDefault,
  use_cache: flag,
};

export const llama = modelClass(options, others, released.build);
