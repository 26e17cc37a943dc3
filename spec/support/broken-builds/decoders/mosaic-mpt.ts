// Broken builds of MosaicML's MPT.
import type { BrokenBuild } from "../change.ts";

const PATH = "src/models/language-models/mosaic-mpt.ts";
export const mosaic = (...ids: readonly string[]): string[] =>
  ids.map((id) => `mosaic-mpt-for-causal-lm--${id}`);

/** Mistakes in attention. */
const attention: readonly BrokenBuild[] = [
  {
    mistake: "queries are not normalised, as in transformers",
    path: PATH,
    before: "this.q_ln ? this.q_ln.forward(q) : q;",
    after: "q;",
    noticedBy: mosaic("qk-ln", "clipped", "logit-scale", "rms-norm", "multiquery", "gradients", "greedy"),
  },
  {
    mistake: "keys are not normalised",
    path: PATH,
    before: "this.k_ln ? this.k_ln.forward(k) : k;",
    after: "k;",
    noticedBy: mosaic("qk-ln", "clipped", "rms-norm", "multiquery", "grouped-cached", "gradients"),
  },
  {
    mistake: "the epsilon of the norms of queries is that of the others",
    path: PATH,
    before: "attention.norm ? new LayerNorm(dModel, { bias })",
    after: "attention.norm ? new LayerNorm(dModel, { bias, epsilon: 0.01 })",
    noticedBy: mosaic("rms-norm"),
  },
  {
    mistake: "norms of queries and keys have biases where there are none",
    path: PATH,
    before: "attention.norm ? new LayerNorm(width, { bias })",
    after: "attention.norm ? new LayerNorm(width)",
    noticedBy: mosaic("qk-ln", "logit-scale", "gradients", "greedy"),
  },
  {
    mistake: "queries, keys and values are not limited",
    path: PATH,
    before: "clip === null ? projected : clipped(projected, clip)",
    after: "projected",
    noticedBy: mosaic("clipped", "rms-norm", "gradients"),
  },
  {
    mistake: "scores are divided by the root of the width of the model",
    path: PATH,
    before: "(dModel / heads) ** -0.5",
    after: "dModel ** -0.5",
    noticedBy: mosaic("qk-ln", "without-qk-ln", "defaults", "multiquery"),
  },
  {
    mistake: "softmaxScale is ignored",
    path: PATH,
    before: "softmaxScale ?? (",
    after: "(",
    noticedBy: mosaic("clipped"),
  },
  {
    mistake: "position biases reach 2^-16 by default",
    path: PATH,
    before: "alibiBiasMax = 8",
    after: "alibiBiasMax = 16",
    noticedBy: mosaic("qk-ln", "without-qk-ln", "logit-scale", "grouped-cached", "gradients"),
  },
  {
    mistake: "alibiBiasMax is ignored",
    path: PATH,
    before: "alibi({ ...positions, biasMax })",
    after: "alibi(positions)",
    noticedBy: mosaic("clipped"),
  },
  {
    mistake: "there are position biases by default",
    path: PATH,
    before: "alibi = false",
    after: "alibi = true",
    noticedBy: mosaic("defaults", "rms-norm", "multiquery", "cached-one-by-one", "no-positions"),
  },
  {
    mistake: "heads that share keys and values do not stand beside each other",
    path: "src/models/language-models/multi-head.ts",
    before: "b g s k -> b (g r) s k",
    after: "b g s k -> b (r g) s k",
    noticedBy: mosaic("grouped-cached"),
  },
];

/** Mistakes outside attention. */
const others: readonly BrokenBuild[] = [
  {
    mistake: "learned positions stand beside position biases",
    path: PATH,
    before: "learnedPosEmb && attention.biasMax === null",
    after: "learnedPosEmb",
    noticedBy: mosaic("qk-ln", "without-qk-ln", "clipped"),
  },
  {
    mistake: "padding between tokens has the position of the next token",
    path: PATH,
    before: "Math.max(0, tokensBefore - 1)",
    after: "tokensBefore",
    noticedBy: mosaic("padding-within"),
  },
  {
    mistake: "learned positions cannot be left out",
    path: PATH,
    before: "learnedPosEmb && attention.biasMax === null",
    after: "attention.biasMax === null",
    noticedBy: mosaic("no-positions"),
  },
  {
    mistake: "the epsilon of the norms is 1e-6 by default",
    path: PATH,
    before: "normEps: epsilon = 1e-5",
    after: "normEps: epsilon = 1e-6",
    noticedBy: mosaic("defaults"),
  },
  {
    mistake: "low_precision_rmsnorm is a layer norm",
    path: PATH,
    before: '["rmsnorm", "low_precision_rmsnorm"]',
    after: '["rmsnorm"]',
    noticedBy: mosaic("rms-norm"),
  },
  {
    mistake: "there are no biases by default",
    path: PATH,
    before: "noBias = false",
    after: "noBias = true",
    noticedBy: mosaic("defaults", "clipped", "multiquery"),
  },
  {
    mistake: "attentionBias is ignored",
    path: PATH,
    before: "attentionBias ?? !noBias",
    after: "!noBias",
    noticedBy: mosaic("logit-scale"),
  },
  {
    mistake: "the feed-forward is four times as wide as the model in any case",
    path: PATH,
    before: "dModel * expansionRatio;",
    after: "dModel * 4;",
    noticedBy: mosaic("logit-scale"),
  },
  {
    mistake: "inv_sqrt_d_model is a factor of 1",
    path: PATH,
    before: '=== "string" ? dModel ** -0.5',
    after: '=== "string" ? 1',
    noticedBy: mosaic("logit-scale"),
  },
  {
    mistake: "logits are not scaled",
    path: PATH,
    before: "logitScale === null ? logits : mulScalar(logits, logitScale)",
    after: "logits",
    noticedBy: mosaic("logit-scale", "rms-norm", "gradients-with-biases"),
  },
  {
    mistake: "the projection to the vocabulary is tied in any case",
    path: PATH,
    before: "this.lm_head = tied ? null",
    after: "this.lm_head = vocabSize > 0 ? null",
    noticedBy: mosaic("rms-norm"),
  },
  {
    mistake: "the whole gradient reaches the embeddings",
    path: PATH,
    before: "if (fraction === 1)",
    after: "if (fraction > 0)",
    noticedBy: mosaic("gradients"),
  },
  {
    mistake: "the embedding of the padding token gets a gradient",
    path: PATH,
    before: "{ initial: normal(0.02), paddingId }",
    after: "{ initial: normal(0.02), paddingId: null }",
    noticedBy: mosaic("gradients"),
  },
];

export const mosaicMpt: readonly BrokenBuild[] = [...attention, ...others];
