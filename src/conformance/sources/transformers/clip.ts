// transformers 4.57.6: CLIPVisionTransformer and CLIPImageProcessor.
import { oneOf, optional, type Read } from "../../../io/fields.ts";
import { preprocessImage } from "../../../io/images/preprocessing.ts";
import { CLIPVisionTransformer } from "../../../models/vision/clip/transformers.ts";
import { ACTIVATIONS, type ActivationName } from "../../../nn/activations.ts";
import { processorMembers, clipImageProcessor as stepsOf } from "../../../pretrained/clip/preprocessing.ts";
import { bytesOf, imageOf } from "../images.ts";
import { Arguments } from "../interface/arguments.ts";
import { moduleClass, requireKnown, type SourceClass, size } from "../interface/source.ts";
import { layersOrDefault, numberOrDefault } from "./readers.ts";

const sizeOrDefault = optional(size, undefined);
const act: Read<ActivationName> = oneOf(...(Object.keys(ACTIVATIONS) as ActivationName[]));
const actOrDefault: Read<ActivationName | undefined> = optional(act, undefined);

/** Of CLIPVisionConfig. */
export const clipOptions = {
  hidden_size: sizeOrDefault,
  intermediate_size: sizeOrDefault,
  num_hidden_layers: layersOrDefault,
  num_attention_heads: sizeOrDefault,
  num_channels: sizeOrDefault,
  image_size: sizeOrDefault,
  patch_size: sizeOrDefault,
  hidden_act: actOrDefault,
  layer_norm_eps: numberOrDefault,
};

export const clipVisionTransformer: SourceClass = moduleClass({
  options: clipOptions,
  call: ["pixel_values"],
  build: (options) => new CLIPVisionTransformer(options),
  forward(model, args) {
    const { lastHiddenState, poolerOutput, hiddenStates } = model.outputs(
      args.tensor("pixel_values", "b c h w"),
    );
    const states = hiddenStates.map((state, i) => [`hidden_states.${i}`, state]);
    return {
      last_hidden_state: lastHiddenState,
      pooler_output: poolerOutput,
      ...Object.fromEntries(states),
    };
  },
});

/** The members of preprocessor_config.json. */
export const clipImageProcessor: SourceClass = {
  options: processorMembers,
  call: ["image"],
  build(config, at) {
    for (const name of Object.keys(config))
      requireKnown(processorMembers, name, `${at.file}: "config" has no option`);
    const steps = stepsOf(config, at);
    return {
      model: steps,
      run: async (inputs) => {
        const { resized, pixels } = preprocessImage(imageOf(new Arguments(inputs)), steps);
        return { resized: bytesOf(resized), pixel_values: pixels };
      },
    };
  },
};
