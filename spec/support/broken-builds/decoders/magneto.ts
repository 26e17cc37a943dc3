// Broken builds of the Magneto decoder and of torchscale's profiles.
import type { BrokenBuild } from "../change.ts";

const FOLDER = "src/models/language-models/magneto";
const decoder = (...ids: readonly string[]): string[] => ids.map((id) => `decoder--${id}`);

export const magneto: readonly BrokenBuild[] = [
  {
    mistake: "Magneto's activation is ReLU by default",
    path: `${FOLDER}/options.ts`,
    before: 'activation = "gelu",',
    after: 'activation = "relu",',
    noticedBy: decoder("defaults", "pre-ln", "deep-norm", "gradients"),
  },
  {
    mistake: "the epsilon of Magneto's norms is 1e-6 by default",
    path: `${FOLDER}/options.ts`,
    before: "eps: epsilon = 1e-5,",
    after: "eps: epsilon = 1e-6,",
    noticedBy: decoder("defaults", "pre-ln", "incremental"),
  },
  {
    mistake: "the base of Magneto's xPos is 256 by default",
    path: `${FOLDER}/options.ts`,
    before: "xposScaleBase: scaleBase = 512,",
    after: "xposScaleBase: scaleBase = 256,",
    noticedBy: decoder("kosmos", "multiway-split", "incremental"),
  },
  {
    mistake: "residuals are multiplied as in an encoder with a decoder",
    path: `${FOLDER}/options.ts`,
    before: "(2 * layers) ** 0.25",
    after: "(3 * layers) ** 0.25",
    noticedBy: decoder("deep-norm", "deep-norm-flag", "gradients-deep-norm"),
  },
  {
    mistake: "token embeddings are multiplied by the width",
    path: `${FOLDER}/options.ts`,
    before: "scaleEmbedding ? Math.sqrt(width) : 1",
    after: "scaleEmbedding ? width : 1",
    noticedBy: decoder("tied", "embedding-norm", "embeddings"),
  },
  {
    mistake: "norms stand after the sums without sub-LN",
    path: `${FOLDER}/options.ts`,
    before: 'normBefore: normalization === "sub-ln" || normalization === "pre-ln"',
    after: 'normBefore: normalization === "sub-ln"',
    noticedBy: decoder("pre-ln", "multiway-b", "deep-norm-flag"),
  },
  {
    mistake: "a cached query is rotated as the first token",
    path: `${FOLDER}/attention.ts`,
    before: "{ offset: from }",
    after: "{ offset: 0 }",
    noticedBy: decoder("incremental"),
  },
  {
    mistake: "xPos multiplies keys by the scale of queries",
    path: `${FOLDER}/attention.ts`,
    before: "{ downscale: true }",
    after: "{ downscale: false }",
    noticedBy: [...decoder("kosmos", "xpos-even"), "multihead-attention--xpos"],
  },
  {
    mistake: "Magneto's scores are divided by the root of the model's width",
    path: `${FOLDER}/attention.ts`,
    before: "(width / h) ** -0.5",
    after: "width ** -0.5",
    noticedBy: [...decoder("defaults", "relative"), "multihead-attention--plain"],
  },
  {
    mistake: "the token at the split position uses the branches A",
    path: `${FOLDER}/multiway.ts`,
    before: "position < options.position",
    after: "position < options.position + 1",
    noticedBy: [...decoder("multiway-split", "gradients-multiway"), "multihead-attention--multiway"],
  },
  {
    mistake: "without a split position all tokens use the branches B",
    path: `${FOLDER}/multiway.ts`,
    before: "options.position === -1 ||",
    after: "options.position !== -1 &&",
    noticedBy: decoder("multiway-a"),
  },
  {
    mistake: "the norm inside of the feed-forward is left out",
    path: `${FOLDER}/feed-forward.ts`,
    before: "this.ffn_layernorm ? this.ffn_layernorm.forward(hidden) : hidden",
    after: "hidden",
    noticedBy: [...decoder("defaults", "post-sub-ln"), "feed-forward-network--relu"],
  },
  {
    mistake: "Magneto's first norm does not follow the sum of attention",
    path: `${FOLDER}/layer.ts`,
    before: "normBefore ? sum : first.forward(sum)",
    after: "sum",
    noticedBy: decoder("post-ln", "deep-norm", "post-sub-ln"),
  },
  {
    mistake: "positions begin with the second row of the table",
    path: `${FOLDER}/decoder.ts`,
    before: "const OFFSET = 2;",
    after: "const OFFSET = 1;",
    noticedBy: decoder("kosmos", "incremental", "gradients"),
  },
  {
    mistake: "the flags of the commit after torchscale 0.3.0 place norms as the release does",
    path: "src/conformance/sources/torchscale.ts",
    before: '"torchscale@4d1e0e8": { flagsPlaceNorms: false }',
    after: '"torchscale@4d1e0e8": { flagsPlaceNorms: true }',
    noticedBy: decoder("deep-norm-flag", "post-sub-ln"),
  },
];
