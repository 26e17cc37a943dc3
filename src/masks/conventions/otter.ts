// The convention of Otter.
import type { Convention } from "./schema.ts";

export const otter = {
  otter: {
    name: "otter",
    source: {
      package: "otter-ai",
      version: "0.0.0a8",
      where: "modeling_otter.py, OtterMaskedCrossAttention.forward",
      thread: "Otter #41, #118",
      imageToken: "<image>",
    },
    numbering: "inclusive",
    neighbours: "apart",
    endTokens: "ignored",
    compare: "equal",
    emptyRow: "uniform",
    zeroBeforeFirstImage: true,
    emptyRowFeedForward: "run",
    cachedStep: "restart",
    note: "A token sees the last image at or before it; a cached step sees no image.",
  },
} as const satisfies Record<string, Convention>;
