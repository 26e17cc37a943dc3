// Names within FlamingoPaLM: which parameters each source trains, which named activations hold the weights of
// cross-attention, and which ones gradient checkpointing keeps. They are those of flamingo-pytorch 0.1.2, where
// `layers.<i>.0` is a block of the language model and `layers.<i>.1` the cross-attention block after it.

const resampler = (name: string): boolean => name.startsWith("perceiver_resampler.");
const crossAttention = (name: string): boolean => /^layers\.\d+\.1\./.test(name);
const framePositions = (name: string): boolean => name === "video_frame_pos_emb";

/** Sets of parameters, by name, each with the place where it is stated. `trainable` lists the names of a set. */
export const parameterSets = {
  // The paper also learns the embedding of its end-of-chunk token, which is a row of `token_emb.weight` and no parameter
  // of its own here.
  paper: {
    source:
      "arXiv 2204.14198v2: the vision encoder (§2.1) and the language model's blocks (§2.2) are pretrained and frozen; the " +
      "resampler with its learnt temporal position encodings (A.1.1) and the gated blocks (§2.2) are trained from scratch",
    includes: (name: string) => resampler(name) || crossAttention(name) || framePositions(name),
  },
  // #region frozen
  "flamingo-pytorch@0.1.2": {
    source: "FlamingoPaLM.forward given images or videos: freezes everything, then unfreezes these two",
    includes: (name: string) => resampler(name) || crossAttention(name), // [flamingo.frozen]
  },
  "flamingo-pytorch@0.1.2 text": {
    source: "FlamingoPaLM.forward on text alone: unfreezes everything, the image encoder included",
    includes: () => true, // [flamingo.frozen]
  },
  // #endregion
  "open-flamingo": {
    source:
      "open_flamingo/src/factory.py, create_model_and_transforms: the perceiver (which holds the frames' embeddings), " +
      "gated_cross_attn_layers, and the language model's input embeddings unless freeze_lm_embeddings is set",
    includes: (name: string) =>
      resampler(name) || crossAttention(name) || framePositions(name) || name === "token_emb.weight",
  },
  "language model": {
    source: "arXiv 2204.02311: PaLM, trained on text before there are any images",
    includes: (name: string) => /^(token_emb\.|to_logits\.|layers\.\d+\.0\.)/.test(name),
  },
} as const; // [freezing.sets]

/** The name of a set of parameters. */
export type ParameterSetName = keyof typeof parameterSets;

/**
 * The named activations that layers pass on, and the output of the resampler. With these kept, gradient checkpointing
 * computes the inside of one layer at a time again.
 */
export const layerOutputs = /^(layers\.\d+\.[01]|perceiver_resampler)$/;

/** The name of the cross-attention weights in layer `i`; their axes are b h l (m r). */
export const crossAttentionWeights = (i: number): string => `layers.${i}.1.attn.attn`;

/**
 * Whether a name can be that of cross-attention weights, in a model (`layers.0.1.attn.attn`), in a gated block alone
 * (`attn.attn`) or in a cross-attention alone (`attn`). In a gated block `attn` is the attention's output, which has three
 * axes and not four.
 */
export const isCrossAttentionWeights = (name: string): boolean =>
  /^((layers\.\d+\.1\.)?attn\.)?attn$/.test(name);
