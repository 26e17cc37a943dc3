// Cases of transformers' GPTJForCausalLM.
import { integer, optional, orNull } from "../../../io/fields.ts";
import { flag, only } from "../../../pretrained/configurations/configuration.ts";
import { gptJ as released } from "../../../pretrained/configurations/gptj.ts";
import { id, layersOrDefault, modelClass, numberOrDefault, rotaryPrecision } from "./readers.ts";

const options = { ...released.options, n_layer: layersOrDefault, rotary_precision: rotaryPrecision };

const others = {
  bos_token_id: id,
  pad_token_id: id,
  eos_token_id: optional(orNull(integer), 50_256),
  resid_pdrop: only(0),
  embd_pdrop: only(0),
  attn_pdrop: only(0),
  initializer_range: numberOrDefault,
  use_cache: flag,
};

export const gptJ = modelClass(options, others, released.build, { positions: "n_positions" });
