// The convention of flamingo-mini.
import type { NamedConvention } from "./schema.ts";

export const flamingoMini = {
  "flamingo-mini": {
    name: "flamingo-mini",
    source: {
      package: "flamingo-mini",
      version: "0.0.2, commit 8a8feae",
      where: "gated_cross_attention.py, MaskedCrossAttention.forward",
      thread: "flamingo-mini #7, #13",
      imageToken: "<image>",
    },
    numbering: "inclusive",
    neighbours: "apart",
    endTokens: "ignored",
    compare: "equal",
    emptyRow: "uniform",
    zeroBeforeFirstImage: true,
    emptyRowFeedForward: "run",
    cachedStep: "prompt-end",
    refuses: "no-image",
    note: "A token sees the last image at or before it; a cached step has the numbers of the prompt's last tokens.",
  },
} as const satisfies Record<string, NamedConvention>;
