// Names within FlamingoPaLM: which parameters each source trains, which named activations hold the weights of
// cross-attention, and which ones gradient checkpointing keeps. They are those of flamingo-pytorch 0.1.2, where
// `layers.<i>.0` is a block of the language model and `layers.<i>.1` the cross-attention block after it.

import type { NameRule } from "../../nn/loading/rules.ts";

/** What flamingo-pytorch trains when it is given images: the resampler and the gated blocks. */
const added: readonly NameRule[] = ["perceiver_resampler.*", /^layers\.\d+\.1\./];

/** The parameters that each source trains. */
export const trainedParameters = {
  // arXiv 2204.14198v2: the vision encoder (§2.1) and the blocks of the language model (§2.2) are pretrained and frozen; the resampler
  // with its learnt temporal position encodings (A.1.1) and the gated blocks (§2.2) are trained from scratch. The paper also learns the
  // embedding of its end-of-chunk token, which is a row of `token_emb.weight` and no parameter of its own here.
  paper: [...added, "video_frame_pos_emb"],
  // FlamingoPaLM.forward given images or videos freezes everything, then unfreezes these; on text alone it unfreezes everything, the
  // image encoder included.
  // #region frozen
  "flamingo-pytorch@0.1.2": added, // [flamingo.frozen]
  "flamingo-pytorch@0.1.2 text": ["*"], // [flamingo.frozen]
  // #endregion
  // open_flamingo/src/factory.py, create_model_and_transforms: the perceiver (which holds the embeddings of frames), the gated layers,
  // and the language model's input embeddings unless freeze_lm_embeddings is set.
  "open-flamingo": [...added, "video_frame_pos_emb", "token_emb.weight"],
  // arXiv 2204.02311: PaLM, trained on text before there are any images.
  "language model": ["token_emb.*", "to_logits.*", /^layers\.\d+\.0\./],
} as const satisfies Record<string, readonly NameRule[]>; // [freezing.sets]

/** The name of a set of parameters. */
export type ParameterSetName = keyof typeof trainedParameters;

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
