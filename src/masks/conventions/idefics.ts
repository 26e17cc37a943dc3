// The convention of IDEFICS in transformers.
import type { NamedConvention } from "./schema.ts";

export const idefics = {
  idefics: {
    name: "idefics",
    source: {
      package: "transformers",
      version: "5.23.0",
      where: "processing_idefics.py and modeling_idefics.py, IdeficsGatedCrossAttentionLayer",
      thread: "transformers #26428, #26839",
      imageToken: "<image>",
    },
    numbering: "inclusive",
    neighbours: "apart",
    endTokens: "cut",
    compare: "equal",
    emptyRow: "zero",
    zeroBeforeFirstImage: false,
    emptyRowFeedForward: "run",
    cachedStep: "mask-end",
    note: "A token sees the last image at or before it, unless an end token comes between them; empty rows are set to zero.",
  },
} as const satisfies Record<string, NamedConvention>;
