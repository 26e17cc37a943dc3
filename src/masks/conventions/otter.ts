// The convention of Otter.
import type { NamedConvention } from "./schema.ts";

const source = (option = "") => ({
  package: "otter-ai",
  version: "0.0.0a8",
  where: `modeling_otter.py, OtterMaskedCrossAttention.forward${option}`,
  thread: "Otter #41, #118",
  imageToken: "<image>",
});

const base = {
  numbering: "inclusive",
  neighbours: "apart",
  endTokens: "ignored",
  compare: "equal",
  emptyRow: "uniform",
  zeroBeforeFirstImage: true,
  emptyRowFeedForward: "run",
  cachedStep: "restart",
  refuses: "no-image",
} as const;

export const otter = {
  otter: {
    ...base,
    name: "otter",
    source: source(),
    note: "A token sees the last image at or before it; a cached step sees no image.",
  },
  // modeling_flamingo.py of the same package has the same lines; its configuration sets the flag by default, OtterForConditionalGeneration never.
  "otter next": {
    ...base,
    name: "otter next",
    source: source(", use_media_placement_augmentation=True where it draws attend_previous=False"),
    numbering: "next",
    note: "Text sees the next image, in about half of the forward passes under use_media_placement_augmentation; the others follow otter.",
  },
} as const satisfies Record<string, NamedConvention>;
