// Conventions as data: the paper, this project's defaults, and flamingo-pytorch through its releases.
import type { Convention } from "./schema.ts";

const paper = "Flamingo, the paper";
const arxiv = "arXiv 2204.14198v2";
const published = "the paper came without code";
const lucidrains = (version: string, thread: string, option?: boolean) => ({
  package: "flamingo-pytorch",
  version,
  where: `flamingo_pytorch.py, MaskedCrossAttention.forward${
    option === undefined ? "" : `, only_attend_immediate_media=${option ? "True" : "False"}`
  }`,
  thread,
});

const plain = {
  numbering: "inclusive",
  neighbours: "apart",
  endTokens: "ignored",
  compare: "equal",
  emptyRow: "zero",
  zeroBeforeFirstImage: false,
  emptyRowFeedForward: "run",
  cachedStep: "rows",
} as const;

/** flamingo-pytorch fills with a finite number and has no cache. */
const released = { ...plain, emptyRow: "uniform", cachedStep: "none" } as const;

export const flamingos = {
  immediate: {
    ...plain,
    name: "immediate",
    source: { package: paper, version: arxiv, where: "section 2.3 and appendix A.1.3 (phi)" },
    unproven: published,
    note: "A token sees the last image at or before it; a token that sees no image adds nothing.",
  },
  "all-previous": {
    ...plain,
    name: "all-previous",
    source: { package: paper, version: arxiv, where: "table 10, ablation (ii)" },
    compare: "at-least",
    unproven: published,
    note: "A token sees every image at or before it; a token that sees no image adds nothing.",
  },
  "flamingo-pytorch@0.1.2 immediate": {
    ...released,
    name: "flamingo-pytorch@0.1.2 immediate",
    source: lucidrains("0.1.2", "flamingo-pytorch #10", true),
    zeroBeforeFirstImage: true,
    note: "As immediate, but a token whose image was not given averages all images: only text_time = 0 is silenced.",
  },
  "flamingo-pytorch@0.1.2 all-previous": {
    ...released,
    name: "flamingo-pytorch@0.1.2 all-previous",
    source: lucidrains("0.1.2", "flamingo-pytorch #10", false),
    compare: "at-least",
    note: "As all-previous, but text before the first image averages all images, those that come later included.",
  },
  paper: {
    ...plain,
    name: "paper",
    source: { package: paper, version: arxiv, where: "appendix A.1.3, phi read to the letter" },
    numbering: "exclusive",
    unproven: published,
    note: "A token sees the last image before it, so that an image's own token still sees the one before.",
  },
  "paper next": {
    ...plain,
    name: "paper next",
    source: { package: paper, version: arxiv, where: "appendix A.3.2, half of the webpages in training" },
    numbering: "next",
    unproven: published,
    note: "Text sees the image that comes next, as half of the paper's training pages do.",
  },
  "flamingo-pytorch@0.0.3": {
    ...released,
    name: "flamingo-pytorch@0.0.3",
    source: lucidrains("0.0.3", "flamingo-pytorch commit 341ce48"),
    compare: "everything",
    note: "Image locations are accepted and not used: every token sees every image.",
  },
  "flamingo-pytorch@0.0.4": {
    ...released,
    name: "flamingo-pytorch@0.0.4",
    source: lucidrains("0.0.4", "flamingo-pytorch #6"),
    compare: "at-least",
    note: "A token sees every image at or before it; text before the first image averages all of them.",
  },
  "flamingo-pytorch@0.0.16 immediate": {
    ...released,
    name: "flamingo-pytorch@0.0.16 immediate",
    source: lucidrains("0.0.16", "flamingo-pytorch #6, #10", true),
    note: "A token sees the last image at or before it; every token that sees no image averages all of them.",
  },
  "flamingo-pytorch@0.0.16 all-previous": {
    ...released,
    name: "flamingo-pytorch@0.0.16 all-previous",
    source: lucidrains("0.0.16", "flamingo-pytorch #6, #10", false),
    compare: "at-least",
    note: "A token sees every image at or before it; text before the first image averages all of them.",
  },
} as const satisfies Record<string, Convention>;
