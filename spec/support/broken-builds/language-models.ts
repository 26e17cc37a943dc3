// Broken builds of language models, of OpenFlamingo and of generation.
import type { BrokenBuild } from "./change.ts";

const LLAMA = "src/models/language-models/llama.ts";
const llama = (...ids: readonly string[]): string[] => ids.map((id) => `llama-for-causal-lm--${id}`);
const flamingo = (...ids: readonly string[]): string[] => ids.map((id) => `flamingo--${id}`);

export const languageModels: readonly BrokenBuild[] = [
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
    noticedBy: ["flamingo-palm--text-thirty-three-tokens"],
  },
  {
    mistake: "the mask of a decoder is causal for 128 tokens only",
    path: "src/models/language-model.ts",
    before: "let q = Math.max(0, at - past)",
    after: "let q = at < 128 ? Math.max(0, at - past) : 0",
    noticedBy: ["flamingo-palm--text-many-tokens"],
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
    path: "src/conformance/sources/open-flamingo.ts",
    before: "?? options.eocTokenId",
    after: "?? 2",
    noticedBy: flamingo("greedy"),
  },
];
