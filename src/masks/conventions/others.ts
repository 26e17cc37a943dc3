// Conventions as data: OpenFlamingo, flamingo-mini, Otter, IDEFICS, and Mllama in three hands.
import type { Convention } from "./schema.ts";

const silenced = {
  numbering: "inclusive",
  neighbours: "apart",
  endTokens: "ignored",
  compare: "equal",
  emptyRow: "uniform",
  zeroBeforeFirstImage: true,
  emptyRowFeedForward: "run",
} as const;

const openFlamingo = (version: string, thread: string, option = "") => ({
  package: "open-flamingo",
  version,
  where: `helpers.py, MaskedCrossAttention.forward${option}; flamingo_lm.py, FlamingoLMMixin.forward`,
  thread,
});

const mllama = {
  numbering: "inclusive",
  neighbours: "together",
  endTokens: "ignored",
  compare: "equal",
  zeroBeforeFirstImage: false,
  emptyRowFeedForward: "skip",
  cachedStep: "last-row",
} as const;

export const others = {
  "open-flamingo@0.0.2": {
    ...silenced,
    name: "open-flamingo@0.0.2",
    source: openFlamingo("0.0.2", "open_flamingo #242"),
    numbering: "next",
    cachedStep: "restart",
    note: "Text sees the image that comes next, and after the last image none; a cached step sees nothing.",
  },
  "open-flamingo@2.0.1": {
    ...silenced,
    name: "open-flamingo@2.0.1",
    source: openFlamingo("2.0.1", "open_flamingo #242, #278"),
    cachedStep: "count",
    note: "A token sees the last image at or before it; cached steps see the prompt's last, until one has an image.",
  },
  "open-flamingo@2.0.1 all-previous": {
    ...silenced,
    name: "open-flamingo@2.0.1 all-previous",
    source: openFlamingo("2.0.1", "open_flamingo #278", ", only_attend_immediate_media=False"),
    compare: "at-least",
    zeroBeforeFirstImage: false,
    cachedStep: "count",
    note: "A token sees every image at or before it; text before the first image averages all of them.",
  },
  "flamingo-mini": {
    ...silenced,
    name: "flamingo-mini",
    source: {
      package: "flamingo-mini",
      version: "0.0.2, commit 8a8feae",
      where: "gated_cross_attention.py, MaskedCrossAttention.forward",
      thread: "flamingo-mini #7, #13",
    },
    cachedStep: "prompt-end",
    note: "A token sees the last image at or before it; a cached step counts as the prompt's last tokens did.",
  },
  otter: {
    ...silenced,
    name: "otter",
    source: {
      package: "otter-ai",
      version: "0.0.0a8",
      where: "modeling_otter.py, OtterMaskedCrossAttention.forward",
      thread: "Otter #41, #118",
    },
    cachedStep: "restart",
    note: "A token sees the last image at or before it; a cached step sees nothing.",
  },
  idefics: {
    ...silenced,
    name: "idefics",
    source: {
      package: "transformers",
      version: "5.23.0",
      where: "processing_idefics.py and modeling_idefics.py, IdeficsGatedCrossAttentionLayer",
      thread: "transformers #26428, #26839",
    },
    endTokens: "cut",
    emptyRow: "zero",
    zeroBeforeFirstImage: false,
    cachedStep: "mask-end",
    note: "A token sees the last image at or before it, unless an end token came between; empty rows are zeroed.",
  },
  "mllama transformers": {
    ...mllama,
    name: "mllama transformers",
    source: {
      package: "transformers",
      version: "5.23.0",
      where: "processing_mllama.py and modeling_mllama.py, MllamaCrossAttentionDecoderLayer",
      thread: "transformers #34280, #39379",
    },
    emptyRow: "unmasked",
    note: "Neighbouring images are seen together; text before the first image attends all, and skips the feed-forward.",
  },
  "mllama reference": {
    ...mllama,
    name: "mllama reference",
    source: {
      package: "llama-models",
      version: "0.3.0",
      where: "multimodal/model.py, CrossAttentionTransformerBlock; chat_format.py, create_vision_mask",
    },
    emptyRow: "zero",
    cachedStep: "ahead",
    note: "Neighbouring images are seen together, text before them is left as it is; so is all that follows a prompt of two.",
  },
  "mllama torchtune": {
    ...mllama,
    name: "mllama torchtune",
    source: {
      package: "torchtune",
      version: "0.6.1",
      where: "_transforms.py, VisionCrossAttentionMask; transformer.py, TransformerCrossAttentionLayer",
      thread: "torchtune #2552",
    },
    emptyRow: "zero",
    unprovenStep: "recipes cut the mask, and they are no part of the package",
    note: "As the reference: the mask of an empty row is opened, and its output then set to zero.",
  },
} as const satisfies Record<string, Convention>;
