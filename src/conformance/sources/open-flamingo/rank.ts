// eval/models/open_flamingo.py of open-flamingo's repository: get_rank_classifications. A case gives the ids of the classes in place of their
// names. `use_cache`, false by default, reads the classes from one cache.
import { rankClassifications } from "../../../evaluation/rank-classification.ts";
import { boolean, integer, list, object, optional } from "../../../io/fields.ts";
import { Tensor, view } from "../../../tensor/tensor.ts";
import { readOptions, type SourceClass } from "../interface/source.ts";
import { call, flamingoOf, inputsOf } from "./flamingo.ts";
import type { Release } from "./releases.ts";

const options = {
  model: object,
  classes: list(list(integer)),
  normalize_length: boolean,
  use_cache: optional(boolean, false),
};

export const rank: SourceClass<Release> = {
  options: Object.keys(options),
  call,
  build(config, at, context) {
    const { model: described, classes, normalizeLength, useCache } = readOptions(options, config, at);
    const { model } = flamingoOf(described, { ...at, field: `${at.field}.model` }, context);
    return {
      model,
      async run(inputs, backend) {
        const { visionX, text } = inputsOf(inputs);
        // the eager attention of transformers gives padding the mean of all values
        const found = await rankClassifications(model.withMedia(visionX, { emptyRow: "uniform" }), text, {
          classes,
          normalizeLength,
          // a whole text for each class is what a cache of its own gives
          profile: useCache ? "open-flamingo@2.0.1" : "flamboyance",
          backend,
        });
        const shape = [found.length, classes.length];
        return { logprobs: new Tensor(shape, view(Float64Array.from(found.flat()), shape)) };
      },
    };
  },
};
