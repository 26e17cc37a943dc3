// Cases of transformers' GPTNeoXForCausalLM.
import { integer, number, optional, orNull } from "../../../io/fields.ts";
import { flag, only } from "../../../pretrained/configurations/configuration.ts";
import { gptNeoX as released } from "../../../pretrained/configurations/gpt-neox.ts";
import { id, layersOrDefault, modelClass, numberOrDefault, rotaryPrecision } from "./readers.ts";

const options = {
  ...released.options,
  num_hidden_layers: layersOrDefault,
  rotary_precision: rotaryPrecision,
};

const others = {
  max_position_embeddings: numberOrDefault,
  bos_token_id: id,
  pad_token_id: id,
  eos_token_id: optional(orNull(integer), 2),
  classifier_dropout: optional(number, 0),
  initializer_range: optional(number, 0),
  use_cache: flag,
  attention_dropout: only(0),
  hidden_dropout: only(0),
};

export const gptNeoX = modelClass(options, others, released.build);
