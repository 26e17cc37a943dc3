// The conventions of OpenFlamingo, release by release.
import type { NamedConvention } from "./schema.ts";

const release = (version: string, thread: string, option = "") => ({
  package: "open-flamingo",
  version,
  where: `helpers.py, MaskedCrossAttention.forward${option}; flamingo_lm.py, FlamingoLMMixin.forward`,
  thread,
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
  cachedStep: "count",
  refuses: "no-image",
} as const;

export const openFlamingo = {
  "open-flamingo@0.0.2": {
    ...base,
    name: "open-flamingo@0.0.2",
    source: release("0.0.2", "open_flamingo #242"),
    numbering: "next",
    cachedStep: "restart",
    note: "Text sees the next image, and no image after the last one; a cached step sees no image.",
  },
  "open-flamingo@0.0.2 previous": {
    ...base,
    name: "open-flamingo@0.0.2 previous",
    source: release(
      "0.0.2",
      "open_flamingo #242",
      ", use_media_placement_augmentation=True where it draws attend_previous=True",
    ),
    cachedStep: "restart",
    note: "A token sees the last image at or before it, in about half of the forward passes under use_media_placement_augmentation; the others follow open-flamingo@0.0.2.",
  },
  "open-flamingo@2.0.1": {
    ...base,
    name: "open-flamingo@2.0.1",
    source: release("2.0.1", "open_flamingo #242, #278"),
    note: "A token sees the last image at or before it; cached steps see the prompt's last image, until a new token is an image.",
  },
  "open-flamingo@2.0.1 all-previous": {
    ...base,
    name: "open-flamingo@2.0.1 all-previous",
    source: release("2.0.1", "open_flamingo #278", ", only_attend_immediate_media=False"),
    compare: "at-least",
    zeroBeforeFirstImage: false,
    note: "A token sees every image at or before it; text before the first image averages all images.",
  },
} as const satisfies Record<string, NamedConvention>;
