// The conventions of Mllama (Llama 3.2 Vision): transformers, Meta's llama-models, torchtune.
import type { NamedConvention } from "./schema.ts";

const base = {
  numbering: "inclusive",
  neighbours: "together",
  endTokens: "ignored",
  compare: "equal",
  zeroBeforeFirstImage: false,
  emptyRowFeedForward: "skip",
  cachedStep: "last-row",
  refuses: "count",
  tiled: true,
} as const;

export const mllama = {
  "mllama transformers": {
    ...base,
    name: "mllama transformers",
    source: {
      package: "transformers",
      version: "5.23.0",
      where: "processing_mllama.py and modeling_mllama.py, MllamaCrossAttentionDecoderLayer",
      thread: "transformers #34280, #39379",
      imageToken: "<|image|>",
    },
    emptyRow: "unmasked",
    note: "Neighbouring images are seen together; text before the first image attends to all images, and skips the feed-forward.",
  },
  "mllama reference": {
    ...base,
    name: "mllama reference",
    source: {
      package: "llama-models",
      version: "0.3.0",
      where: "multimodal/model.py, CrossAttentionTransformerBlock; chat_format.py, create_vision_mask",
      imageToken: "<|image|>",
    },
    emptyRow: "zero",
    cachedStep: "ahead",
    note: "Neighbouring images are seen together; text before the first image is left unchanged, and so is text generated after a prompt of several images.",
  },
  "mllama torchtune": {
    ...base,
    name: "mllama torchtune",
    source: {
      package: "torchtune",
      version: "0.6.1",
      where: "_transforms.py, VisionCrossAttentionMask; transformer.py, TransformerCrossAttentionLayer",
      thread: "torchtune #2552",
      imageToken: "<|image|>",
    },
    emptyRow: "zero",
    unprovenStep: "the recipes that cut the mask are not part of the package",
    note: "As the reference: the mask of an empty row is opened, and the row's output is then set to zero.",
  },
} as const satisfies Record<string, NamedConvention>;
