// Broken builds with another default. Where they can, two defaults change together so that no weight has another shape.
import type { BrokenBuild } from "./change.ts";

const HEADS = "dimHead = 64, heads = 8";
const OTHER_HEADS = "dimHead = 32, heads = 16";

export const defaults: readonly BrokenBuild[] = [
  {
    mistake: "perceiver attention has 16 heads of 32 by default",
    path: "src/blocks/perceiver-attention.ts",
    before: HEADS,
    after: OTHER_HEADS,
    noticedBy: ["perceiver-attention--defaults", "perceiver-resampler--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "masked cross-attention has 16 heads of 32 by default",
    path: "src/blocks/masked-cross-attention.ts",
    before: HEADS,
    after: OTHER_HEADS,
    noticedBy: [
      "masked-cross-attention--defaults",
      "gated-cross-attention-block--defaults",
      "flamingo-palm--defaults",
    ],
  },
  {
    mistake: "a layer of PaLM has 16 heads by default",
    path: "src/blocks/parallel-transformer-block.ts",
    before: "heads = 8,",
    after: "heads = 16,",
    noticedBy: ["parallel-transformer-block--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "a layer of PaLM has heads of 32 by default",
    path: "src/blocks/parallel-transformer-block.ts",
    before: "dimHead = 64,",
    after: "dimHead = 32,",
    noticedBy: ["parallel-transformer-block--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "a ViT has heads of 32 by default",
    path: "src/models/vision/vit.ts",
    before: "dimHead = 64,",
    after: "dimHead = 32,",
    noticedBy: ["vit--defaults", "extractor--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "a ViT has one channel by default",
    path: "src/models/vision/vit.ts",
    before: "channels = 3,",
    after: "channels = 1,",
    noticedBy: ["vit--defaults", "extractor--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "a ViT pools by the mean by default",
    path: "src/models/vision/vit.ts",
    before: 'pool = "cls",',
    after: 'pool = "mean",',
    noticedBy: ["vit--defaults"],
  },
  {
    mistake: "a resampler has 32 latents by default",
    path: "src/blocks/perceiver-resampler.ts",
    before: "numLatents = 64",
    after: "numLatents = 32",
    noticedBy: ["perceiver-resampler--defaults"],
  },
  {
    mistake: "a resampler has positions for eight media by default",
    path: "src/blocks/perceiver-resampler.ts",
    before: "numMediaEmbeds ?? 4",
    after: "numMediaEmbeds ?? 8",
    noticedBy: ["perceiver-resampler--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "a resampler's feed-forward is twice as wide by default",
    path: "src/blocks/perceiver-resampler.ts",
    before: "ffMult = 4",
    after: "ffMult = 2",
    noticedBy: ["perceiver-resampler--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "a gated block's feed-forward is twice as wide by default",
    path: "src/blocks/gated-cross-attention-block.ts",
    before: "ffMult = 4",
    after: "ffMult = 2",
    noticedBy: ["gated-cross-attention-block--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "a layer of PaLM has a feed-forward twice as wide by default",
    path: "src/blocks/parallel-transformer-block.ts",
    before: "ffMult = 4",
    after: "ffMult = 2",
    noticedBy: ["parallel-transformer-block--defaults", "flamingo-palm--defaults"],
  },
  {
    mistake: "a feed-forward is twice as wide by default",
    path: "src/nn/feed-forward.ts",
    before: "mult = 4",
    after: "mult = 2",
    noticedBy: ["feed-forward--basic"],
  },
  {
    mistake: "FlamingoPaLM's resampler has 32 latents by default",
    path: "src/models/flamingo/flamingo-palm.ts",
    before: "perceiverNumLatents = 64",
    after: "perceiverNumLatents = 32",
    noticedBy: ["flamingo-palm--defaults"],
  },
  {
    mistake: "FlamingoPaLM's resampler has one layer by default",
    path: "src/models/flamingo/flamingo-palm.ts",
    before: "perceiverDepth = 2",
    after: "perceiverDepth = 1",
    noticedBy: ["flamingo-palm--defaults"],
  },
  {
    mistake: "cross-attention follows every fourth layer by default",
    path: "src/models/flamingo/flamingo-palm.ts",
    before: "crossAttnEvery = 3",
    after: "crossAttnEvery = 4",
    noticedBy: ["flamingo-palm--defaults"],
  },
  {
    mistake: "the media id is 4 by default",
    path: "src/models/flamingo/flamingo-palm.ts",
    before: "mediaTokenId = 3",
    after: "mediaTokenId = 4",
    noticedBy: ["flamingo-palm--defaults"],
  },
];
