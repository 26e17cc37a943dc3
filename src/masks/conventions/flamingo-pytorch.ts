// The conventions of flamingo-pytorch, release by release.
import { released, releasedPair } from "./pair.ts";
import type { NamedConvention } from "./schema.ts";

// @__NO_SIDE_EFFECTS__
const release = (version: string, thread: string, immediate?: boolean) => ({
  package: "flamingo-pytorch",
  version,
  where: `flamingo_pytorch.py, MaskedCrossAttention.forward${
    immediate === undefined ? "" : `, only_attend_immediate_media=${immediate ? "True" : "False"}`
  }`,
  thread,
});

export const flamingoPytorch = {
  "flamingo-pytorch@0.1.2 immediate": {
    ...releasedPair.immediate,
    source: release("0.1.2", "flamingo-pytorch #10", true),
    note: "As immediate, but a token whose image was not given averages all images: only rows with text_time = 0 are set to zero.",
  },
  "flamingo-pytorch@0.1.2 all-previous": {
    ...releasedPair.allPrevious,
    source: release("0.1.2", "flamingo-pytorch #10", false),
    note: "As all-previous, but text before the first image averages all images, including later ones.",
  },
  "flamingo-pytorch@0.0.3": {
    ...released,
    name: "flamingo-pytorch@0.0.3",
    source: release("0.0.3", "flamingo-pytorch commit 341ce48"),
    compare: "everything",
    note: "Image locations are accepted but not used: every token sees every image.",
  },
  "flamingo-pytorch@0.0.4": {
    ...released,
    name: "flamingo-pytorch@0.0.4",
    source: release("0.0.4", "flamingo-pytorch #6"),
    compare: "at-least",
    note: "A token sees every image at or before it; text before the first image averages all images.",
  },
  "flamingo-pytorch@0.0.16 immediate": {
    ...released,
    name: "flamingo-pytorch@0.0.16 immediate",
    source: release("0.0.16", "flamingo-pytorch #6, #10", true),
    note: "A token sees the last image at or before it; every token that should see no image averages all images.",
  },
  "flamingo-pytorch@0.0.16 all-previous": {
    ...released,
    name: "flamingo-pytorch@0.0.16 all-previous",
    source: release("0.0.16", "flamingo-pytorch #6, #10", false),
    compare: "at-least",
    note: "A token sees every image at or before it; text before the first image averages all images.",
  },
} as const satisfies Record<string, NamedConvention>;
