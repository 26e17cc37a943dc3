// Cases of transformers' OPTForCausalLM.
import { integer, optional, orNull } from "../../../io/fields.ts";
import { flag, only } from "../../../pretrained/configurations/configuration.ts";
import { opt as released } from "../../../pretrained/configurations/opt.ts";
import { id, layersOrDefault, modelClass, numberOrDefault, rotaryPrecision } from "./readers.ts";

const options = { ...released.options, num_hidden_layers: layersOrDefault };

const others = {
  bos_token_id: id,
  eos_token_id: optional(orNull(integer), 2),
  dropout: only(0),
  attention_dropout: only(0),
  layerdrop: only(0),
  init_std: numberOrDefault,
  use_cache: flag,
  rotary_precision: rotaryPrecision, // every language model of a case may give it; OPT has no angles
};

export const opt = modelClass(options, others, released.build, { padding: 1 });
