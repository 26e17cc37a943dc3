// Cases of transformers' MptForCausalLM. The model itself refuses the options that the package ignores.
import { object, oneOf, optional, orNull, type Read, string } from "../../../io/fields.ts";
import type { MptAttentionOptions } from "../../../models/language-models/mpt.ts";
import { flag, only } from "../../../pretrained/configurations/configuration.ts";
import { attentionOptions, mpt as released } from "../../../pretrained/configurations/mpt.ts";
import { readOptions } from "../interface/source.ts";
import { id, layersOrDefault, modelClass, numberOrDefault, rotaryPrecision } from "./readers.ts";

const attentionReaders = {
  ...attentionOptions,
  attn_pdrop: only(0),
  attn_impl: optional(oneOf("torch", "flash", "triton"), undefined),
};

const attention: Read<MptAttentionOptions> = (value, at) => {
  const { attnPdrop, attnImpl, ...options } = readOptions(attentionReaders, object(value, at), at);
  return options;
};
const attentionOrNull = optional(orNull(attention), undefined);

const options = { ...released.options, n_layers: layersOrDefault, attn_config: attentionOrNull };

const others = {
  bos_token_id: id,
  pad_token_id: id,
  eos_token_id: id,
  emb_pdrop: only(0),
  resid_pdrop: only(0),
  learned_pos_emb: flag, // MPT has no learned positions where it has ALiBi
  init_device: optional(string, undefined),
  initializer_range: numberOrDefault,
  use_cache: flag,
  verbose: numberOrDefault,
  rotary_precision: rotaryPrecision, // every language model of a case may give it; MPT has no angles
};

export const mpt = modelClass(options, others, released.build, { positions: null, caches: false });
