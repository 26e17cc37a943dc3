// Broken builds of OPT and GPT-J.
import type { BrokenBuild } from "../change.ts";
import { mosaic } from "./mosaic-mpt.ts";

const OPT = "src/models/language-models/opt.ts";
const POSITIONS = "src/models/language-models/token-positions.ts";
const GPTJ = "src/models/language-models/gptj.ts";
const opt = (...ids: readonly string[]): string[] => ids.map((id) => `opt-for-causal-lm--${id}`);
const gptJ = (...ids: readonly string[]): string[] => ids.map((id) => `gptj-for-causal-lm--${id}`);

export const optAndGptJ: readonly BrokenBuild[] = [
  {
    mistake: "OPT's norms follow the additions by default",
    path: OPT,
    before: "doLayerNormBefore: normBefore = true",
    after: "doLayerNormBefore: normBefore = false",
    noticedBy: opt("pre-norm", "defaults", "gradients"),
  },
  {
    mistake: "OPT's first norm stands before attention where the second follows",
    path: OPT,
    before: "this.self_attn.forward(normBefore ? first.forward(x) : x, at, past)",
    after: "this.self_attn.forward(first.forward(x), at, past)",
    noticedBy: opt("post-norm-projected", "cached-in-chunks"),
  },
  {
    mistake: "OPT has a last norm where norms follow the additions",
    path: OPT,
    before: "finalNorm: normBefore && !removeFinalLayerNorm",
    after: "finalNorm: !removeFinalLayerNorm",
    noticedBy: opt("post-norm-projected", "cached-in-chunks"),
  },
  {
    mistake: "OPT's option to leave out the last norm is ignored",
    path: OPT,
    before: "finalNorm: normBefore && !removeFinalLayerNorm",
    after: "finalNorm: normBefore",
    noticedBy: opt("plain"),
  },
  {
    mistake: "OPT's activation is GELU by default",
    path: OPT,
    before: 'activationFunction = "relu"',
    after: 'activationFunction = "gelu"',
    noticedBy: opt("defaults", "pre-norm"),
  },
  {
    mistake: "OPT's linear layers have no biases by default",
    path: OPT,
    before: "enableBias: bias = true",
    after: "enableBias: bias = false",
    noticedBy: opt("defaults", "pre-norm"),
  },
  {
    mistake: "OPT's norms always have a scale and a bias",
    path: OPT,
    before: "affine ? new LayerNorm(hiddenSize) : new PlainNorm()",
    after: "affine || hiddenSize > 0 ? new LayerNorm(hiddenSize) : new PlainNorm()",
    noticedBy: opt("plain"),
  },
  {
    mistake: "OPT's head is a parameter of its own by default",
    path: OPT,
    before: "tieWordEmbeddings = true",
    after: "tieWordEmbeddings = false",
    noticedBy: opt("defaults", "gradients"),
  },
  {
    mistake: "the positions of OPT, and of MosaicML's MPT, count padding",
    path: POSITIONS,
    before: "allowed.subarray(i * s, self).reduce((n, one) => n + one, 0)",
    after: "self - i * s",
    noticedBy: [
      ...opt("pre-norm", "cached-one-by-one", "cached-in-chunks", "gradients", "greedy"),
      ...mosaic("multiquery", "cached-one-by-one", "greedy-cached"),
    ],
  },
  {
    mistake: "the positions of OPT, and of MosaicML's MPT, begin again with each cached pass",
    path: POSITIONS,
    before: "allowed.subarray(i * s, self)",
    after: "allowed.subarray(i * s + s - l, self)",
    noticedBy: [
      ...opt("cached-one-by-one", "cached-in-chunks", "greedy"),
      ...mosaic("cached-one-by-one", "greedy-cached"),
    ],
  },
  {
    mistake: "OPT's position table has no rows before that of position 0",
    path: OPT,
    before: "rows = maxPositionEmbeddings + OFFSET",
    after: "rows = maxPositionEmbeddings",
    noticedBy: opt("cached-one-by-one", "post-norm-projected", "defaults"),
  },
  {
    mistake: "OPT's scores are divided by the root of the model's width",
    path: OPT,
    before: "(hiddenSize / h) ** -0.5",
    after: "hiddenSize ** -0.5",
    noticedBy: opt("pre-norm", "post-norm-projected", "defaults", "plain"),
  },
  {
    mistake: "OPT has one head of attention by default",
    path: OPT,
    before: "numAttentionHeads: heads = 12",
    after: "numAttentionHeads: heads = 1",
    noticedBy: opt("defaults"),
  },
  {
    mistake: "no token of OPT is padding by default",
    path: OPT,
    before: "padTokenId = 1,",
    after: "padTokenId = null,",
    noticedBy: opt("gradients"),
  },
  {
    mistake: "the row of a padding id has a gradient",
    path: "src/nn/embedding.ts",
    before: "detach(where(padding, rows))",
    after: "where(padding, rows)",
    noticedBy: opt("gradients"),
  },
  {
    mistake: "GPT-J pairs dimensions by halves",
    path: GPTJ,
    before: 'pairing: "interleaved"',
    after: 'pairing: "halves"',
    noticedBy: gptJ("partly-rotated", "right-padding", "defaults", "gradients", "greedy"),
  },
  {
    mistake: "GPT-J rotates the whole head",
    path: GPTJ,
    before: "width: rotaryDim, pairing",
    after: "width: width / h, pairing",
    noticedBy: gptJ("partly-rotated", "cached-one-by-one", "cached-in-chunks", "defaults", "tied"),
  },
  {
    mistake: "GPT-J rotates 32 dimensions of a head by default",
    path: GPTJ,
    before: "rotaryDim: rotated = 64",
    after: "rotaryDim: rotated = 32",
    noticedBy: gptJ("defaults"),
  },
  {
    mistake: "GPT-J's activation is the exact GELU by default",
    path: GPTJ,
    before: 'activationFunction = "gelu_new"',
    after: 'activationFunction = "gelu"',
    noticedBy: gptJ("defaults", "partly-rotated", "gradients"),
  },
  {
    mistake: "the inner width of GPT-J is twice the model's by default",
    path: GPTJ,
    before: "nInner ?? 4 * width",
    after: "nInner ?? 2 * width",
    noticedBy: gptJ("defaults"),
  },
  {
    mistake: "the epsilon of GPT-J's norms is 1e-6 by default",
    path: GPTJ,
    before: "layerNormEpsilon: epsilon = 1e-5",
    after: "layerNormEpsilon: epsilon = 1e-6",
    noticedBy: gptJ("defaults"),
  },
  {
    mistake: "GPT-J's last norm has the default epsilon whatever the option",
    path: GPTJ,
    before: "this.ln_f = new LayerNorm(width, { epsilon })",
    after: "this.ln_f = new LayerNorm(width)",
    noticedBy: gptJ("right-padding"),
  },
  {
    mistake: "GPT-J's feed-forward reads the layer's input and not the normalised one",
    path: GPTJ,
    before: "this.mlp.forward(normed)",
    after: "this.mlp.forward(x)",
    noticedBy: gptJ("partly-rotated", "cached-in-chunks", "gradients", "tied"),
  },
  {
    mistake: "GPT-J's feed-forward follows its attention",
    path: GPTJ,
    before: "this.mlp.forward(normed)",
    after: "this.mlp.forward(this.ln_1.forward(add(attended, x)))",
    noticedBy: gptJ("partly-rotated", "right-padding", "defaults", "greedy"),
  },
  {
    mistake: "GPT-J's scores are divided by the root of the rotated width",
    path: GPTJ,
    before: "(width / h) ** -0.5",
    after: "rotaryDim ** -0.5",
    noticedBy: gptJ("partly-rotated", "cached-one-by-one", "cached-in-chunks", "defaults"),
  },
  {
    mistake: "GPT-J's head has no bias",
    path: GPTJ,
    before: "config.width, config.vocabSize);",
    after: "config.width, config.vocabSize, { bias: false });",
    noticedBy: gptJ("partly-rotated", "right-padding", "tied", "defaults", "gradients", "greedy"),
  },
  {
    mistake: "GPT-J's head is never tied",
    path: GPTJ,
    before: "if (config.tieWordEmbeddings) this.lm_head",
    after: "if (config.vocabSize < 0) this.lm_head",
    noticedBy: gptJ("tied"),
  },
];
