// Broken builds of language models: caches, scaled frequencies, padding tokens, and options of one norm or one projection.
import type { BrokenBuild } from "./change.ts";

const MODELS = "src/models/language-models";
const cases = (model: string, ...ids: readonly string[]): string[] =>
  ids.map((id) => `${model}-for-causal-lm--${id}`);

export const cachesAndFrequencies: readonly BrokenBuild[] = [
  {
    mistake: "the cache of LLaMA holds values in place of keys",
    path: `${MODELS}/llama.ts`,
    before: "const now = appended(past, { k, v });",
    after: "const now = appended(past, { k: v, v: k });",
    noticedBy: cases("llama", "linear-frequencies", "cached-one-by-one"),
  },
  {
    mistake: "GPT-NeoX caches keys that are not rotated",
    path: `${MODELS}/gpt-neox.ts`,
    before: 'const keys = rotary(named("b g l k", k), angles);',
    after: 'const keys = named("b g l k", k);',
    noticedBy: cases("gpt-neox", "linear-frequencies", "cached-in-chunks"),
  },
  {
    mistake: "LLaMA ignores scaled frequencies",
    path: `${MODELS}/llama.ts`,
    before: "precision, scaling: ropeScaling };",
    after: "precision };",
    noticedBy: cases("llama", "linear-frequencies", "llama3-frequencies"),
  },
  {
    mistake: "linear scaling multiplies frequencies",
    path: "src/nn/positions/scaling.ts",
    before: "theta.map(slower)",
    after: "theta.map((x) => x * scaling.factor)",
    noticedBy: [...cases("llama", "linear-frequencies"), ...cases("gpt-neox", "linear-frequencies")],
  },
  {
    mistake: "the frequencies of Llama 3.1 jump from high to low",
    path: "src/nn/positions/scaling.ts",
    before: "return round(slower(round(round(1 - share) * x)) + round(share * x));",
    after: "return slower(x);",
    noticedBy: [...cases("llama", "llama3-frequencies"), ...cases("gpt-neox", "llama3-frequencies")],
  },
  {
    mistake: "rotary angles of LLaMA have the precision of the model by default",
    path: `${MODELS}/llama.ts`,
    before: 'rotaryPrecision = "float32"',
    after: 'rotaryPrecision = "float64"',
    noticedBy: cases("llama", "float32-angles"),
  },
  {
    mistake: "a negative padding token is none",
    path: `${MODELS}/padding.ts`,
    before: "id < 0 ? id + rows : id",
    after: "id < 0 ? null : id",
    noticedBy: [...cases("llama", "padding-token"), ...cases("opt", "post-norm-gradients")],
  },
  {
    mistake: "LLaMA has one epsilon for its last norm",
    path: `${MODELS}/llama.ts`,
    before: "new RMSNorm(hiddenSize, { epsilon: rmsNormEps })",
    after: "new RMSNorm(hiddenSize)",
    noticedBy: cases("llama", "grouped-queries"),
  },
  {
    mistake: "rotaryPct rounds to the nearest number of dimensions",
    path: `${MODELS}/gpt-neox.ts`,
    before: "Math.trunc(headDim * rotaryPct)",
    after: "Math.round(headDim * rotaryPct)",
    noticedBy: cases("gpt-neox", "tied-gradients"),
  },
  {
    mistake: "GPT-J without rotary_dim rotates two dimensions",
    path: `${MODELS}/gptj.ts`,
    before: "rotated ?? width;",
    after: "rotated ?? 2;",
    noticedBy: cases("gptj", "whole-width"),
  },
  {
    mistake: "MPT with clip_qkv 0 has no queries, keys and values",
    path: `${MODELS}/mpt.ts`,
    before: "clipQkv === 0 ? null",
    after: "clipQkv === 0 ? 0",
    noticedBy: cases("mpt", "untied-gradients"),
  },
  {
    mistake: "a text as long as MPT allows is refused",
    path: `${MODELS}/mpt.ts`,
    before: "keys > maxSeqLen",
    after: "keys >= maxSeqLen",
    noticedBy: cases("mpt", "cached-in-chunks"),
  },
  {
    mistake: "heads of OPT, GPT-NeoX, GPT-J and MPT are joined by dimension",
    path: `${MODELS}/multi-head.ts`,
    before: 'rearrange("b h l k -> b l (h k)", out)',
    after: 'rearrange("b h l k -> b l (k h)", out)',
    noticedBy: [...cases("opt", "cache-contents"), ...cases("mpt", "cache-contents")],
  },
];
