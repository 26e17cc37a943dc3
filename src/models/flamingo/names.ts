// Names within FlamingoPaLM: which parameters each source trains, which named activations hold the weights of
// cross-attention, and which ones gradient checkpointing keeps. They are those of flamingo-pytorch 0.1.2, where
// `layers.<i>.0` is a block of the language model and `layers.<i>.1` the cross-attention block after it.

const matching = (pattern: RegExp) => ({ includes: (name: string): boolean => pattern.test(name) });

/** The sets of `parameterSets`, which has the sources. */
export const trainedParameters = {
  paper: matching(/^(perceiver_resampler\.|layers\.\d+\.1\.|video_frame_pos_emb$)/),
  // #region frozen
  "flamingo-pytorch@0.1.2": matching(/^(perceiver_resampler|layers\.\d+\.1)\./), // [flamingo.frozen]
  "flamingo-pytorch@0.1.2 text": matching(/^/), // [flamingo.frozen]
  // #endregion
  "open-flamingo": matching(
    /^(perceiver_resampler\.|layers\.\d+\.1\.|(video_frame_pos_emb|token_emb\.weight)$)/,
  ),
  "language model": matching(/^(token_emb|to_logits|layers\.\d+\.0)\./),
} as const; // [freezing.sets]

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
