// Broken builds of language models, of OpenFlamingo and of generation.
import type { BrokenBuild } from "./change.ts";

const LLAMA = "src/models/language-models/llama.ts";
const GPT_NEOX = "src/models/language-models/gpt-neox.ts";
const MPT = "src/models/language-models/mpt.ts";
const neox = (...ids: readonly string[]): string[] => ids.map((id) => `gpt-neox-for-causal-lm--${id}`);
const mpt = (...ids: readonly string[]): string[] => ids.map((id) => `mpt-for-causal-lm--${id}`);
const llama = (...ids: readonly string[]): string[] => ids.map((id) => `llama-for-causal-lm--${id}`);
const flamingo = (...ids: readonly string[]): string[] => ids.map((id) => `flamingo--${id}`);

/** Mistakes in GPT-NeoX and MPT. */
const gptNeoXAndMpt: readonly BrokenBuild[] = [
  {
    mistake: "GPT-NeoX rotates whole heads by default",
    path: GPT_NEOX,
    before: "rotaryPct = 0.25",
    after: "rotaryPct = 1",
    noticedBy: neox("defaults", "cached-one-by-one", "greedy"),
  },
  {
    mistake: "the base of GPT-NeoX's rotary embeddings is 100,000 by default",
    path: GPT_NEOX,
    before: "rotaryEmbBase = 10_000",
    after: "rotaryEmbBase = 100_000",
    noticedBy: neox("defaults", "sequential-residual"),
  },
  {
    mistake: "the epsilon of GPT-NeoX's norms is 1e-6 by default",
    path: GPT_NEOX,
    before: "layerNormEps: epsilon = 1e-5",
    after: "layerNormEps: epsilon = 1e-6",
    noticedBy: neox("defaults"),
  },
  {
    mistake: "GPT-NeoX has the tanh approximation of GELU by default",
    path: GPT_NEOX,
    before: 'hiddenAct = "gelu"',
    after: 'hiddenAct = "gelu_new"',
    noticedBy: neox("parallel-residual", "sequential-residual", "defaults", "gradients"),
  },
  {
    mistake: "layers of GPT-NeoX are sequential by default",
    path: GPT_NEOX,
    before: "useParallelResidual: parallel = true",
    after: "useParallelResidual: parallel = false",
    noticedBy: neox("parallel-residual", "defaults", "tied-without-biases", "gradients"),
  },
  {
    mistake: "the feed-forward of a parallel layer reads the norm of attention",
    path: GPT_NEOX,
    before: "this.mlp.forward(this.post_attention_layernorm.forward(this.options.parallel ? x : y))",
    after:
      "this.mlp.forward((this.options.parallel ? this.input_layernorm : this.post_attention_layernorm).forward(this.options.parallel ? x : y))",
    noticedBy: neox("parallel-residual", "cached-one-by-one"),
  },
  {
    mistake: "GPT-NeoX's projection has all queries first, then all keys, then all values",
    path: GPT_NEOX,
    before: 'rearrange("b l (h c) -> b h l c", this.query_key_value.forward(x), { h })',
    after:
      'named("b h l c", rearrange("b l (c h k) -> b h l (c k)", named("b l (c h k)", this.query_key_value.forward(x)), { h, c: 3 }))',
    noticedBy: neox("parallel-residual", "sequential-residual", "cached-in-chunks", "gradients"),
  },
  {
    mistake: "GPT-NeoX's projections of attention have no biases by default",
    path: GPT_NEOX,
    before: "attentionBias = true",
    after: "attentionBias = false",
    noticedBy: neox("parallel-residual", "sequential-residual"),
  },
  {
    mistake: "GPT-NeoX's projection to the vocabulary is tied by default",
    path: GPT_NEOX,
    before: "tieWordEmbeddings = false",
    after: "tieWordEmbeddings = true",
    noticedBy: neox("parallel-residual", "sequential-residual"),
  },
  {
    mistake: "the epsilon of MPT's norms is 1e-6 by default",
    path: MPT,
    before: "layerNormEpsilon: epsilon = 1e-5",
    after: "layerNormEpsilon: epsilon = 1e-6",
    noticedBy: mpt("defaults"),
  },
  {
    mistake: "MPT has no position biases",
    path: MPT,
    before: "past, alibi({ heads: h, keys })",
    after: "past",
    noticedBy: mpt("three-heads", "clipped-and-scaled", "defaults", "cached-one-by-one", "cached-in-chunks"),
  },
  {
    mistake: "heads that are no power of two have the slopes in the order of the powers",
    path: "src/nn/positions/alibi.ts",
    before: "[...even, ...odd]",
    after: "order",
    noticedBy: mpt("three-heads", "cached-one-by-one", "cached-in-chunks", "untied", "gradients", "greedy"),
  },
  {
    mistake: "MPT's projection has the query, key and value of each head together",
    path: MPT,
    before: "split(limited, { q: d, k: d, v: d })",
    after:
      'split(named("b l (c h k)", rearrange("b l (h c k) -> b l (c h k)", named("b l (h c k)", limited), { h, c: 3 })), { q: d, k: d, v: d })',
    noticedBy: mpt("three-heads", "clipped-and-scaled", "cached-in-chunks", "gradients"),
  },
  {
    mistake: "MPT does not limit queries, keys and values",
    path: MPT,
    before: "clip === null ? projected : clipped(projected, clip)",
    after: "projected",
    noticedBy: mpt("clipped-and-scaled", "cached-in-chunks", "gradients"),
  },
  {
    mistake: "MPT ignores the factor of the scores",
    path: MPT,
    before: "softmaxScale ?? (dModel / heads) ** -0.5",
    after: "(dModel / heads) ** -0.5",
    noticedBy: mpt("clipped-and-scaled"),
  },
  {
    mistake: "the factor of MPT's scores is that of the whole width",
    path: MPT,
    before: "softmaxScale ?? (dModel / heads) ** -0.5",
    after: "softmaxScale ?? dModel ** -0.5",
    noticedBy: mpt("three-heads", "cached-one-by-one", "gradients"),
  },
  {
    mistake: "MPT's projection to the vocabulary has weights of its own by default",
    path: MPT,
    before: "tieWordEmbeddings = true",
    after: "tieWordEmbeddings = false",
    noticedBy: mpt("three-heads", "defaults", "gradients"),
  },
  {
    mistake: "MPT's projection to the vocabulary is always tied",
    path: MPT,
    before: "if (settings.tieWordEmbeddings)",
    after: "if (this.transformer)",
    noticedBy: mpt("untied"),
  },
  {
    mistake: "MPT has the tanh approximation of GELU",
    path: MPT,
    before: "import { add, addScalar, gelu, mulScalar",
    after: 'import { geluTanh as gelu } from "../../nn/activations.ts";\nimport { add, addScalar, mulScalar',
    noticedBy: mpt("three-heads", "clipped-and-scaled", "untied", "gradients"),
  },
];

export const languageModels: readonly BrokenBuild[] = [
  ...gptNeoXAndMpt,
  {
    mistake: "the base of LLaMA's rotary embeddings is 500,000 by default",
    path: LLAMA,
    before: "ropeTheta = 10_000",
    after: "ropeTheta = 500_000",
    noticedBy: llama("defaults", "cached-one-by-one", "gradients"),
  },
  {
    mistake: "the epsilon of LLaMA's norms is 1e-5 by default",
    path: LLAMA,
    before: "rmsNormEps = 1e-6",
    after: "rmsNormEps = 1e-5",
    noticedBy: llama("defaults"),
  },
  {
    mistake: "rotary embeddings pair neighbouring dimensions by default",
    path: "src/nn/positions/rotary.ts",
    before: 'pairing = "halves"',
    after: 'pairing = "interleaved"',
    noticedBy: llama("grouped-queries", "defaults"),
  },
  {
    mistake: "heads of queries take turns in sharing heads of keys and values",
    path: LLAMA,
    before: 'rearrange("b (g h) l k -> b g h l k", named("b (g h) l k", q), { g })',
    after: 'rearrange("b (h g) l k -> b g h l k", named("b (h g) l k", q), { g })',
    noticedBy: llama("grouped-queries", "cached-in-chunks"),
  },
  {
    mistake: "LLaMA has one head of keys and values by default",
    path: LLAMA,
    before: "numKeyValueHeads ?? heads",
    after: "numKeyValueHeads ?? 1",
    noticedBy: llama("defaults"),
  },
  {
    mistake: "the projection to the vocabulary is tied by default",
    path: LLAMA,
    before: "tieWordEmbeddings = false",
    after: "tieWordEmbeddings = true",
    noticedBy: llama("defaults", "grouped-queries"),
  },
  {
    mistake: "attention to padding is allowed",
    path: "src/models/language-model.ts",
    before: "const isReal = real[row * s + at] === 1;",
    after: "const isReal = true;",
    noticedBy: [...llama("grouped-queries", "greedy"), ...flamingo("interleaved", "greedy")],
  },
  {
    mistake: "a cached pass is masked as if it began the text",
    path: "src/models/language-model.ts",
    before: "Math.max(0, at - past)",
    after: "at",
    noticedBy: llama("cached-one-by-one", "cached-in-chunks", "greedy"),
  },
  {
    mistake: "the mask of a decoder has 32 columns",
    path: "src/models/language-model.ts",
    before: "if (!isReal) continue;",
    after: "if (!isReal || at >= 32) continue;",
    noticedBy: llama("defaults"),
  },
  {
    mistake: "the mask of a decoder is causal for 128 tokens only",
    path: "src/models/language-model.ts",
    before: "let q = Math.max(0, at - past)",
    after: "let q = at < 128 ? Math.max(0, at - past) : 0",
    noticedBy: ["decoder--wide"],
  },
  {
    mistake: "positions begin again with each cached pass",
    path: "src/models/language-model.ts",
    before: 'count === "slots" ? at : tokens',
    after: 'count === "slots" ? at - past : at - past',
    noticedBy: llama("cached-one-by-one", "cached-in-chunks", "greedy"),
  },
  {
    mistake: "OpenFlamingo's first layer of every n has cross-attention in place of the last",
    path: "src/models/open-flamingo/flamingo.ts",
    before: "(i + 1) % every",
    after: "i % every",
    noticedBy: flamingo("every-second-layer"),
  },
  {
    mistake: "a cached step of OpenFlamingo sees what the whole text sees",
    path: "src/masks/conventions/open-flamingo.ts",
    before: 'cachedStep: "count",',
    after: 'cachedStep: "rows",',
    noticedBy: flamingo("cached-images-later", "greedy-image-token"),
  },
  {
    mistake: "generation by OpenFlamingo ends at LLaMA's end token by default",
    path: "src/conformance/sources/open-flamingo/flamingo.ts",
    before: "eosTokenId: eocTokenId,",
    after: "eosTokenId: 2,",
    noticedBy: flamingo("greedy"),
  },
];
