// The sources of the sets of parameters, apart from the sets: a model needs no more than these.
import { type ParameterSetName, trainedParameters as sets } from "./names.ts";

/** A set of parameters: where it is stated, and whether it has the parameter of a name. */
export interface ParameterSet {
  readonly source: string;
  readonly includes: (name: string) => boolean;
}

/** Sets of parameters, by name, each with the place where it is stated. `trainable` lists the names of a set. */
export const parameterSets: Readonly<Record<ParameterSetName, ParameterSet>> = {
  // The paper also learns the embedding of its end-of-chunk token, which is a row of `token_emb.weight` and no parameter
  // of its own here.
  paper: {
    ...sets.paper,
    source:
      "arXiv 2204.14198v2: the vision encoder (§2.1) and the language model's blocks (§2.2) are pretrained and frozen; the " +
      "resampler with its learnt temporal position encodings (A.1.1) and the gated blocks (§2.2) are trained from scratch",
  },
  "flamingo-pytorch@0.1.2": {
    ...sets["flamingo-pytorch@0.1.2"],
    source: "FlamingoPaLM.forward given images or videos: freezes everything, then unfreezes these two",
  },
  "flamingo-pytorch@0.1.2 text": {
    ...sets["flamingo-pytorch@0.1.2 text"],
    source: "FlamingoPaLM.forward on text alone: unfreezes everything, the image encoder included",
  },
  "open-flamingo": {
    ...sets["open-flamingo"],
    source:
      "open_flamingo/src/factory.py, create_model_and_transforms: the perceiver (which holds the frames' embeddings), " +
      "gated_cross_attn_layers, and the language model's input embeddings unless freeze_lm_embeddings is set",
  },
  "language model": {
    ...sets["language model"],
    source: "arXiv 2204.02311: PaLM, trained on text before there are any images",
  },
};
