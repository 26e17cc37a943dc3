// llm-foundry: MosaicML's own MPT. Cases are called as those of transformers' classes. Release 0.1.0 computes the same as 0.22.0, except that
// its RMS norms multiply by the root mean square.
import { object, oneOf, optional, orNull, type Read, refuse, string } from "../../io/fields.ts";
import type { MosaicMptAttentionOptions } from "../../models/language-models/mosaic-mpt.ts";
import { flag, inside, only } from "../../pretrained/configurations/configuration.ts";
import {
  attentionOptions,
  fixedAttentionOptions,
  mosaicMpt as released,
} from "../../pretrained/configurations/mosaic-mpt.ts";
import { readOptions, type Source } from "./interface/source.ts";
import { id, layersOrDefault, modelClass, numberOrDefault, rotaryPrecision } from "./transformers/readers.ts";
import { languageClass } from "./transformers.ts";

const text = optional(string, undefined);
const anyObject = optional(object, undefined);

/** Options of attention that the model does not take. */
const otherAttentionOptions = {
  ...fixedAttentionOptions,
  attn_pdrop: only(0),
  attn_impl: optional(oneOf("torch", "flash", "triton"), undefined),
  rope_theta: numberOrDefault, // the details of rotary embeddings, which have no effect without `rope`
  rope_impl: text,
  rope_dail_config: anyObject,
  rope_hf_config: anyObject,
};

const attention: Read<MosaicMptAttentionOptions> = (value, at) => {
  const config = object(value, at);
  readOptions({ ...attentionOptions, ...otherAttentionOptions }, config, at);
  const own = Object.entries(config).filter(([name]) => Object.hasOwn(attentionOptions, name));
  return readOptions(attentionOptions, Object.fromEntries(own), at);
};
const attentionOrNull = optional(orNull(attention), undefined);

const options = { ...released.options, n_layers: layersOrDefault, attn_config: attentionOrNull };

const others = {
  ...released.fixed,
  eos_token_id: id,
  bos_token_id: id,
  emb_pdrop: only(0),
  resid_pdrop: only(0),
  fc_type: only("torch"),
  init_config: anyObject,
  init_device: text,
  use_cache: flag,
  use_pad_tok_in_ffn: flag,
  verbose: numberOrDefault,
  rotary_precision: rotaryPrecision, // every language model of a case may give it; MPT has no angles
};

const mpt = modelClass(options, others, released.build, { positions: null, caches: false });

interface Release {
  readonly rmsNorms: boolean;
}

const language = languageClass(mpt);

export const llmFoundry: Source<Release> = {
  package: "llm-foundry",
  profiles: { "llm-foundry@0.22.0": { rmsNorms: true }, "llm-foundry@0.1.0": { rmsNorms: false } },
  classes: {
    MPTForCausalLM: {
      ...language,
      build(config, at, context) {
        const { norm_type: norm } = config;
        if (!context.profile.rmsNorms && typeof norm === "string" && norm.includes("rms"))
          throw refuse(
            inside(at, "norm_type"),
            `is ${norm}, which release 0.1.0 computes otherwise and which is not supported`,
          );
        return language.build(config, at, context);
      },
    },
  },
};
