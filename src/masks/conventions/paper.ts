// The conventions of the Flamingo paper (Alayrac et al., arXiv 2204.14198v2). The first two are the defaults of this project.
import type { Convention } from "./schema.ts";

// @__NO_SIDE_EFFECTS__
const fromPaper = (where: string) => ({
  package: "Flamingo, the paper",
  version: "arXiv 2204.14198v2",
  where,
});

const base = {
  numbering: "inclusive",
  neighbours: "apart",
  endTokens: "ignored",
  compare: "equal",
  emptyRow: "zero",
  zeroBeforeFirstImage: false,
  emptyRowFeedForward: "run",
  cachedStep: "rows",
  unproven: "the paper came without code",
} as const;

export const immediate = {
  ...base,
  name: "immediate",
  source: fromPaper("section 2.3, appendix A.1.3 (phi) and figure 7"),
  note: "A token sees the last image at or before it; attention adds nothing to a token that sees no image.",
} as const satisfies Convention;

export const allPrevious = {
  ...base,
  name: "all-previous",
  source: fromPaper("table 10, ablation (ii)"),
  compare: "at-least",
  note: "A token sees every image at or before it; attention adds nothing to a token that sees no image.",
} as const satisfies Convention;

export const paper = {
  immediate,
  "all-previous": allPrevious,
  paper: {
    ...base,
    name: "paper",
    source: fromPaper("appendix A.1.3, the sentence on phi without figure 7"),
    numbering: "exclusive",
    note: "A token sees the last image strictly before it, so an image's own token sees the previous image.",
  },
  "paper next": {
    ...base,
    name: "paper next",
    source: fromPaper("appendix A.3.2, half of the webpages in training"),
    numbering: "next",
    note: "Text sees the next image, as in half of the paper's training pages.",
  },
} as const satisfies Record<string, Convention>;
