// flamingo.py and flamingo_lm.py of open-flamingo: the whole model. The sizes that the package fixes are options of a case: `perceiver`
// and `cross_attn`. Language models, `cached` and `generate` are those of transformers.ts.
import { type FieldLocation, integer, object, optional } from "../../../io/fields.ts";
import type { JsonObject } from "../../../io/json.ts";
import { decodingWithMedia } from "../../../models/media-writer.ts";
import { OpenFlamingo } from "../../../models/open-flamingo/flamingo.ts";
import type { OpenFlamingoBehaviour } from "../../../models/open-flamingo/profiles.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { Arguments, type Inputs } from "../interface/arguments.ts";
import { type BuildContext, readOptions, type SourceClass, size } from "../interface/source.ts";
import { generatedSequences, paddedWith } from "../transformers/generation.ts";
import {
  type CachedPasses,
  type CaseText,
  cachedOutputs,
  languageModel,
  ownOptions,
  textOf,
  withoutPadding,
} from "../transformers.ts";
import { crossOptions, resamplerOptions } from "./blocks.ts";
import { visionEncoder } from "./encoders.ts";
import type { Release } from "./releases.ts";

const modelOptions = {
  vision_encoder: visionEncoder,
  lang_encoder: languageModel,
  eoc_token_id: integer,
  media_token_id: integer,
  vis_dim: size,
  cross_attn_every_n_layers: optional(size, undefined),
  perceiver: optional((value, at) => readOptions(resamplerOptions, object(value, at), at), undefined),
  cross_attn: optional((value, at) => readOptions(crossOptions, object(value, at), at), undefined),
};

/** Where the weights of a case have the tower: 0.1.1 keeps the CLIP model around it. A case without weights has it where the release does. */
function encoderName(weights: BuildContext<Release>["weights"]): Partial<OpenFlamingoBehaviour> {
  const tower = [...weights.keys()].find((key) => key.startsWith("vision_encoder."));
  if (tower === undefined) return {};
  const clip = tower.startsWith("vision_encoder.visual.");
  return { encoderName: clip ? "vision_encoder.visual" : "vision_encoder" };
}

export const call = ["vision_x", "lang_x", "attention_mask", "labels"];

/** The model that a configuration describes, and what `generate` takes from the configuration of its language model. */
export function flamingoOf(
  config: JsonObject,
  at: FieldLocation,
  { weights, profile }: BuildContext<Release>,
) {
  const { langEncoder, ...options } = readOptions(modelOptions, config, at);
  const model = new OpenFlamingo({
    ...options,
    langEncoder: langEncoder.model,
    profile: profile.name,
    behaviour: encoderName(weights),
  });
  const { padTokenId, positions, useCache } = langEncoder;
  return { model, padTokenId, positions, useCache };
}

/** Images and text of a call. */
export function inputsOf(inputs: Inputs) {
  const args = new Arguments(inputs);
  return { visionX: args.tensor("vision_x", "b m f c h w"), text: textOf(args, "lang_x") };
}

export const flamingo: SourceClass<Release> = {
  options: [...Object.keys(modelOptions), ...Object.keys(ownOptions)],
  call,
  build(config, at, context) {
    const { cached: passes, generate: called, ...rest } = config;
    const { cached, generate } = readOptions(
      ownOptions,
      {
        ...(passes === undefined ? {} : { cached: passes }),
        ...(called === undefined ? {} : { generate: called }),
      },
      at,
    );
    const { model, padTokenId, positions, useCache } = flamingoOf(rest, at, context);
    if (!generate)
      return {
        model,
        forward(inputs) {
          const { visionX, text } = inputsOf(inputs);
          const { ids, mask, labels } = text;
          const { logits, loss } = model.forward({ visionX, langX: ids, attentionMask: mask, labels });
          return {
            logits: withoutPadding(logits, mask),
            ...(loss ? { loss } : {}),
            ...(cached ? inPasses(model, visionX, text, cached) : {}),
          };
        },
      };
    return {
      model,
      run(inputs, backend) {
        const { visionX, text } = inputsOf(inputs);
        const { eocTokenId, mediaTokenId } = model.options;
        return generatedSequences(model.withMedia(visionX), text, paddedWith(generate, padTokenId), {
          backend,
          eosTokenId: eocTokenId, // the language model's own end is ignored
          positions,
          useCache,
          mediaTokenId,
        });
      },
    };
  },
};

/** `cached_logits`: images are encoded once, and each pass is given its own text, as the package's `generate` calls the language model. */
function inPasses(model: OpenFlamingo, visionX: Tensor<"b m f c h w">, text: CaseText, passes: CachedPasses) {
  const media = model.perceive(visionX);
  return cachedOutputs(
    model.lang_encoder,
    (read, mask) => decodingWithMedia(read, mask, media, model.options),
    text,
    passes,
  );
}
