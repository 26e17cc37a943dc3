// train_utils.py of open-flamingo, train_one_epoch: the labels of both data sets, and the gradient of the embeddings.
import { integer, list, number, oneOf, optional, orNull, string } from "../../../io/fields.ts";
import { embeddingGradientMask } from "../../../training/open-flamingo/gradient-mask.ts";
import { type LabelOptions, laionLabels, mmc4Labels } from "../../../training/open-flamingo/labels.ts";
import { moduleClass, procedureClass, type SourceClass } from "../interface/source.ts";

interface LabelCase extends LabelOptions {
  readonly dataset: "laion" | "mmc4";
}
interface MaskCase {
  readonly keep: readonly number[];
}

const labelOptions = {
  dataset: oneOf("laion", "mmc4"),
  media_token_id: integer,
  eoc_token_id: integer,
  pad_token_id: integer,
};
/** `clip` and `others` say what the loop does afterwards with all gradients. */
const maskOptions = {
  keep: list(integer),
  clip: optional(orNull(number), null),
  others: optional(orNull(string), null),
};

const LABELS = { laion: laionLabels, mmc4: mmc4Labels };

export const trainingClasses: Readonly<Record<string, SourceClass>> = {
  train_labels: procedureClass({
    options: labelOptions,
    call: ["input_ids"],
    build: (options): LabelCase => options,
    run: async ({ dataset, ...ids }, args) => ({
      labels: LABELS[dataset](args.int("input_ids", "b l"), ids), // [conform.run]
    }),
  }),
  embedding_gradient_mask: moduleClass({
    options: maskOptions,
    call: ["grad"],
    build: ({ keep }): MaskCase => ({ keep }),
    forward: ({ keep }: MaskCase, args) => ({ masked: embeddingGradientMask(args.any("grad"), keep) }),
  }),
};
