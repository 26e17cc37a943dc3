// Broken builds that fail for unusual sizes, options and arguments only.
import type { BrokenBuild } from "./change.ts";

const PALM = "src/models/flamingo/flamingo-palm.ts";
const VIT = "src/models/vision/vit.ts";

export const edges: readonly BrokenBuild[] = [
  {
    mistake: "images smaller than the model's are refused",
    path: VIT,
    before: "h <= height && w <= width;",
    after: "h === height && w === width;",
    noticedBy: ["vit--smaller-image", "extractor--smaller-image", "flamingo-palm--smaller-images"],
  },
  {
    mistake: "smaller images have the last positions in place of the first",
    path: VIT,
    before: "slice(this.pos_embedding, 0, 0, tokens.shape[1] ?? 0)",
    after:
      "slice(this.pos_embedding, 0, (this.pos_embedding.shape[0] ?? 0) - (tokens.shape[1] ?? 0), tokens.shape[1] ?? 0)",
    noticedBy: [
      "vit--smaller-image",
      "vit--smaller-image-mean",
      "extractor--smaller-image",
      "flamingo-palm--smaller-images",
    ],
  },
  {
    mistake: "the grid of patches is taken to be square",
    path: VIT,
    before: "(image[0] / patch[0]) * (image[1] / patch[1])",
    after: "(image[0] / patch[0]) ** 2",
    noticedBy: ["vit--not-square-grid", "vit--many-patches", "flamingo-palm--not-square"],
  },
  {
    mistake: "without classes a ViT that pools by the mean returns the mean",
    path: VIT,
    before: "if (!this.mlp_head) return tokens; // [vit.no-classes]",
    after:
      'if (!this.mlp_head) return this.options.pool === "mean" ? mulScalar(sum("b n d -> b d", tokens), 0.25) : tokens;',
    noticedBy: ["vit--mean-no-classes"],
  },
  {
    mistake: "the mean of a ViT's tokens divides by the number of positions",
    path: VIT,
    before: "const n = tokens.shape[1] ?? 1;",
    after: "const n = this.pos_embedding.shape[0] ?? 1;",
    noticedBy: ["vit--smaller-image-mean"],
  },
  {
    mistake: "a ViT of no layers has one",
    path: "src/blocks/vision-transformer.ts",
    before: "{ length: options.depth }",
    after: "{ length: options.depth || 1 }",
    noticedBy: ["vit--no-layers", "extractor--no-layers"],
  },
  {
    mistake: "a ViT has two layers at most",
    path: "src/blocks/vision-transformer.ts",
    before: "{ length: options.depth }",
    after: "{ length: Math.min(options.depth, 2) }",
    noticedBy: ["vit--three-layers"],
  },
  {
    mistake: "a resampler of no layers has one",
    path: "src/blocks/perceiver-resampler.ts",
    before: "{ length: depth }",
    after: "{ length: depth || 1 }",
    noticedBy: ["perceiver-resampler--no-layers", "flamingo-palm--perceiver-no-layers"],
  },
  {
    mistake: "a FlamingoPaLM of no layers has one",
    path: PALM,
    before: "{ length: depth }",
    after: "{ length: depth || 1 }",
    noticedBy: ["flamingo-palm--no-layers"],
  },
  {
    mistake: "FlamingoPaLM's resampler of no layers has two",
    path: PALM,
    before: "depth: perceiverDepth,",
    after: "depth: perceiverDepth || 2,",
    noticedBy: ["flamingo-palm--perceiver-no-layers"],
  },
  {
    mistake: "the media id 0 is taken as missing",
    path: PALM,
    before: "this.options = { mediaTokenId, behaviour",
    after: "this.options = { mediaTokenId: mediaTokenId || 3, behaviour",
    noticedBy: ["flamingo-palm--media-id-zero"],
  },
  {
    mistake: "cross-attention blocks are skipped when no row has an image token",
    path: PALM,
    before: "x: cross && media ?",
    after: "x: cross && media && visibility?.mayAttend.data.includes(1) ?",
    noticedBy: ["flamingo-palm--no-media", "flamingo-palm--no-media-all-previous"],
  },
  {
    mistake: "a gated block returns its input when no row has an image token",
    path: "src/blocks/gated-cross-attention-block.ts",
    before: "    // #region gate\n",
    after: "    if (visible && !visible.mayAttend.data.includes(1)) return x;\n",
    noticedBy: [
      "gated-cross-attention-block--no-media",
      "gated-cross-attention-block--no-media-all-previous",
      "flamingo-palm--no-media",
    ],
  },
  {
    mistake: "embeddings beside images are ignored",
    path: "src/models/flamingo/media.ts",
    before: "images ? videos || embeds : videos && embeds",
    after: "videos && (images || embeds)",
    noticedBy: ["flamingo-palm--embeds-and-images"],
  },
  {
    mistake: "embeddings beside videos are refused for another reason",
    path: "src/models/flamingo/media.ts",
    before: "{ images: null }",
    after: "{ images: videos?.shape ?? null }",
    noticedBy: ["flamingo-palm--embeds-and-videos"],
  },
  {
    mistake: "the causal mask ends at 32 tokens",
    path: "src/masks/grid.ts",
    before: "l * n + l + 1)",
    after: "l * n + (l < 32 ? l + 1 : n))",
    noticedBy: ["parallel-transformer-block--many-tokens"],
  },
  {
    mistake: "the causal mask has 32 columns",
    path: "src/masks/grid.ts",
    before: "l * n + l + 1)",
    after: "l * n + Math.min(l + 1, 32))",
    noticedBy: ["parallel-transformer-block--thirty-three-tokens", "flamingo-palm--text-thirty-three-tokens"],
  },
  {
    mistake: "the causal mask ends at 128 tokens",
    path: "src/masks/grid.ts",
    before: "l * n + l + 1)",
    after: "l * n + (l < 128 ? l + 1 : n))",
    noticedBy: ["parallel-transformer-block--many-tokens", "flamingo-palm--text-many-tokens"],
  },
  {
    mistake: "rotary positions start again after 64",
    path: "src/nn/positions/palm-rotary.ts",
    before: 'einsum("l, j -> l j", arange("l", positions, from), this.inv_freq)',
    after:
      'einsum("l, j -> l j", concat("i, j -> l", arange("i", Math.min(positions, 64)), arange("j", Math.max(0, positions - 64))), this.inv_freq)',
    noticedBy: ["rotary-embedding--many-positions"],
  },
  {
    mistake: "gates beyond 2.5 are fully open",
    path: "src/blocks/gated-cross-attention-block.ts",
    before: "expand(tanh(alpha), x)",
    after:
      "expand(Math.abs(Number(alpha.data.data[0])) > 2.5 ? mulScalar(alpha, 1 / Math.abs(Number(alpha.data.data[0]))) : tanh(alpha), x)",
    noticedBy: ["gated-cross-attention-block--gates-three"],
  },
  {
    mistake: "tanh overflows beyond 10",
    path: "src/tensor/ops/elementwise.ts",
    before: "map(Math.tanh)",
    after: "map((x) => (Math.abs(x) > 10 ? NaN : Math.tanh(x)))",
    noticedBy: ["gated-cross-attention-block--gates-twenty"],
  },
  {
    mistake: "an attention of one query attends to everything",
    path: "src/blocks/masked-cross-attention.ts",
    before: "const mask = visible ?",
    after: "const mask = visible && x.shape[1] !== 1 ?",
    noticedBy: ["masked-cross-attention--one-token"],
  },
  {
    mistake: "the variance of layer normalisation is a difference of squares",
    path: "src/nn/norms/layer-norm.ts",
    before: "meanLast(square(part));",
    after: "sub(meanLast(square(x)), square(meanLast(x)));",
    noticedBy: ["palm-layer-norm--narrow-offset", "feed-forward--offset"],
  },
  {
    mistake: "layer normalisation overflows in float16, each step being rounded",
    path: "src/tensor/program/evaluate.ts",
    before: 'if (name !== "normalize")',
    after: 'if (name !== "nothing")',
    noticedBy: ["palm-layer-norm--outlier-channel", "feed-forward--outlier-channel"],
    backend: "float16",
  },
];
