// open-flamingo 2.0.1: flamingo.py, flamingo_lm.py and helpers.py. The sizes that the package fixes are options of a case: `perceiver` and
// `cross_attn`. Language models, `cached` and `generate` are those of transformers.ts.
import { integer, object, optional, type Read } from "../../io/fields.ts";
import type { ImageEncoder } from "../../models/flamingo/media.ts";
import { decodingWithMedia } from "../../models/media-writer.ts";
import { OpenFlamingo } from "../../models/open-flamingo/flamingo.ts";
import { Linear } from "../../nn/linear.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Arguments } from "./interface/arguments.ts";
import { className, layers, readOptions, type Source, type SourceClass, size } from "./interface/source.ts";
import { generatedSequences } from "./transformers/generation.ts";
import { languageModel, languageOutputs, ownOptions, textOf } from "./transformers.ts";

/** One token for each patch, a projection of its pixels: the encoder that cases have in place of open_clip's. */
class PatchTokens implements ImageEncoder {
  proj: Linear<"(c p q)", "d">;
  readonly options: { readonly patch: number };

  constructor(patch: number, channels: number, width: number) {
    this.options = { patch };
    this.proj = new Linear("(c p q) -> d", channels * patch ** 2, width, { bias: false });
  }

  forward(images: Tensor<"b c h w">): Tensor<"b n d"> {
    const { patch: p } = this.options;
    const patches = rearrange("b c (y p) (x q) -> b (y x) (c p q)", named("b c (y p) (x q)", images), {
      p,
      q: p,
    });
    return named("b n d", this.proj.forward(named("b n (c p q)", patches)));
  }
}

const visionEncoder: Read<ImageEncoder> = (value, at) => {
  const { class: _, ...config } = object(value, at);
  className(object(value, at), ["PatchTokens"], at);
  const { patchSize, channels, width } = readOptions(
    { patch_size: size, channels: size, width: size },
    config,
    at,
  );
  return new PatchTokens(patchSize, channels, width);
};

const sizeOrDefault = optional(size, undefined);
const perceiverOptions = {
  depth: optional(layers, undefined),
  dim_head: sizeOrDefault,
  heads: sizeOrDefault,
  num_latents: sizeOrDefault,
  max_num_media: sizeOrDefault,
  max_num_frames: sizeOrDefault,
  ff_mult: sizeOrDefault,
};
const crossOptions = { dim_head: sizeOrDefault, heads: sizeOrDefault, ff_mult: sizeOrDefault };

const flamingoOptions = {
  vision_encoder: visionEncoder,
  lang_encoder: languageModel,
  eoc_token_id: integer,
  media_token_id: integer,
  vis_dim: size,
  cross_attn_every_n_layers: sizeOrDefault,
  perceiver: optional((value, at) => readOptions(perceiverOptions, object(value, at), at), undefined),
  cross_attn: optional((value, at) => readOptions(crossOptions, object(value, at), at), undefined),
  ...ownOptions,
};

const flamingo: SourceClass = {
  options: Object.keys(flamingoOptions),
  call: ["vision_x", "lang_x", "attention_mask", "labels"],
  build(config, at) {
    const { langEncoder, cached, generate, ...options } = readOptions(flamingoOptions, config, at);
    const model = new OpenFlamingo({
      ...options,
      langEncoder: langEncoder.model,
      profile: "open-flamingo@2.0.1",
    });
    const inputsOf = (args: Arguments) => ({
      visionX: args.tensor("vision_x", "b m f c h w"),
      text: textOf(args, "lang_x"),
    });
    if (!generate)
      return {
        model,
        forward(inputs) {
          const { visionX, text } = inputsOf(new Arguments(inputs));
          const media = model.perceive(visionX); // once, as the package's generate does
          return languageOutputs(
            model.lang_encoder,
            (read, mask) => decodingWithMedia(read, mask, media, model.options),
            text,
            cached,
          );
        },
      };
    return {
      model,
      run(inputs, backend) {
        const { visionX, text } = inputsOf(new Arguments(inputs));
        const { eocTokenId, mediaTokenId } = options;
        return generatedSequences(model.withMedia(visionX), text, generate, {
          backend,
          eosTokenId: eocTokenId, // the language model's own end is ignored
          mediaTokenId,
        });
      },
    };
  },
};

export const openFlamingo: Source = {
  package: "open-flamingo",
  profiles: { "open-flamingo@2.0.1": {} },
  classes: { Flamingo: flamingo },
};
